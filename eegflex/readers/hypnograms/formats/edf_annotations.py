"""EDF+ and BDF+ annotations: a hypnogram of its own, or stages noted inside a PSG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.recordings.edf import EdfSource, is_edf
from eegflex.readers.recordings.source import Event, Start

__all__ = ["NAME", "from_events", "parse", "sniff"]

NAME = "EDF+ annotations"


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file is EDF or BDF."""
    return is_edf(head)


def parse(path: Path) -> Scoring:
    """Read the annotations of a file."""
    source = EdfSource(path)
    scoring = from_events(source.events, source.start)
    # what the signals' headers say does not matter here
    scoring.warnings += [warning for warning in source.warnings if "annotations" in warning]
    return scoring


def from_events(events: list[Event], start: Start) -> Scoring:
    """Make a scoring of a recording's events; those without a duration last 0 s."""
    return Scoring(
        onset=np.array([event.onset for event in events], dtype=float),
        duration=np.array([event.duration or 0.0 for event in events], dtype=float),
        labels=[event.text for event in events],
        start=start,
        format=NAME,
        mixed=True,
    )
