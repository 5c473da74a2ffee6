"""How often inference over people is false where there is nothing, how often it finds what was planted, if intervals hold.

Cohorts are numbers that `eegflex.cohort.simulate_cohort` makes up, with errors within nights that differ between people; and
nights that `simulate_psg` makes, explained for `bandpower` (`benchmarks.cohort_nights`) and dealt into groups by chance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.cohort_nights import HOURS, N_NIGHTS, N_SAMPLED, cohort_of, dealt, pool
from benchmarks.table import Row
from eegflex.bands import Bands
from eegflex.cohort import (
    Cohort,
    compare_groups,
    correlate,
    make_cohort_report,
    mixed_model,
    plan_epochs,
    simulate_cohort,
)
from eegflex.cohort.simulated import BETWEEN, BUMPS, CHANNELS, FREQS, _shapes

__all__ = ["rows"]

N_NULL, N_POWER, N_COVERED = 200, 100, 400
#: A knob, how many times as much of it one group has, and where that is looked for.
TURNED = (("spindle_density", 1.5, "N2", "sigma"), ("spindle_amplitude", 1.6, "N2", "sigma"))
SMALL: dict[str, Any] = {"stages": ("N2",), "channels": ("F3-M2", "F4-M1", "C3-M2", "C4-M1")}
PAIR = ["patient", "control"]
FEW: dict[str, Any] = {"n_permutations": 100, "freq_step": 1.0}


def rows() -> list[Row]:
    """Measure all."""
    return [
        row
        for part in (_null, _weights, _coverage, _found, _found_otherwise, _planned, _dealt, _page)
        for row in part()
    ]


_KINDS = ("bands, any p_fdr < .05", "clusters, any p < .05")


def _floor(name: str) -> float:
    """The least share: the false discovery rate of cells that go together stays below what is allowed, and may."""
    return 0.0 if name == _KINDS[0] else 0.02


def _found_any(found: Any) -> tuple[bool, bool]:
    clusters = bool(len(found.clusters)) and bool((found.clusters["p_corrected"] < 0.05).any())
    return bool((found.bands["p_fdr"] < 0.05).any()), clusters


def _share(what: str, hits: list[bool] | Any, low: float, high: float, against: str = "") -> Row:
    share = float(np.mean(hits))
    end = stats.binomtest(int(np.sum(hits)), len(hits)).proportion_ci()
    ours = f"{100 * share:.1f} % of {len(hits)} (95 %: {100 * end.low:.1f} to {100 * end.high:.1f})"
    floor = f"{100 * low:g} to {100 * high:g} %" if high < 1 else f"at least {100 * low:g} %"
    return Row(what, ours, against, np.nan, floor, low <= share <= high)


def _null() -> Iterator[Row]:
    """Any discovery where there is nothing to discover."""
    for ratio, words in ((2.0, "twice the errors in one group"), (1.0, "errors alike")):
        both = [
            _found_any(
                compare_groups(simulate_cohort(24, error_ratio=ratio, seed=k, **SMALL), "group", groups=PAIR, **FEW)
            )
            for k in range(N_NULL)
        ]
        for name, hits in zip(
            ("bands, any p_fdr < .05", "clusters, any p < .05"), zip(*both, strict=True), strict=True
        ):
            yield _share(
                f"null, compare_groups of 12 and 12 people, {words}: {name}",
                hits,
                _floor(name),
                0.08,
            )
    both = [_found_any(correlate(simulate_cohort(24, seed=k, **SMALL), "age", **FEW)) for k in range(N_NULL)]
    for name, hits in zip(_KINDS, zip(*both, strict=True), strict=True):
        yield _share(f"null, correlate of 24 people: {name}", hits, _floor(name), 0.08)
    two = {"stages": ("N2",), "channels": ("C3-M2",), "nights": 2}
    for by, groups in (("group", PAIR), ("session", ["2", "1"])):
        tables = [mixed_model(simulate_cohort(16, seed=k, **two), by, groups=groups).bands for k in range(N_NULL)]
        hits = [bool((table["p_fdr"] < 0.05).any()) for table in tables]
        yield _share(f"null, mixed_model of 16 people with 2 nights, by {by}: any p_fdr < .05", hits, 0.02, 0.08)
        single = [bool(one) for table in tables for one in table["p"].dropna() < 0.05]
        yield _share(f"null, mixed_model by {by}: p < .05 of a cell, uncorrected", single, 0.02, 0.08)


def _weights(n: int = 4000) -> Iterator[Row]:
    """Means over people weighted by their errors, against Welch's test, which weights none; no difference, then one."""
    rng = np.random.default_rng(0)
    for words, sd, likely in (("errors as large as people differ", 1.0, 1.0), ("errors a third of it", 0.33, 1.0)):
        for effect in (0.0, 1.0):
            error = sd * likely * np.exp(0.6 * rng.standard_normal((n, 2, 12)))
            error[:, 1] *= 2
            values = rng.standard_normal((n, 2, 12)) + error * rng.standard_normal((n, 2, 12))
            values[:, 0] += effect
            plain = stats.ttest_ind(values[:, 0], values[:, 1], axis=1, equal_var=False).pvalue < 0.05
            weighted = _weighted(values, error)
            what = "false positives" if effect == 0 else "power at 1 sd"
            yield Row(
                f"{what}, 12 and 12 people, {words}, one group's twice the other's: Welch",
                f"{100 * plain.mean():.1f} %",
                f"weighted by 1 / (tau² + error²), DerSimonian and Laird: {100 * weighted.mean():.1f} %",
                float(plain.mean() / weighted.mean()),
            )


