"""The epoch card and the completeness gaps."""

from __future__ import annotations

import example_results
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle, StepPatch

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.viz.panels import WINDOW


def labelled(fig, word):
    (ax,) = [ax for ax in fig.axes if word in ax.get_ylabel()]
    return ax


def facts(fig):
    words = [text.get_text() for ax in fig.axes if not ax.axison for text in ax.texts]
    names, values = words[::2], words[1::2]
    return dict(zip((name.strip() for name in names), values, strict=True))


def test_bars_are_the_band_sums(result):
    fig = viz.plot_epoch(result, 2, channel="C3-M2", show=False)
    data = result.to_xarray()
    sums = Bands().sum(data["frequency_view"].values[2], data["freq"].values)
    ax = labelled(fig, "Sum in the band")
    bars = [patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(bars, sums[2], atol=1e-12)
    others = np.delete(sums, 2, axis=0).sum(axis=0)
    (marks,) = (line for line in ax.get_lines() if line.get_marker() == "D")
    np.testing.assert_allclose(marks.get_ydata(), others, atol=1e-12)


def test_the_signal_is_that_of_the_channel(result):
    fig = viz.plot_epoch(result, 4, channel="O1-M2", show=False)
    ax = labelled(fig, "Signal (µV)")
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), result.to_xarray()["signal"].values[4, 4])
    assert ax.get_xlabel() == "Time in the epoch (s)"
    assert "Epoch 4, 0:02:00 from the start, O1-M2" in fig.get_suptitle()


def test_the_background_is_the_attribution_to_time(result):
    fig = viz.plot_epoch(result, 4, channel="O1-M2", show=False)
    (mesh,) = [c for c in labelled(fig, "Signal").collections if isinstance(c, QuadMesh)]
    sums = np.ravel(mesh.get_array())
    assert len(sums) == 30 / WINDOW
    assert sums.sum() == pytest.approx(float(result.to_xarray()["time_view"].values[4, 4].sum()), abs=1e-5)


def test_without_a_time_view_there_is_no_background(pair_result):
    fig = viz.plot_epoch(pair_result, show=False)
    assert not [c for c in labelled(fig, "Signal").collections if isinstance(c, QuadMesh)]
    assert "attribution to time" not in fig.get_supxlabel()


def test_facts_are_those_of_the_result(pair_result):
    fig = viz.plot_epoch(pair_result, 3, channel="C4-M1", show=False)
    data = pair_result.to_xarray()
    said = facts(fig)
    assert said["Scored"] == said["Predicted"] == "N3"
    assert said["Explained"] == "score of N3"
    assert said["Given to the stager"] == "C4-M1 + EOG-L"
    assert said["F(x), as recorded"] == f"{float(data['score'][3, 1]):+.3f}".replace("-", "−")
    assert said["Gradient evaluations"] == str(int(data["n_gradients"][3, 1]))
    assert facts(viz.plot_epoch(pair_result, 9, show=False))["Scored"] == "–"


def test_the_default_channel_is_the_eeg_channel_with_the_largest_attribution(result, pair_result):
    assert viz.plot_epoch(result, show=False).get_suptitle().endswith("O2-M1")
    assert "EOG" not in viz.plot_epoch(pair_result, show=False).get_suptitle()


def test_a_channel_of_several_combinations_can_be_named_with_its_partner(pair_result):
    fig = viz.plot_epoch(pair_result, channel="EOG-L (with C3-M2)", show=False)
    assert "EOG-L (with C3-M2)" in fig.get_suptitle()


def test_wrong_numbers_and_channels_are_refused(result):
    with pytest.raises(ParameterError, match="not explained"):
        viz.plot_epoch(result, 10, show=False)
    with pytest.raises(ChannelError, match="F3-M2"):
        viz.plot_epoch(result, channel="Cz", show=False)


def test_the_histogram_counts_every_gap(pair_result):
    ax = viz.plot_completeness(pair_result, show=False).axes[0]
    assert sum(patch.get_height() for patch in ax.patches) == 20
    assert ax.get_xscale() == "log"


@pytest.mark.slow
def test_a_gap_of_zero_is_drawn(result):
    data = result.to_xarray()
    data["gap"].values[:] = 0
    fig = viz.plot_completeness(type(result)(data), show=False)
    fig.draw_without_rendering()
    assert "100 % of 10" in fig.get_supxlabel()


def test_attributions_to_whole_bands_are_bars_as_wide_as_the_bands(by_bands):
    fig = viz.plot_epoch(by_bands, 3, channel="C4-M1", show=False)
    ax = labelled(fig, "Attribution per band")
    steps = [patch.get_data() for patch in ax.patches if isinstance(patch, StepPatch)]
    drawn = {}
    for step in steps:  # one above zero and one below for each band
        drawn[tuple(step.edges)] = drawn.get(tuple(step.edges), 0) + float(step.values.sum())
    expected = by_bands.to_xarray()["band_view"].sel(channel="C4-M1").values[3]
    np.testing.assert_allclose([drawn[edges] for edges in Bands().values()], expected[:-2], atol=1e-9)
    assert facts(fig)["Scores evaluated"] == str(int(by_bands.to_xarray()["n_forwards"][3, 0]))


