"""Stagers whose decisive feature is known by construction: a truth that explanations can be held against.

Each is given six EEG channels and looks at one of them, x in µV, in one band, for one kind of event:

    y   = b * x             b: a linear-phase FIR filter, at least 60 dB down outside the band
    e_t = (k * y²)_t        k: a Hann window of 1 s with sum 1, so that e is the energy about t, in µV²
    s   = mean_t phi(e_t)   phi(e) = e² / (e² + level²): which share of the epoch is in a burst
    z   = 2 (s / share - 1)

and z is the score of its stage, -z that of every other. Nothing is trained, and nothing is standardised. It follows that

- **the truth is exact**. Convolutions stop where the epoch does, so that their adjoints, which make the gradient, reach no
  further either: wherever the epoch stands on the path, the gradient is b, turned round, convolved with something, and has
  no frequencies but those of b; on the other channels it is zero. FLEX is a product with it, frequency by frequency;
- **silence scores as the absence of the feature**, s(0) = 0, so that the zero baseline means what it says. A logarithm of
  the energy would rest on its floor, and would put as much of the sum into how the background rises from silence as into
  bursts;
- **the path's integral has a closed form**: at a x the energy is a² e, so that the path-averaged gradient of s is b, turned
  round, convolved with ``y (k * phi(e) / e)``, over the number of moments. Of what passes the filter, FLEX attributes to each
  sample y² times a weight that is large in bursts and next to none outside them: to when and where the events are.

An event within half a filter (2 s) of an end of the epoch is only partly heard.
"""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import firwin, kaiserord
from scipy.signal.windows import hann
from torch import nn

from eegflex.errors import ParameterError
from eegflex.spec.model_spec import ChannelSpec, ModelSpec
from eegflex.stagers.stager import Stager
from eegflex.stages import STAGES
from eegflex.utils.arguments import checked

__all__ = [
    "ALPHA",
    "SHORTCUT",
    "SITES",
    "SLOW_WAVE",
    "SPINDLE",
    "TRUTHS",
    "BurstStager",
    "KnownTruth",
    "plant_line_noise",
]

#: The electrodes that every such stager is given: those of the AASM's recommended and backup derivations.
SITES = ("F3", "F4", "C3", "C4", "O1", "O2")
#: So that 50 Hz is well below Nyquist, and a 30-s epoch is a whole number of samples.
SFREQ, N_TIMES = 128.0, 3840
#: How far down the filters are outside their band, in dB.
ATTENUATION = 60.0
#: Which share of the band each slope takes; half of the amplitude passes in its middle.
SLOPE = 1 / 4
#: Over how long the energy is averaged, in s.
WINDOW = 1.0
#: z of an epoch without the feature is minus this.
GAIN = 2.0


@dataclass(frozen=True)
class KnownTruth:
    """The feature that a known stager uses, which its explanation must show.

    Attributes
    ----------
    name : str
        The stager's name, for `eegflex.load_model`.
    stage : str
        The stage that it tells from all others.
    site : str
        The electrode that it looks at, one of `SITES`.
    band : tuple of float
        The only frequencies that it hears, lowest and highest, in Hz.
    kind : str
        The kind of event that excites it, as the table of a simulated night's events calls it.
    level : float
        Energy of a burst, in µV²: there a moment counts half. A sine of amplitude a has a² / 2.
    share : float
        Which share of an epoch must be in bursts for the stage to be scored.

    See Also
    --------
    eegflex.evaluation.share_in_truth : How much of an explanation lies where the truth is.
    eegflex.evaluation.cover_of_events : Whether a view in time finds the planted events.
    eegflex.load_model : Load a stager.

    Examples
    --------
    >>> from eegflex.evaluation import TRUTHS
    >>> truth = TRUTHS["known-spindle"]
    >>> truth.stage, truth.site, truth.band
    ('N2', 'C4', (12.0, 16.0))
    """

    name: str
    stage: str
    site: str
    band: tuple[float, float]
    kind: str
    level: float
    share: float

    @property
    def input(self) -> int:
        """Index of its channel among the stager's inputs, and so among the channels of a result."""
        return SITES.index(self.site)

    @property
    def spec(self) -> ModelSpec:
        """The stager's contract."""
        return ModelSpec(
            name=self.name,
            sfreq=SFREQ,
            n_times=N_TIMES,
            channels=tuple(ChannelSpec(name=site, types=("eeg",), sites=(site,), use="first") for site in SITES),
            unit="uV",
            format="eegflex",
            licence="BSD-3-Clause",
            citation="eegflex; built by hand, not trained: it uses a single feature",
        )

    def stager(self) -> Stager:
        """The stager whose truth this is."""
        return Stager(BurstStager(self), self.spec)


