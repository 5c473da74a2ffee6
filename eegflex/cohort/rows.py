"""Tables of texts: CSV and TSV, as people and BIDS write them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eegflex.errors import ParameterError
from eegflex.utils.files import check_input

__all__ = ["read_rows"]

#: What stands for nothing.
_NOTHING = frozenset({"", "n/a", "na", "nan"})
#: Whole numbers of so many digits are read as others are: tables of whole numbers have no room for them.
_MOST_DIGITS = 19


def read_rows(path: Path, texts: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read a table: a dict for each row; numbers are numbers, and what is not there is None.

    A column is of numbers only where all that stands in it is a number and no code such as 007; `texts` never are.

    Raises
    ------
    ParameterError
        If it is none, or two columns have one name.
    """
    check_input(path, ParameterError, "table")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ParameterError("The table is not UTF-8 text", seen=path, remedy="Save it as UTF-8") from None
    separator = "\t" if path.suffix.casefold() == ".tsv" else _separator(text.lstrip("\r\n").splitlines()[:1])
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ParameterError(
            f"The table cannot be read: {error}", seen=path, remedy="See whether a quote is not closed"
        ) from None
    rows = [row for row in found if any(word.strip() for word in row)]
    if not rows:
        raise ParameterError("The table is empty", seen=path)
    names = [word.strip() for word in rows[0]]
    if len(set(names)) < len(names) or not all(names):
        raise ParameterError("Each column of the table needs a unique name", seen=names)
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise ParameterError(
                f"Row {number} of the table has {len(row)} cells, but its header has {len(names)}", seen=path,
                remedy="Quote cells that hold a separator",
            )  # fmt: skip
    columns = [
        _values([row[place].strip() for row in rows[1:]], as_text=name in texts) for place, name in enumerate(names)
    ]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _separator(head: Sequence[str]) -> str:
    return max(",;\t", key="".join(head).count)


def _values(words: list[str], *, as_text: bool) -> list[Any]:
    there = [word for word in words if word.casefold() not in _NOTHING]
    number = _float if not as_text and all(map(_is_number, there)) else str
    return [None if word.casefold() in _NOTHING else number(word) for word in words]


def _is_number(word: str) -> bool:
    """Whether a word is a number and not a name of digits, such as 007."""
    try:
        float(word)
    except ValueError:
        return False
    return not (len(word) > 1 and word[0] == "0" and word.isdigit()) and "_" not in word


def _float(word: str) -> float | int:
    return int(word) if word.lstrip("+-").isdigit() and len(word) < _MOST_DIGITS else float(word)
