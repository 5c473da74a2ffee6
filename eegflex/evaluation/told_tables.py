"""The tables that an evaluation keeps, read back: a file can say anything, so what is told of them is looked for first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from eegflex.errors import ParameterError

__all__ = ["COUNT", "NUMBER", "TEXT", "TEXT_OR_NONE", "read_rows", "refuse"]

#: What the values of a column are; a number that is not known is None, or NaN.
TEXT, TEXT_OR_NONE, COUNT, NUMBER = "text", "text or none", "a count", "a number"

_IS: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    TEXT_OR_NONE: lambda value: value is None or isinstance(value, str),
    COUNT: lambda value: _is_number(value) and float(value).is_integer() and value >= 0,
    NUMBER: lambda value: value is None or _is_number(value),
}
_AS = {TEXT: object, TEXT_OR_NONE: object, COUNT: np.int64, NUMBER: np.float64}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) >= 2**63


def read_rows(rows: Sequence[Mapping[str, Any]], *layouts: Mapping[str, str], name: str) -> pd.DataFrame:
    """Read a table that has the columns of one of some layouts.

    Parameters
    ----------
    rows : sequence of mapping
        As JSON has them.
    *layouts : mapping of str to str
        Column -> what its values are. Other columns are left out.
    name : str
        What the table is called.

    Returns
    -------
    table : pandas.DataFrame
        With the columns of the first layout that it has; numbers that are not known are NaN.

    Raises
    ------
    ParameterError
        If it has those of none.
    """
    for columns in layouts:
        if all(column in row and _IS[kind](row[column]) for row in rows for column, kind in columns.items()):
            return pd.DataFrame(
                {column: pd.Series([row[column] for row in rows], dtype=_AS[kind]) for column, kind in columns.items()}
            )
    raise refuse(name, f"a table without {', '.join(layouts[0])}, or with other values")


def refuse(name: str, seen: str) -> ParameterError:
    """The error that what a result says was measured is not what an evaluation measures."""
    return ParameterError(
        f"What this result says was measured of {name!r} is not what an evaluation measures",
        seen=seen[:200],
        remedy="Evaluate it again, with another seed",
    )
