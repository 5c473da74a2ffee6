"""Nights that have more or less of something, and of all else the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated import EEG, EPOCH, microvolts, stage_power

from eegflex.errors import ParameterError
from eegflex.simulation.background import render_background
from eegflex.simulation.event_kinds import KINDS
from eegflex.simulation.events import Planner, render_events
from eegflex.simulation.head import EEG_ELECTRODES, Montage
from eegflex.simulation.hypnogram import draw_hypnogram
from eegflex.simulation.knobs import KNOBS, plan_night
from eegflex.simulation.simulate import simulate_psg
from eegflex.simulation.states import draw_states


def turned(seed=3, hours=1.0, **knobs):
    return simulate_psg(hours=hours, sfreq=64.0, seed=seed, verbose="error", **knobs)


@pytest.fixture(scope="module")
def usual():
    return turned()


def test_the_usual_night_is_the_night_without_knobs(usual):
    stages_rng, plan_rng, background_rng, render_rng, _ = np.random.default_rng(3).spawn(5)
    hypnogram = draw_hypnogram(120, stages_rng)
    states_rng, events_rng = plan_rng.spawn(2)
    montage = Montage(tuple(EEG_ELECTRODES))
    data = np.zeros((len(montage.channels), 120 * EPOCH * 64))
    render_background(data, hypnogram, montage, 64.0, background_rng)
    plan = Planner(KINDS, draw_states(hypnogram, states_rng), 120).plan(events_rng)
    render_events(data, plan, KINDS, montage, 64.0, render_rng.integers(2**63, size=len(plan)))
    np.testing.assert_array_equal(usual.raw.get_data(), data * 1e-6)
    np.testing.assert_array_equal(turned(**dict.fromkeys(KNOBS, 1.0)).raw.get_data(), usual.raw.get_data())


@pytest.mark.parametrize("name", [name for name, knob in KNOBS.items() if not knob.density])
@pytest.mark.parametrize("times", [0.5, 3])
def test_amplitudes_are_times_the_usual_and_nothing_else_changes(usual, name, times):
    kind = KNOBS[name].kind
    night = turned(**{name: times})
    of = (usual.events["kind"] == kind).to_numpy()
    assert of.any()
    expected = usual.events.assign(amplitude=usual.events["amplitude"] * np.where(of, times, 1))
    pd.testing.assert_frame_equal(night.events, expected)
    inside = np.zeros(usual.raw.n_times, dtype=bool)
    for onset, duration in usual.events.loc[of, ["onset", "duration"]].to_numpy():
        inside[int(onset * 64) : int((onset + duration) * 64) + 2] = True
    moved = night.raw.get_data() - usual.raw.get_data()
    np.testing.assert_allclose(moved[:, ~inside], 0, atol=1e-12)
    assert np.abs(moved[:6, inside]).max() > 1e-6


@pytest.mark.parametrize("name", KNOBS)
def test_with_none_there_are_none_and_the_rest_is_what_it_was(usual, name):
    night, kind = turned(**{name: 0}), KNOBS[name].kind
    left = usual.events[usual.events["kind"] != kind].reset_index(drop=True)
    pd.testing.assert_frame_equal(night.events, left)


@pytest.mark.parametrize("times", [0.4, 2.0, 3.0])
def test_density_is_times_the_usual(times):
    """Planned for two nights of 6 h; N2 and N3 apart."""
    counts = {(stage, density): 0 for stage in ("N2", "N3") for density in (1.0, times)}
    for seed, density in ((seed, density) for seed in (1, 2) for density in (1.0, times)):
        states = draw_states(draw_hypnogram(720, np.random.default_rng(seed)), np.random.default_rng(seed))
        plan, seeds = plan_night(
            states, 720, {"spindle_density": density}, np.random.default_rng(seed), np.random.default_rng(seed)
        )
        assert len(set(seeds)) == len(plan)
        for stage in ("N2", "N3"):
            counts[stage, density] += int((plan[["kind", "stage"]] == ["spindle", stage]).all(axis=1).sum())
    for stage, room in (("N2", 0.1), ("N3", 0.3)):
        assert counts[stage, times] / counts[stage, 1.0] == pytest.approx(times, rel=room), stage


def test_with_more_spindles_the_signal_is_the_same_where_there_are_none(usual):
    night = turned(spindle_density=2)
    others = [n.events[n.events["kind"] != "spindle"].reset_index(drop=True) for n in (usual, night)]
    pd.testing.assert_frame_equal(*others)
    away = np.ones(usual.raw.n_times, dtype=bool)
    for n in (usual, night):
        for onset, duration in n.events.loc[n.events["kind"] == "spindle", ["onset", "duration"]].to_numpy():
            away[int(onset * 64) : int((onset + duration) * 64) + 2] = False
    assert away.mean() > 0.5
    np.testing.assert_allclose(usual.raw.get_data()[:, away], night.raw.get_data()[:, away], atol=1e-12)


@pytest.mark.parametrize(
    ("knob", "stage", "band", "channel"),
    [
        ({"spindle_density": 3}, "N2", (11.5, 15.5), "C3-M2"),
        ({"spindle_amplitude": 3}, "N2", (11.5, 15.5), "C3-M2"),
        ({"slow_wave_amplitude": 2}, "N3", (0.5, 1.5), "F3-M2"),
        ({"alpha": 2}, "W", (9, 11), "O1-M2"),
    ],
)
def test_the_spectrum_of_its_stage_shows_it(usual, knob, stage, band, channel):
    night = turned(**knob)
    assert stage_power(night, channel, stage, band) > 1.5 * stage_power(usual, channel, stage, band)
    assert stage_power(night, channel, stage, (20, 28)) == pytest.approx(
        stage_power(usual, channel, stage, (20, 28)), rel=0.15
    )


def test_a_night_tells_what_was_turned_and_stays_an_eeg(usual):
    most = turned(**{name: knob.highest for name, knob in KNOBS.items()})
    assert most.raw.info["description"].endswith(
        "seed 3, spindle_density 3, spindle_amplitude 5, slow_wave_amplitude 5, alpha 5"
    )
    assert usual.raw.info["description"].endswith("seed 3")
    assert np.abs(microvolts(most, EEG[0])).max() < 3000


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "2", None, True, 5.1])
@pytest.mark.parametrize("name", KNOBS)
def test_what_is_no_multiplier_is_refused(name, value):
    with pytest.raises(ParameterError, match=f"{name} must be a number of times the usual.*Allowed: 0 to"):
        turned(**{name: value})
