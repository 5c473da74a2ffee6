"""A Raw with stages -> 30-s epochs on the hypnogram's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
from mne.utils import logger

from eegflex.errors import EmptyRecordingError, ParameterError
from eegflex.readers.hypnograms.interpret import understand
from eegflex.readers.hypnograms.own_notes import looks_like_hypnogram
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.notes import get_notes, put_notes
from eegflex.readers.recordings.breaks import is_break, is_gap
from eegflex.stages import EPOCH_DURATION, STAGE_CODES
from eegflex.utils.verbose import verbose

__all__ = ["make_epochs", "without_bad"]

_ROUNDING = 0.005  # s that two stages of one name may lie apart and still be one stretch


@dataclass
class _Stretches:
    """Stretches of one stage, in s from the start of the Raw, sorted; `bounds` are the annotations' own edges."""

    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    stage: npt.NDArray[np.str_]
    bounds: npt.NDArray[np.float64]


@verbose
def make_epochs(
    raw: mne.io.BaseRaw, *, duration: float = EPOCH_DURATION, verbose: bool | str | int | None = None
) -> mne.Epochs:
    """Cut a recording into epochs that are aligned with its hypnogram.

    Epochs are aligned with the first stage and cover the whole recording, including the time before the first stage and
    after the last. An epoch has a stage if one stage covers all of it; otherwise it is UNSCORED. Without stages, epochs
    start at the beginning of the recording.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Any Raw. Its annotations can be stages (as from `read_psg`) or labels such as "Sleep stage N2". It is not
        changed.
    duration : float
        Length of an epoch in s.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    epochs : mne.Epochs
        Epochs of ``round(duration * sfreq)`` samples, from 0 to ``duration - 1 / sfreq`` s, not loaded. `metadata` has a
        row for each epoch: `stage`; `onset`, in s from the start of `raw`; and `run`, the number of the continuous part
        that contains it. No epoch contains a gap. `event_id` maps the stages to codes.

    Raises
    ------
    EmptyRecordingError
        If the recording is shorter than an epoch.
    HypnogramError
        If stages overlap, or a label begins like a stage but is not one.

    See Also
    --------
    eegflex.read_psg : Read a recording with its hypnogram.
    eegflex.stage_epochs : Let a network stage the epochs.
    mne.Epochs : MNE's epochs.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> epochs = make_epochs(night.raw, verbose="error")
    >>> len(epochs), len(epochs.times)
    (24, 1920)
    >>> epochs.metadata["stage"].value_counts().to_dict()
    {'N2': 8, 'W': 6, 'N3': 4, 'REM': 4, 'N1': 2}
    """
    sfreq = float(raw.info["sfreq"])
    _check_duration(raw, duration, sfreq)
    _warn_of_other_epochs(raw, duration)
    stretches = _stretches(raw)
    phase = _phase(raw, stretches, duration)
    onset = _grid(raw, phase, duration)
    breaks = _breaks(raw)
    broken = _straddles(onset, duration, breaks, sfreq)
    onset = onset[~broken]
    if not onset.size:
        raise _too_short(raw, duration, sfreq)
    stage = _label(onset, duration, stretches, tolerance=0.5 / sfreq)
    metadata = pd.DataFrame(
        {
            "stage": stage,
            "onset": onset,
            "run": np.searchsorted(breaks[0], onset + 0.5 / sfreq, side="right").astype(int),
        }
    )
    codes = [STAGE_CODES[name] for name in stage]
    start = np.round(onset * sfreq).astype(int) + raw.first_samp
    events = np.column_stack([start, np.zeros(start.size, int), codes])
    epochs = mne.Epochs(
        raw,
        events,
        event_id={name: code for name, code in STAGE_CODES.items() if code in codes},
        tmin=0.0,
        tmax=duration - 1 / sfreq,
        baseline=None,
        picks="all",
        preload=False,
        reject_by_annotation=False,
        metadata=metadata,
        verbose="ERROR",
    )
    _note_broken(epochs.info, int(broken.sum()))
    # Nothing can be dropped: this reads two epochs, and without it len(epochs) is an error in MNE.
    epochs.drop_bad(verbose="ERROR")
    logger.info(
        "%d epochs of %g s, grid at %g s: %s", onset.size, duration, phase, metadata["stage"].value_counts().to_dict()
    )
    return epochs


