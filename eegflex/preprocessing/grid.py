"""The grid on which a stager is given a recording: the samples of an epoch, when epochs begin, and which follow each other."""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
import numpy.typing as npt

from eegflex.errors import RecordingError
from eegflex.preprocessing.channels import Inputs
from eegflex.readers.epoch_times import epoch_onsets, runs_of
from eegflex.spec.model_spec import ModelSpec

__all__ = ["Grid", "lay_grid"]


@dataclass(frozen=True, eq=False)
class Grid:
    """Samples and epochs, as recorded and as the stager is given them.

    Attributes
    ----------
    recorded, sfreq : float
        Rate of the recording and of the stager, in Hz.
    n_recorded, n_times : int
        Samples of an epoch at these rates.
    onset : array of float64, shape (n_epochs,)
        When each epoch begins, in s from the start of the recording.
    run : array of int64, shape (n_epochs,)
        The number of the stretch contiguous in time that each epoch lies in, ascending.
    shares : int
        1 where the stager is given, after an epoch's `n_times` samples, the first of the next one too; else 0.
    """

    recorded: float
    sfreq: float
    n_recorded: int
    n_times: int
    onset: npt.NDArray[np.float64]
    run: npt.NDArray[np.int64]
    shares: int = 0

    @property
    def duration(self) -> float:
        """Length of an epoch in s."""
        return self.n_times / self.sfreq

    @property
    def resamples(self) -> bool:
        """Whether the rate changes."""
        return self.n_recorded != self.n_times or abs(self.recorded - self.sfreq) >= 1e-9


def lay_grid(epochs: mne.BaseEpochs, spec: ModelSpec, inputs: Inputs) -> Grid:
    """Lay the stager's grid on a recording.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The recording.
    spec : ModelSpec
        The stager's contract.
    inputs : Inputs
        The channels that it is given.

    Returns
    -------
    grid : Grid
        Its samples, epochs and runs.

    Raises
    ------
    RecordingError
        If a channel was recorded at a lower rate than the stager's, or the epochs are too short for it.
    """
    onset = epoch_onsets(epochs)
    recorded = float(epochs.info["sfreq"])
    available = len(epochs.times) - _overlap(onset, epochs)
    sfreq = recorded if spec.sfreq is None else spec.sfreq
    _refuse_slow(inputs, sfreq, spec)
    n_times = spec.n_times
    if n_times is None:
        n_times = round(len(epochs.times) / recorded * sfreq)
    # networks made of MNE's epochs, whose ends are both included, take 3001 samples of 30 s at 100 Hz
    shares = int(n_times - 1 == round(available / recorded * sfreq) > 1)
    n_times -= shares
    duration = n_times / sfreq
    n_recorded = round(duration * recorded)
    if available < n_recorded:
        raise RecordingError(
            f"{spec.name} needs epochs of {duration:g} s",
            seen=f"{available / recorded:g} s",
            remedy="Cut the recording with eegflex.make_epochs(raw, duration=...)",
        )
    return Grid(recorded, sfreq, n_recorded, n_times, onset, _runs(epochs, onset, duration), shares)


def _overlap(onset: npt.NDArray[np.float64], epochs: mne.BaseEpochs) -> int:
    """1 where the last sample of each epoch is the first of the next, as in MNE's own epochs; else 0."""
    if len(onset) < 2:
        return 0
    shared = len(epochs.times) - float(np.diff(onset).min()) * float(epochs.info["sfreq"])
    return int(abs(shared - 1) < 0.5)


def _refuse_slow(inputs: Inputs, sfreq: float, spec: ModelSpec) -> None:
    slow = {c.name: c.native_sfreq for c in inputs.channels if c.native_sfreq < sfreq * (1 - 1e-6)}
    if slow:
        raise RecordingError(
            f"{spec.name} needs {sfreq:.6g} Hz, more than these channels were recorded at",
            seen=", ".join(f"{name}: {rate:g} Hz" for name, rate in slow.items()),
            allowed=[c.name for c in inputs.channels if c.name not in slow],
            remedy="Use a stager that was trained at a lower rate, or other channels",
        )


def _runs(epochs: mne.BaseEpochs, onset: npt.NDArray[np.float64], duration: float) -> npt.NDArray[np.int64]:
    """Number the stretches in which every epoch begins where the one before it ends, to half a sample.

    Recordings that were joined may meet where one epoch ends and the next begins: the metadata know.
    """
    breaks = np.abs(np.diff(onset) - duration) >= 0.5 / float(epochs.info["sfreq"])
    if (run := runs_of(epochs)) is not None:
        breaks |= np.diff(run) != 0
    return np.concatenate([[0], np.cumsum(breaks)]).astype(np.int64)
