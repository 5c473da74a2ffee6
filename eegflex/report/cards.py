"""Single epochs: typical ones of each stage, and some to review; never those that are only the surest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex import viz
from eegflex.report import html
from eegflex.report.disagreements import to_review
from eegflex.report.parts import Part, Picture, Text
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

_TYPICAL = (
    "Of each stage an explained epoch that is most like the others of it: when and at which frequencies it was told."
)
_REVIEW = (
    "Explained epochs that a scorer should look at again, of each stage: when and at which frequencies they were told."
)


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
    is_typical : bool
        Whether it is one of the typical ones; else it is to review.
    """

    number: int
    stage: str
    why: str
    is_typical: bool = True


#: Epochs that stand in one figure, which is to fit a printed page.
_MOST = 5


def epochs(gathered: Gathered) -> Iterator[Part]:
    """Typical epochs below each other, then some to review, and why each is shown; a card of each where nobody can walk."""
    cards = cards_of(gathered.result, gathered.epochs_per_stage)
    for title, caption, own in (
        ("Typical epochs", _TYPICAL, [card for card in cards if card.is_typical]),
        ("Epochs to review", _REVIEW, [card for card in cards if not card.is_typical]),
    ):
        for first in range(0, len(own), _MOST):
            shown = own[first : first + _MOST]
            draw = partial(viz.plot_examples, gathered.result, numbers=[card.number for card in shown], show=False)
            yield Picture(f"{title}{f', {first // _MOST + 1}' if len(own) > _MOST else ''}", draw, caption, "Epochs")
    if cards:
        yield Text("Why these epochs", _reasons(cards), "Epochs")
    for card in cards:
        draw = partial(viz.plot_epoch, gathered.result, card.number, show=False)
        yield Picture(f"{card.stage}, epoch {card.number}", draw, card.why, "Epochs", on_page=False)


def _reasons(cards: Sequence[Card]) -> str:
    """Why epochs are shown, with links to where a reader walks through the night."""
    rows = (
        f"<li>{html.epoch_link(card.number, f'{card.stage}, epoch {card.number}')}: {html.escape(card.why)}</li>"
        for card in cards
    )
    return f"<ul>{''.join(rows)}</ul>"


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
            Card(
                number,
                stage,
                f"To review, among the first of {stage} in the queue: {reasons[number]}.",
                is_typical=False,
            )
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
