"""Whether the trust gate tells right explanations from wrong ones: on simulated nights, with stagers whose truth is known.

Of every epoch explained it is known which share of the attribution is *in the true place*:

- of stagers whose truth is known, the share of the absolute attribution in the true channel and band;
- of trained ones, how far the sums over the bands of each channel agree with those of 120 graded nodes from the same baseline:
  1 - |a - a'| / (|a| + |a'|), with absolute totals over all cells; 0 where they lie in other cells or have other signs;
- of a stager that mostly listens to the neighbours, the share that the epoch itself has in the decision;
- of a stager that listens to phases alone, nothing: no band decides it.

What is trusted must lie there by 90 %; what is wrong, less than half of it there, must not be trusted. An explanation is spoilt
by what goes wrong in use (too few nodes, silence) and by what nobody should do: the attributions of other bands, of other
channels or of another epoch are put in their place, and the evaluation asks the model about these.

``python -m benchmarks.gate --keep FILE`` keeps every night's numbers in FILE and goes on from there; ``--tune`` measures the
nights that the limits were found on. None of those is among the nights of the table.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import binomtest
from torch import nn

import eegflex
from benchmarks.nights import STAGERS
from benchmarks.table import as_table
from eegflex.bands import Bands
from eegflex.evaluation.truth import share_in_truth
from eegflex.results.criteria import CRITERIA
from eegflex.results.tables import band_sums
from eegflex.results.trust import TRUSTED
from eegflex.spec.model_spec import ContextSpec
from eegflex.stagers import Stager
from eegflex.stagers.zoo.known_truth import ALPHA, SFREQ, SHORTCUT, SLOW_WAVE, SPINDLE, KnownTruth, plant_line_noise
from eegflex.stages import STAGES

__all__ = ["text"]

SEEDS, TUNED_ON = (81, 82, 83, 84, 85), (71, 72)
HOURS, PER_STAGE = 1.0, 4
#: What is trusted must lie in the true place by so much; less is wrong.
RIGHT, WRONG = 0.9, 0.5
#: The most that may be trusted of what is wrong.
FALSELY = 0.05

#: What is evaluated; stability, which explains four times anew, only of some.
PARTS = ("faithfulness", "one by one", "shortcuts")
STABILITY = (*PARTS, "stability")

Shares = npt.NDArray[np.float64]


class Saturating(nn.Module):
    """A stager whose scores do not grow beyond 1."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.module(signals))


class ScaleFree(nn.Module):
    """A stager of signals that were divided by their own size: what every signal says it says in silence, too."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        size = signals.square().mean(dim=(-1, -2), keepdim=True).sqrt()
        return self.module(20 * signals / (size + 1e-3))


class TwoBands(nn.Module):
    """Two stagers at once, the first of which has heard enough next to silence: 3 nodes from there miss what it says."""

    def __init__(self, first: Any, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        return 0.1 * self.first(30 * signals) + self.second(signals)


class OfNeighbours(nn.Module):
    """The middle one of 3 epochs, by what is in the other two: nine parts of ten of its score are theirs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        before, own, after = (self.module(signals[:, k]) for k in range(3))
        return 0.1 * own + 0.45 * (before + after)


