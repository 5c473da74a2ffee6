"""The plan of the filter: what pass band and rate a stager asks for, what that changes, and how far a run's edge reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from eegflex.preprocessing.grid import Grid
from eegflex.spec.model_spec import FilterSpec

__all__ = ["FilterPlan", "notes_of", "plan_filter"]

#: Seconds from an edge within which resampling is off by more than 1 % of the signal's standard deviation (measured).
RESAMPLING_REACH = 0.5
_DESIGN = "zero-phase FIR, MNE's default"


@dataclass(frozen=True, eq=False)
class FilterPlan:
    """How a recording is filtered and resampled; the same for each channel.

    Attributes
    ----------
    asked : FilterSpec
        The pass band that the spec asks for.
    l_freq, h_freq : float or None
        What is filtered, in Hz: of what is asked, what the recording does not already lack.
    length : float
        Length of the filter in s; 0 for none.
    grid : Grid
        The samples and epochs that it leads to.
    """

    asked: FilterSpec
    l_freq: float | None
    h_freq: float | None
    length: float
    grid: Grid

    @property
    def reach(self) -> float:
        """How far from the edge of a run, in s, samples depend on what lies beyond it and was made up by reflection."""
        return self.length / 2 + RESAMPLING_REACH * self.grid.resamples

    @property
    def at_edge(self) -> npt.NDArray[np.bool_]:
        """Whether the edge of a run reaches into each epoch, shape (n_epochs,)."""
        run = self.grid.run
        place = np.arange(len(run))
        first, last = np.searchsorted(run, run, side="left"), np.searchsorted(run, run, side="right") - 1
        return np.asarray(np.minimum(place - first, last - place) * self.grid.duration < self.reach)

    def apply(self, signals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Filter and resample successive epochs of a channel.

        Parameters
        ----------
        signals : array of float64, shape (n_epochs, n_available)
            As recorded, with at least the grid's ``n_recorded`` samples in each epoch.

        Returns
        -------
        signals : array of float64, shape (n_epochs, n_times)
            At the stager's rate.
        """
        # an epoch may come with the first sample of the next one, which would stand twice in the run
        signals, n_epochs = signals[:, : self.grid.n_recorded], len(signals)
        for needed, change in ((self.length > 0, self._filter), (self.grid.resamples, self._resample)):
            signals = change(signals.ravel(), n_epochs).reshape(n_epochs, -1) if needed else signals
        return signals

    def notes(self) -> dict[str, Any]:
        """Say what is done, for provenance."""
        asked = [self.asked.l_freq, self.asked.h_freq]
        done = {"l_freq": self.l_freq, "h_freq": self.h_freq, "length_s": self.length, "design": _DESIGN}
        rates = f"{self.grid.recorded:.9g} to {self.grid.sfreq:.9g} Hz"
        return {
            "filter": {"asked": asked, **done} if self.asked != FilterSpec() else {},
            "resampled": rates if self.grid.resamples else "",
            "edge_reach_s": self.reach,
            "edge_epochs": int(self.at_edge.sum()),
        }

    def _filter(self, signal: npt.NDArray[np.float64], _: int) -> Any:
        return mne.filter.filter_data(signal, self.grid.recorded, self.l_freq, self.h_freq, verbose="error")

    def _resample(self, signal: npt.NDArray[np.float64], n_epochs: int) -> Any:
        # MNE's own padding is seldom a whole number of samples at the new rate, which would shift the signal by a
        # fraction of one; an epoch on each side is.
        n_recorded, n_times = self.grid.n_recorded, self.grid.n_times
        padded = np.pad(signal, n_recorded, mode="reflect", reflect_type="odd")
        up, down = (n_epochs + 2) * n_times, len(padded)
        return mne.filter.resample(padded, up=up, down=down, npad=0, verbose="error")[n_times:-n_times]


def notes_of(names: Sequence[str], plans: Sequence[FilterPlan]) -> dict[str, Any]:
    """Say what is done to channels: to all of them, and to each, by its name, where they differ.

    How far an edge reaches, and into which epochs, is that of the longest filter.
    """
    notes = max(plans, key=lambda plan: plan.reach).notes()
    if len({plan.asked for plan in plans}) == 1:
        return notes
    return notes | {"filter": {name: plan.notes()["filter"] for name, plan in zip(names, plans, strict=True)}}


def plan_filter(info: mne.Info, asked: FilterSpec, grid: Grid) -> FilterPlan:
    """Plan what brings a recording to a pass band and a rate.

    Parameters
    ----------
    info : mne.Info
        The recording's: the filters that it has been through.
    asked : FilterSpec
        The pass band.
    grid : Grid
        The rates.

    Returns
    -------
    plan : FilterPlan
        What is to be done.
    """
    low = asked.l_freq if asked.l_freq is not None and info["highpass"] < asked.l_freq - 0.005 else None
    high = asked.h_freq if asked.h_freq is not None and info["lowpass"] > asked.h_freq + 0.005 else None
    if high is not None and high >= grid.recorded / 2:
        high = None
    length = 0.0
    if low is not None or high is not None:
        length = len(mne.filter.create_filter(None, grid.recorded, low, high, verbose="error")) / grid.recorded
    return FilterPlan(asked, low, high, length, grid)
