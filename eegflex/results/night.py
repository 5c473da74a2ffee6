"""The night, epoch by epoch: what was scored and what each channel set said, for all who tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.agreement import cohens_kappa, confusion
from eegflex.results import tables
from eegflex.results.intervals import LEVEL, blocks_of
from eegflex.scores import probabilities

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Night", "night_of"]

#: Of shares: draws of their intervals, and the fewest blocks that these are drawn of.
_DRAWS, _LEAST_BLOCKS = 1000, 8


@dataclass(frozen=True)
class Night:
    """One night.

    Attributes
    ----------
    stages : tuple of str
        The stager's.
    onset : array, shape (n_epochs,)
        In s from the beginning of the recording.
    length : float
        Of an epoch, in s.
    scored, predicted : array of str, shape (n_epochs,)
        The hypnogram's stages and the stager's, by the most confident channel set; anything else where there
        is none.
    probabilities : array, shape (n_epochs, n_channel_sets, n_stages)
        NaN of an epoch that was not staged.
    faulty : array of bool, shape (n_epochs,)
        Whether the signal of an epoch cannot be staged.
    explained : array of int, shape (n_explained,)
        Places of the epochs that were explained.
    """

    stages: tuple[str, ...]
    onset: npt.NDArray[np.float64]
    length: float
    scored: npt.NDArray[np.str_]
    predicted: npt.NDArray[np.str_]
    probabilities: npt.NDArray[np.float64]
    faulty: npt.NDArray[np.bool_]
    explained: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    @cached_property
    def mean(self) -> npt.NDArray[np.float64]:
        """Probabilities, the mean over channel sets, shape (n_epochs, n_stages)."""
        return np.asarray(self.probabilities.mean(axis=1))

    @cached_property
    def answers(self) -> npt.NDArray[np.intp]:
        """The place of the stage that each channel set gives, shape (n_epochs, n_channel_sets); -1 where it gives none."""
        known = np.isfinite(self.probabilities).all(axis=-1)
        return np.where(known, np.nan_to_num(self.probabilities).argmax(axis=-1), -1)

    @property
    def is_judged(self) -> npt.NDArray[np.bool_]:
        """Epochs that have both a scored and a predicted stage."""
        return np.isin(self.scored, self.stages) & np.isin(self.predicted, self.stages)

    @property
    def is_wrong(self) -> npt.NDArray[np.bool_]:
        """Epochs whose predicted stage is not the scored one."""
        found: npt.NDArray[np.bool_] = self.is_judged & (self.scored != self.predicted)
        return found

    @property
    def is_staged(self) -> npt.NDArray[np.bool_]:
        """Epochs that every channel set gave a stage."""
        return np.asarray((self.answers >= 0).all(axis=1))

    @property
    def is_disputed(self) -> npt.NDArray[np.bool_]:
        """Epochs to which channel sets give different stages."""
        return np.asarray((self.answers != self.answers[:, :1]).any(axis=1)) & self.is_staged

    def places(self, names: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
        """Places of stages among the stager's; -1 for none of them."""
        found = {stage: place for place, stage in enumerate(self.stages)}
        return np.array([found.get(name, -1) for name in names.tolist()], dtype=np.intp)

    def confusion(self) -> npt.NDArray[np.int64]:
        """How often each stage was taken for each, scored by predicted, shape (n_stages, n_stages)."""
        judged = self.is_judged
        return confusion(self.places(self.scored[judged]), self.places(self.predicted[judged]), len(self.stages))

    def kappas(self) -> npt.NDArray[np.float64]:
        """Agreement of each channel set by itself with the scorer, where both gave a stage."""
        scored = self.places(self.scored)
        found = []
        for own in self.answers.T:
            both = (scored >= 0) & (own >= 0)
            found.append(cohens_kappa(confusion(scored[both], own[both], len(self.stages))))
        return np.array(found)

    def share(self, of: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
        """In what share of some epochs something holds, with its 95 % interval; NaN of none.

        The interval is from draws of blocks of 10 minutes, since neighbours are alike; NaN for fewer than 8 of these.
        """
        if not among.any():
            return np.nan, np.nan, np.nan
        held, blocks = of[among].astype(float), blocks_of(self.onset[among], np.zeros(int(among.sum())))
        sums, sizes = np.bincount(blocks, held), np.bincount(blocks)
        if len(sizes) < _LEAST_BLOCKS:
            return float(held.mean()), np.nan, np.nan
        drawn = np.random.default_rng(0).integers(len(sizes), size=(_DRAWS, len(sizes)))
        low, high = np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(held.mean()), float(low), float(high)


def night_of(dataset: xr.Dataset) -> Night:
    """Gather what is known of the night.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one recording.
    """
    _, predicted = tables.night_stages(dataset)
    chances = probabilities(dataset["night_scores"].values, tables.score_kind(dataset))
    return Night(
        stages=tuple(dataset["stage_name"].values.astype(str).tolist()),
        onset=dataset["night_onset"].values.astype(float),
        length=dataset.sizes["time"] / float(dataset.attrs["sfreq"]),
        scored=dataset["night_stage"].values.astype(str),
        predicted=predicted,
        probabilities=np.where((predicted != "")[:, None, None], chances, np.nan),
        faulty=dataset["night_fault"].values.astype(str) != "",
        explained=dataset["number"].values.astype(np.intp),
    )
