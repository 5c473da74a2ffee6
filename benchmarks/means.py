"""Means of stages from random nodes: how often their intervals hold the mean, over samples of epochs and draws of nodes.

The slopes of some epochs of each stage are computed once, on a grid along their paths: a population whose mean is known. From
it epochs are drawn (with replacement), and nodes on the path of each, as `eegflex.attribution.random_nodes` draws them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.nights import SEQUENCES, STAGERS, Bench, night
from benchmarks.table import Row, markdown
from eegflex import FlexResult, read_result
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.context import moving
from eegflex.attribution.methods.flex import band_rates
from eegflex.attribution.paths import Paths
from eegflex.attribution.random_nodes import RandomNodes
from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.intervals import carried, mean_interval
from eegflex.results.marks import mean_error
from eegflex.settings import Settings
from eegflex.stagers.modules import rnn_safe

__all__ = ["rows"]

GRID, PER_STAGE = 48, 100
#: Epochs of a sample, and how many of them are in a block.
SAMPLES = ((40, 1), (100, 1), (100, 10))
N_NODES, N_SAMPLES, N_LEAST = 4, 200, 20
COVERED = 0.93
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Population:
    """Epochs of one stage: what each part of the path adds to each band sum, shape (n_epochs, n_grid, n_parts)."""

    parts: Array

    @property
    def sums(self) -> Array:
        return np.asarray(self.parts.mean(axis=1))

    def drawn(self, numbers: npt.NDArray[np.intp], seed: int) -> tuple[Array, Array]:
        """Band sums of epochs by random nodes of their own, and half of their intervals by the nodes."""
        values, errors = [], []
        for place, number in enumerate(numbers.tolist()):
            nodes = RandomNodes(N_NODES, (seed, place))
            cells = np.minimum((nodes.nodes * GRID).astype(int), GRID - 1)
            rates = self.parts[number, cells][:, None]
            nodes.advance(rates, rates[..., 0], np.zeros(1))
            values.append(nodes.weights @ rates[:, 0])
            errors.append(np.zeros(1) if nodes.part_errors is None else nodes.part_errors[0])
        return np.stack(values), np.stack(errors)


def rows(per_stage: int = PER_STAGE) -> list[Row]:
    """Measure all stagers, from an ordinary epoch of the recording."""
    return [row for name in (*STAGERS, "sequence") for row in _measure(name, per_stage)]


def _measure(name: str, per_stage: int) -> list[Row]:
    bench = Bench.of((STAGERS | SEQUENCES)[name](), night())
    numbers = bench.balanced(per_stage)
    parts, stages = _parts(bench, numbers), bench.night.predicted[numbers]
    populations = [_Population(parts[stages == stage]) for stage in bench.night.stages if (stages == stage).sum() > 9]
    return [_row(name, populations, *sample) for sample in SAMPLES]


def _parts(bench: Bench, numbers: npt.NDArray[np.intp]) -> Array:
    """What the middles of equal parts of each path add to the band sums."""
    request = make_request(bench.night, Settings(baseline="recording"), numbers)
    at, found = torch.from_numpy((np.arange(GRID) + 0.5) / GRID), []
    with rnn_safe(bench.night.stager.module):
        for number in numbers:
            own = np.array([number])
            what = moving(request, 0, own)
            end, begin = what.ends
            batch = request.batch(what.model, end[:1])
            paths = Paths(what.model, end, begin, request.weights(own, 0), batch)
            rates = band_rates(what.changes[0].flatten(1, 2), request.band_masks)

            def compute(
                where: torch.Tensor, nodes: torch.Tensor, paths: Paths = paths, rates: object = rates
            ) -> tuple[torch.Tensor]:
                return (rates(paths.slopes(where, nodes)[0], where),)  # type: ignore[operator]

            (slopes,) = batch(compute, torch.zeros(GRID, dtype=torch.long), at)
            found.append(slopes[:, 0].double().cpu().numpy())
    return np.stack(found)


def _row(name: str, populations: list[_Population], n: int, in_block: int) -> Row:
    """How often intervals that are given hold, over bands and stages; and, of all, those of precise epochs, and the nodes'."""
    rng = np.random.default_rng(0)
    told: list[_Told] = []
    for population in populations:
        known = population.sums
        of_stage, given = [], []
        for seed in range(N_SAMPLES):
            numbers, blocks = rng.choice(len(known), n), np.arange(n) // in_block
            values, errors = population.drawn(numbers, seed)
            mean, off = known.mean(axis=0), np.abs(values.mean(axis=0) - known[numbers].mean(axis=0))
            intervals = (mean_interval(values, blocks, guarded=True), mean_interval(known[numbers], blocks))
            holds = [(low <= mean) & (mean <= high) for low, high in intervals]
            by_nodes = off <= mean_error(errors, np.ones(n), drawn=True)
            of_stage.append(np.array([h.mean() for h in (*holds, by_nodes)]))
            given.append(np.median(carried(values)[1]) >= 1)
        told.append(_Told(np.array(of_stage), np.array(given)))
    every, given = np.concatenate([one.holds for one in told]), np.concatenate([one.given for one in told])
    stages = ", ".join(one.words() for one in told)
    what = f"{name}: {n} epochs of a stage in blocks of {in_block}, {N_NODES} nodes"
    against = (
        f"all samples, also those without intervals, {100 * every[:, 0].mean():.1f} %; precise epochs, unguarded "
        f"{100 * every[:, 1].mean():.1f} %; nodes alone {100 * every[:, 2].mean():.1f} %"
    )
    share = float(every[given, 0].mean())
    return Row(what, f"{100 * share:.1f} % ({stages})", against, share / 0.95, "at least 93 %", share >= COVERED)


