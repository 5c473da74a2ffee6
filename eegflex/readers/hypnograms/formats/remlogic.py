"""RemLogic (Embla) event exports, and the CAP Sleep Database's: a header of lines, then a table with clocks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import Stamp, lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_table, to_number
from eegflex.readers.recordings.source import Start

__all__ = ["NAME", "parse", "sniff"]

NAME = "RemLogic events"
_CLOCK = "[hh:mm:ss"  # in the header of the time column, whatever its language
_RECORDING = ("record", "enregistrement", "aufzeichnung")  # in the line of the header that gives its date
_EXPECTED = "a clock, then the event and its duration in s, between tabs"


def sniff(head: bytes, path: Path) -> bool:
    """Whether a line is the header of a table with a column ``Time [hh:mm:ss]``."""
    return any(_is_header(line.split("\t")) for line in first_lines(head))


def _is_header(cells: list[str]) -> bool:
    return len(cells) > 2 and any(_CLOCK in cell.casefold() for cell in cells)


def parse(path: Path) -> Scoring:
    """Read all events; the stages are told from the others by their labels.

    What stands before the clock (the stage, the position) is left out in some exports, though the header has it. So
    the clock is looked for in each line, and what follows it is the event and its duration.
    """
    table = read_table(path, "\t")
    first = next((n for n, row in enumerate(table) if _is_header(row)), len(table)) + 1
    rows = [_event(row, n) for n, row in enumerate(table[first:], start=first + 1) if any(row)]
    if not rows:
        raise HypnogramError("The table of events is empty", remedy="Export the file again")
    stamps, labels, durations = zip(*rows, strict=True)
    onset, start, warnings = lay(stamps)
    if start.date is None and not start.half_day:
        start = Start(_evening(table[:first], start.time), start.time)
    return Scoring(onset, np.array(durations), list(labels), start, NAME, mixed=True, by_clock=True, warnings=warnings)


def _event(row: list[str], line: int) -> tuple[Stamp, str, float]:
    place, stamp = next(((n, found) for n, cell in enumerate(row) if (found := parse_stamp(cell))), (0, None))
    if stamp is None or len(row) < place + 3:
        raise broken_row(row, line, _EXPECTED)
    return stamp, row[place + 1], to_number(row[place + 2], "duration", line)


def _evening(header: list[list[str]], time: dt.time | None) -> dt.date | None:
    """Give the date in the header to what begins in its evening; after midnight it would be the day before."""
    if time is None or time.hour < 12:
        return None
    for row in header:
        words = " ".join(row).replace(":", " ").split()
        if any(word.casefold().startswith(_RECORDING) for word in words):  # another date is the patient's birthday
            stamps = [stamp for word in words if (stamp := parse_stamp(f"{word} 12:00")) is not None]
            return lay(stamps)[1].date if len(stamps) == 1 else None
    return None
