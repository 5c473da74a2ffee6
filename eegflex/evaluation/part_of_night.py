"""A stager on a part of a night: all that it needs to be asked about a few epochs, known by their numbers in the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from eegflex.stagers.bound import BoundStager
from eegflex.stagers.modules import rnn_safe
from eegflex.stagers.windows import SILENCE, Length, Windows
from eegflex.surrogates import cut_out

if TYPE_CHECKING:
    from eegflex.stagers.stager import Stager
    from eegflex.staging import StagedNight

__all__ = ["N_AROUND", "bound_to_part"]

#: So many epochs on either side of one are the night of a stager of whole nights.
N_AROUND = 10


def bound_to_part(
    night: StagedNight, stager: Stager, numbers: Sequence[int], window_length: int | None
) -> tuple[BoundStager, ...]:
    """Bind a stager to the epochs that must be there to stage some of them, once for each channel set.

    Parameters
    ----------
    night : StagedNight
        The recording, staged by a stager of the same contract.
    stager : Stager
        The one to bind.
    numbers : sequence of int
        The epochs that it will be asked about, each of which has the context that it needs.
    window_length : int | None
        As in `Stager.bind`.
    """
    members = np.unique(np.concatenate([_neighbours(night, number) for number in set(numbers)]))
    part = cut_out(night.segments, members)
    with rnn_safe(stager.module):
        bound = stager.bind(part, night.settings.edges, window_length)
    return tuple(_OfPart(own, members, whole.windows) for own, whole in zip(bound, night.bound, strict=True))


def _neighbours(night: StagedNight, number: int) -> npt.NDArray[np.intp]:
    """The epochs in the window of one of them; of a stager of whole nights, those about it in its run."""
    if night.stager.spec.context.whole:
        near = np.arange(max(number - N_AROUND, 0), min(number + N_AROUND + 1, len(night)))
        found: npt.NDArray[np.intp] = near[night.segments.run[near] == night.segments.run[number]]
        return found
    members = np.concatenate([own.windows.members(np.array([number])).ravel() for own in night.bound])
    return np.asarray(members[members != SILENCE], dtype=np.intp)


class _OfPart(BoundStager):
    """A stager on some epochs of a recording, asked about them by their numbers in the whole of it."""

    def __init__(self, own: BoundStager, members: npt.NDArray[np.intp], windows: Windows) -> None:
        self.own, self.members, self.windows = own, members, windows
        self.any_window, self.n_beyond = own.any_window, own.n_beyond

    def _places(self, index: torch.Tensor) -> torch.Tensor:
        numbers = index.cpu().numpy()
        places = np.searchsorted(self.members, numbers)
        return torch.from_numpy(np.where(numbers == SILENCE, SILENCE, places)).to(index.device)

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        return self.own.inputs(self._places(index))

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return self.own(segments, self._places(index))

    def beyond(self, index: torch.Tensor) -> torch.Tensor:
        return self.own.beyond(self._places(index))

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.own.score_windows(windows, self._places(index), beyond)

    def with_window_length(self, window_length: Length) -> BoundStager:
        return _OfPart(self.own.with_window_length(window_length), self.members, self.windows)

    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        raise NotImplementedError("Only a part of the night is there")
