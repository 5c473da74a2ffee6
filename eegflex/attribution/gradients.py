"""Gradients averaged over straight paths, in batches bounded by memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from eegflex.attribution.quadrature import Rule
from eegflex.errors import ModelError

__all__ = ["PathGradient", "fitting_batch", "path_gradient", "rnn_safe", "score_of", "slope_of"]

#: segments (n, channel, time) and the rows of the explained epochs that they belong to (n,) -> scores (n, stage)
ScoreFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

#: What the tensors kept for one batch's backward pass may take where the device does not say what is free.
CPU_BUDGET = 2**30
LARGEST_BATCH = 128


@dataclass(frozen=True)
class PathGradient:
    """What one pass along the paths of some epochs gives.

    Attributes
    ----------
    gradient : Tensor of float64, shape (n_epochs, n_channels, n_times)
        Gradient of the score with respect to the segment, averaged over the path.
    score, baseline_score : Tensor of float64, shape (n_epochs,)
        F(x) and F(x_b).
    n_gradients : Tensor of int64, shape (n_epochs,)
        Gradient evaluations.
    error : Tensor of float64, shape (n_epochs,)
        Estimated error of the attribution relative to its size; NaN where the rule has no estimate.
    """

    gradient: torch.Tensor
    score: torch.Tensor
    baseline_score: torch.Tensor
    n_gradients: torch.Tensor
    error: torch.Tensor


def path_gradient(
    model: ScoreFunction,
    segments: torch.Tensor,
    baselines: torch.Tensor,
    weights: torch.Tensor,
    rule: Rule,
    batch_size: int,
) -> PathGradient:
    """Average the gradient of a score over the straight path from each baseline to its segment.

    Parameters
    ----------
    model : callable
        ``model(segments, rows)``, shapes (n, n_channels, n_times) and (n,), returns scores, shape (n, n_stages).
    segments, baselines : Tensor, shape (n_epochs, n_channels, n_times)
        Where the paths end and begin.
    weights : Tensor, shape (n_epochs, n_stages)
        The score that is explained is ``(scores * weights).sum(-1)``.
    rule : Rule
        Quadrature on the path.
    batch_size : int
        Points on the paths in one forward and backward pass, of several epochs if need be.

    Raises
    ------
    ModelError
        If a score is not finite or does not depend on the segment in a way that can be differentiated.
    """
    change = segments - baselines
    nodes = torch.from_numpy(rule.nodes).to(segments)
    node_weights = torch.from_numpy(rule.weights).to(segments.device)
    # float64 keeps sums over many nodes exact; Apple's GPUs do not have it.
    gradient = torch.zeros_like(segments, dtype=torch.float32 if segments.device.type == "mps" else torch.float64)
    for points in torch.arange(len(segments) * len(rule), device=segments.device).split(batch_size):
        row, node = points // len(rule), points % len(rule)
        x = baselines[row] + nodes[node, None, None] * change[row]
        slope = slope_of(model, x, row, weights[row]).to(gradient.dtype)
        gradient.index_add_(0, row, slope * node_weights[node, None, None].to(gradient.dtype))
    score, baseline_score = (_scores(model, end, weights, batch_size) for end in (segments, baselines))
    evaluations = torch.full((len(segments),), len(rule))
    return PathGradient(gradient, score, baseline_score, evaluations, torch.full((len(segments),), torch.nan).double())


def slope_of(model: ScoreFunction, x: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Gradient of each row's score with respect to its segment.

    Raises
    ------
    ModelError
        If it is not finite, or there is none.
    """
    x = x.requires_grad_(True)
    with torch.enable_grad():
        scores = model(x, rows)
        if not scores.requires_grad:
            raise ModelError(
                "The model's scores do not depend on its input in a way that can be differentiated",
                remedy="Remove detach(), argmax, numpy and no_grad from its forward pass",
            )
        total = (scores * weights).sum()
        (slope,) = torch.autograd.grad(total, x)
    if not torch.isfinite(slope).all():
        raise ModelError(
            "The gradient of the model's score is not finite",
            remedy="Look for divisions by zero, logarithms of zero and NaN in the model or its input",
        )
    return slope


@torch.no_grad()
def score_of(model: ScoreFunction, x: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The score explained of each row's segment, float64 where the device has it."""
    score = (model(x, rows) * weights).sum(-1)
    return score if x.device.type == "mps" else score.double()


def _scores(model: ScoreFunction, x: torch.Tensor, weights: torch.Tensor, batch_size: int) -> torch.Tensor:
    rows = torch.arange(len(x), device=x.device)
    return torch.cat([score_of(model, x[part], part, weights[part]).cpu() for part in rows.split(batch_size)])


def fitting_batch(model: ScoreFunction, segment: torch.Tensor) -> int:
    """How many points fit into memory, judged by what autograd keeps for one of them.

    Parameters
    ----------
    model : callable
        As in `path_gradient`.
    segment : Tensor, shape (1, n_channels, n_times)
        One segment, the first of the epochs explained.
    """
    kept: dict[tuple[int, int], int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()] = tensor.nbytes
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        scores = model(segment.clone().requires_grad_(True), torch.zeros(1, dtype=torch.long, device=segment.device))
    del scores
    budget = CPU_BUDGET
    if segment.device.type == "cuda":
        budget = torch.cuda.mem_get_info(segment.device)[0] // 2
    # Twice: the backward pass needs about as much again as was kept.
    return int(min(max(budget // (2 * max(sum(kept.values()), 1)), 1), LARGEST_BATCH))


@contextlib.contextmanager
def rnn_safe(recurrent: bool) -> Iterator[None]:
    """Switch cuDNN off for recurrent layers: it has no backward pass for them in eval mode."""
    if not recurrent:
        yield
        return
    with torch.backends.cudnn.flags(enabled=False):
        yield
