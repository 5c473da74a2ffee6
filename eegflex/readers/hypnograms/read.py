"""Hypnograms of any format: a file -> its stages, in canonical names.

The formats are in `formats`, on the table there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np
from mne.utils import logger, verbose

from eegflex.errors import EmptyHypnogramError, HypnogramError, ParameterError, check_choice
from eegflex.readers.file_heads import begin, open_head
from eegflex.readers.hypnograms.formats.registry import FORMATS, HYPNOGRAM_FORMATS
from eegflex.readers.hypnograms.interpret import LENGTHS, Hypnogram, stage_kind, understand
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.stage_numbers import check_coding

__all__ = ["HypnogramOptions", "load_hypnogram", "read_hypnogram", "set_epoch_length"]

ON_MISMATCH = ("raise", "warn")


@dataclass(frozen=True)
class HypnogramOptions:
    """How to read a hypnogram, and how to lay it on a recording.

    Attributes
    ----------
    coding : str
        What numbers mean: "auto" or a key of `CODINGS`.
    epoch_length : float | None
        Seconds an epoch, where the file does not say.
    column : str | None
        The column, or the rater, of a file that holds several.
    majority : float | None
        Seconds of new epochs, which take the stage that fills most of each; None keeps the hypnogram's own.
    on_mismatch : str
        "raise" or "warn", where a hypnogram reaches too far beyond its recording.

    Raises
    ------
    ParameterError
        If one has a value that is not allowed.
    """

    coding: str = "auto"
    epoch_length: float | None = None
    column: str | None = None
    majority: float | None = None
    on_mismatch: str = "raise"

    def __post_init__(self) -> None:
        check_coding(self.coding)
        for name in ("epoch_length", "majority"):
            seconds = getattr(self, name)
            if seconds is not None and not (
                isinstance(seconds, int | float | np.number) and LENGTHS[0] <= seconds <= LENGTHS[1]
            ):
                raise ParameterError(f"{name} must be {LENGTHS[0]:g} to {LENGTHS[1]:g} s", seen=repr(seconds))
        check_choice("on_mismatch", self.on_mismatch, ON_MISMATCH)


@verbose
def read_hypnogram(
    fname: str | Path,
    *,
    coding: str = "auto",
    epoch_length: float | None = None,
    column: str | None = None,
    verbose: bool | str | int | None = None,
) -> mne.Annotations:
    """Read a hypnogram.

    Parameters
    ----------
    fname : path-like
        The file, of a format found by its content, not by its extension: EDF+ or BDF+ annotations; XML of the NSRR, of
        Profusion or of Wonambi; exports of Noxturnal, RemLogic (CAP), DOMINO and Alice; Luna's ``.annot``; tables with
        a header (BIDS ``events.tsv``, U-Sleep, YASA); U-Sleep's `ids`; JSON of YASA or a list; the DREAMS and the
        Dreem Open Datasets; WFDB annotations (PhysioNet 2018); and one stage a line (text, csv, .npy).
    coding : str
        What numbers mean: "auto", "aasm" (4 = REM), "rk" (4 = N3, 5 = REM) or "dreams". "auto" refuses codes that can
        be read in two ways.
    epoch_length : float | None
        Seconds an epoch, where the file does not say.
    column : str | None
        The column of a table, or the rater, that holds the stages. None finds it, and refuses where there are several.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    annotations : mne.Annotations
        One for each stretch of one stage as the file gives it, described ``W N1 N2 N3 REM MOVEMENT ARTIFACT`` or
        `UNSCORED`; onsets and durations in s. `orig_time` is the hypnogram's start where date and time are known;
        otherwise onsets count from the start of the recording.

    Raises
    ------
    HypnogramError
        If the file is no hypnogram, a label is not known, codes can be read in two ways, stages overlap, or
        `epoch_length` or `column` is needed.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> files = night.save("night.edf")
    >>> stages = eegflex.read_hypnogram(files.hypnogram, verbose="error")
    >>> len(stages), stages.description[:7].tolist(), stages.duration[0].item()
    (24, ['W', 'W', 'W', 'W', 'N1', 'N1', 'N2'], 30.0)
    """
    hypnogram = load_hypnogram(Path(fname), HypnogramOptions(coding, epoch_length, column))
    if hypnogram.in_epochs:
        raise HypnogramError(
            "The file has one stage a line, and does not say how long an epoch is",
            seen=f"{len(hypnogram.stages)} stages",
            remedy="Give it with epoch_length=30 (or 20, or 1)",
        )
    moment = hypnogram.start.moment
    if moment is None and hypnogram.start.time is not None and hypnogram.has_time:
        hypnogram.warnings.append(
            "it begins by a clock without a known date, which annotations cannot say: their onsets count from its own "
            "start; give read_psg the file itself"
        )
    for warning in hypnogram.warnings:
        logger.warning("%s: %s", Path(fname).name, warning)
    orig_time = None if moment is None else moment.replace(tzinfo=dt.UTC)  # MNE's way to store local time
    logger.info("%s: %d stages (%s)", Path(fname).name, len(hypnogram.stages), hypnogram.format)
    return mne.Annotations(hypnogram.onset, hypnogram.duration, hypnogram.stages, orig_time=orig_time)


def load_hypnogram(path: Path, options: HypnogramOptions | None = None) -> Hypnogram:
    """Read a hypnogram as it is, its epochs' length perhaps not known yet.

    Raises
    ------
    HypnogramError
        As `read_hypnogram`.
    """
    options = options or HypnogramOptions()
    head = open_head(path, "hypnogram")
    known = next((module for module in FORMATS if module.sniff(head, path)), None)
    if known is None:
        raise HypnogramError(
            f"{path.name!r} is not a hypnogram that can be read",
            seen=f"a file that begins {begin(head)}",
            allowed=HYPNOGRAM_FORMATS,
            remedy="Export the hypnogram in one of these formats",
        )
    scoring = _choose(known.parse(path), options.column)
    hypnogram = understand(scoring, options.coding)
    if not hypnogram.stages:
        raise EmptyHypnogramError(
            f"{path.name!r} holds no stages",
            seen=f"{len(scoring.labels)} annotations: {', '.join(sorted(set(scoring.labels))[:8]) or 'none'}",
            remedy="Give the file that holds the stages",
        )
    if options.epoch_length is not None:
        set_epoch_length(hypnogram, options.epoch_length)
    return hypnogram


def _choose(found: Scoring | Mapping[str, Scoring], column: str | None) -> Scoring:
    """Take the scoring that is named, or the only one that holds stages: in words if any does, else in codes."""
    if isinstance(found, Scoring):
        if column is not None:
            raise ParameterError("column is given for a file that holds one scoring", seen=repr(column))
        return found
    if column is not None:
        named = [scoring for name, scoring in found.items() if name.casefold() == column.casefold()]
        if len(named) != 1:
            raise ParameterError(
                "column is the name of no column or rater of the file", seen=repr(column), allowed=list(found)
            )
        return named[0]
    worth = {name: stage_kind(scoring) for name, scoring in found.items()}
    best = max(worth.values(), default=0)
    fit = [name for name, kind in worth.items() if kind == best and kind]
    if len(fit) != 1:
        what = "More than one column or rater may hold the stages" if fit else "No column or rater holds stages"
        kind = HypnogramError if fit else EmptyHypnogramError
        raise kind(what, allowed=fit or list(found), remedy="Name one with column=")
    return found[fit[0]]


def set_epoch_length(hypnogram: Hypnogram, seconds: float) -> None:
    """Say how long an epoch is: a list without times gets its times by it."""
    if hypnogram.in_epochs:
        hypnogram.onset, hypnogram.duration = hypnogram.onset * seconds, hypnogram.duration * seconds
    hypnogram.epoch_length, hypnogram.in_epochs = seconds, False
