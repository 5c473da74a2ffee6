"""Sanity: whether explanations change with what they explain, be it the model's weights, the stage asked about, or the signal.

After Adebayo et al. 2018 (doi:10.48550/arXiv.1810.03292). An explanation is compared with that of the same epoch when something
else is asked: of the model with some of its weights in random order, of another stage, of the epoch with random phases. What is
compared is the attribution to each band of each channel, by the cosine of the angle between both: of the values themselves,
*signed*, and of their sizes, *unsigned*. Only the signed one is judged. Attributions are a product with the signal, which has
most of its power in the same bands whatever a network does with it: sizes are alike by that alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from eegflex.evaluation.faithfulness import bootstrap
from eegflex.evaluation.judged import count_explanations, limits
from eegflex.evaluation.thresholds import ALIKE
from eegflex.evaluation.told_tables import COUNT, NUMBER, TEXT
from eegflex.findings import CannotTellError, Finding, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS, blocks_of
from eegflex.stagers.randomised import Level, levels_of, randomised
from eegflex.surrogates import random_phases
from eegflex.utils.progress import progress

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.question import Question

__all__ = ["FIRST", "MEASURES", "findings", "measure", "similarity"]

#: So many explanations are asked for again, or a fifth of more than five times as many; they are in random order.
FIRST = 10
#: What to do where an interval is too wide.
MORE = "Evaluate more explanations, of which a fifth is asked for again: sample_per_stage="
#: Networks that are wholly random, for each of them: what is judged by must be known better than the rest.
N_NETWORKS = 3
#: Band sums that are so much smaller than the largest of an explanation are rounding errors of single precision.
ROUNDING = 1e-5
#: Error of the band sums up to which an explanation is refined, and the most gradients for it: what is told are similarities,
#: which it changes by 0.001, and deep networks at random are so rough that they would take hundreds.
TOLERANCE, MAX_EVALS = 0.05, 60
#: How alike two explanations are, in three ways.
MEASURES = ("signed", "unsigned", "rank")
#: What is changed: weights from the output downwards; nothing; the stage; and the phases.
CASCADE, NOTHING, STAGE, PHASES = "cascade", "nothing", "another stage", "random phases"
ALL = "all weights"
KEPT, LOST = "stage kept", "stage lost"


@dataclass(frozen=True)
class _Case:
    """What was asked once, and how alike the answers are."""

    change: str
    level: str
    like: npt.NDArray[np.float64]
    explanation: int
    cluster: int


def similarity(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How alike two explanations are, shape (3,): the cosine of values and of their sizes, and the rank correlation of values.

    Parameters
    ----------
    one, other : array-like, of one shape
        Their band sums.

    Returns
    -------
    found : array, shape (3,)
        In the order of `MEASURES`. NaN where there is nothing to compare: nothing is attributed, or to all the same.

    Examples
    --------
    >>> similarity([[2.0, -1.0]], [[-2.0, 1.0]])
    array([-1.,  1., -1.])
    """
    a, b = (_rounded(np.ravel(values).astype(np.float64)) for values in (one, other))
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (a, b)]
    return np.array([_cosine(a, b), _cosine(np.abs(a), np.abs(b)), _cosine(*ranks)])


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values of which what is next to nothing beside the largest is nothing, for its rank is that of a rounding error."""
    return np.where(np.abs(values) > ROUNDING * np.abs(values).max(initial=0.0), values, 0.0)


def _cosine(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / size, -1, 1)) if size > 0 else np.nan


def measure(question: Question, explanations: Sequence[Explanation]) -> dict[str, pd.DataFrame]:
    """Ask for the first explanations again, with other weights, another stage and other phases."""
    first = list(explanations[: max(FIRST, len(explanations) // 5)])
    if not first:
        return {"sanity": _table([], "")}
    levels, why = _levels(first[0])
    onset = question.data["onset"].values[[one.row for one in first]]
    blocks = blocks_of(onset, np.zeros(len(first)))
    asks = [_with_levels(levels), _with_stage, _with_phases]
    cases: list[_Case] = []
    with progress(len(first) * len(asks), "Evaluating sanity") as done:
        for place, one in enumerate(first):
            for ask in asks:
                # networks are drawn for each explanation, so that these are independent; what is recorded is not
                cluster = place if ask is asks[0] else int(blocks[place])
                cases += [_Case(*found, place, cluster) for found in ask(one)]
                done(1)
    return {"sanity": _table(cases, why)}


def _levels(one: Explanation) -> tuple[list[Level], str]:
    """The levels of the model, or why it has none."""
    try:
        return levels_of(one.question.night.stager, lambda: one.scores(one.ends[:1])), ""
    except CannotTellError as error:
        return [], str(error)


#: What was changed, of which level, and how alike the explanations then are.
Found = tuple[str, str, npt.NDArray[np.float64]]


def _again(question: Question, one: Explanation) -> npt.NDArray[np.float64]:
    """How alike an explanation is to that of the same epoch where something else is asked."""
    return similarity(one.band_sums, _asked(question, one)[0])


def _asked(question: Question, one: Explanation) -> npt.NDArray[np.float64]:
    """The answer, for each target: band sums, shape (n_targets, n_channels, n_bands)."""
    settings = question.request.settings
    coarse = dataclasses.replace(
        settings, tol=max(settings.tol, TOLERANCE), max_evals=min(settings.max_evals, MAX_EVALS)
    )
    request = dataclasses.replace(question.request, settings=coarse)
    (found,) = dataclasses.replace(question, request=request).explain([one])
    if "band" in found.views:
        return np.asarray(found.views["band"], dtype=np.float64)
    return np.asarray(found.views["frequency"] @ question.request.band_masks.T, dtype=np.float64)


def _with_levels(levels: Sequence[Level]) -> Callable[[Explanation], Iterator[Found]]:
    """Asks of networks with random weights, and of the same network as a control."""
    cascade = [(CASCADE, _cascade_name(levels, place), levels[place:]) for place in range(len(levels) - 1, 0, -1)]
    asked = [*cascade, *[(CASCADE, ALL, levels)] * N_NETWORKS]

    def ask(one: Explanation) -> Iterator[Found]:
        if not levels:
            return
        question, stager = one.question, one.question.night.stager
        yield NOTHING, "", _again(question.with_stager(stager, [one]), one)
        for place, (change, level, chosen) in enumerate(asked):
            random = randomised(stager, chosen, one.rng(f"weights {place}"))
            yield change, level, _again(question.with_stager(random, [one]), one)

    return ask


def _cascade_name(levels: Sequence[Level], place: int) -> str:
    return levels[place].name if place == len(levels) - 1 else f"{levels[place].name} and what follows"


def _with_stage(one: Explanation) -> Iterator[Found]:
    """Asks about all stages that take no part in what is explained: the mean over them."""
    others = np.flatnonzero(one.weights == 0)
    if len(others):
        every = _asked(one.question.with_target("all"), one)
        yield STAGE, "", np.mean([similarity(one.band_sums, every[stage]) for stage in others], axis=0)


def _with_phases(one: Explanation) -> Iterator[Found]:
    """Asks about the epoch with random phases, which is noise of the same spectrum."""
    question, numbers = one.question, np.array([one.number])
    recorded = question.night.segments.signals[numbers]
    seed = int(one.rng("phases").integers(2**31))
    asked = question.with_signals({one.number: random_phases(recorded, numbers, (seed,), joint=False)[0]})
    kept = int(asked.night.scores[one.number, one.channel_set].argmax()) == one.stage
    yield PHASES, KEPT if kept else LOST, _again(asked, one)


def _table(cases: Sequence[_Case], why: str) -> pd.DataFrame:
    """One row for each change and level, in the order in which they were first asked."""
    rows: list[dict[str, Any]] = []
    for change, level in dict.fromkeys((case.change, case.level) for case in sorted(cases, key=_order)):
        own = [case for case in cases if (case.change, case.level) == (change, level)]
        rows.append({"change": change, "level": level, **_row(own), "why": ""})
    if why:
        rows.append({"change": CASCADE, "level": ALL, **_row([]), "why": why})
    return pd.DataFrame(rows, dtype=object)  # in which None stays what it is


def _order(case: _Case) -> int:
    return (NOTHING, CASCADE, STAGE, PHASES).index(case.change)


def _row(cases: Sequence[_Case]) -> dict[str, float | int | None]:
    """Means with their intervals; None for what is not known."""
    like = np.array([case.like for case in cases]).reshape(-1, len(MEASURES))
    clusters = np.array([case.cluster for case in cases], dtype=np.intp)
    known = [case for case in cases if np.isfinite(case.like[0])]
    row: dict[str, float | int | None] = {"n": len(known), "explanations": len({case.explanation for case in known})}
    for name, values in zip(MEASURES, like.T, strict=True):
        found = bootstrap(values, clusters)
        has_width = len(set(clusters[np.isfinite(values)].tolist())) > 1
        told = found.mean, found.low if has_width else np.nan, found.high if has_width else np.nan
        names = (name, f"{name}_low", f"{name}_high")
        row |= {key: value if np.isfinite(value) else None for key, value in zip(names, told, strict=True)}
    return row


#: What findings read of the table.
_TOLD = (
    dict.fromkeys(("change", "level", "why"), TEXT)
    | dict.fromkeys(("n", "explanations"), COUNT)
    | {f"{name}{end}": NUMBER for name in MEASURES for end in ("", "_low", "_high")}
)


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether explanations go with the weights, with the stage, and with the signal."""
    table = evaluation.told("sanity", _TOLD)
    rows = {(row["change"], row["level"]): row for row in table.to_dict("records")}
    return [
        _of_weights(rows.get((CASCADE, ALL)), rows.get((NOTHING, ""))).named("random weights"),
        _of_stage(rows.get((STAGE, ""))).named("another stage"),
        _of_phases(rows.get((PHASES, KEPT)), rows.get((PHASES, LOST))).named("random phases"),
    ]


