"""Which epochs somebody asked for: by number, by a mask, or by a query of the table of the staged night.

A query compares columns and constants, and can do nothing else: it may come from a file of settings.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.errors import ParameterError
from eegflex.staging import StagedNight

__all__ = ["selected"]

_REMEDY = "Such as select=[12, 13], select=\"predicted == 'N1' and stage == 'REM'\" or select='margin < 0.2'"
#: Characters of a query; more than anybody writes, and fewer than any parser minds.
_LONGEST = 1000
#: All that a query is made of.
_PLAIN = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.Compare),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.BinOp, ast.BitAnd, ast.BitOr),
    *(ast.Add, ast.Sub, ast.Div, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple),
)


def selected(night: StagedNight, select: str | tuple[int, ...] | tuple[bool, ...]) -> npt.NDArray[np.intp]:
    """Numbers of the epochs that are asked for, ascending.

    Parameters
    ----------
    night : StagedNight
        The night.
    select : str | tuple of int | tuple of bool
        As `eegflex.settings.Settings` has it.

    Raises
    ------
    ParameterError
        If there are no such epochs, or the query is not a plain comparison of columns.
    """
    if isinstance(select, str):
        found = _query(night.to_data_frame(), select)
    elif isinstance(select[0], bool):
        found = _masked(tuple(map(bool, select)), len(night))
    else:
        found = _numbered(select, len(night))
    if not found.size:
        raise ParameterError("No epoch is selected", seen=_short(select), remedy=_REMEDY)
    return found


def _numbered(numbers: Sequence[int], n_epochs: int) -> npt.NDArray[np.intp]:
    outside = [number for number in numbers if not 0 <= number < n_epochs]
    if outside:
        raise ParameterError(
            "select names epochs that do not exist", seen=outside[:10], allowed=f"numbers from 0 to {n_epochs - 1}"
        )
    return np.unique(np.array(numbers, dtype=np.intp))


def _masked(mask: Sequence[bool], n_epochs: int) -> npt.NDArray[np.intp]:
    if len(mask) != n_epochs:
        raise ParameterError("select must have one boolean for each epoch", seen=len(mask), allowed=n_epochs)
    return np.flatnonzero(mask)


def _query(table: pd.DataFrame, query: str) -> npt.NDArray[np.intp]:
    """Epochs of which a query is true."""
    table, text = _without_quotes(table, query)
    _check_plain(text, query, tuple(map(str, table.columns)))
    try:
        answer = table.eval(text, engine="python")
    except Exception as error:  # pandas raises whatever its operands do
        raise ParameterError(
            f"select cannot be evaluated on the table: {error}", seen=repr(query), remedy=_REMEDY
        ) from error
    if not isinstance(answer, pd.Series) or answer.dtype != bool:
        raise ParameterError("select is no comparison", seen=repr(query), remedy=_REMEDY)
    return np.flatnonzero(answer.to_numpy())


def _without_quotes(table: pd.DataFrame, query: str) -> tuple[pd.DataFrame, str]:
    """Columns in backquotes, whose names are no names of Python's, get some that are."""
    quoted = {name: f"column_{place}" for place, name in enumerate(map(str, table.columns))}
    text = re.sub("`([^`]*)`", lambda match: quoted.get(match[1], match[0]), query)
    used = {name: other for name, other in quoted.items() if f"`{name}`" in query}
    return table.rename(columns=used), text


def _check_plain(text: str, query: str, columns: Sequence[str]) -> None:
    """Refuse what is more than comparisons of columns and constants."""
    try:
        tree = ast.parse(text.strip(), mode="eval") if len(text) <= _LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        raise ParameterError("select cannot be read as a query", seen=_short(query), remedy=_REMEDY)
    unfit = [node for node in ast.walk(tree) if not _is_plain(node)]
    if unfit:
        raise ParameterError(
            "select may only compare columns of the table and constants",
            seen=f"{type(unfit[0]).__name__} in {_short(query)}",
            allowed="==, !=, <, <=, >, >=, in, and, or, not, +, - and /",
            remedy=_REMEDY,
        )
    unknown = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in columns]
    if unknown:
        raise ParameterError("The table of a staged night has no such column", seen=unknown[:10], allowed=columns)


def _is_plain(node: ast.AST) -> bool:
    constant = isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | str)
    return isinstance(node, _PLAIN) and not constant


def _short(value: Any) -> str:
    return f"{value!r:.200}"
