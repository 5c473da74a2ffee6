"""Hypnograms of any format: a file -> its stages, in canonical names.

A format is one file in ``formats`` with ``NAME``, ``sniff(head, path)`` and ``parse(path)``, and one entry in
``_FORMATS``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import mne
import numpy as np
import numpy.typing as npt
from mne.utils import logger, verbose

from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers.files import begin, open_head
from eegflex.readers.formats import edf_annotations, lines
from eegflex.readers.source import Scoring, Start
from eegflex.readers.stages import STAGES, check_coding, is_sleep_stage, looks_like_stage, parse_label, to_stages

__all__ = ["Hypnogram", "load_hypnogram", "read_hypnogram", "understand"]

_FORMATS: tuple[ModuleType, ...] = (edf_annotations, lines)  # the first that knows the file reads it
_OVERLAP = 0.005  # s that two stages may overlap through rounding
_DEFAULT_EPOCH = 30.0  # s


@dataclass
class Hypnogram:
    """Stages that are understood.

    Parameters
    ----------
    onset, duration : array, shape (n,)
        In s from the hypnogram's own start, sorted; in epochs if ``in_epochs``.
    stages : list of str, length n
        Canonical names.
    start : Start
        When it starts.
    format, coding : str
        The format, and "labels" or the numeric coding.
    n_events : int
        Entries that are no stages and were left out.
    event_places : list of int
        Which entries of the file are no stages.
    epoch_length : float | None
        Seconds an epoch.
    has_time : bool
        False where it can only start with the recording.
    in_epochs : bool
        Whether times count epochs, whose length is not known yet.
    """

    onset: npt.NDArray[np.float64]
    duration: npt.NDArray[np.float64]
    stages: list[str]
    start: Start
    format: str
    coding: str
    event_places: list[int] = field(default_factory=list)
    epoch_length: float | None = None
    has_time: bool = True
    in_epochs: bool = False
    warnings: list[str] = field(default_factory=list)


@verbose
def read_hypnogram(
    fname: str | Path,
    *,
    coding: str = "auto",
    epoch_length: float | None = None,
    verbose: bool | str | int | None = None,
) -> mne.Annotations:
    """Read a hypnogram.

    Parameters
    ----------
    fname : path-like
        The file: EDF+ or BDF+ annotations, or one stage a line (text, csv with one column, .npy). The format is found
        by content, not by extension.
    coding : str
        What numbers mean: "auto", "aasm" (4 = REM), "rk" (4 = N3, 5 = REM) or "dreams". "auto" refuses codes that can
        be read in two ways.
    epoch_length : float | None
        Seconds an epoch, where the file does not say.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    annotations : mne.Annotations
        One for each stretch of one stage as the file gives it, described ``W N1 N2 N3 REM MOVEMENT ARTIFACT`` or
        ``UNSCORED``; onsets and durations in s. ``orig_time`` is the hypnogram's start where date and time are known;
        otherwise onsets count from the start of the recording.

    Raises
    ------
    HypnogramError
        If the file is no hypnogram, a label is not known, codes can be read in two ways, stages overlap, or
        ``epoch_length`` is needed.
    """
    hypnogram = load_hypnogram(Path(fname), coding=coding, epoch_length=epoch_length)
    if hypnogram.in_epochs:
        raise HypnogramError(
            "The file has one stage a line, and does not say how long an epoch is",
            seen=f"{len(hypnogram.stages)} stages",
            remedy="Give it with epoch_length=30 (or 20, or 1)",
        )
    for warning in hypnogram.warnings:
        logger.warning("%s: %s", Path(fname).name, warning)
    moment = hypnogram.start.moment
    orig_time = None if moment is None else moment.replace(tzinfo=dt.UTC)  # MNE's way to store local time
    logger.info("%s: %d stages (%s)", Path(fname).name, len(hypnogram.stages), hypnogram.format)
    return mne.Annotations(hypnogram.onset, hypnogram.duration, hypnogram.stages, orig_time=orig_time)


def load_hypnogram(path: Path, *, coding: str = "auto", epoch_length: float | None = None) -> Hypnogram:
    """Read a hypnogram as it is, its epochs' length perhaps not known yet.

    Raises
    ------
    HypnogramError
        As ``read_hypnogram``.
    """
    check_coding(coding)
    if epoch_length is not None and not epoch_length > 0:
        raise ParameterError("Epoch_length= must be above 0 s", seen=epoch_length)
    head = open_head(path, "hypnogram")
    known = next((module for module in _FORMATS if module.sniff(head, path)), None)
    if known is None:
        raise HypnogramError(
            f"{path.name!r} is no hypnogram that can be read",
            seen=f"a file that begins {begin(head)}",
            allowed=[module.NAME for module in _FORMATS],
            remedy="Export the hypnogram in one of these formats",
        )
    scoring = known.parse(path)
    hypnogram = understand(scoring, coding)
    if not hypnogram.stages:
        raise HypnogramError(
            f"{path.name!r} holds no stages",
            seen=f"{len(scoring.labels)} annotations: {', '.join(sorted(set(scoring.labels))[:8]) or 'none'}",
            remedy="Give the file that holds the stages",
        )
    if epoch_length is not None:
        set_epoch_length(hypnogram, epoch_length)
    return hypnogram


def set_epoch_length(hypnogram: Hypnogram, seconds: float) -> None:
    """Say how long an epoch is: a list without times gets its times by it."""
    if hypnogram.in_epochs:
        hypnogram.onset, hypnogram.duration = hypnogram.onset * seconds, hypnogram.duration * seconds
    hypnogram.epoch_length, hypnogram.in_epochs = seconds, False


def understand(scoring: Scoring, coding: str = "auto") -> Hypnogram:
    """Find the stages of a scoring.

    Among other events (``scoring.mixed``) the stages are what calls itself "Sleep stage ..." if anything does, else
    what is a stage by the whole label, else numbers; the rest are events. A label that begins like a stage and is
    none is an error.

    Raises
    ------
    HypnogramError
        If a label is not known, or different stages overlap.
    """
    places = _stage_places(scoring.labels) if scoring.mixed else list(range(len(scoring.labels)))
    stages, used = to_stages([scoring.labels[place] for place in places], scoring.coding or coding)
    warnings = list(scoring.warnings)
    if used == "rk" and coding == "auto" and scoring.coding is None:
        warnings.append("the stage codes are read as 'rk' (4 = N3, 5 = REM), since 5 occurs and 4 does not")
    onset, duration = scoring.onset[places], scoring.duration[places]
    order = np.argsort(onset, kind="stable")
    onset, duration, stages = onset[order], duration[order], [stages[place] for place in order]
    duration = _fill(onset, duration, scoring.epoch_length, warnings)
    refuse_overlap(onset, duration, stages)
    others = sorted(set(range(len(scoring.labels))) - set(places))
    return Hypnogram(
        onset=onset,
        duration=duration,
        stages=stages,
        start=scoring.start,
        format=scoring.format,
        coding=used,
        event_places=others,
        epoch_length=scoring.epoch_length,
        has_time=scoring.has_time,
        in_epochs=scoring.in_epochs,
        warnings=warnings,
    )


def _stage_places(labels: Sequence[str]) -> list[int]:
    """Which labels among other events are stages."""
    kinds = {
        label: (is_sleep_stage(label), parse_label(label) is not None, looks_like_stage(label)) for label in set(labels)
    }
    for place, label in enumerate(labels):
        _, is_stage, begins_like_one = kinds[label]
        if begins_like_one and not is_stage:
            raise HypnogramError(
                "A label begins like a stage but is none",
                seen=f"{label!r}, {labels.count(label)} times, first as annotation {place + 1}",
                allowed=["Sleep stage W", "Sleep stage 1", "Sleep stage N1", "Sleep stage R", "Sleep stage ?"],
                remedy="Rename it in the hypnogram",
            )
    if any(says for says, _, _ in kinds.values()):
        return [place for place, label in enumerate(labels) if kinds[label][0]]
    named = [place for place, label in enumerate(labels) if kinds[label][1]]
    if any(parse_label(labels[place]) in STAGES for place in named):
        return named
    if named:
        return []  # "Movement" and "Artefact" alone are events of a recording, no hypnogram
    # Numbers alone are stages only if there is nothing else.
    return list(range(len(labels))) if labels and all(label.strip().lstrip("-").isdigit() for label in labels) else []


def _fill(
    onset: npt.NDArray[np.float64], duration: npt.NDArray[np.float64], epoch_length: float | None, warnings: list[str]
) -> npt.NDArray[np.float64]:
    """Let stages that give no duration last until the next one."""
    if not onset.size or (duration > 0).any():
        return duration
    steps = np.diff(onset)
    usual = float(np.min(steps[steps > 0])) if (steps > 0).any() else epoch_length or _DEFAULT_EPOCH
    warnings.append(f"the stages give no duration: each lasts until the next one, and the last {usual:g} s")
    return np.append(steps, usual)


def refuse_overlap(onset: npt.NDArray[np.float64], duration: npt.NDArray[np.float64], stages: Sequence[str]) -> None:
    """Refuse different stages at one time.

    Raises
    ------
    HypnogramError
        If two differ and overlap by more than rounding.
    """
    end, holder = -np.inf, ""
    for at, length, stage in zip(onset, duration, stages, strict=True):
        if length <= 0:
            continue
        if stage != holder and at < end - _OVERLAP:
            raise HypnogramError(
                "Two different stages overlap",
                seen=f"{holder} until {end:g} s, {stage} from {at:g} s",
                remedy="Mend the hypnogram: one time has one stage",
            )
        if at + length > end:
            end, holder = at + length, stage
