"""Baselines: what an attribution compares a segment with.

All of them are magnitudes; a baseline signal has the phases of its segment, or, drawn several times, those turned at random.
The path from it is a straight line in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.peaks import peak_gains
from eegflex.attribution.spectra import turned_phases, with_phases_of
from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.preprocessing.segments import Segments
from eegflex.settings import AUTO, DRAWN_BASELINES
from eegflex.spec.model_spec import FilterSpec
from eegflex.surrogates import phase_turns

__all__ = ["MIN_SOUND", "N_DRAWS", "Baseline", "check_baseline", "choose_baseline", "is_drawn", "make_baseline"]

#: segments (n, channel, time), their numbers in the recording (n,), their channels -> magnitudes (n, channel, freq)
Magnitudes = Callable[[npt.NDArray[np.floating[Any]], npt.NDArray[np.int64], tuple[int, ...]], npt.NDArray[np.float64]]

#: Hz between which the aperiodic part is fitted, within the stager's own pass band.
FITTED = (0.5, 45.0)
#: Draws of a baseline of random phases; what is told of it is the mean over them.
N_DRAWS = 5
#: Sound epochs from which on a recording tells what is ordinary in it.
MIN_SOUND = 60
#: Seconds below which a recording is a stretch of a night: ordinary epochs of two such stretches differ as two stages may.
SHORT = 2 * 3600.0


@dataclass(frozen=True)
class Baseline:
    """A kind of baseline on one recording.

    Attributes
    ----------
    name : str
        What results call it.
    magnitudes : callable or None
        Magnitudes of the rfft of baselines; ``None`` for silence.
    seed : int or None
        Seed of random phases; ``None`` where those of the segments are kept.
    """

    name: str
    magnitudes: Magnitudes | None = None
    seed: int | None = None

    @property
    def n_draws(self) -> int:
        """How many baselines an epoch has."""
        return 1 if self.seed is None else N_DRAWS

    def __call__(
        self,
        segments: torch.Tensor,
        numbers: npt.NDArray[np.int64],
        channels: tuple[int, ...],
        draws: npt.NDArray[np.int64] | None = None,
    ) -> torch.Tensor:
        """Baseline signals of segments, shape (n, n_channels, n_times).

        Parameters
        ----------
        segments : Tensor, shape (n, n_channels, n_times)
            The recorded segments; silence has silence as its baseline.
        numbers : array of int, shape (n,)
            Which epochs of the recording they are; negative for silence.
        channels : tuple of int
            Which channels of the recording.
        draws : array of int, shape (n,) | None
            Which draw of each; by default the first.
        """
        if self.magnitudes is None:
            return torch.zeros_like(segments)
        magnitudes = self.magnitudes(segments.cpu().numpy(), numbers, channels)
        wanted = torch.from_numpy(magnitudes * (numbers >= 0)[:, None, None]).to(segments)
        if self.seed is None:
            return with_phases_of(segments, wanted)
        draws = np.zeros_like(numbers) if draws is None else draws
        turns = [
            _turns(segments.shape[-1], self.seed, *pair) for pair in zip(numbers.tolist(), draws.tolist(), strict=True)
        ]
        return turned_phases(segments, wanted, torch.from_numpy(np.stack(turns)).to(segments))


def _turns(n_times: int, seed: int, number: int, draw: int) -> npt.NDArray[np.float64]:
    """By how much the phases of an epoch are turned, shape (1, n_freqs).

    One angle for all channels, so that what relates them stays (Prichard & Theiler 1994, Generating surrogate data for time
    series with several simultaneously measured variables). Those of silence, whose number is negative, stay.
    """
    if number < 0:
        return np.zeros((1, n_times // 2 + 1))
    return phase_turns(n_times, (_STREAM, seed, number, draw))


def make_baseline(baseline: Any, segments: Segments, bandpass: FilterSpec, seed: int = 0) -> Baseline:
    """Look a baseline up, or take it from an array.

    Parameters
    ----------
    baseline : str | array-like
        ``"zero"``
            Silence on every channel. Attributions sum to F(x) - F(0).
        ``"aperiodic"``
            Of each epoch and channel, what is left without its oscillatory peaks (see `peak_gains`): the 1/f part, with the
            noise that it has in this epoch. Attributions sum to the score of the epoch less that of an epoch without peaks,
            so that what is explained is the peaks. Where there is none, and outside the range of the fit, the epoch is kept
            as it is, and nothing is attributed.
        ``"recording"``
            An ordinary epoch: the power of each frequency and channel is the median over the recording's usable epochs.
            Attributions sum to the score of the epoch less that of one with an ordinary spectrum and the same phases.
        ``"stage:W"``
            The same of the epochs that the hypnogram scores so. Attributions sum to the score of the epoch less that of one
            with the ordinary spectrum of that stage and the same phases.
        ``"surrogate"``
            Ordinary epochs with other waveforms: the magnitudes of ``"recording"``, and the epoch's own phases turned at
            random, each frequency by one angle for all channels. Several are drawn for each epoch (`N_DRAWS`), and a path
            begins at each. Attributions are means over them, and sum to the score of the epoch less the mean of theirs:
            what the network reads off waveforms, and no magnitude tells, is in the sum too.
        array, shape (n_channels, n_freqs) or (n_channels, n_times)
            Magnitudes of the rfft, or samples whose magnitudes are taken, for each channel that the stager is given, in the
            scaled unit that it is given; with a first axis more, for each epoch of the recording. Attributions sum to the
            score of the epoch less that of one with these magnitudes.
    segments : Segments
        The recording as the stager is given it.
    bandpass : FilterSpec
        The stager's pass band.
    seed : int
        Seed of random phases. Those of an epoch depend on it, on the epoch's number and on the draw, and on nothing else.

    Raises
    ------
    ParameterError
        If there is no such baseline, no epoch of that stage, or the array's shape does not fit.
    """
    if not isinstance(baseline, str):
        return Baseline("array", _fixed(_as_magnitudes(baseline, segments)))
    check_baseline(baseline)
    kind, _, stage = baseline.partition(":")
    return Baseline(baseline, _KINDS[kind](segments, stage, bandpass), seed if is_drawn(baseline) else None)


def choose_baseline(segments: Segments, only: Sequence[str] = ()) -> tuple[str, str]:
    """Choose the baseline of a recording for which nobody asked for one.

    Silence is no signal that a stager was made for, and what happens on the way out of it is mostly that: so an epoch is
    compared with an ordinary one, and where too few epochs tell what is ordinary, with itself without its peaks.

    Parameters
    ----------
    segments : Segments
        The recording as the stager is given it.
    only : sequence of str
        The only baselines that the method knows; empty: any.

    Returns
    -------
    name : str
        The baseline.
    because : str
        Why this one, in words.
    """
    if only:
        return only[0], "the method knows no other"
    n_sound = int((segments.fault == "").sum())
    if n_sound < MIN_SOUND:
        few = f"{n_sound} usable epochs are too few for an ordinary epoch of this recording ({MIN_SOUND} do)"
        return "aperiodic", few
    enough = f"{n_sound} usable epochs define an ordinary epoch of this recording"
    short = n_sound * segments.duration < SHORT
    return (
        "recording",
        f"{enough}; but an ordinary epoch of such a short recording is not that of a night" if short else enough,
    )


def check_baseline(baseline: Any) -> None:
    """Refuse a name that is not that of a baseline, before anything is computed for it."""
    kind, _, stage = baseline.partition(":") if isinstance(baseline, str) else (AUTO, "", "")
    if (kind == "stage") != bool(stage) or kind not in (AUTO, *_KINDS):
        names = [repr(AUTO), *(repr(name) for name in _KINDS if name != "stage"), "'stage:W', or another stage"]
        raise ParameterError(
            f"baseline must be one of {', '.join(names)}, or an array of magnitudes or samples", seen=repr(baseline)
        )


def is_drawn(baseline: Any) -> bool:
    """Whether a baseline's phases are drawn at random."""
    return isinstance(baseline, str) and baseline in DRAWN_BASELINES


