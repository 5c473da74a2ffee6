"""How far a result can be trusted, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.results import tables
from eegflex.results.wording import count_epochs, method_words, sums_to_change, unit

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = [
    "agreement_words",
    "cancellation_words",
    "completeness_words",
    "convergence_words",
    "doubts",
    "edge_words",
    "left_out",
    "partial_words",
    "trust",
    "window_words",
]

#: Relative completeness gap within which an epoch's attributions are said to add up.
TIGHT = 0.01
#: Share of the epochs that a judgement must hold for.
MOST = 0.95
_REMEDY = "a smaller tol, or more gradient evaluations (max_evals, n_steps), make the error smaller"
#: Errors within which most epochs must be, and what is then said of the band sums.
_JUDGEMENTS = (
    (TIGHT, "The band sums can be taken as they stand."),
    (0.05, "Differences between band sums of less than about {error} of that total mean nothing; {remedy}."),
    (np.inf, "The band sums should not be relied on: {remedy}."),
)
#: How many times larger than the change of the score the band sums must be for the report to say so.
CANCELLING = 3
_EDGES = {
    "shifted": "had {their} window shifted to lie within the run: {they} {were} not staged from the usual place in it.",
    "padded": "had {their} window filled with silence where the run has no epochs.",
}
_FAULTS = {"at an edge": "the filter of the preparation reaches {them} from beyond the edge of a run."}


def trust(result: FlexResult) -> list[str]:
    """Say how far a result can be trusted.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    """
    result = result.for_target()
    sentences = [
        agreement_words(result),
        completeness_words(result),
        cancellation_words(result),
        window_words(result),
        *edge_words(result),
        *left_out(result),
    ]
    return [sentence for sentence in sentences if sentence]


def agreement_words(result: FlexResult) -> str:
    """Say how far the stager agrees with the hypnogram."""
    agreed = tables.agreement(result.to_xarray())
    if agreed is None:
        return "There is no hypnogram to compare the stager with."
    kappa, confusion = agreed
    counts = confusion.to_numpy()
    share = np.trace(counts) / counts.sum()
    said = "not defined (a single stage)" if np.isnan(kappa) else f"{kappa:.2f}"
    return f"Cohen's kappa with the hypnogram is {said}: {100 * share:.0f} % of {counts.sum()} scored epochs agree."


def completeness_words(result: FlexResult) -> str:
    """Say whether the sums can be trusted: by their estimated error, or by the completeness gap where there is none.

    A gap is a lower bound of the error, so that it also judges where it should be larger than the estimate.
    """
    if not sums_to_change(result):
        return (
            f"The attributions of this method ({method_words(result)}) are not meant to sum to the change of the score, so "
            "that no completeness gap tells how exact they are."
        )
    gaps = result.relative_gap().ravel()
    errors = np.fmax(gaps, result.to_xarray()["error"].values.ravel())
    fact = (
        f"In {100 * (gaps <= TIGHT).mean():.0f} % of {gaps.size} {_cases(result)} the attributions add up to F(x) − F(x_b) "
        f"within 1 % of the absolute total of the band sums (median gap {_percent(np.median(gaps))}, largest "
        f"{_percent(gaps.max())})."
    )
    judgement = next(words for limit, words in _JUDGEMENTS if (errors <= limit).mean() >= MOST)
    said = judgement.format(error=_percent(np.quantile(errors, MOST)), remedy=_REMEDY)
    return " ".join(filter(None, [fact, convergence_words(result), said]))


def convergence_words(result: FlexResult) -> str:
    """Say how large the error of the band sums is estimated to be; nothing without an estimate."""
    errors = _errors(result)
    if not errors.size:
        return ""
    tol = float(result.parameters["tol"])
    n_converged = int((errors <= tol).sum())
    which = f"All {errors.size}" if n_converged == errors.size else f"{n_converged} of {errors.size}"
    return (
        f"{which} {_cases(result)} converged to the tolerance of {_percent(tol)}; the largest estimated error of the band sums "
        f"is {_percent(errors.max())} of that total."
    )


def cancellation_words(result: FlexResult) -> str:
    """Say how much larger the parts are than the change of the score that they add up to; nothing if they are not."""
    if not sums_to_change(result):
        return ""
    dataset = result.to_xarray()
    parts = tables.sizes(dataset)
    changes = np.abs(dataset["score"].values - dataset["baseline_score"].values)
    whole, change = float(np.median(parts)), float(np.median(changes))
    if whole <= CANCELLING * change:
        return ""
    return (
        f"Contributions of both signs cancel: typically the band sums have an absolute total of {whole:.3g} while "
        f"the score changed by {change:.2g} ({unit(result)}) from the baseline to the epoch. Read which bands speak "
        "for and against the stage, not how much of the score a band makes up."
    )


def window_words(result: FlexResult) -> str:
    """Say how far explaining epochs within windows changed them; nothing of a stager that has a window of its own."""
    window = result.provenance.get("window")
    if not window:
        return ""
    within = f"Explained within windows of {count_epochs(int(window['length']))}"
    if "error_median" not in window:
        return f"{within}, which is all that the stager was given."
    return (
        f"{within}; on {count_epochs(int(window['measured_on_epochs']))} the band sums differ from those of the whole night "
        f"by {_percent(window['error_median'])} (median), {_percent(window['error_largest'])} (largest)."
    )


def edge_words(result: FlexResult) -> list[str]:
    """Say how many epochs lie so near the edge of a run that what the stager was given of them is made up in part."""
    dataset = result.to_xarray()
    edges = dataset["edge"].values.astype(str)
    lines = []
    for edge, words in _EDGES.items():
        if count := int((edges == edge).sum()):
            lines.append(f"{count_epochs(count)} near the edge of a run {words.format(**_pronouns(count))}")
    if count := int(dataset["filter_edge"].values.astype(bool).sum()):
        lines.append(
            f"{count_epochs(count)} near the edge of a run: the preparation's filter had to make up a signal beyond that "
            f"edge, and {_pronouns(count)['their']} slow rhythms are less sure."
        )
    return lines


def doubts(result: FlexResult) -> list[str]:
    """What the checks before the attribution found wrong, a sentence each; the stager's section has all that they found."""
    weights = {"error": "This explanation is not to be believed", "warning": "Look at this first"}
    return [
        f"{said}. {one['check'].capitalize()}: {one['measured']}."
        for status, said in weights.items()
        for one in result.provenance.get("checks", [])
        if one["status"] == status
    ]


