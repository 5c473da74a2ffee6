"""Small stagers, trained by ``tools/train_stagers.py`` on simulated nights only; they know nothing of real sleep."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.loading import load_model
from eegflex.stagers.networks.seqsleepnet import SeqSleepNet

from .networks import Chambon, Context

FOLDER = Path(__file__).parent
NETWORKS = {"chambon": Chambon, "context": Context, "sequence": SeqSleepNet, "planted": SeqSleepNet}


def chambon():
    """Stages an epoch by itself, from one EEG and one EOG channel."""
    return _load("chambon")


def context():
    """Stages the middle one of 11 epochs, from one EEG channel; its module has ``encode`` and ``decode``."""
    return _load("context")


def sequence():
    """Stages 5 epochs at once, from the log-spectrogram of one EEG channel: a small SeqSleepNet."""
    return _load("sequence")


def planted():
    """The same, trained on nights on which spindles alone tell N2 from N1 (`trained.nights.spindle_night`)."""
    return _load("planted")


def network(name):
    """One of the networks, untrained."""
    contract = spec(name)
    return NETWORKS[name](**(contract.kwargs or {"n_channels": len(contract.channels)}))


def spec(name):
    """The contract of one of them."""
    return ModelSpec.from_toml(FOLDER / f"{name}.toml")


def _load(name):
    filled = network(name)
    filled.load_state_dict(load_file(FOLDER / spec(name).file))
    return load_model(filled, spec=FOLDER / f"{name}.toml")
