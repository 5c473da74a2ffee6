"""Exact Shapley values: a pure function of the values of all coalitions."""

from __future__ import annotations

from math import factorial

import numpy as np
import numpy.typing as npt

__all__ = ["coalitions", "shapley_values"]


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


#: 4,096 coalitions: the bands of two channels.
MOST_PLAYERS = 14
