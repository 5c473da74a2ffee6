"""Networks that were exported for a batch of one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

__all__ = ["in_batches"]


def in_batches(function: Callable[[torch.Tensor], Any], fed: Any, size: int | None) -> Any:
    """Apply a function that takes batches of one size to a batch of any, filling the last one up with silence.

    Parameters
    ----------
    function : callable
        Of a tensor, shape (size, ...).
    fed : Tensor, shape (n, ...)
        The batch.
    size : int | None
        ``None``: the function takes any.
    """
    if size is None or not isinstance(fed, torch.Tensor) or len(fed) == size:
        return function(fed)
    parts = []
    for part in fed.split(size):
        filled = torch.cat([part, part.new_zeros(size - len(part), *part.shape[1:])])
        parts.append(_cut(function(filled), size, len(part)))
    return _joined(parts)


def _cut(returned: Any, size: int, n: int) -> Any:
    """The first rows of all tensors that have a row for each of the batch; nothing in the place of others."""
    if isinstance(returned, torch.Tensor):
        return returned[:n] if returned.ndim and len(returned) == size else None
    if isinstance(returned, Mapping):
        return {name: _cut(part, size, n) for name, part in returned.items()}
    return [_cut(part, size, n) for part in returned] if isinstance(returned, tuple | list) else None


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    if isinstance(first, dict):
        return {name: _joined([part[name] for part in parts]) for name in first}
    return [_joined(list(own)) for own in zip(*parts, strict=True)] if isinstance(first, list) else None
