"""Sanity of explanations: what goes with the model passes, what does not is flagged, and both are told with their numbers."""

from __future__ import annotations

import dataclasses
import json
import types

import numpy as np
import pandas as pd
import pytest
import torch
import trained
from torch import nn

import eegflex
from eegflex.evaluation import Evaluation, sanity
from eegflex.evaluation.question import ask
from eegflex.evaluation.sanity import ALIKE, MEASURES, similarity
from eegflex.evaluation.told_tables import read_rows
from eegflex.results.result import FlexResult
from eegflex.stagers import Stager
from eegflex.stagers.zoo.known_truth import SPINDLE, BurstStager

ALL = ("cascade", "all weights")


@pytest.fixture(scope="module")
def epochs():
    return eegflex.make_epochs(eegflex.simulate_psg(hours=1, sfreq=128, seed=3, verbose="error").raw, verbose="error")


def asked(epochs, model, per_stage=3, **kwargs):
    """A question about a result, and its explanations."""
    night = eegflex.stage_epochs(epochs, model, verbose="error")
    result = eegflex.attribute_epochs(night, sample_per_stage=per_stage, verbose="error", **kwargs)
    question = ask(result, night)
    return question, question.sample(None)


@pytest.fixture(scope="module")
def bandpower(epochs):
    return asked(epochs, "bandpower", per_stage=2)


@pytest.fixture(scope="module")
def measured(bandpower):
    return sanity.measure(*bandpower)["sanity"]


def rows_of(table):
    return {(row["change"], row["level"]): row for row in table.to_dict("records")}


def findings_of(table):
    """What is said of a table as it is read from a file."""
    rows = json.loads(json.dumps(table.to_dict("records"), allow_nan=False))
    told = types.SimpleNamespace(told=lambda name, *layouts: read_rows(rows, *layouts, name=name))
    found = sanity.findings(told)
    return {one.check: one for one in found}


RNG = np.random.default_rng(0)
SUMS = RNG.standard_normal((2, 7))


def test_similarity_is_of_signs_and_not_of_size():
    assert similarity(SUMS, 3 * SUMS) == pytest.approx([1, 1, 1])
    assert similarity(SUMS, -SUMS) == pytest.approx([-1, 1, -1])
    assert similarity([[1.0, 1.0]], [[1.0, 0.0]])[:2] == pytest.approx([0.5**0.5] * 2)
    assert similarity([[1.0, 1.0]], [[1.0, -1.0]])[:2] == pytest.approx([0, 1])
    assert np.isnan(similarity(SUMS, 0 * SUMS)).all()


def test_one_spectrum_with_random_signs_is_alike_in_size_alone():
    """Which is why only the signed similarity is judged."""
    spectrum = np.exp(-np.arange(14.0) / 3)
    signs = RNG.choice([-1, 1], (500, 2, 14))
    found = np.array([similarity(spectrum * a, spectrum * b) for a, b in signs])
    assert found[:, 1] == pytest.approx(1)
    assert abs(found[:, 0].mean()) < 0.1


def test_what_is_next_to_nothing_has_no_rank():
    sums = np.array([1.0, 2.0, -1.0, 0.0, 0.0])
    noisy = sums + np.array([0, 0, 0, 1e-7, -1e-7])
    assert similarity(sums, noisy)[2] == pytest.approx(1)


def test_explanations_of_a_white_box_go_with_its_weights(measured):
    rows, found = rows_of(measured), findings_of(measured)
    assert [rows["nothing", ""][name] for name in MEASURES] == pytest.approx([1, 1, 1], abs=0.01)
    row = rows[ALL]  # its one module with weights is its one level
    assert set(rows) - {ALL, ("nothing", ""), ("another stage", "")} <= {
        ("random phases", "stage kept"),
        ("random phases", "stage lost"),
    }
    assert (row["n"], row["explanations"]) == (sanity.FIRST * sanity.N_NETWORKS, sanity.FIRST)
    assert row["signed_low"] < row["signed"] < row["signed_high"] < ALIKE < row["unsigned"]
    assert found["random weights"].status == "ok"
    assert f"{row['signed']:.2f}" in found["random weights"].measured
    assert found["random weights"].values["signed_high"] == row["signed_high"]
    assert found["another stage"].status == "ok"
    assert found["random phases"].status == "ok"  # it reads powers, which random phases leave
    assert rows["random phases", "stage kept"]["signed"] > 0.95


def test_it_is_the_same_again_and_the_stager_is_as_it_was(bandpower, measured):
    question, explanations = bandpower
    weights = [tensor.clone() for tensor in question.night.stager.module.parameters()]
    again = sanity.measure(question, explanations)["sanity"]
    pd.testing.assert_frame_equal(again, measured)
    assert all(torch.equal(a, b) for a, b in zip(weights, question.night.stager.module.parameters(), strict=True))


