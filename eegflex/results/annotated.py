"""Annotations for a viewer: what carried the decision on each epoch, and which epochs to look at first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.marks import cell_errors, within
from eegflex.results.tracks import Seconds
from eegflex.results.trust import NOT_EXPLAINED, judge
from eegflex.results.wording import number_text
from eegflex.review import queue_of, to_annotations
from eegflex.scores import surest

__all__ = ["annotations_of"]

#: What spoke for, or against, is told where it is at least this part of the larger of both (chosen).
_LEAST_BESIDE = 0.1
#: A moment goes on as long as a second has at least this part of the highest one (chosen).
_LEAST_OF_PEAK = 0.5
_COLUMNS = ("number", "channel_set", "stage", "kind", "channel", "time", "duration", "share")


@dataclass(frozen=True)
class _Note:
    """An annotation before it is one."""

    onset: float
    duration: float
    text: str
    channels: tuple[str, ...] = ()


def annotations_of(
    dataset: xr.Dataset, seconds: Seconds, *, carried: pd.DataFrame | None, n_review: int | None
) -> mne.Annotations:
    """See `FlexResult.to_annotations`.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target and one recording.
    seconds : Seconds
        The same, second by second.
    carried : pandas.DataFrame | None
        As `eegflex.evaluation.decisive_events` returns it.
    n_review : int | None
        How many epochs of the review queue at most.
    """
    notes = sorted(_carried(dataset, seconds, _check(carried)), key=lambda note: note.onset)
    found = mne.Annotations(
        [note.onset for note in notes],
        [note.duration for note in notes],
        [note.text for note in notes],
        ch_names=[note.channels for note in notes],
    )
    if n_review == 0:
        return found
    return found + to_annotations(queue_of(tables.night_answers(dataset)), n_review, duration=seconds.length)


def _check(carried: pd.DataFrame | None) -> pd.DataFrame:
    """What carried decisions, without the epochs on which no event stands out."""
    if carried is None:
        return pd.DataFrame(columns=list(_COLUMNS))
    missing = [name for name in _COLUMNS if name not in getattr(carried, "columns", ())]
    if missing:
        raise ParameterError(
            "carried is no table of what carried decisions",
            seen=f"no column {', '.join(missing)}",
            remedy="eegflex.evaluation.decisive_events(result, events) makes one",
        )
    return carried[carried["kind"].notna()]


def _carried(dataset: xr.Dataset, seconds: Seconds, events: pd.DataFrame) -> Iterator[_Note]:
    """What carried the decision on each epoch, with its most confident channel set."""
    of_epoch = surest(dataset["scores"].values, tables.score_kind(dataset))
    verdicts, numbers = judge(dataset).verdict, dataset["number"].values
    stages, names = dataset["target"].values.astype(str), dataset["channel_set"].values.astype(str)
    members = seconds.data["of_channel_set"].values[:, None] == np.arange(len(names))
    n_bands = len(seconds.bands)
    told = ~within(seconds.totals[..., :n_bands], cell_errors(seconds.data, seconds.bands)[..., :n_bands])
    for epoch, place in enumerate(of_epoch.tolist()):
        stage = stages[epoch, place].replace(" - ", " rather than ")
        own = events[(events["number"] == numbers[epoch]) & (events["channel_set"] == names[place])]
        if verdicts[epoch, place] == NOT_EXPLAINED:
            yield _Note(float(seconds.onset[epoch]), seconds.length, f"{stage}: {NOT_EXPLAINED}")
        elif len(own):
            yield from (_event(row, stage, float(seconds.onset[epoch]), dataset) for row in own.to_dict("records"))
        elif members[:, place].any():
            yield from _cells(seconds, epoch, told[epoch] & members[:, [place]], stage)


def _event(row: dict[Hashable, Any], stage: str, onset: float, dataset: xr.Dataset) -> _Note:
    """An event that carried a decision."""
    known = dict(zip(dataset["channel"].values.tolist(), dataset["ch_name"].values.tolist(), strict=True))
    channel = str(known.get(row["channel"], row["channel"]))
    text = f"{stage}: {str(row['kind']).replace('_', ' ')} at {channel} carries {100 * row['share']:.0f} %"
    of = (channel,) if row["channel"] in known else ()
    return _Note(max(onset + float(row["time"]), 0.0), float(row["duration"]), text, of)


def _cells(seconds: Seconds, epoch: int, told: npt.NDArray[np.bool_], stage: str) -> Iterator[_Note]:
    """The band of a channel that spoke most for, and that which spoke most against, of those beyond their error.

    One that is far smaller than the other is left out.
    """
    values = np.where(told, seconds.totals[epoch, :, : len(seconds.bands)], 0.0)
    if not told.any():
        yield _Note(float(seconds.onset[epoch]), seconds.length, f"{stage}: no band beyond its error")
        return
    by_second = seconds.of(epoch)
    for sign, words in ((1.0, stage), (-1.0, f"against {stage}")):
        channel, band = np.unravel_index(int(np.argmax(sign * values)), values.shape)
        total = float(values[channel, band])
        if sign * total <= 0 or abs(total) < _LEAST_BESIDE * np.abs(values).max():
            continue
        name = str(seconds.data["ch_name"].values[channel])
        text = f"{words}: {seconds.names[band]} at {name} "
        if seconds.is_even(seconds.names[band]):
            yield _Note(float(seconds.onset[epoch]), seconds.length, text + _number(total), (name,))
            continue
        first, stop, part = _moment(sign * by_second[channel, band])
        begin = max(seconds.first(epoch) + first, float(seconds.onset[epoch]))
        end = min(seconds.first(epoch) + stop, float(seconds.onset[epoch]) + seconds.length)
        yield _Note(begin, end - begin, f"{text}{_number(sign * part)} of {_number(total)}", (name,))


def _moment(values: npt.NDArray[np.float64]) -> tuple[int, int, float]:
    """The seconds around the highest one that are not much lower, from and to, and what they add up to."""
    peak = int(np.argmax(values))
    low = np.flatnonzero(values < _LEAST_OF_PEAK * values[peak])
    first = int(low[low < peak].max(initial=-1)) + 1
    stop = int(low[low > peak].min(initial=len(values)))
    return first, stop, float(values[first:stop].sum())


def _number(value: float) -> str:
    return number_text(value).replace("−", "-")
