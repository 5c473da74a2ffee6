"""How many epochs and people a comparison needs."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from eegflex.cohort import plan_epochs, simulate_cohort
from eegflex.cohort.simulated import BETWEEN, OF_EPOCHS
from eegflex.errors import ParameterError

ONE = {"stages": ("N2",), "channels": ("C3-M2",)}


@pytest.fixture(scope="module")
def plan():
    return plan_epochs(simulate_cohort(400, n_explained=10, seed=1, **ONE), bands=["sigma"])


def test_it_finds_what_people_and_epochs_differ_in(plan):
    row, between, of_epochs = plan.table.iloc[0], BETWEEN["N2"][3], OF_EPOCHS["N2"][3]
    assert row["between_sd"] / row["epoch_sd"] == pytest.approx(between / of_epochs, rel=0.12)
    assert row["between_sd"] == pytest.approx(between, rel=0.15)
    assert row["between_low"] < row["between_sd"] < row["between_high"]
    assert row["epochs"] == pytest.approx((of_epochs / (0.5 * between)) ** 2, rel=0.25, abs=1)
    assert row["epochs_now"] == pytest.approx(10, abs=1)


def test_a_run_with_so_many_epochs_has_the_error_that_was_asked_for(plan):
    epochs = int(plan.table["epochs"].iloc[0])
    after = plan_epochs(simulate_cohort(400, n_explained=epochs, seed=2, **ONE), bands=["sigma"]).table.iloc[0]
    assert after["epoch_sd"] / np.sqrt(after["epochs_now"]) / after["between_sd"] == pytest.approx(0.5, rel=0.2)


def test_people_are_those_of_the_power_of_the_t_test(plan):
    row = plan.table.iloc[0]
    exact = TTestIndPower().solve_power(0.8, power=0.8, alpha=0.05)
    assert row["people_least"] == np.ceil(exact)
    seen = 0.8 / np.sqrt(1 + (row["epoch_sd"] / row["between_sd"]) ** 2 / row["epochs_now"])
    assert row["people_now"] == np.ceil(TTestIndPower().solve_power(seen, power=0.8, alpha=0.05))
    assert row["people_least"] <= row["people"] <= row["people_now"]


def test_it_says_so_where_more_are_needed(plan):
    assert plan.findings["epochs"].status == "warning"
    assert "sample_per_stage" in plan.findings["epochs"].remedy
    enough = plan_epochs(simulate_cohort(100, n_explained=200, seed=1, **ONE), bands=["sigma"])
    assert enough.findings["epochs"].status == "ok"


def test_people_who_do_not_differ_more_than_errors_cannot_be_planned_for():
    table = plan_epochs(simulate_cohort(8, n_explained=3, error_ratio=6.0, seed=3, **ONE)).table
    lost = table[table["between_sd"].isna()]
    assert len(lost)
    assert lost[["epochs", "people", "people_now"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"share": 0}, "share is out of its range"),
        ({"power": 1.0}, "power is out"),
        ({"effect": float("nan")}, "effect is out"),
    ],
)
def test_bad_numbers_are_refused(asked, says):
    with pytest.raises(ParameterError, match=says):
        plan_epochs(simulate_cohort(10, **ONE), **asked)


def test_too_small_a_pilot_is_refused():
    with pytest.raises(ParameterError, match="too few people"):
        plan_epochs(simulate_cohort(4, **ONE))
