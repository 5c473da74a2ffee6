"""Scaling: standardisation with statistics of the recording, of each epoch or given, frozen before anything is explained."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from eegflex.preprocessing.channels import Inputs
from eegflex.preprocessing.grid import Grid
from eegflex.spec.model_spec import ScaleSpec

__all__ = ["scale", "standardise"]

#: Epochs that are worked on at once: in float64, a channel of a whole night would take more room than all that is kept of it.
_AT_ONCE = 64


def scale(
    signals: npt.NDArray[np.float32], inputs: Inputs, wanted: ScaleSpec, unit: str, grid: Grid
) -> npt.NDArray[np.float64]:
    """Scale channels in place.

    Parameters
    ----------
    signals : array of float32, shape (n_epochs, n_channels, n_times)
        The channels.
    inputs : Inputs
        What they are.
    wanted : ScaleSpec
        What the stager asks for.
    unit : {"V", "mV", "uV"}
        Their unit before, where they are voltages.
    grid : Grid
        Where runs begin, for a standardisation that moves.

    Returns
    -------
    gain : array of float64, shape (n_epochs, n_channels)
        What they are multiplied with to be in µV, or in their own unit, again; where the divisor moves within an epoch, with
        its root mean square.
    """
    gain = np.empty(signals.shape[:2])
    for place, channel in enumerate(inputs.channels):
        divisor = standardise(signals[:, place], wanted, channel.place, grid)
        gain[:, place] = divisor * channel.in_unit("uV") / channel.in_unit(unit)
    return gain


def standardise(signals: npt.NDArray[np.float32], wanted: ScaleSpec, place: int, grid: Grid) -> npt.NDArray[np.float64]:
    """Standardise a channel in place.

    Parameters
    ----------
    signals : array of float32, shape (n_epochs, n_times)
        The channel.
    wanted : ScaleSpec
        What the stager asks for.
    place : int
        Which of its inputs it is.
    grid : Grid
        Where runs begin.

    Returns
    -------
    divisor : array of float64, shape (n_epochs,)
        What each epoch was divided by; 1 where it is flat, or nothing was asked for.
    """
    divisor = np.ones(len(signals))
    if wanted.kind == "given":
        mean, sd = (numbers[place % len(numbers)] for numbers in (wanted.mean, wanted.sd))
        divisor *= sd
        for part in _parts(signals):
            signals[part] = (signals[part] - mean) / sd
    elif wanted.kind == "moving":
        divisor = _move(signals, wanted, grid)
    elif wanted.kind != "none":
        centre, divisor = _STATISTICS[wanted.kind](signals, wanted.per == "recording")
        divisor = np.where(divisor == 0, 1.0, divisor)  # a flat channel stays flat
        for part in _parts(signals):
            signals[part] = (signals[part] - centre[part, None]) / divisor[part, None]
    if wanted.clip is not None:
        np.clip(signals, -wanted.clip, wanted.clip, out=signals)
    return divisor


def _move(signals: npt.NDArray[np.float32], wanted: ScaleSpec, grid: Grid) -> npt.NDArray[np.float64]:
    """Standardise a channel in place, sample by sample, by what came before in its run."""
    divisor, n_times = np.ones(len(signals)), grid.n_times
    for run in np.unique(grid.run):
        own = np.flatnonzero(grid.run == run)
        # a sample that an epoch shares with the next one comes once
        signal = np.concatenate([signals[own, :n_times].ravel(), signals[own[-1], n_times:]]).astype(np.float64)
        centre, spread = _moving(signal, wanted)
        scaled, squares = (signal - centre) / spread, np.square(spread)
        signals[own, :n_times] = scaled[: len(own) * n_times].reshape(len(own), -1)
        if grid.shares:
            signals[own, n_times:] = np.append(signals[own[1:], 0], scaled[-1])[:, None]
        divisor[own] = np.sqrt(squares[: len(own) * n_times].reshape(len(own), -1).mean(axis=1))
    return divisor


def _moving(
    signal: npt.NDArray[np.float64], wanted: ScaleSpec
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation at each sample: means of what was until then, with weights that fall exponentially."""
    keep = 1.0 - float(wanted.factor or 0.0)
    weight = -np.expm1(np.arange(1, len(signal) + 1) * np.log(keep)) / (1.0 - keep)  # of all that was until then
    centre = lfilter([1.0], [1.0, -keep], signal) / weight
    spread = np.sqrt(lfilter([1.0], [1.0, -keep], np.square(signal - centre)) / weight)
    first = signal[: wanted.first]
    if len(first):
        centre[: len(first)], spread[: len(first)] = first.mean(), first.std()
    return centre, np.maximum(spread, wanted.eps)


def _mean_and_sd(
    signals: npt.NDArray[np.float32], whole: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    centre = _shared(signals.mean(axis=1, dtype=np.float64), whole)
    squares = [np.square(signals[part] - centre[part, None]).mean(axis=1) for part in _parts(signals)]
    return centre, np.sqrt(_shared(np.concatenate(squares), whole))


def _median_and_iqr(
    signals: npt.NDArray[np.float32], whole: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    low, centre, high = np.percentile(signals, [25, 50, 75], axis=None if whole else 1).astype(np.float64)
    return np.broadcast_to(centre, len(signals)), np.broadcast_to(high - low, len(signals))


#: Centre and width of each epoch, shape (n_epochs,), from the epoch itself or from the whole recording.
_STATISTICS = {"zscore": _mean_and_sd, "robust": _median_and_iqr}


def _shared(of_epoch: npt.NDArray[np.float64], whole: bool) -> npt.NDArray[np.float64]:
    """The mean over all epochs for each of them, where the recording as a whole is meant."""
    return np.full_like(of_epoch, of_epoch.mean()) if whole else of_epoch


def _parts(signals: npt.NDArray[np.float32]) -> list[slice]:
    return [slice(start, start + _AT_ONCE) for start in range(0, len(signals), _AT_ONCE)]
