"""What must be told of when epochs begin: that nothing says it, or that they overlap."""

from __future__ import annotations

import mne
from mne.utils import logger

from eegflex.readers.epoch_times import counts_epochs, epoch_onsets, overlaps
from eegflex.spec.model_spec import ModelSpec

__all__ = ["tell_of_times"]


def tell_of_times(epochs: mne.BaseEpochs, spec: ModelSpec) -> list[str]:
    """Warn where epochs do not say when they begin, or overlap, so that no epoch has neighbours.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The recording.
    spec : ModelSpec
        The stager's contract.

    Returns
    -------
    warnings : list of str
        The same words, for provenance.
    """
    told = []
    if counts_epochs(epochs):
        told.append(
            "nothing says when the epochs begin (their events count them, as those of mne.EpochsArray do): they are taken to "
            "follow each other from 0 s on. Give events in samples, or metadata with a column onset in s"
        )
    n = overlaps(epoch_onsets(epochs), epochs)
    if n:
        alone = "" if spec.context.alone else f", and {spec.name}, which sees an epoch among its neighbours, sees none"
        told.append(
            f"{n} of {len(epochs)} epochs begin before the one before has ended: each is filtered by itself{alone}"
        )
    for words in told:
        logger.warning(words)
    return told
