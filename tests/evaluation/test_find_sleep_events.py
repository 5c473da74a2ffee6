"""Events that scorers look for are found where they were planted."""

from __future__ import annotations

import sys

import mne
import numpy as np
import pandas as pd
import pytest

import eegflex
from eegflex.errors import ChannelError, MissingExtraError, ParameterError
from eegflex.evaluation import find_sleep_events
from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.events import COLUMNS

OVERLAP = 0.2  # of the union, as in Warby et al. 2014
#: Kind -> the least precision and recall, over the nights.
FLOORS = {
    "spindle": (0.9, 0.88), "k_complex": (0.85, 0.85), "slow_wave": (0.88, 0.75), "eye_movement_rapid": (0.85, 0.75),
    "alpha": (0.88, 0.92), "sawtooth": (0.75, 0.85), "eye_movement_slow": (0.9, 0.95), "twitch": (0.75, 0.5),
}  # fmt: skip
NEEDS_YASA = ("spindle", "k_complex", "slow_wave", "eye_movement_rapid")
OWN = [kind for kind in KINDS if kind not in NEEDS_YASA]


@pytest.fixture(scope="module")
def nights():
    return [eegflex.simulate_psg(hours=0.75, sfreq=128, seed=seed, verbose="error") for seed in (301, 302, 303)]


def joined(intervals):
    """What channels saw at the same time is one."""
    out = []
    for start, stop in sorted(map(tuple, intervals)):
        if out and start <= out[-1][1] - 0.5 * min(stop - start, out[-1][1] - out[-1][0]):
            out[-1][1] = max(out[-1][1], stop)
        else:
            out.append([start, stop])
    return np.array(out).reshape(-1, 2)


def hits(planted, found):
    """Pairs of one planted and one found event that overlap, each counted once, the best overlaps first."""
    shared = np.minimum(planted[:, None, 1], found[None, :, 1]) - np.maximum(planted[:, None, 0], found[None, :, 0])
    whole = np.maximum(planted[:, None, 1], found[None, :, 1]) - np.minimum(planted[:, None, 0], found[None, :, 0])
    overlap, n = shared / whole, 0
    while overlap.size and overlap.max() >= OVERLAP:
        row, column = np.unravel_index(np.argmax(overlap), overlap.shape)
        overlap[row], overlap[:, column], n = -1, -1, n + 1
    return n


def bounds(table):
    return np.column_stack([table["onset"], table["onset"] + table["duration"]]).reshape(-1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLOORS)
def test_what_was_planted_is_found(nights, kind):
    if kind in NEEDS_YASA[:1] + NEEDS_YASA[2:]:
        pytest.importorskip("yasa", reason="the extra yasa is not installed")
    wanted = (
        [kind, "k_complex"] if kind == "slow_wave" else [kind]
    )  # a K-complex is a large slow wave, and both are looked for
    stages = ["REM"] if kind == "eye_movement_rapid" else list(KINDS[kind].stages)
    n_planted = n_found = n_hits = 0
    for night in nights:
        found = find_sleep_events(night.raw, kinds=wanted, verbose="error")
        planted = night.events[night.events["kind"].isin(wanted) & night.events["stage"].isin(stages)]
        if kind == "slow_wave":  # YASA's are of more than 75 µV from peak to peak, and so are scorers'
            eeg = [name for name in night.raw.ch_names if name[0] in "FCO"]
            planted = planted[1.6 * planted["amplitude"] * planted[eeg].abs().max(axis=1) > 75]
        intervals = joined(bounds(found[found["stage"].isin(stages)]))
        n_planted, n_found = n_planted + len(planted), n_found + len(intervals)
        n_hits += hits(bounds(planted), intervals)
    assert n_planted > 15
    assert n_hits / n_found >= FLOORS[kind][0]
    assert n_hits / n_planted >= FLOORS[kind][1]


