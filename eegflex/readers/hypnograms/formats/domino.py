"""SOMNOmedics DOMINO's sleep profile: ``Rate: 30 s``, then ``HH:MM:SS,mmm; stage``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_lines, to_number
from eegflex.readers.recordings.source import Start

__all__ = ["NAME", "parse", "sniff"]

NAME = "DOMINO sleep profile"
_RATE = re.compile(r"rate:\s*(\d+(?:[.,]\d+)?)\s*s", re.IGNORECASE)
_START = re.compile(r"start time:\s*(.+)", re.IGNORECASE)
_HEADER = 12  # lines in which it must be


def sniff(head: bytes, path: Path) -> bool:
    """Whether the header gives a signal and a rate in s."""
    lines = first_lines(head)[:_HEADER]
    return any(_RATE.fullmatch(line.strip()) for line in lines) and any(":" in line and "ID" in line for line in lines)


def parse(path: Path) -> Scoring:
    """Read an epoch a line; the date is the header's."""
    lines = [line.strip() for line in read_lines(path)]
    rate, begin = (_field(pattern, lines) for pattern in (_RATE, _START))
    epoch = to_number(rate or "", "rate", 1, positive=True)
    stamps, labels = [], list[str]()
    for number, line in enumerate(lines, start=1):
        clock, separator, label = line.partition(";")
        stamp = parse_stamp(clock)
        if stamp is None or not separator:
            if labels and line:
                raise broken_row([line], number, "HH:MM:SS,mmm; stage")
            continue  # the header
        stamps.append(stamp)
        labels.append(label.strip())
    if not labels:
        raise HypnogramError("The sleep profile is empty", remedy="Export it again")
    header = parse_stamp(begin or "")
    if header is None:
        onset, start, warnings = lay(stamps)
    else:
        # the rows have no date, the header has
        onset, start, warnings = lay([replace(header, numbers=()), *stamps])
        _, dated, unclear = lay([header])
        start, onset, warnings = Start(dated.date, start.time, start.half_day), onset[1:], warnings + unclear
    return Scoring(
        onset,
        np.full(len(labels), epoch),
        labels,
        start,
        NAME,
        epoch_length=epoch,
        by_clock=True,
        warnings=warnings,
    )


def _field(pattern: re.Pattern[str], lines: list[str]) -> str | None:
    return next((match[1] for line in lines[:_HEADER] if (match := pattern.fullmatch(line))), None)
