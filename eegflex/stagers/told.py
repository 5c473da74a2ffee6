"""What must be told of a night before it is staged: epochs that cannot be, and statistics that are its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import mne
import numpy as np
from mne.utils import logger

from eegflex.readers.notes import SIMULATED, get_notes
from eegflex.stagers.stager import BoundStager, Stager

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["frozen", "telling_of_made_up", "telling_of_short_runs"]

_MADE_HERE = "eegflex"  # the format of the stagers that are part of eegflex


def telling_of_short_runs(stager: Stager, segments: Segments, bound: Sequence[BoundStager]) -> Segments:
    """Say how many epochs are not staged since their run is shorter than the stager's window."""
    context = stager.spec.context
    length = 1 if context.whole else context.before + 1 + context.after
    n_run = np.unique(segments.run, return_counts=True)[1][np.unique(segments.run, return_inverse=True)[1]]
    explicable = np.logical_and.reduce([one.windows.explicable for one in bound])
    n = int((~explicable & (n_run < length)).sum())
    if n == 0:
        return segments
    told = (
        f"{n} of {len(segments)} epochs are not staged: {stager.spec.name} sees {length} epochs at once, and the longest run "
        f"of those has {int(n_run[~explicable].max())}. Give a longer recording, or put silence beyond its ends with "
        "edges='pad' (--edges pad), which such a model may never have seen"
    )
    return _with_warning(segments, told)


def telling_of_made_up(stager: Stager, segments: Segments, epochs: mne.BaseEpochs) -> Segments:
    """Say that a stager that was made on simulated nights, or by hand, knows nothing of real ones, where this may be one."""
    notes = get_notes(epochs.info)
    if stager.spec.format != _MADE_HERE or (notes is not None and SIMULATED in notes.warnings):
        return segments
    told = (
        f"{stager.spec.name} was not trained on real nights and shows how explanations work: unless this recording is "
        "simulated, do not rely on its stages. Use a trained stager, such as gssc (its extra: eegflex[gssc])"
    )
    return _with_warning(segments, told)


def _with_warning(segments: Segments, told: str) -> Segments:
    logger.warning(told)
    notes = segments.notes | {"warnings": [*segments.notes.get("warnings", ()), told]}
    return dataclasses.replace(segments, notes=notes)


def frozen(stager: Stager, segments: Segments) -> tuple[Stager, Segments]:
    """The stager with the statistics of the recording where its spectrogram asks for them; and segments that say so."""
    asked = list(dict.fromkeys(name for front in stager.fronts for name in front.recorded))
    if not asked:
        return stager, segments
    told = (
        f"{' and '.join(asked)} of the spectrogram of {stager.spec.name} are those of this recording, over its "
        f"{int((segments.fault == '').sum())} sound epochs, in the place of a training set's"
    )
    told_of = _with_warning(segments, told)
    return stager.fitted(segments), dataclasses.replace(told_of, notes=told_of.notes | {"spectrogram": told})
