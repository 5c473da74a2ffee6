"""Whether a signal can be what its header says: its size and its range, looked at in samples spread over it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eegflex.readers.channels.derivations import Derivation, Known
from eegflex.readers.channels.labels import VOLTAGE_KINDS
from eegflex.readers.channels.raw import read_derivation
from eegflex.readers.channels.together import mistyped
from eegflex.readers.recordings.source import Run, Source, sample_at

__all__ = ["implausible", "mistyped_eeg", "sample_sd", "unreadable"]

_PLAUSIBLE_SD = (1e-6, 500e-6)  # V, of an EEG channel
_SATURATED = 0.2  # share of samples at the ends of the range
_SECONDS = 300.0  # what is looked at
_PIECES = 10


def implausible(source: Source, derivations: Sequence[Derivation]) -> list[str]:
    """Name the channels that cannot be what their header says, as after a wrong unit or a damaged range."""
    return [words for d in derivations if d.channel.kind in VOLTAGE_KINDS for words in _doubts(source, d)]


def unreadable(known: Sequence[Known]) -> list[str]:
    """Name the channels that a recording has and that no one can have, since their headers give no scale or unit."""
    lost = [k for k in known if k.signal.fault and k.channel.kind in VOLTAGE_KINDS]
    strange = [k for k in known if not k.signal.fault and k.unit.kind == "unknown" and k.channel.kind in VOLTAGE_KINDS]
    return [f"{k.signal.label} cannot be read: {k.signal.fault}" for k in lost] + [
        f"{k.signal.label} cannot be read: its unit {k.unit.text!r} is not known; say it with units={{name: unit}}"
        for k in strange
    ]


def mistyped_eeg(known: Sequence[Known]) -> list[str]:
    """Name the channels that their file types EEG and that are something else by their labels."""
    places = mistyped([k.channel for k in known], [k.signal.kind for k in known])
    if not places:
        return []
    listed = ", ".join(f"{known[i].signal.label} ({known[i].channel.role or known[i].channel.kind})" for i in places)
    return [f"the file types {len(places)} channels EEG whose labels say otherwise; the labels are used: {listed}"]


def sample_sd(source: Source, derivation: Derivation) -> float:
    """Return a derivation's standard deviation in its unit (V), from at most 300 s spread over it."""
    return float(np.std(_sample(source, derivation)))


def _doubts(source: Source, d: Derivation) -> list[str]:
    sample = _sample(source, d)
    doubts = []
    sd = float(np.std(sample))
    if d.channel.kind == "eeg" and not _PLAUSIBLE_SD[0] <= sd <= _PLAUSIBLE_SD[1]:
        doubts.append(
            f"{d.name} has a standard deviation of {sd * 1e6:.3g} µV, where an EEG has 1 to 500; is its unit "
            f"({d.unit}) correct?"
        )
    stuck = float(np.mean((sample == sample.min()) | (sample == sample.max()))) if sd else 0.0
    if stuck > _SATURATED:
        doubts.append(f"{d.name} is saturated: {stuck:.0%} of its samples lie at the ends of its range")
    outside = _share_outside(d, sample)
    if outside:
        doubts.append(
            f"{d.name} has samples outside the range that its header states ({outside:.2g} of them); is its scale correct?"
        )
    return doubts


def _share_outside(derivation: Derivation, sample: npt.NDArray[np.float64]) -> float:
    """Give the share of samples that the header rules out; 0 for a difference, and where it states no range."""
    if len(derivation.terms) > 1:
        return 0.0
    known = derivation.terms[0][0]
    low, high = np.array(known.signal.limits) * (known.unit.volts if known.unit.kind == "voltage" else 1.0)
    slack = 1e-6 * (high - low)  # for rounding
    return float(np.mean((sample < low - slack) | (sample > high + slack)))


def _sample(source: Source, derivation: Derivation) -> npt.NDArray[np.float64]:
    """Read at most 300 s of a derivation, in pieces spread over it, gaps left out; shape (n_times,)."""
    rate, n_times = derivation.rate, derivation.terms[0][0].signal.n_times
    pieces = [
        read_derivation(source, derivation, start, stop)
        for run in _pieces(source.runs)
        for start in [min(sample_at(run.start, rate), n_times - 1)]
        for stop in [min(max(sample_at(run.stop, rate), start + 1), n_times)]
    ]
    return np.concatenate(pieces)


def _pieces(runs: Sequence[Run]) -> list[Run]:
    """Spread pieces over the recorded time: all of it if it is short."""
    length = np.array([run.stop - run.start for run in runs])
    if length.sum() <= _SECONDS:
        return list(runs)
    size = _SECONDS / _PIECES
    before = np.cumsum(length) - length
    places = np.linspace(0, length.sum() - size, _PIECES)
    home = np.searchsorted(before, places, side="right") - 1
    starts = [runs[k].start + place - before[k] for k, place in zip(home, places, strict=True)]
    return [Run(start, min(start + size, runs[k].stop)) for k, start in zip(home, starts, strict=True)]
