"""What a file says of stages, before it is on the recording's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from eegflex.readers.recordings.source import Start

__all__ = ["Scoring"]


@dataclass
class Scoring:
    """Stages as a file gives them, before labels and codes are understood.

    Attributes
    ----------
    onset, duration : array, shape (n,)
        In s from the scoring's own start.
    labels : list of str, length n
        As written.
    start : Start
        When the scoring starts.
    format : str
        The name of the format.
    mixed : bool
        Whether other events may lie between the stages.
    coding : str | None
        The numeric coding, where the format fixes it.
    epoch_length : float | None
        Seconds an epoch, where the format says.
    has_time : bool
        False where the scoring has no start of its own, and begins where the recording does.
    in_epochs : bool
        Whether onsets and durations count epochs, because the file does not say how long one is.
    even : bool
        Whether each entry is one epoch, though the file gives no durations.
    until_next : bool
        Whether the format notes changes of stage: one that has no duration lasts until the next.
    by_clock : bool
        Whether each entry has a clock of its own, which may change in the night.
    others : int
        Entries of the file that are no stages and are not among the labels.
    """

    onset: npt.NDArray[np.float64]
    duration: npt.NDArray[np.float64]
    labels: list[str]
    start: Start = field(default_factory=Start)
    format: str = ""
    mixed: bool = False
    coding: str | None = None
    epoch_length: float | None = None
    has_time: bool = True
    in_epochs: bool = False
    even: bool = False
    until_next: bool = False
    by_clock: bool = False
    others: int = 0
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of_epochs(cls, labels: list[str], epoch_length: float | None = None, **keys: Any) -> Scoring:
        """Make a scoring of one label an epoch, without gaps; times count epochs where their length is not known."""
        seconds = epoch_length or 1.0
        keys.setdefault("has_time", False)
        return cls(
            np.arange(len(labels), dtype=np.float64) * seconds,
            np.full(len(labels), seconds),
            labels,
            epoch_length=epoch_length,
            in_epochs=epoch_length is None,
            **keys,
        )
