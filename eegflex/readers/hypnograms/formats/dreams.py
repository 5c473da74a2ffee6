"""The DREAMS databases: ``[hypnogram]``, then a code for each 5 s."""

from __future__ import annotations

import re
from pathlib import Path

from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import first_lines, read_lines

__all__ = ["NAME", "parse", "sniff"]

NAME = "DREAMS hypnogram"
_FIRST = re.compile(r"\[hypnogram[^\]]*\]", re.IGNORECASE)
_EPOCH = 5.0  # s


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line is ``[hypnogram]``, ``[HypnogramAASM]`` or the like."""
    lines = first_lines(head)
    return bool(lines) and _FIRST.fullmatch(lines[0].strip()) is not None


def parse(path: Path) -> Scoring:
    """Read a code for each 5 s, from the start of the recording."""
    labels = [line.strip() for line in "\n".join(read_lines(path)[1:]).strip().splitlines()]
    return Scoring.of_epochs(labels, _EPOCH, format=NAME, coding="dreams")
