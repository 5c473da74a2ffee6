"""For how many epochs of the night each explained one stands, where only a sample of each stage was explained."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from mne.utils import logger

from eegflex.results import tables
from eegflex.results.recordings import labels_of, provenances

__all__ = ["case_weights", "tell_of_weights", "weight_words"]


def case_weights(
    dataset: xr.Dataset, places: npt.NDArray[np.intp], stages: npt.NDArray[np.str_] | None = None
) -> npt.NDArray[np.float64]:
    """For how many epochs of its night each case stands, shape (n_cases,).

    A sample of as many epochs of each stage has more of the rare stages than the night. So each epoch stands for as many as
    its stage has in its own night, over as many as were explained of it: what is told of several recordings is what would be
    told of all their epochs, and a long night counts for more than a short one. Without a sample each epoch stands for itself.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    places : array of int, shape (n_cases,)
        The epoch of each case.
    stages : array of str, shape (n_cases,) | None
        The predicted stage that cases are told apart by. Without them it is the epoch's, by the most confident channel set,
        as the sample was drawn.
    """
    if _standing(dataset, by_predicted=stages is not None) != "weighed":
        return np.ones(len(places))
    in_night, explained = _counts(dataset)
    # what was replaced by hand may have stages that its night does not have: these stand for themselves
    weights = {key: max(in_night.get(key, 0), count) / count for key, count in explained.items()}
    own = tables.epoch_stages(dataset, "predicted")[places] if stages is None else stages
    keys = _keys(dataset["recording"].values[places], own)
    return np.array([weights.get(key, 1.0) for key in keys], dtype=np.float64)


def tell_of_weights(dataset: xr.Dataset, *, by_predicted: bool = False) -> None:
    """Warn where epochs of a sample cannot be weighed, or stages of it are missing."""
    if _standing(dataset, by_predicted=by_predicted) == "unknown":
        logger.warning(
            "Epochs were sampled from a selection, and how many of each stage it had is not known: means over stages are of "
            "the epochs that were explained, not of the night"
        )
    elif not by_predicted and (missing := _missing(dataset)):
        logger.warning(f"{missing}: means over stages leave it out")


def weight_words(dataset: xr.Dataset, *, by_predicted: bool) -> str:
    """Say how the epochs of a sample are weighed, where they do not all count the same or should not."""
    told = {
        "weighed": "Epochs of the sample are weighed: each predicted stage counts as often as its night has it.",
        "unknown": "Epochs were sampled from a selection, and all of them count the same.",
    }
    words = told.get(_standing(dataset, by_predicted=by_predicted), "")
    missing = "" if by_predicted else _missing(dataset)
    return f"{words} {missing}.".strip() if missing else words


def _standing(dataset: xr.Dataset, *, by_predicted: bool) -> str:
    """Whether epochs are ``"weighed"``, all the ``"same"``, or should be weighed and how is ``"unknown"``.

    Epochs of one predicted stage of one recording stand for as many each.
    """
    asked: dict[str, Any] = json.loads(dataset.attrs["parameters"])
    if asked.get("sample_per_stage") is None or (by_predicted and len(labels_of(dataset)) == 1):
        return "same"
    return "weighed" if asked.get("select") is None else "unknown"


def _counts(dataset: xr.Dataset) -> tuple[dict[str, int], dict[str, int]]:
    """How many epochs of each stage of each recording there are in the night, and how many of them were explained."""
    own = _keys(dataset["recording"].values, tables.epoch_stages(dataset, "predicted"))
    night = _keys(dataset["night_recording"].values, tables.night_stages(dataset)[1])
    in_night, explained = (dict(zip(*np.unique(keys, return_counts=True), strict=True)) for keys in (night, own))
    return in_night, explained


def _keys(recordings: npt.NDArray[np.object_], stages: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """The stage within the recording, one word each."""
    return np.array([f"{stage} {recording}" for recording, stage in zip(recordings, stages, strict=True)])


def _missing(dataset: xr.Dataset) -> str:
    """Say which stages have no explained epoch, of a sample out of which nothing was chosen afterwards."""
    chosen_from = dataset.sizes["epoch"] < sum(int(one["explained"]) for one in provenances(dataset).values())
    if chosen_from or _standing(dataset, by_predicted=False) != "weighed":
        return ""
    in_night, explained = _counts(dataset)
    # the key of an epoch without a stage begins with a blank
    staged = {key: count for key, count in in_night.items() if not key.startswith(" ")}
    missing = [key for key in staged if key not in explained]
    if not missing:
        return ""
    share = sum(staged[key] for key in missing) / sum(staged.values())
    names = ", ".join(sorted({key.split(" ", 1)[0] for key in missing}))
    return f"Of {names}, {100 * share:.0f} % of the epochs, none was explained"
