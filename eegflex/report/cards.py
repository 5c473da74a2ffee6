"""Epoch cards: typical epochs of each stage, and some to review; never those that are only the surest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex import viz
from eegflex.report.disagreements import to_review
from eegflex.report.parts import Picture
from eegflex.results import tables
from eegflex.results.choice import typical_places
from eegflex.results.decided import explained_epochs
from eegflex.results.select import stage_order
from eegflex.results.wording import count_epochs

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.report.parts import Gathered
    from eegflex.results.result import FlexResult

__all__ = ["Card", "cards_of", "epochs"]


@dataclass(frozen=True)
class Card:
    """An epoch that is shown.

    Attributes
    ----------
    number : int
        Its place in the recording.
    stage : str
        The stage predicted.
    why : str
        How it was chosen.
    """

    number: int
    stage: str
    why: str


def epochs(gathered: Gathered) -> Iterator[Picture]:
    """Cards of typical epochs, and of some to review, by stage."""
    for card in cards_of(gathered.result, gathered.epochs_per_stage):
        draw = partial(viz.plot_epoch, gathered.result, card.number, show=False)
        yield Picture(f"{card.stage}, epoch {card.number}", draw, card.why, "Epochs")


def cards_of(result: FlexResult, n: int) -> list[Card]:
    """Choose epochs of each predicted stage: typical ones, and, where there are, as many to review.

    Parameters
    ----------
    result : FlexResult
        Of one recording and target.
    n : int
        How many of either kind at most for each stage.
    """
    data = result.data
    stages, numbers = tables.counted_stages(data, "predicted"), data["number"].values.astype(int)
    queue = to_review(result)
    reasons = dict(zip(queue["epoch"].tolist(), queue["reasons"].tolist(), strict=True))
    found: list[Card] = []
    for stage in stage_order(data, "predicted"):
        own = stages == stage
        typical = [
            Card(number, stage, why + (f" It is to review, too: {reasons[number]}." if number in reasons else ""))
            for number, why in ((int(numbers[place]), why) for place, why in _typical(data, own, stage, n))
        ]
        here = set(numbers[own].tolist())
        shown = {card.number for card in typical}
        unsure = [number for number in reasons if number in here - shown][:n]
        found += typical + [
            Card(number, stage, f"To review, among the first of {stage} in the queue: {reasons[number]}.")
            for number in unsure
        ]
    return found


def _typical(dataset: xr.Dataset, own: npt.NDArray[np.bool_], stage: str, n: int) -> Iterator[tuple[int, str]]:
    """The epochs whose bands are nearest to their median over the stage, of those that the attribution explains."""
    if not own.any():
        return
    told = explained_epochs(dataset) & own
    of = f"{count_epochs(int(own.sum()))} of {stage} that {'was' if own.sum() == 1 else 'were'} explained"
    left = (
        "" if told.any() else " None of them changed the score by more than its error, so this explains none of them."
    )
    for place in typical_places(dataset, stage, n):
        yield place, f"Typical: of {of}, one of the closest to the median of their bands.{left}"
