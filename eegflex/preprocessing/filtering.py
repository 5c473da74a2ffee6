"""What a stager's spec asks of the continuous signal: pass band and rate, run by run, and how far a run's edge reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from eegflex.spec.model_spec import FilterSpec

__all__ = ["Block", "Conditioning", "plan_conditioning"]

#: Seconds from an edge within which resampling is off by more than 1 % of the signal's standard deviation (measured).
RESAMPLING_REACH = 0.5
_DESIGN = "zero-phase FIR, MNE's default"
#: Epochs that are conditioned at once, so that a long night needs no more memory than half an hour.
BLOCK = 60


@dataclass(frozen=True)
class Block:
    """Epochs of one run that are conditioned together.

    Attributes
    ----------
    epochs : slice
        The epochs.
    read : slice
        The same with their neighbours, as far as what they are made of reaches.
    """

    epochs: slice
    read: slice

    @property
    def own(self) -> slice:
        """The place of the epochs among those that are read."""
        return slice(self.epochs.start - self.read.start, self.epochs.stop - self.read.start)


@dataclass(frozen=True)
class Conditioning:
    """Filtering and resampling of one recording; the same for each channel.

    Attributes
    ----------
    asked : FilterSpec
        The pass band that the spec asks for.
    l_freq, h_freq : float or None
        What is filtered, in Hz: of what is asked, what the recording does not already lack.
    length : float
        Length of the filter in s; 0 for none.
    recorded, sfreq : float
        Rate of the recording and of the stager, in Hz.
    n_recorded, n_times : int
        Samples of an epoch at these rates.
    """

    asked: FilterSpec
    l_freq: float | None
    h_freq: float | None
    length: float
    recorded: float
    sfreq: float
    n_recorded: int
    n_times: int

    @property
    def resamples(self) -> bool:
        """Whether the rate changes."""
        return self.n_recorded != self.n_times or abs(self.recorded - self.sfreq) >= 1e-9

    @property
    def reach(self) -> float:
        """How far from the edge of a run, in s, samples depend on what lies beyond it and was made up by reflection."""
        return self.length / 2 + RESAMPLING_REACH * self.resamples

    def at_edge(self, run: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether the edge of a run reaches into each epoch; `run` numbers the runs, ascending, shape (n_epochs,)."""
        place = np.arange(len(run))
        first, last = np.searchsorted(run, run, side="left"), np.searchsorted(run, run, side="right") - 1
        away = np.minimum(place - first, last - place) * (self.n_times / self.sfreq)
        return np.asarray(away < self.reach)

    def blocks(self, run: npt.NDArray[np.int64]) -> list[Block]:
        """Cut a recording into blocks; `run` numbers the runs, ascending, shape (n_epochs,)."""
        margin = 1 + math.ceil(self.reach * self.sfreq / self.n_times)
        blocks = []
        for first, stop in ((np.searchsorted(run, r), np.searchsorted(run, r, side="right")) for r in np.unique(run)):
            for start in range(first, stop, BLOCK):
                end = min(start + BLOCK, stop)
                blocks.append(Block(slice(start, end), slice(max(first, start - margin), min(stop, end + margin))))
        return blocks

    def apply(self, signals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Filter and resample successive epochs of a channel, shape (n_epochs, n_available) -> (n_epochs, n_times)."""
        # an epoch may come with the first sample of the next one, which would stand twice in the run
        signals, n_epochs = signals[:, : self.n_recorded], len(signals)
        for needed, change in ((self.length > 0, self._filter), (self.resamples, self._resample)):
            signals = change(signals.ravel(), n_epochs).reshape(n_epochs, -1) if needed else signals
        return signals

    def notes(self, run: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Say what is done, for provenance."""
        asked = [self.asked.l_freq, self.asked.h_freq]
        done = {"l_freq": self.l_freq, "h_freq": self.h_freq, "length_s": self.length, "design": _DESIGN}
        return {
            "filter": {"asked": asked, **done} if self.asked != FilterSpec() else {},
            "resampled": f"{self.recorded:.9g} to {self.sfreq:.9g} Hz" if self.resamples else "",
            "edge_reach_s": self.reach,
            "edge_epochs": int(self.at_edge(run).sum()),
        }

    def _filter(self, signal: npt.NDArray[np.float64], _: int) -> Any:
        return mne.filter.filter_data(signal, self.recorded, self.l_freq, self.h_freq, verbose="error")

    def _resample(self, signal: npt.NDArray[np.float64], n_epochs: int) -> Any:
        # MNE's own padding is seldom a whole number of samples at the new rate, which would shift the signal by a
        # fraction of one; an epoch on each side is.
        padded = np.pad(signal, self.n_recorded, mode="reflect", reflect_type="odd")
        up, down = (n_epochs + 2) * self.n_times, len(padded)
        return mne.filter.resample(padded, up=up, down=down, npad=0, verbose="error")[self.n_times : -self.n_times]


def plan_conditioning(info: mne.Info, asked: FilterSpec, sfreq: float, n_times: int) -> Conditioning:
    """Plan what brings a recording to a pass band and a rate.

    Parameters
    ----------
    info : mne.Info
        The recording's: its rate, and the filters that it has been through.
    asked : FilterSpec
        The pass band.
    sfreq : float
        The rate in Hz, not above the recording's.
    n_times : int
        Samples an epoch at that rate.

    Returns
    -------
    Conditioning
        The plan.
    """
    recorded = float(info["sfreq"])
    low = asked.l_freq if asked.l_freq is not None and info["highpass"] < asked.l_freq - 0.005 else None
    high = asked.h_freq if asked.h_freq is not None and info["lowpass"] > asked.h_freq + 0.005 else None
    if high is not None and high >= recorded / 2:
        high = None
    length = 0.0
    if low is not None or high is not None:
        length = len(mne.filter.create_filter(None, recorded, low, high, verbose="error")) / recorded
    return Conditioning(asked, low, high, length, recorded, sfreq, round(n_times / sfreq * recorded), n_times)
