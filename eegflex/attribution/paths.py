"""Gradients averaged over straight paths: points of many epochs share a batch, and a finished epoch makes room."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.gradients import refuse_infinite, score_of, slope_of
from eegflex.attribution.path_share import integrals_by_stretch
from eegflex.stagers.batches import BatchSize, ScoreFunction
from eegflex.utils.stopping import check

__all__ = ["MakeNodes", "Nodes", "PathGradient", "Paths", "average_gradients", "baseline_scores"]

#: slopes (n, target, channel, time) and the rows that they belong to (n,) -> parts of the integrand (n, target, part)
Rates = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
#: how large the signal is at both ends of a path, (2, n_channels) -> its nodes
MakeNodes = Callable[[npt.NDArray[np.float64]], "Nodes"]


class Nodes(Protocol):
    """Where on [0, 1] the integrand is wanted, and with what weight."""

    @property
    def nodes(self) -> npt.NDArray[np.float64]:
        """All nodes asked for so far, in the order in which they were."""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """Their weights."""

    @property
    def error(self) -> float:
        """Estimated relative error; NaN without an estimate."""

    @property
    def part_errors(self) -> npt.NDArray[np.float64] | None:
        """Estimated error of each part of the integral, (n_targets, n_parts); None without an estimate."""

    def weights_below(self, end: float) -> npt.NDArray[np.float64]:
        """Their weights in the integral from 0 to `end`."""

    def advance(
        self, rates: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64]
    ) -> bool:
        """Look at the integrand at all nodes, and say whether more of them are wanted."""


@dataclass(frozen=True)
class PathGradient:
    """What the path of one epoch gives.

    Attributes
    ----------
    gradient : Tensor of float64, shape (n_targets, n_channels, n_times)
        Gradient of each score with respect to the segment, averaged over the path.
    n_gradients : int
        Gradient evaluations.
    error : float
        Estimated error of the attribution relative to its size; NaN where the rule has no estimate.
    part_errors : array of float64, shape (n_targets, n_parts) | None
        Estimated error of each part of it.
    stretches : array of float64, shape (n_stretches, n_targets, n_parts) | None
        What each stretch of the path adds to each part; None where nobody told the rates.
    """

    gradient: torch.Tensor
    n_gradients: int
    error: float
    part_errors: npt.NDArray[np.float64] | None = None
    stretches: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Paths:
    """The straight paths of some epochs.

    Attributes
    ----------
    model : callable
        Scores variants of segments, given with the rows that they belong to.
    segments, baselines : Tensor, shape (n_epochs, n_channels, n_times)
        Where the paths end and begin.
    weights : Tensor, shape (n_epochs, n_targets, n_stages)
        Each score that is explained is ``weights @ scores``.
    batch : BatchSize
        Points in one pass.
    """

    model: ScoreFunction
    segments: torch.Tensor
    baselines: torch.Tensor
    weights: torch.Tensor
    batch: BatchSize

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def change(self) -> torch.Tensor:
        """From the baselines to the segments."""
        return self.segments - self.baselines

    def slopes(self, rows: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients, (n, n_targets, n_channels, n_times), and scores, (n, n_targets), of points on the paths."""
        there = rows.to(self.segments.device)
        x = self.baselines[there]
        x.lerp_(self.segments[there], at.to(x)[:, None, None])
        return slope_of(self.model, x, rows, self.weights[there])


def baseline_scores(paths: Paths) -> torch.Tensor:
    """F(x_b), shape (n_epochs, n_targets)."""

    def scores(x: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor]:
        return (score_of(paths.model, x, rows, paths.weights[rows]),)

    rows = torch.arange(len(paths))
    return paths.batch(scores, paths.baselines, rows)[0]


def average_gradients(
    paths: Paths, make_nodes: MakeNodes, at_baselines: torch.Tensor, rates: Rates | None = None
) -> Iterator[tuple[int, PathGradient]]:
    """Average the gradients of scores over the paths.

    Parameters
    ----------
    paths : Paths
        The paths.
    make_nodes : callable
        Makes the nodes of one path, of how large the signal is at both of its ends; asked in the order of the paths.
    at_baselines : Tensor, shape (n_epochs, n_targets)
        F(x_b).
    rates : callable
        What nodes are told of a slope: what each band of each channel adds to each score.

    Yields
    ------
    row : int
        An epoch, as soon as it is done; not always in order.
    path : PathGradient
        What its path gave.

    Raises
    ------
    ModelError
        If a score is not finite or does not depend on the segment in a way that can be differentiated.
    """
    begins, sizes = _ends(paths, at_baselines)
    rates = _unasked if rates is None else rates
    waiting = deque(range(len(paths)))
    wanted: deque[tuple[_Open, float]] = deque()
    while waiting or wanted:
        while waiting and len(wanted) < paths.batch.points:
            row = waiting.popleft()
            wanted.extend(_Open(row, make_nodes(sizes[row])).ask())
        check()
        batch = [wanted.popleft() for _ in range(min(paths.batch.points, len(wanted)))]
        _evaluate(paths, batch, rates)
        for one in dict.fromkeys(path for path, _ in batch):
            if not one.answered:
                continue
            if one.advance(begins[one.row]):
                wanted.extend(one.ask())
            else:
                yield one.row, one.finished()


