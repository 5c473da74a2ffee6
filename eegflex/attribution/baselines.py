"""Baselines: what an attribution compares a segment with.

All of them are magnitudes; a baseline signal has the phases of its segment, so that the path from it is a straight line in
time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger
from scipy.signal import welch

from eegflex.attribution.spectra import with_phases_of
from eegflex.errors import ParameterError
from eegflex.preprocessing.segments import Segments
from eegflex.spec.model_spec import FilterSpec

__all__ = ["Baseline", "check_baseline", "make_baseline"]

#: segments (n, channel, time), their numbers in the recording (n,), their channels -> magnitudes (n, channel, freq)
Magnitudes = Callable[[npt.NDArray[np.floating[Any]], npt.NDArray[np.int64], tuple[int, ...]], npt.NDArray[np.float64]]

#: Seconds of the segments that Welch's method averages, for the fit of the aperiodic part.
WELCH = 4.0
#: Hz between which the aperiodic part is fitted, within the stager's own pass band.
FITTED = (0.5, 45.0)


@dataclass(frozen=True)
class Baseline:
    """A kind of baseline on one recording.

    Attributes
    ----------
    name : str
        What results call it.
    magnitudes : callable or None
        Magnitudes of the rfft of baselines; ``None`` for silence.
    """

    name: str
    magnitudes: Magnitudes | None = None

    def __call__(
        self, segments: torch.Tensor, numbers: npt.NDArray[np.int64], channels: tuple[int, ...]
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
        """
        if self.magnitudes is None:
            return torch.zeros_like(segments)
        magnitudes = self.magnitudes(segments.cpu().numpy(), numbers, channels)
        wanted = torch.from_numpy(magnitudes * (numbers >= 0)[:, None, None]).to(segments)
        return with_phases_of(segments, wanted)


def make_baseline(baseline: Any, segments: Segments, bandpass: FilterSpec) -> Baseline:
    """Look a baseline up, or take it from an array.

    Parameters
    ----------
    baseline : str | array-like
        ``"zero"``
            Silence on every channel. Attributions sum to F(x) - F(0).
        ``"aperiodic"``
            Of each epoch and channel, the 1/f part as specparam fits it (Donoghue et al. 2020, Nature Neuroscience 23:1655).
            Attributions sum to the score of the epoch less that of an epoch without oscillatory peaks, so that what is
            explained is the peaks. Frequencies outside the range of the fit are kept as they are: nothing is attributed
            to them.
        ``"recording"``
            The median magnitude spectrum of the recording's sound epochs. Attributions sum to the score of the epoch less
            that of one with an ordinary spectrum and the same phases.
        ``"stage:W"``
            The median magnitude spectrum of the epochs that the hypnogram scores so. Attributions sum to the score of the
            epoch less that of one with the spectrum of that stage.
        array, shape (n_channels, n_freqs) or (n_channels, n_times)
            Magnitudes of the rfft, or samples whose magnitudes are taken, for each channel that the stager is given, in the
            scaled unit that it is given; with a first axis more, for each epoch of the recording. Attributions sum to the
            score of the epoch less that of one with these magnitudes.
    segments : Segments
        The recording as the stager is given it.
    bandpass : FilterSpec
        The stager's pass band.

    Raises
    ------
    ParameterError
        If there is no such baseline, no epoch of that stage, or the array's shape does not fit.
    """
    if not isinstance(baseline, str):
        return Baseline("array", _fixed(_as_magnitudes(baseline, segments)))
    check_baseline(baseline)
    kind, _, stage = baseline.partition(":")
    return Baseline(baseline, _KINDS[kind](segments, stage, bandpass))


def check_baseline(baseline: Any) -> None:
    """Refuse a name that is not that of a baseline, before anything is computed for it."""
    kind, _, stage = baseline.partition(":") if isinstance(baseline, str) else ("zero", "", "")
    if (kind == "stage") != bool(stage) or kind not in _KINDS:
        names = [*(repr(name) for name in _KINDS if name != "stage"), "'stage:W', or another stage"]
        raise ParameterError(
            f"baseline must be one of {', '.join(names)}, or an array of magnitudes or samples", seen=repr(baseline)
        )


def _silence(*_: object) -> None:
    return None


def _of_recording(segments: Segments, *_: object) -> Magnitudes:
    return _fixed(_median_magnitudes(segments, segments.fault == ""))


def _of_stage(segments: Segments, stage: str, _: FilterSpec) -> Magnitudes:
    of_stage = segments.stage == stage
    if not (of_stage & (segments.fault == "")).any():
        raise ParameterError(
            "No sound epoch of this stage is in the hypnogram",
            seen=repr(stage),
            allowed=[str(name) for name in np.unique(segments.stage)],
            remedy="Score the recording, or give the magnitudes as an array",
        )
    return _fixed(_median_magnitudes(segments, of_stage & (segments.fault == "")))