class OfPhases(nn.Module):
    """N2 where the band of spindles comes in bursts, however large: its kurtosis, which random phases take away."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        power = self.module.energy(signals)
        bursts = power.square().mean(dim=-1, keepdim=True) / (power.mean(dim=-1, keepdim=True).square() + 1e-3)
        return (bursts - 2.0) * self.module.signs


def _known(truth: KnownTruth, wrapped: Callable[[nn.Module], nn.Module] | None = None, **spec: Any) -> Stager:
    stager = truth.stager()
    if wrapped is None:
        return stager
    asked = {"name": truth.name, "unit": "uV", "sfreq": SFREQ, "n_times": stager.spec.n_times}
    contract = eegflex.ModelSpec(**asked | {"channels": stager.spec.channels} | spec)
    return eegflex.load_model(wrapped(stager.module), spec=contract)


@dataclass(frozen=True)
class Case:
    """A stager, how it is explained, and what of that is right.

    Attributes
    ----------
    stager : callable
        Makes the stager.
    share : callable
        A result and the right one -> which share of each epoch's attribution is in the true place, shape (n_epochs,).
    asked : dict
        How it is explained.
    spoil : callable | None
        A result -> one whose attributions are wrong.
    exact : bool
        Whether the right one is asked for.
    noisy : str
        A stage that gets line noise.
    parts : tuple of str
        What is evaluated.
    """

    stager: Callable[[], Stager]
    share: Callable[[eegflex.FlexResult, eegflex.FlexResult | None], Shares]
    asked: dict[str, Any] = field(default_factory=dict)
    spoil: Callable[[eegflex.FlexResult], eegflex.FlexResult] | None = None
    exact: bool = False
    noisy: str = ""
    parts: tuple[str, ...] = PARTS


def _in_truth(truth: KnownTruth) -> Callable[..., Shares]:
    return lambda result, _: share_in_truth(result, truth)


def _none(result: eegflex.FlexResult, _: object) -> Shares:
    return np.zeros(len(result))


def _own_part(result: eegflex.FlexResult, _: object) -> Shares:
    return np.full(len(result), 0.1)


def _alike(result: eegflex.FlexResult, right: eegflex.FlexResult | None) -> Shares:
    assert right is not None
    own, true = (band_sums(one.for_target().data, Bands()).reshape(len(result), -1) for one in (result, right))
    return np.asarray(1 - np.abs(own - true).sum(axis=1) / (np.abs(own) + np.abs(true)).sum(axis=1))


def _with_view(result: eegflex.FlexResult, values: npt.NDArray[Any]) -> eegflex.FlexResult:
    dataset = result.to_xarray()
    dataset["frequency_view"].values[:] = values
    return eegflex.FlexResult(dataset)


def other_bands(result: eegflex.FlexResult) -> eegflex.FlexResult:
    """Each band of each epoch has the attributions of another one."""
    values, masks = result.data["frequency_view"].values.astype(float), Bands().masks(result.freqs)
    found, rng = np.zeros_like(values), np.random.default_rng(1)
    for epoch, one in enumerate(values @ masks.T):
        order = _moved(len(masks), rng)
        found[epoch] = (one[:, order] / masks.sum(axis=1)) @ masks
    return _with_view(result, found)


def other_channels(result: eegflex.FlexResult) -> eegflex.FlexResult:
    """Each channel of each epoch has the attributions of another one."""
    values, rng = result.data["frequency_view"].values, np.random.default_rng(2)
    return _with_view(result, np.stack([one[_moved(len(one), rng)] for one in values]))


def other_epochs(result: eegflex.FlexResult) -> eegflex.FlexResult:
    """Each epoch has the attributions of one of another stage, where there is one."""
    stage, rng = result.data["predicted"].values[:, 0], np.random.default_rng(3)
    others = [np.flatnonzero(stage != own) for own in stage]
    chosen = [int(rng.choice(those)) if len(those) else row for row, those in enumerate(others)]
    return _with_view(result, result.data["frequency_view"].values[chosen])


def a_third(result: eegflex.FlexResult) -> eegflex.FlexResult:
    """A third of each epoch's attributions is of other bands."""
    own, other = (one.data["frequency_view"].values for one in (result, other_bands(result)))
    return _with_view(result, 2 / 3 * own + other / 3)


def blurred(result: eegflex.FlexResult) -> eegflex.FlexResult:
    """A third of the sum of each epoch's attributions is spread evenly over all frequencies of all channels."""
    own = result.data["frequency_view"].values
    return _with_view(result, 2 / 3 * own + own.mean(axis=(1, 2), keepdims=True) / 3)


