"""A plausible course of a night: semi-Markov bouts inside sleep cycles.

Stage sequences are semi-Markov and not Markov: bouts are not geometric in length, and what follows depends on the hour
(Yang & Hursch 1973, Biometrics 29:667). Cycles set the hour; within one, bouts of its stage and lapses into others follow
each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eegflex.stages import EPOCH_DURATION

__all__ = ["MIN_EPOCHS", "draw_hypnogram"]

EPOCHS_PER_MINUTE = 60.0 / EPOCH_DURATION

MIN_EPOCHS = 24  # chosen so that every stage finds a place in the shortest night (12 min)
CYCLE_MINUTES = 90.0  # mean of NREM-REM cycles in adults (Carskadon & Dement, Normal human sleep: 70 to 120 min)
CYCLE_JITTER = 0.08  # sd of the log length of a cycle; chosen within those limits
LATENCY_MINUTES = (
    10.0  # median time awake before sleep; healthy adults: 10 to 20 min (Ohayon et al. 2004, Sleep 27:1255)
)
LATENCY_LIMITS = (4.0, 25.0)
LATENCY_SHARE = 0.15  # at most this share of a short night passes before sleep
FINAL_WAKE_MINUTES = 3.0
FINAL_WAKE_SHARE = 0.08

# Shares of a cycle's length, from the first cycle to the last, N3 early and REM late. Chosen so that a 7-h night has the
# shares of healthy adults: N1 2-5 %, N2 45-55 %, N3 13-23 %, REM 20-25 % (Carskadon & Dement; Ohayon et al. 2004).
N1_SHARE = (0.045, 0.015)
N3_SHARE = (0.42, 0.03)
REM_SHARE = (0.10, 0.36)
N2_BEFORE_N3 = 0.4  # of the cycle's N2, the rest lies between N3 and REM


@dataclass(frozen=True)
class _Bouts:
    """How long a stage lasts before it lapses, and with what probability into which others (lengths: mean epochs)."""

    dwell: float
    lapses: Mapping[str, float]


# Chosen so that bouts last for minutes and a night has some 10 to 25 awakenings that are long enough to be scored.
_BOUTS = {
    "N1": _Bouts(6.0, {"W": 0.6, "N2": 0.4}),
    "N2": _Bouts(18.0, {"N1": 0.5, "W": 0.35, "N3": 0.15}),
    "N3": _Bouts(26.0, {"N2": 0.85, "N1": 0.05, "W": 0.1}),
    "REM": _Bouts(26.0, {"N1": 0.25, "W": 0.45, "N2": 0.3}),
}
_LAPSE_DWELL = {"N1": 1.5, "N2": 2.0, "N3": 2.0}  # mean epochs
# Awakenings have no typical length: P(longer than t) ~ t ** -1.2 or -1.3 (Lo et al. 2002, Europhys Lett 57:625; 2004, PNAS
# 101:17545, where the density falls with 2.2).
WAKE_POWER = 1.3
WAKE_LIMIT = 20  # epochs; a longer awakening would be another night


def draw_hypnogram(n_epochs: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """Draw the stages of a night.

    Parameters
    ----------
    n_epochs : int
        Number of 30-s epochs, at least `MIN_EPOCHS`. A night shorter than one cycle is one shortened cycle.
    rng : numpy.random.Generator
        Source of the chance in it.

    Returns
    -------
    array of str, shape (n_epochs,)
        One of `eegflex.stages.STAGES` for each epoch.
    """
    latency = LATENCY_MINUTES * float(np.exp(0.4 * rng.standard_normal()))
    n_before = _n_epochs(float(np.clip(latency, *LATENCY_LIMITS)), LATENCY_SHARE, n_epochs)
    n_after = _n_epochs(FINAL_WAKE_MINUTES, FINAL_WAKE_SHARE, n_epochs)
    n_asleep = n_epochs - n_before - n_after
    stages = ["W"] * n_before
    for position, length in _cycles(n_asleep, rng):
        for stage, n_bout in _phases(position, length):
            stages += _bouts(stage, n_bout, rng)
    return np.array(stages + ["W"] * n_after)


def _n_epochs(minutes: float, share: float, n_epochs: int) -> int:
    return max(1, round(min(minutes * EPOCHS_PER_MINUTE, share * n_epochs)))


def _cycles(n_asleep: int, rng: np.random.Generator) -> list[tuple[float, int]]:
    """Position in the night (0 first, 1 last) and length in epochs of each cycle."""
    n_cycles = max(1, round(n_asleep / (CYCLE_MINUTES * EPOCHS_PER_MINUTE)))
    weights = np.exp(CYCLE_JITTER * rng.standard_normal(n_cycles))
    edges = np.round(n_asleep * np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()).astype(int)
    positions = np.linspace(0, 1, n_cycles) if n_cycles > 1 else [0.5]
    return [(float(position), int(length)) for position, length in zip(positions, np.diff(edges), strict=True)]


def _phases(position: float, length: int) -> list[tuple[str, int]]:
    """Stages of one cycle, in order, with their lengths in epochs."""
    n1 = max(2, round(float(np.interp(position, (0, 1), N1_SHARE)) * length))
    n3 = max(3, round(float(np.interp(position, (0, 1), N3_SHARE)) * length))
    rem = max(3, round(float(np.interp(position, (0, 1), REM_SHARE)) * length))
    n2 = length - n1 - n3 - rem
    before = round(N2_BEFORE_N3 * n2)
    return [("N1", n1), ("N2", before), ("N3", n3), ("N2", n2 - before), ("REM", rem)]


def _bouts(home: str, length: int, rng: np.random.Generator) -> list[str]:
    """Bouts of a stage, with short lapses into others between them; the phase begins and ends at home."""
    bouts = _BOUTS[home]
    stages: list[str] = []
    while True:
        stages += [home] * _dwell(bouts.dwell, rng)
        lapse = str(rng.choice(list(bouts.lapses), p=list(bouts.lapses.values())))
        stages += [lapse] * (_awake(rng) if lapse == "W" else _dwell(_LAPSE_DWELL[lapse], rng))
        if lapse == "W" and home in ("N2", "N3"):  # sleep comes back through N1
            stages += ["N1"] * int(rng.integers(1, 3))
        if len(stages) >= length:
            break
    stages = stages[:length]
    if stages:
        stages[-1] = home
    return stages


def _dwell(mean: float, rng: np.random.Generator) -> int:
    """Length of a bout in epochs: gamma-distributed, so that very short bouts are rarer than in a Markov chain."""
    return max(1, round(float(rng.gamma(2.0, mean / 2.0))))


def _awake(rng: np.random.Generator) -> int:
    """Length of an awakening in epochs."""
    return min(WAKE_LIMIT, int((1 - rng.random()) ** (-1 / WAKE_POWER)))
