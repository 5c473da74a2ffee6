"""A recording block by block: read, looked at, filtered; a long night needs no more memory than half an hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mne
import numpy as np
import numpy.typing as npt

from eegflex.preprocessing.channels import Inputs
from eegflex.preprocessing.faults import Faults, bridged, extremes_of, faults_of, impossible, judge
from eegflex.preprocessing.filter_and_resample import FilterPlan

__all__ = ["Block", "cut_blocks", "filter_blocks"]

#: Epochs that are filtered at once.
BLOCK = 60


@dataclass(frozen=True)
class Block:
    """Epochs of one run that are filtered together.

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


def cut_blocks(plan: FilterPlan) -> list[Block]:
    """Cut a recording into blocks, none of which reaches over the edge of a run."""
    run = plan.grid.run
    margin = 1 + math.ceil(plan.reach * plan.grid.sfreq / plan.grid.n_times)
    blocks = []
    for first, stop in ((np.searchsorted(run, r), np.searchsorted(run, r, side="right")) for r in np.unique(run)):
        for start in range(first, stop, BLOCK):
            end = min(start + BLOCK, stop)
            blocks.append(Block(slice(start, end), slice(max(first, start - margin), min(stop, end + margin))))
    return blocks


def filter_blocks(
    epochs: mne.BaseEpochs, inputs: Inputs, plans: Sequence[FilterPlan], unit: str
) -> tuple[npt.NDArray[np.float32], Faults]:
    """Bring channels to the stager's pass band, rate and unit, and look at what they were before.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        The recording.
    inputs : Inputs
        The channels.
    plans : sequence of FilterPlan
        How each of them is filtered, on one grid.
    unit : {"V", "mV", "uV"}
        The stager's unit of a voltage.

    Returns
    -------
    signals : array of float32, shape (n_epochs, n_channels, n_times)
        The filtered channels.
    faults : Faults
        What is wrong with the recorded ones.
    """
    widest, names = max(plans, key=lambda plan: plan.reach), inputs.recorded
    blocks, grid = cut_blocks(widest), widest.grid
    signals = np.empty((len(epochs), len(inputs.channels), grid.n_times + grid.shares), dtype=np.float32)
    faults = np.empty(signals.shape[:2], dtype="U16")
    extremes = np.empty((len(blocks), len(inputs.channels), 5))
    for block, extreme in zip(blocks, extremes, strict=True):
        # All channels at once: MNE reads all of a recording that is not in memory for any one of them.
        data = epochs.get_data(picks=names, item=block.read, verbose="error")
        of_name = {name: data[:, place] for place, name in enumerate(names)}
        for place, (channel, plan) in enumerate(zip(inputs.channels, plans, strict=True)):
            with np.errstate(over="ignore", invalid="ignore"):
                recorded = channel.signal(of_name) * channel.in_unit("uV")
            bad = impossible(recorded)
            known = np.where(bad, np.nan, recorded)[block.own]
            fault = faults_of(known)
            infinite = ~np.isfinite(recorded[block.own]).all(axis=1)
            faults[block.epochs, place] = np.where((fault == "not finite") & ~infinite, "out of range", fault)
            extreme[place] = extremes_of(known)
            # The epoch is masked; a line in the place of what is no signal keeps filters and statistics of the others whole.
            sound = bridged(recorded, bad)
            factor = channel.in_unit(unit) / channel.in_unit("uV")
            signals[block.epochs, place] = _with_shared(plan.apply(sound), sound, plan)[block.own] * factor
    return signals, judge([channel.name for channel in inputs.channels], faults, extremes)


def _with_shared(
    signals: npt.NDArray[np.float64], recorded: npt.NDArray[np.float64], plan: FilterPlan
) -> npt.NDArray[np.float64]:
    """Epochs of a run with the first sample of the next one, where the stager is given it.

    Of the last epoch it is known only if it was recorded with it and nothing is filtered; else its last sample stands twice.
    """
    if not plan.grid.shares:
        return signals
    is_known = recorded.shape[1] > plan.grid.n_recorded and plan.reach == 0
    last = recorded[-1, plan.grid.n_recorded] if is_known else signals[-1, -1]
    return np.column_stack([signals, np.append(signals[1:, 0], last)])
