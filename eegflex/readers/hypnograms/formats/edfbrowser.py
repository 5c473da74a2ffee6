"""EDFbrowser's XML: a list of annotations, by the clock with its date, or in s from the start of the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eegflex.errors import EmptyHypnogramError, HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import to_number
from eegflex.readers.hypnograms.xml_tree import child_text, read_xml, root_name

__all__ = ["NAME", "parse", "sniff"]

NAME = "EDFbrowser XML"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the root element is EDFbrowser's."""
    return root_name(head) == "annotationlist"


def parse(path: Path) -> Scoring:
    """Read all annotations; the stages are told from the others by their labels."""
    rows = read_xml(path).findall("annotation")
    if not rows:
        raise EmptyHypnogramError(f"{path.name!r} holds no annotations", remedy="Give the file that holds the stages")
    labels = [child_text(row, "description") for row in rows]
    duration = np.array([to_number(child_text(row, "duration") or "0", "duration", n) for n, row in enumerate(rows, 1)])
    texts = [child_text(row, "onset") for row in rows]
    stamps = [stamp for text in texts if (stamp := parse_stamp(text)) is not None]
    if not stamps:
        onset = np.array([to_number(text, "onset", n) for n, text in enumerate(texts, 1)])
        return Scoring(onset, duration, labels, format=NAME, mixed=True, has_time=False)
    if len(stamps) < len(texts):
        raise HypnogramError(
            "Some annotations go by the clock and others do not",
            seen=f"{len(stamps)} of {len(texts)}",
            remedy="Export the file again",
        )
    # EDFbrowser counts the recording's samples from its start: this clock never changes in the night
    onset, start, warnings = lay(stamps)
    return Scoring(onset, duration, labels, start, NAME, mixed=True, warnings=warnings)
