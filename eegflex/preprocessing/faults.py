"""What is wrong with an epoch, or with a whole channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegflex.errors import ChannelError
from eegflex.spec.model_spec import ModelSpec

__all__ = ["Faults", "bridged", "extremes_of", "faults_of", "impossible", "judge"]

#: An epoch, or a channel, is saturated when more than this share of its samples sits at its own extremes.
SATURATED = 0.2
#: A sample is no signal where it exceeds this, in µV, or is so many times further from the median of the samples around it than
#: half of them are, or than 1 µV: 1 V and more. Files of floating point can hold anything. What more than a few samples do is a
#: signal in units of its own.
MOST_MICROVOLTS, MOST_MEDIANS, FEW = 1e12, 1e6, 0.01
#: µV: what varies by less is flat, since nothing is left of it in the float32 that networks are fed.
LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Faults:
    """What is wrong with a recording.

    Attributes
    ----------
    of_epochs : array of str, shape (n_epochs, n_channels)
        What is wrong with each epoch of a channel; empty for nothing.
    of_channels : dict of str to str
        Why a whole channel is of no use, by its name; empty for a fit one.
    """

    of_epochs: npt.NDArray[np.str_]
    of_channels: dict[str, str]

    @property
    def first(self) -> npt.NDArray[np.str_]:
        """The fault of each epoch, shape (n_epochs,): that of the first channel that has one."""
        named = (self.of_epochs != "").argmax(axis=1)
        return np.take_along_axis(self.of_epochs, named[:, None], axis=1)[:, 0]

    def refuse_unfit(self, spec: ModelSpec) -> None:
        """Refuse channels that carry no signal.

        Raises
        ------
        ChannelError
            If there are any; those that are fit are listed.
        """
        if any(self.of_channels.values()):
            raise ChannelError(
                f"Channels that {spec.name} would be given carry no signal",
                seen=[f"{name}: {why}" for name, why in self.of_channels.items() if why],
                allowed=[name for name, why in self.of_channels.items() if not why],
                remedy="Mark them as bad (epochs.info['bads']), or choose others with picks=[...]",
            )


def judge(names: Sequence[str], of_epochs: npt.NDArray[np.str_], extremes: npt.NDArray[np.float64]) -> Faults:
    """Judge whole channels by what was found in their parts.

    Parameters
    ----------
    names : sequence of str, length n_channels
        What the channels are called.
    of_epochs : array of str, shape (n_epochs, n_channels)
        The faults of their epochs.
    extremes : array, shape (n_blocks, n_channels, 5)
        What `extremes_of` gives for each block.

    Returns
    -------
    faults : Faults
        The faults of epochs and of channels.
    """
    why = [_why_unfit(extremes[:, place], of_epochs[:, place]) for place in range(len(names))]
    return Faults(of_epochs, dict(zip(names, why, strict=True)))


def impossible(recorded: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which samples of a channel are no signal, not finite or far beyond all others, shape as `recorded`."""
    usable = np.abs(recorded) < MOST_MICROVOLTS  # not NaN either
    if not usable.any():
        return ~usable
    size = np.abs(np.where(usable, recorded, 0.0) - np.median(recorded[usable]))
    moving = size[usable & (size > 0)]
    stray = size > MOST_MEDIANS * max(float(np.median(moving)), 1.0) if moving.size else np.zeros_like(usable)
    return ~usable | stray if stray.mean() < FEW else ~usable


def bridged(recorded: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The samples with straight lines in the place of bad ones: a jump to silence would ring through a filter for minutes."""
    if not bad.any():
        return recorded
    signal, there = recorded.ravel().copy(), np.flatnonzero(~bad.ravel())
    missing = np.flatnonzero(bad.ravel())
    signal[missing] = np.interp(missing, there, signal[there]) if there.size else 0.0
    return signal.reshape(recorded.shape)


def faults_of(signals: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """What is wrong with each epoch of a channel, shape (n_epochs, n_times); empty for nothing."""
    lowest, highest = signals.min(axis=1, keepdims=True), signals.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        stuck = ((signals == lowest) | (signals == highest)).mean(axis=1) > SATURATED
        flat = np.ptp(signals, axis=1) < LEAST
    checks = {"not finite": ~np.isfinite(signals).all(axis=1), "flat": flat, "saturated": stuck}
    return np.select(list(checks.values()), [np.array(name, dtype="U16") for name in checks], np.array("", dtype="U16"))


def extremes_of(recorded: npt.NDArray[np.float64]) -> tuple[float, float, int, int, int]:
    """Lowest and highest finite sample, how many samples are one of them, and how many are finite."""
    finite = recorded[np.isfinite(recorded)]
    low, high = (finite.min(), finite.max()) if len(finite) else (np.inf, -np.inf)
    return float(low), float(high), int((finite == low).sum()), int((finite == high).sum()), len(finite)


def _why_unfit(extremes: npt.NDArray[np.float64], faults: npt.NDArray[np.str_]) -> str:
    """Say why a whole channel is of no use, by the extremes of its blocks and the faults of its epochs; "" if it is."""
    if np.isin(faults, ["flat", "not finite", "out of range"]).all():
        return "flat" if (faults == "flat").any() else "not finite"
    low, high, at_low, at_high, finite = extremes.T
    stuck = at_low[low == low.min()].sum() + at_high[high == high.max()].sum()
    share = float(stuck / finite.sum())
    return f"{share:.0%} of its samples saturated" if share > SATURATED else ""
