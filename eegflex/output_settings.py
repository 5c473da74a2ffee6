"""What is asked of what a result is written as, as Python and the shell have it: tracks and annotations, and reports."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.utils.clock import since_midnight
from eegflex.utils.given import Span, put_counts

__all__ = ["ExportSettings", "ReportSettings"]

#: The years that the two digits of an EDF's start can mean.
_YEARS = (1985, 2084)
#: Suffixes of files whose header says when a recording started.
_RECORDINGS = (".edf", ".bdf", ".rec")
_EDGES = re.compile(r"\s*([^=,]+?)\s*=\s*([0-9.]+)\s*-\s*([0-9.]+)\s*")


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """The arguments of an export.

    Attributes
    ----------
    recording, target, trust, picks, bands, n_review, meas_date
        As in `eegflex.results.FlexResult.export_edf`.

    Raises
    ------
    ParameterError
        If one of them cannot be.
    """

    recording: str | None = field(default=None, metadata={"help": "Label of the recording, if the result has several."})
    target: str | tuple[str, str] | None = field(
        default=None,
        metadata={
            "help": "Target, if the result has all stages: predicted, scored, margin, a stage, or two as in N2,N1. "
            "Default: predicted.",
            "read": "pair",
        },
    )
    trust: str = field(default="all", metadata={"help": "Epochs to export: all, or trusted."})
    picks: str | Sequence[str] | None = field(
        default=None, metadata={"help": "Channels or their types, separated by commas. Default: all.", "read": "list"}
    )
    bands: Mapping[str, tuple[float, float]] | str | None = field(
        default=None, metadata={"help": "Bands in Hz: slow=0.5-1,fast=1-4. Default: the sleep bands.", "read": "text"}
    )
    n_review: int | None = field(
        default=50, metadata={"help": "Number of epochs to review that get an annotation.", "at_least": 0}
    )
    meas_date: dt.datetime | str | Path | None = field(
        default=None,
        metadata={
            "help": "When the recording started, for viewers that lay files on each other by the clock (EDFbrowser): the "
            "recording's EDF or BDF file, or a time such as 2020-01-31T22:30:00; results do not hold it. Default: "
            "1985-01-01T00:00:00, which means that it is not told.",
            "read": "text",
        },
    )

    def __post_init__(self) -> None:
        if self.picks is not None and not isinstance(self.picks, str):
            object.__setattr__(self, "picks", tuple(map(str, self.picks)))
        put_counts(self, {"n_review": Span(0, default=True)})
        object.__setattr__(self, "bands", _bands(self.bands))
        object.__setattr__(self, "meas_date", _start(self.meas_date))

    @property
    def edges(self) -> Mapping[str, tuple[float, float]] | None:
        """The bands that are asked for."""
        return None if isinstance(self.bands, str) else self.bands

    @property
    def beside(self) -> Path | None:
        """The recording beside which it is laid, whose start is taken."""
        return self.meas_date if isinstance(self.meas_date, Path) else None

    def start(self, moment: dt.datetime | None = None) -> dt.datetime:
        """When the recording started, to the second; EDF's word for "not known" where it is not told.

        Parameters
        ----------
        moment : datetime | None
            What the recording `beside` it says.
        """
        given = moment if self.beside else self.meas_date
        return _to_second(given) if isinstance(given, dt.datetime) else dt.datetime(_YEARS[0], 1, 1)


def _bands(given: Mapping[str, tuple[float, float]] | str | None) -> Mapping[str, tuple[float, float]] | None:
    """Bands, as text too."""
    if not isinstance(given, str):
        return given
    found = [_EDGES.fullmatch(part) for part in given.split(",")]
    try:
        edges = {one[1]: (float(one[2]), float(one[3])) for one in found if one}
    except ValueError:  # 1.2.3
        edges = {}
    if not edges or not all(found):
        raise ParameterError("Bands must be names and edges in Hz", seen=repr(given), allowed="slow=0.5-1,fast=1-4")
    return Bands(edges)


def _start(given: dt.datetime | str | Path | None) -> dt.datetime | Path | None:
    """The start of a recording as its clock showed it, to the nearest second, or the recording."""
    if given is None:
        return None
    if isinstance(given, str | Path) and Path(given).suffix.casefold() in _RECORDINGS:
        return Path(given)
    try:
        when = dt.datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        when = None
    return _to_second(when, given)


def _to_second(when: object, given: object = None) -> dt.datetime:
    if not isinstance(when, dt.datetime) or not _YEARS[0] <= when.year <= _YEARS[1]:
        raise ParameterError(
            "meas_date must be the date and the time at which the recording started",
            seen=repr(when if given is None else given),
            allowed=f"2020-01-31T22:30:00, or a datetime, from {_YEARS[0]} to {_YEARS[1]}, or the recording, *.edf or *.bdf",
        )
    return (when.replace(tzinfo=None) + dt.timedelta(microseconds=500_000)).replace(microsecond=0)


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """The arguments of a report.

    Attributes
    ----------
    title, epochs_per_stage, note, signal, began
        As in `eegflex.make_report`.

    Raises
    ------
    ParameterError
        If one of them cannot be.
    """

    title: str | None = field(default=None, metadata={"help": "Its title. Default: one that names the stager."})
    epochs_per_stage: int = field(
        default=1, metadata={"help": "Typical epochs to show of each stage, and as many to review.", "at_least": 0}
    )
    note: str | None = field(default=None, metadata={"help": "A note at the top of the report."})
    signal: bool = field(
        default=True,
        metadata={"help": "Whether the report contains the signals of the explained epochs, which are patient data."},
    )
    began: str | None = field(
        default=None,
        metadata={"help": "Clock time at which the recording began, such as 22:30; a result does not store it."},
    )

    def __post_init__(self) -> None:
        put_counts(self, {"epochs_per_stage": Span(0)})
        for name in ("title", "note"):
            text = getattr(self, name)
            if text is not None and not isinstance(text, str):
                raise ParameterError(f"{name} must be text", seen=f"{text!r:.80}")
        if not isinstance(self.signal, bool):
            raise ParameterError("signal must be True or False", seen=repr(self.signal))
        if self.began is not None:
            since_midnight("began", self.began)
