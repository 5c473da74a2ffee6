"""What goes on within a stage, second by second: eyes open or closed, tonic or phasic REM."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eegflex.stages import EPOCH_DURATION

__all__ = ["Stretch", "bouts", "draw_states"]

# Stage -> the states that take turns in it, with their mean lengths in s (each exponential). In bed the eyes are closed for
# most of the time, and an adult who cannot sleep opens them now and then (lengths chosen); phasic REM comes in bursts of
# some seconds (Simor et al. 2020, Sleep Med Rev 52:101305: segments of 4 s and more; about a third of REM sleep).
TURNS = {
    "W": {"W closed": 50.0, "W open": 18.0},
    "REM": {"REM tonic": 24.0, "REM phasic": 12.0},
}
SHORTEST = 4.0  # s


@dataclass(frozen=True)
class Stretch:
    """A stretch of one state: from `start` to `stop` in s, its stage and its state (the stage, where it has no turns)."""

    start: float
    stop: float
    stage: str
    state: str


def bouts(hypnogram: NDArray[np.str_]) -> list[Stretch]:
    """Stretches of one stage."""
    edges = np.flatnonzero(hypnogram[1:] != hypnogram[:-1]) + 1
    bounds = [0, *edges.tolist(), len(hypnogram)]
    stages = [str(hypnogram[first]) for first in bounds[:-1]]
    return [
        Stretch(first * EPOCH_DURATION, last * EPOCH_DURATION, stage, stage)
        for (first, last), stage in zip(itertools.pairwise(bounds), stages, strict=True)
    ]


def draw_states(hypnogram: NDArray[np.str_], rng: np.random.Generator) -> list[Stretch]:
    """Draw the states of a night, end to end."""
    return [stretch for bout in bouts(hypnogram) for stretch in _turns(bout, rng)]


def _turns(bout: Stretch, rng: np.random.Generator) -> list[Stretch]:
    turns = TURNS.get(bout.stage)
    if turns is None:
        return [bout]
    states = itertools.cycle(turns)  # a bout begins in the commoner state
    stretches, start = [], bout.start
    while start < bout.stop:
        state = next(states)
        stop = start + SHORTEST + float(rng.exponential(turns[state] - SHORTEST))
        stop = bout.stop if stop > bout.stop - SHORTEST else stop
        stretches.append(Stretch(start, stop, bout.stage, state))
        start = stop
    return stretches
