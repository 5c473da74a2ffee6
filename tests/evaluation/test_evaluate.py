"""Evaluation: the question of a result asked again, its numbers kept, stopped and resumed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eegflex
from eegflex.errors import EvaluationStopped, ParameterError
from eegflex.evaluation import Evaluation, evaluate
from eegflex.evaluation.question import ask


def night_of(model, seed=1, hours=0.6):
    psg = eegflex.simulate_psg(hours=hours, sfreq=128, seed=seed, verbose="error")
    return eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), model, verbose="error")


@pytest.fixture(scope="module")
def night():
    return night_of("bandpower")


@pytest.fixture(scope="module", params=["predicted", "all"])
def result(night, request):
    return eegflex.attribute_epochs(night, target=request.param, sample_per_stage=4, spectral_share=0, verbose="error")


@pytest.fixture(scope="module")
def evaluation(result, night):
    return evaluate(result, night, parts="faithfulness", verbose="error")


def test_the_ends_score_as_the_result_says(result, night):
    question = ask(result, night)
    data = question.result.data
    for one in question.sample(2):
        where = one.row, one.channel_set
        assert one.score(one.ends)[0] == pytest.approx(data["score"].values[where], rel=1e-4)
        assert one.score(one.begins)[0] == pytest.approx(data["baseline_score"].values[where], rel=1e-4, abs=1e-5)
        assert night.stages[one.stage] == data["predicted"].values[where]


def test_asked_the_same_it_explains_the_same(result, night):
    question = ask(result, night)
    (one, *_) = question.sample(1)
    assert np.allclose(one.anew(question), one.values, atol=1e-5 * np.abs(one.values).max())


def test_of_other_signals_the_stage_explained_stays(result, night):
    question = ask(result, night)
    (one, *_) = question.sample(1)
    silent = question.with_signals({one.number: np.zeros_like(night.segments.signals[one.number])})
    changed = silent.explanation(one.row, one.channel_set)
    assert not changed.ends.any()
    assert (changed.weights == one.weights).all()
    (explained,) = silent.explain([changed])
    assert explained.score[0] == pytest.approx(one.score(torch.zeros_like(one.ends))[0], rel=1e-4, abs=1e-5)
    assert one.ends.any(), "the first question is as it was"


def test_a_sample_has_so_many_of_each_stage_and_no_epoch_twice_before_all(result, night):
    question = ask(result, night)
    chosen = question.sample(3)
    stages = [question.predicted[one.row, one.channel_set] for one in chosen]
    assert all(stages.count(stage) <= 3 for stage in night.stages)
    assert len({one.row for one in chosen}) == len(chosen)
    assert [(one.row, one.channel_set) for one in question.sample(3)] == [(one.row, one.channel_set) for one in chosen]


def test_the_result_keeps_the_numbers(evaluation, result, tmp_path):
    assert "measures" not in result.data, "nothing is done to the caller's result"
    again = Evaluation(eegflex.read_result(evaluation.save(tmp_path / "evaluated.nc")))
    assert again.to_data_frame().equals(evaluation.to_data_frame())
    assert str(again) == str(evaluation)
    some = evaluation.result[:3]
    assert len(Evaluation(some).to_data_frame()) <= 3


def test_a_measure_does_not_take_the_place_of_another_column(evaluation):
    data = evaluation.result.to_xarray()
    names = ["predicted", *data["measure"].values[1:].tolist()]
    with pytest.raises(ParameterError, match="without its kind"):
        eegflex.FlexResult(data.assign_coords(measure=np.array(names, dtype=object)))


def test_another_target_was_not_evaluated(evaluation):
    result = evaluation.result
    if result.parameters["target"] != "all":
        pytest.skip("a result of one target has no other")
    assert str(Evaluation(result.for_target())) == str(evaluation)
    with pytest.raises(ParameterError, match="not evaluated"):
        Evaluation(result.for_target(("N2", "N1")))


def test_what_was_not_evaluated_is_refused(result):
    with pytest.raises(ParameterError, match=r"not evaluated.*eegflex\.evaluate"):
        Evaluation(result)


def test_an_interval_holds_the_mean_and_says_of_how_many(evaluation):
    own = evaluation.area.loc["attribution"]
    assert own["low"] <= own["mean"] <= own["high"]
    assert own["n"] == evaluation.count("area: attribution") == len(evaluation.to_data_frame())
    finding = evaluation.findings["faithfulness"]
    assert f"n = {int(own['n'])}" in finding.measured


def test_stopped_it_goes_on_where_it_was(result, night, evaluation, monkeypatch):
    from eegflex.evaluation import curves, parts

    counted = []

    def measure(one):
        counted.append(one.number)
        if len(counted) == 4:
            raise KeyboardInterrupt
        return curves.measure(one)

    monkeypatch.setitem(parts.PARTS, "faithfulness", parts.Part(curves.findings, of_each=measure))
    with pytest.raises(EvaluationStopped) as stop:
        evaluate(result, night, parts="faithfulness", verbose="error")
    partial = stop.value.evaluation
    assert partial.is_partial
    assert partial.count("area: attribution") == 3
    assert "unfinished" in repr(partial)
    whole = evaluate(partial.result, night, parts="faithfulness", verbose="error")
    assert len(counted) == 4 + len(evaluation.to_data_frame()) - 3
    assert whole.to_data_frame().equals(evaluation.to_data_frame())
    assert not whole.is_partial


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"parts": "beauty"}, "parts must be one of 'faithfulness'"),
        ({"parts": []}, "parts is empty"),
        ({"sample_per_stage": -1}, "sample_per_stage must be"),
        ({"baseline": np.zeros(3)}, "says what it was compared with"),
        ({"seed": "x"}, "seed must be"),
    ],
)
def test_what_cannot_be_asked_is_refused(result, night, asked, said):
    with pytest.raises(ParameterError, match=said):
        evaluate(result, night, **asked, verbose="error")


def test_another_model_recording_or_part_is_refused(result, night):
    with pytest.raises(ParameterError, match=r"not the model.*known-spindle.*bandpower"):
        evaluate(result, night.epochs, "known-spindle", verbose="error")
    with pytest.raises(ParameterError, match="not the recording"):
        evaluate(result, night_of("bandpower", seed=2, hours=0.2), verbose="error")
    with pytest.raises(ParameterError, match="Channels were left out"):
        evaluate(result.sel(channel=result.ch_names[0]), night, verbose="error")


def test_a_baseline_that_was_an_array_is_asked_for(night):
    given = np.zeros((len(night.segments.ch_names), night.segments.signals.shape[-1] // 2 + 1))
    result = eegflex.attribute_epochs(night, baseline=given, select=[3, 4], spectral_share=0, verbose="error")
    with pytest.raises(ParameterError, match="Give the same array as baseline="):
        ask(result, night)
    (one, *_) = ask(result, night, baseline=given).sample(1)
    assert one.score(one.begins)[0] == pytest.approx(result.data["baseline_score"].values[one.row, one.channel_set])


def test_recordings_keep_their_numbers_together(evaluation):
    other_night = night_of("bandpower", seed=2, hours=0.4)
    asked = evaluation.result.parameters
    other = eegflex.attribute_epochs(
        other_night,
        target=asked["target"],
        baseline=asked["baseline"],
        sample_per_stage=4,
        spectral_share=0,
        verbose="error",
    )
    there = evaluate(other, other_night, parts="faithfulness", verbose="error")
    both = eegflex.concatenate_results([evaluation.result, there.result])
    with pytest.raises(ParameterError, match="of one recording"):
        Evaluation(both)
    label = both.recordings[1]
    assert Evaluation(both.sel(recording=label)).area.equals(there.area)
