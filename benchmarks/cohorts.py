"""How often inference over people is false where there is nothing, how often it finds what was planted, if intervals hold.

Cohorts are numbers that `eegflex.cohort.simulate_cohort` makes up, with errors within nights that differ between people; and
nights that `simulate_psg` makes, half of them with larger spindles, explained for `bandpower`, dealt into groups by chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

import eegflex
from benchmarks.table import Row
from eegflex.cohort import Cohort, compare_groups, correlate, mixed_model, plan_epochs, simulate_cohort
from eegflex.cohort.cohort import BANDS as BAND_COLUMNS
from eegflex.cohort.cohort import STAGES as STAGE_COLUMNS
from eegflex.results import tables
from eegflex.stages import STAGES

__all__ = ["night_cohort", "rows"]

N_NULL, N_POWER = 200, 40
SMALL: dict[str, Any] = {"stages": ("N2",), "channels": ("F3-M2", "F4-M1", "C3-M2", "C4-M1"), "n_explained": 12}
PAIR = ["patient", "control"]
FEW: dict[str, Any] = {"n_permutations": 100, "freq_step": 1.0}


def rows() -> list[Row]:
    """Measure all."""
    return [*_null(), *_weights(), *_found(), *_coverage(), *_planned(), *_nights()]


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
    single: list[bool] = []
    two = {"stages": ("N2",), "channels": ("C3-M2",), "nights": 2}
    for by, groups in (("group", PAIR), ("session", ["2", "1"])):
        tables = [mixed_model(simulate_cohort(16, seed=k, **two), by, groups=groups).bands for k in range(N_NULL // 2)]
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


def _found() -> Iterator[Row]:
    """What was planted: sigma in N2."""
    for n, effect in ((24, 1.0), (24, 1.5), (48, 1.0)):
        hits = []
        for k in range(N_POWER):
            found = compare_groups(simulate_cohort(n, effect=effect, seed=k, **SMALL), "group", groups=PAIR, **FEW)
            planted = found.bands.query("stage == 'N2' and band == 'sigma'")
            clusters = found.clusters.query("stage == 'N2' and low_freq < 14 and high_freq > 13 and p_corrected < 0.05")
            hits.append((bool((planted["p_fdr"] < 0.05).any()), len(clusters) > 0))
        bands, clusters = zip(*hits, strict=True)
        yield Row(
            f"power, {n // 2} and {n // 2} people, sigma in N2 larger by {effect:g} standard deviations between people: bands",
            f"{100 * np.mean(bands):.0f} % of {N_POWER}",
            f"clusters: {100 * np.mean(clusters):.0f} %",
            float(np.mean(bands) / max(np.mean(clusters), 1e-9)),
        )
    hits = [
        _found_any(correlate(simulate_cohort(40, slope=0.7, seed=k, **SMALL), "age", **FEW)) for k in range(N_POWER)
    ]
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


def _coverage(n: int = 60) -> Iterator[Row]:
    """Intervals that hold what a very large cohort has."""
    asked: dict[str, Any] = {"n_permutations": 0}
    big = {"stages": ("N2",), "channels": ("C3-M2", "O1-M2"), "n_explained": 12}
    cases: tuple[tuple[str, dict[str, Any], Callable[[Cohort], pd.DataFrame], tuple[tuple[str, str, str], ...]], ...] = (
        (
            "compare_groups of 10 and 10, twice the errors in one", {"effect": 1.0, "error_ratio": 2.0},
            lambda one: compare_groups(one, "group", groups=PAIR, **asked).bands,
            (("difference", "low", "high"), ("g", "g_low", "g_high")),
        ),
        (
            "correlate of 20 (Spearman)", {"slope": 0.7},
            lambda one: correlate(one, "age", **asked).bands, (("r", "low", "high"),),
        ),
        (
            "correlate of 20 (Pearson)", {"slope": 0.7},
            lambda one: correlate(one, "age", method="pearson", **asked).bands, (("r", "low", "high"),),
        ),
    )  # fmt: skip
    for what, planted, ask, names in cases:
        truth = ask(simulate_cohort(4000, seed=10_000, **planted, **big)).set_index(["channel", "band"])
        tables = [ask(simulate_cohort(20, seed=k, **planted, **big)).set_index(["channel", "band"]) for k in range(n)]
        for name, low, high in names:
            held = {
                words: [
                    bool(one) for table in tables
                    for one in ((table[low] <= truth[name]) & (truth[name] <= table[high]))[rows_of(table)]
                ]
                for words, rows_of in (
                    ("the planted cells", lambda table: table.index.get_level_values("band") == "sigma"),
                    ("all cells", lambda table: np.ones(len(table), dtype=bool)),
                )
            }  # fmt: skip
            for words, hits in held.items():
                yield _share(f"interval of {name}, {what}: holds in {words}", hits, 0.93, 1.0)
    two = {"stages": ("N2",), "channels": ("C3-M2",), "nights": 2, "within_effect": 0.8}
    true = 0.8 * 0.25 * 0.8 * _sigma_share()
    held = []
    for k in range(N_POWER):
        table = mixed_model(simulate_cohort(16, seed=k, **two), "session", groups=["2", "1"]).bands.set_index("band")
        held.append(bool(table.loc["sigma", "low"] <= true <= table.loc["sigma", "high"]))
    yield _share("interval of effect, mixed_model of 16 people: holds", held, 0.93, 1.0)


def _sigma_share() -> float:
    from eegflex.bands import Bands
    from eegflex.cohort.simulated import BUMPS, FREQS, _shapes

    return float(Bands().sum(_shapes(), FREQS)[list(BUMPS).index("sigma"), Bands().names.index("sigma")] * 0.5)


def _planned() -> Iterator[Row]:
    """What a plan from a pilot says, and what a run with so many epochs has."""
    planned, reached = [], []
    for k in range(15):
        asked = {"stages": ("N2",), "channels": ("C3-M2",)}
        table = plan_epochs(simulate_cohort(30, n_explained=10, seed=k, **asked), bands=["sigma"]).table
        if not np.isfinite(table["epochs"].iloc[0]):
            continue
        planned.append(int(table["epochs"].iloc[0]))
        after = plan_epochs(
            simulate_cohort(200, n_explained=planned[-1], seed=1000 + k, **asked), bands=["sigma"]
        ).table.iloc[0]
        reached.append(float(after["epoch_sd"] / np.sqrt(after["epochs_now"]) / after["between_sd"]))
    yield Row(
        f"plan_epochs from 30 people, an error of 0.5 of what people differ in: reached, median of {len(reached)} pilots",
        f"{np.median(reached):.2f} ({np.quantile(reached, 0.05):.2f} to {np.quantile(reached, 0.95):.2f})",
        f"{np.median(planned):.0f} epochs planned", float(np.median(reached) / 0.5), "0.8 to 1.25",
        bool(0.8 <= np.median(reached) / 0.5 <= 1.25),
    )  # fmt: skip


def night_cohort(n: int, *, hours: float = 0.5, **knobs: float) -> Cohort:
    """Simulated nights, the second half of them with knobs turned, explained for `bandpower` and reduced to a cohort."""
    nights = [_reduced(k, hours, tuple(knobs.items()) if k >= n // 2 else ()) for k in range(n)]
    recordings, stages, bands, spectra = zip(*nights, strict=True)
    table = pd.DataFrame(recordings).set_index("recording")
    table["group"] = np.where(np.arange(n) >= n // 2, "turned", "usual")
    return Cohort(
        table,
        pd.concat(stages, ignore_index=True),
        pd.concat(bands, ignore_index=True),
        xr.concat(spectra, "recording", join="outer"),
    )


def _nights(n: int = 16) -> Iterator[Row]:
    """Simulated nights: people dealt into groups that mean nothing, and the groups that do."""
    cohort, usual = night_cohort(n, spindle_amplitude=1.6), night_cohort(n)
    picks = [name for name in pd.unique(cohort.bands["channel"]) if "M" in name]
    asked: dict[str, Any] = {"stages": ["N2"], "picks": picks}
    true = compare_groups(cohort, "group", groups=["turned", "usual"], n_permutations=1000, **asked)
    sigma = true.bands.query("channel == 'all channels' and band == 'sigma'").iloc[0]
    least = true.clusters["p_corrected"].min()
    yield Row(
        f"{n} simulated nights of 30 min, 8 epochs of N2 each, spindles 1.6 times as large in {n // 2}: g of sigma in N2",
        f"{sigma['g']:+.2f} ({sigma['g_low']:+.2f} to {sigma['g_high']:+.2f}), p_fdr {sigma['p_fdr']:.2g}",
        f"clusters: least p {least:.3f}", np.nan, "p_fdr below .05", bool(sigma["p_fdr"] < 0.05),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    both = []
    for _ in range(N_NULL):
        dealt = usual.recordings.assign(group=rng.permutation(np.repeat(["a", "b"], n // 2)))
        both.append(_found_any(compare_groups(dataclasses.replace(usual, recordings=dealt), "group", **asked, **FEW)))
    for name, hits in zip(_KINDS, zip(*both, strict=True), strict=True):
        yield _share(f"null, {n} simulated nights dealt into groups: {name}", hits, _floor(name), 0.08)


@lru_cache
def _reduced(
    number: int, hours: float, knobs: tuple[tuple[str, float], ...]
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame, xr.Dataset]:
    """One night: means over its epochs of each predicted stage, and their errors."""
    night = eegflex.simulate_psg(hours=hours, sfreq=100.0, seed=number, verbose="error", **dict(knobs))
    result = eegflex.attribute_epochs(
        eegflex.make_epochs(night.raw, verbose="error"),
        "bandpower",
        sample_per_stage=8,
        views=("frequency",),
        verbose="error",
    )
    data, name, bands = result.for_target().data, f"sub-{number:03d}", eegflex.Bands()
    labels, sums = tables.stage_labels(data, "predicted"), tables.band_sums(data, bands)
    channels, freqs = [str(one) for one in data["channel"].values], data["freq"].values
    spectra = data["frequency_view"].transpose("epoch", "channel", "freq").values / np.diff(freqs).mean()
    cells, mean = [], np.full((1, len(STAGES), len(channels), len(freqs)), np.nan)
    for (j, stage), (k, channel) in product(enumerate(STAGES), enumerate(channels)):
        own = labels[:, k] == stage
        if own.sum() < 2:
            continue
        mean[0, j, k] = spectra[own, k].mean(axis=0)
        error = sums[own, k].std(axis=0, ddof=1) / np.sqrt(own.sum())
        cells += [
            (name, stage, channel, band, value, its, int(own.sum()))
            for band, value, its in zip(bands.names, sums[own, k].mean(axis=0), error, strict=True)
        ]
    row = {"recording": name, "subject": name, "session": "", "status": "done", "kappa": np.nan, "disagreement": np.nan}
    counts = [
        (
            name,
            stage,
            int((night.hypnogram == stage).sum()),
            int((labels == stage).sum() / len(channels)),
            0,
            -1,
            np.nan,
        )
        for stage in STAGES
    ]
    dims = ("recording", "stage", "channel", "freq")
    return (
        row,
        pd.DataFrame(counts, columns=list(STAGE_COLUMNS)),
        pd.DataFrame(cells, columns=list(BAND_COLUMNS)),
        xr.Dataset(
            {"mean": (dims, mean)},
            coords={"recording": [name], "stage": list(STAGES), "channel": channels, "freq": freqs},
        ),
    )