@dataclass(frozen=True)
class _Told:
    """Of each sample of a stage: how often intervals hold (with nodes, of precise epochs, by nodes), whether they are given."""

    holds: Array
    given: npt.NDArray[np.bool_]

    def words(self) -> str:
        if not self.given.any():
            return "none given"
        without = f", none in {100 * (~self.given).mean():.0f} %" if not self.given.all() else ""
        return f"{100 * self.holds[self.given, 0].mean():.0f}{without}"


def resampled(result: FlexResult) -> list[Row]:
    """How often intervals hold the mean over all epochs of a stage of an exact result, over samples; no network is needed."""
    data, rng = result.for_target().data, np.random.default_rng(0)
    sums, labels = tables.band_sums(data, Bands()), tables.counted_labels(data, "predicted")
    most = (labels[:, :, None] == np.array(result.stages)).sum(axis=1)
    by_stage = [
        sums[own].reshape(own.sum(), -1) for own in (most > labels.shape[1] * 0.6).T if own.sum() >= N_LEAST
    ]  # what most channels explain as it
    found = []
    for n in (20, 40, 100):
        told = []
        for values in by_stage:
            holds, given, mean = [], [], values.mean(axis=0)
            for _ in range(N_SAMPLES):
                sample = values[rng.choice(len(values), n)]
                low, high = mean_interval(sample, np.arange(n), guarded=True)
                holds.append(((low <= mean) & (mean <= high)).mean())
                given.append(np.median(carried(sample)[1]) >= 1)
            told.append(_Told(np.array(holds)[:, None], np.array(given)))
        every, given = np.concatenate([one.holds[:, 0] for one in told]), np.concatenate([one.given for one in told])
        share, stages = float(every[given].mean()), ", ".join(one.words() for one in told)
        what = (
            f"{result.model}, exact epochs: samples of {n} of a stage, {', '.join(map(str, map(len, by_stage)))} epochs"
        )
        against = f"all samples, also those without intervals, {100 * every.mean():.1f} %"
        ours = f"{100 * share:.1f} % ({stages})"
        found.append(Row(what, ours, against, share / 0.95, "at least 93 %", share >= COVERED))
    return found


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else f"{PER_STAGE}"
    sys.stdout.write(markdown(rows(int(asked)) if asked.isdigit() else resampled(read_result(asked))))