def _weighted(values: Any, error: Any) -> Any:
    """The random-effects comparison of two groups: which of them are significant."""
    w = error**-2.0
    fixed = (w * values).sum(-1, keepdims=True) / w.sum(-1, keepdims=True)
    q = (w * (values - fixed) ** 2).sum(-1)
    tau = np.maximum(0, (q - values.shape[-1] + 1) / (w.sum(-1) - (w**2).sum(-1) / w.sum(-1)))
    w = 1 / (tau[..., None] + error**2)
    mean = (w * values).sum(-1) / w.sum(-1)
    z = (mean[:, 0] - mean[:, 1]) / np.sqrt((1 / w.sum(-1)).sum(-1))
    return np.abs(z) > stats.norm.ppf(0.975)


def _at_sigma(found: Any) -> tuple[bool, bool]:
    """Whether bands and clusters have what was planted: sigma in N2."""
    planted = found.bands.query("stage == 'N2' and band == 'sigma'")
    clusters = found.clusters.query("stage == 'N2' and low_freq < 14 and high_freq > 13 and p_corrected < 0.05")
    return bool((planted["p_fdr"] < 0.05).any()), len(clusters) > 0


def _found() -> Iterator[Row]:
    """What was planted: sigma in N2."""
    for effect, n in product((1.0, 1.5), (24, 48, 96)):
        hits = []
        for k in range(N_POWER):
            found = compare_groups(simulate_cohort(n, effect=effect, seed=k, **SMALL), "group", groups=PAIR, **FEW)
            hits.append(_at_sigma(found))
        bands, clusters = zip(*hits, strict=True)
        yield Row(
            f"power, {n // 2} and {n // 2} people, sigma in N2 larger by {effect:g} standard deviations between people: bands",
            f"{100 * np.mean(bands):.0f} % of {N_POWER}",
            f"clusters: {100 * np.mean(clusters):.0f} %",
            float(np.mean(bands) / max(np.mean(clusters), 1e-9)),
        )


def _found_otherwise() -> Iterator[Row]:
    """The same by correlations, and between nights of people."""
    hits = [_at_sigma(correlate(simulate_cohort(40, slope=0.7, seed=k, **SMALL), "age", **FEW)) for k in range(N_POWER)]
    bands, clusters = zip(*hits, strict=True)
    yield Row(
        "power, correlate of 40 people, r of some 0.5 with sigma in N2: bands",
        f"{100 * np.mean(bands):.0f} % of {N_POWER}", f"clusters: {100 * np.mean(clusters):.0f} %",
        float(np.mean(bands) / max(np.mean(clusters), 1e-9)),
    )  # fmt: skip
    two = {"stages": ("N2",), "channels": ("C3-M2",), "nights": 2, "within_effect": 0.8}
    later = []
    for k in range(N_POWER):
        table = mixed_model(simulate_cohort(16, seed=k, **two), "session", groups=["2", "1"]).bands
        later.append(bool((table.query("band == 'sigma'")["p_fdr"] < 0.05).any()))
    what = "power, mixed_model of 16 people, second night larger by 0.8"
    yield Row(what, f"{100 * np.mean(later):.0f} % of {N_POWER}", "", np.nan)


