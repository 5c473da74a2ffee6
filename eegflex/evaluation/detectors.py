"""Detectors of what scorers look for: one entry of a table for each kind of event.

YASA's detectors (Vallat & Walker 2021, eLife 10:e70092) find spindles, slow waves and rapid eye movements; what it has
none for is found here by the definitions of the AASM manual for the scoring of sleep and associated events, with thresholds
that are said where they stand. Names of kinds are those of a simulated night's events.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, hilbert, sosfiltfilt

from eegflex.errors import MissingExtraError

__all__ = ["KINDS", "EventKind", "Found", "Signal"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Signal:
    """One channel of a night, epoch after epoch.

    Attributes
    ----------
    data : array, shape (n_times,)
        In µV.
    sfreq : float
        In Hz.
    inside : array of bool, shape (n_times,)
        Where events of the kind are looked for.
    known : array of bool, shape (n_times,)
        Where there is something to look at: what is a level of the night is taken from here.
    """

    data: Array
    sfreq: float
    inside: Mask
    known: Mask

    def filtered(self, low: float | None, high: float | None) -> Array:
        """The signal between two frequencies in Hz, without a shift in time."""
        top = 0.45 * self.sfreq
        edges = [edge for edge in (low, None if high is None else min(high, top)) if edge is not None]
        kind = "bandpass" if len(edges) == 2 else ("highpass" if high is None else "lowpass")
        sos = butter(2, edges if len(edges) == 2 else edges[0], kind, fs=self.sfreq, output="sos")
        return np.asarray(sosfiltfilt(sos, self.data))

    def smooth(self, values: Array, seconds: float) -> Array:
        """Mean over so many seconds about each moment."""
        return np.asarray(uniform_filter1d(values, max(round(seconds * self.sfreq), 1), mode="nearest"))

    def envelope(self, low: float, high: float) -> Array:
        """Amplitude between two frequencies in Hz, in µV."""
        return np.asarray(np.abs(hilbert(self.filtered(low, high))))


@dataclass(frozen=True)
class Found:
    """One event in a `Signal`: `start`, `stop` in s from its first sample; `amplitude` in µV; `frequency` in Hz or NaN."""

    start: float
    stop: float
    amplitude: float
    frequency: float = float("nan")


@dataclass(frozen=True)
class EventKind:
    """What a kind of event is and where it is looked for.

    Attributes
    ----------
    name : str
        The kind.
    one, many : str
        How a sentence calls one and several of them.
    where : {"eeg", "eog", "chin"}
        The channels that it is seen in.
    band : tuple of float
        Lowest and highest frequency in Hz; empty where it has no band.
    stages : tuple of str
        The stages in which scorers call it so.
    detect : callable
        ``detect(signal)``: the events in a `Signal`.
    lasts : bool
        Whether it is a level that may last for minutes; it is then told epoch by epoch.
    """

    name: str
    one: str
    many: str
    where: Literal["eeg", "eog", "chin"]
    band: tuple[float, float] | tuple[()]
    stages: tuple[str, ...]
    detect: Callable[[Signal], list[Found]]
    lasts: bool = False


def stretches(mask: Mask, sfreq: float, *, shortest: float, longest: float = np.inf, gap: float = 0.0) -> list[slice]:
    """Where a mask holds for so many seconds; pauses up to `gap` s are bridged."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    bounds = edges.reshape(-1, 2)
    joined: list[list[int]] = []
    for first, last in bounds.tolist():
        if joined and first - joined[-1][1] <= gap * sfreq:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    return [slice(first, last) for first, last in joined if shortest * sfreq <= last - first <= longest * sfreq]


def _as_found(signal: Signal, where: Sequence[slice], sizes: Array) -> list[Found]:
    """Stretches as events; `sizes` are amplitudes of each moment."""
    return [Found(s.start / signal.sfreq, s.stop / signal.sfreq, float(sizes[s].max())) for s in where]


def _yasa(function: str, *signals: Array, signal: Signal, **asked: Any) -> Any:
    """A detector of YASA where events are looked for; None where it finds none."""
    try:
        import yasa
    except ImportError as error:
        raise MissingExtraError(
            "Spindles, slow waves and rapid eye movements are found by the package yasa", "yasa"
        ) from error
    if not signal.inside.any():
        return None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = getattr(yasa, function)(
            *signals, sf=signal.sfreq, hypno=signal.inside.astype(int), include=1, verbose="error", **asked
        )
        return None if found is None else found.summary()


def _spindles(signal: Signal) -> list[Found]:
    """YASA's, from 11 to 16 Hz and of 0.5 to 3 s (AASM manual: 11 to 16 Hz, 0.5 s or more)."""
    table = _yasa("spindles_detect", signal.data, signal=signal, freq_sp=(11, 16), duration=(0.5, 3))
    if table is None:
        return []
    columns = table[["Start", "End", "Amplitude", "Frequency"]].to_numpy(dtype=float)
    return [Found(start, stop, size / 2, freq) for start, stop, size, freq in columns]


