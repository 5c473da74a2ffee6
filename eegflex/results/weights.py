"""For how many epochs of the night each explained one stands, where only a sample of each stage was explained."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import xarray as xr
from mne.utils import logger

from eegflex.results import tables
from eegflex.results.recordings import provenances

__all__ = ["night_weights"]


def night_weights(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """For how many epochs of its night each explained epoch stands, shape (n_epochs,).

    A sample of as many epochs of each stage has more of the rare stages than the night. So each epoch stands for as many as
    its stage has in its night, over as many as were explained of it. Without a sample each stands for itself. Stages are the
    stager's, by its most confident channel set, as the sample was drawn.
    """
    ones = np.ones(dataset.sizes["epoch"])
    asked = json.loads(dataset.attrs["parameters"])
    if asked.get("sample_per_stage") is None:
        return ones
    if asked.get("select") is not None:
        logger.warning(
            "Epochs were sampled from a selection, and how many of each stage it had is not known: means over stages are of "
            "the epochs that were explained, not of the night"
        )
        return ones
    own = _keys(dataset["recording"].values, tables.epoch_stages(dataset, "predicted"))
    night = _keys(dataset["night_recording"].values, tables.night_stages(dataset)[1])
    in_night = dict(zip(*np.unique(night, return_counts=True), strict=True))
    explained = dict(zip(*np.unique(own, return_counts=True), strict=True))
    # what was replaced by hand may have stages that its night does not have: these stand for themselves
    weights = {key: max(in_night.get(key, 0), count) / count for key, count in explained.items()}
    _tell_what_is_missing(dataset, in_night, explained)
    return np.array([weights[key] for key in own], dtype=np.float64)


def _keys(recordings: npt.NDArray[np.object_], stages: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """The stage within the recording, one word each."""
    return np.array([f"{stage} {recording}" for recording, stage in zip(recordings, stages, strict=True)])


def _tell_what_is_missing(dataset: xr.Dataset, in_night: dict[str, int], explained: dict[str, int]) -> None:
    """Warn of stages without an explained epoch, unless epochs were chosen from the result afterwards."""
    if dataset.sizes["epoch"] < sum(int(one["explained"]) for one in provenances(dataset).values()):
        return
    # the key of an epoch without a stage begins with a blank
    staged = {key: count for key, count in in_night.items() if not key.startswith(" ")}
    missing = [key for key in staged if key not in explained]
    if missing:
        share = sum(staged[key] for key in missing) / sum(staged.values())
        names = ", ".join(sorted({key.split(" ", 1)[0] for key in missing}))
        logger.warning(
            f"Of {names}, {100 * share:.0f} % of the epochs, none was explained: means over stages leave it out"
        )
