"""Recordings of noise, and their epochs of 30 s as MNE itself cuts them."""

from __future__ import annotations

import mne
import numpy as np


def continuous(sfreq=200.0, n_epochs=5, names=("C3-M2", "E1-M2"), types=("eeg", "eog"), seed=0):
    """Noise of 20 µV below 30 Hz."""
    rng = np.random.default_rng(seed)
    n_times = int(n_epochs * 30 * sfreq)
    data = 2e-5 * mne.filter.filter_data(rng.standard_normal((len(names), n_times)), sfreq, None, 30.0, verbose="error")
    return mne.io.RawArray(data, mne.create_info(list(names), sfreq, list(types)), verbose="error")


def cut(raw, tmax=None):
    events = mne.make_fixed_length_events(raw, duration=30.0)
    tmax = 30 - 1 / raw.info["sfreq"] if tmax is None else tmax
    return mne.Epochs(raw, events, tmin=0, tmax=tmax, baseline=None, preload=True, verbose="error")
