"""What figures draw: channels by type, stages in order, and sums over the channels of a channel set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from mne.utils import logger

from eegflex.bands import ROUNDING, Bands
from eegflex.errors import ChannelError, ParameterError
from eegflex.results import tables
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.means import only_means
from eegflex.results.recordings import provenances
from eegflex.results.weights import case_weights
from eegflex.results.wording import count_epochs, type_label
from eegflex.stages import HYPNOGRAM_ORDER, NOT_STAGED

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = [
    "PICKED",
    "Pooled",
    "as_bands",
    "as_list",
    "bands_in_rows",
    "channel_types",
    "check_stages",
    "counted_words",
    "few_words",
    "hypnogram_order",
    "is_whole",
    "n_epochs_by_stage",
    "once_each",
    "pick",
    "pick_all",
    "picked_words",
    "pool",
    "sample_words",
    "stage_order",
    "stages_of_few",
    "stages_with_means",
]

#: Said of a result that has lost channels.
PICKED = (
    "Of the channels that the stager takes at once, only some are in this result: the rest of the sum is the others'."
)
_TYPE_ORDER = ("eeg", "eog", "emg", "ecg")
#: Labels of epochs that are not sleep stages.
_NO_STAGE = frozenset({"", *NOT_STAGED})


def as_bands(bands: Bands | Mapping[str, tuple[float, float]] | None, dataset: xr.Dataset) -> Bands:
    """Return frequency bands, those of `Bands` by default, so far as the stager was given such frequencies.

    Parameters
    ----------
    bands : Bands | mapping | None
        What was asked for.
    dataset : xarray.Dataset
        Of the result, whose stager has a filter and a sampling rate.

    Raises
    ------
    ParameterError
        If they are none, or one lies wholly beyond these. One that lies partly beyond is cut, with a warning. Those of
        `Bands` stay as they are, since whole methods attribute to them; where they reach beyond, there is a warning.
    """
    if bands is None:
        return Bands()
    if not isinstance(bands, Mapping):
        raise ParameterError(
            "Bands must map names to edges in Hz", seen=repr(bands), allowed="{'sigma': (12, 16), ...}"
        )
    bands = Bands(bands)
    low, high = _range(dataset)
    usual = dict(bands) == dict(Bands())
    cut, names = _within(bands, low, high) if usual else bands.within(low, high)
    if names:
        logger.warning(
            f"Of {', '.join(names)}, only what lies in {low:g} to {high:g} Hz was given to the stager, by its filter and its "
            "sampling rate" + ("" if usual else f": {cut!r}")
        )
    return bands if usual else cut


def _within(bands: Bands, low: float, high: float) -> tuple[Bands, tuple[str, ...]]:
    """As `Bands.within`, but whatever lies wholly outside is named, too."""
    return bands, tuple(name for name, (own, end) in bands.items() if own < low or end > high)


def _range(dataset: xr.Dataset) -> tuple[float, float]:
    """The frequencies that the stager was given, in Hz: within its widest filter, up to half its rate and that itself."""
    given = json.loads(dataset.attrs["spec"])["input"]
    of_all = given.get("filter") or {}
    passed = [channel.get("filter") or of_all for channel in given.get("channels") or [{}]]
    half = float(dataset.attrs["sfreq"]) / 2 + 2 * ROUNDING
    low = min(float(one.get("l_freq") or 0.0) for one in passed)
    return low, min(max(float(one.get("h_freq") or np.inf) for one in passed), half)


def as_list(value: Any) -> list[Any]:
    """One or several of something as a list."""
    if isinstance(value, np.ndarray) and not value.ndim:  # it is one, although its class can be gone through
        return [value.item()]
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


@dataclass(frozen=True)
class Pooled:
    """Values of epochs, summed over the channels of a channel set and averaged over those that explain the epoch's stage.

    Attributes
    ----------
    values : array, shape (n_cases, ...)
        One case is one epoch, under the one stage that it has; see `eegflex.results.tables.counted_labels`.
    labels : array of str, shape (n_cases,)
        The stage of each case.
    epochs : array of int, shape (n_cases,)
        Its epoch.
    weights : array, shape (n_cases,)
        For how many epochs of the night it stands.
    """

    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.str_]
    epochs: npt.NDArray[np.intp]
    weights: npt.NDArray[np.float64]

    def of(self, stage: str) -> npt.NDArray[np.float64]:
        """Return the values of one stage, shape (n, ...)."""
        found: npt.NDArray[np.float64] = self.values[self.labels == stage]
        return found

    def weights_of(self, stage: str) -> npt.NDArray[np.float64]:
        """Return for how many epochs each case of one stage stands, shape (n,)."""
        found: npt.NDArray[np.float64] = self.weights[self.labels == stage]
        return found

    def mean(self, stage: str) -> npt.NDArray[np.float64]:
        """Return the mean over the epochs of one stage, shape (...); NaN where there are none."""
        cases = self.of(stage)
        if not len(cases):
            return np.full(cases.shape[1:], np.nan)
        return np.asarray(np.average(cases, axis=0, weights=self.weights_of(stage)))


def once_each(dataset: xr.Dataset, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is known of channel sets, at the first channel of each, (n_epochs, n_channels): `pool` sums over channels."""
    of = dataset["of_channel_set"].values
    _, first = np.unique(of, return_index=True)
    placed = np.zeros((len(values), len(of)))
    placed[:, first] = values
    return placed


