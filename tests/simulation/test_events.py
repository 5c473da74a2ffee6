"""The ground truth: where events come, what they carry, and how they look."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from simulated import EEG, EPOCH, microvolts


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


def test_events_as_annotations(night):
    annotations = night.event_annotations
    np.testing.assert_allclose(annotations.onset, night.events["onset"])
    np.testing.assert_allclose(annotations.duration, night.events["duration"])
    assert list(annotations.description) == list(night.events["kind"])
    for names, (_, event) in zip(annotations.ch_names, night.events.iterrows(), strict=True):
        assert set(names) == {name for name in night.raw.ch_names if abs(event[name]) >= 0.05}
    both = night.raw.copy().set_annotations(night.raw.annotations + annotations)
    assert len(both.annotations) == len(night.hypnogram) + len(night.events)