def test_the_sum_of_the_facts_takes_in_the_context(context_result):
    fig = viz.plot_epoch(context_result, 4, channel="C3-M2", show=False)
    data = context_result.to_xarray().sel(epoch=3)
    assert int(data["number"]) == 4
    said = {name: float(text.replace("−", "-")) for name, text in facts(fig).items() if text[0] in "+−"}
    assert said["of the context"] == pytest.approx(float(data["context_map"].sel(context=[-1, 1]).sum()), abs=6e-4)
    assert said["Sum of attributions"] - said["F(x) − F(x_b)"] == pytest.approx(said["Completeness gap"], abs=2e-3)
    assert facts(fig)["Estimated error"].endswith("%")


def test_an_estimated_error_is_told_only_where_there_is_one(by_bands):
    assert "Estimated error" not in facts(viz.plot_epoch(by_bands, show=False))


@pytest.fixture(scope="module")
def in_time():
    """A burst of 10 Hz at 20-22 s of an epoch of silence and a little noise, with all views."""
    epochs = example_results.make_epochs(("C3-M2", "C4-M1"), ["eeg", "eeg"], n_epochs=3)
    times = epochs.times
    burst = 40e-6 * np.sin(2 * np.pi * 10 * times) * (abs(times - 21) < 1)
    epochs._data[:] = burst + 1e-6 * np.random.default_rng(1).standard_normal(epochs._data.shape)
    return example_results.explain(epochs, target="W", views=("time", "time-frequency"))


def frames(fig):
    ax = labelled(fig, "Frequency (Hz)")
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return ax, mesh


def test_a_rhythm_is_drawn_when_and_where_it_is(in_time):
    ax, mesh = frames(viz.plot_epoch(in_time, 1, show=False))
    corners = mesh.get_coordinates()
    row, column = np.unravel_index(np.argmax(mesh.get_array()), mesh.get_array().shape)
    assert corners[row, column, 0] - 1 < 21 < corners[row, column + 1, 0] + 1
    assert corners[row, 0, 1] <= 10 <= corners[row + 1, 0, 1]
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert ax.get_ylim() == (0, 30)


def test_cells_are_the_time_frequency_view(in_time):
    _, mesh = frames(viz.plot_epoch(in_time, 1, channel="C3-M2", show=False))
    view = in_time.to_xarray()["time_frequency_view"].sel(channel="C3-M2").isel(epoch=1)
    np.testing.assert_allclose(mesh.get_array(), view.sel(frame_freq=slice(0, 30)).values, atol=1e-9)


def test_panels_of_time_are_aligned(in_time):
    fig = viz.plot_epoch(in_time, 1, show=False)
    fig.draw_without_rendering()
    signal, below = labelled(fig, "Signal"), frames(fig)[0]
    assert signal.get_xlim() == below.get_xlim() == (0, 30)
    np.testing.assert_allclose(signal.get_position().intervalx, below.get_position().intervalx, atol=1e-6)
    assert sum("per 0.5 s\nand 0.5 Hz (log-probability)" in ax.get_ylabel() for ax in fig.axes) == 1


def test_frequencies_beyond_the_pass_band_are_not_drawn(in_time):
    spec = in_time.spec
    narrow = example_results.altered(
        in_time, spec={"input": spec["input"] | {"filter": {"l_freq": 0.3, "h_freq": 20.0}}}
    )
    assert frames(viz.plot_epoch(narrow, 1, show=False))[0].get_ylim() == (0, 20)


def test_both_gaps_and_errors_are_counted(pair_result):
    fig = viz.plot_completeness(pair_result, show=False)
    counted = [sum(patch.get_height() for patch in ax.patches) for ax in fig.axes]
    assert counted == [20, 20]
    assert "Estimated error" in fig.axes[1].get_xlabel()
    assert "of 20 estimated errors are within 2 %" in fig.get_supxlabel().replace("\n", " ")


def test_no_bar_of_the_histogram_is_on_both_sides_of_the_limit(pair_result):
    for ax, limit in zip(viz.plot_completeness(pair_result, show=False).axes, (0.01, 0.02), strict=True):
        edges = np.array([patch.get_x() for patch in ax.patches])
        assert np.isclose(edges, limit).any()


def test_without_an_estimate_only_gaps_are_counted(by_bands):
    assert len(viz.plot_completeness(by_bands, show=False).axes) == 1
