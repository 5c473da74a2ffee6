"""What a comparison of a cohort found: its sentences first, then effects with their intervals, clusters and staging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegflex.report.html import escape, folded, frame, paragraph
from eegflex.report.parts import Part, Text
from eegflex.results.wording import number_text

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort
    from eegflex.cohort.page_people import People
    from eegflex.findings import Finding

__all__ = ["compared_parts", "first_words", "heading_of"]

#: Sentences of a comparison on the first screen, and rows of a table that are shown at once.
_MOST_FIRST, _MOST_ROWS = 3, 40
_MARKS = {"ok": ("good", "✓"), "unknown": ("unknown", "–"), "warning": ("some", "◐"), "error": ("bad", "✗")}


def heading_of(comparison: Any, number: int) -> str:
    """What a comparison is called."""
    told = getattr(comparison, "title", "") or getattr(getattr(comparison, "findings", None), "model", "")
    return str(told) or f"Comparison {number}"


def first_words(comparisons: Sequence[Any]) -> str:
    """The first sentences of each comparison, for the first screen."""
    found = []
    for number, comparison in enumerate(comparisons, 1):
        findings = list(comparison.findings)
        lines = "".join(f"<li>{_line(one)}</li>" for one in findings[:_MOST_FIRST])
        found.append(f"<h3>{escape(heading_of(comparison, number))}</h3><ul>{lines}</ul>")
    return "".join(found)


def _line(finding: Finding) -> str:
    how, mark = _MARKS[finding.status]
    return f'<span class="{how}"><span class="mark" aria-hidden="true">{mark}</span></span> {escape(finding.text)}'


def compared_parts(cohort: Cohort, people: People, comparison: Any, number: int) -> Iterator[Part]:
    """The parts of one comparison."""
    section = heading_of(comparison, number)
    lines = "".join(f"<li>{_line(one)}</li>" for one in comparison.findings)
    yield Text("What was found", f"<ul>{lines}</ul>", section)
    for name, title in (("bands", "Bands"), ("clusters", "Clusters"), ("staging", "Staging, beside attribution")):
        table = getattr(comparison, name, None)
        if isinstance(table, pd.DataFrame) and not table.empty:
            yield Text(title, _shown(table, title), section)


def _shown(table: pd.DataFrame, name: str) -> str:
    """A table; a long one folded."""
    html = frame(_written(table), named=name)
    if len(table) <= _MOST_ROWS:
        return html
    return paragraph(f"{len(table)} rows.") + folded("The table", html)


def _written(table: pd.DataFrame) -> pd.DataFrame:
    own = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    words = [column for column in own.columns if not pd.api.types.is_numeric_dtype(own[column])]
    found = own.copy()
    for column in found.columns:
        if column not in words:
            found[column] = [_text(str(column), value) for value in own[column].to_numpy(dtype=np.float64).tolist()]
    return found.set_index(words) if words else found


def _text(column: str, value: float) -> str:
    if not np.isfinite(value):
        return "–"
    if column.startswith("n_") or column == "n":
        return f"{value:.0f}"
    if column == "p" or column.startswith("p_") or column.endswith("_p"):
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return number_text(value)
