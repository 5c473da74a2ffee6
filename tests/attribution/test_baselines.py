"""Baselines: of one phase with the epoch, and of the magnitudes that they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs, view
from models import Linear, Sinusoid, Smooth
from torch import nn

import eegflex
from eegflex import FlexResult
from eegflex.attribution.baselines import make_baseline
from eegflex.errors import EegflexError, ParameterError
from eegflex.preprocessing.segments import prepare
from eegflex.results.layout import check_layout
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


BANDS = [(0.5, 4), (4, 8), (8, 12), (12, 16), (16, 30)]


def band_power(signals, bands=BANDS):
    """Power of each band by Parseval's theorem, (..., band)."""
    power = np.abs(np.fft.rfft(signals)) ** 2
    return np.stack([power[..., (low <= FREQS) & (high > FREQS)].sum(-1) for low, high in bands], axis=-1)


def night_of_levels(n, seed=0):
    """1/f noise whose level and steepness differ between epochs as they do in a night, (n, 2, time)."""
    rng = np.random.default_rng(seed)
    level, tilt = np.exp(rng.normal(0, 0.5, n)), rng.normal(0, 0.4, n)
    spectrum = np.fft.rfft(coloured(1.5, n=n, seed=seed)[0])
    tilted = level[:, None, None] * np.maximum(FREQS, 0.1) ** -tilt[:, None, None]
    return np.fft.irfft(spectrum * tilted, n=N_TIMES)


def test_an_ordinary_epoch_has_the_median_power_of_every_band():
    """Not the median of single magnitudes, whose squares are a third lower than those of any epoch."""
    data = night_of_levels(61)
    data[60] *= np.nan
    segments = segments_of(data)
    power = band_power(signals_of("recording", segments)[0])
    np.testing.assert_allclose(power, np.median(band_power(segments.signals[:60].astype(float)), axis=0), rtol=0.03)


def test_of_noise_of_one_density_it_has_that_density():
    """Known without any epoch; 2 % is how well 200 epochs tell a median."""
    data, density = coloured(1.2, n=200)
    power = band_power(signals_of("recording", segments_of(data))[0])
    known = [density[(low <= FREQS) & (high > FREQS)].sum() * SFREQ * N_TIMES / 2 for low, high in BANDS]
    np.testing.assert_allclose(power, np.tile(known, (2, 1)), rtol=0.03)


def test_a_stages_is_of_the_sound_epochs_of_that_stage():
    data = night_of_levels(7)
    data[3] *= np.nan
    segments = segments_of(data, ["W", "W", "N2", "N2", "N2", "N2", "REM"])
    power = band_power(signals_of("stage:N2", segments)[0])
    own = band_power(segments.signals[[2, 4, 5]].astype(float))
    np.testing.assert_allclose(power, np.median(own, axis=0), rtol=0.03)


@pytest.mark.slow
def test_epochs_of_a_stage_are_as_often_above_an_ordinary_one_of_it_as_below():
    """In the score of a stager of band powers."""
    night = eegflex.simulate_psg(hours=2, sfreq=128, seed=5, verbose="error")
    staged = eegflex.stage_epochs(eegflex.make_epochs(night.raw, verbose="error"), "bandpower", verbose="error")
    light = np.flatnonzero((staged.segments.stage == "N2") & (staged.segments.fault == ""))
    ordinary = make_baseline("stage:N2", staged.segments, staged.stager.spec.filter)
    place = staged.stages.index("N2")
    changes = []
    for one in staged.bound:
        channels = tuple(one.channels)
        x = torch.from_numpy(staged.segments.signals[light][:, list(channels)])
        begin = ordinary(x, light, channels)
        with torch.no_grad():
            ends = [staged.stager.score(signal[:, None].to(staged.stager.like))[:, place] for signal in (x, begin)]
        changes.append((ends[0] - ends[1]).numpy())
    assert 0.4 < (np.concatenate(changes) > 0).mean() < 0.6  # of the median of single magnitudes 0.64 to 0.68


def test_a_stage_of_faulty_epochs_only_has_none():
    data = coloured(1.0)[0]
    data[3] *= np.nan
    with pytest.raises(ParameterError, match="The hypnogram has no usable epoch"):
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


