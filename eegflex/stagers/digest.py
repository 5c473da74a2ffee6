"""Digests by which two trainings of one network are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

__all__ = ["digest_of_files", "digest_of_members", "digest_of_weights"]

_AT_ONCE = 2**22


def digest_of_weights(model: Any) -> str:
    """SHA-256 of the names and values of a module's state dict; empty for what has none.

    Parameters
    ----------
    model : object
        The model.

    Returns
    -------
    digest : str
        64 hexadecimal digits, or none.

    Examples
    --------
    >>> import torch
    >>> from eegflex.stagers.digest import digest_of_weights
    >>> network = torch.nn.Linear(3, 5)
    >>> before = digest_of_weights(network)
    >>> with torch.no_grad():
    ...     _ = network.bias.add_(1.0)
    >>> len(before), before == digest_of_weights(network)
    (64, False)
    """
    state = model.state_dict() if isinstance(model, nn.Module) else {}
    tensors = {name: value for name, value in sorted(state.items()) if isinstance(value, torch.Tensor)}
    if not tensors:
        return ""
    found = hashlib.sha256()
    for name, tensor in tensors.items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode("utf-8", "replace"))
        found.update(_bytes(tensor))
    return found.hexdigest()


def digest_of_files(fnames: Iterable[Path]) -> str:
    """SHA-256 of files, one after the other: of a single one what ``sha256sum`` says."""
    found = hashlib.sha256()
    for fname in fnames:
        with fname.open("rb") as file:
            while part := file.read(_AT_ONCE):
                found.update(part)
    return found.hexdigest()


def digest_of_members(digests: Iterable[str]) -> str:
    """SHA-256 of several models' digests; empty if one of them has none."""
    listed = list(digests)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest() if all(listed) else ""


def _bytes(tensor: torch.Tensor) -> Any:
    plain = tensor.detach().cpu()
    if plain.is_quantized:
        plain = plain.int_repr()
    dense = plain.to_dense() if plain.layout != torch.strided else plain
    return dense.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy()
