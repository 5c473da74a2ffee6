"""A stager: a module and its contract, and what it becomes on one recording."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mne.utils import logger
from torch import nn

from eegflex.errors import EegflexError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.batches import out_of_memory
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.copies import moved_copy, own_copy, refuse_uninitialised
from eegflex.stagers.digest import digest_of_members, digest_of_weights
from eegflex.stagers.failures import ForwardError, said
from eegflex.stagers.fronts import Front, front_of
from eegflex.stagers.modules import Fed, copy_of, from_layout, shape_of, to_layout
from eegflex.stagers.passes import Pass, by_channels_last, by_own, quickest
from eegflex.stagers.positions import over_positions
from eegflex.stagers.windowed import WindowedStager

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["BoundStager", "Stager"]


class Stager:
    """A model that stages sleep, with its spec.

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

    See Also
    --------
    eegflex.load_model : Load a stager.
    eegflex.ModelSpec : The contract of a stager.
    eegflex.stagers.ensemble : Several stagers as one.

    Examples
    --------
    >>> import eegflex
    >>> stager = eegflex.load_model("bandpower")
    >>> stager.spec.sfreq, stager.has_gradient
    (100.0, True)
    """

    module: Callable[[Any], torch.Tensor]
    like: torch.Tensor

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
        self.like = next(floating, torch.empty(0)).new_empty(0)  # whose first parameter may be a single number

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
        """The same module with another spec."""
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
        logger.warning(f"{self.spec.name} computes only in its own precision: its scores are rounded to it")
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

    def state_before(self, codes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The state that epochs leave behind them: codes (batch, epoch, ...) -> tensors of (batch, ...)."""
        state = self.run(self.module.state_before, codes)  # type: ignore[attr-defined]
        return (state,) if isinstance(state, torch.Tensor) else tuple(state)

    def decode_from(self, codes: torch.Tensor, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Score the first of some epochs by their codes (batch, epoch, ...) and the state before them, (batch, stage)."""

        def decode_from(own: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.module.decode_from(own, state)  # type: ignore[attr-defined]
            return found

        first = torch.zeros(len(codes), dtype=torch.long, device=codes.device)
        spec = self.spec.replace(target_index=None)
        return from_layout(self.run(decode_from, codes), spec, codes.shape[0], codes.shape[1], first)

    def slopes(self, part: str) -> Pass | None:
        """The pass that a stager brings for a part of its module, which has the slopes of its scores without torch's help.

        By default it is the module's method of that name with ``_slopes`` behind it, such as ``encode_slopes``, which takes
        what ``encode`` does, and returns what that returns and a function ``back``: ``back(weights)`` are the slopes of
        ``(weights * returned).sum()`` with respect to what it was fed, in its form. It is used where slopes are wanted, if on
        the first input both the scores and the slopes were those of the part itself.

        Parameters
        ----------
        part : {"forward", "encode", "decode"}
            What it computes.
        """
        return getattr(self.module, f"{part}_slopes", None)

    def run(self, function: Callable[[Any], torch.Tensor], fed: Fed) -> torch.Tensor:
        """The module itself, or a part of it, on a copy of what its layout makes of windows: it may change what it is fed.

        Where slopes are wanted it is computed in the quickest way that gives the same.

        Raises
        ------
        ModelError
            If it fails on it.
        """
        names = None if isinstance(fed, torch.Tensor) else tuple(fed)
        of = (fed,) if isinstance(fed, torch.Tensor) else tuple(fed.values())

        def form(*of: torch.Tensor) -> Fed:
            return copy_of(of[0] if names is None else dict(zip(names, of, strict=True)))

        def plain(*of: torch.Tensor) -> Any:
            return function(form(*of))

        part = "forward" if function is self.module else getattr(function, "__name__", "")
        try:
            ways = by_own(self.slopes(part), form) | by_channels_last(plain, of)
            found: torch.Tensor = quickest(self.module, part, plain, ways, of, self.spec.name)
            return found
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
