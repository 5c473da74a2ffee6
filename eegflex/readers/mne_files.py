"""FIF, BrainVision and EEGLAB, through MNE's own readers, as a source like any other."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from mne.io.constants import FIFF

from eegflex.errors import EmptyRecordingError, RecordingError
from eegflex.readers.source import Event, Run, Signal, Start

__all__ = ["MNE_FORMATS", "MneSource"]

_SKIP = "BAD_ACQ_SKIP"  # how MNE marks a stretch of a FIF file without data


def _is_fif(head: bytes, path: Path) -> bool:
    # a FIF file begins with the tag 100, big-endian
    return head[:4] == b"\x00\x00\x00\x64" or (head[:2] == b"\x1f\x8b" and path.name.endswith(".fif.gz"))


def _is_brainvision(head: bytes, path: Path) -> bool:
    return b"Data Exchange Header File" in head[:120]


def _is_eeglab(head: bytes, path: Path) -> bool:
    return path.suffix.lower() == ".set" and head.startswith((b"MATLAB 5.0", b"\x89HDF"))


MNE_FORMATS: dict[str, tuple[Callable[[bytes, Path], bool], str]] = {
    "FIF": (_is_fif, "read_raw_fif"),
    "BrainVision": (_is_brainvision, "read_raw_brainvision"),
    "EEGLAB": (_is_eeglab, "read_raw_eeglab"),
}
"""Name of the format: how to know it, and MNE's reader."""


class MneSource:
    """A file that MNE reads, lazily.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        A key of ``MNE_FORMATS``.

    Raises
    ------
    RecordingError
        If MNE cannot read it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.format = path, name
        self.raw, self.warnings = _open(path, name)
        rate, count = float(self.raw.info["sfreq"]), int(self.raw.n_times)
        if not count:
            raise EmptyRecordingError("The recording holds no samples", seen=path.name, remedy="Export it again")
        types = self.raw.get_channel_types()
        self.signals = [
            # Only FIF says what a channel is; the others' "eeg" is MNE's default.
            Signal(index, label, _unit(chan), rate, count, kind=kind if name == "FIF" or kind != "eeg" else "")
            for index, (label, chan, kind) in enumerate(
                zip(self.raw.ch_names, self.raw.info["chs"], types, strict=True)
            )
        ]
        self.duration = count / rate
        self.start = _start(self.raw)
        notes = self.raw.annotations
        rows = zip(notes.onset - self.raw.first_time, notes.duration, notes.description, strict=True)
        events = [Event(float(onset), float(duration), str(text)) for onset, duration, text in rows]
        self.events = [event for event in events if event.text != _SKIP]
        self.runs = _runs([event for event in events if event.text == _SKIP], self.duration)

    def read(self, index: int, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Read samples ``start`` to ``stop`` of a signal, shape (stop - start,)."""
        data, _ = self.raw[index, start:stop]
        # a copy: of a file that MNE had to load, this is a view, and whoever asked scales it in place
        return np.array(data[0], dtype=np.float64)


def _open(path: Path, name: str) -> tuple[Any, list[str]]:
    reader = getattr(mne.io, MNE_FORMATS[name][1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = reader(path, preload=False, verbose="ERROR")
        except Exception as error:
            raise RecordingError(
                f"MNE cannot read {path.name!r} as {name}", seen=error, remedy="Check the file, and the files beside it"
            ) from error
    # A name without "_eeg" is no reason to warn anybody.
    return raw, [str(warning.message) for warning in caught if "naming conventions" not in str(warning.message)]


def _runs(gaps: list[Event], duration: float) -> list[Run]:
    starts = [0.0, *(gap.onset + (gap.duration or 0.0) for gap in gaps)]
    return [Run(start, stop) for start, stop in zip(starts, [*(gap.onset for gap in gaps), duration], strict=True)]


def _unit(chan: Any) -> str:
    return "V" if int(chan["unit"]) == int(FIFF.FIFF_UNIT_V) else ""


def _start(raw: Any) -> Start:
    moment = raw.info["meas_date"]
    if moment is None:
        return Start()
    moment = moment + dt.timedelta(seconds=float(raw.first_time))
    return Start(moment.date(), moment.time())
