"""The level of a channel, against the shape of its spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eegflex.evaluation.audit_level import level_of

SFREQ, N_TIMES = 100.0, 3000
FREQS = np.fft.rfftfreq(N_TIMES, 1 / SFREQ)


def power(signals, low, high):
    """Power of each channel in a band, in µV²."""
    inside = torch.from_numpy((low <= FREQS) & (high > FREQS))
    return (torch.fft.rfft(signals.double()).abs().square() * inside).sum(dim=-1) * 2 / N_TIMES**2


def level(feature, recorded, *, total=1.0, channels=(0, 1)):
    """Of a stager of two stages, whose logits are a feature of the first channel and its opposite."""

    def scores(signals):
        logits = feature(signals)
        return torch.stack([logits, -logits], dim=-1).numpy()

    def answer(found):
        odds = 1 / (1 + np.exp(found[:, 1] - found[:, 0]))
        return found[:, 0], odds

    usual = np.array([[18.0, 25.0]] * 2)
    passed = np.ones((2, len(FREQS)), dtype=bool)
    return level_of(scores, answer, recorded, total, usual, channels, passed, SFREQ, np.random.default_rng(0))


@pytest.fixture(scope="module")
def recorded():
    """Two channels of 1/f noise, 20 µV each."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal((2, N_TIMES))) / np.maximum(FREQS, 0.3)
    data = np.fft.irfft(spectrum)
    return torch.from_numpy(20 * data / np.sqrt((data**2).mean(axis=1, keepdims=True))).float()


def test_a_reader_of_the_level_is_told_by_its_level_alone(recorded):
    found = level(lambda signals: signals[:, 0].double().square().mean(dim=-1).log() - np.log(400), recorded, total=4.0)
    assert found.channel == 0
    assert found.share > 0.99
    assert found.score == pytest.approx(np.log(4) / 4)  # a factor of 2 is one of 4 in power
    assert found.flips
    assert found.probability == pytest.approx(1 / (1 + np.exp(-2 * np.log(4))) - 0.5, abs=1e-3)


@pytest.mark.parametrize("band", [(0.5, 4.0), (8.0, 12.0), (12.0, 16.0), (16.0, 30.0)])
def test_a_reader_of_a_rhythm_is_not(recorded, band):
    here = float(power(recorded, *band)[0].log())
    found = level(lambda signals: power(signals[:, 0], *band).clamp(min=1e-9).log() - here, recorded)
    assert found.share < 0.6


def test_what_a_level_does_not_move_has_no_share(recorded):
    def shape(signals):
        return power(signals[:, 0], 0.5, 4.0) / power(signals[:, 0], 0.5, 50.0)

    found = level(shape, recorded)
    assert found.share == pytest.approx(0, abs=1e-4)
    assert found.probability < 1e-4


def test_a_channel_without_a_signal_has_no_level(recorded):
    assert level(lambda signals: signals[:, 0].double().std(dim=-1), torch.zeros_like(recorded)) is None
    assert level(lambda signals: signals[:, 0].double().std(dim=-1), recorded, channels=()) is None
    found = level(lambda signals: signals[:, 1].double().std(dim=-1), recorded * torch.tensor([[0.0], [1.0]]))
    assert found.channel == 1
