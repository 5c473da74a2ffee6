"""Modules of torch: layouts between them and the canonical form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from einops import EinopsError, rearrange, reduce
from torch import nn

from eegflex.errors import ModelError
from eegflex.spec.layouts import AXES, axes_of
from eegflex.spec.model_spec import ModelSpec

#: What a module takes: one tensor, or one for each of its inputs.
Fed = torch.Tensor | dict[str, torch.Tensor]


#: The axes of canonical windows, by their number: of signals, and of spectrograms.
_CANONICAL = {4: "bect", 5: "becwf"}


def to_layout(windows: torch.Tensor, layout: str) -> torch.Tensor:
    """Arrange canonical windows as a module's layout says.

    They are signals, shape (batch, epoch, channel, time), or spectrograms, (batch, epoch, channel, window, frequency).
    """
    canonical = _CANONICAL[windows.ndim]
    axes = set(axes_of(layout))
    sizes = dict(zip(canonical, windows.shape, strict=True))
    missing = [axis for axis in canonical[1:] if axis not in axes]
    too_long = {axis: sizes[axis] for axis in missing if sizes[axis] != 1}
    if too_long or not axes <= set(canonical):
        raise ModelError(
            f"The layout {layout!r} has no place for axes that are longer than one",
            seen=too_long or axes,
            allowed=[f"{axis} ({AXES[axis]})" for axis in canonical],
            remedy="Name every axis in the spec's layout",
        )
    kept = windows.reshape([sizes[axis] for axis in canonical if axis not in missing])
    pattern = " ".join(axis for axis in canonical if axis not in missing)
    try:
        return rearrange(kept, f"{pattern} -> {layout}")
    except EinopsError as error:
        raise ModelError(f"The layout {layout!r} is not an einops pattern: {error}") from error


def from_layout(
    returned: Any, spec: ModelSpec, batch: int, n_epochs: int, at: torch.Tensor | None = None
) -> torch.Tensor:
    """Scores of the target epoch, shape (batch, stage), from what a module returned."""
    returned = meant_of(returned, spec)
    sizes = {"b": batch, "e": n_epochs}
    named = {axis: size for axis, size in sizes.items() if axis in spec.output}
    left = f"b {'e' if 'e' in named else ''} {'s' if 's' in spec.output else '1'}"
    try:
        # what is left out on the right, parts and moments of an epoch, is averaged, or the highest of it taken
        scores: torch.Tensor = reduce(returned, f"{spec.output} -> {left}", spec.pool, **named)
    except EinopsError as error:
        raise ModelError(
            f"The model returned shape {tuple(returned.shape)} where its spec says {spec.output!r}",
            remedy="Give the spec's [output] layout: b batch, s stage, e epoch of the window, k part of an epoch, t time",
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


def meant_of(returned: Any, spec: ModelSpec) -> torch.Tensor:
    """The tensor of scores in what a module returned: it, or the one in a tuple or dict that its spec says.

    Raises
    ------
    ModelError
        If that is not known, with what there is.
    """
    key = spec.output_key
    if isinstance(returned, torch.Tensor) and key is None:
        return _real(returned)
    parts = parts_of(returned)
    tensors = {name: part for name, part in parts.items() if isinstance(part, torch.Tensor)}
    if not tensors:
        raise ModelError("The model must return a tensor of scores", seen=type(returned).__name__)
    chosen = list(parts)[key] if isinstance(key, int) and -len(parts) <= key < len(parts) else key
    if chosen not in tensors:
        likely = [name for name, part in tensors.items() if len(spec.stages) in part.shape[1:]] or list(tensors)
        raise ModelError(
            f"The model returns a {type(returned).__name__}"
            if key is None
            else f"The model returns no tensor {key!r}, which the spec's [output] output says",
            seen={name: tuple(part.shape) for name, part in tensors.items()},
            remedy=f"Name the one with the scores in the spec's [output], for example output = {likely[0]!r}",
        )
    return _real(tensors[chosen])


def parts_of(returned: Any) -> dict[str | int, Any]:
    """What a module returned, by name where it has names, else by place."""
    if isinstance(returned, torch.Tensor):
        return {0: returned}
    if isinstance(returned, Mapping):
        return dict(returned)
    if isinstance(returned, tuple | list):
        return dict(zip(getattr(returned, "_fields", range(len(returned))), returned, strict=True))
    return dict(getattr(returned, "__dict__", {}))


def _real(scores: torch.Tensor) -> torch.Tensor:
    """Scores in single precision at least; from there on, as precise as they are."""
    if scores.is_complex():
        raise ModelError("The model returns complex numbers, which cannot be scores", seen=str(scores.dtype))
    precise = scores.is_floating_point() and torch.finfo(scores.dtype).bits >= 32
    return scores if precise else scores.float()


def shape_of(fed: Fed) -> Any:
    """The shape of what a module is fed, or of each of its inputs."""
    return (
        tuple(fed.shape) if isinstance(fed, torch.Tensor) else {name: tuple(part.shape) for name, part in fed.items()}
    )


def copy_of(fed: Fed) -> Fed:
    """What a module is fed, for it alone; gradients pass through."""
    return fed.clone() if isinstance(fed, torch.Tensor) else {name: part.clone() for name, part in fed.items()}


@contextlib.contextmanager
def rnn_safe(module: object) -> Iterator[None]:
    """Switch cuDNN off for a module with recurrent layers: it has no backward pass for them in eval mode."""
    if not (isinstance(module, nn.Module) and any(isinstance(m, nn.RNNBase) for m in module.modules())):
        yield
        return
    with torch.backends.cudnn.flags(enabled=False):
        yield
