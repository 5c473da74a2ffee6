"""Explanations as they come, kept so that no night of them is in memory twice."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eegflex.attribution.request import Explained, Task
from eegflex.stagers.stager import BoundStager

__all__ = ["DIMS", "Kept"]

#: Dimensions of the views, after those of the epoch and the targets.
DIMS = {
    "frequency": ("channel", "freq"),
    "time": ("channel", "time"),
    "time-frequency": ("channel", "frame_freq", "frame"),
    "band": ("channel", "band"),
    "context": ("context", "channel", "band"),
}


class Kept:
    """What has been explained so far, with each combination of channels.

    Parameters
    ----------
    task : Task
        What is to be explained.
    bound : sequence of BoundStager
        The stager on each combination.

    Attributes
    ----------
    facts : list of dict of int to Explained
        For each combination, the explanations by the epoch's number, without their views.
    """

    def __init__(self, task: Task, bound: Sequence[BoundStager]) -> None:
        self.facts: list[dict[int, Explained]] = [{} for _ in bound]
        self._bound, self._chosen = bound, task.chosen
        ends = np.cumsum([0, *map(len, task.segments.combinations)])
        self._channels = [slice(*pair) for pair in itertools.pairwise(ends.tolist())]
        self._n_channels = int(ends[-1])
        self._views: dict[str, npt.NDArray[np.floating[Any]]] = {}

    def __call__(self, combination: int, explained: Explained) -> None:
        """Keep one more."""
        row = int(np.searchsorted(self._chosen, explained.number))
        for view, values in explained.views.items():
            if view not in self._views:
                self._views[view] = self._empty(view, values)
            place: dict[str, slice] = {"channel": self._channels[combination]}
            if view == "context":
                start = int(-self._bound[combination].windows.at(np.array([explained.number]))[0]) - self.offsets[0]
                place["context"] = slice(start, start + values.shape[1])
            of_row = self._views[view][row]
            of_row[(slice(None), *(place.get(dim, slice(None)) for dim in DIMS[view]))] = values
        self.facts[combination][explained.number] = dataclasses.replace(explained, views={})

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """The epochs that have been explained with all combinations."""
        return np.array(sorted(set.intersection(*(set(own) for own in self.facts))), dtype=np.int64)

    @property
    def views(self) -> dict[str, npt.NDArray[np.floating[Any]]]:
        """Views of these epochs, for all combinations side by side, shape (n_epochs, n_targets, ...)."""
        rows = np.searchsorted(self._chosen, self.numbers)
        return {view: v if len(rows) == len(v) else v[rows] for view, v in self._views.items()}

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        """Epochs from the target, of all that are in a window."""
        windows = self._bound[0].windows
        first = -windows.at(self._chosen)
        return np.arange(first.min(), (first + windows.length[self._chosen]).max())

    def _empty(self, view: str, values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        """Room for a view of all epochs; NaN where an epoch of the context is not in the window."""
        sizes = dict(zip(DIMS[view], values.shape[1:], strict=True)) | {"channel": self._n_channels}
        if view == "context":
            sizes["context"] = len(self.offsets)
        array = np.empty((len(self._chosen), len(values), *sizes.values()), dtype=values.dtype)
        if view == "context":
            array.fill(np.nan)
        return array
