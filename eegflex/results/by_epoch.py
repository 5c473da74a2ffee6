"""One number an epoch: what the channel sets that give an epoch its stage say of it, in their middle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.results import tables
from eegflex.results.marks import error_of_all
from eegflex.results.means import refuse_single
from eegflex.results.select import Pooled
from eegflex.results.weights import case_weights

__all__ = ["by_epoch", "errors_by_epoch"]


def by_epoch(
    dataset: xr.Dataset,
    values: npt.NDArray[Any],
    members: npt.NDArray[np.bool_],
    stage_from: str,
    most: npt.NDArray[np.float64] | None = None,
) -> Pooled:
    """Sum values over the members among the channels of each channel set, and take the median over the channel sets.

    Unlike `eegflex.results.select.pool`, every epoch is one case: that of its own stage, by the most confident channel set.
    Channel sets that say another stage speak of another score, and are left out of its median.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    values : array, shape (n_epochs, n_channels, ...)
        What to sum.
    members : array of bool, shape (n_channels,)
        The channels to take. Channel sets without any of them are left out, and so are epochs whose stage none of the others
        says.
    stage_from : {"predicted", "scored", "target"}
        What the cases are labelled with.
    most : array, shape (n_epochs, n_channels) | None
        What the sum of a channel set is at most.
    """
    refuse_single(dataset, "this")
    of, stages = dataset["of_channel_set"].values, tables.epoch_stages(dataset, stage_from)
    own = tables.stage_labels(dataset, stage_from) == stages[:, None]
    groups = [group for k in range(dataset.sizes["channel_set"]) if len(group := np.flatnonzero(members & (of == k)))]
    sums = np.stack([values[:, group].sum(axis=1, dtype=np.float64) for group in groups], axis=1)
    more = tuple(range(2, sums.ndim))
    if most is not None:
        sums = np.minimum(sums, np.expand_dims(most[:, [group[0] for group in groups]], more))
    said = np.stack([own[:, group[0]] for group in groups], axis=1)
    epochs = np.flatnonzero(said.any(axis=1))
    left_out = np.where(np.expand_dims(said[epochs], more), sums[epochs], np.nan)
    labels = stages[epochs]
    weights = case_weights(dataset, epochs, labels if stage_from == "predicted" else None)
    return Pooled(_median(left_out), labels, epochs, weights)


def _median(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median over the second axis of what is not NaN."""
    ordered = np.sort(values, axis=1)  # NaN at the end
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(place, 0), axis=1) for place in ((count - 1) // 2, count // 2))
    return np.asarray(np.where(count > 0, (low + high) / 2, np.nan)[:, 0])


def errors_by_epoch(
    dataset: xr.Dataset, errors: npt.NDArray[np.float64], members: npt.NDArray[np.bool_], stage_from: str
) -> npt.NDArray[np.float64]:
    """Errors of what `by_epoch` says, (n_cases, ...): the median of those of the sums, which are not more than that of all.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    errors : array, shape (n_epochs, n_channels, ...)
        Those of the channels, as `eegflex.results.marks.cell_errors` has them.
    members, stage_from
        As in `by_epoch`.
    """
    return by_epoch(dataset, errors, members, stage_from, error_of_all(dataset)).values
