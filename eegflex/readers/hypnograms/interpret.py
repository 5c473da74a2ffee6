"""What a scoring means: which of its entries are stages, how long they last, and that they do not contradict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.recordings.source import Start
from eegflex.readers.stage_numbers import CODINGS, parse_code, to_stages
from eegflex.readers.stage_words import is_sleep_stage, looks_like_stage, parse_label
from eegflex.stages import EPOCH_DURATION, STAGES

__all__ = ["LENGTHS", "Hypnogram", "stage_kind", "understand"]

#: Least and most seconds an epoch may have.
LENGTHS = (0.5, 3600.0)
_OVERLAP = 0.005  # s that two stages may overlap through rounding
_FARTHEST = 366 * 86400.0  # s: no scoring is so long
_CODES = frozenset().union(*CODINGS.values())


@dataclass
class Hypnogram:
    """Stages that are understood.

    Attributes
    ----------
    onset, duration : array, shape (n,)
        In s from the hypnogram's own start, sorted; in epochs if `in_epochs`.
    stages : list of str, length n
        Canonical names.
    start : Start
        When it starts.
    format, coding : str
        The format, and "labels" or the numeric coding.
    event_places : list of int
        Which entries of the file are no stages.
    others : int
        Entries of the file that are no stages and were left out before.
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
    others: int = 0
    epoch_length: float | None = None
    has_time: bool = True
    in_epochs: bool = False
    warnings: list[str] = field(default_factory=list)


def stage_kind(scoring: Scoring) -> int:
    """Whether labels may be stages: 2 if some are sleep stages in words, 1 if all are codes of stages, else 0."""
    words = {label for label in set(scoring.labels) if parse_code(label) is None}
    if any(parse_label(label) in STAGES for label in words):
        return 2
    codes = {parse_code(label) for label in set(scoring.labels) - words}
    return int(len(codes) > 1 and codes <= _CODES and all(parse_label(label) == "UNSCORED" for label in words))


def understand(scoring: Scoring, coding: str = "auto") -> Hypnogram:
    """Find the stages of a scoring.

    Among other events (`scoring.mixed`) the stages are what calls itself "Sleep stage ..." if anything does, else
    what is a stage by the whole label, else numbers; the rest are events. A label that begins like a stage and is
    none is an error.

    Raises
    ------
    HypnogramError
        If a label is not known, a time is impossible, or different stages overlap.
    """
    _refuse_times(scoring)
    places = _stage_places(scoring) if scoring.mixed else list(range(len(scoring.labels)))
    stages, used = to_stages([scoring.labels[place] for place in places], scoring.coding or coding)
    warnings = list(scoring.warnings)
    if scoring.coding is not None and coding not in {"auto", used}:
        warnings.append(f"coding={coding!r} is not used: the format itself says what its codes mean ({used})")
    if used == "rk" and coding == "auto" and scoring.coding is None:
        warnings.append("the stage codes are read as 'rk' (4 = N3, 5 = REM), since 5, 6 or 7 occurs and 4 does not")
    if scoring.mixed:
        _warn_of_strangers(scoring, places, warnings)
    onset, duration = scoring.onset[places], scoring.duration[places]
    order = np.argsort(onset, kind="stable")
    onset, duration, stages = onset[order], duration[order], [stages[place] for place in order]
    epoch = scoring.epoch_length
    if scoring.even:
        epoch = _usual_step(onset) or EPOCH_DURATION
        duration = np.full(len(stages), epoch)
    if epoch is not None and not LENGTHS[0] <= epoch <= LENGTHS[1]:
        raise HypnogramError(
            "The hypnogram's epochs have an impossible length",
            seen=f"{epoch:g} s",
            allowed=f"{LENGTHS[0]:g} to {LENGTHS[1]:g} s",
            remedy="Mend the file, or export it again",
        )
    duration = _fill(onset, duration, stages, epoch, warnings)
    refuse_overlap(onset, duration, stages)
    return Hypnogram(
        onset=onset,
        duration=duration,
        stages=stages,
        start=scoring.start,
        format=scoring.format,
        coding=used,
        event_places=sorted(set(range(len(scoring.labels))) - set(places)),
        others=scoring.others,
        epoch_length=epoch,
        has_time=scoring.has_time,
        in_epochs=scoring.in_epochs,
        warnings=warnings,
    )


