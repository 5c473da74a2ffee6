"""What an evaluation says and keeps when it is stopped, cut up, damaged or asked again."""

import json

import numpy as np
import pytest

import eegflex
from eegflex.errors import EvaluationStopped, ParameterError
from eegflex.evaluation import parts
from eegflex.evaluation.evaluation import Evaluation, with_measures
from eegflex.evaluation.shortcuts import KINDS
from eegflex.results.layout import check_layout

ORDERS = {"attribution": np.tile([1.0, 0.1], 5), "power": np.tile([-1.0, 0.0], 5), "random": np.zeros(10)}


@pytest.fixture(scope="module")
def epochs():
    return eegflex.make_epochs(eegflex.simulate_psg(hours=0.5, sfreq=128, seed=3, verbose="error").raw, verbose="error")


@pytest.fixture(scope="module")
def night(epochs):
    return eegflex.stage_epochs(epochs, "bandpower", verbose="error")


@pytest.fixture(scope="module")
def results(night):
    asked = {"sample_per_stage": 2, "spectral_share": 0, "verbose": "error"}
    return {target: eegflex.attribute_epochs(night, target=target, **asked) for target in ("predicted", ("N2", "N1"))}


@pytest.fixture(scope="module")
def result(results):
    return results["predicted"]


def told(result, columns, apart=600.0, **more):
    """An evaluation that found these values, of epochs so many s apart."""
    n, dataset = len(next(iter(columns.values()))), result.to_xarray()
    n = min(n, dataset.sizes["epoch"])
    result = eegflex.FlexResult(dataset.assign_coords(onset=("epoch", apart * np.arange(dataset.sizes["epoch"]))))
    full = np.full((dataset.sizes["epoch"], dataset.sizes["channel_set"], len(columns)), np.nan)
    full[:n] = np.stack([values[:n] for values in columns.values()], axis=-1)[:, None]
    found = {
        "settings": {"seed": 0},
        "cases": [[int(number), 0] for number in result.data["number"].values[:n]],
        "done": {"faithfulness": n + 1},
        "left": [],
        "tables": {},
    }
    return Evaluation(with_measures(result, found | more, list(columns), full))


def areas(orders):
    columns = {f"area: {name}": values for name, values in orders.items()}
    return columns | {f"{kind}: {name}": np.full(10, 0.99) for kind in ("insertion", "deletion") for name in orders}


@pytest.mark.parametrize(("target", "most"), [("predicted", 1), (("N2", "N1"), 2)], ids=["probability", "margin"])
def test_no_interval_reaches_beyond_what_its_measure_can_be(results, target, most):
    """An area of a probability is within 1, of a margin within 2; a difference of two within twice that."""
    few = {name: np.where(np.arange(10) < 6, values, np.nan) for name, values in ORDERS.items()}
    area = told(results[target], areas(few), apart=250.0).area
    assert area["high"].max() <= most
    assert area["low"].min() >= -most
    assert area["above_random_high"].max() <= most
    assert area["behind_attribution_high"].max() <= 2 * most
    assert area.loc["power", "behind_attribution"] == pytest.approx(1.05)
    assert area["insertion_high"].max() <= 1


def test_what_is_not_told_from_random_is_not_said_to_be_no_better(result):
    mixed = areas(ORDERS | {"attribution": np.array([-0.9, 1.0, 0.9, -0.7, 1.0, 0.9, -0.9, 1.0, 0.1, 0.6])})
    (finding,) = told(result, mixed).findings
    assert finding.status == "unknown"
    assert "not distinguishable from a random order" in finding.measured
    better = areas(ORDERS | {"attribution": np.tile([0.1, -0.1], 5), "power": np.tile([0.8, 0.7], 5)})
    (finding,) = told(result, better).findings
    assert finding.status == "warning", "what takes no explanation is the better order"
    worse = areas(ORDERS | {"attribution": np.tile([0.3, 0.2], 5), "power": np.tile([0.8, 0.7], 5)})
    (finding,) = told(result, worse).findings
    assert finding.status == "warning", "better than at random, but an order that takes no explanation is better still"
    (finding,) = told(result, areas(ORDERS | {"attribution": -0.5 - 0.1 * ORDERS["attribution"]})).findings
    assert finding.status == "warning"
    assert "worse than random" in finding.measured


def test_one_is_not_told_in_the_plural(result):
    one = told(result, areas(ORDERS)).result[0]
    text = f"{Evaluation(one)} {Evaluation(one)!r}"
    assert "1 explanation of 1 epoch " in text
    assert "only 1 explanation was evaluated" in text
    assert "1 explanations" not in text


