"""Each stage has its rhythms, in their places."""

from __future__ import annotations

import numpy as np
from simulated import EEG, EPOCH, microvolts, stage_power

from eegflex.stages import STAGES


def test_delta_grows_with_depth(night):
    for channel in ("F3-M2", "C4-M1"):
        powers = [stage_power(night, channel, stage, (0.5, 4)) for stage in ("N3", "N2", "W")]
        assert powers[0] > 3 * powers[1] > 3 * powers[2], channel


def test_slow_waves_are_frontal(night):
    delta = {channel: stage_power(night, channel, "N3", (0.5, 2)) for channel in EEG}
    assert delta["F3-M2"] > 1.5 * delta["O1-M2"]
    assert delta["F4-M1"] > 1.5 * delta["O2-M1"]


def test_alpha_is_posterior_and_of_wakefulness(night):
    occipital = stage_power(night, "O1-M2", "W", (8, 12))
    assert occipital > 3 * stage_power(night, "F3-M2", "W", (8, 12))
    assert occipital > 5 * stage_power(night, "O1-M2", "REM", (8, 12))


def test_chin_tone_falls(night):
    tone = {
        stage: np.median(microvolts(night, "Chin1-Chin2").reshape(120, -1)[night.hypnogram == stage].std(axis=1))
        for stage in STAGES
    }
    assert tone["W"] > tone["N1"] > tone["N2"] > tone["REM"]
    assert tone["REM"] < 0.3 * tone["W"]


def test_eyes_move_against_each_other_in_rem(night):
    rem = np.repeat(night.hypnogram == "REM", EPOCH * 128)
    deep = np.repeat(night.hypnogram == "N3", EPOCH * 128)
    left, right = microvolts(night, "E1-M2"), microvolts(night, "E2-M2")
    assert np.corrcoef(left[rem], right[rem])[0, 1] < -0.3
    assert np.corrcoef(left[deep], right[deep])[0, 1] > 0.5  # slow waves reach both eyes alike


def test_channels_share_sources(night):
    sleep = np.repeat(night.hypnogram == "N2", EPOCH * 128)
    correlation = np.corrcoef(night.raw.get_data(EEG)[:, sleep])
    assert correlation[EEG.index("F3-M2"), EEG.index("C3-M2")] > 0.6
    assert 0.3 < correlation[EEG.index("C3-M2"), EEG.index("C4-M1")] < 0.9
    assert correlation[EEG.index("F3-M2"), EEG.index("O2-M1")] < 0.5


def test_epochs_of_a_stage_differ(night):
    """No stage is one fixed level: neither the amplitude nor the number of spindles is constant."""
    epochs = microvolts(night, "C4-M1").reshape(120, -1)
    for stage in STAGES:
        deviations = epochs[night.hypnogram == stage].std(axis=1)
        assert deviations.std() > 0.05 * deviations.mean(), stage
    spindles = night.events.query("kind == 'spindle'")
    counts = np.bincount((spindles["onset"] // EPOCH).astype(int), minlength=120)[night.hypnogram == "N2"]
    assert counts.min() == 0
    assert counts.max() >= 3
