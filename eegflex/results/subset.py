"""A part of a result: some of its recordings, epochs or channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.errors import ParameterError, check_choice
from eegflex.results import tables
from eegflex.results.recordings import labels_of, of_recordings, one_recording, with_cases_of
from eegflex.results.select import as_list, pick

__all__ = ["at_channels", "at_epochs", "by_index", "numbers_text", "subset"]


def subset(
    dataset: xr.Dataset,
    *,
    recording: str | Sequence[str] | None,
    stage: str | Sequence[str] | None,
    channel: str | Sequence[str] | None,
    epoch: int | Sequence[int] | None,
    stage_from: str,
) -> xr.Dataset:
    """The part of a dataset that is all that was asked for; see `FlexResult.sel`."""
    check_choice("stage_from", stage_from, tables.STAGES_FROM)
    if recording is not None:
        wanted = _check_there("There is no such recording", as_list(recording), labels_of(dataset))
        dataset = of_recordings(dataset, wanted)
    kept = np.ones(dataset.sizes["epoch"], dtype=bool)
    if stage is not None:
        found = tables.epoch_stages(dataset, stage_from)
        order = [*dataset["stage_name"].values.tolist(), *sorted(set(found.tolist()))]
        there = [one for one in dict.fromkeys(map(str, order)) if one in found]
        kept &= np.isin(found, _check_there("No epoch of this stage was explained", as_list(stage), there))
    if epoch is not None:
        dataset = dataset if len(labels_of(dataset)) == 1 else one_recording(dataset, None, "The number of an epoch")
        numbers = dataset["number"].values
        wanted = _check_there("This epoch was not explained", as_list(epoch), numbers.tolist(), numbers_text)
        kept &= np.isin(numbers, wanted)
    if not kept.any():
        raise ParameterError("No explained epoch is all of that", seen=f"stage={stage!r}, epoch={epoch!r}")
    if not kept.all():
        dataset = at_epochs(dataset, np.flatnonzero(kept))
    return dataset if channel is None else at_channels(dataset, pick(dataset, as_list(channel)))


def _check_there(
    refusal: str, wanted: Sequence[Any], there: Sequence[Any], write: Callable[[Sequence[Any]], Any] = list
) -> list[Any]:
    """What is wanted, if there is something and every one of it is there."""
    missing = [one for one in wanted if one not in there]
    if missing or not wanted:
        raise ParameterError(refusal, seen=list(map(repr, missing)) or "nothing", allowed=write(there))
    return list(wanted)


def numbers_text(numbers: Iterable[int]) -> str:
    """Whole numbers as ranges.

    Examples
    --------
    >>> numbers_text([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    groups = itertools.groupby(enumerate(sorted(map(int, numbers))), key=lambda pair: pair[1] - pair[0])
    ranges = [[number for _, number in group] for _, group in groups]
    return ", ".join(f"{own[0]}" if len(own) == 1 else f"{own[0]}-{own[-1]}" for own in ranges)


def by_index(dataset: xr.Dataset, index: Any) -> xr.Dataset:
    """The part of a dataset at places among its epochs.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    index : int | slice | array of int | array of bool
        As a numpy array of the epochs would be indexed.

    Raises
    ------
    ParameterError
        If it is none of these, nothing is chosen, an epoch is chosen twice, or there is no such place.
    """
    n_epochs = dataset.sizes["epoch"]
    if isinstance(index, str):
        raise ParameterError(
            "A result is indexed by the place of its epochs",
            seen=repr(index),
            remedy=f"Use result.sel(stage={index!r})",
        )
    places = np.arange(n_epochs)[index] if isinstance(index, slice) else _places(index, n_epochs)
    if not places.size:
        raise ParameterError("No epoch is chosen", seen=repr(index), allowed=f"places from 0 to {n_epochs - 1}")
    if len(np.unique(places)) < places.size:
        raise ParameterError("An epoch is chosen twice", seen=places.tolist())
    return at_epochs(dataset, places)


def _places(index: Any, n_epochs: int) -> npt.NDArray[np.intp]:
    wanted = np.atleast_1d(np.asarray(index))
    if wanted.ndim != 1 or (wanted.dtype.kind not in "biu" and wanted.size):
        raise ParameterError("A result is indexed by whole numbers, booleans or a slice", seen=repr(index))
    if wanted.dtype.kind == "b":
        if len(wanted) != n_epochs:
            raise ParameterError(
                "There must be one boolean for each explained epoch", seen=len(wanted), allowed=n_epochs
            )
        return np.flatnonzero(wanted)
    places = wanted.astype(np.intp)
    outside = places[(places < -n_epochs) | (places >= n_epochs)]
    if outside.size:
        raise ParameterError(
            "There is no epoch at this place", seen=outside.tolist(), allowed=f"{-n_epochs} to {n_epochs - 1}"
        )
    return places % n_epochs


def at_epochs(dataset: xr.Dataset, places: npt.NDArray[np.intp]) -> xr.Dataset:
    """A dataset of some of its epochs. The night of a recording goes with its last epoch."""
    chosen = dataset.isel(epoch=places)
    left = set(map(str, chosen["recording"].values.tolist()))
    labels = labels_of(dataset)
    return chosen if len(left) == len(labels) else of_recordings(chosen, [one for one in labels if one in left])


def at_channels(dataset: xr.Dataset, members: npt.NDArray[np.bool_]) -> xr.Dataset:
    """A dataset of some of its channels. A channel set goes with its last channel.

    What is of a channel set as a whole, scores, completeness gap, error and size, stays as it is.
    """
    sets, of = np.unique(dataset["of_channel_set"].values[members], return_inverse=True)
    chosen = dataset.isel(channel=np.flatnonzero(members), channel_set=sets)
    return with_cases_of(chosen.assign_coords(of_channel_set=("channel", of)), sets.tolist())