@pytest.mark.parametrize("part", ["shortcuts", "sets"])
def test_whatever_part_was_stopped_can_be_told_and_is_unfinished_until_it_is_done(result, night, part, monkeypatch):
    counted = []

    def measure(one):
        counted.append(one)
        if len(counted) == 2:
            raise KeyboardInterrupt
        return {f"{part}: x": 0.0}

    own = parts.PARTS[part]
    monkeypatch.setitem(parts.PARTS, part, parts.Part(own.findings, of_each=measure, of_all=own.of_all))
    with pytest.raises(EvaluationStopped) as stop:
        eegflex.evaluate(result, night, parts=part, sample_per_stage=1, verbose="error")
    partial = stop.value.evaluation
    assert "stopped before it was told" in str(partial)
    later = eegflex.evaluate(partial.result, night, parts="one by one", sample_per_stage=1, verbose="error")
    assert later.is_partial, "what is asked now is done, but not all that was begun"
    assert f"unfinished: {part} to go" in str(later)


def test_numbers_that_another_run_leaves_out_are_told(result, night, caplog):
    first = eegflex.evaluate(result, night, parts="one by one", sample_per_stage=1, verbose="error")
    with caplog.at_level("WARNING", logger="mne"):
        again = eegflex.evaluate(first.result, night, parts="one by one", sample_per_stage=1, verbose="warning")
        assert "left out" not in caplog.text
        other = eegflex.evaluate(first.result, night, parts="knock-out", sample_per_stage=1, seed=4, verbose="warning")
    assert again.to_data_frame().equals(first.to_data_frame())
    assert "What was measured before with another seed is left out of this evaluation: one by one" in caplog.text
    assert other.parts == ("knock-out",)


def test_a_channel_keeps_the_evaluation_of_its_own_channel_set(pair_result):
    result = pair_result
    data = result.data
    assert data.sizes["channel_set"] > 1
    last = data.sizes["channel_set"] - 1
    numbers = data["number"].values.tolist()
    cases = [[numbers[0], 0], [numbers[1], last], [numbers[2], last]]
    evaluation = told(result, areas(ORDERS), cases=cases)
    name = result.ch_names[int(np.flatnonzero(data["of_channel_set"].values == last)[-1])]
    table = Evaluation(evaluation.result.sel(channel=name)).to_data_frame()
    every = evaluation.to_data_frame()
    assert table.equals(every[every["channel_set"] == data["channel_set"].values[last]].reset_index(drop=True))
    assert table["epoch"].tolist() == numbers[1:3]


NONSENSE = {
    "cases beyond": {"cases": [[0, 7]]},
    "negative cases": {"cases": [[0, -1]]},
    "text for cases": {"cases": [["0", 0]]},
    "nested tables": {"tables": {"sanity": [{"level": {"a": 1}}]}},
    "tables of lists": {"tables": {"sanity": [[1]]}},
    "settings are text": {"settings": "seed"},
    "nothing left": {"left": None},
    "done by half": {"done": {"sets": 0.5}},
}


@pytest.mark.parametrize("wrong", NONSENSE.values(), ids=NONSENSE)
def test_a_nonsensical_evaluation_is_refused(result, wrong):
    data = told(result, areas(ORDERS)).result.to_xarray()
    provenance = json.loads(data.attrs["provenance"])
    provenance["evaluation"] |= wrong
    with pytest.raises(ParameterError, match="not have the layout of a result"):
        check_layout(data.assign_attrs(provenance=json.dumps(provenance)))


#: Rows as evaluations have them.
SANE = {"change": "nothing", "level": "", "n": 10, "explanations": 10, "why": ""} | {
    f"{name}{end}": 0.5 for name in ("signed", "unsigned", "rank") for end in ("", "_low", "_high")
}
GROUND = {"stage": "N2", "kind": "spindle", "speaks": "for", "n_epochs": 9} | dict.fromkeys(
    ("share", "chance", "enrichment", "enrichment_low", "enrichment_high", "p_corrected", "of_all"), 0.5
)
SET = {"epoch": 10**6, "channel_set": "none"} | dict.fromkeys(
    ("sufficient", "necessary", "flip", "flip_cells", "flip_to"), "x"
)
#: Tables that no evaluation makes: part, name of its table, rows.
ODD = {
    "no table": ("sanity", "other", [{"a": 1}]),
    "no such columns": ("sanity", "sanity", [{"<b>x</b>": "<script>"}]),
    "text for a count": ("sanity", "sanity", [SANE | {"n": "many"}]),
    "half an explanation": ("sanity", "sanity", [SANE | {"explanations": 0.5}]),
    "a number for text": ("sanity", "sanity", [SANE | {"why": 3}]),
    "a truth for a number": ("sanity", "sanity", [SANE | {"signed": True}]),
    "no reason": ("shortcuts", "shortcuts", [{"kind": "line", "where": "here", "why not": None}]),
    "no grounding": ("events", "grounding", [{"stage": "N2"}]),
    "text in grounding": ("events", "grounding", [GROUND | {"share": "most"}]),
    "no remedy": ("events", "grounding", [{"why": "so", "remedy": None}]),
    "sets of others": ("sets", "sets", [SET]),
    "sets without words": ("sets", "sets", [SET | {"flip_cells": 1.0}]),
    "half a baseline": ("agreement", "agreement: baselines", [{"own": "zero"}]),
    "neighbours without n": ("agreement", "agreement: neighbours", [{"channel_set": "a", "stage": "W"}]),
}


