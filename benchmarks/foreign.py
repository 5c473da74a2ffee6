"""Foreign stagers with their authors' weights, from where the user has them: nothing is fetched, and nothing shipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import eegflex
from eegflex.errors import ModelError
from eegflex.stagers import Stager

__all__ = ["STAGERS", "WEIGHTS"]

#: The environment variable that names the folder, or the wheel, with PhysioEx's checkpoints.
WEIGHTS = "EEGFLEX_PHYSIOEX"


def _load(name: str) -> Stager | None:
    """The stager, or None where its weights are not."""
    where: dict[str, Any] = {"weights": os.environ[WEIGHTS]} if WEIGHTS in os.environ else {}
    try:
        return eegflex.load_model(name, **where)
    except ModelError:
        return None


STAGERS: dict[str, Callable[[], Stager | None]] = {
    "SeqSleepNet (PhysioEx)": partial(_load, "physioex:seqsleepnet-eeg"),
}
