"""How often inference is false where there is nothing: a small version of ``benchmarks/cohorts.py``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cohorts import PAIR
from scipy import stats

from eegflex.cohort import compare_groups, correlate, mixed_model, simulate_cohort

TINY = {"stages": ("N2",), "channels": ("F3-M2", "F4-M1", "C3-M2", "C4-M1"), "n_explained": 12}
N = 16


def believable(hits, rate=0.05):
    """Not significantly more than nominal, at a level at which a correct test fails once in a thousand."""
    return stats.binomtest(int(np.sum(hits)), len(hits), rate, alternative="greater").pvalue > 0.001


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.0, 3.0])
def test_groups_that_do_not_differ(ratio):
    bands, clusters, cells = [], [], []
    for seed in range(N):
        found = compare_groups(
            simulate_cohort(20, error_ratio=ratio, seed=seed, **TINY),
            "group",
            groups=PAIR,
            n_permutations=60,
            freq_step=1.0,
        )
        bands.append((found.bands["p_fdr"] < 0.05).any())
        clusters.append((found.clusters["p_corrected"] < 0.05).any())
        cells.append(found.bands.set_index(["channel", "band"])["p"].loc[("C3-M2", "sigma")])
    assert believable(bands)
    assert believable(clusters)
    assert stats.kstest(cells, "uniform").pvalue > 0.001


@pytest.mark.slow
def test_a_number_that_goes_with_nothing():
    both = [
        correlate(simulate_cohort(20, seed=seed, **TINY), "age", n_permutations=60, freq_step=1.0) for seed in range(N)
    ]
    assert believable([(found.bands["p_fdr"] < 0.05).any() for found in both])
    assert believable([(found.clusters["p_corrected"] < 0.05).any() for found in both])


@pytest.mark.slow
def test_nights_taken_for_people_would_be_caught():
    """The test that this suite is for: four nights of each person as if they were four people finds what is not there."""
    hits = {"people": [], "nights": []}
    for seed in range(15):
        cohort = simulate_cohort(12, nights=4, seed=seed, stages=("N2",), channels=("C3-M2",), n_explained=100)
        wrong = replace(cohort, recordings=cohort.recordings.assign(subject=cohort.recordings.index))
        for name, own in (("people", cohort), ("nights", wrong)):
            hits[name] += list(
                compare_groups(own, "group", n_permutations=0).bands.set_index("band")["p"].loc[["delta", "sigma"]]
                < 0.05
            )
    assert believable(hits["people"])
    assert not believable(hits["nights"])


@pytest.mark.slow
@pytest.mark.parametrize(("by", "groups"), [("group", PAIR), ("session", ["2", "1"])])
def test_mixed_models_of_nothing(by, groups):
    p = [
        mixed_model(
            simulate_cohort(12, nights=2, seed=seed, stages=("N2",), channels=("C3-M2",)),
            by,
            groups=groups,
            bands=["delta", "sigma"],
        ).bands["p"]
        for seed in range(15)
    ]
    assert believable(np.concatenate(p) < 0.05)


@pytest.mark.slow
def test_intervals_hold_the_truth():
    """The planted difference in units of the score, which is known."""
    from eegflex.cohort.simulated import BETWEEN

    held = {"difference": [], "null": []}
    for seed in range(30):
        cohort = simulate_cohort(
            16, effect=1.0, error_ratio=2.0, seed=seed, stages=("N2",), channels=("C3-M2",), n_explained=12
        )
        table = compare_groups(
            cohort, "group", groups=PAIR, bands=["theta", "sigma"], n_permutations=0
        ).bands.set_index("band")
        for name, band, true in (("difference", "sigma", BETWEEN["N2"][3]), ("null", "theta", 0.0)):
            share = 0.99 if band == "sigma" else 1.0  # what of its bump lies in the band
            held[name].append(table.loc[band, "low"] <= share * true <= table.loc[band, "high"])
    for hits in held.values():
        assert believable(~np.array(hits))
