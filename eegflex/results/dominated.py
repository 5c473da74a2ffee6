"""Stages whose means a few epochs carry: no interval for such a mean is honest, and none is given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.intervals import MIN_EPOCHS, carried
from eegflex.results.means import only_means

__all__ = ["dominated", "dominated_stages"]


def dominated(dataset: xr.Dataset, labels: npt.NDArray[np.str_]) -> dict[str, float]:
    """Groups of epochs whose means a few of them carry, if the result is one of means.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result, of one target.
    labels : array of str, shape (n_epochs, n_channels)
        The group of each epoch and channel; empty for those in none.

    Returns
    -------
    found : dict
        How many epochs carry the spread of such a group's band sums, in the middle of channels and bands.

    Notes
    -----
    It is decided for all channels and bands of a group together: a sample without the epochs that matter looks harmless, the
    more so in the cells that it misses most, so that to decide cell by cell would keep the very intervals that are false.
    """
    if not only_means(dataset):
        return {}
    sums, found = tables.band_sums(dataset, Bands()), {}
    for group in sorted(set(labels.ravel().tolist()) - {""}):
        own = [sums[rows, channel] for channel, rows in enumerate((labels == group).T) if rows.sum() >= MIN_EPOCHS]
        few = [carried(values) for values in own]
        if few and np.median([share for _, share in few]) < 1:
            found[group] = float(np.median([number for number, _ in few]))
    return found


def dominated_stages(dataset: xr.Dataset, stage_from: str = "predicted") -> dict[str, float]:
    """Stages whose means a few epochs carry; see `dominated`."""
    return dominated(dataset, tables.counted_labels(dataset, stage_from)) if only_means(dataset) else {}
