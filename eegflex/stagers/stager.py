"""A stager: a module and its contract, and what it becomes on one recording."""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from einops import EinopsError, rearrange
from torch import nn

from eegflex.errors import ModelError
from eegflex.stagers.spec import ModelSpec

if TYPE_CHECKING:
    from eegflex.segments import Segments

__all__ = ["BoundStager", "Stager", "WindowedStager", "own_copy"]

#: Epochs scored in one forward pass where nothing has to be kept for a gradient.
FORWARD_BATCH = 32


class BoundStager(ABC):
    """A stager on one recording and one combination of its channels: it scores a segment in that segment's own context.

    This is all that an attribution needs to know about a model.

    Attributes
    ----------
    explicable : array of bool, shape (n_epochs,)
        Which epochs have the context that the stager needs.
    """

    explicable: npt.NDArray[np.bool_]

    @abstractmethod
    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """The recorded segments of some epochs, shape (n, n_channels, n_times), where and as the model computes."""

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

    Attributes
    ----------
    spec : ModelSpec
        The contract.
    module : callable
        Our copy, in eval mode, with parameters that gather no gradients.
    like : Tensor
        An empty tensor on the device and of the precision that the module computes in.
    """

    def __init__(self, module: Callable[[torch.Tensor], torch.Tensor], spec: ModelSpec) -> None:
        self.spec = spec
        self.module = own_copy(module)
        floating = (p for p in self._parameters() if p.is_floating_point())
        self.like = next(floating, torch.empty(0)).detach()[:0]

    def __repr__(self) -> str:
        rate = "any rate" if self.spec.sfreq is None else f"{self.spec.sfreq:.6g} Hz"
        inputs = ", ".join(channel.name for channel in self.spec.channels)
        return f"<{type(self).__name__} | {self.spec.name}, {inputs}, {rate}, {'/'.join(self.spec.stages)}>"

    @property
    def recurrent(self) -> bool:
        """Whether the module has recurrent layers, which cuDNN cannot differentiate in eval mode."""
        return isinstance(self.module, nn.Module) and any(isinstance(m, nn.RNNBase) for m in self.module.modules())

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Stager:
        """Copy of the stager on another device and in another precision."""
        moved = copy.copy(self)
        moved.like = self.like.to(device=device, dtype=dtype)
        if isinstance(self.module, nn.Module):
            moved.module = copy.deepcopy(self.module).to(device=device, dtype=dtype)
        return moved

    def with_spec(self, spec: ModelSpec) -> Stager:
        """The same module under another contract."""
        changed = copy.copy(self)
        changed.spec = spec
        return changed

    def score(self, windows: torch.Tensor) -> torch.Tensor:
        """Score the target epoch of windows.

        Parameters
        ----------
        windows : Tensor, shape (batch, epoch, channel, time)

        Returns
        -------
        scores : Tensor, shape (batch, stage)

        Raises
        ------
        ModelError
            If the module fails, or returns another shape than its spec says.
        """
        returned = self.run(to_layout(windows, self.spec.layout))
        return from_layout(returned, self.spec, windows.shape[0], windows.shape[1])

    def run(self, fed: torch.Tensor) -> torch.Tensor:
        """The module itself, on what its layout makes of windows.

        Raises
        ------
        ModelError
            If the module fails on it.
        """
        try:
            return self.module(fed)
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError) as error:
            if _out_of_memory(error):
                raise
            raise ModelError(
                f"The model failed on an input of shape {tuple(fed.shape)} (layout {self.spec.layout!r}): {error}",
                remedy="Give a spec whose channels, n_times and layout are the model's, or epochs of the shape that it takes",
            ) from error

    def bind(self, segments: Segments) -> list[BoundStager]:
        """The stager on a recording, once for each combination of channels that it is run with."""
        return [
            WindowedStager(self, torch.from_numpy(segments.signals[:, list(channels)]), segments.run)
            for channels in segments.combinations
        ]

    def _parameters(self) -> list[torch.Tensor]:
        return list(self.module.parameters()) if isinstance(self.module, nn.Module) else []


class WindowedStager(BoundStager):
    """A stager that sees a fixed number of recorded neighbours on each side.

    Parameters
    ----------
    stager : Stager
        The model and its contract.
    signals : Tensor, shape (n_epochs, n_channels, n_times)
        The recording as the stager wants it.
    run : array of int, shape (n_epochs,)
        Stretches of the recording that are contiguous in time: a window never reaches across two of them.
    """

    def __init__(self, stager: Stager, signals: torch.Tensor, run: npt.NDArray[np.int64]) -> None:
        self.stager = stager
        self.signals = signals.to(stager.like)
        before, after = stager.spec.context.before, stager.spec.context.after
        self.position = before
        self.offsets = torch.arange(-before, after + 1, device=self.signals.device)
        positions = np.arange(len(run))
        inside = (positions >= before) & (positions < len(run) - after)
        left, right = run[np.maximum(positions - before, 0)], run[np.minimum(positions + after, len(run) - 1)]
        self.explicable = inside & (left == run) & (right == run)

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """Recorded segments of some epochs, shape (n, n_channels, n_times)."""
        return self.signals[index.to(self.signals.device)]

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score variants of segments between their recorded neighbours, (n, n_stages)."""
        if len(self.offsets) == 1:
            return self.stager.score(segments[:, None])
        windows = list(self.signals[index[:, None] + self.offsets].unbind(1))
        windows[self.position] = segments
        return self.stager.score(torch.stack(windows, dim=1))

    @torch.no_grad()
    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        """Score every epoch that has its neighbours, (n_epochs, n_stages)."""
        scores = torch.full((len(self.signals), len(self.stager.spec.stages)), torch.nan, dtype=self.signals.dtype)
        for index in torch.from_numpy(np.flatnonzero(self.explicable)).split(FORWARD_BATCH):
            on_device = index.to(self.signals.device)
            scores[index] = self(self.signals[on_device], on_device).to(scores)
            progress(len(index))
        progress(int((~self.explicable).sum()))
        return scores