def _moved(n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """An order that leaves nothing at its place."""
    while True:
        order = rng.permutation(n)
        if (order != np.arange(n)).all():
            return order


_WRONG = {
    "other bands": other_bands,
    "other channels": other_channels,
    "another epoch": other_epochs,
    "a third of other bands": a_third,
    "a third spread evenly": blurred,
}
_SILENCE: dict[str, Any] = {"baseline": "zero"}
_FEW: dict[str, Any] = _SILENCE | {"quadrature": "gauss-legendre", "n_steps": 3}
_TRAINED: dict[str, Callable[[], Stager]] = {
    "chambon": STAGERS["chambon"],
    "bandpower": lambda: eegflex.load_model("bandpower"),
}


_SPOILT: dict[KnownTruth, tuple[str, ...]] = {
    SPINDLE: ("other bands", "other channels", "another epoch", "a third spread evenly"),
    SLOW_WAVE: ("other bands",),
    ALPHA: ("other channels",),
}
_SPOILT_NAMES = tuple(truth.name for truth in _SPOILT)
_SPOILT_TRAINED = {
    "chambon": ("other bands", "other channels", "another epoch", "a third of other bands"),
    "bandpower": ("other channels", "another epoch"),
}


def _cases() -> Iterator[tuple[str, Case]]:
    for truth, spoilt in _SPOILT.items():
        one = functools.partial(Case, functools.partial(_known, truth), _in_truth(truth))
        yield truth.name, one(parts=STABILITY)
        yield from ((f"{truth.name}: {name}", one(spoil=_WRONG[name])) for name in spoilt)
    for name, make in _TRAINED.items():
        one = functools.partial(Case, make, _alike, exact=True)
        yield name, one(parts=STABILITY)
        yield from ((f"{name}: {what}", one(spoil=_WRONG[what])) for what in _SPOILT_TRAINED[name])
    yield "chambon: from silence", Case(_TRAINED["chambon"], _alike, _SILENCE, exact=True)
    two = functools.partial(_known, ALPHA, functools.partial(TwoBands, SPINDLE.stager().module))
    yield "known-alpha: two bands, 2 nodes from silence", Case(two, _alike, _FEW | {"n_steps": 2}, exact=True)
    in_spindles = _in_truth(SPINDLE)
    yield "known-spindle: saturating", Case(lambda: _known(SPINDLE, Saturating), in_spindles)
    yield "known-spindle: scale-free, from silence", Case(lambda: _known(SPINDLE, ScaleFree), in_spindles, _SILENCE)
    context = {"layout": "b e c t", "context": ContextSpec(1, 1)}
    yield "known-spindle: of its neighbours", Case(lambda: _known(SPINDLE, OfNeighbours, **context), _own_part)
    yield "known-spindle: of phases alone", Case(lambda: _known(SPINDLE, OfPhases), _none)
    yield "known-shortcut", Case(SHORTCUT.stager, _in_truth(SHORTCUT), noisy=SHORTCUT.stage)


CASES: dict[str, Case] = dict(_cases())


@functools.cache
def _night(seed: int, noisy: str) -> mne.BaseEpochs:
    raw = eegflex.simulate_psg(hours=HOURS, sfreq=SFREQ, seed=seed, verbose="error").raw
    return eegflex.make_epochs(plant_line_noise(raw, noisy) if noisy else raw, verbose="error")


#: The last stager that was explained, how and on which night: cases that spoil its explanations follow each other.
_explained: dict[str, Any] = {}


def measure(name: str, seed: int) -> pd.DataFrame:
    """One row for each explanation: the share in the true place, the verdict, and what each criterion said."""
    case = CASES[name]
    key = (name.partition(":")[0] if case.spoil else name, seed)
    if _explained.get("key") != key:
        night = eegflex.stage_epochs(_night(seed, case.noisy), case.stager(), verbose="error")
        asked = {"sample_per_stage": PER_STAGE, "seed": seed, "on_check": "ignore", "verbose": "error"}
        result = eegflex.attribute_epochs(night, **asked | case.asked)
        exact = {"quadrature": "graded", "n_steps": 120, "spectral_share": 0}
        right = eegflex.attribute_epochs(night, **asked | case.asked | exact) if case.exact else None
        _explained.update(key=key, value=(night, result, right))
    night, result, right = _explained["value"]
    shown = result if case.spoil is None else case.spoil(result)
    asked = {"sample_per_stage": None, "parts": case.parts, "verbose": "error"}
    evaluated = eegflex.evaluate(shown, night, **asked).result
    found = evaluated.trust()
    change = result.data["score"].values - result.data["baseline_score"].values
    found = found.drop(columns=["recording", "onset"]).assign(share=case.share(shown, right), change=change[:, 0])
    numbers = {f"{name} (number)": one.measure(evaluated.data)[:, 0] for name, one in CRITERIA.items()}
    return found.assign(**numbers)


def measured(seeds: tuple[int, ...], keep: Path | None, names: tuple[str, ...] = tuple(CASES)) -> pd.DataFrame:
    """Measure all cases on all nights, those in the file excepted."""
    kept = [json.loads(line) for line in keep.read_text("utf-8").splitlines()] if keep and keep.exists() else []
    done = {(one["case"], one["seed"]) for one in kept}
    for seed in seeds:
        for name in names:
            if (name, seed) in done:
                continue
            rows = json.loads(measure(name, seed).to_json(orient="records"))
            kept.append({"case": name, "seed": seed, "rows": rows})
            if keep:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(kept[-1]) + "\n")
    every = [pd.DataFrame(one["rows"]).assign(case=one["case"], seed=one["seed"]) for one in kept]
    return pd.concat([one.astype({"share": float}) for one in every], ignore_index=True)


