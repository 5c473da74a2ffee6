"""What is computed once while something long is made of a result."""

import numpy as np

import eegflex
from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.once import computed_once, known


def counting():
    asked = []

    def compute():
        asked.append(1)
        return len(asked)

    return compute


def test_it_is_computed_once_within_and_anew_without():
    of, compute = object(), counting()
    assert [known(of, "n", compute) for _ in range(2)] == [1, 2]
    with computed_once():
        assert [known(of, "n", compute) for _ in range(2)] == [3, 3]
        assert known(of, "m", compute) == 4
        assert known(object(), "n", compute) == 5
        with computed_once():  # which is part of the whole
            assert known(of, "n", compute) == 3
        assert known(of, "n", compute) == 3
    assert known(of, "n", compute) == 6


def test_what_a_second_object_in_the_place_of_the_first_has_is_its_own():
    with computed_once():
        told = [known(np.array([number]), "n", lambda number=number: number) for number in range(100)]
    assert told == list(range(100))


def test_sums_of_other_bands_epochs_and_variables_are_their_own(result):
    data, few = result.data, result.data.isel(epoch=slice(0, 2))
    asked = [
        (data, Bands(), "frequency_view"),
        (few, Bands(), "frequency_view"),
        (data, Bands({"all": (0.5, 30.0)}), "frequency_view"),
        (data, Bands(), "power"),
        (few, Bands(), "power"),
    ]
    apart = [tables.band_sums(*one) for one in asked]
    with computed_once():
        first, again = ([tables.band_sums(*one) for one in asked] for _ in range(2))
    for one, two, three in zip(apart, first, again, strict=True):
        np.testing.assert_array_equal(two, one)
        assert three is two


def test_a_page_is_the_same_after_that_of_another_result(result, pair_result):
    alone = eegflex.make_report(result, verbose="error").html
    with computed_once():
        eegflex.make_report(pair_result, verbose="error")
        together = eegflex.make_report(result, verbose="error").html
    assert together == alone
