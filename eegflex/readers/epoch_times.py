"""When epochs begin: not a matter of their sampling rate, which may have changed since."""

from __future__ import annotations

import mne
import numpy as np
import numpy.typing as npt

__all__ = ["counts_epochs", "epoch_onsets", "event_onsets", "overlaps"]


def epoch_onsets(epochs: mne.BaseEpochs) -> npt.NDArray[np.float64]:
    """Give the onsets of epochs in s.

    Those of the metadata, else of the events. These count samples of the recording that the epochs were cut from, whatever
    rate the epochs have now: neither `resample` nor `decimate` changes them, and a FIF file keeps that rate. Where they only
    count the epochs, epochs are taken to follow each other.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The epochs.

    Returns
    -------
    onset : array, shape (n_epochs,)
        From the start of the recording.
    """
    if epochs.metadata is not None and "onset" in epochs.metadata:
        found: npt.NDArray[np.float64] = epochs.metadata["onset"].to_numpy(dtype=np.float64)
        return found
    if counts_epochs(epochs):
        n_times, rate = len(epochs.times), float(epochs.info["sfreq"])
        # of 30 s and one sample, the last is the first of the next
        both_ends = (n_times - 1) % rate == 0 and n_times % rate != 0
        return np.asarray(epochs.selection * (n_times - both_ends) / rate, dtype=np.float64)
    return event_onsets(epochs)


def counts_epochs(epochs: mne.BaseEpochs) -> bool:
    """Whether nothing says when epochs begin: `mne.EpochsArray` without events has 0, 1, 2, ... in the place of samples."""
    if epochs.metadata is not None and "onset" in epochs.metadata:
        return False
    return len(epochs) > 1 and len(epochs.times) > 2 and np.array_equal(epochs.events[:, 0], epochs.selection)


def overlaps(onset: npt.NDArray[np.float64], epochs: mne.BaseEpochs) -> int:
    """How many epochs begin before the one before them has ended; the last sample may be that with which the next begins."""
    span = (len(epochs.times) - 1.5) / float(epochs.info["sfreq"])
    steps = np.diff(onset)
    return int(((steps >= 0) & (steps < span)).sum())


def event_onsets(epochs: mne.BaseEpochs) -> npt.NDArray[np.float64]:
    """Give the onsets of epochs by their events, in s from sample 0 of the recording, shape (n_epochs,)."""
    rate = float(np.ravel(getattr(epochs, "_raw_sfreq", None) or epochs.info["sfreq"])[0])
    return np.asarray(epochs.events[:, 0] / rate + epochs.tmin)
