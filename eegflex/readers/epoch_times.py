"""When epochs begin: not a matter of their sampling rate, which may have changed since."""

from __future__ import annotations

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.errors import RecordingError

__all__ = ["counts_epochs", "epoch_onsets", "event_onsets", "overlaps", "runs_of"]


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

    Raises
    ------
    RecordingError
        If the metadata have something else than finite numbers there.
    """
    if epochs.metadata is not None and "onset" in epochs.metadata:
        return _seconds(epochs.metadata["onset"].infer_objects())
    if counts_epochs(epochs):
        n_times, rate = len(epochs.times), float(epochs.info["sfreq"])
        # of 30 s and one sample, the last is the first of the next
        both_ends = (n_times - 1) % rate == 0 and n_times % rate != 0
        return np.asarray(epochs.selection * (n_times - both_ends) / rate, dtype=np.float64)
    return event_onsets(epochs)


def _seconds(onset: pd.Series) -> npt.NDArray[np.float64]:
    is_number = pd.api.types.is_numeric_dtype(onset) and not pd.api.types.is_bool_dtype(onset)
    found = onset.to_numpy(dtype=np.float64, na_value=np.nan) if is_number else np.full(len(onset), np.nan)
    if not np.isfinite(found).all():
        place = int(np.flatnonzero(~np.isfinite(found))[0])
        raise RecordingError(
            "metadata['onset'] says when each epoch begins, and something there is no number of seconds",
            seen=f"{onset.iloc[place]!r:.80} of epoch {place}",
            allowed="seconds from the start of the recording, such as 0.0, 30.0, 60.0",
            remedy="Correct epochs.metadata['onset'], or drop that column: the events of the epochs then say when they begin",
        )
    return found


def runs_of(epochs: mne.BaseEpochs) -> npt.NDArray[np.intp] | None:
    """Number the continuous part that each epoch is from, shape (n_epochs,), if the metadata name it, by whatever names.

    Raises
    ------
    RecordingError
        If an epoch has no name there.
    """
    if epochs.metadata is None or "run" not in epochs.metadata:
        return None
    numbers: npt.NDArray[np.intp] = pd.factorize(epochs.metadata["run"])[0]
    if (numbers < 0).any():
        raise RecordingError(
            "metadata['run'] says which continuous part of the recording each epoch is from, and some have none",
            seen=f"{int((numbers < 0).sum())} of {len(numbers)} are missing",
            remedy="Fill epochs.metadata['run'], or drop that column: the onsets then tell the parts",
        )
    return numbers


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
