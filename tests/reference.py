"""FLEX as it is defined, slowly and literally: Integrated Gradients by captum on F o irfft, over magnitudes."""

from __future__ import annotations

import torch
from captum.attr import IntegratedGradients


def literal_flex(score, x, target, *, baseline=None, n_steps=50, method="gausslegendre"):
    """Attribution to the magnitudes of rfft(x), its phases held fixed.

    Parameters
    ----------
    score : callable
        (batch, channel, time) -> (batch, stage).
    x : Tensor, shape (1, n_channels, n_times)
    target : int
    baseline : Tensor of x's shape or None
        Signal whose magnitudes the path begins with.
    """
    n_times = x.shape[-1]
    spectrum = torch.fft.rfft(x)
    phases = torch.angle(spectrum)

    def of_magnitudes(magnitudes):
        turned = torch.polar(magnitudes, phases.expand_as(magnitudes).contiguous())
        return score(torch.fft.irfft(turned, n=n_times))

    start = torch.zeros_like(spectrum.real) if baseline is None else torch.fft.rfft(baseline).abs()
    return IntegratedGradients(of_magnitudes).attribute(
        spectrum.abs(), baselines=start, target=target, n_steps=n_steps, method=method, internal_batch_size=8
    )
