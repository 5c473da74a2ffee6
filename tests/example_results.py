"""Results to draw, made by really explaining synthetic epochs with small networks."""

from __future__ import annotations

import functools
import json

import mne
import numpy as np
import pandas as pd
import torch
from torch import nn

import eegflex
from eegflex.spec import ModelSpec
from eegflex.spec.model_spec import ChannelSpec, ContextSpec

SFREQ, STAGES = 64.0, ("W", "N1", "N2", "N3", "REM")
EEG = ("F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1")
#: The rhythm of each stage, in Hz.
RHYTHMS = {"W": 10.0, "N1": 6.0, "N2": 13.0, "N3": 2.0, "REM": 20.0}


class TinyStager(nn.Module):
    """Scores a stage by the power of its rhythm, through a pair of sine filters each, summed over channels."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        times = torch.arange(int(SFREQ)) / SFREQ
        filters = torch.stack(
            [wave(2 * torch.pi * RHYTHMS[s] * times) for s in STAGES for wave in (torch.sin, torch.cos)]
        )
        self.register_buffer("filters", filters[:, None] / 1e-5 / SFREQ)
        self.register_buffer("weights", torch.linspace(0.5, 1.5, n_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, n_channels, n_times = x.shape
        found = nn.functional.conv1d(x.reshape(-1, 1, n_times), self.filters, stride=4).square().mean(-1)
        power = found.reshape(batch, n_channels, len(STAGES), 2).sum(-1)
        scores = torch.log1p((power * self.weights[:, None]).sum(1))
        return torch.log_softmax(2 * scores, dim=-1)


class TinyNight(nn.Module):
    """Scores each epoch by its own rhythm, half as much by that of the epoch before, never by the next."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.epoch = TinyStager(n_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own = torch.exp(self.epoch(x.flatten(0, 1))).unflatten(0, x.shape[:2])
        before = torch.cat([torch.zeros_like(own[:, :1]), own[:, :-1]], dim=1)
        return 3 * own + 1.5 * before


class TinyWindow(TinyNight):
    """The same for the middle one of 3 epochs only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[:, 1]


def make_epochs(channels=EEG, types="eeg", *, scored=True, positions=True, seed=0, n_epochs=10):
    """Epochs of 30 s with one rhythm each, in V, their stages known; the last two are not scored."""
    rng = np.random.default_rng(seed)
    n_times = int(30 * SFREQ)
    times = np.arange(n_times) / SFREQ
    stage = [STAGES[i % len(STAGES)] for i in range(n_epochs)]
    rhythm = np.stack([np.sin(2 * np.pi * RHYTHMS[s] * times + i) for i, s in enumerate(stage)])[:, None]
    data = 20e-6 * rhythm + 5e-6 * rng.standard_normal((n_epochs, len(channels), n_times))
    info = mne.create_info(list(channels), SFREQ, types)
    metadata = pd.DataFrame(
        {"stage": [*stage[:-2], "UNSCORED", "UNSCORED"] if scored else "UNSCORED", "onset": 30.0 * np.arange(n_epochs)}
    )
    events = np.column_stack([np.arange(n_epochs) * n_times, np.zeros(n_epochs, int), np.ones(n_epochs, int)])
    epochs = mne.EpochsArray(data, info, events=events, baseline=None, metadata=metadata, verbose="error")
    if positions:
        place(epochs, {name: name.split("-")[0] for name in channels})
    return epochs


def place(epochs: mne.BaseEpochs, sites: dict[str, str]) -> None:
    """Put channels at sites of the 10-05 system."""
    name = min({"colin27_1005", "standard_1005"} & set(mne.channels.get_builtin_montages()))
    known = mne.channels.make_standard_montage(name).get_positions()
    there = {channel: known["ch_pos"][site] for channel, site in sites.items() if site in known["ch_pos"]}
    fiducials = {key: known[key] for key in ("nasion", "lpa", "rpa", "coord_frame")}
    epochs.set_montage(mne.channels.make_dig_montage(there, **fiducials), on_missing="ignore", verbose="error")


def explain(epochs, spec=None, **kwargs):
    """Explain epochs with the tiny stager."""
    n_channels = 2 if spec is not None and len(spec.channels) == 2 else len(epochs.ch_names)
    return eegflex.attribute_epochs(
        epochs,
        TinyStager(n_channels),
        spec=spec or ModelSpec(name="tiny", scores="log_probs"),
        **{"baseline": "zero", "verbose": "error"} | kwargs,
    )


def pair_spec() -> ModelSpec:
    """One EEG channel at a time with one EOG channel, as GSSC has it."""
    return ModelSpec(
        name="pair",
        scores="log_probs",
        channels=(ChannelSpec("eeg", types=("eeg",), use="each"), ChannelSpec("eog", types=("eog",), use="first")),
    )


def make_result(**kwargs):
    """Six EEG channels at once, both views."""
    return explain(make_epochs(), views=("time",), **kwargs)


@functools.cache
def make_whole_result():
    """30 epochs of six EEG channels, every stage explained, with all views. Made once, and not to be changed."""
    return explain(make_epochs(n_epochs=30), target="all", views=("frequency", "time", "time-frequency"))


def make_context_result(*, names=EEG, types="eeg", epochs=None, **kwargs):
    """Six EEG channels at once, the middle one of 3 epochs, all of which move; the ends of the run are left out."""
    epochs = make_epochs(names, types) if epochs is None else epochs
    spec = ModelSpec(name="window", layout="b e c t", context=ContextSpec(1, 1))
    model = TinyWindow(len(epochs.ch_names))
    return eegflex.attribute_epochs(
        epochs,
        model,
        spec=spec,
        **{"baseline": "zero", "context": "scaled", "edges": "skip", "verbose": "error"} | kwargs,
    )


def make_night_result(**kwargs):
    """Six EEG channels of a whole night at once, explained within windows."""
    spec = ModelSpec(name="night", layout="b e c t", output="b e s", context=ContextSpec(whole=True))
    asked = {"baseline": "zero", "verbose": "error"} | kwargs
    return eegflex.attribute_epochs(make_epochs(), TinyNight(len(EEG)), spec=spec, **asked)


def altered(result, **attributes):
    """A result with some of its attributes changed."""
    data = result.to_xarray()
    for name, changes in attributes.items():
        data.attrs[name] = json.dumps(json.loads(data.attrs[name]) | changes)
    return type(result)(data)


def make_pair_result(*, names=("C3-M2", "C4-M1", "EOG-L"), **kwargs):
    """Two channel sets of one EEG and the same EOG channel."""
    return explain(make_epochs(names, ["eeg", "eeg", "eog"], **kwargs), pair_spec())
