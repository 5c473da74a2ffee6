"""What moves along the path of an epoch: the segment alone, or its whole window with its context."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.baseline_night import beyond_of_baselines
from eegflex.attribution.request import Request
from eegflex.stagers.batches import ScoreFunction

__all__ = ["Moving", "moving", "try_out"]


@dataclass(frozen=True)
class Moving:
    """What moves along the paths of some epochs: the segment, or its whole window and what reaches into that from beyond.

    Attributes
    ----------
    model : callable
        Scores variants of it, packed as `pack` does.
    end, begin : Tensor, shape (n_epochs, n_moving, n_channels, n_times)
        As recorded, and its baseline.
    at : array of int, shape (n_epochs,)
        Which of the moving epochs is the segment.
    end_beyond, begin_beyond : Tensor, shape (n_epochs, n_beyond)
        What reaches into the window from the night beyond it: of the recorded night, and of the night of baselines.
    """

    model: ScoreFunction
    end: torch.Tensor
    begin: torch.Tensor
    at: npt.NDArray[np.int64]
    end_beyond: torch.Tensor
    begin_beyond: torch.Tensor

    @property
    def n_beyond(self) -> int:
        """How many numbers reach into a window from beyond."""
        return int(self.end_beyond.shape[1])

    @property
    def ends(self) -> tuple[torch.Tensor, torch.Tensor]:
        """As recorded and its baseline, packed."""
        return pack(self.end, self.end_beyond), pack(self.begin, self.begin_beyond)

    @property
    def changes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """From the baseline to as recorded: of the window, and of what reaches into it."""
        return self.end - self.begin, self.end_beyond - self.begin_beyond

    def unpack(self, packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows, (..., n_moving, n_channels, n_times), and what reaches into them, (..., n_beyond), out of both packed."""
        return unpack(packed, self.end.shape[1:], self.n_beyond)


def pack(windows: torch.Tensor, beyond: torch.Tensor) -> torch.Tensor:
    """Windows with what reaches into them as one signal, shape (n, 1, n_all); as n_moving x n_channels where nothing does."""
    if beyond.shape[1] == 0:
        return windows.flatten(1, 2)
    return torch.cat([windows.flatten(1), beyond], dim=1)[:, None]


def unpack(packed: torch.Tensor, shape: tuple[int, ...], n_beyond: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows of a shape, and what reaches into them, out of both packed."""
    if n_beyond == 0:
        return packed.unflatten(-2, shape[:2]), packed.new_zeros(*packed.shape[:-2], 0)
    both = packed.squeeze(-2)
    return both[..., :-n_beyond].unflatten(-1, shape), both[..., -n_beyond:]


def moving(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], draws: npt.NDArray[np.intp] | None = None
) -> Moving:
    """What moves: with its context fixed, an epoch is a window of its own.

    Epochs of a window that have a fault stay as they are, as in the night of baselines.

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
    index = torch.from_numpy(numbers)
    scaled = request.settings.context == "scaled"
    members = bound.windows.members(numbers) if scaled else numbers[:, None]
    n_moving = members.shape[1]
    x = bound.inputs(torch.from_numpy(members.ravel()))
    drawn = None if draws is None else np.repeat(draws, n_moving)
    x_b = request.baseline(x, members.ravel(), request.segments.channel_sets[channel_set], drawn)
    faulty = (members >= 0) & (request.segments.fault[members] != "")
    if faulty.any():
        x_b = torch.where(torch.from_numpy(faulty.ravel()).to(x.device)[:, None, None], x, x_b)
    end, begin = (part.unflatten(0, members.shape) for part in (x, x_b))
    none = end.new_zeros(len(numbers), 0)
    beyond = [none, none]
    if scaled and bound.n_beyond:
        beyond = [bound.beyond(index), beyond_of_baselines(request, channel_set, numbers, draws)]
    shape, n_beyond = end.shape[1:], beyond[0].shape[1]

    def model(variants: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if not scaled:
            return bound(variants, index[rows.cpu()])
        windows, states = unpack(variants, shape, n_beyond)
        return bound.score_windows(windows, index[rows.cpu()], states if n_beyond else None)

    at = bound.windows.at(numbers) if scaled else np.zeros(len(numbers), dtype=np.int64)
    return Moving(model, end, begin, at, *beyond)


def try_out(request: Request) -> None:
    """Find how many points fit into a batch, and so which way to compute slopes is right, before others are told of both."""
    if not request.method.differentiates:
        return
    for channel_set in range(len(request.night.bound)):
        what = moving(request, channel_set, request.chosen[:1])
        request.batch(what.model, what.ends[0])
