"""Simulate a polysomnogram whose stages and events are known."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from mne.utils import logger
from numpy.typing import NDArray

from eegflex.errors import ParameterError, check_choice
from eegflex.readers.channels.electrodes import MASTOIDS, canonical, electrode
from eegflex.readers.notes import SIMULATED, ReadingNotes, put_notes
from eegflex.simulation.artifacts import MAINS, plan_artifacts, wanted_artifacts
from eegflex.simulation.background import render_background
from eegflex.simulation.bids import write_bids
from eegflex.simulation.event_kinds import KINDS
from eegflex.simulation.events import render_events
from eegflex.simulation.head import EEG_ELECTRODES, EYES, Montage
from eegflex.simulation.hypnogram import MIN_EPOCHS, draw_hypnogram
from eegflex.simulation.knobs import check_knobs, plan_night
from eegflex.simulation.states import draw_states
from eegflex.simulation.write import SimulatedFiles, write_night
from eegflex.stages import EPOCH_DURATION
from eegflex.utils.arguments import checked_methods
from eegflex.utils.given import MOST_SEED, Span, check_count
from eegflex.utils.verbose import verbose

__all__ = ["SimulatedFiles", "SimulatedPSG", "simulate_psg"]

MIN_SFREQ = 64.0  # Hz: the beta band reaches to 30 Hz, and filters need some room above
MAX_SFREQ = 2048.0
MAX_HOURS = 24.0
LEAST_WEIGHT = 0.05  # of an event, for its annotation to name the channel
NIGHT_BEGINS = dt.datetime(2000, 1, 1, 22, 30, tzinfo=dt.UTC)  # fictional, the same for every night


@checked_methods
@dataclass(frozen=True, eq=False)
class SimulatedPSG:
    """A simulated night with its ground truth. No person was recorded.

    Attributes
    ----------
    raw : mne.io.RawArray
        The EEG derivations, two EOG and the chin EMG, in volts, with the EEG positions at the electrodes and one
        annotation an epoch: 'W', 'N1', 'N2', 'N3' or 'REM'.
    events : pandas.DataFrame
        One row an event, by onset: `onset` and `duration` (s), `kind`, `stage`, `frequency` (Hz, NaN where
        it has none), `amplitude` (µV), `speed` (m/s, at which its source travels from the front to the back; NaN
        where it stays), and under each channel's name its weight: to channel c the event adds weight x amplitude x
        waveform, a waveform having a peak of about 1. (A travelling event reaches the channels one after the other;
        its weights are those of its whole way.) The largest weight of an event is 1 in absolute value on the standard
        electrodes, and what it is on others follows from where they are. Artifacts are events too.
    hypnogram : array of str, shape (n_epochs,)
        The stage of each 30-s epoch.
    seed : int
        The seed of the night.

    See Also
    --------
    eegflex.simulate_psg : Simulate a night.
    eegflex.read_psg : Read a recording with its hypnogram.
    eegflex.make_epochs : Cut a recording into epochs of 30 s.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error")
    >>> len(night.hypnogram), "spindle" in set(night.events["kind"])
    (24, True)
    """

    raw: mne.io.RawArray
    events: pd.DataFrame
    hypnogram: NDArray[np.str_]
    seed: int

    def __repr__(self) -> str:
        hours = len(self.hypnogram) * EPOCH_DURATION / 3600
        sfreq = self.raw.info["sfreq"]
        return f"<SimulatedPSG | {hours:g} h at {sfreq:g} Hz, {len(self.events)} events, seed {self.seed}>"

    def save(self, fname: str | Path, *, overwrite: bool = False) -> SimulatedFiles:
        """Save the night as EDF+, with its hypnogram and its events.

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
            The three paths: `psg`, `hypnogram`, `events`.

        Raises
        ------
        OutputError
            If a file is there and `overwrite` is False, or the directory cannot be written. No file is then left
            half-written.
        """
        return write_night(fname, self.raw, self.hypnogram, self.events, seed=self.seed, overwrite=overwrite)

    @cached_property
    def event_annotations(self) -> mne.Annotations:
        """The events as annotations: the kind as description, and the channels on which the event has a weight.

        Add them to those of the recording to see both: ``raw.set_annotations(raw.annotations + night.event_annotations)``.
        """
        channels = np.array(self.raw.ch_names)
        weighted = np.abs(self.events[self.raw.ch_names].to_numpy()) >= LEAST_WEIGHT
        return mne.Annotations(
            self.events["onset"].to_numpy(),
            self.events["duration"].to_numpy(),
            self.events["kind"].to_numpy(dtype=str),
            orig_time=self.raw.info["meas_date"],
            ch_names=[tuple(channels[row]) for row in weighted],
        )

    def save_bids(
        self, root: str | Path, *, subject: str = "01", session: str | None = None, overwrite: bool = False
    ) -> Path:
        """Write the night into a BIDS data set (extra `bids`).

        Parameters
        ----------
        root : path-like
            The data set's directory; made if need be. Nights of other subjects that are there stay.
        subject : str
            The subject's label: letters and digits.
        session : str | None
            The session's label, if there are sessions.
        overwrite : bool
            Whether files of this subject and session may be replaced.

        Returns
        -------
        Path
            The recording, ``sub-01/eeg/sub-01_task-sleep_eeg.edf``. Its ``events.tsv`` holds the hypnogram; the
            ground truth lies in ``derivatives/eegflex-simulation``.

        Raises
        ------
        MissingExtraError
            If mne-bids is not installed.
        OutputError
            If the files are there and `overwrite` is False, or cannot be written.
        ParameterError
            If a label is none.
        """
        return write_bids(
            root, self.raw, self.hypnogram, self.events, seed=self.seed, labels=(subject, session), overwrite=overwrite
        )


@verbose
def simulate_psg(
    *,
    hours: float = 7.0,
    sfreq: float = 256.0,
    seed: int = 0,
    electrodes: Sequence[str] = EEG_ELECTRODES,
    artifacts: Sequence[str] = (),
    line_freq: float = 50.0,
    spindle_density: float = 1.0,
    spindle_amplitude: float = 1.0,
    slow_wave_amplitude: float = 1.0,
    alpha: float = 1.0,
    verbose: bool | str | int | None = None,
) -> SimulatedPSG:
    """Simulate a night of sleep.

    The signals are made up: sources in a spherical head make the aperiodic background, the rhythms and graphoelements
    of each stage and the eye movements, and every electrode, the mastoids too, receives them as its place has it. The
    events are known. It serves to test and to demonstrate; it is no evidence about sleep.

    Parameters
    ----------
    hours : float
        Length in hours, rounded to whole 30-s epochs, from 0.2 to 24. A night shorter than a sleep cycle (90 min) is
        one shortened cycle, so that every stage occurs.
    sfreq : float
        Sampling rate in Hz, at least 64; 30 s must be a whole number of samples.
    seed : int
        From 0 to 2**32 - 1; the same seed gives the same night. The hypnogram and the events do not depend on `sfreq`,
        and the signal of a derivation does not depend on which others are recorded.
    electrodes : sequence of str
        The EEG electrodes, by their names in the 10-05 system (which has those of the 10-20 and the 10-10 system), each
        recorded against the contralateral mastoid, those of the midline against M2.
    artifacts : sequence of str
        What disturbs the recording: any of 'line', 'ecg', 'sweat', 'movement', 'pop'. Each is in the events, too, and
        the night without it is otherwise the same.
    line_freq : float
        Frequency of the mains in Hz, 50 or 60. With the artifact 'line' it is ``raw.info["line_freq"]`` too.
    spindle_density : float
        How many times as many spindles a minute of N2 and N3 come as usual, from 0 to 3. The usual night has some 3.5 a minute
        of N2. All else of the night stays what it is with 1.
    spindle_amplitude, slow_wave_amplitude, alpha : float
        How many times as large as usual each spindle, each slow wave (K-complexes are none) and each burst of alpha rhythm is,
        from 0 to 5. The usual medians are 30, 80 and 36 µV. With 1, which is the default, the night is the usual one, and all
        else of it stays what it is; with 0 there are none of them.
    verbose : bool | str | int | None
        As in MNE.

    Returns
    -------
    SimulatedPSG
        The recording, its hypnogram and the table of its events.

    Raises
    ------
    ParameterError
        If an argument is out of range, or a name is unknown.

    See Also
    --------
    eegflex.simulation.SimulatedPSG : A simulated night with its truth.
    eegflex.cohort.simulate_cohort : A cohort with a known truth.
    eegflex.evaluation.KnownTruth : What decides for a stager that was made so.

    Notes
    -----
    Where each constant comes from is said beside it, in ``eegflex/simulation``: `hypnogram` and `states` (the course
    of the night), `head` and `sources` (the volume conductor), `background`, `kinds` (rhythms and
    graphoelements) and `artifacts`.

    Examples
    --------
    >>> import eegflex.simulation.simulate
    >>> night = eegflex.simulation.simulate.simulate_psg(hours=0.5, seed=1, verbose="error")
    >>> night.raw.ch_names[:2], night.raw.get_channel_types()[-1], str(night.hypnogram[0])
    (['F3-M2', 'F4-M1'], 'emg', 'W')
    """
    n_epochs, sfreq, seed = _checked(hours, sfreq, seed)
    knobs = check_knobs(
        {
            "spindle_density": spindle_density,
            "spindle_amplitude": spindle_amplitude,
            "slow_wave_amplitude": slow_wave_amplitude,
            "alpha": alpha,
        }
    )
    montage = Montage(_checked_electrodes(electrodes))
    wanted = wanted_artifacts(artifacts)
    check_choice("line_freq", line_freq, MAINS)
    if "line" in wanted:
        _check_mains(line_freq, sfreq)
    stages_rng, plan_rng, background_rng, render_rng, artifacts_rng = np.random.default_rng(seed).spawn(5)
    hypnogram = draw_hypnogram(n_epochs, stages_rng)
    hypnogram.flags.writeable = False
    states_rng, events_rng = plan_rng.spawn(2)
    data = np.zeros((len(montage.channels), n_epochs * round(EPOCH_DURATION * sfreq)))
    render_background(data, hypnogram, montage, sfreq, background_rng)
    plan, seeds = plan_night(draw_states(hypnogram, states_rng), n_epochs, knobs, events_rng, render_rng)
    events = [render_events(data, plan, KINDS, montage, sfreq, seeds)]
    if wanted:
        plan = plan_artifacts(wanted, hypnogram, line_freq, artifacts_rng)
        kinds = {name: artifact.kind for name, artifact in wanted.items()}
        seeds = artifacts_rng.spawn(1)[0].integers(2**63, size=len(plan))
        events.append(render_events(data, plan, kinds, montage, sfreq, seeds))
    truth = pd.concat(events).sort_values(["onset", "kind"], kind="stable", ignore_index=True)
    data *= 1e-6  # µV to V
    turned = ", ".join(f"{name} {value:g}" for name, value in knobs.items() if value != 1)
    raw = _raw(data, sfreq, hypnogram, montage, f"seed {seed}{turned and f', {turned}'}")
    if "line" in wanted:
        raw.info["line_freq"] = float(line_freq)
    logger.info(f"Simulated a night of {n_epochs * EPOCH_DURATION / 3600:g} h (seed {seed}): {len(truth)} events.")
    return SimulatedPSG(raw=raw, events=truth, hypnogram=hypnogram, seed=seed)


def _checked_electrodes(electrodes: Sequence[str]) -> tuple[str, ...]:
    """Check the electrodes; return them by their names in the 10-05 system."""
    given = [electrodes] if isinstance(electrodes, str) else list(electrodes)
    names = [electrode(name) if isinstance(name, str) else None for name in given]
    unknown = [name for name, found in zip(given, names, strict=True) if found is None or found in EYES]
    if unknown or isinstance(electrodes, str) or not given:
        raise ParameterError(
            "electrodes must be a list of electrodes of the 10-05 system",
            seen=unknown or repr(electrodes),
            remedy="Name them as standard_1005 does, such as ['Fz', 'C3', 'Pz', 'Oz']",
        )
    found = tuple(name for name in names if name is not None)
    places = [canonical(name) for name in found]
    if taken := [name for name, place in zip(found, places, strict=True) if place in MASTOIDS]:
        raise ParameterError(
            "The mastoids are the reference", seen=taken, remedy="Leave them out: their signal is in every channel"
        )
    if len(set(places)) < len(places):
        raise ParameterError("An electrode is named twice", seen=found, remedy="Name each once (T3 is T7, T4 is T8)")
    return found


def _check_mains(line_freq: float, sfreq: float) -> None:
    if sfreq <= 2 * line_freq:
        raise ParameterError(
            "Line noise cannot be sampled at this rate",
            seen=f"line_freq={line_freq:g}, sfreq={sfreq:g}",
            allowed=f"sfreq above {2 * line_freq:g} Hz",
            remedy="Raise sfreq, or leave 'line' out of artifacts",
        )


def _checked(hours: float, sfreq: float, seed: int) -> tuple[int, float, int]:
    """Check the arguments; return the number of epochs, the rate and the seed."""
    for name, value in (("hours", hours), ("sfreq", sfreq)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
            raise ParameterError(f"{name} must be a finite number", seen=repr(value))
    n_epochs = round(hours * 3600 / EPOCH_DURATION)
    if hours > MAX_HOURS or n_epochs < MIN_EPOCHS:
        raise ParameterError(
            "hours is out of range",
            seen=hours,
            allowed=f"{MIN_EPOCHS * EPOCH_DURATION / 3600:g} to {MAX_HOURS:g}",
            remedy="Give the length of the night in hours",
        )
    if not MIN_SFREQ <= sfreq <= MAX_SFREQ:
        raise ParameterError(
            "sfreq is out of range",
            seen=f"{sfreq:g} Hz",
            allowed=f"{MIN_SFREQ:g} to {MAX_SFREQ:g} Hz",
            remedy="The beta band reaches to 30 Hz; 128 or 256 Hz are usual",
        )
    n_times = EPOCH_DURATION * sfreq
    if abs(n_times - round(n_times)) > 1e-6 * n_times:
        raise ParameterError(
            "A 30-s epoch must be a whole number of samples",
            seen=f"sfreq={sfreq!r}, {n_times:g} samples",
            remedy=f"Take a rate that is a multiple of 1/30 Hz, such as {round(n_times) / EPOCH_DURATION!r}",
        )
    return n_epochs, float(sfreq), check_count("seed", seed, Span(0, MOST_SEED)) or 0


def _raw(
    data: NDArray[np.float64], sfreq: float, hypnogram: NDArray[np.str_], montage: Montage, recipe: str
) -> mne.io.RawArray:
    info = mne.create_info(montage.channels, sfreq, list(montage.channel_types.values()))
    info["description"] = f"eegflex simulated night, {recipe}"
    raw = mne.io.RawArray(data, info, verbose="error")
    montage.place(raw.info)
    raw.set_meas_date(NIGHT_BEGINS)
    put_notes(raw.info, ReadingNotes(source="", format="simulated", warnings=[SIMULATED]))
    onsets = EPOCH_DURATION * np.arange(len(hypnogram))
    raw.set_annotations(mne.Annotations(onsets, EPOCH_DURATION, hypnogram, orig_time=NIGHT_BEGINS))
    return raw