def pool(
    dataset: xr.Dataset,
    values: npt.NDArray[Any],
    members: npt.NDArray[np.bool_],
    stage_from: str,
    *,
    mean: bool = False,
) -> Pooled:
    """Sum values over the members among the channels of each channel set, and average over those that explain its stage.

    Epochs whose stage no channel set with members explains are left out.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    values : array, shape (n_epochs, n_channels, ...)
        What to sum.
    members : array of bool, shape (n_channels,)
        The channels to take. Channel sets without any of them are left out.
    stage_from : {"predicted", "scored", "target"}
        What the cases are labelled with.
    mean : bool
        Take the mean over the channels instead, as power needs it.
    """
    of, (stages, counted) = dataset["of_channel_set"].values, tables.counted_cases(dataset, stage_from)
    there = [k for k in range(dataset.sizes["channel_set"]) if (members & (of == k)).any()]
    said = counted[:, there] & (stages != "")[:, None]
    total = np.zeros((len(values), *values.shape[2:]))
    for k, own in zip(there, said.T, strict=True):
        some = values[own][:, members & (of == k)]
        total[own] += (np.mean if mean else np.sum)(some, axis=1, dtype=np.float64)
    count = said.sum(axis=1)
    places = np.flatnonzero(count)
    weights = case_weights(dataset, places, stages[places] if stage_from == "predicted" else None)
    averaged = total[places] / count[places].reshape(-1, *(1 for _ in values.shape[2:]))
    return Pooled(values=averaged, labels=stages[places], epochs=places, weights=weights)


def channel_types(dataset: xr.Dataset, members: npt.NDArray[np.bool_] | slice = slice(None)) -> list[str]:
    """Return the channel types that there are among the members, EEG first."""
    found = dict.fromkeys(dataset["ch_type"].values.astype(str)[members])
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
    for wanted in as_list(picks):
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


def pick_all(dataset: xr.Dataset, picks: str | Sequence[str] | None) -> npt.NDArray[np.bool_]:
    """Return which channels are picked, as `pick`, but all by default."""
    return pick(dataset, "all" if picks is None else picks)


def stage_order(dataset: xr.Dataset, stage_from: str) -> list[str]:
    """Return the stages that epochs were explained of, in the order of the stager's outputs.

    Raises
    ------
    ParameterError
        If no explained epoch has such a stage.
    """
    found = set(tables.counted_stages(dataset, stage_from).tolist()) - _NO_STAGE
    own = [stage for stage in dataset["stage_name"].values.astype(str).tolist() if stage in found]
    order = own + sorted(found - set(own))
    if not order:
        raise ParameterError(
            f"No explained epoch has a stage that is {stage_from}",
            seen=f"stage_from={stage_from!r}",
            remedy="Use stage_from='predicted', or give a hypnogram when the recording is read",
        )
    return order


def check_stages(stage: str | Sequence[str] | None, order: list[str]) -> list[str]:
    """Return the stages to draw, in their order: those that were asked for, or all.

    Raises
    ------
    ParameterError
        If no epoch of one of them was explained, or there is none.
    """
    wanted = order if stage is None else as_list(stage)
    missing = [one for one in wanted if one not in order]
    if missing or not wanted:
        raise ParameterError(
            "No epoch of this stage was explained", seen=list(map(repr, missing)) or "nothing", allowed=order
        )
    return [one for one in order if one in wanted]


def stages_of_few(dataset: xr.Dataset, counts: Mapping[str, int]) -> dict[str, int]:
    """The stages with too few epochs for a mean to be told, of those counted, with how many; of exact epochs there are none."""
    return {stage: n for stage, n in counts.items() if n < MIN_EPOCHS} if only_means(dataset) else {}


def few_words(few: Mapping[str, int]) -> str:
    """Say of which stages there is no mean."""
    told = ", ".join(f"{stage} {n}" for stage, n in few.items())
    return f"Not drawn: stages of fewer than {MIN_EPOCHS} epochs ({told})." if few else ""


