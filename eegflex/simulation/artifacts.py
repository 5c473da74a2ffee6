"""What a recording has that no brain made, on request: planned as events are, each kind in its own way.

The artifacts are those that the AASM manual and textbooks of polysomnography show; where nothing else is said, rates and
amplitudes are chosen so that a page is disturbed and can still be scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegflex.errors import ParameterError
from eegflex.simulation import waves
from eegflex.simulation.event_kinds import EventKind, Form
from eegflex.simulation.events import Planner, as_plan, join
from eegflex.simulation.sources import Contact, Heart, Skin
from eegflex.simulation.states import Stretch, bouts
from eegflex.stages import EPOCH_DURATION, STAGES

__all__ = ["ARTIFACTS", "MAINS", "plan_artifacts", "wanted_artifacts"]

MAINS = (50.0, 60.0)  # Hz
# Beats a minute: slower in sleep, faster again in REM (Snyder et al. 1964, J Appl Physiol 19:417); with the respiratory sinus
# arrhythmia of a breath every 4 s, and slower wander.
HEART_RATE = {"W": 66.0, "N1": 62.0, "N2": 58.0, "N3": 57.0, "REM": 62.0}
BREATH, ARRHYTHMIA, HEART_WANDER = 4.0, 0.04, 0.02


@dataclass(frozen=True)
class Night:
    """What an artifact needs to know of the night: its bouts of one stage, and the frequency of the mains in Hz."""

    stretches: Sequence[Stretch]
    line_freq: float


def _hum(night: Night, kind: EventKind, name: str, rng: np.random.Generator) -> pd.DataFrame:
    """The mains all night, one event for each bout of a stage, all of them of one size and from one place."""
    source, size, nan = kind.forms[0].source.draw(rng), kind.amplitude, float("nan")
    bouts_of = [(bout.start, bout.stop - bout.start, name, bout.stage) for bout in night.stretches]
    return as_plan([(*bout, night.line_freq, size, nan, 0, *source) for bout in bouts_of])


def _beats(night: Night, kind: EventKind, name: str, rng: np.random.Generator) -> pd.DataFrame:
    """One event a heartbeat."""
    rows = []
    (duration,), source = kind.duration, kind.forms[0].source
    time, wander, end = float(rng.uniform(0, 1)), 0.0, night.stretches[-1].stop
    for stretch in night.stretches:
        while time < min(stretch.stop, end - duration):
            wander = 0.98 * wander + HEART_WANDER * float(rng.standard_normal())
            breath = ARRHYTHMIA * np.sin(2 * np.pi * time / BREATH)
            rate = HEART_RATE[stretch.stage] * float(np.exp(wander + breath)) / 60
            size = kind.amplitude * float(np.exp(kind.spread * rng.standard_normal()))
            rows.append((time, duration, name, stretch.stage, rate, size, float("nan"), 0, *source.draw(rng)))
            time += 1 / rate
    return as_plan(rows)


def _bursts(night: Night, kind: EventKind, name: str, rng: np.random.Generator) -> pd.DataFrame:
    """Events that come now and then: at least one, for it was asked for."""
    planner = Planner({name: kind}, night.stretches, round(night.stretches[-1].stop / EPOCH_DURATION))
    while not len(plan := planner.plan(rng)):
        pass
    return plan


def _anywhere(night: Night, kind: EventKind, name: str, rng: np.random.Generator) -> pd.DataFrame:
    """Events that come now and then whatever the stage, and may outlast it; their stage is that of their onset."""
    stretches = night.stretches
    whole = Stretch(stretches[0].start, stretches[-1].stop, _ANY, _ANY)
    plan = _bursts(replace(night, stretches=[whole]), kind, name, rng)
    starts = [stretch.start for stretch in stretches]
    at = np.searchsorted(starts, plan["onset"].to_numpy(dtype=float), side="right") - 1
    return plan.assign(stage=[stretches[number].stage for number in at])


@dataclass(frozen=True)
class Artifact:
    """A kind of artifact, and how a night of it is planned."""

    kind: EventKind
    plan: Callable[[Night, EventKind, str, np.random.Generator], pd.DataFrame] = _bursts


_ALWAYS = dict.fromkeys(STAGES, 1.0)
_ANY = "any stage"

ARTIFACTS = {
    "line": Artifact(EventKind(waves.hum, _ALWAYS, 12.0, (Form(Skin(chin=0.8)),)), _hum),
    "ecg": Artifact(  # a beat from its P to its T wave
        EventKind(waves.heartbeat, _ALWAYS, 22.0, (Form(Heart()),), (0.7,), spread=0.05), _beats
    ),
    # Slow sway of minutes, where the skin is wet, below 1 Hz.
    "sweat": Artifact(
        EventKind(
            waves.sway, {_ANY: 0.06}, 90.0, (Form(Skin(), (0.3, 0.05)),), (40.0, 240.0), gap=60.0,
        ),
        _anywhere,
    ),
    # Body movements are many near wakefulness and fewest in N3 (Wilde-Frenz & Schulz 1983, Percept Mot Skills 56:275).
    "movement": Artifact(
        EventKind(
            waves.thrash, {"W": 0.4, "N1": 0.2, "N2": 0.06, "N3": 0.02, "REM": 0.08}, 320.0, (Form(Skin(chin=0.5)),),
            (3.0, 12.0), spread=0.4, gap=20.0,
        )
    ),
    "pop": Artifact(
        EventKind(waves.pop, {_ANY: 0.12}, 220.0, (Form(Contact()),), (1.5, 3.0), spread=0.4, gap=5.0), _anywhere
    ),
}  # fmt: skip


def wanted_artifacts(names: Iterable[str]) -> dict[str, Artifact]:
    """Look artifacts up by their names, in the order of the table.

    Raises
    ------
    ParameterError
        If a name is none of the table's.
    """
    wanted = [] if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in ARTIFACTS]
    if unknown or isinstance(names, str):
        raise ParameterError(
            "artifacts must be a list of names",
            seen=unknown or repr(names),
            allowed=list(ARTIFACTS),
            remedy="Name those that the night shall have, or none",
        )
    return {name: artifact for name, artifact in ARTIFACTS.items() if name in wanted}


def plan_artifacts(
    artifacts: Mapping[str, Artifact], hypnogram: NDArray[np.str_], line_freq: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Plan the artifacts of a night; what one does hangs on none of the others."""
    night = Night(bouts(hypnogram), line_freq)
    children = dict(zip(ARTIFACTS, rng.spawn(len(ARTIFACTS)), strict=True))
    return join(artifact.plan(night, artifact.kind, name, children[name]) for name, artifact in artifacts.items())