Row = dict[str, Any] | None


def _n(row: Row) -> int:
    return 0 if row is None else int(row["n"])


def _is_known(row: Row) -> TypeGuard[dict[str, Any]]:
    return row is not None and row["explanations"] >= MIN_EPOCHS and pd.notna(row["signed_high"])


def _said(row: dict[str, Any]) -> str:
    return (
        f"a signed similarity of {row['signed']:.2f} (95 % interval {limits(row['signed_low'], row['signed_high'])}, "
        f"n = {row['n']}; of sizes alone {row['unsigned']:.2f})"
    )


def _values(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    names = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    return {f"{prefix}{name}": row[name] for name in ("n", "explanations", *names)}


def _of_weights(row: Row, same: Row) -> Finding:
    if row is not None and row["why"]:
        return unknown(f"{row['why']}, so that nobody can tell whether explanations go with the weights", n=0)
    if not _is_known(row):
        return unknown(f"only {count_explanations(_n(row))} of random networks could be compared", n=_n(row))
    said = f"with all weights in random order, the explanation of an epoch and that of the model have {_said(row)}"
    if row["signed_high"] < ALIKE:
        return _of_control(said, row, same)
    remedy = (
        "Take these explanations for what is in the signal, not for what the model makes of it"
        if row["signed_low"] >= ALIKE
        else MORE
    )
    return warning(f"{said}: {ALIKE:g} cannot be excluded", remedy, **_values(row))


def _of_control(said: str, row: dict[str, Any], same: Row) -> Finding:
    """That random weights change an explanation says something only if it comes again where they are as they were."""
    if not _is_known(same):
        return unknown(f"{said}; whether it comes again with the weights as they are was not measured", **_values(row))
    again, values = f"{same['signed']:.2f}", _values(row) | _values(same, "as it is ")
    if same["signed_low"] >= ALIKE:
        return ok(f"{said}; with the weights as they are, {again}", **values)
    return warning(
        f"{said}, but with the weights as they are only {again}",
        "Explain with context='fixed', with more draws of a random baseline, or with a smaller tol=",
        **values,
    )


def _of_stage(row: Row) -> Finding:
    if not _is_known(row):
        return unknown(f"only {count_explanations(_n(row))} of another stage could be compared", n=_n(row))
    said = f"explanations of an epoch for other stages and for its own have {_said(row)}"
    if row["signed_high"] < ALIKE:
        return ok(said, **_values(row))
    remedy = "Explain a margin, such as target='margin': what stages have in common does not tell them apart"
    return warning(f"{said}: {ALIKE:g} cannot be excluded", remedy, **_values(row))


def _of_phases(kept: Row, lost: Row) -> Finding:
    """Where random phases take the stage away, what decided was not the spectrum; where they do not, it was."""
    said = f"random phases leave {_n(kept)} of {_n(kept) + _n(lost)} epochs their stage"
    values: dict[str, Any] = {"n": _n(kept) + _n(lost), "n kept": _n(kept), "n lost": _n(lost)}
    if _is_known(lost):
        said = f"{said}; where they take it, the explanations before and after have {_said(lost)}"
        values |= _values(lost, "lost ")
        if lost["signed_low"] >= ALIKE:
            return warning(
                f"{said}: they are of the spectrum, which did not decide",
                "See the time-frequency view, or compare with baseline='surrogate', which has the waveforms inside the sum",
                **values,
            )
        return ok(said, **values) if lost["signed_high"] < ALIKE else unknown(said, MORE, **values)
    if _is_known(kept):
        said = f"{said}; where they do, the explanations before and after have {_said(kept)}"
        values |= _values(kept, "kept ")
        return ok(said, **values) if kept["signed_low"] >= ALIKE else unknown(said, MORE, **values)
    return unknown(f"{said}: too few of either to compare", **values)
