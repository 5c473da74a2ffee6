"""TinySleepNet (Supratak & Guo 2020, doi:10.1109/EMBC44109.2020.9176741): raw signals, and what came before."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["TinySleepNet"]

#: Filters of each convolution.
_N_FILTERS = 128


class TinySleepNet(nn.Module):
    """Four convolutions make a code of each epoch, an LSTM reads the codes forwards: the future plays no part.

    Parameters
    ----------
    n_channels : int
        Channels.
    n_stages : int
        Stages.
    sfreq, n_times : float, int
        Sampling rate in Hz, and samples of an epoch.
    n_hidden : int
        Units of the LSTM.
    """

    def __init__(
        self, n_channels: int = 1, n_stages: int = 5, sfreq: float = 100.0, n_times: int = 3000, n_hidden: int = 128
    ) -> None:
        super().__init__()
        self.feature_extractor = _FeatureExtractor(n_channels, sfreq)
        with torch.no_grad():
            n_codes = self.feature_extractor.eval()(torch.zeros(1, n_channels, n_times)).shape[1]
        self.feature_extractor.train()
        self.clf = _Classifier(n_codes, n_hidden, n_stages)

    def encode(self, epochs: torch.Tensor) -> torch.Tensor:
        """(n, channel, time) -> (n, code)."""
        found: torch.Tensor = self.feature_extractor(epochs)
        return found

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, code) -> logits, (batch, epoch, stage)."""
        found: torch.Tensor = self.clf(codes)
        return found

    def state_before(self, codes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the LSTM keeps of epochs: (batch, epoch, code) -> two of (batch, 1, n_hidden)."""
        return tuple(own.transpose(0, 1) for own in self.clf.rnn(codes)[1])

    def decode_from(self, codes: torch.Tensor, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Logits of epochs, (batch, epoch, stage), of which the first follows on a state."""
        found: torch.Tensor = self.clf(codes, tuple(own.transpose(0, 1).contiguous() for own in state))
        return found

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """(batch, epoch, channel, time) -> logits, (batch, epoch, stage)."""
        return self.decode(self.encode(sequences.flatten(0, 1)).unflatten(0, sequences.shape[:2]))


class _FeatureExtractor(nn.Module):
    """The first kernel is half a second long and moves by a sixteenth of one; all padding is zeros, the odd one behind."""

    def __init__(self, n_channels: int, sfreq: float) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            _block(n_channels, int(sfreq / 2), int(sfreq / 16), (22, 22)),
            nn.ConstantPad1d((2, 2), 0.0),
            nn.MaxPool1d(8),
            nn.Dropout(0.5),
            *(_block(_N_FILTERS, 8, 1, (3, 4)) for _ in range(3)),
            nn.ConstantPad1d((0, 1), 0.0),
            nn.MaxPool1d(4),
            nn.Flatten(),
            nn.Dropout(0.5),
        )

    def forward(self, epochs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.cnn(epochs)
        return found


def _block(n_inputs: int, kernel: int, stride: int, padding: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.ConstantPad1d(padding, 0.0),
        nn.Conv1d(n_inputs, _N_FILTERS, kernel, stride, bias=False),
        nn.BatchNorm1d(_N_FILTERS, eps=1e-3, momentum=0.01),
        nn.ReLU(),
    )


class _Classifier(nn.Module):
    def __init__(self, n_codes: int, n_hidden: int, n_stages: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(n_codes, n_hidden, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.clf = nn.Linear(n_hidden, n_stages)

    def forward(self, codes: torch.Tensor, state: tuple[torch.Tensor, ...] | None = None) -> torch.Tensor:
        states, _ = self.rnn(codes, state)
        found: torch.Tensor = self.clf(self.dropout(states))
        return found
