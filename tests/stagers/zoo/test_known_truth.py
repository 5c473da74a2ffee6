"""Stagers whose truth is known: that it is the truth, and that FLEX tells it."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from attribution_helpers import view
from torch.nn.functional import conv1d

import eegflex
from eegflex.errors import ParameterError
from eegflex.evaluation.truth import cover_of_events, share_in_truth
from eegflex.results.tables import band_sums
from eegflex.stagers.zoo.known_truth import ALPHA, SFREQ, SHORTCUT, SITES, SLOW_WAVE, SPINDLE, TRUTHS, plant_line_noise

by_stager = pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
SEEDS = (3, 14, 15)


@functools.cache
def night(seed):
    return eegflex.simulate_psg(hours=1.5, sfreq=SFREQ, seed=seed, verbose="error")


@functools.cache
def recorded(seed, confounded=False):
    """The epochs of a night; confounded, with line noise in those that the shortcut is to take for its stage."""
    raw = night(seed).raw
    return eegflex.make_epochs(plant_line_noise(raw, SHORTCUT.stage) if confounded else raw, verbose="error")


def nights_of(truth, seed):
    """A night on which the stager's feature occurs."""
    return recorded(seed, truth is SHORTCUT)


#: Of which silence is the absence of the feature.
ZERO = {"baseline": "zero", "verbose": "error"}


