"""Whether explanations can be believed, in words: right marks, right numbers, and what was not measured is called so."""

from __future__ import annotations

import example_results
import numpy as np
import pytest
from pages import Page

from eegflex.evaluation import assess
from eegflex.evaluation.evaluation import with_measures
from eegflex.findings import error, ok, unknown, warning
from eegflex.report.believed import believed
from eegflex.report.evidence_words import HOLDS, IN_PART, NOT, NOT_MEASURED, evidence_of
from eegflex.report.parts import Gathered

MEAN = {"n": 20, "mean": 0.9, "low": 0.81, "high": 0.95}
SIMILAR = {"n": 30, "signed": -0.16, "signed_low": -0.24, "signed_high": -0.08}


def kinds(*found):
    return {one.kind: one for one in evidence_of(found)}


@pytest.mark.parametrize(
    ("one", "kind", "said"),
    [
        (
            ok("", **{"n": 50, "attribution mean": 0.5, "attribution low": 0.27, "attribution high": 0.63, "power mean": 0.23})
            .named("faithfulness"), "faithfulness",
            "Inserted and deleted in the order of the explanation, frequencies change the probability by an area of 0.50 "
            "(95 % interval 0.27 to 0.63, n = 50); in random order by 0, in the order of power by 0.23.",
        ),
        (
            ok("", **{"n": 50, "attribution mean": 0.6, "attribution low": 0.27, "attribution high": 0.63, "power mean": 0.55,
                      "attribution - power mean": 0.05, "attribution - power low": -0.01, "attribution - power high": 0.13})
            .named("faithfulness"), "faithfulness",
            "Inserted and deleted in the order of the explanation, frequencies change the probability by an area of 0.60 "
            "(95 % interval 0.27 to 0.63, n = 50); in random order by 0, in the order of power, which needs no explanation, "
            "by 0.55 (difference 0.05, −0.01 to 0.13: no distinguishable difference).",
        ),
        (
            ok("", **{"n": 50, "attribution mean": 0.3, "attribution low": 0.27, "attribution high": 0.63, "power mean": 0.5,
                      "attribution - power mean": -0.2, "attribution - power low": -0.3, "attribution - power high": -0.1})
            .named("faithfulness"), "faithfulness",
            "Inserted and deleted in the order of the explanation, frequencies change the probability by an area of 0.30 "
            "(95 % interval 0.27 to 0.63, n = 50); in random order by 0, in the order of power, which needs no explanation, "
            "by 0.50 (difference −0.20, −0.30 to −0.10: power is the better order).",
        ),
        (
            ok("", **MEAN).named("knock-out"), "faithfulness",
            "The larger the attribution of a band, the more is lost without it: rank correlation 0.90 (95 % interval "
            "0.81 to 0.95, "
            "n = 20).",
        ),
        (
            ok("", **MEAN).named("one by one"), "faithfulness",
            "Of the attributed effect, single bands cause 90 % by themselves (95 % interval 81 % to 95 %, n = 20); "
            "the rest needs several bands.",
        ),
        (
            ok("", **SIMILAR, **{"as it is signed": 0.97}).named("random weights"), "sanity",
            "With the network's weights shuffled, the explanation changes: similarity −0.16 (95 % interval −0.24 to "
            "−0.08, n = 30); with the true weights 0.97.",
        ),
        (
            ok("", **SIMILAR).named("another stage"), "sanity",
            "For another stage, the explanation of the same epoch changes: similarity −0.16 (95 % interval −0.24 to "
            "−0.08, n = 30).",
        ),
        (
            ok("", **MEAN, **{"other epochs": 0.15}).named("stability: noise"), "stability",
            "With noise of a hundredth of its power, it stays the same: similarity 0.90 (95 % interval 0.81 to 0.95, n = "
            "20); with other epochs 0.15.",
        ),
        (
            ok("", share=0.14, chance=0.34, excess=-0.2, low=-0.28, high=-0.13, n=50).named("shortcut: level"), "shortcuts",
            "Of a channel's effect, 14 % comes from the level of its signal, not from its shape (by chance 34 %; "
            "difference 95 % "
            "interval −28 % to −13 %, n = 50).",
        ),
        (
            ok("", kind="slow_wave", enrichment=1.47, enrichment_low=1.2, enrichment_high=1.8, n_epochs=5)
            .named("N3 grounding"),
            "events",
            "N3: 1.5 times as much of the evidence for it lies in slow waves as by chance (95 % interval 1.2 to 1.8, "
            "5 epochs).",
        ),
    ],
)  # fmt: skip
def test_what_speaks_for_it_is_one_sentence_with_n_and_interval(one, kind, said):
    assert kinds(one)[kind].speaks_for == (said,)
    assert kinds(one)[kind].verdict == HOLDS