def without_bad(epochs: mne.BaseEpochs) -> mne.BaseEpochs:
    """Epochs whose number is known: the caller's own where nothing is left to drop, else a copy."""
    if epochs.preload:
        return epochs
    settled = epochs.copy()
    settled.drop_bad(verbose="error")  # returns the epochs from MNE 1.13 on, and nothing before
    return settled


def _warn_of_other_epochs(raw: mne.io.BaseRaw, duration: float) -> None:
    notes = get_notes(raw.info)
    scored = None if notes is None else notes.alignment.get("epoch_length_s")
    if scored is not None and abs(scored - duration) > _ROUNDING:
        logger.warning(
            "the hypnogram has epochs of %g s, and these have %g s: those of more than one stage are UNSCORED "
            "(read_psg(..., majority=%g) gives each the stage that fills most of it)",
            scored,
            duration,
            duration,
        )


def _stretches(raw: mne.io.BaseRaw) -> _Stretches:
    annotations = raw.annotations
    labels = [str(label) for label in annotations.description]
    notes = get_notes(raw.info)
    lasting = np.asarray(annotations.duration) > 0
    ours = [place for place, label in enumerate(labels) if label in STAGE_CODES and lasting[place]]
    # Where we wrote the stages ourselves, what else is called "Movement" or "A", or is a point, is an event.
    places = ours if ours and notes is not None and notes.alignment else list(range(len(labels)))
    scoring = Scoring(
        onset=np.array(annotations.onset, dtype=float)[places] - raw.first_time,
        duration=np.array(annotations.duration, dtype=float)[places],
        labels=[labels[place] for place in places],
        mixed=True,
    )
    if not ours and not looks_like_hypnogram(scoring):
        scoring = Scoring(np.zeros(0), np.zeros(0), [])
    found = understand(scoring)
    first, last, stage = _merge(found.onset, found.onset + found.duration, found.stages)
    return _Stretches(first, last, stage, np.concatenate([found.onset, found.onset + found.duration]))


def _merge(
    onset: npt.NDArray[np.float64], end: npt.NDArray[np.float64], stages: list[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """Join adjacent stretches of one stage."""
    rows: list[tuple[float, float, str]] = []
    for first, last, stage in zip(onset, end, stages, strict=True):
        if rows and rows[-1][2] == stage and first <= rows[-1][1] + _ROUNDING:
            rows[-1] = (rows[-1][0], max(rows[-1][1], float(last)), stage)
        else:
            rows.append((float(first), float(last), stage))
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows], dtype=str)


def _phase(raw: mne.io.BaseRaw, stretches: _Stretches, duration: float) -> float:
    """Give the first time of the grid at or after the start of the Raw, in s.

    It is the first stage's onset, on the grid. Where that lies at the very start the Raw may have been cropped inside
    an epoch, and the other edges decide: with the reader's notes if these agree, or alone if at least two agree.
    """
    if not stretches.first.size:
        return 0.0
    half = 0.5 / float(raw.info["sfreq"])
    first, end = float(stretches.first[0]), raw.n_times / float(raw.info["sfreq"])
    if first > half:
        return _fold(first, duration, half)
    bounds = stretches.bounds
    inner = np.unique(np.round(bounds[(bounds > half) & (bounds < end - half)], 6))
    noted = _noted_phase(raw, duration)
    if noted is not None and _agree(inner, noted, duration):
        return _fold(noted, duration, half)
    if inner.size >= 2 and _agree(inner, float(inner[0]), duration):
        return _fold(float(inner[0]), duration, half)
    return _fold(first, duration, half)


def _fold(time: float, duration: float, half: float) -> float:
    phase = time % duration
    # 29.9999 s is a grid that begins at 0, but for rounding
    return 0.0 if duration - phase < half or phase < half else phase


def _agree(times: npt.NDArray[np.float64], phase: float, duration: float) -> bool:
    off = (times - phase + duration / 2) % duration - duration / 2
    return bool((np.abs(off) < _ROUNDING).all())


