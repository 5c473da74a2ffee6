"""The white-box stager: a known answer for every attribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eegflex
from eegflex.stagers.zoo.bandpower import FEATURES, N_TAPS, BandPower, load_bandpower


@pytest.fixture(scope="module")
def explained():
    """A simulated night of 1 h, two epochs of each stage explained."""
    epochs = eegflex.make_epochs(eegflex.simulate_psg(hours=1, seed=11, verbose="error").raw, verbose="error")
    return eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, views=("time",), verbose="error")


def test_its_filters_are_those_of_scipy():
    from scipy.signal import firwin, lfilter

    x = np.random.default_rng(0).standard_normal((1, 3, 3000))
    model = BandPower(100.0, np.zeros((5, len(FEATURES))), np.zeros(5))
    ours = model.features(torch.from_numpy(x).float()).numpy()[0]
    places = {"eeg": 0, "eog": 1, "emg": 2}
    for value, feature in zip(ours, FEATURES, strict=True):
        taps = firwin(N_TAPS, (feature.low, feature.high), pass_zero=False, fs=100.0)
        filtered = lfilter(taps, 1, x[0, places[feature.input]])[N_TAPS - 1 :]
        assert value == pytest.approx(np.log(np.mean(filtered**2) + 1), rel=1e-3)


def test_attributions_lie_in_the_bands_that_it_uses(explained):
    table = explained.to_data_frame()
    kinds = dict(zip(explained.ch_names, explained.to_xarray()["ch_type"].values, strict=True))
    used = {(feature.input, feature.band) for feature in FEATURES}
    size = table["attribution"].abs()
    true = [(kinds[channel], band) in used for channel, band in zip(table["channel"], table["band"], strict=True)]
    assert size[true].sum() / size.sum() >= 0.95


def test_complete(explained):
    assert explained.relative_gap().max() < 0.02  # the tolerance


def test_it_stages_a_simulated_night(explained):
    from eegflex.results.tables import agreement

    kappa, confusion = agreement(explained.to_xarray())
    assert kappa > 0.8
    assert confusion.to_numpy().sum() == 120


def test_its_constants_say_where_they_come_from():
    stager = load_bandpower()
    assert "simulated" in stager.spec.citation
    assert stager.module.weight.shape == (5, len(FEATURES))
