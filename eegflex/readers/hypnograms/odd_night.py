"""Nights that no sleeper has: the sign of stages that were coded in another way than they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt

from eegflex.stages import STAGES

__all__ = ["odd_night"]

_LONG = 4 * 3600.0  # s of scored night by which each stage has come
_NEEDED = ("W", "N2", "REM")  # stages that no long night lacks; one without N1 or N3 may be
#: Stages that are entered from another nearly always: the stage, and those that it is seldom entered from.
_SELDOM = {"N3": ("W", "N1", "REM"), "REM": ("N3",)}
_ENTRIES = 7  # into a stage, by which one can judge
_NEVER_FIRST = ("REM", "N3")
_HEAVIEST_N1 = 1200.0  # s of N1 without a break


def odd_night(stages: Sequence[str], seconds: npt.NDArray[np.float64]) -> list[str]:
    """Tell what is odd in a long night.

    Parameters
    ----------
    stages : sequence of str
        Canonical names, in time.
    seconds : array, shape (n,)
        How long each lasts.

    Returns
    -------
    warnings : list of str
        Empty where nothing is odd, and for less than 4 h of scored sleep and wake.
    """
    scored = [(stage, float(length)) for stage, length in zip(stages, seconds, strict=True) if stage in STAGES]
    if sum(length for _, length in scored) < _LONG:
        return []
    found = list(_oddities(scored))
    hint = "check that codes and labels mean what they were read as (coding=, labels=)"
    return [f"{'; '.join(found)}: {hint}"] if found else []


def _oddities(scored: Sequence[tuple[str, float]]) -> Iterator[str]:
    runs = [(stage, sum(length for _, length in run)) for stage, run in groupby(scored, key=lambda row: row[0])]
    hours = sum(length for _, length in scored) / 3600
    missing = [stage for stage in _NEEDED if stage not in {stage for stage, _ in runs}]
    if missing:
        yield f"{hours:.1f} h are scored but none as {' or '.join(missing)}"
    if runs[0][0] in _NEVER_FIRST:
        yield f"the night begins in {runs[0][0]}"
    entries = Counter((before, after) for (before, _), (after, _) in pairwise(runs))
    for stage, seldom in _SELDOM.items():
        all_entries = sum(count for (_, after), count in entries.items() if after == stage)
        odd = sum(entries[before, stage] for before in seldom)
        if all_entries >= _ENTRIES and odd * 2 > all_entries:
            yield f"{stage} is entered {odd} of {all_entries} times from {' or '.join(seldom)}, which is rare"
    longest = max((length for stage, length in runs if stage == "N1"), default=0.0)
    if longest >= _HEAVIEST_N1:
        yield f"N1 lasts {longest / 60:.0f} min without a break"
