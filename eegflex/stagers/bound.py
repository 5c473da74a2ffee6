"""A stager on one recording: all that an attribution needs to know of a model."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from eegflex.stagers.windows import Length, Windows

__all__ = ["BoundStager"]


class BoundStager(ABC):
    """A stager on one recording and one channel set: it scores a segment in that segment's own context.

    This is all that an attribution needs to know about a model. Which epochs are meant is said on the host: nobody has to wait
    for a GPU to learn it.

    Attributes
    ----------
    windows : Windows
        The context of each epoch.
    any_window : bool
        Whether an epoch is scored in a window of any length as in the whole night.
    n_beyond : int
        How many numbers reach into a window from the night beyond it, such as the states of recurrent layers at its ends.
    """

    windows: Windows
    any_window: bool = False
    n_beyond: int = 0

    @abstractmethod
    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """The recorded segments of some epochs, shape (n, n_channels, n_times), where and as the model computes.

        An index of ``SILENCE`` gives a silent one.
        """

    @abstractmethod
    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments while their neighbours stay as recorded.

        Parameters
        ----------
        segments : Tensor, shape (n, n_channels, n_times)
            What stands in the place of the epoch.
        index : Tensor of int64, shape (n,)
            Which epoch of the recording each of them stands for.

        Returns
        -------
        scores : Tensor, shape (n, n_stages)
        """

    def encode(self, segments: torch.Tensor) -> Any:
        """What is made of variants of segments by themselves, whatever their windows; by default nothing is."""
        return segments

    def decode(self, codes: Any, index: torch.Tensor) -> torch.Tensor:
        """Score variants by what `encode` made of them: ``bound.decode(bound.encode(segments), index)`` is the call itself."""
        return self(codes, index)

    def scored_as_in(self, other: BoundStager, index: torch.Tensor) -> torch.Tensor:
        """Score epochs as they are in another night, such as that of their baselines, between their neighbours in this one.

        A stager that knows what `encode` makes of another's night does not make it again.
        """
        return self(other.inputs(index), index)

    def beyond(self, index: torch.Tensor) -> torch.Tensor:
        """What reaches into the windows of some epochs from the recorded night beyond them, shape (n, n_beyond)."""
        return torch.zeros(len(index), 0, device=index.device)

    @abstractmethod
    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Score epochs while their whole windows vary, (n, n_stages).

        Parameters
        ----------
        windows : Tensor, shape (n, length, n_channels, n_times)
            What stands in the place of the window; all are of one length.
        index : Tensor of int64, shape (n,)
            Which epoch of the recording is scored.
        beyond : Tensor, shape (n, n_beyond) | None
            What reaches into them from beyond; by default what does as recorded.
        """

    @abstractmethod
    def with_window_length(self, window_length: Length) -> BoundStager:
        """The same, with windows of another length, or of one for each epoch, for a stager of whole nights.

        What was computed once is not computed again.
        """

    def with_windows(self, windows: Windows) -> BoundStager:
        """The same in other windows, for a stager that scores an epoch in any window as in the whole night."""
        other = copy.copy(self)
        other.windows = windows
        return other

    @abstractmethod
    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """Score every epoch as recorded.

        Parameters
        ----------
        progress : callable
            Told how many epochs have been scored since the last call.

        Returns
        -------
        scores : Tensor, shape (n_epochs, n_stages)
            NaN for epochs without the context that the stager needs.
        """
