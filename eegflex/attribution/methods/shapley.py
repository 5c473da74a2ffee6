"""Shapley values: exact, of the values of all coalitions, or estimated in orders drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np
import numpy.typing as npt

__all__ = ["coalitions", "permutation_shapley", "shapley_values"]


def coalitions(n_players: int) -> npt.NDArray[np.bool_]:
    """All coalitions, shape (2 ** n_players, n_players): who takes part in each; the empty one first, the whole last."""
    return (np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1).astype(bool)


def shapley_values(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shapley value of each player: its mean contribution over all orders in which the players can join.

    ``phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S and i) - v(S))`` (Shapley 1953, A value for n-person
    games).

    Parameters
    ----------
    values : array, shape (2 ** n_players, ...)
        What each coalition of `coalitions` achieves.

    Returns
    -------
    shares : array, shape (n_players, ...)
        Their sum is what all together achieve, less what the empty coalition does.
    """
    n_players = int(np.log2(len(values)))
    sizes = coalitions(n_players).sum(axis=1)
    weights = np.array([factorial(s) * factorial(n_players - s - 1) / factorial(n_players) for s in range(n_players)])
    shares = []
    for player in range(n_players):
        without = np.flatnonzero((np.arange(len(values)) >> player & 1) == 0)
        gained = values[without + (1 << player)] - values[without]
        shares.append(np.tensordot(weights[sizes[without]], gained, axes=1))
    return np.array(shares)


#: 16,384 coalitions: the bands of two channels.
MOST_PLAYERS = 14


def permutation_shapley(
    values: Callable[[npt.NDArray[np.bool_]], npt.NDArray[np.float64]],
    n_players: int,
    rng: np.random.Generator,
    n_pairs: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shapley values from orders drawn at random, each with its reverse.

    What a player adds early in an order it adds late in the reverse one, so that much of what differs between orders cancels
    within a pair (Mitchell et al. 2022, Sampling permutations for Shapley value estimation). In each order all contributions
    sum to what all players achieve together, and so does their mean.

    Parameters
    ----------
    values : callable
        Coalitions, shape (n, n_players) -> what they achieve, shape (n, n_targets).
    n_players : int
        How many players there are.
    rng : Generator
        What draws.
    n_pairs : int
        Pairs of orders.

    Returns
    -------
    shares, errors : array, shape (n_players, n_targets)
        The estimates, and their standard errors over pairs.
    """
    forth = np.array([rng.permutation(n_players) for _ in range(n_pairs)])
    joins = np.stack([forth, forth[:, ::-1]], axis=1).argsort(axis=-1)  # (pair, order, player): when it joins
    inner = joins[:, :, None] < np.arange(1, n_players)[:, None]
    ends = np.array([[False], [True]]).repeat(n_players, axis=1)
    found = values(np.concatenate([ends, inner.reshape(-1, n_players)]))
    on_the_way = found[2:].reshape(*inner.shape[:3], -1)
    empty, whole = (np.broadcast_to(end, (*inner.shape[:2], 1, found.shape[1])) for end in found[:2])
    gained = np.diff(np.concatenate([empty, on_the_way, whole], axis=2), axis=2)  # by place in the order
    by_pair = np.take_along_axis(gained, joins[..., None], axis=2).mean(axis=1)
    return by_pair.mean(axis=0), by_pair.std(axis=0, ddof=1) / np.sqrt(n_pairs)