def _noted_phase(raw: mne.io.BaseRaw, duration: float) -> float | None:
    notes = get_notes(raw.info)
    if notes is None or "grid_phase_s" not in notes.alignment:
        return None
    return float((notes.alignment["grid_phase_s"] - raw.first_time) % duration)


def _check_duration(raw: mne.io.BaseRaw, duration: float, sfreq: float) -> None:
    """Refuse a length of epochs that is none, or of which not one fits."""
    if not duration > 0:
        raise ParameterError("duration must be above 0 s", seen=duration)
    if duration * sfreq < 2:
        raise ParameterError(
            "An epoch must have two samples or more",
            seen=f"duration={duration:g} s",
            allowed=f"{2 / sfreq:g} s or more",
        )
    if duration > (raw.n_times + 1) / sfreq:
        raise _too_short(raw, duration, sfreq)


def _too_short(raw: mne.io.BaseRaw, duration: float, sfreq: float) -> EmptyRecordingError:
    return EmptyRecordingError(
        "The recording is shorter than one epoch",
        seen=f"{raw.n_times / sfreq:g} s",
        allowed=f"{duration:g} s or more",
        remedy="Give a longer recording, or a shorter duration=",
    )


def _grid(raw: mne.io.BaseRaw, phase: float, duration: float) -> npt.NDArray[np.float64]:
    sfreq = float(raw.info["sfreq"])
    # MNE's own count of the samples from 0 to duration - 1 / sfreq
    size = round((duration - 1 / sfreq) * sfreq) + 1
    onset = phase + duration * np.arange(int(np.ceil(raw.n_times / sfreq / duration)) + 1)
    return np.asarray(onset[np.round(onset * sfreq).astype(int) + size <= raw.n_times])


def _note_broken(info: Any, count: int) -> None:
    """Say how many epochs are not there because the recording breaks off in them."""
    if not count:
        return
    words = f"{count} epochs are left out, since the recording has a gap or an edge in them"
    logger.warning(words)
    notes = get_notes(info)
    if notes is not None:
        notes.warnings.append(words)
        put_notes(info, notes)


def _breaks(raw: mne.io.BaseRaw) -> npt.NDArray[np.float64]:
    """Give where time or data stop, in s from the start of the Raw, shape (2, n): begins and ends, each sorted.

    Concatenated recordings meet at an edge of no length, as do the parts of one that was cut or paused (a boundary's own
    length tells what is not there); a gap of a recording has one.
    """
    texts = [str(label) for label in raw.annotations.description]
    gaps = np.array([is_gap(text) for text in texts], dtype=bool)
    here = np.array([is_break(text) for text in texts], dtype=bool) | gaps
    first = np.array(raw.annotations.onset, dtype=float) - raw.first_time
    last = first + np.where(gaps, raw.annotations.duration, 0.0)
    merged: list[list[float]] = []
    for begin, end in sorted(zip(first[here].tolist(), last[here].tolist(), strict=True)):
        if merged and begin <= merged[-1][1] + 0.5 / float(raw.info["sfreq"]):
            merged[-1][1] = max(merged[-1][1], end)  # one break under two names, as MNE notes where recordings meet
        else:
            merged.append([begin, end])
    return np.array(merged, dtype=float).reshape(-1, 2).T


def _straddles(
    onset: npt.NDArray[np.float64], duration: float, breaks: npt.NDArray[np.float64], sfreq: float
) -> npt.NDArray[np.bool_]:
    """Whether a break lies in an epoch, or an epoch in a gap."""
    half = 0.5 / sfreq
    begun = np.searchsorted(breaks[0], onset + duration - half, side="left")
    return np.asarray(begun > np.searchsorted(breaks[1], onset + half, side="right"))


def _label(onset: npt.NDArray[np.float64], duration: float, stretches: _Stretches, tolerance: float) -> list[str]:
    """Name the stage that covers each epoch whole, UNSCORED where none does."""
    if not stretches.first.size:
        return ["UNSCORED"] * onset.size
    place = np.searchsorted(stretches.first, onset + tolerance, side="right") - 1
    covered = (place >= 0) & (stretches.last[place] >= onset + duration - tolerance)
    return [str(stretches.stage[p]) if ok else "UNSCORED" for p, ok in zip(place, covered, strict=True)]
