"""Laying a hypnogram on a recording: by clock where both have one, never by guessing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError
from eegflex.readers.hypnogram import Hypnogram
from eegflex.readers.source import Start

__all__ = ["Alignment", "align"]

_DAY = 86400.0  # s
_FARTHEST = 12 * 3600.0  # s a hypnogram may start before or after its recording
_MOST_DROPPED = 5  # epochs a hypnogram may reach beyond its recording
_EPOCH = 30.0  # s
_ROUNDING = 0.005  # s


@dataclass
class Alignment:
    """Stages on a recording's clock.

    Parameters
    ----------
    onset, duration : array, shape (n,)
        In s from the recording's first sample, inside the recording.
    stages : list of str, length n
        Canonical names.
    report : dict
        offset_s, grid_phase_s, epoch_length_s, coding, format, and the numbers of epochs matched, padded, dropped.
    warnings : list of str
        What should be looked at.
    """

    onset: npt.NDArray[np.float64]
    duration: npt.NDArray[np.float64]
    stages: list[str]
    report: dict[str, Any]
    warnings: list[str]


def align(hypnogram: Hypnogram, start: Start, duration: float, *, same_file: bool = False) -> Alignment:
    """Lay a hypnogram on a recording.

    Parameters
    ----------
    hypnogram : Hypnogram
        The hypnogram; it is not changed.
    start : Start
        When the recording starts.
    duration : float
        How long it is, in s.
    same_file : bool
        Whether the stages come from the recording's own file, and so share its clock.

    Returns
    -------
    alignment : Alignment
        The stages inside the recording.

    Raises
    ------
    HypnogramError
        If the two start more than 12 h apart, or the hypnogram reaches more than 5 scored epochs beyond the recording.
    """
    warnings = list(hypnogram.warnings)
    onset, length, epoch = _in_seconds(hypnogram, duration)
    offset = 0.0 if same_file or not hypnogram.has_time else _offset(hypnogram.start, start, warnings)
    onset = onset + offset
    phase = float(onset[0] % epoch)
    first, last, lost = _clip(onset, onset + length, np.array(hypnogram.stages) == "UNSCORED", epoch, duration)
    keep = last - first > _ROUNDING
    dropped = int(np.ceil(lost / epoch - 1e-6))
    _judge_dropped(dropped, int(keep.sum()), offset, duration, warnings)
    stages = [stage for stage, kept in zip(hypnogram.stages, keep, strict=True) if kept]
    matched, padded = _count(first[keep], last[keep], phase, epoch, duration)
    report = {
        "offset_s": offset,
        "grid_phase_s": phase,
        "epoch_length_s": epoch,
        "coding": hypnogram.coding,
        "format": hypnogram.format,
        "matched": matched,
        "padded": padded,
        "dropped": dropped,
        "events_ignored": len(hypnogram.event_places),
    }
    return Alignment(first[keep], (last - first)[keep], stages, report, warnings)


def _in_seconds(
    hypnogram: Hypnogram, duration: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    if not hypnogram.in_epochs:
        return hypnogram.onset, hypnogram.duration, hypnogram.epoch_length or _usual(hypnogram.duration)
    # A bare list: 30 s an epoch is assumed, and must agree with the recording's length.
    count = len(hypnogram.stages)
    if abs(count * _EPOCH - duration) > _MOST_DROPPED * _EPOCH:
        raise HypnogramError(
            "The hypnogram has one stage a line, and 30 s a line does not fit the recording",
            seen=f"{count} lines for {duration:g} s, {duration / count:.4g} s a line",
            allowed=f"{duration / _EPOCH:.0f} lines, give or take {_MOST_DROPPED}",
            remedy="If an epoch has another length, pass hypnogram=read_hypnogram(file, epoch_length=...)",
        )
    return hypnogram.onset * _EPOCH, hypnogram.duration * _EPOCH, _EPOCH


def _usual(duration: npt.NDArray[np.float64]) -> float:
    """Guess the epoch of a run-length hypnogram: 30 s, unless every stretch is a multiple of 20 s and not of 30 s."""

    def fits(seconds: float) -> bool:
        return bool((np.abs(duration - np.round(duration / seconds) * seconds) < _ROUNDING).all())

    return 20.0 if not fits(_EPOCH) and fits(20.0) else _EPOCH


def _offset(hypnogram: Start, recording: Start, warnings: list[str]) -> float:
    """Give how much later the hypnogram starts than the recording, in s."""
    if hypnogram.moment is not None and recording.moment is not None:
        offset = (hypnogram.moment - recording.moment).total_seconds()
    elif hypnogram.time is not None and recording.time is not None:
        # Without both dates only the clocks are compared, on the nearest day.
        offset = (_seconds(hypnogram.time) - _seconds(recording.time) + _DAY / 2) % _DAY - _DAY / 2
        warnings.append("a date is not known: the hypnogram is laid on the nearest day")
    else:
        warnings.append("a start time is not known: the hypnogram is taken to start with the recording")
        return 0.0
    if abs(offset) > _FARTHEST:
        raise HypnogramError(
            "The hypnogram and the recording start more than 12 h apart",
            seen=f"hypnogram {hypnogram}, recording {recording}",
            remedy="Check that they belong together",
        )
    return offset


def _seconds(time: dt.time) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond * 1e-6


def _clip(
    first: npt.NDArray[np.float64],
    last: npt.NDArray[np.float64],
    unscored: npt.NDArray[np.bool_],
    epoch: float,
    duration: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Cut stages to the recording, and count the scored seconds that fall outside.

    What is cut at the beginning is cut by whole epochs, so that the onsets stay on the hypnogram's grid. Sleep-EDF's
    hypnograms end in hours of "?": what is unscored may reach as far as it likes.
    """
    outside = np.clip(-first, 0, last - first) + np.clip(last - duration, 0, last - first)
    whole = np.ceil(np.maximum(-first, 0) / epoch - 1e-9) * epoch
    return first + whole, np.minimum(last, duration), float(outside[~unscored & (outside > _ROUNDING)].sum())


def _judge_dropped(dropped: int, kept: int, offset: float, duration: float, warnings: list[str]) -> None:
    if dropped > _MOST_DROPPED or not kept:
        raise HypnogramError(
            "The hypnogram does not fit the recording",
            seen=f"{dropped} scored epochs outside the recording of {duration:g} s, hypnogram starting at {offset:g} s",
            allowed=f"at most {_MOST_DROPPED}",
            remedy="Check that they belong together, or crop the hypnogram",
        )
    if dropped > 1:
        warnings.append(f"the hypnogram reaches {dropped} epochs beyond the recording; they are dropped")


def _count(
    first: npt.NDArray[np.float64], last: npt.NDArray[np.float64], phase: float, epoch: float, duration: float
) -> tuple[int, int]:
    """Count the grid's epochs inside the recording that the hypnogram covers, and the others."""
    starts = np.arange(phase, duration - epoch + _ROUNDING, epoch)
    covered = np.zeros(starts.size)
    for at, end in zip(first, last, strict=True):
        covered += np.clip(np.minimum(starts + epoch, end) - np.maximum(starts, at), 0, None)
    matched = int((covered > epoch - _ROUNDING).sum())
    return matched, int(starts.size) - matched
