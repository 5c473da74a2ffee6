"""The simulated night: the same every time, plausible stage by stage, true to its ground truth, whole on disk."""

from __future__ import annotations

import inspect
import itertools
import json
import sys
import time
import tomllib
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pyedflib
import pytest
from scipy.signal import welch

import eegflex
from eegflex.errors import MissingExtraError, OutputError, ParameterError
from eegflex.simulate import SimulatedPSG, simulate_psg
from eegflex.simulation import head
from eegflex.simulation.artifacts import ARTIFACTS
from eegflex.simulation.events import TRUTH, Planner, render_events, way
from eegflex.simulation.hypnogram import MIN_EPOCHS, STAGES, draw_hypnogram
from eegflex.simulation.kinds import KINDS
from eegflex.simulation.states import draw_states

EEG = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1"]
EPOCH = 30


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


def microvolts(night: SimulatedPSG, channel: str) -> np.ndarray:
    return night.raw.get_data([channel])[0] * 1e6


def stage_power(night: SimulatedPSG, channel: str, stage: str, band: tuple[float, float]) -> float:
    """Mean power of a band in µV²/Hz over the epochs of a stage."""
    sfreq = night.raw.info["sfreq"]
    epochs = microvolts(night, channel).reshape(len(night.hypnogram), -1)[night.hypnogram == stage]
    freqs, power = welch(epochs, sfreq, nperseg=int(4 * sfreq))
    return float(power[:, (freqs >= band[0]) & (freqs < band[1])].mean())


# --- the same night every time ---------------------------------------------------------------------------------------


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


# --- shape, labels, units --------------------------------------------------------------------------------------------


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


# --- hypnogram -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_epochs", [MIN_EPOCHS, 60, 180, 840])
def test_every_stage_in_every_night(n_epochs):
    for seed in range(50):
        hypnogram = draw_hypnogram(n_epochs, np.random.default_rng(seed))
        assert len(hypnogram) == n_epochs
        assert set(hypnogram) == set(STAGES)
        assert hypnogram[0] == hypnogram[-1] == "W"


def test_night_has_the_shares_of_an_adult():
    nights = np.array([draw_hypnogram(840, np.random.default_rng(seed)) for seed in range(40)])
    shares = {stage: (nights == stage).mean() for stage in STAGES}
    assert 0.03 < shares["W"] < 0.15
    assert 0.02 < shares["N1"] < 0.10
    assert 0.40 < shares["N2"] < 0.55
    assert 0.15 < shares["N3"] < 0.25
    assert 0.15 < shares["REM"] < 0.25


def test_deep_sleep_early_rem_late():
    nights = np.array([draw_hypnogram(840, np.random.default_rng(seed)) for seed in range(40)])
    early, late = nights[:, :420], nights[:, 420:]
    assert (early == "N3").sum() > 2 * (late == "N3").sum()
    assert (late == "REM").sum() > 1.5 * (early == "REM").sum()


# --- rhythms of the stages -------------------------------------------------------------------------------------------


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


# --- ground truth ----------------------------------------------------------------------------------------------------


