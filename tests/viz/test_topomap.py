"""Topographies."""

from __future__ import annotations

import example_results
import mne
import numpy as np
import pytest

import eegflex.viz.head
from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.viz.head import RADIUS, find_sites, project
from eegflex.viz.topomap import site_values


def note(fig):
    return fig.get_supxlabel().replace("\n", " ")


@pytest.fixture
def drawn(monkeypatch):
    """What MNE's plot_topomap was given, from four sites on."""
    monkeypatch.setattr(eegflex.viz.head, "MIN_SITES", 4)
    calls, original = [], mne.viz.plot_topomap

    def spy(data, pos, **kwargs):
        calls.append((np.array(data), np.array(pos), kwargs))
        return original(data, pos, **kwargs)

    monkeypatch.setattr(mne.viz, "plot_topomap", spy)
    return calls


def test_mne_gets_the_numbers_of_the_band_table(result, drawn):
    viz.plot_topomap(result, stage="N2", band="sigma", show=False)
    ((data, positions, _),) = drawn
    np.testing.assert_allclose(data, result.band_table()["sigma"].loc["N2"].to_numpy(), atol=1e-9)
    assert positions.shape == (6, 2)


def test_a_map_a_band_and_stage(result, drawn):
    fig = viz.plot_topomap(result, show=False)
    table = result.band_table()
    assert len(drawn) == 25
    expected = [
        table[band].loc[stage].to_numpy() for band in reversed(list(Bands())) for stage in example_results.STAGES
    ]
    np.testing.assert_allclose([data for data, _, _ in drawn], expected, atol=1e-9)
    titles = [ax.get_title() for ax in fig.axes]
    assert titles[:5] == [f"{stage}\nn = 2" for stage in example_results.STAGES]


@pytest.mark.slow
@pytest.mark.parametrize(("scale_by", "n_scales"), [("stage", 5), ("figure", 1)])
def test_limits_are_symmetric_and_shared(result, drawn, scale_by, n_scales):
    fig = viz.plot_topomap(result, scale_by=scale_by, show=False)
    limits = [kwargs["vlim"] for _, _, kwargs in drawn]
    assert all(low == -high for low, high in limits)
    assert len(set(limits)) == n_scales
    assert len(fig.axes) == 25 + n_scales
    assert ("Each stage has its own colour scale" in note(fig)) == (scale_by == "stage")
    for column in range(5):
        values = np.abs([data for data, _, _ in drawn[column::5]]).max()
        assert values <= limits[column][1] + 1e-12


def test_left_is_left_and_front_is_up(result):
    sites = find_sites(result.to_xarray())
    place = dict(zip(sites.names, sites.xy, strict=True))
    assert place["C3-M2"][0] < 0 < place["C4-M1"][0]
    assert place["O1-M2"][1] < place["C3-M2"][1] < place["F3-M2"][1]
    assert np.hypot(*sites.xy.T).max() < RADIUS


def test_the_ten_twenty_system_lies_inside_the_head():
    names = ["Fp1", "Fp2", "F7", "F8", "T7", "T8", "O1", "O2", "Cz"]
    epochs = example_results.make_epochs(names, "eeg")
    xy = project(np.array([ch["loc"][:3] for ch in epochs.info["chs"]]))
    assert np.hypot(*xy.T).max() < 1.03 * RADIUS
    assert np.hypot(*xy[-1]) < 0.1 * RADIUS


def test_few_sites_are_discs(pair_result, drawn):
    fig = viz.plot_topomap(pair_result, stage="W", band="alpha", show=False)
    assert not drawn
    (discs,) = [c for c in fig.axes[0].collections if c.get_gid() == "sites" and len(c.get_offsets())]
    table = pair_result.band_table()["alpha"].loc["W"]
    np.testing.assert_allclose(discs.get_array(), [table["C3-M2"], table["C4-M1"]], atol=1e-9)
    assert "Each disc is one site" in note(fig)
    assert "Every electrode is drawn over the same n epochs of a stage." in note(fig)
    signs = {c.get_gid(): len(c.get_offsets()) for c in fig.axes[0].collections if c.get_gid() in ("raised", "lowered")}
    assert signs == {"raised": 2}


