"""What an evaluation found, where the result was evaluated: the model was asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from eegflex.evaluation.evaluation import Evaluation
from eegflex.evaluation.judged import count_explanations, was
from eegflex.report import html
from eegflex.results.wording import count_epochs

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["NOT_EVALUATED", "evaluated", "evaluation_text"]

#: Said of a result that was not evaluated.
NOT_EVALUATED = (
    "These explanations were not evaluated: nobody asked the model whether its answer follows them. eegflex.evaluate (eegflex "
    "evaluate) does."
)
#: Rows of a table that are shown; the others are in the result's file.
MOST_ROWS = 30


def evaluated(result: FlexResult) -> Evaluation | None:
    """What was measured of a result, if it was."""
    return Evaluation(result) if "evaluation" in result.provenance else None


def evaluation_text(found: Evaluation) -> str:
    """Findings, those that speak against the explanations first; and the tables that they rest on."""
    order = {"error": 0, "warning": 1, "unknown": 2, "ok": 3}
    rows = [
        (f"{one.check}: {one.status}", one.text) for one in sorted(found.findings, key=lambda one: order[one.status])
    ]
    parts = [html.paragraph(_how_many(found)), html.pairs(rows)]
    for name, table in found.tables.items():
        if len(table):
            left = len(table) - MOST_ROWS
            more = html.paragraph(f"And {left} rows more, in the result's file.") if left > 0 else ""
            parts.append(html.folded(name, html.frame(_rounded(table.head(MOST_ROWS)), named=name) + more))
    return "".join(parts)


def _how_many(found: Evaluation) -> str:
    table, state = found.to_data_frame(), " It was stopped before all was measured." if found.is_partial else ""
    return (
        f"{count_explanations(len(table))} of {count_epochs(table['epoch'].nunique())} {was(len(table))} evaluated, a random "
        "sample of each predicted stage: the model was asked again, with other signals in the place of the epoch and its "
        f"neighbours as recorded.{state}"
    )


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are read; what is the same in all rows of a long table is left out."""
    if len(table) > 1 and "channel_set" in table and len(set(table["channel_set"])) == 1:
        table = table.drop(columns="channel_set")
    return table.set_index(table.columns[0]).map(_text)


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return str(value)
