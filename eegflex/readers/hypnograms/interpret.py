"""What a scoring means: which of its entries are stages, how long they last, and that they do not contradict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from eegflex.errors import HypnogramError, shorten
from eegflex.readers.hypnograms.clock_change import lay_change
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.recordings.source import Start
from eegflex.readers.stage_numbers import (
    AS_SAID,
    CODINGS,
    check_labels,
    named_stage,
    parse_code,
    tell_unscored,
    to_stages,
)
from eegflex.readers.stage_words import is_sleep_stage, looks_like_stage, parse_label
from eegflex.stages import EPOCH_DURATION, STAGES

__all__ = ["LENGTHS", "Hypnogram", "stage_kind", "understand"]

#: Least and most seconds an epoch may have.
LENGTHS = (0.5, 3600.0)
_OVERLAP = 0.005  # s that two stages may overlap through rounding
_FARTHEST = 366 * 86400.0  # s: no scoring is so long
_SHORTEST_STEP, _LONGEST_STEP = 0.5, 60.0  # s between points that may be epochs
_SHORT_EPOCH = 20.0  # s
_LONGEST, _MOST_STRANGERS = 40, 20  # characters of a label that is told, and labels
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
        Length of an epoch in s.
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


def stage_kind(scoring: Scoring, named: Mapping[str, str] | None = None) -> int:
    """Whether labels may be stages: 2 if some are sleep stages in words, 1 if all are codes of stages, else 0."""
    labels = set(scoring.labels)
    words = {label for label in labels if parse_code(label) is None}
    if any((named_stage(label, named or {}) or parse_label(label)) in STAGES for label in words):
        return 2
    codes = {parse_code(label) for label in labels - words if named_stage(label, named or {}) is None}
    several = len(labels - words) > 1
    return int(several and codes <= _CODES and all(parse_label(label) == "UNSCORED" for label in words))


def understand(
    scoring: Scoring,
    coding: str = "auto",
    *,
    labels: Mapping[str, str] | None = None,
    epoch_length: float | None = None,
    dst: bool | None = None,
) -> Hypnogram:
    """Find the stages of a scoring.

    Among other events (`scoring.mixed`) the stages are what the user says is one, and what calls itself "Sleep stage ..."
    if anything does, else what is a stage by the whole label, else numbers; the rest are events. A label that begins like
    a stage and is none is an error.

    Parameters
    ----------
    scoring : Scoring
        What the file says; it is not changed.
    coding : str
        What numbers mean.
    labels : mapping of str to str | None
        What the user says that labels mean.
    epoch_length : float | None
        Seconds an epoch, as the user says.
    dst : bool | None
        Whether the clock changes in the night, as the user says.

    Returns
    -------
    hypnogram : Hypnogram
        Its stages.

    Raises
    ------
    HypnogramError
        If a label is not known, a time is impossible, or different stages overlap.
    """
    named = check_labels(labels)
    scoring = lay_change(scoring, _staged(scoring, named), dst)
    _refuse_times(scoring)
    places = _stage_places(scoring, named) if scoring.mixed else list(range(len(scoring.labels)))
    wanted = [scoring.labels[place] for place in places]
    stages, used = to_stages(wanted, scoring.coding or coding, named)
    onset, duration = scoring.onset[places], scoring.duration[places]
    order = np.argsort(onset, kind="stable")
    onset, duration, sorted_stages = onset[order], duration[order], [stages[place] for place in order]
    epoch = _epoch_length(scoring, onset, epoch_length)
    warnings = [*scoring.warnings, *_code_warnings(scoring, coding, used, wanted, stages, named)]
    if scoring.even:
        duration = np.full(len(stages), epoch)
    elif not scoring.in_epochs and (duration < LENGTHS[0]).all():
        duration = np.zeros(len(stages))  # a marker that lasts a sample is a point
    duration = _fill(scoring, onset, duration, sorted_stages, epoch, warnings)
    if scoring.mixed and places:
        warnings += _strangers(scoring, places, onset, duration)
    refuse_overlap(onset, duration, sorted_stages)
    return Hypnogram(
        onset=onset,
        duration=duration,
        stages=sorted_stages,
        start=scoring.start,
        format=scoring.format,
        coding=used
        if used == AS_SAID or not any(named_stage(label, named) for label in set(wanted))
        else f"{used}, {AS_SAID}",
        event_places=sorted(set(range(len(scoring.labels))) - set(places)),
        others=scoring.others,
        epoch_length=epoch,
        has_time=scoring.has_time,
        in_epochs=scoring.in_epochs,
        warnings=warnings,
    )


def _staged(scoring: Scoring, named: Mapping[str, str]) -> list[int]:
    """Which entries are sleep stages by their label alone: words where there are any, else numbers."""
    if not scoring.by_clock:
        return []
    known = {label: (named_stage(label, named) or parse_label(label)) in STAGES for label in set(scoring.labels)}
    if not any(known.values()):
        known = {label: parse_code(label) is not None for label in known}
    return [place for place, label in enumerate(scoring.labels) if known[label]]


def _epoch_length(scoring: Scoring, onset: npt.NDArray[np.float64], said: float | None) -> float | None:
    """Seconds an epoch, where the file or the user says; for entries of one epoch each, the usual step."""
    epoch = said if said is not None and not scoring.in_epochs else scoring.epoch_length
    if scoring.even:
        epoch = _usual_step(onset) or EPOCH_DURATION
    if epoch is not None and not LENGTHS[0] <= epoch <= LENGTHS[1]:
        raise HypnogramError(
            "The hypnogram's epochs have an impossible length",
            seen=f"{epoch:g} s",
            allowed=f"{LENGTHS[0]:g} to {LENGTHS[1]:g} s",
            remedy="Correct the file, or export it again",
        )
    return epoch


def _code_warnings(
    scoring: Scoring, coding: str, used: str, labels: Sequence[str], stages: Sequence[str], named: Mapping[str, str]
) -> list[str]:
    """What there is to tell of the numbers that are stages."""
    if scoring.coding is not None:
        if coding in {"auto", used}:
            return []
        return [f"coding={coding!r} is not used: the format defines its codes ({used})"]
    warnings = []
    if used == "auto":
        warnings.append("the stage codes are read as 0 = W, 1 = N1, 2 = N2, 3 = N3 (coding= and labels= change this)")
    if used == "rk" and coding == "auto":
        warnings.append("the stage codes are read as 'rk' (4 = N3, 5 = REM), since 5, 6 or 7 occurs and 4 does not")
    pairs = [(label, stage) for label, stage in zip(labels, stages, strict=True) if named_stage(label, named) is None]
    if used in CODINGS:
        warnings += tell_unscored([label for label, _ in pairs], [stage for _, stage in pairs], used)
    if named and len(pairs) == len(labels):
        warnings.append("labels= names labels that the hypnogram does not have")
    return warnings


def _refuse_times(scoring: Scoring) -> None:
    bad = ~(np.abs(scoring.onset) < _FARTHEST) | ~((scoring.duration >= 0) & (scoring.duration < _FARTHEST))
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        raise HypnogramError(
            "An entry of the hypnogram has an impossible time",
            seen=f"entry {place + 1} at {scoring.onset[place]:g} s for {scoring.duration[place]:g} s",
            allowed="finite onsets, and durations of 0 s or more",
            remedy="Correct the file, or export it again",
        )


def _stage_places(scoring: Scoring, named: Mapping[str, str]) -> list[int]:
    """Which labels among other events are stages."""
    labels = scoring.labels
    said = {label for label in set(labels) if named_stage(label, named) is not None}
    kinds = {
        label: (is_sleep_stage(label), label in said or parse_label(label) is not None, looks_like_stage(label))
        for label in set(labels)
    }
    for place, label in enumerate(labels):
        _, is_stage, begins_like_one = kinds[label]
        if begins_like_one and not is_stage:
            raise HypnogramError(
                "A label begins like a stage but is not one",
                seen=f"{shorten(label, 100)!r}, {labels.count(label)} times, first as annotation {place + 1}",
                allowed=["Sleep stage W", "Sleep stage 1", "Sleep stage N1", "Sleep stage R", "Sleep stage ?"],
                remedy='Give its stage with labels={"...": "N2"}, or rename it in the hypnogram',
            )
    if any(says for says, _, _ in kinds.values()):
        return [place for place, label in enumerate(labels) if kinds[label][0] or label in said]
    words = [place for place, label in enumerate(labels) if kinds[label][1]]
    staged = [p for p in words if labels[p] in said or parse_label(labels[p]) in STAGES]
    # "Movement" and "Artefact" alone are events of a recording, no hypnogram; numbers are stages only by themselves.
    codes = {label for label in kinds if parse_code(label) is not None}
    alone = all(label in codes or label in said or parse_label(label) == "UNSCORED" for label in kinds)
    if codes and alone and (codes & said or not staged):
        return list(range(len(labels)))
    return _without_events(scoring, words, staged) if staged else []


def _without_events(scoring: Scoring, words: list[int], staged: list[int]) -> list[int]:
    """Leave out movements and artefacts that lie inside a sleep stage: they are events of its epoch."""
    meets = _meets(scoring, scoring.onset[staged], scoring.duration[staged])
    return sorted(set(staged) | {place for place in words if not meets[place]})


def _meets(
    scoring: Scoring, onset: npt.NDArray[np.float64], duration: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Say which entries overlap one of the stretches given, shape (n,)."""
    order = np.argsort(onset, kind="stable")
    first = onset[order]
    reach = np.maximum.accumulate(first + duration[order])
    before = np.searchsorted(first, scoring.onset + _OVERLAP) - 1
    begins_inside = (before >= 0) & (reach[before] > scoring.onset + _OVERLAP)
    following = np.append(first, np.inf)[before + 1]
    return np.asarray(begins_inside | (following < scoring.onset + scoring.duration - _OVERLAP))


