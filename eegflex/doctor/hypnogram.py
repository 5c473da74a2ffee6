"""Checks that compare the stager's stages with the hypnogram's, each with another reading of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from eegflex.agreement import confusion
from eegflex.doctor.case import Case
from eegflex.doctor.sign_test import Judgement, bootstrap_kappas, bouts_of, judge, kappa_of, require_enough
from eegflex.errors import EegflexError
from eegflex.findings import CannotTellError, Finding, error, ok, warning
from eegflex.preprocessing.segments import Segments
from eegflex.spec.model_spec import ContextSpec
from eegflex.stagers.batches import out_of_memory

__all__ = [
    "agreement",
    "class_order",
    "missing_context",
    "polarity",
    "rate_by_hypnogram",
    "target_index",
    "unit_by_hypnogram",
]

#: Growth of kappa that matters: the neighbour of an epoch is mostly of its stage, so that a shift costs little.
MARGIN, SHIFT_MARGIN = 0.1, 0.02
#: Neighbours that the scores may be of, at least, whether or not the stager sees them.
REACH = 3
#: Scored epochs of a stage from which on it counts whether it is recognised.
FEWEST = 3
#: Kappa that chance does not exceed by much.
CHANCE = 0.1
#: Draws of bouts, for an upper bound of kappa, and that bound's quantile.
N_DRAWS, BOUND = 500, 0.99
#: Neighbours before and after that stagers are made for; a mere 3 epochs show whether it minds any.
CONTEXTS = ((1, 1), (10, 9))
_SAME = "its stages are the same"
_GIVE_CONTEXT = (
    "Give the context that it was trained with, such as context = { before = 10, after = 9 } in [input] of the spec"
)
#: Rates that stagers are made for, in Hz.
RATES = (64.0, 100.0, 128.0, 200.0, 256.0)


def agreement(case: Case) -> Finding:
    """Whether the stager agrees with the hypnogram better than chance does."""
    require_enough(case.scored)
    known, n_stages = case.scored >= 0, len(case.spec.stages)
    scored, predicted, bout = case.scored[known], case.predicted[known], bouts_of(case.scored)[known]
    kappa = kappa_of(scored, predicted, n_stages)
    drawn = bootstrap_kappas(scored, predicted, bout, n_stages, n_draws=N_DRAWS)
    upper = float(np.quantile(np.nan_to_num(drawn), BOUND))
    measured = f"kappa {kappa:.2f} on {len(scored)} scored epochs"
    if kappa < CHANCE and upper < 2 * CHANCE + 0.1:
        return warning(
            f"it agrees with the hypnogram no better than chance: {measured}, and below {upper:.2f} with {BOUND:.0%} certainty",
            "Look at the other findings, at the channels, and whether the hypnogram is this recording's",
        )
    return ok(measured)


def class_order(case: Case) -> Finding:
    """Whether another order of the stages agrees clearly better."""
    require_enough(case.scored)
    known, n_stages = case.scored >= 0, len(case.spec.stages)
    counts = confusion(case.predicted[known], case.scored[known], n_stages)
    order = linear_sum_assignment(counts + 1e-6 * np.eye(n_stages), maximize=True)[1]
    good = "no other order of the stages agrees better with the hypnogram"
    found = judge(
        case.scored, (case.scored, case.predicted), (case.scored, order[case.predicted]), n_stages, margin=MARGIN
    )
    if (order == np.arange(n_stages)).all() and found.kappa >= CHANCE:
        return ok(f"{good} (kappa {found.kappa:.2f} as declared)")
    if found.clear and not _every_moved_stage_gains(counts, order):
        found = replace(found, clear=False, suspicious=True)  # one stage taken for another is no order
    stages = [case.spec.stages[place] for place in order]
    return _finding(
        found,
        good,
        f"the order {', '.join(stages)} agrees better with the hypnogram than the declared one",
        f"Check the order of the model's outputs; here stages = {stages} fits",
    )


def _every_moved_stage_gains(counts: npt.NDArray[np.int64], order: npt.NDArray[np.intp]) -> bool:
    """Whether each stage that an order moves is recognised more often in it; `counts` is predicted by scored."""
    outputs = np.argsort(order)
    moved = (order != np.arange(len(order))) & (counts.sum(0) >= FEWEST)
    return bool((counts[outputs[moved], np.flatnonzero(moved)] > counts[moved, moved]).all())


def target_index(case: Case) -> Finding:
    """Whether the scores are clearly better ones of a neighbour, before or after.

    That is an error of a model that sees neighbours, and stages another of them than its spec says; of one that sees none
    it can only be the hypnogram's, which does not change what the model's own stages are explained by.
    """
    require_enough(case.scored)
    context, pair = case.spec.context, (case.scored, case.predicted)
    reach = max(context.before, context.after, REACH)
    found = {
        # A lag blurs the transitions in one direction or the other: that makes two readings, however many shifts there are.
        shift: judge(
            case.scored,
            pair,
            (_neighbours(case, shift), case.predicted),
            len(case.spec.stages),
            margin=SHIFT_MARGIN,
            n_tried=2,
        )
        for shift in range(-reach, reach + 1)
        if shift
    }
    shift, best = max(found.items(), key=lambda item: item[1].other)
    where = f"{abs(shift)} {'later' if shift > 0 else 'earlier'}"
    sees = max(context.before, context.after) > 0 and not context.whole
    window = "Check which epoch of the window the model stages: context = { before, after } and target_index of the spec, or "
    return _finding(
        best if sees else replace(best, clear=False, suspicious=best.clear or best.suspicious),
        "the scores fit no neighbouring epoch better than their own",
        f"the scores fit the epoch {where} better than their own",
        f"{window * sees}{'l' if sees else 'L'}ook whether the hypnogram begins with the recording; here the epoch {where} "
        "than the declared one fits",
    )


def _neighbours(case: Case, shift: int) -> npt.NDArray[np.intp]:
    """The hypnogram's stage so many epochs later in the same run; -1 where there is none."""
    run = case.segments.run
    there = np.arange(len(run)) + shift
    within = there.clip(0, len(run) - 1)
    return np.where((there == within) & (run[within] == run), case.scored[within], -1)


