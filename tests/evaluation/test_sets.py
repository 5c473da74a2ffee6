"""The smallest sets of bands and channels, and the least changes that flip a stage."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
import trained

import eegflex
from eegflex.evaluation import TRUTHS, plant_line_noise, sets, sets_told
from eegflex.evaluation.question import ask
from eegflex.evaluation.sets_told import cells_in_words
from eegflex.stagers.zoo.known_truth import SITES

NAMES = eegflex.Bands().names
#: The band that each stager hears, by the name of the band that it lies in.
BANDS = {"known-spindle": "sigma", "known-slow-wave": "delta", "known-alpha": "alpha", "known-shortcut": "above"}


@pytest.fixture(scope="module")
def recorded():
    return eegflex.simulate_psg(hours=1, sfreq=128, seed=5, verbose="error")


def made(recorded, model, per_stage=8, **asked):
    truth = TRUTHS.get(model if isinstance(model, str) else "")
    raw = plant_line_noise(recorded.raw, truth.stage) if truth and truth.kind == "line" else recorded.raw
    night = eegflex.stage_epochs(eegflex.make_epochs(raw, verbose="error"), model, verbose="error")
    asked = {"sample_per_stage": per_stage, "on_check": "ignore", "verbose": "error"} | asked
    return eegflex.attribute_epochs(night, **asked), night


@pytest.fixture(scope="module")
def spindle(recorded):
    return made(recorded, "known-spindle", baseline="zero")


@pytest.fixture(scope="module")
def chambon(recorded):
    return made(recorded, trained.chambon(), 4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "baseline"), [*((name, "zero") for name in TRUTHS), ("known-slow-wave", "recording")])
def test_the_sufficient_set_of_a_known_stager_is_its_band_at_its_site(recorded, name, baseline):
    truth = TRUTHS[name]
    question = ask(*made(recorded, name, 6, target=truth.stage, baseline=baseline))
    own = [one for one in question.sample(None) if question.night.stages[one.stage] == truth.stage]
    asked_where = np.zeros((len(SITES), len(NAMES)), dtype=bool)
    asked_where[truth.input, NAMES.index(BANDS[name])] = True
    found = [sets.sets_of(one) for one in own]
    searched = [one for one in found if one.sufficient.any()]  # silence is never the stage, an ordinary epoch may be
    assert baseline == "recording" or len(searched) == len(found)
    exact = [np.array_equal(one.sufficient, asked_where) and one.sufficient_in_order == 1 for one in searched]
    assert len(exact) >= 4
    assert np.mean(exact) >= 0.9
    assert np.mean([np.array_equal(one.necessary, asked_where) for one in searched]) >= 0.9


def test_an_order_that_is_wrong_needs_more_cells(spindle):
    """The true order against permuted bands, permuted channels, and what no one would guess: the reverse."""
    question = ask(*spindle)
    own = [one for one in question.sample(4) if question.night.stages[one.stage] == "N2"]
    for one in own:
        cells, sums = sets.Cells(one), one.band_sums
        true = sets.sets_of(one).sufficient_in_order
        for wrong in (np.roll(sums, 1, axis=1), np.roll(sums, 1, axis=0), -sums):
            order = np.argsort(-wrong.ravel(), kind="stable")
            found = sets.smallest_set(lambda some, cells=cells: cells.lead(cells.with_some(some)), order)
            assert found.in_order > true


@pytest.mark.parametrize("kind", ["spindle", "chambon"])
def test_what_flips_a_stage_does_so_and_lies_in_the_range_of_the_night(kind, request):
    """Band by band with numpy, and through the stager's own call: nothing of the search takes part."""
    result, night = request.getfixturevalue(kind)
    signals = night.segments.signals.astype(np.float64)
    masks = eegflex.Bands().masks(np.fft.rfftfreq(signals.shape[-1], 1 / night.segments.sfreq))
    spectra = np.fft.rfft(signals[..., list(night.segments.channel_sets[0]), :])
    amplitudes = np.stack([np.sqrt((np.abs(spectra[..., mask]) ** 2).sum(axis=-1)) for mask in masks], axis=-1)
    low, high = np.quantile(amplitudes[night.sound], [0.05, 0.95], axis=0)
    flipped = 0
    for one in ask(result, night).sample(3):
        flip = sets.sets_of(one).flip
        if flip is None:
            continue
        flipped += 1
        assert flip.stage != night.stages[one.stage]
        changes, own = flip.log_gains != 0, amplitudes[one.number]
        new = own * np.exp(flip.log_gains)
        assert (new[changes] >= np.minimum(low, own)[changes] * 0.999).all()
        assert (new[changes] <= np.maximum(high, own)[changes] * 1.001).all()
        for share, wanted in ((1.0, flip.stage), (0.95, None)):
            gains = np.exp(share * flip.log_gains) @ masks
            changed = np.fft.irfft(spectra[one.number] * gains, n=signals.shape[-1])
            with torch.no_grad():
                scores = night.bound[0](torch.from_numpy(changed).float()[None], torch.tensor([one.number]))[0]
            if wanted is not None:
                assert night.stages[int(scores.argmax())] == wanted
            elif changes.sum() == 1 and np.abs(flip.log_gains).max() > 0.7:  # then 5 % are more than the search's steps
                assert int(scores.argmax()) == one.stage
    assert flipped >= 4  # of six or more


