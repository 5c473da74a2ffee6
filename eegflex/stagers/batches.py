"""Batches bounded by memory: fewer at a time from the moment that it does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from mne.utils import logger

from eegflex.errors import MemoryShortError

__all__ = ["FORWARD_BATCH", "BatchSize", "out_of_memory", "text_of"]

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
        logger.info(f"Memory is short: continuing with {self.points} points in a batch")


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory did not suffice, on any device."""
    said = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in text_of(error) for words in said)


def text_of(error: BaseException) -> str:
    """What an error says; nothing for one that fails to."""
    try:
        return str(error)
    except Exception:  # it is somebody else's class
        return ""


#: segments (n, channel, time) and the rows of the explained epochs that they belong to (n,) -> scores (n, stage)
ScoreFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


#: What the tensors kept for one batch's backward pass may take where the device does not say what is free.
CPU_BUDGET = 2**31


#: Points in one pass, at most. A GPU is idle with fewer. A processor is hardly quicker with more, and a small network slower:
#: what a layer returns then goes beyond 32 MiB, and blocks of that size are fetched anew from the system, page by page.
LARGEST_BATCH, LARGEST_OF_GPU = 64, 1024


def fitting_batch(model: ScoreFunction, segment: torch.Tensor) -> int:
    """How many points fit into memory, judged by what autograd keeps for one of them.

    Parameters
    ----------
    model : callable
        As in `slope_of`.
    segment : Tensor, shape (1, n_channels, n_times)
        One segment, the first of the epochs explained.
    """
    alone, both = (_kept(model, segment.expand(n, *segment.shape[1:])) for n in (1, 2))
    of_each = max(both - alone, 1)  # the rest, such as weights in another order, is there once
    budget, largest = CPU_BUDGET, LARGEST_BATCH
    if segment.device.type == "cuda":
        budget, largest = torch.cuda.mem_get_info(segment.device)[0] // 2, LARGEST_OF_GPU
    # Twice: the backward pass needs about as much again as was kept.
    return int(min(max((budget - (alone - of_each)) // (2 * of_each), 1), largest))


def _kept(model: ScoreFunction, segments: torch.Tensor) -> int:
    """Bytes that autograd keeps for the way back from the scores of some segments."""
    kept: dict[tuple[int, int], int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()] = tensor.nbytes
        return tensor

    rows = torch.zeros(len(segments), dtype=torch.long, device=segments.device)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        scores = model(segments.clone().requires_grad_(True), rows)
    del scores
    return sum(kept.values())
