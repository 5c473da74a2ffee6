"""Attributions as tracks: one value a second of the recording for each channel and band, beside the stages."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.means import refuse_single
from eegflex.results.select import hypnogram_order
from eegflex.results.trust import has_evidence, judge

__all__ = ["WHOLE", "Seconds", "Track", "attribution_tracks", "night_tracks", "unexplained_stretches"]

Array = npt.NDArray[np.float64]

#: The name of the track of a channel that has all of its frequencies, those outside the bands too.
WHOLE = "all"
#: Longer recordings are not laid out second by second (chosen: two weeks).
_MOST_SECONDS = 14 * 86400
#: Times closer than this are the same, in s.
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Track:
    """A value for each second of a recording.

    Attributes
    ----------
    channel, name : str
        What it is of, and what it is: a band of a channel, or something of the night, whose channel is "".
    values : array, shape (n_seconds,)
        The first is of the first second of the recording.
    unit : str | None
        None: the unit of the attributions, per s.
    about, how : str
        What it is, and what its values mean.
    limit : int | None
        The largest that its values can be, if they are whole numbers.
    """

    channel: str
    name: str
    values: Array
    about: str
    how: str
    unit: str | None = None
    limit: int | None = None


class Seconds:
    """The explained epochs of a result, second by second.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target and one recording.
    bands : Bands
        Frequency bands.
    members : array of bool, shape (n_channels,)
        The channels to take.

    Attributes
    ----------
    names : tuple of str
        Those of the bands, and `WHOLE`.
    totals : array, shape (n_epochs, n_channels, n_names)
        What each second of an epoch adds up to: its attributions.
    how : dict of str to str
        By the name, where in an epoch its attributions are laid.

    Raises
    ------
    ParameterError
        If epochs overlap, lie before the recording or too far behind its start, or attributions are not finite.
    """

    data: xr.Dataset
    bands: Bands
    length: float
    onset: npt.NDArray[np.float64]
    n_seconds: int
    names: tuple[str, ...]
    totals: npt.NDArray[np.float64]

    def __init__(self, dataset: xr.Dataset, bands: Bands, members: npt.NDArray[np.bool_]) -> None:
        refuse_single(dataset, "what is told second by second")
        self.data, self.bands = dataset.isel(channel=np.flatnonzero(members)), bands
        self.length = dataset.sizes["time"] / float(dataset.attrs["sfreq"])
        self.onset = dataset["onset"].values.astype(float)
        every = np.concatenate([self.onset, dataset["night_onset"].values.astype(float)])
        self.n_seconds = int(np.ceil(every.max() + self.length - _SAME)) if np.isfinite(every).all() else -1
        if every.min() < -_SAME or not 0 < self.n_seconds <= _MOST_SECONDS:
            raise ParameterError(
                "Epochs lie at times that no recording has", seen=f"{every.min():g} to {every.max():g} s"
            )
        if (np.diff(np.sort(self.onset)) < self.length - 0.5 / float(dataset.attrs["sfreq"])).any():
            raise ParameterError(
                "Epochs of the result overlap, so that a second has several attributions",
                remedy="Choose epochs that do not, with result[::2] or result.sel(epoch=...)",
            )
        sums = tables.band_sums(self.data, bands)
        self.names = (*bands, WHOLE)
        self.totals = np.concatenate([sums[..., : len(bands)], sums.sum(axis=-1, keepdims=True)], axis=-1)
        if not np.isfinite(self.totals).all():
            raise ParameterError("Attributions that are not finite have no place on a track")

    @property
    def _view(self) -> str | None:
        return next((name for name in ("time_frequency_view", "time_view") if name in self.data), None)

    @property
    def how(self) -> dict[str, str]:
        """By the name, where in an epoch its attributions are laid."""
        even = f"the epoch's, evenly over its {self.length:g} s"
        told: dict[str | None, dict[str, str]] = {
            "time_frequency_view": dict.fromkeys(self.names, "by the time-frequency view"),
            "time_view": dict.fromkeys(self.bands, even) | {WHOLE: "by the time view"},
            None: dict.fromkeys(self.names, even),
        }
        return told[self._view]

    def is_even(self, name: str) -> bool:
        """Whether nobody knows when in an epoch this was attributed."""
        return self.how[name].startswith("the epoch")

    def first(self, epoch: int) -> int:
        """The second in which an epoch begins."""
        return int(np.floor(self.onset[epoch] + _SAME))

    def of(self, epoch: int) -> Array:
        """Attributions by second of an epoch, from that in which it begins, shape (n_channels, n_names, n_own_seconds).

        What a view in time does not tell of a total, since it knows no bands, or less of their edges than the view by
        frequency, is spread evenly: the seconds of an epoch add up to its totals.
        """
        phase = round(float(self.onset[epoch]) - self.first(epoch), 6)
        found = self._placed(epoch, phase)
        left = self.totals[epoch] - found.sum(axis=-1)
        own: Array = found + left[..., None] * self.evenly(phase)
        return own

    def evenly(self, phase: float) -> Array:
        """The share of an epoch in each of its seconds, by how far into the first it begins."""
        found: Array = _shares(((0.0, self.length),), self.length, phase)[0]
        return found

    def _placed(self, epoch: int, phase: float) -> Array:
        """What the view in time says, in seconds."""
        n_seconds = len(self.evenly(phase))
        if self._view is None:
            return np.zeros((*self.totals.shape[1:], n_seconds))
        values = self.data[self._view][epoch].values.astype(np.float64)
        if self._view == "time_view":
            whole = values @ _shares(self._samples, self.length, phase)
            return np.concatenate([np.zeros((len(whole), len(self.bands), n_seconds)), whole[:, None]], axis=1)
        by_second = values @ _shares(self._frames, self.length, phase)
        masks = self.bands.masks(self.data["frame_freq"].values)[: len(self.bands)]
        parts = np.einsum("bf,cfs->cbs", masks.astype(np.float64), by_second)
        return np.concatenate([parts, by_second.sum(axis=1)[:, None]], axis=1)

    @functools.cached_property
    def _samples(self) -> tuple[tuple[float, float], ...]:
        sfreq = float(self.data.attrs["sfreq"])
        of_bins = [self.data[name].values for name in ("time_low", "time_high") if name in self.data]
        first, last = of_bins if len(of_bins) == 2 else 2 * [np.arange(self.data.sizes["time"]) / sfreq]
        return tuple(zip(first.tolist(), (last + 1 / sfreq).tolist(), strict=True))

    @functools.cached_property
    def _frames(self) -> tuple[tuple[float, float], ...]:
        """From where to where each frame stands for the view: half way to its neighbours."""
        middles = self.data["frame"].values.astype(float)
        between = (middles[1:] + middles[:-1]) / 2
        ends = 2 * middles[[0, -1]] - between[[0, -1]] if len(middles) > 1 else np.array([0.0, self.length])
        edges = np.concatenate([ends[:1], between, ends[1:]])
        return tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


@functools.lru_cache(maxsize=64)
def _shares(stretches: tuple[tuple[float, float], ...], length: float, phase: float) -> Array:
    """What part of each stretch of an epoch lies in each second of the recording, shape (n_stretches, n_seconds).

    Stretches are in s from the onset of the epoch, which lies `phase` s behind a whole second. What reaches beyond the epoch
    counts at its end.
    """
    n_seconds = max(int(np.ceil(phase + length - _SAME)), 1)
    edges = np.arange(n_seconds + 1) - phase
    edges[[0, -1]] = min(edges[0], 0.0), max(edges[-1], length)
    ends = np.clip(np.array(stretches), 0.0, length)
    points = ends[:, 1] - ends[:, 0] < 1e-12
    inside = np.minimum(ends[:, 1:], edges[None, 1:]) - np.maximum(ends[:, :1], edges[None, :-1])
    shares = np.maximum(inside, 0.0)
    at = np.clip(np.searchsorted(edges, ends[points, 0], side="right") - 1, 0, n_seconds - 1)
    shares[np.flatnonzero(points), at] = 1.0
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def attribution_tracks(seconds: Seconds) -> Iterator[Track]:
    """One track for each channel and band, and for all frequencies of each channel; 0 where nothing was explained."""
    data, places = seconds.data, range(len(seconds.onset))
    values = np.zeros((*seconds.totals.shape[1:], seconds.n_seconds))
    for epoch in places:
        own = seconds.of(epoch)
        first = seconds.first(epoch)
        values[..., first : first + own.shape[-1]] += own
    edges = {name: f"{low:g}-{high:g} Hz" for name, (low, high) in seconds.bands.items()} | {WHOLE: "frequencies"}
    targets = {str(one) for one in data["target"].values.ravel().tolist()}
    of = f" to {targets.pop()}" if len(targets) == 1 else ""
    for channel, by_name in zip(data["channel"].values.astype(str).tolist(), values, strict=True):
        for name, own in zip(seconds.names, by_name, strict=True):
            about = f"attribution{of}, {channel}, {name} {edges[name]}"
            yield Track(channel, name, own, about, f"per s, {seconds.how[name]}; 0: none known")


def night_tracks(dataset: xr.Dataset, seconds: Seconds) -> Iterator[Track]:
    """What was explained, the stages as predicted and scored, their probabilities, and how many channel sets agree."""
    yield Track(
        "", "explained", _covered(seconds), "share of each second in an explained epoch", "1: all of it", "share"
    )
    if has_evidence(dataset):
        trusted = _covered(seconds, judge(dataset).epochs)
        yield Track("", "trusted", trusted, "share of each second in an epoch that is trusted", "1: all of it", "share")
    answers = tables.night_answers(dataset)
    held = _held(answers.onset, seconds)
    order = hypnogram_order(answers.stages)[::-1]
    codes = ", ".join(f"{stage} {place}" for place, stage in reversed(list(enumerate(order))))
    for name, stages in (("stage", answers.predicted), ("scored", answers.scored)):
        if not np.isin(stages, order).any():
            continue
        heights = np.array([order.index(one) if one in order else -1 for one in stages.tolist()], dtype=float)
        about = f"stage {'predicted' if name == 'stage' else 'scored'}: {codes}; -1 none"
        yield Track("", name, held(heights, -1.0), about, "as a hypnogram is drawn", "stage", len(order))
    for stage, column in zip(answers.stages, answers.mean.T, strict=True):
        about = f"probability of {stage}, mean over channel sets"
        yield Track("", f"P {stage}", held(np.nan_to_num(column), 0.0), about, "0 for all stages: not staged", "share")
    if dataset.sizes["channel_set"] > 1:
        agreeing = 1 - answers.table(hypnogram=False).set_index("epoch")["disagreeing"].sort_index().to_numpy()
        about = "channel sets that say the stage predicted"
        yield Track("", "agreeing", held(np.nan_to_num(agreeing), 0.0), about, "0: not staged", "share")


def _covered(seconds: Seconds, which: npt.NDArray[np.bool_] | None = None) -> Array:
    """The share of each second that lies in explained epochs, or in some of them."""
    found = np.zeros(seconds.n_seconds)
    for epoch, onset in enumerate(seconds.onset):
        if which is None or which[epoch]:
            share = seconds.evenly(round(float(onset) - seconds.first(epoch), 6)) * seconds.length
            found[seconds.first(epoch) : seconds.first(epoch) + len(share)] += share
    return found


def _held(onset: Array, seconds: Seconds) -> Any:
    """A function that holds a value for each epoch of the night over the seconds whose middles lie in it."""
    first = np.ceil(onset - 0.5 - _SAME).astype(int)
    stop = np.ceil(onset + seconds.length - 0.5 - _SAME).astype(int)

    def held(values: Array, otherwise: float) -> Array:
        found = np.full(seconds.n_seconds, otherwise)
        for begin, end, value in zip(first, stop, values, strict=True):
            found[max(begin, 0) : end] = value
        return found

    return held


def unexplained_stretches(seconds: Seconds) -> list[tuple[float, float]]:
    """Onset and duration, in s, of what lies between explained epochs, and before and behind them."""
    order = np.sort(seconds.onset)
    begins = np.concatenate([[0.0], order + seconds.length])
    ends = np.concatenate([order, [float(seconds.n_seconds)]])
    return [(float(a), float(b - a)) for a, b in zip(begins, ends, strict=True) if b - a > 1e-3]
