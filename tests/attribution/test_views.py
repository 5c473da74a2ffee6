"""Three views of one attribution: each sums to the change of the score, for every target, baseline and path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs, view
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Smooth, Window
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from eegflex.attribution.spectra import Frames, attribution_in_frequency, attribution_in_time
from eegflex.spec.model_spec import ContextSpec, ModelSpec

VIEWS = {"frequency_view": (1, 2), "time_view": (1, 2), "time_frequency_view": (1, 2, 3)}
EXACT = {"quadrature": "gauss-legendre", "n_steps": 48, "views": ("time", "time-frequency")}


def sums(result):
    return {name: view(result, name).sum(axes) for name, axes in VIEWS.items()}


@pytest.mark.parametrize("n_times", [960, 961, 953])
@pytest.mark.parametrize("target", ["predicted", "scored", "N3", "margin", ("N2", "N1")])
def test_every_view_is_complete_for_every_target(n_times, target):
    result = explain(scored_epochs(n_times=n_times), Smooth(), target=target, dtype="float64", **EXACT)
    data = result.to_xarray()
    change = (data["score"] - data["baseline_score"]).values[:, 0]
    for total in sums(result).values():
        np.testing.assert_allclose(total, change, rtol=1e-10, atol=1e-12)
    assert result.relative_gap().max() < 1e-10


@pytest.mark.parametrize("baseline", ["zero", "aperiodic", "recording", "stage:N2", "array"])
@pytest.mark.parametrize("context", ["fixed", "scaled"])
def test_every_view_is_complete_for_every_baseline_and_path(baseline, context):
    epochs = scored_epochs(n_epochs=8)
    if baseline == "array":
        baseline = np.random.default_rng(1).uniform(0, 20, (2, 481))
    spec = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
    result = explain(epochs, Window(), spec=spec, baseline=baseline, context=context, dtype="float64", **EXACT)
    data = result.to_xarray()
    change = (data["score"] - data["baseline_score"]).values[:, 0]
    if context == "scaled":
        change = change - data["context_map"].where(data["context"] != 0).sum(("context", "channel", "band")).values
    for total in sums(result).values():
        np.testing.assert_allclose(total, change, rtol=1e-9, atol=1e-11)
    assert np.abs(data["gap"]).max() < 1e-9


def test_one_view_may_be_asked_for_by_its_name_alone():
    one, listed = (explain(noise_epochs(n_epochs=2), Smooth(), views=asked) for asked in ("time", ["time"]))
    assert one.parameters["views"] == listed.parameters["views"] == ["frequency", "time"]
    np.testing.assert_array_equal(view(one, "time_view"), view(listed, "time_view"))


def test_single_precision_is_complete_to_its_precision():
    result = explain(noise_epochs(), Smooth(), **EXACT)
    data = result.to_xarray()
    change = (data["score"] - data["baseline_score"]).values[:, 0]
    size = np.abs(view(result)).sum((1, 2))
    for total in sums(result).values():
        assert (np.abs(total - change) / size).max() < 1e-5
    assert data["frequency_view"].dtype == np.float32


@settings(max_examples=50)
@given(st.integers(130, 700), st.floats(8, 130), st.integers(0, 1000))
def test_views_of_any_signals_have_one_sum(n_times, sfreq, seed):
    generator = torch.Generator().manual_seed(seed)
    n_times = max(n_times, int(4 * sfreq))
    change, gradient = torch.randn(2, 3, n_times, dtype=torch.float64, generator=generator)
    exact = attribution_in_time(change, gradient).sum(-1)
    torch.testing.assert_close(attribution_in_frequency(change, gradient).sum(-1), exact)
    torch.testing.assert_close(Frames(n_times, sfreq).attribution(change, gradient).sum((-1, -2)), exact)


@pytest.mark.parametrize(("n_times", "sfreq"), [(3000, 100.0), (2560, 2560 / 30), (2561, 85.37), (1499, 50.0)])
def test_the_frame_is_scipys_short_time_fourier_transform(n_times, sfreq):
    signal = torch.randn(2, n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    hop = round(sfreq / 2)
    window = hann(4 * hop, sym=False)
    transform = ShortTimeFFT(window, hop, sfreq, fft_mode="onesided", scale_to=None)
    weights = np.full((len(transform.f), 1), 2 / len(window))
    weights[[0, -1]] /= 2
    expected = np.abs(transform.stft(signal.numpy())) ** 2 * weights * hop / (window**2).sum()
    frames = Frames(n_times, sfreq)
    np.testing.assert_allclose(frames.attribution(signal, signal).numpy(), expected, atol=1e-12)
    np.testing.assert_array_equal(frames.times, transform.t(n_times))


def test_a_burst_is_found_when_and_where_it_is():
    """A linear score that listens to a burst of 13 Hz at 20 s."""
    times = np.arange(3000) / 100
    burst = np.sin(2 * np.pi * 13 * times) * np.exp(-(((times - 20) / 0.4) ** 2))
    frames = Frames(3000, 100.0)
    both = torch.from_numpy(burst)
    attribution = frames.attribution(both, both).numpy()
    near = (np.abs(frames.times - 20) <= 1.5)[None] & (np.abs(frames.freqs - 13) <= 1.5)[:, None]
    assert np.abs(attribution[near]).sum() > 0.98 * np.abs(attribution).sum()
