"""What comes and goes: rhythms, graphoelements, eye movements, twitches; planned first, then drawn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import head, waves
from .background import drift
from .hypnogram import EPOCH_LENGTH, STAGES

__all__ = ["KINDS", "EventKind", "plan_events", "render_events"]

Weights = Callable[[np.random.Generator], NDArray[np.float64]]
EYES_OPEN_SHARE = 0.3  # of the wake epochs
BURST_SPREAD = 0.4  # sd of the log rate between epochs
AMPLITUDE_SPREAD = 0.15  # sd of the log amplitude between epochs, besides that between events


@dataclass(frozen=True)
class EventKind:
    """How one kind of event comes.

    Attributes
    ----------
    wave : callable
        ``wave(times, duration, frequency, rng)``: the event's course with peak 1; times in s from its onset.
    rates : dict
        Stage -> events a minute where they come (a Poisson process with dead time).
    amplitude : float
        Median of the peak in µV, in the channel with the largest weight.
    weights : callable
        ``weights(rng)`` draws the event's weight on each channel, the largest 1 in absolute value.
    duration : tuple of float
        Shortest and longest, in s; empty where the duration is one period.
    frequency : tuple of float
        Mean and standard deviation in Hz; empty for what has no frequency.
    spread : float
        Standard deviation of the log amplitude.
    personal : float
        Standard deviation in Hz of the frequency between persons (seeds).
    gap : float
        Shortest pause after an event, in s.
    burst : float
        Standard deviation of the log rate between epochs.
    when : str
        "" for any epoch, "open" or "closed" for wake epochs with the eyes so (other stages are not asked).
    stage_amplitude : dict
        Stage -> factor on the amplitude there, 1 where it is not named.
    """

    wave: Callable[[NDArray[np.float64], float, float, np.random.Generator], NDArray[np.float64]]
    rates: Mapping[str, float]
    amplitude: float
    weights: Weights
    duration: tuple[float, ...] = ()
    frequency: tuple[float, ...] = ()
    spread: float = 0.25
    personal: float = 0.0
    gap: float = 0.3
    burst: float = BURST_SPREAD
    when: str = ""
    stage_amplitude: Mapping[str, float] = field(default_factory=dict)


def _brain(places: tuple[str, ...], spread: float, jitter: float = 10.0) -> Weights:
    """Make a source near one of these places, with a field so many degrees wide."""

    def draw(rng: np.random.Generator) -> NDArray[np.float64]:
        place = places[rng.integers(len(places))]
        source = head.scatter(head.direction(place), jitter, rng)
        return head.unit_peak(head.derive(head.field(source, spread)))

    return draw


def _gaze(rng: np.random.Generator) -> NDArray[np.float64]:
    """Weigh a horizontal eye movement, oblique by chance; the cornea is positive: E1 and E2 move oppositely."""
    sign = rng.choice((-1.0, 1.0))
    oblique = 0.25 * rng.standard_normal()
    across = {"E1": -1.0, "E2": 1.0, "F3": -0.16, "F4": 0.16, "C3": -0.04, "C4": 0.04, "M1": -0.05, "M2": 0.05}
    upward = {"E1": -0.7, "E2": 0.8, "F3": 0.2, "F4": 0.2, "C3": 0.04, "C4": 0.04}
    potentials = {name: sign * across.get(name, 0.0) + oblique * upward.get(name, 0.0) for name in across}
    return head.unit_peak(head.derive(potentials))


def _lid(rng: np.random.Generator) -> NDArray[np.float64]:
    """Weigh a blink: the eyes roll upward; E1 lies below, E2 above them, and the forehead turns positive."""
    forehead = 0.45 + 0.08 * rng.standard_normal()
    potentials = {"E1": -0.75, "E2": 1.0, "F3": forehead, "F4": forehead, "C3": 0.1, "C4": 0.1}
    return head.unit_peak(head.derive(potentials))


def _chin(rng: np.random.Generator) -> NDArray[np.float64]:
    del rng
    return head.chin_only()


# Frequencies and durations: AASM manual for the scoring of sleep and associated events (alpha 8-13 Hz; theta 4-7 Hz;
# vertex waves < 0.5 s; K-complexes >= 0.5 s; spindles 11-16 Hz, >= 0.5 s; slow waves 0.5-2 Hz; blinks 0.5-2 Hz; the
# first deflection of rapid eye movements < 500 ms, of slow ones > 500 ms; twitches < 0.25 s). Rates and amplitudes are
# chosen so that the pages look like those of a young adult.
KINDS = {
    "alpha": EventKind(
        waves.rhythm, {"W": 24.0, "N1": 1.0}, 36.0, _brain(("Oz", "POz", "POz"), 44.0, 12.0), (2.0, 14.0), (10.0, 0.4),
        personal=0.5, gap=0.2, when="closed", stage_amplitude={"N1": 0.6},
    ),
    "theta": EventKind(
        waves.rhythm, {"N1": 14.0, "REM": 8.0, "N2": 4.0}, 17.0, _brain(("Fz", "Cz", "C3", "C4", "Pz"), 50.0),
        (0.8, 3.0), (5.6, 0.7), gap=0.2, stage_amplitude={"REM": 0.75},
    ),
    "vertex_wave": EventKind(waves.vertex, {"N1": 4.0}, 55.0, _brain(("Cz",), 40.0), (0.2, 0.4), gap=1.0),
    "spindle": EventKind(
        waves.spindle, {"N2": 4.5, "N3": 1.5}, 24.0, _brain(("Fz", "FCz", "Cz", "Cz", "CPz"), 48.0),
        (0.6, 2.0), (13.2, 0.5), personal=0.3, gap=2.0,
    ),
    "k_complex": EventKind(
        waves.k_complex, {"N2": 1.8}, 95.0, _brain(("Fz", "FCz"), 55.0), (0.7, 1.3), gap=4.0,
    ),
    "slow_wave": EventKind(
        waves.slow_wave, {"N3": 42.0, "N2": 3.0}, 62.0, _brain(("Fz", "AFz", "FCz", "F3", "F4"), 58.0),
        (), (0.9, 0.2), gap=0.05, spread=0.3, burst=0.4, stage_amplitude={"N2": 0.6},
    ),
    "eye_movement_rapid": EventKind(
        waves.saccade, {"REM": 10.0, "W": 10.0}, 75.0, _gaze, (0.4, 1.4), gap=0.1, spread=0.4, burst=0.9,
        when="open",
    ),
    "eye_movement_slow": EventKind(
        waves.slow_gaze, {"N1": 5.0, "W": 2.0}, 60.0, _gaze, (4.0, 9.0), (0.3, 0.05), gap=0.5, when="closed",
    ),
    "blink": EventKind(waves.blink, {"W": 18.0}, 110.0, _lid, (0.25, 0.45), gap=0.3, when="open"),
    "twitch": EventKind(waves.twitch, {"REM": 3.0}, 18.0, _chin, (0.08, 0.25), gap=0.1, spread=0.5, burst=0.9),
}  # fmt: skip


def plan_events(hypnogram: NDArray[np.str_], rng: np.random.Generator) -> pd.DataFrame:
    """Draw which events come when, where and how large, whatever the sampling rate.

    Parameters
    ----------
    hypnogram : array of str, shape (n_epochs,)
        The stages. Every event begins and ends inside a run of epochs of its stage.
    rng : numpy.random.Generator
        Source of the chance in it; each kind of event has a child of its own.

    Returns
    -------
    DataFrame
        One row an event, by onset: ``onset`` and ``duration`` (s), ``kind``, ``stage``, ``frequency`` (Hz, NaN where it
        has none), ``amplitude`` (µV), and the weight on each channel under the channel's name.
    """
    eyes, *children = rng.spawn(1 + len(KINDS))
    is_open = _eyes_open(hypnogram, eyes)
    tables = []
    for (name, kind), child in zip(KINDS.items(), children, strict=True):
        rates = _rates(kind, hypnogram, is_open, child)
        tables.append(_plan(name, kind, hypnogram, rates, child))
    events = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return events.sort_values(["onset", "kind"], kind="stable", ignore_index=True)


def _eyes_open(hypnogram: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Epochs awake with the eyes open, in stretches."""
    slow = drift(len(hypnogram), rng)
    return np.asarray((slow > np.quantile(slow, 1 - EYES_OPEN_SHARE)) & (hypnogram == "W"))


