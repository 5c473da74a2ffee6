"""A stager: a module and its contract, and what it becomes on one recording."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger
from torch import nn

from eegflex.errors import EegflexError, ModelError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize, out_of_memory
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.coding import Coding, codings_of, suffices
from eegflex.stagers.copies import moved_copy, own_copy, refuse_uninitialised
from eegflex.stagers.digest import digest_of_members, digest_of_weights
from eegflex.stagers.failures import ForwardError, said
from eegflex.stagers.fronts import Front, front_of
from eegflex.stagers.modules import Fed, copy_of, from_layout, shape_of, to_layout
from eegflex.stagers.positions import over_positions, windows_of
from eegflex.stagers.windows import SILENCE

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments
    from eegflex.stagers.windows import Windows

__all__ = ["BoundStager", "Stager", "WindowedStager", "recorded_inputs"]

T = TypeVar("T")


class Stager:
    """A model that stages sleep, and its contract.

    Inside eegflex every stager has one form, ``(batch, epoch, channel, time) -> (batch, stage)``, for the target epoch
    of the window; the spec's layouts say how a module sees it.

    Parameters
    ----------
    module : callable
        The model. A ``torch.nn.Module`` is copied: the caller's is left as it was.
    spec : ModelSpec
        Its contract.
    digest : str
        What its weights are told by, where that is known, such as the SHA-256 of the file that they are from.
    folder : Path | None
        Where the files lie that the spec names besides the weights. ``None``: their paths are the author's own.

    Attributes
    ----------
    spec : ModelSpec
        The contract.
    module : callable
        Our copy, in eval mode, with parameters that gather no gradients.
    like : Tensor
        An empty tensor on the device and of the precision that the module computes in.
    front : Front or None
        What makes the spectrogram that the module is fed; ``None`` where it is fed the signal.
    """

    front: Front | None = None

    _digest = ""
    #: The module in the precision in which it was given, where that is another.
    _as_given: nn.Module | None = None

    def __init__(
        self, module: Callable[[Any], torch.Tensor], spec: ModelSpec, digest: str = "", folder: Path | None = None
    ) -> None:
        self.spec = spec
        self.front = front_of(spec, folder)
        refuse_uninitialised(module)
        self.module = own_copy(module)
        self._digest = digest
        floating = (p for p in self._parameters() if p.is_floating_point())
        self.like = next(floating, torch.empty(0)).detach()[:0]

    def __repr__(self) -> str:
        rate = "any rate" if self.spec.sfreq is None else f"{self.spec.sfreq:.6g} Hz"
        inputs = ", ".join(channel.name for channel in self.spec.channels)
        return f"<{type(self).__name__} | {self.spec.name}, {inputs}, {rate}, {'/'.join(self.spec.stages)}>"

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Stager:
        """Copy of the stager on another device and in another precision."""
        if dtype != self.like.dtype:
            self.digest  # noqa: B018  (that of the weights as they were given, whatever they are computed with)
        moved = copy.copy(self)
        moved.like = self.like.to(device=device, dtype=dtype)
        if isinstance(self.module, nn.Module):
            moved.module = moved_copy(self.module, device, dtype)
            moved._as_given = self._as_given if self._is_of(dtype) else self.module
        return moved

    def with_spec(self, spec: ModelSpec) -> Stager:
        """The same module under another contract."""
        changed = copy.copy(self)
        changed.spec = spec
        if (spec.spectrogram, spec.sfreq) != (self.spec.spectrogram, self.spec.sfreq):
            changed.front = front_of(spec, self.front.folder if self.front else None)
        return changed

    @property
    def has_gradient(self) -> bool:
        """Whether its scores can have a gradient: those of trees, or of what runs without torch, have none."""
        return bool(getattr(self.module, "has_gradient", True))

    @property
    def fronts(self) -> tuple[Front, ...]:
        """The front ends that it has: one at most, or those of its members."""
        return (self.front,) if self.front else ()

    def fitted(self, segments: Segments) -> Stager:
        """The same with the statistics of a recording, where its spectrogram asks for them; constants from here on."""
        if self.front is None:
            return self
        changed = copy.copy(self)
        changed.front = self.front.fitted(segments)
        return changed

    def on_channels(self, segments: Segments, channels: Sequence[int]) -> Stager:
        """The same for one channel set of a recording, with the statistics of its channels."""
        if self.front is None or not self.front.recorded:
            return self
        changed = self.fitted(segments) if self.front.waits else copy.copy(self)
        changed.front = changed.front.of_channels(channels)  # type: ignore[union-attr]
        return changed

    @property
    def digest(self) -> str:
        """SHA-256 by which two trainings of one network are told apart; empty for a model whose weights are not known.

        It is that of a state dict's names and values, or of the file of a model that brings its own network; with the numbers
        of its front end, where it has any.
        """
        with contextlib.suppress(Exception):  # whatever a module has in the place of a state dict
            self._digest = self._digest or digest_of_weights(self.module)
        tables = self.front.digest if self.front else ""
        return digest_of_members((self._digest, tables)) if tables else self._digest

    @property
    def scores_every_position(self) -> bool:
        """Whether the module scores all epochs of a window, and any of them may be the target."""
        return "e" in self.spec.output and self.spec.target_index is None and self.spec.positions != "middle"

    @property
    def takes_sequences(self) -> bool:
        """Whether the module is made for several epochs at a time, by its layout."""
        return self.spec.takes_sequences

    @property
    def pooling(self) -> str:
        """What its scores are of several answers, such as ``"mean"``; empty where they are those of one."""
        return "" if self.spec.combine == "surest" else self.spec.combine

    def score(self, windows: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
        """Score the target epoch of windows.

        Parameters
        ----------
        windows : Tensor, shape (batch, epoch, channel, time)
        at : Tensor of int64, shape (batch,), optional
            The place of the target in its window. By default that of the spec.

        Returns
        -------
        scores : Tensor, shape (batch, stage)

        Raises
        ------
        ModelError
            If the module fails, or returns another shape than its spec says.
        """
        members = self.spec.members(windows.shape[2])
        if len(members) == 1:
            return self._score(windows, at)
        total = sum(self._score(windows[:, :, list(member)], at, member) for member in members)
        return total / len(members) if self.spec.combine == "mean" else total  # type: ignore[return-value]

    def _score(
        self, windows: torch.Tensor, at: torch.Tensor | None, members: Sequence[int] | None = None
    ) -> torch.Tensor:
        return self.score_fed(windows if self.front is None else self.front(windows, members), at)

    def score_fed(self, windows: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
        """Score windows of signals, or of spectrograms where the module takes these."""
        return over_positions(self._score_one, windows, at, self.spec)

    def _score_one(self, windows: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
        fed = self._arranged(windows)
        try:
            returned = self.run(self.module, fed)
        except ForwardError as error:
            returned = self._run_as_given(fed, error)
        return from_layout(returned, self.spec, windows.shape[0], windows.shape[1], at)

    def _run_as_given(self, fed: Fed, error: ForwardError) -> Any:
        """What the module returns in the precision in which it was given, into which it may convert its input itself."""
        given, self._as_given = self._as_given, None
        if given is None or not isinstance(error.__cause__, RuntimeError):
            raise error
        module = moved_copy(given, self.like.device)
        try:
            returned = self.run(module, fed)
        except ForwardError:
            raise error from error.__cause__
        self.module = module
        logger.warning(
            f"{self.spec.name} computes in a precision of its own, and no other: its scores are rounded to it"
        )
        return returned

    def arrange(self, windows: torch.Tensor) -> Fed:
        """What the module is fed of windows, shape (batch, epoch, channel, time): a tensor, or a dict of them."""
        return self._arranged(windows if self.front is None else self.front(windows))

    def _arranged(self, windows: torch.Tensor) -> Fed:
        layout = self.spec.layout
        if isinstance(layout, str):
            return to_layout(windows, layout)
        places = self.spec.inputs(windows.shape[2])
        return {name: to_layout(windows[:, :, places[name]], own) for name, own in layout.items()}

    def encode(self, segments: torch.Tensor) -> torch.Tensor:
        """Codes of segments by themselves: (n, channel, time) -> (n, ...)."""
        fed = segments if self.front is None else self.front(segments)
        return self.run(self.module.encode, fed)  # type: ignore[attr-defined]

    def decode(self, codes: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
        """Score the target epoch of windows of codes: (batch, epoch, ...) -> (batch, stage)."""
        return over_positions(self._decode_one, codes, at, self.spec)

    def _decode_one(self, codes: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
        returned = self.run(self.module.decode, codes)  # type: ignore[attr-defined]
        return from_layout(returned, self.spec, codes.shape[0], codes.shape[1], at)

    def run(self, function: Callable[[Any], torch.Tensor], fed: Fed) -> torch.Tensor:
        """The module itself, or a part of it, on a copy of what its layout makes of windows: it may change what it is fed.

        Raises
        ------
        ModelError
            If it fails on it.
        """
        try:
            return function(copy_of(fed))
        except EegflexError:
            raise
        except Exception as error:  # of whatever a model does
            if out_of_memory(error):
                raise
            raise ForwardError(
                f"The model failed on an input of shape {shape_of(fed)} (layout {self.spec.layout!r}): {said(error)}",
                remedy="Give a spec whose channels, n_times and layout are the model's, or epochs of the shape that it takes",
            ) from error

    def bind(self, segments: Segments, edges: str = "shift", window_length: int | None = None) -> list[BoundStager]:
        """The stager on a recording, once for each channel set that it is run with.

        Parameters
        ----------
        segments : Segments
            The recording.
        edges : {"shift", "pad", "skip"}
            See `cut_windows`.
        window_length : int | None
            Epochs of a window, for a stager whose context is the whole night. By default `DEFAULT_WINDOW_LENGTH`.
        """
        return [WindowedStager(self, segments, channels, edges, window_length) for channels in segments.channel_sets]

    def _is_of(self, dtype: torch.dtype) -> bool:
        """Whether all its weights are of a precision."""
        return all(p.dtype == dtype for p in self._parameters() if p.is_floating_point())

    def _parameters(self) -> list[torch.Tensor]:
        return list(self.module.parameters()) if isinstance(self.module, nn.Module) else []


class WindowedStager(BoundStager):
    """A stager on windows of recorded neighbours.

    A module with methods ``encode`` (n, channel, time) -> (n, ...) and ``decode`` (batch, epoch, ...) -> what the module
    returns is never asked to encode a neighbour twice: with the neighbours as recorded, their codes are constants. One of
    spectrograms has ``encode`` (n, channel, window, frequency) -> (n, ...); the spectrograms of neighbours are constants too.

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

    def _cut(self, run: npt.NDArray[np.int64], window_length: int | None) -> Windows:
        return windows_of(self.stager, run, self.edges, window_length)

    def with_window_length(self, window_length: int) -> WindowedStager:
        """The same with windows of another length."""
        other = copy.copy(self)
        other.windows = self._cut(self.windows.run, window_length)
        return other

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Recorded segments of some epochs, shape (n, n_channels, n_times)."""
        return recorded_inputs(self.signals, self.channels, index).to(self.stager.like)

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments between their recorded neighbours, (n, n_stages)."""
        return self._naming(self._among_recorded, segments, index)

    def _among_recorded(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        if self._coding:
            return self._by_length(index, self._coding.encode(segments), self._codes_of, self._coding.decode)
        return self._by_length(index, segments, self.inputs, self.stager.score)

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Score epochs while their whole windows vary, (n, n_stages); nothing reaches into these from beyond."""
        return self._naming(lambda own, at: self.stager.score(own, self._at(at)), windows, index)

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
            (scores[numbers],) = self.batch(lambda at: self._naming(score, at), numbers.to(self.stager.like.device))
        progress(int((~explicable).sum()))
        return scores

    def _codes_of(self, index: torch.Tensor) -> torch.Tensor:
        """Codes of epochs as recorded; each is computed once."""
        if self._codes is None and self._coding:
            encoded, device = self._coding.encode, self.stager.like.device
            numbers = torch.arange(len(self.signals) + 1, device=device)
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
    def _suffices(self, coding: Coding) -> bool:
        """Whether a coding gives what the module does, on the first window."""
        index = torch.from_numpy(np.flatnonzero(self.windows.explicable)[:1]).to(self.stager.like.device)
        if len(index) == 0:
            return False
        whole = self._by_length(index, self.inputs(index), self.inputs, self.stager.score)
        members = torch.from_numpy(self.windows.members(index.cpu().numpy())[0])
        return suffices(coding, self.inputs(members), self._at(index), whole, self.stager.spec.name)


def recorded_inputs(signals: npt.NDArray[np.float32], channels: list[int], index: torch.Tensor) -> torch.Tensor:
    """Segments of some epochs and channels, shape (n, n_channels, n_times); silence for an index of ``SILENCE``."""
    numbers = index.cpu().numpy()
    recorded = signals[numbers[:, None], channels]
    recorded[numbers == SILENCE] = 0.0
    return torch.from_numpy(recorded)
