"""Frequencies at which there is nothing to read."""

from __future__ import annotations

import dataclasses

import mne
import numpy as np
import pytest

import eegflex
from eegflex.evaluation.audit_regions import PASSES, Region, regions_of
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ChannelSpec, FilterSpec
from eegflex.stagers.zoo.known_truth import SHORTCUT

SFREQ, N_TIMES, N_EPOCHS = 128.0, 3840, 24
SPEC = SHORTCUT.spec.replace(channels=(ChannelSpec("eeg", types=("eeg",), use="all"),))
FREQS = np.fft.rfftfreq(N_TIMES, 1 / SFREQ)


def noise(n_channels=2, seed=0):
    """Pink noise in µV, shape (n_channels, n_times), so that no taper hides what is fast behind what is slow."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((n_channels, N_EPOCHS * N_TIMES)))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(N_EPOCHS * N_TIMES, 1 / SFREQ), 0.5))
    return 20 * np.fft.irfft(spectrum)


def recorded(signals, sfreq=SFREQ, kinds="eeg", **info):
    made = mne.create_info([f"X{k}" for k in range(len(signals))], sfreq, kinds)
    with made._unlock():
        made.update(info)
    return mne.io.RawArray(1e-6 * signals, made, verbose="error")


def regions(raw, spec=SPEC):
    epochs = eegflex.make_epochs(raw, verbose="error")
    return regions_of(prepare(epochs, spec), spec, epochs.info)


@pytest.fixture(scope="module")
def clean():
    return regions(recorded(noise()))


def test_a_clean_recording_of_which_nobody_tells_a_filter(clean):
    assert "50, 60 Hz" in clean["line"].where
    assert "states a high-pass" in clean["below"].why
    assert "states a low-pass" in clean["above"].why
    assert not clean["images"].mask.any()
    assert not clean["channel"].mask.any()
    assert np.isnan(clean["below"].share(np.ones((2, len(FREQS))), (0, 1))).all()


def test_the_share_of_an_even_attribution_is_chance(clean):
    even = np.ones((2, len(FREQS)))
    share, chance = clean["line"].share(even, (0, 1))
    assert share == pytest.approx(chance)
    assert share == pytest.approx(2 * 31 / len(FREQS))  # half a Hz on each side of two lines, in bins of 1/30 Hz
    alone = np.where(np.abs(FREQS - 50) < 0.05, -1.0, 0.0) * even
    assert clean["line"].share(alone, (0, 1)) == (1.0, 0.0)


def test_chance_is_that_of_the_channel_that_has_the_attribution():
    mask, near = np.zeros((2, 10), dtype=bool), np.zeros((2, 10), dtype=bool)
    mask[0, 4], near[0, [3, 5]] = True, True
    values = np.zeros((2, 10))
    values[0], values[1] = [0, 0, 0, 1, 6, -3, 0, 0, 0, 0], 1.0
    assert Region(mask, near).share(values, (0, 1)) == (6 / 20, 2 / 20)
    assert Region(mask, near).share(values[1:], (1,)) == (0.0, 0.0)


def test_a_recording_that_knows_its_mains_has_no_others():
    assert "60 Hz" in (found := regions(recorded(noise(), line_freq=60.0)))["line"].where
    assert not found["line"].mask[:, np.abs(FREQS - 50) < 5].any()


@pytest.mark.parametrize("harmonic", [2, 3])
def test_an_alias_of_a_harmonic_counts_where_it_is_seen_as_a_line(harmonic):
    times = np.arange(N_EPOCHS * N_TIMES) / SFREQ
    sampled = np.sin(2 * np.pi * harmonic * 60.003 * times)  # above half the rate: sampled without a filter
    seen = FREQS[np.abs(np.fft.rfft(sampled[:N_TIMES])).argmax()]
    found = regions(recorded(noise() + 10 * sampled, line_freq=60.0))["line"]
    assert seen < SFREQ / 2
    assert found.mask[:, np.abs(FREQS - seen) < 0.2].all()
    assert not regions(recorded(noise(), line_freq=60.0))["line"].mask[:, np.abs(FREQS - seen) < 0.2].any()


def test_a_rhythm_at_an_alias_is_none():
    times = np.arange(N_EPOCHS * N_TIMES) / SFREQ
    bursts = 60 * np.sin(2 * np.pi * 8 * times) * (np.sin(2 * np.pi * times / 5) > 0.6)  # 8 Hz is 120 Hz at this rate
    assert not regions(recorded(noise() + bursts, line_freq=60.0))["line"].mask[:, FREQS < 20].any()


@pytest.mark.parametrize("edges", [(0.5, None), (0.3, 30.0), (None, 40.0), (10.0, 45.0)])
def test_what_a_filter_takes_away_is_what_noise_loses(edges):
    found = regions(recorded(noise()), SPEC.replace(filter=FilterSpec(*edges)))
    passed = recorded(np.eye(1, 2**15, 2**14) * 1e6).filter(*edges, verbose="error").get_data()[0]
    gain = np.interp(FREQS, np.fft.rfftfreq(2**15, 1 / SFREQ), np.abs(np.fft.rfft(passed)))
    for name, edge, side in (
        ("below", edges[0], (edges[0] or 0) > FREQS),
        ("above", edges[1], (edges[1] or 99) < FREQS),
    ):
        if edge is None:
            assert found[name].why
            continue
        inside = found[name].mask[0]
        assert inside.any()
        assert gain[inside].max() < PASSES + 0.05
        assert gain[side & ~inside].min(initial=1.0) > PASSES - 0.05
        assert not (inside & ~side).any()


def test_where_a_filter_still_passes_nothing_is_lost():
    found = regions(recorded(noise()), SPEC.replace(filter=FilterSpec(0.5, None)))["below"]
    assert not found.mask[:, FREQS >= 0.3].any()
    assert found.share(np.where(FREQS >= 0.3, 1.0, 0.0) * np.ones((2, 1)), (0, 1))[0] == 0


def test_filters_of_the_recording_are_known_from_its_header():
    found = regions(recorded(noise(), highpass=0.9, lowpass=35.0))
    np.testing.assert_array_equal(found["below"].mask[0], FREQS < 0.3)
    assert FREQS[found["above"].mask[0]].min() == pytest.approx(35 * 1.32, abs=0.05)
    assert "35 Hz that the recording states" in found["above"].where


def test_an_input_with_a_filter_of_its_own_has_edges_of_its_own():
    channels = (
        ChannelSpec("eeg", types=("eeg",), use="first"),
        ChannelSpec("emg", types=("emg",), filter=FilterSpec(10.0)),
    )
    found = regions(recorded(noise(), kinds=["eeg", "emg"]), SPEC.replace(channels=channels))["below"]
    assert found.mask.any(axis=1).tolist() == [False, True]


def test_samples_that_were_held_have_images():
    lower = noise()[:, ::2]
    found = regions(recorded(np.repeat(lower, 2, axis=1)))["images"]
    assert "mirrored copy" in found.where
    np.testing.assert_array_equal(found.mask[0], FREQS > 32)


def test_a_recording_that_was_raised_to_its_rate_is_empty_above():
    raw = recorded(noise()[:, : N_EPOCHS * N_TIMES // 2], sfreq=64.0).resample(128.0, npad=0, verbose="error")
    found = regions(raw)["images"]
    assert "nothing was recorded" in found.where
    assert FREQS[found.mask[0]].min() == pytest.approx(32, abs=1.1)


def test_a_filter_makes_no_images():
    raw = recorded(noise()).filter(None, 40.0, verbose="error")
    assert not regions(raw)["images"].mask.any()
    assert regions(raw)["above"].mask.any()
    assert not regions(recorded(noise()), SPEC.replace(filter=FilterSpec(0.3, 30.0)))["images"].mask.any()


def test_channels_that_show_no_sleep_are_found_unless_the_model_asks_for_them():
    raw = recorded(noise(), kinds=["eeg", "ecg"])
    any_type = SPEC.replace(channels=(ChannelSpec("all", use="all"),))
    found = regions(raw, any_type)["channel"]
    assert found.mask.all(axis=1).tolist() == [False, True]
    assert found.share(np.ones((2, len(FREQS))), (0, 1)) == (0.5, 0.5)
    asked = dataclasses.replace(any_type, channels=(ChannelSpec("all", types=("eeg", "ecg")),))
    assert not regions(raw, asked)["channel"].mask.any()
    assert regions(recorded(noise(), kinds="misc"), any_type)["channel"].why
