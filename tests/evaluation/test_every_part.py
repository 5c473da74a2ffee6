"""All parts of an evaluation together, of a stager that is known to use spindles alone: each says what it found."""

from __future__ import annotations

import pytest

import eegflex
from eegflex.evaluation import Evaluation, evaluate
from eegflex.evaluation.parts import PARTS


@pytest.fixture(scope="module")
def evaluation():
    psg = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "known-spindle", verbose="error")
    views = ("frequency", "time-frequency")
    result = eegflex.attribute_epochs(night, views=views, on_check="ignore", verbose="error")
    return evaluate(result, night, parts=tuple(PARTS), sample_per_stage=2, verbose="error")


@pytest.mark.parametrize("part", PARTS)
def test_each_part_says_what_it_found(evaluation, part):
    assert PARTS[part].findings(evaluation)


def test_what_spoke_for_n2_lies_in_spindles(evaluation):
    pytest.importorskip("yasa", reason="the extra yasa is not installed")
    finding = evaluation.findings["N2 grounding"]
    assert finding.status == "ok"
    assert finding.values["kind"] == "spindle"


def test_read_again_it_says_the_same(evaluation, tmp_path):
    again = Evaluation(eegflex.read_result(evaluation.save(tmp_path / "evaluated.nc")))
    assert str(again.findings) == str(evaluation.findings)
    assert str(again) == str(evaluation)
