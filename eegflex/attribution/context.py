"""What moves along the path of an epoch: the segment alone, or its whole window with its context."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.request import Request
from eegflex.stagers.batches import ScoreFunction

__all__ = ["Moving", "moving"]


@dataclass(frozen=True)
class Moving:
    """What moves along the paths of some epochs: the segment, or its whole window.

    Attributes
    ----------
    model : callable
        Scores variants of it, shape (n, n_moving * n_channels, n_times).
    end, begin : Tensor, shape (n_epochs, n_moving, n_channels, n_times)
        As recorded, and its baseline.
    at : array of int, shape (n_epochs,)
        Which of the moving epochs is the segment.
    """

    model: ScoreFunction
    end: torch.Tensor
    begin: torch.Tensor
    at: npt.NDArray[np.int64]


def moving(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], draws: npt.NDArray[np.intp] | None = None
) -> Moving:
    """What moves: with its context fixed, an epoch is a window of its own.

    Parameters
    ----------
    request : Request
        What is to be explained.
    channel_set : int
        With which channels.
    numbers : array of int, shape (n,)
        Epochs; of windows that move, those of one length.
    draws : array of int, shape (n,) | None
        Which draw of each one's baseline; by default the first.
    """
    bound = request.night.bound[channel_set]
    index = torch.from_numpy(numbers).to(request.stager.like.device)
    scaled = request.settings.context == "scaled"
    members = bound.windows.members(numbers) if scaled else numbers[:, None]
    n_moving = members.shape[1]
    x = bound.inputs(torch.from_numpy(members.ravel()).to(index.device))
    drawn = None if draws is None else np.repeat(draws, n_moving)
    x_b = request.baseline(x, members.ravel(), request.segments.channel_sets[channel_set], drawn)

    def model(variants: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if not scaled:
            return bound(variants, index[rows])
        return bound.score_windows(variants.unflatten(1, (n_moving, -1)), index[rows])

    at = bound.windows.at(numbers) if scaled else np.zeros(len(numbers), dtype=np.int64)
    end, begin = (part.unflatten(0, members.shape) for part in (x, x_b))
    return Moving(model, end, begin, at)
