"""Laying a hypnogram on a recording: by clock where both have one, never by guessing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.interpret import Hypnogram
from eegflex.readers.hypnograms.odd_night import odd_night
from eegflex.readers.recordings.source import Start
from eegflex.stages import EPOCH_DURATION, STAGE_CODES

__all__ = ["Alignment", "align", "vote"]

_DAY = 86400.0  # s
_FARTHEST = 12 * 3600.0  # s a hypnogram may start before or after its recording
_MOST_DROPPED = 5  # epochs a hypnogram may reach beyond its recording
_ROUNDING = 0.005  # s


@dataclass
class Alignment:
    """Stages on a recording's clock.

    Attributes
    ----------
    onset, duration : array, shape (n,)
        In s from the recording's first sample, inside the recording.
    stages : list of str, length n
        Canonical names.
    report : dict
        offset_s and how it was found (`placed_by`), grid_phase_s, epoch_length_s, coding, format, the numbers of
        epochs matched, padded, dropped, and of entries that are no stages (events_ignored); after a majority vote also
        `majority_of_s`, the length of the epochs before it, and `majority_split`, how many new epochs held more
        than one stage.
    warnings : list of str
        What should be looked at.
    """

    onset: npt.NDArray[np.float64]
    duration: npt.NDArray[np.float64]
    stages: list[str]
    report: dict[str, Any]
    warnings: list[str]


def align(
    hypnogram: Hypnogram,
    start: Start,
    duration: float,
    *,
    same_file: bool = False,
    majority: float | None = None,
    on_mismatch: str = "raise",
) -> Alignment:
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
    majority : float | None
        Seconds of new epochs, laid from the first stage on, each of which takes the stage that fills most of it.
    on_mismatch : {"raise", "warn"}
        What to do if more than 5 scored epochs lie outside the recording.

    Returns
    -------
    alignment : Alignment
        The stages inside the recording.

    Raises
    ------
    HypnogramError
        If the two start more than 12 h apart, or the hypnogram reaches too far beyond the recording.
    """
    warnings = list(hypnogram.warnings)
    onset, length, epoch = _in_seconds(hypnogram, duration)
    offset, placed_by = _place(hypnogram, start, warnings, same_file=same_file)
    onset, stages, voted = onset + offset, hypnogram.stages, dict[str, Any]()
    if majority is not None and abs(majority - epoch) > _ROUNDING:
        voted = {"majority_of_s": epoch}
        onset, length, stages, voted["majority_split"] = vote(onset, length, stages, majority)
        epoch = majority
    warnings += odd_night(stages, length)
    phase = float(onset[0] % epoch)
    _warn_off_grid(onset, phase, epoch, warnings)
    first, last, lost = _clip(onset, onset + length, np.array(stages) == "UNSCORED", epoch, duration)
    keep = last - first > _ROUNDING
    dropped = int(np.ceil(lost / epoch - 1e-6))
    _judge_dropped(dropped, int(keep.sum()), offset, duration, warnings, on_mismatch)
    matched, padded = _count(first[keep], last[keep], phase, epoch, duration)
    if not matched:
        warnings.append(
            f"no epoch of {epoch:g} s has a stage: the stages last {np.median(length):g} s, and none covers one whole"
        )
    report = {
        "offset_s": offset,
        "placed_by": placed_by,
        "grid_phase_s": phase,
        "epoch_length_s": epoch,
        "coding": hypnogram.coding,
        "format": hypnogram.format,
        "matched": matched,
        "padded": padded,
        "dropped": dropped,
        "events_ignored": len(hypnogram.event_places) + hypnogram.others,
        **voted,
    }
    kept = [stage for stage, inside in zip(stages, keep, strict=True) if inside]
    return Alignment(first[keep], (last - first)[keep], kept, report, warnings)


