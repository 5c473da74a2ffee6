"""Adaptive quadrature on the path: intervals are halved where their share of the score's change is not yet explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from eegflex.attribution.gradients import PathGradient, ScoreFunction, score_of, slope_of
from eegflex.attribution.quadrature import LEVELS, gauss_legendre

__all__ = ["adaptive_gradient"]

#: Gauss-Legendre nodes on each interval.
N_NODES = 3
_RULE = gauss_legendre(N_NODES)


@dataclass
class _Intervals:
    """Intervals of the paths of some epochs, each with what was found on it.

    Attributes
    ----------
    row : Tensor of int64, shape (n,)
        The epoch of each.
    low, high : Tensor of float64, shape (n,)
        Its ends on the path.
    score_low, score_high : Tensor of float64, shape (n,)
        The score there.
    gradient : Tensor, shape (n, n_channels, n_times)
        The gradient integrated over it.
    gap : Tensor of float64, shape (n,)
        By how much the integral misses the change of the score from one end to the other, which is known exactly.
    """

    row: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    score_low: torch.Tensor
    score_high: torch.Tensor
    gradient: torch.Tensor
    gap: torch.Tensor

    def __getitem__(self, which: torch.Tensor) -> _Intervals:
        return _Intervals(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def and_also(self, others: _Intervals) -> _Intervals:
        """These and others, in one."""
        return _Intervals(
            *(torch.cat([getattr(self, name), getattr(others, name)]) for name in self.__dataclass_fields__)
        )


def adaptive_gradient(
    model: ScoreFunction,
    segments: torch.Tensor,
    baselines: torch.Tensor,
    weights: torch.Tensor,
    size: Callable[[torch.Tensor], torch.Tensor],
    *,
    tol: float,
    max_evals: int,
    batch_size: int,
) -> PathGradient:
    """Average the gradient of a score over the straight path from each baseline to its segment, as finely as needed.

    Each path begins as intervals that halve towards the baseline, with three Gauss-Legendre nodes each. The change of the
    score over an interval is known exactly from forward passes at its ends, so that what the integral misses is known for
    each interval by itself. Intervals that miss most are halved until what all miss, without regard to sign, is below
    `tol` of the size of the attribution. A small gap of the whole path could be luck; small gaps of all its parts are not.

    Parameters
    ----------
    model, segments, baselines, weights
        As in `path_gradient`.
    size : callable
        Path-averaged gradients, shape (n_epochs, n_channels, n_times) -> size of their attributions, shape (n_epochs,).
    tol : float
        What the intervals may miss, as a share of that size.
    max_evals : int
        Gradient evaluations for an epoch after which no interval of it is halved any more.
    batch_size : int
        Points on the paths in one pass.

    Returns
    -------
    path : PathGradient
        With what the intervals miss as its `error`.
    """
    path = _Path(model, segments, baselines, weights, batch_size)
    n_epochs = len(segments)
    edges = torch.cat([torch.zeros(1), 2.0 ** torch.arange(-LEVELS, 1)]).double().to(segments.device)
    row = torch.arange(n_epochs, device=segments.device).repeat_interleave(len(edges) - 1)
    ends = torch.arange(n_epochs, device=segments.device).repeat_interleave(len(edges))
    scores = path.scores(ends, edges.repeat(n_epochs)).reshape(n_epochs, -1)
    intervals = path.integrate(
        row, edges[:-1].repeat(n_epochs), edges[1:].repeat(n_epochs), scores[:, :-1].ravel(), scores[:, 1:].ravel()
    )
    evaluations = torch.full((n_epochs,), N_NODES * (len(edges) - 1), device=segments.device)
    while True:
        gradient = _summed(intervals.gradient, intervals.row, n_epochs)
        allowed = tol * size(gradient).double()
        missed = _summed(intervals.gap, intervals.row, n_epochs)
        open_rows = (missed > allowed) & (evaluations + 2 * N_NODES <= max_evals)
        halve = _to_halve(intervals, open_rows, allowed)
        if not halve.any():
            break
        evaluations += 2 * N_NODES * torch.bincount(intervals.row[halve], minlength=n_epochs)
        intervals = intervals[~halve].and_also(path.halved(intervals[halve]))
    return PathGradient(
        gradient=gradient,
        score=scores[:, -1].cpu(),
        baseline_score=scores[:, 0].cpu(),
        n_gradients=evaluations.cpu(),
        error=(missed * tol / allowed.clamp(min=torch.finfo(torch.float64).tiny)).cpu(),
    )


@dataclass(frozen=True)
class _Path:
    """The straight paths of some epochs, and how their points are scored."""

    model: ScoreFunction
    segments: torch.Tensor
    baselines: torch.Tensor
    weights: torch.Tensor
    batch_size: int

    def points(self, row: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        change = self.segments[row] - self.baselines[row]
        return self.baselines[row] + at.to(change)[:, None, None] * change

    def scores(self, row: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """Scores of points on the paths, float64."""
        parts = zip(row.split(self.batch_size), at.split(self.batch_size), strict=True)
        return torch.cat([score_of(self.model, self.points(r, a), r, self.weights[r]) for r, a in parts])

    def integrate(
        self,
        row: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
        score_low: torch.Tensor,
        score_high: torch.Tensor,
    ) -> _Intervals:
        """Integrate the gradient over intervals."""
        nodes, node_weights = (torch.from_numpy(values).to(low) for values in (_RULE.nodes, _RULE.weights))
        width = high - low
        gradient = torch.zeros((len(row), *self.segments.shape[1:]), dtype=self.segments.dtype, device=row.device)
        for point in torch.arange(len(row) * N_NODES, device=row.device).split(self.batch_size):
            interval, node = point // N_NODES, point % N_NODES
            at, of = low[interval] + width[interval] * nodes[node], row[interval]
            slope = slope_of(self.model, self.points(of, at), of, self.weights[of])
            share = (width[interval] * node_weights[node]).to(slope)
            gradient.index_add_(0, interval, slope * share[:, None, None])
        explained = ((self.segments[row] - self.baselines[row]) * gradient).double().sum((1, 2))
        # Differences of scores are rounded; what is below that cannot be told from nothing.
        noise = 8 * torch.finfo(self.segments.dtype).eps * torch.maximum(score_low.abs(), score_high.abs())
        gap = ((explained - (score_high - score_low)).abs() - noise).clamp(min=0)
        return _Intervals(row, low, high, score_low, score_high, gradient, gap)

    def halved(self, intervals: _Intervals) -> _Intervals:
        """Both halves of intervals, integrated anew."""
        middle = (intervals.low + intervals.high) / 2
        score = self.scores(intervals.row, middle)
        return self.integrate(
            intervals.row.repeat(2),
            torch.cat([intervals.low, middle]),
            torch.cat([middle, intervals.high]),
            torch.cat([intervals.score_low, score]),
            torch.cat([score, intervals.score_high]),
        )


def _to_halve(intervals: _Intervals, open_rows: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """Which intervals to halve: of each open epoch the worst, until the others together miss half of what is allowed."""
    halve = torch.zeros(len(intervals.row), dtype=torch.bool, device=intervals.row.device)
    for row in open_rows.nonzero()[:, 0].tolist():
        own = (intervals.row == row).nonzero()[:, 0]
        worst = own[intervals.gap[own].argsort(descending=True)]
        left_without = intervals.gap[own].sum() - intervals.gap[worst].cumsum(0)
        n = int((left_without > allowed[row] / 2).sum()) + 1
        halve[worst[:n]] = True
    return halve


def _summed(values: torch.Tensor, row: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Sum over the intervals of each epoch, in float64 where the device has it."""
    dtype = values.dtype if values.device.type == "mps" else torch.float64
    total = torch.zeros((n_rows, *values.shape[1:]), dtype=dtype, device=values.device)
    return total.index_add_(0, row, values.to(dtype))
