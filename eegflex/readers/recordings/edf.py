"""EDF, EDF+, BDF and BDF+: native rates, a stretch of a signal at a time, straight from the file.

The samples are mapped, not loaded: reading one signal touches its own bytes of each record and no other signal's.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegflex.errors import RecordingError
from eegflex.readers.recordings.edf_annotations import parse_record
from eegflex.readers.recordings.edf_header import EdfHeader, EdfSignal, read_header
from eegflex.readers.recordings.edf_times import Stretch, find_stretches, first_time
from eegflex.readers.recordings.source import Event, Piece, Run, Signal, Start, lay, sample_at

__all__ = ["EdfSource", "is_edf", "read_texts"]


def is_edf(head: bytes) -> bool:
    """Whether a file that begins so is EDF or BDF, by its version field; a byte-order mark is no BDF."""
    return re.match(rb"0[ \x00]{7}", head) is not None or (head[:1] == b"\xff" and head[:2] != b"\xff\xfe")


class EdfSource:
    """An EDF or BDF file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordingError
        If the file cannot be understood, or the times of its records contradict themselves.
    EmptyRecordingError
        If it has no data.
    """

    header: EdfHeader
    format: str
    warnings: list[str]
    start: Start
    events: list[Event]
    runs: list[Run]
    duration: float
    signals: list[Signal]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = read_header(path)
        self.format = self.header.format
        self.warnings = list(self.header.warnings)
        self._ordinary = [signal for signal in self.header.signals if not signal.annotations]
        times, texts = read_texts(path, self.header, self.warnings)
        first = first_time(times, self.header.record_duration, self.warnings)
        self.start = _shift(self.header.start, first)
        events = (Event(onset - first, duration, text) for onset, duration, text in texts)
        self.events = sorted(events, key=lambda event: event.onset)
        # a hypnogram's records have no place in time
        self._stretches = find_stretches(times if self._ordinary else times[:0], self.header, self.warnings)
        length = self.header.record_duration
        self.runs = [Run(s.onset, s.onset + s.n_records * length) for s in self._stretches]
        self.duration = self.runs[-1].stop
        self.signals = [self._signal(index, signal) for index, signal in enumerate(self._ordinary)]

    def _signal(self, index: int, signal: EdfSignal) -> Signal:
        rate = signal.n_samples / self.header.record_duration
        last = _piece(self._stretches[-1], signal, rate)
        n_times = last.at + last.stop - last.first
        return Signal(index, signal.label, signal.unit, rate, n_times, signal.fault, limits=signal.limits)

    def read(self, index: int, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples `start` to `stop` of a signal, in the unit as written, shape (stop - start,)."""
        signal, rate = self._ordinary[index], self.signals[index].rate
        return lay(
            (_piece(stretch, signal, rate) for stretch in self._stretches),
            start,
            stop,
            lambda first, last: _physical(self.path, self.header, signal, first, last),
        )


def _piece(stretch: Stretch, signal: EdfSignal, rate: float) -> Piece:
    first = stretch.first * signal.n_samples
    return Piece(first, first + stretch.n_records * signal.n_samples, sample_at(stretch.onset, rate))


def read_texts(
    path: Path, header: EdfHeader, warnings: list[str]
) -> tuple[npt.NDArray[np.float64], list[tuple[float, float | None, str]]]:
    """Read all annotations of a file; what could not be read is added to the warnings.

    Returns
    -------
    times : array, shape (n_records,) or (0,)
        When each record starts in s, NaN where it does not say; empty without an annotation signal.
    texts : list of (onset, duration, text)
        In s after the header's start.

    Raises
    ------
    RecordingError
        If most records of signals hold something else where their time should be.
    """
    times: list[float] = []
    texts: list[tuple[float, float | None, str]] = []
    broken = garbled = 0
    for number, signal in enumerate(s for s in header.signals if s.annotations):
        for raw in _bytes(path, header, signal, 0, header.n_records):
            time, found, bad = parse_record(raw.tobytes())
            texts += found
            broken += bad
            if number == 0:
                times.append(np.nan if time is None else time)
                garbled += bool(bad and time is None)
    if garbled > len(times) / 2 and not all(signal.annotations for signal in header.signals):
        raise RecordingError(
            "The records are not where the header says, or hold no annotations",
            seen=f"{garbled} of {len(times)} records without a time that can be read",
            remedy="The header or the file is damaged; export it again",
        )
    if broken:
        warnings.append(f"{broken} annotations could not be read and are left out")
    return np.array(times), texts


def _bytes(path: Path, header: EdfHeader, signal: EdfSignal, first: int, last: int) -> npt.NDArray[np.uint8]:
    """Copy a signal's bytes out of records `first` to `last`, shape (records, bytes)."""
    size = header.sample_bytes
    shape = (header.n_records, header.width * size)
    # asked each time: what is mapped beyond the end of a file ends the process
    if path.stat().st_size < header.offset + shape[0] * shape[1]:
        raise RecordingError(
            f"{path.name!r} ends before its last record, unlike when it was opened",
            seen=f"{path.stat().st_size} bytes",
            allowed=f"{header.offset + shape[0] * shape[1]} bytes",
            remedy="It was truncated or replaced in the meantime: copy it again, and read it again",
        )
    records = np.memmap(path, dtype=np.uint8, mode="r", offset=header.offset, shape=shape)
    return np.array(records[first:last, signal.first * size : (signal.first + signal.n_samples) * size])


def _physical(path: Path, header: EdfHeader, signal: EdfSignal, start: int, stop: int) -> npt.NDArray[np.float64]:
    """Read samples of the file, gaps not counted, and scale them."""
    physical = _digital(path, header, signal, start, stop).astype(np.float64)
    # in place: a night of one signal is 46 MB
    physical *= signal.gain
    physical += signal.bias
    return physical


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


def _shift(start: Start, seconds: float) -> Start:
    """Move a start by the (usually sub-second) time of the first record."""
    if start.time is None or seconds == 0:
        return start
    moment = dt.datetime.combine(start.date or dt.date(2000, 1, 2), start.time) + dt.timedelta(seconds=seconds)
    return Start(None if start.date is None else moment.date(), moment.time())
