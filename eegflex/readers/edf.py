"""EDF, EDF+C, BDF and BDF+C: native rates, a stretch of a signal at a time, straight from the file.

The samples are mapped, not loaded: reading one signal touches its own bytes of each record and no other signal's.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegflex.errors import RecordingError
from eegflex.readers.edf_header import EdfHeader, EdfSignal, read_header
from eegflex.readers.source import Event, Signal, Start
from eegflex.readers.tal import parse_record

__all__ = ["EdfSource", "read_texts"]

_GAP = 0.005  # s: more than writers round the times of records by, less than a sleep EEG can feel


class EdfSource:
    """An EDF or BDF file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordingError
        If the file has gaps, or cannot be understood.
    EmptyRecordingError
        If it has no data.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = read_header(path)
        self.warnings = list(self.header.warnings)
        duration = self.header.record_duration
        self._ordinary = [signal for signal in self.header.signals if not signal.annotations]
        self.signals = [
            Signal(index, s.label, s.unit, s.n_samples / duration, s.n_samples * self.header.n_records, s.fault)
            for index, s in enumerate(self._ordinary)
        ]
        self.format = self.header.format
        self.duration = self.header.n_records * duration
        first, self.events = self._annotations()
        self.start = _shift(self.header.start, first)

    def read(self, index: int, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples ``start`` to ``stop`` of a signal, in the unit as written, shape (stop - start,)."""
        signal = self._ordinary[index]
        physical = _digital(self.path, self.header, signal, start, stop).astype(np.float64)
        # in place: a night of one signal is 46 MB
        physical *= signal.gain
        physical += signal.bias
        return physical

    def _annotations(self) -> tuple[float, list[Event]]:
        """Give the time of the first record, and the events relative to it; refuse gaps."""
        times, texts, broken = read_texts(self.path, self.header)
        if broken:
            self.warnings.append(f"{broken} annotations could not be read and are left out")
        if self._ordinary:
            _refuse_gaps(times, self.header)
        first = times[0] if times.size and np.isfinite(times[0]) else 0.0
        events = [Event(onset - first, duration, text) for onset, duration, text in texts]
        return float(first), sorted(events, key=lambda event: event.onset)


def read_texts(
    path: Path, header: EdfHeader
) -> tuple[npt.NDArray[np.float64], list[tuple[float, float | None, str]], int]:
    """Read all annotations of a file.

    Returns
    -------
    times : array, shape (n_records,) or (0,)
        When each record starts in s, NaN where it does not say; empty without an annotation signal.
    texts : list of (onset, duration, text)
        In s after the header's start.
    broken : int
        How many lists could not be read.
    """
    times: list[float] = []
    texts: list[tuple[float, float | None, str]] = []
    broken = 0
    for number, signal in enumerate(s for s in header.signals if s.annotations):
        for raw in _bytes(path, header, signal, 0, header.n_records):
            time, found, bad = parse_record(raw.tobytes())
            texts += found
            broken += bad
            if number == 0:
                times.append(np.nan if time is None else time)
    return np.array(times), texts, broken


def _bytes(path: Path, header: EdfHeader, signal: EdfSignal, first: int, last: int) -> npt.NDArray[np.uint8]:
    """Copy a signal's bytes out of records ``first`` to ``last``, shape (records, bytes)."""
    size = header.sample_bytes
    shape = (header.n_records, header.width * size)
    records = np.memmap(path, dtype=np.uint8, mode="r", offset=header.offset, shape=shape)
    return np.array(records[first:last, signal.first * size : (signal.first + signal.n_samples) * size])


def _digital(path: Path, header: EdfHeader, signal: EdfSignal, start: int, stop: int) -> npt.NDArray[np.integer]:
    first, last = start // signal.n_samples, -(-stop // signal.n_samples)
    raw = _bytes(path, header, signal, first, last)
    if header.sample_bytes == 2:
        values: npt.NDArray[np.integer] = raw.reshape(-1).view("<i2")
    else:
        # 24 bits laid into the upper three bytes of 32, then shifted down with their sign
        wide = np.zeros((raw.size // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        values = wide.view("<i4").reshape(-1) >> 8
    offset = first * signal.n_samples
    return values[start - offset : stop - offset]


def _refuse_gaps(times: npt.NDArray[np.float64], header: EdfHeader) -> None:
    if header.format.endswith("+D") and (not times.size or np.isnan(times).any()):
        raise RecordingError(
            f"The recording is discontinuous ({header.format}) and does not say when each record starts",
            remedy="Export it as a continuous EDF+C file",
        )
    known = np.flatnonzero(np.isfinite(times))
    if known.size < 2:
        return
    late = (times - times[known[0]] - (np.arange(times.size) - known[0]) * header.record_duration)[known]
    jump = np.flatnonzero(np.abs(late) > _GAP)
    if not jump.size:
        return
    record = int(known[jump[0]])
    expected = times[known[0]] + (record - known[0]) * header.record_duration
    raise RecordingError(
        "The recording has a gap in its record times, and gaps cannot be read yet",
        seen=f"record {record} starts at {times[record]:g} s, where {expected:g} s follows from the one before",
        remedy="Export it as a continuous EDF+C file, or one file for each stretch",
    )


def _shift(start: Start, seconds: float) -> Start:
    """Move a start by the (usually sub-second) time of the first record."""
    if start.time is None or seconds == 0:
        return start
    moment = dt.datetime.combine(start.date or dt.date(2000, 1, 2), start.time) + dt.timedelta(seconds=seconds)
    return Start(None if start.date is None else moment.date(), moment.time())
