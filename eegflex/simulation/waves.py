"""Courses of single events, each with a peak of about 1.

Every function takes `times` (s from the onset, shape (n_times,)), `duration` (s), `frequency` (Hz, may be NaN)
and `rng`, and returns an array like `times` that begins and ends near 0. What it draws does not depend on how many
times it is asked for, so that the same event looks the same at any rate; only `muscle` is noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "alerted", "blink", "heartbeat", "hum", "k_complex", "muscle", "pop", "rhythm", "saccade", "sawtooth", "slow_gaze",
    "slow_wave", "spindle", "sway", "thrash", "vertex",
]  # fmt: skip

Array = NDArray[np.float64]

RAMP = 0.25  # share of a rhythm's duration in which it rises, and falls; chosen
WANDER = 0.9  # rad: how far a rhythm's phase strays from its mean frequency; chosen for alpha peaks about 1 Hz wide
SACCADE_RISE = 0.05  # s; saccades of 10 to 20 degrees last 45 to 70 ms (Bahill et al. 1975, Math Biosci 24:191)
SACCADE_DECAY = 0.8  # s, the time constant of an AC-coupled amplifier with a 0.2-Hz filter
POP_DECAY = 0.5  # s, the time constant of one with a 0.3-Hz filter (the AASM manual's for EEG)
# Heartbeat: place in the cycle (s from the onset), width (s) and height of P, Q, R, S and T, after the model of McSharry et
# al. 2003 (IEEE Trans Biomed Eng 50:289), at 60 beats a minute.
PQRST = ((0.10, 0.025, 0.12), (0.245, 0.01, -0.16), (0.27, 0.011, 1.0), (0.295, 0.01, -0.25), (0.52, 0.04, 0.3))


def _bell(u: Array, centre: float, width: float) -> Array:
    return np.exp(-0.5 * ((u - centre) / width) ** 2)


def _ends(u: Array, ramp: float) -> Array:
    """Window over ``0 <= u <= 1`` that rises and falls as a cosine within `ramp`."""
    edge = np.clip(np.minimum(u, 1 - u) / ramp, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * edge)


def _sines(times: Array, frequencies: Array, rng: np.random.Generator) -> Array:
    """Sum of sines of random phases, with a standard deviation of 1."""
    phases = rng.uniform(0, 2 * np.pi, len(frequencies))
    waves = np.sin(2 * np.pi * frequencies[:, None] * times + phases[:, None])
    total: Array = waves.sum(axis=0) * np.sqrt(2 / len(frequencies))
    return total


def spindle(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sine that waxes and wanes."""
    u = times / duration
    peak = rng.uniform(0.4, 0.6)
    warped = np.where(u < peak, 0.5 * u / peak, 0.5 + 0.5 * (u - peak) / (1 - peak))
    phase = rng.uniform(0, 2 * np.pi)
    return np.sin(np.pi * warped) ** 2 * np.sin(2 * np.pi * frequency * times + phase)


def rhythm(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sine whose phase and amplitude wander."""
    wander = WANDER * _sines(times, rng.uniform(0.2, 1.0, 4), rng)
    beat = 0.7 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.4, 1.2) * times + rng.uniform(0, 2 * np.pi))
    phase = 2 * np.pi * frequency * times + rng.uniform(0, 2 * np.pi) + wander
    return _ends(times / duration, RAMP) * beat * np.sin(phase)


def slow_wave(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """One period, negative first and then positive; the halves differ in length and height."""
    del frequency
    u = times / duration
    crossing, rebound = rng.uniform(0.4, 0.6), rng.uniform(0.6, 0.95)
    down = -np.sin(np.pi * np.clip(u / crossing, 0, 1))
    up = rebound * np.sin(np.pi * np.clip((u - crossing) / (1 - crossing), 0, 1))
    return down + up


def k_complex(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sharp negative wave, then a broader positive one."""
    del frequency
    u = times / duration
    rebound = rng.uniform(0.45, 0.75)
    return _ends(u, 0.15) * (rebound * _bell(u, 0.65, 0.13) - _bell(u, 0.28, 0.09))


def vertex(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sharp negative wave with a small positive one after it."""
    del frequency
    u = times / duration
    return _ends(u, 0.15) * (rng.uniform(0.2, 0.5) * _bell(u, 0.72, 0.1) - _bell(u, 0.38, 0.1))


def sawtooth(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Train of triangular waves, slow up and quick down, which waxes and wanes."""
    phase = frequency * times + rng.random() + 0.05 * _sines(times, rng.uniform(0.2, 0.8, 3), rng)
    rise = rng.uniform(0.6, 0.75)  # share of the period
    u = np.mod(phase, 1.0)
    return _ends(times / duration, RAMP) * np.where(u < rise, 2 * u / rise - 1, 1 - 2 * (u - rise) / (1 - rise))


def alerted(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Shift to faster activity: a rhythm, and beta that is no rhythm (frequencies above 16 Hz: AASM manual)."""
    fast = _sines(times, rng.uniform(16.0, 30.0, 24), rng)
    return 0.7 * rhythm(times, duration, frequency, rng) + 0.25 * _ends(times / duration, 0.15) * fast


def saccade(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Fast deflection, then a decay and a return."""
    del frequency
    rise = np.clip(times / (SACCADE_RISE * rng.uniform(0.8, 1.8)), 0, 1)
    back = np.clip((duration - times) / 0.15, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * rise)) * np.exp(-times / SACCADE_DECAY) * (0.5 - 0.5 * np.cos(np.pi * back))


def slow_gaze(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Eyes that roll: a slow sine that begins and ends gently."""
    phase = rng.uniform(0, 2 * np.pi)
    return _ends(times / duration, 0.3) * np.sin(2 * np.pi * frequency * times + phase)


def blink(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """One positive wave, quicker up than down."""
    del frequency, rng
    u = times / duration
    return np.sin(np.pi * u**0.8) ** 2


def muscle(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Burst of muscle activity: noise; the amplitude is that of its envelope."""
    del frequency
    return np.sin(np.pi * times / duration) * rng.uniform(-1, 1, len(times))


def heartbeat(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """One beat: P, QRS and T."""
    del duration, frequency, rng
    found: Array = np.sum([height * _bell(times, centre, width) for centre, width, height in PQRST], axis=0)
    return found


def hum(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sine without an end, in phase with the recording's first sample where its onset is."""
    del duration, rng
    return np.sin(2 * np.pi * frequency * times)


def sway(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Slow swings that come and go."""
    swings = _sines(times, rng.uniform(0.7, 1.3, 6) * frequency, rng)
    return _ends(times / duration, RAMP) * swings / 2


def thrash(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Slow swings of the leads, and muscle on them."""
    del frequency
    swings = _sines(times, rng.uniform(0.4, 3.0, 8), rng)
    fast = _sines(times, rng.uniform(18.0, 31.0, 24), rng)
    return _ends(times / duration, 0.15) * (0.35 * swings + 0.12 * fast)


def pop(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Contact that jumps, and an amplifier that comes back."""
    del frequency, rng
    back = np.clip((duration - times) / (0.1 * duration), 0, 1)
    return np.clip(times / 0.01, 0, 1) * np.exp(-times / POP_DECAY) * back
