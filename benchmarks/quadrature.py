"""How many gradient evaluations an attribution takes until its band sums are right to 2 %.

Ours (adaptive, tol 2 %, every evaluation counted) is not told the truth. It is held against an oracle that is: the smallest
Gauss-Legendre rule whose band sums per channel are within 2 % of the reference, for each epoch by itself. The reference has
1,008 graded nodes. Whether its estimates of its error are true is in `benchmarks.coverage`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.nights import STAGERS, Bench, night
from benchmarks.table import Row, markdown

__all__ = ["REFERENCE", "error_of", "rows", "sums_by"]

TOL = 0.02
REFERENCE = 1008
ORACLES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
#: Counted for an epoch that no oracle gets right.
BEYOND = 768


def rows(per_stage: int = 10) -> list[Row]:
    """Measure all stagers, on as many epochs of each stage."""
    return [row for name in STAGERS for row in _measure(name, per_stage)]


def _measure(name: str, per_stage: int) -> list[Row]:
    bench = Bench.of(STAGERS[name](), night())
    numbers = bench.balanced(per_stage)
    reference = sums_by(bench, numbers, "graded", REFERENCE)
    found = bench.explain(numbers, tol=TOL)
    ours = np.array([found[number].n_gradients for number in numbers])
    error = np.array([error_of(bench.band_sums(found[number]), reference[number]) for number in numbers])
    oracle = _oracle(bench, numbers, reference)
    within = float((error <= TOL).mean())
    counted = [
        _row(f"{name}, {what}", ours, oracle, quantile, share)
        for what, quantile, share in (("median", 0.5, 1 / 2), ("90th percentile", 0.9, 1 / 3))
    ]
    errors = f"median {100 * np.median(error):.2f} %, largest {100 * error.max():.2f} %"
    asked = Row(f"{name}: epochs within 2 %", f"{100 * within:.0f} %", errors, within, "at least 0.95", within >= 0.95)
    return [*counted, asked]


def _row(what: str, ours: npt.NDArray[np.intp], oracle: npt.NDArray[np.intp], quantile: float, share: float) -> Row:
    mine, best = (float(np.quantile(counts, quantile)) for counts in (ours, oracle))
    ratio = mine / best
    against = f"{best:.0f} (oracle)" if best < BEYOND else f"more than {ORACLES[-1]} (oracle)"
    return Row(f"gradient evaluations, {what}", f"{mine:.0f}", against, ratio, f"at most {share:.2f}", ratio <= share)


def sums_by(
    bench: Bench, numbers: npt.NDArray[np.intp], quadrature: str, n_steps: int, **asked: Any
) -> dict[int, npt.NDArray[np.float64]]:
    """Band sums of epochs by a fixed rule; `asked` are further settings."""
    found = bench.explain(numbers, quadrature=quadrature, n_steps=n_steps, **asked)
    return {number: bench.band_sums(explained) for number, explained in found.items()}


def error_of(sums: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> float:
    """Of band sums per channel, relative to the absolute total of the reference's."""
    return float(np.abs(sums - reference).sum() / np.abs(reference).sum())


def _oracle(
    bench: Bench, numbers: npt.NDArray[np.intp], reference: dict[int, npt.NDArray[np.float64]]
) -> npt.NDArray[np.intp]:
    """Nodes of the smallest rule that is right, for each epoch."""
    needed = dict.fromkeys(numbers.tolist(), BEYOND)
    for n_steps in ORACLES:
        left = np.array([number for number in numbers if needed[number] == BEYOND])
        if len(left) == 0:
            break
        for number, sums in sums_by(bench, left, "gauss-legendre", n_steps).items():
            if error_of(sums, reference[number]) <= TOL:
                needed[number] = n_steps
    return np.array([needed[number] for number in numbers])


if __name__ == "__main__":
    sys.stdout.write(markdown(rows(int(sys.argv[1]) if len(sys.argv) > 1 else 10)))