@pytest.mark.slow
def test_the_chin_is_low_in_rem_and_high_in_the_waking(nights):
    for night in nights:
        found = find_sleep_events(night.raw, kinds=["chin_tone_low", "chin_tone_high"], verbose="error")
        epochs = pd.Series(night.hypnogram).value_counts()
        share = found.groupby(["kind", "stage"])["duration"].sum() / 30
        assert share["chin_tone_low"].get("REM", 0) / epochs["REM"] > 0.8
        assert share["chin_tone_low"].get("W", 0) / epochs["W"] < 0.05
        assert share["chin_tone_high"].get("W", 0) / epochs["W"] > 0.6
        assert share["chin_tone_high"].get("N3", 0) / epochs["N3"] < 0.2
        first, last = (found["onset"] // 30, (found["onset"] + found["duration"] - 1e-6) // 30)
        assert (first == last).all()  # a level is told epoch by epoch


@pytest.fixture(scope="module")
def short():
    return eegflex.simulate_psg(hours=0.4, sfreq=128, seed=5, verbose="error")


def test_a_table_of_events_says_what_it_must(short):
    events = find_sleep_events(short.raw, kinds=OWN, verbose="error")
    assert tuple(events.columns) == COLUMNS
    assert events["onset"].is_monotonic_increasing
    assert (
        {"alpha", "eye_movement_slow", "chin_tone_low", "chin_tone_high", "twitch"} <= set(events["kind"]) <= set(OWN)
    )
    assert (events["duration"] > 0).all()
    assert all(set(rows["stage"]) <= set(KINDS[kind].stages) for kind, rows in events.groupby("kind"))
    alpha = events[events["kind"] == "alpha"]
    assert set(zip(alpha["low"], alpha["high"], strict=True)) == {(8.0, 13.0)}
    assert events[events["kind"] == "twitch"]["low"].isna().all()


def test_onsets_are_on_the_recording_s_clock(short):
    whole = find_sleep_events(short.raw, kinds="alpha", verbose="error")
    late = find_sleep_events(eegflex.make_epochs(short.raw, verbose="error")[4:], kinds="alpha", verbose="error")
    there = whole[whole["onset"] > 4 * 30 + 2]
    assert len(there) > 5
    for onset in there["onset"]:
        assert np.abs(late["onset"] - onset).min() < 0.1
    cropped = find_sleep_events(short.raw.copy().crop(120.0), kinds="alpha", verbose="error")
    np.testing.assert_allclose(cropped["onset"] + 120, late["onset"], atol=0.05)


def alpha_night(n_epochs=8):
    """Noise, with 12 s of alpha about each edge of two epochs."""
    sfreq, rng = 100.0, np.random.default_rng(0)
    times = np.arange(round(n_epochs * 30 * sfreq)) / sfreq
    near = np.abs((times + 15) % 30 - 15) < 6
    signal = 3e-6 * rng.standard_normal(len(times)) + 30e-6 * np.sin(2 * np.pi * 10 * times) * near
    raw = mne.io.RawArray(signal[None], mne.create_info(["O2-M1"], sfreq, "eeg"), verbose="error")
    onset = 30.0 * np.arange(n_epochs)
    raw.set_annotations(mne.Annotations(onset, 30.0, "W"))
    return raw


def test_no_event_reaches_from_one_run_into_another():
    epochs = eegflex.make_epochs(alpha_night(), verbose="error")
    whole = find_sleep_events(epochs, kinds="alpha", verbose="error")
    ends = whole["onset"] + whole["duration"]
    over = [edge for edge in range(30, 240, 30) if ((whole["onset"] < edge) & (ends > edge)).any()]
    assert over == list(range(30, 240, 30))
    without = find_sleep_events(epochs[[0, 1, 2, 5, 6, 7]], kinds="alpha", verbose="error")
    assert not ((without["onset"] < 90) & (without["onset"] + without["duration"] > 90)).any()
    assert not ((without["onset"] < 150) & (without["onset"] + without["duration"] > 150)).any()
    assert ((without["onset"] < 60) & (without["onset"] + without["duration"] > 60)).any()


def test_an_epoch_without_a_signal_has_no_events_and_spoils_no_others():
    raw = alpha_night()
    raw._data[0, 7000:8000] = np.nan
    found = find_sleep_events(raw, kinds="alpha", verbose="error")
    assert np.isfinite(found[["onset", "duration", "amplitude"]].to_numpy()).all()
    assert not found["onset"].between(60, 90).any()
    assert len(found) >= 4


def test_stages_that_are_given_outrank_the_hypnogram_s(short):
    epochs = eegflex.make_epochs(short.raw, verbose="error")
    nowhere = find_sleep_events(epochs, kinds="alpha", stages=["N3"] * len(epochs), verbose="error")
    own = find_sleep_events(epochs, kinds="alpha", verbose="error")
    everywhere = find_sleep_events(epochs, kinds="alpha", stages="any", verbose="error")
    assert len(nowhere) == 0
    assert len(everywhere) >= len(own) > 0


def test_a_night_that_nobody_scored_is_told_of(short):
    raw = short.raw.copy().set_annotations(None)
    with mne.utils.catch_logging(verbose="warning") as log:
        find_sleep_events(raw, kinds="alpha")
    assert "no epoch is scored" in log.getvalue()


def test_one_eog_derivation_serves_as_well_as_two_eyes(short):
    two = find_sleep_events(short.raw, kinds="eye_movement_slow", verbose="error")
    names = [
        name for name, kind in zip(short.raw.ch_names, short.raw.get_channel_types(), strict=True) if kind == "eog"
    ]
    assert set(two["channel"]) == set(names)
    one = mne.set_bipolar_reference(
        short.raw.copy().load_data(), names[0], names[1], "E1-E2", copy=False, verbose="error"
    )
    found = find_sleep_events(one, kinds="eye_movement_slow", verbose="error")
    assert set(found["channel"]) == {"E1-E2"}
    np.testing.assert_allclose(found["onset"], two[two["channel"] == names[0]]["onset"])


def test_legs_are_no_chin(short):
    raw = short.raw.copy()
    chin = raw.ch_names[raw.get_channel_types().index("emg")]
    raw.rename_channels({chin: "LAT"})
    with pytest.raises(ChannelError, match="chin_tone_low"):
        find_sleep_events(raw, kinds="chin_tone_low", verbose="error")


def test_kinds_without_channels_are_told_or_refused(short):
    eeg = short.raw.copy().pick("eeg")
    with pytest.raises(ChannelError, match="no channels for eye_movement_slow"):
        find_sleep_events(eeg, kinds=["alpha", "eye_movement_slow"], verbose="error")
    pytest.importorskip("yasa", reason="the extra yasa is not installed")
    with mne.utils.catch_logging(verbose="warning") as log:
        find_sleep_events(eeg)
    assert (
        "not searched, because the channels are missing: eye_movement_rapid, eye_movement_slow, chin" in log.getvalue()
    )


def test_what_is_not_known_is_refused(short):
    with pytest.raises(ParameterError, match="'spindel'"):
        find_sleep_events(short.raw, kinds="spindel")
    with pytest.raises(ParameterError, match="one stage for each epoch"):
        find_sleep_events(short.raw, kinds="alpha", stages=["W"])
    with pytest.raises(ParameterError, match="not stages"):
        find_sleep_events(short.raw, kinds="alpha", stages=["S5"] * 48)
    with pytest.raises(ParameterError, match="'scored'"):
        find_sleep_events(short.raw, kinds="alpha", stages="scored")


def test_the_extra_is_named_where_it_is_missing(short, monkeypatch):
    monkeypatch.setitem(sys.modules, "yasa", None)
    assert len(find_sleep_events(short.raw, kinds="alpha", verbose="error"))
    with pytest.raises(MissingExtraError, match=r"eegflex\[yasa\]"):
        find_sleep_events(short.raw, kinds="spindle", verbose="error")


def test_an_event_is_of_one_kind(short):
    pytest.importorskip("yasa", reason="the extra yasa is not installed")
    found = find_sleep_events(short.raw, kinds=["k_complex", "slow_wave"], verbose="error")
    complexes, waves = (found[found["kind"] == kind] for kind in ("k_complex", "slow_wave"))
    assert len(complexes)
    assert len(waves)
    middles = (waves["onset"] + waves["duration"] / 2).to_numpy()
    inside = (complexes["onset"].to_numpy() <= middles[:, None]) & (middles[:, None] <= bounds(complexes)[:, 1])
    assert not inside.any()
