"""Whether the notes of a recording are a hypnogram: "L" and "R" are lights, legs or buttons more often than stages."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.stage_numbers import check_labels, named_stage
from eegflex.readers.stage_words import bare_label, is_sleep_stage, parse_label
from eegflex.stages import STAGES

__all__ = ["count_stage_names", "looks_like_hypnogram"]

_EPOCHS = (4.0, 60.0)  # s between points that are epochs; a cue comes faster
_LEAST = 10.0  # s that a stage lasts at least where it says how long
_ROUNDING = 0.005  # s


def count_stage_names(scoring: Scoring) -> int:
    """Count the entries that are called like a sleep stage."""
    known = {label: parse_label(label) in STAGES for label in set(scoring.labels)}
    return sum(known[label] for label in scoring.labels)


def looks_like_hypnogram(scoring: Scoring, labels: Mapping[str, str] | None = None) -> bool:
    """Whether entries that stand among others are a hypnogram.

    They are if the user says what they mean (`labels`), if they say themselves "Sleep stage ...", if there are several
    different stages, or if they follow each other as epochs do. Single letters are weaker: points called W and R must
    follow each other, and other points must not come as often.
    """
    named = check_labels(labels)
    stage_of = {label: named_stage(label, named) or parse_label(label) for label in set(scoring.labels)}
    if any(named_stage(label, named) or is_sleep_stage(label) for label in stage_of):
        return True
    staged = np.array([stage_of[label] in STAGES for label in scoring.labels], dtype=bool)
    words = {label for label, stage in stage_of.items() if stage in STAGES}
    strong = any(len(bare_label(label)) > 1 for label in words)
    if strong and len({stage_of[label] for label in words}) > 1:
        return True
    return _follow(scoring.onset[staged], scoring.duration[staged]) and (strong or not _crowded(scoring, staged))


def _follow(onset: npt.NDArray[np.float64], duration: npt.NDArray[np.float64]) -> bool:
    """Whether entries follow each other as epochs do, half of them at least."""
    order = np.argsort(onset, kind="stable")
    onset, duration = onset[order], duration[order]
    steps = np.diff(onset)
    if (duration >= _LEAST).all() and duration.size:
        return bool((np.abs(steps - duration[:-1]) < _ROUNDING).sum() * 2 >= steps.size)
    values, counts = np.unique(np.round(steps, 2), return_counts=True)
    if steps.size < 2 or not _EPOCHS[0] <= values[np.argmax(counts)] <= _EPOCHS[1]:
        return False
    return bool(counts.max() * 2 >= steps.size)


def _crowded(scoring: Scoring, staged: npt.NDArray[np.bool_]) -> bool:
    """Whether other points come half as often as these or more: then all may be marks of one kind."""
    points = scoring.duration < _LEAST
    return bool((points & ~staged).sum() * 2 >= staged.sum() and points[staged].all())
