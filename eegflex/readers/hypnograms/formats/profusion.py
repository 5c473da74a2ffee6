"""Compumedics Profusion XML: `CMPStudyConfig`, one code an epoch."""

from __future__ import annotations

from pathlib import Path

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import to_number
from eegflex.readers.hypnograms.xml_tree import child_text, read_xml, root_name

__all__ = ["NAME", "parse", "sniff"]

NAME = "Profusion XML"
_ROOT, _OTHER_ROOT = "CMPStudyConfig", "CMPPSGSCOREDATA"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the root element is one of Compumedics'."""
    return root_name(head) in {_ROOT, _OTHER_ROOT}


def parse(path: Path) -> Scoring:
    """Read the stages; they begin with the recording, and 4 is stage 4, 5 is REM."""
    root = read_xml(path)
    if root.tag != _ROOT:
        raise HypnogramError(
            f"{path.name!r} is Compumedics XML of another kind, whose stage codes differ",
            seen=f"root {root.tag}",
            allowed=f"root {_ROOT}",
            remedy="Export the scoring from Profusion as XML, with EpochLength and SleepStages",
        )
    epoch = to_number(child_text(root, "EpochLength"), "EpochLength", 1, positive=True)
    labels = [(stage.text or "").strip() for stage in root.iterfind("SleepStages/SleepStage")]
    others = sum(1 for _ in root.iterfind("ScoredEvents/ScoredEvent"))
    return Scoring.of_epochs(labels, epoch, format=NAME, coding="rk", others=others)
