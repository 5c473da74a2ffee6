"""NSRR XML: `PSGAnnotation` with scored events, stages run-length."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eegflex.errors import EmptyHypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import to_number
from eegflex.readers.hypnograms.xml_tree import child_text, read_xml, root_name

__all__ = ["NAME", "parse", "sniff"]

NAME = "NSRR XML"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the root element is NSRR's."""
    return root_name(head) == "PSGAnnotation"


def parse(path: Path) -> Scoring:
    """Read the events of type ``Stages|Stages``, in s from the start of the recording."""
    events = list(read_xml(path).iter("ScoredEvent"))
    # "Recording Start Time" has no type, and lasts as long as the recording
    stages = [event for event in events if child_text(event, "EventType").split("|")[0].strip().casefold() == "stages"]
    if not stages:
        raise EmptyHypnogramError(
            f"{path.name!r} holds no stages",
            seen=f"{len(events)} scored events, none of type 'Stages|Stages'",
            remedy="Give the file that holds the stages",
        )
    rows = [
        (to_number(child_text(event, "Start"), "Start", n), to_number(child_text(event, "Duration"), "Duration", n))
        for n, event in enumerate(stages, start=1)
    ]
    onset, duration = np.array(rows).T
    return Scoring(
        onset,
        duration,
        [child_text(event, "EventConcept") for event in stages],
        format=NAME,
        has_time=False,
        others=len(events) - len(stages),
    )
