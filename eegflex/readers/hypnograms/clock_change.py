"""The night in which the clock changes: one jump of an hour in a series of entries that is even otherwise."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring

__all__ = ["lay_change"]

_HOUR, _DAY = 3600.0, 86400.0  # s
_ROUNDING = 0.5  # s: clocks of whole seconds
_EVEN = 0.9  # of the entries follow the one before without a gap
_FEWEST = 4  # entries by which a series is even
_CHANGES = (0, 1, 2, 3)  # o'clock, when clocks are set forward
_SUNDAY = 6

_Times = npt.NDArray[np.float64]


def lay_change(scoring: Scoring, places: list[int], dst: bool | None) -> Scoring:
    """Take a clock change out of the times of a scoring.

    An hour back can be nothing else: time does not go back. An hour forward is a change where it lies where clocks are
    set forward, between midnight and 4 o'clock and on a Sunday, if the date is known; else it is a gap.

    Parameters
    ----------
    scoring : Scoring
        Entries in the order of the file; it is not changed.
    places : list of int
        Those that are stages.
    dst : bool | None
        Whether the clock changed, as the user says; None finds out.

    Returns
    -------
    scoring : Scoring
        With the hour taken out, and a warning that says so; or as it was.

    Raises
    ------
    HypnogramError
        If the clock goes back by something else than an hour, or the user says that it changed and it is not to be seen
        where.
    """
    if not scoring.by_clock or dst is False or len(places) < _FEWEST:
        return scoring
    scoring = replace(scoring, warnings=list(scoring.warnings))
    onset, duration = scoring.onset[places], _without_hour(scoring.duration[places])
    usual = _mode(duration[duration > 0]) or _mode(np.diff(onset)) or 0.0
    length = np.where(duration > 0, duration, 0.0 if scoring.until_next else usual)
    jump = onset[1:] - (onset[:-1] + length[:-1])
    found = _find(jump, onset, length, scoring, dst)
    if found is None:
        return scoring
    after = np.arange(scoring.onset.size) >= places[found + 1]
    forward = jump[found] > 0
    durations = scoring.duration.copy()
    durations[places[found]] = duration[found]  # an end by the clock is an hour off
    at = _clock(scoring, float(onset[found] + length[found]))
    return replace(
        scoring,
        onset=scoring.onset + np.where(after, -_HOUR if forward else _HOUR, 0.0),
        duration=durations,
        warnings=[
            *scoring.warnings,
            f"the clock goes {'on' if forward else 'back'} by an hour at {at}, as it does where it changes to "
            f"{'summer' if forward else 'winter'} time: later entries are placed an hour {'earlier' if forward else 'later'}"
            + (" (dst=False takes it for a gap)" if forward else ""),
        ],
    )


def _find(jump: _Times, onset: _Times, length: _Times, scoring: Scoring, dst: bool | None) -> int | None:
    """Say after which stage the clock changes, or None."""
    back = np.flatnonzero(jump < -_ROUNDING)
    if dst:
        some = np.flatnonzero((jump >= _HOUR - _ROUNDING) | (jump < -_ROUNDING))
        if some.size != 1 or jump[some[0]] < -_HOUR - _ROUNDING:
            raise _unclear("dst=True, but the change of the clock cannot be found", f"{some.size} jumps of the clock")
        return int(some[0])
    even = float((np.abs(jump) < _ROUNDING).sum()) >= _EVEN * (jump.size - 1)
    if back.size == 1 and -_HOUR - _ROUNDING <= jump[back[0]] < -_HOUR / 2:
        if even and abs(jump[back[0]] + _HOUR) < _ROUNDING:
            return int(back[0])
        at = _clock(scoring, float(onset[back[0]] + length[back[0]]))
        raise _unclear("The clock goes back once, and not by an hour", f"{-jump[back[0]]:g} s at {at}")
    forward = np.flatnonzero(np.abs(jump - _HOUR) < _ROUNDING)
    if forward.size != 1 or back.size or not even:
        return None
    place = int(forward[0])
    if _is_change(scoring, float(onset[place]), float(length[place])):
        return place
    at = _clock(scoring, float(onset[place] + length[place]))
    scoring.warnings.append(f"an hour is missing at {at}, and is treated as a gap; if the clock changed, use dst=True")
    return None


def _without_hour(duration: _Times) -> _Times:
    """Mend the one duration that ends by a changed clock, among durations that are all alike otherwise."""
    usual = _mode(duration[duration > 0])
    alike = np.abs(duration - (usual or 0.0)) < _ROUNDING
    if usual is None or alike.sum() < max(_EVEN * (duration.size - 1), 1):
        return duration
    off = np.abs(np.abs(duration - usual) - _HOUR) < _ROUNDING
    return np.where(off, usual, duration) if off.sum() == 1 else duration


def _is_change(scoring: Scoring, onset: float, length: float) -> bool:
    """Whether clocks are set forward in the stage that begins at `onset`."""
    first = (_seconds(scoring) + onset) % _DAY
    hour = next((hour for hour in _CHANGES if first < hour * _HOUR + _DAY * (hour == 0) <= first + length), None)
    if hour is None:
        return False
    moment = scoring.start.moment
    return moment is None or (moment + dt.timedelta(seconds=onset + length)).weekday() == _SUNDAY


def _seconds(scoring: Scoring) -> float:
    time = scoring.start.time or dt.time()
    return time.hour * _HOUR + time.minute * 60 + time.second + time.microsecond * 1e-6


def _clock(scoring: Scoring, onset: float) -> str:
    time = dt.datetime(2000, 1, 1) + dt.timedelta(seconds=round((_seconds(scoring) + onset) % _DAY))
    return time.strftime("%H:%M:%S")


def _mode(values: _Times) -> float | None:
    positive, counts = np.unique(np.round(values[values > 0], 3), return_counts=True)
    return float(positive[np.argmax(counts)]) if positive.size else None


def _unclear(what: str, seen: str) -> HypnogramError:
    return HypnogramError(
        what,
        seen=seen,
        allowed="one jump of an hour, forward or back, in a night whose stages follow each other",
        remedy="If the clock changed there, use dst=True; otherwise correct the times, or use dst=False to keep them",
    )
