"""What is said of a recording in its sidecar, held against what always is: a file may be cut, or of another program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from eegflex.cohort.cohort import STAGES

__all__ = ["DONE", "FAILED", "is_sidecar"]

DONE, FAILED = "done", "failed"
_TEXTS = ("kind", "error", "remedy", "settings_sha256")
_PARTS = ("inputs", "settings", "versions", "run")
_OF_CELLS, _OF_CHANNELS = ("mean", "error", "mean_agreed", "error_agreed"), ("n_epochs", "n_agreed")


def is_sidecar(said: Any) -> bool:
    """Whether something is what a run says of a recording, with all its parts."""
    try:
        return _is_whole(said)
    except (AttributeError, KeyError, TypeError, ValueError):  # a part is not there, or of another kind
        return False


def _is_whole(said: Mapping[str, Any]) -> bool:
    right = all(isinstance(said[name], str) for name in _TEXTS) and all(isinstance(said[name], dict) for name in _PARTS)
    if not right or not math.isfinite(said["run"]["seconds"]):
        return False
    stamps = all(one is None or {"size", "sha256"} <= set(one) for one in said["inputs"].values())
    if not stamps or not isinstance(said["run"]["input_mtimes"], dict):
        return False
    return said["status"] == FAILED or (
        said["status"] == DONE and isinstance(said["made"], dict) and _fits(said["summary"])
    )


def _fits(summary: Mapping[str, Any]) -> bool:
    """Whether all tables can be made of a summary."""
    axes = [summary[name] for name in ("names", "channels", "bands")]
    if not all(isinstance(axis, list) and len(set(axis)) == len(axis) for axis in axes):
        return False
    if not all(isinstance(one, str) for axis in axes for one in axis):
        return False
    shape = tuple(map(len, axes))
    fits = all(np.array(summary[name], dtype=np.float64).shape == shape for name in _OF_CELLS)
    counted = all(np.array(summary[name]).shape == shape[:2] for name in _OF_CHANNELS)
    whole = all(np.array(summary[name]).dtype.kind in "iu" for name in _OF_CHANNELS)
    freqs = np.array(summary["freqs"], dtype=np.float64)
    told = isinstance(summary["recording"], dict) and isinstance(summary["score"], str)
    rows = all(set(row) >= set(STAGES) - {"recording"} for row in summary["stages"])
    return fits and counted and whole and told and rows and freqs.ndim == 1 and bool(np.isfinite(freqs).all())
