"""Codes of single epochs, by which recorded neighbours need not be computed anew for each point of a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from mne.utils import logger

from eegflex.stagers.batches import out_of_memory

if TYPE_CHECKING:
    from eegflex.stagers.stager import Stager

__all__ = ["Coding", "codings_of", "suffices"]

#: Scores by way of codes may differ from the module's own by this much, relative to their size.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Coding:
    """Scores by way of codes of single epochs.

    Attributes
    ----------
    encode : callable
        Segments (n, channel, time) -> codes (n, ...).
    decode : callable
        Windows of codes (batch, epoch, ...) and the place of the target in each -> scores (batch, stage).
    """

    encode: Callable[[torch.Tensor], torch.Tensor]
    decode: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def codings_of(stager: Stager) -> list[Coding]:
    """The codings that a stager may have: by its module's two methods, and by spectrograms."""
    found = []
    if all(callable(getattr(stager.module, name, None)) for name in ("encode", "decode")):
        found.append(Coding(stager.encode, stager.decode))
    if stager.front is not None and stager.front.is_small and not stager.pooling:
        found.append(Coding(stager.front, stager.score_fed))
    return found


def suffices(coding: Coding, own: torch.Tensor, at: torch.Tensor, whole: torch.Tensor, called: str) -> bool:
    """Whether decoding the codes of a window gives what the module does, `whole`; methods so called may be anything."""
    try:
        factored = coding.decode(coding.encode(own)[None], at)
    except Exception as error:  # they may be anything
        if out_of_memory(error):
            raise
        logger.info(f"{called}: its encode and decode are not used ({error})")
        return False
    if torch.allclose(factored, whole, rtol=0, atol=TOLERANCE * max(float(whole.abs().max()), 1e-3)):
        return True
    logger.info(f"{called}: its encode and decode are not used, since their scores are not its own")
    return False
