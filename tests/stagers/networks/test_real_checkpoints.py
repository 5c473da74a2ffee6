"""PhysioEx's checkpoints, which real nights trained: staged, checked and explained on a simulated one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import spectrogram

import eegflex
from eegflex.agreement import cohens_kappa
from eegflex.evaluation.truth import average_precision, covered_by
from eegflex.preprocessing.segments import prepare
from eegflex.spec import load_spec

pytestmark = pytest.mark.slow

#: How well each stages this night, at least; of the nights that they were tested on, it was 0.84 to 0.89 of the epochs.
KAPPA = {
    "seqsleepnet-eeg": 0.6,
    "seqsleepnet-eeg-eog-emg": 0.7,
    "chambon-eeg": 0.6,
    "chambon-eeg-eog-emg": 0.5,
    "tinysleepnet-eeg": 0.4,
    "tinysleepnet-eeg-eog-emg": 0.4,
}


@pytest.fixture
def checkpoint(physioex_weights):
    """Load one of PhysioEx's networks, from where its weights are on this machine."""

    def load(name):
        weights = physioex_weights(load_spec(f"physioex:{name}").file)
        return eegflex.load_model(f"physioex:{name}", weights=weights)

    return load


@pytest.fixture(scope="module")
def epochs():
    """Two hours of sleep."""
    night = eegflex.simulate_psg(hours=2.0, sfreq=128, seed=1, verbose="error")
    return eegflex.make_epochs(night.raw).load_data()


def picks(name):
    return ["C4-M1", *(() if name.endswith("-eeg") else ("E1-M2", "Chin1-Chin2"))]


@pytest.mark.parametrize("name", KAPPA)
def test_it_stages_a_simulated_night_and_the_doctor_finds_nothing(checkpoint, epochs, name):
    night = eegflex.stage_epochs(epochs, checkpoint(name), picks=picks(name), verbose="error")
    assert cohens_kappa(night.confusion) > KAPPA[name]
    findings = eegflex.check_model(night)
    assert not findings.errors


@pytest.mark.parametrize("name", ["seqsleepnet-eeg", "seqsleepnet-eeg-eog-emg", "chambon-eeg"])
def test_what_explains_it_adds_up(checkpoint, epochs, name):
    night = eegflex.stage_epochs(epochs, checkpoint(name), picks=picks(name), verbose="error")
    result = eegflex.attribute_epochs(night, sample_per_stage=1, tol=0.02, verbose="error").to_xarray()
    assert float(result["error"].max()) <= 0.02
    assert float(np.abs(result["gap"]).median()) < 0.02


def test_seqsleepnet_scores_what_its_authors_code_does(checkpoint, epochs):
    """Their spectrogram, scipy's; mean and sd of each frequency; the network by its formulas. Our graph from the signal on."""
    stager = checkpoint("seqsleepnet-eeg")
    night = eegflex.stage_epochs(epochs, stager, picks=picks("-eeg"), verbose="error")
    signals = prepare(epochs, stager.spec, picks=picks("-eeg")).signals[:, 0].astype(np.float64)
    _, _, power = spectrogram(signals, fs=100, window="hamming", nperseg=200, noverlap=100, nfft=256)
    image = (20 * np.log10(power + np.finfo(float).eps)).transpose(0, 2, 1)
    image = (image - image.mean((0, 1))) / image.std((0, 1))
    windows = torch.from_numpy(np.stack([image[at - 10 : at + 11] for at in (30, 77, 150)])).float()[:, :, None]
    with torch.no_grad():
        scores = stager.module(windows)[:, 10]
    np.testing.assert_allclose(night.probabilities[[30, 77, 150]], torch.softmax(scores, -1).numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["seqsleepnet-eeg", "chambon-eeg"])
def test_planted_spindles_speak_for_n2(checkpoint, name):
    """Nobody told the network of them. For SeqSleepNet the way back to the signal leads through its spectrogram."""
    planted = eegflex.simulate_psg(hours=1.0, sfreq=128, seed=2, verbose="error")
    stager = checkpoint(name)
    night = eegflex.stage_epochs(eegflex.make_epochs(planted.raw), stager, picks=["C4-M1"], verbose="error")
    asked = {"target": "N2", "select": "stage == 'N2'", "views": ("time-frequency",), "tol": 0.05, "verbose": "error"}
    data = eegflex.attribute_epochs(night, **asked, on_check="ignore").for_target().data
    freqs, frames = data["frame_freq"].values, data["frame"].values
    spindles = planted.events[(planted.events["kind"] == "spindle") & (planted.events["C4-M1"].abs() > 0.3)]
    covered = covered_by(spindles, data["onset"].values[:, None] + frames, freqs)
    cells = np.ix_(range(len(covered)), (freqs >= 11) & (freqs <= 16), (frames >= 0) & (frames <= 30))
    precision = average_precision(covered[cells], data["time_frequency_view"].values[:, 0][cells])
    assert precision > 5 * covered[cells].mean()
