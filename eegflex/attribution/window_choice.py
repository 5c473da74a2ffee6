"""The windows of a stager of whole nights: for each epoch the narrowest in which its scores change as in the widest."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.baseline_night import BaselineNights, scores_as_in
from eegflex.attribution.request import Request
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.windows import DEFAULT_WINDOW_LENGTH
from eegflex.utils.progress import progress

__all__ = ["SHARE_OF_TOL", "in_windows", "narrowest_windows", "run_lengths"]

#: Windows that are tried.
LADDER = (DEFAULT_WINDOW_LENGTH, 41, 81)
#: The share of the tolerance that a window may take up.
SHARE_OF_TOL = 0.5
#: How many times what the window does to the change of the score, which is one number, it is taken to do to the bands. Of 120
#: epochs of a night of GSSC, 24 of each stage, these missed 1.4 times as much (median); a tenth of them more than 4 times,
#: where that change happens to agree.
SHARE_OF_CHANGE = 1.5
#: Scores in another window are the night's own if they differ by no more, relative to their size.
SAME_SCORES = 1e-3
#: Epochs of each predicted stage on which that is tried.
N_TRIED = 2


def run_lengths(request: Request) -> npt.NDArray[np.intp]:
    """Epochs of the run that each epoch of the night is in: a window of so many is all of it."""
    _, place, counts = np.unique(request.night.bound[0].windows.run, return_inverse=True, return_counts=True)
    return np.asarray(counts[place])


@torch.no_grad()
def narrowest_windows(request: Request, nights: BaselineNights) -> Request:
    """The same question in windows that each epoch has of its own with each channel set.

    The baseline in the place of an epoch changes its scores in a window by nearly as much as in a wider one, or by something
    else. The narrowest window is taken in which that does not differ from what it is in the widest by more than half of the
    tolerance, relative to the change, or to what is negligible where that is more. A stager whose scores in another window are
    not those of the night keeps its windows.

    Parameters
    ----------
    request : Request
        What is to be explained, by a stager of whole nights.
    nights : BaselineNights
        The nights of its baselines.
    """
    widest = int(run_lengths(request).max())
    lengths = sorted({min(length, widest) for length in LADDER})
    if len(lengths) == 1 or not _scores_are_the_nights(request, lengths[-1]):
        return request
    everywhere = all(bound.any_window for bound in request.night.bound)
    rungs = np.zeros((len(request.night.bound), len(request.chosen)), dtype=np.intp)
    n_draws = request.baseline.n_draws
    with progress(n_draws * len(rungs), "Choosing windows") as done:
        for draw in range(n_draws):
            for channel_set, other in enumerate(nights(draw)):
                own, scores = _rungs(request, channel_set, other, lengths, everywhere=everywhere)
                rungs[channel_set] = np.maximum(rungs[channel_set], own)
                if n_draws == 1:  # with several, a window is the widest that any draw needs
                    nights.scores[channel_set] = scores
                done(1)
    return in_windows(request, np.array(lengths)[rungs.T])


def in_windows(request: Request, lengths: npt.NDArray[np.int64]) -> Request:
    """The same question in other windows: of each chosen epoch one for each channel set, shape (n_chosen, n_channel_sets)."""
    bound = []
    for own, chosen in zip(request.night.bound, lengths.T, strict=True):
        of_each = np.full(len(own.windows.run), lengths.min())
        of_each[request.chosen] = chosen
        bound.append(own.with_window_length(of_each))
    settings = dataclasses.replace(request.night.settings, window_length=int(lengths.max()))
    night = dataclasses.replace(request.night, bound=tuple(bound), settings=settings)
    return dataclasses.replace(request, night=night, batches={})


def _rungs(
    request: Request, channel_set: int, other: BoundStager, lengths: Sequence[int], *, everywhere: bool
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Which of the lengths each chosen epoch needs, shape (n_chosen,): of several targets the one that needs most.

    And its scores in that window with the baseline in its place, shape (n_chosen, n_stages).

    `everywhere`: as recorded they have the scores of the night, whatever the window.
    """
    own, numbers = request.night.bound[channel_set], request.chosen
    least = max(float(request.negligible[channel_set]), np.finfo(float).tiny)

    def changes(length: int, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """From the baselines, shape (n_rows, n_targets), and the scores of these, (n_rows, n_stages)."""
        within, there = own.with_window_length(length), numbers[rows]
        end = request.night.scores[there, channel_set] if everywhere else scores_as_in(within, within, there)
        weights = request.weights(there, channel_set).double().cpu().numpy()
        begin = scores_as_in(other, within, there)
        return np.einsum("nts,ns->nt", weights, end - begin), begin

    rows, found = np.arange(len(numbers)), np.full(len(numbers), len(lengths) - 1)
    widest, scores = changes(lengths[-1], rows)
    for rung, length in enumerate(lengths[:-1]):
        (near, begin), far = changes(length, rows), widest[rows]
        size = np.maximum(np.maximum(np.abs(near), np.abs(far)), least)
        missed = (SHARE_OF_CHANGE * np.abs(near - far) / size).max(axis=1)
        enough = missed <= SHARE_OF_TOL * request.settings.tol
        found[rows[enough]], scores[rows[enough]] = rung, begin[enough]
        rows = rows[~enough]
        if not rows.size:
            break
    return found, scores


def _scores_are_the_nights(request: Request, length: int) -> bool:
    """Whether some epochs have the scores of the night in other windows, too."""
    predicted = request.night.predicted[request.chosen]
    few = [request.chosen[predicted == stage][:N_TRIED] for stage in request.night.stages]
    numbers = np.concatenate(few)
    bound, night = request.night.bound[0].with_window_length(length), request.night.scores[numbers, 0]
    index = torch.from_numpy(numbers)
    scores = bound(bound.inputs(index), index).double().cpu().numpy()
    return bool(np.abs(scores - night).max() <= SAME_SCORES * np.abs(night).max())
