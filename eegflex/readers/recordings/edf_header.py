"""The header of EDF, EDF+, BDF and BDF+, read so that one bad field costs as little as possible."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from eegflex.errors import EmptyRecordingError, RecordingError
from eegflex.readers.notes import SIMULATED, SIMULATED_EQUIPMENT
from eegflex.readers.recordings.source import Start
from eegflex.readers.text import decode_header

__all__ = ["EdfHeader", "EdfSignal", "read_header"]

# width of each field in the signals' part of the header, in order
_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefiltering": 80,
    "n_samples": 8,
    "reserved": 32,
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
#: A number is filled up with blanks, as the standard has it; some programs write zero bytes, or end it by one.
_PADDED = re.compile(rb" *([^\x00 ]*)(?:\x00? *|\x00+)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)  # float() takes "1_0" too
_BEYOND = 1e30  # of any unit
_UNKNOWN_DATE = dt.date(1985, 1, 1)  # what anonymisers write
_ANNOTATIONS = {"EDF Annotations", "BDF Annotations"}


@dataclass(frozen=True)
class EdfSignal:
    """One signal's header: `gain` and `bias` take a digital value to a physical one within `limits`."""

    label: str
    unit: str
    n_samples: int
    first: int
    gain: float
    bias: float
    fault: str = ""
    limits: tuple[float, float] = (math.nan, math.nan)
    annotations: bool = False


@dataclass
class EdfHeader:
    """A header, checked against the length of its file.

    Attributes
    ----------
    format : str
        ``EDF``, ``EDF+C``, ``EDF+D``, ``BDF``, ``BDF+C`` or ``BDF+D``.
    start : Start
        When the first record starts, to the second.
    offset : int
        Bytes before the first record.
    record_duration : float
        Seconds a record.
    n_records : int
        Whole records that both the header and the file have.
    width : int
        Samples a record, all signals together.
    sample_bytes : int
        2 for EDF, 3 for BDF.
    """

    format: str
    start: Start
    offset: int
    record_duration: float
    n_records: int
    width: int
    sample_bytes: int
    signals: list[EdfSignal]
    warnings: list[str] = field(default_factory=list)


