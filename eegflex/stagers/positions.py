"""Where in its window an epoch is read: at one place, wherever it stands, or at all places, whose scores are averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from eegflex.errors import ParameterError, check_choice
from eegflex.settings import EDGES
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.windows import DEFAULT_WINDOW_LENGTH, Length, Windows, cut_windows, ends_of_runs, split_window

if TYPE_CHECKING:
    from eegflex.stagers.stager import Stager

__all__ = ["over_positions", "windows_of"]


def over_positions(
    score: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor],
    windows: torch.Tensor,
    at: torch.Tensor | None,
    spec: ModelSpec,
) -> torch.Tensor:
    """Score the target epoch of windows, where the spec says so by the mean over all windows of its length within them.

    Parameters
    ----------
    score : callable
        Windows of the spec's length and the place of the target in each -> scores (batch, stage).
    windows : Tensor, shape (batch, epoch, ...)
        As `windows_of` cuts them: each of the spec's length within one of them holds the target.
    at : Tensor of int64, shape (batch,), or None
        The place of the target in them. ``None``: that of the spec, or the middle of what is longer.
    spec : ModelSpec
        The contract.
    """
    span, length = windows.shape[1], spec.context.before + 1 + spec.context.after
    if spec.positions != "mean" or span <= length:
        return score(windows, at)
    at = torch.full((len(windows),), (span - 1) // 2, device=windows.device) if at is None else at
    n = span - length + 1
    total = sum(score(windows[:, first : first + length], at - first) for first in range(n))
    return total / n  # type: ignore[return-value]


def windows_of(stager: Stager, run: npt.NDArray[np.int64], edges: str, window_length: Length | None) -> Windows:
    """The window of each epoch: all that its score depends on.

    Raises
    ------
    ParameterError
        If `edges` is none of its choices, or the stager has no window of any length.
    """
    spec = stager.spec
    before, after = _neighbours(spec, window_length)
    if spec.positions == "mean":
        return _spans(run, before + 1 + after, edges)
    return cut_windows(run, before, after, edges, can_shift=stager.scores_every_position, can_shrink=spec.context.whole)


def _spans(run: npt.NDArray[np.int64], length: Length, edges: str) -> Windows:
    """All windows that hold an epoch, put together; at the ends of a run there are fewer."""
    check_choice("edges", edges, EDGES)
    number = np.arange(len(run))
    first, last = ends_of_runs(run)
    start, stop = number - (length - 1), number + (length - 1)
    inside = (start >= first) & (stop <= last)
    edge = np.where(inside, "inside", {"shift": "shifted", "pad": "padded", "skip": "skipped"}[edges])
    if edges == "shift":
        start, stop = np.maximum(start, first), np.minimum(stop, last)
        fits = last - first + 1 >= length
        edge = np.where(fits, edge, "skipped")
        stop = np.where(fits, stop, start + length - 1)
    return Windows(run, start, stop - start + 1, edge, stop - start + 1)


def _neighbours(spec: ModelSpec, window_length: Length | None) -> tuple[Length, Length]:
    """Epochs before and after the target in its window."""
    context = spec.context
    if not context.whole:
        if window_length is not None:
            raise ParameterError(
                "Only a stager whose context is the whole night has a window of any length",
                seen=f"window_length={window_length} for {spec.name}, which sees {context.before} and "
                f"{context.after} neighbours",
                remedy="Leave window_length out",
            )
        return context.before, context.after
    return split_window(DEFAULT_WINDOW_LENGTH if window_length is None else window_length)