def _silence(*_: object) -> None:
    return None


def _of_recording(segments: Segments, *_: object) -> Magnitudes:
    return _fixed(_ordinary_magnitudes(segments, segments.fault == ""))


def _of_stage(segments: Segments, stage: str, _: FilterSpec) -> Magnitudes:
    of_stage = segments.stage == stage
    if not (of_stage & (segments.fault == "")).any():
        raise ParameterError(
            "The hypnogram has no usable epoch of this stage",
            seen=repr(stage),
            allowed=[str(name) for name in np.unique(segments.stage)],
            remedy="Score the recording, or give the magnitudes as an array",
        )
    return _fixed(_ordinary_magnitudes(segments, of_stage & (segments.fault == "")))


def _aperiodic(segments: Segments, _: str, bandpass: FilterSpec) -> Magnitudes:
    sound = segments.fault == ""
    passed = segments.passed or [None] * segments.signals.shape[1]
    gains = [
        peak_gains(signal, sound, segments.sfreq, _fitted_range(own or bandpass, segments.sfreq))
        for signal, own in zip(segments.signals.swapaxes(0, 1), passed, strict=True)
    ]

    def without_peaks(
        signals: npt.NDArray[np.floating[Any]], numbers: npt.NDArray[np.int64], channels: tuple[int, ...]
    ) -> npt.NDArray[np.float64]:
        own = np.stack([gains[channel][numbers] for channel in channels], axis=1)
        return np.abs(np.fft.rfft(np.asarray(signals, dtype=np.float64))) * own

    return without_peaks


