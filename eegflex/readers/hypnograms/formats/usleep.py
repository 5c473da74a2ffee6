"""U-Sleep's and U-Time's `ids`: onset, duration, stage, without a header."""

from __future__ import annotations

from pathlib import Path

from eegflex.readers.hypnograms.formats.bare_rows import read_rows
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import first_lines, is_number, split_row

__all__ = ["NAME", "parse", "sniff"]

NAME = "U-Sleep onset, duration, stage"
_DELIMITERS = ",\t;"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line is two numbers and a word."""
    lines = first_lines(head)
    return bool(lines) and any(_is_row(split_row(lines[0], delimiter)) for delimiter in _DELIMITERS)


def _is_row(row: list[str]) -> bool:
    return len(row) == 3 and is_number(row[0]) and is_number(row[1]) and bool(row[2]) and not is_number(row[2])


def parse(path: Path) -> Scoring:
    """Read the rows, in s from the start of the recording."""
    return read_rows(path, NAME)
