"""What is in a recording: what ``eegflex info`` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path
from typing import Any

import mne

from eegflex.errors import ChannelError, UnitError
from eegflex.readers.bids import events_of, to_path
from eegflex.readers.channels.derivations import Derivation, Known, default_derivations, know
from eegflex.readers.channels.plausibility import implausible, mistyped_eeg, sample_sd, unreadable
from eegflex.readers.hypnograms.align import Alignment
from eegflex.readers.hypnograms.read import HypnogramOptions
from eegflex.readers.profiles import load_profile
from eegflex.readers.psg import find_stages
from eegflex.readers.recordings.registry import open_source
from eegflex.readers.recordings.source import Source
from eegflex.stages import STAGE_CODES
from eegflex.utils.arguments import checked

__all__ = ["PSGDescription", "SignalDescription", "describe_psg"]

_WIDTH = 100  # columns of a terminal


@dataclass(frozen=True)
class SignalDescription:
    """One signal of a file, or a derivation that would be computed.

    Attributes
    ----------
    index : int | None
        Its place in the file; None for a derivation that the file does not hold.
    label, unit : str
        As written, repaired.
    rate : float
        Native rate in Hz.
    kind : str
        MNE channel type.
    role : str
        EEG site, ``E1 E2 EOG CHIN LEG ECG``, ``M1 M2``, or "".
    derivation : str
        How it is made of the file's signals.
    sd : float
        Standard deviation in V, from at most 5 minutes; NaN where the unit is no voltage.
    picked : bool
        Whether `read_psg` picks it by default.
    reason : str
        Why not.

    See Also
    --------
    eegflex.readers.PSGDescription : What is in a file.
    eegflex.readers.describe_psg : What is in a file.

    Examples
    --------
    >>> import eegflex
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save("night.edf")
    >>> signal = eegflex.readers.describe_psg(files.psg).signals[0]
    >>> signal.label, signal.unit, signal.kind, signal.picked
    ('F3-M2', 'uV', 'eeg', True)
    """

    index: int | None
    label: str
    unit: str
    rate: float
    kind: str
    role: str
    derivation: str
    sd: float
    picked: bool
    reason: str


@dataclass(frozen=True)
class PSGDescription:
    """What is in a recording; `to_text` prints it.

    Attributes
    ----------
    name, format : str
        File name without directories, and format.
    start : str
        Date and time of the first sample, as far as they are known.
    duration : float
        In s.
    signals : list of SignalDescription
        In the order of the file, derivations last.
    stage_counts : dict of str to int | None
        Epochs by stage, in the stages' usual order; None without a hypnogram.
    alignment : dict
        How the hypnogram lies on the recording.
    problem : str
        Why `read_psg` would refuse to pick channels; "" if it would not.
    warnings : list of str
        What should be looked at.

    See Also
    --------
    eegflex.readers.describe_psg : What is in a file.
    eegflex.readers.SignalDescription : One signal of a file.

    Examples
    --------
    >>> import eegflex
    >>> files = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").save("night.edf")
    >>> described = eegflex.readers.describe_psg(files.psg)
    >>> described.format, len(described.signals), described.problem
    ('EDF+C', 9, '')
    """

    name: str
    format: str
    start: str
    duration: float
    signals: list[SignalDescription]
    stage_counts: dict[str, int] | None = None
    alignment: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def picked(self) -> list[SignalDescription]:
        """The channels that `read_psg` picks."""
        return [signal for signal in self.signals if signal.picked]

    def to_text(self) -> str:
        """Write it as a table for a terminal of 100 columns."""
        return "\n".join(_lines(self))


@checked
def describe_psg(
    fname: str | Path,
    *,
    hypnogram: str | Path | mne.Annotations | None = None,
    units: str | Mapping[str, str] | None = None,
    coding: str = "auto",
    epoch_length: float | None = None,
    column: str | None = None,
    majority: float | None = None,
    on_mismatch: str = "raise",
    labels: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    dst: bool | None = None,
    profile: str | Path | None = None,
) -> PSGDescription:
    """Describe what is in a recording, without loading it.

    Parameters
    ----------
    fname, hypnogram, units, coding, epoch_length, column, majority, on_mismatch, labels, columns, dst, profile
        As in `read_psg`.

    Returns
    -------
    description : PSGDescription
        What is in it, and what `read_psg` would pick.

    Raises
    ------
    RecordingError
        If the file cannot be read. Channels that cannot be picked are described, not raised.
    HypnogramError
        If the hypnogram cannot be read or does not fit.

    See Also
    --------
    eegflex.readers.PSGDescription : What is in a file.
    eegflex.readers.get_notes : What the reader did.
    eegflex.read_psg : Read a recording with its hypnogram.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> files = night.save("night.edf")
    >>> described = describe_psg(files.psg, hypnogram=files.hypnogram)
    >>> described.duration, described.picked[0].label, described.stage_counts
    (720.0, 'F3-M2', {'W': 6, 'N1': 2, 'N2': 8, 'N3': 4, 'REM': 4})
    """
    options = HypnogramOptions(coding, epoch_length, column, majority, on_mismatch, labels, columns, dst)
    card = None if profile is None else load_profile(profile)
    source = open_source(to_path(fname))
    if card is not None:
        card.rename(source)
        options = card.options(options)
    hypnogram = events_of(fname, options) if hypnogram is None else hypnogram
    known = know(source.signals, units)
    problem, chosen, reasons = "", list[Derivation](), dict[int, str]()
    try:
        chosen, reasons = default_derivations(known)
    except (ChannelError, UnitError) as error:
        problem = " ".join(filter(None, (f"{error.what}.", f"{error.remedy}." if error.remedy else "")))
    alignment, _, told = find_stages(source, hypnogram, options)
    return PSGDescription(
        name=source.path.name,
        format=source.format,
        start=str(source.start),
        duration=source.duration,
        signals=_signals(source, known, chosen, reasons),
        stage_counts=None if alignment is None else _counts(alignment),
        alignment={} if alignment is None else alignment.report,
        problem=problem,
        warnings=[
            *source.warnings,
            *unreadable(known),
            *told,
            *mistyped_eeg(known),
            *([] if alignment is None else alignment.warnings),
            *([] if alignment is None or card is None else card.check(alignment.report)),
            *implausible(source, chosen),
        ],
    )


def _signals(
    source: Source, known: Sequence[Known], chosen: Sequence[Derivation], reasons: Mapping[int, str]
) -> list[SignalDescription]:
    whole = {d.terms[0][0].signal.index for d in chosen if len(d.terms) == 1}
    rows = [
        _row(
            source, Derivation(k.signal.label, ((k, 1.0),), k.channel), k.signal.index, reasons.get(k.signal.index, "")
        )
        if k.signal.index not in whole
        else _row(source, Derivation(k.signal.label, ((k, 1.0),), k.channel), k.signal.index)
        for k in known
    ]
    return rows + [_row(source, derivation, None) for derivation in chosen if len(derivation.terms) > 1]


def _row(source: Source, derivation: Derivation, index: int | None, reason: str | None = None) -> SignalDescription:
    known = derivation.terms[0][0]
    readable = not known.signal.fault and known.unit.kind == "voltage"
    return SignalDescription(
        index=index,
        label=derivation.name,
        unit=derivation.unit,
        rate=derivation.rate,
        kind=derivation.channel.kind,
        role=derivation.channel.role,
        derivation=derivation.formula,
        sd=sample_sd(source, derivation) if readable else nan,
        picked=reason is None,
        reason=reason or "",
    )


def _counts(alignment: Alignment) -> dict[str, int]:
    seconds: dict[str, float] = {}
    for stage, duration in zip(alignment.stages, alignment.duration, strict=True):
        seconds[stage] = seconds.get(stage, 0.0) + float(duration)
    length = alignment.report["epoch_length_s"]
    return {stage: round(seconds[stage] / length) for stage in STAGE_CODES if stage in seconds}


def _lines(description: PSGDescription) -> Iterator[str]:
    picked = description.picked
    hours, rest = divmod(round(description.duration), 3600)
    yield f"{description.name}  ({description.format})"
    yield f"  start     {description.start}"
    yield f"  duration  {hours}:{rest // 60:02d}:{rest % 60:02d} ({description.duration:g} s)"
    yield f"  signals   {sum(s.index is not None for s in description.signals)} in the file, {len(picked)} picked"
    yield from _stage_lines(description)
    if description.problem:
        yield f"  problem   {description.problem}"
    yield from (f"  warning   {warning}" for warning in description.warnings)
    if picked:
        yield ""
        yield "Picked"
        yield from _table(picked, last=("from", lambda s: s.derivation if s.derivation != s.label else ""))
    others = [signal for signal in description.signals if not signal.picked]
    if others:
        yield ""
        yield "Not picked"
        yield from _table(others, last=("why not", lambda s: s.reason))


def _stage_lines(description: PSGDescription) -> Iterator[str]:
    if description.stage_counts is None:
        yield "  stages    none: no hypnogram"
        return
    how = description.alignment
    yield "  stages    " + ", ".join(f"{stage} {count}" for stage, count in description.stage_counts.items())
    yield (
        f"  hypnogram {how['format']}; coding {how['coding']}; epochs of {how['epoch_length_s']:g} s; "
        f"starts {how['offset_s']:+g} s; grid at {how['grid_phase_s']:g} s"
    )
    yield (
        f"            {how['matched']} epochs matched, {how['padded']} without a stage, {how['dropped']} dropped; "
        f"{how['events_ignored']} other events"
    )
    yield f"            placed by {how['placed_by']}"
    if "majority_of_s" in how:
        yield f"            by majority from epochs of {how['majority_of_s']:g} s; {how['majority_split']} were split"


def _table(signals: Sequence[SignalDescription], last: tuple[str, Any]) -> Iterator[str]:
    heads = ("#", "label", "type", "role", "rate Hz", "unit", "SD µV", last[0])
    rows = [
        (
            "" if s.index is None else str(s.index),
            s.label,
            s.kind,
            s.role,
            f"{s.rate:.8g}",
            s.unit or "-",
            "" if isnan(s.sd) else _microvolts(s.sd),
            str(last[1](s)),
        )
        for s in signals
    ]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    right = {0, 4, 6}
    for row in [heads, *rows]:
        cells = [
            cell.rjust(w) if at in right else cell.ljust(w)
            for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        yield ("  " + "  ".join(cells)).rstrip()[:_WIDTH]


def _microvolts(volts: float) -> str:
    value = volts * 1e6
    return f"{value:.1f}" if value < 1e4 else f"{value:.3g}"
