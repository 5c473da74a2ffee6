"""Go on where an attribution stopped: only if it is the same question about the same recording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.attribution.assemble import Kept, labels_of_channels, parameters_of, recording_facts
from eegflex.attribution.request import Request
from eegflex.errors import ParameterError
from eegflex.results.read import read_result
from eegflex.results.recordings import one_recording
from eegflex.results.result import FlexResult

__all__ = ["open_partial", "take_up"]

#: Settings that say where something is computed, and not what: a run that ran out of memory goes on with smaller batches.
_INDIFFERENT = ("device", "batch_size", "on_check", "spectral_share")
#: The scores of one network on one recording agree to this, relative to the largest of them, on whatever device.
_SCORES_AGREE = 1e-3


def open_partial(resume: FlexResult | str | Path) -> xr.Dataset:
    """What was explained before, wholly in memory: its file may be replaced by what comes of it.

    Raises
    ------
    ParameterError
        If it is no result, or of several recordings.
    RecordingError
        If the file is not there or holds no result.
    """
    if isinstance(resume, str | Path):
        resume = read_result(resume)
    if not isinstance(resume, FlexResult):
        raise ParameterError(
            "resume must be a result", seen=type(resume).__name__, remedy="Give a FlexResult, or the file of one"
        )
    needed = resume.data.drop_vars(["signal", "power"], errors="ignore")  # which are made anew
    return one_recording(needed.copy(deep=True).load(), None, "What is resumed")


def take_up(request: Request, before: xr.Dataset, kept: Kept) -> npt.NDArray[np.int64]:
    """Keep what was explained before.

    Parameters
    ----------
    request : Request
        What is to be explained now.
    before : xarray.Dataset
        What was.
    kept : Kept
        Where to keep it.

    Returns
    -------
    numbers : array of int
        The epochs.

    Raises
    ------
    ParameterError
        If it is not the same: it says in what the two differ.
    """
    differing = _differing(request, before)
    if differing:
        raise ParameterError(
            "This cannot be resumed: recording, model or arguments differ",
            seen=differing,
            remedy="Use the arguments of the first run, or start again without resume",
        )
    return kept.restore(before)


def _differing(request: Request, before: xr.Dataset) -> list[str]:
    """In what a question differs from an earlier one, such as ``"seed: 0, now 1"``."""
    asked, known = parameters_of(request), json.loads(before.attrs["parameters"])
    facts, provenance = recording_facts(request), json.loads(before.attrs["provenance"])
    pairs = (
        (known, asked, [name for name in {**known, **asked} if name not in _INDIFFERENT]),
        (provenance, facts, [name for name in facts if name in provenance]),
        (_flat(json.loads(before.attrs["spec"])), _flat(request.stager.spec.to_dict()), None),
    )
    found = [line for old, new, names in pairs for line in _lines(old, new, names)]
    if found:
        return found
    here = labels_of_channels(request.segments)
    channels = before["channel"].values.tolist()
    if channels != here:
        return [f"channels: {', '.join(map(str, channels))}, now {', '.join(here)}"]
    strange = np.setdiff1d(before["number"].values, request.chosen)
    if strange.size:
        return [f"{strange.size} explained epochs are not selected now, the first is {strange[0]}"]
    return [] if _same_scores(before["night_scores"].values, request.night.scores) else ["the scores of the model"]


def _lines(old: Mapping[str, Any], new: Mapping[str, Any], names: Iterable[str] | None) -> list[str]:
    every = {**old, **new} if names is None else names
    return [
        f"{name}: {_short(old.get(name))}, now {_short(new.get(name))}"
        for name in every
        if old.get(name) != new.get(name)
    ]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}…"


def _flat(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of a spec as one level; in JSON's own types."""
    plain = json.loads(json.dumps(sections))
    return {f"{section}.{name}": value for section, own in plain.items() for name, value in own.items()}


def _same_scores(old: npt.NDArray[np.floating[Any]], new: npt.NDArray[np.floating[Any]]) -> bool:
    if old.shape != new.shape:
        return False
    largest = float(np.nanmax(np.abs(new), initial=0.0))
    return bool(np.allclose(old, new, rtol=0, atol=_SCORES_AGREE * largest, equal_nan=True))
