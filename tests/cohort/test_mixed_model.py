"""Mixed models of people with several nights."""

from __future__ import annotations

import numpy as np
import pytest
from cohorts import by_hand
from scipy import stats

from eegflex.cohort import mixed_model, simulate_cohort
from eegflex.errors import ParameterError

ONE = {"stages": ("N2",), "channels": ("C3-M2",)}


def test_two_nights_each_are_a_paired_test():
    """Of balanced nights within people the model is Student's paired test."""
    rng = np.random.default_rng(0)
    people, change = rng.normal(0, 2, 12), rng.normal(0.5, 1, 12)
    values = np.concatenate([people, people + change])
    cohort = by_hand(values, "a", subjects=[f"p{k}" for k in range(12)] * 2, night=["1"] * 12 + ["2"] * 12)
    row = mixed_model(cohort, "night", groups=["2", "1"]).bands.iloc[0]
    paired = stats.ttest_1samp(change, 0)
    assert row["effect"] == pytest.approx(change.mean())
    assert row["p"] == pytest.approx(paired.pvalue, rel=1e-3)
    assert [row["low"], row["high"]] == pytest.approx(list(paired.confidence_interval()), rel=1e-3)
    assert (row["n"], row["n_nights"]) == (12, 24)
    assert row["converged"]


def test_groups_of_people_with_two_nights_are_a_test_of_people():
    rng = np.random.default_rng(1)
    means = rng.normal(0, 2, 14)
    nights = means[:, None] + rng.normal(0, 0.5, (14, 2))
    groups = ["a", "b"] * 7
    cohort = by_hand(nights.T.ravel(), groups * 2, subjects=[f"p{k}" for k in range(14)] * 2)
    row = mixed_model(cohort, "group").bands.iloc[0]
    a, b = nights.mean(axis=1)[::2], nights.mean(axis=1)[1::2]
    assert row["p"] == pytest.approx(stats.ttest_ind(a, b).pvalue, rel=1e-3)
    assert row["effect"] == pytest.approx(a.mean() - b.mean())


def test_what_changes_between_nights_is_found():
    found = mixed_model(simulate_cohort(20, nights=2, within_effect=1.2, seed=1, **ONE), "session", groups=["2", "1"])
    bands = found.bands.set_index("band")
    assert bands["p_fdr"].idxmin() == "sigma"
    assert bands.loc["sigma", "p_fdr"] < 0.05
    assert "sigma" in found.findings["bands"].measured
    assert found.findings["models"].values["person_share"] > 0.3
    assert found.clusters.empty


def test_a_number_is_a_slope():
    cohort = simulate_cohort(20, nights=2, slope=2.0, seed=1, **ONE)
    row = mixed_model(cohort, "age", bands=["sigma"]).bands.iloc[0]
    assert row["low"] > 0
    assert row["p"] < 0.01


def test_people_with_one_night_each_are_refused():
    with pytest.raises(ParameterError, match="Use compare_groups or correlate"):
        mixed_model(simulate_cohort(20, seed=1, **ONE), "group")


def test_more_than_two_groups_are_refused():
    cohort = simulate_cohort(12, nights=3, seed=1, **ONE)
    with pytest.raises(ParameterError, match="two groups, or be a number"):
        mixed_model(cohort, "session")
    assert mixed_model(cohort, "session", groups=["3", "1"], bands=["delta"]).n == {"people": 12}


def test_what_cannot_be_estimated_is_told_and_has_no_p():
    values = np.concatenate([np.zeros(10), np.zeros(10)])
    cohort = by_hand(values, ["a"] * 10 + ["b"] * 10, subjects=[f"p{k}" for k in range(10)] * 2)
    found = mixed_model(cohort, "group")
    assert np.isnan(found.bands["p"].iloc[0])
    assert not found.bands["converged"].iloc[0]
    assert found.findings["models"].status == "warning"
    assert found.findings["bands"].status == "unknown"
