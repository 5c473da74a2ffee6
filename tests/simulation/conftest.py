"""Nights that the tests share. Not to be changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eegflex.simulation.event_kinds import KINDS
from eegflex.simulation.events import Planner
from eegflex.simulation.hypnogram import draw_hypnogram
from eegflex.simulation.simulate import SimulatedPSG, simulate_psg
from eegflex.simulation.states import draw_states


@pytest.fixture(scope="session")
def night() -> SimulatedPSG:
    return simulate_psg(hours=1.0, sfreq=128.0, seed=3, verbose="error")


@pytest.fixture(scope="session")
def saved(night, tmp_path_factory):
    return night.save(tmp_path_factory.mktemp("night") / "night.edf")


@pytest.fixture(scope="session")
def long_hypnogram() -> np.ndarray:
    return draw_hypnogram(840, np.random.default_rng(0))


@pytest.fixture(scope="session")
def long_events(long_hypnogram) -> pd.DataFrame:
    states = draw_states(long_hypnogram, np.random.default_rng(1))
    return Planner(KINDS, states, len(long_hypnogram)).plan(np.random.default_rng(2))


@pytest.fixture(scope="session")
def clean():
    return simulate_psg(hours=1.0, sfreq=128.0, seed=5, verbose="error")
