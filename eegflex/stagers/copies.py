"""Copies of modules that are ours, of whatever the caller's modules keep beside their weights."""

from __future__ import annotations

import copy
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from eegflex.errors import ModelError
from eegflex.stagers.failures import in_our_words, said

__all__ = ["moved_copy", "own_copy", "refuse_uninitialised"]


def own_copy(module: Callable[[Any], torch.Tensor]) -> Callable[[Any], torch.Tensor]:
    """Copy of a module in eval mode that gathers no gradients; any other callable as it is."""
    if not isinstance(module, nn.Module):
        return module
    with in_our_words("The model cannot be copied"):
        copied = _copied(module)
        for parameter in copied.parameters():  # one by one, as TorchScript wants it
            if not is_lazy(parameter):  # its weights are still to come
                parameter.requires_grad_(False)
        return copied.eval()


def moved_copy(module: nn.Module, device: torch.device | str, dtype: torch.dtype | None = None) -> nn.Module:
    """Copy of a module on another device and, if one is given, in another precision; complex weights stay complex."""
    with in_our_words(
        f"The model cannot be moved to {device} in {str(dtype or 'its precision').removeprefix('torch.')}"
    ):
        copied = _copied(module)
        if dtype is None:
            return copied.to(device=device)
        tensors = [*copied.parameters(), *copied.buffers()]
        if not any(tensor.is_complex() for tensor in tensors):
            return copied.to(device=device, dtype=dtype)

        def cast(tensor: torch.Tensor) -> torch.Tensor:
            own = dtype.to_complex() if tensor.is_complex() else dtype if tensor.is_floating_point() else tensor.dtype
            return tensor.to(device=device, dtype=own)

        found: nn.Module = copied._apply(cast)
        return found


def refuse_uninitialised(module: Any) -> None:
    """Refuse a module whose weights are not there yet: of ``LazyLinear`` before its first input, or on torch's device ``meta``.

    Raises
    ------
    ModelError
        With their names.
    """
    if not isinstance(module, nn.Module):
        return
    named = (*module.named_parameters(), *module.named_buffers())
    lazy = [name for name, tensor in named if is_lazy(tensor)]
    if lazy:
        raise ModelError(
            "The model has layers without weights",
            seen=lazy[:5],
            remedy="Feed it an input once and train it, or load its weights, before it is explained",
        )
    empty = [name for name, tensor in named if tensor.is_meta]
    if empty:
        raise ModelError(
            "The model has weights without values, on the device 'meta'",
            seen=empty[:5],
            remedy="Load its weights, as with to_empty(device='cpu') and load_state_dict, before it is explained",
        )


@torch.no_grad()  # or TorchScript's parameters were results of a copy, and no leaves
def _copied(module: nn.Module) -> nn.Module:
    """Copy of a module. What it keeps of a computation is detached, and what cannot be copied at all is shared."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # of whatever it keeps
        try:
            return copy.deepcopy(module, _without_trouble(module))
        except Exception as second:
            raise ModelError(
                f"The model cannot be copied: {said(error)}",
                remedy="Detach the tensors that it keeps besides its parameters",
            ) from second


def _without_trouble(module: nn.Module) -> dict[int, Any]:
    """What `copy.deepcopy` is told to take for copied already: detached tensors, and all that has no copy of its own."""
    found: list[tuple[Any, list[Any]]] = []
    _gather(module, set(), found)
    tensors = [own for own, _ in found if isinstance(own, torch.Tensor)]
    memo = {id(own): own.detach().clone() for own in tensors if not own.is_leaf}
    # What is made of others may refer to any of them, so that these come first.
    for own, _ in sorted(found, key=lambda one: bool(one[1])):
        if isinstance(own, torch.Tensor | nn.Module | types.MethodType) or type(own) in _PLAIN:
            continue
        try:
            copy.deepcopy(own, dict(memo))
        except Exception:  # a lock, a file, a queue
            memo[id(own)] = own
    return memo


def _gather(value: Any, seen: set[int], found: list[tuple[Any, list[Any]]]) -> None:
    """All objects that a value is made of, and what each of them is made of itself; the innermost first."""
    if id(value) in seen or isinstance(value, _ATOMS):
        return
    seen.add(id(value))
    inner = _inner(value)
    for own in inner:
        _gather(own, seen, found)
    found.append((value, inner))


def _inner(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return []
    if isinstance(value, types.MethodType):
        return [value.__self__]
    listed = list(value.values()) if isinstance(value, Mapping) else []
    listed += list(value) if isinstance(value, list | tuple | set | frozenset) else []
    return listed + list(getattr(value, "__dict__", {}).values())


#: What is copied as it is.
_ATOMS = (type(None), bool, int, float, complex, str, bytes, type, types.FunctionType, types.BuiltinFunctionType)
#: What can be copied if all that is in it can.
_PLAIN = {dict, list, tuple, set, frozenset, OrderedDict}
