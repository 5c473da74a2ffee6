"""Windows: the context in which each epoch of a recording is scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError, check_choice
from eegflex.settings import EDGES

__all__ = [
    "DEFAULT_WINDOW_LENGTH",
    "SILENCE",
    "Length",
    "Windows",
    "clip_windows",
    "cut_windows",
    "ends_of_runs",
    "split_window",
]

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
    full_length : array of int, shape (n_epochs,)
        How many it would have in the middle of a run as long as its own.
    """

    run: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    edge: npt.NDArray[np.str_]
    full_length: npt.NDArray[np.int64]

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

    def together(self, index: npt.NDArray[np.int64]) -> list[npt.NDArray[np.intp]]:
        """Places in `index` whose windows are of one length but for the ends of runs, one array for each.

        A window that is all of its run is with those that have their target at its place.
        """
        full_length = self.full_length[index]
        place = np.where(self.length[index] == full_length, self.at(index), full_length // 2)
        return _groups(full_length, place)

    def aligned(self, index: npt.NDArray[np.int64]) -> list[npt.NDArray[np.intp]]:
        """Places in `index` whose windows are of one length and have their target at one place, one array for each."""
        return _groups(self.length[index], self.at(index))


def _groups(*of: npt.NDArray[np.int64]) -> list[npt.NDArray[np.intp]]:
    """Places at which all arrays have one value each, one array for each of these."""
    kinds, kind = np.unique(np.stack(of, axis=1), axis=0, return_inverse=True)
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
    number, (first, last) = np.arange(len(run)), ends_of_runs(run)
    length = np.full(len(run), before + 1 + after)
    length = np.minimum(length, last - first + 1) if can_shrink else length
    start = number - (before if not can_shrink else np.minimum(before, length // 2))
    inside = (start >= first) & (start + length - 1 <= last)
    edge = np.where(inside, "inside", {"shift": "shifted", "pad": "padded", "skip": "skipped"}[edges])
    if edges == "shift":
        fits = can_shift & (length <= last - first + 1)
        start = np.where(fits, np.clip(start, first, np.maximum(last + 1 - length, first)), start)
        edge = np.where(inside | fits, edge, "skipped")
    return Windows(run, start, length, edge, length)


def clip_windows(run: npt.NDArray[np.int64], before: Length, after: Length) -> Windows:
    """Cut the window of each epoch where its run ends, for a stager that knows what lies beyond a window.

    In a run that is no longer than a window, that is all of it. Parameters are those of `cut_windows`.
    """
    number, (first, last) = np.arange(len(run)), ends_of_runs(run)
    full_length = np.minimum(before + 1 + after, last - first + 1)
    whole = full_length == last - first + 1
    start = np.where(whole, first, np.maximum(number - before, first))
    stop = np.where(whole, last, np.minimum(number + after, last))
    return Windows(run, start, stop - start + 1, np.full(len(run), "inside"), full_length)


def ends_of_runs(run: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first and the last epoch of the run that each epoch is in: runs are numbered in the order of time."""
    return np.searchsorted(run, run), np.searchsorted(run, run, side="right") - 1


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
