"""Tables with a header: BIDS ``events.tsv``, U-Sleep's `tsv`, YASA's `csv` and the like.

A column of onsets (s, or clocks) or of epoch numbers says when; every other column may be the one with the stages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_table, split_row, to_number
from eegflex.readers.recordings.source import Start

__all__ = ["NAME", "parse", "sniff"]

NAME = "table of events"
_DELIMITERS = "\t,;"
# What the columns are called, units and blanks apart.
_ONSET = {"onset", "start", "starttime", "begin", "init", "time"}
_DURATION = {"duration", "dur"}
_EPOCH = {"epoch", "epochnumber", "epochindex"}
_STAGES = re.compile("stage|hypno|scor")  # in the name of a column that holds stages and no other events
_MISSING = {"n/a", "nan", "na"}
_FEW = 2  # columns: one says when, one says what


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line names a column of onsets or epochs, and another one."""
    lines = first_lines(head)
    return bool(lines) and any(_is_header(split_row(lines[0], delimiter)) for delimiter in _DELIMITERS)


def _is_header(row: Sequence[str]) -> bool:
    return len(row) >= _FEW and any(_plain(cell) in _ONSET | _EPOCH for cell in row)


def _plain(name: str) -> str:
    """Reduce a column's name: "Start Time (sec)" -> "starttime", "duration[s]" -> "duration"."""
    bare = re.sub(r"[\[(][^\])]*[\])]|[\s_-]", "", name.casefold())
    return bare.removesuffix("seconds").removesuffix("sec")


def parse(path: Path) -> dict[str, Scoring]:
    """Read the table as one scoring for each column that may hold stages."""
    first = first_lines(path.read_bytes()[:4096])[0]
    delimiter = next(d for d in _DELIMITERS if _is_header(split_row(first, d)))
    header, *lines = read_table(path, delimiter)
    if len(set(header)) < len(header):
        raise HypnogramError("Two columns have one name", seen=header, remedy="Rename one")
    width = len(header)
    rows = [(number, row[:width]) for number, row in enumerate(lines, start=2) if any(row)]
    for number, row in enumerate(lines, start=2):
        if any(row) and (len(row) < width or any(row[width:])):
            raise broken_row(row, number, f"{width} cells")
    if not rows:
        raise HypnogramError("The table is empty", remedy="Export it again")
    names = [_plain(name) for name in header]
    timing = _timing(names, rows)
    used = {place for place, name in enumerate(names) if name in _ONSET | _EPOCH | _DURATION}
    return {
        name: _scoring(name, timing, [row[place] for _, row in rows])
        for place, name in enumerate(header)
        if place not in used
    }


def _timing(names: list[str], rows: list[tuple[int, list[str]]]) -> Scoring:
    """Say when each row is; the labels come later."""
    onset, duration, epoch = (
        next((place for place, name in enumerate(names) if name in wanted), None)
        for wanted in (_ONSET, _DURATION, _EPOCH)
    )
    if onset is None:
        return _by_epoch(_column(rows, epoch or 0, "epoch"))
    lengths = np.zeros(len(rows)) if duration is None else _column(rows, duration, "duration", missing=0.0)
    stamps = [parse_stamp(row[onset]) for _, row in rows]
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(rows):
        times, start, warnings = lay(known)
        return Scoring(times, lengths, [], start, NAME, mixed=True, warnings=warnings)
    times = _column(rows, onset, "onset")
    return Scoring(times, lengths, [], Start(), NAME, mixed=True, has_time=False)


def _column(
    rows: list[tuple[int, list[str]]], place: int, what: str, missing: float | None = None
) -> npt.NDArray[np.float64]:
    absent = set() if missing is None else {*_MISSING, ""}
    cells = [(row[place], line) for line, row in rows]
    return np.array(
        [missing if cell.casefold() in absent else to_number(cell, what, line) for cell, line in cells], dtype=float
    )


def _by_epoch(numbers: npt.NDArray[np.float64]) -> Scoring:
    first = numbers[0]
    if first not in (0, 1):
        raise HypnogramError(
            "The first epoch's number is neither 0 nor 1, so it is not known when it is",
            seen=f"{first:g}",
            remedy="Number the epochs from 1",
        )
    count = numbers.size
    return Scoring(numbers - first, np.ones(count), [], format=NAME, has_time=False, in_epochs=True)


def _scoring(name: str, timing: Scoring, labels: list[str]) -> Scoring:
    keep = [place for place, label in enumerate(labels) if label.casefold() not in _MISSING]
    return Scoring(
        timing.onset[keep],
        timing.duration[keep],
        [labels[place] for place in keep],
        timing.start,
        NAME,
        mixed=timing.mixed and _STAGES.search(name.casefold()) is None,
        has_time=timing.has_time,
        in_epochs=timing.in_epochs,
        others=len(labels) - len(keep),
        warnings=list(timing.warnings),
    )
