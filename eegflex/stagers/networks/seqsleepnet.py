"""SeqSleepNet (Phan et al. 2019, doi:10.1109/TNSRE.2019.2896659): the log spectrograms of a sequence of epochs."""

from __future__ import annotations

import torch
from torch import nn

from eegflex.stagers.networks.attention import AttentionPooling

__all__ = ["SeqSleepNet", "triangular_filters"]


class SeqSleepNet(nn.Module):
    """Filter banks and a recurrent layer read each epoch, another recurrent layer reads the codes of a sequence of epochs.

    Parameters
    ----------
    n_channels : int
        Channels.
    n_stages : int
        Stages.
    sfreq, n_fft : float, int
        Sampling rate in Hz, and points of the Fourier transform of which the spectrogram is.
    n_filters : int
        Filters of a bank, triangles from 0 Hz to half the rate; each channel has a bank of its own.
    n_hidden, n_attention, n_context : int
        Units in one direction of the recurrent layer within an epoch, of the attention that pools its windows, and of the
        recurrent layer over epochs.
    interleaved : bool
        PhysioEx 1.0 reshapes the filters of several channels, (channel, window, filter), to (window, filters of all
        channels) without moving the axes. What it trained can only be read in the same order; the paper's has the filters
        of one window side by side. With one channel it is the same.
    """

    def __init__(
        self,
        n_channels: int = 1,
        n_stages: int = 5,
        sfreq: float = 100.0,
        n_fft: int = 256,
        n_filters: int = 32,
        n_hidden: int = 64,
        n_attention: int = 32,
        n_context: int = 64,
        interleaved: bool = False,
    ) -> None:
        super().__init__()
        self.epoch_encoder = _EpochEncoder(n_channels, sfreq, n_fft, n_filters, n_hidden, n_attention, interleaved)
        self.sequence_encoder = _SequenceEncoder(2 * n_hidden, n_context, n_stages)

    def encode(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """(n, channel, window, frequency) -> (n, code)."""
        found: torch.Tensor = self.epoch_encoder(spectrograms)
        return found

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, code) -> logits, (batch, epoch, stage)."""
        found: torch.Tensor = self.sequence_encoder(codes)
        return found

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, channel, window, frequency) -> logits, (batch, epoch, stage)."""
        return self.decode(self.encode(sequences.flatten(0, 1)).unflatten(0, sequences.shape[:2]))


class _EpochEncoder(nn.Module):
    def __init__(
        self,
        n_channels: int,
        sfreq: float,
        n_fft: int,
        n_filters: int,
        n_hidden: int,
        n_attention: int,
        interleaved: bool,
    ) -> None:
        super().__init__()
        self.interleaved = interleaved
        self.F2_filtbank = _FilterBank(n_channels, triangular_filters(n_filters, n_fft, sfreq))
        self.F2_birnn = nn.LSTM(n_filters * n_channels, n_hidden, batch_first=True, bidirectional=True)
        self.F2_attention = AttentionPooling(2 * n_hidden, n_attention)

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        filtered = self.F2_filtbank(spectrograms)  # (n, channel, window, filter)
        n, _, n_windows, _ = filtered.shape
        steps = filtered if self.interleaved else filtered.transpose(1, 2)
        states, _ = self.F2_birnn(steps.reshape(n, n_windows, -1))
        found: torch.Tensor = self.F2_attention(states)
        return found


class _SequenceEncoder(nn.Module):
    def __init__(self, n_inputs: int, n_hidden: int, n_stages: int) -> None:
        super().__init__()
        self.LSTM = nn.GRU(n_inputs, n_hidden, batch_first=True, bidirectional=True)  # so called in checkpoints
        self.clf = nn.Linear(2 * n_hidden, n_stages)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        states, _ = self.LSTM(codes)
        found: torch.Tensor = self.clf(states)
        return found


class _FilterBank(nn.Module):
    """A learned filter bank for each channel, whose filters keep to their triangles S; sigmoid(W) is between 0 and 1."""

    S: torch.Tensor

    def __init__(self, n_channels: int, triangles: torch.Tensor) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(n_channels, *triangles.shape))
        self.register_buffer("S", triangles.repeat(n_channels, 1, 1))

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """(n, channel, window, frequency) -> (n, channel, window, filter)."""
        return spectrograms @ (torch.sigmoid(self.W) * self.S)


def triangular_filters(n_filters: int, n_fft: int, sfreq: float) -> torch.Tensor:
    """Triangles evenly spaced from 0 Hz to half the rate, shape (n_fft // 2 + 1, n_filters).

    Parameters
    ----------
    n_filters : int
        How many.
    n_fft : int
        Points of the Fourier transform.
    sfreq : float
        Sampling rate in Hz.
    """
    corners = torch.floor((n_fft + 1) * torch.linspace(0.0, sfreq / 2, n_filters + 2) / sfreq)
    start, top, stop = corners[:-2], corners[1:-1], corners[2:]
    bins = torch.arange(n_fft // 2 + 1)[:, None]
    return torch.minimum((bins - start) / (top - start), (stop - bins) / (stop - top)).clamp(min=0.0)
