"""Tables with a header: BIDS ``events.tsv``, U-Sleep's `tsv`, YASA's `csv`, Wonambi's export and the like.

Lines may stand before the header. A column of onsets (s, or clocks), of ends or of epoch numbers says when; every other
column may be the one with the stages. Where there is none that says when, each row is an epoch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers.hypnograms.clock import Stamp, lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import (
    DELIMITERS,
    broken_row,
    first_lines,
    is_number,
    read_lines,
    split_row,
    to_number,
)
from eegflex.readers.recordings.source import Start
from eegflex.readers.stage_numbers import parse_code
from eegflex.readers.stage_words import parse_label

__all__ = ["NAME", "REMEDY", "ROLES", "STAGE", "check_columns", "parse", "sniff"]

NAME = "table of events"
STAGE = "stage"
#: What columns are for, and what they are called, units, blanks and dots apart. That of the stages may be any other.
ROLES: dict[str, frozenset[str]] = {
    "onset": frozenset({"onset", "start", "starttime", "begin", "init", "time"}),
    "duration": frozenset({"duration", "dur"}),
    "end": frozenset({"end", "stop", "endtime", "stoptime", "finish"}),
    "epoch": frozenset({"epoch", "epochnumber", "epochindex", "epochno", "epochnr"}),
    STAGE: frozenset(),
}
REMEDY = (
    '; if it is a table, say what its columns are called with columns={"onset": "...", "stage": "..."} (known: '
    + ", ".join(sorted(frozenset().union(*ROLES.values())))
    + ")"
)
_INDEX = frozenset({"", "no", "nr", "#", "index", "unnamed:0"})  # a table's own count of its rows
_STAGES = re.compile("stage|hypno|scor|stadi|stade")  # in the name of a column that holds stages and no other events
_MISSING = frozenset({"n/a", "nan", "na"})
_UNIT = re.compile(r"[\[(]([^\])]*)[\])]")
_UNITS = {
    **dict.fromkeys(["", "s", "sec", "secs", "second", "seconds"], 1.0),
    **dict.fromkeys(["ms", "msec", "msecs", "millisecond", "milliseconds"], 1e-3),
    **dict.fromkeys(["min", "mins", "minute", "minutes"], 60.0),
    **dict.fromkeys(["h", "hr", "hrs", "hour", "hours"], 3600.0),
}
_TAIL = re.compile(r"[\s_]+(ms|msecs?|s|secs?|seconds?|mins?|minutes?|hrs?|hours?)$")
_HEADERS = 60  # lines in which the header must be
_FEW = 2  # columns: one says when, one says what

_Times = npt.NDArray[np.float64]
_Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class _Header:
    """Where the header is, and which column is for what."""

    line: int
    delimiter: str
    names: list[str]
    roles: dict[str, int]


def check_columns(columns: Mapping[str, str] | None) -> None:
    """Refuse what does not say what columns are called.

    Raises
    ------
    ParameterError
        If it is no mapping, or a key is none of `ROLES`.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise ParameterError("columns must map what a column is for to its name", seen=type(columns).__name__)
    for role, name in (columns or {}).items():
        if role not in ROLES or not isinstance(name, str):
            raise ParameterError("columns names no column", seen=f"{role!r}: {name!r}", allowed=list(ROLES))


def sniff(head: bytes, path: Path) -> bool:
    """Whether one of the first lines names a column that says when, and rows that fit follow."""
    return _find_header(first_lines(head), {}) is not None


def parse(path: Path, columns: Mapping[str, str] | None = None) -> Scoring | dict[str, Scoring]:
    """Read the table as one scoring for each column that may hold stages, or that for which `columns` says so."""
    lines = read_lines(path)
    header = _find_header(lines[: _HEADERS + 1], columns or {})
    if header is None:
        raise HypnogramError(
            f"{path.name!r} has no header with these columns",
            seen=", ".join(f"{role}={name!r}" for role, name in (columns or {}).items()),
            remedy=f"Write them as the file does{REMEDY}",
        )
    if len(set(header.names)) < len(header.names):
        raise HypnogramError("Two columns have one name", seen=header.names, remedy="Rename one")
    width, rows = len(header.names), list[tuple[int, list[str]]]()
    for number, line in enumerate(lines[header.line + 1 :], start=header.line + 2):
        row = split_row(line, header.delimiter)
        if not any(row):
            continue
        if len(row) < width or any(row[width:]):
            raise broken_row(row, number, f"{width} cells")
        rows.append((number, row[:width]))
    if not rows:
        raise HypnogramError("The table is empty", remedy="Export it again")
    timing = _timing(header, rows)
    said = header.roles.get(STAGE)
    if said is not None:
        return _scoring(timing, [row[said] for _, row in rows], mixed=False)
    return {
        name: _scoring(timing, [row[place] for _, row in rows], mixed=_STAGES.search(name.casefold()) is None)
        for place, name in enumerate(header.names)
        if place not in header.roles.values()
    }


