"""Bands asked of the model one by one: what they do by themselves, and how much of an attribution that is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import noise_epochs
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import eegflex
from eegflex.evaluation.one_by_one import COLUMN, effects, overlap
from eegflex.evaluation.question import ask

CELLS = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


class Linear(nn.Module):
    """Scores that are sums over all samples: each band does the same whatever others do."""

    def __init__(self, n_channels: int, n_times: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(1)
        self.weights = nn.Parameter(torch.randn(n_channels * n_times, 5, generator=rng) / n_times)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        return signals.flatten(1) @ self.weights


class Both(nn.Module):
    """The product of what two channels have: neither does anything without the other."""

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        size = signals.square().mean(dim=-1)
        return (size[:, :1] * size[:, 1:]) * torch.linspace(-1, 1, 5)


def explained(module, n_epochs=5):
    epochs = noise_epochs(n_epochs=n_epochs)
    night = eegflex.stage_epochs(epochs, module, verbose="error")
    return eegflex.attribute_epochs(night, baseline="zero", verbose="error"), night


def test_of_a_linear_model_each_band_does_what_was_attributed_to_it():
    result, night = explained(Linear(2, 960), n_epochs=45)  # in three blocks of 10 minutes
    for one in ask(result, night).sample(2):
        np.testing.assert_allclose(effects(one), one.band_sums, atol=1e-5)
    evaluation = eegflex.evaluate(result, night, parts="one by one", verbose="error")
    assert evaluation.to_data_frame()[COLUMN].min() > 0.999
    assert evaluation.findings["one by one"].status == "ok"
    assert "is 1.00 (95 % interval 1.00 to 1.00, n = " in evaluation.findings["one by one"].text


def test_what_bands_do_only_together_is_half_of_what_each_does():
    """From silence each channel adds nothing first and all last, so that the mean of both is half, and sums to the change."""
    result, night = explained(Both())
    one = ask(result, night).sample(None)[0]
    change = one.score(one.ends)[0] - one.score(one.begins)[0]
    channels = [effects(one)[k] for k in range(2)]
    assert sum(own.sum() for own in channels) == pytest.approx(change, rel=1e-3)
    for own in channels:
        assert own.sum() == pytest.approx(change / 2, rel=1e-3)


def test_half_of_an_explanation_in_the_wrong_place_is_half_missing():
    told = np.array([[4.0, 0.0, -2.0]])
    assert overlap(told, told) == 1
    assert overlap(np.array([[2.0, 2.0, -2.0]]), told) == pytest.approx(1 - 4 / 12)
    assert overlap(np.array([[0.0, 3.0, 0.0]]), told) == 0
    assert overlap(-told, told) == 0
    assert np.isnan(overlap(0 * told, 0 * told))


@given(CELLS, CELLS)
def test_the_overlap_is_a_share_and_the_same_both_ways(one, other):
    found = overlap(np.array(one), np.array(other))
    assert np.isnan(found) or -1e-12 <= found <= 1
    np.testing.assert_allclose(found, overlap(np.array(other), np.array(one)))


def test_a_few_explanations_are_no_finding():
    result, night = explained(Linear(2, 960))
    evaluation = eegflex.evaluate(result[:2], night, parts="one by one", verbose="error")
    assert evaluation.findings["one by one"].status == "unknown"
