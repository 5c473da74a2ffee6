"""How sure a mean over epochs is: intervals from blocks of the night, not from epochs as if each were one."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

__all__ = [
    "BLOCK",
    "LEVEL",
    "MIN_EPOCHS",
    "block_error",
    "blocks_of",
    "carried",
    "effective_number",
    "mean_interval",
    "median_interval",
    "quantile",
]

#: How often an interval is meant to hold the true mean.
LEVEL = 0.95
#: Epochs of one block of the night, this long in s, are taken to be alike.
BLOCK = 600.0
#: Of fewer epochs of a stage nothing is said.
MIN_EPOCHS = 5
#: Of n values, fewer than this part of the root of n carry a mean whose interval cannot be trusted. They are a part of n if the
#: fourth moment is finite, and as many however many there are if the variance is not; about the root, where it barely is.
FEW = 0.5


def blocks_of(onset: npt.NDArray[np.floating[Any]], recording: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Number the blocks of 10 minutes that epochs begin in, shape (n_epochs,).

    Parameters
    ----------
    onset : array, shape (n_epochs,)
        When each epoch begins, in s from the beginning of its recording.
    recording : array, shape (n_epochs,)
        Of which recording it is: no block reaches from one into another.
    """
    _, of = np.unique(recording, return_inverse=True)
    keys = np.column_stack([of.ravel(), np.floor(np.asarray(onset) / BLOCK + 1e-9).astype(np.intp)])
    return np.unique(keys, axis=0, return_inverse=True)[1].ravel()