def _fitted_range(passed: FilterSpec, sfreq: float) -> tuple[float, float]:
    """Where a line can be fitted to the spectrum of what a filter has passed, in Hz."""
    low = max(FITTED[0], 1.5 * (passed.l_freq or 0.0))
    return low, min(FITTED[1], 0.9 * sfreq / 2, 0.9 * (passed.h_freq or np.inf))


_KINDS: dict[str, Callable[[Segments, str, FilterSpec], Magnitudes | None]] = {
    "zero": _silence,
    "aperiodic": _aperiodic,
    "recording": _of_recording,
    "stage": _of_stage,
    "surrogate": _of_recording,
}
#: Tells the draws of phases from any others of the same seed.
_STREAM = 0x5C0F


def _fixed(magnitudes: npt.NDArray[np.float64]) -> Magnitudes:
    """Magnitudes that are known: (channel, freq) for all epochs, or (epoch, channel, freq)."""

    def chosen(_: object, numbers: npt.NDArray[np.int64], channels: tuple[int, ...]) -> npt.NDArray[np.float64]:
        own = magnitudes[numbers] if magnitudes.ndim == 3 else magnitudes[None].repeat(len(numbers), axis=0)
        return own[:, list(channels)]

    return chosen


def _ordinary_magnitudes(segments: Segments, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Magnitudes of an ordinary epoch of each channel, shape (n_channels, n_freqs): its bands have their median power.

    The median over epochs of a single magnitude is not that of an ordinary one: magnitudes of noise are Rayleigh-distributed,
    and the median of their squares is ln 2 of the mean. That gives the shape of the spectrum; since the level differs between
    epochs too, the power of each band, where noise has averaged out, is then set to the median of the bands' powers.
    """
    n_times = segments.signals.shape[-1]
    masks = Bands().masks(np.fft.rfftfreq(n_times, 1 / segments.sfreq))
    return np.stack([_ordinary(signal[which], masks) for signal in segments.signals.swapaxes(0, 1)])


def _ordinary(signals: npt.NDArray[np.floating[Any]], masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Of one channel, shape (n_freqs,)."""
    power = np.abs(np.fft.rfft(np.asarray(signals, dtype=np.float64))) ** 2
    ordinary = np.median(power, axis=0) / np.log(2)
    for mask in masks:
        total = ordinary[mask].sum()
        if total > 0:
            ordinary[mask] *= np.median(power[:, mask].sum(axis=1)) / total
    found: npt.NDArray[np.float64] = np.sqrt(ordinary)
    return found


def _as_magnitudes(given: Any, segments: Segments) -> npt.NDArray[np.float64]:
    try:
        own = np.asarray(given)
        array = (np.abs(own) if own.dtype.kind == "c" else own).astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of tensors that have a gradient
        raise ParameterError("This baseline is not an array of numbers", seen=type(given).__name__) from error
    if own.dtype.kind == "c":
        raise ParameterError("This baseline is of complex numbers", remedy="Give their magnitudes, np.abs(...)")
    n_epochs, n_channels, n_times = segments.signals.shape
    n_freqs = n_times // 2 + 1
    leading = [(n_channels,), (n_epochs, n_channels)]
    if array.shape[:-1] not in leading or array.shape[-1] not in (n_times, n_freqs) or not np.isfinite(array).all():
        raise ParameterError(
            "This baseline does not fit, or is not finite",
            seen=f"shape {array.shape}",
            allowed=f"{(n_channels, n_freqs)} magnitudes, {(n_channels, n_times)} samples, or either for {n_epochs} epochs",
            remedy=f"The channels are {', '.join(segments.ch_names)}",
        )
    magnitudes = array if array.shape[-1] == n_freqs else np.abs(np.fft.rfft(array))
    if (magnitudes < 0).any():
        raise ParameterError("Magnitudes of a baseline cannot be negative", seen=float(magnitudes.min()))
    return magnitudes
