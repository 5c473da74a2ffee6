"""What sections are written from, and what they give: texts and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eegflex.findings import Findings
    from eegflex.results.result import FlexResult

__all__ = ["Gathered", "Part", "Picture", "Text"]


@dataclass(frozen=True)
class Gathered:
    """All that a report is written from.

    Attributes
    ----------
    result : FlexResult
        Attributions, of one target.
    findings : Findings
        How far they can be believed, as `eegflex.evaluation.assess` has it.
    compare_with : FlexResult | None
        A second result to show beside it, of one target.
    of_all : bool
        Whether every stage was explained, so that `result` is only one of the targets.
    every : FlexResult | None
        The result of all stages, if so.
    epochs_per_stage : int
        Epoch cards for each stage, of typical epochs and of some to review.
    note : str | None
        A sentence to put on top.
    began : float | None
        The clock when the recording began, in s from midnight, where it is to be told.
    """

    result: FlexResult
    findings: Findings
    compare_with: FlexResult | None = None
    of_all: bool = False
    epochs_per_stage: int = 1
    note: str | None = None
    every: FlexResult | None = None
    began: float | None = None


@dataclass(frozen=True)
class Text:
    """A piece of HTML under a title, in a section of its own where none is named."""

    title: str
    html: str
    section: str | None = None


@dataclass(frozen=True)
class Picture:
    """A figure, drawn when it is asked for, under a title, in a section of its own where none is named.

    What the page shows better by itself, such as the night, is not `on_page`; it is for a report of MNE's.
    """

    title: str
    draw: Callable[[], Figure]
    caption: str
    section: str | None = None
    on_page: bool = True


Part = Text | Picture
