"""What is compared and told of a cohort whose tables, or arguments, are not what they should be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from eegflex.cohort import compare_groups, correlate, make_cohort_report, mixed_model, simulate_cohort
from eegflex.errors import ParameterError

ASKED = {"stages": ["N2"], "bands": ["sigma"]}


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort(8, nights=2, stages=("N2",), channels=("C3-M2",), seed=1)


def with_column(cohort, **columns):
    return dataclasses.replace(cohort, recordings=cohort.recordings.assign(**columns))


@pytest.mark.parametrize("who", [np.nan, None])
def test_a_recording_of_nobody_is_refused_by_its_name(cohort, who):
    subjects = cohort.recordings["subject"].astype(object)
    subjects.iloc[3] = who
    odd = with_column(cohort, subject=subjects)
    for ask in (
        lambda: compare_groups(odd, "group", **ASKED),
        lambda: correlate(odd, "age", **ASKED),
        lambda: mixed_model(odd, "age", **ASKED),
    ):
        with pytest.raises(ParameterError, match=f"of nobody.*{cohort.recordings.index[3]}"):
            ask()


@pytest.mark.parametrize("numbers", [lambda n: np.arange(n) // 2 % 2, lambda n: np.arange(n) // 2 % 2 == 1])
def test_groups_that_are_numbers_are_called_so(cohort, numbers):
    order = np.argsort(np.argsort(cohort.recordings["subject"].to_numpy(), kind="stable"))
    odd = with_column(cohort, group=numbers(len(order))[order])
    assert set(compare_groups(odd, "group", **ASKED, n_permutations=100).n) == {"0", "1"}


def test_groups_with_large_numbers_have_names_of_their_own(cohort):
    order = np.argsort(np.argsort(cohort.recordings["subject"].to_numpy(), kind="stable"))
    odd = with_column(cohort, group=1234567.0 + order // 2 % 2)
    assert set(compare_groups(odd, "group", **ASKED, n_permutations=100).n) == {"1234567", "1234568"}


@pytest.mark.parametrize("compared", [[1], [None], ["x"], "cohort"])
def test_what_is_no_comparison_is_not_told(cohort, compared):
    with pytest.raises(ParameterError, match="comparisons must be a list of a Comparison"):
        make_cohort_report(cohort, [cohort] if compared == "cohort" else compared)


@pytest.mark.parametrize(
    "compare",
    [
        lambda cohort: compare_groups(cohort, "group", groups=["patient", "control"], **ASKED, n_permutations=100),
        lambda cohort: correlate(cohort, "age", **ASKED, n_permutations=100),
        lambda cohort: mixed_model(cohort, "session", groups=["1", "2"], **ASKED),
    ],
    ids=["groups", "correlation", "mixed model"],
)
def test_a_comparison_is_told_of_its_own_people(cohort, compare):
    found = compare(cohort)
    everyone = set(cohort.recordings["subject"])
    assert set(found.people) == everyone
    assert len(found.people) == sum(found.n.values())
    renamed = {who: f"{who}x" for who in everyone}
    other = with_column(cohort, subject=cohort.recordings["subject"].replace(renamed))
    with pytest.raises(ParameterError, match=r"not in this cohort.*Compare the cohort that the report is of"):
        make_cohort_report(other, [found])
    # of a part of the cohort it may be
    assert found.title in make_cohort_report(cohort, [dataclasses.replace(found, people=found.people[:3])]).sections


def test_a_folder_that_is_no_path_is_refused(cohort):
    with pytest.raises(ParameterError, match="folder is no folder"):
        make_cohort_report(cohort, folder="\0")