def read_header(path: Path) -> EdfHeader:
    """Read and check the header of an EDF or BDF file.

    Raises
    ------
    EmptyRecordingError
        If the file holds no whole record.
    RecordingError
        If the header cannot be understood.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        fixed = file.read(256)
        n_signals = _count(fixed[252:256], "number of signals")
        table = file.read(256 * n_signals) if 256 * n_signals < size else b""
    if len(table) < 256 * n_signals:
        raise EmptyRecordingError(
            "The file ends inside its header", seen=f"{size} bytes", remedy="Copy the file again: it was truncated"
        )
    offset = _count(fixed[184:192], "number of bytes in the header")
    if offset != 256 * (n_signals + 1):
        raise RecordingError(
            "The header is inconsistent about its own length",
            seen=f"{offset} bytes for {n_signals} signals",
            allowed=f"{256 * (n_signals + 1)} bytes",
            remedy="The file is damaged; export it again",
        )
    family, sample_bytes = ("BDF", 3) if fixed[:1] == b"\xff" else ("EDF", 2)
    warnings: list[str] = []
    signals = _signals(table, n_signals, sample_bytes, warnings)
    width = sum(signal.n_samples for signal in signals)
    duration = _duration(fixed[244:252], signals)
    _refuse_other_size(fixed[236:244], size - offset, width, sample_bytes)
    n_records = _records(fixed[236:244], size - offset, width * sample_bytes, duration, warnings)
    plus = _plus(fixed[192:236])
    if plus and not any(signal.annotations for signal in signals):
        warnings.append(f"the file calls itself {family}{plus} and has no annotations, not even times of its records")
    return EdfHeader(
        format=family + plus,
        start=_start(fixed, warnings),
        offset=offset,
        record_duration=duration,
        n_records=n_records,
        width=width,
        sample_bytes=sample_bytes,
        signals=signals,
        warnings=warnings,
    )


def _plus(reserved: bytes) -> str:
    match = re.match(rb"(?:EDF|BDF)(\+[CD])", reserved.strip())
    return match[1].decode() if match else ""


def _number(raw: bytes) -> float:
    """Read a number, decimal comma or not; NaN where there is none, or its digits may have been overwritten by zero bytes."""
    padded = _PADDED.fullmatch(raw)
    text = padded[1].replace(b",", b".").decode("latin-1") if padded else ""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def _count(raw: bytes, what: str) -> int:
    value = _number(raw)
    if not (value > 0 and value == int(value)):
        raise RecordingError(
            f"The header gives no usable {what}",
            seen=repr(decode_header(raw)),
            allowed="a whole number above 0",
            remedy="The file is damaged, or is not EDF or BDF; export it again",
        )
    return int(value)


def _signals(table: bytes, n_signals: int, sample_bytes: int, warnings: list[str]) -> list[EdfSignal]:
    columns: dict[str, list[bytes]] = {}
    position = 0
    for name, width in _FIELDS.items():
        end = position + width * n_signals
        columns[name] = [table[at : at + width] for at in range(position, end, width)]
        position = end
    signals: list[EdfSignal] = []
    first = 0
    for index in range(n_signals):
        row = {name: column[index] for name, column in columns.items()}
        signal = _signal(row, first, 2.0 ** (8 * sample_bytes - 1), warnings)
        signals.append(signal)
        first += signal.n_samples
    return signals


def _signal(row: dict[str, bytes], first: int, half: float, warnings: list[str]) -> EdfSignal:
    label = decode_header(row["label"])
    n_samples = _count(row["n_samples"], f"number of samples of signal {label!r}")
    if label in _ANNOTATIONS:
        return EdfSignal(label, "", n_samples, first, 1.0, 0.0, annotations=True)
    unit = decode_header(row["unit"])
    low, high = _number(row["physical_min"]), _number(row["physical_max"])
    bottom, top = _number(row["digital_min"]), _number(row["digital_max"])
    fault = _range_fault(low, high, bottom, top, half)
    if fault:
        return EdfSignal(label, unit, n_samples, first, math.nan, math.nan, fault)
    gain = (high - low) / (top - bottom)
    if gain < 0:
        warnings.append(f"{label}: the physical minimum is above the maximum; the signal is inverted accordingly")
    limits = (min(low, high), max(low, high))
    return EdfSignal(label, unit, n_samples, first, gain, low - bottom * gain, limits=limits)


def _range_fault(low: float, high: float, bottom: float, top: float, half: float) -> str:
    """Say why ranges give no scale; `half` is what a sample's digits end at."""
    cases = {
        "its physical range is blank or not a number": math.isnan(low + high),
        "its digital range is blank or not a number": math.isnan(bottom + top),
        f"its physical minimum equals its maximum ({low:g}), so it has no scale": low == high,
        f"its physical range ({low:g} to {high:g}) is impossible": not abs(high - low) < _BEYOND,
        f"its digital minimum ({bottom:g}) is not below its maximum ({top:g}), so it has no scale": bottom >= top,
        f"its digital range ({bottom:g} to {top:g}) is more than its samples can hold": bottom < -half or top > half,
        f"its digital range ({bottom:g} to {top:g}) is not of whole numbers": not (bottom + top).is_integer(),
    }
    return next((words for words, holds in cases.items() if holds), "")


def _duration(raw: bytes, signals: list[EdfSignal]) -> float:
    duration = _number(raw)
    if duration > 0 or (duration == 0 and all(signal.annotations for signal in signals)):
        return duration
    raise RecordingError(
        "The header gives no usable duration of a record",
        seen=repr(decode_header(raw)),
        allowed="seconds, above 0",
        remedy="The file is damaged; export it again",
    )


