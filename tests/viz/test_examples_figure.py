"""Example epochs below each other: which, on which channel, and what is drawn of them."""

from __future__ import annotations

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.patches import StepPatch

from eegflex import Bands, viz
from eegflex.errors import ParameterError
from eegflex.results.choice import typical_places


def titles(fig):
    return [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]


def facts(fig):
    return [text.get_text().split("\n") for ax in fig.axes for text in ax.texts if "F(x)" in text.get_text()]


def test_by_default_the_typical_epoch_of_each_stage_is_drawn(result):
    said = titles(viz.plot_examples(result, show=False))
    typical = [typical_places(result.data, stage, 1)[0] for stage in example_results.STAGES]
    names = [
        f"{stage}, epoch {place}, 0:0{place // 2}:{30 * (place % 2):02d}, "
        for stage, place in zip(example_results.STAGES, typical, strict=True)
    ]
    assert [one.startswith(name) for one, name in zip(said, names, strict=True)] == [True] * 5


def test_epochs_are_drawn_in_the_order_in_which_they_are_named(result):
    fig = viz.plot_examples(result, numbers=[4, 2], show=False)
    assert [one.split(", ")[:2] for one in titles(fig)] == [["REM", "epoch 4"], ["N2", "epoch 2"]]
    assert titles(viz.plot_examples(result, stage="N3", show=False))[0].startswith("N3, epoch ")
    assert "a typical epoch of each stage" not in fig.get_suptitle()


def test_signal_background_and_spectrum_are_those_of_the_channel_that_is_named(result):
    fig = viz.plot_examples(result, numbers=[2], show=False)
    signal, spectrum = fig.axes
    data, channel = result.to_xarray(), titles(fig)[0].split(", ")[-1]
    own = data["channel"].values.tolist().index(channel)
    view, freqs = data["frequency_view"].values[2].astype(float), data["freq"].values
    assert own == np.abs(Bands().sum(view, freqs)).sum(axis=1).argmax()
    np.testing.assert_array_equal(signal.get_lines()[0].get_ydata(), data["signal"].values[2, own])
    (mesh,) = [one for one in signal.collections if isinstance(one, QuadMesh)]
    assert np.sum(mesh.get_array()) == pytest.approx(float(data["time_view"].values[2, own].sum()), abs=1e-5)
    steps = [patch.get_data() for patch in spectrum.patches if isinstance(patch, StepPatch)]
    drawn = sum(step.values for step in steps)
    expected = [view[own][(freqs >= low) & (freqs < low + 0.5)].sum() for low in np.arange(0, 30, 0.5)]
    np.testing.assert_allclose(drawn, expected, atol=1e-9)
    assert spectrum.get_ylim() == (0, 30)


def test_what_colours_are_full_at_is_told_beside_them(result):
    fig = viz.plot_examples(result, numbers=[3], show=False)
    (mesh,) = [one for one in fig.axes[0].collections if isinstance(one, QuadMesh)]
    data = result.data
    change = float(data["score"][3, 0] - data["baseline_score"][3, 0])
    largest = np.abs(mesh.get_array()).max()
    assert facts(fig) == [
        ["scored N3", f"F(x) − F(x_b) = {change:+.3f}".replace("= -", "= −"), f"full colour above: ±{largest:.2g}"]
    ]
    assert facts(viz.plot_examples(result, numbers=[9], show=False))[0][0] == "not scored"


@pytest.mark.slow
def test_there_is_a_plane_of_time_and_frequency_where_the_result_has_one():
    views = ("frequency", "time", "time-frequency")
    result = example_results.explain(example_results.make_epochs(), views=views)
    fig = viz.plot_examples(result, numbers=[1, 2], show=False)
    assert len(fig.axes) == 6
    fig.draw_without_rendering()
    for _, plane, spectrum in (fig.axes[:3], fig.axes[3:]):
        assert plane.get_ylim() == spectrum.get_ylim() == (0, 30)
        np.testing.assert_allclose(plane.get_position().intervaly, spectrum.get_position().intervaly, atol=1e-6)
    plt.close(fig)


@pytest.mark.slow
def test_a_channel_that_explains_another_stage_is_not_the_example(pair_result):
    """Two EEG channels, one at a time: where they say different stages, that of the epoch's stage is drawn."""
    data = pair_result.to_xarray()
    sets = data["of_channel_set"].values
    names, kinds = data["channel"].values.astype(str), data["ch_type"].values.astype(str)
    usual = titles(viz.plot_examples(pair_result, numbers=[2], show=False))[0].split(", ")[-1]
    other = next(i for i in np.flatnonzero(kinds == "eeg") if names[i] != usual)
    data["predicted"].values[2, 1 - sets[other]] = "W"
    data["scores"].values[2, 1 - sets[other]] = data["scores"].values[2, sets[other]][::-1]
    for name in ("scores", "night_scores"):
        values = data[name].values
        values[2, sets[other]] = np.log(np.full(5, 0.0025) + 0.9875 * np.eye(5)[2])
        values[2, 1 - sets[other]] = np.log(np.full(5, 0.1) + 0.5 * np.eye(5)[0])
    made = type(pair_result)(data)
    assert titles(viz.plot_examples(made, numbers=[2], show=False))[0].endswith(names[other])
    assert viz.plot_epoch(made, 2, show=False).get_suptitle().endswith(names[other])


def test_what_cannot_be_drawn_is_refused(result):
    with pytest.raises(ParameterError, match=r"not explained.*10"):
        viz.plot_examples(result, numbers=[1, 10], show=False)
    with pytest.raises(ParameterError, match="no number"):
        viz.plot_examples(result, numbers=[], show=False)
    with pytest.raises(ParameterError, match="not both"):
        viz.plot_examples(result, numbers=[1], stage="W", show=False)
    with pytest.raises(ParameterError, match="W, N1, N2, N3, REM"):
        viz.plot_examples(result, stage="S2", show=False)