def block_error(values: npt.NDArray[np.floating[Any]], blocks: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Standard error of the mean over epochs, from blocks that are alike: the jackknife over them.

    Parameters
    ----------
    values : array, shape (n_epochs, n_values)
        Values of epochs.
    blocks : array of int, shape (n_epochs,)
        As in `mean_interval`.

    Returns
    -------
    error : array, shape (n_values,)
        NaN where all epochs are of one block. With one epoch a block it is the usual one.

    Examples
    --------
    >>> import numpy as np
    >>> block_error(np.arange(4.0)[:, None], np.array([0, 0, 1, 1])).tolist()
    [1.0]
    """
    _, blocks = np.unique(blocks, return_inverse=True)
    own = np.bincount(blocks)
    if len(own) < 2:
        return np.full(values.shape[1], np.nan)
    sums = np.zeros((len(own), values.shape[1]))
    np.add.at(sums, blocks, values)
    without = (sums.sum(axis=0) - sums) / (own.sum() - own)[:, None]
    return np.asarray(np.sqrt((len(own) - 1) * ((without - without.mean(axis=0)) ** 2).mean(axis=0)))


def mean_interval(
    values: npt.NDArray[np.floating[Any]],
    blocks: npt.NDArray[np.integer[Any]],
    weights: npt.NDArray[np.floating[Any]] | None = None,
    *,
    guarded: bool = False,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Interval for the mean, from blocks of epochs that are alike.

    Parameters
    ----------
    values : array, shape (n_epochs, n_values)
        Values of epochs.
    blocks : array of int, shape (n_epochs,)
        The block of each epoch, as `blocks_of` numbers them. Epochs that are independent are a block each.
    weights : array, shape (n_epochs,) | None
        For how many epochs each of them stands, if the mean is a weighted one.
    guarded : bool
        Whether the interval is at least Student's with no more degrees of freedom than the `effective_number` of blocks: where
        a few of them carry the mean, too little is known of how far it may be off.

    Returns
    -------
    low, high : array, shape (n_values,)
        The 95 % interval; NaN where all epochs are of one block.

    Notes
    -----
    The mean is computed without each block in turn (the jackknife), which gives one pseudo-value for each block: with one epoch
    a block these are the epochs' values themselves. Student's interval for their mean is corrected for their skewness by the
    monotone cubic transformation of Hall (1992), which is known in closed form, so that nothing is drawn at random.

    Blocks of 10 minutes were held against bouts (epochs of a stage that follow each other), in 1200 simulated nights of 8 h in
    each case, with 120 simulated hypnograms and normal values whose correlation with their neighbour, across stages, was 0, 0.8
    and 0.95. With all epochs of a stage the interval held the true mean in 94, 90 and 81 % (bouts: 94, 90 and 84 %), with 20
    epochs of a stage drawn at random in 94, 92 and 86 % (bouts: 95, 89 and 77 %), with 8 in 95, 94 and 91 % (95, 93, 88 %):
    bouts take epochs of a sample for independent that are minutes apart. Log-normal values lose 1 to 7 points more. Of 20
    independent epochs, normal or as skewed as an exponential, it held in 94 to 95 %.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = mean_interval(np.arange(5.0)[:, None], np.arange(5))
    >>> low.round(2), high.round(2)
    (array([0.04]), array([3.96]))
    """
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    _, blocks = np.unique(blocks, return_inverse=True)
    own = np.bincount(blocks, weights)
    sums = np.zeros((len(own), values.shape[1]))
    np.add.at(sums, blocks, weights[:, None] * values)
    n_blocks, mean = len(own), sums.sum(axis=0) / weights.sum()
    if n_blocks < 2:
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    without = (sums.sum(axis=0) - sums) / (weights.sum() - own)[:, None]
    pseudo = (n_blocks - 1) * (mean - without)  # less their place: only how they scatter matters
    scatter = pseudo - pseudo.mean(axis=0)
    variance = (scatter**2).mean(axis=0)
    skewness = np.divide((scatter**3).mean(axis=0), variance**1.5, out=np.zeros_like(mean), where=variance > 0)
    unit = np.sqrt(variance / (n_blocks - 1))
    quantile_of_t = float(stats.t.ppf((1 + LEVEL) / 2, n_blocks - 1))
    slant = skewness / np.sqrt(n_blocks)
    low, high = (mean - unit * _untransformed(end, slant) for end in (quantile_of_t, -quantile_of_t))
    if not guarded:
        return low, high
    few = np.minimum(effective_number(scatter), n_blocks - 1)
    half = unit * stats.t.ppf((1 + LEVEL) / 2, few)
    return np.minimum(low, mean - half), np.maximum(high, mean + half)


def effective_number(deviations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How many of some deviations, (n, ...), carry the sum of their squares: 1 to n; a third of them if they are normal."""
    squares = (deviations / np.maximum(np.abs(deviations).max(axis=0), np.finfo(float).tiny)) ** 2
    whole = squares.sum(axis=0) ** 2
    return np.asarray(np.divide(whole, (squares**2).sum(axis=0), out=np.ones_like(whole), where=whole > 0))


def carried(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How many of some values, (n, ...), carry their spread, and how many that is of those that an interval needs.

    Where the second is below 1, a sample cannot tell how far its mean may be off: what it would need to know of lies in the
    values that it lacks.
    """
    number = effective_number(values - values.mean(axis=0))
    return number, number / (FEW * np.sqrt(len(values)))


def _untransformed(quantile: float, slant: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The value of Student's t that Hall's transformation takes to a quantile."""
    small = np.abs(slant) < 1e-6
    safe = np.where(small, 1.0, slant)
    return np.where(small, quantile, 3 / safe * (np.cbrt(1 + safe * (quantile - safe / 6)) - 1))


def median_interval(
    values: npt.NDArray[np.floating[Any]],
    blocks: npt.NDArray[np.integer[Any]],
    weights: npt.NDArray[np.floating[Any]] | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Interval for the median, from blocks of epochs that are alike: from one of the values to another.

    Parameters
    ----------
    values : array, shape (n_epochs, n_values)
        Values of epochs.
    blocks : array of int, shape (n_epochs,)
        As in `mean_interval`.
    weights : array, shape (n_epochs,) | None
        For how many epochs each of them stands.

    Returns
    -------
    low, high : array, shape (n_values,)
        The 95 % interval; NaN where there are too few to have one, as of 5 epochs.

    Notes
    -----
    Of independent values it is the interval of the sign test, from one order statistic to another: no value, however large,
    moves it by being larger still. Of values in blocks there are as many independent ones as how often blocks lie above or
    below the median as wholes tells (Woodruff 1952; Korn and Graubard 1998, whose correction for few blocks is in it). Where
    these are too few, the values of 6 blocks or more have it from the least to the greatest: that blocks are independent is
    enough for that.

    It held the true median of 6 to 50 independent values, normal or exponential, in 95 to 100 %. Of 120 epochs in 20 bouts
    whose correlation with their neighbour was 0, 0.8 and 0.95, it held it in 98, 93 and 90 %.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = median_interval(np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 30.0])[:, None], np.arange(9))
    >>> low, high
    (array([0.1]), array([0.7]))
    """
    numbers = np.asarray(values, dtype=np.float64)
    counts = np.ones(len(numbers)) if weights is None else np.asarray(weights, dtype=np.float64)
    found = [_ends(column, np.asarray(blocks), counts) for column in numbers.T]
    low, high = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return low, high


def _ends(
    values: npt.NDArray[np.float64], blocks: npt.NDArray[np.integer[Any]], counts: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """The ends of the interval for the median of one value."""
    order = np.argsort(values, kind="stable")
    ordered, own = values[order], counts[order] / counts.sum()
    share = _share_outside(_independent(ordered, blocks[order], own))
    below, above = np.cumsum(own), np.cumsum(own[::-1])
    rank_low, rank_high = (int(np.searchsorted(ends, share + 1e-9, side="right")) - 1 for ends in (below, above))
    if min(rank_low, rank_high) < 0:
        # that independent blocks all lie on one side of the median is a sign test of its own
        enough = 0.5 ** len(np.unique(blocks)) <= (1 - LEVEL) / 2
        return (float(ordered[0]), float(ordered[-1])) if enough else (np.nan, np.nan)
    return float(ordered[rank_low]), float(ordered[::-1][rank_high])


def _independent(
    ordered: npt.NDArray[np.float64], blocks: npt.NDArray[np.integer[Any]], own: npt.NDArray[np.float64]
) -> float:
    """How many independent values tell as much of the median as these; their weights sum to 1."""
    middle = ordered[min(int(np.searchsorted(np.cumsum(own), 0.5 - 1e-9)), len(own) - 1)]
    _, blocks = np.unique(blocks, return_inverse=True)
    side = own * np.sign(ordered - middle)
    alone, together = float((side**2).sum()), float((np.bincount(blocks, side) ** 2).sum())
    n_blocks, n = int(blocks.max()) + 1, len(own)
    if n_blocks < 2:
        return 1.0
    few = stats.t.ppf((1 + LEVEL) / 2, n - 1) / stats.t.ppf((1 + LEVEL) / 2, n_blocks - 1)
    alike = max(together / alone, 1.0) if alone > 0 else 1.0  # all are the same
    return float(few**2 / (own**2).sum() / alike)


_SHARES: list[float] = np.linspace(0, 0.5, 2001)[1:].tolist()


def _share_outside(n: float) -> float:
    """The share of values below the lower end of the interval, that itself counted: of a sign test with n values."""
    tail = (1 - LEVEL) / 2
    if n < 1 or 0.5**n > tail:
        return 0.0
    # The chance grows with the share, so that the largest share that holds it is found by halving.
    held = bisect_right(_SHARES, tail, key=lambda share: float(special.betainc(n * (1 - share) + 1, n * share, 0.5)))
    return _SHARES[held - 1] if held else 0.0


def quantile(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.float64]:
    """Quantile of values each of which stands for one epoch or more, shape (n_values,): as if each were there so often.

    Parameters
    ----------
    values : array, shape (n_cases, n_values)
        Values of epochs.
    weights : array, shape (n_cases,)
        For how many epochs each of them stands; where that is the same for all, they stand for themselves.
    share : float
        Which quantile.
    """
    weights = weights / weights[0] if np.ptp(weights) == 0 else weights
    found = np.empty(values.shape[1])
    for column, own in enumerate(values.T):
        order = np.argsort(own)
        ends = np.cumsum(weights[order])
        places = np.column_stack([ends - weights[order], ends - 1]).ravel()
        found[column] = np.interp(share * (ends[-1] - 1), places, own[order].repeat(2))
    return found
