"""Why this stage and not that one: the first epochs to review, each voice, and exact differences where they are known."""

from __future__ import annotations

import example_results
import numpy as np
import pytest
from pages import Page

from eegflex.evaluation import assess
from eegflex.report.disagreements import _context, clock, disagreements, to_review
from eegflex.report.parts import Gathered
from eegflex.results.result import FlexResult

STAGES = example_results.STAGES


def logs(**shares):
    """Log-probabilities of stages; what is left is shared by the others."""
    rest = (1 - sum(shares.values())) / (len(STAGES) - len(shares))
    return np.log([shares.get(stage, rest) for stage in STAGES])


def staged(result, said):
    """A result whose night was staged so: the epoch's number -> scores by each channel set."""
    data = result.to_xarray()
    for number in range(data.sizes["night"]):
        stage = STAGES[number % 5]
        data["night_scores"].values[number] = logs(**{stage: 0.96})
    for number, by_set in said.items():
        for place, shares in enumerate(by_set):
            scores = logs(**shares)
            data["night_scores"].values[number, place] = scores
            row = np.flatnonzero(data["number"].values == number)
            data["scores"].values[row, place] = scores
            data["predicted"].values[row, place] = STAGES[int(np.argmax(scores))]
    return type(result)(data)


def section(result, every=None):
    (text,) = disagreements(Gathered(result, assess(result), every=every, of_all=every is not None))
    return text.html, Page(text.html).text


@pytest.fixture(scope="module")
def one():
    return example_results.explain(example_results.make_epochs(scored=True))


@pytest.fixture(scope="module")
def pair():
    return example_results.make_pair_result()


def test_sure_epochs_are_no_disagreements(one):
    _, said = section(staged(one, {}))
    assert said.strip() == (
        "Epochs to review are those in which the scorer or a channel gives another stage, or in which the stager is "
        "unsure: its stage leads the next by less than 0.5: 0 of 10 epochs of the night. None of them was explained."
    )


def test_the_first_to_review_comes_first_and_the_night_is_counted(one):
    """Epoch 2 (N2) scored otherwise than called, 7 and 3 at small margins; 3 was not explained."""
    made = staged(one, {2: [{"N1": 0.7, "N2": 0.2}], 7: [{"N2": 0.5, "N1": 0.4}], 3: [{"N3": 0.5, "N2": 0.45}]})
    made = made[np.flatnonzero(made.data["number"].values != 3)]
    assert to_review(made)["epoch"].tolist()[0] == 2
    html, said = section(made)
    assert "3 of 10 epochs of the night. 2 of them were explained; the other one was not explained." in said.replace(
        "  ", " "
    )
    assert html.index("Epoch 2, 0:01:00 from the start: why N1 and not N2?") < html.index(
        "Epoch 7, 0:03:30 from the start"
    )
    assert "why N2 and not N1?" in said
    assert "The stager says N1 (probability 0.70), 0.50 ahead of N2." in said
    assert "The scorer says N2, to which the stager gives" in said
    assert "Whether this explanation can be trusted was not tested." in said


def test_channels_that_say_otherwise_are_named_without_what_they_share(pair):
    made = staged(pair, {2: [{"N2": 0.8}, {"N1": 0.6}]})
    _, said = section(made)
    assert "C3-M2 says N2; C4-M1 says N1." in said
    assert "Where channels say N2, raised the score of N2:" in said
    assert "Where channels say N1, raised the score of N1:" in said


def test_what_is_not_known_of_the_other_stage_is_said(one):
    _, said = section(staged(one, {7: [{"N2": 0.5, "N1": 0.4}]}))
    assert "Only the score of the predicted stage was explained (in units of log-probability)" in said
    assert "target='all' explains every stage against every other." in said


def test_of_all_stages_it_is_the_exact_difference():
    """The largest band of N2 over N1 in epoch 7, by hand from the attributions to both."""
    every = example_results.explain(example_results.make_epochs(), target="all")
    data = every.to_xarray()
    data["night_scores"].values[...] = logs(N3=0.96)
    data["night_scores"].values[7] = logs(N2=0.5, N1=0.45)
    every = type(every)(data)
    difference = every.for_target("N2").to_data_frame(), every.for_target("N1").to_data_frame()
    sigma = [rows[(rows["number"] == 7) & (rows["band"] == "sigma")]["attribution"].sum() for rows in difference]
    _, said = section(every.for_target(), every)
    assert "Evidence for one stage over the other is the exact difference of their attributions" in said
    own = said[said.index("Epoch 7,") :]
    assert f"For N2: sigma, where spindles lie, 12–16 Hz, in the EEG (+{sigma[0] - sigma[1]:.2f})" in own
    assert "; for N1: " in own


def test_of_a_margin_both_sides_are_told_by_their_stage():
    margin = example_results.explain(example_results.make_epochs(), target=("N2", "N1"))
    _, said = section(staged(margin, {7: [{"N2": 0.5, "N1": 0.4}]}))
    assert "The evidence concerns the score of N2 minus that of N1" in said
    assert "For N2: sigma, where spindles lie, 12–16 Hz, in the EEG (+" in said


def test_what_is_within_its_error_is_no_reason(one):
    made = staged(one, {7: [{"N2": 0.5, "N1": 0.4}]})
    data = made.to_xarray()
    for name in ("band_error", "error"):
        data[name].values[...] = 1e3
    _, said = section(type(made)(data))
    assert "No band exceeds its error." in said


def test_the_context_is_told_where_there_is_one():
    window = example_results.make_context_result()
    data = window.to_xarray()
    data["night_scores"].values[...] = logs(N2=0.5, N1=0.4)
    _, said = section(type(window)(data))
    assert "of the change of the score came from its neighbours" in said


def test_the_context_of_an_epoch_is_that_of_the_channels_that_explain_its_stage(pair):
    """As in the other tables of the page: what a channel says of another stage is of that stage."""
    data = staged(pair, {7: [{"N2": 0.9}, {"N1": 0.6}]}).to_xarray()
    place = int(np.flatnonzero(data["number"].values == 7)[0])
    shape = len(data["epoch"]), 2, 4, len(STAGES)
    replaced = np.broadcast_to(data["scores"].values[:, :, None], shape).copy()
    replaced[:, 0, 2:] -= 1  # with the first set the context makes the whole change, with the second none of it
    replaced[:, 1, [1, 3]] -= 1
    data["replaced_scores"] = ("epoch", "channel_set", "replaced", "stage_name"), replaced
    assert " ".join(_context(FlexResult(data), place)).startswith("Context: 100 % of the change")


def test_not_more_than_ten_are_told():
    many = example_results.explain(example_results.make_epochs(n_epochs=15))
    data = many.to_xarray()
    data["night_scores"].values[...] = logs(N2=0.5, N1=0.4)
    html, said = section(type(many)(data))
    assert html.count("<h4>") == 10
    assert "Here are 10 of these, in the order of the review queue." in said


def test_names_from_files_are_text():
    names = ("<b>C3", "C4-M1", "EOG-L")
    made = staged(example_results.make_pair_result(names=names, positions=False), {2: [{"N2": 0.8}, {"N1": 0.6}]})
    html, _ = section(made)
    assert "<b>C3" not in html
    assert "&lt;b&gt;C3 says N2" in html


def test_the_clock():
    assert clock(29.9999) == "0:00:30 from the start"
    assert clock(36000 + 61) == "10:01:01 from the start"
