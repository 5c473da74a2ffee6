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

__all__ = ["Coding", "Entry", "codings_of", "entries_of", "leads_to", "suffices"]

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


@dataclass(frozen=True)
class Entry:
    """Scores by way of the state that the epochs before the target left, which is a constant while only that epoch varies.

    Attributes
    ----------
    before : callable
        Codes of the epochs before the target (batch, epoch, ...) -> their state, tensors of (batch, ...).
    decode : callable
        Codes from the target on (batch, epoch, ...) and the state before them -> scores of the target (batch, stage).
    alone : bool
        Whether `decode` is given the target only, since what follows plays no part.
    """

    before: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
    decode: Callable[[torch.Tensor, tuple[torch.Tensor, ...]], torch.Tensor]
    alone: bool


def codings_of(stager: Stager) -> list[Coding]:
    """The codings that a stager may have: by its module's two methods, and by spectrograms."""
    found = []
    if all(callable(getattr(stager.module, name, None)) for name in ("encode", "decode")):
        found.append(Coding(stager.encode, stager.decode))
    if stager.front is not None and stager.front.is_small and not stager.pooling:
        found.append(Coding(stager.front, stager.score_fed))
    return found


def entries_of(stager: Stager) -> list[Entry]:
    """The entries that a stager of scores of every epoch may have, by its module's two methods; the shortest first."""
    named = all(callable(getattr(stager.module, name, None)) for name in ("state_before", "decode_from"))
    if not named or "e" not in stager.spec.output or stager.spec.positions == "mean":
        return []
    return [Entry(stager.state_before, stager.decode_from, alone) for alone in (True, False)]


def suffices(coding: Coding, own: torch.Tensor, at: torch.Tensor, whole: torch.Tensor, called: str) -> bool:
    """Whether decoding the codes of a window gives what the module does, `whole`."""
    return _gives(lambda: coding.decode(coding.encode(own)[None], at), whole, f"{called}: its encode and decode")


def leads_to(entry: Entry, codes: torch.Tensor, at: int, whole: torch.Tensor, called: str) -> bool:
    """Whether an entry at the target of a window of codes, (1, epoch, ...), gives what decoding all of them does, `whole`."""
    later = codes[:, at : at + 1] if entry.alone else codes[:, at:]
    what = "the epoch alone" if entry.alone else "the epoch and those after it"
    named = f"{called}: its state_before and decode_from of {what}"
    return _gives(lambda: entry.decode(later, entry.before(codes[:, :at])), whole, named)


def _gives(scores: Callable[[], torch.Tensor], whole: torch.Tensor, named: str) -> bool:
    """Whether a way gives the module's scores, `whole`, but for rounding; methods so called may be anything."""
    try:
        found = scores()
        if torch.allclose(found, whole, rtol=0, atol=TOLERANCE * max(float(whole.abs().max()), 1e-3)):
            return True
    except Exception as error:  # they may be anything
        if out_of_memory(error):
            raise
        logger.info(f"{named} are not used ({error})")
        return False
    logger.info(f"{named} are not used, since their scores are not its own")
    return False