def _find_header(lines: Sequence[str], columns: Mapping[str, str]) -> _Header | None:
    """Find the first line that is a header and is followed by a row that fits it."""
    full = [(number, line) for number, line in enumerate(lines[:_HEADERS]) if line.strip()]
    for place, (number, line) in enumerate(full):
        following = full[place + 1][1] if place + 1 < len(full) else ""
        last = place + 2 >= len(full)  # what follows may be cut
        for delimiter in DELIMITERS:
            header = _header(number, split_row(line, delimiter), delimiter, columns)
            if header is not None and (not following or _fits(header, split_row(following, delimiter), cut=last)):
                return header
    return None


def _header(number: int, names: list[str], delimiter: str, columns: Mapping[str, str]) -> _Header | None:
    """Understand a row as a header, or return None."""
    while len(names) > 1 and not names[-1]:
        names = names[:-1]  # a delimiter at the end of the line
    plain = [_plain(name)[0] for name in names]
    said = {role: _place(names, plain, name) for role, name in columns.items()}
    if any(place is None for place in said.values()):
        return None
    roles = {role: place for role, place in said.items() if place is not None}
    for role, known in ROLES.items():
        found = [place for place, name in enumerate(plain) if name in known and place not in roles.values()]
        if role not in roles and found:
            roles[role] = found[0]
    if not {"onset", "end", "epoch"} & set(roles) and plain and plain[0] in _INDEX and len(names) >= _FEW:
        roles["epoch"] = 0
    bare = any(_STAGES.search(name.casefold()) for name in names)
    when = {"onset", "end", "epoch"} & set(roles)
    if len(names) < _FEW or not (when or bare) or any(is_number(name) or parse_stamp(name) for name in names):
        return None
    if delimiter == " " and not when:
        return None  # a sentence
    return _Header(number, delimiter, names, roles)


def _place(names: list[str], plain: list[str], wanted: str) -> int | None:
    """Where the column is that is called so, as written or units apart."""
    exact = [place for place, name in enumerate(names) if name.casefold() == wanted.strip().casefold()]
    alike = exact or [place for place, name in enumerate(plain) if name == _plain(wanted)[0]]
    return alike[0] if alike else None


def _fits(header: _Header, row: list[str], *, cut: bool) -> bool:
    """Whether a row is as the header has it: times where they should be, or a stage where nothing says when."""
    if len(row) < len(header.names):
        return cut
    times = [row[place] for role, place in header.roles.items() if role in ("onset", "end", "epoch")]
    if times:
        return any(is_number(cell) or parse_stamp(cell) or cell.casefold() in _MISSING for cell in times)
    return any(
        parse_label(cell) is not None or parse_code(cell) is not None
        for cell, name in zip(row, header.names, strict=False)
        if _STAGES.search(name.casefold())
    )


def _plain(name: str) -> tuple[str, str]:
    """Reduce a column's name, and give its unit: "Start Time (sec)" -> "starttime", "sec"."""
    text = name.casefold().strip()
    unit = _UNIT.search(text) or _TAIL.search(text)
    bare = text if unit is None else text.replace(unit[0], "")
    return re.sub(r"[\s_.-]", "", bare).removesuffix("seconds").removesuffix("sec"), "" if unit is None else unit[1]