def test_sets_do_what_is_said_of_them(chambon):
    """The epoch and its baseline are mixed with numpy."""
    result, night = chambon
    tried = 0
    for one in ask(result, night).sample(2):
        found = sets.sets_of(one)
        begin, end = (np.fft.rfft(own[0].double().numpy()) for own in (one.begins, one.ends))
        for members, kept in ((found.sufficient, True), (found.necessary, False)):
            if members is None:
                continue
            tried += 1
            bins = (members @ one.masks).astype(bool)
            mixed = np.fft.irfft(np.where(bins == kept, end, begin), n=one.ends.shape[-1])
            with torch.no_grad():
                scores = night.bound[0](torch.from_numpy(mixed).float()[None], torch.tensor([one.number]))[0]
            p = torch.softmax(scores, dim=0)[one.stage]
            assert float(p) == pytest.approx(found.sufficient_p if kept else found.necessary_p, abs=1e-4)
            assert (int(scores.argmax()) == one.stage) is kept
    assert tried >= 10


@pytest.mark.slow
def test_draws_of_a_baseline_are_averaged(recorded):
    """Of a baseline that is drawn, a set must keep the stage on average."""
    result, night = made(recorded, trained.chambon(), 1, baseline="surrogate")
    one = ask(result, night).sample(1)[0]
    found = sets.sets_of(one)
    assert len(one.begins) > 1
    each = [float(one.probabilities(begin[None])[0, one.stage]) for begin in one.begins]
    assert found.baseline_p == pytest.approx(np.mean(each), abs=1e-5)


def test_a_set_of_a_stage_that_is_not_explained_is_none(spindle, recorded):
    _, night = spindle
    result = eegflex.attribute_epochs(night, target="N3", select=[40, 41], on_check="ignore", verbose="error")
    for one in ask(result, night).sample(None):
        if one.weights[one.stage] == 0:
            assert np.isnan(sets.measure(one)["sufficient: n"])


@pytest.fixture(scope="module")
def evaluation(spindle):
    return eegflex.evaluate(*spindle, parts="sets", sample_per_stage=8, verbose="error")


def test_the_evaluation_says_it_in_words_with_numbers(evaluation):
    said = evaluation.findings["sets N2"]
    n = said.values["n"]
    assert f"most often sigma at C4-M1 in {n} of {n} (100 %, 95 % interval" in said.measured
    assert said.status == "ok"
    assert said.values["sufficient share"] == 1
    assert said.values["sufficient share low"] < 1  # of so few, 8 of 8 is not sure
    flip = evaluation.findings["flip N2"]
    assert re.search(r"sigma at C4-M1 reduced to \d+ % makes it W \(p 0\.\d\d\)", flip.measured)


def test_a_baseline_that_is_the_stage_already_is_said_and_counted(evaluation):
    said = evaluation.findings["sets W"]
    assert said.status == "warning"
    assert "the baseline alone is already W" in said.measured
    assert said.values["n_baseline_is_stage"] == said.values["n"]
    table = evaluation.to_data_frame()
    assert (table.loc[table["predicted"] == "W", "sufficient: n"] == 0).all()
    assert (evaluation.tables["sets"].query("predicted == 'W'")["sufficient"] == "nothing").all()


def test_tables_have_a_row_an_explanation_and_shares_by_stage(evaluation):
    told, table = evaluation.tables["sets"], evaluation.to_data_frame()
    assert told["epoch"].tolist() == table["epoch"].tolist()
    by_stage = evaluation.tables["sets_by_stage"]
    (row,) = by_stage.query("predicted == 'N2' and channel == 'C4-M1'").to_dict("records")
    assert (row["band"], row["sufficient"], row["ch_type"]) == ("sigma", 1.0, "eeg")
    assert row["sufficient_low"] < 1


@pytest.mark.slow
def test_what_was_found_before_a_stop_is_found_again(evaluation, spindle):
    """A run that goes on has the numbers of before, but not the sets: they are searched for anew, and are the same."""
    question = ask(*spindle)
    again = sets_told.tables(question, [question.explanation(*place) for place in _places(evaluation, question)])
    for name in ("sets", "sets_by_stage"):
        rows = json.loads(json.dumps(again[name].to_dict("records")))
        assert rows == evaluation.tables[name].astype(object).where(evaluation.tables[name].notna(), None).to_dict(
            "records"
        )


def _places(evaluation, question):
    rows = {int(number): row for row, number in enumerate(question.data["number"].values)}
    return [(rows[number], 0) for number in evaluation.to_data_frame()["epoch"]]


def test_what_was_told_comes_back_from_a_file(evaluation, tmp_path):
    again = eegflex.evaluation.Evaluation(eegflex.read_result(evaluation.save(tmp_path / "result.nc")))
    assert str(again.findings) == str(evaluation.findings)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([(1, 3)], "sigma at C4"),
        ([(0, 1), (0, 2), (0, 3)], "4 to 16 Hz at C3"),
        ([(0, 5), (0, 0), (1, 6), (1, 4)], "< 4 Hz at C3 and ≥ 16 Hz at C4"),
        ([(0, 0), (0, 3), (1, 0), (1, 3)], "delta and sigma at C3 and C4"),
        ([(0, band) for band in range(7)], "all frequencies at C3"),
        ([], "nothing"),
    ],
)
def test_bands_that_touch_are_one_range(cells, words):
    members = np.zeros((2, len(NAMES)), dtype=bool)
    for cell in cells:
        members[cell] = True
    assert cells_in_words(members, ["C3", "C4"]) == words
