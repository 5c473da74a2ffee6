"""Quadrature on [0, 1]: pure functions that know no model.

Every rule is a pair of float64 arrays, nodes inside [0, 1] and weights that sum to one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError, check_choice
from eegflex.settings import FIXED_RULES

__all__ = ["LEVELS", "FixedNodes", "Rule", "gauss_legendre", "graded", "make_rule", "riemann"]


@dataclass(frozen=True)
class Rule:
    """Nodes and weights of a quadrature rule on [0, 1].

    Attributes
    ----------
    nodes, weights : array of float64, shape (n_nodes,)
        The integral of f is approximated by ``weights @ f(nodes)``.
    """

    nodes: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.nodes)


@dataclass(frozen=True)
class FixedNodes:
    """A rule as the nodes of a path: all of them at once, and no estimate of the error."""

    rule: Rule
    error: float = math.nan
    part_errors: None = None

    @property
    def nodes(self) -> npt.NDArray[np.float64]:
        """The rule's nodes."""
        return self.rule.nodes

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """The rule's weights."""
        return self.rule.weights

    def weights_below(self, end: float) -> npt.NDArray[np.float64]:
        """The weights in the integral from 0 to `end`.

        Weights are widths of cells that fill [0, 1], and a cell that lies on both sides is divided there. Where the end is one
        of an interval of a composite rule, this is the rule on those before; and whatever the rule, an integrand that does
        not change has what is its due.
        """
        order = self.nodes.argsort()
        ends = np.cumsum(self.weights[order])
        ends[-1] = 1.0  # but for rounding
        weights = np.empty(len(order))
        weights[order] = np.diff(np.minimum(ends, end), prepend=0.0)
        return weights

    def advance(self, *_: npt.NDArray[np.float64]) -> bool:
        """Never more."""
        return False


def gauss_legendre(n_steps: int) -> Rule:
    """Gauss-Legendre rule with `n_steps` nodes: exact for polynomials of degree ``2 * n_steps - 1``."""
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    return Rule((nodes + 1) / 2, weights / 2)


def graded(n_nodes: int, n_levels: int) -> Rule:
    """Gauss-Legendre nodes on intervals that halve towards 0.

    A network changes quickly where its input nearly vanishes (normalisation layers, biases against a shrinking signal),
    so that is where the nodes belong.

    Parameters
    ----------
    n_nodes : int
        Nodes on each interval.
    n_levels : int
        How often [0, 1] is halved: the intervals are [0, 2^-n_levels], [2^-n_levels, 2^(1-n_levels)], ..., [1/2, 1].

    Returns
    -------
    rule : Rule
        With ``n_nodes * (n_levels + 1)`` nodes.
    """
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-n_levels, 1)])
    return composite(gauss_legendre(n_nodes), edges)


def composite(rule: Rule, edges: npt.NDArray[np.float64]) -> Rule:
    """The same rule on each interval between successive `edges`."""
    left, width = edges[:-1, None], np.diff(edges)[:, None]
    return Rule((left + width * rule.nodes).ravel(), (width * rule.weights).ravel())


def riemann(n_steps: int, kind: str = "middle") -> Rule:
    """Riemann sum with `n_steps` equal intervals, at their ``"left"``, ``"middle"`` or ``"right"``."""
    shift = {"left": 0.0, "middle": 0.5, "right": 1.0}[kind]
    return Rule((np.arange(n_steps) + shift) / n_steps, np.full(n_steps, 1.0 / n_steps))


#: [0, 1] is halved so often: on GSSC little of an attribution lies below 2^-8 of the path.
LEVELS = 8


def _graded_with(n_steps: int) -> Rule:
    """As many nodes on each interval as `n_steps` allows; one node on fewer intervals where there are not enough."""
    n_intervals = min(LEVELS + 1, n_steps)
    return graded(n_steps // n_intervals, n_intervals - 1)


#: name, one of `FIXED_RULES` -> (the rule for a number of nodes, its default number of nodes)
_RULES: dict[str, tuple[Callable[[int], Rule], int]] = {
    "graded": (_graded_with, 72),
    "gauss-legendre": (gauss_legendre, 50),
    "riemann-left": (lambda n: riemann(n, "left"), 50),
    "riemann-middle": (lambda n: riemann(n, "middle"), 50),
    "riemann-right": (lambda n: riemann(n, "right"), 50),
}


def make_rule(quadrature: str, n_steps: int | None = None) -> Rule:
    """Look a rule up by its name.

    Parameters
    ----------
    quadrature : str
        ``"graded"`` (Gauss-Legendre nodes on nine intervals that halve towards 0), ``"gauss-legendre"``,
        ``"riemann-left"``, ``"riemann-middle"`` or ``"riemann-right"``.
    n_steps : int, optional
        Number of nodes; ``"graded"`` rounds it down to a multiple of nine. By default 72 for graded and 50 for the others.

    Raises
    ------
    ParameterError
        If there is no such rule, or `n_steps` is not a positive whole number.
    """
    check_choice("quadrature", quadrature, FIXED_RULES)
    rule, default = _RULES[quadrature]
    n_steps = default if n_steps is None else n_steps
    if isinstance(n_steps, bool) or int(n_steps) != n_steps or n_steps < 1:
        raise ParameterError("n_steps must be a positive whole number", seen=repr(n_steps))
    return rule(int(n_steps))
