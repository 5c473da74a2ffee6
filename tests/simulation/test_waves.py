"""How events look, and how they go over the head."""

from __future__ import annotations

import numpy as np
import pandas as pd
from simulated import alone

from eegflex.simulation import head
from eegflex.simulation.events import way
from eegflex.simulation.simulate import simulate_psg


def test_slow_waves_travel_backwards(long_events):
    waves = long_events.query("kind == 'slow_wave' and speed < 3 and z > 0.2").head(60)  # not from under the forehead
    assert len(waves) > 40
    for _, wave in waves.iterrows():
        one = pd.DataFrame([wave]).assign(onset=0.0)
        frontal, central = alone(one, ("AFz", "Cz"), 1000.0, 4000)[:2]
        lag = (np.argmin(central) - np.argmin(frontal)) / 1000
        assert 0 < lag < 0.2 / wave["speed"]  # the way from one to the other is less than 20 cm


def test_faster_waves_arrive_sooner(long_events):
    wave = long_events.query("kind == 'slow_wave'").iloc[[0]]
    lags = []
    for speed in (1.2, 3.0, 7.0):
        period = wave["duration"] - way(100.0) / wave["speed"]
        one = wave.assign(onset=0.0, speed=speed, duration=period + way(100.0) / speed)
        frontal, central = alone(one, ("AFz", "Cz"), 1000.0, 4000)[:2]
        lags.append(np.argmin(central) - np.argmin(frontal))
    assert lags[0] > lags[1] > lags[2]


def test_slow_spindles_in_front_fast_ones_behind():
    night = simulate_psg(hours=2.0, sfreq=64.0, seed=1, electrodes=["Fz", "Cz", "Pz"], verbose="error")
    spindles = night.events.query("kind == 'spindle'")
    front_less_back = spindles["Fz-M2"] - spindles["Pz-M2"]
    assert front_less_back[spindles["frequency"] < 12.5].median() > 0.5
    assert front_less_back[spindles["frequency"] > 13.5].median() < -0.2
    assert 0.2 < (spindles["frequency"] < 13).mean() < 0.5


def test_spindles_wax_and_wane(long_events):
    for _, spindle in long_events.query("kind == 'spindle'").head(30).iterrows():
        n_times = int(spindle["duration"] * 500)
        power = alone(pd.DataFrame([spindle]).assign(onset=0.0), ("Cz",), 500.0, n_times)[0] ** 2
        first, middle, last = (part.mean() for part in np.array_split(power, 3))
        assert middle > 2 * max(first, last)


def test_many_spindles_ride_on_slow_waves(long_events):
    """More fast spindles have their middle in the later half of a slow wave than if they came anywhere."""
    waves = long_events.query("kind == 'slow_wave' and stage == 'N3'")
    spindles = long_events.query("kind == 'spindle' and stage == 'N3' and frequency > 13")
    middles = (spindles["onset"] + spindles["duration"] / 2).to_numpy()

    def riding(shift: float) -> float:
        phase = (middles[:, None] + shift - waves["onset"].to_numpy()) / waves["duration"].to_numpy()
        return float(((phase > 0.6) & (phase < 0.9)).any(axis=1).mean())

    assert riding(0) > 1.5 * np.mean([riding(shift) for shift in (3.0, 5.0, 7.0, 11.0)])


def test_alpha_stops_with_eyes_open(long_events):
    alpha, blinks = (long_events.query("kind == @kind and stage == 'W'") for kind in ("alpha", "blink"))
    assert len(alpha) > 50
    assert len(blinks) > 50
    starts, stops = alpha["onset"].to_numpy(), (alpha["onset"] + alpha["duration"]).to_numpy()
    for onset, duration in zip(blinks["onset"], blinks["duration"], strict=True):
        assert not ((starts < onset + duration) & (stops > onset)).any()


def test_events_look_the_same_at_any_rate(long_events):
    some = long_events[~long_events["kind"].isin(["twitch", "chin_arousal"])].query("onset < 3000")  # all but noise
    slow, fast = (alone(some, head.EEG_ELECTRODES, sfreq, int(3010 * sfreq)) for sfreq in (128.0, 256.0))
    np.testing.assert_allclose(fast[:, ::2], slow, atol=1e-6)


def test_arousals_come_as_often_as_in_young_adults(long_hypnogram, long_events):
    asleep = (long_hypnogram != "W").sum() / 120
    assert 8 < (long_events["kind"] == "arousal").sum() / asleep < 22
    chins = long_events.query("kind == 'chin_arousal'")
    arousals = long_events.query("kind == 'arousal'")
    assert set(zip(chins["onset"], chins["duration"], strict=True)) <= set(
        zip(arousals["onset"], arousals["duration"], strict=True)
    )
    in_rem = arousals.query("stage == 'REM'")["onset"]
    assert set(in_rem) <= set(chins["onset"])  # AASM: an arousal in REM needs the chin
