"""Courses of single events, each with a peak of about 1.

Every function takes ``times`` (s from the onset, shape (n_times,)), ``duration`` (s), ``frequency`` (Hz, may be NaN)
and ``rng``, and returns an array like ``times`` that begins and ends near 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["blink", "k_complex", "rhythm", "saccade", "slow_gaze", "slow_wave", "spindle", "twitch", "vertex"]

Array = NDArray[np.float64]

RAMP = 0.25  # share of a rhythm's duration in which it rises, and falls
PHASE_WALK = 1.8  # rad per square root of a second: how a rhythm's phase wanders
SACCADE_RISE = 0.05  # s, chosen so that the deflection is over within 0.2 s
SACCADE_DECAY = 0.8  # s, chosen for the time constant of an AC-coupled amplifier with a 0.2-Hz filter


def _bell(u: Array, centre: float, width: float) -> Array:
    return np.exp(-0.5 * ((u - centre) / width) ** 2)


def _ends(u: Array, ramp: float) -> Array:
    """Window over ``0 <= u <= 1`` that rises and falls as a cosine within `ramp`."""
    edge = np.clip(np.minimum(u, 1 - u) / ramp, 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * edge)


def spindle(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sine that waxes and wanes."""
    u = times / duration
    peak = rng.uniform(0.4, 0.6)
    warped = np.where(u < peak, 0.5 * u / peak, 0.5 + 0.5 * (u - peak) / (1 - peak))
    phase = rng.uniform(0, 2 * np.pi)
    return np.sin(np.pi * warped) ** 2 * np.sin(2 * np.pi * frequency * times + phase)


def rhythm(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Sine whose phase and amplitude wander."""
    if len(times) < 2:
        return np.zeros_like(times)
    step = times[1] - times[0]
    wander = PHASE_WALK * np.sqrt(step) * np.cumsum(rng.standard_normal(len(times)))
    beat = 0.7 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.4, 1.2) * times + rng.uniform(0, 2 * np.pi))
    phase = 2 * np.pi * frequency * times + rng.uniform(0, 2 * np.pi) + wander
    return _ends(times / duration, RAMP) * beat * np.sin(phase)


def slow_wave(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """One period, negative first; the halves differ in length and height."""
    del frequency
    u = times / duration
    crossing, rebound = rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.95)
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


def twitch(times: Array, duration: float, frequency: float, rng: np.random.Generator) -> Array:
    """Burst of muscle activity; the amplitude is that of its envelope."""
    del frequency
    return np.sin(np.pi * times / duration) * rng.uniform(-1, 1, len(times))
