"""How much of an attribution lies inside events, and would lie there were they at other times of their epochs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.errors import ParameterError
from eegflex.evaluation.detectors import KINDS
from eegflex.results.recordings import one_recording
from eegflex.results.resolution import time_of
from eegflex.utils.columns import check_columns, number_column, text_column

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["MOST_COVERED", "SIGNS", "Moments", "check_events", "occurrences", "shifted"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: What an attribution speaks, and its sign.
SIGNS = {"for": 1.0, "against": -1.0}
#: Width in s of the bins that a time view is summed in: the distance of the frames of the time-frequency view.
BIN = 0.5
#: Events that cover more of an epoch leave nothing to compare them with.
MOST_COVERED = 0.95
#: Where the kinds of a table are seen -> the types of channels of a result.
_TYPES = {"eeg": "eeg", "eog": "eog", "chin": "emg"}


def check_events(events: pd.DataFrame) -> pd.DataFrame:
    """Refuse what is no table of events; what it does not tell, its kinds do.

    Parameters
    ----------
    events : pandas.DataFrame
        With ``onset`` and ``duration`` (s) and ``kind``, and perhaps ``channel``, ``low`` and ``high`` (Hz).

    Returns
    -------
    events : pandas.DataFrame
        A copy that has all of these columns, the channel empty where none is told.
    """
    needed = ("onset", "duration", "kind")
    told = [name for name in ("channel", "low", "high") if name in getattr(events, "columns", ())]
    remedy = "eegflex.evaluation.find_sleep_events(epochs) makes one"
    check_columns("table of events", events, (*needed, *told), remedy)
    table = events.reset_index(drop=True)
    table = table.assign(onset=number_column(table, "onset"), duration=number_column(table, "duration"))
    if (table["duration"] < 0).any():
        raise ParameterError("The duration of an event must be at least 0 s", seen=table["duration"].min())
    text_column(table, "kind")
    channel = table["channel"].fillna("").astype(str) if "channel" in table else ""
    bands = {name: KINDS[name].band or (np.nan, np.nan) for name in KINDS}
    usual = np.array([bands.get(kind, (np.nan, np.nan)) for kind in table["kind"]], dtype=float).reshape(-1, 2)
    edges = {
        edge: pd.Series(number_column(table, edge, unknown=True)).fillna(pd.Series(usual[:, i]))
        if edge in table
        else usual[:, i]
        for i, edge in enumerate(("low", "high"))
    }
    return table[["onset", "duration", "kind"]].assign(kind=table["kind"].astype(str), channel=channel, **edges)


@dataclass(frozen=True)
class Moments:
    """What an attribution says of each moment of each epoch, of one sign.

    Attributes
    ----------
    data : xarray.Dataset
        Of a result of one target and one recording.
    view : str
        The view that it is taken from.
    values : array, shape (n_epochs, n_channels, n_freqs, n_moments)
        Attributions; with one row of frequencies, and no frequency, of a time view.
    freqs : array, shape (n_freqs,)
        In Hz; NaN for a time view.
    times : array, shape (n_moments,)
        Their middle, in s from the onset of the epoch.
    """

    data: xr.Dataset
    view: str
    values: npt.NDArray[np.floating[Any]]
    freqs: Array
    times: Array

    @classmethod
    def of(cls, result: FlexResult) -> Moments:
        """Take them from the time-frequency view of a result; else from its time view.

        Raises
        ------
        ParameterError
            If it has neither, or is of several recordings.
        """
        data = one_recording(result.for_target().data, None, "A list of events")
        length = data.sizes["time"] / result.sfreq
        if "time_frequency_view" in data:
            frames = data["frame"].values
            inside = (frames > -1e-9) & (frames < length + 1e-9)  # the outermost lie beside the epoch
            values = data["time_frequency_view"].values[..., inside]
            return cls(data, "time-frequency", values, data["frame_freq"].values, frames[inside])
        if "time_view" in data:
            samples = data["time_view"].values
            starts = np.unique(np.searchsorted(time_of(data), np.arange(0.0, length - 1e-9, BIN) - 1e-9))
            values = np.add.reduceat(samples, starts, axis=-1)[:, :, None]
            return cls(
                data,
                "time",
                values,
                np.array([np.nan]),
                np.asarray(BIN * (np.arange(len(starts)) + 0.5), dtype=np.float64),
            )
        raise ParameterError(
            "This result does not say when: it has neither a time-frequency view nor a time view",
            seen=[str(name) for name in data if str(name).endswith("_view")],
            remedy="Attribute with views=('time-frequency',) and method='flex' (--views time-frequency)",
        )

    @property
    def n_sets(self) -> int:
        """How many channel sets there are."""
        return int(self.data.sizes["channel_set"])

    @cached_property
    def onset(self) -> Array:
        """Onsets of the epochs, in s from the start of the recording."""
        return np.asarray(self.data["onset"].values, dtype=np.float64)

    @cached_property
    def ch_names(self) -> list[str]:
        """Names of the recording's channels, of each channel."""
        return [str(name) for name in self.data["ch_name"].values]

    @cached_property
    def ch_types(self) -> npt.NDArray[np.str_]:
        """Types of the channels."""
        return self.data["ch_type"].values.astype(str)

    def by_set(self, values: Array) -> Array:
        """Sums over the channels of each channel set, of shape (n_epochs, n_channels, ...)."""
        sums = np.zeros((values.shape[0], self.n_sets, *values.shape[2:]))
        for channel, own in enumerate(self.data["of_channel_set"].values.tolist()):
            sums[:, own] += values[:, channel]
        return sums

    def channels_of(self, kind: str) -> Mask:
        """Which channels a kind of event is seen in; all, for a kind that is not known."""
        if kind not in KINDS:
            return np.ones(len(self.ch_names), dtype=bool)
        return np.asarray(self.ch_types == _TYPES[KINDS[kind].where])

    def rows_of(self, low: float, high: float) -> Mask:
        """Which frequencies a band has; all, where there is no band or the view has no frequencies."""
        if np.isnan(self.freqs).all() or np.isnan(low) or np.isnan(high):
            return np.ones(len(self.freqs), dtype=bool)
        return np.asarray((low <= self.freqs) & (self.freqs <= high))

    def sums(self, sign: float, low: float = np.nan, high: float = np.nan) -> Array:
        """What speaks so in a band, at each moment, shape (n_epochs, n_channels, n_moments)."""
        return np.asarray(
            np.maximum(sign * self.values[:, :, self.rows_of(low, high)], 0).sum(axis=2, dtype=np.float64)
        )

    def whole(self, sign: float) -> Array:
        """All that speaks so, shape (n_epochs, n_channel_sets)."""
        found: Array = self.by_set(self.sums(sign)).sum(axis=2)
        return found

    def covered(self, events: pd.DataFrame, kind: str, epochs: slice = slice(None)) -> Mask:
        """Which moments of which channels events of one kind cover, shape (n_epochs, n_channels, n_moments).

        Events of channels that the result has cover these. Where it has none of their channels (or they tell none), they
        cover all channels that their kind is seen in.
        """
        seen, names = self.channels_of(kind), np.array(self.ch_names)
        half = float(np.diff(self.times[:2])[0]) / 2
        onsets = self.onset[epochs]
        mask = np.zeros((len(onsets), len(names), len(self.times)), dtype=bool)
        length = self.times[-1] + half
        by_name = bool(np.isin(events["channel"], names[seen]).any())
        for onset, duration, channel in events[["onset", "duration", "channel"]].itertuples(index=False, name=None):
            own = seen & (names == channel) if by_name and channel else seen
            reached = (onsets < onset + duration) & (onset < onsets + length)
            for epoch in np.flatnonzero(reached).tolist():
                times = self.times + onsets[epoch]
                mask[epoch, own] |= (onset - half <= times) & (times <= onset + duration + half)
        return mask


def occurrences(events: pd.DataFrame) -> pd.DataFrame:
    """Number events that overlap in time, of one kind, as one: what several channels saw of it. A column ``occurrence``."""
    table = events.sort_values(["kind", "onset"], kind="stable", ignore_index=True)
    ends = (
        (table["onset"] + table["duration"])
        .groupby(table["kind"])
        .cummax()
        .groupby(table["kind"])
        .shift(fill_value=-np.inf)
    )
    return table.assign(occurrence=(table["onset"].to_numpy() >= ends.to_numpy()).cumsum())


def shifted(sums: Array, mask: Mask) -> Array:
    """What lies inside events that are shifted round their epoch by each number of moments.

    Parameters
    ----------
    sums : array, shape (..., n_moments)
        What there is at each moment.
    mask : array of bool, shape (..., n_moments)
        Where events are.

    Returns
    -------
    inside : array, shape (..., n_moments)
        The first are the events where they are.
    """
    n = sums.shape[-1]
    product = np.fft.rfft(sums) * np.conj(np.fft.rfft(mask.astype(np.float64)))
    return np.asarray(np.maximum(np.fft.irfft(product, n), 0))
