"""A stager that sees recorded neighbours, whose codes are computed once where it factors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger

from eegflex.errors import ModelError, ParameterError
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.stagers.windows import SILENCE, Windows, cut_windows

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["DEFAULT_WIDTH", "WindowedStager", "recorded_inputs", "split_width"]

#: Epochs of a window of a stager whose context is the whole night.
DEFAULT_WIDTH = 21
#: Scores by way of codes may differ from the module's own by this much, relative to their size.
TOLERANCE = 1e-4


class WindowedStager(BoundStager):
    """A stager on windows of recorded neighbours.

    A module with methods ``encode`` (n, channel, time) -> (n, ...) and ``decode`` (batch, epoch, ...) -> what the module
    returns is never asked to encode a neighbour twice: with the neighbours as recorded, their codes are constants.

    Parameters
    ----------
    stager : Stager
        The model and its contract.
    segments : Segments
        The recording as the stager wants it.
    channels : tuple of int
        The channels of this combination.
    edges : {"shift", "pad", "skip"}
        What happens where a run ends within a window.
    width : int | None
        Epochs of a window, where the stager's context is the whole night.
    """

    def __init__(
        self, stager: Stager, segments: Segments, channels: tuple[int, ...], edges: str, width: int | None
    ) -> None:
        self.stager, self.edges = stager, edges
        self.signals, self.channels = segments.signals, list(channels)
        self.windows = self._cut(segments.run, width)
        self.batch = BatchSize(FORWARD_BATCH)
        self._codes: torch.Tensor | None = None
        self.factors = self.windows.length.max() > 1 and stager.can_factor and self._codes_suffice()

    def _cut(self, run: npt.NDArray[np.int64], width: int | None) -> Windows:
        before, after = _neighbours(self.stager, width)
        every, whole = self.stager.scores_every_position, self.stager.spec.context.whole
        return cut_windows(run, before, after, self.edges, can_shift=every, can_shrink=whole)

    def with_width(self, width: int) -> WindowedStager:
        """The same with windows of another width."""
        other = copy.copy(self)
        other.windows = self._cut(self.windows.run, width)
        return other

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Recorded segments of some epochs, shape (n, n_channels, n_times)."""
        return recorded_inputs(self.signals, self.channels, index).to(self.stager.like)

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments between their recorded neighbours, (n, n_stages)."""
        if self.factors:
            return self._by_length(index, self.stager.encode(segments), self._codes_of, self.stager.decode)
        return self._by_length(index, segments, self.inputs, self.stager.score)

    def score_windows(self, windows: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score epochs while their whole windows vary, (n, n_stages)."""
        return self.stager.score(windows, self._at(index))

    @torch.no_grad()
    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """Score every epoch that has its neighbours, (n_epochs, n_stages)."""
        explicable = self.windows.explicable
        scores = torch.full((len(explicable), len(self.stager.spec.stages)), torch.nan, dtype=self.stager.like.dtype)
        recorded = self._codes_of if self.factors else self.inputs
        function = self.stager.decode if self.factors else self.stager.score

        def score(index: torch.Tensor) -> tuple[torch.Tensor]:
            found = self._by_length(index, recorded(index), recorded, function)
            progress(len(index))
            return (found.to(scores),)

        numbers = torch.from_numpy(np.flatnonzero(explicable))
        if len(numbers):
            (scores[numbers],) = self.batch(score, numbers.to(self.stager.like.device))
        progress(int((~explicable).sum()))
        return scores

    def _codes_of(self, index: torch.Tensor) -> torch.Tensor:
        """Codes of epochs as recorded; each is computed once."""
        if self._codes is None:
            device = self.stager.like.device
            numbers = torch.arange(len(self.signals) + 1, device=device)
            numbers[-1] = SILENCE  # so that the last code is that of silence
            with torch.no_grad():
                (self._codes,) = self.batch(lambda part: (self.stager.encode(self.inputs(part)),), numbers)
        return self._codes[index]

    def _by_length(
        self,
        index: torch.Tensor,
        own: torch.Tensor,
        recorded: Callable[[torch.Tensor], torch.Tensor],
        function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Apply a function to windows in which `own` stands among the recorded neighbours, those of one length at a time."""
        numbers = index.cpu().numpy()
        groups = self.windows.alike(numbers)
        if len(groups) == 1:
            return function(self._windows(index, own, recorded), self._at(index))
        places = [torch.from_numpy(group).to(index.device) for group in groups]
        parts = [function(self._windows(index[p], own[p], recorded), self._at(index[p])) for p in places]
        return torch.cat(parts)[torch.argsort(torch.cat(places))]

    def _windows(
        self, index: torch.Tensor, own: torch.Tensor, recorded: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Windows with `own` in the place of their targets, shape (n, length, ...)."""
        members = torch.from_numpy(self.windows.members(index.cpu().numpy())).to(index.device)
        if members.shape[1] == 1:
            return own[:, None]
        target = (members == index[:, None]).reshape(*members.shape, *(1,) * (own.ndim - 1))
        return torch.where(target, own[:, None], recorded(members.ravel()).unflatten(0, members.shape))

    def _at(self, index: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.windows.at(index.cpu().numpy())).to(index.device)

    @torch.no_grad()
    def _codes_suffice(self) -> bool:
        """Whether decoding codes gives what the module does, on the first windows; methods so called may be anything."""
        index = torch.from_numpy(np.flatnonzero(self.windows.explicable)[:1]).to(self.stager.like.device)
        if len(index) == 0:
            return False
        whole = self._by_length(index, self.inputs(index), self.inputs, self.stager.score)
        members = torch.from_numpy(self.windows.members(index.cpu().numpy())[0])
        try:
            factored = self.stager.decode(self.stager.encode(self.inputs(members))[None], self._at(index))
        except (ModelError, AttributeError) as error:
            logger.info(f"{self.stager.spec.name}: its encode and decode are not used ({error})")
            return False
        if torch.allclose(factored, whole, rtol=0, atol=TOLERANCE * max(float(whole.abs().max()), 1e-3)):
            return True
        logger.info(f"{self.stager.spec.name}: its encode and decode are not used, since their scores are not its own")
        return False


def recorded_inputs(signals: npt.NDArray[np.float32], channels: list[int], index: torch.Tensor) -> torch.Tensor:
    """Segments of some epochs and channels, shape (n, n_channels, n_times); silence for an index of ``SILENCE``."""
    numbers = index.cpu().numpy()
    recorded = signals[numbers[:, None], channels]
    recorded[numbers == SILENCE] = 0.0
    return torch.from_numpy(recorded)


def _neighbours(stager: Stager, width: int | None) -> tuple[int, int]:
    """Epochs before and after the target in its window."""
    context = stager.spec.context
    if not context.whole:
        if width is not None:
            raise ParameterError(
                "Only a stager whose context is the whole night has a window of any width",
                seen=f"width={width} for {stager.spec.name}, which sees {context.before} and {context.after} neighbours",
                remedy="Leave width out",
            )
        return context.before, context.after
    return split_width(DEFAULT_WIDTH if width is None else width)


def split_width(width: int) -> tuple[int, int]:
    """Neighbours before and after the target of a window of `width` epochs.

    Raises
    ------
    ParameterError
        If there is no room for the target.
    """
    if isinstance(width, bool) or int(width) != width or width < 1:
        raise ParameterError("A window must hold at least one epoch", seen=width)
    return int(width) // 2, int(width) - 1 - int(width) // 2
