"""Networks of spectrograms: explained on the signal, with statistics that stand still, and files beside a spec."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.numpy import save_file
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.errors import EegflexError, ModelError, SpecError
from eegflex.spec import ChannelSpec, ContextSpec, FilterSpec, LogSpec, ModelSpec, SpectrogramSpec

WORDS = SpectrogramSpec("hamming", 2.0, 1.0, "psd", n_fft=256, detrend="constant", log=LogSpec(20, 1e-6))
FROZEN = dataclasses.replace(WORDS, mean="recording", sd="recording")


def spec_of(words=WORDS, **changes):
    """A stager of three epochs and one EEG channel."""
    given = {
        "name": "spectral",
        "sfreq": 100.0,
        "n_times": 3000,
        "unit": "uV",
        "channels": (ChannelSpec("eeg", types=("eeg",), use="first"),),
        "spectrogram": words,
        "layout": "b e c w f",
        "output": "b e s",
        "context": ContextSpec(1, 1),
    }
    return ModelSpec(**given | changes)


class Sequences(nn.Module):
    """Scores of each epoch of a window from the spectrograms of all of it; notes what it is fed."""

    def __init__(self, n_channels=1):
        super().__init__()
        torch.manual_seed(0)
        self.bins = nn.Linear(129 * n_channels, 8)
        self.head = nn.Linear(8, 5)
        self.fed = []

    def encode(self, x):
        self.fed.append(len(x))
        return torch.tanh(self.bins(x.transpose(1, 2).flatten(2) / 20)).mean(1)

    def decode(self, codes):
        return self.head(codes + 0.5 * torch.tanh(codes.sum(1, keepdim=True)))

    def forward(self, x):
        return self.decode(self.encode(x.flatten(0, 1)).unflatten(0, x.shape[:2]))


class Whole(nn.Module):
    """The same without its two methods."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


@pytest.fixture(scope="module")
def epochs():
    raw = eegflex.simulate_psg(hours=0.3, sfreq=100, seed=5, verbose="error").raw
    return eegflex.make_epochs(raw.pick(["C4-M1", "O2-M1", "E1-M2"]), verbose="error")


def by_scipy(epochs, channels):
    """Decibels of a recording, (epoch, channel, window, bin)."""
    data = 1e6 * epochs.get_data(picks=channels)
    _, _, power = scipy.signal.spectrogram(data, 100.0, "hamming", nperseg=200, noverlap=100, nfft=256)
    return 20 * np.log10(power.swapaxes(-1, -2) + 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("net", [Sequences(), Whole(Sequences())], ids=["encodes", "does not"])
@pytest.mark.parametrize("context", ["fixed", "scaled"])
def test_attributions_to_the_signal_add_up_through_the_front(epochs, net, context):
    result = eegflex.attribute_epochs(
        epochs, net, spec=spec_of(FROZEN), sample_per_stage=1, context=context, tol=0.01, verbose="error"
    )
    assert result.relative_gap().max() < 0.01
    assert np.abs(result.to_xarray()["frequency_view"].values).max() > 0


def test_scores_are_those_of_scipys_spectrogram(epochs):
    net = Sequences()
    night = eegflex.stage_epochs(epochs, net, spec=spec_of(FROZEN), dtype="float64", verbose="error")
    values = by_scipy(epochs, ["C4-M1"])
    standard = (values - values.mean((0, 2), keepdims=True)) / values.std((0, 2), keepdims=True)
    with torch.no_grad():
        windows = torch.as_tensor(np.stack([standard[4:7]]))
        expected = net.double()(windows)[0, 1]
    np.testing.assert_allclose(night.scores[5, 0], expected, atol=1e-3)


def test_neighbours_are_encoded_once():
    raw = eegflex.simulate_psg(hours=0.2, sfreq=100, seed=5, verbose="error").raw
    short = eegflex.make_epochs(raw.pick(["C4-M1"]), verbose="error")
    stager = load_model(Sequences(), spec=spec_of())
    night = eegflex.stage_epochs(short, stager, verbose="error")
    fed = night.stager.module.fed
    before = sum(fed)
    with torch.no_grad():
        index = torch.tensor([5, 5, 6, 7])
        night.bound[0](night.bound[0].inputs(index), index)
    assert sum(fed) - before == 4


def test_spectrograms_of_neighbours_are_made_once(epochs, monkeypatch):
    night = eegflex.stage_epochs(epochs, Whole(Sequences()), spec=spec_of(), verbose="error")
    made = []
    own = torch.fft.rfft
    monkeypatch.setattr(torch.fft, "rfft", lambda x, n: made.append(len(x)) or own(x, n=n))
    with torch.no_grad():
        index = torch.tensor([5, 5, 6, 7])
        kept = night.bound[0](night.bound[0].inputs(index), index)
        assert made == [4]
        anew = night.stager.score(torch.stack([night.bound[0].inputs(torch.arange(4, 7))]), torch.tensor([1]))
    torch.testing.assert_close(kept[:1], anew, atol=1e-5, rtol=0)


def test_statistics_are_of_each_channel_over_sound_epochs(epochs):
    spoilt = epochs.copy().load_data()
    spoilt._data[3, 0] = np.nan
    spec = spec_of(FROZEN, channels=(ChannelSpec("eeg", types=("eeg",)),))
    night = eegflex.stage_epochs(spoilt, Sequences(2), spec=spec, verbose="error")
    (front,) = night.stager.fronts
    values = by_scipy(epochs, ["C4-M1", "O2-M1"])[np.arange(len(epochs)) != 3]
    np.testing.assert_allclose(front.mean[:, 0], values.mean((0, 2)), atol=1e-3)
    np.testing.assert_allclose(front.sd[:, 0], values.std((0, 2)), rtol=1e-4)


def test_each_channel_set_has_its_own_statistics(epochs):
    spec = spec_of(FROZEN, channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))
    night = eegflex.stage_epochs(epochs, Sequences(), spec=spec, verbose="error")
    alone = [
        eegflex.stage_epochs(epochs, Sequences(), spec=spec, picks=[name], verbose="error")
        for name in ("C4-M1", "O2-M1")
    ]
    for place, one in enumerate(alone):
        np.testing.assert_allclose(night.scores[:, place], one.scores[:, 0], atol=1e-5)


