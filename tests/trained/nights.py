"""Simulated nights on which spindles alone tell N2 from N1: made of the simulator's parts."""

from __future__ import annotations

from dataclasses import replace

import mne
import numpy as np

from eegflex.simulation import SimulatedPSG
from eegflex.simulation.background import render_background
from eegflex.simulation.event_kinds import KINDS
from eegflex.simulation.events import Planner, render_events
from eegflex.simulation.head import STANDARD
from eegflex.simulation.hypnogram import draw_hypnogram
from eegflex.simulation.states import draw_states

#: What is planted, and in which stage: the kinds of events that each stage is known by, and in N1 nothing.
PLANTED = {
    "alpha": {"W closed": 26.0, "W open": 26.0},
    "slow_wave": {"N3": 34.0},
    "spindle": {"N2": 6.0},
    "sawtooth": {"REM phasic": 8.0, "REM tonic": 8.0},
}
SFREQ = 100.0


def spindle_night(hours, seed):
    """A night with one background in all stages, and what was planted in it.

    Returns
    -------
    night : SimulatedPSG
        The recording, its hypnogram and the table of what was planted.
    """
    stages_rng, states_rng, background_rng, events_rng, render_rng = np.random.default_rng([seed, 0x5350]).spawn(5)
    n_epochs = round(120 * hours)
    hypnogram = draw_hypnogram(n_epochs, stages_rng)
    data = np.zeros((len(STANDARD.channels), round(30 * SFREQ) * n_epochs))
    render_background(data, np.full(n_epochs, "N2"), STANDARD, SFREQ, background_rng)
    kinds = {name: _only(KINDS[name], rates) for name, rates in PLANTED.items()}
    plan = Planner(kinds, draw_states(hypnogram, states_rng), n_epochs).plan(events_rng)
    events = render_events(data, plan, kinds, STANDARD, SFREQ, render_rng.integers(2**63, size=len(plan)))
    info = mne.create_info(STANDARD.channels, SFREQ, list(STANDARD.channel_types.values()))
    raw = mne.io.RawArray(1e-6 * data, info, verbose="error")
    STANDARD.place(raw.info)
    raw.set_annotations(mne.Annotations(30.0 * np.arange(n_epochs), 30.0, hypnogram))
    return SimulatedPSG(raw=raw, events=events, hypnogram=hypnogram, seed=seed)


def _only(kind, rates):
    """A kind of event that comes at these rates, by itself."""
    return replace(kind, rates=rates, carrier="", drawn=0.0, factors={})
