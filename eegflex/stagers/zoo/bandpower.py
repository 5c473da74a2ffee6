"""A white-box stager that we own: log band powers and a linear head, whose true use of frequencies is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.signal import firwin
from torch import nn

from eegflex.spec.published import load_spec
from eegflex.stagers.stager import Stager

__all__ = ["FEATURES", "BandPower", "Feature", "load_bandpower"]

_HERE = Path(__file__).parent
#: 4 s at 100 Hz: the pass bands below fall off within 0.5 Hz, so that next to nothing outside their band is used.
N_TAPS = 401
#: Added to each power, in µV²: what a silent channel is taken for, so that the logarithm of silence is finite.
FLOOR = 1.0


class Feature(NamedTuple):
    """One log band power: of which input, in which band, through which pass band in Hz."""

    input: str
    band: str
    low: float
    high: float


#: All that the stager looks at: rhythms of the EEG, eye movements, and the tone of the chin.
FEATURES = (
    Feature("eeg", "delta", 1.0, 3.5),
    Feature("eeg", "alpha", 8.5, 11.5),
    Feature("eeg", "sigma", 12.5, 15.5),
    Feature("eog", "delta", 1.0, 3.5),
    Feature("emg", "beta", 16.5, 29.5),
)


class BandPower(nn.Module):
    """Log band powers through FIR filters, and a linear head.

    The EEG channels, however many, are averaged in power, so that all of them count alike.

    Parameters
    ----------
    sfreq : float
        Sampling rate in Hz.
    weight : array-like, shape (n_stages, n_features)
        The head.
    bias : array-like, shape (n_stages,)
        Its offsets.
    """

    taps: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, sfreq: float, weight: Any, bias: Any) -> None:
        super().__init__()
        taps = np.stack([firwin(N_TAPS, (f.low, f.high), pass_zero=False, fs=sfreq) for f in FEATURES])
        self.register_buffer("taps", torch.tensor(taps, dtype=torch.float32))
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float32))

    def features(self, signals: torch.Tensor) -> torch.Tensor:
        """Log band powers, shape (batch, n_features), of signals in µV, shape (batch, [eeg ..., eog, emg], n_times)."""
        inputs = {"eeg": signals[:, :-2], "eog": signals[:, -2:-1], "emg": signals[:, -1:]}
        powers = []
        n_times = signals.shape[-1]
        spectra = {name: torch.fft.rfft(channels) for name, channels in inputs.items()}
        for feature, response in zip(FEATURES, torch.fft.rfft(self.taps, n=n_times), strict=True):
            # Of a circular convolution, the samples after the first N_TAPS - 1 are those of the filter itself.
            filtered = torch.fft.irfft(spectra[feature.input] * response, n=n_times)[..., N_TAPS - 1 :]
            powers.append(filtered.square().mean(dim=(1, 2)))
        return torch.log(torch.stack(powers, dim=-1) + FLOOR)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, n_stages)."""
        return self.features(signals) @ self.weight.T + self.bias


def load_bandpower() -> Stager:
    """Load the band-power stager with the constants that ``tools/fit_bandpower.py`` fitted on simulated nights.

    It knows nothing of real sleep: use it to see that explanations are right, not to stage patients.
    """
    spec = load_spec("bandpower")
    head = json.loads((_HERE / "bandpower_head.json").read_text(encoding="utf-8"))
    return Stager(BandPower(spec.sfreq or 100.0, head["weight"], head["bias"]), spec)