def test_where_channels_disagree_on_the_stage_they_are_compared_over_the_others(pair_result):
    data = pair_result.to_xarray()
    data["predicted"][0, 1] = "N2"  # by C4; W by C3, which is surer
    data["scores"].values[0, 1] *= 0.5
    result = type(pair_result)(data)
    fig = viz.plot_topomap(result, show=False)
    titles = [ax.get_title() for ax in fig.axes][:5]
    assert "Left out: epochs on which the channels disagree about the stage (" in note(fig)
    one = viz.plot_topomap(result, picks="C3-M2", show=False)  # compared with nothing
    assert one.axes[0].get_title() == "W\nn = 2"
    assert titles == ["W\nn = 1", "N1\nn = 2", "N2\nn = 2", "N3\nn = 2", "REM\nn = 2"]
    table = result.band_table()
    assert table["n_epochs"]["W"][["C3-M2", "C4-M1"]].tolist() == [1, 1]
    assert table["n_left_out"]["W"][["C3-M2", "C4-M1"]].tolist() == [1, 1]
    assert table["n_left_out"]["N2"][["C3-M2", "C4-M1"]].tolist() == [0, 0]


def test_a_stager_of_all_channels_does_not_explain_each_by_itself(result):
    assert "by itself" not in note(viz.plot_topomap(result, show=False))


def test_channels_at_one_site_are_averaged(drawn):
    names = ("C3-M2", "C3-M1", "C4-M1", "O1-M2", "O2-M1", "F3-M2")
    result = example_results.explain(example_results.make_epochs(names))
    fig = viz.plot_topomap(result, stage="W", band="alpha", show=False)
    ((data, positions, _),) = drawn
    table = result.band_table()["alpha"].loc["W"]
    assert len(data) == len(positions) == 5
    assert data[0] == pytest.approx(table[["C3-M2", "C3-M1"]].mean())
    assert "C3-M2, C3-M1" in note(fig)


def test_a_bipolar_pair_is_marked():
    result = example_results.explain(example_results.make_epochs(("C3-M2", "C4-M1", "O1-M2", "O2-M1", "Fpz-Cz")))
    fig = viz.plot_topomap(result, stage="W", band="alpha", show=False)
    assert "Squares: bipolar" in note(fig)
    assert "(Fpz-Cz)" in note(fig)


def test_channels_without_position_are_named():
    epochs = example_results.make_epochs(("C3-M2", "C4-M1", "EEG X"), "eeg")
    fig = viz.plot_topomap(example_results.explain(epochs), show=False)
    assert "Without a position: EEG X" in note(fig)


def test_electrodes_on_a_line_are_discs(drawn):
    epochs = example_results.make_epochs(("Fz", "Cz", "Pz", "Oz"), "eeg")
    viz.plot_topomap(example_results.explain(epochs), stage="W", band="alpha", show=False).draw_without_rendering()
    assert len(drawn) <= 1


def test_no_position_is_an_error_with_a_remedy():
    with pytest.raises(ChannelError, match="set_montage"):
        viz.plot_topomap(example_results.explain(example_results.make_epochs(positions=False)), show=False)
    with pytest.raises(ChannelError, match="set_channel_types"):
        viz.plot_topomap(
            example_results.explain(example_results.make_epochs(types="misc", positions=False)), show=False
        )


def test_wrong_stage_and_band_are_refused(result):
    with pytest.raises(ParameterError, match="W, N1, N2, N3, REM"):
        viz.plot_topomap(result, stage="S2", show=False)
    with pytest.raises(ParameterError, match="sigma"):
        viz.plot_topomap(result, band="gamma", show=False)


def test_a_stage_that_no_two_channels_agree_about_has_no_values(pair_result):
    data = pair_result.to_xarray()
    data["predicted"].values[:, 1] = "N2"
    data["scores"].values[:, 1] *= 0.5  # less sure than the other
    changed = type(pair_result)(data)
    values = site_values(data, Bands(), find_sites(data), "predicted")["alpha"]
    assert np.isnan(values["W"]).all()
    assert np.isfinite(values["N2"]).all()
    assert changed.band_table()["n_left_out"].loc["W", "C3-M2"] == 2
    viz.plot_topomap(changed, show=False).draw_without_rendering()


def test_from_sixteen_sites_on_it_is_interpolated_with_contours_dashed_below_0():
    names = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P3", "Pz", "P4", "O1", "O2"]
    result = example_results.explain(example_results.make_epochs(names, "eeg"))
    data = result.to_xarray()
    data["frequency_view"].values[:, ::2] *= -1
    for kept, interpolated in ((17, True), (15, False)):
        part = type(result)(data).sel(channel=names[:kept])
        (ax, *_) = viz.plot_topomap(part, stage="W", band="alpha", show=False).axes
        assert bool(ax.images) == interpolated
        lines = [c for c in ax.collections if hasattr(c, "levels")]
        assert bool(lines) == interpolated
        if interpolated:
            styles = dict(zip(lines[0].levels, lines[0].get_linestyle(), strict=True))
            assert all((style[1] is not None) == (level < 0) for level, style in styles.items())
        signs = {c.get_gid(): len(c.get_offsets()) for c in ax.collections if c.get_gid() in ("raised", "lowered")}
        assert signs == {"raised": kept // 2, "lowered": kept - kept // 2}