def partial_words(result: FlexResult) -> str:
    """Say that the attribution was stopped; nothing of one that was not."""
    if not result.is_partial:
        return ""
    sizes = result.to_xarray().sizes
    return (
        f"The attribution was stopped before it was finished: {sizes['epoch']} of the recording's {sizes['night']} epochs are "
        "explained. All that is said here is of these alone."
    )


def left_out(result: FlexResult) -> list[str]:
    """Say which epochs could not be explained, and why."""
    provenance = result.provenance
    faults = dict(provenance.get("faults", {}))
    lines = []
    for fault, count in faults.items():
        said = _pronouns(count)
        why = _FAULTS[fault].format(**said) if fault in _FAULTS else f"{said['their']} signal is {fault}."
        lines.append(f"{_left(count)} out: {why}")
    other = int(provenance["epochs"]) - int(provenance["explained"]) - sum(map(int, faults.values()))
    chosen_from = result.is_partial or result.is_sample
    alone = min(other, _n_not_staged(result)) if chosen_from else other
    if alone > 0:
        lines.append(f"{_left(alone)} out: the stager needs neighbours that the recording does not have.")
    if other > alone:
        why = "reached, or not to be explained" if result.is_partial else "drawn for the sample"
        lines.append(f"{count_epochs(other - alone)} more {_pronouns(other - alone)['were']} not {why}.")
    return lines or ["No epoch was left out."]


def _n_not_staged(result: FlexResult) -> int:
    """Count the epochs without fault that the stager could not score."""
    dataset = result.to_xarray()
    sound = dataset["night_fault"].values.astype(str) == ""
    return int((sound & ~np.isfinite(dataset["night_scores"].values).all(axis=(1, 2))).sum())


def _pronouns(count: int) -> dict[str, str]:
    one = {"their": "its", "they": "it", "them": "it", "were": "was"}
    return one if count == 1 else {word: word for word in one}


def _left(count: int) -> str:
    return f"{count_epochs(count)} {_pronouns(count)['were']} left"


def _errors(result: FlexResult) -> npt.NDArray[np.float64]:
    """Return the estimated errors that there are."""
    errors = result.to_xarray()["error"].values.ravel().astype(np.float64)
    return errors[~np.isnan(errors)]


def _cases(result: FlexResult) -> str:
    return "epochs" if result.relative_gap().shape[1] == 1 else "pairs of an epoch and a channel set"


def _percent(share: float) -> str:
    return f"{100 * float(share):.2g} %"
