"""What the readers of recordings have in common: signals, and where their samples come from."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Event", "Piece", "Run", "Signal", "Source", "Start", "lay", "sample_at"]


def sample_at(time: float, rate: float) -> int:
    """Return the sample nearest to a time; what is whole samples apart stays so, as `round` would not have it."""
    return math.floor(time * rate + 0.5)


@dataclass(frozen=True)
class Start:
    """When a file begins: what of it is known, in the recording's own local time.

    `half_day` marks the time of a 12-hour clock that does not say whether it is before or after noon.
    """

    date: dt.date | None = None
    time: dt.time | None = None
    half_day: bool = False

    @property
    def moment(self) -> dt.datetime | None:
        """Date and time together, or None where one is not known."""
        if self.date is None or self.time is None or self.half_day:
            return None
        return dt.datetime.combine(self.date, self.time)

    def __str__(self) -> str:
        date = "date not known" if self.date is None else self.date.isoformat()
        time = "time not known" if self.time is None else self.time.isoformat(timespec="seconds")
        return f"{date} {time}"


@dataclass(frozen=True)
class Event:
    """Something that a file notes at a time: onset and duration in s from the first sample."""

    onset: float
    duration: float | None
    text: str


class Run(NamedTuple):
    """A stretch contiguous in time, in s from the first sample."""

    start: float
    stop: float


class Piece(NamedTuple):
    """Samples `first` to `stop` of a signal in its file, which lie from sample `at` of the recording on."""

    first: int
    stop: int
    at: int


def lay(
    pieces: Iterable[Piece], start: int, stop: int, read: Callable[[int, int], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """Read samples of a recording whose file has its pieces without the gaps between them.

    Parameters
    ----------
    pieces : iterable of Piece
        Where they lie.
    start, stop : int
        First sample of the recording, and the one after the last.
    read : callable
        Reads samples of the file, from a first to the one before a last, as an array of the caller's own.

    Returns
    -------
    data : array, shape (stop - start,)
        0 in gaps.
    """
    parts: list[tuple[int, npt.NDArray[np.float64]]] = []
    for piece in pieces:
        shift = piece.at - piece.first
        begin, end = max(start - shift, piece.first), min(stop - shift, piece.stop)
        if begin < end:
            parts.append((begin + shift - start, read(begin, end)))
    if len(parts) == 1 and parts[0][1].size == stop - start:
        return parts[0][1]
    whole = np.zeros(stop - start)
    for at, part in parts:
        whole[at : at + part.size] = part
    return whole


@dataclass(frozen=True)
class Signal:
    """One signal of a file.

    Attributes
    ----------
    index : int
        Its place in the file, from 0, annotation signals not counted.
    label : str
        Its label, repaired.
    unit : str
        Its unit as written.
    rate : float
        Its native rate in Hz.
    n_times : int
        Its number of samples.
    fault : str
        Why it cannot be read; "" if it can.
    kind : str
        The MNE type that the file itself states, "" where it states none.
    limits : tuple of float
        The least and the greatest value that the file's header allows, in the unit as written; NaN where it says nothing.
    """

    index: int
    label: str
    unit: str
    rate: float
    n_times: int
    fault: str = ""
    kind: str = ""
    limits: tuple[float, float] = (math.nan, math.nan)


class Source(Protocol):
    """A file whose signals can be read a stretch at a time; it is copied and pickled with its Raw.

    Its time runs on through gaps: `duration` and the signals' `n_times` count them, and samples in them are 0.
    """

    path: Path
    format: str
    start: Start
    duration: float
    runs: list[Run]
    signals: list[Signal]
    events: list[Event]
    warnings: list[str]

    def read(self, index: int, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples `start` to `stop` of a signal, in the unit as written, as an array of the caller's own."""
        ...
