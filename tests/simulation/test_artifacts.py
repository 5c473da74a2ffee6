"""Artifacts are where the truth says, and the night is otherwise the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eegflex.simulation.artifacts import ARTIFACTS
from eegflex.simulation.simulate import simulate_psg


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_artifact_is_where_the_truth_says_and_nowhere_else(clean, name):
    spoilt = simulate_psg(hours=1.0, sfreq=128.0, seed=5, artifacts=[name], verbose="error")
    planted = spoilt.events.query("kind == @name")
    assert len(planted) > 0
    pd.testing.assert_frame_equal(spoilt.events.query("kind != @name").reset_index(drop=True), clean.events)
    added = (spoilt.raw.get_data() - clean.raw.get_data()) * 1e6
    for channel, signal in zip(clean.raw.ch_names, added, strict=True):
        inside = np.zeros(len(signal), dtype=bool)
        weighted = planted[planted[channel] != 0]
        for onset, duration in zip(weighted["onset"], weighted["duration"], strict=True):
            inside[int(onset * 128) : int((onset + duration) * 128) + 2] = True
        assert np.abs(signal[~inside]).max(initial=0) < 1e-6, channel
        if len(weighted):
            assert np.abs(signal).max() > 0.2 * (weighted["amplitude"] * weighted[channel].abs()).max(), channel


def test_line_noise_is_a_sine_of_the_mains(clean):
    for line_freq in (50.0, 60.0):
        spoilt = simulate_psg(hours=1.0, sfreq=128.0, seed=5, artifacts=["line"], line_freq=line_freq, verbose="error")
        added = (spoilt.raw.get_data() - clean.raw.get_data()) * 1e6
        line = spoilt.events.query("kind == 'line'")
        assert line["frequency"].unique() == [line_freq]
        assert line["duration"].sum() == 3600
        sine = np.sin(2 * np.pi * line_freq * spoilt.raw.times)
        sizes = line["amplitude"].iloc[0] * line[spoilt.raw.ch_names].iloc[0].to_numpy()
        np.testing.assert_allclose(added, np.outer(sizes, sine), atol=1e-6)


def test_a_reference_that_pops_is_in_every_channel_it_refers():
    night = simulate_psg(hours=4.0, sfreq=64.0, seed=1, artifacts=["pop"], verbose="error")
    weights = night.events.query("kind == 'pop'")[night.raw.ch_names]
    with_m1 = weights[(weights["F4-M1"] == -1)]
    assert len(with_m1) > 0
    assert (with_m1[["F4-M1", "C4-M1", "O2-M1"]] == -1).all(axis=None)
    assert (with_m1.drop(columns=["F4-M1", "C4-M1", "O2-M1"]) == 0).all(axis=None)


def test_the_heart_beats_slower_in_sleep():
    night = simulate_psg(hours=1.0, sfreq=64.0, artifacts=["ecg"], verbose="error")
    beats = night.events.query("kind == 'ecg'")
    rates = beats.groupby("stage")["frequency"].mean() * 60
    assert 50 < rates["N3"] < rates["W"] < 80
    assert len(beats) == pytest.approx(rates.mean() * 60, rel=0.1)
