"""The search for smallest sets: theorems about functions of sets whose smallest are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from eegflex.evaluation.smallest import least_step, smallest_set

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("case", range(20))
def test_of_a_sum_no_set_that_holds_is_smaller(case):
    rng = np.random.default_rng(case)
    weights, least = rng.standard_normal(8), rng.uniform(0, 3)

    def ask(sets):
        return sets @ weights - least

    found = smallest_set(ask, np.argsort(-weights))
    every = np.array(list(itertools.product([False, True], repeat=8)))
    sizes = every[ask(every) > 0].sum(axis=1)
    if len(sizes):
        assert ask(found.members[None])[0] > 0
        assert found.members.sum() == sizes.min()
    else:
        assert found.members is None
        assert found.in_order is None


@pytest.mark.parametrize("case", range(20))
def test_whatever_is_asked_no_member_can_be_left_out(case):
    """The answer to each set is drawn at random, so that to hold of more is no reason to hold of less."""
    rng = np.random.default_rng(case)
    answers = rng.standard_normal(2**7) - 1.0
    answers[-1] = 1.0
    asked = []

    def ask(sets):
        asked.append(len(sets))
        return answers[sets @ (2 ** np.arange(7))]

    found = smallest_set(ask, rng.permutation(7)).members
    assert ask(found[None])[0] > 0
    own = np.flatnonzero(found)
    if len(own) > 1:
        assert (ask(found & ~np.eye(7, dtype=bool)[own]) <= 0).all()
        assert (ask(np.eye(7, dtype=bool)) <= 0).all()  # nor would a single one do
    assert sum(asked) < 2**7


def test_a_set_that_holds_only_by_chance_on_the_way_does_not_count():
    """It holds of one part, no longer of two, and again from three parts on: that is where it is stable."""
    by_size = np.array([-1.0, 1.0, -1.0, 1.0, 1.0])
    found = smallest_set(lambda sets: by_size[sets.sum(axis=1)], np.arange(4))
    assert found.in_order == 3


def test_where_it_does_not_hold_in_the_end_it_is_where_it_first_does():
    by_size = np.array([-1.0, -1.0, 1.0, -1.0, -1.0])
    found = smallest_set(lambda sets: by_size[sets.sum(axis=1)], np.arange(4))
    assert found.in_order == 2
    assert found.members.tolist() == [True, True, False, False]


def test_nothing_is_enough_where_it_holds_of_nothing():
    found = smallest_set(lambda sets: np.ones(len(sets)), np.arange(3))
    assert found.in_order == 0
    assert not found.members.any()


def test_the_order_does_not_change_what_one_part_does_alone():
    weights = np.array([0.1, 0.2, 5.0, -1.0])
    for order in itertools.permutations(range(4)):
        found = smallest_set(lambda sets: sets @ weights - 3.0, np.array(order))
        assert found.members.tolist() == [False, False, True, False]


@pytest.mark.parametrize("threshold", [0.05, 0.4, 0.999])
def test_the_least_step_holds_and_lies_within_a_sixty_fourth(threshold):
    ends = np.array([[2.0, 0.0], [0.0, 3.0]])
    found = least_step(lambda points: points[:, 0] / 2 + points[:, 1] / 30 - threshold, ends)
    least = 2 * threshold
    assert found[1] == 0
    assert least <= found[0] <= least + 2 / 64 + 1e-9