def test_what_speaks_against_it_stands_beside():
    against = warning("", "Say what it was compared with", **MEAN | {"mean": 0.08, "low": -1.0, "high": 0.37})
    open_ = unknown("nobody was asked", "Ask", n=0).named("agreement: second opinion")
    found = kinds(against.named("agreement: baseline"), open_)["agreement"]
    assert found.verdict == NOT
    assert found.against == (
        "Compared with another baseline it says something else: similarity 0.08 (95 % interval −1.00 to 0.37, n = 20). Say "
        "what it was compared with.",
    )
    assert found.open == ("Nobody was asked. Ask.",)
    assert not found.speaks_for


def test_shortcuts_are_one_sentence_and_what_is_not_there_is_no_merit():
    there = ok("", share=0.009, chance=0.003, excess=0.009, low=0.006, high=0.019, n=50).named("shortcut: below")
    gone = [
        ok("", share=0.0, chance=0.0, excess=0.0, low=0.0, high=0.0, n=50).named(f"shortcut: {name}")
        for name in ("line", "artifact")
    ]
    assert kinds(there, *gone)["shortcuts"].speaks_for == (
        "Hardly any attribution lies there: below the high-pass 0.9 % (0.6 % to 1.9 %) (95 % intervals, n = 50). "
        "Not present in the recording: power line, artifacts.",
    )


def test_sets_say_how_often_the_baseline_is_the_stage_already():
    sets = {"sufficient": "delta at C3", "sufficient n": 7, "sufficient n_same": 4, "sufficient size": 1.4}
    sizes = {"sufficient size low": 1.0, "sufficient size high": 2.1}
    for_it = ok("", n=10, n_baseline_is_stage=3, **sets, **sizes).named("sets N3")
    against = warning("", "", n=10, n_baseline_is_stage=8).named("sets W")
    found = kinds(for_it, against)["sets"]
    assert found.verdict == IN_PART
    assert found.speaks_for == (
        "N3: in 7 of 10 a few bands keep it, with all else at the baseline (1.4 bands of channels, 95 % interval 1.0 "
        "to 2.1), most "
        "often delta at C3 (4 of them); in 3 of 10 the baseline alone is already N3.",
    )
    assert found.against == (
        "W: in 8 of 10 the baseline alone is already W; then no band beyond the baseline is needed.",
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], NOT_MEASURED),
        ([unknown("few", n=0)], NOT_MEASURED),
        ([unknown("unclear", n=20)], IN_PART),
        ([ok("well", n=20)], HOLDS),
        ([ok("well", n=20), unknown("few", n=0)], HOLDS),
        ([ok("well", n=20), unknown("unclear", n=20)], IN_PART),
        ([ok("well", n=20), warning("bad", "", n=20)], IN_PART),
        ([warning("bad", "", n=20)], NOT),
        ([ok("well", n=20), error("false", "", n=20)], NOT),
    ],
)
def test_the_mark_is_no_better_than_what_was_found(found, verdict):
    assert kinds(*(one.named(f"stability: {k}") for k, one in enumerate(found)))["stability"].verdict == verdict


def test_numbers_that_are_not_known_are_not_made_up():
    """Explanations within 10 minutes have no interval: the finding's own sentence is told."""
    one = ok("it holds, and they lie within 10 minutes", n=20, mean=0.9, low=float("nan"), high=float("nan"))
    assert kinds(one.named("knock-out"))["faithfulness"].speaks_for == ("It holds, and they lie within 10 minutes.",)


def section(result):
    (text,) = believed(Gathered(result, assess(result)))
    assert text.title == "Can this be believed?"
    return Page(text.html).text


@pytest.fixture(scope="module")
def result():
    return example_results.explain(example_results.make_epochs(n_epochs=100))


def test_without_an_evaluation_it_says_how_to_get_one(result):
    said = section(result)
    assert "These explanations were not tested on the model, so none of them is trusted" in said
    assert "eegflex.evaluate(result, epochs, model)" in said
    assert "eegflex evaluate result.nc recording.edf --model MODEL" in said


def test_of_an_evaluation_it_says_what_was_asked_of_how_many_and_what_was_not(result):
    numbers = result.data["number"].values[::2].tolist()
    told = {
        "settings": {"seed": 0}, "cases": [[number, 0] for number in numbers], "done": {"one by one": 50}, "left": [],
        "tables": {},
    }  # fmt: skip
    values = np.full((100, 1, 1), np.nan)
    values[::2] = np.linspace(0.9, 1.0, 50)[:, None, None]
    said = section(with_measures(result, told, ["bands: one by one"], values))
    assert "Tests on the model used 50 explanations of 50 epochs, a random sample of each predicted stage." in said
    assert "1 of 1 measured kinds of evidence fully support the explanations." in said
    assert "single bands cause 95 % by themselves (95 % interval" in said
    assert "Not measured: sanity, stability, agreement, shortcuts, events, sets." in said
    assert "Anything about 50 epochs more that were explained but not tested." in said
    assert "W 20 10 0 the baseline is called its stage already (10)" in said
    assert "N2 20 10 10 –" in said
    assert "What sleep is. It shows what this network used." in said
