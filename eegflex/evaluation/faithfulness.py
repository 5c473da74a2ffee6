"""Whether a model's answer follows an explanation: insertion and deletion of frequencies, in an order.

A *group* of bins of the spectrum is the unit: 1 Hz of one channel. An epoch x and its baseline x_b differ by D = x - x_b.
Groups *as recorded* have the D of their bins, the others have none: what stands between both is x_b + irfft(D restricted to
the groups). Since the path of an attribution is a straight line in time, this is on the way between the same two ends,
whatever the baseline: silence, other magnitudes, or other phases.

*Insertion* begins with the baseline and takes groups from the recorded epoch, in an order; *deletion* begins with the
recorded epoch and takes them away, in the same order. Where the order is right, insertion raises the probability at once
and deletion lowers it at once: the area between the two curves is what an order is judged by.

An order is by *signed* values, the largest first. What raises the answer comes first and what lowers it last, and an order
is so judged by both, whether the epoch as a whole raises the answer above its baseline or not: for a model that sums what
groups add, no order has a larger area. What has no sign, such as power, is given that of the whole change: see `with_sign`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.integrate import trapezoid

__all__ = [
    "Curves",
    "Interval",
    "bootstrap",
    "frequency_groups",
    "insertion_and_deletion",
    "order_by",
    "spread_over",
    "sum_by_group",
    "with_sign",
]

#: Points of a curve, both ends among them.
N_POINTS = 15
#: Draws of a bootstrap, and how often its interval is meant to hold the true mean.
N_DRAWS, LEVEL = 5000, 0.95

#: Signals (n, n_channels, n_times) -> what is asked of the model, such as the probability of a stage (n,).
Score = Callable[[torch.Tensor], npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Curves:
    """What a model answers while groups are inserted, and while they are deleted.

    Attributes
    ----------
    shares : array, shape (n_points,)
        Of the groups, from 0 to 1.
    insertion : array, shape (n_points,)
        The answer with this share as recorded, the first in the order.
    deletion : array, shape (n_points,)
        The answer with this share at the baseline, the first in the order.
    """

    shares: npt.NDArray[np.float64]
    insertion: npt.NDArray[np.float64]
    deletion: npt.NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under insertion less that under deletion: from -1 to 1 for a probability, 0 on average for orders at random."""
        return self.inserted - self.deleted

    @property
    def inserted(self) -> float:
        """Area under insertion: the mean answer while groups are inserted."""
        return float(trapezoid(self.insertion, self.shares))

    @property
    def deleted(self) -> float:
        """Area under deletion: the mean answer while groups are deleted."""
        return float(trapezoid(self.deletion, self.shares))


@dataclass(frozen=True)
class Interval:
    """A mean over epochs, and the interval that is meant to hold it."""

    mean: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether it is told from 0."""
        return self.low > 0 or self.high < 0


def frequency_groups(freqs: npt.ArrayLike, n_channels: int, width: float = 1.0) -> npt.NDArray[np.intp]:
    """Number the groups: frequencies in [k, k + 1) widths of one channel.

    Parameters
    ----------
    freqs : array-like, shape (n_freqs,)
        Frequencies of the bins of an rfft, in Hz.
    n_channels : int
        How many channels there are.
    width : float
        Of a group, in Hz.

    Returns
    -------
    groups : array of int, shape (n_channels, n_freqs)
        Which group each bin belongs to, numbered without a hole: those of a channel in the order of their frequency.

    Examples
    --------
    >>> frequency_groups([0.0, 0.5, 1.0, 1.5], 2)
    array([[0, 0, 1, 1],
           [2, 2, 3, 3]])
    """
    places = np.floor(np.asarray(freqs, dtype=np.float64) / width + 1e-9)  # a bin at an edge belongs above it
    _, of = np.unique(places, return_inverse=True)
    return np.asarray(of.ravel() + np.arange(n_channels)[:, None] * (of.max() + 1), dtype=np.intp)


def sum_by_group(values: npt.ArrayLike, groups: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Sum values of bins over each group, shape (n_groups,); both arguments have shape (n_channels, n_freqs)."""
    return np.bincount(groups.ravel(), np.asarray(values, dtype=np.float64).ravel()).astype(np.float64)


