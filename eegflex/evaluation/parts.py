"""The parts of an evaluation: what is measured of explanations, and what is said of it. A part is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eegflex.evaluation import (
    agreements,
    curves,
    in_events,
    knockout,
    one_by_one,
    sanity,
    sets,
    sets_told,
    shortcuts,
    stability,
)

if TYPE_CHECKING:
    import pandas as pd

    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.question import Question
    from eegflex.findings import Finding

__all__ = ["PARTS", "Part"]


@dataclass(frozen=True)
class Part:
    """A part of an evaluation.

    Attributes
    ----------
    findings : callable
        An `Evaluation` -> what its numbers say, each finding with its n and, of a mean, its interval.
    of_each : callable | None
        Measures one explanation: an `Explanation` -> numbers by the names of their columns; NaN for what has no meaning.
        The names may depend on the question, but not on the explanation.
    of_all : callable | None
        Measures the sample together: a `Question` and its explanations -> tables by their names, of values that JSON has.
    """

    findings: Callable[[Evaluation], Sequence[Finding]]
    of_each: Callable[[Explanation], Mapping[str, float]] | None = None
    of_all: Callable[[Question, Sequence[Explanation]], Mapping[str, pd.DataFrame]] | None = None


#: name -> the part, in the order in which they are measured and told
PARTS: dict[str, Part] = {
    "faithfulness": Part(curves.findings, of_each=curves.measure),
    "knock-out": Part(knockout.findings, of_each=knockout.measure),
    "one by one": Part(one_by_one.findings, of_each=one_by_one.measure),
    "sets": Part(sets_told.findings, of_each=sets.measure, of_all=sets_told.tables),
    "shortcuts": Part(shortcuts.findings, of_each=shortcuts.measure, of_all=shortcuts.look),
    "events": Part(in_events.findings, of_all=in_events.measure),
    "stability": Part(stability.findings, of_each=stability.measure),
    "agreement": Part(agreements.findings, of_each=agreements.measure, of_all=agreements.tables),
    "sanity": Part(sanity.findings, of_all=sanity.measure),
}
