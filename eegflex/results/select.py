"""What figures draw: channels by type, stages in order, and sums over the channels of a channel set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.results import tables
from eegflex.results.wording import type_label

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = [
    "HYPNOGRAM_ORDER",
    "Pooled",
    "as_bands",
    "averaged_words",
    "bands_and_rest",
    "channel_types",
    "check_stage",
    "hypnogram_order",
    "n_epochs_by_stage",
    "pick",
    "picked_words",
    "pool",
    "sample_words",
    "stage_order",
]

#: From top to bottom, as a hypnogram is drawn.
HYPNOGRAM_ORDER = ("W", "REM", "N1", "N2", "N3")
_TYPE_ORDER = ("eeg", "eog", "emg", "ecg")
#: Labels of epochs that are not sleep stages.
_NO_STAGE = frozenset({"", "UNSCORED", "MOVEMENT", "ARTIFACT"})


def as_bands(bands: Bands | Mapping[str, tuple[float, float]] | None) -> Bands:
    """Return frequency bands, those of `Bands` by default."""
    if bands is None or isinstance(bands, Mapping):
        return bands if isinstance(bands, Bands) else Bands(bands)
    raise ParameterError("Bands must map names to edges in Hz", seen=repr(bands), allowed="{'sigma': (12, 16), ...}")


@dataclass(frozen=True)
class Pooled:
    """Values of epochs and channel sets, summed over the channels of each channel set.

    Attributes
    ----------
    values : array, shape (n_cases, ...)
        One case is one epoch with one channel set.
    labels : array of str, shape (n_cases,)
        The stage of each case.
    epochs : array of int, shape (n_cases,)
        Its epoch.
    """

    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.str_]
    epochs: npt.NDArray[np.intp]

    def of(self, stage: str) -> npt.NDArray[np.float64]:
        """Return the values of one stage, shape (n, ...)."""
        return self.values[self.labels == stage]


def pool(
    dataset: xr.Dataset,
    values: npt.NDArray[Any],
    members: npt.NDArray[np.bool_],
    stage_from: str,
    *,
    mean: bool = False,
) -> Pooled:
    """Sum values over the members among the channels of each channel set.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    values : array, shape (n_epochs, n_channels, ...)
        What to sum.
    members : array of bool, shape (n_channels,)
        The channels to take. Combinations without any of them are left out.
    stage_from : {"predicted", "scored", "target"}
        What the cases are labelled with.
    mean : bool
        Take the mean over the channels instead, as power needs it.
    """
    of = dataset["of_channel_set"].values
    labels = tables.stage_labels(dataset, stage_from)
    with_members = [k for k in range(dataset.sizes["channel_set"]) if (members & (of == k)).any()]
    groups = [np.flatnonzero(members & (of == k)) for k in with_members]
    reduce = np.mean if mean else np.sum
    reduced = [reduce(values[:, group], axis=1, dtype=np.float64) for group in groups]
    n_epochs = len(values)
    return Pooled(
        values=np.concatenate(reduced),
        labels=np.concatenate([labels[:, group[0]] for group in groups]),
        epochs=np.tile(np.arange(n_epochs), len(groups)),
    )


def channel_types(dataset: xr.Dataset) -> list[str]:
    """Return the channel types that there are, EEG first."""
    found = dict.fromkeys(dataset["ch_type"].values.astype(str))
    return sorted(found, key=lambda kind: _TYPE_ORDER.index(kind) if kind in _TYPE_ORDER else len(_TYPE_ORDER))


def pick(dataset: xr.Dataset, picks: str | Sequence[str] | None) -> npt.NDArray[np.bool_]:
    """Return which channels are picked, shape (n_channels,).

    Parameters
    ----------
    picks : str | sequence of str | None
        Channel types and names; a name takes in the channel in all its channel sets. ``None``: EEG where there is any,
        or else all.

    Raises
    ------
    ChannelError
        If there is no such channel.
    """
    kinds, names, labels = (dataset[key].values.astype(str) for key in ("ch_type", "ch_name", "channel"))
    if picks is None:
        return (kinds == "eeg") if (kinds == "eeg").any() else np.ones(len(kinds), dtype=bool)
    chosen = np.zeros(len(kinds), dtype=bool)
    for wanted in [picks] if isinstance(picks, str) else picks:
        found = (kinds == wanted) | (names == wanted) | (labels == wanted) | (wanted == "all")
        if not found.any():
            raise ChannelError(
                "The result has no such channel or channel type",
                seen=repr(wanted),
                allowed=list(dict.fromkeys([*channel_types(dataset), *names, *labels])),
            )
        chosen |= found
    if not chosen.any():
        raise ChannelError("No channel is picked", seen=repr(picks), allowed=list(dict.fromkeys(names)))
    return chosen


def stage_order(dataset: xr.Dataset, stage_from: str) -> list[str]:
    """Return the stages that epochs were explained of, in the order of the stager's outputs.

    Raises
    ------
    ParameterError
        If no explained epoch has such a stage.
    """
    found = set(tables.stage_labels(dataset, stage_from).ravel().tolist()) - _NO_STAGE
    own = [stage for stage in dataset["stage_name"].values.astype(str).tolist() if stage in found]
    order = own + sorted(found - set(own))
    if not order:
        raise ParameterError(
            f"No explained epoch has a stage that is {stage_from}",
            seen=f"stage_from={stage_from!r}",
            remedy="Use stage_from='predicted', or give a hypnogram when the recording is read",
        )
    return order


def check_stage(stage: str | None, order: list[str]) -> list[str]:
    """Return the stages to draw: the one that was asked for, or all."""
    if stage is None:
        return order
    if stage not in order:
        raise ParameterError("No epoch of this stage was explained", seen=repr(stage), allowed=order)
    return [stage]


def n_epochs_by_stage(dataset: xr.Dataset, stage_from: str) -> dict[str, int]:
    """Count the explained epochs of each stage; with several channel sets one epoch may count for several."""
    labels = tables.stage_labels(dataset, stage_from)
    return {stage: int((labels == stage).any(axis=1).sum()) for stage in stage_order(dataset, stage_from)}


def sample_words(result: FlexResult) -> str:
    """Say whether the epochs are only some of those that were to be explained."""
    if not (result.is_partial or result.is_sample):
        return ""
    sizes = result.data.sizes
    why = "Stopped early" if result.is_partial else "A sample"
    return f"{why}: {sizes['epoch']} of {sizes['night']} epochs were explained."


def picked_words(dataset: xr.Dataset, members: npt.NDArray[np.bool_]) -> str:
    """Name the picked channels, by their type where they are all of one."""
    kinds, names = dataset["ch_type"].values.astype(str), dataset["ch_name"].values.astype(str)
    for kind in dict.fromkeys(kinds[members]):
        if (members == (kinds == kind)).all():
            return type_label(kind)
    return "all channels" if members.all() else ", ".join(dict.fromkeys(names[members]))


def averaged_words(dataset: xr.Dataset) -> str:
    """Say over what means are taken."""
    return "epochs and channel sets" if dataset.sizes["channel_set"] > 1 else "epochs"


def hypnogram_order(stages: Sequence[str]) -> list[str]:
    """Return stages from top to bottom; a stager's own ones as it lists them."""
    if set(stages) <= set(HYPNOGRAM_ORDER):
        return [stage for stage in HYPNOGRAM_ORDER if stage in stages]
    return list(stages)


def bands_and_rest(bands: Bands) -> list[str]:
    """Return the bands as rows of a figure: the fastest on top, the rest at the bottom."""
    return [*reversed(list(bands)), "rest"]