def _ends(paths: Paths, at_baselines: torch.Tensor) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """F(x_b), and how large each channel is at both ends, (n_epochs, 2, n_channels): read from the device at once."""
    sizes = torch.stack([torch.linalg.vector_norm(end, dim=-1) for end in (paths.baselines, paths.segments)], dim=1)
    told = torch.cat([at_baselines.to(sizes), sizes.flatten(1)], dim=1).cpu().double().numpy()
    begins, of_ends = np.split(told, [at_baselines.shape[1]], axis=1)
    return begins, of_ends.reshape(sizes.shape)


def _unasked(slopes: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """No parts of the integrand."""
    return slopes[:, :, 0, :0]


@dataclass(eq=False)
class _Open:
    """A path that is not yet done."""

    row: int
    nodes: Nodes
    blocks: list[_Block] = field(default_factory=list)
    asked: int = 0

    def ask(self) -> list[tuple[_Open, float]]:
        """The nodes that have not been asked for."""
        new = self.nodes.nodes[self.asked :]
        self.asked += len(new)
        return [(self, float(at)) for at in new]

    @property
    def answered(self) -> bool:
        return sum(len(block.scores) for block in self.blocks) == self.asked

    def advance(self, baseline: npt.NDArray[np.float64]) -> bool:
        return self.nodes.advance(self.joined("rates"), self.joined("scores"), baseline)

    def joined(self, what: str) -> npt.NDArray[np.float64]:
        """Scores or rates at all nodes."""
        return np.concatenate([getattr(block, what) for block in self.blocks])

    def finished(self) -> PathGradient:
        sizes = [len(block.slopes) for block in self.blocks]
        weights = torch.from_numpy(self.nodes.weights).to(self.blocks[0].slopes).split(sizes)
        sums = [torch.tensordot(w, block.slopes, dims=1) for w, block in zip(weights, self.blocks, strict=True)]
        # float64 keeps what follows exact; Apple's GPUs do not have it.
        gradient = torch.stack(sums).sum(0, dtype=None if sums[0].device.type == "mps" else torch.float64)
        rates = self.joined("rates")
        stretches = integrals_by_stretch(self.nodes.weights_below, rates) if rates.shape[-1] else None
        return PathGradient(gradient, self.asked, self.nodes.error, self.nodes.part_errors, stretches)


@dataclass(frozen=True)
class _Block:
    """Successive nodes of a path that were in one batch, which the slopes are a part of."""

    slopes: torch.Tensor
    scores: npt.NDArray[np.float64]
    rates: npt.NDArray[np.float64]


def _evaluate(paths: Paths, batch: list[tuple[_Open, float]], rates: Rates) -> None:
    """Ask the model about a batch of points, and tell their paths: all that is told is read from the device at once."""
    rows = torch.tensor([path.row for path, _ in batch])
    at = torch.tensor([node for _, node in batch], dtype=torch.float64)

    def compute(rows: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, ...]:
        slopes, scores = paths.slopes(rows, at)
        parts = rates(slopes, rows)
        told = (scores, slopes.flatten(1).sum(1, keepdim=True).to(scores), parts.flatten(1).to(scores))
        return slopes, torch.cat(told, dim=1)

    slopes, told = paths.batch(compute, rows, at)
    n_targets = slopes.shape[1]
    scores, sums, parts = np.split(told.cpu().double().numpy(), [n_targets, n_targets + 1], axis=1)
    refuse_infinite(np.concatenate([scores, sums], axis=1))
    of_parts = parts.reshape(len(parts), n_targets, parts.shape[1] // n_targets)
    start = 0
    for path, points in itertools.groupby(path for path, _ in batch):  # a path's nodes wait in a row
        own = slice(start, start + sum(1 for _ in points))
        path.blocks.append(_Block(slopes[own], scores[own], of_parts[own]))
        start = own.stop
