"""Pieces of HTML. Whatever comes from a file is escaped here, and directories are taken off file names."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = [
    "bullets",
    "epoch_link",
    "escape",
    "folded",
    "frame",
    "pairs",
    "paragraph",
    "scrolling",
    "warning",
    "without_directories",
]

#: An absolute path of a POSIX system or of Windows, up to its last part.
_DIRECTORIES = re.compile(r"(?<![^\s'\"(\[=:,;])(?:[A-Za-z]:[\\/]|\\\\|/)(?:[^\s/\\'\"<>]+[\\/])+(?=[^\s/\\'\"<>])")


def without_directories(text: str) -> str:
    """Return text with the directories taken off absolute paths: they may name a person.

    Examples
    --------
    >>> without_directories("read /home/anna/night.edf at 200 Hz")
    'read night.edf at 200 Hz'
    """
    return _DIRECTORIES.sub("", text)


def escape(value: Any) -> str:
    """Return a value as text that HTML shows as it is."""
    return html.escape(without_directories(str(value)))


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def warning(text: str) -> str:
    """Return a paragraph that stands out."""
    return f'<p class="warning">{escape(text)}</p>'


def bullets(lines: Iterable[str]) -> str:
    """Return a list; nothing for no lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def pairs(rows: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Return a table of two columns: names and values."""
    items = rows.items() if isinstance(rows, Mapping) else rows
    body = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in items)
    return f'<table class="pairs"><tbody>{body}</tbody></table>'


def frame(
    table: pd.DataFrame,
    *,
    corner: str = "",
    diagonal: bool = False,
    grey: npt.NDArray[np.bool_] | None = None,
    named: str = "",
) -> str:
    """Return a table with its row and column names, numbers to the right.

    Parameters
    ----------
    table : pandas.DataFrame
        Its cells are written as they are.
    corner : str
        What to write above the row names.
    diagonal : bool
        Whether the diagonal is set in bold.
    grey : array of bool, shape of the table | None
        Cells that are grey and, for those who print in black, in parentheses.
    named : str
        What the table is called for those who hear it; by default by its corner.
    """
    marks = np.zeros(table.shape, dtype=bool) if grey is None else grey
    names: Sequence[Any] = list(table.index)
    depth = len(names[0]) if names and isinstance(names[0], tuple) else 1
    head = "".join(f'<th scope="col" class="num">{escape(column)}</th>' for column in table.columns)
    rows = []
    for i, (name, values) in enumerate(zip(names, table.to_numpy(dtype=object), strict=True)):
        parts = name if isinstance(name, tuple) else (name,)
        cells = "".join(_cell(v, bold=diagonal and i == j, grey=bool(marks[i, j])) for j, v in enumerate(values))
        rows.append("<tr>" + "".join(f'<th scope="row">{escape(part)}</th>' for part in parts) + cells + "</tr>")
    top = f'<tr><th scope="col" colspan="{depth}">{escape(corner)}</th>{head}</tr>'
    return scrolling(f"<table><thead>{top}</thead><tbody>{''.join(rows)}</tbody></table>", named or corner)


def scrolling(table: str, name: str) -> str:
    """Return a table in a box of its own, in which it scrolls where the page is narrow, with the keyboard too."""
    label = f"Table: {name}" if name else "Table"
    return f'<div class="scroll" role="group" aria-label="{escape(label)}" tabindex="0">{table}</div>'


def epoch_link(number: int, text: str | None = None) -> str:
    """Return a link that opens an epoch where a reader walks through the night.

    Parameters
    ----------
    number : int
        Of the epoch in its recording.
    text : str | None
        What is linked; by default the number.
    """
    return f'<a href="#epoch={number:d}">{escape(number if text is None else text)}</a>'


def folded(name: str, content: str) -> str:
    """Return HTML that a reader opens; on paper it is open."""
    return f"<details><summary>{escape(name)}</summary>{content}</details>"


def _cell(value: Any, *, bold: bool, grey: bool) -> str:
    if grey:
        return f'<td class="num muted">({escape(value)})</td>'
    return f'<td class="num">{f"<b>{escape(value)}</b>" if bold else escape(value)}</td>'
