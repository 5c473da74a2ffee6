"""Results of which only means over epochs are to be read, since their single epochs have a few random nodes each."""

from __future__ import annotations

import json

import xarray as xr

from eegflex.errors import ParameterError
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.settings import MEAN

__all__ = ["MEANS_ONLY", "enough", "only_means", "refuse_single"]

#: What a figure or table of such a result says.
MEANS_ONLY = "Means of stages from a few random nodes an epoch, whose error is in the intervals."


def only_means(dataset: xr.Dataset) -> bool:
    """Whether a result was made with ``precision="mean"``."""
    return bool(json.loads(dataset.attrs["parameters"]).get("precision") == MEAN)


def refuse_single(dataset: xr.Dataset, what: str) -> None:
    """Refuse to tell of single epochs of which nothing is known by itself.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    what : str
        What was asked for.

    Raises
    ------
    ParameterError
        If only means over epochs of the result are to be read.
    """
    if only_means(dataset):
        raise ParameterError(
            f"Single epochs of this result are not exact, and {what} needs exact ones",
            seen="precision='mean', with a few random nodes for each epoch",
            allowed="means of stages: band_table(), plot_spectrum(), plot_topomap()",
            remedy="Attribute with precision='epoch'; with sample_per_stage=20 it takes little time, too",
        )


def enough(dataset: xr.Dataset) -> xr.Dataset:
    """The same, if there are epochs enough for means to be read, or each can be read by itself."""
    if dataset.sizes["epoch"] < MIN_EPOCHS:
        refuse_single(dataset, f"a part with fewer than {MIN_EPOCHS} epochs")
    return dataset
