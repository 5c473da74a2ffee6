"""U-Sleep's and U-Time's `ids`: onset, duration, stage, without a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_table, split_row, to_number

__all__ = ["NAME", "parse", "sniff"]

NAME = "U-Sleep onset, duration, stage"
_DELIMITERS = ",\t;"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line is two numbers and a word."""
    lines = first_lines(head)
    return bool(lines) and any(_is_row(split_row(lines[0], delimiter)) for delimiter in _DELIMITERS)


def _is_row(row: list[str]) -> bool:
    return len(row) == 3 and _is_number(row[0]) and _is_number(row[1]) and bool(row[2]) and not _is_number(row[2])


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).isdecimal()


def parse(path: Path) -> Scoring:
    """Read the rows, in s from the start of the recording."""
    first = first_lines(path.read_bytes()[:4096])[0]
    delimiter = next(d for d in _DELIMITERS if _is_row(split_row(first, d)))
    onset, duration, labels = [], [], []
    for number, row in enumerate(read_table(path, delimiter), start=1):
        if not any(row):
            continue
        if len(row) != 3:
            raise broken_row(row, number, "onset, duration, stage")
        onset.append(to_number(row[0], "onset", number))
        duration.append(to_number(row[1], "duration", number))
        labels.append(row[2])
    if not labels:
        raise HypnogramError("The table is empty", remedy="Export it again")
    return Scoring(np.array(onset), np.array(duration), labels, format=NAME, has_time=False)
