"""Models and specs, each spoilt in one way, and what the doctor must say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mne
import numpy as np
import pandas as pd
import torch
import trained
from torch import nn

from eegflex import load_model
from eegflex.spec import ChannelSpec, ContextSpec, LogSpec, ModelSpec, SpectrogramSpec

CHAMBON, CONTEXT = trained.spec("chambon"), trained.spec("context")


class ReadsBands(nn.Module):
    """Scores that are linear in the mean decibels of each frequency."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(61, 5)

    def forward(self, x):
        return self.head(x[:, 0].mean(1))


#: What the decibels of EEG in µV are by and large, from 0 to 30 Hz.
DECIBELS = tuple((25 - 20 * np.log10(1 + np.arange(61) / 4)).tolist())


def spectral(**changes):
    """The spec of a network that eats decibels of one EEG channel, up to 30 Hz."""
    words = {"window": "hann", "length": 2.0, "hop": 1.0, "scaling": "psd", "fmax": 30.0, "log": LogSpec(10, 1e-3)}
    return ModelSpec(
        name="spectral",
        sfreq=64.0,
        n_times=1920,
        unit=changes.pop("unit", "uV"),
        channels=(ChannelSpec("eeg", use="first"),),
        spectrogram=SpectrogramSpec(**words | changes),
        layout="b c w f",
    )


class Around(nn.Module):
    """A network with something before and after it; the same network at each call."""

    def __init__(self, net, before=lambda x: x, after=lambda scores, x: scores):
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)), x)


def chambon(**around):
    return Around(trained.chambon().module, **around)


def bandpower(**around):
    return Around(load_model("bandpower").module, **around)


def bandpower_spec(**changes):
    return load_model("bandpower").spec.replace(**changes)


def without_eval():
    """A function over a network that was never put into eval mode; its dropout does nothing."""
    net = trained.chambon().module
    for part in net.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    net.train()
    return lambda x: net(x)


class WrongPass(nn.Module):
    """The CNN, with a pass of its own whose slopes are twice too large."""

    def __init__(self):
        super().__init__()
        self.net = trained.chambon().module

    def forward(self, x):
        return self.net(x)

    def forward_slopes(self, x):
        own = x.detach().requires_grad_(True)
        with torch.enable_grad():
            scores = self.net(own)
        return scores.detach(), lambda weights: 2 * torch.autograd.grad((weights * scores).sum(), own)[0]


class DetachedNeighbours(nn.Module):
    """The context stager, with gradients for its own epoch only."""

    def __init__(self):
        super().__init__()
        self.net = trained.context().module

    def forward(self, windows):
        codes = self.net.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        middle = torch.arange(windows.shape[1])[:, None] == windows.shape[1] // 2
        return self.net.decode(torch.where(middle, codes, codes.detach()))


