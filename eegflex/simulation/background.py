"""What goes on all the time: the aperiodic background of the brain, and muscle tone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from eegflex.simulation.head import STANDARD, Montage, direction
from eegflex.simulation.sources import Cortex
from eegflex.stages import EPOCH_DURATION

__all__ = ["BRAIN", "drift", "render_background"]

Array = NDArray[np.float64]

FADE = 2.0  # s, over which one epoch's background passes into the next's
# Sources of the background, as evenly as a spiral lays them over the upper head, each with a signal of its own. Neighbouring
# cortex is coherent over centimetres, and homologous areas of the two sides are coherent through the corpus callosum (Nunez
# & Srinivasan 2006, Electric fields of the brain): patches of some 2 cm by themselves, and larger ones in pairs with their
# mirror images. Numbers and amplitudes chosen, for C3-M2 and C4-M1 to correlate by about 0.5.
PATCHES = ((18.0, 24, 1.0, False), (30.0, 14, 1.0, True))  # spread in degrees, how many, amplitude, in pairs
LOWEST = -0.35  # z of the lowest patch, in radii of the head
MUSCLE_PLACES = ("T7", "T8", "FT9", "FT10", "Fpz", "Iz")  # temporal, frontal and neck muscles
MUSCLE_SPREAD = 20.0
KNEE = 0.6  # Hz, below which the background is flat, so that slow drift stays bounded; chosen
BAND = (0.3, 35.0)  # Hz, where the amplitudes below are measured
SENSOR_NOISE = 0.5  # µV RMS of each contact by itself: amplifier and electrode; chosen, as of a clinical amplifier

EXPONENT_SPREAD = 0.08  # sd of the exponent between epochs; chosen
LEVEL_SPREAD = 0.15  # sd of the log amplitude between epochs; chosen
PERSISTENCE = 0.75  # correlation of neighbouring epochs; chosen
NEIGHBOURS = (0.2, 0.6, 0.2)  # weights of the epochs around: stages pass into each other


@dataclass(frozen=True)
class _Aperiodic:
    exponent: float  # of power: 1 / f ** exponent
    level: float  # µV RMS in BAND, averaged over the EEG channels


# Exponents lie between 1 and 4 and grow with the depth of sleep (Bódizs et al. 2021, Sci Rep 11:2041; Miskovic et al. 2019,
# Hum Brain Mapp 40:538); REM sleep is steeper than wakefulness (Lendner et al. 2020, eLife 9:e55092). Levels chosen so that
# the EEG without its rhythms has the amplitudes that a technologist expects; the waves of N2 and N3 are events.
BRAIN = {
    "W": _Aperiodic(1.0, 8.5),
    "N1": _Aperiodic(1.4, 8.0),
    "N2": _Aperiodic(1.9, 10.5),
    "N3": _Aperiodic(2.4, 14.0),
    "REM": _Aperiodic(1.6, 8.0),
}

# Chin tone, µV RMS: high in wakefulness, low in NREM sleep, lowest in REM (AASM manual); values chosen.
CHIN_TONE = {"W": 16.0, "N1": 8.0, "N2": 5.0, "N3": 4.0, "REM": 1.5}
CHIN_BAND = (15.0, 90.0)  # Hz, half-power edges: most of the power of surface EMG (De Luca 1997, J Appl Biomech 13:135)
CHIN_SPREAD = 0.25
# Muscles of scalp and neck follow the chin: so much of a muscle source's amplitude reaches the EEG and EOG; chosen.
MUSCLE_LEAK = 0.2


def drift(n_epochs: int, rng: np.random.Generator) -> Array:
    """Slow change over the night: a first-order autoregression over epochs with unit variance."""
    steps = rng.standard_normal(n_epochs)
    values = np.empty(n_epochs)
    state = steps[0]
    for epoch, step in enumerate(steps):
        state = PERSISTENCE * state + np.sqrt(1 - PERSISTENCE**2) * step
        values[epoch] = state
    return values


def render_background(
    data: Array, hypnogram: NDArray[np.str_], montage: Montage, sfreq: float, rng: np.random.Generator
) -> None:
    """Add the background to the night, in place.

    Parameters
    ----------
    data : array, shape (n_channels, n_epochs * 30 * sfreq)
        The channels of the montage in µV.
    hypnogram : array of str, shape (n_epochs,)
        The stages.
    montage : Montage
        What is recorded.
    sfreq : float
        Sampling rate in Hz.
    rng : numpy.random.Generator
        Source of the chance in it. What a source does does not depend on what is recorded.
    """
    draws, noise, sensors = rng.spawn(3)
    n_epochs = len(hypnogram)
    exponents = _blend([BRAIN[stage].exponent for stage in hypnogram]) + EXPONENT_SPREAD * drift(n_epochs, draws)
    levels = np.exp(_blend(np.log([BRAIN[stage].level for stage in hypnogram])) + LEVEL_SPREAD * drift(n_epochs, draws))
    tones = np.array([CHIN_TONE[stage] for stage in hypnogram]) * np.exp(CHIN_SPREAD * drift(n_epochs, draws))
    segment = _Segment(sfreq)
    brain, muscle = _brain_mixing(montage), _muscle_mixing(montage)
    contacts = _Contacts(montage, sensors)
    for epoch, (exponent, level, tone) in enumerate(zip(exponents, levels, tones, strict=True)):
        spectrum = segment.draw(level * brain, segment.aperiodic(exponent), noise)
        spectrum += segment.draw(tone * muscle, segment.muscle, noise)
        part = segment.in_time(spectrum)
        part += contacts.draw(part.shape[1])
        segment.add(data, part, epoch, n_epochs)


def _blend(values: ArrayLike) -> Array:
    """Average each epoch's value with its neighbours'."""
    blended: Array = ndimage.convolve1d(np.asarray(values, dtype=np.float64), NEIGHBOURS, mode="nearest")
    return blended


def _spiral(n_points: int) -> Array:
    """Directions, shape (n_points, 3), spread evenly over the head above `LOWEST` on a golden spiral."""
    number = np.arange(n_points) + 0.5
    z = 1 - (1 - LOWEST) * number / n_points
    around = np.pi * (3 - np.sqrt(5)) * number
    return np.column_stack([np.sqrt(1 - z**2) * np.cos(around), np.sqrt(1 - z**2) * np.sin(around), z])


def _brain_mixing(montage: Montage) -> Array:
    """Weights of the brain's sources on the channels; the power is 1 on average over the standard EEG channels."""
    found, standard = (
        np.vstack([size * _patches(m, spread, n, paired) for spread, n, size, paired in PATCHES])
        for m in (montage, STANDARD)
    )
    scaled: Array = found.T / np.sqrt((standard[:, STANDARD.eeg] ** 2).sum(axis=0).mean())
    return scaled


