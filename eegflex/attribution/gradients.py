"""Scores and their gradients at points on paths, in batches bounded by memory."""

from __future__ import annotations

from collections.abc import Callable

import torch

from eegflex.errors import ModelError

__all__ = ["ScoreFunction", "fitting_batch", "score_of", "slope_of"]

#: segments (n, channel, time) and the rows of the explained epochs that they belong to (n,) -> scores (n, stage)
ScoreFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

#: What the tensors kept for one batch's backward pass may take where the device does not say what is free.
CPU_BUDGET = 2**31
LARGEST_BATCH = 64


def slope_of(
    model: ScoreFunction, x: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of the scores explained with respect to each segment.

    One forward pass serves all of them.

    Parameters
    ----------
    model : callable
        ``model(segments, rows)``, shapes (n, n_channels, n_times) and (n,), returns scores, shape (n, n_stages).
    x : Tensor, shape (n, n_channels, n_times)
        Segments.
    rows : Tensor, shape (n,)
        The epochs that they belong to.
    weights : Tensor, shape (n, n_targets, n_stages)
        Each score explained is ``weights @ scores``.

    Returns
    -------
    slope : Tensor, shape (n, n_targets, n_channels, n_times)
        The gradients.
    score : Tensor of float64 where the device has it, shape (n, n_targets)
        The scores explained.

    Raises
    ------
    ModelError
        If a gradient is not finite, or there is none.
    """
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        returned = model(x, rows)
        if not returned.requires_grad:
            raise ModelError(
                "The model's scores do not depend on its input in a way that can be differentiated",
                remedy="Remove detach(), argmax, numpy and no_grad from its forward pass, or use a forward-only method "
                "such as method='shapley'",
            )
        scores = (returned[:, None] * weights).sum(-1)
        totals = scores.sum(0).unbind()
        slopes = [
            torch.autograd.grad(total, x, retain_graph=number < len(totals) - 1)[0]
            for number, total in enumerate(totals)
        ]
    slope = torch.stack(slopes, dim=1) if len(slopes) > 1 else slopes[0][:, None]
    if not torch.isfinite(slope.sum()):  # one pass over them; what is not finite stays so in a sum
        raise ModelError(
            "The gradient of the model's score is not finite",
            remedy="Look for divisions by zero, logarithms of zero and NaN in the model or its input",
        )
    return slope, _widened(scores.detach())


@torch.no_grad()
def score_of(model: ScoreFunction, x: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The scores explained of each row's segment, shape (n, n_targets), float64 where the device has it."""
    return _widened((model(x, rows)[:, None] * weights).sum(-1))


def _widened(scores: torch.Tensor) -> torch.Tensor:
    return scores if scores.device.type == "mps" else scores.double()


def fitting_batch(model: ScoreFunction, segment: torch.Tensor) -> int:
    """How many points fit into memory, judged by what autograd keeps for one of them.

    Parameters
    ----------
    model : callable
        As in `slope_of`.
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