class DeafToNeighbours(nn.Module):
    """Looks at the middle epoch only, and takes eleven."""

    def __init__(self):
        super().__init__()
        self.net = trained.context().module

    def forward(self, windows):
        middle = windows[:, windows.shape[1] // 2]
        return self.net.decode(self.net.encode(middle)[:, None].expand(-1, windows.shape[1], -1))


class WholeNight(nn.Module):
    """Scores every epoch of a night, less `share` of what its whole window has on average."""

    def __init__(self, share):
        super().__init__()
        self.net, self.share = trained.chambon().module, share

    def forward(self, windows):
        scores = self.net(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        return scores - self.share * scores.mean(1, keepdim=True)


WHOLE = CHAMBON.replace(layout="b e c t", output="b e s", context=ContextSpec(whole=True))


class HalfWave(nn.Module):
    """Stages by the power of rhythms in positive half waves above 10 µV; of nothing else than size it says W."""

    def __init__(self, sfreq=64.0):
        super().__init__()
        times = torch.arange(int(sfreq)) / sfreq
        waves = [wave(2 * torch.pi * f * times) for f in RHYTHMS for wave in (torch.sin, torch.cos)]
        self.register_buffer("filters", torch.stack(waves)[:, None] / sfreq)

    def forward(self, x):
        found = nn.functional.conv1d(torch.relu(x[:, :1] - 10.0), self.filters, stride=8).square().mean(-1)
        size = torch.log1p(x.square().mean((1, 2)))[:, None] * torch.tensor([0.1, 0, 0, 0, 0])
        return torch.log1p(found.unflatten(1, (-1, 2)).sum(-1)) + size


RHYTHMS = (10.0, 6.0, 13.0, 2.0, 20.0)
HALF_WAVE = ModelSpec(name="half waves", sfreq=64.0, n_times=1920, unit="uV")


def half_wave_night(sign=1, n_bouts=20, seed=0):
    """Epochs in which the rhythm of a stage stands on one side of zero, in bouts of four."""
    rng = np.random.default_rng(seed)
    place = np.repeat(np.arange(n_bouts) % 5, 4)
    times = np.arange(30 * 64) / 64.0
    waves = np.maximum(np.sin(2 * np.pi * np.array(RHYTHMS)[place][:, None] * times), 0) * 40e-6
    data = sign * (waves + 3e-13 * rng.standard_normal(waves.shape))
    metadata = pd.DataFrame({"stage": np.array(HALF_WAVE.stages)[place], "onset": 30.0 * np.arange(len(place))})
    events = np.column_stack([np.arange(len(place)) * len(times), np.zeros_like(place), np.ones_like(place)])
    info = mne.create_info(["C4-M1"], 64.0, "eeg")
    return mne.EpochsArray(data[:, None], info, events=events, baseline=None, metadata=metadata, verbose="error")


class EyeMovements(HalfWave):
    """The same, but REM is what reaches beyond 110 µV, whatever its rhythm."""

    def forward(self, x):
        scores = super().forward(x)
        far = 2 * torch.log1p(torch.relu(x[:, 0].abs() - 110).square().mean(-1))
        return torch.cat([scores[:, :4], far[:, None]], 1)


def eye_movement_night():
    """The same night, in whose REM nothing but eight short waves an epoch stands out of the noise."""
    epochs = half_wave_night()
    rem, noise = epochs.metadata["stage"] == "REM", np.random.default_rng(1)
    times = np.arange(0, 0.5, 1 / 64)
    for number in np.flatnonzero(rem):
        epochs._data[number, 0] = 3e-6 * noise.standard_normal(epochs._data.shape[-1])
        for start in noise.choice(58, 8, replace=False) * 32:
            epochs._data[number, 0, start : start + 32] += 150e-6 * np.sin(np.pi * times / 0.5) ** 2
    return epochs


class Eyes(nn.Module):
    """Stages by one channel's half waves; says REM where a second one goes the other way, whatever it looks like."""

    def __init__(self):
        super().__init__()
        self.net = HalfWave()

    def forward(self, x):
        against = torch.log1p(torch.relu(-50 - (x[:, 0] * x[:, 1]).mean(-1)))
        return torch.cat([self.net(x)[:, :4], against[:, None]], 1)


def eyes_night():
    """The same night, with a second channel that shows the same, but in REM the opposite, and there of noise."""
    epochs = half_wave_night()
    rem = (epochs.metadata["stage"] == "REM").to_numpy()[:, None, None]
    own = epochs.get_data(copy=True)
    own = np.where(rem, 20e-6 * np.random.default_rng(1).standard_normal(own.shape), own)
    data = np.concatenate([own, np.where(rem, -own, own)], axis=1)
    info = mne.create_info(["E1-M2", "E2-M2"], 64.0, "eeg")
    return mne.EpochsArray(data, info, events=epochs.events, baseline=None, metadata=epochs.metadata, verbose="error")


def rescored(epochs, change: Callable[[np.ndarray], np.ndarray]):
    """The recording with another hypnogram."""
    changed = epochs.copy()
    changed.metadata = changed.metadata.assign(stage=change(changed.metadata["stage"].to_numpy()))
    return changed


def shuffled(stages):
    """The bouts of a hypnogram cut up and in another order."""
    return np.random.default_rng(0).permutation(stages.reshape(-1, 3)).ravel()


@dataclass(frozen=True)
class Spoilt:
    """One sabotage, and what must be found: the check, its status, words of what is measured and of the remedy.

    `with_it` are checks that the same fault makes fail too; of all others none may be a warning or an error.
    """

    model: Callable[[], Any]
    spec: ModelSpec
    check: str
    measured: str
    remedy: str
    status: str = "error"
    with_it: frozenset[str] = frozenset()
    recording: Callable[[Any], Any] = field(default=lambda night: night)


def _order(*stages):
    return Spoilt(
        chambon, CHAMBON.replace(stages=stages), "class order", "W, N1, N2, N3, REM agrees better", "order",
        with_it=frozenset({"agreement"}),
    )  # fmt: skip


def _target(before):
    fits = f"{abs(5 - before)} {'later' if before < 5 else 'earlier'}"
    return Spoilt(
        lambda: trained.context().module, CONTEXT.replace(context=ContextSpec(before, 10 - before)), "target index",
        f"the epoch {fits} better", f"{fits} than the declared one fits",
        with_it=frozenset({"scale"}),  # a neighbour's size may hardly matter to the epoch that is staged
    )  # fmt: skip


FORWARD_ONLY = "method='shapley'"
ALSO_CHANCE = frozenset({"agreement"})

SABOTAGE: dict[str, Spoilt] = {
    "fewer samples than the network takes": Spoilt(
        chambon, CHAMBON.replace(sfreq=64.0, n_times=1920), "shape", "failed on an input of shape", "n_times and layout"
    ),
    "four stages of five": Spoilt(
        chambon, CHAMBON.replace(stages=("W", "light", "deep", "REM")), "shape", "5 scores", "Name the stage of each output"
    ),
    "a channel that is not there": Spoilt(
        chambon, CHAMBON, "channels", "eog", "", recording=lambda night: night.copy().pick("eeg")
    ),
    "a rate above the recording's": Spoilt(
        bandpower, bandpower_spec(sfreq=512.0, n_times=15360), "rate", "512 Hz", "lower rate"
    ),
    "samples of another rate": Spoilt(
        bandpower, bandpower_spec(sfreq=128.0), "rate", "23.44 s, but the epochs have 30 s", "Correct sfreq or n_times",
        with_it=frozenset({"rate by hypnogram", "agreement", "class order"}),
    ),
    "no rate at all": Spoilt(
        HalfWave, HALF_WAVE.replace(sfreq=None, n_times=None), "rate", "no rate was declared", "sfreq", "warning",
        recording=lambda _: half_wave_night(),
    ),
    "twice the rate": Spoilt(
        lambda: trained.context().module, CONTEXT.replace(sfreq=200.0, n_times=6000), "rate by hypnogram", "at 100 Hz",
        "declared is 200 Hz", with_it=ALSO_CHANCE,
    ),
    "V for µV": Spoilt(
        bandpower, bandpower_spec(unit="V"), "unit", "hardly reacts", "unit = 'uV'",
        with_it=frozenset({"agreement", "unit by hypnogram"}),
    ),
    "µV for V": Spoilt(
        lambda: bandpower(before=lambda x: 1e6 * x), bandpower_spec(), "unit by hypnogram", "divided by 1,000,000",
        "declared is uV", with_it=ALSO_CHANCE,
    ),
    "upside down": Spoilt(
        HalfWave, HALF_WAVE, "polarity", "upside down", "C4-M1, not M1-C4",
        with_it=ALSO_CHANCE, recording=lambda _: half_wave_night(sign=-1),
    ),
    "N2 and N3 swapped": _order("W", "N1", "N3", "N2", "REM"),
    "W and REM swapped": _order("REM", "N1", "N2", "N3", "W"),
    "stages in reverse": _order("REM", "N3", "N2", "N1", "W"),
    "stages turned round": _order("REM", "W", "N1", "N2", "N3"),
    "the epoch before": _target(4),
    "the epoch after": _target(6),
    "three epochs off": _target(2),
    "a hypnogram that begins late": Spoilt(
        chambon, CHAMBON, "target index", "1 earlier", "hypnogram begins with the recording", "warning",
        recording=lambda night: rescored(night, lambda stages: np.append(stages[1:], "W")),
    ),
    "another's hypnogram": Spoilt(
        chambon, CHAMBON, "agreement", "no better than chance", "whether the hypnogram is this recording's", "warning",
        recording=lambda night: rescored(night, shuffled),
    ),
    "dropout that is always on": Spoilt(
        lambda: chambon(after=lambda scores, x: nn.functional.dropout(scores, 0.3, training=True)), CHAMBON,
        "determinism", "not deterministic", "Switch off dropout",
        with_it=frozenset({"batch independence", "differentiability"}),
    ),
    "never put into eval mode": Spoilt(without_eval, CHAMBON, "eval mode", "training mode", "eval()"),
    "normalised over the batch": Spoilt(
        lambda: chambon(after=lambda scores, x: scores - 0.2 * scores.mean(0)), CHAMBON,
        "batch independence", "differently in a batch than alone", "each sample by itself",
    ),
    "batch norm without statistics": Spoilt(
        lambda: chambon(before=nn.BatchNorm1d(2, track_running_stats=False)), CHAMBON,
        "batch independence", "differently in a batch than alone", "running statistics",
        with_it=frozenset({"scale"}),
    ),
    "detached": Spoilt(
        lambda: chambon(after=lambda scores, x: scores.detach()), CHAMBON,
        "differentiability", "be differentiated", FORWARD_ONLY,
    ),
    "argmax inside": Spoilt(
        lambda: chambon(after=lambda scores, x: 4.0 * nn.functional.one_hot(scores.argmax(1), 5).float()), CHAMBON,
        "differentiability", "be differentiated", FORWARD_ONLY,
        with_it=frozenset({"scale"}),  # a stage that stays the winner at any size is a score that stays the same
    ),
    "rounded": Spoilt(
        lambda: chambon(after=lambda scores, x: scores.floor()), CHAMBON, "differentiability", "zero everywhere", FORWARD_ONLY
    ),
    "half of it detached": Spoilt(
        lambda: chambon(after=lambda scores, x: 0.5 * scores + 0.5 * scores.detach()), CHAMBON,
        "differentiability", "gradients: these miss", FORWARD_ONLY,
    ),
    "one channel detached": Spoilt(
        lambda: chambon(before=lambda x: torch.cat([x[:, :1], x[:, 1:].detach()], 1)), CHAMBON,
        "differentiability", "", FORWARD_ONLY,
    ),
    "a pass with wrong slopes": Spoilt(
        WrongPass, CHAMBON, "quick pass", "its own pass is not used, since what it gives differs by 1 ", "leave it out",
        "warning",
    ),
    "neighbours detached": Spoilt(
        DetachedNeighbours, CONTEXT, "context gradients", "cut off from its gradients", FORWARD_ONLY
    ),
    "deaf to its neighbours": Spoilt(
        DeafToNeighbours, CONTEXT, "context gradients", "do not change the score", "context and layout", "warning"
    ),
    "NaN at silence": Spoilt(
        lambda: chambon(after=lambda scores, x: scores + 0 / x.abs().amax((1, 2))[:, None]), CHAMBON,
        "finite scores", "silence has scores that are not finite", "another baseline",
    ),
    "NaN for loud epochs": Spoilt(
        lambda: chambon(after=lambda scores, x: scores + torch.log(1.5 - x.std((1, 2)))[:, None] * 0), CHAMBON,
        "finite scores", "the first at", "unit and scaling", with_it=frozenset({"agreement"}),
    ),
    "a night that a window does not know": Spoilt(
        lambda: WholeNight(1.0), WHOLE, "window", "as in the whole night", "longer windows",
        recording=lambda night: night[:32],
    ),
    "a stage read off waveforms": Spoilt(
        EyeMovements, HALF_WAVE, "phases", "REM is decided by waveforms", "views by time", "warning",
        recording=lambda _: eye_movement_night(),
    ),
    "a stage read off two channels": Spoilt(
        Eyes, HALF_WAVE, "phases", "REM is decided by relations between channels", "joint", "warning",
        recording=lambda _: eyes_night(),
    ),
    "sequences without their context": Spoilt(
        lambda: trained.context().module, CONTEXT.replace(context=ContextSpec()), "window",
        "axis of epochs, but it is given each epoch by itself", "Give the context", "warning",
        recording=lambda night: rescored(night, lambda stages: ["UNSCORED"] * len(stages)),
    ),
    "decibels of V for those of µV": Spoilt(
        ReadsBands, spectral(unit="V", mean=DECIBELS, sd=(8.0,) * 61, log=LogSpec(10, 1e-18)), "front end",
        "if the model was trained in uV", "unit = 'uV'",
        recording=lambda night: rescored(night, lambda stages: ["UNSCORED"] * len(stages)),
    ),
    "probabilities for logits": Spoilt(
        lambda: chambon(after=lambda scores, x: scores.softmax(1)), CHAMBON, "scores", "probs, declared as logits", "'probs'"
    ),
    "log-probabilities for logits": Spoilt(
        lambda: chambon(after=lambda scores, x: scores.log_softmax(1)), CHAMBON,
        "scores", "log-probabilities, declared as logits", "'log_probs'", "warning",
    ),
    "logits for probabilities": Spoilt(
        chambon, CHAMBON.replace(scores="probs"), "scores", "logits, declared as probs", "'logits'"
    ),
    "logits for log-probabilities": Spoilt(
        chambon, CHAMBON.replace(scores="log_probs"), "scores", "logits, declared as log_probs", "'logits'"
    ),
    "standardised inside": Spoilt(
        lambda: chambon(before=nn.InstanceNorm1d(2)), CHAMBON, "scale", "do not depend on the size", "'recording'"
    ),
}  # fmt: skip
