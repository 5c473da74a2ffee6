"""The identity on which everything rests: the views of one gradient agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eegflex.attribution.spectra import attribution_in_frequency, attribution_in_time, with_phases_of

LENGTHS = [1, 2, 3, 4, 97, 128, 2559, 2560]  # odd, even, prime


@given(n_times=st.integers(1, 300), seed=st.integers(0, 2**16))
def test_views_have_the_same_sum(n_times, seed):
    generator = torch.Generator().manual_seed(seed)
    change, gradient = torch.randn(2, 3, n_times, dtype=torch.float64, generator=generator)
    in_time = attribution_in_time(change, gradient).sum(-1)
    in_frequency = attribution_in_frequency(change, gradient)
    assert in_frequency.shape[-1] == n_times // 2 + 1
    torch.testing.assert_close(in_frequency.sum(-1), in_time, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_times", LENGTHS)
def test_frequency_view_is_the_derivative_by_magnitudes(n_times):
    """For a linear score, FLEX is r_f times the derivative of the score by r_f: taken by autograd through irfft."""
    torch.manual_seed(n_times)
    x, slope = torch.randn(2, n_times, dtype=torch.float64)
    magnitudes = torch.fft.rfft(x).abs().requires_grad_(True)
    phases = torch.fft.rfft(x).angle()
    score = torch.fft.irfft(torch.polar(magnitudes, phases), n=n_times) @ slope
    (derivative,) = torch.autograd.grad(score, magnitudes)
    expected = (magnitudes * derivative).detach()
    torch.testing.assert_close(attribution_in_frequency(x, slope), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_times", LENGTHS)
def test_own_magnitudes_give_the_signal_back(n_times):
    x = torch.randn(2, n_times, dtype=torch.float64)
    torch.testing.assert_close(with_phases_of(x, torch.fft.rfft(x).abs()), x)


def test_dc_and_nyquist_count_once():
    n_times = 8
    constant, alternating = torch.ones(n_times), torch.tensor([1.0, -1.0]).repeat(4)
    for wave, place in ((constant, 0), (alternating, -1)):
        attribution = attribution_in_frequency(wave, wave)
        assert attribution[place] == pytest.approx(n_times)
        assert attribution.abs().sum() == pytest.approx(n_times)