def _rates(
    kind: EventKind, hypnogram: NDArray[np.str_], is_open: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Events a second in each epoch, outside the dead time."""
    per_stage = {stage: kind.rates.get(stage, 0.0) / 60 for stage in STAGES}
    rates = np.array([per_stage[stage] for stage in hypnogram]) * np.exp(kind.burst * drift(len(hypnogram), rng))
    if kind.when:
        unfit = ~is_open if kind.when == "open" else is_open
        rates[unfit & (hypnogram == "W")] = 0.0
    return rates


def _plan(
    name: str, kind: EventKind, hypnogram: NDArray[np.str_], rates: NDArray[np.float64], rng: np.random.Generator
) -> pd.DataFrame:
    personal = kind.personal * rng.standard_normal()
    sizes = np.exp(AMPLITUDE_SPREAD * drift(len(hypnogram), rng))
    rows = []
    for start, stop in _runs(hypnogram):
        stage = str(hypnogram[start])
        time = start * EPOCH_LENGTH
        while (time := _next_onset(time, stop, rates, rng)) < stop * EPOCH_LENGTH:
            duration, frequency = _extent(kind, personal, rng)
            if time + duration > stop * EPOCH_LENGTH:
                break
            size = kind.amplitude * kind.stage_amplitude.get(stage, 1.0) * sizes[int(time / EPOCH_LENGTH)]
            amplitude = size * float(np.exp(kind.spread * rng.standard_normal()))
            rows.append((time, duration, name, stage, frequency, amplitude, *kind.weights(rng)))
            time += duration + kind.gap
    columns = ["onset", "duration", "kind", "stage", "frequency", "amplitude", *head.CHANNEL_TYPES]
    return pd.DataFrame(rows, columns=columns)


def _runs(hypnogram: NDArray[np.str_]) -> list[tuple[int, int]]:
    """First epoch and one past the last of each stretch of one stage."""
    edges = np.flatnonzero(hypnogram[1:] != hypnogram[:-1]) + 1
    bounds = [0, *edges.tolist(), len(hypnogram)]
    return list(itertools.pairwise(bounds))


def _next_onset(time: float, stop: int, rates: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Onset of the next event from `time` on: exponential waiting, begun anew in each epoch with its rate."""
    epoch = int(time / EPOCH_LENGTH)
    while epoch < stop:
        onset = time + rng.exponential(1 / rates[epoch]) if rates[epoch] > 0 else np.inf
        epoch += 1
        if onset < epoch * EPOCH_LENGTH:
            return float(onset)
        time = epoch * EPOCH_LENGTH
    return float("inf")


def _extent(kind: EventKind, personal: float, rng: np.random.Generator) -> tuple[float, float]:
    """Duration (s) and frequency (Hz) of one event."""
    frequency = float("nan")
    if kind.frequency:
        mean, sd = kind.frequency
        frequency = mean + personal + sd * float(np.clip(rng.standard_normal(), -2, 2))
    duration = float(rng.uniform(min(kind.duration), max(kind.duration))) if kind.duration else 1 / frequency
    return duration, frequency


def render_events(data: NDArray[np.float64], events: pd.DataFrame, sfreq: float, rng: np.random.Generator) -> None:
    """Add the events to the night, in place.

    Parameters
    ----------
    data : array, shape (9, n_times)
        The channels in µV.
    events : DataFrame
        What `plan_events` returned.
    sfreq : float
        Sampling rate in Hz.
    rng : numpy.random.Generator
        Source of the chance in the waveforms.
    """
    weights = events[list(head.CHANNEL_TYPES)].to_numpy()
    columns = (events[name] for name in ("kind", "onset", "duration", "frequency", "amplitude"))
    for row, (kind, onset, duration, frequency, amplitude) in enumerate(zip(*columns, strict=True)):
        first, last = int(np.ceil(onset * sfreq)), int(np.floor((onset + duration) * sfreq))
        times = np.arange(first, min(last + 1, data.shape[1])) / sfreq - onset
        course = amplitude * KINDS[kind].wave(times, duration, frequency, rng)
        data[:, first : first + len(times)] += np.outer(weights[row], course)
