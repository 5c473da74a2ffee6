"""Kinds of numbers: weights are real and floating point, and no others are cast without a word."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from eegflex.errors import ModelError

__all__ = ["check_network", "check_weights", "refuse_kinds"]

_REAL = "real floating point"


def check_weights(weights: Mapping[str, torch.Tensor], network: nn.Module, path: Path) -> None:
    """Refuse weights that are of another kind than the network's own.

    Parameters
    ----------
    weights : mapping
        By name; those that the network has not got are passed over.
    network : torch.nn.Module
        What they belong to. A counter, say, that is a whole number in it is one in the file.
    path : Path
        Where they are from.

    Raises
    ------
    ModelError
        With their names and kinds.
    """
    wanted = _wanted(network)
    refuse_kinds({name: kind for name, own in weights.items() if (kind := _kind(own)) != wanted.get(name, kind)}, path)


def check_network(network: nn.Module, path: Path) -> None:
    """Refuse a network that brings its own weights, if they would not survive a change of precision.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    path : Path
        Where it is from.

    Raises
    ------
    ModelError
        With the names and kinds of parameters that are not real and floating point, and of buffers that are neither that nor
        whole numbers.
    """
    tensors = dict(network.named_buffers()) | dict(network.named_parameters())
    wanted = _wanted(network)
    refuse_kinds({name: kind for name, own in tensors.items() if (kind := _kind(own)) != wanted[name]}, path)


def refuse_kinds(found: Mapping[str, str], path: Path) -> None:
    """Raise the error for weights of wrong kinds, if there are any.

    Parameters
    ----------
    found : mapping
        Their names and kinds.
    path : Path
        Where they are from.
    """
    if found:
        raise ModelError(
            f"{path.name} holds weights of kinds that its network cannot use without conversion",
            seen=[f"{name}: {kind}" for name, kind in list(found.items())[:5]],
            allowed=f"{_REAL}; whole numbers and bool where the network's own buffers are",
            remedy="Export the network as it was trained, in floating point, not quantised and not complex",
        )


def _wanted(network: nn.Module) -> dict[str, str]:
    """The kind of each weight: that of the buffer where it is one of whole numbers, else real."""
    buffers = dict(network.named_buffers(remove_duplicate=False))
    kinds = {name: _kind(own) for name, own in buffers.items() if not own.is_complex() and not own.is_quantized}
    return dict.fromkeys([*network.state_dict(), *dict(network.named_parameters()), *buffers], _REAL) | kinds


def _kind(tensor: torch.Tensor) -> str:
    if tensor.is_quantized or tensor.layout != torch.strided:
        return f"{'quantised' if tensor.is_quantized else 'sparse'} {str(tensor.dtype).removeprefix('torch.')}"
    return _REAL if tensor.dtype.is_floating_point else str(tensor.dtype).removeprefix("torch.")
