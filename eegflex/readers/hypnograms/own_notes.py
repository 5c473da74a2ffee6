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
    different stages, or if they follow each other as epochs do. Single letters are weaker: W and R alone must follow
    each other, and be more than what lies on their grid beside them.
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
    step = _step(scoring.onset[staged], scoring.duration[staged])
    return step > 0 and (strong or not _crowded(scoring, staged, step))


def _step(onset: npt.NDArray[np.float64], duration: npt.NDArray[np.float64]) -> float:
    """Seconds from one entry to the next where they follow each other as epochs do, else 0."""
    order = np.argsort(onset, kind="stable")
    onset, duration = onset[order], duration[order]
    steps = np.diff(onset)
    if (duration >= _LEAST).all() and duration.size:
        follows = np.abs(steps - duration[:-1]) < _ROUNDING
        return float(duration.min()) if follows.sum() * 2 >= steps.size else 0.0
    values, counts = np.unique(np.round(steps, 2), return_counts=True)
    if steps.size < 2 or not _EPOCHS[0] <= values[np.argmax(counts)] <= _EPOCHS[1]:
        return 0.0
    return float(values[np.argmax(counts)]) if counts.max() * 2 >= steps.size else 0.0


def _crowded(scoring: Scoring, staged: npt.NDArray[np.bool_], step: float) -> bool:
    """Whether other entries lie on the grid of these, half as many or more: then all are marks of one kind."""
    away = scoring.onset - scoring.onset[staged][0]
    on_grid = np.abs(away - np.round(away / step) * step) < _ROUNDING
    return bool((on_grid & ~staged).sum() * 2 >= staged.sum())
