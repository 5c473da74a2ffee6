"""YASA as a black box: its own scores on the recording, and band Shapley values that add up."""

from __future__ import annotations

import warnings

import mne
import numpy as np
import pytest
import torch

import eegflex
from eegflex.errors import ModelError
from eegflex.preprocessing.segments import prepare

pytest.importorskip("lightgbm", reason="the extra yasa is not installed")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    yasa = pytest.importorskip("yasa", reason="the extra yasa is not installed")

pytestmark = pytest.mark.slow

STAGES = ["W", "N1", "N2", "N3", "R"]


@pytest.fixture(scope="module")
def raw():
    """An hour at the rate that YASA works at, so that both filter the same samples."""
    raw = eegflex.simulate_psg(hours=1, seed=4, sfreq=100.0, verbose="error").raw
    return raw.pick(["C4-M1", "E1-M2", "Chin1-Chin2"])


@pytest.fixture(scope="module")
def epochs(raw):
    return eegflex.make_epochs(raw, verbose="error")


@pytest.fixture(scope="module")
def stager():
    return eegflex.load_model("yasa")


@pytest.fixture(scope="module")
def bound(stager, epochs):
    return stager.bind(prepare(epochs, stager.spec))[0]


def own(raw):
    """YASA's probabilities of a recording, from its own code throughout."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.RawArray(
            raw.get_data(), mne.create_info(raw.ch_names, 100.0, ["eeg", "eog", "emg"]), verbose="error"
        )
        staging = yasa.SleepStaging(raw, "C4-M1", eog_name="E1-M2", emg_name="Chin1-Chin2")
        staging.predict()
        table = staging._proba
    names = {"WAKE": "W", "REM": "R"}
    return table.rename(columns=names)[STAGES].to_numpy()


@pytest.mark.slow
def test_its_scores_are_yasa_s_own(raw, epochs, bound):
    ours, theirs = bound.night_scores(lambda _: None).numpy(), own(raw)
    assert ours.shape == theirs.shape == (len(epochs), 5)
    np.testing.assert_array_equal(ours.argmax(1), theirs.argmax(1))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_a_recorded_epoch_is_scored_as_in_its_night(bound):
    index = torch.arange(0, 120, 7)
    scored = bound(bound.inputs(index), index)
    torch.testing.assert_close(scored, bound.night_scores(lambda _: None)[index], atol=1e-6, rtol=0)


def test_a_changed_epoch_is_scored_as_yasa_would_in_the_changed_night(bound):
    """What is left out, the scale that the night shares, is small: against YASA's features of the whole changed night."""
    from eegflex.stagers.zoo.yasa import _night

    worst = []
    for number in (0, 3, 40, 77, 119):
        changed = bound.signals.copy()
        changed[number] *= 0.5
        index = torch.tensor([number])
        ours = bound(torch.from_numpy(changed[index.numpy()]), index).numpy()[0]
        night = _night(changed)
        theirs = night.score(night.table)[number]
        recorded = bound.night_scores(lambda _: None).numpy()[number]
        worst.append(np.abs(ours - theirs).max())
        assert np.abs(ours - theirs).max() <= 0.25 * max(np.abs(theirs - recorded).max(), 0.2)
    assert np.median(worst) < 0.05


def test_smoothed_features_of_a_changed_epoch_are_yasa_s_up_to_the_scale(bound):
    """With the night's scale as recorded, the smoothed features of the epoch are exactly those of the changed night."""
    from eegflex.stagers.zoo.yasa import _SMOOTHED, _features

    table, number = bound.night.table, 60
    raw_features = _features(bound.signals)
    changed = raw_features.copy()
    changed.iloc[number] = _features(0.3 * bound.signals[number : number + 1]).iloc[0]
    for ending, rolling in _SMOOTHED.items():
        before, after = (t.rolling(**rolling).mean().iloc[number] for t in (raw_features, changed))
        share = bound.night.shares[ending][number]
        np.testing.assert_allclose(
            (changed.iloc[number] - raw_features.iloc[number]) * share, after - before, atol=1e-4, rtol=1e-3
        )
        ranges = table[[f"{name}{ending}" for name in raw_features]]
        assert ((ranges.quantile(0.95) - ranges.quantile(0.05)) <= 1 + 1e-3).all()


@pytest.mark.slow
def test_band_shapley_values_add_up(epochs, stager):
    result = eegflex.attribute_epochs(
        epochs[56:58], stager, method="shapley_sampling", baseline="recording", sample_per_stage=1, verbose="error"
    )
    dataset = result.to_xarray()
    assert np.abs(dataset["gap"].values).max() < 1e-5
    assert np.abs(dataset["band_view"].values).max() > 0.01
    assert dataset["ch_type"].values.tolist() == ["eeg", "eog", "emg"]


@pytest.mark.slow
def test_it_has_no_gradient_and_says_what_to_do(epochs):
    with pytest.raises(ModelError, match="shapley"):
        eegflex.attribute_epochs(epochs, "yasa", sample_per_stage=1, verbose="error")


def test_it_scores_no_windows_by_themselves(stager):
    with pytest.raises(ModelError, match="whole night"):
        stager.score(torch.zeros(1, 1, 3, 3000))


def test_the_doctor_is_told_that_it_takes_no_other_rate(stager):
    """YASA takes what it is given for 100 Hz, and would score other epochs than were cut."""
    epochs = eegflex.make_epochs(eegflex.simulate_psg(hours=1, seed=4, verbose="error").raw, verbose="error")
    found = eegflex.check_model(stager, epochs, verbose="error")["rate by hypnogram"]
    assert found.status == "ok"
    assert "no other rate than 100 Hz" in found.measured
    with pytest.raises(ModelError, match="30 s at 100 Hz"):
        stager.bind(prepare(epochs, stager.spec.replace(sfreq=128.0, n_times=3840)))