def _aperiodic(segments: Segments, _: str, bandpass: FilterSpec) -> Magnitudes:
    low = max(FITTED[0], 1.5 * (bandpass.l_freq or 0.0))
    high = min(FITTED[1], 0.9 * segments.sfreq / 2, 0.9 * (bandpass.h_freq or np.inf))
    return functools.partial(_aperiodic_magnitudes, sfreq=segments.sfreq, fitted=(low, high))


_KINDS: dict[str, Callable[[Segments, str, FilterSpec], Magnitudes | None]] = {
    "zero": _silence,
    "aperiodic": _aperiodic,
    "recording": _of_recording,
    "stage": _of_stage,
}


def _fixed(magnitudes: npt.NDArray[np.float64]) -> Magnitudes:
    """Magnitudes that are known: (channel, freq) for all epochs, or (epoch, channel, freq)."""

    def chosen(_: object, numbers: npt.NDArray[np.int64], channels: tuple[int, ...]) -> npt.NDArray[np.float64]:
        own = magnitudes[numbers] if magnitudes.ndim == 3 else magnitudes[None].repeat(len(numbers), axis=0)
        return own[:, list(channels)]

    return chosen


def _median_magnitudes(segments: Segments, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Median over epochs of the magnitudes of each channel, shape (n_channels, n_freqs)."""
    per_channel = [np.median(np.abs(np.fft.rfft(signal[which])), axis=0) for signal in segments.signals.swapaxes(0, 1)]
    return np.stack(per_channel)


def _as_magnitudes(given: Any, segments: Segments) -> npt.NDArray[np.float64]:
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError("This baseline is not an array of numbers", seen=type(given).__name__) from error
    n_epochs, n_channels, n_times = segments.signals.shape
    n_freqs = n_times // 2 + 1
    leading = [(n_channels,), (n_epochs, n_channels)]
    if array.shape[:-1] not in leading or array.shape[-1] not in (n_times, n_freqs) or not np.isfinite(array).all():
        raise ParameterError(
            "This baseline does not fit, or is not finite",
            seen=array.shape,
            allowed=f"{(n_channels, n_freqs)} magnitudes, {(n_channels, n_times)} samples, or either for {n_epochs} epochs",
            remedy=f"The channels are {', '.join(segments.ch_names)}",
        )
    magnitudes = array if array.shape[-1] == n_freqs else np.abs(np.fft.rfft(array))
    if (magnitudes < 0).any():
        raise ParameterError("Magnitudes of a baseline cannot be negative", seen=float(magnitudes.min()))
    return magnitudes


def _aperiodic_magnitudes(
    segments: npt.NDArray[np.floating[Any]],
    numbers: npt.NDArray[np.int64],
    _: tuple[int, ...],
    *,
    sfreq: float,
    fitted: tuple[float, float],
) -> npt.NDArray[np.float64]:
    """Magnitudes of the aperiodic part within the fitted range, and the segment's own outside."""
    n_times = segments.shape[-1]
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    magnitudes = np.abs(np.fft.rfft(np.asarray(segments, dtype=np.float64)))
    flat = (magnitudes[..., 1:] == 0).all(axis=-1)
    inside = (freqs >= fitted[0]) & (freqs <= fitted[1])
    offset, exponent = _fit(segments[~flat], sfreq, fitted)
    density = 10 ** (offset[:, None] - exponent[:, None] * np.log10(freqs[inside]))
    # The mean square of an rfft with a one-sided density of P is P sfreq n_times / 2.
    own = magnitudes[~flat]
    own[:, inside] = np.sqrt(density * sfreq * n_times / 2)
    magnitudes[~flat] = own
    return magnitudes


def _fit(
    signals: npt.NDArray[np.floating[Any]], sfreq: float, fitted: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Offset and exponent of each signal, shape (n,) each; the density is 10^offset / f^exponent."""
    from specparam import SpectralGroupModel

    if len(signals) == 0:
        return np.empty(0), np.empty(0)
    freqs, density = welch(np.asarray(signals, dtype=np.float64), sfreq, nperseg=round(WELCH * sfreq))
    model = SpectralGroupModel(aperiodic_mode="fixed", max_n_peaks=6, peak_width_limits=(2 / WELCH, 8.0), verbose=False)
    with np.errstate(all="ignore"):
        model.fit(freqs[1:], density[:, 1:], list(fitted))
    offset, exponent = np.asarray(model.get_params("aperiodic"), dtype=np.float64).reshape(len(signals), 2).T.copy()
    failed = ~np.isfinite(offset + exponent)
    if failed.any():
        logger.info(f"The aperiodic part of {failed.sum()} spectra is a straight line, since specparam found none")
        inside = (freqs >= fitted[0]) & (freqs <= fitted[1])
        lines = np.polynomial.polynomial.polyfit(np.log10(freqs[inside]), np.log10(density[failed][:, inside]).T, 1)
        offset[failed], exponent[failed] = lines[0], -lines[1]
    return offset, exponent