class BurstStager(nn.Module):
    """Share of an epoch in which one channel has bursts of energy in one band; the formulas are above.

    Parameters
    ----------
    truth : KnownTruth
        Where it looks, and for what.

    Attributes
    ----------
    truth : KnownTruth
        The same.
    """

    taps: torch.Tensor
    window: torch.Tensor
    signs: torch.Tensor

    def __init__(self, truth: KnownTruth) -> None:
        super().__init__()
        self.truth = truth
        window = hann(round(WINDOW * SFREQ), sym=False)
        signs = [1.0 if stage == truth.stage else -1.0 for stage in STAGES]
        buffers = {"taps": _band_pass(*truth.band), "window": window / window.sum(), "signs": np.array(signs)}
        for name, values in buffers.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def energy(self, signals: torch.Tensor) -> torch.Tensor:
        """Energy in the band about each moment, shape (batch, n_moments) in µV², of signals (batch, 6, n_times) in µV."""
        passed = _convolve(signals[:, self.truth.input], self.taps)
        return _convolve(passed.square(), self.window)

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, n_stages), of signals in µV, shape (batch, 6, n_times)."""
        excess = (self.energy(signals) / self.truth.level).square()
        share = (excess / (1 + excess)).mean(dim=-1, keepdim=True)
        return GAIN * (share / self.truth.share - 1) * self.signs


def _band_pass(low: float, high: float) -> npt.NDArray[np.float64]:
    """FIR filter whose slopes lie inside the band, shape (n_taps,), an odd number."""
    slope = SLOPE * (high - low)
    n_taps, beta = kaiserord(ATTENUATION, slope / (SFREQ / 2))
    edges = (low + slope / 2, high - slope / 2)
    return np.asarray(firwin(n_taps | 1, edges, window=("kaiser", beta), pass_zero=False, fs=SFREQ))


def _convolve(signals: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Each signal with a symmetric kernel, only where the whole of the kernel lies on it."""
    return nn.functional.conv1d(signals[:, None], kernel[None, None])[:, 0]


# Levels lie between the background and the events of simulated nights, shares between epochs with and without them.
SPINDLE = KnownTruth("known-spindle", "N2", "C4", (12.0, 16.0), "spindle", level=30.0, share=0.03)
SLOW_WAVE = KnownTruth("known-slow-wave", "N3", "F4", (0.5, 4.0), "slow_wave", level=250.0, share=0.2)
ALPHA = KnownTruth("known-alpha", "W", "O2", (8.0, 12.0), "alpha", level=40.0, share=0.2)
#: It has learnt the mains instead of N3, as a network does whose N3 epochs were recorded beside another lamp.
SHORTCUT = KnownTruth("known-shortcut", "N3", "C4", (48.0, 52.0), "line", level=50.0, share=0.5)

#: By the stagers' names.
TRUTHS = {truth.name: truth for truth in (SPINDLE, SLOW_WAVE, ALPHA, SHORTCUT)}


@checked
def plant_line_noise(
    raw: mne.io.BaseRaw, stage: str, *, amplitude: float = 20.0, freq: float = 49.98
) -> mne.io.BaseRaw:
    """Confound a stage with line noise, for a stager that takes the shortcut.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        A night with one annotation an epoch, or a bout, that names its stage. It is not changed.
    stage : str
        The stage whose epochs get the noise, on all EEG channels alike.
    amplitude : float
        Of the sine, in µV.
    freq : float
        Its frequency in Hz. The mains are seldom at exactly 50 Hz, where every 30-s epoch would have the same phase.

    Returns
    -------
    raw : mne.io.BaseRaw
        A copy with the noise.

    Raises
    ------
    ParameterError
        If the stage does not occur.

    See Also
    --------
    eegflex.evaluation.KnownTruth : What decides for a stager that was made so.
    eegflex.evaluate : Ask the model again whether explanations hold.
    eegflex.simulate_psg : Simulate a night.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
    >>> noisy = eegflex.evaluation.plant_line_noise(night.raw, stage="REM", amplitude=5.0)
    >>> added = noisy.get_data("C4-M1") - night.raw.get_data("C4-M1")
    >>> round(float(abs(added).max()) * 1e6, 1)  # in µV
    5.0
    """
    chosen = raw.annotations[raw.annotations.description == stage]
    if len(chosen) == 0:
        raise ParameterError(
            "The stage does not exist",
            seen=repr(stage),
            allowed=np.unique(raw.annotations.description).tolist(),
            remedy="Give a night whose hypnogram is in its annotations, as read_psg and simulate_psg make it",
        )
    onsets = chosen.onset - (raw.first_time if chosen.orig_time else 0.0)
    inside = np.zeros(len(raw.times))
    for first, last in zip(*(raw.time_as_index(t) for t in (onsets, onsets + chosen.duration)), strict=True):
        inside[max(first, 0) : max(last, 0)] = 1.0
    noise = 1e-6 * amplitude * inside * np.sin(2 * np.pi * freq * raw.times)
    noisy = raw.copy().load_data(verbose="error")
    return noisy.apply_function(lambda signal: signal + noise, picks="eeg", verbose="error")
