"""Progress of long work, on MNE's bar: silent under ``verbose=False``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from mne.utils import ProgressBar, logger

from eegflex.utils.stopping import check

__all__ = ["duration_text", "progress"]

#: After so many s of work it is told how long it will take.
TOLD_AFTER = 5.0


@contextlib.contextmanager
def progress(
    total: int, message: str, estimate: Callable[[float], str] | None = None, after: int = 1
) -> Iterator[Callable[[int], None]]:
    """A bar that is told how much has been done since it was last told.

    Parameters
    ----------
    total : int
        How much there is to do.
    message : str
        What is being done.
    estimate : callable | None
        Seconds that one takes -> what is said of all, once, where more is left to do than was done; nothing, if it is not yet
        known.
    after : int
        How many must be done before that can be told.

    Yields
    ------
    done : callable
        ``done(n)``: n more are done. Work that was asked to stop stops here.
    """
    # MNE's own context manager is for bars that several processes share, and would count the increments wrongly.
    bars = [ProgressBar(total, mesg=message, mininterval=0.2)]
    said = [] if estimate is None else [estimate]
    began, so_far = time.perf_counter(), 0

    def done(more: int) -> None:
        nonlocal so_far
        so_far += more
        bars[0].update_with_increment_value(more)
        taken = time.perf_counter() - began
        if said and so_far >= after and taken > TOLD_AFTER:
            text = said[0](taken / so_far) if total > 2 * so_far else ""
            if text:
                logger.info(text)
            if text or total <= 2 * so_far:
                said.clear()
        check()

    try:
        yield done
    finally:
        bars.clear()  # which ends its line, whoever still holds `done`


def duration_text(seconds: float) -> str:
    """How long something takes, as it is said.

    Examples
    --------
    >>> duration_text(42.3), duration_text(670), duration_text(9000)
    ('42 s', '11 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