def text(seeds: tuple[int, ...] = SEEDS, keep: Path | None = None) -> str:
    """Measure, and write the table."""
    table = measured(seeds, keep)
    table = table[table["seed"].isin(seeds)].assign(trusted=lambda own: own["verdict"] == TRUSTED)
    rows = [_row(name, table[table["case"] == name]) for name in CASES]
    trusted, wrong = table[table["trusted"] & table["share"].notna()], table[table["share"] < WRONG]
    said = (
        f"Of {len(trusted)} explanations that are trusted, {_count(trusted['share'] >= RIGHT)} lie in the true place by at "
        f"least {100 * RIGHT:.0f} %. Of {len(wrong)} that are wrong, {_count(wrong['trusted'])} are trusted.\n\n"
    )
    heads = (
        "stager: what is spoilt",
        "explained",
        "wrong",
        "trusted",
        "of these right",
        "of the wrong trusted",
        "why not",
    )
    return said + as_table(heads, rows) + _TOLD_OF_MEANS + as_table(_OF_MEANS, _of_means(table))


_TOLD_OF_MEANS = (
    "\nWhat choosing those that are trusted does to means: the mean change of the score, which attributions sum to, of all and "
    "of those; the explanations are right in all rows.\n\n"
)
_OF_MEANS = ("stager", "stage", "explained", "trusted", "mean of all", "mean of trusted")


def _of_means(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Mean changes of the score by stage, and of all stages together."""
    for name in (*_SPOILT_NAMES, *_TRAINED):
        every = table[table["case"] == name]
        stages = [stage for stage in STAGES if (every["predicted"] == stage).any()]
        for stage in (*stages, "all"):
            own = every if stage == "all" else every[every["predicted"] == stage]
            kept = own[own["trusted"]]
            told = f"{kept['change'].mean():.2f}" if len(kept) else "none"
            yield name, stage, str(len(own)), str(len(kept)), f"{own['change'].mean():.2f}", told


def _count(hits: pd.Series) -> str:
    """How many of how many, and the 95 % interval of the share after Wilson."""
    n, of = int(hits.sum()), len(hits)
    if not of:
        return "0 of 0"
    low, high = binomtest(n, of).proportion_ci(method="wilson")
    return f"{n} of {of} ({100 * low:.1f} to {100 * high:.1f} %)"


def _row(name: str, own: pd.DataFrame) -> tuple[str, ...]:
    trusted, wrong = own[own["trusted"]], own[own["share"] < WRONG]
    why = own["reasons"].str.split("; ").explode().replace("", np.nan).dropna().value_counts().head(2)
    told = "; ".join(f"{words} ({count})" for words, count in why.items())
    right = _count(trusted["share"] >= RIGHT)
    return name, str(len(own)), str(len(wrong)), _count(own["trusted"]), right, _count(wrong["trusted"]), told


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--tune", action="store_true")
    told = parser.parse_args()
    torch.set_num_threads(1)
    sys.stdout.write(text(TUNED_ON if told.tune else SEEDS, told.keep))
