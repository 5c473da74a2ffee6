"""Progress of long work, on MNE's bar: silent under ``verbose=False``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from mne.utils import ProgressBar

from eegflex.utils.stopping import check

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
        ``done(n)``: n more are done. Work that was asked to stop stops here.
    """
    # MNE's own context manager is for bars that several processes share, and would count the increments wrongly.
    bars = [ProgressBar(total, mesg=message, mininterval=0.2)]

    def done(more: int) -> None:
        bars[0].update_with_increment_value(more)
        check()

    try:
        yield done
    finally:
        bars.clear()  # which ends its line, whoever still holds `done`