def _coverage() -> Iterator[Row]:
    """Intervals that hold what a very large cohort has."""
    asked: dict[str, Any] = {"n_permutations": 0}
    big = {"stages": ("N2",), "channels": ("C3-M2", "O1-M2")}
    cases: tuple[_Case, ...] = (
        ("compare_groups of 10 and 10 people, twice the errors in one group", {"effect": 1.0, "error_ratio": 2.0},
         lambda one: compare_groups(one, "group", groups=PAIR, **asked).bands,
         (("difference", "low", "high"), ("g", "g_low", "g_high"))),
        ("correlate of 20 people (Spearman)", {"slope": 0.7},
         lambda one: correlate(one, "age", **asked).bands, (("r", "low", "high"),)),
        ("correlate of 20 people (Pearson)", {"slope": 0.7},
         lambda one: correlate(one, "age", method="pearson", **asked).bands, (("r", "low", "high"),)),
    )  # fmt: skip
    for what, planted, ask, names in cases:
        truth = ask(simulate_cohort(4000, seed=10_000, **planted, **big)).set_index(["channel", "band"])
        tables = [
            ask(simulate_cohort(20, seed=k, **planted, **big)).set_index(["channel", "band"]).loc[truth.index]
            for k in range(N_COVERED)
        ]
        sigma = truth.index.get_level_values("band") == "sigma"
        for name, low, high in names:
            held = np.array([_held(table[low], table[high], truth[name]) for table in tables])
            yield _holds(f"interval of {name}, {what}: holds in the planted cells", held[:, sigma])
            yield _holds(f"interval of {name}, {what}: holds in all cells", held)
    two = {"stages": ("N2",), "channels": ("C3-M2",), "nights": 2, "within_effect": 0.8}
    true = 0.8 * BETWEEN["N2"][list(BUMPS).index("sigma")] * _sigma_share()
    rows_of = [
        mixed_model(simulate_cohort(16, seed=k, **two), "session", groups=["2", "1"]).bands.set_index("band")
        for k in range(N_COVERED)
    ]
    own = [table.loc[["sigma"]] for table in rows_of]
    held = np.array([_held(table["low"], table["high"], true) for table in own])
    yield _holds("interval of effect, mixed_model of 16 people with 2 nights, by session: holds", held)


_Case = tuple[
    str, dict[str, Any], Callable[[Cohort], pd.DataFrame], tuple[tuple[str, str, str], ...]
]  # what, planted, ask, names of columns


def _held(low: pd.Series, high: pd.Series, truth: Any) -> Any:
    """1 where an interval holds the truth, 0 where it does not, NaN where none was given."""
    return ((low <= truth) & (truth <= high)).astype(float).where(low.notna() & high.notna()).to_numpy()


def _holds(what: str, held: Any) -> Row:
    """How often intervals hold, (n_cohorts, n_cells): cells of a cohort go together, so that the cohort is what is counted."""
    of_cohorts = np.nanmean(held[~np.isnan(held).all(axis=1)], axis=1)
    share, half = float(np.nanmean(held)), 1.96 * float(np.nanstd(of_cohorts, ddof=1) / np.sqrt(len(of_cohorts)))
    missing = f"; none given in {np.isnan(held).sum()} of {held.size}" if np.isnan(held).any() else ""
    low, high = (100 * np.clip(share + end, 0, 1) for end in (-half, half))
    ours = f"{100 * share:.1f} % of {np.isfinite(held).sum()} in {len(held)} cohorts (95 %: {low:.1f} to {high:.1f}){missing}"
    return Row(what, ours, "", np.nan, "at least 93 %", share >= 0.93)


def _sigma_share() -> float:
    return float(Bands().sum(_shapes(), FREQS)[list(BUMPS).index("sigma"), Bands().names.index("sigma")] * 0.5)


