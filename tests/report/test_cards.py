"""Which epochs have a card: typical ones and some to review, and why is told."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex.report.cards import cards_of


@pytest.fixture(scope="module")
def night():
    return example_results.explain(example_results.make_epochs(n_epochs=40))


def changed(result, change):
    data = result.to_xarray()
    change(data)
    return type(result)(data)


def sure(data):
    """All epochs of the night are staged as they are with a probability of 0.96."""
    own = np.log(np.full((40, 5), 0.01) + 0.95 * np.eye(5)[np.arange(40) % 5])
    data["night_scores"].values[:, 0] = own


def test_the_typical_epoch_is_the_nearest_to_the_median_of_its_stage(night):
    """Eight epochs of N2 with 1 to 8 in sigma and nothing else; one more in another band is far away."""

    def numbers(data):
        sure(data)
        view = np.zeros(data["frequency_view"].shape)
        sigma, theta = (int(np.searchsorted(data["freq"].values, f)) for f in (14.0, 6.0))
        n2 = np.flatnonzero(data["predicted"].values[:, 0] == "N2")
        view[n2, 0, sigma] = [1, 2, 3, 4.4, 5, 6, 7, 8]
        view[n2[3], 0, theta] = 100.0
        data["frequency_view"].values[...] = view

    made = changed(night, numbers)
    n2 = np.flatnonzero(made.data["predicted"].values[:, 0] == "N2")
    (card,) = [one for one in cards_of(made, 1) if one.stage == "N2"]
    assert card.number == n2[4]
    assert (
        card.why == "Typical: of 8 epochs of N2 that were explained, one of the closest to the median of their bands."
    )


def test_an_epoch_whose_change_is_within_its_error_is_not_typical(night):
    """All but one of N2 did not change the score by more than the error."""

    def still(data):
        sure(data)
        n2 = np.flatnonzero(data["predicted"].values[:, 0] == "N2")
        data["baseline_score"].values[np.delete(n2, 6)] = data["score"].values[np.delete(n2, 6)]

    made = changed(night, still)
    (card,) = [one for one in cards_of(made, 1) if one.stage == "N2"]
    assert card.number == np.flatnonzero(made.data["predicted"].values[:, 0] == "N2")[6]

    def all_still(data):
        sure(data)
        data["baseline_score"].values[...] = data["score"].values

    (card,) = [one for one in cards_of(changed(night, all_still), 1) if one.stage == "N2"]
    assert card.why.endswith("None of them changed the score by more than its error, so this explains none of them.")


def test_an_epoch_to_review_is_shown_beside_it_with_the_reason(night):
    def unsure(data):
        sure(data)
        data["night_scores"].values[22, 0] = np.log([0.05, 0.4, 0.45, 0.05, 0.05])

    made = changed(night, unsure)
    why = [one.why for one in cards_of(made, 1) if one.number == 22]
    assert len(why) == 1
    assert "o review" in why[0]
    assert "N2/N1 margin 0.05" in why[0]
    assert [one.number for one in cards_of(changed(night, sure), 0)] == []
    assert len(cards_of(changed(night, sure), 2)) == 10
