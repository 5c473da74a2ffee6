"""Findings about a mean over explanations: what is said of it, and on what evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.faithfulness import Interval
    from eegflex.findings import Value

__all__ = ["ALIKE", "MORE", "count_explanations", "judged", "limits", "spoken", "too_few", "was"]

#: What to do where an interval holds the threshold.
MORE = "Evaluate more epochs: sample_per_stage="
#: Why a mean has no interval.
ALIKE = "they lie within 10 minutes, and say nothing about other epochs"


def spoken(own: Interval, n: int, what: str = "") -> str:
    """A mean with its interval and its n, after what it is a mean of."""
    what = f"{what}, " if what else ""
    return f"{own.mean:.2f} ({what}95 % interval {limits(own.low, own.high)}, n = {n})"


def count_explanations(n: int) -> str:
    """So many explanations."""
    return f"{n} explanation{'s' * (n != 1)}"


def was(n: int) -> str:
    """The verb of so many."""
    return "was" if n == 1 else "were"


def limits(low: Any, high: Any, form: str = ".2f") -> str:
    """An interval in words; explanations that all lie within 10 minutes have none."""
    return f"{low:{form}} to {high:{form}}" if math.isfinite(low) and math.isfinite(high) else "not known"


def too_few(evaluation: Evaluation, column: str, name: str) -> Finding | None:
    """The finding that there are too few explanations to say anything; None where there are enough."""
    n = evaluation.count(column)
    few = f"it is known of {count_explanations(n)} only, too few for a statement"
    return unknown(few, n=n).named(name) if n < MIN_EPOCHS else None


def judged(
    evaluation: Evaluation,
    column: str,
    said: str,
    threshold: float,
    remedy: str,
    *,
    name: str = "",
    higher: bool = True,
    more: Mapping[str, Value] | None = None,
) -> Finding:
    """Judge the mean of a column by a threshold: ok or a warning if its whole interval is on one side, unknown if not.

    Parameters
    ----------
    evaluation : Evaluation
        Whose column it is.
    column : str
        Its name.
    said : str
        What was measured.
    threshold : float
        Where good and bad part.
    remedy : str
        What to do about bad.
    name : str
        Of the finding; by default the column's.
    higher : bool
        Whether a higher mean is better.
    more : mapping of str to float, int, str or None
        More numbers that are told.
    """
    own, n = evaluation.interval(column), evaluation.count(column)
    told: dict[str, Value] = {"n": n, "mean": own.mean, "low": own.low, "high": own.high, "threshold": threshold}
    told |= more or {}
    if (own.low > threshold) if higher else (own.high < threshold):
        found = ok(said, **told)
    elif (own.high < threshold) if higher else (own.low > threshold):
        found = warning(said, remedy, **told)
    else:
        why = f"{threshold:g} lies in the interval" if math.isfinite(own.low) else ALIKE
        found = unknown(f"{said}; {why}", MORE, **told)
    return found.named(name or column)