def _planned() -> Iterator[Row]:
    """What a plan from a pilot says, and what runs with so many epochs and people have."""
    asked = {"stages": ("N2",), "channels": ("C3-M2",)}
    plans, reached, found = [], [], []
    for k in range(N_POWER):
        plan = plan_epochs(simulate_cohort(30, seed=k, **asked), bands=["sigma"]).table.iloc[0]
        if not np.isfinite(plan[["epochs", "people"]].astype(float)).all():
            continue
        plans.append((int(plan["epochs"]), int(plan["people"])))
        run = simulate_cohort(2 * plans[-1][1], n_explained=plans[-1][0], effect=0.8, seed=1000 + k, **asked)
        row = compare_groups(run, "group", groups=PAIR, bands=["sigma"], n_permutations=0).bands.iloc[0]
        found.append(bool(row["p"] < 0.05))
        if k < 20:
            many = simulate_cohort(400, n_explained=plans[-1][0], seed=2000 + k, **asked)
            after = plan_epochs(many, bands=["sigma"]).table.iloc[0]
            reached.append(float(after["epoch_sd"] / np.sqrt(after["epochs_now"]) / after["between_sd"]))
    epochs, people = np.array(plans).T
    yield Row(
        f"plan_epochs from 30 people, an error of 0.5 of what people differ in: reached, median of {len(reached)} pilots",
        f"{np.median(reached):.2f} ({np.quantile(reached, 0.05):.2f} to {np.quantile(reached, 0.95):.2f})",
        f"{np.median(epochs):.0f} epochs planned ({np.quantile(epochs, 0.05):.0f} to {np.quantile(epochs, 0.95):.0f})",
        float(np.median(reached) / 0.5), "0.8 to 1.25", bool(0.8 <= np.median(reached) / 0.5 <= 1.25),
    )  # fmt: skip
    share, end = float(np.mean(found)), stats.binomtest(int(np.sum(found)), len(found)).proportion_ci()
    yield Row(
        "plan_epochs from 30 people, a difference of 0.8 sd between people at power 80 %: found in runs with the planned "
        "epochs and people, p < .05",
        f"{100 * share:.0f} % of {len(found)} (95 %: {100 * end.low:.0f} to {100 * end.high:.0f})",
        f"{np.median(people):.0f} people of each group planned", share / 0.8, "70 to 90 %", 0.7 <= share <= 0.9,
    )  # fmt: skip


def _page(n: int = 1000) -> Iterator[Row]:
    """How long the page of a large cohort takes."""
    cohort, began = simulate_cohort(n, seed=1), time.process_time()
    with TemporaryDirectory() as folder:
        make_cohort_report(cohort).save(Path(folder) / "page.html")
    took = time.process_time() - began
    what = f"page of {n:,} recordings with {len(CHANNELS)} channels, {len(cohort.bands):,} rows of bands"
    yield Row(what, f"{took:.1f} s of a core", "10 s", took / 10, "< 1 (10 s of a core)", took < 10)


def _dealt() -> Iterator[Row]:
    """Simulated nights: people dealt into groups that mean nothing, and groups one of which has other nights."""
    usual, where = cohort_of(pool()), f"{N_NIGHTS} simulated nights of {HOURS:g} h, {N_SAMPLED} epochs of a stage"
    rng = np.random.default_rng(0)
    asked: dict[str, Any] = {"picks": list(CHANNELS), **FEW}
    both, with_age = [], []
    for _ in range(N_NULL):
        cohort = dealt(rng, 24, usual)
        both.append(_found_any(compare_groups(cohort, "group", groups=PAIR, stages=["N2"], **asked)))
        with_age.append(_found_any(correlate(cohort, "age", stages=["N2"], **asked)))
    for what, found in (
        ("compare_groups of 12 and 12 people", both),
        ("correlate of 24 people with a random number", with_age),
    ):
        for name, hits in zip(_KINDS, zip(*found, strict=True), strict=True):
            yield _share(f"null, {what}, dealt from {where}: {name}", hits, _floor(name), 0.08)
    for knob, by, stage, band in TURNED:
        turned, hits, sizes = cohort_of(pool(**{knob: by})), [], []
        for _ in range(N_POWER):
            found = compare_groups(dealt(rng, 24, usual, turned), "group", groups=PAIR, stages=[stage], **asked)
            row = found.bands.query("channel == 'all channels' and band == @band").iloc[0]
            clusters = found.clusters.query("p_corrected < 0.05")
            hits.append((bool(row["p_fdr"] < 0.05), len(clusters) > 0))
            sizes.append(float(row["g"]))
        bands, clusters = zip(*hits, strict=True)
        yield Row(
            f"power, 12 and 12 people dealt from such nights, {knob} {by:g} times as much in one group: {band} in {stage}",
            f"{100 * np.mean(bands):.0f} % of {N_POWER}, median g {np.median(sizes):+.2f}",
            f"clusters: {100 * np.mean(clusters):.0f} %", float(np.mean(bands) / max(np.mean(clusters), 1e-9)),
        )  # fmt: skip