def test_members_that_are_averaged_have_their_own_statistics(epochs):
    spec = spec_of(FROZEN, channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))
    apart = eegflex.stage_epochs(epochs, Sequences(), spec=spec, verbose="error")
    pooled = eegflex.stage_epochs(epochs, Sequences(), spec=spec.replace(combine="mean"), verbose="error")
    np.testing.assert_allclose(pooled.scores[:, 0], apart.scores.mean(1), atol=1e-5)


def test_statistics_stay_as_they_are_while_an_epoch_changes(epochs):
    """So that the path is one of the epoch alone: silence in its place is below the mean by as much as it is."""
    night = eegflex.stage_epochs(epochs, Sequences(), spec=spec_of(FROZEN), dtype="float64", verbose="error")
    bound = night.bound[0]
    front = bound.stager.front
    recorded = bound.inputs(torch.tensor([5]))
    louder = front(10 * recorded) - front(recorded)
    values = torch.as_tensor(by_scipy(epochs, ["C4-M1"])[5])
    change = 20 * torch.log10((100 * (10 ** (values / 20) - 1e-6) + 1e-6) / 10 ** (values / 20))
    torch.testing.assert_close(louder[0, 0] * torch.as_tensor(front.sd)[0], change[0], atol=0.05, rtol=0)


def test_another_night_has_statistics_of_its_own(epochs):
    stager = load_model(Sequences(), spec=spec_of(FROZEN))
    first = eegflex.stage_epochs(epochs, stager, verbose="error")
    louder = epochs.copy().load_data().apply_function(lambda x: 3 * x)
    second = eegflex.stage_epochs(louder, first.stager, verbose="error")
    np.testing.assert_allclose(second.scores, first.scores, atol=0.02)
    assert np.abs(second.stager.front.mean - first.stager.front.mean).min() > 5
    assert stager.front.mean is None


def test_random_phases_are_scored_with_the_recordings_statistics(epochs):
    night = eegflex.stage_epochs(epochs, Sequences(), spec=spec_of(FROZEN), verbose="error")
    silent = dataclasses.replace(night.segments, signals=0 * night.segments.signals)
    (bound,) = night.stager.bind(silent)
    np.testing.assert_array_equal(bound.stager.front.mean, night.bound[0].stager.front.mean)


