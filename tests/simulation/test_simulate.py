"""The simulated night: the same every time, of the right shape, and as its card says."""

from __future__ import annotations

import inspect
import itertools
import time
import tomllib
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
from simulated import EEG, EPOCH, microvolts

import eegflex
from eegflex.errors import ParameterError
from eegflex.simulation.artifacts import ARTIFACTS
from eegflex.simulation.event_kinds import KINDS
from eegflex.simulation.simulate import SimulatedPSG, simulate_psg
from eegflex.stages import STAGES


@pytest.fixture(scope="module")
def night() -> SimulatedPSG:
    return simulate_psg(hours=1.0, sfreq=128.0, seed=3, verbose="error")


# --- the same night every time ----------------------------------------------------------------------------------------


def test_same_seed_same_night():
    first, second = (simulate_psg(hours=0.2, sfreq=64.0, seed=7, verbose="error") for _ in range(2))
    np.testing.assert_array_equal(first.raw.get_data(), second.raw.get_data())
    np.testing.assert_array_equal(first.hypnogram, second.hypnogram)
    pd.testing.assert_frame_equal(first.events, second.events)


def test_other_seed_other_night():
    first, second = (simulate_psg(hours=0.2, sfreq=64.0, seed=seed, verbose="error") for seed in (7, 8))
    assert abs(np.corrcoef(first.raw.get_data()[0], second.raw.get_data()[0])[0, 1]) < 0.1
    assert not first.events.equals(second.events)


def test_stages_and_events_do_not_depend_on_the_rate():
    slow, fast = (simulate_psg(hours=0.2, sfreq=sfreq, seed=7, verbose="error") for sfreq in (64.0, 200.0))
    np.testing.assert_array_equal(slow.hypnogram, fast.hypnogram)
    pd.testing.assert_frame_equal(slow.events, fast.events)


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate_psg(hours=0.2, sfreq=64.0, verbose="error")
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# --- shape, labels, units ---------------------------------------------------------------------------------------------


def test_recording(night):
    raw = night.raw
    assert raw.get_channel_types() == ["eeg"] * 6 + ["eog"] * 2 + ["emg"]
    assert raw.ch_names == [*EEG, "E1-M2", "E2-M2", "Chin1-Chin2"]
    assert raw.n_times == 120 * EPOCH * 128
    assert len(night.hypnogram) == 120
    assert "simulated" in raw.info["description"]
    assert raw.info["subject_info"] is None
    assert "1 h at 128 Hz" in repr(night)


def test_annotations_are_the_hypnogram(night):
    annotations = night.raw.annotations
    assert list(annotations.description) == list(night.hypnogram)
    np.testing.assert_allclose(annotations.onset, EPOCH * np.arange(120))
    np.testing.assert_allclose(annotations.duration, EPOCH)


def test_positions_lie_at_the_anodes(night):
    positions = night.raw.get_montage().get_positions()["ch_pos"]
    assert list(positions) == EEG
    assert positions["F3-M2"][0] < 0 < positions["F4-M1"][0]  # x to the right
    assert positions["O1-M2"][1] < positions["C3-M2"][1] < positions["F3-M2"][1]  # y to the front


def test_hypnogram_cannot_be_changed(night):
    with pytest.raises(ValueError, match="read-only"):
        night.hypnogram[0] = "REM"


@pytest.mark.parametrize("stage", STAGES)
def test_amplitudes_in_volts(night, stage):
    """Standard deviations of 30-s epochs that a technologist would believe."""
    limits = {"W": (7, 30), "N1": (6, 25), "N2": (8, 30), "N3": (15, 60), "REM": (6, 25)}[stage]
    for channel in EEG:
        epochs = microvolts(night, channel).reshape(120, -1)[night.hypnogram == stage]
        assert limits[0] < np.median(epochs.std(axis=1)) < limits[1], channel
    assert np.abs(night.raw.get_data()).max() < 1e-3


# --- the recipe card --------------------------------------------------------------------------------------------------


def test_card_says_what_the_code_does(night):
    card = tomllib.loads((Path(__file__).parents[2] / "datasets" / "simulated.toml").read_text("utf-8"))
    assert card["simulated"] is True
    defaults = {name: parameter.default for name, parameter in inspect.signature(simulate_psg).parameters.items()}
    assert card["recipe"]["function"] == "eegflex.simulate_psg"
    assert eegflex.simulate_psg is simulate_psg
    said = card["recipe"]["parameters"]
    assert {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()} == {
        name: value for name, value in defaults.items() if name != "verbose"
    }
    recording = card["recording"]
    assert [*recording["eeg"], *recording["eog"], *recording["emg"]] == night.raw.ch_names
    assert recording["begins"] == night.raw.info["meas_date"]
    assert tuple(recording["stages"]) == STAGES
    kinds = {name: set(stages) for name, stages in card["content"]["events"].items()}
    assert kinds == {name: kind.stages for name, kind in KINDS.items()}
    assert card["content"]["on_request"] == list(ARTIFACTS)


# --- bad arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"hours": 0}, "hours is out of range. Got 0. Allowed: 0.2 to 24"),
        ({"hours": -1.0}, "hours is out of range"),
        ({"hours": 25}, "hours is out of range"),
        ({"hours": float("nan")}, "hours must be a finite number"),
        ({"hours": "7"}, "hours must be a finite number"),
        ({"sfreq": 50.0}, "sfreq is out of range. Got 50 Hz. Allowed: 64 to 2048 Hz"),
        ({"sfreq": 1e6}, "sfreq is out of range"),
        ({"sfreq": 100.01}, "whole number of samples"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"electrodes": "Fz"}, "electrodes must be a list"),
        ({"electrodes": []}, "electrodes must be a list"),
        ({"electrodes": ["Fz", "Q7"]}, "electrodes of the 10-05 system. Got Q7"),
        ({"electrodes": ["Fz", "A1"]}, "The mastoids are the reference. Got A1"),
        ({"electrodes": ["T3", "T7"]}, "named twice"),
        ({"artifacts": "line"}, "artifacts must be a list"),
        ({"artifacts": ["ecg", "emg"]}, "Got emg. Allowed: line, ecg, sweat, movement, pop"),
        ({"artifacts": ["line"], "sfreq": 100.0}, "cannot be sampled at this rate.*above 100 Hz"),
        ({"artifacts": ["line"], "line_freq": 16.7}, "line_freq must be one of 50.0, 60.0. Got 16.7"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(ParameterError, match=says):
        simulate_psg(**arguments)


def test_remedy_of_a_bad_rate_works():
    with pytest.raises(ParameterError) as caught:
        simulate_psg(sfreq=100.01)
    rate = float(str(caught.value).rstrip(".").rsplit(" ", 1)[1])
    assert simulate_psg(hours=0.2, sfreq=rate, verbose="error").raw.n_times == round(24 * 30 * rate)


def test_one_line_in_the_log():
    with mne.utils.catch_logging() as log:
        simulate_psg(hours=0.2, sfreq=64.0, seed=5, verbose="info")
    lines = log.getvalue().strip().splitlines()
    assert len(lines) == 1
    assert "seed 5" in lines[0]


@pytest.mark.slow
def test_whole_night_is_quick():
    start = time.process_time()
    night = simulate_psg(verbose="error")
    assert time.process_time() - start < 20
    assert night.raw.n_times == 7 * 3600 * 256
    stages = [stage for stage, _ in itertools.groupby(night.hypnogram)]
    assert stages[:2] == ["W", "N1"]
