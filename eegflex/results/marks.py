"""What is within its error: cells of epochs, sums over channels, means over epochs, and epochs as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import stats

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.decided import change_error, explained_epochs, within_error
from eegflex.results.intervals import LEVEL, effective_number
from eegflex.results.means import MEANS_ONLY, only_means
from eegflex.results.select import Pooled, is_whole, pool

__all__ = [
    "LEGEND",
    "cell_columns",
    "cell_errors",
    "error_of_all",
    "mean_error",
    "pooled_errors",
    "total_errors",
    "unexplained_words",
    "within",
]

#: So much of the errors of epochs may have the same sign in all of them.
SHARED = 0.2
#: What marks mean, in a table.
LEGEND = "Grey, in parentheses: within its error."


def cell_errors(dataset: xr.Dataset, bands: Bands) -> npt.NDArray[np.float64]:
    """Estimated error of each band of each channel, shape (n_epochs, n_channels, n_names); NaN without an estimate.

    Errors were estimated for the bands of `Bands` and for what lies outside them. Of other bands it is the sum over all of
    these that they have a frequency of, for nobody knows where in a band its error lies.
    """
    shape = (dataset.sizes["epoch"], dataset.sizes["channel"], len(bands.names))
    if "band_error" not in dataset:
        return np.full(shape, np.nan)
    known = dataset["band_error"].transpose("epoch", "channel", "band").values.astype(np.float64)
    if bands.names == Bands().names and dict(bands) == dict(Bands()):
        return known
    freqs = dataset["freq"].values
    shared = bands.masks(freqs).astype(float) @ Bands().masks(freqs).astype(float).T > 0
    found: npt.NDArray[np.float64] = np.minimum(known @ shared.T.astype(float), error_of_all(dataset)[..., None])
    return found


def error_of_all(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Estimated error of all bands of all channels of a channel set together, shape (n_epochs, n_channels).

    No sum over some of them has a larger one; NaN without an estimate.
    """
    error = np.maximum(dataset["error"].values * tables.sizes(dataset), np.nan_to_num(np.abs(dataset["gap"].values)))
    return np.asarray(error[:, dataset["of_channel_set"].values])


def total_errors(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Estimated error of the sum over all channels of each channel set, shape (n_epochs, n_channel_sets).

    Where they are all there and nothing else moves, they sum to the change of the score, whose error may be known better.
    """
    first = np.unique(dataset["of_channel_set"].values, return_index=True)[1]
    together = error_of_all(dataset)[:, first]
    whole = is_whole(dataset) and "context_map" not in dataset
    return np.fmin(together, change_error(dataset)) if whole else together


def pooled_errors(
    dataset: xr.Dataset, errors: npt.NDArray[np.float64], members: npt.NDArray[np.bool_], stage_from: str
) -> Pooled:
    """Errors of sums over channels: those of the channels may all have one sign, but are not more than that of all.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    errors : array, shape (n_epochs, n_channels, ...)
        Those of the channels.
    members : array of bool, shape (n_channels,)
        The channels that are summed over.
    stage_from : {"predicted", "scored", "target"}
        As in `pool`.
    """
    own = pool(dataset, errors, members, stage_from)
    most = pool(dataset, error_of_all(dataset), members, stage_from, mean=True).values
    most = most.reshape(-1, *(1 for _ in own.values.shape[1:]))
    return Pooled(np.minimum(own.values, most), own.labels, own.epochs, own.weights)


def mean_error(
    errors: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], *, drawn: bool = False
) -> npt.NDArray[np.float64]:
    """Error of a mean over epochs, shape (...); NaN where that of one of them is not known.

    Errors of epochs are nearly independent, and add up as variances do, but for a share that may have the same sign in all of
    them, and does not shrink with their number. Errors by nodes that are drawn at random share nothing, and are each known from
    two draws: Student's quantile is that of as many epochs as carry them (see `effective_number`).

    Parameters
    ----------
    errors : array, shape (n_cases, ...)
        Estimated errors of the epochs.
    weights : array, shape (n_cases,)
        For how many epochs each stands.
    drawn : bool
        Whether they are of nodes drawn at random: half of an interval whose standard error is known from two draws.
    """
    if not len(errors):
        return np.full(errors.shape[1:], np.nan)
    parts = (weights / weights.sum()).reshape(-1, *(1 for _ in errors.shape[1:])) * errors
    independent = np.sqrt((parts**2).sum(axis=0))
    if drawn:
        tail = (1 + LEVEL) / 2
        return np.asarray(independent * stats.t.ppf(tail, effective_number(parts)) / stats.norm.ppf(tail))
    found: npt.NDArray[np.float64] = np.hypot(independent, SHARED * parts.sum(axis=0))
    return found


def within(
    values: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64] | None = None,
    high: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.bool_]:
    """Whether values, or the whole of their intervals, are within their errors; False where an error is not known."""
    with np.errstate(invalid="ignore"):
        found = np.abs(values) <= errors
        if low is not None and high is not None:
            found |= (low >= -errors) & (high <= errors)
    return np.asarray(found)


def cell_columns(dataset: xr.Dataset, bands: Bands) -> dict[str, npt.NDArray[Any]]:
    """Columns of the long table: the error of each cell, whether it is within it, and whether its epoch is explained."""
    errors = cell_errors(dataset, bands)
    return {
        "error": errors,
        "within_error": within(tables.band_sums(dataset, bands), errors),
        "explained": ~within_error(dataset)[:, dataset["of_channel_set"].values],
    }


def unexplained_words(dataset: xr.Dataset, stage_from: str = "predicted") -> str:
    """Say how many epochs are not explained by the epoch, and of which stages; nothing where all are."""
    if only_means(dataset):
        return MEANS_ONLY
    left = ~explained_epochs(dataset)
    if not left.any():
        return ""
    stages = tables.counted_stages(dataset, stage_from)[left].tolist()
    order = dict.fromkeys([*dataset["stage_name"].values.astype(str).tolist(), *sorted(stages)])
    by_stage = ", ".join(f"{stage} {stages.count(stage)}" for stage in order if stage and stage in stages)
    told = f"n = {len(left)}, of which {left.sum()} {'is' if left.sum() == 1 else 'are'} not explained by the epoch"
    return f"{told} ({by_stage}): its change of the score is within the attribution's error."