def vote(
    onset: npt.NDArray[np.float64], length: npt.NDArray[np.float64], stages: Sequence[str], seconds: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[str], int]:
    """Lay stages on epochs of another length: each takes the stage that fills most of it.

    What no stage covers counts as UNSCORED, and wins a tie; of two stages that fill as much, the earlier in the epoch
    wins.

    Returns
    -------
    onset, length : array, shape (n_epochs,)
        In s; epochs that are covered by no stage at all are left out.
    stages : list of str, length n_epochs
        The stages that won.
    split : int
        How many epochs held more than one stage.
    """
    grid = onset[0] + seconds * np.arange(int(np.ceil(((onset + length).max() - onset[0]) / seconds - 1e-9)))
    names = list(STAGE_CODES)
    filled, begun = np.zeros((len(names), grid.size)), np.full((len(names), grid.size), np.inf)
    for at, span, stage in zip(onset, length, stages, strict=True):
        row = names.index(stage)
        some = slice(max(int((at - grid[0]) // seconds), 0), int((at + span - grid[0]) // seconds) + 1)
        share = np.clip(np.minimum(grid[some] + seconds, at + span) - np.maximum(grid[some], at), 0, None)
        filled[row, some] += share
        begun[row, some] = np.where(share > _ROUNDING, np.minimum(begun[row, some], at), begun[row, some])
    held = (filled > _ROUNDING).sum(axis=0)
    unscored = names.index("UNSCORED")
    filled[unscored] += np.clip(seconds - filled.sum(axis=0), 0, None)
    begun[unscored, filled[unscored] > _ROUNDING] = -np.inf
    best = filled >= filled.max(axis=0) - _ROUNDING
    winner = np.where(best, begun, np.inf).argmin(axis=0)
    some_stage = held > 0
    won = [names[row] for row in winner[some_stage]]
    return grid[some_stage], np.full(len(won), seconds), won, int((held > 1).sum())


def _place(hypnogram: Hypnogram, start: Start, warnings: list[str], *, same_file: bool) -> tuple[float, str]:
    """Give how much later the hypnogram starts than the recording, in s, and how that is known."""
    if same_file:
        return 0.0, "the recording's own file"
    if not hypnogram.has_time:
        return 0.0, "the recording's start"
    return _offset(hypnogram.start, start, warnings)


def _warn_off_grid(onset: npt.NDArray[np.float64], phase: float, epoch: float, warnings: list[str]) -> None:
    off = np.abs((onset - phase + epoch / 2) % epoch - epoch / 2) > _ROUNDING
    if off.any():
        warnings.append(
            f"{int(off.sum())} of {off.size} stages do not begin on the grid of {epoch:g}-s epochs that the first one "
            "begins; an epoch counts where one stage covers all of it"
        )


def _in_seconds(
    hypnogram: Hypnogram, duration: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    if not hypnogram.in_epochs:
        return hypnogram.onset, hypnogram.duration, hypnogram.epoch_length or _usual(hypnogram.duration)
    # A bare list: 30 s an epoch is assumed, and must agree with the recording's length.
    count = round(
        float((hypnogram.onset + hypnogram.duration).max())
    )  # epochs may be missing between those that are there
    if abs(count * EPOCH_DURATION - duration) > _MOST_DROPPED * EPOCH_DURATION:
        raise HypnogramError(
            f"The hypnogram has one stage a line, and {EPOCH_DURATION:g} s a line does not fit the recording",
            seen=f"{count} lines for {duration:g} s, {duration / count:.4g} s a line",
            allowed=f"{duration / EPOCH_DURATION:.0f} lines, give or take {_MOST_DROPPED}",
            remedy="If an epoch has another length, give it with epoch_length=",
        )
    return hypnogram.onset * EPOCH_DURATION, hypnogram.duration * EPOCH_DURATION, EPOCH_DURATION


def _usual(duration: npt.NDArray[np.float64]) -> float:
    """Guess the epoch of a run-length hypnogram: 30 s, unless every stretch is a multiple of 20 s and not of 30 s."""

    def fits(seconds: float) -> bool:
        return bool((np.abs(duration - np.round(duration / seconds) * seconds) < _ROUNDING).all())

    return 20.0 if not fits(EPOCH_DURATION) and fits(20.0) else EPOCH_DURATION


def _offset(hypnogram: Start, recording: Start, warnings: list[str]) -> tuple[float, str]:
    if hypnogram.time is None or recording.time is None:
        warnings.append("a start time is not known: the hypnogram is assumed to start with the recording")
        return 0.0, "the recording's start"
    if hypnogram.moment is not None and recording.moment is not None:
        offset, placed_by = (hypnogram.moment - recording.moment).total_seconds(), "date and clock"
    else:
        # Without both dates only the clocks are compared, on the nearest day, or the nearest half.
        period = _DAY / 2 if hypnogram.half_day else _DAY
        offset = (_seconds(hypnogram.time) - _seconds(recording.time) + period / 2) % period - period / 2
        placed_by = "the nearest half day" if hypnogram.half_day else "the nearest day"
        warnings.append(f"a date is not known: the hypnogram is aligned with {placed_by}")
    if abs(offset) > _FARTHEST:
        raise HypnogramError(
            "The hypnogram and the recording start more than 12 h apart",
            seen=f"hypnogram {hypnogram}, recording {recording}",
            remedy="Check that they belong together",
        )
    return offset, placed_by


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


def _judge_dropped(
    dropped: int, kept: int, offset: float, duration: float, warnings: list[str], on_mismatch: str
) -> None:
    if not kept or (dropped > _MOST_DROPPED and on_mismatch == "raise"):
        raise HypnogramError(
            "The hypnogram does not fit the recording",
            seen=f"{dropped} scored epochs outside the recording of {duration:g} s, hypnogram starting at {offset:g} s",
            allowed=f"at most {_MOST_DROPPED}",
            remedy="Check that they belong together"
            + (', or pass on_mismatch="warn" to drop the epochs outside' if kept else ""),
        )
    if dropped > 1:
        warnings.append(f"the hypnogram reaches {dropped} epochs beyond the recording; they are dropped")


def _count(
    first: npt.NDArray[np.float64], last: npt.NDArray[np.float64], phase: float, epoch: float, duration: float
) -> tuple[int, int]:
    """Count the grid's epochs inside the recording that the hypnogram covers, and the others."""
    starts = np.arange(phase, duration - epoch + _ROUNDING, epoch)
    covered = np.zeros(starts.size)
    begin = np.maximum(((first - phase) // epoch).astype(int), 0)
    stop = ((last - phase) // epoch).astype(int) + 1
    for at, end, one, past in zip(first, last, begin, stop, strict=True):
        some = starts[one:past]
        covered[one:past] += np.clip(np.minimum(some + epoch, end) - np.maximum(some, at), 0, None)
    matched = int((covered > epoch - _ROUNDING).sum())
    return matched, int(starts.size) - matched
