"""What decides: the epoch itself, or the context that the stager sees beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.baseline_night import BaselineNights, in_windows_of, keep_beyond, scores_as_in
from eegflex.results.decided import REPLACED
from eegflex.utils.progress import progress

if TYPE_CHECKING:
    from eegflex.attribution.request import Request
    from eegflex.stagers.stager import BoundStager

__all__ = ["replaced_scores"]


def replaced_scores(
    request: Request, numbers: npt.NDArray[np.intp], nights: BaselineNights | None = None
) -> npt.NDArray[np.float64]:
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
    nights : BaselineNights | None
        The nights of the baselines, if they are there already.

    Returns
    -------
    scores : array of float64, shape (n_epochs, n_channel_sets, 4, n_stages)
        In the order of `REPLACED`. NaN where the context is replaced and the stager sees none.
    """
    bound = request.night.bound
    found = np.full((len(numbers), len(bound), len(REPLACED), len(request.night.stages)), np.nan)
    found[:, :, 0] = request.night.scores[numbers]
    n_draws, nights = request.baseline.n_draws, nights or BaselineNights(request)
    with progress(len(bound) * n_draws, "Replacing epochs and contexts") as done:
        drawn = [_with_draw(request, numbers, draw, nights, done) for draw in range(n_draws)]
    found[:, :, 1:] = np.mean(drawn, axis=0)
    return found


def _with_draw(
    request: Request, numbers: npt.NDArray[np.intp], draw: int, nights: BaselineNights, done: Callable[[int], None]
) -> npt.NDArray[np.float64]:
    """Scores with a draw of the baseline in the place of the epoch, of its context, and of both."""
    bound = request.night.bound
    found = np.full((len(numbers), len(bound), len(REPLACED) - 1, len(request.night.stages)), np.nan)
    replaced = in_windows_of(request, nights(draw))
    if any(one.n_beyond for one in bound):
        keep_beyond(request, draw, replaced)
    for place, (own, other) in enumerate(zip(bound, replaced, strict=True)):
        known = nights.scores.get(place) if numbers is nights.request.chosen else None
        found[:, place, 0] = _scores(own, other, numbers) if known is None else known
        if own.windows.length.max() > 1:
            found[:, place, 1] = _scores(other, own, numbers)
            found[:, place, 2] = _scores(other, other, numbers)
        done(1)
    return found


@torch.no_grad()
def _scores(bound: BoundStager, night: BoundStager, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Scores of epochs, as they are in a night, in their places of another, shape (n, n_stages)."""
    if bound is night and bound.any_window:
        return np.asarray(bound.night_scores(lambda _: None).double().cpu().numpy()[numbers])
    return scores_as_in(night, bound, numbers)
