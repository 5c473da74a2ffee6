"""How many sound epochs make an ordinary one: how far attributions from ``baseline="recording"`` move when few epochs make it.

The same epochs of a night are explained from the ordinary magnitudes of all of its sound epochs, and from those of some: drawn
at random, which is what the spectrum's own scatter does, and in one stretch, which is what a short recording is. The
difference is that of band sums per channel, relative to the absolute total from all.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.faithfulness import load
from benchmarks.foreign import STAGERS as FOREIGN
from benchmarks.nights import STAGERS, Bench, night
from benchmarks.quadrature import error_of
from benchmarks.table import as_table
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.baselines import make_baseline
from eegflex.settings import Settings
from eegflex.stagers.modules import rnn_safe

__all__ = ["text"]

NUMBERS = (10, 20, 40, 60, 120, 240)
SEED, HOURS, PER_STAGE = 54, 7.0, 3
#: How often some are drawn.
N_DRAWS = 3
#: So exact that what is left is the baseline's.
TOL = 0.005


def text(stagers: tuple[str, ...] = (*STAGERS, *FOREIGN)) -> str:
    """Measure, and write the table."""
    rows = [row for name in stagers for row in _measure(name)]
    return as_table(("stager", "epochs", "drawn at random", "in one stretch"), rows)


def _measure(name: str) -> list[tuple[str, ...]]:
    stager = load(name)
    if stager is None:
        return []
    bench, rng = Bench.of(stager, night(HOURS, SEED)), np.random.default_rng(SEED)
    numbers = bench.balanced(PER_STAGE, SEED)
    sound = np.flatnonzero(bench.night.segments.fault == "")
    whole = _sums(bench, numbers, sound)
    draw: tuple[Callable[[int], npt.NDArray[np.intp]], ...] = (
        lambda n: rng.permutation(sound)[:n],
        lambda n: sound[(start := rng.integers(len(sound) - n)) : start + n],
    )
    found = []
    for n_epochs in NUMBERS:
        cells = []
        for take in draw:
            errors = [
                error_of(own, whole[number])
                for _ in range(N_DRAWS)
                for number, own in _sums(bench, numbers, take(n_epochs)).items()
            ]
            cells.append(
                f"median {100 * np.median(errors):.0f} %, 90th percentile {100 * np.quantile(errors, 0.9):.0f} %"
            )
        found.append((name, str(n_epochs), *cells))
    return found


def _sums(bench: Bench, numbers: npt.NDArray[np.intp], of: npt.NDArray[np.intp]) -> dict[int, npt.NDArray[np.float64]]:
    """Band sums of epochs, from the ordinary epoch that some epochs make."""
    segments = bench.night.segments
    others = ~np.isin(np.arange(len(segments)), of)
    few = dataclasses.replace(segments, fault=np.where(others & (segments.fault == ""), "left out", segments.fault))
    baseline = make_baseline("recording", few, bench.night.stager.spec.filter)
    request = dataclasses.replace(make_request(bench.night, Settings(tol=TOL), numbers), baseline=baseline)
    with rnn_safe(bench.night.stager.module):
        return {own.number: bench.band_sums(own) for own in request.method.explain(request, 0, numbers)}


if __name__ == "__main__":
    sys.stdout.write(text(tuple(sys.argv[1:]) or (*STAGERS, *FOREIGN)))
