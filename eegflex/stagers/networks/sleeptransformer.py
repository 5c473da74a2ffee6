"""SleepTransformer (Phan et al. 2022, doi:10.1109/TBME.2022.3147187): attention within epochs, then between them."""

from __future__ import annotations

import math

import torch
from torch import nn

from eegflex.stagers.networks.attention import AttentionPooling

__all__ = ["SleepTransformer"]


class SleepTransformer(nn.Module):
    """Transformers read the windows of an epoch's log spectrogram, and then the codes of a sequence of epochs.

    Parameters
    ----------
    n_channels : int
        Channels, whose frequencies stand side by side.
    n_stages : int
        Stages.
    n_freqs : int
        Frequencies of the spectrogram. Together with the channels they are shared evenly between the heads; the paper leaves
        out 0 Hz.
    n_blocks : int
        Blocks of each of the two transformers.
    n_heads, n_feedforward : int
        Heads of each block, and units of its inner layer.
    n_attention, n_hidden : int
        Units of the attention that pools the windows, and of each of the two layers before the last.
    """

    def __init__(
        self,
        n_channels: int = 1,
        n_stages: int = 5,
        n_freqs: int = 128,
        n_blocks: int = 4,
        n_heads: int = 8,
        n_feedforward: int = 1024,
        n_attention: int = 64,
        n_hidden: int = 1024,
    ) -> None:
        super().__init__()
        n = n_channels * n_freqs
        self.frame_transformer = _Transformer(n, n_feedforward, n_blocks, n_heads)
        self.frame_attention = AttentionPooling(n, n_attention)
        self.seq_transformer = _Transformer(n, n_feedforward, n_blocks, n_heads)
        self.fc1, self.fc2, self.fc3 = (
            nn.Linear(n, n_hidden),
            nn.Linear(n_hidden, n_hidden),
            nn.Linear(n_hidden, n_stages),
        )
        self.dropout = nn.Dropout(0.1)

    def encode(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """(n, channel, window, frequency) -> (n, code)."""
        found: torch.Tensor = self.frame_attention(self.frame_transformer(spectrograms.transpose(1, 2).flatten(2)))
        return found

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, code) -> logits, (batch, epoch, stage)."""
        states = self.seq_transformer(codes)
        for layer in (self.fc1, self.fc2):
            states = self.dropout(torch.relu(layer(states)))
        found: torch.Tensor = self.fc3(states)
        return found

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, channel, window, frequency) -> logits, (batch, epoch, stage)."""
        return self.decode(self.encode(sequences.flatten(0, 1)).unflatten(0, sequences.shape[:2]))


class _Transformer(nn.Module):
    """Blocks of attention and two layers, each normalised after what went around it is added."""

    def __init__(self, n_inputs: int, n_feedforward: int, n_blocks: int, n_heads: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(n_inputs, n_heads, n_feedforward, layer_norm_eps=1e-8, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, n_blocks, enable_nested_tensor=False)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        """(batch, step, n_inputs) -> the same."""
        n_inputs = steps.shape[-1]
        found: torch.Tensor = self.transformer_encoder(math.sqrt(n_inputs) * steps + _positions(steps))
        return found


def _positions(steps: torch.Tensor) -> torch.Tensor:
    """Sines and cosines of the place of each step, (step, n_inputs), frequencies from 1 to 1 / 10000."""
    n_steps, n_inputs = steps.shape[-2:]
    column = torch.arange(n_inputs)
    angle = torch.arange(n_steps, dtype=torch.float64)[:, None] / 10000.0 ** ((column - column % 2).double() / n_inputs)
    return torch.where(column % 2 == 0, torch.sin(angle), torch.cos(angle)).to(steps)
