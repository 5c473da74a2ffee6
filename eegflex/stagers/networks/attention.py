"""Attention that pools: a weighted mean over time, whose weights are learned."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["AttentionPooling"]


class AttentionPooling(nn.Module):
    """Mean of steps x weighted by the softmax of u · tanh(W x + b), as Phan et al. pool the windows of an epoch.

    Parameters
    ----------
    n_inputs : int
        Numbers of a step.
    n_hidden : int
        Numbers of what a step is compared by.
    """

    def __init__(self, n_inputs: int, n_hidden: int) -> None:
        super().__init__()
        self.W_omega = nn.Parameter(0.1 * torch.randn(n_inputs, n_hidden))
        self.b_omega = nn.Parameter(0.1 * torch.randn(n_hidden))
        self.u_omega = nn.Parameter(0.1 * torch.randn(n_hidden))

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """(batch, step, n_inputs) -> (batch, n_inputs)."""
        weights = torch.softmax(torch.tanh(steps @ self.W_omega + self.b_omega) @ self.u_omega, dim=-1)
        return (weights[..., None] * steps).sum(1)