def test_a_recordings_statistics_need_a_recording():
    with pytest.raises(ModelError, match="mean and sd of the spectrogram are those of a recording"):
        load_model(Sequences(), spec=spec_of(FROZEN)).score(torch.zeros(1, 3, 1, 3000))


def test_an_ensemble_has_a_front_for_each_member(epochs):
    def one(words):
        return load_model(Sequences(), spec=spec_of(words))

    words = (WORDS, FROZEN)
    both = eegflex.stage_epochs(epochs, eegflex.stagers.ensemble([one(w) for w in words]), verbose="error")
    alone = [eegflex.stage_epochs(epochs, one(w), verbose="error").scores for w in words]
    np.testing.assert_allclose(both.scores, np.mean(alone, axis=0), atol=1e-5)


def test_a_flat_bin_of_the_recording_is_left_as_it_is(epochs):
    filtered = epochs.copy().load_data()
    filtered._data[:] = np.round(filtered._data, 7)
    words = dataclasses.replace(FROZEN, log=LogSpec(20, 1e9))  # nothing but the floor
    night = eegflex.stage_epochs(filtered, Sequences(), spec=spec_of(words), verbose="error")
    assert np.isfinite(night.scores[night.sound]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_of_half_precision_has_a_front_of_whole_precision(epochs, dtype):
    night = eegflex.stage_epochs(epochs, Sequences().half(), spec=spec_of(), dtype=dtype, verbose="error")
    assert np.isfinite(night.scores[night.sound]).all()


TOML = """
[input]
sfreq = 100.0
n_times = 3000
unit = "uV"
layout = "b e c w f"
context = { before = 1, after = 1 }
[[input.channels]]
name = "eeg"
use = "first"
[input.spectrogram]
window = "hamming"
length = 2.0
hop = 1.0
n_fft = 256
detrend = "constant"
scaling = "psd"
log = { factor = 20, floor = 1e-6 }
mean = "mean.npy"
sd = "sd.npy"
[output]
layout = "b e s"
[model]
name = "spectral"
file = "weights.safetensors"
"""


@pytest.fixture
def folder(tmp_path):
    """A model's folder: spec, weights and statistics."""
    (tmp_path / "spec.toml").write_text(TOML)
    save_file(
        {name: value.numpy() for name, value in Sequences().state_dict().items()}, tmp_path / "weights.safetensors"
    )
    np.save(tmp_path / "mean.npy", np.linspace(20, -20, 129))
    np.save(tmp_path / "sd.npy", np.full(129, 12.0))
    return tmp_path


@pytest.mark.parametrize("how", ["folder", "spec", "weights", "module"])
def test_statistics_lie_beside_the_spec(folder, how):
    stager = {
        "folder": lambda: load_model(folder, module=Sequences),
        "spec": lambda: load_model(folder / "spec.toml", module=Sequences),
        "weights": lambda: load_model(folder / "weights.safetensors", module=Sequences, spec=folder / "spec.toml"),
        "module": lambda: load_model(Sequences(), spec=folder / "spec.toml"),
    }[how]()
    x = torch.randn(1, 3, 1, 3000, generator=torch.Generator().manual_seed(0))
    values = by_front(x) - torch.linspace(20, -20, 129)
    with torch.no_grad():
        expected = Sequences()(values / 12)[:, 1]
        torch.testing.assert_close(stager.score(x, torch.tensor([1])), expected, atol=1e-4, rtol=0)


def by_front(x):
    taper = torch.hamming_window(200)
    frames = x.unfold(-1, 200, 100)
    power = torch.fft.rfft((frames - frames.mean(-1, keepdim=True)) * taper, 256).abs().square()
    return 20 * torch.log10(power * torch.tensor([1.0, *[2.0] * 127, 1.0]) / (100 * taper.square().sum()) + 1e-6)


def test_other_statistics_are_another_model(folder):
    first = load_model(folder, module=Sequences).digest
    again = load_model(folder, module=Sequences).digest
    np.save(folder / "sd.npy", np.full(129, 12.5))
    assert first == again != load_model(folder, module=Sequences).digest
    assert len(first) == 64


def spoil_pickle(folder):
    np.save(folder / "mean.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def spoil_length(folder):
    path = folder / "mean.npy"
    path.write_bytes(path.read_bytes()[:-40])


def spoil_huge(folder):
    path = folder / "mean.npy"
    path.write_bytes(path.read_bytes().replace(b"(129,), }       ", b"(129000000000,),"))


def spoil_link(folder):
    (folder / "mean.npy").unlink()
    outside = folder.parent / "outside.npy"
    np.save(outside, np.zeros(129))
    (folder / "mean.npy").symlink_to(outside)


def spoil_with(**arrays):
    def spoil(folder):
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)

    return spoil


SPOILT = {
    "a pickle": (spoil_pickle, "does not hold the numbers"),
    "cut off": (spoil_length, "does not hold the numbers"),
    "declares more than it has": (spoil_huge, "does not hold|damaged"),
    "a link that leads away": (spoil_link, "outside its own folder"),
    "not there": (lambda folder: (folder / "mean.npy").unlink(), "no such file"),
    "a folder": (lambda folder: ((folder / "mean.npy").unlink(), (folder / "mean.npy").mkdir()), "no file|directory"),
    "text": (lambda folder: (folder / "mean.npy").write_text("1 2 3"), "damaged"),
    "too few": (spoil_with(mean=np.zeros(128)), r"mean is of another shape.*\(129,\)"),
    "a scalar": (spoil_with(mean=np.zeros(())), "mean is of another shape"),
    "four axes": (spoil_with(mean=np.zeros((1, 1, 1, 129))), "mean is of another shape"),
    "not finite": (spoil_with(mean=np.full(129, np.nan)), "not finite"),
    "complex": (spoil_with(mean=np.zeros(129, complex)), "no real numbers"),
    "texts": (spoil_with(mean=np.array(["a"] * 129)), "no real numbers"),
    "sd of zero": (spoil_with(sd=np.r_[0.0, np.ones(128)]), "sd has numbers that are not above zero.*in 1 of 129"),
    "sd below zero": (spoil_with(sd=-np.ones(129)), "not above zero"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_statistics_that_are_none_are_refused(folder, name):
    spoil, said = SPOILT[name]
    spoil(folder)
    with pytest.raises(SpecError, match=f"(?s){said}"):
        load_model(folder, module=Sequences)


@pytest.mark.parametrize("shape", [(2, 129), (1, 28, 129), (3, 29, 129)])
def test_statistics_of_other_channels_or_windows_are_refused(folder, shape):
    np.save(folder / "mean.npy", np.zeros(shape))
    with pytest.raises(EegflexError, match="is not for these channels and windows"):
        load_model(folder, module=Sequences).score(torch.zeros(1, 3, 1, 3000))


def test_a_path_out_of_the_folder_is_refused(folder):
    (folder / "spec.toml").write_text(TOML.replace('"mean.npy"', '"../mean.npy"'))
    with pytest.raises(SpecError, match="outside its own folder"):
        load_model(folder, module=Sequences)


def test_an_array_that_is_one_of_several_has_its_name(folder):
    save_file({"a": np.zeros(129), "b": np.zeros(129)}, folder / "two.safetensors")
    (folder / "spec.toml").write_text(TOML.replace('"mean.npy"', '"two.safetensors"'))
    with pytest.raises(SpecError, match="several arrays, and none called 'mean'"):
        load_model(folder, module=Sequences)


@pytest.mark.slow
def test_a_result_says_what_the_front_was(epochs):
    result = eegflex.attribute_epochs(epochs, Sequences(), spec=spec_of(FROZEN), sample_per_stage=1, verbose="error")
    assert result.spec["input"]["spectrogram"]["window"] == "hamming"
    assert "those of this recording" in json.dumps(result.provenance)
    eegflex.make_report(result)


def test_a_filter_comes_before_the_front(epochs):
    spec = spec_of(dataclasses.replace(WORDS, log=None), filter=FilterSpec(None, 20.0), context=ContextSpec())
    night = eegflex.stage_epochs(epochs, Whole(Sequences()), spec=spec, verbose="error")
    power = night.stager.front(torch.from_numpy(night.segments.signals[:, :1])).mean((0, 1, 2))
    assert power[70:].max() < 1e-3 * power[:40].mean()
