"""A stager: a module and its contract, and what it becomes on one recording."""

from __future__ import annotations

import contextlib
import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from einops import EinopsError, rearrange, reduce
from torch import nn

from eegflex.errors import ModelError
from eegflex.spec.layouts import AXES, axes_of
from eegflex.stagers.batches import out_of_memory
from eegflex.spec.model_spec import ModelSpec

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments
    from eegflex.stagers.windows import Windows

__all__ = ["BoundStager", "Fed", "Stager", "from_layout", "own_copy", "rnn_safe", "to_layout"]

#: What a module takes: one tensor, or one for each of its inputs.
Fed = torch.Tensor | dict[str, torch.Tensor]
#: What a module that is fed something unsuitable raises.
FAILURES = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError)


class BoundStager(ABC):
    """A stager on one recording and one combination of its channels: it scores a segment in that segment's own context.

    This is all that an attribution needs to know about a model.

    Attributes
    ----------
    windows : Windows
        The context of each epoch.
    """

    windows: Windows

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

    @abstractmethod
    def score_windows(self, windows: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Score epochs while their whole windows vary, (n, n_stages).

        Parameters
        ----------
        windows : Tensor, shape (n, length, n_channels, n_times)
            What stands in the place of the window; all are of one length.
        index : Tensor of int64, shape (n,)
            Which epoch of the recording is scored.
        """

    @abstractmethod
    def with_width(self, width: int) -> BoundStager:
        """The same, with other windows, for a stager of whole nights. What was computed once is not computed again."""

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

    def __init__(self, module: Callable[[Any], torch.Tensor], spec: ModelSpec) -> None:
        self.spec = spec
        self.module = own_copy(module)
        floating = (p for p in self._parameters() if p.is_floating_point())
        self.like = next(floating, torch.empty(0)).detach()[:0]

    def __repr__(self) -> str:
        rate = "any rate" if self.spec.sfreq is None else f"{self.spec.sfreq:.6g} Hz"
        inputs = ", ".join(channel.name for channel in self.spec.channels)
        return f"<{type(self).__name__} | {self.spec.name}, {inputs}, {rate}, {'/'.join(self.spec.stages)}>"

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

    @property
    def scores_every_position(self) -> bool:
        """Whether the module scores all epochs of a window, so that any of them can be the target."""
        return "e" in self.spec.output and self.spec.target_index is None

    @property
    def combination(self) -> str:
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
        total = sum(self._score(windows[:, :, list(member)], at) for member in members)
        return total / len(members) if self.spec.combine == "mean" else total  # type: ignore[return-value]

    def _score(self, windows: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
        returned = self.run(self.module, self.arrange(windows))
        return from_layout(returned, self.spec, windows.shape[0], windows.shape[1], at)

    def arrange(self, windows: torch.Tensor) -> Fed:
        """What the module is fed of windows, shape (batch, epoch, channel, time): a tensor, or a dict of them."""
        layout = self.spec.layout
        if isinstance(layout, str):
            return to_layout(windows, layout)
        places = self.spec.inputs(windows.shape[2])
        return {name: to_layout(windows[:, :, places[name]], own) for name, own in layout.items()}

    @property
    def can_factor(self) -> bool:
        """Whether the module has the two methods that `encode` and `decode` need."""
        return all(callable(getattr(self.module, name, None)) for name in ("encode", "decode"))

    def encode(self, segments: torch.Tensor) -> torch.Tensor:
        """Codes of segments by themselves: (n, channel, time) -> (n, ...)."""
        return self.run(self.module.encode, segments)  # type: ignore[attr-defined]

    def decode(self, codes: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
        """Score the target epoch of windows of codes: (batch, epoch, ...) -> (batch, stage)."""
        returned = self.run(self.module.decode, codes)  # type: ignore[attr-defined]
        return from_layout(returned, self.spec, codes.shape[0], codes.shape[1], at)

    def run(self, function: Callable[[Any], torch.Tensor], fed: Fed) -> torch.Tensor:
        """The module itself, or a part of it, on what its layout makes of windows.

        Raises
        ------
        ModelError
            If it fails on it.
        """
        try:
            return function(fed)
        except FAILURES as error:
            if out_of_memory(error):
                raise
            raise ModelError(
                f"The model failed on an input of shape {_shape(fed)} (layout {self.spec.layout!r}): {error}",
                remedy="Give a spec whose channels, n_times and layout are the model's, or epochs of the shape that it takes",
            ) from error

    def bind(self, segments: Segments, edges: str = "shift", width: int | None = None) -> list[BoundStager]:
        """The stager on a recording, once for each combination of channels that it is run with.

        Parameters
        ----------
        segments : Segments
            The recording.
        edges : {"shift", "pad", "skip"}
            See `cut_windows`.
        width : int | None
            Epochs of a window, for a stager whose context is the whole night. By default `DEFAULT_WIDTH`.
        """
        from eegflex.stagers.windowed import WindowedStager

        return [WindowedStager(self, segments, channels, edges, width) for channels in segments.combinations]

    def _parameters(self) -> list[torch.Tensor]:
        return list(self.module.parameters()) if isinstance(self.module, nn.Module) else []


def own_copy(module: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    """Copy of a module in eval mode that gathers no gradients; any other callable as it is."""
    if not isinstance(module, nn.Module):
        return module
    try:
        with torch.no_grad():  # or TorchScript's parameters were results of a copy, and no leaves
            copied = copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"The model cannot be copied: {error}", remedy="Detach the tensors that it keeps besides its parameters"
        ) from error
    for parameter in copied.parameters():  # one by one, as TorchScript wants it
        parameter.requires_grad_(False)
    return copied.eval()


def to_layout(windows: torch.Tensor, layout: str) -> torch.Tensor:
    """Arrange canonical windows, shape (batch, epoch, channel, time), as a module's layout says."""
    axes = set(axes_of(layout))
    sizes = dict(zip("bect", windows.shape, strict=True))
    missing = [axis for axis in "ect" if axis not in axes]
    too_long = {axis: sizes[axis] for axis in missing if sizes[axis] != 1}
    if too_long or not axes <= set("bect"):
        raise ModelError(
            f"The layout {layout!r} has no place for axes that are longer than one",
            seen=too_long or axes,
            allowed=[f"{axis} ({AXES[axis]})" for axis in "bect"],
            remedy="Name every axis in the spec's layout",
        )
    kept = windows.reshape([sizes[axis] for axis in "bect" if axis not in missing])
    pattern = " ".join(axis for axis in "bect" if axis not in missing)
    try:
        return rearrange(kept, f"{pattern} -> {layout}")
    except EinopsError as error:
        raise ModelError(f"The layout {layout!r} is not an einops pattern: {error}") from error


def from_layout(
    returned: torch.Tensor, spec: ModelSpec, batch: int, n_epochs: int, at: torch.Tensor | None = None
) -> torch.Tensor:
    """Scores of the target epoch, shape (batch, stage), from what a module returned."""
    if not isinstance(returned, torch.Tensor):
        raise ModelError("The model must return a tensor of scores", seen=type(returned).__name__)
    sizes = {"b": batch, "e": n_epochs}
    named = {axis: size for axis, size in sizes.items() if axis in spec.output}
    try:
        # what is left out on the right, the parts of an epoch, is averaged
        scores = reduce(returned, f"{spec.output} -> b {'e' if 'e' in named else ''} s", "mean", **named)
    except EinopsError as error:
        raise ModelError(
            f"The model returned shape {tuple(returned.shape)} where its spec says {spec.output!r}",
            remedy="Give the spec's [output] layout: b batch, s stage, e epoch of the window, k part of an epoch",
        ) from error
    if "e" in named and at is not None and spec.target_index is None:
        scores = scores[torch.arange(batch, device=at.device), at]
    elif "e" in named:
        scores = scores[:, spec.context.before if spec.target_index is None else spec.target_index]
    if scores.shape[-1] != len(spec.stages):
        raise ModelError(
            f"The model returns {scores.shape[-1]} scores where its spec names {len(spec.stages)} stages",
            seen=spec.stages,
            remedy="Name the stage of each output in the spec, in the model's own order",
        )
    return scores


def _shape(fed: Fed) -> Any:
    return (
        tuple(fed.shape) if isinstance(fed, torch.Tensor) else {name: tuple(part.shape) for name, part in fed.items()}
    )


@contextlib.contextmanager
def rnn_safe(module: object) -> Iterator[None]:
    """Switch cuDNN off for a module with recurrent layers: it has no backward pass for them in eval mode."""
    if not (isinstance(module, nn.Module) and any(isinstance(m, nn.RNNBase) for m in module.modules())):
        yield
        return
    with torch.backends.cudnn.flags(enabled=False):
        yield
