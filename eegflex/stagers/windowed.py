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
from eegflex.stagers.stager import FORWARD_BATCH, BoundStager, Stager
from eegflex.stagers.windows import Windows, cut_windows

if TYPE_CHECKING:
    from eegflex.segments import Segments

__all__ = ["DEFAULT_WIDTH", "WindowedStager", "split_width"]

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
        self.stager = stager
        recorded = torch.from_numpy(segments.signals[:, list(channels)])
        silence = torch.zeros_like(recorded[:1])
        self.signals = torch.cat([recorded, silence]).to(stager.like)  # so that an index of -1 is silence
        self.edges = edges
        self.windows = self._cut(segments.run, width)
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
        return self.signals[index.to(self.signals.device)]

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments between their recorded neighbours, (n, n_stages)."""
        if self.factors:
            return self._by_length(index, self.stager.encode(segments), self.codes, self.stager.decode)
        return self._by_length(index, segments, self.signals, self.stager.score)

    def score_windows(self, windows: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score epochs while their whole windows vary, (n, n_stages)."""
        return self.stager.score(windows, self._at(index))

    @torch.no_grad()
    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """Score every epoch that has its neighbours, (n_epochs, n_stages)."""
        explicable = self.windows.explicable
        scores = torch.full((len(explicable), len(self.stager.spec.stages)), torch.nan, dtype=self.signals.dtype)
        for index in torch.from_numpy(np.flatnonzero(explicable)).split(FORWARD_BATCH):
            on_device = index.to(self.signals.device)
            own = self.codes if self.factors else self.signals
            function = self.stager.decode if self.factors else self.stager.score
            scores[index] = self._by_length(on_device, own[on_device], own, function).to(scores)
            progress(len(index))
        progress(int((~explicable).sum()))
        return scores

    @property
    def codes(self) -> torch.Tensor:
        """The codes of all epochs as recorded, and last that of silence."""
        if self._codes is None:
            with torch.no_grad():
                self._codes = torch.cat([self.stager.encode(part) for part in self.signals.split(FORWARD_BATCH)])
        return self._codes

    def _by_length(
        self,
        index: torch.Tensor,
        own: torch.Tensor,
        recorded: torch.Tensor,
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

    def _windows(self, index: torch.Tensor, own: torch.Tensor, recorded: torch.Tensor) -> torch.Tensor:
        """Windows with `own` in the place of their targets, shape (n, length, ...)."""
        members = self.windows.members(index.cpu().numpy())
        if members.shape[1] == 1:
            return own[:, None]
        target = (members == index.cpu().numpy()[:, None]).reshape(*members.shape, *(1,) * (own.ndim - 1))
        neighbours = recorded[torch.from_numpy(members).to(index.device)]
        return torch.where(torch.from_numpy(target).to(index.device), own[:, None], neighbours)

    def _at(self, index: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.windows.at(index.cpu().numpy())).to(index.device)

    @torch.no_grad()
    def _codes_suffice(self) -> bool:
        """Whether decoding codes gives what the module does, on the first windows; methods so called may be anything."""
        index = torch.from_numpy(np.flatnonzero(self.windows.explicable)[:2]).to(self.signals.device)
        if len(index) == 0:
            return False
        whole = self._by_length(index, self.inputs(index), self.signals, self.stager.score)
        few = torch.from_numpy(self.windows.members(index[:1].cpu().numpy())[0]).to(self.signals.device)
        try:
            factored = self.stager.decode(self.stager.encode(self.signals[few])[None], self._at(index[:1]))
        except (ModelError, AttributeError) as error:
            logger.info(f"{self.stager.spec.name}: its encode and decode are not used ({error})")
            return False
        if torch.allclose(factored, whole[:1], rtol=0, atol=TOLERANCE * max(float(whole.abs().max()), 1e-3)):
            return True
        logger.info(f"{self.stager.spec.name}: its encode and decode are not used, since their scores are not its own")
        return False


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
