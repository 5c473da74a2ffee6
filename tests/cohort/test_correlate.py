"""What goes with a number of people."""

from __future__ import annotations

import numpy as np
import pytest
from cohorts import by_hand, with_columns
from scipy import stats

from eegflex.cohort import correlate, simulate_cohort
from eegflex.cohort.linear import Correlation
from eegflex.errors import ParameterError


@pytest.mark.parametrize(("method", "own"), [("spearman", stats.spearmanr), ("pearson", stats.pearsonr)])
def test_correlations_are_those_of_scipy(method, own):
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 80, 25)
    values = np.exp(0.03 * age + rng.normal(size=25))
    row = correlate(by_hand(values, "a", age=age), "age", method=method, n_permutations=0).bands.iloc[0]
    expected = own(age, values)
    assert row["r"] == pytest.approx(expected.statistic)
    # scipy takes ranks for normal numbers
    assert row["p"] == pytest.approx(expected.pvalue, rel=1e-9 if method == "pearson" else 0.5)
    assert row["n"] == 25
    if method == "pearson":
        assert [row["low"], row["high"]] == pytest.approx(list(expected.confidence_interval()))
    else:
        assert row["low"] < row["r"] < row["high"]


def test_p_of_ranks_holds_in_the_tail():
    """Ranks in random order: so often as it says, where the t of scipy is short by a third."""
    rng = np.random.default_rng(0)
    values = rng.random((24, 40_000))
    p = Correlation(np.arange(24.0), np.empty((24, 0))).compare(values)["p"]
    for level in (0.05, 0.01, 0.001):
        assert stats.binomtest(int((p < level).sum()), p.size, level).pvalue > 0.001


def test_what_goes_with_another_number_is_taken_away():
    rng = np.random.default_rng(1)
    kappa = rng.uniform(0.4, 0.9, 40)
    age = 50 - 60 * kappa + 3 * rng.normal(size=40)
    cohort = by_hand(kappa + 0.05 * rng.normal(size=40), "a", age=age, kappa=kappa)
    assert correlate(cohort, "age", method="pearson", n_permutations=0).bands["r"].iloc[0] < -0.7
    row = correlate(cohort, "age", method="pearson", covariates=["kappa"], n_permutations=0).bands.iloc[0]
    columns = [np.column_stack([np.ones(40), kappa])] * 2
    left = [
        one - x @ np.linalg.lstsq(x, one, rcond=None)[0]
        for x, one in zip(columns, (age, cohort.bands["mean"].to_numpy()), strict=True)
    ]
    assert row["r"] == pytest.approx(np.corrcoef(*left)[0, 1])
    assert row["low"] < 0 < row["high"]


def test_clusters_go_with_age_where_it_was_planted():
    found = correlate(
        simulate_cohort(40, slope=1.2, n_explained=40, seed=2), "age", stages=["N2", "N3"], n_permutations=200
    )
    clusters = found.clusters[found.clusters["p_corrected"] < 0.05]
    assert list(clusters["stage"]) == ["N2"]
    assert clusters["sign"].iloc[0] == "+"
    assert clusters["low_freq"].iloc[0] < 13.7 < clusters["high_freq"].iloc[0]
    hit = found.bands[found.bands["p_fdr"] < 0.05]
    planted = (hit["stage"] == "N2") & (hit["band"] == "sigma")
    assert planted.sum() == 7  # all channels, and their mean
    assert planted.mean() > 0.8


def test_the_opposite_number_has_the_opposite_sign():
    cohort = simulate_cohort(20, slope=1.0, seed=2, stages=("N2",))
    first = correlate(cohort, "age", n_permutations=50)
    second = correlate(with_columns(cohort, age=-cohort.recordings["age"]), "age", n_permutations=50)
    np.testing.assert_allclose(first.bands["r"], -second.bands["r"])
    assert list(first.clusters["p"]) == list(second.clusters["p"])


@pytest.mark.parametrize(
    ("change", "asked", "says"),
    [
        ({}, {"covariate": "group"}, "group is no number"),
        ({}, {"covariate": "weight"}, "no column 'weight'"),
        ({"age": 30.0}, {"covariate": "age"}, "all have the same"),
        ({"age": [20.0] + [np.nan] * 11}, {"covariate": "age"}, "Too few people have age"),
        ({}, {"covariate": "age", "method": "kendall"}, "method must be one of"),
    ],
)
def test_what_cannot_be_correlated_is_refused(change, asked, says):
    cohort = with_columns(simulate_cohort(12, seed=1, stages=("N2",)), **change)
    with pytest.raises(ParameterError, match=says):
        correlate(cohort, **asked)
