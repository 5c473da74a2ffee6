"""Tables and lists out of text files, with errors that name the line."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

from eegflex.errors import HypnogramError
from eegflex.readers.text import decode_text, is_text

__all__ = [
    "DELIMITERS",
    "MOST_ENTRIES",
    "broken_row",
    "first_lines",
    "is_number",
    "read_lines",
    "read_table",
    "read_text",
    "refuse_many",
    "split_row",
    "to_number",
]

#: What may lie between the cells of a row, in the order in which it is tried; a blank stands for any number of blanks.
DELIMITERS = "\t;,| "
#: Lines, or entries, that a hypnogram has at most: one a second of three and a half days.
MOST_ENTRIES = 300_000
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def first_lines(head: bytes) -> list[str]:
    """Return the lines of the first bytes of a file, none where it is no text; the last may be cut."""
    if not is_text(head):
        return []
    # A character of UTF-8 that is cut must not make latin-1 of the rest.
    whole = head[: head.rfind(b"\n") + 1] if b"\n" in head and b"\x00" not in head else head
    return decode_text(whole).lstrip("\ufeff").splitlines()


def read_text(path: Path) -> str:
    """Read a text file.

    Raises
    ------
    HypnogramError
        If it has more lines than any hypnogram.
    """
    raw = path.read_bytes()
    refuse_many(raw.count(b"\n"), "lines", path)
    return decode_text(raw).lstrip("\ufeff")


def refuse_many(count: int, what: str, path: Path) -> None:
    """Refuse a file that has more of something than any hypnogram.

    Raises
    ------
    HypnogramError
        If it has.
    """
    if count > MOST_ENTRIES:
        raise HypnogramError(
            f"{path.name!r} is too long for a hypnogram",
            seen=f"{count} {what}",
            allowed=f"{MOST_ENTRIES}",
            remedy="Give only the stages, or fewer nights",
        )


def read_lines(path: Path) -> list[str]:
    """Read a text file as lines; raises as `read_text`."""
    lines = read_text(path).splitlines()
    refuse_many(len(lines), "lines", path)
    return lines


def split_row(line: str, delimiter: str) -> list[str]:
    """Split one line, quotes honoured."""
    if not line.strip():
        return []
    if '"' not in line:
        cells = line.split() if delimiter == " " else line.split(delimiter)
        return [cell.strip() for cell in cells]
    return _split(line.strip() if delimiter == " " else line, delimiter)


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with decimal comma or point."""
    return _NUMBER.fullmatch(cell) is not None


def read_table(path: Path, delimiter: str) -> list[list[str]]:
    """Read a delimited file: one list a line, cells stripped, blank lines as empty lists."""
    return [split_row(line, delimiter) for line in read_lines(path)]


def _split(line: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:
        raise HypnogramError("A line of the table cannot be read", seen=error, remedy="Export the file again") from None
    return [cell.strip() for cell in row if cell.strip() or delimiter != " "]


def to_number(text: str, what: str, line: int, *, positive: bool = False) -> float:
    """Read a number, with decimal comma or point.

    Raises
    ------
    HypnogramError
        If it is none, or not finite, or not above 0 where it must be.
    """
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (positive and value <= 0):
        raise HypnogramError(
            f"The {what} in line {line} is not a number{' above 0' if positive else ''}",
            seen=repr(text[:40]),
            remedy="Correct the file, or export it again",
        )
    return value


def broken_row(row: list[str], line: int, expected: str) -> HypnogramError:
    """Return the error for a line that is not as its format has it."""
    return HypnogramError(
        f"Line {line} does not follow the format",
        seen=repr(" | ".join(row)[:60]),
        allowed=expected,
        remedy="Correct the file, or export it again",
    )
