"""How long the report of a night takes, and its file: of a sample, of all epochs, and of all epochs and stages.

Seconds are those that the process computes, user and system, in a process of its own that makes one report: what is imported
for it counts. Each is the least of some runs, for a machine with other work takes longer for the same: how much other work
there was is told beside it, as runnable processes a core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import eegflex
from benchmarks.table import Row, markdown

__all__ = ["rows"]

#: Seconds of a core that a report may take.
LIMIT = 5.0
REPEATS = 3
VIEWS = ("frequency", "time", "time-frequency")
NIGHTS: dict[str, dict[str, Any]] = {
    "20 epochs of each stage, target='all'": {"target": "all", "sample_per_stage": 20},
    "all epochs, target='predicted'": {"target": "predicted"},
    "all epochs, target='all'": {"target": "all"},
}

_REPORT = """
import resource, sys
import eegflex

def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

result = eegflex.read_result(sys.argv[1])
began = spent()
report = eegflex.make_report(result, verbose="error")
made = spent()
fname = report.save(sys.argv[1] + ".html", overwrite=True)
print(made - began, spent() - made, fname.stat().st_size)
"""


def rows(hours: float = 7.0) -> list[Row]:
    """Time the reports of a night that ``bandpower`` staged."""
    epochs = eegflex.make_epochs(eegflex.simulate_psg(hours=hours, seed=5, verbose="error").raw, verbose="error")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, asked in NIGHTS.items():
            result = eegflex.attribute_epochs(epochs, "bandpower", views=VIEWS, verbose="error", **asked)
            fname = result.save(Path(folder) / f"{len(found)}.nc")
            found.append(_row(name, fname))
    return found


def _row(name: str, fname: Path) -> Row:
    loads, runs = [], []
    for _ in range(REPEATS):
        runs.append(_run(fname))
        loads.append(os.getloadavg()[0] / (os.cpu_count() or 1))
    made, saved, size = min(runs)
    taken = made + saved
    said = f"{taken:.1f} s of a core, {saved:.2f} of them to save {size / 1e6:.1f} MB"
    beside = f"{LIMIT:g} s; up to {max(loads):.1f} runnable processes a core"
    return Row(
        f"report of 7 h with bandpower, {name}", said, beside, taken / LIMIT, "< 1 (5 s of a core)", taken < LIMIT
    )


def _run(fname: Path) -> tuple[float, float, float]:
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _REPORT, str(fname)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=one_thread)
    made, saved, size = map(float, done.stdout.split())
    return made, saved, size


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
