"""Agreement: whether an epoch has the same explanation from another baseline, from a second opinion, and as epochs like it.

Explanations are compared by the cosine of the angle between their signed band sums, as those of `stability` are. Where they
differ, none of them need be wrong: what stands out of an ordinary epoch is another question than what stands out of the 1/f
part of its own spectrum. So agreement says how far a result can be told without saying what it was compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.attribution.baselines import MIN_SOUND
from eegflex.evaluation.judged import judged, limits, spoken, too_few
from eegflex.evaluation.stability import similarity
from eegflex.evaluation.thresholds import STABLE
from eegflex.evaluation.told_tables import COUNT, NUMBER, TEXT, TEXT_OR_NONE
from eegflex.findings import Finding, unknown
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.question import Question

__all__ = ["findings", "measure", "neighbours", "other_baseline", "tables"]

#: Columns.
BASELINE, SECOND = "agreement: baseline", "agreement: second opinion"
#: Tables.
BASELINES, NEIGHBOURS = "agreement: baselines", "agreement: neighbours"
#: Explanations that are made anew from another baseline.
N_FIRST = 10
#: Baselines that are held against the result's: the first one that is another, and that the recording and the method allow.
OTHERS = ("recording", "aperiodic", "zero")
#: Explained epochs of one stage are neighbours within so many s.
NEAR = 300.0
#: Pairs of epochs of a stage that are not neighbours, at most.
N_PAIRS = 1000


def measure(one: Explanation) -> dict[str, float]:
    """Agreement with another baseline, one explanation anew, for the first 10 of the sample; and with the second opinion."""
    return {BASELINE: _with_baseline(one), SECOND: _with_second(one)}


def _with_baseline(one: Explanation) -> float:
    name = None if one.place >= N_FIRST else other_baseline(one.question)
    if name is None:
        return np.nan
    anew = one.anew(one.question.against(name))
    return similarity(one.band_sums, anew @ one.masks.T)


def _with_second(one: Explanation) -> float:
    """With Shapley values of bands, where the result has them."""
    data = one.question.data
    if "second_view" not in data:
        return np.nan
    second = data["second_view"].transpose("epoch", "channel", "band").values[one.row, one.channels].astype(np.float64)
    return similarity(one.band_sums, second) if np.isfinite(second).all() else np.nan


def other_baseline(question: Question) -> str | None:
    """The baseline that is held against the result's; None where the method compares with nothing, or knows no other."""
    request = question.request
    method, own = request.method, request.baseline.name
    few = int((request.segments.fault == "").sum()) < MIN_SOUND
    known = method.baselines or OTHERS
    left = [name for name in OTHERS if name in known and name != own and not (few and name == "recording")]
    return left[0] if left and method.words.compared else None


def tables(question: Question, explanations: Sequence[Explanation]) -> dict[str, pd.DataFrame]:
    """Which baselines were compared, and how far neighbours of one stage agree."""
    del explanations  # it is the result's epochs, all of them, that are neighbours
    baselines = pd.DataFrame([{"own": question.request.baseline.name, "other": other_baseline(question)}])
    return {BASELINES: baselines, NEIGHBOURS: neighbours(question)}


def neighbours(question: Question) -> pd.DataFrame:
    """How far explained epochs of one stage that follow each other within 5 minutes agree.

    Returns
    -------
    table : pandas.DataFrame
        One row for each channel set and stage that has such pairs: ``n`` pairs, their mean ``agreement`` with its 95 %
        interval, ``low`` and ``high``, their mean distance in ``minutes``, and the mean agreement of epochs of that stage
        farther apart, ``apart``, and of epochs of the stage with those of other stages, ``other_stages``.
    """
    n_sets = question.predicted.shape[1]
    rows = [row for channel_set in range(n_sets) for row in _neighbours_of(question, channel_set)]
    columns = ["channel_set", "stage", "n", "agreement", "low", "high", "minutes", "apart", "other_stages"]
    return pd.DataFrame(rows, columns=columns)


