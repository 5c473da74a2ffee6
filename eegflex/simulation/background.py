"""What goes on all the time: the aperiodic background of the brain, and muscle tone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from . import head
from .hypnogram import EPOCH_LENGTH

__all__ = ["drift", "render_background"]

FADE = 2.0  # s, over which one epoch's background passes into the next's
# Sources of the background: local ones all over the scalp, and broad ones on the midline, which make the two sides of
# the head go together. Amplitude of the broad ones chosen so that C3-M2 and C4-M1 correlate by about 0.5.
LOCAL_PLACES = ("F3", "F4", "Fz", "C3", "C4", "Cz", "P3", "P4", "O1", "O2", "Fpz", "Pz", "T7", "T8")
LOCAL_SPREAD = 38.0  # degrees, the width of a source's field
BROAD_PLACES = ("Fz", "Cz", "Pz")
BROAD_SPREAD = 80.0
BROAD_AMPLITUDE = 2.5  # of a local source's
MUSCLE_PLACES = ("T7", "T8", "Fpz", "Iz")
MUSCLE_SPREAD = 30.0
KNEE = 0.5  # Hz, below which the background is flat, so that slow drift stays bounded
BAND = (0.3, 35.0)  # Hz, where the amplitudes below are measured
SENSOR_NOISE = 0.5  # µV RMS in each channel by itself: amplifier and electrode

EXPONENT_SPREAD = 0.08  # sd of the exponent between epochs
LEVEL_SPREAD = 0.15  # sd of the log amplitude between epochs
PERSISTENCE = 0.75  # correlation of neighbouring epochs
NEIGHBOURS = (0.2, 0.6, 0.2)  # weights of the epochs around: stages pass into each other


@dataclass(frozen=True)
class _Aperiodic:
    exponent: float  # of power: 1 / f ** exponent
    level: float  # µV RMS in BAND, averaged over the EEG channels


# The background grows steeper and larger with the depth of sleep (for its slope see Lendner et al. 2020, eLife 9,
# e55092); the values are chosen so that the EEG without its rhythms has the amplitudes a technologist expects.
BRAIN = {
    "W": _Aperiodic(1.0, 9.0),
    "N1": _Aperiodic(1.35, 8.0),
    "N2": _Aperiodic(1.75, 11.5),
    "N3": _Aperiodic(2.2, 20.0),
    "REM": _Aperiodic(1.45, 8.0),
}

# Chin tone, µV RMS: high in wakefulness, low in NREM sleep, lowest in REM (AASM manual); values chosen.
CHIN_TONE = {"W": 16.0, "N1": 8.0, "N2": 5.0, "N3": 4.0, "REM": 1.5}
CHIN_BAND = (15.0, 90.0)  # Hz, half-power edges of the tone
CHIN_SPREAD = 0.25
# Muscles of scalp and neck follow the chin: so much of a muscle source's amplitude reaches the EEG and EOG.
MUSCLE_LEAK = 0.2


def drift(n_epochs: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Slow change over the night: a first-order autoregression over epochs with unit variance."""
    steps = rng.standard_normal(n_epochs)
    values = np.empty(n_epochs)
    state = steps[0]
    for epoch, step in enumerate(steps):
        state = PERSISTENCE * state + np.sqrt(1 - PERSISTENCE**2) * step
        values[epoch] = state
    return values


def render_background(
    data: NDArray[np.float64], hypnogram: NDArray[np.str_], sfreq: float, rng: np.random.Generator
) -> None:
    """Add the background to the night, in place.

    Parameters
    ----------
    data : array, shape (9, n_epochs * 30 * sfreq)
        The channels (`head.CHANNEL_TYPES`) in µV.
    hypnogram : array of str, shape (n_epochs,)
        The stages.
    sfreq : float
        Sampling rate in Hz.
    rng : numpy.random.Generator
        Source of the chance in it.
    """
    draws, noise = rng.spawn(2)
    n_epochs = len(hypnogram)
    exponents = _blend([BRAIN[stage].exponent for stage in hypnogram]) + EXPONENT_SPREAD * drift(n_epochs, draws)
    levels = np.exp(_blend(np.log([BRAIN[stage].level for stage in hypnogram])) + LEVEL_SPREAD * drift(n_epochs, draws))
    tones = np.array([CHIN_TONE[stage] for stage in hypnogram]) * np.exp(CHIN_SPREAD * drift(n_epochs, draws))
    segment = _Segment(sfreq)
    brain, muscle = _brain_mixing(), _muscle_mixing()
    for epoch, (exponent, level, tone) in enumerate(zip(exponents, levels, tones, strict=True)):
        spectrum = segment.draw(level * brain, segment.aperiodic(exponent), noise)
        spectrum += segment.draw(tone * muscle, segment.muscle, noise)
        part = segment.in_time(spectrum)
        part += SENSOR_NOISE * noise.standard_normal(part.shape, dtype=np.float32)
        segment.add(data, part, epoch, n_epochs)


