"""Write a hypnogram: as EDF+ annotations, which every PSG viewer shows, or as events of BIDS."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyedflib

__all__ = ["HYPNOGRAM_SUFFIXES", "annotate_edf", "closing", "write_hypnogram"]

#: As Sleep-EDF writes its stages, with the names of the AASM manual.
_LABELS = {
    "W": "Sleep stage W",
    "N1": "Sleep stage N1",
    "N2": "Sleep stage N2",
    "N3": "Sleep stage N3",
    "REM": "Sleep stage R",
    "UNSCORED": "Sleep stage ?",
    "MOVEMENT": "Movement time",
}
#: What EDF has in the place of a date that is not known.
_NO_DATE = dt.datetime(1985, 1, 1)

_Stages = Sequence[str] | npt.NDArray[np.str_]
_Onsets = npt.NDArray[np.float64]


def write_hypnogram(path: Path, stages: _Stages, onset: _Onsets, duration: float, start: dt.datetime | None) -> None:
    """Write the stages of epochs, in the format of the file's suffix.

    Parameters
    ----------
    path : Path
        The file, with one of `HYPNOGRAM_SUFFIXES`.
    stages : sequence of str
        Canonical names, one an epoch; others are written as they are.
    onset : array, shape (n_epochs,)
        In s from the start of the recording.
    duration : float
        Length of an epoch in s.
    start : datetime | None
        When the recording started, if that is known.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    _WRITERS[path.suffix.casefold()](path, stages, onset, duration, start)


def annotate_edf(writer: pyedflib.EdfWriter, stages: _Stages, onset: _Onsets, duration: float) -> None:
    """Write one annotation for each epoch."""
    for begin, stage in zip(onset, stages, strict=True):
        if writer.writeAnnotation(float(begin), duration, _LABELS.get(str(stage), str(stage))) < 0:
            raise OSError("the EDF library could not write an annotation")


@contextlib.contextmanager
def closing(writer: pyedflib.EdfWriter, path: Path) -> Iterator[pyedflib.EdfWriter]:
    """A writer of EDF+ that is closed at the end, and what it wrote looked at: of a full disk the library does not tell.

    Raises
    ------
    OSError
        If the file is shorter than its own header says.
    """
    try:
        yield writer
    finally:
        writer.close()
    if path.stat().st_size != _size_by_header(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _size_by_header(path: Path) -> int:
    """Bytes that an EDF or BDF file has, by what its header says; -1 if it has none."""
    with path.open("rb") as file:
        head = file.read(256)
        if len(head) < 256:
            return -1
        n_head, n_records, n_signals = (
            int(head[place]) for place in (slice(184, 192), slice(236, 244), slice(252, 256))
        )
        width = 3 if head.startswith(b"\xff") else 2  # of a sample: BDF has 24 bits
        return n_head + n_records * width * _samples_of_record(file.read(n_head - 256), n_signals)


def _samples_of_record(signals: bytes, n_signals: int) -> int:
    """Samples of a data record, by the headers of the signals."""
    start = 216 * n_signals
    return sum(int(signals[start + 8 * n : start + 8 * n + 8] or 0) for n in range(n_signals))


def _write_edf(path: Path, stages: _Stages, onset: _Onsets, duration: float, start: dt.datetime | None) -> None:
    # annotations only
    with closing(pyedflib.EdfWriter(str(path), 0, file_type=pyedflib.FILETYPE_EDFPLUS), path) as writer:
        writer.setStartdatetime(_NO_DATE if start is None else start.replace(tzinfo=None))
        annotate_edf(writer, stages, onset, duration)


def _write_bids(path: Path, stages: _Stages, onset: _Onsets, duration: float, start: dt.datetime | None) -> None:
    rows = pd.DataFrame(
        {"onset": np.round(onset, 6), "duration": duration, "trial_type": np.asarray(stages, dtype=str)}
    )
    rows.to_csv(path, sep="\t", index=False, lineterminator="\n")


_WRITERS: dict[str, Callable[[Path, _Stages, _Onsets, float, dt.datetime | None], None]] = {
    ".edf": _write_edf,
    ".tsv": _write_bids,
}
HYPNOGRAM_SUFFIXES = tuple(_WRITERS)
