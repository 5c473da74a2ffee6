"""Networks that were exported for a batch of one size."""

from __future__ import annotations

from collections.abc import Callable
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
        parts.append(function(filled)[: len(part)])
    return torch.cat(parts)
