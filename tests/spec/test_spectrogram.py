"""What `[input.spectrogram]` may say, and what is refused of it, in our words."""

from __future__ import annotations

import pytest

from eegflex.errors import SpecError
from eegflex.spec import LogSpec, ModelSpec, SpectrogramSpec

SOUND = {"window": "hamming", "length": 2.0, "hop": 1.0, "scaling": "psd", "n_fft": 256}


def spec_of(layout="b e c w f", sfreq=100.0, n_times=3000, **words):
    words = {key: value for key, value in (SOUND | words).items() if value is not ...}
    return ModelSpec.from_dict({"input": {"sfreq": sfreq, "n_times": n_times, "layout": layout, "spectrogram": words}})


def test_a_spec_with_a_spectrogram_survives_a_round_trip():
    spec = spec_of(log={"factor": 20, "floor": 1e-12}, clip=[-20, 40], mean="mean.npy", window=["tukey", 0.25])
    assert spec.spectrogram.log == LogSpec(20, 1e-12)
    assert spec.spectrogram.window == ("tukey", 0.25)
    assert ModelSpec.from_dict(spec.to_dict()) == spec


def test_a_spec_without_one_survives_too():
    assert ModelSpec.from_dict(ModelSpec().to_dict()).spectrogram is None


#: What is wrong, and words that must be said of it.
WRONG = {
    "no window": ({"window": ...}, r"lacks the key \[input.spectrogram\] window"),
    "no floor": ({"log": {"factor": 20}}, r"lacks the key \[input.spectrogram.log\] floor"),
    "a word that is none": ({"overlap": 0.5}, "'overlap'"),
    "a number for a table": ({"log": 20}, r"\[input.spectrogram.log\] must be a table"),
    "an unknown window": ({"window": "hammond"}, "window is none.*hammond"),
    "a window without its parameter": ({"window": "kaiser"}, "window is none"),
    "a window of nothing": ({"window": []}, "window is none"),
    "a window with nothing in it": ({"window": ["gaussian", 1e-300]}, "window"),
    "an unknown scaling": ({"scaling": "density"}, "scaling must be one of 'psd'"),
    "an unknown detrend": ({"detrend": "quadratic"}, "detrend must be one of"),
    "a window longer than the epoch": ({"length": 31.0, "n_fft": ...}, "at most the epoch's 30 s"),
    "a window of no length": ({"length": 0.0}, "length does not fit"),
    "a negative window": ({"length": -2.0}, "length does not fit"),
    "a window that is not finite": ({"length": float("inf")}, "length does not fit"),
    "a window that is not a number": ({"length": float("nan")}, "length does not fit"),
    "a window of a sample": ({"length": 0.01, "n_fft": ...}, "at least two samples"),
    "half samples": ({"length": 2.005}, "whole samples at 100 Hz.*such as"),
    "a hop of half samples": ({"hop": 0.333}, "hop does not fit.*whole samples"),
    "no hop": ({"hop": 0.0}, "hop does not fit"),
    "a transform shorter than the window": ({"n_fft": 128}, "n_fft does not fit.*200 to"),
    "a transform without end": ({"n_fft": 2**40}, "n_fft does not fit"),
    "fmax above half the rate": ({"fmax": 60.0}, "0 to 50 Hz, half the rate"),
    "fmin above half the rate": ({"fmin": 51.0}, "0 to 50 Hz"),
    "fmin below zero": ({"fmin": -1.0}, "fmin does not fit"),
    "no frequency at all": ({"fmin": 10.1, "fmax": 10.11}, "at least one of its frequencies"),
    "the wrong way round": ({"fmin": 20.0, "fmax": 10.0}, "20 above fmax = 10"),
    "a frequency that is not a number": ({"fmax": float("nan")}, "fmax does not fit"),
    "no floor below the logarithm": ({"log": {"factor": 20, "floor": 0.0}}, "logarithm of silence"),
    "a negative floor": ({"log": {"factor": 20, "floor": -1.0}}, "floor = -1"),
    "a floor that single precision lacks": ({"log": {"factor": 20, "floor": 1e-45}}, "1e-30 or more"),
    "no factor": ({"log": {"factor": 0, "floor": 1.0}}, "factor = 0"),
    "one limit": ({"clip": [3.0]}, "clip does not fit"),
    "a number for limits": ({"clip": 3.0}, "clip must be a list"),
    "limits the wrong way round": ({"clip": [3.0, -3.0]}, "clip does not fit"),
    "an sd of zero": ({"sd": [1.0, 0.0]}, "numbers above zero"),
    "a mean of nothing": ({"mean": []}, "finite numbers"),
    "a mean that is not finite": ({"mean": [float("inf")]}, "finite numbers"),
    "reflected further than the epoch": ({"length": 60.0, "n_fft": ..., "pad": "reflect"}, "length does not fit"),
    "a control character": ({"mean": "a\x00b"}, "control character"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_spectrogram_is_refused_by_its_key(name):
    words, said = WRONG[name]
    with pytest.raises(SpecError, match=f"(?s){said}"):
        spec_of(**words)


@pytest.mark.parametrize("layout", ["b c t", "b e c t", "b c f", "b w c", "b e c w f t"])
def test_a_spectrogram_has_windows_and_frequencies_in_its_layout(layout):
    with pytest.raises(SpecError, match="w window of the spectrogram"):
        spec_of(layout=layout)


def test_a_signal_has_none():
    with pytest.raises(SpecError, match=r"\[input\] layout"):
        ModelSpec(layout="b c w f")


def test_frequencies_need_a_rate():
    with pytest.raises(SpecError, match="Add sfreq"):
        spec_of(sfreq=None)


@pytest.mark.parametrize("layout", ["b e c w f", "(b e) c f w", "b e (c f) w", "b (e w) c f", "b e w f c"])
def test_a_spectrogram_may_be_folded(layout):
    assert spec_of(layout=layout).takes_sequences


def test_a_window_as_long_as_the_epoch_is_one():
    assert spec_of(length=30.0, n_fft=...).spectrogram.length == 30.0


def test_it_may_be_written_in_python():
    words = SpectrogramSpec("hann", 1.0, 0.5, "magnitude")
    assert ModelSpec(sfreq=64.0, n_times=1920, spectrogram=words, layout="b c f w").spectrogram is words
