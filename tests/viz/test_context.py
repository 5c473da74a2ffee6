"""The context map."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.results.select import bands_in_rows, pick
from eegflex.viz.context import context_means
from eegflex.viz.style import LOWERED, RAISED

ROWS = bands_in_rows(Bands())
#: The rhythm of the epoch before, in the cycle of stages of the epochs.
BEFORE = {"W": "beta", "N1": "alpha", "N2": "theta", "N3": "sigma", "REM": "delta"}


def panels(fig):
    """The bars and the heat map of each stage."""
    axes = [ax for ax in fig.axes if ax.get_label() != "<colorbar>"]
    return axes[: len(axes) // 2], axes[len(axes) // 2 :]


def bars(ax):
    return {round(bar.get_x() + bar.get_width() / 2): bar for bar in ax.patches}


def missing(result, offset, epochs):
    """The result where some epochs have no neighbour at an offset."""
    data = result.to_xarray()
    data["context_map"].loc[{"context": offset, "epoch": epochs}] = np.nan
    return type(result)(data)


def test_bars_are_the_sums_over_bands_and_channels(context_result):
    above, _ = panels(viz.plot_context(context_result, show=False))
    data = context_result.to_xarray()
    sums = data["context_map"].sum(["channel", "band"]).values.astype(float)
    for ax, stage in zip(above, example_results.STAGES, strict=True):
        expected = sums[data["predicted"].values[:, 0] == stage].mean(axis=0)
        drawn = bars(ax)
        np.testing.assert_allclose([drawn[offset].get_height() for offset in (-1, 0, 1)], expected, atol=1e-6)
        assert f"{stage} (n = " in ax.get_title()


def test_the_rhythm_of_the_epoch_before_speaks_against_a_stage(context_result):
    """The stager hears the epoch before, whose stage is another one, and never the next."""
    _, below = panels(viz.plot_context(context_result, show=False))
    for ax, stage in zip(below, example_results.STAGES, strict=True):
        image = np.ma.filled(ax.images[0].get_array(), np.nan)
        assert image.shape == (7, 3)
        assert ROWS[int(image[:, 0].argmin())] == BEFORE[stage]
        assert np.isnan(image[:, 1]).all()
        assert np.abs(image[:, 2]).max() < 1e-6 * np.abs(image[:, 0]).max()


def test_the_context_and_the_epoch_add_up_to_the_change(context_result):
    data = context_result.to_xarray()
    found = context_means(data, pick(data, "all"), example_results.STAGES)
    change = (data["score"] - data["baseline_score"] + data["gap"]).values[:, 0]
    for stage in example_results.STAGES:
        expected = change[data["predicted"].values[:, 0] == stage].mean()
        assert found[stage].means.sum() == pytest.approx(expected, abs=1e-5)


def test_the_share_of_the_context_leaves_signs_aside(context_result):
    data = context_result.to_xarray()
    sizes = np.abs(data["context_map"]).sum(["channel", "band"]).values
    shares = 1 - sizes[:, 1] / sizes.sum(axis=1)
    found = context_means(data, pick(data, None), ["N2"])
    assert found["N2"].share == pytest.approx(shares[data["predicted"].values[:, 0] == "N2"].mean(), abs=1e-6)


def test_all_heat_maps_share_one_scale_about_zero(context_result):
    _, below = panels(viz.plot_context(context_result, show=False))
    norms = {(ax.images[0].norm.vmin, ax.images[0].norm.vmax) for ax in below}
    ((low, high),) = norms
    assert low == -high
    assert high == pytest.approx(max(np.abs(ax.images[0].get_array()).max() for ax in below))


def test_positive_and_negative_have_their_colours(context_result):
    from matplotlib.colors import to_rgba

    drawn = bars(panels(viz.plot_context(context_result, stage="N2", show=False))[0][0])
    assert drawn[0].get_facecolor() == to_rgba(RAISED)
    assert drawn[-1].get_facecolor() == to_rgba(LOWERED)


def test_a_neighbour_that_few_epochs_have_is_hatched(context_result):
    data = context_result.to_xarray()
    stage = data["predicted"].values[:, 0]
    none = missing(context_result, 1, np.flatnonzero(stage == "N2"))
    for fig, hatched in (
        (viz.plot_context(none, show=False), True),
        (viz.plot_context(context_result, show=False), False),
    ):
        below = panels(fig)[1][example_results.STAGES.index("N2")]
        assert any(patch.get_hatch() for patch in below.patches) == hatched
        fig.draw_without_rendering()


def test_half_of_the_epochs_are_enough_and_the_mean_is_theirs(context_result):
    data = context_result.to_xarray()
    of_stage = np.flatnonzero(data["predicted"].values[:, 0] == "N2")
    assert len(of_stage) == 2
    found = context_means(missing(context_result, -1, of_stage[:1]).to_xarray(), pick(data, None), ["N2"])
    expected = data["context_map"].sel(context=-1).isel(epoch=of_stage[1]).sum("channel")
    np.testing.assert_allclose(found["N2"].means[0], expected.values, atol=1e-6)


def test_an_offset_that_no_stage_has_is_not_drawn(context_result):
    gone = missing(context_result, 1, np.arange(8))
    above, _ = panels(viz.plot_context(gone, show=False))
    assert set(bars(above[0])) == {-1, 0}


def test_offsets_are_told_in_epochs_and_in_time(context_result):
    fig = viz.plot_context(context_result, show=False)
    _, below = panels(fig)
    assert [label.get_text() for label in below[0].get_xticklabels()] == ["−1\n−0.5 min", "0", "+1\n+0.5 min"]
    assert any("1 epoch = 30 s" in ax.get_xlabel() for ax in below)
    assert "raised the score of the predicted stage" in fig.get_supxlabel().replace("\n", " ")


def test_nothing_lies_outside_the_figure(context_result):
    fig = viz.plot_context(context_result, show=False)
    fig.draw_without_rendering()
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert min(box.x0, box.y0) > -0.05
    assert box.x1 < width + 0.05
    assert box.y1 < height + 0.05


def test_channels_and_stages_can_be_picked(context_result):
    fig = context_result.plot_context(stage="N3", picks=["C3-M2"], show=False)
    assert fig.get_suptitle().endswith("C3-M2")
    ((above,), _) = panels(fig)
    data = context_result.to_xarray()
    expected = (
        data["context_map"].sel(channel="C3-M2", context=0).sum("band").values[data["predicted"].values[:, 0] == "N3"]
    )
    assert bars(above)[0].get_height() == pytest.approx(float(expected.mean()), abs=1e-6)
    with pytest.raises(ChannelError, match="C3-M2"):
        viz.plot_context(context_result, picks="Cz", show=False)
    with pytest.raises(ParameterError, match="N2"):
        viz.plot_context(context_result, stage="N5", show=False)


def test_all_stages_speak_for_the_predicted(context_result):
    of_all = example_results.make_context_result(target="all", tol=0.002)
    drawn = [panels(viz.plot_context(one, show=False))[0] for one in (of_all, context_result)]
    heights = [[bars(ax)[0].get_height() for ax in above] for above in drawn]
    np.testing.assert_allclose(*heights, rtol=0.03)


@pytest.mark.parametrize("context", ["fixed", "scaled"])
def test_without_a_context_there_is_nothing_to_draw(context):
    alone = example_results.explain(example_results.make_epochs(), context=context)
    with pytest.raises(ParameterError, match="context='scaled'"):
        viz.plot_context(alone, show=False)