@pytest.mark.parametrize("n", [3, 40, 200])
@pytest.mark.parametrize("exponent", [0.8, 1.6, 2.4])
def test_of_noise_without_a_peak_nothing_is_taken(exponent, n):
    """A fit to one noisy spectrum would find peaks in it."""
    segments = segments_of(coloured(exponent, n=n, seed=n)[0])
    kept = band_power(signals_of("aperiodic", segments)) / band_power(segments.signals.astype(float))
    assert kept.mean(0).min() > 0.97


@pytest.mark.parametrize("exponent", [0.8, 1.6, 2.4])
@pytest.mark.parametrize("width", [0.3, 1.0])
def test_a_peak_is_taken_and_the_noise_below_it_is_left(exponent, width):
    """A rhythm of alpha in noise of known density: the other bands keep theirs, and alpha is left with that of the noise."""
    noise, density = coloured(exponent, n=60)
    rng = np.random.default_rng(1)
    bump = np.sqrt(8 * density * np.exp(-((FREQS - 10) ** 2) / (2 * width**2)) * SFREQ * N_TIMES / 4)
    rhythm = np.fft.irfft(bump * (rng.standard_normal((60, 2, 1501)) + 1j * rng.standard_normal((60, 2, 1501))))
    left = band_power(signals_of("aperiodic", segments_of(noise + rhythm))).mean((0, 1)) / band_power(noise).mean(
        (0, 1)
    )
    np.testing.assert_allclose(left[[0, 1, 3, 4]], 1, atol=0.05)
    assert 0.8 < left[2] < 1.2
    assert band_power(noise + rhythm).mean((0, 1))[2] > 1.8 * band_power(noise).mean((0, 1))[2]


def test_an_epoch_without_the_peak_of_its_night_keeps_what_it_has():
    noise, density = coloured(1.5, n=60)
    rhythm = np.sqrt(30 * density[np.argmin(np.abs(FREQS - 11))]) * np.sin(2 * np.pi * 11 * np.arange(N_TIMES) / SFREQ)
    noise[::2] += rhythm
    segments = segments_of(noise)
    kept = band_power(signals_of("aperiodic", segments)) / band_power(segments.signals.astype(float))
    assert kept[::2, :, 2].max() < 0.3
    assert kept[1::2, :, 2].mean() > 0.93


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
    """Of a peak that reaches over its end, only what lies within is taken."""
    n_times = int(30 * sfreq)
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    rng = np.random.default_rng(0)
    shape = np.maximum(freqs, 0.1) ** -0.7 * 10 ** np.exp(-((freqs - high + 4) ** 2) / 8)
    spectrum = shape * (rng.standard_normal((30, 2, len(freqs))) + 1j * rng.standard_normal((30, 2, len(freqs))))
    epochs = noise_epochs(n_epochs=30, n_times=n_times, sfreq=sfreq)
    epochs._data[:] = np.fft.irfft(spectrum, n=n_times)
    segments = prepare(epochs, ModelSpec())
    own, found = (
        np.abs(np.fft.rfft(x)) for x in (segments.signals.astype(float), signals_of("aperiodic", segments, bandpass))
    )
    kept = found / np.maximum(own, 1e-12)
    outside = (freqs < low - 1e-9) | (freqs > high + 1e-9)
    np.testing.assert_allclose(kept[..., outside & (freqs > 0)], 1, rtol=1e-4)
    assert kept[..., (freqs > high - 5) & (freqs <= high)].mean() < 0.7
    assert kept[..., (freqs > high - 1) & (freqs <= high)].max() < 0.99  # its tail is cut, not left out


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
        ("stage:REM", "The hypnogram has no usable epoch"),
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


class Constantly(Smooth):
    """N2 whatever it hears, by a little more or less."""

    def forward(self, x):
        return super().forward(x) + 100 * (torch.arange(5) == 2)


class Louder(nn.Module):
    """W below a power of 4, and N3 above it."""

    def forward(self, x):
        power = x.square().mean((1, 2))
        return torch.stack([4 + 0 * power, 0 * power, 0 * power, power, 0 * power], dim=1)


