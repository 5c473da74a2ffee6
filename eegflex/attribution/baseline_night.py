"""The night of baselines: every epoch of the recording replaced by what it is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from eegflex.preprocessing.segments import Segments
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize

if TYPE_CHECKING:
    from eegflex.attribution.request import Request
    from eegflex.stagers.bound import BoundStager

__all__ = [
    "BaselineNights",
    "baselines_of_night",
    "beyond_of_baselines",
    "bound_to",
    "in_windows_of",
    "keep_beyond",
    "scores_as_in",
]

#: Epochs whose baselines are made at once.
_AT_ONCE = 64
#: How many times as many epochs are in one pass of a stager of whole nights, which has their codes from the night.
OF_CODES = 4


def baselines_of_night(request: Request, draw: int = 0) -> npt.NDArray[np.float32]:
    """The baseline of every epoch of the night, shape (n_epochs, n_channels, n_times); those with a fault as they are."""
    signals, every = request.segments.signals, tuple(range(request.segments.signals.shape[1]))
    made = signals.copy()
    sound = np.flatnonzero(request.segments.fault == "")
    for start in range(0, len(sound), _AT_ONCE):
        numbers = sound[start : start + _AT_ONCE]
        draws = np.full(len(numbers), draw)
        made[numbers] = request.baseline(torch.from_numpy(signals[numbers]), numbers, every, draws).numpy()
    return made


class BaselineNights:
    """The stager on the nights of baselines, one for each draw: what was made last is not made again at once.

    Parameters
    ----------
    request : Request
        What is to be explained, in whatever windows.

    Attributes
    ----------
    scores : dict of array, shape (n_chosen, n_stages)
        Scores of the chosen epochs with their baselines in their places, in the windows that were chosen, for each channel
        set: where choosing windows has told them.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.scores: dict[int, npt.NDArray[np.float64]] = {}
        self._last: tuple[int, list[BoundStager]] | None = None

    def __call__(self, draw: int) -> list[BoundStager]:
        """One for each channel set."""
        if self._last is None or self._last[0] != draw:
            self._last = draw, bound_to(self.request, baselines_of_night(self.request, draw))
        return self._last[1]


def bound_to(request: Request, signals: npt.NDArray[np.float32]) -> list[BoundStager]:
    """The stager on the night with other signals, in the same windows."""
    night = request.night
    segments: Segments = dataclasses.replace(request.segments, signals=signals)
    return in_windows_of(request, night.stager.bind(segments, night.settings.edges, night.settings.n_window))


def in_windows_of(request: Request, bound: Sequence[BoundStager]) -> list[BoundStager]:
    """The same in the windows of the night that is explained."""
    pairs = zip(bound, request.night.bound, strict=True)
    return [one.with_window_length(own.windows.full_length) if one.any_window else one for one, own in pairs]


@torch.no_grad()
def scores_as_in(other: BoundStager, bound: BoundStager, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Scores of epochs as they are in another night, between their neighbours in this one, shape (n, n_stages)."""

    def score(index: torch.Tensor) -> tuple[torch.Tensor]:
        return (bound.scored_as_in(other, index),)

    batch = FORWARD_BATCH * (OF_CODES if bound.any_window else 1)
    (found,) = BatchSize(batch)(score, torch.from_numpy(numbers))
    return np.asarray(found.double().cpu().numpy())


def keep_beyond(request: Request, draw: int, replaced: list[BoundStager]) -> None:
    """Keep what reaches into the windows of the chosen epochs from a night of baselines, and not the night itself."""
    index = torch.from_numpy(request.chosen)
    lengths = [int(own.windows.length.max()) for own in request.moved]
    request.beyond[draw] = [
        own.with_window_length(length).beyond(index) for own, length in zip(replaced, lengths, strict=True)
    ]


def beyond_of_baselines(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], draws: npt.NDArray[np.intp] | None = None
) -> torch.Tensor:
    """What reaches into the windows of some of the chosen epochs from the nights of their baselines.

    Parameters
    ----------
    request : Request
        What is to be explained.
    channel_set : int
        With which channels.
    numbers : array of int, shape (n,)
        Epochs.
    draws : array of int, shape (n,) | None
        Which draw of the baseline of each; by default the first.

    Returns
    -------
    beyond : Tensor, shape (n, n_beyond)
    """
    draws = np.zeros_like(numbers) if draws is None else draws
    for draw in set(draws.tolist()) - set(request.beyond):
        keep_beyond(request, draw, bound_to(request, baselines_of_night(request, draw)))
    rows = np.searchsorted(request.chosen, numbers).tolist()
    kept = request.beyond
    return torch.stack([kept[draw][channel_set][row] for draw, row in zip(draws.tolist(), rows, strict=True)])
