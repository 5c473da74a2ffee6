"""Findings: frozen, plain, printed and tabled."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from eegflex.findings import Finding, Findings, error, ok, unknown, warning

FOUND = Findings("<b>", (Finding("ok", "fine", "", "a"), Finding("error", "x < y", "Mend it", "b")))
MEASURED = ok("kappa 0.5 on 10 epochs", kappa=np.float32(0.5), n_epochs=np.int64(10), unit="µV", undefined=np.nan)


def test_they_are_printed_one_line_a_check():
    assert str(FOUND).splitlines() == ["<b>: 1 error, 1 ok", "     ok  a: fine.", "  ERROR  b: x < y. Mend it."]
    assert str(Findings("m", FOUND.findings * 2)).splitlines()[0] == "m: 2 errors, 2 ok"
    assert FOUND.errors == (FOUND["b"],)
    assert [found["status"] for found in FOUND.to_dicts()] == ["ok", "error"]
    shown = FOUND._repr_html_()
    assert "x &lt; y" in shown
    assert "<b>" not in shown


def test_the_text_of_one_is_sentences_and_says_what_to_do_only_where_it_is_not_well():
    assert [one.text for one in FOUND] == ["Fine.", "X < y. Mend it."]
    assert Finding("ok", "fine", "Do nothing").text == "Fine."


def test_a_check_is_found_by_its_name():
    assert "b" in FOUND
    assert FOUND["b"] in FOUND
    assert "c" not in FOUND
    with pytest.raises(KeyError):
        FOUND["c"]


def test_numbers_are_plain():
    assert MEASURED.values == {"kappa": 0.5, "n_epochs": 10, "unit": "µV", "undefined": None}
    assert [type(value) for value in MEASURED.values.values()] == [float, int, str, type(None)]


@pytest.mark.parametrize(
    "finding", [*FOUND, MEASURED, unknown("nothing"), warning("w", "do", n=1), error("e", "do", n=1)]
)
def test_one_comes_back_as_it_was_and_cannot_be_changed(finding):
    assert Finding(**json.loads(json.dumps(finding.to_dict(), allow_nan=False))) == finding
    assert pickle.loads(pickle.dumps(finding)) == finding
    assert hash(pickle.loads(pickle.dumps(finding))) == hash(finding)
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.status = "ok"


def test_numbers_make_two_findings_different():
    assert ok("a", n=1) != ok("a", n=2)


def test_the_table_has_a_row_for_each_number():
    table = Findings("m", (MEASURED.named("agreement"), FOUND["b"])).to_data_frame()
    assert list(table.columns) == ["check", "status", "quantity", "value", "measured", "remedy"]
    assert table["check"].tolist() == ["agreement"] * 4 + ["b"]
    assert table.set_index("quantity").loc["kappa", "value"] == 0.5
    assert table["value"].isna().tolist() == [False, False, False, True, True]
    assert Findings("m", ()).to_data_frame().empty
