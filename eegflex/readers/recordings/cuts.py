"""Cuts and pauses of the formats whose files leave no room for them: EEGLAB's boundaries, BrainVision's segments."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import mne
import numpy as np
from mne.io.brainvision.brainvision import _aux_hdr_info

from eegflex.errors import RecordingError
from eegflex.readers.recordings.breaks import is_break, unsure_clock
from eegflex.readers.recordings.source import Event, Piece, sample_at
from eegflex.readers.text import decode_text

__all__ = ["Cut", "Found", "lay_events", "lay_pieces", "of_brainvision", "of_eeglab"]

_LONGEST = 86400.0  # s that a pause may have
_SLACK = 1.0  # s that two clocks may differ by within a recording

# type, description, position, size, channel, and the date of a segment
_SEGMENT = re.compile(
    r"^Mk\d+=New Segment,[^,\r\n]*,(\d{1,15}),[^,\r\n]*,[^,\r\n]*(?:,(\d{14})(\d{6})?)?", re.MULTILINE | re.IGNORECASE
)
_POSITION = re.compile(r"^Mk\d+=[^,\r\n]*,[^,\r\n]*,(\d{1,15}),", re.MULTILINE | re.IGNORECASE)


class Cut(NamedTuple):
    """A place in a file at which `seconds` of the recording are not there, NaN where it does not say how many."""

    sample: int
    seconds: float


@dataclass
class Found:
    """What a format's own files say beside its samples."""

    cuts: list[Cut] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    units: dict[int, str] = field(default_factory=dict)


def lay_pieces(cuts: Sequence[Cut], n_samples: int, rate: float) -> tuple[list[Piece], list[str]]:
    """Say where the samples of a file lie in time.

    Parameters
    ----------
    cuts : sequence of Cut
        Where something is missing.
    n_samples : int
        Samples of the file.
    rate : float
        Their rate in Hz.

    Returns
    -------
    pieces : list of Piece
        In order.
    warnings : list of str
        What should be looked at.
    """
    missing: dict[int, float] = {}
    for cut in cuts:
        if 0 < cut.sample < n_samples or (cut.sample == 0 and cut.seconds > 0):
            missing[cut.sample] = float(np.fmax(missing.get(cut.sample, np.nan), cut.seconds))
    unsure = {sample for sample, seconds in missing.items() if not 0 <= seconds <= _LONGEST}
    late, pieces = 0.0, list[Piece]()
    places = sorted({0, *missing})
    for first, stop in zip(places, [*places[1:], n_samples], strict=True):
        late += 0.0 if first in unsure else missing.get(first, 0.0)
        pieces.append(Piece(first, stop, first + sample_at(late, rate)))
    warnings = []
    if late:
        n_gaps = sum(seconds > 0 for sample, seconds in missing.items() if sample not in unsure)
        warnings.append(f"the recording has gaps: {n_gaps}, {late:.6g} s together")
    at = [piece.at / rate for piece in pieces if piece.first in unsure]
    return pieces, warnings + unsure_clock(at)


def lay_events(events: Sequence[Event], pieces: Sequence[Piece], rate: float) -> list[Event]:
    """Move events from the time of a file, which knows no gaps, to that of the recording; what a gap parts is two."""
    bounds = [piece.first / rate for piece in pieces]
    ends = [*bounds[1:], np.inf]
    laid = []
    for event in events if len(pieces) == 1 else (event for event in events if not _is_boundary(event.text)):
        home = max(int(np.searchsorted(bounds, event.onset + 0.5 / rate, side="right")) - 1, 0)
        until = event.onset + (event.duration or 0.0)
        for k in range(home, len(pieces)):
            first = max(event.onset, bounds[k]) if k > home else event.onset
            if k > home and first > until - 0.5 / rate:
                break
            length = None if event.duration is None else max(min(until, ends[k]) - first, 0.0)
            laid.append(Event(first + (pieces[k].at - pieces[k].first) / rate, length, event.text))
    return laid


