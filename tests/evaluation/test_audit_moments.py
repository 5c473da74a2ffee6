"""Moments at which there is nothing to read."""

from __future__ import annotations

import mne
import numpy as np
import pytest

import eegflex
from eegflex.evaluation.audit_moments import Heart, artifacts_of, ecg_channel, share_of_moments
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ChannelSpec
from eegflex.stagers.zoo.known_truth import SHORTCUT

SFREQ, N_TIMES, N_EPOCHS = 128.0, 3840, 40
SPEC = SHORTCUT.spec.replace(channels=(ChannelSpec("all", use="all"),))


def test_chance_is_the_mean_over_all_shifts():
    rng = np.random.default_rng(0)
    values, mask = rng.standard_normal((3, 50)) ** 3, rng.random((3, 50)) < 0.2
    share, chance = share_of_moments(values, mask)
    size = np.abs(values)
    assert share == pytest.approx(size[mask].sum() / size.sum())
    assert chance == pytest.approx(np.mean([size[np.roll(mask, k, axis=1)].sum() for k in range(50)]) / size.sum())


def test_nothing_attributed_has_no_share():
    assert np.isnan(share_of_moments(np.zeros((2, 5)), np.ones(5, dtype=bool))).all()


@pytest.fixture(scope="module")
def night():
    """A minute of a stage, in pink noise of 20 µV, with an eye channel, and an ECG of which the beats are known."""
    rng = np.random.default_rng(0)
    n = N_EPOCHS * N_TIMES
    spectrum = np.fft.rfft(rng.standard_normal((3, n))) / np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / SFREQ), 0.5))
    data = np.fft.irfft(spectrum)
    data = 20 * data / data.std(axis=1, keepdims=True)
    beats = np.cumsum(rng.normal(1.0, 0.04, n // 100))
    beats = beats[beats < N_EPOCHS * 30 - 1]
    at = np.round(beats * SFREQ).astype(int)
    heart = np.zeros(n)
    for shift, height in ((-2, 0.4), (-1, 0.8), (0, 1.0), (1, 0.6), (3, -0.3)):
        heart[at + shift] += 1000 * height
    return np.vstack([data, heart + 10 * rng.standard_normal(n)]), beats


def epochs_of(data, kinds=("eeg", "eeg", "eog", "ecg"), annotations=None):
    names = ["C3", "C4", "E1", "ECG"][: len(data)]
    raw = mne.io.RawArray(1e-6 * data, mne.create_info(names, SFREQ, list(kinds)), verbose="error")
    raw.set_annotations(annotations)
    return eegflex.make_epochs(raw, verbose="error")


def artifacts(epochs):
    return artifacts_of(prepare(epochs, SPEC), epochs)


def test_heartbeats_are_found_where_they_are(night):
    data, beats = night
    heart = Heart(epochs_of(data), "ECG")
    for number in (0, 7):
        own = beats[(beats >= 30 * number + 0.5) & (beats < 30 * number + 29.5)] - 30 * number
        found = heart.beats(number)
        distance = np.abs(found[:, None] - own).min(axis=0)
        assert distance.max() < 0.03
        assert len(found) <= len(own) + 2
        covered = heart.mask(number, N_TIMES, SFREQ).mean()
        assert covered == pytest.approx(0.2 * len(found) / 30, abs=0.02)


def test_what_is_no_heart_has_no_beats(night):
    data, _ = night
    flat = data.copy()
    flat[3] = 0.0
    assert Heart(epochs_of(flat), "ECG").beats(0) is None
    quiet = data.copy()
    quiet[3, : N_TIMES - 2 * 128] = 0.0  # two seconds of a lead that was taken off
    assert Heart(epochs_of(quiet), "ECG").beats(0) is None
    assert Heart(epochs_of(quiet), "ECG").mask(0, N_TIMES, SFREQ) is None
    hiss = data.copy()
    hiss[3] = np.random.default_rng(2).standard_normal(data.shape[1])
    heart = Heart(epochs_of(hiss), "ECG")
    assert [heart.beats(number) for number in range(8)] == [None] * 8


def test_the_ecg_is_known_by_its_type_and_by_its_label(night):
    data, _ = night
    epochs = epochs_of(data)
    assert ecg_channel(epochs) == "ECG"
    assert ecg_channel(epochs_of(data, ("eeg", "eeg", "eog", "eeg"))) == "ECG"  # MNE types all of an EDF so
    epochs.info["bads"] = ["ECG"]
    assert ecg_channel(epochs) is None
    assert ecg_channel(epochs_of(data[:3], ("eeg", "eeg", "eog"))) is None


def test_a_quiet_recording_has_no_artifacts(night):
    assert not artifacts(epochs_of(night[0])).any()


def test_each_kind_of_artifact_is_found_in_its_second_and_channel(night):
    data = night[0].copy()

    def second(epoch, at):
        return slice((30 * epoch + at) * 128, (30 * epoch + at + 1) * 128)

    rng = np.random.default_rng(1)
    data[0, second(3, 4)] += 600 * np.sin(np.linspace(0, 2 * np.pi, 128))  # movement
    data[1, second(5, 10)] += 90 * rng.standard_normal(128)  # muscle
    data[0, second(8, 20)] = 3.0  # a lead that was taken off
    data[1, second(9, 2)] = np.clip(9000 * rng.standard_normal(128), -800, 800)  # an amplifier at its end
    data[2, second(11, 6)] += 600 * np.sin(np.linspace(0, 2 * np.pi, 128))  # a large movement of the eyes
    found = artifacts(epochs_of(data))
    assert {(3, 0, 4), (5, 1, 10), (8, 0, 20), (9, 1, 2)} == set(zip(*np.nonzero(found), strict=True))


def test_slow_waves_are_no_artifact(night):
    data = night[0].copy()
    times = np.arange(20 * N_TIMES) / SFREQ
    data[:2, : 20 * N_TIMES] += 150 * np.sin(2 * np.pi * 0.9 * times)  # half a night of 300 µV from peak to peak
    assert not artifacts(epochs_of(data)).any()


def test_what_is_annotated_as_bad_is_an_artifact_of_all_channels(night):
    epochs = epochs_of(night[0], annotations=mne.Annotations([62.0, 95.0], [2.5, 1.0], ["BAD_cough", "spindle"]))
    rows = np.array(np.nonzero(artifacts(epochs))).T.tolist()
    assert rows == [[2, channel, second] for channel in range(4) for second in (2, 3, 4)]
