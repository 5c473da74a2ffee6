"""The shortcut audit of whole nights: what is flagged, and what is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import eegflex
from benchmarks.audit import CASES, audited, flagged, night_of
from eegflex.evaluation.shortcuts import KINDS, _finding, _of_level, excess_of, shortcut_table
from eegflex.evaluation.thresholds import SHORTCUT, SHORTCUT_DECIDES
from eegflex.results.shortcut_excess import ABOVE_CHANCE, excess

#: Short nights of which enough explanations of each stage are asked.
ASKED = {"seed": 51, "hours": 1.0, "sample_per_stage": 8}
CHEAP = ("known-shortcut", "known-spindle", "reads a gain")


@pytest.fixture(scope="module")
def shortcut():
    """The audit of the stager that has learnt the mains."""
    return audited(CASES["known-shortcut"], **ASKED | {"hours": 2.0})  # its N3 lies in several blocks of 10 minutes


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in CHEAP else pytest.mark.slow) for name in CASES]
)
def test_a_stager_is_flagged_for_what_it_reads_and_for_nothing_else(name, request):
    case = CASES[name]
    found = request.getfixturevalue("shortcut") if name == "known-shortcut" else audited(case, **ASKED)
    assert flagged(found) == ({case.kind} if case.kind else set())


def test_the_sentence_tells_share_chance_interval_and_n(shortcut):
    finding = shortcut.findings["shortcut: line"]
    values = finding.values
    assert finding.status == "error"
    assert values["stage"] == "N3"
    assert values["n"] == 8
    assert values["low"] > SHORTCUT_DECIDES
    assert finding.measured == (
        f"{values['share']:.1%} of the absolute attribution of N3 lies at line frequency (chance: {values['chance']:.1%}; "
        f"excess {values['excess']:.1%}, 95 % interval {values['low']:.1%} to {values['high']:.1%}, n = 8): "
        "50, 60 Hz, the mains, their harmonics and aliases"
    )
    assert "notch_filter" in finding.remedy


def test_what_cannot_be_measured_says_why(shortcut):
    for name, why in (("below", "high-pass"), ("above", "low-pass")):
        finding = shortcut.findings[f"shortcut: {name}"]
        assert finding.status == "unknown"
        assert f"neither the model's spec nor the recording states a {why}" in finding.measured
    told = shortcut.tables["shortcuts"].set_index("kind")
    assert list(told.index) == list(KINDS)
    assert (told["where"].astype(bool) ^ told["why not"].astype(bool)).all()


def test_the_table_counts_by_stage_and_flags_by_its_threshold(shortcut):
    table, each = shortcut_table(shortcut), shortcut.to_data_frame()
    lines = table[table["kind"] == "line"].set_index("stage")
    for stage, row in lines.drop("all").iterrows():
        own = each[each["predicted"] == stage]
        assert row["n"] == len(own)
        assert row["share"] == pytest.approx(own["shortcut: line"].mean())
        assert row["excess"] == pytest.approx((own["shortcut: line"] - own["shortcut chance: line"]).mean())
    np.testing.assert_array_equal(lines["shortcut"], lines["low"] > SHORTCUT)
    pd.testing.assert_series_equal(excess_of(each, "images"), each["shortcut: images"])


def test_what_a_level_does_to_the_answer_is_told_with_n_and_intervals(shortcut):
    finding, each = shortcut.findings["shortcut: level"], shortcut.to_data_frame()
    values = finding.values
    assert values["stage"] == "all"
    assert values["n_level"] == each["shortcut level: score"].notna().sum()
    for name, form in (("probability", ".2f"), ("score", ".2f"), ("flips", ".0%")):
        assert values[name] == pytest.approx(each[f"shortcut level: {name}"].mean())
        interval = shortcut.interval(f"shortcut level: {name}")
        assert (values[f"{name}_low"], values[f"{name}_high"]) == (interval.low, interval.high)
        assert 0 <= interval.low <= values[name] <= interval.high
        assert f"{values[name]:{form}} ({interval.low:{form}} to {interval.high:{form}})" in finding.measured
    assert f"(means over {len(each)} explanations, 95 % intervals)" in finding.measured
    assert "changes what the model is given just as much" in finding.measured  # it is not standardised


def test_the_level_of_a_stage_is_told_of_that_stage(shortcut):
    each = shortcut.to_data_frame()
    of_stage = _of_level(shortcut, "N3")
    own = each[each["predicted"] == "N3"]
    assert of_stage["n_level"] == len(own) < len(each)
    assert of_stage["score"] == pytest.approx(own["shortcut level: score"].mean())
    row = {
        "kind": "level",
        "n": 8,
        "share": 0.9,
        "chance": 0.5,
        "excess": 0.4,
        "low": 0.3,
        "high": 0.5,
        "shortcut": True,
    }
    told = pd.Series({"where": "here", "why not": ""})
    rows = pd.DataFrame([row | {"stage": "all", "shortcut": False}, row | {"stage": "N3"}])
    said = _finding("level", told, rows, lambda stage: _of_level(shortcut, stage))
    assert f"(means over {len(own)} explanations of N3, 95 % intervals)" in said.measured
    assert said.values["score"] == of_stage["score"]


def test_trust_and_the_audit_reckon_a_shortcut_the_same(shortcut):
    data = shortcut.result.data
    each = shortcut.to_data_frame()
    for kind in KINDS:
        share, chance = (data["measures"].sel(measure=f"shortcut{what}: {kind}").values for what in ("", " chance"))
        both = excess(kind, share, chance)[each["epoch"].map(data["number"].values.tolist().index), 0]
        np.testing.assert_array_equal(both, excess_of(each, kind))
    assert set(KINDS) - ABOVE_CHANCE == {"below", "above", "images", "channel"}


def test_too_few_to_tell_is_no_all_clear():
    """A mean below the threshold whose interval reaches beyond it."""
    row = {
        "kind": "ecg",
        "stage": "all",
        "n": 6,
        "share": 0.24,
        "chance": 0.2,
        "excess": 0.04,
        "low": -0.1,
        "high": 0.2,
    }
    told = pd.Series({"where": "at R peaks", "why not": ""})
    found = _finding("ecg", told, pd.DataFrame([row | {"shortcut": False}]))
    assert found.status == "unknown"
    assert "too few to tell" in found.measured
    assert _finding("ecg", told, pd.DataFrame([row | {"high": 0.045, "shortcut": False}])).status == "ok"
    assert _finding("ecg", told, pd.DataFrame([row | {"low": 0.06, "shortcut": True}])).status == "warning"


def test_within_ten_minutes_nothing_is_cleared():
    """Explanations that all lie within one block have no interval, which is no all-clear."""
    whole = audited(CASES["known-spindle"], seed=51, hours=0.2, sample_per_stage=20).result
    found = eegflex.evaluation.Evaluation(whole.sel(epoch=[n for n in whole.data["number"].values.tolist() if n < 20]))
    assert found.count("shortcut: line") >= 5
    finding = found.findings["shortcut: line"]
    assert finding.status == "unknown"
    assert "95 % interval not known" in finding.measured


@pytest.fixture(scope="module")
def plain():
    """A night of the spindle stager with an ECG, and a result without a view in time."""
    night = eegflex.stage_epochs(night_of(CASES["known-spindle"], 51, 0.3), "known-spindle", verbose="error")
    asked = {"sample_per_stage": 1, "spectral_share": 0, "baseline": "zero", "verbose": "error"}
    return night, asked


def audit(result, night):
    return eegflex.evaluate(result, night, parts="shortcuts", verbose="error").to_data_frame()


def test_moments_are_explained_anew_where_the_result_has_no_view_in_time(plain):
    night, asked = plain
    without = audit(eegflex.attribute_epochs(night, **asked), night)
    with_view = audit(eegflex.attribute_epochs(night, views=("time",), **asked), night)
    assert with_view["shortcut: ecg"].notna().all()
    pd.testing.assert_frame_equal(without, with_view, rtol=1e-4)


def test_a_recording_without_an_ecg_cannot_tell(plain):
    night, asked = plain
    epochs = night.epochs.copy().load_data().drop_channels(["ECG"])
    bare = eegflex.stage_epochs(epochs, "known-spindle", verbose="error")
    found = eegflex.evaluate(eegflex.attribute_epochs(bare, **asked), bare, parts="shortcuts", verbose="error")
    assert found.findings["shortcut: ecg"].status == "unknown"
    assert "no ECG channel" in found.findings["shortcut: ecg"].measured
    assert found.findings["shortcut: line"].status == "unknown"  # two explanations are too few
    assert "only 2 explanations" in found.findings["shortcut: line"].measured


def test_a_method_of_bands_tells_of_levels_and_channels_only(plain):
    night, asked = plain
    result = eegflex.attribute_epochs(night, method="feature_ablation", **asked)
    found = eegflex.evaluate(result, night, parts="shortcuts", verbose="error")
    table = found.to_data_frame()
    for kind in ("line", "images", "ecg"):
        assert table[f"shortcut: {kind}"].isna().all()
        assert "the method" in found.findings[f"shortcut: {kind}"].measured
    assert table["shortcut: level"].notna().all()
    assert (table["shortcut: channel"] == 0).all()


def test_a_recording_that_was_scaled_says_which_gain_is_meant():
    found = audited(CASES["chambon"], seed=51, hours=0.3, sample_per_stage=1)
    where = found.tables["shortcuts"].set_index("kind").loc["level", "where"]
    assert "divided out before the model sees it (zscore per recording)" in where