def power(request, channel_set, numbers):
    """An "explanation" that is the spectrum of the epoch, whatever the model is."""
    (found,) = [dataclasses.replace(one) for one in explain_as_asked(request, channel_set, numbers)]
    channels = list(request.segments.channel_sets[channel_set])
    spectrum = np.abs(np.fft.rfft(request.segments.signals[numbers[0], channels])) ** 2
    n_targets = len(found.views["frequency"])
    yield dataclasses.replace(found, views={"frequency": np.tile(spectrum, (n_targets, 1, 1))})


explain_as_asked = eegflex.attribution.methods.registry.METHODS["flex"].explain


def test_a_method_that_ignores_the_model_is_flagged(bandpower):
    question, _ = bandpower
    method = dataclasses.replace(question.request.method, explain=power)
    request = dataclasses.replace(question.request, method=method)
    data = question.result.to_xarray()
    numbers, of_set = data["number"].values, data["of_channel_set"].values
    for row, number in enumerate(numbers):
        for channel_set in np.unique(of_set):
            (found,) = power(request, int(channel_set), np.array([number]))
            data["frequency_view"].values[row, of_set == channel_set] = found.views["frequency"][0]
    ignoring = dataclasses.replace(question, result=FlexResult(data), request=request)
    table = sanity.measure(ignoring, ignoring.sample(None))["sanity"]
    found = findings_of(table)
    assert rows_of(table)[ALL]["signed"] == pytest.approx(1, abs=0.01)
    assert found["random weights"].status == found["another stage"].status == "warning"
    assert "not for what the model makes of it" in found["random weights"].remedy


class Idle(BurstStager):
    """Its weights do not matter."""

    def __init__(self):
        super().__init__(SPINDLE)
        self.spare = nn.Linear(8, 8)

    def forward(self, signals):
        return super().forward(signals) + 0.0 * self.spare(signals[:, 0, :8]).sum()


def test_a_network_whose_weights_do_not_matter_is_flagged(epochs):
    question, explanations = asked(epochs, Stager(Idle(), SPINDLE.spec))
    table = sanity.measure(question, explanations)["sanity"]
    assert rows_of(table)[ALL]["signed"] == pytest.approx(1, abs=0.01)
    assert findings_of(table)["random weights"].status == "warning"


def test_a_stager_without_weights_is_unknown_and_says_why(epochs):
    question, explanations = asked(epochs, "known-spindle")
    table = sanity.measure(question, explanations)["sanity"]
    found = findings_of(table)
    assert found["random weights"].status == "unknown"
    assert "no parameters" in found["random weights"].measured
    assert rows_of(table)["random phases", "stage kept"]["signed"] == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_a_model_that_only_predicts_is_asked_for_what_it_can_answer(epochs):
    """A black box has no weights that anybody could move, but stages and signals."""
    stager = eegflex.load_model("bandpower")
    network = stager.module
    box = Stager(lambda signals: network(signals), stager.spec)
    question, explanations = asked(epochs, box, per_stage=2, method="feature_ablation")
    found = findings_of(sanity.measure(question, explanations)["sanity"])
    assert found["random weights"].status == "unknown"
    assert "not a torch network" in found["random weights"].measured
    assert found["another stage"].status == "ok"


def test_methods_that_know_only_bands_are_compared_too(epochs, monkeypatch):
    monkeypatch.setattr(sanity, "FIRST", 5)
    question, explanations = asked(epochs, "bandpower", per_stage=1, method="feature_ablation", baseline="recording")
    rows = rows_of(sanity.measure(question, explanations)["sanity"])
    assert rows["nothing", ""]["signed"] == pytest.approx(1, abs=0.01)
    assert rows[ALL]["signed"] < 0.9


def test_every_member_of_an_ensemble_is_made_random(epochs, monkeypatch):
    monkeypatch.setattr(sanity, "FIRST", 3)
    both = eegflex.stagers.ensemble([eegflex.load_model("bandpower") for _ in range(2)])
    question, explanations = asked(epochs, both, per_stage=1)
    rows = rows_of(sanity.measure(question, explanations)["sanity"])
    assert rows["nothing", ""]["signed"] == pytest.approx(1, abs=0.01)
    assert rows[ALL]["signed"] < 0.9


