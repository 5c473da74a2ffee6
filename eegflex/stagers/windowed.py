"""A stager on windows of a recording: an epoch among its recorded neighbours, of which none is encoded twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from eegflex.errors import ModelError
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.coding import Coding, Entry, codings_of, entries_of, leads_to, suffices
from eegflex.stagers.failures import ForwardError
from eegflex.stagers.positions import windows_of
from eegflex.stagers.windows import SILENCE, Length

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments
    from eegflex.stagers.stager import Stager
    from eegflex.stagers.windows import Windows

__all__ = ["WindowedStager", "recorded_inputs"]

T = TypeVar("T")


class WindowedStager(BoundStager):
    """A stager on windows of recorded neighbours.

    A module with methods ``encode`` (n, channel, time) -> (n, ...) and ``decode`` (batch, epoch, ...) -> what the module
    returns is never asked to encode a neighbour twice: with the neighbours as recorded, their codes are constants. One of
    spectrograms has ``encode`` (n, channel, window, frequency) -> (n, ...); the spectrograms of neighbours are constants too.

    A module that reads the epochs in turn may have two more, by which it is entered at the epoch explained: ``state_before``,
    codes of the epochs before it (batch, epoch, ...) -> a tensor (batch, ...) or some of them, and ``decode_from``, codes from
    it on and that state -> what ``decode`` returns for them. All four are tried on the first window, and used if they give
    what the module does.

    Parameters
    ----------
    stager : Stager
        The model and its contract.
    segments : Segments
        The recording as the stager wants it.
    channels : tuple of int
        The channels of this channel set.
    edges : {"shift", "pad", "skip"}
        What happens where a run ends within a window.
    window_length : int | None
        Epochs of a window, where the stager's context is the whole night.
    """

    stager: Stager
    edges: str
    signals: npt.NDArray[np.float32]
    channels: list[int]
    onset: npt.NDArray[np.float64]
    windows: Windows
    batch: BatchSize

    def __init__(
        self, stager: Stager, segments: Segments, channels: tuple[int, ...], edges: str, window_length: int | None
    ) -> None:
        self.stager, self.edges = stager.on_channels(segments, channels), edges
        self.signals, self.channels, self.onset = segments.signals, list(channels), segments.onset
        self.windows = self._cut(segments.run, window_length)
        self.batch = BatchSize(FORWARD_BATCH)
        self._codes: torch.Tensor | None = None
        codings = codings_of(self.stager) if self.windows.length.max() > 1 else []
        self._coding = next((coding for coding in codings if self._suffices(coding)), None)
        entries = entries_of(self.stager) if self._coding else []
        self._states: dict[int, tuple[torch.Tensor, ...]] = {}
        self._entry = next((entry for entry in entries if self._leads_to_the_same(entry)), None)

    def _cut(self, run: npt.NDArray[np.int64], window_length: Length | None) -> Windows:
        return windows_of(self.stager, run, self.edges, window_length)

    def with_window_length(self, window_length: Length) -> WindowedStager:
        """The same with windows of another length."""
        other = copy.copy(self)
        other.windows, other._states = self._cut(self.windows.run, window_length), {}
        return other

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Recorded segments of some epochs, shape (n, n_channels, n_times)."""
        return recorded_inputs(self.signals, self.channels, index).to(self.stager.like)

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments between their recorded neighbours, (n, n_stages)."""
        return self._naming(self._among_recorded, segments, index.cpu())

    def encode(self, segments: torch.Tensor) -> torch.Tensor:
        """Codes of segments, where the model has them; else the segments."""
        return self._coding.encode(segments) if self._coding else segments

    def decode(self, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments by what `encode` made of them."""
        return self._naming(self._decoded, codes, index.cpu())

    def _among_recorded(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return self._decoded(self.encode(segments), index)

    def _decoded(self, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        if self._entry:
            places = [torch.from_numpy(group) for group in self.windows.aligned(index.numpy())]
            parts = [self._entered(self._entry, codes[p], index[p]) for p in places]
            return parts[0] if len(parts) == 1 else torch.cat(parts)[torch.argsort(torch.cat(places))]
        if self._coding:
            return self._by_length(index, codes, self._codes_of, self._coding.decode)
        return self._by_length(index, codes, self.inputs, self.stager.score)

    def _entered(self, entry: Entry, codes: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score epochs, all at one place of their windows, from the states before them."""
        at = int(self._at(index[:1]))
        if at == 0:
            return self._by_length(index, codes, self._codes_of, self._coding.decode)  # type: ignore[union-attr]
        members = torch.from_numpy(self.windows.members(index.numpy()))
        self._enter(entry, members[:, :at], index)
        states = zip(*(self._states[number] for number in index.tolist()), strict=True)
        later = members[:, at + 1 :] if not entry.alone else members[:, :0]
        window = torch.cat([codes[:, None], self._codes_of(later)], dim=1) if later.shape[1] else codes[:, None]
        return entry.decode(window, tuple(torch.stack(own) for own in states))

    @torch.no_grad()
    def _enter(self, entry: Entry, earlier: torch.Tensor, index: torch.Tensor) -> None:
        """Compute the states before some epochs, those that are not known; each is computed once."""
        missing = {number: row for row, number in enumerate(index.tolist()) if number not in self._states}
        if missing:
            rows = earlier[list(missing.values())]
            states = self.batch(lambda part: entry.before(self._codes_of(part)), rows)
            self._states |= dict(zip(missing, zip(*states, strict=True), strict=True))

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Score epochs while their whole windows vary, (n, n_stages); nothing reaches into these from beyond."""
        return self._naming(lambda own, at: self.stager.score(own, self._at(at)), windows, index.cpu())

    @torch.no_grad()
    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """Score every epoch that has its neighbours, (n_epochs, n_stages)."""
        explicable = self.windows.explicable
        scores = torch.full((len(explicable), len(self.stager.spec.stages)), torch.nan, dtype=self.stager.like.dtype)
        recorded = self._codes_of if self._coding else self.inputs
        function = self._coding.decode if self._coding else self.stager.score

        def score(index: torch.Tensor) -> tuple[torch.Tensor]:
            found = self._by_length(index, recorded(index), recorded, function)
            progress(len(index))
            return (found.to(scores),)

        numbers = torch.from_numpy(np.flatnonzero(explicable))
        if len(numbers):
            (scores[numbers],) = self.batch(lambda at: self._naming(score, at), numbers)
        progress(int((~explicable).sum()))
        return scores

    def _codes_of(self, index: torch.Tensor) -> torch.Tensor:
        """Codes of epochs as recorded; each is computed once."""
        if self._codes is None and self._coding:
            encoded = self._coding.encode
            numbers = torch.arange(len(self.signals) + 1)
            numbers[-1] = SILENCE  # so that the last code is that of silence
            with torch.no_grad():
                encode = partial(self._naming, lambda part: (encoded(self.inputs(part)),))
                (self._codes,) = self.batch(encode, numbers)
        return self._codes[index]  # type: ignore[index]

    def _naming(self, function: Callable[..., T], *of: torch.Tensor) -> T:
        """Apply a function to tensors, of which the last says the epochs; where the model fails, say on which of them."""
        try:
            return function(*of)
        except ForwardError as error:
            with torch.no_grad():
                for row in zip(*(tensor.split(1) for tensor in of), strict=True):
                    try:
                        function(*row)
                    except ForwardError as own:
                        raise self._told(own, row[-1]) from own.__cause__
            raise self._told(error, of[-1]) from error.__cause__  # they fail only together

    def _told(self, error: ForwardError, index: torch.Tensor) -> ModelError:
        numbers = index.tolist()
        where = [f"epoch {number}, at {self.onset[number]:g} s" for number in numbers if number != SILENCE]
        more = f" and {len(where) - 1} others" if len(where) > 1 else ""
        return ModelError(error.what, seen=f"{where[0]}{more}" if where else "silence", remedy=error.remedy)

    def _by_length(
        self,
        index: torch.Tensor,
        own: torch.Tensor,
        recorded: Callable[[torch.Tensor], torch.Tensor],
        function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Apply a function to windows in which `own` stands among the recorded neighbours, those of one length at a time."""
        groups = self.windows.alike(index.numpy())
        if len(groups) == 1:
            return function(self._windows(index, own, recorded), self._at(index))
        places = [torch.from_numpy(group) for group in groups]
        parts = [function(self._windows(index[p], own[p], recorded), self._at(index[p])) for p in places]
        return torch.cat(parts)[torch.argsort(torch.cat(places))]

    def _windows(
        self, index: torch.Tensor, own: torch.Tensor, recorded: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Windows with `own` in the place of their targets, shape (n, length, ...)."""
        members = torch.from_numpy(self.windows.members(index.numpy()))
        if members.shape[1] == 1:
            return own[:, None]
        target = (members == index[:, None]).reshape(*members.shape, *(1,) * (own.ndim - 1)).to(own.device)
        return torch.where(target, own[:, None], recorded(members.ravel()).unflatten(0, members.shape))

    def _at(self, index: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.windows.at(index.numpy()))

    @torch.no_grad()
    def _suffices(self, coding: Coding) -> bool:
        """Whether a coding gives what the module does, on the first window."""
        index = torch.from_numpy(np.flatnonzero(self.windows.explicable)[:1])
        if len(index) == 0:
            return False
        whole = self._by_length(index, self.inputs(index), self.inputs, self.stager.score)
        members = torch.from_numpy(self.windows.members(index.numpy())[0])
        return suffices(coding, self.inputs(members), self._at(index), whole, self.stager.spec.name)

    @torch.no_grad()
    def _leads_to_the_same(self, entry: Entry) -> bool:
        """Whether an entry gives what the coding does, on the first window that has epochs before its target."""
        numbers = np.flatnonzero(self.windows.explicable)
        numbers = numbers[self.windows.at(numbers) > 0][:1]
        if len(numbers) == 0 or self._coding is None:
            return False
        members = torch.from_numpy(self.windows.members(numbers)[0])
        at = self._at(torch.from_numpy(numbers))
        codes = self._coding.encode(self.inputs(members))[None]
        return leads_to(entry, codes, int(at), self._coding.decode(codes, at), self.stager.spec.name)


def recorded_inputs(signals: npt.NDArray[np.float32], channels: list[int], index: torch.Tensor) -> torch.Tensor:
    """Segments of some epochs and channels, shape (n, n_channels, n_times); silence for an index of ``SILENCE``."""
    numbers = index.cpu().numpy()
    recorded = signals[numbers[:, None], channels]
    recorded[numbers == SILENCE] = 0.0
    return torch.from_numpy(recorded)