def spread_over(sums: npt.NDArray[np.floating[Any]], masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Spread what is known of bands evenly over their bins.

    Parameters
    ----------
    sums : array, shape (n_channels, n_bands)
        Of bands.
    masks : array of bool, shape (n_bands, n_freqs)
        Which bin lies in which band; each lies in one.

    Returns
    -------
    values : array, shape (n_channels, n_freqs)
        Their sums over bands are `sums`, but for bands without a bin.
    """
    return np.asarray((sums / np.maximum(masks.sum(axis=1), 1)) @ masks, dtype=np.float64)


def with_sign(sizes: npt.NDArray[np.floating[Any]], change: float) -> npt.NDArray[np.float64]:
    """Values of what has a size and no sign, for `order_by`: it is taken to do what the whole epoch does.

    Parameters
    ----------
    sizes : array, shape (n_groups,)
        Such as the power of each group; none is negative.
    change : float
        The answer to the epoch less that to its baseline: two forward passes tell its sign to whoever has no attribution.
        Where it is negative, the largest are expected to lower the answer most, and come last.
    """
    return np.asarray(-sizes if change < 0 else sizes, dtype=np.float64)


def order_by(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.intp]:
    """Groups in the order of their values, the largest first; equal ones in the order of their frequency."""
    return np.argsort(-np.asarray(values), kind="stable")


def counts_of(n_groups: int, n_points: int = N_POINTS) -> npt.NDArray[np.intp]:
    """How many groups have been taken at each point of a curve: dense at both ends, where orders differ.

    They are the same from either end, so that the deletion of an order is the insertion of its reverse at every point.
    """
    places = n_groups * np.sin(np.linspace(0, np.pi / 2, n_points)) ** 2
    half = places[: (n_points + 1) // 2].round()
    return np.unique(np.concatenate([half, n_groups - half])).astype(np.intp)


def insertion_and_deletion(
    score: Score,
    begin: torch.Tensor,
    end: torch.Tensor,
    groups: npt.NDArray[np.intp],
    orders: Sequence[npt.NDArray[np.intp]],
    n_points: int = N_POINTS,
) -> list[Curves]:
    """Insert and delete the groups of one epoch, in several orders.

    Parameters
    ----------
    score : callable
        Signals, shape (n, n_channels, n_times) -> answers, shape (n,), such as the probability of the predicted stage. It is
        given all variants of an epoch at once, each only once.
    begin, end : Tensor, shape (n_channels, n_times)
        The baseline, and the epoch as recorded.
    groups : array of int, shape (n_channels, n_freqs)
        Which group each bin of their rfft belongs to, as `frequency_groups` numbers them.
    orders : sequence of array of int, shape (n_groups,)
        The groups, the first to be taken first.
    n_points : int
        Points of a curve at most.

    Returns
    -------
    curves : list of Curves
        One for each order.
    """
    n_groups = int(groups.max()) + 1
    counts = counts_of(n_groups, n_points)
    ranks = np.stack([np.argsort(order) for order in orders])
    first = ranks[:, None] < counts[:, None]  # (order, point, group): among the first so many
    present = np.concatenate([first, ~first], axis=1)
    different, where = np.unique(present.reshape(-1, n_groups), axis=0, return_inverse=True)
    answers = np.asarray(score(between(begin, end, groups, different)), dtype=np.float64)[where.ravel()]
    both = answers.reshape(len(orders), 2, len(counts))
    return [Curves(counts / n_groups, insertion, deletion) for insertion, deletion in both]


def between(
    begin: torch.Tensor, end: torch.Tensor, groups: npt.NDArray[np.intp], present: npt.NDArray[np.bool_]
) -> torch.Tensor:
    """Signals with some groups as recorded and the others at the baseline.

    Parameters
    ----------
    begin, end : Tensor, shape (n_channels, n_times)
        The baseline, and the epoch as recorded.
    groups : array of int, shape (n_channels, n_freqs)
        Which group each bin belongs to.
    present : array of bool, shape (n, n_groups)
        Which groups are as recorded.

    Returns
    -------
    signals : Tensor, shape (n, n_channels, n_times)
        Exactly the ends where all or none are.
    """
    change = torch.fft.rfft((end - begin).double())
    kept = torch.from_numpy(present[:, groups]).to(change.device)
    signals: torch.Tensor = (begin + torch.fft.irfft(change * kept, n=end.shape[-1])).to(end)
    signals[torch.from_numpy(present.all(axis=1))] = end
    signals[torch.from_numpy(~present.any(axis=1))] = begin
    return signals


def bootstrap(values: npt.ArrayLike, clusters: npt.ArrayLike | None = None, seed: int = 0) -> Interval:
    """Mean over epochs and its 95 % interval, from epochs drawn again with replacement.

    Of paired differences it is the interval of the difference.

    Parameters
    ----------
    values : array-like, shape (n_epochs,)
        One for each epoch; those that are not finite are left out.
    clusters : array-like, shape (n_epochs,) | None
        What epochs are drawn with, such as their block of the night; by default each by itself.
    seed : int
        Of the draws.

    Returns
    -------
    interval : Interval
        NaN without values; without width for a single cluster.
    """
    every = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(every)
    known = every[finite]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan)
    own = np.arange(len(every)) if clusters is None else np.asarray(clusters)
    _, of = np.unique(own[finite], return_inverse=True)
    sums, sizes = np.bincount(of, known), np.bincount(of)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(N_DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(known.mean()), float(low), float(high))