def stages_with_means(
    dataset: xr.Dataset, counts: Mapping[str, int], stage: str | Sequence[str] | None = None
) -> list[str]:
    """The stages whose means are drawn, in their order: those that were asked for, or all that have epochs enough.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    counts : mapping of str to int
        How many epochs there are of each of its stages.
    stage : str | sequence of str | None
        Those that were asked for.

    Raises
    ------
    ParameterError
        If no epoch of one that was asked for was explained, or too few; or too few of all.
    """
    wanted, few = check_stages(stage, list(counts)), stages_of_few(dataset, counts)
    told = [one for one in wanted if one not in few]
    if not told or (stage is not None and len(told) < len(wanted)):
        raise ParameterError(
            f"Of random nodes no mean is drawn over fewer than {MIN_EPOCHS} epochs of a stage",
            seen=[f"{one} (n = {few[one]})" for one in wanted if one in few],
            allowed=[one for one in counts if one not in few] or "no stage of this result",
            remedy="Explain more epochs of it, or attribute with precision='epoch'",
        )
    return told


def n_epochs_by_stage(dataset: xr.Dataset, stage_from: str) -> dict[str, int]:
    """Count the explained epochs of each stage, each once; see `eegflex.results.tables.counted_labels`."""
    stages = tables.counted_stages(dataset, stage_from)
    return {stage: int((stages == stage).sum()) for stage in stage_order(dataset, stage_from)}


def counted_words(dataset: xr.Dataset, stage_from: str = "predicted") -> str:
    """Say how epochs are counted by stage, and how often a channel explains another stage than the epoch's."""
    counted = tables.counted_sets(dataset, stage_from)
    n, n_sets = counted.size - int(counted.sum()), counted.shape[1]
    if n_sets == 1 and not n:
        return ""
    said = "Each epoch is counted once, under one stage"
    said += ", that of its most confident channel." if n_sets > 1 and stage_from == "predicted" else "."
    if not n:
        return f"{said} No channel explains another."
    what = f"{counted.size} pairs of an epoch and a channel" if n_sets > 1 else count_epochs(counted.size)
    lost = int((~counted.any(axis=1)).sum())
    without = f", so that {count_epochs(lost)} {'is' if lost == 1 else 'are'} in no number of a stage" if lost else ""
    return (
        f"{said} Numbers of a stage use the channels that explain that stage: in {n} of {what} another stage was explained"
        f"{without}. These are not counted there; disagreements are listed separately."
    )


def sample_words(result: FlexResult) -> str:
    """Say whether epochs are only some of those that were to be explained, and channels only some of the stager's."""
    dataset, n_epochs = result.data, len(result)
    n_explained = sum(int(one["explained"]) for one in provenances(dataset).values())
    said = []
    if result.is_partial or result.is_sample:
        why = "Stopped early" if result.is_partial else "A sample"
        said.append(f"{why}: {n_explained} of {dataset.sizes['night']} epochs were explained.")
    if n_epochs < n_explained:
        said.append(f"A selection: {n_epochs} of {count_epochs(n_explained)} that were explained.")
    if not is_whole(dataset):
        said.append(PICKED)
    if len(result.recordings) > 1:
        said.append(f"Recordings: {', '.join(result.recordings)}.")
    return " ".join(said)


def is_whole(dataset: xr.Dataset) -> bool:
    """Whether the result has all channels that the stager takes at once, so that they sum to the change of the score."""
    counts = np.bincount(dataset["of_channel_set"].values, minlength=dataset.sizes["channel_set"])
    return bool((counts == dataset["n_channels"].values).all())


def picked_words(dataset: xr.Dataset, members: npt.NDArray[np.bool_]) -> str:
    """Name the picked channels, by their type where they are all of one."""
    kinds, names = dataset["ch_type"].values.astype(str), dataset["ch_name"].values.astype(str)
    for kind in dict.fromkeys(kinds[members]):
        if (members == (kinds == kind)).all():
            return type_label(kind)
    return "all channels" if members.all() else ", ".join(dict.fromkeys(names[members]))


def hypnogram_order(stages: Sequence[str]) -> list[str]:
    """Return stages from top to bottom; a stager's own ones as it lists them."""
    if set(stages) <= set(HYPNOGRAM_ORDER):
        return [stage for stage in HYPNOGRAM_ORDER if stage in stages]
    return list(stages)


def bands_in_rows(bands: Bands) -> list[str]:
    """Return the bands as rows of a figure: the fastest on top, between what lies above and below them."""
    *lower, above = bands.outside
    return [above, *reversed(list(bands)), *reversed(lower)]
