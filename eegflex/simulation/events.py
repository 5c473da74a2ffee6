"""What comes and goes: planned first, whatever the rate and the electrodes; then weighed on a montage, and drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegflex.simulation.background import drift
from eegflex.simulation.event_kinds import EventKind
from eegflex.simulation.head import HEAD_RADIUS, STANDARD, Montage
from eegflex.simulation.sources import Cortex
from eegflex.simulation.states import Stretch
from eegflex.stages import EPOCH_DURATION

__all__ = ["TRUTH", "Planner", "as_plan", "join", "render_events", "way"]

Array = NDArray[np.float64]

#: The columns of the ground truth before the weights on the channels.
TRUTH = ("onset", "duration", "kind", "stage", "frequency", "amplitude", "speed")
_SOURCE = ("form", "x", "y", "z")
AMPLITUDE_SPREAD = 0.15  # sd of the log amplitude between epochs, besides that between events
REACH = 2.0  # s: so near must a carrier be; chosen
# Where the source of a travelling wave is on its way backwards (degrees from its origin), and what is left of it there;
# chosen so that it crosses most of the scalp and is largest in front.
PATH = {0.0: 1.0, 25.0: 0.85, 50.0: 0.6, 75.0: 0.4, 100.0: 0.25}
_LAST = max(PATH)


def way(degrees: float) -> float:
    """Length of an arc over the head in m."""
    return float(np.radians(degrees)) * HEAD_RADIUS


@dataclass(frozen=True)
class Planner:
    """Plans the events of one night.

    Attributes
    ----------
    kinds : dict
        Name -> kind; what is drawn to others or follows them comes after them.
    stretches : list of Stretch
        The states of the night. Every event begins and ends inside one, unless it follows another.
    n_epochs : int
        Length of the night.
    """

    kinds: Mapping[str, EventKind]
    stretches: Sequence[Stretch]
    n_epochs: int

    def plan(self, rng: np.random.Generator) -> pd.DataFrame:
        """Draw which events come when, where and how large; each kind has a child of the generator.

        Returns
        -------
        DataFrame
            One row an event, by onset: `TRUTH`, and its form and its source (x, y, z).
        """
        plans: dict[str, pd.DataFrame] = {}
        for (name, kind), child in zip(self.kinds.items(), rng.spawn(len(self.kinds)), strict=True):
            draw = self._follow if kind.follows else self._come
            plans[name] = as_plan(draw(name, kind, plans, child))
        return join(plans.values())

    def _come(
        self, name: str, kind: EventKind, plans: Mapping[str, pd.DataFrame], rng: np.random.Generator
    ) -> list[tuple[object, ...]]:
        """Events that come by themselves."""
        draw = _Drawer(name, kind, self.n_epochs, rng)
        carriers = plans[kind.carrier][["onset", "duration"]].to_numpy() if kind.carrier else np.empty((0, 2))
        rhythm = np.exp(kind.burst * drift(self.n_epochs, rng)) / 60
        rows = []
        for stretch in self.stretches:
            rates = kind.rates.get(stretch.state, 0.0) * rhythm
            time = stretch.start
            while (onset := _next_onset(time, stretch.stop, rates, rng)) < stretch.stop:
                form, duration, frequency, speed = draw.extent()
                if rng.random() < kind.drawn:
                    moved = _nearest(onset, duration, carriers, kind.forms[form].phase)
                    onset = moved if moved > time else onset
                if onset + duration > stretch.stop:
                    break
                rows.append(draw.row(onset, duration, stretch.stage, form, frequency, speed))
                time = onset + duration + kind.gap
        return rows

    def _follow(
        self, name: str, kind: EventKind, plans: Mapping[str, pd.DataFrame], rng: np.random.Generator
    ) -> list[tuple[object, ...]]:
        """Events that come with others, in step with them; `rates` are the shares that do."""
        draw = _Drawer(name, kind, self.n_epochs, rng)
        states = [(stretch.start, stretch.state) for stretch in self.stretches]
        starts = [start for start, _ in states]
        rows = []
        leaders = plans[kind.follows][["onset", "duration", "stage"]]
        for onset, duration, stage in leaders.itertuples(index=False, name=None):
            state = states[int(np.searchsorted(starts, onset, side="right")) - 1][1]
            if rng.random() < kind.rates.get(state, 0.0):
                form, _, frequency, speed = draw.extent(duration)
                rows.append(draw.row(onset, duration, stage, form, frequency, speed))
        return rows


def as_plan(rows: Sequence[tuple[object, ...]] | pd.DataFrame) -> pd.DataFrame:
    """Rows as a plan, by onset."""
    plan = pd.DataFrame(rows, columns=[*TRUTH, *_SOURCE])
    return plan.sort_values(["onset", "kind"], kind="stable", ignore_index=True)


def join(plans: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several plans as one, by onset."""
    filled = [plan for plan in plans if len(plan)]  # pandas would guess at the types of those that are empty
    return as_plan(pd.concat(filled, ignore_index=True) if filled else [])


