"""What the first screen tells of each stage, as numbers; and the table that grades them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.results import tables
from eegflex.results.decided import (
    DECIDES,
    ContextShare,
    baseline_stages,
    change_error,
    context_of,
    explained_epochs,
    stays,
)
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.phase_table import is_told
from eegflex.results.spectral_share import has_share, spectral_share
from eegflex.results.trust import has_evidence, judge
from eegflex.results.wording import percent, sums_to_change, told_stages

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["GRADES", "LIMITS", "StageFacts", "grade", "of_stages", "worst"]

#: Grades, the worst last, and the marks that they have beside a colour.
GRADES = {"unknown": "–", "good": "✓", "some": "◐", "bad": "✗"}
#: What the first screen grades: from where on it is good, and from where on bad.
LIMITS: dict[str, tuple[float, float]] = {
    # Cohen's kappa at the lower end of its interval: "almost perfect", and no longer "substantial" (Landis and Koch, 1977)
    "agreement": (0.8, 0.6),
    # share of epochs in which channels give different stages
    "disagreement": (0.05, 0.2),
    # share of the explained stages that the epoch's own spectrum does not decide
    "decided elsewhere": (0.0, 0.5),
    # share of the night that was explained; below five epochs of a stage, whatever the share
    "looked at": (1.0, 0.0),
    # share of a stage's tested epochs that are trusted
    "trusted": (0.5, 0.1),
    # share of a cohort's recordings that failed
    "failed": (0.0, 0.2),
}


def grade(name: str, value: float) -> str:
    """Grade a number by `LIMITS`.

    Examples
    --------
    >>> [grade("agreement", value) for value in (0.9, 0.7, 0.3, float("nan"))]
    ['good', 'some', 'bad', 'unknown']
    """
    good, bad = LIMITS[name]
    if not np.isfinite(value):
        return "unknown"
    sign = 1 if good > bad else -1
    return "good" if sign * value >= sign * good else "bad" if sign * value <= sign * bad else "some"


def worst(*grades: str) -> str:
    """The worst of some grades; nothing is worse for not being known."""
    return max(grades, key=list(GRADES).index)


@dataclass(frozen=True)
class StageFacts:
    """What is known of the explained epochs of one stage, whatever was measured of it.

    Attributes
    ----------
    stage : str
        The predicted stage, by the most confident channel set.
    places : array of int
        Places of its epochs in the result.
    n_within : int
        Of how many the change is within its error.
    context : ContextShare
        What part of the change the context made.
    called : float
        In what share of them the baseline is called this stage, where its score is what is explained; NaN elsewhere.
    stays : float
        In what share of cases the stager says this stage with the epoch and its context both at the baseline; NaN where nobody
        knows.
    way : str
        What decides it by random phases: ``"spectrum"``, ``"waveforms"``, ``"relations"``, ``"unclear"``; empty where that
        is not known.
    kept : tuple of (float, float, float, int)
        Of how many of the night, the share that keeps the stage with random phases, its interval, and of how many.
    n_trusted, n_tested : int | None
        How many are trusted of how many that were tested on the model; None where nothing was tested.
    why_not : str
        Why others are not.
    """

    stage: str
    places: npt.NDArray[np.intp]
    n_within: int
    context: ContextShare
    called: float
    stays: float
    way: str
    kept: tuple[float, float, float, int]
    n_trusted: int | None
    n_tested: int | None
    why_not: str

    @property
    def n(self) -> int:
        """How many epochs were explained."""
        return len(self.places)

    @property
    def is_silent(self) -> bool:
        """Whether most epochs changed the score by no more than the error."""
        return 2 * self.n_within > self.n

    @property
    def n_context(self) -> int:
        """In how many the context made more than half of the change."""
        return self.context.n_more

    @property
    def n_context_known(self) -> int:
        """Of how many that is known."""
        return len(self.context.values)

    @property
    def is_kept(self) -> bool:
        """Whether the stage stays without the epoch and its context: then who made the change is not what decides."""
        return self.stays > DECIDES

    @property
    def is_of_context(self) -> bool:
        """Whether the context decides; of too few epochs for an interval, whether it did in most of them."""
        if self.is_kept:
            return False
        return 2 * self.n_context > self.n_context_known if self.n < MIN_EPOCHS else self.context.decides == "context"

    @property
    def is_open(self) -> bool:
        """Whether it is not told, of enough epochs, if the epoch or its neighbours decide."""
        return self.n >= MIN_EPOCHS and not self.is_elsewhere and self._is_unclear

    @property
    def is_told(self) -> bool:
        """Whether enough is known to say what decides: of enough epochs, or of the night that was staged without waveforms."""
        return self.n >= MIN_EPOCHS or self.way in ("waveforms", "relations")

    @property
    def is_elsewhere(self) -> bool:
        """Whether something else than the epoch's own spectrum decides."""
        return self.is_silent or self.is_of_context or self.way in ("waveforms", "relations")

    @property
    def _is_unclear(self) -> bool:
        return bool(len(self.context.values)) and (self.is_kept or self.context.decides == "unclear")

    def reasons(self, baseline: str) -> list[tuple[str, str, str]]:
        """Why it can be believed or not: the grade, a few words, and the numbers; the worst first.

        Parameters
        ----------
        baseline : str
            What epochs were compared with, in words.
        """
        kept, low, high, of = self.kept
        few = self.n < MIN_EPOCHS
        seen = "some" if few else "bad"  # of few epochs nothing is told of the stage
        between = f" (95 % interval {percent(low)} to {percent(high)})" if np.isfinite(low) else ""
        without = (
            f"with waveforms scrambled and every rhythm as strong as before, {percent(kept)}{between} of {of} epochs of the "
            f"night stay {self.stage}"
        )
        found = [
            (self.is_silent, seen, f"not explained, compared with {baseline}",
             f"in {self.n_within} of {self.n} epochs the score changes by less than its error"),
            (self.is_of_context, seen, "the neighbouring epochs decide",
             f"in {self.n_context} of {self.n_context_known} epochs they make more than half of the change"),
            (self.is_open and self.is_kept, "some", "what decides is not told",
             f"the stager says {self.stage} without the epoch and its neighbours, too, in {percent(self.stays)} of cases"),
            (self.is_open and not self.is_kept, "some", "the epoch or its neighbours: unclear",
             f"the neighbours make {percent(self.context.median)} of the change at the median{self._between()}"),
            (self.way == "waveforms", "bad", "waveforms decide, not rhythms", without),
            (self.way == "relations", "bad", "relations between channels decide", without),
            (self.way == "unclear", "some", "rhythms or waveforms: unclear", without),
            (self.called > DECIDES, "bad", f"the baseline is already called {self.stage}",
             f"{baseline} is called {self.stage} in {percent(self.called)} of cases; marks show how epochs differ from it"),
            *self._tested(),
            (few, "some", "examples only", f"n = {self.n}, too few for a general statement"),
        ]  # fmt: skip
        told = [(how, words, numbers) for holds, how, words, numbers in found if holds]
        return sorted(told, key=lambda one: -list(GRADES).index(one[0]))

    def _between(self) -> str:
        low, high = self.context.low, self.context.high
        return (
            f" (95 % interval {percent(low)} to {percent(high)})" if np.isfinite(low) else ", too few for an interval"
        )

    def _tested(self) -> list[tuple[bool, str, str, str]]:
        """What tests on the model said."""
        if self.n_tested is None:
            return [(True, "some", "not tested", "the explanations were not tested on the model")]
        if not self.n_tested:
            return [(True, "some", "not tested", "none of these was in the sample that was tested on the model")]
        how = grade("trusted", (self.n_trusted or 0) / self.n_tested)
        words = f"tested on the model: {self.n_trusted} of {self.n_tested} epochs {'holds' if self.n_trusted == 1 else 'hold'}"
        return [(True, how, words, self.why_not)]