def own_copy(module: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Copy of a module in eval mode that gathers no gradients; any other callable as it is."""
    if not isinstance(module, nn.Module):
        return module
    try:
        copied = copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"The model cannot be copied: {error}", remedy="Detach the tensors that it keeps besides its parameters"
        ) from error
    return copied.eval().requires_grad_(False)


def to_layout(windows: torch.Tensor, layout: str) -> torch.Tensor:
    """Arrange canonical windows, shape (batch, epoch, channel, time), as a module's layout says."""
    axes = set(re.findall(r"[a-z]", layout))
    sizes = dict(zip("bect", windows.shape, strict=True))
    missing = [axis for axis in "ect" if axis not in axes]
    too_long = {axis: sizes[axis] for axis in missing if sizes[axis] != 1}
    if too_long or not axes <= set("bect"):
        raise ModelError(
            f"The layout {layout!r} has no place for axes that are longer than one",
            seen=too_long or axes,
            allowed="axes b (batch), e (epoch of the window), c (channel) and t (time)",
            remedy="Name every axis in the spec's layout",
        )
    kept = windows.reshape([sizes[axis] for axis in "bect" if axis not in missing])
    pattern = " ".join(axis for axis in "bect" if axis not in missing)
    try:
        return rearrange(kept, f"{pattern} -> {layout}")
    except EinopsError as error:
        raise ModelError(f"The layout {layout!r} is not an einops pattern: {error}") from error


def from_layout(returned: torch.Tensor, spec: ModelSpec, batch: int, n_epochs: int) -> torch.Tensor:
    """Scores of the target epoch, shape (batch, stage), from what a module returned."""
    if not isinstance(returned, torch.Tensor):
        raise ModelError("The model must return a tensor of scores", seen=type(returned).__name__)
    sizes = {"b": batch, "e": n_epochs}
    named = {axis: size for axis, size in sizes.items() if axis in spec.output}
    try:
        scores = rearrange(returned, f"{spec.output} -> b {'e' if 'e' in named else ''} s", **named)
    except EinopsError as error:
        raise ModelError(
            f"The model returned shape {tuple(returned.shape)} where its spec says {spec.output!r}",
            remedy="Give the spec's [output] layout: b batch, s stage, e epoch of the window",
        ) from error
    if "e" in named:
        scores = scores[:, spec.context.before if spec.target_index is None else spec.target_index]
    if scores.shape[-1] != len(spec.stages):
        raise ModelError(
            f"The model returns {scores.shape[-1]} scores where its spec names {len(spec.stages)} stages",
            seen=spec.stages,
            remedy="Name the stage of each output in the spec, in the model's own order",
        )
    return scores


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