def _slow_waves(signal: Signal) -> list[Found]:
    """YASA's, of more than 75 µV from peak to peak (AASM manual)."""
    table = _yasa("sw_detect", signal.data, signal=signal, amp_ptp=(75, 500), amp_neg=(30, 300), amp_pos=(10, 250))
    if table is None:
        return []
    columns = table[["Start", "End", "PTP", "Frequency"]].to_numpy(dtype=float)
    return [Found(start, stop, size, freq) for start, stop, size, freq in columns]


#: A K-complex stands out from what else is slow within so many seconds: it is so many times its median size, and has so many µV
#: from peak to peak; its negative wave has at most so many seconds at half its height, which tells it from slow waves,
#: and the positive one comes within so many (chosen).
OUTSTANDING, SURROUNDINGS, LEAST_COMPLEX, SHARP, NEXT = 4.0, 15.0, 75.0, 0.35, 0.6


def _k_complexes(signal: Signal) -> list[Found]:
    """A sharp negative wave and at once a positive one, at least 0.5 s in all, that stand out (AASM manual)."""
    slow, sfreq = signal.filtered(0.5, 5.0), signal.sfreq
    usual = np.median(np.abs(slow[signal.inside])) if signal.inside.any() else np.inf
    asked = {"height": 0.4 * LEAST_COMPLEX, "prominence": 0.6 * LEAST_COMPLEX, "distance": round(sfreq)}
    troughs, _ = find_peaks(-slow, width=(0, SHARP * sfreq), rel_height=0.5, **asked)
    found = []
    for trough in troughs[signal.inside[troughs]].tolist():
        after = slow[trough : trough + round(NEXT * sfreq) + 1]
        peak = trough + int(np.argmax(after))
        around = np.abs(slow[max(trough - round(SURROUNDINGS * sfreq), 0) : trough + round(SURROUNDINGS * sfreq)])
        size = float(slow[peak] - slow[trough])
        if (
            size > LEAST_COMPLEX
            and size > OUTSTANDING * 2 * max(float(np.median(around)), 0.5 * float(usual))
            and _peaks(slow, peak)
        ):
            start, stop = _crossing(slow, trough, -1), _crossing(slow, peak, 1)
            if stop - start >= 0.5 * sfreq:
                found.append(Found(start / sfreq, stop / sfreq, size, 1.0 / ((stop - start) / sfreq)))
    return found


def _peaks(values: Array, place: int) -> bool:
    """Whether there is a peak at a place, not a slope that goes on."""
    return place + 1 < len(values) and values[place] >= values[place + 1] and values[place] > 0


def _crossing(values: Array, place: int, step: int) -> int:
    """Where a wave crosses 0, going from its peak to one side."""
    side = values[place::step] * np.sign(values[place])
    over = np.flatnonzero(side <= 0)
    return place + step * int(over[0] if len(over) else len(side) - 1)


#: The first deflection of a rapid eye movement is at least so steep, in µV/s of the difference of the eyes (chosen).
STEEPNESS = 300.0


def _rapid_eye_movements(signal: Signal) -> list[Found]:
    """YASA's, on the difference of the eyes, steep at once (AASM manual: within less than 0.5 s).

    Blinks are among them where someone is awake: E1 lies below an eye and E2 above one, so that both deflect them apart, too.
    """
    table = _yasa("rem_detect", signal.data / 2, -signal.data / 2, signal=signal, amplitude=(25, 325))
    if table is None:
        return []
    columns = table[["Start", "End", "LOCAbsValPeak", "LOCAbsRiseSlope"]].to_numpy(dtype=float)
    return [Found(start, stop, 2 * size) for start, stop, size, slope in columns if 2 * slope > STEEPNESS]


#: Slow eye movements reach so many µV (their difference between the eyes), and so many times what is faster there (chosen).
ROLL, SMOOTH = 40.0, 3.0


def _slow_eye_movements(signal: Signal) -> list[Found]:
    """Reasonably regular and sinusoidal, with a first deflection of more than 0.5 s (AASM manual): below 1 Hz and not above."""
    slow = signal.smooth(signal.envelope(0.15, 0.7), 1.0)
    fast = signal.smooth(signal.envelope(1.2, 8.0), 1.0)
    rolling = (slow > ROLL) & (slow > SMOOTH * fast) & signal.inside
    return _as_found(signal, stretches(rolling, signal.sfreq, shortest=2.0, gap=0.5), slow)


#: A run of alpha has so many µV, and as much power as all that is slower (from 3 Hz) and faster (to 30 Hz) beside it (chosen).
LEAST_ALPHA = 7.0