@pytest.mark.parametrize("wrong", ODD.values(), ids=ODD)
def test_tables_that_lack_what_is_told_of_them_are_refused(result, wrong):
    part, name, rows = wrong
    found = told(result, areas(ORDERS), done={part: 11}, tables={name: rows})
    with pytest.raises(ParameterError, match="is not what an evaluation measures"):
        str(found)


@pytest.mark.parametrize("part", ["faithfulness", "knock-out", "one by one", "stability", "shortcuts"])
def test_a_part_whose_measures_are_not_there_is_told_or_refused_as_such(result, part):
    found = told(result, {"other: measure": np.full(10, 0.5)}, done={part: 11}, tables={"shortcuts": []})
    try:
        told_of = [finding.status for finding in found.findings]
    except ParameterError as error:
        told_of = [str(error)]
    assert told_of
    assert all(one == "unknown" or "is not what an evaluation measures. Got no measure" in one for one in told_of)


def test_numbers_that_are_not_known_are_no_odd_table(result):
    near = {"channel_set": "a", "stage": "W", "n": 6, "agreement": 0.5, "low": float("nan"), "high": None}
    found = told(result, areas(ORDERS), done={"agreement": 11}, tables={"agreement: neighbours": [near]})
    assert "W 0.50" in found.findings["agreement: neighbours"].measured


def test_an_error_of_our_own_is_not_taken_for_an_odd_table(result, monkeypatch):
    found = told(result, areas(ORDERS), done={"faithfulness": 11})
    for error in (KeyError("W"), ValueError("shapes"), TypeError("None"), IndexError("0"), AttributeError("x")):
        monkeypatch.setitem(parts.PARTS, "faithfulness", parts.Part(raising(error)))
        with pytest.raises(type(error)) as caught:
            _ = Evaluation(found.result).findings
        assert caught.value is error


def raising(error):
    def findings(_):
        raise error

    return findings


def test_a_kind_of_shortcut_that_an_older_file_does_not_tell_of_is_unknown(result):
    rows = [{"kind": "line", "where": "50 Hz", "why not": "the model does not see it"}]
    measures = {f"shortcut{what}: {kind}": np.zeros(10) for kind in KINDS for what in ("", " chance")}
    measures |= {f"shortcut level: {what}": np.zeros(10) for what in ("probability", "score", "flips", "channel")}
    found = told(result, measures, done={"shortcuts": 11}, tables={"shortcuts": rows}).findings
    assert "the model does not see it" in found["shortcut: line"].measured
    assert "it was not looked for" in found["shortcut: images"].measured


def test_a_measure_that_is_there_twice_is_refused(result):
    data = told(result, areas(ORDERS)).result.to_xarray()
    names = data["measure"].values.copy()
    names[1] = names[0]
    with pytest.raises(ParameterError, match="measure names something twice"):
        check_layout(data.assign_coords(measure=names))


@pytest.mark.parametrize("asked", [{"parts": 3}, {"compare": 3}, {"result": "night.nc"}], ids=str)
def test_what_is_no_result_or_no_name_is_refused_as_such(result, night, asked):
    with pytest.raises(ParameterError, match="must be"):
        eegflex.evaluate(**({"result": result, "epochs": night, "verbose": "error"} | asked))


@pytest.mark.parametrize("evaluated_first", [True, False])
def test_put_together_with_what_was_not_evaluated_a_recording_keeps_its_numbers(night, evaluated_first):
    psg = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=8, verbose="error")
    other = eegflex.make_epochs(psg.raw, verbose="error")
    asked = {"sample_per_stage": 1, "baseline": "zero", "spectral_share": 0, "verbose": "error"}
    result = eegflex.attribute_epochs(night, **asked)
    bare = eegflex.attribute_epochs(other, "bandpower", **asked)
    evaluation = eegflex.evaluate(result, night, parts="one by one", verbose="error")
    both = {"a": evaluation.result, "b": bare}
    labels = ["a", "b"] if evaluated_first else ["b", "a"]
    together = eegflex.concatenate_results([both[name] for name in labels], recordings=labels)
    again = Evaluation(together.sel(recording="a"))
    column = "bands: one by one"
    assert again.to_data_frame()[column].tolist() == evaluation.to_data_frame()[column].tolist()
    alone = together.sel(recording="b")
    assert alone.trust()["reasons"].tolist() == bare.trust()["reasons"].tolist()
    with pytest.raises(ParameterError, match="not evaluated"):
        Evaluation(alone)


def test_a_night_that_is_staged_is_evaluated_where_it_was_staged(result, night):
    with pytest.raises(ParameterError, match="already staged: device cannot be changed now"):
        eegflex.evaluate(result, night, device="cpu", parts="knock-out", verbose="error")


def test_a_seed_of_any_type_is_the_same_seed(result, night):
    asked = {"parts": "knock-out", "sample_per_stage": 1, "verbose": "error"}
    one, other = (eegflex.evaluate(result, night, seed=seed, **asked).result for seed in (3, np.array(3)))
    assert one.provenance["evaluation"] == other.provenance["evaluation"]
    np.testing.assert_array_equal(one.data["measures"], other.data["measures"])
