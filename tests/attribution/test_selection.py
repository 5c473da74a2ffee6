"""What is to be explained is chosen in the night, not cut out of it."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs, view
from models import Smooth

import eegflex
from eegflex.attribution.selection import selected
from eegflex.errors import EegflexError, ParameterError, RecordingError
from eegflex.spec.model_spec import ContextSpec, ModelSpec

NEIGHBOURS = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))


@pytest.fixture(scope="module")
def night():
    return eegflex.stage_epochs(scored_epochs(n_epochs=12), Smooth(), verbose="error")


def numbers(result):
    return result.data["number"].values.tolist()


@pytest.mark.parametrize(
    "select",
    [[3, 7], np.array([7, 3, 3]), "3,7", "3, 7-7", pd.Series([3, 7]), np.isin(np.arange(12), [3, 7])],
    ids=["list", "array", "text", "range", "series", "mask"],
)
def test_a_chosen_epoch_is_explained_as_in_the_whole_night(select):
    epochs = noise_epochs(n_epochs=12)
    asked = {"spec": NEIGHBOURS, "quadrature": "gauss-legendre", "n_steps": 4, "dtype": "float64", "on_check": "ignore"}
    whole, chosen = explain(epochs, Smooth(), **asked), explain(epochs, Smooth(), select=select, **asked)
    assert numbers(chosen) == [3, 7]
    assert set(chosen.parameters["select"]) == {3, 7}
    rows = [numbers(whole).index(number) for number in (3, 7)]
    np.testing.assert_allclose(view(chosen), view(whole)[rows], atol=1e-12)
    np.testing.assert_array_equal(chosen.data["night_scores"].values, whole.data["night_scores"].values)
    alone = explain(epochs[[3, 7]], Smooth(), spec=ModelSpec(), on_check="ignore")  # a model of one epoch does not mind
    assert len(alone) == 2
    with pytest.raises(RecordingError, match=r"hole.*select=epochs\.selection"):
        explain(epochs[[3, 7]], Smooth(), **asked)
    again = explain(epochs, Smooth(), select=epochs[[3, 7]].selection, **asked)
    np.testing.assert_array_equal(view(again), view(chosen))


QUERIES = {
    "number > 8": lambda t: t.number > 8,
    "stage == 'REM'": lambda t: t.stage == "REM",
    "predicted != stage": lambda t: t.predicted != t.stage,
    "predicted == 'N2' and stage in ['N1', 'W']": lambda t: (t.predicted == "N2") & t.stage.isin(["N1", "W"]),
    "stage not in ('N1', 'W')": lambda t: ~t.stage.isin(["N1", "W"]),
    "not (stage == 'W')": lambda t: t.stage != "W",
    "(stage == 'W') | (number == 3)": lambda t: (t.stage == "W") | (t.number == 3),
    "30 < onset <= 90": lambda t: (t.onset > 30) & (t.onset <= 90),
    "N2 - N1 > -0.5": lambda t: t.N2 - t.N1 > -0.5,
    "`margin` < 0.5 and agreeing == n_channel_sets": lambda t: (t.margin < 0.5) & (t.agreeing == t.n_channel_sets),
    "fault == ''": lambda t: t.fault == "",
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_what_pandas_says_of_the_table(night, query):
    wanted = np.flatnonzero(QUERIES[query](night.to_data_frame()))
    assert len(wanted)
    assert selected(night, query).tolist() == wanted.tolist()
    assert (
        numbers(eegflex.attribute_epochs(night, select=query, method="saliency", on_check="ignore", verbose="error"))
        == wanted.tolist()
    )


PWNED = []


@pytest.mark.parametrize(
    "query",
    [
        "__import__('os').system('true')",
        "@pwned()",
        "@PWNED.append(1)",
        "stage.str.len() > 1",
        "stage.map(print) == 1",
        "number.__class__ == 1",
        "[x for x in number] == 1",
        "(lambda: 1)() == 1",
        "stage == f'{number}'",
        "number[0] == 1",
        "number if 1 else 2",
        "sin(number) > 0",
        "number := 3",
        "number = 3",
        "number > 3\nPWNED = 1",
        "number > 3; number < 2",
        "'a' * 999999999 == stage",
        "9 ** 9 ** 9 > number",
        "1 << 99999999999 > number",
        "number > " + "(" * 400 + "1" + ")" * 400,
        "number > " + "-" * 900 + "1",
        "not " * 240 + "number",
        "number > 1 or " * 200 + "number > 1",
        "b'x' == stage",
        "number > 1j",
        "number > ...",
        "stage == None",
        "PWNED == 1",
        "index == 1",
        "level_0 == 1",
        "@",
        "`",
        "`stage",
        "``  == 1",
        "\0",
        "",
        " ",
        "margin",
        "1 == 1",
        "'W'",
        "stage < 3",
        "stage + 1 == 2",
        "number / stage > 1",
        "~margin",
        "onset > 1e9",
        "stage == 'N9'",
    ],
)
def test_a_query_that_is_more_than_a_comparison_is_refused(night, query, recwarn):
    begun = time.monotonic()
    with pytest.raises(EegflexError) as caught:
        selected(night, query)
    assert time.monotonic() - begun < 2
    assert len(str(caught.value)) < 2500
    assert PWNED == []


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ([12], "do not exist.*0 to 11"),
        ([-1], "do not exist"),
        ([True] * 11, "one boolean for each epoch. Got 11. Allowed: 12"),
        ([False] * 12, "No epoch is selected"),
        ("colour == 'red'", "no such column. Got colour. Allowed: number, onset"),
    ],
)
def test_what_is_not_there_is_not_selected(night, select, words):
    with pytest.raises(ParameterError, match=words):
        eegflex.attribute_epochs(night, select=select, verbose="error")


def test_what_cannot_be_explained_is_left_out_and_said(caplog):
    epochs = noise_epochs(n_epochs=6)
    epochs._data[2] = 0.0
    result = eegflex.attribute_epochs(epochs, Smooth(), select=[1, 2, 3], on_check="ignore", verbose="info")
    assert numbers(result) == [1, 3]
    assert "1 of 3 selected epochs cannot be explained" in caplog.text
    with pytest.raises(EegflexError, match="None of the selected epochs can be explained"):
        explain(epochs, Smooth(), select=[2])


def test_a_sample_is_drawn_from_what_is_selected():
    epochs = scored_epochs(n_epochs=40)
    result = explain(epochs, Smooth(), select="number >= 20", sample_per_stage=2, method="saliency", on_check="ignore")
    assert min(numbers(result)) >= 20
    assert set(result.counts().values()) <= {1, 2}


def test_a_sample_is_of_the_whole_night():
    """Over seeds, the mean of what is drawn is the middle of the night, as it would not be of the first ones."""

    class Constant(torch.nn.Module):
        def forward(self, x):
            return x.square().mean((1, 2))[:, None] * 0.001 + torch.arange(5.0)

    epochs = noise_epochs(n_epochs=60, n_times=320)
    drawn = [
        numbers(explain(epochs, Constant(), sample_per_stage=6, method="saliency", on_check="ignore", seed=seed))
        for seed in range(12)
    ]
    assert abs(np.mean(drawn) - 29.5) < 3 * 60 / np.sqrt(12 * 72)
    assert np.ptp(drawn) > 50
