"""What decides: the epoch itself, or the context that the stager sees beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.baseline_night import baselines_of_night, bound_to, keep_beyond
from eegflex.results.decided import REPLACED
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.utils.progress import progress

if TYPE_CHECKING:
    from eegflex.attribution.request import Request
    from eegflex.stagers.stager import BoundStager

__all__ = ["replaced_scores"]


def replaced_scores(request: Request, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Scores of epochs with the baseline in the place of the epoch, of its context, of both, or of nothing.

    The context of a stager of windows is the other epochs of the window, that of a stager of whole nights is the rest of the
    night: it is staged once more with the baseline of every epoch in its place, as a night of its own, whose states then
    stand at both ends of a window. Epochs that have a fault stay as they are. Of a baseline that is drawn at random it is the
    mean over the draws, each of which is that of the epoch and of its context at once.

    Parameters
    ----------
    request : Request
        What is to be explained.
    numbers : array of int
        Epochs.

    Returns
    -------
    scores : array of float64, shape (n_epochs, n_channel_sets, 4, n_stages)
        In the order of `REPLACED`. NaN where the context is replaced and the stager sees none.
    """
    bound = request.night.bound
    found = np.full((len(numbers), len(bound), len(REPLACED), len(request.night.stages)), np.nan)
    found[:, :, 0] = request.night.scores[numbers]
    n_draws = request.baseline.n_draws
    with progress(len(bound) * n_draws, "Replacing epochs and contexts") as done:
        drawn = [_with_draw(request, numbers, draw, done) for draw in range(n_draws)]
    found[:, :, 1:] = np.mean(drawn, axis=0)
    return found


def _with_draw(
    request: Request, numbers: npt.NDArray[np.intp], draw: int, done: Callable[[int], None]
) -> npt.NDArray[np.float64]:
    """Scores with a draw of the baseline in the place of the epoch, of its context, and of both."""
    bound = request.night.bound
    found = np.full((len(numbers), len(bound), len(REPLACED) - 1, len(request.night.stages)), np.nan)
    baselines = baselines_of_night(request, draw)
    replaced = bound_to(request, baselines) if any(one.windows.length.max() > 1 for one in bound) else None
    if replaced is not None and any(one.n_beyond for one in bound):
        keep_beyond(request, draw, replaced)
    for place, own in enumerate(bound):
        channels = list(request.segments.channel_sets[place])
        begin = torch.from_numpy(baselines[numbers][:, channels])
        found[:, place, 0] = _scores(own, begin, numbers)
        if replaced is not None:
            recorded = torch.from_numpy(request.segments.signals[numbers][:, channels])
            found[:, place, 1] = _scores(replaced[place], recorded, numbers)
            found[:, place, 2] = _scores(replaced[place], begin, numbers)
        done(1)
    return found


@torch.no_grad()
def _scores(bound: BoundStager, segments: torch.Tensor, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Scores of segments in the places of some epochs, shape (n, n_stages)."""

    def score(part: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor]:
        return (bound(part, index),)

    like = bound.inputs(torch.from_numpy(numbers[:1]))
    (found,) = BatchSize(FORWARD_BATCH)(score, segments.to(like), torch.from_numpy(numbers))
    return np.asarray(found.double().cpu().numpy())