def _refuse_other_size(raw: bytes, n_bytes: int, width: int, sample_bytes: int) -> None:
    """Refuse a file whose first byte says 16 bits a sample and whose length says 24, or the other way round."""
    other = 5 - sample_bytes
    if n_bytes == _number(raw) * width * other != 0:
        raise RecordingError(
            "The file is inconsistent about the size of a sample",
            seen=f"{8 * sample_bytes} bits by its first byte, {8 * other} bits by its length",
            remedy="The first byte is damaged; export the file again",
        )


def _records(raw: bytes, n_bytes: int, record_bytes: int, duration: float, warnings: list[str]) -> int:
    """How many whole records there are: the smaller of what the header and the file say."""
    present, rest = divmod(max(n_bytes, 0), record_bytes)
    number = _number(raw)
    stated = int(number) if number >= 0 and number == int(number) else None
    n_records = present if stated is None else min(stated, present)
    if n_records == 0:
        raise EmptyRecordingError(
            "The recording holds no whole data record",
            seen=f"{max(n_bytes, 0)} bytes of data, {decode_header(raw) or 'no count'} records according to the header",
            remedy="Export or copy the file again",
        )
    if stated is None:
        warnings.append(f"the number of records is not in the header; the file has {present}")
        if rest:
            warnings.append(f"the file is truncated: up to {duration:g} s at its end are lost")
    elif stated > present:
        lost = (stated - present) * duration
        warnings.append(
            f"the file is truncated: {lost:g} s at its end are lost ({present} of {stated} records are there)"
        )
    elif n_bytes > stated * record_bytes:
        extra = n_bytes - stated * record_bytes
        warnings.append(f"{extra} bytes after the last record that the header counts are ignored")
    return n_records


def _start(fixed: bytes, warnings: list[str]) -> Start:
    date = _plus_date(fixed[88:168])
    header_date = _header_date(fixed[168:176])
    if date is None:
        date = header_date
    elif header_date is not None and header_date != date:
        warnings.append(f"the header gives two dates, {header_date} and {date}; the second is used")
    time, days = _time(fixed[176:184], warnings)
    date = date + dt.timedelta(days=days) if date is not None and days else date
    if date is None:
        warnings.append("the date of the recording is not known")
    if time is None:
        warnings.append("the time of day of the recording is not known")
    if SIMULATED_EQUIPMENT in decode_header(fixed[88:168]):
        warnings.append(SIMULATED)
    return Start(date, time)


def _plus_date(recording: bytes) -> dt.date | None:
    match = re.match(r"Startdate (\d\d?)-([A-Za-z]{3})-(\d{4})\b", decode_header(recording))
    if match is None or match[2].upper() not in _MONTHS:
        return None
    return _date(int(match[3]), _MONTHS.index(match[2].upper()) + 1, int(match[1]))


def _header_date(raw: bytes) -> dt.date | None:
    match = re.fullmatch(r"(\d\d?)\D(\d\d?)\D(\d\d)", decode_header(raw))
    if match is None:
        return None
    year = int(match[3])
    return _date(year + (1900 if year >= 85 else 2000), int(match[2]), int(match[1]))


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        date = dt.date(year, month, day)
    except ValueError:
        return None
    return None if date == _UNKNOWN_DATE else date


def _time(raw: bytes, warnings: list[str]) -> tuple[dt.time | None, int]:
    """Read a time of day, and the days that it runs over: writers that round make 21.59.60 of 21.59.59.7, and 24.00.00."""
    match = re.fullmatch(r"(\d\d?)\D(\d\d?)\D(\d\d?)", decode_header(raw))
    hour, minute, second = (int(part) for part in match.groups()) if match else (99, 99, 99)
    if hour > 24 or minute > 60 or second > 60:
        return None, 0
    whole = dt.timedelta(hours=hour, minutes=minute, seconds=second)
    moment = dt.datetime.min + whole
    if (hour, minute, second) != (moment.hour, moment.minute, moment.second):
        warnings.append(f"the header gives the time of day as {decode_header(raw)}, which is read as {moment:%H:%M:%S}")
    return moment.time(), whole.days
