"""Simulate a polysomnogram whose stages and events are known."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from mne.utils import logger, verbose
from numpy.typing import NDArray

from .errors import ParameterError
from .readers.notes import SIMULATED, ReadingNotes, put_notes
from .simulation import head
from .simulation.background import render_background
from .simulation.events import plan_events, render_events
from .simulation.files import SimulatedFiles, write_night
from .simulation.hypnogram import EPOCH_LENGTH, MIN_EPOCHS, draw_hypnogram

__all__ = ["SimulatedFiles", "SimulatedPSG", "simulate_psg"]

MIN_SFREQ = 64.0  # Hz: the beta band reaches to 30 Hz, and filters need some room above
MAX_SFREQ = 2048.0
MAX_HOURS = 24.0
MAX_SEED = 2**32 - 1  # so that it fits into the header of an EDF
NIGHT_BEGINS = dt.datetime(2000, 1, 1, 22, 30, tzinfo=dt.UTC)  # fictional, the same for every night


@dataclass(frozen=True, eq=False)
class SimulatedPSG:
    """A simulated night with its ground truth. No person was recorded.

    Attributes
    ----------
    raw : mne.io.RawArray
        Six EEG derivations, two EOG and the chin EMG, in volts, with the EEG positions at the anodes and one annotation
        an epoch: 'W', 'N1', 'N2', 'N3' or 'REM'.
    events : pandas.DataFrame
        One row an event, by onset: ``onset`` and ``duration`` (s), ``kind``, ``stage``, ``frequency`` (Hz, NaN where
        it has none), ``amplitude`` (µV, the peak in the channel with the largest weight), and under each channel's
        name its weight, the largest being 1 in absolute value: to channel c the event adds weight x amplitude x
        waveform.
    hypnogram : array of str, shape (n_epochs,)
        The stage of each 30-s epoch.
    seed : int
        The seed of the night.
    """

    raw: mne.io.RawArray
    events: pd.DataFrame
    hypnogram: NDArray[np.str_]
    seed: int

    def __repr__(self) -> str:
        hours = len(self.hypnogram) * EPOCH_LENGTH / 3600
        sfreq = self.raw.info["sfreq"]
        return f"<SimulatedPSG | {hours:g} h at {sfreq:g} Hz, {len(self.events)} events, seed {self.seed}>"

    def save(self, fname: str | Path, *, overwrite: bool = False) -> SimulatedFiles:
        """Write the night as EDF+, with its hypnogram and its events beside it.

        Parameters
        ----------
        fname : path-like
            The night's file, ending in ``.edf``: for ``night.edf``, ``night-hypnogram.edf`` (EDF+ annotations,
            'Sleep stage W' and so on) and ``night-events.tsv`` (the ground truth) are written too.
        overwrite : bool
            Whether files that are there may be replaced.

        Returns
        -------
        SimulatedFiles
            The three paths: ``psg``, ``hypnogram``, ``events``.

        Raises
        ------
        OutputError
            If a file is there and `overwrite` is False, or the directory cannot be written. No file is then left
            half-written.
        """
        return write_night(fname, self.raw, self.hypnogram, self.events, seed=self.seed, overwrite=overwrite)


@verbose
def simulate_psg(
    *, hours: float = 7.0, sfreq: float = 256.0, seed: int = 0, verbose: bool | str | int | None = None
) -> SimulatedPSG:
    """Simulate a night of sleep.

    The signals are made up: a 1/f background from sources shared by the channels, and on it the rhythms and
    graphoelements of each stage, eye movements and muscle tone, all with known times. It serves to test and to
    demonstrate; it is no evidence about sleep.

    Parameters
    ----------
    hours : float
        Length in hours, rounded to whole 30-s epochs, from 0.2 to 24. A night shorter than a sleep cycle (90 min) is
        one shortened cycle, so that every stage occurs.
    sfreq : float
        Sampling rate in Hz, at least 64; 30 s must be a whole number of samples.
    seed : int
        From 0 to 2**32 - 1; the same seed gives the same night. The hypnogram and the events do not depend on `sfreq`.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    SimulatedPSG
        The recording, its hypnogram and the table of its events.

    Examples
    --------
    >>> import eegflex.simulate
    >>> night = eegflex.simulate.simulate_psg(hours=0.5, seed=1, verbose="error")
    >>> night.raw.ch_names[:2], night.raw.get_channel_types()[-1], str(night.hypnogram[0])
    (['F3-M2', 'F4-M1'], 'emg', 'W')
    """
    n_epochs, sfreq, seed = _checked(hours, sfreq, seed)
    stages_rng, plan_rng, background_rng, render_rng = np.random.default_rng(seed).spawn(4)
    hypnogram = draw_hypnogram(n_epochs, stages_rng)
    hypnogram.flags.writeable = False
    events = plan_events(hypnogram, plan_rng)
    data = np.zeros((len(head.CHANNEL_TYPES), n_epochs * round(EPOCH_LENGTH * sfreq)))
    render_background(data, hypnogram, sfreq, background_rng)
    render_events(data, events, sfreq, render_rng)
    data *= 1e-6  # µV to V
    raw = _raw(data, sfreq, hypnogram, seed)
    logger.info(f"Simulated a night of {n_epochs * EPOCH_LENGTH / 3600:g} h (seed {seed}): {len(events)} events.")
    return SimulatedPSG(raw=raw, events=events, hypnogram=hypnogram, seed=seed)


def _checked(hours: float, sfreq: float, seed: int) -> tuple[int, float, int]:
    """Check the arguments; return the number of epochs, the rate and the seed."""
    for name, value in (("hours", hours), ("sfreq", sfreq)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
            raise ParameterError(f"{name} must be a finite number", seen=repr(value))
    n_epochs = round(hours * 3600 / EPOCH_LENGTH)
    if hours > MAX_HOURS or n_epochs < MIN_EPOCHS:
        raise ParameterError(
            "hours is out of range",
            seen=hours,
            allowed=f"{MIN_EPOCHS * EPOCH_LENGTH / 3600:g} to {MAX_HOURS:g}",
            remedy="Give the length of the night in hours",
        )
    if not MIN_SFREQ <= sfreq <= MAX_SFREQ:
        raise ParameterError(
            "sfreq is out of range",
            seen=f"{sfreq:g} Hz",
            allowed=f"{MIN_SFREQ:g} to {MAX_SFREQ:g} Hz",
            remedy="The beta band reaches to 30 Hz; 128 or 256 Hz are usual",
        )
    n_times = EPOCH_LENGTH * sfreq
    if abs(n_times - round(n_times)) > 1e-6 * n_times:
        raise ParameterError(
            "A 30-s epoch must be a whole number of samples",
            seen=f"sfreq={sfreq!r}, {n_times:g} samples",
            remedy=f"Take a rate that is a multiple of 1/30 Hz, such as {round(n_times) / EPOCH_LENGTH!r}",
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= MAX_SEED:
        raise ParameterError("seed must be a whole number", seen=repr(seed), allowed=f"0 to {MAX_SEED}")
    return n_epochs, float(sfreq), int(seed)


def _raw(data: NDArray[np.float64], sfreq: float, hypnogram: NDArray[np.str_], seed: int) -> mne.io.RawArray:
    info = mne.create_info(list(head.CHANNEL_TYPES), sfreq, list(head.CHANNEL_TYPES.values()))
    info["description"] = f"eegflex simulated night, seed {seed}"
    raw = mne.io.RawArray(data, info, verbose="error")
    raw.set_montage(head.montage())
    raw.set_meas_date(NIGHT_BEGINS)
    put_notes(raw.info, ReadingNotes(source="", format="simulated", warnings=[SIMULATED]))
    onsets = EPOCH_LENGTH * np.arange(len(hypnogram))
    raw.set_annotations(mne.Annotations(onsets, EPOCH_LENGTH, hypnogram, orig_time=NIGHT_BEGINS))
    return raw
