"""FIF, BrainVision and EEGLAB, through MNE's own readers, as a source like any other."""

from __future__ import annotations

import datetime as dt
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from mne.io.constants import FIFF

from eegflex.errors import EmptyRecordingError, RecordingError
from eegflex.readers.epoch_times import event_onsets
from eegflex.readers.recordings.beside import check_beside
from eegflex.readers.recordings.cuts import Found, lay_events, lay_pieces, of_brainvision, of_eeglab
from eegflex.readers.recordings.guard import reason
from eegflex.readers.recordings.source import Event, Run, Signal, Start, lay, sample_at
from eegflex.readers.stage_words import parse_label

__all__ = ["MNE_FORMATS", "EpochsSource", "MneSource"]


_SCALED = {**dict.fromkeys(("V", "mV", "µV", "uV", "nV"), "V"), "µS": "S", "uS": "S"}


def _is_fif(head: bytes, path: Path) -> bool:
    # a FIF file begins with the tag 100, big-endian
    return head[:4] == b"\x00\x00\x00\x64" or (head[:2] == b"\x1f\x8b" and path.name.endswith(".fif.gz"))


def _is_brainvision(head: bytes, path: Path) -> bool:
    return b"Data Exchange Header File" in head[:120]


def _is_eeglab(head: bytes, path: Path) -> bool:
    return path.suffix.lower() == ".set" and head.startswith((b"MATLAB 5.0", b"MATLAB 7.3", b"\x89HDF"))


