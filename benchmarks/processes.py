"""Explaining in one process with one thread and with two, in two processes, and as is done where nobody says.

Each is timed from the call to the result, so that what is done before the first explanation, and what other processes take to
begin, is in it. On a machine that does other things besides only the time of all processors tells anything.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any

import numpy as np
import torch

import eegflex
from benchmarks.table import Row, markdown
from eegflex.staging import StagedNight

__all__ = ["rows"]

PICKS = ("C3-M2", "C4-M1", "E1-M2")
QUICK = {"spectral_share": 0, "windows_per_stage": 0, "on_check": "ignore", "baseline": "recording"}
#: name -> (threads of torch, `n_jobs`); a process of several has one thread
WAYS: dict[str, tuple[int, int | None]] = {
    "one process, one thread": (1, 1),
    "one process, two threads": (2, 1),
    "two processes, one thread each": (2, 2),
    "nothing said": (2, None),
}
ONE, THREADS, TWO, DEFAULT = WAYS
#: What the default may take of what one process with all threads takes: a run that is measured twice differs by as much.
NO_SLOWER = 1.03


def rows(n_epochs: int = 96, n_long: int = 400, repeats: int = 2) -> list[Row]:
    """Measure on a GSSC night, of which so many epochs are explained with two channel sets; the ways take turns.

    What another process needs to begin, some seconds, and what is done before any epoch is explained, weigh less in a longer
    run: the floor is that of one of some minutes.
    """
    night = _night(1.0)
    known = _taken(night, n_epochs, list(WAYS), repeats)
    took = {name: np.median([own[:2] for own in runs], axis=0) for name, runs in known.items()}
    what = f"GSSC, {2 * n_epochs} explanations"
    of_long = _taken(_night(n_long / 120 + 0.3), n_long, [ONE, TWO], 1)
    return [
        _against(
            f"GSSC, {2 * n_long} explanations",
            {name: np.array(own[0][:2]) for name, own in of_long.items()},
            TWO,
            ONE,
            1.8,
        ),
        _against(what, took, TWO, ONE),
        _against(what, took, TWO, THREADS),
        _against(what, took, DEFAULT, THREADS, 1 / NO_SLOWER),
        _differ(f"{what}, {TWO}: difference from {ONE}", known),
    ]


def _night(hours: float) -> StagedNight:
    recorded = eegflex.simulate_psg(hours=hours, seed=1, verbose="error")
    epochs = eegflex.make_epochs(recorded.raw, verbose="error")
    return eegflex.stage_epochs(epochs, "gssc", picks=PICKS, window_length=21, verbose="error")


def _taken(night: StagedNight, n_epochs: int, ways: list[str], repeats: int) -> dict[str, list[Any]]:
    known: dict[str, list[Any]] = {name: [] for name in ways}
    before = torch.get_num_threads()
    try:
        for _ in range(repeats):
            for name in ways:
                threads, n_jobs = WAYS[name]
                torch.set_num_threads(threads)
                known[name].append(_measured(night, range(20, 20 + n_epochs), n_jobs))
    finally:
        torch.set_num_threads(before)
    return known


def _measured(night: StagedNight, which: range, n_jobs: int | None) -> tuple[float, float, np.ndarray]:
    """Seconds that it takes, seconds of all processors, and what came of it."""
    begun, worked = time.perf_counter(), _worked()
    result = eegflex.attribute_epochs(night, select=list(which), n_jobs=n_jobs, verbose="error", **QUICK)
    return time.perf_counter() - begun, _worked() - worked, result.to_xarray()["frequency_view"].values


def _against(what: str, took: dict[str, np.ndarray], ours: str, theirs: str, least: float | None = None) -> Row:
    (own, own_work), (other, other_work) = took[ours], took[theirs]
    said = f"{own:.1f} s, {own_work:.0f} s of processors", f"{theirs}: {other:.1f} s, {other_work:.0f} s of processors"
    if least is None:
        return Row(f"{what}, {ours}", *said, other / own)
    enough = (os.cpu_count() or 1) >= 2
    return Row(f"{what}, {ours}", *said, other / own, f"at least {least:.2g}", enough and other / own >= least)


def _differ(what: str, known: dict[str, list[tuple[float, float, np.ndarray]]]) -> Row:
    views = {name: [view for *_, view in runs] for name, runs in known.items()}
    one, two = views[ONE][0], views[TWO]
    differ = float(np.abs(two[0] - one).max() / np.abs(one).max())
    same = all(np.array_equal(view, two[0]) for view in (*two, *views[DEFAULT]))
    told = f"runs in two {'are the same bit for bit' if same else 'differ'}"
    return Row(what, f"{differ:.0e}", told, differ, "1e-7, and none between runs", same and differ <= 1e-7)


def _worked() -> float:
    """Seconds of processors, of this process and of those that it has ended."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in every)


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
