"""Scores and their gradients at points on paths, in batches bounded by memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from eegflex.errors import ModelError
from eegflex.stagers.batches import ScoreFunction

__all__ = ["refuse_infinite", "score_of", "slope_of"]


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
        If there is no gradient.
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
    return slope, _widened(scores.detach())


def refuse_infinite(sums: npt.NDArray[np.float64]) -> None:
    """Refuse scores and slopes that are not finite, these by their sums: what is not finite stays so in a sum.

    Raises
    ------
    ModelError
        If one of them is not.
    """
    if not np.isfinite(sums).all():
        raise ModelError(
            "The model's score, or its gradient, is not finite between the baseline and an epoch",
            remedy="Take another baseline, or look for divisions by zero, logarithms of zero and NaN in the model or its input",
        )


@torch.no_grad()
def score_of(model: ScoreFunction, x: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The scores explained of each row's segment, shape (n, n_targets), float64 where the device has it."""
    return _widened((model(x, rows)[:, None] * weights).sum(-1))


def _widened(scores: torch.Tensor) -> torch.Tensor:
    return scores if scores.device.type == "mps" else scores.double()
