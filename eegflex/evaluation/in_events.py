"""The part of an evaluation that asks whether attributions lie in what scorers look for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegflex.errors import EegflexError
from eegflex.evaluation.aasm import aasm_criteria
from eegflex.evaluation.carried import decisive_events
from eegflex.evaluation.events import find_sleep_events
from eegflex.evaluation.grounding import NAMES_READ, NUMBERS_READ, grounding, grounding_findings
from eegflex.evaluation.told_tables import COUNT, NUMBER, TEXT
from eegflex.findings import Finding, unknown
from eegflex.stages import STAGES

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.question import Question

__all__ = ["findings", "measure"]

#: What findings read of a table of `grounding`, and of one that says why there is none.
_WHY = {"why": TEXT, "remedy": TEXT}
_GROUNDING = dict.fromkeys(NAMES_READ, TEXT) | dict.fromkeys(NUMBERS_READ, NUMBER) | {"n_epochs": COUNT}
#: Views that say when something was attributed.
_IN_TIME = ("time_frequency_view", "time_view")


def measure(question: Question, explanations: Sequence[Explanation]) -> dict[str, pd.DataFrame]:
    """Hold all that was explained against the recording's events, and name those that carried the explanations given.

    Where nothing is scored, events are looked for in the stages that were predicted.
    """
    if not any(name in question.data for name in _IN_TIME):
        return {
            "grounding": _why("the result has no view in time", "Attribute with views=('frequency', 'time-frequency')")
        }
    scored = np.isin(question.night.segments.stage.astype(str), STAGES).any()
    try:
        events = find_sleep_events(
            question.night.epochs, stages=None if scored else question.night.predicted.tolist(), verbose="error"
        )
    except EegflexError as error:
        return {"grounding": _why(error.what, error.remedy or "")}
    result = question.result
    sample = result.sel(epoch=sorted({one.number for one in explanations}))
    chosen = pd.MultiIndex.from_tuples([(one.number, _name(question, one)) for one in explanations])
    carried = decisive_events(sample, events)
    carried = carried[pd.MultiIndex.from_frame(carried[["number", "channel_set"]]).isin(chosen)]
    found = {
        "grounding": grounding(result, events, seed=question.seed),
        "AASM criteria": aasm_criteria(result, events, seed=question.seed),
        "carried by": carried.drop_duplicates(["number", "channel_set"])[
            ["number", "channel_set", "stage", "total", "chance", "sentence"]
        ],
    }
    return {name: _plain(table) for name, table in found.items()}


def _name(question: Question, one: Explanation) -> str:
    return str(question.data["channel_set"].values[one.channel_set])


def _why(what: str, remedy: str) -> pd.DataFrame:
    return pd.DataFrame({"why": [what], "remedy": [remedy]})


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Values as JSON has them; None for a number that is not defined."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=10))
    return pd.DataFrame(rows, columns=list(table.columns), dtype=object)


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether what spoke for each stage lies in the events of that stage."""
    table = evaluation.told("grounding", _GROUNDING, _WHY)
    if "why" in table:
        why = table.iloc[0]
        return [
            unknown(f"whether attributions lie in events is not known: {why['why']}", why["remedy"]).named("grounding")
        ]
    return grounding_findings(table)
