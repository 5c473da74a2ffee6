"""When epochs begin: not a matter of their sampling rate, which may have changed since."""

from __future__ import annotations

import mne
import numpy as np
import numpy.typing as npt

__all__ = ["epoch_onsets", "event_onsets"]


def epoch_onsets(epochs: mne.BaseEpochs) -> npt.NDArray[np.float64]:
    """Give the onsets of epochs in s.

    Those of the metadata, else of the events. These count samples of the recording that the epochs were cut from, whatever
    rate the epochs have now: neither `resample` nor `decimate` changes them, and a FIF file keeps that rate.

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
    return event_onsets(epochs)


def event_onsets(epochs: mne.BaseEpochs) -> npt.NDArray[np.float64]:
    """Give the onsets of epochs by their events, in s from sample 0 of the recording, shape (n_epochs,)."""
    rate = float(np.ravel(getattr(epochs, "_raw_sfreq", None) or epochs.info["sfreq"])[0])
    return np.asarray(epochs.events[:, 0] / rate + epochs.tmin)