class _Drawer:
    """Draws the events of one kind over one night."""

    def __init__(self, name: str, kind: EventKind, n_epochs: int, rng: np.random.Generator) -> None:
        self.name, self.kind, self.rng = name, kind, rng
        self.shares = np.cumsum([form.share for form in kind.forms])
        self.personal = [form.personal * rng.standard_normal() for form in kind.forms]
        self.sizes = np.exp(AMPLITUDE_SPREAD * drift(n_epochs, rng))

    def extent(self, duration: float | None = None) -> tuple[int, float, float, float]:
        """Form, duration (s), frequency (Hz) and speed (m/s) of the next event."""
        kind, rng = self.kind, self.rng
        number = int(np.searchsorted(self.shares, rng.random() * self.shares[-1], side="right"))
        frequency = speed = float("nan")
        if kind.forms[number].frequency:
            mean, sd = kind.forms[number].frequency
            frequency = mean + self.personal[number] + sd * float(np.clip(rng.standard_normal(), -2, 2))
        if duration is None:
            duration = float(rng.uniform(min(kind.duration), max(kind.duration))) if kind.duration else 1 / frequency
        if kind.speed:
            slow, fast = np.log(kind.speed)
            speed = float(np.exp(rng.uniform(slow, fast)))
            duration += way(_LAST) / speed
        return number, duration, frequency, speed

    def row(
        self, onset: float, duration: float, stage: str, form: int, frequency: float, speed: float
    ) -> tuple[object, ...]:
        """The event as a row of the plan."""
        kind = self.kind
        median = kind.amplitude * kind.factors.get(stage, 1.0) * self.sizes[int(onset / EPOCH_DURATION)]
        amplitude = 0.0
        while not amplitude > kind.floor:
            amplitude = median * float(np.exp(kind.spread * self.rng.standard_normal()))
        source = kind.forms[form].source.draw(self.rng)
        return (onset, duration, self.name, stage, frequency, amplitude, speed, form, *source)


def _next_onset(time: float, stop: float, rates: Array, rng: np.random.Generator) -> float:
    """Onset of the next event from `time` on: exponential waiting, begun anew in each epoch with its rate (1/s)."""
    while time < stop:
        epoch = int(time / EPOCH_DURATION)
        onset = time + rng.exponential(1 / rates[epoch]) if rates[epoch] > 0 else np.inf
        time = (epoch + 1) * EPOCH_DURATION
        if onset < time:
            return float(onset)
    return float("inf")


def _nearest(onset: float, duration: float, carriers: Array, phase: float) -> float:
    """Onset that puts the middle of an event at a phase of the nearest carrier; its own if none is in reach."""
    if not len(carriers):
        return onset
    moved = carriers[:, 0] + phase * carriers[:, 1] - duration / 2
    best = float(moved[np.argmin(np.abs(moved - onset))])
    return best if abs(best - onset) <= REACH else onset


