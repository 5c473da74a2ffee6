"""Hypnograms of any format: a file -> its stages, in canonical names.

The formats are in `formats`, on the table there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import mne
import numpy as np
from mne.utils import logger

from eegflex.errors import EmptyHypnogramError, HypnogramError, ParameterError, check_choice, shorten
from eegflex.readers.file_heads import begin, open_head
from eegflex.readers.hypnograms.formats import dreem_h5, edf_annotations, events_table
from eegflex.readers.hypnograms.formats.registry import FORMATS, HYPNOGRAM_FORMATS
from eegflex.readers.hypnograms.interpret import LENGTHS, Hypnogram, stage_kind, understand
from eegflex.readers.hypnograms.odd_night import odd_night
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import first_lines, refuse_many
from eegflex.readers.stage_numbers import check_coding, check_labels
from eegflex.utils.verbose import verbose

__all__ = ["HypnogramOptions", "load_hypnogram", "read_hypnogram", "set_epoch_length"]

ON_MISMATCH = ("raise", "warn")
_MOST_BYTES = 16 * 2**20  # what has more holds something else than a hypnogram
_OF_ANY_SIZE = (edf_annotations, dreem_h5)  # these read only what they need


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
    labels : mapping of str to str | None
        What labels and codes of the file mean: label -> canonical name of a stage.
    columns : mapping of str to str | None
        What a table's columns are called: a key of `ROLES` -> name in the file.
    dst : bool | None
        Whether the clock changes in the night; None finds out.

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
    labels: Mapping[str, str] | None = None
    columns: Mapping[str, str] | None = None
    dst: bool | None = None

    def __post_init__(self) -> None:
        check_coding(self.coding)
        check_labels(self.labels)
        events_table.check_columns(self.columns)
        if self.dst not in (None, True, False):
            raise ParameterError("dst must be True, False or None", seen=repr(self.dst))
        for name in ("epoch_length", "majority"):
            seconds = getattr(self, name)
            if seconds is not None and not (
                isinstance(seconds, int | float | np.number) and LENGTHS[0] <= seconds <= LENGTHS[1]
            ):
                raise ParameterError(f"{name} must be {LENGTHS[0]:g} to {LENGTHS[1]:g} s", seen=repr(seconds))
        check_choice("on_mismatch", self.on_mismatch, ON_MISMATCH)

    def understand(self, scoring: Scoring) -> Hypnogram:
        """Find the stages of a scoring; raises as `interpret.understand`."""
        return understand(scoring, self.coding, labels=self.labels, epoch_length=self.epoch_length, dst=self.dst)


@verbose
def read_hypnogram(
    fname: str | Path,
    *,
    coding: str = "auto",
    epoch_length: float | None = None,
    column: str | None = None,
    labels: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    dst: bool | None = None,
    verbose: bool | str | int | None = None,
) -> mne.Annotations:
    """Read a hypnogram.

    Parameters
    ----------
    fname : path-like
        The file, of a format found by its content, not by its extension: EDF+ or BDF+ annotations; XML of the NSRR, of
        Profusion, of Wonambi or of EDFbrowser; exports of Noxturnal, RemLogic (CAP), DOMINO, Alice, TWin (WSC), Visbrain
        and Elan; Luna's ``.annot``; tables with a header (BIDS ``events.tsv``, U-Sleep, YASA, Wonambi) and without one
        (onset, duration, stage; U-Sleep's `ids`); JSON of YASA or a list; the DREAMS and the Dreem Open Datasets; WFDB
        annotations (PhysioNet 2018); and one stage a line (text, csv, .npy).
    coding : str
        What numbers mean: "auto", "aasm" (4 = REM), "rk" (4 = N3, 5 = REM) or "dreams". "auto" refuses codes that can
        be read in two ways.
    epoch_length : float | None
        Seconds an epoch, where the file does not say.
    column : str | None
        The column of a table, or the rater, that holds the stages. None finds it, and refuses where there are several.
    labels : dict of str to str | None
        What labels or codes of the file mean, such as ``{"1": "REM", "Stade 2": "N2"}``; those that it does not name are
        read as without it.
    columns : dict of str to str | None
        What the columns of a table are called where their names are not known, such as ``{"onset": "Startzeit"}``; the
        keys are `onset`, `duration`, `end`, `epoch` and `stage`.
    dst : bool | None
        Whether the clock of the file changes to or from summer time in the night. None finds a jump of an hour by itself
        where it can be nothing else.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    annotations : mne.Annotations
        One for each entry of the file, an epoch or a longer stretch of one stage, described ``W N1 N2 N3 REM MOVEMENT
        ARTIFACT`` or `UNSCORED`; onsets and durations in s. `orig_time` is the hypnogram's start where date and time are known;
        otherwise onsets count from the start of the recording.

    Raises
    ------
    HypnogramError
        If the file is no hypnogram, a label is not known, codes can be read in two ways, stages overlap, or
        `epoch_length` or `column` is needed.

    See Also
    --------
    eegflex.read_psg : Read a recording with its hypnogram.
    eegflex.readers.describe_psg : What is in a file.
    mne.Annotations : MNE's notes on a recording.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> files = night.save("night.edf")
    >>> stages = eegflex.read_hypnogram(files.hypnogram, verbose="error")
    >>> len(stages), stages.description[:7].tolist(), stages.duration[0].item()
    (24, ['W', 'W', 'W', 'W', 'N1', 'N1', 'N2'], 30.0)
    """
    options = HypnogramOptions(coding, epoch_length, column, labels=labels, columns=columns, dst=dst)
    hypnogram = load_hypnogram(Path(fname), options)
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
    for warning in [*hypnogram.warnings, *odd_night(hypnogram.stages, hypnogram.duration)]:
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
    scoring = _choose(_parse(path, options), options)
    hypnogram = options.understand(scoring)
    if not hypnogram.stages:
        raise EmptyHypnogramError(
            f"{path.name!r} holds no stages",
            seen=f"{len(scoring.labels)} annotations: {_some(scoring.labels)}",
            remedy='Give the file that holds the stages, or say what its labels mean with labels={"...": "N2"}',
        )
    if options.epoch_length is not None:
        set_epoch_length(hypnogram, options.epoch_length)
    return hypnogram


def _parse(path: Path, options: HypnogramOptions) -> Scoring | Mapping[str, Scoring]:
    head = open_head(path, "hypnogram")
    known = events_table if options.columns else _format(path, head)
    size = path.stat().st_size
    if known not in _OF_ANY_SIZE and size > _MOST_BYTES:
        raise HypnogramError(
            f"{path.name!r} is too large for a hypnogram",
            seen=f"{size / 2**20:.3g} MB",
            allowed=f"{_MOST_BYTES >> 20} MB",
            remedy="Give only the stages",
        )
    found: Scoring | Mapping[str, Scoring]
    found = events_table.parse(path, options.columns) if options.columns else known.parse(path)
    for scoring in [found] if isinstance(found, Scoring) else found.values():
        refuse_many(len(scoring.labels), "entries", path)
    return found


def _format(path: Path, head: bytes) -> ModuleType:
    known = next((module for module in FORMATS if module.sniff(head, path)), None)
    if known is None:
        raise HypnogramError(
            f"{path.name!r} is not a hypnogram that can be read",
            seen=f"a file that begins {begin(head)}",
            allowed=HYPNOGRAM_FORMATS,
            remedy="Export the hypnogram in one of these formats" + (events_table.REMEDY if first_lines(head) else ""),
        )
    return known


def _some(labels: Sequence[str]) -> str:
    return ", ".join(shorten(label, 40) for label in sorted(set(labels))[:8]) or "none"


def _choose(found: Scoring | Mapping[str, Scoring], options: HypnogramOptions) -> Scoring:
    """Take the scoring that is named, or the only one that holds stages: in words if any does, else in codes."""
    column = options.column
    if isinstance(found, Scoring):
        if column is not None:
            raise ParameterError("column is given for a file that holds one scoring", seen=repr(column))
        return found
    if column is not None:
        named = [scoring for name, scoring in found.items() if name.casefold() == column.casefold()]
        if len(named) != 1:
            raise ParameterError(
                "column names a column or rater that the file does not have", seen=repr(column), allowed=list(found)
            )
        return named[0]
    worth = {name: stage_kind(scoring, check_labels(options.labels)) for name, scoring in found.items()}
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
