"""Tables that are given as an argument: whether they have the columns that are read of them, and in these what must be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.errors import ParameterError

__all__ = ["check_columns", "number_column", "text_column"]


def check_columns(what: str, table: Any, columns: Sequence[str], remedy: str) -> None:
    """Refuse what is no table, or one without columns that are read of it, or with two of one name.

    Parameters
    ----------
    what : str
        What it should be, as in "This is no ...".
    table : pandas.DataFrame
        What was given.
    columns : sequence of str
        Names.
    remedy : str
        What makes one.

    Raises
    ------
    ParameterError
        If it is not.

    Examples
    --------
    >>> check_columns("list", pd.DataFrame({"onset": [1.0]}), ["onset", "kind"], "Write one")
    Traceback (most recent call last):
    eegflex.errors.ParameterError: This is no list. Got no column kind. Allowed: a DataFrame with onset, kind. Write one.
    """
    if not isinstance(table, pd.DataFrame):
        seen = f"{type(table).__name__}, no DataFrame"
    elif missing := [name for name in columns if name not in table.columns]:
        seen = f"no column {', '.join(missing)}"
    elif twice := [name for name in columns if (table.columns == name).sum() > 1]:
        seen = f"column {', '.join(twice)} more than once"
    else:
        return
    raise ParameterError(
        f"This is no {what}", seen=seen, allowed=f"a DataFrame with {', '.join(columns)}", remedy=remedy
    )


def number_column(table: pd.DataFrame, name: str, *, unknown: bool = False) -> npt.NDArray[np.float64]:
    """A column as numbers; refuse one that holds anything else.

    Parameters
    ----------
    table : pandas.DataFrame
        It has the column.
    name : str
        Its name.
    unknown : bool
        Whether NaN may be among them.

    Returns
    -------
    numbers : array
        Finite, but for those that are unknown.

    Raises
    ------
    ParameterError
        If it holds something else.
    """
    column = table[name]
    # pandas makes numbers of times and of the words for them, and drops what is imaginary
    is_other = column.dtype.kind in "cMmb" or (len(column) > 0 and pd.api.types.is_string_dtype(column))
    try:
        numbers = np.full(len(column), np.inf) if is_other else column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        numbers = np.full(len(column), np.inf)
    wrong = ~np.isfinite(numbers) & ~(unknown & np.isnan(numbers))
    if wrong.any():
        seen = column.tolist()[int(np.flatnonzero(wrong)[0])]
        raise ParameterError(f"The column {name} must hold finite numbers", seen=f"{seen!r:.80}")
    return numbers


def text_column(table: pd.DataFrame, name: str) -> npt.NDArray[np.object_]:
    """A column of names; refuse one that holds anything else.

    Parameters
    ----------
    table : pandas.DataFrame
        It has the column.
    name : str
        Its name.

    Returns
    -------
    names : array of str
        As they are.

    Raises
    ------
    ParameterError
        If it holds something else.
    """
    names: npt.NDArray[np.object_] = table[name].to_numpy(dtype=object)
    wrong = [value for value in names.tolist() if not isinstance(value, str)]
    if wrong:
        raise ParameterError(f"The column {name} must hold names", seen=f"{wrong[0]!r:.80}")
    return names
