"""The attribution spectrum."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex import viz
from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.viz.spectrum import bin_edges, into_bins


def heights(ax):
    """Return the steps that are drawn, positive and negative together."""
    from matplotlib.patches import StepPatch

    steps = [patch.get_data() for patch in ax.patches if isinstance(patch, StepPatch)]
    return sum(step.values for step in steps), steps[0].edges


def test_bins_of_a_band_add_up_to_the_band_table(result):
    fig = viz.plot_spectrum(result, show=False)
    cells = result.band_table(by="stage")
    rows = [ax for ax in fig.axes if ax.get_title(loc="left")]
    assert len(rows) == len(example_results.STAGES)
    for ax, stage in zip(rows, example_results.STAGES, strict=True):
        drawn, edges = heights(ax)
        for name, (low, high) in Bands().items():
            inside = (edges[:-1] >= low) & (edges[:-1] < high)
            assert drawn[inside].sum() == pytest.approx(cells.loc[stage, name], abs=1e-6)


def test_each_rhythm_lies_in_its_bin(result):
    rows = [ax for ax in viz.plot_spectrum(result, show=False).axes if ax.get_title(loc="left")]
    for ax, stage in zip(rows, example_results.STAGES, strict=True):
        drawn, edges = heights(ax)
        assert edges[drawn.argmax()] == example_results.RHYTHMS[stage]


@pytest.mark.parametrize(("sfreq", "n_times"), [(64.0, 1920), (256 / 3, 2560), (85.0, 2551), (100.0, 100)])
def test_bins_lose_nothing(sfreq, n_times):
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    values = np.random.default_rng(0).standard_normal(len(freqs))
    edges = bin_edges(freqs, np.inf)
    assert into_bins(values, freqs, edges).sum() == pytest.approx(values.sum())
    np.testing.assert_allclose(into_bins(np.full(len(freqs), 3.0), freqs, edges, mean=True)[:-1], 3)


def test_bins_are_half_open_like_bands():
    freqs = np.fft.rfftfreq(2560, 3 / 256)
    edges = bin_edges(freqs, 30.0)
    values = np.arange(len(freqs), dtype=float)
    sums = into_bins(values, freqs, edges)
    for i, (low, high) in enumerate(Bands().values()):
        inside = (edges[:-1] >= low) & (edges[:-1] < high)
        assert sums[inside].sum() == Bands().sum(values, freqs)[i]


def test_bands_are_named_and_axes_have_units(result):
    fig = viz.plot_spectrum(result, show=False)
    assert set(Bands()) <= {text.get_text() for text in fig.axes[0].texts}
    assert fig.get_supylabel() == "Attribution per 0.5 Hz (log-probability)"
    assert any(ax.get_xlabel() == "Frequency (Hz)" for ax in fig.axes)
    assert any("dB" in ax.get_ylabel() for ax in fig.axes)


def test_channels_can_be_picked(pair_result):
    assert viz.plot_spectrum(pair_result, show=False).get_suptitle().endswith("EEG")
    assert viz.plot_spectrum(pair_result, picks="eog", show=False).get_suptitle().endswith("EOG")
    one = viz.plot_spectrum(pair_result, picks="C3-M2", show=False)
    assert one.get_suptitle().endswith("C3-M2")
    data = pair_result.to_xarray()
    drawn, edges = heights(one.axes[0])
    own = data["frequency_view"].values[:, 0][data["predicted"].values[:, 0] == "W"].astype(float)
    np.testing.assert_allclose(drawn, into_bins(own, pair_result.freqs, edges).mean(axis=0))


def test_wrong_channels_and_frequencies_are_refused(result):
    with pytest.raises(ChannelError, match="C3-M2"):
        viz.plot_spectrum(result, picks="Cz", show=False)
    with pytest.raises(ChannelError):
        viz.plot_spectrum(result, picks=[], show=False)
    with pytest.raises(ParameterError, match="Hz"):
        viz.plot_spectrum(result, fmax=0, show=False)


def test_without_eeg_all_channels_are_drawn():
    epochs = example_results.make_epochs(("a", "b"), "misc", positions=False)
    assert viz.plot_spectrum(example_results.explain(epochs), show=False).get_suptitle().endswith("Other")
