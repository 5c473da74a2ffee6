"""Batches bounded by memory: fewer at a time from the moment that it does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from mne.utils import logger

from eegflex.errors import MemoryShortError

__all__ = ["FORWARD_BATCH", "BatchSize", "out_of_memory"]

#: Epochs scored in one forward pass where nothing has to be kept for a gradient.
FORWARD_BATCH = 32


@dataclass
class BatchSize:
    """How many points are in one pass: fewer from the moment that memory does not suffice."""

    points: int

    def __call__(self, compute: Callable[..., tuple[torch.Tensor, ...]], *of: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Apply `compute` to as many rows of the tensors at a time as fit, and join what it returns.

        Raises
        ------
        MemoryShortError
            If not even one point fits.
        """
        parts: list[tuple[torch.Tensor, ...]] = []
        start, total = 0, len(of[0])
        while start < total:
            try:
                parts.append(compute(*(tensor[start : start + self.points] for tensor in of)))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(error)
                continue
            start += self.points
        return parts[0] if len(parts) == 1 else tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))

    def _halve(self, error: Exception) -> None:
        if self.points == 1:
            raise MemoryShortError(
                "The model does not fit into memory with a single epoch", remedy="Use another device, or free memory"
            ) from error
        self.points = max(self.points // 2, 1)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        logger.info(f"Memory is short: going on with {self.points} points in a batch")


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory did not suffice, on any device."""
    said = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in said)