def _strangers(
    scoring: Scoring, places: Sequence[int], onset: npt.NDArray[np.float64], duration: npt.NDArray[np.float64]
) -> list[str]:
    """Tell of labels that are taken for events and yet come as stages do: on their grid and in their gaps."""
    lengths, counts = np.unique(np.round(duration, 3), return_counts=True)
    epoch = float(lengths[np.argmax(counts)])
    if epoch <= 0:
        return []

    def whole(times: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        return np.asarray(np.abs(times - np.round(times / epoch) * epoch) < _OVERLAP)

    alike = whole(scoring.onset - onset[0]) & whole(scoring.duration) & ~_meets(scoring, onset, duration)
    # a point before the first stage, or after the last, is an event
    alike &= (scoring.duration > 0) | ((scoring.onset > onset[0]) & (scoring.onset < onset[-1]))
    alike[list(places)] = False
    found = Counter(scoring.labels[place] for place in np.flatnonzero(alike).tolist())
    return [
        f"{shorten(label, _LONGEST)!r} ({_times(count)} between the stages) is treated as an event; if it is a stage, "
        f"name it with labels="
        for label, count in found.most_common(_MOST_STRANGERS)
    ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _usual_step(onset: npt.NDArray[np.float64]) -> float | None:
    """Give the most frequent distance between entries, in s to the millisecond."""
    steps = np.round(np.diff(onset), 3)
    values, counts = np.unique(steps[steps > 0], return_counts=True)
    return float(values[np.argmax(counts)]) if values.size else None


def _even_step(onset: npt.NDArray[np.float64]) -> float | None:
    """The usual distance between entries, if most have it and an epoch may be so long."""
    steps = np.diff(onset)
    usual = _usual_step(onset)
    most = usual is not None and (np.abs(steps - usual) < _OVERLAP).sum() * 2 >= (steps > _OVERLAP).sum()
    return usual if usual is not None and most and _SHORTEST_STEP <= usual <= _LONGEST_STEP else None


def _step_of_points(onset: npt.NDArray[np.float64], all_onsets: npt.NDArray[np.float64]) -> float:
    """How long a stage lasts that is noted as a point: the usual step if that is an epoch's, else 30 s, or 20 s.

    Where labels that are not known lie evenly between the stages, the step is the one from entry to entry.
    """
    steps = np.diff(onset)
    steps = steps[steps > _OVERLAP]
    usual, finer = _even_step(onset), _even_step(np.unique(np.round(all_onsets, 3)))
    if usual is not None and finer is not None and abs(usual / finer - round(usual / finer)) < _OVERLAP:
        return min(usual, finer)
    if usual is not None:
        return usual

    def fits(seconds: float) -> bool:
        return bool((np.abs(steps - np.round(steps / seconds) * seconds) < _OVERLAP).all())

    return _SHORT_EPOCH if steps.size and fits(_SHORT_EPOCH) and not fits(EPOCH_DURATION) else EPOCH_DURATION


def _fill(
    scoring: Scoring,
    onset: npt.NDArray[np.float64],
    duration: npt.NDArray[np.float64],
    stages: Sequence[str],
    epoch: float | None,
    warnings: list[str],
) -> npt.NDArray[np.float64]:
    """Say how long stages last that give no duration: one usual step, or until the next where the format has it so."""
    without = duration <= 0
    if not without.any():
        return duration
    steps = np.diff(onset)
    last = epoch or (1.0 if scoring.in_epochs else _step_of_points(onset, scoring.onset))
    steps = np.append(steps, last)
    for place in np.flatnonzero(without & (steps <= 0)).tolist():
        if stages[place] != stages[place + 1]:
            raise HypnogramError(
                "Two different stages begin at one time",
                seen=f"{stages[place]} and {stages[place + 1]} at {onset[place]:g} s",
                remedy="Correct the hypnogram: each time has one stage",
            )
    count = "the" if without.all() else str(int(without.sum()))
    if scoring.until_next:
        tail = f", and the last {last:g} s" if without[-1] else ""
        warnings.append(f"{count} stages give no duration: by the format, each lasts until the next one{tail}")
        return np.where(without, steps, duration)
    lasting = np.where(without, np.minimum(steps, last), duration)
    left = np.append((onset[1:] - (onset[:-1] + lasting[:-1])), 0.0)
    gaps = int(np.round(left[without & (left > _OVERLAP)].sum() / last))
    warnings.append(
        f"{count} stages give no duration: each lasts {last:g} s"
        + (
            f"; {gaps} epochs after them have none and are UNSCORED (if a stage lasts until the next, the file must say "
            "how long)"
            if gaps
            else ""
        )
    )
    return lasting


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
                remedy="Correct the hypnogram: each time has one stage",
            )
        if at + length > end:
            end, holder = at + length, stage