def test_events_lie_inside_their_stage(night):
    first = (night.events["onset"] // EPOCH).astype(int)
    last = ((night.events["onset"] + night.events["duration"] - 1e-9) // EPOCH).astype(int)
    assert last.max() < 120
    for start, stop, stage in zip(first, last, night.events["stage"], strict=True):
        assert set(night.hypnogram[start : stop + 1]) == {stage}


def test_events_are_sorted_and_do_not_overlap_their_own_kind(night):
    assert night.events["onset"].is_monotonic_increasing
    for _, table in night.events.groupby("kind"):
        assert (table["onset"].to_numpy()[1:] >= (table["onset"] + table["duration"]).to_numpy()[:-1]).all()


@pytest.mark.parametrize(
    ("kind", "stages"),
    [
        ("alpha", {"W", "N1"}),
        ("arousal", {"N1", "N2", "N3", "REM"}),
        ("blink", {"W"}),
        ("eye_movement_rapid", {"W", "REM"}),
        ("eye_movement_slow", {"W", "N1"}),
        ("k_complex", {"N2"}),
        ("sawtooth", {"REM"}),
        ("slow_wave", {"N2", "N3"}),
        ("spindle", {"N2", "N3"}),
        ("theta", {"N1", "N2", "REM"}),
        ("twitch", {"REM"}),
        ("vertex_wave", {"N1"}),
    ],
)
def test_kinds_occur_in_their_stages(long_events, kind, stages):
    assert set(long_events.query("kind == @kind")["stage"]) == stages


def test_weights(night):
    weights = night.events[night.raw.ch_names].to_numpy()
    np.testing.assert_allclose(np.abs(weights).max(axis=1), 1)
    chin = weights[:, -1]
    np.testing.assert_array_equal(chin, night.events["kind"].isin(["twitch", "chin_arousal"]))
    eyes = night.events.query("kind == 'eye_movement_rapid'")
    assert (np.sign(eyes["E1-M2"]) == -np.sign(eyes["E2-M2"])).mean() > 0.9


def test_spindle_rate_and_duration(long_hypnogram, long_events):
    spindles = long_events.query("kind == 'spindle' and stage == 'N2'")
    assert 2 < len(spindles) / ((long_hypnogram == "N2").sum() / 2) < 5  # a minute
    assert spindles["duration"].between(0.5, 2.0).all()
    assert spindles["frequency"].between(11, 16).all()


def test_spindles_raise_sigma(night):
    spindles = night.events.query("kind == 'spindle' and stage == 'N2'")
    sigma = mne.filter.filter_data(microvolts(night, "C3-M2"), 128.0, 12, 16, verbose="error") ** 2
    inside = np.zeros(len(sigma), dtype=bool)
    for onset, duration in zip(spindles["onset"], spindles["duration"], strict=True):
        inside[int(onset * 128) : int((onset + duration) * 128)] = True
    outside = np.repeat(night.hypnogram == "N2", EPOCH * 128) & ~inside
    assert sigma[inside].mean() > 4 * sigma[outside].mean()


def test_spindles_have_the_stated_frequency(night):
    spindles = night.events.query("kind == 'spindle' and amplitude > 20")
    assert len(spindles) > 10
    errors = []
    for _, spindle in spindles.iterrows():
        channel = max(EEG, key=lambda name: abs(spindle[name]))
        first, last = (round(time * 128) for time in (spindle["onset"], spindle["onset"] + spindle["duration"]))
        signal = microvolts(night, channel)[first:last]
        freqs = np.fft.rfftfreq(4096, 1 / 128)
        power = np.abs(np.fft.rfft((signal - signal.mean()) * np.hanning(len(signal)), n=4096))
        near = (freqs >= 10) & (freqs < 17)
        errors.append(freqs[near][np.argmax(power[near])] - spindle["frequency"])
    assert np.median(np.abs(errors)) < 0.15
    assert np.quantile(np.abs(errors), 0.9) < 0.5


def test_events_carry_their_amplitude(night):
    """The mean blink in E2, where its weight is 1, peaks near its stated amplitude."""
    blinks = night.events.query("kind == 'blink'")
    assert len(blinks) >= 5
    signal = microvolts(night, "E2-M2")
    peaks = [
        signal[int(onset * 128) : int((onset + duration) * 128)].max()
        for onset, duration in zip(blinks["onset"], blinks["duration"], strict=True)
    ]
    assert np.mean(peaks) == pytest.approx(blinks["amplitude"].mean(), rel=0.35)


# --- head and montage ------------------------------------------------------------------------------------------------


def test_a_homogeneous_head_has_its_closed_form(monkeypatch):
    """Radial dipole at f in a sphere of one conductivity: order n is (2n + 1) f**(n - 1)."""
    monkeypatch.setattr(head, "CONDUCTIVITIES", np.ones(4))
    n = np.arange(1, head.N_ORDERS + 1)
    np.testing.assert_allclose(head._orders.__wrapped__()[1:], (2 * n + 1) * head.DIPOLE_RADIUS ** (n - 1), rtol=1e-6)


def test_what_flows_out_of_the_head_flows_back():
    """Over the whole sphere the potential averages to zero, and falls with the distance from the source."""
    cosines = np.linspace(-1, 1, 20001)
    for spread in (5.0, 20.0, 45.0):
        potential = head.patch_potential(cosines, spread)
        assert abs(potential.mean()) < 1e-3
        assert potential[-1] == pytest.approx(1)
        assert (np.diff(potential[cosines > 0.5]) > 0).all()


def test_the_skull_smears(monkeypatch):
    """20 degrees away a dipole has more of its potential left than in a head without a skull."""
    near = np.cos(np.radians([20.0]))
    with_skull = head.patch_potential(near, 2.0)
    monkeypatch.setattr(head, "CONDUCTIVITIES", np.ones(4))
    monkeypatch.setattr(head, "_orders", head._orders.__wrapped__)
    monkeypatch.setattr(head, "_profile", head._profile.__wrapped__)
    assert with_skull > 1.5 * head.patch_potential(near, 2.0)


def test_a_derivation_does_not_hang_on_the_others():
    options = {"hours": 0.2, "sfreq": 128.0, "seed": 7, "artifacts": ["line", "ecg", "movement"], "verbose": "error"}
    whole = simulate_psg(**options)
    part = simulate_psg(electrodes=["Oz", "C4"], **options)
    assert part.raw.ch_names == ["Oz-M2", "C4-M1", "E1-M2", "E2-M2", "Chin1-Chin2"]
    for channel in part.raw.ch_names[1:]:
        np.testing.assert_allclose(microvolts(part, channel), microvolts(whole, channel), atol=1e-3)
    pd.testing.assert_frame_equal(part.events[list(TRUTH)], whole.events[list(TRUTH)])
    np.testing.assert_array_equal(part.hypnogram, whole.hypnogram)


def test_electrodes_of_the_10_10_system_lie_where_they_are():
    raw = simulate_psg(hours=0.2, sfreq=64.0, electrodes=["fpz", "AF7", "CP4", "T3", "PO8"], verbose="error").raw
    positions = raw.get_montage().get_positions()["ch_pos"]
    assert list(positions) == ["Fpz-M2", "AF7-M2", "CP4-M1", "T3-M2", "PO8-M1"]
    assert positions["Fpz-M2"][1] > positions["AF7-M2"][1] > positions["T3-M2"][1] > positions["PO8-M1"][1]


def test_near_channels_go_together():
    """From Fz backwards, against one reference, the correlation falls at every step."""
    line = ["Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz"]
    night = simulate_psg(hours=1.0, sfreq=64.0, seed=2, electrodes=line, verbose="error")
    for stage in ("W", "N2", "N3", "REM"):
        kept = np.repeat(night.hypnogram == stage, EPOCH * 64)
        correlation = np.corrcoef(night.raw.get_data("eeg")[:, kept])
        assert (np.diff(correlation[0]) < 0).all(), stage
        assert (np.diff(correlation[-1]) > 0).all(), stage


# --- waves over the head ---------------------------------------------------------------------------------------------


def alone(plan: pd.DataFrame, electrodes: tuple[str, ...], sfreq: float, n_times: int) -> np.ndarray:
    """Planned events and nothing else, in µV."""
    montage = head.Montage(electrodes)
    data = np.zeros((len(montage.channels), n_times))
    render_events(data, plan, KINDS, montage, sfreq, np.random.default_rng(0))
    return data


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


# --- artifacts -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clean():
    return simulate_psg(hours=1.0, sfreq=128.0, seed=5, verbose="error")


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


# --- as annotations --------------------------------------------------------------------------------------------------


def test_events_as_annotations(night):
    annotations = night.event_annotations
    np.testing.assert_allclose(annotations.onset, night.events["onset"])
    np.testing.assert_allclose(annotations.duration, night.events["duration"])
    assert list(annotations.description) == list(night.events["kind"])
    for names, (_, event) in zip(annotations.ch_names, night.events.iterrows(), strict=True):
        assert set(names) == {name for name in night.raw.ch_names if abs(event[name]) >= 0.05}
    both = night.raw.copy().set_annotations(night.raw.annotations + annotations)
    assert len(both.annotations) == len(night.hypnogram) + len(night.events)


# --- judged by others ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_gssc_stages_a_night_as_it_was_made():
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    from tools import judge_simulator

    kappas, _ = judge_simulator.staging(simulate_psg(hours=1.5, seed=520, electrodes=["C3", "C4"], verbose="error"))
    assert min(kappas) > 0.75


@pytest.mark.slow
@pytest.mark.parametrize("what", ["spindle", "slow wave"])
def test_yasa_finds_what_was_planted(what):
    pytest.importorskip("yasa", reason="the extra yasa is not installed")
    from tools import judge_simulator

    night = simulate_psg(hours=2.0, sfreq=128.0, seed=520, verbose="error")
    assert judge_simulator.detection(night, what)[0] > 0.7


# --- on disk ---------------------------------------------------------------------------------------------------------


def test_names_beside_each_other(saved):
    assert [path.name for path in saved] == ["night.edf", "night-hypnogram.edf", "night-events.tsv"]
    assert sorted(path.name for path in saved.psg.parent.iterdir()) == sorted(path.name for path in saved)


def test_signals_come_back_to_one_step(night, saved):
    raw = mne.io.read_raw_edf(saved.psg, verbose="error")
    assert raw.ch_names == night.raw.ch_names
    assert raw.info["sfreq"] == 128.0
    assert raw.n_times == night.raw.n_times
    with pyedflib.EdfReader(str(saved.psg)) as reader:
        for row, channel in enumerate(night.raw.ch_names):
            header = reader.getSignalHeader(row)
            step = (header["physical_max"] - header["physical_min"]) / (2**16 - 1)
            expected = microvolts(night, channel)
            assert header["dimension"] == "uV"
            assert header["physical_min"] <= expected.min() < expected.max() <= header["physical_max"]
            assert np.abs(reader.readSignal(row) - expected).max() <= step
            assert np.abs(raw.get_data([channel])[0] * 1e6 - expected).max() <= step


def test_hypnogram_comes_back(night, saved):
    annotations = mne.read_annotations(saved.hypnogram)
    names = {"W": "Sleep stage W", "N1": "Sleep stage N1", "N2": "Sleep stage N2", "N3": "Sleep stage N3"}
    assert list(annotations.description) == [names.get(stage, "Sleep stage R") for stage in night.hypnogram]
    np.testing.assert_allclose(annotations.onset, EPOCH * np.arange(120))
    np.testing.assert_allclose(annotations.duration, EPOCH)


def test_events_come_back(night, saved):
    events = pd.read_csv(saved.events, sep="\t", na_values="n/a")
    pd.testing.assert_frame_equal(events, night.events, rtol=1e-5, check_dtype=False)


def test_header_says_simulated_and_names_nobody(saved):
    for path in saved[:2]:
        header = path.read_bytes()[:256].decode("ascii")
        assert header[8:88].strip() == "X X X X"
        assert header[88:168].strip() == "Startdate 01-JAN-2000 X X eegflex_simulated seed_3"
        assert header[192:236].strip() == "EDF+C"


def test_rate_that_is_no_whole_number(tmp_path):
    """2560 samples an epoch: what GSSC takes, 85.33 Hz."""
    night = simulate_psg(hours=0.2, sfreq=2560 / 30, verbose="error")
    raw = mne.io.read_raw_edf(night.save(tmp_path / "night.edf").psg, verbose="error")
    assert raw.info["sfreq"] == pytest.approx(2560 / 30)
    assert raw.n_times == 24 * 2560
    np.testing.assert_allclose(raw.get_data(), night.raw.get_data(), atol=0.05e-6)


def test_overwrite(tmp_path):
    first, second = (simulate_psg(hours=0.2, sfreq=64.0, seed=seed, verbose="error") for seed in (1, 2))
    paths = first.save(tmp_path / "night.edf")
    before = [path.read_bytes() for path in paths]
    with pytest.raises(OutputError, match=r"already there.*overwrite=True"):
        second.save(tmp_path / "night.edf")
    assert [path.read_bytes() for path in paths] == before
    second.save(str(tmp_path / "night.edf"), overwrite=True)
    assert all(path.read_bytes() != old for path, old in zip(paths, before, strict=True))
    assert len(list(tmp_path.iterdir())) == 3


def test_nothing_is_written_beside_one_that_is_there(night, tmp_path):
    (tmp_path / "night-events.tsv").write_text("mine")
    with pytest.raises(OutputError, match="already there"):
        night.save(tmp_path / "night.edf")
    assert [path.name for path in tmp_path.iterdir()] == ["night-events.tsv"]
    assert (tmp_path / "night-events.tsv").read_text() == "mine"


def test_no_such_directory(night, tmp_path):
    with pytest.raises(OutputError, match="Name a directory that exists"):
        night.save(tmp_path / "none" / "night.edf")
    assert not list(tmp_path.iterdir())


def test_directory_that_is_a_file(night, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        night.save(tmp_path / "file" / "night.edf")


@pytest.mark.parametrize("part", ["_write_signals", "_write_hypnogram"])
def test_a_full_disk_leaves_nothing_half_written(night, tmp_path, monkeypatch, part):
    def fail(path: Path, *args: object) -> None:
        del args
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"eegflex.simulation.files.{part}", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        night.save(tmp_path / "night.edf")
    assert not list(tmp_path.iterdir())


def test_name_must_end_in_edf(night, tmp_path):
    with pytest.raises(ParameterError, match=r"ends in \.edf"):
        night.save(tmp_path / "night.fif")


# --- the recipe card -------------------------------------------------------------------------------------------------


def test_card_says_what_the_code_does(night):
    card = tomllib.loads((Path(__file__).parent.parent / "datasets" / "simulated.toml").read_text("utf-8"))
    assert card["simulated"] is True
    defaults = {name: parameter.default for name, parameter in inspect.signature(simulate_psg).parameters.items()}
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


# --- bad arguments ---------------------------------------------------------------------------------------------------


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
        ({"artifacts": ["line"], "line_freq": 16.7}, "no frequency of mains. Got 16.7. Allowed: 50.0, 60.0"),
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


# --- as a BIDS data set ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(clean, tmp_path_factory):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    root = tmp_path_factory.mktemp("bids") / "nights"
    return root, clean.save_bids(root), clean.save_bids(root, subject="02", session="1")


def test_bids_comes_back_with_its_stages(clean, dataset):
    import mne_bids

    root, first, second = dataset
    assert first == root / "sub-01" / "eeg" / "sub-01_task-sleep_eeg.edf"
    assert second == root / "sub-02" / "ses-1" / "eeg" / "sub-02_ses-1_task-sleep_eeg.edf"
    path = mne_bids.BIDSPath(root=root, subject="01", task="sleep", datatype="eeg", suffix="eeg", extension=".edf")
    raw = eegflex.read_psg(path, verbose="error")
    assert list(raw.annotations.description) == list(clean.hypnogram)
    assert set(EEG) <= set(raw.ch_names)
    np.testing.assert_allclose(raw.get_data(["C4-M1"])[0] * 1e6, microvolts(clean, "C4-M1"), atol=0.05)
    assert pd.read_csv(root / "participants.tsv", sep="\t")["participant_id"].tolist() == ["sub-01", "sub-02"]
    channels = pd.read_csv(first.with_name("sub-01_task-sleep_channels.tsv"), sep="\t")
    assert channels["type"].tolist() == ["EEG"] * 6 + ["EOG"] * 2 + ["EMG"]


def test_the_truth_is_a_derivative(clean, dataset):
    root, *_ = dataset
    truth = root / "derivatives" / "eegflex-simulation"
    assert json.loads((truth / "dataset_description.json").read_text("utf-8"))["DatasetType"] == "derivative"
    table = truth / "sub-01" / "eeg" / "sub-01_task-sleep_desc-truth_events.tsv"
    pd.testing.assert_frame_equal(
        pd.read_csv(table, sep="\t", na_values="n/a"), clean.events, rtol=1e-5, check_dtype=False
    )
    assert set(json.loads(table.with_suffix(".json").read_text("utf-8"))) == set(TRUTH)


def test_bids_does_not_replace_what_is_there(clean, dataset):
    root, first, _ = dataset
    before = first.stat().st_mtime_ns
    with pytest.raises(OutputError, match=r"already there.*overwrite=True"):
        clean.save_bids(root)
    assert first.stat().st_mtime_ns == before
    assert clean.save_bids(root, overwrite=True) == first


@pytest.mark.parametrize("labels", [{"subject": "a_b"}, {"subject": ""}, {"session": "../x"}])
def test_a_label_that_is_none(clean, tmp_path, labels):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    with pytest.raises(ParameterError, match="letters and digits"):
        clean.save_bids(tmp_path, **labels)
    assert not list(tmp_path.iterdir())


def test_without_mne_bids_the_extra_is_named(clean, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mne_bids", None)
    with pytest.raises(MissingExtraError, match=r"eegflex\[bids\]"):
        clean.save_bids(tmp_path)
