"""Small networks whose behaviour is known, for theorems about attributions."""

from __future__ import annotations

import torch
from torch import nn


class Linear(nn.Module):
    """Scores linear in the signal: its attribution is exact whatever the quadrature."""

    def __init__(self, n_channels, n_times, n_stages=5, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(n_stages, n_channels, n_times, generator=generator) / n_times**0.5)

    def forward(self, x):
        return torch.einsum("bct,sct->bs", x, self.weight)


class Sinusoid(nn.Module):
    """Stage k answers to the power at frequency bin ``bins[k]`` and to nothing else."""

    def __init__(self, bins, n_times):
        super().__init__()
        angles = 2 * torch.pi * torch.tensor(bins, dtype=torch.float64)[:, None] * torch.arange(n_times) / n_times
        self.register_buffer("waves", torch.stack([angles.cos(), angles.sin()]).float())

    def forward(self, x):
        projected = torch.einsum("bct,pst->bsp", x, self.waves) / x.shape[-1]
        return torch.log1p(projected.square().sum(-1))


class Smooth(nn.Module):
    """A convolutional network without kinks, so that quadrature converges fast."""

    def __init__(self, n_channels=2, n_stages=5, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(n_channels, 6, 9, stride=2)
        self.head = nn.Linear(6, n_stages)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(x)).square().mean(-1))


class Steep(nn.Module):
    """Switches its score within a hundredth of the path, each epoch at a place of its own."""

    def __init__(self):
        super().__init__()
        self.net = Smooth()

    def forward(self, x):
        size = x.square().mean((1, 2))[:, None]
        return self.net(x) + torch.sigmoid(400 * (size - 0.3)) * torch.arange(5.0)


class ShiftInvariant(nn.Module):
    """Does not notice a circular delay."""

    def __init__(self, n_channels=1, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(n_channels, 4, 7, padding=3, padding_mode="circular")
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(x)).square().mean(-1))


class CNN(nn.Module):
    """Takes (batch, time) or (batch, 1, time), as the example of freqIG's README does."""

    def __init__(self, *, norm=False, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv1d(1, 8, 5, padding=2)
        self.norm = nn.BatchNorm1d(8) if norm else nn.Identity()
        self.second = nn.Conv1d(8, 16, 3, padding=1)
        self.head = nn.Linear(16, 5)
        if norm:
            for _ in range(20):  # statistics of a training set
                self(2 * torch.randn(16, 256) + 1)
            self.eval()

    def forward(self, x):
        x = x[:, None] if x.dim() == 2 else x
        return self.head(torch.relu(self.second(torch.relu(self.norm(self.first(x))))).mean(-1))


class Recurrent(nn.Module):
    """A GRU over groups of four samples."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.gru = nn.GRU(4, 16, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.gru(x.reshape(len(x), -1, 4))[0][:, -1])


class Gated(nn.Module):
    """Three epochs of one channel: the middle one counts as much as its neighbours let it."""

    def __init__(self, n_times):
        super().__init__()
        self.n_times = n_times

    def forward(self, x):
        before, middle, after = x.reshape(len(x), 3, self.n_times).square().mean(-1).unbind(-1)
        score = torch.tanh(middle) * torch.sigmoid(4 * (before + after) - 2)
        return torch.stack([score, -score], dim=-1)


class CoupledBatch(nn.Module):
    """Normalises over the batch, even in eval mode."""

    def __init__(self):
        super().__init__()
        self.net = Smooth()

    def forward(self, x):
        scores = self.net(1e5 * x)
        return scores - scores.mean(0)


class Noisy(nn.Module):
    """Never says the same twice."""

    def __init__(self):
        super().__init__()
        self.net = Smooth()

    def forward(self, x):
        scores = self.net(1e5 * x)
        return scores + torch.rand_like(scores)


class Detached(nn.Module):
    """Its scores have no gradient."""

    def __init__(self):
        super().__init__()
        self.net = Smooth()

    def forward(self, x):
        return self.net(1e5 * x).detach()


class Window(nn.Module):
    """Scores the middle of three epochs, whose neighbours count for less."""

    def __init__(self):
        super().__init__()
        self.net = Smooth()

    def forward(self, x):
        before, middle, after = x.unflatten(-1, (3, -1)).unbind(2)
        return self.net(middle) * (1 + self.net(before) * self.net(after))


class Edges(nn.Module):
    """REM where waves rise sharply and fall slowly, as magnitudes do not tell: those of a wave turned round are the same."""

    def forward(self, x):
        score = 3 * ((x.diff(dim=-1) ** 3).mean((1, 2)) - 2)
        return torch.stack([-score, score], 1)


class Template(nn.Module):
    """REM where a waveform of one phase stands at its place in the epoch: a matched filter."""

    def __init__(self, wave):
        super().__init__()
        self.register_buffer("wave", torch.as_tensor(wave, dtype=torch.float32))

    def forward(self, x):
        match = 10 * (x * self.wave).sum(-1).mean(1) / self.wave.square().sum() - 5
        return torch.stack([torch.zeros_like(match), match], 1)
