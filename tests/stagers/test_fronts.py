"""The spectrogram of a spec: scipy's and torch's numbers, with gradients, and statistics that stand still."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.numpy import save_file

from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.spectrogram import LogSpec, SpectrogramSpec
from eegflex.stagers.fronts import front_of

SFREQ, N_TIMES = 100.0, 3000
#: That of SeqSleepNet and its kin.
SEQSLEEPNET = SpectrogramSpec(
    window="hamming",
    length=2.0,
    hop=1.0,
    n_fft=256,
    detrend="constant",
    scaling="psd",
    log=LogSpec(factor=20, floor=float(np.finfo(float).eps)),
)


def signals(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 20, shape)


def spec_of(words=SEQSLEEPNET, **changes):
    words = dataclasses.replace(words, **changes)
    return ModelSpec(name="front", sfreq=SFREQ, n_times=N_TIMES, unit="uV", spectrogram=words, layout="b c w f")


def spectrogram(x, words=SEQSLEEPNET, sfreq=SFREQ, **changes):
    words = dataclasses.replace(words, **changes)
    front = front_of(ModelSpec(sfreq=sfreq, n_times=x.shape[-1], spectrogram=words, layout="b c w f"))
    return front(torch.as_tensor(x)).numpy()


SCIPY = {
    "as SeqSleepNet": {},
    "linear trend": {"detrend": "linear"},
    "no trend": {"detrend": "none"},
    "odd window, odd transform": {"length": 1.01, "n_fft": 127},
    "odd window of its own length": {"length": 0.77, "n_fft": None},
    "longer transform": {"n_fft": 1000},
    "odd longer transform": {"n_fft": 333},
    "no overlap": {"hop": 2.0},
    "gaps": {"hop": 3.5},
    "hop of a sample": {"length": 0.5, "hop": 0.01, "n_fft": None},
    "a window that does not fit evenly": {"hop": 1.37},
    "spectrum": {"scaling": "spectrum"},
    "spectrum, odd": {"scaling": "spectrum", "length": 1.01, "n_fft": None},
    "hann": {"window": "hann"},
    "boxcar": {"window": "boxcar"},
    "tukey": {"window": ("tukey", 0.25)},
    "symmetric": {"symmetric": True},
}


@pytest.mark.parametrize("changes", SCIPY.values(), ids=SCIPY)
@pytest.mark.parametrize("n_times", [3000, 3001, 2999])
def test_decibels_are_those_of_scipy(changes, n_times):
    words, x = dataclasses.replace(SEQSLEEPNET, **changes), signals(2, 3, n_times)
    length = round(words.length * SFREQ)
    _, _, power = scipy.signal.spectrogram(
        x,
        SFREQ,
        scipy.signal.get_window(words.window, length, fftbins=not words.symmetric),
        nperseg=length,
        noverlap=length - round(words.hop * SFREQ) if words.hop <= words.length else 0,
        nfft=words.n_fft,
        detrend=False if words.detrend == "none" else words.detrend,
        scaling="density" if words.scaling == "psd" else "spectrum",
    )
    if words.hop > words.length:  # scipy knows no gaps: its windows one by one
        starts = np.arange(0, n_times - length + 1, round(words.hop * SFREQ))
        parts = [x[..., start : start + length] for start in starts]
        power = np.concatenate(
            [
                scipy.signal.spectrogram(
                    part, SFREQ, words.window, nperseg=length, noverlap=0, nfft=words.n_fft, detrend=words.detrend
                )[2]
                for part in parts
            ],
            axis=-1,
        )
    expected = 20 * np.log10(power.swapaxes(-1, -2) + np.finfo(float).eps)
    np.testing.assert_allclose(spectrogram(x, words), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pad", ["none", "zeros", "reflect"])
@pytest.mark.parametrize("scaling", ["power", "magnitude"])
@pytest.mark.parametrize(("length", "hop", "symmetric"), [(2.56, 1.0, False), (1.28, 0.13, True), (2.0, 2.0, False)])
def test_decibels_are_those_of_torch(pad, scaling, length, hop, symmetric):
    x, n = torch.as_tensor(signals(2, 3, N_TIMES)), round(length * SFREQ)
    taper = torch.hann_window(n, periodic=not symmetric, dtype=torch.float64)
    transformed = torch.stft(
        x.flatten(0, 1),
        n,
        round(hop * SFREQ),
        window=taper,
        center=pad != "none",
        pad_mode={"none": "reflect", "zeros": "constant", "reflect": "reflect"}[pad],
        return_complex=True,
    ).unflatten(0, (2, 3))
    size = transformed.abs() if scaling == "magnitude" else transformed.abs().square()
    expected = 10 * torch.log10(size + 1e-6).transpose(-1, -2)
    words = SpectrogramSpec("hann", length, hop, scaling, symmetric=symmetric, pad=pad, log=LogSpec(10, 1e-6))
    np.testing.assert_allclose(spectrogram(x.numpy(), words), expected.numpy(), atol=1e-5, rtol=0)


def test_single_precision_is_as_good_as_the_numbers_it_is_given():
    x = signals(4, 1, N_TIMES)
    np.testing.assert_allclose(spectrogram(x.astype(np.float32)), spectrogram(x), atol=0.05)
    assert np.abs(spectrogram(x.astype(np.float32)) - spectrogram(x)).mean() < 1e-4


def test_a_band_is_a_part_of_the_spectrum():
    x = signals(1, 1, N_TIMES)
    frequencies = np.fft.rfftfreq(256, 1 / SFREQ)
    kept = (frequencies >= 0.5) & (frequencies <= 25)
    np.testing.assert_array_equal(spectrogram(x, fmin=0.5, fmax=25), spectrogram(x)[..., kept])


def test_both_ends_of_a_band_belong_to_it():
    x = signals(1, 1, N_TIMES)
    assert spectrogram(x, n_fft=None, fmin=0.5, fmax=30.0).shape[-1] == 60


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"log": None, "detrend": "linear"},
        {"scaling": "magnitude", "detrend": "none", "log": LogSpec(20, 1e-3)},
        {"pad": "reflect", "n_fft": 41},
    ],
    ids=["decibels", "powers", "magnitudes", "reflected, odd"],
)
def test_gradients_are_those_of_differences(changes):
    words = dataclasses.replace(SEQSLEEPNET, length=0.32, hop=0.17, n_fft=40)
    words = dataclasses.replace(words, **changes)
    front = front_of(ModelSpec(sfreq=SFREQ, n_times=56, spectrogram=words, layout="b c w f"))
    x = torch.as_tensor(signals(1, 1, 56)).requires_grad_(True)
    assert torch.autograd.gradcheck(front, (x,))


@pytest.mark.parametrize("scaling", ["psd", "magnitude"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_has_the_floor_and_a_gradient_of_zero(scaling, dtype):
    front = front_of(spec_of(scaling=scaling, log=LogSpec(20, 1e-30)))
    x = torch.zeros(1, 1, N_TIMES, dtype=dtype, requires_grad=True)
    values = front(x)
    torch.testing.assert_close(values, torch.full_like(values, -600.0))
    (slope,) = torch.autograd.grad(values.sum(), x)
    assert slope.abs().max() == 0


@pytest.mark.parametrize("bank_of_each", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_a_filter_bank_weighs_powers_before_the_logarithm(tmp_path, bank_of_each, turned):
    bank = np.random.default_rng(3).random((2, 129, 20))
    power = spectrogram(signals(3, 2, N_TIMES), log=None)
    used = bank if bank_of_each else bank[:1]
    expected = 20 * np.log10(
        np.einsum("ncwf,cfm->ncwm", power, np.broadcast_to(used, bank.shape)) + np.finfo(float).eps
    )
    own = bank if bank_of_each else bank[0]
    np.save(tmp_path / "bank.npy", own.swapaxes(-1, -2) if turned else own)
    found = front_of(spec_of(filterbank="bank.npy"), tmp_path)(torch.as_tensor(signals(3, 2, N_TIMES)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


STATISTICS = {
    "of all channels": (129,),
    "of each": (2, 129),
    "of each window": (2, 29, 129),
    "of windows": (1, 29, 129),
}


@pytest.mark.parametrize("shape", STATISTICS.values(), ids=STATISTICS)
@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_given_statistics_are_subtracted_and_divided_by(tmp_path, shape, suffix):
    rng, x = np.random.default_rng(4), signals(3, 2, N_TIMES)
    mean, sd = rng.normal(size=shape), rng.uniform(1, 2, shape)
    if suffix == ".npy":
        np.save(tmp_path / "mean.npy", mean)
        np.save(tmp_path / "sd.npy", sd.astype(np.float32))
        names = {"mean": "mean.npy", "sd": "sd.npy"}
    else:
        save_file({"mean": mean, "sd": sd}, tmp_path / "both.safetensors")
        names = {"mean": "both.safetensors", "sd": "both.safetensors"}
    broad = {1: (1, 1, 129), 2: (*shape[:1], 1, 129), 3: shape}[len(shape)]
    expected = (np.clip(spectrogram(x), -10, 40) - mean.reshape(broad)) / sd.reshape(broad)
    found = front_of(spec_of(clip=(-10.0, 40.0), **names), tmp_path)(torch.as_tensor(x))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_numbers_in_the_spec_do_as_well_as_a_file():
    x, mean = signals(1, 1, N_TIMES), tuple(np.linspace(-3, 3, 129).tolist())
    np.testing.assert_allclose(spectrogram(x, mean=mean), spectrogram(x) - np.array(mean))
