"""The smallest set of parts of which something holds, found by asking: no attribution is believed, each set is tried.

A set is right if what is asked holds of it, such as that a model keeps its stage; it is *smallest* in two senses. If one part
alone will do, each was tried, and there is no smaller one. If not, none of its members can be left out by itself; whether
quite another set has fewer, only trying all would tell, and there are too many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Smallest", "least_step", "smallest_set"]

#: Sets (n, n_parts) -> (n,), positive where it holds, and the larger the more clearly.
Ask = Callable[[npt.NDArray[np.bool_]], npt.NDArray[np.float64]]
#: Steps that are tried at once, and how often the interval of the least one is divided so.
N_STEPS, N_ROUNDS = 8, 2


@dataclass(frozen=True)
class Smallest:
    """What a search found.

    Attributes
    ----------
    members : array of bool, shape (n_parts,) | None
        The smallest set; None where it holds of none that was tried.
    in_order : int | None
        How many parts must be taken in the order given until it holds, and goes on to hold when the others are taken, too; if
        it does not hold of all, until it first holds. None where it never does.
    """

    members: npt.NDArray[np.bool_] | None
    in_order: int | None


def smallest_set(ask: Ask, order: npt.NDArray[np.intp]) -> Smallest:
    """Find a smallest set of which something holds.

    Parts are taken in the order given to the first set from which on it holds, and then left out again where they can be.
    Each part is tried alone, too.

    Parameters
    ----------
    ask : callable
        Sets, array of bool of shape (n, n_parts) -> array of shape (n,): positive where it holds, the larger the more clearly.
    order : array of int, shape (n_parts,)
        The parts, the first to be taken first.

    Returns
    -------
    smallest : Smallest

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.array([3.0, 1.0, 2.0, -1.0])
    >>> found = smallest_set(lambda sets: sets @ weights - 3.5, np.argsort(-weights))
    >>> found.members, found.in_order
    (array([ True, False,  True, False]), 2)
    """
    n = len(order)
    in_order = np.argsort(order) < np.arange(n + 1)[:, None]
    found = ask(np.concatenate([in_order, np.eye(n, dtype=bool)]))
    taken, alone = found[: n + 1], found[n + 1 :]
    first = _from_where(taken > 0)
    if first == 0:
        return Smallest(in_order[0], 0)
    if (alone > 0).any():
        return Smallest(np.arange(n) == alone.argmax(), first)
    return Smallest(None if first is None else _pruned(ask, in_order[first]), first)


def _from_where(holds: npt.NDArray[np.bool_]) -> int | None:
    """From where on it holds to the end; where it first holds, if it does not hold at the end; None if it never does."""
    if not holds.any():
        return None
    if not holds[-1]:
        return int(holds.argmax())
    return int(len(holds) - np.append(~holds[::-1], True).argmax())


def _pruned(ask: Ask, members: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Leave members out while it holds, as many at once as can be; in the end none can be left out alone."""
    while members.sum() > 1:
        own = np.flatnonzero(members)
        left = ask(members & ~np.eye(len(members), dtype=bool)[own])
        order = own[np.argsort(-left, kind="stable")][: (left > 0).sum()]
        if not len(order):
            break
        without = members & ~(np.tri(len(order), dtype=bool) @ np.eye(len(members), dtype=bool)[order])
        holds = ask(without) > 0
        holds[0] = True  # as was just asked
        members = without[np.flatnonzero(holds)[-1]]
    return members


def least_step(
    ask: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], ends: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """Find the shortest of several ways from 0 to ends of which something holds.

    Parameters
    ----------
    ask : callable
        Points, shape (n, n_dims) -> array of shape (n,): positive where it holds.
    ends : array, shape (n_ends, n_dims)
        Points of which it holds.

    Returns
    -------
    point : array, shape (n_dims,)
        On the way to one of them, and as near to 0 as was tried: ways are divided into 8, and the last eighth into 8 again.

    Examples
    --------
    >>> import numpy as np
    >>> least_step(lambda points: points.sum(axis=1) - 1.0, np.array([[4.0, 0.0], [0.0, 1.5]]))
    array([0.       , 1.0078125])
    """
    best, low, high = np.asarray(ends, dtype=np.float64), 0.0, 1.0
    for _ in range(N_ROUNDS):
        steps = low + (high - low) * np.arange(1, N_STEPS + 1) / N_STEPS
        points = best[:, None] * steps[:, None]
        holds = ask(points.reshape(-1, best.shape[-1])).reshape(len(best), N_STEPS) > 0
        holds[:, -1] = True  # of these it does
        first = holds.argmax(axis=1)
        nearest = int((np.linalg.norm(best, axis=1) * steps[first]).argmin())
        best, high = best[[nearest]], float(steps[first[nearest]])
        low = high - (steps[0] - low)
    return np.asarray(best[0] * high, dtype=np.float64)
