"""How often the true error of an attribution is within what was asked, and within the one that is reported.

Of each epoch, and of each band of a channel. The true error is that against 1,008 graded nodes. The nights, and the draws of
epochs from them, took no part in finding the estimate's margins. An epoch's error is that of its band sums per channel,
relative to their absolute total. Beside the trained networks: a stager by power, whose paths are smooth, one whose truth is
known, a network of spectrograms, and one as large as TinySleepNet, untrained.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

import eegflex
from benchmarks.nights import SEQUENCES, STAGERS, Bench, night, trained
from benchmarks.quadrature import REFERENCE, error_of, sums_by
from benchmarks.speed import TinySleepNetShaped
from benchmarks.table import Row, markdown
from eegflex.spec.model_spec import ContextSpec
from eegflex.stagers import Stager

__all__ = ["rows"]

#: Tolerances that are asked for, and what is compared with.
TOLS, BASELINES = (0.02, 0.005), ("recording", "aperiodic", "stage:N2", "zero")
#: Nights, and epochs of each predicted stage from each: 30 in all.
SEEDS, PER_STAGE, HOURS = (61, 62, 63), 2, 4.0


def _tinysleepnet() -> Stager:
    """Untrained, in the middle of seven epochs of its one channel."""
    spec = replace(
        trained.spec("context"),
        output="b e s",
        context=ContextSpec(3, 3),
        target_index=3,
        name="TinySleepNet-shaped",
        file="",
    )
    return eegflex.load_model(TinySleepNetShaped().eval(), spec=spec)


#: All that are measured.
ALL: dict[str, Callable[[], Stager]] = {
    **STAGERS,
    **{name: partial(eegflex.load_model, name) for name in ("bandpower", "known-spindle")},
    "sequence": SEQUENCES["sequence"],
    "TinySleepNet-shaped": _tinysleepnet,
}


def rows(
    stagers: Sequence[str] = tuple(ALL), baselines: Sequence[str] = BASELINES, per_stage: int = PER_STAGE
) -> list[Row]:
    """Measure all stagers with all baselines."""
    found = []
    for name in stagers:
        benches = [Bench.of(ALL[name](), night(HOURS, seed)) for seed in SEEDS]
        numbers = [bench.balanced(per_stage, seed) for bench, seed in zip(benches, SEEDS, strict=True)]
        found += [row for baseline in baselines for row in _measure(name, benches, numbers, baseline)]
    return found


def _measure(name: str, benches: list[Bench], numbers: list[npt.NDArray[np.intp]], baseline: str) -> list[Row]:
    pairs = list(zip(benches, numbers, strict=True))
    truth = [sums_by(bench, own, "graded", REFERENCE, baseline=baseline) for bench, own in pairs]
    return [
        row
        for tol in TOLS
        for row in _at(f"{name}, {baseline}, tolerance {100 * tol:g} %", pairs, truth, baseline, tol)
    ]


def _at(
    what: str,
    pairs: list[tuple[Bench, npt.NDArray[np.intp]]],
    truth: list[dict[int, npt.NDArray[np.float64]]],
    baseline: str,
    tol: float,
) -> list[Row]:
    """In how many epochs the true error is within what was asked; and of them, and of cells, within the estimate."""
    epochs, cells, evaluations, errors = [], [], [], []
    for (bench, own), true in zip(pairs, truth, strict=True):
        for number, explained in bench.explain(own, tol=tol, baseline=baseline).items():
            sums = bench.band_sums(explained)
            errors.append(error_of(sums, true[number]))
            epochs.append(errors[-1] <= explained.error)
            cells.append(np.abs(sums - true[number]) <= explained.views["band_error"][0])
            evaluations.append(explained.n_gradients)
    told = f"true error median {100 * np.median(errors):.2f} %, largest {100 * max(errors):.2f} %"
    counted = (
        f"{len(epochs)} epochs, {np.mean(evaluations):.1f} evaluations (median {np.median(evaluations):.0f}); {told}"
    )
    shares = {
        "epochs whose error is within the tolerance": float(np.mean(np.array(errors) <= tol)),
        "epochs whose error is within its estimate": float(np.mean(epochs)),
        "bands of channels whose error is within its estimate": float(np.mean(cells)),
    }
    return [
        Row(
            f"{what}: {kind}",
            f"{100 * share:.0f} %",
            counted,
            share,
            "at least 0.95",
            share >= 0.95,
        )
        for kind, share in shares.items()
    ]


if __name__ == "__main__":
    sys.stdout.write(markdown(rows(sys.argv[1:2] or tuple(ALL), sys.argv[2:3] or BASELINES)))
