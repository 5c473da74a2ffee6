"""Philips Alice's list of epochs: ``Epoch Number, Start Time, Sleep Stage``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_table, split_row

__all__ = ["NAME", "parse", "sniff"]

NAME = "Alice epochs"
_HEADER = ["epoch number", "start time", "sleep stage"]


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line is Alice's header."""
    lines = first_lines(head)
    return bool(lines) and [cell.casefold() for cell in split_row(lines[0], ",")[:3]] == _HEADER


def parse(path: Path) -> Scoring:
    """Read an epoch a line; the clock has 12 hours with am and pm, and no date."""
    stamps, labels = [], []
    for number, row in enumerate(read_table(path, ",")[1:], start=2):
        if not any(row):
            continue
        stamp = parse_stamp(row[1]) if len(row) > 2 else None
        if stamp is None:
            raise broken_row(row, number, "epoch number, clock, stage")
        stamps.append(stamp)
        labels.append(row[2])
    if not labels:
        raise HypnogramError("The list of epochs is empty", remedy="Export it again")
    onset, start, warnings = lay(stamps)
    return Scoring(onset, np.zeros(len(labels)), labels, start, NAME, even=True, by_clock=True, warnings=warnings)
