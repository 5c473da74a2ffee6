"""Faithfulness of band sums: what the score loses without a band of a channel, and without half of them.

A *cell* is a band of a channel. A cell at the baseline has the bins of the baseline, all others stay as recorded: so what is
asked of the model is on the way between the same two ends as the attribution is.

*Knock-out*: each cell alone is taken to the baseline. The score's losses are correlated by ranks with the attributions.

*Infidelity* (Yeh et al. 2019): many times, half of the cells, drawn at random, are taken to the baseline. An attribution says
what the score loses: the sum of its cells. The mean squared error of this is divided by what it would be if the losses were
those of other halves, so that 0 is exact, 1 is what an explanation has that knows nothing of where, whatever its size, its sum
and its sign, and 2 is the opposite of exact. All halves are of as many cells, so that an even spread tells them apart in
nothing. Only differences of losses count beside their mean: whether the epoch as a whole raises the score or lowers it makes
no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from eegflex.evaluation.faithfulness import between, sum_by_group
from eegflex.evaluation.judged import judged, spoken, too_few
from eegflex.evaluation.thresholds import FOLLOWS, KNOWS_NOTHING

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.findings import Finding

__all__ = ["findings", "halves", "infidelity", "knock_out", "losses", "measure", "rank_correlation", "unexplained"]

#: Columns.
CORRELATION, INFIDELITY = "knock-out: correlation", "infidelity: attribution"
#: Halves of the cells that are drawn.
N_HALVES = 32
#: As a share of the largest one, what is smaller is not told from 0: rounding has no rank.
SMALLEST = 1e-3
#: What to do where band sums do not tell what the model loses.
REMEDY = "Do not interpret band sums of single epochs as the loss of score without the band"
#: As a share of the score, what differs by less does not differ.
ROUNDING = 1e-6


def measure(one: Explanation) -> dict[str, float]:
    """Both measures; they take a score for each cell, and 32 for halves of them, for each draw of the baseline."""
    return {CORRELATION: knock_out(one, one.values), INFIDELITY: infidelity(one, one.values)}


def knock_out(one: Explanation, values: npt.NDArray[np.floating[Any]]) -> float:
    """Rank correlation of attributions with what the score loses when each cell alone is taken to the baseline.

    Parameters
    ----------
    one : Explanation
        What is explained.
    values : array, shape (n_channels, n_freqs)
        An attribution of it.

    Returns
    -------
    correlation : float
        Spearman's, of signed values; NaN where all are alike.
    """
    sums = sum_by_group(values, one.cells)
    return rank_correlation(sums, losses(one, np.eye(len(sums), dtype=bool)))


def infidelity(one: Explanation, values: npt.NDArray[np.floating[Any]]) -> float:
    """Error of what an attribution says that the score loses with half of the cells: 0 is exact, 1 knows nothing of where.

    Parameters
    ----------
    one : Explanation
        What is explained.
    values : array, shape (n_channels, n_freqs)
        An attribution of it.

    Returns
    -------
    infidelity : float
        From 0 to 2; NaN where neither the score nor the attribution differ.
    """
    sums = sum_by_group(values, one.cells)
    taken = halves(len(sums), one.rng("halves"))
    size = max(1.0, float(np.abs(one.score(one.ends[:1])).max()))
    return unexplained(losses(one, taken), taken @ sums, ROUNDING * size)


def unexplained(
    lost: npt.NDArray[np.floating[Any]], told: npt.NDArray[np.floating[Any]], rounding: float = 0.0
) -> float:
    """Mean squared error of what was told to be lost, as a share of what it is if each is held against all losses.

    Parameters
    ----------
    lost, told : array, shape (n,)
        What was lost each time, and what was told.
    rounding : float
        Losses that differ by less do not differ.

    Returns
    -------
    share : float
        One less Lin's coefficient of concordance: 0 if they are the same, 1 if they have nothing to do with each other, and
        NaN if neither differs.

    Examples
    --------
    >>> lost = np.array([0.0, 1.0, 0.0, 1.0])
    >>> unexplained(lost, lost), unexplained(lost, lost * 0 + 0.5), unexplained(lost, 1 - lost)
    (0.0, 1.0, 2.0)
    """
    apart = lost.var() + told.var() + (lost.mean() - told.mean()) ** 2
    return float(((lost - told) ** 2).mean() / apart) if np.sqrt(apart) > rounding else np.nan


def halves(n_cells: int, rng: np.random.Generator, n: int = N_HALVES) -> npt.NDArray[np.bool_]:
    """Cells that are taken, shape (n, n_cells): half of them each time, rounded down, but at least one."""
    ranks = rng.permuted(np.tile(np.arange(n_cells), (n, 1)), axis=1)
    return np.asarray(ranks < max(n_cells // 2, 1))


def losses(one: Explanation, taken: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What the score explained loses when cells are taken to the baseline, shape (n,); the mean over its draws.

    Parameters
    ----------
    one : Explanation
        What is explained.
    taken : array of bool, shape (n, n_cells)
        Which ones.
    """
    whole = float(one.score(one.ends[:1])[0])
    left = [one.score(between(begin, end, one.cells, ~taken)) for begin, end in zip(one.begins, one.ends, strict=True)]
    return np.asarray(whole - np.mean(left, axis=0), dtype=np.float64)


def rank_correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Spearman's correlation, with what is next to nothing beside the largest taken for 0; NaN where one is all the same."""
    ranks = [rankdata(np.where(np.abs(own) < SMALLEST * np.abs(own).max(), 0.0, own)) for own in (one, other)]
    if min(np.ptp(own) for own in ranks) == 0:
        return np.nan
    return float(np.corrcoef(*ranks)[0, 1])


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether the model loses what band sums say."""
    return [_follows(evaluation), _knows(evaluation)]


def _follows(evaluation: Evaluation) -> Finding:
    """Whether the ranks of band sums are those of the losses."""
    few = too_few(evaluation, CORRELATION, "knock-out")
    if few is not None:
        return few
    own = spoken(evaluation.interval(CORRELATION), evaluation.count(CORRELATION))
    said = f"the rank correlation of the attributions to bands with the loss of score without each band is {own}"
    return judged(evaluation, CORRELATION, said, FOLLOWS, REMEDY, name="knock-out")


def _knows(evaluation: Evaluation) -> Finding:
    """Whether band sums tell halves of the bands apart."""
    few = too_few(evaluation, INFIDELITY, "infidelity")
    if few is not None:
        return few
    own = spoken(evaluation.interval(INFIDELITY), evaluation.count(INFIDELITY))
    said = (
        "the difference between band sums and the loss of score without half of the bands (infidelity: 0 is exact, 1 is no "
        f"better than a map without locations) is {own}"
    )
    return judged(evaluation, INFIDELITY, said, KNOWS_NOTHING, REMEDY, name="infidelity", higher=False)