class MneSource:
    """A file that MNE reads, lazily.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        A key of `MNE_FORMATS`.
    reader : str
        MNE's reader.

    Raises
    ------
    RecordingError
        If MNE cannot read it.
    """

    path: Path
    format: str
    raw: Any
    info: Any
    warnings: list[str]
    start: Start
    events: list[Event]
    runs: list[Run]
    duration: float
    signals: list[Signal]

    def __init__(
        self, path: Path, name: str, reader: str, look: Callable[[Path, Any], Found] = lambda path, raw: Found()
    ) -> None:
        self.path, self.format = path, name
        self.raw, self.warnings = _read(path, name, getattr(mne.io, reader), preload=False)
        self.info = self.raw.info
        rate = float(self.info["sfreq"])
        n_times = int(self.raw.n_times)
        if n_times:
            self.raw[:, n_times - 1]  # a file that was cut is refused now, and not in the middle of the work
        found = look(path, self.raw)
        self._pieces, told = lay_pieces(found.cuts, n_times, rate)
        self.warnings += found.warnings + told
        count = self._pieces[-1].at + self._pieces[-1].stop - self._pieces[-1].first
        self.signals = _signals(self.raw, rate, count, found.units, says_kind=name == "FIF")
        self.duration = count / rate
        self.start = _start(self.info, float(self.raw.first_time))
        self.runs = [Run(p.at / rate, (p.at + p.stop - p.first) / rate) for p in self._pieces]
        notes = self.raw.annotations
        rows = zip(notes.onset - self.raw.first_time, notes.duration, notes.description, strict=True)
        events = [Event(float(onset), float(duration), str(text)) for onset, duration, text in rows]
        self.events = lay_events(events, self._pieces, rate)

    def read(self, index: int, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples `start` to `stop` of a signal, shape (stop - start,)."""
        # a copy: of a file that MNE had to load, this is a view, and whoever asked scales it in place
        return lay(self._pieces, start, stop, lambda a, b: np.array(self.raw[index, a:b][0][0], dtype=np.float64))


class EpochsSource:
    """A FIF file of epochs, laid on the time that they were cut from; what was not cut is a gap.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What the format is called.

    Raises
    ------
    RecordingError
        If MNE cannot read it, or its epochs overlap.
    """

    path: Path
    format: str
    info: Any
    warnings: list[str]
    start: Start
    events: list[Event]
    runs: list[Run]
    duration: float
    signals: list[Signal]

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.format = path, name
        epochs, self.warnings = _read(path, name, mne.read_epochs, preload=True, proj=False)
        self.info = epochs.info
        rate = float(self.info["sfreq"])
        onset = event_onsets(epochs)
        onset, began = onset - onset[:1], float(onset[0]) if len(onset) else 0.0
        size = _samples_apart(onset, rate, len(epochs.times))
        self._first = [sample_at(time, rate) for time in onset]
        self._data = epochs.get_data(copy=False)[..., :size]
        count = self._first[-1] + size if self._first else 0
        self.signals = _signals(epochs, rate, count, {}, says_kind=True)
        self.duration = count / rate
        self.start = _start(self.info, began)
        self.events = [
            Event(time, size / rate, text) for time, text in zip(onset.tolist(), _texts(epochs), strict=True) if text
        ]
        breaks = np.flatnonzero(np.diff(self._first) != size) + 1
        bounds = [(int(part[0]), int(part[-1]) + size) for part in np.split(np.array(self._first), breaks)]
        self.runs = [Run(first / rate, last / rate) for first, last in bounds]

    def read(self, index: int, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples `start` to `stop` of a signal, shape (stop - start,)."""
        whole = np.zeros(stop - start)
        size = self._data.shape[2]
        for place in range(bisect_right(self._first, start - size), bisect_left(self._first, stop)):
            first = self._first[place]
            part = self._data[place, index, max(start - first, 0) : stop - first]
            whole[max(first - start, 0) :][: part.size] = part
        return whole


def _samples_apart(onset: npt.NDArray[np.float64], rate: float, available: int) -> int:
    """Count the samples that are an epoch's own: one that comes with the first sample of the next gives it back."""
    size = int(min(np.floor(np.diff(onset) * rate + 0.5), default=available))
    if size >= available:
        return available
    if size < available - 1:
        raise RecordingError(
            "The epochs of the file overlap, or are not in the order of time",
            seen=f"epochs of {available / rate:g} s, {size / rate:g} s apart",
            allowed="at most one sample in common",
            remedy="Cut them without overlap, or give the recording",
        )
    return size


def _texts(epochs: Any) -> list[str]:
    """Name the stage of each epoch: of the metadata, else the name of its event where that is one."""
    if epochs.metadata is not None and "stage" in epochs.metadata:
        return [str(stage) for stage in epochs.metadata["stage"]]
    names = {code: name for name, code in epochs.event_id.items() if parse_label(name) is not None}
    return [names.get(code, "") for code in epochs.events[:, 2]]


def _open(path: Path, name: str, reader: str, look: Callable[[Path, Any], Found]) -> MneSource:
    check_beside(path, name)
    return MneSource(path, name, reader, look)


def _open_fif(path: Path, name: str) -> MneSource | EpochsSource:
    check_beside(path, name)  # to ask what it is, is to read it
    try:
        kind = mne.what(path)
    except Exception:
        kind = "unknown"
    return EpochsSource(path, "Epochs FIF") if kind == "epochs" else MneSource(path, name, "read_raw_fif")


MNE_FORMATS: dict[str, tuple[Callable[[bytes, Path], bool], Callable[[Path, str], MneSource | EpochsSource]]] = {
    "FIF": (_is_fif, _open_fif),
    "BrainVision": (_is_brainvision, partial(_open, reader="read_raw_brainvision", look=of_brainvision)),
    "EEGLAB": (_is_eeglab, partial(_open, reader="read_raw_eeglab", look=of_eeglab)),
}
"""Name of the format: how to know it, and what opens it."""


def _read(path: Path, name: str, reader: Callable[..., Any], **keys: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read = reader(path, verbose="ERROR", **keys)
        except Exception as error:
            raise RecordingError(
                f"MNE cannot read {path.name!r} as {name}",
                seen=reason(error),
                remedy="Check the file, and the files beside it",
            ) from error
    with read.info._unlock():
        # the Raw that is made of it may be pickled or sent to a worker, and must name nobody
        read.info.update(subject_info=None, experimenter=None)
    # A name without "_eeg" is no reason to warn anybody. In quotation marks, as whatever may hold text of the file.
    said = [str(warning.message) for warning in caught]
    return read, [f"MNE warns: {text!r}" for text in said if "naming conventions" not in text]


def _signals(read: Any, rate: float, count: int, units: Mapping[int, str], *, says_kind: bool) -> list[Signal]:
    """Describe the channels; only FIF says what a channel is, the others' "eeg" is MNE's default.

    `units` are those that the format's own header writes, by channel.
    """
    if not count:
        raise EmptyRecordingError("The recording holds no samples", remedy="Export it again")
    found = []
    for index, (label, chan, kind) in enumerate(
        zip(read.ch_names, read.info["chs"], read.get_channel_types(), strict=True)
    ):
        unit = "V" if int(chan["unit"]) == int(FIFF.FIFF_UNIT_V) else ""
        if not (says_kind or unit):
            # MNE leaves what it does not know unscaled, and calls it misc; what it does know has become these
            unit, kind = _SCALED.get(units.get(index, ""), units.get(index, "")), ""
        found.append(Signal(index, label, unit, rate, count, kind=kind if says_kind or kind != "eeg" else ""))
    return found


def _start(info: Any, seconds: float) -> Start:
    """Give the moment that lies some seconds after sample 0."""
    if info["meas_date"] is None:
        return Start()
    moment = info["meas_date"] + dt.timedelta(seconds=seconds)
    return Start(moment.date(), moment.time())
