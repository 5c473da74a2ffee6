"""A few random nodes on the path of each epoch: what they give is right on average over epochs, and of no single one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from eegflex.attribution.paths import MakeNodes
from eegflex.attribution.quadrature import LEVELS
from eegflex.attribution.request import Request
from eegflex.results.intervals import LEVEL
from eegflex.settings import MEAN

__all__ = ["RandomNodes", "nodes_in_turn"]

#: Tells these draws from any others of the same seed.
_STREAM = 0x2A0D
#: How many standard errors there are in half of an interval.
_HALF = float(ndtri((1 + LEVEL) / 2))
_TINY = np.finfo(float).tiny


@dataclass
class RandomNodes:
    """Nodes of one path, drawn so that the mean of what they give over all draws is the integral itself.

    There are two shifts, each of which moves half of the nodes, one in each stretch of equal weight. The integral by one of
    them and that by the other are independent, so that the square of half of their difference is, on average over epochs, the
    variance of their mean.

    Attributes
    ----------
    n_nodes : int
        How many; even.
    stream : tuple of int
        What the shifts are drawn by.
    graded : bool
        Whether half of the nodes lie on intervals that halve towards 0, where networks change quickly; else all parts of the
        path have as many.
    nodes, weights : array of float64, shape (n_nodes,)
        Those of the first shift first.
    error : float
        Half of a 95 % interval, as its square is on average, relative to the absolute total of the integral.
    part_errors : array of float64, shape (n_targets, n_parts)
        The same of each part, in its unit.
    """

    n_nodes: int
    stream: tuple[int, ...]
    graded: bool = False
    nodes: npt.NDArray[np.float64] = field(init=False)
    weights: npt.NDArray[np.float64] = field(init=False)
    error: float = field(init=False, default=np.nan)
    part_errors: npt.NDArray[np.float64] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        half = self.n_nodes // 2
        shifts = np.random.default_rng([_STREAM, *self.stream]).random((2, 1))
        edges, masses = _stretches(graded=self.graded)
        ends = np.concatenate([[0.0], np.cumsum(masses)])
        self.nodes = np.interp(((np.arange(half) + shifts) / half).ravel(), ends, edges)
        density = masses / np.diff(edges)
        own = np.minimum(np.searchsorted(edges, self.nodes, side="right") - 1, len(density) - 1)
        self.weights = 1 / (self.n_nodes * density[own])

    def weights_below(self, end: float) -> npt.NDArray[np.float64]:
        """Their weights in the integral from 0 to `end`, which is right on average, as the whole is."""
        return np.where(self.nodes <= end, self.weights, 0.0)

    def advance(
        self, rates: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64]
    ) -> bool:
        """Look at what both shifts say of each part, (n_nodes, n_targets, n_parts), and ask for no more."""
        halves = 2 * np.einsum("hn,hnkp->hkp", self.weights.reshape(2, -1), rates.reshape(2, -1, *rates.shape[1:]))
        self.part_errors = _HALF * np.abs(halves[0] - halves[1]) / 2
        size = np.maximum(np.abs(halves.mean(axis=0)).sum(axis=1), _TINY)
        self.error = float((self.part_errors.sum(axis=1) / size).max())
        return False


def _stretches(*, graded: bool) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Edges of stretches of the path, and which part of the nodes each has."""
    if not graded:
        return np.array([0.0, 1.0]), np.ones(1)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-LEVELS, 1)])
    return edges, (np.diff(edges) + 1 / (len(edges) - 1)) / 2


def nodes_in_turn(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], draws: npt.NDArray[np.intp]
) -> MakeNodes:
    """What makes the nodes of path after path: those of an epoch are its own, whatever is explained beside it.

    Parameters
    ----------
    request : Request
        What is to be explained.
    channel_set : int
        With which channels.
    numbers, draws : array of int, shape (n,)
        The epoch of each path, and the draw of its baseline.
    """
    asked = request.settings
    if asked.precision != MEAN:
        return request.make_nodes(channel_set)
    graded = request.baseline.magnitudes is None
    counts = [
        request.nodes_by_stage.get(stage, asked.n_steps or 2) for stage in request.night.predicted[numbers].tolist()
    ]
    streams = [(asked.seed, channel_set, *pair) for pair in zip(numbers.tolist(), draws.tolist(), strict=True)]
    waiting = iter([RandomNodes(n, stream, graded) for n, stream in zip(counts, streams, strict=True)])
    return lambda sizes: next(waiting)
