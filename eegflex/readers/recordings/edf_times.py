"""Where the records of an EDF+ or BDF+ file lie in time: runs without a gap, by the times that the records give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eegflex.errors import RecordingError
from eegflex.readers.recordings.edf_header import EdfHeader

__all__ = ["Stretch", "find_stretches", "first_time"]

_GAP = 0.005  # s: more than writers round the times of records by, less than a sleep EEG can feel
_DRIFT = 1.0  # s that rounded times may add up to in a run
_DAY = 86400.0  # s: what a gap, or a start after the header's, cannot be longer than
_REMEDY = "Export it as a continuous EDF+C file, or one file for each continuous part"


class Stretch(NamedTuple):
    """Records without a gap between them; `onset` is that of the first, in s after the file's first record."""

    first: int
    n_records: int
    onset: float


def first_time(times: npt.NDArray[np.float64], duration: float, warnings: list[str]) -> float:
    """Return when the first record starts, in s after the header's start: a fraction of a second, by the standard.

    Raises
    ------
    RecordingError
        If it is more than a day.
    """
    known = np.flatnonzero(np.isfinite(times))[:1]
    first = float((times[known] - known * duration).sum())  # 0 where no record says
    if abs(first) > _DAY:
        raise RecordingError(
            "The first record starts more than a day from the header's start",
            seen=f"{first:g} s",
            allowed="less than 1 s",
            remedy="The file is damaged; export it again",
        )
    if not 0 <= first < 1:
        warnings.append(f"the first record starts {first:+g} s from the time in the header; the record is used")
    return first


def find_stretches(times: npt.NDArray[np.float64], header: EdfHeader, warnings: list[str]) -> list[Stretch]:
    """Divide a file where its records leave gaps.

    Parameters
    ----------
    times : array, shape (n_records,) or (0,)
        When each record starts, in s after the header's start; NaN where it does not say.
    header : EdfHeader
        The header.
    warnings : list of str
        What should be looked at is added to it.

    Returns
    -------
    stretches : list of Stretch
        In order; one if there is no gap.

    Raises
    ------
    RecordingError
        If a discontinuous file does not say when its records start, or the times contradict themselves.
    """
    known = np.flatnonzero(np.isfinite(times))
    if header.format.endswith("+D") and known.size < header.n_records:
        raise RecordingError(
            f"The recording is discontinuous ({header.format}) and does not say when each record starts", remedy=_REMEDY
        )
    if known.size < 2:
        return [Stretch(0, header.n_records, 0.0)]
    late = np.asarray(times[known] - known * header.record_duration)
    steps = np.diff(late)
    gaps = np.flatnonzero(steps > _GAP)
    _refuse_impossible(times, known, steps, header.record_duration)
    starts = [0, *(int(known[gap + 1]) for gap in gaps)]
    _judge_drift(np.split(late, gaps + 1), warnings)
    if gaps.size:
        warnings.append(f"the recording has gaps: {gaps.size}, {steps[gaps].sum():.6g} s together")
    stops = [*starts[1:], header.n_records]
    onsets = [0.0, *(float(times[start] - times[known[0]] + known[0] * header.record_duration) for start in starts[1:])]
    return [Stretch(start, stop - start, onset) for start, stop, onset in zip(starts, stops, onsets, strict=True)]


def _refuse_impossible(
    times: npt.NDArray[np.float64], known: npt.NDArray[np.intp], steps: npt.NDArray[np.float64], duration: float
) -> None:
    """Refuse records that overlap, that lie days apart, or between which a gap has no certain place."""
    unsure = (np.diff(known) > 1) & (steps > _GAP)
    cases = {
        "Records of the recording overlap in time": steps < -_GAP,
        "The recording has a gap of more than a day": steps > _DAY,
        "The recording has a gap among records that do not say when they start": unsure,
    }
    for what, where in cases.items():
        if where.any():
            before, record = (int(k) for k in known[np.flatnonzero(where)[0] :][:2])
            raise RecordingError(
                what,
                seen=f"record {record} starts at {times[record]:g} s",
                allowed=f"{times[before] + (record - before) * duration:g} s, which follows from record {before}",
                remedy=_REMEDY,
            )


def _judge_drift(runs: list[npt.NDArray[np.float64]], warnings: list[str]) -> None:
    """Compare the clock of the records with the sampling rate, run by run."""
    drift = max((float(run[-1] - run[0]) for run in runs), key=abs)
    n_records = sum(len(run) for run in runs)
    if abs(drift) > _DRIFT or len(runs) > max(2, n_records / 2):
        raise RecordingError(
            "The times of the records contradict the duration of a record",
            seen=f"{len(runs)} gaps or beginnings in {n_records} records, and a drift of {drift:+g} s",
            allowed=f"gaps at fewer than half of the records, and {_DRIFT:g} s",
            remedy="The header or the times are wrong; export the file again",
        )
    if abs(drift) > _GAP:
        warnings.append(
            f"the times of the records drift from the sampling rate, by {drift:+.3g} s; the rate is trusted"
        )
