"""Checks of how exact the attributions are: by what they add up to, and by their estimated error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.evaluation.evidence import Evidence
from eegflex.evaluation.thresholds import CANCELLING, MOST, TIGHT, USABLE
from eegflex.findings import Finding, error, ok, unknown, warning
from eegflex.results import tables
from eegflex.results.wording import count_epochs, method_words, percent, sums_to_change, unit, window_words
from eegflex.scores import NEGLIGIBLE
from eegflex.settings import ADAPTIVE, DRAWN_BASELINES

if TYPE_CHECKING:
    from eegflex.findings import Value
    from eegflex.results.result import FlexResult

__all__ = ["cancellation", "completeness", "convergence", "precision", "window"]


def completeness(evidence: Evidence) -> Finding:
    """Whether attributions add up to the change of the score, where there is a change to add up to."""
    if not sums_to_change(evidence.result):
        return unknown(
            f"the attributions of this method ({method_words(evidence.result)}) are not meant to sum to the change of the "
            "score, so a completeness gap does not show how exact they are"
        )
    gaps = evidence.gaps
    there = evidence.changes > evidence.bounds * evidence.scales
    n, n_there, n_within = len(gaps), int(there.sum()), int((gaps[there] <= TIGHT).sum())
    values = evidence.sizes | {
        "tolerance": TIGHT,
        "n_larger_than_error": n_there,
        "n_within": n_within,
        **_spread(gaps),
    }
    size = f"(median gap {percent(np.median(gaps))}, largest {percent(gaps.max())})"
    if not n_there:
        return unknown(
            f"in none of {n} {evidence.cases} did the score change by more than the error of the sum of its "
            f"attributions, so it is not known whether they add up to the change {size}",
            **values,
        )
    said = (
        f"in {n_within} of {n_there} {evidence.cases} the attributions add up to F(x) − F(x_b) within {percent(TIGHT)} of the "
        f"absolute total of the band sums {size}"
    )
    if n_there < n:
        said += (
            f". In {n - n_there} more the score changed by no more than the error of the sum, so adding up says nothing"
        )
    return ok(said, **values) if n_within >= MOST * n_there else warning(said, _refine(evidence.result), **values)


def convergence(evidence: Evidence) -> Finding | None:
    """Whether the quadrature met its tolerance; None for a method that has neither a path nor an estimate."""
    errors, parameters = evidence.errors[~np.isnan(evidence.errors)], evidence.result.parameters
    if not len(errors):
        if "quadrature" not in parameters:
            return None
        return unknown(
            f"the quadrature {parameters['quadrature']!r} has no estimate of its error, of which a completeness gap is only a "
            "lower bound",
            f"Use quadrature={ADAPTIVE!r}, which has one",
        )
    values = evidence.sizes | {"n": len(errors), **_spread(errors)}
    size = f"the largest estimated error of the band sums is {percent(errors.max())} of their absolute total"
    if parameters["baseline"] in DRAWN_BASELINES:  # of which a tolerance of the quadrature says nothing
        return ok(
            f"{size}, over {len(errors)} {evidence.cases}; most of it comes from the few draws of the baseline",
            **values,
        )
    if "tol" not in parameters:
        return ok(f"{size}, over {len(errors)} {evidence.cases}", **values)
    tol, n_converged = float(parameters["tol"]), int((errors <= parameters["tol"]).sum())
    values |= {"tol": tol, "n_converged": n_converged}
    how_many = f"all {len(errors)}" if n_converged == len(errors) else f"{n_converged} of {len(errors)}"
    said = f"{how_many} {evidence.cases} converged to the tolerance of {percent(tol)}; {size}"
    n_negligible = int(tables.is_negligible(evidence.data).sum())
    if n_negligible:
        values["n_negligible"] = n_negligible
        said += (
            f". In {n_negligible} the band sums are negligible (all together less than {NEGLIGIBLE:g} of the standard "
            "deviation of the scores over the night), and their errors are relative to that"
        )
    converged = n_converged >= MOST * len(errors)
    return ok(said, **values) if converged else warning(said, _refine(evidence.result), **values)


def precision(evidence: Evidence) -> Finding | None:
    """How large differences between band sums must be to mean anything; None where nothing is known of their error."""
    bounds = evidence.bounds[~np.isnan(evidence.bounds) & evidence.are_there]
    if not len(bounds):
        return None
    limit = float(np.quantile(bounds, MOST, method="inverted_cdf"))
    n, n_within = len(bounds), int((bounds <= limit).sum())
    values = evidence.sizes | {"n": n, "n_within": n_within, "error": limit}
    how = "" if np.isfinite(evidence.errors).any() else ", judged by the completeness gap alone"
    most = f"{percent(MOST)} of {evidence.cases}, {n_within} of {n}, are at least as exact{how}"
    size = f"{percent(limit)} of their absolute total"
    if limit <= TIGHT:
        return ok(f"the band sums are exact enough: their error is {size} ({most})", **values)
    if limit <= USABLE:
        return ok(f"differences between band sums of less than about {size} mean nothing ({most})", **values)
    said = f"the band sums should not be relied on: their error is {size} ({most}), and {percent(USABLE)} is too much"
    return error(said, _refine(evidence.result), **values)


def cancellation(evidence: Evidence) -> Finding | None:
    """How much larger the parts are than the change of the score that they add up to; None where they do not, or are none."""
    if not sums_to_change(evidence.result) or not evidence.are_there.any():
        return None
    total, change = float(np.median(evidence.totals)), float(np.median(evidence.changes))
    ratio = total / change if change else np.inf
    values = evidence.sizes | {"total": total, "change": change, "ratio": ratio}
    typical = (
        f"typically, over {len(evidence.totals)} {evidence.cases}, the band sums have an absolute total of {total:.3g} while "
        f"the score changed by {change:.2g} ({unit(evidence.result)}) from the baseline to the epoch"
    )
    if ratio <= CANCELLING:
        return ok(f"contributions of both signs hardly cancel: {typical}", **values)
    return warning(
        f"contributions of both signs cancel: {typical}",
        "Interpret which bands are evidence for and against the stage, not the share of the score of a band",
        **values,
    )


def window(evidence: Evidence) -> Finding | None:
    """How far explaining epochs within windows changed them; None for a stager that has a window of its own."""
    told = evidence.result.provenance.get("window")
    if not told:
        return None
    within = f"explained within windows of {window_words(told)}"
    if "error_median" not in told:
        return ok(f"{within}, which is all that the stager was given", length=int(told["length"]))
    median, largest, n = (told[name] for name in ("error_median", "error_largest", "measured_on_epochs"))
    by_stage, against = told.get("error_by_stage", {}), told.get("measured_against", "the whole night")
    each = ", ".join(f"{stage} {percent(max(own))} (n = {len(own)})" for stage, own in by_stage.items())
    said = (
        f"{within}; on {count_epochs(int(n))} the band sums differ from those in {against} "
        f"by {percent(median)} (median), {percent(largest)} (largest)"
    ) + f", at most by stage: {each}" * bool(each)
    values: dict[str, Value] = {"length": told["length"], "n_epochs": n, "median": median, "largest": largest}
    return ok(said, **values) if largest <= USABLE else warning(said, "A longer window_length changes less", **values)


def _spread(shares: npt.NDArray[np.float64]) -> dict[str, Value]:
    """Quantiles of gaps or errors."""
    quantiles = {"median": 0.5, "q90": 0.9, "q95": 0.95, "largest": 1.0}
    return {name: float(np.quantile(shares, level)) for name, level in quantiles.items()}


def _refine(result: FlexResult) -> str:
    """What makes the error of the band sums smaller."""
    if result.parameters["baseline"] in DRAWN_BASELINES:
        return "The baseline is drawn at random for each epoch: look at means over epochs, where the draws average out"
    quadrature = result.parameters.get("quadrature")
    if quadrature is None:
        return "Compare with a method whose error can be made smaller, such as method='flex'"
    if quadrature == ADAPTIVE:
        return "A smaller tol, or a larger max_evals, makes the error smaller"
    return f"More n_steps, or quadrature={ADAPTIVE!r}, make the error smaller"
