"""Epochs of noise, and what networks make of them."""

from __future__ import annotations

import mne
import numpy as np

import eegflex


def noise_epochs(n_epochs=6, n_channels=2, sfreq=32.0, n_times=None, seed=0, scale=1.0):
    """Epochs of white noise; with `scale` 1 they are in the networks' own size."""
    n_times = int(30 * sfreq) if n_times is None else n_times
    data = scale * np.random.default_rng(seed).standard_normal((n_epochs, n_channels, n_times))
    info = mne.create_info([f"EEG{i}" for i in range(n_channels)], sfreq, "eeg")
    events = np.column_stack([np.arange(n_epochs) * n_times, np.zeros(n_epochs, int), np.ones(n_epochs, int)])
    return mne.EpochsArray(data, info, events=events, baseline=None, verbose="error")


def with_gaps(epochs, kept):
    """What a recording that was paused in between gives: some of the epochs, and no word of others."""
    events = epochs.events[kept]
    return mne.EpochsArray(epochs.get_data()[kept], epochs.info, events=events, baseline=None, verbose="error")


def scored_epochs(stages=("W", "N1", "N2", "N3", "REM"), n_epochs=6, **kwargs):
    """Epochs of noise that a hypnogram scores, with these stages in turn."""
    epochs = noise_epochs(n_epochs=n_epochs, **kwargs)
    epochs.event_id = {stage: i + 1 for i, stage in enumerate(stages)}
    epochs.events[:, 2] = np.arange(n_epochs) % len(stages) + 1
    return epochs


def explain(epochs, model, **kwargs):
    """Explain from silence, as the definitions that are tested have it, unless another baseline is asked for."""
    return eegflex.attribute_epochs(epochs, model, **{"baseline": "zero", "verbose": "error"} | kwargs)


def view(result, name="frequency_view"):
    return result.to_xarray()[name].values.astype(float)
