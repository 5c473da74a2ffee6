"""What is told of a stager that has seen no real night."""

import numpy as np
import pytest
import torch

import eegflex

TOLD = "was not trained on real nights"


@pytest.fixture(scope="module")
def raw():
    return eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error").raw


@pytest.mark.parametrize("model", ["bandpower", "known-alpha"])
def test_a_stager_made_on_simulated_nights_tells_so_of_others(raw, model):
    simulated = eegflex.make_epochs(raw, verbose="error")
    assert TOLD not in str(eegflex.stage_epochs(simulated, model, verbose="error").segments.notes["warnings"])
    other = raw.copy()
    other.info["temp"] = None  # as any Raw that eegflex did not simulate
    night = eegflex.stage_epochs(eegflex.make_epochs(other, verbose="error"), model, verbose="error")
    (told,) = (one for one in night.segments.notes["warnings"] if TOLD in one)
    assert told.startswith(model)
    result = eegflex.attribute_epochs(night, sample_per_stage=1, spectral_share=0, verbose="error")
    assert told in result.provenance["warnings"]


def test_a_network_of_ones_own_is_not_told_of(raw):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6 * 3840, 5))
    other = raw.copy().pick("eeg")
    other.info["temp"] = None
    epochs = eegflex.make_epochs(other, verbose="error")
    spec = eegflex.ModelSpec(name="mine", unit="uV")
    night = eegflex.stage_epochs(epochs, network, spec=spec, verbose="error")
    assert TOLD not in str(night.segments.notes["warnings"])
    assert np.isfinite(night.scores).all()
