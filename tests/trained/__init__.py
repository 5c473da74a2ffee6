"""Two small stagers, trained by ``tools/train_stagers.py`` on simulated nights only; they know nothing of real sleep."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.loading import load_model

from .networks import Chambon, Context

FOLDER = Path(__file__).parent
NETWORKS = {"chambon": Chambon, "context": Context}


def chambon():
    """Stages an epoch by itself, from one EEG and one EOG channel."""
    return _load("chambon")


def context():
    """Stages the middle one of 11 epochs, from one EEG channel; its module has ``encode`` and ``decode``."""
    return _load("context")


def spec(name):
    """The contract of one of the two."""
    return ModelSpec.from_toml(FOLDER / f"{name}.toml")


def _load(name):
    contract = spec(name)
    network = NETWORKS[name](n_channels=len(contract.channels))
    network.load_state_dict(load_file(FOLDER / contract.file))
    return load_model(network, spec=contract)
