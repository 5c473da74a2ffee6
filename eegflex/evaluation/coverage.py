"""Checks of what was explained: of which stager, how well it stages, which epochs, and which not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.agreement import cohens_kappa, confusion
from eegflex.doctor.sign_test import FAIR, MIN_BOUTS, MIN_EPOCHS, bootstrap_kappas, bouts_of
from eegflex.evaluation.evidence import Evidence
from eegflex.evaluation.thresholds import MOST
from eegflex.findings import Finding, error, ok, unknown, warning
from eegflex.results import tables
from eegflex.results.wording import count_epochs, percent

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.findings import Value
    from eegflex.results.result import FlexResult

__all__ = ["agreement", "edges", "left_out", "model_checks", "stopped"]

#: Draws of bouts for the interval of kappa, and the share of them that it holds.
N_DRAWS, INTERVAL = 1000, 0.95


def model_checks(evidence: Evidence) -> Finding:
    """What the doctor found before the attribution."""
    found = [Finding(**one) for one in evidence.result.provenance.get("checks", [])]
    if not found:
        return unknown("the model was not checked before it was explained", "Look at what eegflex.check_model finds")
    bad = {status: [one for one in found if one.status == status] for status in ("error", "warning")}
    counts = {f"n_{status}s": len(those) for status, those in bad.items()}
    n_unknown = sum(one.status == "unknown" for one in found)
    values: dict[str, Value] = {"n": len(found), **counts, "n_unknown": n_unknown}
    said = {"error": "do not believe this explanation", "warning": "check this first"}
    parts = [". ".join([said[status], *map(_named, those)]) for status, those in bad.items() if those]
    parts[1:] = [f"{part[0].upper()}{part[1:]}" for part in parts[1:]]
    if not parts:
        cannot = f"; {n_unknown} had too few data to judge" if n_unknown else ""
        return ok(f"none of {len(found)} checks of the model found anything wrong{cannot}", **values)
    remedy = ". ".join(dict.fromkeys(one.remedy for those in bad.values() for one in those))
    judge = error if bad["error"] else warning
    return judge(". ".join(parts), remedy, **values)


def _named(found: Finding) -> str:
    return f"{found.check.capitalize()}: {found.measured}"


def stopped(evidence: Evidence) -> Finding | None:
    """That the attribution was stopped; None for one that was not."""
    if not evidence.result.is_partial:
        return None
    n_explained, n_recording = evidence.data.sizes["epoch"], evidence.data.sizes["night"]
    return warning(
        f"the attribution was stopped before it was finished: {n_explained} of the recording's {n_recording} epochs are "
        "explained",
        "All statements concern these alone",
        n_explained=n_explained,
        n_recording=n_recording,
    )


def agreement(evidence: Evidence) -> Finding:
    """How far the stager agrees with the hypnogram."""
    stages = list(evidence.result.stages)
    scored = _places(evidence.data["night_stage"].values, stages)
    predicted = _places(tables.night_stages(evidence.data)[1], stages)
    judged = (scored >= 0) & (predicted >= 0)
    n_epochs, bout = int(judged.sum()), bouts_of(scored)[judged]
    if not n_epochs:
        return unknown("there is no hypnogram to compare the stager with")
    counts = confusion(scored[judged], predicted[judged], len(stages))
    kappa, n_bouts, n_agreeing = cohens_kappa(counts), len(np.unique(bout)), int(np.trace(counts))
    agree = f"{n_agreeing} of {n_epochs} scored epochs agree ({100 * n_agreeing / n_epochs:.0f} %)"
    values: dict[str, Value] = {"n_epochs": n_epochs, "n_bouts": n_bouts, "n_agreeing": n_agreeing, "kappa": kappa}
    if np.isnan(kappa):
        return unknown(f"Cohen's kappa with the hypnogram is not defined (a single stage): {agree}", **values)
    if n_epochs < MIN_EPOCHS or n_bouts < MIN_BOUTS:
        return unknown(
            f"Cohen's kappa with the hypnogram is {kappa:.2f}: {agree}. That is too little to judge: {MIN_EPOCHS} epochs in "
            f"{MIN_BOUTS} bouts are needed",
            **values,
        )
    drawn = bootstrap_kappas(scored[judged], predicted[judged], bout, len(stages), n_draws=N_DRAWS)
    low, high = map(float, np.nanquantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2]))
    values |= {"kappa_low": low, "kappa_high": high}
    said = (
        f"Cohen's kappa with the hypnogram is {kappa:.2f} ({low:.2f} to {high:.2f}, {percent(INTERVAL)} interval over "
        f"{n_bouts} bouts): {agree}"
    )
    if low >= FAIR:
        return ok(said, **values)
    if high >= FAIR:
        return unknown(f"{said}. It is not distinguishable from a poor agreement, {FAIR:g}", **values)
    return warning(
        said,
        "Take this as a description of the stager, not of sleep; check the channels and the hypnogram",
        **values,
    )


def _places(labels: npt.NDArray[Any], stages: list[str]) -> npt.NDArray[np.intp]:
    """Places of the stages; -1 for what is none of them."""
    place = {stage: number for number, stage in enumerate(stages)}
    return np.array([place.get(str(label), -1) for label in labels], dtype=np.intp)


#: Where the window of an epoch lies -> what that did to it.
_EDGES = {
    "shifted": "had {their} window shifted to lie within the run: {they} {were} not staged from the usual place in it",
    "padded": "had {their} window filled with silence where the run has no epochs",
}


def edges(evidence: Evidence) -> Finding:
    """How many epochs lie so near the edge of a run that what the stager was given of them is made up in part."""
    where, filtered = evidence.data["edge"].values.astype(str), evidence.data["filter_edge"].values.astype(bool)
    counts = {edge: int((where == edge).sum()) for edge in _EDGES}
    lines = [
        f"{count_epochs(n)} near the edge of a run {_EDGES[edge].format(**_pronouns(n))}"
        for edge, n in counts.items()
        if n
    ]
    if n := int(filtered.sum()):
        lines.append(
            f"{count_epochs(n)} near the edge of a run: the preparation's filter had no signal beyond that edge, so "
            f"{_pronouns(n)['their']} slow rhythms are less reliable"
        )
    touched = int((np.isin(where, list(_EDGES)) | filtered).sum())
    values: dict[str, Value] = {"n_epochs": len(where), "n_near_edge": touched, "n_filter_edge": int(filtered.sum())}
    values |= {f"n_{edge}": count for edge, count in counts.items()}
    said = ". ".join(lines) or f"none of {count_epochs(len(where))} lies near the edge of a run"
    if touched <= (1 - MOST) * len(where):
        return ok(said, **values)
    return warning(said, "Such epochs are left out with edges='skip' and filter_edges='mask'", **values)


#: A fault that is no property of the signal -> why it keeps an epoch from being explained.
_FAULTS = {"at an edge": "the filter of the preparation reaches {them} from beyond the edge of a run"}


def left_out(evidence: Evidence) -> Finding:
    """Which epochs could not be explained, and why."""
    data = evidence.data
    names, counts = np.unique(data["night_fault"].values.astype(str), return_counts=True)
    faults = {str(name): int(count) for name, count in zip(names, counts, strict=True) if name}
    n_recording, n_explained, n_faulty = data.sizes["night"], data.sizes["epoch"], sum(faults.values())
    n_alone = _n_not_staged(data)
    n_others = n_recording - n_explained - n_faulty - n_alone
    lines = [f"{_left(n)} out: {_why(fault, n)}" for fault, n in faults.items()]
    if n_alone:
        lines.append(f"{_left(n_alone)} out: the stager needs neighbours that are missing")
    if n_others > 0:
        lines.append(f"{count_epochs(n_others)} more {_pronouns(n_others)['were']} not {_not_what(evidence.result)}")
    values: dict[str, Value] = {
        "n_recording": n_recording,
        "n_explained": n_explained,
        "n_faulty": n_faulty,
        "n_without_neighbours": n_alone,
        "n_not_chosen": n_others,
    }
    said = ". ".join(lines) or f"none of {count_epochs(n_recording)} was left out"
    if n_faulty + n_alone <= (1 - MOST) * n_recording:
        return ok(said, **values)
    return warning(said, "Look at these epochs: the findings concern the others alone", **values)


def _not_what(result: FlexResult) -> str:
    """What epochs were not that could have been explained, and were not."""
    if result.is_partial:
        return "reached, or not to be explained"
    if result.is_sample:
        return "drawn for the sample"
    return "scored" if result.parameters["target"] == "scored" else "selected"


def _why(fault: str, count: int) -> str:
    said = _pronouns(count)
    return _FAULTS[fault].format(**said) if fault in _FAULTS else f"{said['their']} signal is {fault}"


def _n_not_staged(data: xr.Dataset) -> int:
    """Count the epochs without fault that the stager could not score."""
    sound = data["night_fault"].values.astype(str) == ""
    return int((sound & ~np.isfinite(data["night_scores"].values).all(axis=(1, 2))).sum())


def _left(count: int) -> str:
    return f"{count_epochs(count)} {_pronouns(count)['were']} left"


def _pronouns(count: int) -> dict[str, str]:
    one = {"their": "its", "they": "it", "them": "it", "were": "was"}
    return one if count == 1 else {word: word for word in one}