def _timing(header: _Header, rows: _Rows) -> Scoring:
    """Say when each row is; the labels come later."""
    roles = header.roles
    if not {"onset", "end"} & set(roles):
        if "epoch" not in roles:
            _refuse_unknown_times(header, rows)
            return Scoring.of_epochs([""] * len(rows), format=NAME)
        return _by_epoch(_column(header, rows, "epoch"))
    stamps = {role: _stamps(rows, roles[role]) for role in ("onset", "end") if role in roles}
    onset = stamps.get("onset")
    if onset is not None:
        times, start, warnings = lay(onset)
        lengths = _column(header, rows, "duration") if "duration" in roles else np.zeros(len(rows))
        ends = stamps.get("end")
        if ends is not None and "duration" not in roles:
            lengths = np.array([_between(begin, end) for begin, end in zip(onset, ends, strict=True)])
        return Scoring(times, lengths, [], start, NAME, mixed=True, by_clock=True, warnings=warnings)
    ends_at = _column(header, rows, "end") if "end" in roles and "duration" not in roles else None
    if "onset" not in roles:
        ends_at = _column(header, rows, "end")
        times = np.append(0.0, ends_at[:-1])
    else:
        times = _column(header, rows, "onset")
    lengths = _column(header, rows, "duration") if "duration" in roles else np.zeros(len(rows))
    if ends_at is not None:
        lengths = np.where(np.isfinite(ends_at), ends_at - times, 0.0)
    return Scoring(times, lengths, [], Start(), NAME, mixed=True, has_time=False)


def _refuse_unknown_times(header: _Header, rows: _Rows) -> None:
    """Refuse to count rows as epochs where some column, of a name that is not known, may say when they are."""
    for place, name in enumerate(header.names):
        cells = [row[place] for _, row in rows]
        clocks = all(parse_stamp(cell) for cell in cells)
        numbers = len(cells) > _FEW and all(is_number(cell) for cell in cells)
        if clocks or (numbers and (np.diff([float(cell.replace(",", ".")) for cell in cells]) > 0).all()):
            raise HypnogramError(
                "A column may say when the rows are, and its name is not known",
                seen=repr(name),
                allowed=sorted(frozenset().union(*ROLES.values())),
                remedy=f"Say what it is{REMEDY.removeprefix('; if it is a table, say what its columns are called')}",
            )


def _stamps(rows: _Rows, place: int) -> list[Stamp] | None:
    """Read a column of clocks; None if it is none."""
    stamps = [stamp for _, row in rows if (stamp := parse_stamp(row[place])) is not None]
    return stamps if len(stamps) == len(rows) else None


def _between(begin: Stamp, end: Stamp) -> float:
    """Seconds from one clock to another, less than half a day; back where the clock was set back."""
    day = 86400.0
    return (end.seconds - begin.seconds + day / 2) % day - day / 2


#: What stands for a missing cell, by the column: a row without an onset is an error.
_ABSENT = {"duration": 0.0, "end": np.nan}


def _column(header: _Header, rows: _Rows, role: str) -> _Times:
    """Read a column of numbers, in s."""
    place = header.roles[role]
    unit = "" if role == "epoch" else _plain(header.names[place])[1]
    absent = {*_MISSING, ""} if role in _ABSENT else set[str]()
    values = [
        _ABSENT[role] if row[place].casefold() in absent else to_number(row[place], role, number)
        for number, row in rows
    ]
    if unit not in _UNITS:
        raise HypnogramError(
            f"The unit of the column of the {role} is not known",
            seen=repr(header.names[place]),
            allowed=[unit for unit in _UNITS if unit],
            remedy="Convert it to seconds",
        )
    return np.array(values, dtype=float) * _UNITS[unit]


def _by_epoch(numbers: _Times) -> Scoring:
    first = numbers[0]
    if first not in (0, 1):
        raise HypnogramError(
            "The first epoch's number is neither 0 nor 1, so it is not known when it is",
            seen=f"{first:g}",
            remedy="Number the epochs from 1",
        )
    count = numbers.size
    return Scoring(numbers - first, np.ones(count), [], format=NAME, has_time=False, in_epochs=True)


def _scoring(timing: Scoring, labels: list[str], *, mixed: bool) -> Scoring:
    """Put a column's labels to the times; in a column of stages alone, what is missing is not scored."""
    mixed = mixed and timing.mixed
    missing = [label.casefold() in _MISSING for label in labels]
    keep = [place for place, absent in enumerate(missing) if not (mixed and absent)]
    return replace(
        timing,
        onset=timing.onset[keep],
        duration=timing.duration[keep],
        labels=["?" if missing[place] else labels[place] for place in keep],
        mixed=mixed,
        others=len(labels) - len(keep),
        warnings=list(timing.warnings),
    )