def _refuse_times(scoring: Scoring) -> None:
    bad = ~(np.abs(scoring.onset) < _FARTHEST) | ~((scoring.duration >= 0) & (scoring.duration < _FARTHEST))
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        raise HypnogramError(
            "An entry of the hypnogram has an impossible time",
            seen=f"entry {place + 1} at {scoring.onset[place]:g} s for {scoring.duration[place]:g} s",
            allowed="finite onsets, and durations of 0 s or more",
            remedy="Mend the file, or export it again",
        )


def _stage_places(scoring: Scoring) -> list[int]:
    """Which labels among other events are stages."""
    labels = scoring.labels
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
        return _without_events(scoring, named)
    # "Movement" and "Artefact" alone are events of a recording, no hypnogram; numbers are stages only by themselves.
    codes = {label for label in kinds if parse_code(label) is not None}
    alone = all(label in codes or parse_label(label) == "UNSCORED" for label in kinds)
    return list(range(len(labels))) if codes and alone else []


def _without_events(scoring: Scoring, named: list[int]) -> list[int]:
    """Leave out movements and artefacts that lie inside a sleep stage: they are events of its epoch."""
    staged = [place for place in named if parse_label(scoring.labels[place]) in STAGES]
    kept = set(staged)
    meets = _meets(scoring, staged)
    return sorted(kept | {place for place in named if not meets[place]})


def _meets(scoring: Scoring, staged: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Say which entries overlap one of those in `staged`, shape (n,)."""
    order = sorted(staged, key=lambda place: float(scoring.onset[place]))
    first = scoring.onset[order]
    reach = np.maximum.accumulate(first + scoring.duration[order])
    before = np.searchsorted(first, scoring.onset + _OVERLAP) - 1
    begins_inside = (before >= 0) & (reach[before] > scoring.onset + _OVERLAP)
    following = np.append(first, np.inf)[before + 1]
    return np.asarray(begins_inside | (following < scoring.onset + scoring.duration - _OVERLAP))


def _warn_of_strangers(scoring: Scoring, places: Sequence[int], warnings: list[str]) -> None:
    """Tell of labels that are taken for events and yet come as stages do: as long as an epoch, and in their gaps."""
    if not places:
        return
    lengths, counts = np.unique(scoring.duration[places], return_counts=True)
    epoch = float(lengths[np.argmax(counts)])
    alike = (np.abs(scoring.duration - epoch) < _OVERLAP) & ~_meets(scoring, places)
    strangers = Counter(scoring.labels[place] for place in np.flatnonzero(alike).tolist() if place not in set(places))
    for label, count in strangers.items() if epoch > 0 else ():
        warnings.append(
            f"{label!r} ({count} times {epoch:g} s between the stages) is taken for an event; if it is a stage, rename it"
        )


def _usual_step(onset: npt.NDArray[np.float64]) -> float | None:
    """Give the most frequent distance between entries, in s to the millisecond."""
    steps = np.round(np.diff(onset), 3)
    values, counts = np.unique(steps[steps > 0], return_counts=True)
    return float(values[np.argmax(counts)]) if values.size else None


def _fill(
    onset: npt.NDArray[np.float64],
    duration: npt.NDArray[np.float64],
    stages: Sequence[str],
    epoch_length: float | None,
    warnings: list[str],
) -> npt.NDArray[np.float64]:
    """Let stages that give no duration last until the next one."""
    without = duration <= 0
    if not without.any():
        return duration
    steps = np.diff(onset)
    last = epoch_length or float(np.min(steps[steps > 0], initial=np.inf))
    last = last if np.isfinite(last) else EPOCH_DURATION
    steps = np.append(steps, last)
    for place in np.flatnonzero(without & (steps <= 0)).tolist():
        if stages[place] != stages[place + 1]:
            raise HypnogramError(
                "Two different stages begin at one time",
                seen=f"{stages[place]} and {stages[place + 1]} at {onset[place]:g} s",
                remedy="Mend the hypnogram: one time has one stage",
            )
    tail = f", and the last {last:g} s" if without[-1] else ""
    count = "the" if without.all() else str(int(without.sum()))
    warnings.append(f"{count} stages give no duration: each lasts until the next one{tail}")
    return np.where(without, steps, duration)


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
