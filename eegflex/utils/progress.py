"""Progress of long work, on MNE's bar: silent under ``verbose=False``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from mne.utils import ProgressBar

__all__ = ["progress"]


@contextlib.contextmanager
def progress(total: int, message: str) -> Iterator[Callable[[int], None]]:
    """A bar that is told how much has been done since it was last told.

    Parameters
    ----------
    total : int
        How much there is to do.
    message : str
        What is being done.

    Yields
    ------
    done : callable
        ``done(n)``: n more are done.
    """
    # MNE's own context manager is for bars that several processes share, and would count the increments wrongly.
    bar = ProgressBar(total, mesg=message, mininterval=0.2)
    try:
        yield bar.update_with_increment_value
    finally:
        del bar
