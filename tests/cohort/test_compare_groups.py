"""Groups are compared by people, and staging beside attribution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from cohorts import PAIR, by_hand, with_columns
from scipy import stats

from eegflex.cohort import compare_groups, correlate, simulate_cohort
from eegflex.cohort.linear import GroupDesign
from eegflex.errors import ParameterError


@pytest.fixture(scope="module")
def planted():
    return simulate_cohort(30, effect=2.0, n_explained=30, seed=4)


@pytest.fixture(scope="module")
def found(planted):
    return compare_groups(planted, "group", groups=PAIR, stages=["N2", "N3"], n_permutations=200)


def test_two_groups_are_compared_by_welchs_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 7), rng.normal(1, 4, 12)
    cohort = by_hand([*a, *b], ["a"] * 7 + ["b"] * 12)
    row = compare_groups(cohort, "group", n_permutations=0).bands.iloc[0]
    welch = stats.ttest_ind(a, b, equal_var=False)
    assert row["p"] == pytest.approx(welch.pvalue)
    assert [row["low"], row["high"]] == pytest.approx(list(welch.confidence_interval()))
    assert row["difference"] == pytest.approx(a.mean() - b.mean())
    assert (row["n_a"], row["n_b"]) == (7, 12)
    # Hedges' g: the difference in units of the mean variance, with the small-sample factor
    d = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    assert row["g"] == pytest.approx(d * (1 - 3 / (4 * 17 - 1)))
    assert row["g_low"] < row["g"] < row["g_high"]


def test_more_groups_are_compared_by_welchs_f():
    from statsmodels.stats.oneway import anova_oneway

    rng = np.random.default_rng(1)
    parts = [rng.normal(k, 1 + k, 6 + k) for k in range(3)]
    cohort = by_hand(np.concatenate(parts), np.repeat(["a", "b", "c"], [6, 7, 8]))
    row = compare_groups(cohort, "group", n_permutations=0).bands.iloc[0]
    welch = anova_oneway(parts, use_var="unequal")
    assert (row["F"], row["p"]) == (pytest.approx(welch.statistic), pytest.approx(welch.pvalue))
    assert 0 <= row["low"] <= row["omega2"] <= row["high"] <= 1


def test_covariates_are_taken_away_as_in_the_linear_model():
    rng = np.random.default_rng(2)
    codes, age = np.repeat([0, 1], [9, 11]), rng.uniform(20, 80, 20)
    values = 0.1 * age + rng.normal(size=20)
    cohort = by_hand(values, np.where(codes == 0, "a", "b"), age=age)
    row = compare_groups(cohort, "group", covariates=["age"], n_permutations=0).bands.iloc[0]
    model = sm.OLS(values, np.column_stack([np.ones(20), codes == 0, age])).fit(cov_type="HC2")
    assert row["difference"] == pytest.approx(model.params[1])
    design = GroupDesign(codes, age[:, None])
    assert design.t(values[:, None])[0] == pytest.approx(model.tvalues[1])
    # what is exchanged between people is what age leaves, and the difference is still that of the full model
    left = design.without_covariates(values[:, None])
    assert design.t(left)[0] == pytest.approx(model.tvalues[1])
    assert abs(np.corrcoef(left[:, 0], age)[0, 1]) < 1e-9


def test_nights_of_one_person_are_one_person():
    """Each night written down three times more changes nothing: no n, no p, no cluster."""
    once = simulate_cohort(16, effect=1.0, stages=("N2",), seed=1)
    names = list(once.recordings.index)
    again = {name: [f"{name}_ses-{k}" for k in range(4)] for name in names}
    order = [one for name in names for one in again[name]]
    recordings = once.recordings.loc[np.repeat(names, 4)].set_axis(order).rename_axis("recording")
    tables = [
        pd.concat([table.assign(recording=table["recording"].map(lambda name, k=k: again[name][k])) for k in range(4)])
        for table in (once.stages, once.bands)
    ]
    spectra = once.spectra.sel(recording=np.repeat(names, 4)).assign_coords(recording=order)
    four = replace(once, recordings=recordings, stages=tables[0], bands=tables[1], spectra=spectra)
    first, second = (compare_groups(c, "group", groups=PAIR, n_permutations=100, seed=3) for c in (once, four))
    assert first.n == second.n == {"patient": 8, "control": 8}
    left = first.bands.drop(columns=["error_share"])
    pd.testing.assert_frame_equal(left, second.bands.drop(columns=["error_share"]))
    pd.testing.assert_frame_equal(first.clusters, second.clusters)
    assert "64 nights" in second.findings["people"].measured


def test_a_planted_difference_is_found_where_it_was_planted(found):
    bands = found.bands.set_index(["stage", "channel", "band"])
    hit = bands[bands["p_fdr"] < 0.05]
    assert ("N2", "all channels", "sigma") in hit.index
    there = hit.index.get_level_values("band") == "sigma"
    assert there.mean() > 0.8  # the rate of false discoveries is controlled, not each of them
    assert (hit["difference"][there] > 0).all()
    clusters = found.clusters[found.clusters["p_corrected"] < 0.05]
    assert list(clusters["stage"]) == ["N2"]
    assert clusters["low_freq"].iloc[0] < 13.7 < clusters["high_freq"].iloc[0]
    assert clusters["p_corrected"].iloc[0] == pytest.approx(2 * clusters["p"].iloc[0])
    assert clusters["peak_effect"].iloc[0] > bands.loc[("N2", "all channels", "sigma"), "g"]
    assert found.findings["bands"].status == "ok"
    assert "sigma" in found.findings["bands"].measured
    assert "too large on average" in found.findings["clusters"].measured


def test_the_order_of_groups_is_the_sign(planted, found):
    other = compare_groups(planted, "group", groups=PAIR[::-1], stages=["N2", "N3"], n_permutations=0)
    np.testing.assert_allclose(other.bands["difference"], -found.bands["difference"])
    np.testing.assert_allclose(other.bands["p"], found.bands["p"])


def test_fdr_is_over_the_whole_table(found):
    p = found.bands["p"].to_numpy()
    np.testing.assert_allclose(found.bands["p_fdr"], stats.false_discovery_control(p))


def test_nothing_found_is_never_told_as_no_difference():
    found = compare_groups(simulate_cohort(16, seed=3, stages=("N2", "N3")), "group", n_permutations=100)
    assert not (found.bands["p_fdr"] < 0.05).any()
    line = found.findings["bands"]
    assert line.status == "unknown"
    assert "does not show that there is no difference" in line.measured
    assert line.values["reach"] > 0.5
    assert "does not show" in found.findings["clusters"].measured


def test_few_people_are_a_warning_that_names_the_plan():
    found = compare_groups(simulate_cohort(16, seed=3, stages=("N2",)), "group", n_permutations=0)
    assert found.findings["people"].status == "warning"
    assert "plan_epochs" in found.findings["people"].remedy


def test_large_errors_and_few_epochs_are_a_warning():
    cohort = simulate_cohort(30, n_explained=3, seed=1, stages=("N2",))
    line = compare_groups(cohort, "group", n_permutations=0).findings["errors"]
    assert line.status == "warning"
    assert line.values["error_share"] > 0.4
    assert line.values["n_few"] > 10
    good = compare_groups(simulate_cohort(30, n_explained=200, seed=1, stages=("N2",)), "group", n_permutations=0)
    assert good.findings["errors"].status == "ok"


def test_a_group_with_larger_errors_is_told_of():
    apart = simulate_cohort(30, error_ratio=2.0, n_explained=12, seed=1, stages=("N2",))
    line = compare_groups(apart, "group", n_permutations=0).findings["errors"]
    assert line.status == "warning"
    assert line.values["unequal"] == pytest.approx(2.0, rel=0.25)
    assert "times another's" in line.measured


def test_groups_that_are_staged_unlike_are_told_of():
    cohort = simulate_cohort(30, seed=5, stages=("N2", "N3"))
    patient = cohort.recordings["group"] == "patient"
    stages = cohort.stages.copy()
    own = stages["recording"].isin(cohort.recordings.index[patient]) & (stages["stage"] == "N3")
    stages.loc[own, "n_predicted"] = (stages.loc[own, "n_predicted"] * 0.3).astype(int)
    recordings = cohort.recordings.assign(kappa=cohort.recordings["kappa"] - 0.3 * patient)
    found = compare_groups(
        replace(cohort, stages=stages, recordings=recordings), "group", groups=PAIR, n_permutations=0
    )
    table = found.staging.set_index(["quantity", "stage"])
    assert table.loc[("share predicted", "N3"), "p_fdr"] < 0.05
    assert table.loc[("share predicted", "N3"), "difference"] < 0
    assert table.loc[("share scored", "N3"), "p_fdr"] > 0.05
    assert table.loc[("kappa", "all stages"), "difference"] == pytest.approx(-0.3, abs=0.06)
    assert found.findings["staging"].status == "warning"
    assert "epochs='agreed'" in found.findings["staging"].remedy


def test_a_difference_that_goes_with_agreement_is_gone_with_it():
    """Attribution follows kappa alone, in which the groups differ."""
    rng = np.random.default_rng(0)
    kappa = np.concatenate([rng.normal(0.6, 0.08, 20), rng.normal(0.8, 0.08, 20)])
    cohort = by_hand(kappa + 0.01 * rng.normal(size=40), ["a"] * 20 + ["b"] * 20, kappa=kappa)
    found = compare_groups(cohort, "group", n_permutations=0)
    row = found.bands.iloc[0]
    assert row["p_fdr"] < 0.001
    assert row["adjusted_low"] < 0 < row["adjusted_high"]
    assert found.findings["agreement"].status == "warning"
    asked = compare_groups(cohort, "group", covariates=["kappa"], n_permutations=0)
    assert asked.bands.iloc[0]["difference"] == pytest.approx(row["adjusted"])
    assert "adjusted" not in asked.bands
    assert "given kappa" in asked.title


def test_means_over_agreed_epochs_are_compared_where_there_are_any():
    cohort = by_hand(np.arange(10.0), ["a", "b"] * 5)
    with pytest.raises(ParameterError, match="no means over the epochs on which the stager and the scorer agree"):
        compare_groups(cohort, "group", epochs="agreed")
    bands = cohort.bands.assign(mean_agreed=cohort.bands["mean"] * 2, error_agreed=0.1, n_agreed=5)
    found = compare_groups(replace(cohort, bands=bands), "group", epochs="agreed", n_permutations=0)
    assert found.bands.iloc[0]["difference"] == pytest.approx(-2.0)
    # spectra of all epochs are none of those
    assert compare_groups(replace(cohort, bands=bands), "group", epochs="agreed", n_permutations=10).clusters.empty


def test_failed_recordings_and_people_without_a_group_are_counted():
    cohort = simulate_cohort(30, seed=1, stages=("N2",))
    recordings = cohort.recordings.copy()
    recordings.iloc[0, recordings.columns.get_loc("status")] = "failed"
    recordings.iloc[1, recordings.columns.get_loc("group")] = None
    found = compare_groups(replace(cohort, recordings=recordings), "group", n_permutations=0)
    assert sum(found.n.values()) == 28
    said = found.findings["people"].measured
    assert "1 recordings failed" in said
    assert "1 people without a group" in said


def test_a_channel_that_few_have_costs_no_people():
    cohort = simulate_cohort(20, seed=1, stages=("N2",))
    lacking = list(cohort.recordings.index[:12])
    bands = cohort.bands[~(cohort.bands["recording"].isin(lacking) & (cohort.bands["channel"] == "O1-M2"))]
    spectra = cohort.spectra.copy(deep=True)
    spectra["mean"].loc[{"recording": lacking, "channel": "O1-M2"}] = np.nan
    found = compare_groups(replace(cohort, bands=bands, spectra=spectra), "group", n_permutations=50)
    assert "O1-M2" not in set(found.bands["channel"])
    assert "O1-M2 left out" in found.findings["people"].measured
    assert (found.bands["n_patient"] == 10).all()
    assert set(found.clusters["n"]) == {20}


def test_a_stage_that_few_have_is_told_without_p():
    cohort = simulate_cohort(12, seed=1, stages=("N2", "N3"))
    lacking = list(cohort.recordings.index[:9])
    bands = cohort.bands[~(cohort.bands["recording"].isin(lacking) & (cohort.bands["stage"] == "N3"))]
    spectra = cohort.spectra.copy(deep=True)
    spectra["mean"].loc[{"recording": lacking, "stage": "N3"}] = np.nan
    found = compare_groups(replace(cohort, bands=bands, spectra=spectra), "group", n_permutations=50)
    assert found.bands.query("stage == 'N3'")["p"].isna().all()
    assert found.bands.query("stage == 'N2'")["p"].notna().all()
    assert found.findings["clusters"].values["n_stages"] == 1


@pytest.mark.parametrize(
    ("change", "asked", "says"),
    [
        ({}, {"by": "diagnosis"}, "no column 'diagnosis'"),
        ({}, {"by": "group", "groups": ["patient", "nurse"]}, "two groups or more. Got nurse"),
        ({}, {"by": "group", "groups": ["patient"]}, "two groups or more"),
        ({}, {"by": "age"}, "Use correlate for a number"),
        ({}, {"by": "group", "stages": ["N4"]}, "no such stage. Got N4"),
        ({}, {"by": "group", "picks": ["Cz"]}, "no such channel"),
        ({}, {"by": "group", "epochs": "some"}, "epochs must be one of"),
        ({"group": ["patient"] * 2 + ["control"] * 10}, {"by": "group"}, "fewer than 3 people"),
        ({"subject": ["a", "a"] + [f"s{k}" for k in range(10)], "group": ["patient", "control"] * 6}, {"by": "group"},
         "differs between nights of one person.*mixed_model"),
        ({"status": "failed"}, {"by": "group"}, "No recording of the cohort is done"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(change, asked, says):
    cohort = with_columns(simulate_cohort(12, seed=1, stages=("N2",)), **change)
    with pytest.raises(ParameterError, match=says):
        compare_groups(cohort, **asked)


def test_cells_without_variance_have_no_p():
    found = compare_groups(by_hand(np.ones(10), ["a", "b"] * 5), "group", n_permutations=20)
    assert np.isnan(found.bands["p"].iloc[0])
    assert found.findings["bands"].status == "unknown"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"freq_step": -1.0}, "freq_step must be a width in Hz"),
        ({"freq_step": float("nan")}, "freq_step must be"),
        ({"cluster_alpha": 1.5}, r"cluster_alpha must be between 0 and 1\. Got 1\.5"),
        ({"n_permutations": -1}, "n_permutations must be a positive whole number or 0"),
        ({"n_permutations": "many"}, "n_permutations must be a positive whole number or 0"),
        ({"seed": -1}, "seed must be"),
        ({"stages": []}, "without a stage"),
        ({"bands": []}, "without a band"),
        ({"picks": []}, "without a channel"),
        ({"stages": "N9"}, "no such stage"),
        ({"covariates": 3}, "covariates must be a list of text"),
        ({"groups": 3}, "groups must be a list"),
    ],
)
def test_what_cannot_be_asked_of_groups_and_numbers(given, words):
    cohort = simulate_cohort(8, seed=1)
    with pytest.raises(ParameterError, match=words):
        compare_groups(cohort, "group", **given)
    if "groups" not in given:
        with pytest.raises(ParameterError, match=words):
            correlate(cohort, "age", **given)