def of_stages(result: FlexResult) -> list[StageFacts]:
    """Gather what is known of each stage that epochs were explained of, in the order of the stager's outputs.

    Parameters
    ----------
    result : FlexResult
        Of one recording and one target.
    """
    data = result.data
    own = tables.counted_stages(data, "predicted")
    order = [stage for stage in result.stages if (own == stage).any()]
    trust = judge(data) if has_evidence(data) else None
    within = ~explained_epochs(data) & np.isfinite(change_error(data)).any(axis=1)
    ways = _ways(data)
    found = []
    for stage in order:
        here = own == stage
        row = ways.get(stage)
        tested = None if trust is None else trust.tested & here
        found.append(
            StageFacts(
                stage=stage,
                places=np.flatnonzero(here),
                n_within=int(within[here].sum()),
                context=context_of(data, here),
                called=_called(result, stage),
                stays=stays(data, stage),
                way="" if row is None else str(row["decided_by"]),
                kept=_kept(row),
                n_trusted=None if trust is None else int((trust.epochs & here).sum()),
                n_tested=None if tested is None else int(tested.sum()),
                why_not="" if trust is None else trust.main_reasons(trust.tested & ~trust.epochs & here),
            )
        )
    return found


def _ways(dataset: xr.Dataset) -> dict[str, pd.Series]:
    """Stages of which random phases say what decides, and their rows of the table; none where nobody asked."""
    found = spectral_share(dataset).iterrows() if has_share(dataset) else ()
    return {str(stage): row for stage, row in found if is_told(row) or row["decided_by"] == "spectrum"}


def _called(result: FlexResult, stage: str) -> float:
    of_stage = result.parameters["target"] in ("predicted", "scored", "all", stage)
    if not (of_stage and sums_to_change(result) and "replaced_scores" in result.data):
        return float("nan")
    return float(told_stages(baseline_stages(result.data, stage), result.parameters["context"])[stage])


def _kept(row: pd.Series | None) -> tuple[float, float, float, int]:
    if row is None:
        return np.nan, np.nan, np.nan, 0
    kind = "independent" if row["decided_by"] == "relations" else "joint"
    share, low, high = (float(row[f"agreement_{kind}{end}"]) for end in ("", "_low", "_high"))
    return share, low, high, int(row["n_epochs"])
