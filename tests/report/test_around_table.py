"""What the epochs around an epoch did is told by stage, with how many epochs, and how sure that is."""

from __future__ import annotations

import re

import example_results
import numpy as np
import pytest
from scipy.special import softmax

from eegflex.evaluation import assess
from eegflex.report.around_table import around_table
from eegflex.report.facts import of_stages
from eegflex.report.tiles import make_tiles
from eegflex.results.night import night_of


@pytest.fixture(scope="module")
def night():
    """Forty epochs, of which the context makes a quarter of the change, but all of it in N2."""
    made = example_results.make_context_result(epochs=example_results.make_epochs(n_epochs=40))
    data = made.to_xarray()
    names = data["stage_name"].values.astype(str)
    data["onset"].values[:] *= 20  # all over a night, so that there are blocks enough for an interval
    rng = np.random.default_rng(0)
    for epoch, stage in enumerate(data["predicted"].values[:, 0].astype(str)):
        k, change = names.tolist().index(stage), 2 + rng.random()
        own = 0.0 if stage == "N2" else 0.75
        scores = data["replaced_scores"].values[epoch, 0]
        recorded = data["scores"].values[epoch, 0].astype(float)
        for row, left in enumerate((1.0, 1 - own, own, 0.0)):  # nothing, epoch, context, both at the baseline
            scores[row] = recorded
            scores[row, k] = recorded[k] - change * (1 - left)
    return type(made)(data)


def rows_of(html):
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    cells = [[re.sub(r"<.*?>", "", one) for one in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows]
    return {row[0]: dict(zip(cells[0], row, strict=True)) for row in cells[1:]}


def test_shares_counts_and_what_is_left(night):
    data, told = night.data, rows_of(around_table(night))
    predicted = data["predicted"].values[:, 0].astype(str)
    assert set(told) == set(predicted)
    for stage, row in told.items():
        places = np.flatnonzero(predicted == stage)
        assert int(row["n"]) == len(places)
        assert row["share"] == ("100 %" if stage == "N2" else "25 %")
        assert row["decided in"] == f"{len(places) if stage == 'N2' else 0} of {len(places)}"
        k = night.stages.index(stage)
        for column, place in (("as recorded", 0), ("epoch replaced", 1), ("neighbours replaced", 2)):
            chances = softmax(data["replaced_scores"].values[places, 0, place].astype(float), axis=-1)[:, k]
            assert float(row[column]) == pytest.approx(np.median(chances), abs=0.0051)
        low, high = re.fullmatch(r"(\d+) % to (\d+) %", row["interval"]).groups()
        assert int(low) <= int(row["share"].split()[0]) <= int(high)


def test_of_few_epochs_there_is_no_interval_and_that_is_said(night):
    few = night[np.arange(10)]
    html = around_table(few)
    assert {row["interval"] for row in rows_of(html).values()} == {"–"}
    assert "Too few epochs for a statement about the stage" in html


def test_a_stager_that_sees_no_other_epoch_has_none(result):
    assert around_table(result) == ""


def test_the_tile_claims_nothing_of_few_epochs(night):
    def tile(made):
        return make_tiles(night_of(made.data), of_stages(made), assess(made)["agreement"])[2]

    many = tile(night)
    assert (many.grade, many.title) == ("some", "N2 is not decided by the epoch's own rhythms")
    n = night.counts()
    assert f"The neighbouring epochs decide N2 (in {n['N2']} of {n['N2']})" in many.text
    own = ", ".join(f"{stage} (n = {count})" for stage, count in n.items() if stage != "N2")
    assert f"{own}: the epoch's own rhythms decide" in many.text
    few = tile(night[np.arange(10)])
    assert (few.grade, few.title) == ("unknown", "What decides is not known")
    assert few.text.startswith("Too few epochs to tell (")
    assert few.text.endswith("In these, the neighbouring epochs decide N2 (in 2 of 2).")
