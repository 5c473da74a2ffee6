"""Provenance in groups: all that is known is there, once, and under its own name."""

from __future__ import annotations

import example_results
from pages import Page

from eegflex.evaluation import assess
from eegflex.report.parts import Gathered
from eegflex.report.provenance import grouped, provenance


def test_what_is_known_is_in_its_group_and_what_is_empty_is_not():
    found = grouped(
        {
            "epochs": 840, "faults": {}, "profile": "", "mne": "1.13.2", "model_sha256": 64 * "0", "checks": [{}],
            "sfreq_native": {"C3_M2": 256.0, "C4_M1": 256.0}, "filter": {"l_freq": 0.3, "h_freq": None}, "tide": "high",
        }
    )  # fmt: skip
    assert found == {
        "Recording": [("epochs", "840"), ("sampling rate of each channel (Hz)", "256 (all 2)")],
        "Preparation for the stager": [("filter, l freq", "0.3")],
        "Software": [("MNE-Python", "1.13.2")],
        "SHA-256": [("weights", 64 * "0")],
        "Further": [("tide", "high")],
    }


def test_names_from_files_stay_as_they_are():
    rows = grouped({"sfreq_native": {"C3_M2": 256.0, "C4_M1": 128.0}})["Recording"]
    assert [row for row, _ in rows] == [
        "sampling rate of each channel (Hz), C3_M2", "sampling rate of each channel (Hz), C4_M1",
    ]  # fmt: skip


def test_everything_that_a_result_tells_of_itself_has_a_group():
    result = example_results.explain(example_results.make_epochs())
    assert "Further" not in grouped(result.provenance)
    (text,) = provenance(Gathered(result, assess(result), of_all=True))
    said = Page(text.html).text
    assert "Parameters of the attribution" in said
    assert "target all" in said
    assert result.provenance["recording_sha256"] in said