@functools.cache
def explained(truth, seed):
    """Up to 12 epochs of the stager's stage, with the time-frequency view."""
    epochs = nights_of(truth, seed)
    own = np.flatnonzero(epochs.metadata["stage"] == truth.stage)
    chosen = epochs[own[:: max(len(own) // 12, 1)][:12]]
    return eegflex.attribute_epochs(chosen, truth.name, target=truth.stage, views=("time-frequency",), **ZERO)


def kappa_of(truth, epochs):
    """Agreement of the stager with the hypnogram on its own stage against all others."""
    result = eegflex.attribute_epochs(epochs, truth.name, sample_per_stage=1, on_check="warn", verbose="error")
    data = result.to_xarray()
    said = data["night_scores"].values[:, 0].argmax(1) == result.stages.index(truth.stage)
    true = data["night_stage"].values == truth.stage
    chance = said.mean() * true.mean() + (1 - said.mean()) * (1 - true.mean())
    return ((said == true).mean() - chance) / (1 - chance)


@by_stager
def test_a_name_loads_it_with_its_truth(truth):
    stager = eegflex.load_model(truth.name)
    assert stager.spec.name == truth.name
    assert stager.module.truth == truth
    assert stager.spec.channels[truth.input].sites == (truth.site,)


@by_stager
def test_outside_its_band_its_filter_is_60_db_down(truth):
    taps = eegflex.load_model(truth.name).module.taps.numpy()
    response = np.abs(np.fft.rfft(taps, 2**15))
    freqs = np.fft.rfftfreq(2**15, 1 / SFREQ)
    low, high = truth.band
    assert response[(freqs < low) | (freqs > high)].max() < 1.1e-3
    assert np.abs(response[np.abs(freqs - (low + high) / 2) < (high - low) / 4] - 1).max() < 2e-3
    assert len(taps) % 2 == 1
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-8)


def sine(truth, amplitude):
    """A sine in the middle of the band on the stager's channel, (1, 6, n_times), in µV."""
    signals = torch.zeros(1, len(SITES), 3840)
    times = torch.arange(3840) / SFREQ
    signals[:, truth.input] = amplitude * torch.sin(2 * torch.pi * sum(truth.band) / 2 * times)
    return signals


@by_stager
def test_a_sine_has_the_energy_and_the_score_of_its_formula(truth):
    module = eegflex.load_model(truth.name).module
    for level in (0.1, 1.0, 10.0):
        signals = sine(truth, (2 * level * truth.level) ** 0.5)
        np.testing.assert_allclose(module.energy(signals), level * truth.level, rtol=0.02)
        z = 2 * (level**2 / (1 + level**2) / truth.share - 1)
        scores = dict(zip(eegflex.load_model(truth.name).spec.stages, module(signals)[0].tolist(), strict=True))
        assert scores.pop(truth.stage) == pytest.approx(z, rel=0.05, abs=0.05)
        assert list(scores.values()) == pytest.approx([-z] * 4, rel=0.05, abs=0.05)


@by_stager
def test_silence_and_what_others_record_are_not_its_feature(truth):
    module = eegflex.load_model(truth.name).module
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((1, len(SITES), 3840))).float() * 100
    noise[:, truth.input] = 0
    assert torch.equal(module(noise), module(torch.zeros_like(noise)))
    assert module(noise)[0].abs().tolist() == [2.0] * 5


@pytest.mark.slow
@by_stager
def test_flex_is_the_closed_form_of_the_path(truth):
    """At a x the energy is a² e, so that the mean gradient of s is b with y (k * phi(e) / e), turned round."""
    epochs = nights_of(truth, SEEDS[0])
    chosen = epochs[np.flatnonzero(epochs.metadata["stage"] == truth.stage)[:3]]
    exact = {"quadrature": "gauss-legendre", "n_steps": 32, "dtype": "float64", "views": ("time",)}
    result = eegflex.attribute_epochs(chosen, truth.name, target=truth.stage, **ZERO, **exact)
    module = eegflex.load_model(truth.name).to("cpu", torch.float64).module
    x = torch.from_numpy(view(result, "signal")[:, truth.input]).double()[:, None]
    b, k = module.taps[None, None], module.window[None, None]
    y = conv1d(x, b)
    e = conv1d(y.square(), k)
    ratio = e / (e.square() + truth.level**2)  # phi(e) / e
    weight = conv1d(ratio, k.flip(-1), padding=k.shape[-1] - 1)
    gradient = conv1d(y * weight, b.flip(-1), padding=b.shape[-1] - 1) / e.shape[-1]
    expected = (x * gradient)[:, 0].numpy() * 2 / truth.share
    found = view(result, "time_view")[:, truth.input]
    assert np.abs(found - expected).sum() < 1e-6 * np.abs(expected).sum()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@by_stager
def test_flex_puts_what_it_attributes_into_the_true_channel_and_band(truth, seed):
    result = eegflex.attribute_epochs(nights_of(truth, seed), truth.name, sample_per_stage=3, verbose="error")
    assert result.parameters["quadrature"] == "adaptive"
    assert len(result.counts()) == 2  # epochs with the feature and epochs without
    assert share_in_truth(result, truth).min() >= 0.99
    for other in TRUTHS.values():
        if other.band != truth.band:
            assert share_in_truth(result, other).max() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_time_frequency_view_covers_the_planted_spindles(seed):
    """In the rows of its band alone, so that only knowing when, and which of the band's frequencies, is rewarded."""
    result, events = explained(SPINDLE, seed), night(seed).events
    cover = cover_of_events(result, SPINDLE, events)
    assert cover.ratio >= 5
    assert cover_of_events(result, SPINDLE, events, rows="all").ratio >= 5 * cover.ratio


@pytest.mark.slow
@pytest.mark.parametrize("truth", [SLOW_WAVE, ALPHA], ids=lambda truth: truth.name)
def test_the_time_frequency_view_covers_slow_waves_and_alpha(truth):
    """In the whole plane: in the rows of their band alone they cover a fifth of it, which cannot be done 5 times better."""
    for seed in SEEDS:
        assert cover_of_events(explained(truth, seed), truth, night(seed).events, rows="all").ratio >= 5


def test_spindles_of_another_time_are_not_covered():
    """What holds for the truth does not hold for a wrong one."""
    events = night(SEEDS[0]).events
    moved = events.assign(onset=events["onset"] + 7.5)
    assert cover_of_events(explained(SPINDLE, SEEDS[0]), SPINDLE, moved).ratio < 2


def test_the_shortcut_is_caught():
    clean, confounded = recorded(SEEDS[0]), recorded(SEEDS[0], confounded=True)
    assert kappa_of(SHORTCUT, confounded) > 0.95
    assert abs(kappa_of(SHORTCUT, clean)) < 0.05
    result = explained(SHORTCUT, SEEDS[0])
    sums = pd.DataFrame(
        np.abs(band_sums(result.to_xarray(), eegflex.Bands())).sum((0, 1)), index=eegflex.Bands().names
    )[0]
    assert sums["above"] > 0.99 * sums.sum()
    spectrum = np.abs(view(result)).sum(0)
    channel, peak = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert SITES[channel] == SHORTCUT.site
    assert result.freqs[peak] == pytest.approx(50, abs=0.05)


@pytest.mark.slow
def test_the_other_stagers_do_not_hear_the_line():
    quiet, noisy = (recorded(SEEDS[0], confounded) for confounded in (False, True))
    for truth in (SPINDLE, SLOW_WAVE, ALPHA):
        assert kappa_of(truth, noisy) == pytest.approx(kappa_of(truth, quiet), abs=0.02)


@pytest.mark.slow
@by_stager
def test_the_doctor_has_nothing_against_it(truth):
    findings = eegflex.check_model(truth.name, nights_of(truth, SEEDS[0]), verbose="error")
    assert not findings.errors


def test_line_noise_is_planted_where_it_is_said():
    raw = night(SEEDS[0]).raw
    before = raw.get_data()
    planted = plant_line_noise(raw, "N3", amplitude=10.0).get_data()
    np.testing.assert_array_equal(raw.get_data(), before)
    added = (planted - before).reshape(len(raw.ch_names), len(night(SEEDS[0]).hypnogram), -1) * 1e6
    is_eeg = np.array(raw.get_channel_types()) == "eeg"
    own = night(SEEDS[0]).hypnogram == "N3"
    assert not added[~is_eeg].any()
    assert not added[:, ~own].any()
    np.testing.assert_allclose(added[is_eeg][:, own].std(axis=-1), 10 / 2**0.5, rtol=1e-3)


def test_line_noise_is_planted_where_it_is_said_in_a_part_of_a_night():
    raw = night(SEEDS[0]).raw
    late = plant_line_noise(raw.copy().crop(tmin=600), "N3").get_data("eeg")
    added = late - raw.copy().crop(tmin=600).get_data("eeg")
    hypnogram = night(SEEDS[0]).hypnogram[20:]
    heard = added[:, : len(hypnogram) * 3840].reshape(len(added), len(hypnogram), -1).any(axis=(0, 2))
    np.testing.assert_array_equal(heard, hypnogram == "N3")


def test_a_stage_that_does_not_occur_cannot_be_confounded():
    with pytest.raises(ParameterError, match="N4"):
        plant_line_noise(night(SEEDS[0]).raw, "N4")


def test_a_truth_of_another_rule_makes_another_stager():
    theta = replace(SPINDLE, name="theta", band=(4.0, 8.0), site="O1", stage="N1")
    epochs = recorded(SEEDS[0])
    result = eegflex.attribute_epochs(epochs, theta.stager(), sample_per_stage=2, verbose="error")
    assert share_in_truth(result, theta).min() >= 0.99