def _blend(values: ArrayLike) -> NDArray[np.float64]:
    """Average each epoch's value with its neighbours'."""
    blended: NDArray[np.float64] = ndimage.convolve1d(np.asarray(values, dtype=np.float64), NEIGHBOURS, mode="nearest")
    return blended


def _brain_mixing() -> NDArray[np.float64]:
    """Weigh the brain's background on the channels, shape (9, 8); the power is 1 on average over the EEG."""
    local = _columns(LOCAL_PLACES, LOCAL_SPREAD)
    broad = BROAD_AMPLITUDE * _columns(BROAD_PLACES, BROAD_SPREAD)
    sources = np.hstack([local, broad])[:-1]
    sources /= np.sqrt((sources[: len(head.EEG_CHANNELS)] ** 2).sum(axis=1).mean())
    # Gaussian sources of one spectrum show in nothing but their covariance: as many as channels do for all of them.
    return np.vstack([np.linalg.cholesky(sources @ sources.T), np.zeros(len(sources))])


def _muscle_mixing() -> NDArray[np.float64]:
    """Weigh muscle on the channels, shape (9, 5): what leaks into EEG and EOG, and the chin by itself."""
    return np.hstack([MUSCLE_LEAK * _columns(MUSCLE_PLACES, MUSCLE_SPREAD), head.chin_only()[:, np.newaxis]])


def _columns(places: Iterable[str], spread: float) -> NDArray[np.float64]:
    return np.array([head.derive(head.field(head.direction(place), spread)) for place in places]).T


class _Segment:
    """Noise of one epoch with its fades; the shapes of its spectra."""

    def __init__(self, sfreq: float) -> None:
        self.n_epoch = round(EPOCH_LENGTH * sfreq)
        self.n_fade = 2 * round(FADE * sfreq / 2)
        self.n_times = self.n_epoch + self.n_fade
        self.n_fft = fft.next_fast_len(self.n_times, real=True)
        self.freqs = np.fft.rfftfreq(self.n_fft, 1 / sfreq)
        ramp = np.sin(0.5 * np.pi * (np.arange(self.n_fade) + 0.5) / self.n_fade)
        self.window = np.ones(self.n_times, dtype=np.float32)
        self.window[: self.n_fade] = ramp
        self.window[-self.n_fade :] = ramp[::-1]
        low, high = (np.maximum(self.freqs, 1e-3) / edge for edge in CHIN_BAND)
        muscle = np.sqrt(1 / (1 + low**-8) / (1 + high**8))
        self.muscle = self._scaled(muscle, (0.0, sfreq / 2))

    def aperiodic(self, exponent: float) -> NDArray[np.float32]:
        """Amplitude spectrum of 1/f noise with unit RMS in `BAND`."""
        shape = np.power(self.freqs**2 + KNEE**2, -exponent / 4)
        return self._scaled(shape, BAND)

    def _scaled(self, shape: NDArray[np.float64], band: tuple[float, float]) -> NDArray[np.float32]:
        inside = (self.freqs >= band[0]) & (self.freqs < band[1])
        # irfft of a + bi with a, b ~ N(0, s) has variance 4 * sum(s**2) / n**2 over the bins inside.
        rms = 2 * np.sqrt((shape[inside] ** 2).sum()) / self.n_fft
        return (shape / rms).astype(np.float32)

    def draw(
        self, mixing: NDArray[np.float64], shape: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.complex64]:
        """Draw independent sources of one amplitude spectrum and mix them: shape (n_channels, n_freqs)."""
        parts = rng.standard_normal((mixing.shape[1], len(self.freqs), 2), dtype=np.float32)
        sources = parts.view(np.complex64)[..., 0] * shape
        # Not `@`: so small a product is slower in a threaded BLAS, many times so on a busy machine.
        mixed: NDArray[np.complex64] = np.einsum("cs,sf->cf", mixing.astype(np.float32), sources)
        return mixed

    def in_time(self, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Turn spectra into an epoch with its fades, shape (n_channels, n_times)."""
        noise: NDArray[np.float32] = fft.irfft(spectrum, n=self.n_fft)[:, : self.n_times]
        return noise

    def add(self, data: NDArray[np.float64], part: NDArray[np.float32], epoch: int, n_epochs: int) -> None:
        """Add an epoch's part to the night; the first and the last have no neighbour to fade to."""
        half = self.n_fade // 2
        window = self.window.copy()
        if epoch == 0:
            window[: self.n_fade] = 1
        if epoch == n_epochs - 1:
            window[-self.n_fade :] = 1
        start = epoch * self.n_epoch - half
        lo, hi = max(start, 0), min(start + self.n_times, data.shape[1])
        data[:, lo:hi] += (part * window)[:, lo - start : hi - start]