def _alpha(signal: Signal) -> list[Found]:
    """Trains of 8 to 13 Hz (AASM manual), of 1 s or more."""
    power = signal.smooth(signal.filtered(8.0, 13.0) ** 2, 0.75)
    rest = signal.smooth(signal.filtered(3.0, 7.0) ** 2 + signal.filtered(14.0, 30.0) ** 2, 0.75)
    amplitude = np.sqrt(2 * power)
    runs = (power > rest) & (amplitude > LEAST_ALPHA) & signal.inside
    return _as_found(signal, stretches(runs, signal.sfreq, shortest=1.0, gap=0.3), amplitude)


#: Sawtooth waves have so many times the usual power of REM at their frequency, and of what is a little faster (chosen).
TALL, NOT_THETA = 4.0, 2.0


def _sawtooth(signal: Signal) -> list[Found]:
    """Trains of 2 to 6 Hz (AASM manual); most of them lie below 4.5 Hz, which tells them from theta."""
    size = signal.smooth(signal.filtered(1.8, 4.5) ** 2, 1.0)
    theta = signal.smooth(signal.filtered(5.0, 8.0) ** 2, 1.0)
    usual = np.median(size[signal.inside]) if signal.inside.any() else np.inf
    trains = (size > TALL * usual) & (size > NOT_THETA * theta) & signal.inside
    return _as_found(signal, stretches(trains, signal.sfreq, shortest=1.5, gap=0.5), np.sqrt(2 * size))


#: Between which percentiles the tone of a night ranges. Its lowest third (of the logarithm) is low, its highest third
#: high, where the range is at least this factor: a night of one level has neither (chosen).
TONE_RANGE, LEAST_RANGE = (5.0, 95.0), 3.0


def _tone(signal: Signal) -> tuple[Array, float, float]:
    """The chin's level over 1 s in µV, below what it is low and above what it is high."""
    level = np.sqrt(signal.smooth(signal.filtered(10.0, None) ** 2, 1.0))
    floor, top = np.percentile(level[signal.known], TONE_RANGE) if signal.known.any() else (0.0, 0.0)
    if not top >= LEAST_RANGE * floor > 0:
        return level, 0.0, np.inf
    third = (top / floor) ** (1 / 3)
    return level, float(floor * third), float(top / third)


def _low_tone(signal: Signal) -> list[Found]:
    level, low, _ = _tone(signal)
    return _as_found(signal, stretches((level < low) & signal.inside, signal.sfreq, shortest=3.0, gap=1.0), level)


def _high_tone(signal: Signal) -> list[Found]:
    level, _, high = _tone(signal)
    return _as_found(signal, stretches((level > high) & signal.inside, signal.sfreq, shortest=3.0, gap=1.0), level)


#: A twitch is so many times the tone about it (chosen), and shorter than 0.25 s, measured with a window of 0.1 s.
TWITCH = 3.0


def _twitches(signal: Signal) -> list[Found]:
    """Transient muscle activity: short bursts, usually below 0.25 s, on low tone (AASM manual)."""
    level = np.sqrt(signal.smooth(signal.filtered(10.0, None) ** 2, 0.1))
    bursts = (level > TWITCH * signal.smooth(level, 10.0)) & signal.inside
    return _as_found(signal, stretches(bursts, signal.sfreq, shortest=0.05, longest=0.4), level)


_SLEEP = ("N1", "N2", "N3", "REM")
_EVERY = ("W", *_SLEEP)
KINDS: dict[str, EventKind] = {
    kind.name: kind
    for kind in (
        EventKind("spindle", "a spindle", "spindles", "eeg", (11.0, 16.0), ("N2", "N3"), _spindles),
        EventKind("k_complex", "a K-complex", "K-complexes", "eeg", (0.5, 4.0), ("N2",), _k_complexes),
        EventKind("slow_wave", "a slow wave", "slow waves", "eeg", (0.5, 4.0), ("N2", "N3"), _slow_waves),
        EventKind("alpha", "a run of alpha", "runs of alpha", "eeg", (8.0, 13.0), ("W", "N1"), _alpha),
        EventKind("sawtooth", "a train of sawtooth waves", "trains of sawtooth waves", "eeg", (2.0, 6.0), ("REM",), _sawtooth),
        EventKind(
            "eye_movement_rapid", "a rapid eye movement", "rapid eye movements", "eog", (), ("W", "REM"),
            _rapid_eye_movements,
        ),
        EventKind(
            "eye_movement_slow", "a slow eye movement", "slow eye movements", "eog", (0.0, 1.0), ("W", "N1"),
            _slow_eye_movements,
        ),
        EventKind("chin_tone_low", "low chin tone", "stretches of low chin tone", "chin", (), _EVERY, _low_tone, True),
        EventKind("chin_tone_high", "high chin tone", "stretches of high chin tone", "chin", (), _EVERY, _high_tone, True),
        EventKind("twitch", "a twitch of the chin", "twitches of the chin", "chin", (), ("REM",), _twitches),
    )
}  # fmt: skip
