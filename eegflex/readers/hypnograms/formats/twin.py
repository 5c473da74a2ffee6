"""Grass TWin's list of events, as the Wisconsin Sleep Cohort has it (``.allscore.txt``): a clock, a tab, and what happens.

A stage is noted where it changes: each lasts until the next.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_table

__all__ = ["NAME", "parse", "sniff"]

NAME = "TWin events"
_ROW = re.compile(r"\d{1,2}:\d\d:\d\d(\.\d+)?\t.*")
_STAGE = re.compile(r"\tstage - ", re.IGNORECASE)
_START = "start recording"


def sniff(head: bytes, path: Path) -> bool:
    """Whether the lines are a clock and an event, and one is a stage or the start."""
    lines = [line for line in first_lines(head) if line.strip()]
    listed = bool(lines) and all(_ROW.fullmatch(line) for line in lines[:20][: max(len(lines) - 1, 1)])
    return listed and any(_STAGE.search(line) or line.casefold().endswith(f"\t{_START}") for line in lines)


def parse(path: Path) -> Scoring:
    """Read the events from the start of the recording on; what is noted before it has another clock or another day."""
    rows = []
    for number, row in enumerate(read_table(path, "\t"), start=1):
        if not any(row):
            continue
        stamp = parse_stamp(row[0])
        if stamp is None or len(row) < 2:
            raise broken_row(row, number, "a clock, a tab, an event")
        rows.append((stamp, row[1]))
    starts = [place for place, (_, event) in enumerate(rows) if event.casefold() == _START]
    if len(starts) > 1:
        raise HypnogramError(
            "The recording starts more than once", seen=f"{len(starts)} times", remedy="Keep the events of one start"
        )
    rows = rows[starts[0] :] if starts else rows
    onset, start, warnings = lay([stamp for stamp, _ in rows])
    return Scoring(
        onset,
        np.zeros(len(rows)),
        [event for _, event in rows],
        start,
        NAME,
        mixed=True,
        until_next=True,
        by_clock=True,
        warnings=warnings,
    )
