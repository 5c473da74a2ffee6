"""The two networks, in plain torch: one sees an epoch, the other an epoch among its neighbours."""

from __future__ import annotations

from math import ceil

import torch
from torch import nn

N_STAGES = 5


class Chambon(nn.Module):
    """Two temporal convolutions on virtual channels, after Chambon et al. 2018 (doi:10.1109/TNSRE.2018.2813138).

    The names of its parameters, and its sizes in seconds, are those of braindecode's ``SleepStagerChambon2018`` with
    its defaults, so that the same weights fit that class.

    Parameters
    ----------
    n_channels : int
        Channels, at least two.
    n_times : int
        Samples in an epoch.
    sfreq : float
        Sampling rate in Hz.
    """

    def __init__(self, n_channels=2, n_times=3000, sfreq=100.0):
        super().__init__()
        n_filters, kernel, pool, padding = 8, ceil(sfreq / 2), ceil(sfreq / 8), ceil(sfreq / 4)

        def block(n_inputs):
            convolution = nn.Conv2d(n_inputs, n_filters, (1, kernel), padding=(0, padding))
            return convolution, nn.Identity(), nn.ReLU(), nn.MaxPool2d((1, pool))

        self.spatial_conv = nn.Conv2d(1, n_channels, (n_channels, 1))
        self.feature_extractor = nn.Sequential(*block(1), *block(n_filters))
        left = n_times
        for _ in range(2):
            left = (left + 2 * padding - kernel + 1) // pool
        self.final_layer = nn.Sequential(nn.Dropout(0.25), nn.Linear(n_filters * n_channels * left, N_STAGES))

    def forward(self, epochs):
        """Logits, shape (batch, stage), of epochs, shape (batch, channel, time)."""
        virtual = self.spatial_conv(epochs[:, None]).transpose(1, 2)
        return self.final_layer(self.feature_extractor(virtual).flatten(1))


class Context(nn.Module):
    """A CNN makes a code of each epoch, a bidirectional GRU reads the codes of a window and stages its middle epoch.

    Parameters
    ----------
    n_channels : int
        Channels.
    """

    def __init__(self, n_channels=1):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(n_channels, 16, 50, stride=6),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.MaxPool1d(4),
            nn.Conv1d(16, 32, 8),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Conv1d(32, 32, 8),
            nn.BatchNorm1d(32),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.25)
        self.gru = nn.GRU(64, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, N_STAGES)

    def encode(self, epochs):
        """Codes, shape (n, code), of epochs, shape (n, channel, time): what is there on average, and at its strongest."""
        features = self.encoder(epochs)
        return torch.cat([features.mean(-1), features.amax(-1)], dim=-1)

    def decode(self, codes):
        """Logits, shape (batch, stage), of the middle epoch from the codes of a window, shape (batch, epoch, code)."""
        states, _ = self.gru(self.dropout(codes))
        return self.head(self.dropout(states[:, codes.shape[1] // 2]))

    def forward(self, windows):
        """Logits, shape (batch, stage), of the middle epoch of windows, shape (batch, epoch, channel, time)."""
        return self.decode(self.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]))
