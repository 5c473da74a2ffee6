"""Explaining in two processes against one: what a run takes, begin and end included, and what all processors do together."""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

import eegflex
from benchmarks.table import Row, markdown

__all__ = ["rows"]

PICKS = ("C3-M2", "C4-M1", "E1-M2")
QUICK = {"spectral_share": 0, "windows_per_stage": 0, "on_check": "ignore", "baseline": "recording"}


def rows(n_epochs: int = 64, repeats: int = 3) -> list[Row]:
    """Measure on a GSSC night, of which so many epochs are explained with two channel sets; the runs take turns."""
    recorded = eegflex.simulate_psg(hours=1.0, seed=1, verbose="error")
    epochs = eegflex.make_epochs(recorded.raw, verbose="error")
    night = eegflex.stage_epochs(epochs, "gssc", picks=PICKS, window_length=21, verbose="error")
    taken: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    views: dict[int, list[np.ndarray]] = {1: [], 2: []}
    for _ in range(repeats):
        for n_jobs, own in taken.items():
            begun, worked = time.perf_counter(), _worked()
            which = list(range(20, 20 + n_epochs))
            result = eegflex.attribute_epochs(night, select=which, n_jobs=n_jobs, verbose="error", **QUICK)
            own.append((time.perf_counter() - begun, _worked() - worked))
            views[n_jobs].append(result.to_xarray()["frequency_view"].values)
    (one, work), (two, together) = (np.median(own, axis=0) for own in taken.values())
    differ = float(np.abs(views[2][0] - views[1][0]).max() / np.abs(views[1][0]).max())
    same = all(np.array_equal(view, views[2][0]) for view in views[2])
    what = f"GSSC, {2 * n_epochs} explanations"
    return [
        Row(f"{what}, two processes", f"{two:.1f} s", f"one: {one:.1f} s", one / two, "at least 1.8", one / two >= 1.8),
        Row(f"{what}, time of all processors", f"{together:.1f} s", f"one: {work:.1f} s", together / work),
        Row(
            f"{what}, difference from one process",
            f"{differ:.0e}",
            f"two runs {'are the same bit for bit' if same else 'differ'}",
            differ,
            "1e-7, and none between runs",
            same and differ <= 1e-7,
        ),
    ]


def _worked() -> float:
    """Seconds of processors, of this process and of those that it has ended."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in every)


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
