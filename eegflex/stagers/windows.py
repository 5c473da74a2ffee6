"""Windows: the context in which each epoch of a recording is scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError, check_choice
from eegflex.settings import EDGES

__all__ = ["DEFAULT_WINDOW_LENGTH", "SILENCE", "Length", "Windows", "cut_windows", "split_window"]

#: Epochs of a window of a stager whose context is the whole night.
DEFAULT_WINDOW_LENGTH = 21
#: A member of a window that lies outside the run: silence.
SILENCE = -1
#: Epochs of all windows, or of the window of each epoch.
Length = int | npt.NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """The window of each epoch. A window never reaches across two runs.

    Attributes
    ----------
    run : array of int, shape (n_epochs,)
        Stretches of the recording that are contiguous in time.
    start, length : array of int, shape (n_epochs,)
        First epoch of the window, and how many it has.
    edge : array of str, shape (n_epochs,)
        ``"inside"`` the run; ``"shifted"`` to be inside; ``"padded"`` with silence; ``"skipped"``: it cannot be explained.
    """

    run: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    edge: npt.NDArray[np.str_]

    @property
    def explicable(self) -> npt.NDArray[np.bool_]:
        """Which epochs have the context that the stager needs."""
        found: npt.NDArray[np.bool_] = self.edge != "skipped"
        return found

    def at(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The place of epochs in their windows."""
        return index - self.start[index]

    def members(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The epochs of windows of one length, shape (n, length); ``SILENCE`` outside the run."""
        members = self.start[index, None] + np.arange(self.length[index[0]])
        within = members.clip(0, len(self.run) - 1)
        return np.where((members == within) & (self.run[within] == self.run[index, None]), members, SILENCE)

    def alike(self, index: npt.NDArray[np.int64]) -> list[npt.NDArray[np.intp]]:
        """Places in `index` whose windows are of one length, one array for each length."""
        lengths = self.length[index]
        return [np.flatnonzero(lengths == length) for length in np.unique(lengths)]

    def aligned(self, index: npt.NDArray[np.int64]) -> list[npt.NDArray[np.intp]]:
        """Places in `index` whose windows are of one length and have their target at one place, one array for each."""
        both = np.stack([self.length[index], self.at(index)], axis=1)
        kinds, kind = np.unique(both, axis=0, return_inverse=True)
        return [np.flatnonzero(kind.ravel() == number) for number in range(len(kinds))]


def cut_windows(
    run: npt.NDArray[np.int64],
    before: Length,
    after: Length,
    edges: str = "shift",
    *,
    can_shift: bool,
    can_shrink: bool = False,
) -> Windows:
    """Cut the window of each epoch.

    Parameters
    ----------
    run : array of int, shape (n_epochs,)
        Stretches contiguous in time.
    before, after : int | array of int, shape (n_epochs,)
        Neighbours on each side.
    edges : {"shift", "pad", "skip"}
        At the ends of a run: move the window inside, where the stager scores every position of it (otherwise the epoch
        is skipped); put silence in the place of missing neighbours; or skip the epoch.
    can_shift : bool
        Whether the stager scores every position of a window.
    can_shrink : bool
        Whether it takes windows that are shorter, in runs that are.

    Raises
    ------
    ParameterError
        If `edges` is not one of its choices.
    """
    check_choice("edges", edges, EDGES)
    number = np.arange(len(run))
    first = np.searchsorted(run, run)  # runs are numbered in the order of time
    last = np.searchsorted(run, run, side="right") - 1
    length = np.full(len(run), before + 1 + after)
    length = np.minimum(length, last - first + 1) if can_shrink else length
    start = number - (before if not can_shrink else np.minimum(before, length // 2))
    inside = (start >= first) & (start + length - 1 <= last)
    edge = np.where(inside, "inside", {"shift": "shifted", "pad": "padded", "skip": "skipped"}[edges])
    if edges == "shift":
        fits = can_shift & (length <= last - first + 1)
        start = np.where(fits, np.clip(start, first, np.maximum(last + 1 - length, first)), start)
        edge = np.where(inside | fits, edge, "skipped")
    return Windows(run, start, length, edge)


def split_window(window_length: Length) -> tuple[Length, Length]:
    """Neighbours before and after the target of a window of `window_length` epochs, or of the window of each epoch.

    Raises
    ------
    ParameterError
        If there is no room for the target.
    """
    if isinstance(window_length, np.ndarray):
        return window_length // 2, window_length - 1 - window_length // 2
    if isinstance(window_length, bool) or int(window_length) != window_length or window_length < 1:
        raise ParameterError("A window must hold at least one epoch", seen=window_length)
    return int(window_length) // 2, int(window_length) - 1 - int(window_length) // 2
