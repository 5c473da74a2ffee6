"""Times of the day."""

from __future__ import annotations

import re
from datetime import time

from eegflex.errors import ParameterError

__all__ = ["clock_text", "since_midnight"]

_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)


def since_midnight(name: str, clock: str) -> float:
    """Return a time of the day in s from midnight.

    Parameters
    ----------
    name : str
        What it was given as.
    clock : str
        Such as ``"22:30"``.

    Raises
    ------
    ParameterError
        If it is no time of the day.

    Examples
    --------
    >>> since_midnight("began", "22:30")
    81000.0
    """
    try:
        # fromisoformat would take "22.30" for ten sharp
        found = time.fromisoformat(clock if _CLOCK.fullmatch(clock) else "")
    except (ValueError, TypeError) as error:
        raise ParameterError(f"{name} must be a time of the day", seen=repr(clock), allowed="'22:30'") from error
    return found.hour * 3600.0 + found.minute * 60 + found.second


def clock_text(seconds: float, *, short: bool = False) -> str:
    """Return what a clock shows some seconds after midnight.

    Examples
    --------
    >>> clock_text(81000.0), clock_text(90000.0, short=True)
    ('22:30:00', '1:00')
    """
    minutes, rest = divmod(round(float(seconds)), 60)
    text = f"{minutes // 60 % 24}:{minutes % 60:02d}"
    return text if short else f"{text}:{rest:02d}"
