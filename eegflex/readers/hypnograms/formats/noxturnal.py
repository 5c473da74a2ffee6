"""Noxturnal's table of events: a header in any language, a second line of units, clocks with dates.

The user chooses the columns. The first is the start; the event is the first one without a unit that is no clock.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_lines, split_row, to_number

__all__ = ["NAME", "parse", "sniff"]

NAME = "Noxturnal events"
_UNITS = re.compile(r"(?P<q>\"?)\[\]\1(?P<sep>[,;\t])(\"?\[[^\]]*\]\"?[,;\t]?){2,}\s*")
_EXPECTED = "start, event and duration [s], as many cells as units"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the second line is the units: ``[],[],[],[s],``; the header above is in the user's language."""
    lines = first_lines(head)
    return len(lines) > 1 and _UNITS.fullmatch(lines[1]) is not None


def parse(path: Path) -> Scoring:
    """Read all events; the stages are told from the others by their labels."""
    lines = read_lines(path)
    match = _UNITS.fullmatch(lines[1])
    if match is None:  # the head may be cut in the middle of a line
        raise HypnogramError("The line of units is broken", seen=repr(lines[1][:60]), remedy="Export the file again")
    units = split_row(lines[1], match["sep"])
    rows = [(n, split_row(line, match["sep"])) for n, line in enumerate(lines[2:], start=3) if line.strip()]
    starts, durations, labels = [], list[float](), list[str]()
    for number, row in rows:
        start = parse_stamp(row[0]) if len(row) >= len(units) else None
        label = next(
            (cell for cell, unit in zip(row, units, strict=False) if unit == "[]" and not parse_stamp(cell)), ""
        )
        if start is None or "[s]" not in units:
            raise broken_row(row, number, _EXPECTED)
        starts.append(start)
        labels.append(label)
        durations.append(to_number(row[units.index("[s]")], "duration", number))
    if not starts:
        raise HypnogramError("The table of events is empty", remedy="Export the file again")
    onset, begin, warnings = lay(starts)
    return Scoring(onset, np.array(durations), labels, begin, NAME, mixed=True, by_clock=True, warnings=warnings)