def _neighbours_of(question: Question, channel_set: int) -> Iterator[dict[str, Any]]:
    """With one channel set."""
    stages = question.predicted[:, channel_set]
    onset = np.asarray(question.data["onset"].values, dtype=np.float64)
    by_time = np.argsort(onset, kind="stable")
    sums = np.stack([question.explanation(row, channel_set).band_sums.ravel() for row in range(len(stages))])
    rng = np.random.default_rng([question.seed, channel_set])
    for stage in (name for name in question.night.stages if name in stages):
        own, others = by_time[stages[by_time] == stage], by_time[stages[by_time] != stage]
        pairs = np.column_stack([own[:-1], own[1:]])
        pairs = pairs[np.diff(onset[pairs], axis=1).ravel() <= NEAR]
        if not len(pairs):
            continue
        first, second = pairs.T
        agreement = _cosines(sums, first, second)
        known = np.isfinite(agreement)  # of silence there is no direction
        first, second, agreement = first[known], second[known], agreement[known]
        if not len(agreement):
            continue
        low, high = mean_interval(agreement[:, None], blocks_of(onset[first], np.zeros(len(first))))
        one, other = rng.choice(own, (2, N_PAIRS))
        apart = np.abs(onset[one] - onset[other]) > NEAR
        yield {
            "channel_set": str(question.data["channel_set"].values[channel_set]),
            "stage": str(stage),
            "n": len(agreement),
            "agreement": _mean(agreement),
            "low": _plain(low),
            "high": _plain(high),
            "minutes": float((onset[second] - onset[first]).mean() / 60),
            "apart": _mean(_cosines(sums, one[apart], other[apart])),
            "other_stages": _mean(_cosines(sums, one, rng.choice(others, N_PAIRS))) if len(others) else None,
        }


def _cosines(
    sums: npt.NDArray[np.float64], one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    return np.array([similarity(sums[a], sums[b]) for a, b in zip(one.tolist(), other.tolist(), strict=True)])


def _plain(value: npt.NDArray[np.float64]) -> float | None:
    """An end of the interval of a cosine, as JSON has it."""
    return float(np.clip(value[0], -1, 1)) if np.isfinite(value[0]) else None


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


#: What findings read of the tables.
_COMPARED = {"own": TEXT, "other": TEXT_OR_NONE}
_NEAR = (
    dict.fromkeys(("channel_set", "stage"), TEXT) | {"n": COUNT} | dict.fromkeys(("agreement", "low", "high"), NUMBER)
)


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether explanations depend on what they were compared with, on the way they were made, and on the epoch of a stage."""
    told = evaluation.told(BASELINES, _COMPARED, needed=False)
    own, other = told.iloc[0][["own", "other"]] if len(told) else ("", None)
    if other is None:
        first = unknown("what the attribution is compared with cannot be changed", n=0).named(BASELINE)
    else:
        first = _agreed(evaluation, BASELINE, f"explanations from the baselines {own!r} and {other!r}")
    if "second_view" in evaluation.result.data:
        second = _agreed(evaluation, SECOND, "attributions to bands and their Shapley values, which use no path,")
    else:
        remedy = "Attribute with second_opinion='shapley'"
        second = unknown("there was no second opinion", remedy, n=0).named(SECOND)
    return [first, second, *_of_neighbours(evaluation)]


def _agreed(evaluation: Evaluation, column: str, words: str) -> Finding:
    few = too_few(evaluation, column, column)
    if few is not None:
        return few
    own = spoken(evaluation.interval(column), evaluation.count(column), "signed cosine of band sums")
    remedy = "Wherever you show an explanation, state its baseline and its method"
    return judged(evaluation, column, f"{words} agree by {own}", STABLE, remedy)


def _of_neighbours(evaluation: Evaluation) -> list[Finding]:
    """What is told of neighbours: no threshold tells good from bad, for epochs of one stage differ in truth."""
    table = evaluation.told(NEIGHBOURS, _NEAR, needed=False)
    rows = [row for _, row in table.iterrows() if row["n"] >= MIN_EPOCHS]
    if not rows:
        return [unknown("too few epochs of one stage within 5 minutes were explained", n=0).named(NEIGHBOURS)]
    several = len(set(table["channel_set"])) > 1
    said = [
        f"{row['stage']}{' of ' + row['channel_set'] if several else ''} {row['agreement']:.2f} "
        f"({limits(row['low'], row['high'])}, n = {row['n']:.0f})"
        for row in rows
    ]
    words = f"explained epochs of one stage within 5 minutes agree by {', '.join(said)} (signed cosine of band sums)"
    values = {
        f"{row['channel_set']} {row['stage']} {name}": row[name]
        for row in rows
        for name in ("n", "agreement", "low", "high")
    }
    return [unknown(words, **values).named(NEIGHBOURS)]
