"""Which epochs of a night are explained: those that can be, or a balanced sample of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from mne.utils import logger

from eegflex.attribution.selection import selected
from eegflex.errors import ModelError
from eegflex.scores import consensus
from eegflex.settings import Settings
from eegflex.staging import StagedNight
from eegflex.targets import is_scored

__all__ = ["choose_epochs"]


def choose_epochs(night: StagedNight, settings: Settings) -> npt.NDArray[np.intp]:
    """Epochs to explain: sound, with the context and stage that they need, and a balanced sample if one was asked for."""
    segments, scores, spec = night.segments, night.scores, night.stager.spec
    sound = np.flatnonzero(night.sound)
    if len(sound) == 0:
        faults, counts = np.unique(segments.fault[segments.fault != ""], return_counts=True)
        raise ModelError(
            "No epoch can be explained",
            seen=dict(zip(faults.tolist(), counts.tolist(), strict=True))
            or "no epoch with the context that the model needs",
            remedy="Look at the signals, or give epochs that are contiguous in time",
        )
    bad = ~np.isfinite(scores[sound]).all(axis=(1, 2))
    if bad.any():
        raise ModelError(
            f"{spec.name} returned scores that are not finite",
            seen=f"{int(bad.sum())} of {len(sound)} epochs, the first at {segments.onset[sound[bad][0]]:g} s",
            remedy="Check the unit and scaling that its spec gives",
        )
    if len(sound) < len(segments):
        logger.info(f"{len(segments) - len(sound)} of {len(segments)} epochs cannot be explained and are left out")
    if settings.select is not None:
        sound = _those_of(selected(night, settings.select), sound)
    if settings.target == "scored":
        has_score = is_scored(segments.stage[sound], spec.stages)
        if not has_score.all():
            logger.info(f"{int((~has_score).sum())} of {len(sound)} epochs have no scored stage and are left out")
        sound = sound[has_score]
    if settings.sample_per_stage is None:
        return sound
    predicted = consensus(scores[sound], spec.scores)  # drawn from all over the night, whatever its order
    rng = np.random.default_rng(settings.seed)
    drawn = [
        rng.permutation(sound[predicted == stage])[: settings.sample_per_stage] for stage in range(len(spec.stages))
    ]
    return np.sort(np.concatenate(drawn))


def _those_of(wanted: npt.NDArray[np.intp], sound: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The wanted epochs that can be explained."""
    found = np.intersect1d(wanted, sound)
    if not found.size:
        raise ModelError(
            "None of the selected epochs can be explained",
            seen=f"{len(wanted)} epochs, the first is {wanted[0]}",
            remedy="The table of eegflex.stage_epochs says why: night.to_data_frame()['fault']",
        )
    if len(found) < len(wanted):
        logger.info(f"{len(wanted) - len(found)} of {len(wanted)} selected epochs cannot be explained and are left out")
    return found
