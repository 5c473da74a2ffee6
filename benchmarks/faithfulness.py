"""What baseline, and what order: the table that the default baseline was chosen by.

Of epochs of every stage, from several simulated nights that trained no stager, for every stager and baseline:

- where the baseline leaves the stage that is explained: its probability with the baseline in the place of the epoch, and of
  the whole night; and which stage the baseline itself is called;
- insertion less deletion (`eegflex.evaluation.faithfulness`), over groups of 1 Hz of a channel, of the probability of the
  predicted stage: for FLEX, for its band sums, for band Shapley values, for captum's methods, for the power of the change,
  and for an order at random. The neighbours stay as recorded. Stagers of whole nights are scored as they are explained: in
  a window of 21 epochs that begins and ends with the states of the recorded night;
- how far FLEX and the second opinion differ, where on its path the attribution arises, what it takes, and how many epochs
  it does not explain, their change being within its error.

What is known of bands only (*flex by bands*, *shapley*) is spread evenly over the bins of a band; equal groups come in the
order of their frequency. *change x gradient* is the slope at the epoch as recorded times the change from the baseline,
which is input x gradient where the baseline is silence. Methods that cannot begin from other phases have no order there.

``python -m benchmarks.faithfulness --keep FILE`` keeps every epoch's numbers in FILE and goes on from there. The foreign
stager needs its authors' checkpoints, where the environment variable EEGFLEX_PHYSIOEX says; without them its rows are left
out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from benchmarks import foreign
from benchmarks.nights import STAGERS, Bench, night
from benchmarks.table import as_table
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.context import moving
from eegflex.attribution.decision import replaced_scores
from eegflex.attribution.gradients import slope_of
from eegflex.attribution.request import Explained, Request
from eegflex.attribution.second_opinion import explain_twice
from eegflex.attribution.spectra import attribution_in_frequency
from eegflex.evaluation.faithfulness import (
    Interval,
    bootstrap,
    frequency_groups,
    insertion_and_deletion,
    order_by,
    spread_over,
    sum_by_group,
    with_sign,
)
from eegflex.results.decided import REPLACED
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.scores import probabilities
from eegflex.settings import Settings
from eegflex.stagers import Stager
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.modules import rnn_safe

__all__ = ["load", "text"]

#: Nights that trained no stager and calibrated no error, and how many epochs of each predicted stage come from each: 8 in all.
SEEDS = {51: 3, 52: 3, 53: 2}
#: Length of each night.
HOURS = 4.0
RUNNER_UP = "stage of the runner-up"
BASELINES = ("zero", "aperiodic", "recording", "surrogate", RUNNER_UP)
ORDERS = ("flex", "flex by bands", "shapley", "gradient_shap", "change x gradient", "power", "random")

#: What is known of one epoch with one stager and baseline.
Record = dict[str, Any]


def measure(bench: Bench, baseline: str, numbers: npt.NDArray[np.intp], seed: int) -> Iterator[Record]:
    """Measure epochs of a night with a baseline, one record for each."""
    for asked, own in _questions(bench, baseline, numbers):
        settings = Settings(baseline=asked, second_opinion="shapley")
        request = make_request(bench.night, settings, own)
        with rnn_safe(request.stager.module):
            replaced = replaced_scores(request, own)[:, 0]
            shap = {} if request.baseline.n_draws > 1 else _explained(request, "gradient_shap")
            explained = _explained(request)
            for row, number in enumerate(own.tolist()):
                facts = _facts(request, replaced[row], explained[number])
                areas = _areas(request, explained[number], shap.get(number), np.random.default_rng([seed, number]))
                onset = float(bench.night.segments.onset[number])
                yield {"seed": seed, "number": number, "onset": onset, "against": asked} | facts | {"area": areas}


def _questions(bench: Bench, baseline: str, numbers: npt.NDArray[np.intp]) -> list[tuple[str, npt.NDArray[np.intp]]]:
    """The baselines that are meant, each with the epochs that it is meant for."""
    if baseline != RUNNER_UP:
        return [(baseline, numbers)]
    scores, stages = bench.night.scores[numbers, 0], np.array(bench.night.stages)
    second = stages[np.argsort(-scores, axis=1, kind="stable")[:, 1]]
    return [(f"stage:{stage}", numbers[second == stage]) for stage in stages if (second == stage).any()]


def _explained(request: Request, method: str = "flex") -> dict[int, Explained]:
    """Explanations of all epochs; those of FLEX with a second opinion."""
    if method != "flex":
        asked = dataclasses.replace(request.settings, method=method, second_opinion=None)
        request = make_request(request.night, asked, request.chosen)
    return {one.number: one for one in explain_twice(request, 0, request.chosen)}


def _facts(request: Request, replaced: npt.NDArray[np.float64], explained: Explained) -> Record:
    """All but the areas."""
    stages, kind = request.night.stages, request.stager.spec.scores
    p = dict(zip(REPLACED, probabilities(replaced, kind), strict=True))
    place = int(p["nothing"].argmax())
    sums, second = explained.views["frequency"][0] @ request.band_masks.T, explained.views["second"][0]
    size, change = float(np.abs(sums).sum()), float(explained.score[0] - explained.baseline_score[0])
    share = explained.path_share
    return {
        "stage": stages[place],
        "p": float(p["nothing"][place]),
        "p alone": float(p["epoch"][place]),
        "p night": float(p["both"][place]) if np.isfinite(p["both"]).all() else None,
        "called alone": stages[int(p["epoch"].argmax())],
        "called night": stages[int(p["both"].argmax())] if np.isfinite(p["both"]).all() else None,
        "disagreement": float(np.abs(sums - second).sum() / max(size, 1e-30)),
        "second error": float(explained.views["second_error"][0].sum() / max(size, 1e-30)),
        "below": [None, None] if share is None else share[0, 0].tolist(),
        "gradients": explained.n_gradients,
        "not explained": bool(abs(change) <= explained.error * size),
    }


def _areas(
    request: Request, explained: Explained, shap: Explained | None, rng: np.random.Generator
) -> dict[str, float]:
    """Insertion less deletion of one epoch in each order, the mean over the draws of its baseline."""
    n_draws = request.baseline.n_draws
    rows = np.repeat(np.array([explained.number]), n_draws)
    what, weights = moving(request, 0, rows, np.arange(n_draws)), request.weights(rows, 0)
    end, begin = what.end[:, 0], what.begin[:, 0]
    freqs = np.fft.rfftfreq(end.shape[-1], 1 / request.segments.sfreq)
    groups = frequency_groups(freqs, end.shape[1])
    masks, flex = request.band_masks, explained.views["frequency"][0]
    slope, _ = slope_of(what.model, end, torch.arange(n_draws), weights)
    values = {
        "flex": flex,
        "flex by bands": spread_over(flex @ masks.T, masks),
        "shapley": spread_over(explained.views["second"][0], masks),
        "change x gradient": attribution_in_frequency(end - begin, slope[:, 0]).mean(dim=0).numpy(),
    } | ({} if shap is None else {"gradient_shap": shap.views["frequency"][0]})
    by_group = {name: sum_by_group(own, groups) for name, own in values.items()}
    power = sum_by_group(torch.fft.rfft(end - begin).abs().square().mean(dim=0).numpy(), groups)
    score = _probability_in(request, explained.number)
    change = float((score(end[:1]) - score(begin).mean())[0])
    by_group |= {"power": with_sign(power, change), "random": rng.standard_normal(len(power))}
    orders = [order_by(own) for own in by_group.values()]
    curves = [insertion_and_deletion(score, begin[draw], end[draw], groups, orders) for draw in range(n_draws)]
    return {name: float(np.mean([own[place].area for own in curves])) for place, name in enumerate(by_group)}


def _probability_in(request: Request, number: int) -> Callable[[torch.Tensor], npt.NDArray[np.float64]]:
    """The probability of the stage predicted of an epoch, as a function of what stands in its place."""
    bound = request.night.bound[0]
    place = int(request.night.scores[number, 0].argmax())

    @torch.no_grad()
    def score(segments: torch.Tensor) -> npt.NDArray[np.float64]:
        index = torch.full((len(segments),), number)
        (found,) = BatchSize(FORWARD_BATCH)(lambda part, at: (bound(part, at),), segments, index)
        return probabilities(found.double().numpy(), request.stager.spec.scores)[:, place]

    return score


def records(stagers: Sequence[str], baselines: Sequence[str], keep: Path | None, share: float = 1.0) -> list[Record]:
    """Measure what is not in `keep` yet, and return all."""
    known = [] if keep is None or not keep.exists() else [json.loads(line) for line in keep.read_text().splitlines()]
    done = {(one["stager"], one["baseline"], one["seed"], one["number"]) for one in known}
    for name in stagers:
        stager = load(name)
        if stager is None:
            continue
        for seed, per_stage in SEEDS.items():
            bench = Bench.of(stager, night(HOURS, seed))
            numbers = bench.balanced(max(round(share * per_stage), 1), seed)
            for baseline in baselines:
                left = np.array([n for n in numbers if (name, baseline, seed, int(n)) not in done], dtype=np.intp)
                for record in measure(bench, baseline, left, seed) if len(left) else ():
                    known.append({"stager": name, "baseline": baseline} | record)
                    if keep is not None:
                        with keep.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(known[-1]) + "\n")
    return known


def load(name: str) -> Stager | None:
    """A stager by its name in the tables; None for a foreign one whose weights are not there."""
    return STAGERS[name]() if name in STAGERS else foreign.STAGERS[name]()


def text(keep: Path | None = None) -> str:
    """Measure everything that is not kept yet, and write the tables."""
    return tables(records([*STAGERS, *foreign.STAGERS], BASELINES, keep))


def tables(found: Sequence[Record]) -> str:
    """What the records say, in three tables."""
    table = pd.DataFrame(found)
    if not len(table):
        return "Nothing was measured.\n"
    # one order of rows, whatever order they were measured in
    for column, order in {"stager": [*STAGERS, *foreign.STAGERS], "baseline": BASELINES, "stage": STAGES}.items():
        table[column] = pd.Categorical(table[column], [one for one in order if one in set(table[column])])
    groups = dict(list(table.groupby(["stager", "baseline"], observed=True)))
    by_stage = {}
    for key, own in groups.items():
        by_stage |= {(*key, stage): those for stage, those in own.groupby("stage", observed=True)} | {
            (*key, "all"): own
        }
    heads = ("stager", "baseline", "n")
    absent = [name for name in foreign.STAGERS if name not in set(table["stager"])]
    return "\n".join(
        [
            "Area under insertion less area under deletion of the probability of the predicted stage, over groups of 1 Hz of a "
            "channel: mean over epochs and 95 % interval (bootstrap over epochs).\n",
            as_table((*heads, *ORDERS), [(*key, str(len(own)), *_by_order(own)) for key, own in groups.items()]),
            "Differences of these areas between orders on the same epochs; in bold what is told from 0.\n",
            as_table((*heads, *_COMPARED), [(*key, str(len(own)), *_differences(own)) for key, own in groups.items()]),
            "By stage: medians (the areas: means). *p*: of the stage that is explained, as recorded; with the baseline in the "
            "place of the epoch, and of the whole night, with the stages that such epochs are called. *Disagreement* of band "
            "sums and Shapley values, as a share of the absolute total; *below 1/32, 1/4*: share of the absolute band sums "
            "that arises so near the baseline; *not explained*: epochs whose change is within its error. Of fewer "
            "than 5 epochs no interval is told.\n",
            as_table(
                ("stager", "baseline", "stage", "n", *_BY_STAGE),
                [(*key, str(len(own)), *(cell(own) for cell in _BY_STAGE.values())) for key, own in by_stage.items()],
            ),
            *(f"{name} was not measured: its weights were not there.\n" for name in absent),
        ]
    )


def _area(own: pd.DataFrame, order: str) -> npt.NDArray[np.float64]:
    """Areas of epochs in an order, NaN where there is none."""
    return np.array([one.get(order, np.nan) for one in own["area"]])


def _by_order(own: pd.DataFrame) -> list[str]:
    return [_said(bootstrap(_area(own, order))) for order in ORDERS]


def _differences(own: pd.DataFrame) -> list[str]:
    said = [bootstrap(_area(own, one) - _area(own, other)) for one, other in _COMPARED.values()]
    return [f"**{_said(one)}**" if one.differs else _said(one) for one in said]


def _sure(own: pd.DataFrame) -> str:
    """How much better FLEX is than power; without an interval where the epochs are too few for one."""
    if len(own) >= MIN_EPOCHS:
        return _differences(own)[0]
    return f"{np.mean(_area(own, 'flex') - _area(own, 'power')):.2f}"


def _said(interval: Interval) -> str:
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]" if np.isfinite(interval.mean) else "–"


def _median(column: str, digits: int = 2) -> Callable[[pd.DataFrame], str]:
    def cell(own: pd.DataFrame) -> str:
        value = pd.to_numeric(own[column]).median()
        return f"{value:.{digits}f}" if np.isfinite(value) else "–"

    return cell


def _called(column: str) -> Callable[[pd.DataFrame], str]:
    """A median probability, and what such epochs are called, the most frequent first."""

    def cell(own: pd.DataFrame) -> str:
        called = Counter(own[f"called {column}"].dropna())
        if not called:
            return "–"
        return f"{_median(f'p {column}')(own)} ({', '.join(f'{stage} {n}' for stage, n in called.most_common())})"

    return cell


def _mean_area(order: str) -> Callable[[pd.DataFrame], str]:
    return lambda own: f"{np.nanmean(_area(own, order)):.2f}"


def _below(own: pd.DataFrame) -> str:
    shares = np.array(own["below"].tolist(), dtype=float)
    return ", ".join(f"{100 * share:.0f} %" for share in np.nanmedian(shares, axis=0))


STAGES = ("W", "N1", "N2", "N3", "REM")
#: Which areas are subtracted.
_COMPARED = {
    "flex - power": ("flex", "power"),
    "flex by bands - shapley": ("flex by bands", "shapley"),
    "flex - shapley": ("flex", "shapley"),
    "flex - gradient_shap": ("flex", "gradient_shap"),
    "shapley - power": ("shapley", "power"),
}
#: column -> what it holds of the epochs of a stage
_BY_STAGE: dict[str, Callable[[pd.DataFrame], str]] = {
    "p": _median("p"),
    "p alone (called)": _called("alone"),
    "p night (called)": _called("night"),
    "flex": _mean_area("flex"),
    "power": _mean_area("power"),
    "flex - power": _sure,
    "disagreement": _median("disagreement"),
    "below 1/32, 1/4": _below,
    "evaluations": _median("gradients", 0),
    "not explained": lambda own: f"{int(own['not explained'].sum())} of {len(own)}",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="keeps every epoch's numbers, one line each, and goes on from them")
    parser.add_argument("--stager", nargs="*", default=[*STAGERS, *foreign.STAGERS])
    parser.add_argument("--baseline", nargs="*", default=BASELINES)
    parser.add_argument("--share", type=float, default=1.0, help="of the epochs: 8 of each stage are all")
    asked = parser.parse_args(arguments)
    sys.stdout.write(tables(records(asked.stager, asked.baseline, asked.keep, asked.share)))


if __name__ == "__main__":
    mne.set_log_level("error")
    main()
