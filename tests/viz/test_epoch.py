"""The epoch card and the completeness gaps."""

from __future__ import annotations

import numpy as np
import pytest
import results
from matplotlib.collections import QuadMesh
from matplotlib.patches import Rectangle

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.viz.epoch import WINDOW, default_number


def labelled(fig, word):
    (ax,) = [ax for ax in fig.axes if word in ax.get_ylabel()]
    return ax


def facts(fig):
    names, values = (text.get_text().split("\n") for ax in fig.axes if not ax.axison for text in ax.texts)
    return dict(zip((name.strip() for name in names), values, strict=True))


def test_bars_are_the_band_sums(result):
    fig = viz.plot_epoch(result, 2, channel="C3-M2", show=False)
    data = result.to_xarray()
    sums = Bands().sum(data["frequency_view"].values[2], data["freq"].values)
    ax = labelled(fig, "Sum in the band")
    bars = [patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(bars, sums[2], atol=1e-12)
    others = np.delete(sums, 2, axis=0).sum(axis=0)
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), others, atol=1e-12)


def test_the_signal_is_that_of_the_channel(result):
    fig = viz.plot_epoch(result, 4, channel="O1-M2", show=False)
    ax = labelled(fig, "Signal (µV)")
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), result.to_xarray()["signal"].values[4, 4])
    assert ax.get_xlabel() == "Time in the epoch (s)"
    assert "Epoch 4 at 0:02:00, O1-M2" in fig.get_suptitle()


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


def test_the_default_is_the_surest_epoch_of_the_most_frequent_stage(result):
    data = result.to_xarray().isel(epoch=[0, 2, 7, 4])
    chances = np.exp(data["scores"].values[:, 0]).max(axis=1)
    expected = data["number"].values[1 + int(chances[1:3].argmax())]
    assert default_number(data) == expected


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


def test_a_gap_of_zero_is_drawn(result):
    data = result.to_xarray()
    data["gap"].values[:] = 0
    fig = viz.plot_completeness(type(result)(data), show=False)
    fig.draw_without_rendering()
    assert "100 % of 10" in fig.get_supxlabel()


def test_an_epoch_without_target_has_a_card():
    unscored = results.explain(results.make_epochs(), target="scored")
    fig = viz.plot_epoch(unscored, 9, show=False)
    fig.draw_without_rendering()
    assert facts(fig)["Explained"] == "nothing"