def _steps(source: Array) -> list[Array]:
    """Sources, shape (n, 3), on their way over the head to its back, one array for each step of `PATH`."""
    backwards = np.array([0.0, -1.0, 0.0])
    tangent = backwards - (source @ backwards)[:, None] * source
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return [np.cos(angle) * source + np.sin(angle) * tangent for angle in np.radians(list(PATH))]


def _weights(plan: pd.DataFrame, kinds: Mapping[str, EventKind], montage: Montage) -> Array:
    """Weights of each event on each channel at each step of its way, shape (n_events, n_steps, n_channels)."""
    weights = np.zeros((len(plan), len(PATH), len(montage.channels)))
    for (name, form), rows in plan.groupby(["kind", "form"], sort=False).indices.items():
        source = kinds[name].forms[form].source
        directions = plan[["x", "y", "z"]].to_numpy()[rows]
        if kinds[name].speed and isinstance(source, Cortex):
            weights[rows] = _travelling(source, directions, montage)
        else:
            weights[rows, 0] = source.gains(montage, directions)
    return weights


def _travelling(source: Cortex, origins: Array, montage: Montage) -> Array:
    steps = _steps(origins)
    found, standard = (
        np.stack([left * source.potentials(m, step) for left, step in zip(PATH.values(), steps, strict=True)], axis=1)
        for m in (montage, STANDARD)
    )
    own: Array = found / np.abs(standard.sum(axis=1)).max(axis=1)[:, None, None]
    return own


def render_events(
    data: Array,
    plan: pd.DataFrame,
    kinds: Mapping[str, EventKind],
    montage: Montage,
    sfreq: float,
    seeds: NDArray[np.int64],
) -> pd.DataFrame:
    """Add planned events to the night, in place.

    Parameters
    ----------
    data : array, shape (n_channels, n_times)
        The channels in µV.
    plan : DataFrame
        What `Planner.plan` returned.
    kinds : dict
        Name -> kind.
    montage : Montage
        What is recorded.
    sfreq : float
        Sampling rate in Hz.
    seeds : array of int, shape (n_events,)
        Of the chance in the waveform of each event.

    Returns
    -------
    DataFrame
        The ground truth: `TRUTH`, and the weight on each channel under the channel's name.
    """
    weights = _weights(plan, kinds, montage)
    drawn = (plan[name] for name in ("kind", "onset", "duration", "frequency", "amplitude", "speed"))
    for row, (kind, onset, duration, frequency, amplitude, speed) in enumerate(zip(*drawn, strict=True)):
        # Rounded, for an onset that is meant to be a sample must not be missed by the last digit.
        first, last = int(np.ceil(round(onset * sfreq, 6))), int(np.floor(round((onset + duration) * sfreq, 6)))
        span = slice(first, min(last + 1, data.shape[1]))
        times = np.arange(span.start, span.stop) / sfreq - onset
        child = np.random.default_rng(int(seeds[row]))
        for step, course in _courses(kinds[kind].wave, times, duration, frequency, speed, child):
            data[:, span] += np.outer(amplitude * weights[row, step], course)
    columns = pd.DataFrame(weights.sum(axis=1), columns=montage.channels)
    return pd.concat([plan[list(TRUTH)].reset_index(drop=True), columns], axis=1)


def _courses(
    wave: Callable[[Array, float, float, np.random.Generator], Array],
    times: Array,
    duration: float,
    frequency: float,
    speed: float,
    rng: np.random.Generator,
) -> list[tuple[int, Array]]:
    """The course of an event at each step of its way; one step where it stays."""
    if np.isnan(speed):
        return [(0, wave(times, duration, frequency, rng))]
    duration -= way(_LAST) / speed
    state = rng.bit_generator.state
    courses = []
    for step, degrees in enumerate(PATH):
        rng.bit_generator.state = state  # the same wave, only later
        own = times - way(degrees) / speed
        inside = (own >= 0) & (own <= duration)
        courses.append((step, np.where(inside, wave(own, duration, frequency, rng), 0.0)))
    return courses
