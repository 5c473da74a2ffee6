"""What a night can have more or less of than the usual one: how many spindles, and how large its rhythms are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegflex.errors import ParameterError
from eegflex.simulation.event_kinds import KINDS, EventKind
from eegflex.simulation.events import Planner
from eegflex.simulation.states import Stretch

__all__ = ["KNOBS", "check_knobs", "plan_night"]


@dataclass(frozen=True)
class Knob:
    """One multiplier of the usual night: of which kind of events, of what about them, and how far it goes.

    Attributes
    ----------
    kind : str
        The kind of events.
    density : bool
        Whether it is their number a minute; their amplitude otherwise.
    highest : float
        The largest that is allowed. Beyond these spindles would touch each other, and waves would be of a size that no EEG has.
    """

    kind: str
    density: bool
    highest: float


KNOBS = {
    "spindle_density": Knob("spindle", True, 3.0),
    "spindle_amplitude": Knob("spindle", False, 5.0),
    "slow_wave_amplitude": Knob("slow_wave", False, 5.0),
    "alpha": Knob("alpha", False, 5.0),
}


def check_knobs(values: Mapping[str, float]) -> dict[str, float]:
    """Refuse what is no multiplier, or one that is out of bounds."""
    for name, value in values.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value <= KNOBS[name].highest or not math.isfinite(value):
            raise ParameterError(
                f"{name} must be a number of times the usual",
                seen=repr(value),
                allowed=f"0 to {KNOBS[name].highest:g}; 1 is the usual night",
            )
    return {name: float(value) for name, value in values.items()}


def plan_night(
    stretches: Sequence[Stretch],
    n_epochs: int,
    knobs: Mapping[str, float],
    rng: np.random.Generator,
    render_rng: np.random.Generator,
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Plan the events of a night, which are those of the usual one but for what the knobs are of.

    Parameters
    ----------
    stretches : sequence of Stretch
        The states of the night.
    n_epochs : int
        Its length.
    knobs : dict
        Name of a knob -> multiplier.
    rng, render_rng : numpy.random.Generator
        Of the plan, and of the waveforms.

    Returns
    -------
    plan : DataFrame
        As `Planner.plan` returns it.
    seeds : array of int, shape (n_events,)
        Of each event's waveform.
    """
    again = _twin(rng)
    plan = Planner(KINDS, stretches, n_epochs).plan(rng)
    seeds = render_rng.integers(2**63, size=len(plan))
    denser = {KNOBS[name].kind: value for name, value in knobs.items() if KNOBS[name].density and value != 1}
    if denser:
        kinds = {name: _denser(kind, denser[name]) if name in denser else kind for name, kind in KINDS.items()}
        own = seeds[~plan["kind"].isin(denser).to_numpy()]
        plan = Planner(kinds, stretches, n_epochs).plan(again)
        # the waveforms of all other events stay what they were
        new = plan["kind"].isin(denser).to_numpy()
        seeds = np.empty(len(plan), dtype=np.int64)
        seeds[~new], seeds[new] = own, render_rng.spawn(1)[0].integers(2**63, size=int(new.sum()))
    sizes = {KNOBS[name].kind: value for name, value in knobs.items() if not KNOBS[name].density}
    plan = plan.assign(amplitude=plan["amplitude"] * plan["kind"].map(sizes).fillna(1.0))
    there = (plan["amplitude"] > 0).to_numpy()
    return plan[there].reset_index(drop=True), seeds[there]


def _twin(rng: np.random.Generator) -> np.random.Generator:
    """A generator that draws and spawns what this one will; before NumPy 2 a copy of one forgot whose children it spawns."""
    parent: Any = rng.bit_generator.seed_seq
    seeds = np.random.SeedSequence(
        parent.entropy, spawn_key=parent.spawn_key, n_children_spawned=parent.n_children_spawned
    )
    twin = np.random.Generator(type(rng.bit_generator)(seeds))
    twin.bit_generator.state = rng.bit_generator.state
    return twin


def _denser(kind: EventKind, factor: float) -> EventKind:
    """The kind with a rate at which so many times as many come: a spindle and the pause after it let no other begin."""
    dead = float(np.mean(kind.duration) + kind.gap) / 60
    found = {state: factor * rate / (1 + rate * dead) for state, rate in kind.rates.items()}
    return replace(kind, rates={state: rate / (1 - rate * dead) for state, rate in found.items()})
