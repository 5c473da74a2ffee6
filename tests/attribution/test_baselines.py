"""Baselines: of one phase with the epoch, and of the magnitudes that they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs, view
from models import Linear, Sinusoid, Smooth

from eegflex import FlexResult
from eegflex.attribution.baselines import make_baseline
from eegflex.errors import ParameterError
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec

SFREQ, N_TIMES = 100.0, 3000
FREQS = np.fft.rfftfreq(N_TIMES, 1 / SFREQ)


def coloured(exponent, *, peak=0.0, n=4, seed=0):
    """1/f noise of a known density, (n, 2, time), with an oscillation at 11 Hz."""
    rng = np.random.default_rng(seed)
    density = np.zeros_like(FREQS)
    density[1:] = 10 * FREQS[1:] ** -exponent
    spectrum = np.sqrt(density * SFREQ * N_TIMES / 4) * (
        rng.standard_normal((n, 2, len(FREQS))) + 1j * rng.standard_normal((n, 2, len(FREQS)))
    )
    times = np.arange(N_TIMES) / SFREQ
    return np.fft.irfft(spectrum, n=N_TIMES) + peak * np.sin(2 * np.pi * 11 * times), density


def segments_of(data, stages=None):
    epochs = noise_epochs(n_epochs=len(data), n_times=data.shape[-1], sfreq=SFREQ)
    epochs._data[:] = data
    if stages is not None:
        epochs.event_id = {stage: i for i, stage in enumerate(sorted(set(stages)))}
        epochs.events[:, 2] = [epochs.event_id[stage] for stage in stages]
    return prepare(epochs, ModelSpec())


def signals_of(baseline, segments, bandpass=FilterSpec()):  # noqa: B008
    made = make_baseline(baseline, segments, bandpass)
    x = torch.from_numpy(segments.signals).double()
    return made(x, np.arange(len(x)), (0, 1)).numpy()


@pytest.mark.parametrize("baseline", ["zero", "recording", "stage:W", "aperiodic"])
def test_a_baseline_has_the_phases_of_its_epoch(baseline):
    segments = segments_of(coloured(1.0)[0], ["W", "W", "N2", "N2"])
    spectra = (np.fft.rfft(s.astype(float)) for s in (signals_of(baseline, segments), segments.signals))
    product = next(spectra) * np.conj(next(spectra))
    assert (product.real >= -1e-6 * np.abs(product).max()).all()
    assert np.abs(product.imag).max() <= 1e-6 * max(np.abs(product).max(), 1)


def test_the_recordings_is_the_median_of_its_sound_epochs():
    data = coloured(1.0, n=5)[0]
    data[4] *= np.nan
    segments = segments_of(data)
    magnitudes = np.abs(np.fft.rfft(signals_of("recording", segments)[0]))
    np.testing.assert_allclose(magnitudes, np.median(np.abs(np.fft.rfft(segments.signals[:4])), axis=0), atol=1e-3)


def test_a_stages_is_the_median_of_the_sound_epochs_of_that_stage():
    data = coloured(1.0, n=7)[0]
    data[3] *= np.nan
    segments = segments_of(data, ["W", "W", "N2", "N2", "N2", "N2", "REM"])
    magnitudes = np.abs(np.fft.rfft(signals_of("stage:N2", segments)[0]))
    own = np.abs(np.fft.rfft(segments.signals[[2, 4, 5]]))
    np.testing.assert_allclose(magnitudes, np.median(own, axis=0), atol=1e-3)


def test_a_stage_of_faulty_epochs_only_has_none():
    data = coloured(1.0)[0]
    data[3] *= np.nan
    with pytest.raises(ParameterError, match="No sound epoch"):
        signals_of("stage:N2", segments_of(data, ["W", "W", "W", "N2"]))


@pytest.mark.parametrize("baseline", ["recording", "stage:W", "aperiodic", np.ones((2, 1501)), np.ones((4, 2, 1501))])
def test_the_baseline_of_silence_is_silence(baseline):
    """As stands in a window for epochs that are not there."""
    segments = segments_of(coloured(1.0)[0], ["W", "W", "N2", "N2"])
    x = torch.stack([torch.zeros(2, N_TIMES), torch.from_numpy(segments.signals[1])]).double()
    silent, recorded = make_baseline(baseline, segments, FilterSpec())(x, np.array([-1, 1]), (0, 1))
    assert not silent.any()
    assert recorded.any(-1).all()


def test_each_epoch_and_channel_has_the_magnitudes_that_it_was_given():
    segments = segments_of(coloured(1.0)[0])
    own = np.random.default_rng(0).uniform(1, 2, (4, 2, 1501))
    made = make_baseline(own, segments, FilterSpec())
    x = torch.from_numpy(segments.signals[[3, 0]][:, [1]]).double()  # out of order, and of one channel
    np.testing.assert_allclose(np.abs(np.fft.rfft(made(x, np.array([3, 0]), (1,)))), own[[3, 0]][:, [1]], atol=1e-9)


@pytest.mark.parametrize("exponent", [0.8, 1.6, 2.4])
def test_the_aperiodic_part_is_recovered_and_the_peak_is_not_in_it(exponent):
    data, density = coloured(exponent, peak=8.0)
    baseline = signals_of("aperiodic", segments_of(data))
    inside = (FREQS > 1) & (FREQS < 40)
    found = np.abs(np.fft.rfft(baseline))[..., inside] ** 2 / (SFREQ * N_TIMES / 2)
    assert np.abs(np.log10(found / density[inside])).max() < 0.25
    at_peak = np.argmin(np.abs(FREQS - 11))
    assert np.abs(np.fft.rfft(baseline[0, 0]))[at_peak] < 0.2 * np.abs(np.fft.rfft(data[0, 0]))[at_peak]


def test_outside_the_fit_nothing_is_attributed():
    data = coloured(1.5)[0]
    segments = segments_of(data)
    baseline = signals_of("aperiodic", segments, FilterSpec(0.3, 30.0))
    outside = (FREQS < 0.45) | (FREQS > 27.1)
    kept = np.abs(np.fft.rfft(baseline)[..., outside] - np.fft.rfft(segments.signals.astype(float))[..., outside])
    assert kept.max() < 1e-6 * np.abs(np.fft.rfft(data)).max()


@pytest.mark.parametrize(
    ("sfreq", "bandpass", "low", "high"),
    [
        (128.0, FilterSpec(), 0.5, 45.0),
        (64.0, FilterSpec(), 0.5, 28.8),  # nine tenths of Nyquist
        (64.0, FilterSpec(0.3, 20.0), 0.5, 18.0),
        (128.0, FilterSpec(1.0, 60.0), 1.5, 45.0),
    ],
)
def test_the_fit_ends_where_the_band_does(sfreq, bandpass, low, high):
    """Within it the baseline is a straight line on logarithmic axes, outside it is the epoch itself."""
    n_times = int(30 * sfreq)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal((3, 2, n_times)))
    epochs = noise_epochs(n_epochs=3, n_times=n_times, sfreq=sfreq)
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    epochs._data[:] = np.fft.irfft(spectrum / np.maximum(freqs, 0.1) ** 0.7, n=n_times)
    segments = prepare(epochs, ModelSpec())
    own, found = (
        np.abs(np.fft.rfft(x)) for x in (segments.signals.astype(float), signals_of("aperiodic", segments, bandpass))
    )
    inside = (freqs > low - 1e-9) & (freqs < high + 1e-9)
    np.testing.assert_allclose(found[..., ~inside], own[..., ~inside], rtol=1e-6, atol=1e-5)
    x, y = np.log10(freqs[inside]), np.log10(found[..., inside]).reshape(6, -1)
    for line in y:
        slope, offset = np.polyfit(x, line, 1)
        np.testing.assert_allclose(line, offset + slope * x, atol=1e-6)
        assert slope == pytest.approx(-0.7, abs=0.15)


def test_the_aperiodic_part_of_a_louder_epoch_is_as_much_louder():
    data = coloured(1.5)[0]
    quiet, loud = (signals_of("aperiodic", segments_of(size * data)) for size in (1.0, 100.0))
    np.testing.assert_allclose(loud, 100 * quiet, atol=1e-3 * np.abs(loud).max())


def test_samples_and_magnitudes_say_the_same():
    epochs = noise_epochs(n_epochs=3)
    samples = np.random.default_rng(3).standard_normal((2, 960))
    magnitudes = np.abs(np.fft.rfft(samples))
    rule = {"quadrature": "gauss-legendre", "n_steps": 8, "dtype": "float64"}
    by_samples, by_magnitudes, for_each = (
        view(explain(epochs, Smooth(), target="N2", baseline=b, **rule))
        for b in (samples, magnitudes, np.stack([magnitudes] * 3))
    )
    np.testing.assert_allclose(by_samples, by_magnitudes, atol=1e-12)
    np.testing.assert_allclose(for_each, by_magnitudes, atol=1e-12)


def test_nothing_is_attributed_where_the_epoch_is_its_baseline():
    epochs = noise_epochs(n_epochs=3)
    own = np.stack([np.abs(np.fft.rfft(e.astype(np.float32).astype(float))) for e in epochs.get_data()])
    own[:, 0, 100:200] = 0.0  # but for one stretch of one channel
    result = view(explain(epochs, Linear(2, 960), target="N2", baseline=own, dtype="float64"))
    assert np.abs(result[:, 1]).max() < 1e-9
    assert np.abs(np.delete(result[:, 0], np.s_[100:200], axis=1)).max() < 1e-9
    assert np.abs(result[:, 0, 100:200]).max() > 1e-3


def test_of_an_epoch_that_is_its_baseline_there_is_nothing_to_miss():
    epochs = noise_epochs(n_epochs=2)
    result = explain(epochs, Smooth(), target="N2", baseline=np.abs(np.fft.rfft(epochs.get_data())), on_check="ignore")
    nothing = result.to_xarray()
    nothing["frequency_view"][:], nothing["gap"][:] = 0, 0
    assert FlexResult(nothing).relative_gap().tolist() == [[0], [0]]


def test_less_than_the_baseline_lowers_what_power_raises():
    """A score that rises with power at its bin, of an epoch that has less of it than the baseline."""
    bins = [30, 60, 120, 240, 390]
    epochs = noise_epochs(n_epochs=2, n_channels=1)
    twice = 2 * np.abs(np.fft.rfft(epochs.get_data()))
    result = view(explain(epochs, Sinusoid(bins, 960), target="N2", baseline=twice))
    assert (result[:, 0, 120] < 0).all()


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        ("mean", "aperiodic"),
        ("stage:", "stage:W"),
        ("zero:W", "stage:W"),
        ("stage:REM", "No sound epoch"),
        (np.zeros((2, 7)), "481"),
        (np.zeros((3, 481)), "EEG0, EEG1"),
        (-np.ones((2, 481)), "negative"),
        (np.full((2, 481), np.nan), "finite"),
        (np.array([[np.inf, *[1] * 480], [1] * 481]), "finite"),
        (object(), "array of numbers"),
    ],
)
def test_what_is_no_baseline_is_refused(baseline, words):
    with pytest.raises(ParameterError, match=words):
        explain(scored_epochs(stages=("W", "N2")), Smooth(), baseline=baseline)
