"""Rows without a header that say when and which stage: ``stage, onset, duration`` in any order, Visbrain's stage and end.

What a column is for is seen from what is in it: one holds stages, in words or in codes beside times that fit each other, the
others numbers or clocks. Lines that begin with ``*`` or ``#`` are comments (Visbrain's header).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import (
    DELIMITERS,
    broken_row,
    first_lines,
    is_number,
    read_lines,
    split_row,
    to_number,
)
from eegflex.readers.stage_numbers import CODINGS, parse_code
from eegflex.readers.stage_words import parse_label

__all__ = ["NAME", "parse", "read_rows", "sniff"]

NAME = "rows of stage and times"
_COMMENTS = ("*", "#", "%")
_COLUMNS = (2, 3)
_SOME = 20  # rows that are looked at
_FEWEST = 3  # rows by which codes are told from times
_CODES = frozenset().union(*CODINGS.values())
_ROUNDING = 0.005  # s
_MOST = 0.5  # of the steps of epochs that are counted, with gaps, are 1; points at whole seconds lie further apart


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first rows are a stage beside one or two times."""
    lines = [line for line in first_lines(head) if line.strip() and not line.startswith(_COMMENTS)]
    whole = lines[: max(len(lines) - 1, 1)][:_SOME]  # the last may be cut
    return any(_kinds(whole, delimiter) for delimiter in DELIMITERS)


def parse(path: Path) -> Scoring:
    """Read the rows."""
    return read_rows(path, NAME)


def read_rows(path: Path, name: str) -> Scoring:
    """Read rows as a scoring of a format of this name."""
    lines = [
        (number, line)
        for number, line in enumerate(read_lines(path), start=1)
        if line.strip() and not line.startswith(_COMMENTS)
    ]
    some = [line for _, line in lines[:_SOME]]
    delimiter, kinds = next(
        ((sign, kinds) for sign in DELIMITERS if (kinds := _kinds(some, sign) or _kinds(some[:1], sign))), (",", "")
    )
    if not kinds:
        raise HypnogramError("The rows hold no stage beside a time", remedy="Export the file again")
    rows = []
    for number, line in lines:
        row = split_row(line, delimiter)
        if len(row) != len(kinds):
            raise broken_row(row, number, f"{len(kinds)} cells")
        rows.append((number, row))
    labels = [row[kinds.index("w")] for _, row in rows]
    if "c" in kinds:
        return _by_clock(rows, kinds, labels, name)
    times = [
        np.array([to_number(row[place], "time", number) for number, row in rows])
        for place, kind in enumerate(kinds)
        if kind == "n"
    ]
    if len(times) == 1:
        return _one_time(times[0], labels, name, first=kinds[0] == "n")
    onset, other = times
    return Scoring(onset, other - onset if _are_ends(onset, other) else other, labels, format=name, has_time=False)


def _kinds(lines: Sequence[str], delimiter: str) -> str:
    """Say what the columns of rows hold: w a stage in words, n a number, c a clock; "" where they are no such rows."""
    rows = [split_row(line, delimiter) for line in lines]
    if not rows or len(rows[0]) not in _COLUMNS or any(len(row) != len(rows[0]) for row in rows):
        return ""
    kinds = "".join(_kind([row[place] for row in rows]) for place in range(len(rows[0])))
    kinds = _with_codes(rows, kinds)
    return kinds if sorted(kinds) in (["n", "w"], ["c", "w"], ["n", "n", "w"], ["c", "n", "w"]) else ""


def _with_codes(rows: Sequence[Sequence[str]], kinds: str) -> str:
    """Say which column of numbers holds codes: the last or the first, where the others are times that fit each other."""
    if set(kinds) not in ({"n"}, {"c", "n"}) or kinds.count("c") > 1 or len(rows) < _FEWEST:
        return kinds
    for place in (len(kinds) - 1, 0):
        others = [n for n in range(len(kinds)) if n != place]
        codes = [parse_code(row[place]) for row in rows]
        fit = kinds[place] == "n" and all(code is not None and code in _CODES for code in codes)
        if fit and ("c" in kinds or _are_times([[float(row[n].replace(",", ".")) for row in rows] for n in others])):
            return kinds[:place] + "w" + kinds[place + 1 :]
    return kinds


def _are_times(columns: Sequence[Sequence[float]]) -> bool:
    """Whether columns are onsets at an even step, or onsets and the durations or ends that fit them."""
    onset = np.array(columns[0])
    steps = np.diff(onset)
    if len(columns) == 1:
        return bool((np.abs(steps - steps[0]) < _ROUNDING).all() and steps[0] > 0)
    other = np.array(columns[1])
    lasts, ends = (np.abs(length[:-1] - steps) < _ROUNDING for length in (other, other - onset))
    return bool((steps > 0).all() and (lasts.all() or ends.all()))


def _kind(cells: Sequence[str]) -> str:
    if all(is_number(cell) for cell in cells):
        return "n"
    if all(parse_stamp(cell) for cell in cells):
        return "c"
    stages = any(parse_label(cell) not in (None, "UNSCORED") for cell in cells)
    return "w" if stages and not any(is_number(cell) and len(cell) > 1 for cell in cells) else "?"


def _by_clock(rows: Sequence[tuple[int, list[str]]], kinds: str, labels: list[str], name: str) -> Scoring:
    stamps = []
    for number, row in rows:
        stamp = parse_stamp(row[kinds.index("c")])
        if stamp is None:
            raise broken_row(row, number, "a clock and a stage")
        stamps.append(stamp)
    onset, start, warnings = lay(stamps)
    duration = np.zeros(len(rows))
    if "n" in kinds:
        duration = np.array([to_number(row[kinds.index("n")], "duration", number) for number, row in rows])
    return Scoring(onset, duration, labels, start, name, by_clock=True, mixed=True, warnings=warnings)


def _one_time(times: npt.NDArray[np.float64], labels: list[str], name: str, *, first: bool) -> Scoring:
    """Understand the one time of a row: a count of epochs, the end of the stage where it comes after it, or its onset."""
    count = times.size
    if _are_numbers(times, gaps=first):
        return Scoring(times - times[0], np.ones(count), labels, format=name, has_time=False, in_epochs=True)
    if not first and times[0] > 0:
        onset = np.append(0.0, times[:-1])
        return Scoring(onset, times - onset, labels, format=name, has_time=False)
    return Scoring(times, np.zeros(count), labels, format=name, mixed=True, has_time=False)


def _are_numbers(times: npt.NDArray[np.float64], *, gaps: bool) -> bool:
    """Whether these count epochs from 0 or 1; if there may be gaps, epochs that were taken out have left theirs."""
    steps = np.diff(times)
    whole = times[0] in (0, 1) and steps.size > 0 and bool((steps >= 1).all() and (steps % 1 == 0).all())
    return whole and float((steps == 1).mean()) >= (_MOST if gaps else 1.0)


def _are_ends(onset: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    """Whether the second time is where the row ends: where the next one begins, most often."""
    follows = np.abs(other[:-1] - onset[1:]) < _ROUNDING
    lasts = np.abs(onset[:-1] + other[:-1] - onset[1:]) < _ROUNDING
    return bool((other > onset).all() and follows.sum() > lasts.sum())