class TestAuto:
    """Without a word an epoch is compared with an ordinary one of its recording, or with itself without its peaks."""

    @pytest.mark.parametrize(
        ("n_epochs", "n_flat", "chosen"), [(60, 0, "recording"), (60, 1, "aperiodic"), (9, 0, "aperiodic")]
    )
    def test_it_counts_sound_epochs_and_is_what_it_chose(self, n_epochs, n_flat, chosen):
        epochs = noise_epochs(n_epochs=n_epochs, n_times=960)
        epochs._data[:n_flat] = 0
        asked = {"target": "N2", "select": [n_epochs - 1], "verbose": "error"}
        result = eegflex.attribute_epochs(epochs, Smooth(), **asked)
        told = result.provenance["baseline"]
        assert result.parameters["baseline"] == told["chosen"] == chosen
        assert f"{n_epochs - n_flat} usable epochs" in told["because"]
        assert ("of such a short recording" in told["because"]) == (chosen == "recording")  # 30 minutes
        named = eegflex.attribute_epochs(epochs, Smooth(), baseline=chosen, **asked)
        np.testing.assert_array_equal(view(result), view(named))
        assert "baseline" not in named.provenance  # somebody chose it

    def test_a_method_that_knows_one_baseline_has_that(self):
        result = explain(noise_epochs(), Smooth(), baseline="auto", method="input_x_gradient")
        assert result.provenance["baseline"] == {"chosen": "zero", "because": "the method knows no other"}

    def test_it_survives_a_file_and_is_resumed_by_either_name(self, tmp_path):
        epochs = noise_epochs(n_epochs=8, n_times=960)
        whole = explain(epochs, Smooth(), baseline="auto")
        read = eegflex.read_result(whole.save(tmp_path / "a.nc"))
        assert read.provenance["baseline"] == whole.provenance["baseline"]
        for name in ("auto", "aperiodic"):
            resumed = explain(epochs, Smooth(), baseline=name, resume=whole[:3])
            np.testing.assert_array_equal(view(resumed), view(whole))
        with pytest.raises(ParameterError, match="baseline: aperiodic, now zero"):
            explain(epochs, Smooth(), resume=whole[:3])

    def test_a_saved_reason_is_text_and_its_choice_a_baseline(self):
        result = explain(noise_epochs(), Smooth(), baseline="auto")
        for told in ({"chosen": "auto", "because": "x"}, {"chosen": "zero", "because": 3}, {"chosen": "zero"}, "zero"):
            data = result.to_xarray().copy()
            data.attrs["provenance"] = json.dumps(result.provenance | {"baseline": told})
            with pytest.raises(EegflexError, match="provenance"):
                check_layout(data)

    def test_it_is_said_and_so_is_the_stage_that_the_model_makes_of_it(self, caplog):
        """Of a model that says N2 whatever it hears, every baseline is N2."""
        eegflex.attribute_epochs(noise_epochs(), Constantly(), baseline="auto", on_check="ignore", verbose="info")
        assert (
            "Compared with the epoch's own 1/f part, which Constantly calls N2 (100 %), since 6 usable epochs"
            in caplog.text
        )


def test_what_a_model_calls_its_baseline_is_counted():
    """Silence is quiet, and an ordinary epoch of loud ones is loud, whatever the epoch is."""
    epochs = noise_epochs(n_epochs=10)
    epochs._data *= np.where(np.arange(10) < 3, 1.0, 3.0)[:, None, None]
    for baseline, stage in (("zero", "W"), ("recording", "N3")):
        table = explain(epochs, Louder(), baseline=baseline, spec=ModelSpec(scores="logits")).baseline_stages()
        assert table["epoch"].to_dict() == {one: float(one == stage) for one in ("W", "N1", "N2", "N3", "REM")}
        assert table["both"].isna().all()  # it sees no other epoch


def test_complex_magnitudes_are_refused():
    with pytest.raises(ParameterError, match="complex numbers"):
        explain(noise_epochs(), Smooth(), baseline=np.ones((2, 481), dtype=complex))
