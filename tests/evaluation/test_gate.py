"""The gate on a simulated night, with stagers whose truth is known: what is trusted is right, and what is wrong is not."""

from __future__ import annotations

import numpy as np
import pytest

import eegflex
from benchmarks import gate
from eegflex.evaluation import share_in_truth
from eegflex.results.trust import NOT_EXPLAINED, NOT_TRUSTED, TRUSTED
from eegflex.stagers.zoo.known_truth import SPINDLE

SEED, PARTS = 61, "one by one"


@pytest.fixture(scope="module")
def epochs():
    return eegflex.make_epochs(
        eegflex.simulate_psg(hours=0.6, sfreq=128, seed=SEED, verbose="error").raw, verbose="error"
    )


@pytest.fixture(scope="module")
def spindles(epochs):
    night = eegflex.stage_epochs(epochs, "known-spindle", verbose="error")
    asked = {"sample_per_stage": 5, "baseline": "zero", "on_check": "ignore", "verbose": "error"}
    return eegflex.attribute_epochs(night, **asked), night


def judged(result, night):
    return eegflex.evaluate(result, night, parts=PARTS, sample_per_stage=None, verbose="error").result.trust()


def test_what_is_trusted_lies_in_the_true_place(spindles):
    result, night = spindles
    table = judged(result, night)
    own = (table["predicted"] == "N2").to_numpy()
    assert (table["verdict"][own] == TRUSTED).all(), "silence is not N2, and its explanations are exact"
    assert (table["reasons"][~own] == "the baseline is called its stage already").all()
    assert share_in_truth(result, SPINDLE)[own].min() > 0.9


@pytest.mark.parametrize(
    "spoil", [gate.other_bands, gate.other_channels, gate.other_epochs, gate.a_third, gate.blurred]
)
def test_what_is_wrong_is_not_trusted(spindles, spoil):
    result, night = spindles
    wrong = spoil(result)
    table = judged(wrong.sel(stage="N2"), night)
    assert len(table) == 5
    assert (table["verdict"] == NOT_TRUSTED).all()
    # spoilt as its name says: the same sum elsewhere, or another sum
    sums = [one.data["frequency_view"].values.sum(axis=(1, 2)) for one in (result, wrong)]
    assert np.allclose(*sums, rtol=1e-3) == (spoil is not gate.other_epochs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "verdict", "why"),
    [
        ("known-spindle: of its neighbours", NOT_EXPLAINED, "its context decided"),
        ("known-spindle: scale-free, from silence", NOT_TRUSTED, "it arises right beside the baseline"),
        ("known-spindle: of phases alone", NOT_TRUSTED, "waveforms or relations decide its stage"),
    ],
)
def test_stagers_that_no_band_explains_are_doubted_for_that(epochs, name, verdict, why):
    case = gate.CASES[name]
    night = eegflex.stage_epochs(epochs, case.stager(), verbose="error")
    asked = {"sample_per_stage": 4, "on_check": "ignore", "verbose": "error"}
    table = judged(eegflex.attribute_epochs(night, **asked | case.asked), night)
    own = table[table["predicted"] == "N2"]
    assert len(own)
    assert TRUSTED not in set(table["verdict"])
    assert (own["verdict"] == verdict).any()
    assert own["reasons"].str.contains(why).all()