def unit_by_hypnogram(case: Case) -> Finding:
    """Whether the stager agrees clearly better where the signals are given in another unit."""
    if case.spec.scale.kind not in ("none", "given"):
        return ok("the signals are standardised before the model, so that their unit does not matter")
    readings = {f"with signals multiplied by {factor:,}": _times(factor) for factor in (10**3, 10**6)}
    readings |= {f"with signals divided by {factor:,}": _times(1 / factor) for factor in (10**3, 10**6)}
    return _changed(
        case, readings, "the unit", f"Check the unit that the model was trained in; declared is {case.spec.unit}"
    )


def missing_context(case: Case) -> Finding:
    """Whether a model of sequences that is given each epoch by itself agrees clearly better among neighbours."""
    measured = "its layout has an axis of epochs, but it is given each epoch by itself"
    found = warning(
        f"{measured}: a model of sequences stages worse without its context, and for other reasons", _GIVE_CONTEXT
    )
    try:
        require_enough(case.scored[case.stretch])
        readings: dict[str, npt.NDArray[np.intp]] = {}
        for before, after in CONTEXTS:
            with contextlib.suppress(EegflexError):  # it takes no window of this length
                spec = case.spec.replace(context=ContextSpec(before, after))
                readings[f"among {before} and {after} neighbours"] = case.staged(spec)
        if not readings:
            return found
        best = _best(case, readings, "its context", _GIVE_CONTEXT)
    except CannotTellError:
        return found
    if best.status == "ok":
        return best if best.measured.startswith(_SAME) else found
    return replace(best, measured=f"{measured}, and {best.measured}")


def polarity(case: Case) -> Finding:
    """Whether the stager agrees clearly better where signals are turned upside down."""
    kinds = sorted(set(case.segments.ch_types))
    readings = {"with all channels turned upside down": _times(-1.0)}
    if len(kinds) > 1:
        readings |= {f"with {kind.upper()} channels turned upside down": _times(-1.0, kind) for kind in kinds}
    remedy = "Look at the order of electrodes in the channels (C4-M1, not M1-C4), and at the amplifier's convention"
    return _changed(case, readings, "the polarity", remedy)


def rate_by_hypnogram(case: Case) -> Finding:
    """Whether the stager agrees clearly better at another rate that it takes."""
    require_enough(case.scored[case.stretch])
    declared, n_times = case.segments.sfreq, case.segments.signals.shape[-1]
    highest = min(case.segments.notes.get("sfreq_native", {}).values(), default=case.night.epochs.info["sfreq"])
    readings: dict[str, npt.NDArray[np.intp]] = {}
    for rate in RATES:
        if abs(rate - declared) < 0.02 * declared or rate > highest:
            continue
        try:
            readings[f"at {rate:g} Hz"] = case.staged(
                case.spec.replace(sfreq=rate, n_times=round(n_times / declared * rate))
            )
        except Exception as error:  # it does not take as many samples
            if out_of_memory(error):
                raise
            continue
    if not readings:
        return ok(
            f"the model takes no other rate than {declared:g} Hz, of those that are usual and that the recording has"
        )
    return _best(
        case, readings, "the rate", f"Check the rate that the model was trained at; declared is {declared:g} Hz"
    )


def _times(factor: float, kind: str | None = None) -> Callable[[Segments], Segments]:
    """Multiply the signals of the channels of one kind, or of all."""

    def change(segments: Segments) -> Segments:
        factors = np.array([factor if kind in (None, own) else 1.0 for own in segments.ch_types], dtype=np.float32)
        return replace(segments, signals=segments.signals * factors[:, None])

    return change


def _changed(case: Case, changes: dict[str, Callable[[Segments], Segments]], what: str, remedy: str) -> Finding:
    """Judge the stages of a stretch of the recording whose signals were changed."""
    require_enough(case.scored[case.stretch])
    return _best(case, {name: case.staged(change=change) for name, change in changes.items()}, what, remedy)


def _best(case: Case, readings: dict[str, npt.NDArray[np.intp]], what: str, remedy: str) -> Finding:
    """Judge the best of several stagings of the stretch against the one as declared."""
    scored, declared, n_stages = case.scored[case.stretch], case.staged(), len(case.spec.stages)
    if all((other == declared).all() for other in readings.values()):
        return ok(f"{_SAME} {', '.join(readings)}")
    found = {
        name: judge(scored, (scored, declared), (scored, other), n_stages, margin=MARGIN, n_tried=len(readings))
        for name, other in readings.items()
    }
    name, best = max(found.items(), key=lambda item: item[1].other)
    return _finding(
        best,
        f"with no other reading of {what} does it agree better with the hypnogram",
        f"it agrees with the hypnogram better {name}",
        remedy,
    )


def _finding(found: Judgement, good: str, bad: str, remedy: str) -> Finding:
    if found.clear:
        return error(f"{bad}: {found}", remedy)
    if found.suspicious:
        return warning(f"{bad}, though the model or its spec need not be wrong for that: {found}", remedy)
    if found.kappa < CHANCE and found.other < CHANCE:
        raise CannotTellError("neither reading agrees with the hypnogram better than chance")
    return ok(f"{good} (kappa {found.kappa:.2f} as declared, at best {found.other:.2f} otherwise)")