@pytest.mark.slow
def test_a_network_is_made_random_from_its_output_downwards(epochs, monkeypatch):
    monkeypatch.setattr(sanity, "FIRST", 2)
    question, explanations = asked(epochs, trained.chambon(), per_stage=1)
    rows = rows_of(sanity.measure(question, explanations)["sanity"])
    cascade = [level for change, level in rows if change == "cascade"]
    assert cascade == [
        "final_layer.1",
        "feature_extractor.4 and what follows",
        "feature_extractor.0 and what follows",
        "all weights",
    ]
    assert rows["nothing", ""]["signed"] == pytest.approx(1, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("edges", ["shift", "pad", "skip"])
def test_only_what_one_epoch_needs_is_staged(epochs, edges):
    """And its score, at the beginning of the night as in its middle, is what staging the night gives."""
    night = eegflex.stage_epochs(epochs, trained.context(), edges=edges, verbose="error")
    result = eegflex.attribute_epochs(night, sample_per_stage=2, verbose="error")
    question = ask(result, night)
    explanations = [question.explanation(row, 0) for row in range(len(question.data["epoch"]))]
    for some in (explanations, explanations[:1]):
        part = question.with_stager(night.stager, some)
        for one in some:
            found = part.night.scores[one.number, one.channel_set]
            assert found == pytest.approx(night.scores[one.number, one.channel_set], abs=1e-4)
            again = dataclasses.replace(one, question=part)
            assert again.scores(one.ends[:1])[0] == pytest.approx(found, abs=1e-4)


ROW = {
    "n": 30,
    "explanations": 10,
    **{f"{name}{end}": value for name in MEASURES for end, value in (("", 0.2), ("_low", -0.1), ("_high", 0.4))},
    "why": "",
}


SAME = {"change": "nothing", "level": "", **ROW, "signed": 1.0, "signed_low": 0.9, "signed_high": 1.0}


def said_of(change, level, same=SAME, **changed):
    rows = [{**SAME, **same}, {"change": change, "level": level, **ROW, **changed}]
    return findings_of(pd.DataFrame(rows, dtype=object))


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"signed_high": 0.499}, "ok"),
        ({"signed_high": 0.5}, "warning"),
        ({"signed_low": 0.6, "signed_high": 0.9}, "warning"),
        ({"signed_low": -0.9, "signed_high": -0.8, "unsigned_high": 1.0}, "ok"),  # sizes are not judged
        ({"explanations": 4}, "unknown"),
        ({"signed_low": None, "signed_high": None}, "unknown"),  # all of one block: no interval
        ({"n": 0, "explanations": 0}, "unknown"),
    ],
)
@pytest.mark.parametrize(("where", "check"), [(ALL, "random weights"), (("another stage", ""), "another stage")])
def test_statuses_of_weights_and_stages(where, check, changed, status):
    found = said_of(*where, **changed)
    assert found[check].status == status
    assert all(one.status == "unknown" for name, one in found.items() if name != check)


@pytest.mark.parametrize(
    ("level", "changed", "status"),
    [
        ("stage lost", {"signed_low": 0.5, "signed_high": 0.9}, "warning"),
        ("stage lost", {"signed_low": -0.5, "signed_high": 0.4}, "ok"),
        ("stage lost", {"signed_low": -0.5, "signed_high": 0.9}, "unknown"),
        ("stage kept", {"signed_low": 0.5, "signed_high": 0.9}, "ok"),
        ("stage kept", {"signed_low": -0.5, "signed_high": 0.9}, "unknown"),
        ("stage kept", {"explanations": 4}, "unknown"),
    ],
)
def test_statuses_of_phases(level, changed, status):
    assert said_of("random phases", level, **changed)["random phases"].status == status


@pytest.mark.parametrize(
    ("same", "status"),
    [
        ({}, "ok"),
        ({"signed_low": 0.5}, "ok"),
        ({"signed": 0.6, "signed_low": 0.49}, "warning"),  # noise differs from everything, itself among it
        ({"explanations": 4}, "unknown"),
    ],
)
def test_random_weights_are_held_against_the_same_weights(same, status):
    assert said_of(*ALL, same=same)["random weights"].status == status


def test_a_warning_says_its_numbers_and_what_to_do():
    found = said_of(*ALL, signed=0.7, signed_low=0.61, signed_high=0.83)["random weights"]
    assert str(found) == (
        "warning  random weights: with all weights in random order, the explanation of an epoch and that of the model have a "
        "signed similarity of 0.70 (95 % interval 0.61 to 0.83, n = 30; of sizes alone 0.20): 0.5 cannot be excluded. Take "
        "these explanations for what is in the signal, not for what the model makes of it."
    )


def test_the_table_is_kept_with_the_result(bandpower, tmp_path):
    question, _ = bandpower
    evaluation = eegflex.evaluate(question.result, question.night, parts="sanity", sample_per_stage=1, verbose="error")
    read = Evaluation(eegflex.read_result(evaluation.save(tmp_path / "night.nc")))
    pd.testing.assert_frame_equal(read.tables["sanity"], evaluation.tables["sanity"])
    assert str(read) == str(evaluation)
    assert "random weights" in read.findings
