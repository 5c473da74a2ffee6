"""The network of Chambon et al. 2018 (doi:10.1109/TNSRE.2018.2813138): raw signals, and the epochs around the one staged."""

from __future__ import annotations

from math import ceil

import torch
from torch import nn

__all__ = ["Chambon2018"]


class Chambon2018(nn.Module):
    """Virtual channels, two temporal convolutions, and one linear layer on what all epochs of a window gave.

    Parameters
    ----------
    n_channels : int
        Channels. Of several, as many virtual channels are made; a single one stays as it is.
    n_stages : int
        Stages.
    sfreq, n_times : float, int
        Sampling rate in Hz, and samples of an epoch.
    n_epochs : int
        Epochs of a window, of which the middle one is staged.
    n_filters : int
        Filters of each convolution.
    """

    def __init__(
        self,
        n_channels: int = 1,
        n_stages: int = 5,
        sfreq: float = 100.0,
        n_times: int = 3000,
        n_epochs: int = 1,
        n_filters: int = 8,
    ) -> None:
        super().__init__()
        self.epoch_encoder = _EpochEncoder(n_channels, sfreq, n_filters)
        left = self.epoch_encoder.length(n_times)
        self.clf = nn.Linear(n_epochs * n_filters * n_channels * left, n_stages)

    def encode(self, epochs: torch.Tensor) -> torch.Tensor:
        """(n, channel, time) -> (n, code)."""
        found: torch.Tensor = self.epoch_encoder(epochs)
        return found

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, code) -> logits of the middle epoch, (batch, stage)."""
        found: torch.Tensor = self.clf(codes.flatten(1))
        return found

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, channel, time) -> logits of the middle epoch, (batch, stage)."""
        return self.decode(self.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]))


class _EpochEncoder(nn.Module):
    """Kernels of half a second, pooling by an eighth; the names are those of braindecode's ``SleepStagerChambon2018``."""

    def __init__(self, n_channels: int, sfreq: float, n_filters: int) -> None:
        super().__init__()
        self.kernel, self.pool, self.padding = ceil(sfreq / 2), ceil(sfreq / 8), ceil(sfreq / 4)

        def block(n_inputs: int) -> tuple[nn.Module, ...]:
            convolution = nn.Conv2d(n_inputs, n_filters, (1, self.kernel), padding=(0, self.padding))
            return convolution, nn.Identity(), nn.ReLU(), nn.MaxPool2d((1, self.pool))

        self.spatial_conv = nn.Conv2d(1, n_channels, (n_channels, 1)) if n_channels > 1 else None
        self.feature_extractor = nn.Sequential(*block(1), *block(n_filters))

    def length(self, n_times: int) -> int:
        """How many moments are left of an epoch."""
        for _ in range(2):
            n_times = (n_times + 2 * self.padding - self.kernel + 1) // self.pool
        return n_times

    def forward(self, epochs: torch.Tensor) -> torch.Tensor:
        images = epochs[:, None]
        if self.spatial_conv is not None:
            images = self.spatial_conv(images).transpose(1, 2)
        found: torch.Tensor = self.feature_extractor(images).flatten(1)
        return found