def _patches(montage: Montage, spread: float, n_patches: int, paired: bool) -> Array:
    places = _spiral(n_patches)
    found = Cortex((), spread).potentials(montage, places)
    return found + Cortex((), spread).potentials(montage, places * (-1, 1, 1)) if paired else found


def _muscle_mixing(montage: Montage) -> Array:
    """Weights of muscle on the channels: what leaks into EEG and EOG, and the chin by itself."""
    places = np.array([direction(place) for place in MUSCLE_PLACES])
    leaks = MUSCLE_LEAK * Cortex((), MUSCLE_SPREAD).potentials(montage, places)
    return np.column_stack([leaks.T, montage.chin])


class _Contacts:
    """Noise of each contact by itself, which does not depend on the others; that of a reference is in many channels."""

    def __init__(self, montage: Montage, rng: np.random.Generator) -> None:
        seed = int(rng.integers(2**63))
        self.montage = montage
        names = (*montage.contacts, "chin")
        self.rngs = [np.random.default_rng([seed, zlib.crc32(name.encode())]) for name in names]

    def draw(self, n_times: int) -> NDArray[np.float32]:
        """Noise on the channels in µV, shape (n_channels, n_times)."""
        noise = np.array([rng.standard_normal(n_times, dtype=np.float32) for rng in self.rngs])
        channels = np.empty((len(self.montage.channels), n_times), dtype=np.float32)
        for row, pair in enumerate(self.montage.derivations.values()):
            electrode, reference = (self.montage.contacts.index(name) for name in pair)
            np.subtract(noise[electrode], noise[reference], out=channels[row])
        channels[-1] = noise[-1]
        channels *= np.float32(SENSOR_NOISE)
        return channels


class _Segment:
    """Noise of one epoch with its fades; the shapes of its spectra."""

    def __init__(self, sfreq: float) -> None:
        self.n_epoch = round(EPOCH_DURATION * sfreq)
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

    def _scaled(self, shape: Array, band: tuple[float, float]) -> NDArray[np.float32]:
        inside = (self.freqs >= band[0]) & (self.freqs < band[1])
        # irfft of a + bi with a, b ~ N(0, s) has variance 4 * sum(s**2) / n**2 over the bins inside.
        rms = 2 * np.sqrt((shape[inside] ** 2).sum()) / self.n_fft
        found: NDArray[np.float32] = (shape / rms).astype(np.float32)
        return found

    def draw(self, mixing: Array, shape: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.complex64]:
        """Draw independent sources of one amplitude spectrum and mix them: shape (n_channels, n_freqs)."""
        parts = rng.standard_normal((mixing.shape[1], 2 * len(self.freqs)), dtype=np.float32)
        # Not `@`: so small a product is slower in a threaded BLAS, many times so on a busy machine.
        mixed: NDArray[np.float32] = np.einsum("cs,sf->cf", mixing.astype(np.float32), parts)
        return mixed.view(np.complex64) * shape

    def in_time(self, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Turn spectra into an epoch with its fades, shape (n_channels, n_times)."""
        noise: NDArray[np.float32] = fft.irfft(spectrum, n=self.n_fft)[:, : self.n_times]
        return noise

    def add(self, data: Array, part: NDArray[np.float32], epoch: int, n_epochs: int) -> None:
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
