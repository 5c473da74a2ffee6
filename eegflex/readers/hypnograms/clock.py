"""Clocks and dates out of text: day or month first, 12 or 24 hours, over midnight."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from eegflex.readers.recordings.source import Start

__all__ = ["Stamp", "lay", "parse_stamp"]

_DAY = 86400.0  # s
_NIGHT = 6 * 3600.0  # s by which a clock goes back only where it begins anew
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = r"(?P<a>\d{1,4})(?P<sep>[-/.])(?P<b>\d{1,2}|[a-z]{3})(?P=sep)(?P<c>\d{1,4})"
_CLOCK = r"(?P<h>\d{1,2})(?P<colon>[:.])(?P<m>\d\d)(?:(?P=colon)(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
# 0.30 is a number, 0.30.00 a clock
_STAMP = re.compile(rf"(?:{_DATE}(?:[t\s-]\s*))?{_CLOCK}\s*(?P<half>[ap]\.?m\.?)?(?:z|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True)
class Stamp:
    """A time of day as written, perhaps with a date.

    Attributes
    ----------
    seconds : float
        Since midnight.
    hour : int
        As written.
    marked : bool
        Whether AM or PM is written.
    numbers : tuple of int
        The date's three numbers in their order; empty without a date.
    dotted : bool
        Whether the date is written with dots, as where days come first.
    """

    seconds: float
    hour: int
    marked: bool = False
    numbers: tuple[int, ...] = ()
    dotted: bool = False


def parse_stamp(text: str) -> Stamp | None:
    """Read a time of day with or without a date, or return None.

    A zone is passed over: sleep is scored by the clock on the wall.
    """
    match = _STAMP.fullmatch(text.strip().casefold())
    if match is None or (match["colon"] == "." and match["s"] is None):
        return None
    hour, minute, second = int(match["h"]), int(match["m"]), int(match["s"] or 0)
    half = match["half"] or ""
    # 21:59:60 is 22:00:00, by some who round and some who count leap seconds
    if hour > 23 or minute > 59 or second > 60 or (half and not 1 <= hour <= 12):
        return None
    true_hour = hour % 12 + (12 if half[0] == "p" else 0) if half else hour
    seconds = true_hour * 3600 + minute * 60 + second + float(f"0.{match['f'] or 0}")
    numbers: tuple[int, ...] = ()
    if match["sep"]:
        month = match["b"]
        if month.isalpha() and month not in _MONTHS:
            return None
        middle = _MONTHS.index(month) + 1 if month.isalpha() else int(month)
        numbers = (int(match["a"]), middle, int(match["c"]))
    return Stamp(seconds, hour, bool(half), numbers, match["sep"] == ".")


def lay(stamps: Sequence[Stamp], *, day_first: bool | None = None) -> tuple[npt.NDArray[np.float64], Start, list[str]]:
    """Turn the stamps of a file's entries into times.

    Parameters
    ----------
    stamps : sequence of Stamp
        At least one, in the order of the file.
    day_first : bool | None
        Whether dates begin with the day; None finds out, and leaves a date that can be read both ways unknown.

    Returns
    -------
    onset : array, shape (n,)
        In s from the first stamp.
    start : Start
        The first stamp.
    warnings : list of str
        What could not be known.
    """
    warnings: list[str] = []
    dates = _dates(stamps, day_first)
    dated = sum(bool(stamp.numbers) for stamp in stamps)
    if 0 < dated < len(stamps):
        warnings.append(f"{dated} of {len(stamps)} entries have a date; the date is not used")
    elif dated and dates is None:
        warnings.append("the date is invalid, or could be day first or month first, and is not used")
    seconds = np.array([stamp.seconds for stamp in stamps])
    if not dated and seconds[0] == 0 and len(stamps) > 1:
        warnings.append(
            "it begins at 00:00:00, which is read as midnight; if times count from the start, give them in s"
        )
    half = _is_half(stamps, seconds)
    if half:
        warnings.append("the clock has 12 hours and no AM or PM: the start nearest to the recording's is taken")
        seconds = seconds % (_DAY / 2)
    if dates is not None and not half:
        onset = seconds - seconds[0] + np.array([(date - dates[0]).days * _DAY for date in dates])
    else:
        onset = _unwrap(seconds, _DAY / 2 if half else _DAY)
    return onset, Start(None if dates is None else dates[0], _time(float(seconds[0])), half), warnings


def _time(seconds: float) -> dt.time:
    return (dt.datetime(2000, 1, 1) + dt.timedelta(seconds=seconds)).time()


def _unwrap(seconds: npt.NDArray[np.float64], period: float) -> npt.NDArray[np.float64]:
    """Let a clock that begins anew go on; an entry a little out of order stays where it is."""
    steps = np.diff(seconds, prepend=seconds[0])
    return np.asarray(seconds - seconds[0] - period * np.cumsum(np.round(steps / period)))


def _is_half(stamps: Sequence[Stamp], seconds: npt.NDArray[np.float64]) -> bool:
    """Whether a clock goes from 12:59 to 1:00, without saying AM or PM."""
    if any(stamp.marked for stamp in stamps) or not all(1 <= stamp.hour <= 12 for stamp in stamps):
        return False
    return bool((np.diff(seconds) < -_NIGHT).any())


def _dates(stamps: Sequence[Stamp], day_first: bool | None) -> list[dt.date] | None:
    """Read the dates, or return None where there are none or they can be read in two ways."""
    numbers = [stamp.numbers for stamp in stamps]
    if not all(numbers):
        return None
    if all(three[0] > 31 for three in numbers):
        return _calendar([(a, b, c) for a, b, c in numbers])
    if day_first is None and all(stamp.dotted for stamp in stamps):
        day_first = True
    by_day = _calendar([(c, b, a) for a, b, c in numbers])
    by_month = _calendar([(c, a, b) for a, b, c in numbers])
    if day_first is not None:
        return by_day if day_first else by_month
    readings = [dates for dates in (by_day, by_month) if dates is not None and _is_night(dates)]
    alike = len(readings) == 2 and readings[0] == readings[1]
    return readings[0] if len(readings) == 1 or alike else None


def _calendar(numbers: Sequence[tuple[int, int, int]]) -> list[dt.date] | None:
    try:
        return [dt.date(_century(year), month, day) for year, month, day in numbers]
    except ValueError:
        return None


def _century(year: int) -> int:
    return year if year > 99 else year + (1900 if year >= 85 else 2000)


def _is_night(dates: Sequence[dt.date]) -> bool:
    """Whether dates follow each other as in one recording."""
    return all(abs((after - before).days) <= 2 for before, after in pairwise(dates))
