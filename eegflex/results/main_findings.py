"""The main findings of a result: what spoke most for and against each stage, where that is told from nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eegflex.findings import Finding, Findings, Value, ok, unknown, warning
from eegflex.results import tables
from eegflex.results.decided import DECIDES, baseline_stages, change_error, context_of, explained_epochs, stays
from eegflex.results.effects import Effect, Sign, effect_of, signs_of, signs_of_epochs
from eegflex.results.intervals import MIN_EPOCHS, quantile
from eegflex.results.phase_table import KINDS
from eegflex.results.select import is_whole, once_each, pool, stage_order
from eegflex.results.spectral_share import READERS, kept_words, limits
from eegflex.results.trust import has_evidence, trust_of_stages
from eegflex.results.window_rhythms import has_windows, neighbours
from eegflex.results.wording import (
    baseline_words,
    count_epochs,
    explained_words,
    number_text,
    percent,
    reading,
    sums_to_change,
    told_stages,
    unit,
)

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["main_findings"]

#: What is told of a stage, and the sign of attributions that it is of.
SIDES = {"for": 1, "against": -1}


def main_findings(result: FlexResult, trust: str = "all") -> Findings:
    """Tell what spoke most for and against each stage; see `FlexResult.main_findings`."""
    every = result.for_target()
    result = every.sel(trust=trust)
    signs, around = signs_of_epochs(result.data), _around(result.data)
    believed = trust_of_stages(every.data) if has_evidence(every.data) else {}
    found: list[Finding] = []
    for stage in stage_order(every.data, "predicted"):
        found += [believed[stage]] if stage in believed else []
        found += _of_stage(result, stage, signs, around)
    return Findings(result.model, tuple(found))


def _around(dataset: xr.Dataset) -> tuple[xr.Dataset, list[Sign]] | None:
    """What scorers look at in the neighbours of epochs, in those whose windows were explained."""
    found = neighbours(dataset)
    if found is None:
        return None
    errors = np.broadcast_to(found.error[..., None], found.sums.shape)
    return found.dataset, list(signs_of(found.dataset, found.sums, found.error, errors))


def _of_stage(
    result: FlexResult, stage: str, signs: list[Sign], around: tuple[xr.Dataset, list[Sign]] | None
) -> Iterator[Finding]:
    n_epochs = int((tables.counted_stages(result.data, "predicted") == stage).sum())
    if n_epochs < MIN_EPOCHS:
        few = f"{count_epochs(n_epochs)} of it are too few to say what raised or lowered the score"
        few = few.replace(" are ", " is ") if n_epochs == 1 else few
        yield unknown(few, f"Explain at least {MIN_EPOCHS}", stage=stage, n_epochs=n_epochs).named(stage)
        return
    yield from _context(result, stage)
    yield from _baseline(result, stage)
    if around is not None:
        yield from _of_neighbours(result, stage, *around)
    yield from _waveforms(result.data, stage)
    effects = [effect_of(result.data, stage, sign) for sign in signs]
    if any(one.is_told for one in effects):
        sides = [_side(result, effects, side) for side in SIDES]
        yield from (found.named(f"{stage} {side}") for found, side, _ in sorted(sides, key=lambda own: -own[2]))
        return
    seen = [words for words in (_seen(result, effects, side) for side in SIDES) if words]
    why = "no 95 % interval of a median excludes 0, or no median is larger than its error"
    if not any(np.isfinite(one.interval).all() for one in effects):
        why = "with so few epochs, from so few parts of the night, a median has no 95 % interval"
    nothing = (
        f"over {count_epochs(n_epochs)}, nothing that raised or lowered the score is distinguishable from zero: {why}"
    )
    most = f". Largest in these epochs: {'; '.join(seen)}" if seen else ""
    remedy = "Explain more epochs, from other parts of the night"
    yield unknown(nothing + most, remedy, stage=stage, n_epochs=n_epochs).named(stage)


def _of_neighbours(result: FlexResult, stage: str, dataset: xr.Dataset, signs: list[Sign]) -> Iterator[Finding]:
    """What in the neighbours spoke most for and against a stage, where it is told from nothing in enough windows."""
    effects = [one for one in (effect_of(dataset, stage, sign) for sign in signs) if one.is_told]
    for side, sign in SIDES.items():
        own = [one for one in effects if sign * one.median > 0]
        if not own:
            continue
        one = max(own, key=lambda effect: abs(effect.median))
        told = (
            f"in the neighbours of the epoch, {one.words} {_did(result, sign)} most ({_size(result, one)}, in the windows of "
            f"{count_epochs(len(one.values))} where they decide)"
        )
        yield ok(told, stage=stage, **_values(one)).named(f"{stage} neighbours {side}")


def _side(result: FlexResult, effects: Sequence[Effect], side: str) -> tuple[Finding, str, float]:
    """What spoke most for a stage, or against it, and how much; that nothing did, where nothing is told from nothing."""
    own = sorted((one for one in effects if SIDES[side] * one.median > 0), key=lambda one: -abs(one.median))
    told = next((one for one in own if one.is_told), None)
    if told is not None:
        return _tell(result, told, effects), side, abs(told.median)
    seen = _seen(result, effects, side)
    words = f"nothing that {_did(result, SIDES[side])} is distinguishable from zero" + (
        f"; largest: {seen}" if seen else ""
    )
    return unknown(words, stage=effects[0].stage, n_epochs=max(len(one.values) for one in effects)), side, 0.0


def _seen(result: FlexResult, effects: Sequence[Effect], side: str) -> str:
    """What spoke most for a stage, or against it, in the epochs that there are: no more is known of it."""
    own = [one for one in effects if SIDES[side] * one.median > 0 and one.counts[0]]
    if not own:
        return ""
    one = max(own, key=lambda effect: abs(effect.median))
    return f"{one.words} ({number_text(one.median)} {unit(result)} at the median, {_in_how_many(one)})"


def _tell(result: FlexResult, one: Effect, effects: Sequence[Effect]) -> Finding:
    """The finding of an effect; what a few epochs did more of is named, for it may be real."""
    side = 1 if one.median > 0 else -1
    subject = reading(result).subject.format(what=one.words)
    told = (
        f"{subject} {_did(result, side)} most ({_size(result, one)}, {_in_how_many(one)}){_where(result, one)}"
        f"{_whole(result, one.stage)}"
    )
    carried = [other for other in effects if side * other.mean > abs(one.median) and not other.is_told]
    if carried:
        names = " and ".join(
            f"{other.words} (mean {number_text(other.mean)}, median {number_text(other.median, other.mean)})"
            for other in sorted(carried, key=lambda other: -abs(other.mean))
        )
        told += f"; larger on average, but too uncertain, or due to few epochs: {names}"
    return ok(told, stage=one.stage, **_values(one))


def _values(one: Effect) -> dict[str, Value]:
    agreeing, opposed, within = one.counts
    low, high = one.interval
    return {
        "what": one.words, "median": one.median, "mean": one.mean, "ci_low": low, "ci_high": high, "error": one.error,
        "n_agreeing": agreeing, "n_opposed": opposed, "n_within_error": within, "n_epochs": len(one.values),
    }  # fmt: skip


def _size(result: FlexResult, one: Effect) -> str:
    low, high = one.interval
    largest = max(abs(one.median), abs(low), abs(high))
    median, *ends = (_not_as_zero(value, largest) for value in (one.median, low, high))
    return f"median {median} {unit(result)}, 95 % interval {' to '.join(ends)}"


def _not_as_zero(value: float, largest: float) -> str:
    """A number with the decimals of the largest, or more where it would be written as 0 and is not."""
    text = number_text(value, largest)
    return text if value == 0 or text.strip("+−0.") else number_text(value)


def _in_how_many(one: Effect) -> str:
    """In how many epochs it did so, and in how many it did not."""
    agreeing, opposed, within = one.counts
    left = [f"{opposed} the other way" * bool(opposed), f"{within} within the error" * bool(within)]
    others = ", ".join(words for words in left if words)
    return f"in {agreeing} of {count_epochs(len(one.values))}" + (f"; {others}" if others else "")


def _did(result: FlexResult, side: int) -> str:
    """What it did to which score; what lowers one score over another raises that over the one."""
    how, target = reading(result), result.parameters["target"]
    if isinstance(target, list | tuple):
        ahead, behind = target if side > 0 else reversed(target)
        return f"{how.raised} the score of {ahead} minus that of {behind}"
    score = "the score" if target == "predicted" else explained_words(result)
    return f"{how.raised if side > 0 else how.lowered} {score}"


def _where(result: FlexResult, one: Effect) -> str:
    """At which channels it did most, where some are told from others."""
    found = one.sites
    if found is None:
        return ""
    if not found.are_told:
        return "; no site is distinguishable from the others"
    over = f"over {count_epochs(found.n_epochs)}"
    if result.data.sizes["channel_set"] > 1:
        over = f"over the {count_epochs(found.n_epochs)} that every channel calls {one.stage}"
    return f"; most at {', '.join(found.names)} ({number_text(found.median)} at {found.names[0]}, {over})"


def _whole(result: FlexResult, stage: str) -> str:
    """Say what all that the stager was given did, where attributions sum to that and all channels are there."""
    data = result.data
    if not (sums_to_change(result) and is_whole(data)):
        return ""
    every = np.ones(data.sizes["channel"], dtype=bool)
    change = once_each(data, data["score"].values - data["baseline_score"].values)
    did = pool(data, change, every, "predicted")
    error = pool(data, once_each(data, np.nan_to_num(change_error(data))), every, "predicted")
    own = did.labels == stage
    n_more, n = int((np.abs(did.values) > error.values)[own].sum()), int(own.sum())
    median = float(quantile(did.values[own][:, None], did.weights[own], 0.5)[0])
    beyond = "" if n_more == n else f", more than its error in {n_more} of {count_epochs(n)}"
    return f"; all together changed it by {number_text(median)} (median{beyond})"


def _waveforms(dataset: xr.Dataset, stage: str) -> Iterator[Finding]:
    """That no sum over bands holds what decided, or may not: what was lost with random phases and all magnitudes."""
    row = limits(dataset).get(stage)
    if row is None:
        return
    way, agreement = str(row["decided_by"]), {f"agreement_{kind}": float(row[f"agreement_{kind}"]) for kind in KINDS}
    values: dict[str, Value] = {"stage": stage, "decided_by": way, **agreement, "n_epochs": int(row["n_epochs"])}
    first, second = (kept_words(row, kind) for kind in KINDS)
    kept = f"{first} of {count_epochs(int(row['n_epochs']))} of the night keep {stage} with all magnitudes and random phases"
    both = kept if first == second else f"{kept}, the same in all channels, and {second} with each channel's own"
    if way == "waveforms":
        told = f"waveforms decided, which bands do not explain: {kept}"
        found = warning(told, f"What follows does not explain it; look at {READERS}", **values)
    elif way == "relations":
        told = f"relations between channels decided, and no channel by itself: {both}"
        found = warning(told, "Read what follows for the channels together", **values)
    else:
        found = unknown(f"it is unclear whether the spectrum decided: {both}", f"Look also at {READERS}", **values)
    yield found.named(f"{stage} phases")


def _context(result: FlexResult, stage: str) -> Iterator[Finding]:
    """What the context did, where it decided, or that the epochs themselves did nothing that is told from nothing."""
    dataset = result.data
    of_stage = tables.counted_stages(dataset, "predicted") == stage
    n_epochs = int(of_stage.sum())
    n_within = int((~explained_epochs(dataset)[of_stage]).sum())
    within = f"the change by the epoch itself is within its error in {n_within} of {count_epochs(n_epochs)}"
    values: dict[str, Value] = {"stage": stage, "n_within_error": n_within, "n_epochs": n_epochs}
    around = context_of(dataset, of_stage)
    kept = stays(dataset, stage)
    who = around.decides if len(around.values) >= MIN_EPOCHS and around.median > DECIDES else ""
    if who:
        between = f"95 % interval {percent(around.low)} to {percent(around.high)}, " if np.isfinite(around.low) else ""
        made = (
            f"the median of their share of the change is {percent(around.median)} ({between}n = {len(around.values)})"
        )
        values |= {"context_share": around.median, "ci_low": around.low, "ci_high": around.high}
    if who and kept > DECIDES:
        told = (
            f"what decided is not told: without the epoch and its neighbours the stager says {stage}, too, in {percent(kept)} "
            f"of cases ({made}), and {within}"
        )
        yield unknown(told, _another(result, stage), **values).named(f"{stage} context")
    elif who == "context":
        remedy = "What follows concerns the epoch itself; context='scaled' explains its neighbours too"
        if has_windows(dataset):
            remedy = "The epoch itself is the smaller part; window_rhythms() shows its neighbours"
        told = f"the neighbouring epochs decided: {made}, and {within}"
        yield warning(told, remedy, **values).named(f"{stage} context")
    elif who:
        told = f"whether the epoch or its neighbours decided is unclear: {made}, and {within}"
        yield unknown(told, "What follows concerns the epoch itself; explain more epochs", **values).named(
            f"{stage} context"
        )
    elif n_within > n_epochs / 2:
        remedy = "Its effect may be zero; explain it with another baseline"
        yield warning(within, remedy, **values).named(f"{stage} change")


def _baseline(result: FlexResult, stage: str) -> Iterator[Finding]:
    """That the model calls the baseline this stage already, where it mostly does and the stage is not set against another."""
    of_stage = result.parameters["target"] in ("predicted", "scored", "all", stage) and sums_to_change(result)
    if not (of_stage and "replaced_scores" in result.data):
        return
    called = told_stages(baseline_stages(result.data, stage), result.parameters["context"])
    share = float(called[stage])
    if share > DECIDES:
        place = " in their place" if result.parameters["context"] == "fixed" else ""
        told = (
            f"the baseline, {baseline_words(result)}{place}, is called {stage}, too ({percent(share)}): what "
            f"follows says how these epochs differ from it, and little about what makes them {stage}"
        )
        yield warning(told, _another(result, stage), stage=stage, share=share).named(f"{stage} baseline")


def _another(result: FlexResult, stage: str) -> str:
    """What else to ask where the baseline is the stage already."""
    margin = "Ask for the margin over another stage"
    scored = set(result.data["night_stage"].values.astype(str)) if "night_stage" in result.data.coords else set()
    used = str(result.parameters["baseline"]).removeprefix("stage:")
    others = [one for one in result.stages if one in scored and one not in (stage, used)]
    return (
        f"{margin}, or compare with an ordinary epoch of one, as baseline='stage:{others[0]}' does"
        if others
        else margin
    )