def of_eeglab(path: Path, raw: Any) -> Found:
    """Find the boundaries of an EEGLAB file, whose durations count the samples that were removed.

    Raises
    ------
    RecordingError
        If it has other channels or samples than it says, for MNE reads them in the wrong places then.
    """
    _refuse_other_shape(path, raw)
    found = Found()
    if not any(_is_boundary(text) for text in raw.annotations.description):
        return found
    # asked again: the Raw's own annotations end with its data
    noted = mne.read_annotations(path)
    rate = float(raw.info["sfreq"])
    for onset, length, text in zip(noted.onset, noted.duration, noted.description, strict=True):
        if _is_boundary(text):
            # a length of one sample is how BrainVision's segments come out of EEGLAB
            found.cuts.append(Cut(max(sample_at(onset, rate), 0), length if length > 1.5 / rate else np.nan))
    return found


def _refuse_other_shape(path: Path, raw: Any) -> None:
    named, held = Path(raw.filenames[0]), raw._raw_extras[0] if raw._raw_extras else None
    data = raw._data if raw.preload else (held or {}).get("cached_data")
    wanted = len(raw.ch_names) * int(raw.n_times)
    if data is not None:
        there = float(data.size)
    elif named.suffix.lower() == ".set":
        return  # it could not be asked yet
    else:
        there = named.stat().st_size / 4
    if there != wanted:
        raise RecordingError(
            f"{path.name!r} is inconsistent about its channels and samples",
            seen=f"{there:g} samples in all",
            allowed=f"{len(raw.ch_names)} channels of {raw.n_times} samples, {wanted} in all",
            remedy="It was truncated, or belongs to another file: copy both again, or save it again in EEGLAB",
        )


def _is_boundary(text: str) -> bool:
    # a number where all types of events are numbers
    return is_break(text) or text in {"-99", "-99.0"}


def of_brainvision(path: Path, raw: Any) -> Found:
    """Find the segments of a BrainVision recording, each of which may have its own date, its units, and what it lost."""
    _, header, section, *_ = _aux_hdr_info(str(path))
    rate, found = float(raw.info["sfreq"]), Found()
    for name, row in header.items("Channel Infos") if header.has_section("Channel Infos") else ():
        found.units[int(name.lower().removeprefix("ch")) - 1] = (*row.split(","), "", "", "", "")[3].strip()
    named = path.parent / header.get(section, "MarkerFile", fallback="")
    there = next((file for file in (named, path.with_suffix(".vmrk")) if file.is_file()), None)
    markers = "" if there is None else decode_text(there.read_bytes())
    positions = [int(place) for place in _POSITION.findall(markers)]
    lost = header.getint(section, "DataPoints", fallback=0) - raw.n_times
    if lost > 0:
        found.warnings.append(f"the file is truncated: {lost / rate:g} s at its end are lost")
    elif any(place > raw.n_times for place in positions):
        found.warnings.append("markers lie beyond the end of the samples: the file may be truncated")
    if any(is_break(text) for text in raw.annotations.description):
        found.cuts += _segments(markers, rate)
    return found


def _segments(markers: str, rate: float) -> Iterator[Cut]:
    known: tuple[int, dt.datetime] | None = None
    for place, date, fraction in _SEGMENT.findall(markers):
        sample, moment = max(int(place) - 1, 0), _moment(date, fraction)
        missing = np.nan
        if known is not None and moment is not None:
            missing = (moment - known[1]).total_seconds() - (sample - known[0]) / rate
        if abs(missing) * rate < 1.5:
            continue  # nothing is missing, as in a segment that begins twice
        yield Cut(sample, 0.0 if -_SLACK <= missing < 0 else missing)
        known = known if moment is None else (sample, moment)


def _moment(date: str, fraction: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(date, "%Y%m%d%H%M%S") + dt.timedelta(microseconds=int(fraction or 0))
    except ValueError:
        return None
