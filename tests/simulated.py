"""What the tests of simulated nights share."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.signal import welch

from eegflex.simulation import head
from eegflex.simulation.event_kinds import KINDS
from eegflex.simulation.events import render_events
from eegflex.simulation.simulate import SimulatedPSG

EEG = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1"]
EPOCH = 30


def microvolts(night: SimulatedPSG, channel: str) -> np.ndarray:
    return night.raw.get_data([channel])[0] * 1e6


def stage_power(night: SimulatedPSG, channel: str, stage: str, band: tuple[float, float]) -> float:
    """Mean power of a band in µV²/Hz over the epochs of a stage."""
    sfreq = night.raw.info["sfreq"]
    epochs = microvolts(night, channel).reshape(len(night.hypnogram), -1)[night.hypnogram == stage]
    freqs, power = welch(epochs, sfreq, nperseg=int(4 * sfreq))
    return float(power[:, (freqs >= band[0]) & (freqs < band[1])].mean())


def alone(plan: pd.DataFrame, electrodes: tuple[str, ...], sfreq: float, n_times: int) -> np.ndarray:
    """Planned events and nothing else, in µV."""
    montage = head.Montage(electrodes)
    data = np.zeros((len(montage.channels), n_times))
    render_events(data, plan, KINDS, montage, sfreq, np.random.default_rng(0).integers(2**63, size=len(plan)))
    return data
