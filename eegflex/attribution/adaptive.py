"""Adaptive quadrature on [0, 1]: it is told the integrand where it asks for it, and knows no model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["N_FIRST", "AdaptiveNodes"]

#: The first node; at exactly zero standard deviations and logarithms have no gradient. The stretch before it is taken to be
#: like it, and is divided here, towards zero, where the change of the score over it says otherwise.
FIRST_NODE, NEARER = 2.0**-12, 2.0**-3
#: The first panels halve so often towards 0; each has a node at both ends and one in the middle.
N_OCTAVES = 5
N_FIRST = 2 * (N_OCTAVES + 1) + 1
#: Where an integrand jumps once somewhere in a panel, the trapezoidal rule on its halves errs by 1 / sqrt(3) times what it
#: differs from the rule on the whole, on average; and a band that happens to differ little errs as its neighbours do: at least
#: by so much of their mean. Chosen on 130 epochs at tolerances of 2 and 0.5 %, against 921 nodes: chambon from silence, and
#: all three networks (40, 40, of GSSC 10 epochs) from the recording's spectrum. On these the estimate holds in all epochs and
#: in 95 % or more of the cells. With 1.4 and without the mean it was 85 to 100 % of epochs and 77 to 94 % of cells, with about
#: a quarter fewer evaluations.
SHARE_OF_DIFFERENCE = 1.8 * 3**-0.5
SHARE_OF_MEAN = 0.75
#: The gap is one number for all bands and channels, in which their errors partly cancel: so many times larger are they.
SHARE_OF_GAP, SHARE_OF_WHOLE_GAP = 3.0, 2.0
#: How much of what is taken for the stretch before the first node may be wrong, where the gap does not tell.
SHARE_BEFORE = 0.5
#: Differences of scores are rounded: below so many units of their precision they cannot be told from nothing.
ROUNDINGS = 8
#: The baseline of a segment is rounded, too, and so is what deep networks make of both: what is told is so many times larger.
MORE_ROUNDING = 4
_TRAPEZOID, _SIMPSON = (1 / 4, 1 / 2, 1 / 4), (1 / 6, 4 / 6, 1 / 6)
_HUGE = 1e100  # whose square is a number
_TINY = np.finfo(float).tiny


@dataclass
class AdaptiveNodes:
    """Nodes on the path of one epoch, added where its error is largest until it is small enough.

    The path is cut into panels that halve towards 0, each with a node at both ends and in the middle. Two things tell of
    a panel's error: the difference between the trapezoidal rule on the panel and on its halves, for each band of each
    channel; and the *gap*, by how much a rule misses the change of the score, which is known exactly because the score is
    known at every node. Panels with large errors are halved; all their nodes are used again.

    Networks of rectifiers change their gradient in jumps, against which no rule does better than the trapezoidal. Where
    Simpson's rule explains the changes of the score better, the path is smooth, and Simpson's rule is used.

    Errors of different panels have nothing to do with each other, so they are added as variances are. The estimate is never
    smaller than twice the gap of the whole path, which by itself is a lower bound of the error.

    Attributes
    ----------
    tol : float
        Error that is allowed, relative to the absolute total of the integral.
    max_evals : int
        Most nodes.
    precision : float
        Relative rounding of the scores: gaps below it mean nothing.

    Attributes
    ----------
    nodes : array of float64, shape (n_nodes,)
        In the order in which they were asked for.
    error : float
        Estimated error, relative to the absolute total of the integral.
    part_errors : array of float64, shape (n_targets, n_parts)
        Estimated error of each part of the integral, which make up `error` together.
    """

    tol: float
    max_evals: int
    precision: float = 0.0
    nodes: npt.NDArray[np.float64] = field(init=False)
    error: float = field(init=False, default=np.inf)
    part_errors: npt.NDArray[np.float64] = field(init=False)
    _panels: npt.NDArray[np.intp] = field(init=False)  # low end, middle, high end as places in nodes
    _shares: tuple[float, float, float] = field(init=False, default=_TRAPEZOID)

    def __post_init__(self) -> None:
        edges = np.concatenate([[FIRST_NODE], 2.0 ** np.arange(-N_OCTAVES, 1)])
        n_panels = len(edges) - 1
        self.nodes = np.concatenate([edges, (edges[:-1] + edges[1:]) / 2])
        low = np.arange(n_panels)
        self._panels = np.stack([low, low + n_panels + 1, low + 1], axis=1)

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """The weight of each node, shape (n_nodes,)."""
        weights = np.zeros(len(self.nodes))
        for place, share in enumerate(self._shares):
            np.add.at(weights, self._panels[:, place], share * self._widths())
        weights[self._first] += self.nodes[self._first]
        return weights

    @property
    def _first(self) -> int:
        return int(self.nodes.argmin())

    def advance(
        self, rates: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64]
    ) -> bool:
        """Judge the error, and ask for more nodes where it is too large.

        Parameters
        ----------
        rates : array, shape (n_nodes, n_targets, n_parts)
            The integrand: what each band of each channel adds to each score, per unit of the path.
        scores : array, shape (n_nodes, n_targets)
            The scores.
        baseline : array, shape (n_targets,)
            The scores at 0.

        Returns
        -------
        more : bool
            Whether `nodes` has grown.
        """
        errors = np.concatenate([self._errors(rates, scores), self._error_before(rates, scores, baseline)])
        integral = np.einsum("n,nkp->kp", self.weights, rates)
        size = np.maximum(np.abs(integral).sum(axis=1), _TINY)
        noise = ROUNDINGS * self.precision * np.abs(scores).max(axis=0)
        whole = np.maximum(np.abs(integral.sum(axis=1) - (scores[self.nodes.argmax()] - baseline)) - noise, 0.0)
        parts = np.sqrt((errors**2).sum(axis=0))
        parts = np.hypot(parts, SHARE_OF_MEAN * parts.mean(axis=1, keepdims=True))
        missed = _at_least(parts, SHARE_OF_WHOLE_GAP * whole)
        self.part_errors = missed + MORE_ROUNDING * noise[:, None] / missed.shape[1]  # which no node can mend
        self.error = float((self.part_errors.sum(axis=1) / size).max())
        n_more = (self.max_evals - len(self.nodes)) // 2
        if float((missed.sum(axis=1) / size).max()) <= self.tol or n_more < 1:
            return False
        self._halve(self._worst((errors.sum(axis=2) / size).max(axis=1))[:n_more])
        return True

    def _errors(self, rates: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Estimated error of each panel in each part, shape (n_panels, n_targets, n_parts); also chooses the rule."""
        low, middle, high = (rates[self._panels[:, place]] for place in range(3))
        difference = self._widths()[:, None, None] / 2 * np.abs(middle - (low + high) / 2)
        rough, smooth = (self._gaps(rates, scores, (0, 1, 2), shares) for shares in (_TRAPEZOID, _SIMPSON))
        roughness = np.sqrt((smooth**2).sum()) / max(np.sqrt((rough**2).sum()), _TINY)
        self._shares = _SIMPSON if roughness < 1 else _TRAPEZOID
        halves = [self._gaps(rates, scores, ends, (1 / 4, 1 / 4)) for ends in ((0, 1), (1, 2))]
        gap = smooth if roughness < 1 else np.hypot(*halves)
        error = SHARE_OF_DIFFERENCE * difference
        unseen = np.maximum(SHARE_OF_GAP * gap - error.sum(axis=2), 0.0)
        return error + unseen[..., None] / rates.shape[2]

    def _error_before(
        self, rates: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Estimated error of the stretch before the first node, shape (1, n_targets, n_parts).

        What is taken for it has one node. A stager that takes logarithms of powers changes its scores as much from 1e-6 to 1e-5
        of an epoch as from 0.1 to all of it, and bands may do so in turns: the score is then where it was, and there is no gap.
        """
        first = self._first
        noise = ROUNDINGS * self.precision * np.maximum(np.abs(scores[first]), np.abs(baseline))
        gap = np.abs(self.nodes[first] * rates[first].sum(axis=1) - (scores[first] - baseline)) - noise
        parts = np.full(rates.shape[1:], SHARE_OF_GAP / rates.shape[2])
        taken = SHARE_BEFORE * self.nodes[first] * np.abs(rates[first])
        return np.maximum(np.maximum(gap, 0.0)[:, None] * parts, taken)[None]

    def _gaps(
        self,
        rates: npt.NDArray[np.float64],
        scores: npt.NDArray[np.float64],
        places: tuple[int, ...],
        shares: tuple[float, ...],
    ) -> npt.NDArray[np.float64]:
        """By how much a rule misses the change of the scores over a part of each panel, shape (n_panels, n_targets)."""
        at = [self._panels[:, place] for place in places]
        total = sum(share * rates[nodes].sum(axis=2) for share, nodes in zip(shares, at, strict=True))
        low, high = scores[at[0]], scores[at[-1]]
        noise = ROUNDINGS * self.precision * np.maximum(np.abs(low), np.abs(high))
        return np.maximum(np.abs(self._widths()[:, None] * total - (high - low)) - noise, 0.0)

    def _widths(self) -> npt.NDArray[np.float64]:
        return self.nodes[self._panels[:, 2]] - self.nodes[self._panels[:, 0]]

    def _worst(self, errors: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
        """Panels to halve: the worst, until the others' errors are within half of what is allowed."""
        errors = np.minimum(errors, _HUGE)  # relative to an integral that is 0
        order = errors.argsort()[::-1]
        left = np.sqrt(np.maximum((errors**2).sum() - np.cumsum(errors[order] ** 2), 0.0))
        return order[: int((left > self.tol / 2).sum()) + 1]

    def _halve(self, which: npt.NDArray[np.intp]) -> None:
        """Halve panels; the number after the last panel is the stretch before the first node."""
        low, middle, high = self._panels[which[which < len(self._panels)]].T
        before = [self._first] if (which == len(self._panels)).any() else []
        self._panels = np.delete(self._panels, which[which < len(self._panels)], axis=0)
        self._add(low, (self.nodes[low] + self.nodes[middle]) / 2, middle)
        self._add(middle, (self.nodes[middle] + self.nodes[high]) / 2, high)
        for first in before:
            end = self.nodes[first]
            self.nodes = np.append(self.nodes, NEARER * end)
            self._add(np.array([len(self.nodes) - 1]), np.array([(1 + NEARER) / 2 * end]), np.array([first]))

    def _add(self, low: npt.NDArray[np.intp], middles: npt.NDArray[np.float64], high: npt.NDArray[np.intp]) -> None:
        """Add panels, and their middles as nodes."""
        middle = len(self.nodes) + np.arange(len(middles))
        self.nodes = np.concatenate([self.nodes, middles])
        self._panels = np.concatenate([self._panels, np.stack([low, middle, high], axis=1)])


def _at_least(parts: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Errors of parts, (n_targets, n_parts), of which those of a target are not smaller together than its error as a whole."""
    missing = np.maximum(whole - parts.sum(axis=1), 0.0)
    return parts + (missing / parts.shape[1])[:, None]
