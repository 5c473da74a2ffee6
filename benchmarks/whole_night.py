"""A whole night of GSSC from its file to its report: ``python -m benchmarks.whole_night [FOLDER] [options]``.

A night of 7 h is simulated into FOLDER, or read from there or from ``--psg``; it is staged, all of its epochs are explained
with each EEG channel, and the result is saved and its report written. What was interrupted goes on from what FOLDER holds.

With ``--epochs N`` a sample is explained, as many of each predicted stage as all have of it, and the time that explaining
takes is scaled up. With ``--before CHECKOUT`` the same sample is explained by another checkout as well, such as that of an
earlier commit, each in a process of its own. With ``--arithmetic`` a point is held against the machine's products of matrices.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import eegflex
from benchmarks import arithmetic
from benchmarks.table import Row, markdown
from eegflex.errors import AttributionStopped
from eegflex.results.result import FlexResult
from eegflex.staging import StagedNight

__all__ = ["rows"]

#: What a night may take, in s, on two quiet cores; and the error of its epochs.
MOST, WITHIN = 12 * 60, 0.95
#: Explains some epochs of a night, by whatever checkout comes first on the path; the seconds that it takes, and its points.
_EXPLAIN = """
import inspect, json, resource, sys, time
import eegflex

psg, numbers, asked = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
epochs = eegflex.make_epochs(eegflex.read_psg(psg, verbose="error"), verbose="error")
night = eegflex.stage_epochs(epochs, "gssc", verbose="error")
known = inspect.signature(eegflex.attribute_epochs).parameters
begun = time.perf_counter()
result = eegflex.attribute_epochs(
    night, select=numbers, verbose="error", **{name: value for name, value in asked.items() if name in known}
)
took = time.perf_counter() - begun
every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
worked = sum(one.ru_utime + one.ru_stime for one in every)
print(json.dumps([took, worked, int(result.to_xarray()["n_gradients"].values.sum())]))
"""


def rows(given: Sequence[str] = ()) -> list[Row]:
    """Measure what the options ask for; without any, the whole night."""
    asked = _options().parse_args(given)
    folder = Path(asked.folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = [] if asked.only_before else _night(folder, asked)
    if asked.before:
        found.extend(_before(folder, asked))
    if asked.arithmetic:
        found.extend(arithmetic.rows())
    return found


def _psg(folder: Path, given: argparse.Namespace) -> Path:
    if given.psg:
        return Path(given.psg)
    file = folder / "night.edf"
    if not file.exists():
        eegflex.simulate_psg(hours=7.0, seed=1, verbose="error").save(file)
    return file


def _staged(psg: Path) -> StagedNight:
    epochs = eegflex.make_epochs(eegflex.read_psg(psg, verbose="error"), verbose="error")
    return eegflex.stage_epochs(epochs, "gssc", verbose="error")


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    return {"target": given.target, "tol": given.tol, "n_jobs": given.jobs}


def _sample(night: StagedNight, n: int | None) -> list[int]:
    """So many epochs that can be explained, of each predicted stage as many as it has of all."""
    every = np.flatnonzero(night.sound)
    if n is None or n >= len(every):
        return every.tolist()
    drawn = np.random.default_rng(0).permutation(every)
    order = drawn[np.argsort(night.predicted[drawn], kind="stable")]
    return sorted(order[np.linspace(0, len(order) - 1, n).round().astype(int)].tolist())


def _night(folder: Path, given: argparse.Namespace) -> list[Row]:
    """From the file to the report."""
    psg, kept = _psg(folder, given), folder / "result.nc"
    steps: dict[str, float] = {}
    clock = _Clock(steps)
    night = _staged(psg)
    clock("read and staged")
    numbers = _sample(night, given.epochs)
    asked, resumed = _asked(given), kept if kept.exists() and eegflex.read_result(kept).is_partial else None
    try:
        result = eegflex.attribute_epochs(night, select=numbers, resume=resumed, verbose="info", **asked)
    except AttributionStopped as stopped:
        stopped.result.save(kept, overwrite=True)
        raise SystemExit(
            f"{stopped.n_finished} of {stopped.n_wanted} epochs are in {kept}; once more goes on"
        ) from None
    clock("explained")
    result.save(kept, overwrite=True)
    clock("saved")
    eegflex.make_report(result, verbose="error").save(folder / "report.html", overwrite=True)
    clock("report")
    return _rows(result, steps, int(night.sound.sum()) / len(numbers), resumed=resumed is not None)


class _Clock:
    """Notes how long each step took."""

    def __init__(self, steps: dict[str, float]) -> None:
        self.steps, self.begun = steps, time.perf_counter()

    def __call__(self, step: str) -> None:
        now = time.perf_counter()
        self.steps[step], self.begun = now - self.begun, now


def _rows(result: FlexResult, steps: dict[str, float], scale: float, *, resumed: bool) -> list[Row]:
    data = result.to_xarray()
    points, errors = int(data["n_gradients"].values.sum()), data["error"].values
    total = sum(steps.values()) + (scale - 1) * steps["explained"]
    n_sets = data.sizes["channel_set"]
    what = f"GSSC, {len(result)} epochs of a night x {n_sets} channel sets"
    said = (
        f"of all, at most: explaining a sample, times {scale:.1f}, what is done once too" if scale > 1 else "all of it"
    )
    if resumed:
        said += "; resumed, so that only the rest of it was timed"
    gaps = result.relative_gap()
    quantiles = ", ".join(f"{100 * q:.2g} %" for q in np.nanquantile(gaps, (0.5, 0.95, 1.0)))
    share = float(np.mean(errors <= json.loads(data.attrs["parameters"])["tol"]))
    floor = f"at most {MOST / 60:g} min on two quiet cores"
    met = None if resumed or scale > 1 else total <= MOST
    return [
        Row(f"{what}, file to report", f"{total / 60:.1f} min", said, total / MOST, floor, met),
        *(Row(f"{what}, {step}", f"{took:.1f} s", "", took / sum(steps.values())) for step, took in steps.items()),
        Row(f"{what}, time of all processors", f"{_worked():.0f} s", f"{os.cpu_count()} cores", float("nan")),
        Row(f"{what}, points", f"{points}", f"{points / errors.size:.1f} an explanation", float("nan")),
        *([] if resumed else [Row(f"{what}, points a second", f"{points / steps['explained']:.0f}", "", float("nan"))]),
        Row(f"{what}, largest memory of a process", f"{_memory():.0f} MiB", "", float("nan")),
        Row(
            f"{what}, explanations within tol, by their estimated error",
            f"{100 * share:.1f} %",
            "",
            share,
            "0.95",
            share >= WITHIN,
        ),
        Row(f"{what}, gap relative to the size: half of them, 95 %, all", quantiles, "", float("nan")),
    ]


def _before(folder: Path, given: argparse.Namespace) -> list[Row]:
    """Ours against another checkout, on the same epochs, in turns of fresh processes."""
    psg, here = _psg(folder, given), Path(__file__).parents[1]
    numbers = _sample(_staged(psg), given.epochs or 30)
    asked = _asked(given)
    found = {path: _in_process(path, psg, numbers, asked) for path in (here, Path(given.before))}
    (ours, work, points), (theirs, their_work, their_points) = found.values()
    what = f"GSSC, {len(numbers)} epochs of a night, all channel sets"
    return [
        Row(f"{what}, explained", f"{ours:.0f} s", f"before: {theirs:.0f} s", theirs / ours),
        Row(
            f"{what}, staged and explained, time of all processors",
            f"{work:.0f} s",
            f"before: {their_work:.0f} s",
            their_work / work,
        ),
        Row(f"{what}, points", f"{points}", f"before: {their_points}", their_points / points),
    ]


def _in_process(checkout: Path, psg: Path, numbers: list[int], asked: dict[str, Any]) -> list[float]:
    command = [sys.executable, "-c", _EXPLAIN, str(psg.resolve()), json.dumps(numbers), json.dumps(asked)]
    env = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tempfile.gettempdir())
    if done.returncode:
        raise SystemExit(f"{checkout} failed:\n{done.stderr[-2000:]}")
    measured: list[float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _worked() -> float:
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in every)


def _memory() -> float:
    """The largest of this process and those that it has ended, in MiB; as Linux counts it."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**10


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=str(Path(tempfile.gettempdir()) / "eegflex-whole-night"))
    parser.add_argument("--psg", help="the file of a night, in the place of a simulated one")
    parser.add_argument("--jobs", type=int, help="processes; by default as attribute_epochs chooses")
    parser.add_argument("--epochs", type=int, help="explain a sample of so many")
    parser.add_argument("--target", default="predicted")
    parser.add_argument("--tol", type=float, default=0.02)
    parser.add_argument("--before", help="another checkout, which explains the same sample (by default of 30 epochs)")
    parser.add_argument("--only-before", action="store_true", help="leave the night itself out")
    parser.add_argument("--arithmetic", action="store_true", help="hold a point against products of matrices")
    return parser


if __name__ == "__main__":
    sys.stdout.write(markdown(rows(sys.argv[1:])))
