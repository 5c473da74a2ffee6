"""Luna's ``.annot``: class, instance, (channel,) start, stop, in any of Luna's ways to write a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import Stamp, lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import broken_row, first_lines, read_table, split_row
from eegflex.readers.recordings.source import Start

__all__ = ["NAME", "parse", "sniff"]

NAME = "Luna annotations"
_EPOCH = 30.0  # s, of Luna's "e:12"
_START = {3: 1, 4: 2, 6: 3}  # where the start stands, by the number of columns
_UNTIL_NEXT = "..."


@dataclass(frozen=True)
class _Row:
    label: str
    start: float | Stamp
    stop: str
    by_epoch: bool
    line: int


def sniff(head: bytes, path: Path) -> bool:
    """Whether the first line that is no comment is Luna's header, or ends in a start and a stop that Luna may write."""
    rows = [split_row(line, "\t") for line in first_lines(head) if line.strip() and not line.startswith("#")]
    if not rows or _is_header(rows[0]):
        return bool(rows)
    known = [found for row in rows if (found := _row(row, 1)) is not None]
    return _row(rows[0], 1) is not None and not any(_ends_before(row) for row in known)


def _ends_before(row: _Row) -> bool:
    """Whether the stop is no time at all but, in a table that is not Luna's, how long the row lasts."""
    stop = _time(row.stop)
    return isinstance(stop, float) and isinstance(row.start, float) and not row.by_epoch and stop < row.start


def _is_header(row: list[str]) -> bool:
    return [cell.casefold() for cell in row[:2]] == ["class", "instance"]


def parse(path: Path) -> Scoring:
    """Read all annotations: in s from the start of the recording, or by the clock."""
    rows = []
    for number, cells in enumerate(read_table(path, "\t"), start=1):
        if not any(cells) or cells[0].startswith("#") or _is_header(cells):
            continue
        row = _row(cells, number)
        if row is None:
            raise broken_row(cells, number, "class, instance, channel, start, stop, meta between tabs")
        rows.append(row)
    if not rows:
        raise HypnogramError("The file holds no annotations", remedy="Give the file that holds the stages")
    clocks = [row.start for row in rows if isinstance(row.start, Stamp)]
    if 0 < len(clocks) < len(rows):
        raise HypnogramError(
            "Some annotations count from the recording's start, others go by the clock",
            seen=f"{len(rows) - len(clocks)} and {len(clocks)}",
            remedy="Write them in one way, with Luna's WRITE-ANNOTS",
        )
    start, warnings = Start(), list[str]()
    onset = np.array([0.0 if isinstance(row.start, Stamp) else row.start for row in rows])
    if clocks:
        onset, start, warnings = lay(clocks, day_first=True)  # Luna's dates are European
    durations = [_duration(row, after, at) for row, after, at in zip(rows, _next(onset), onset, strict=True)]
    labels = [row.label for row in rows]
    return Scoring(
        onset,
        np.array(durations),
        labels,
        start,
        NAME,
        mixed=True,
        has_time=bool(clocks),
        by_clock=bool(clocks),
        warnings=warnings,
    )


def _row(cells: list[str], line: int) -> _Row | None:
    """Understand a line, or return None."""
    at = _START.get(len(cells))
    start = None if at is None else _time(cells[at])
    if at is None or start is None:
        return None
    stop = cells[at + 1]
    known = stop in {_UNTIL_NEXT, "."} or _time(stop.removeprefix("+")) is not None
    # one class "SleepStage" may hold all stages as its instances
    label = cells[1] if cells[0].casefold() == "sleepstage" and at > 1 else cells[0]
    return _Row(label, start, stop, cells[at].startswith("e:"), line) if known else None


def _time(text: str) -> float | Stamp | None:
    """Read a time: s, epochs and elapsed hours as s, a clock as a stamp."""
    if text.startswith("0+"):
        parts = text[2:].split(":")
        seconds = [_seconds(part) for part in parts]
        whole = None if len(parts) != 3 or None in seconds else seconds
        return None if whole is None else sum(s * f for s, f in zip(whole, (3600, 60, 1), strict=True) if s is not None)
    if text.startswith("e:"):
        epoch = text[2:]
        return (int(epoch) - 1) * _EPOCH if epoch.isdecimal() and len(epoch) < 9 and int(epoch) else None
    found = _seconds(text)
    return parse_stamp(text) if found is None else found


def _seconds(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdecimal() and len(text) < 20 else None


def _next(onset: np.ndarray) -> list[float]:
    return [float(after) for _, after in pairwise([*onset, np.nan])]


def _duration(row: _Row, after: float, at: float) -> float:
    """Seconds that an annotation lasts; 0 where it is not known."""
    if row.stop == _UNTIL_NEXT:
        return max(after - at, 0.0) if np.isfinite(after) else 0.0
    if row.stop == ".":
        return _EPOCH if row.by_epoch else 0.0
    if row.stop.startswith("+"):
        length = _time(row.stop[1:])
        if isinstance(length, float):
            return length
    stop = _time(row.stop)
    if isinstance(stop, float) and isinstance(row.start, float):
        return _EPOCH + stop - row.start if row.stop.startswith("e:") else stop - row.start
    if isinstance(stop, Stamp) and isinstance(row.start, Stamp):
        return float(lay([row.start, stop], day_first=True)[0][1])
    raise broken_row([row.label, row.stop], row.line, "start and stop written in one way")
