"""Stage labels and codes."""

from __future__ import annotations

import pytest

from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers.stage_numbers import CODINGS, parse_codes, to_stages
from eegflex.readers.stage_words import parse_label
from eegflex.stages import NOT_STAGED, STAGES

# fmt: off
LABELS = {
    "W": ["W", "wa", "wk", "WAKE", "awake", "Wakefulness", "wach", "Éveil", "E\u0301veil", "stage_W", "Wake|0",
          "Sleep stage W", "SLEEP-S0", "S0"],
    "N1": ["N1", "NREM1", "S1", "Stage 1", "stage N1", "Sleep stage 1", "Stage 1 sleep|1", "SLEEP-S1"],
    "N2": ["N2", "NREM2", "s2", "Sleep stage 2", "sleep  stage\tN2", "Stage 2 sleep|2", "SLEEP-S2", "Ｎ２"],
    "N3": ["N3", "Sleep stage 3", "Sleep stage 4", "S4", "SLEEP-S4", "Stage 4 sleep|4", "S3/4", "SWS"],
    "REM": ["R", "REM", "Sleep stage R", "Sleep stage REM", "REM sleep|5", "SLEEP-REM", "Paradoxal", "stage r"],
    "MOVEMENT": ["M", "MT", "Movement|6", "Movement time", "SLEEP-MT", "Bewegung"],
    "ARTIFACT": ["A", "ART", "Artefact", "Artefakt", "artifact"],
    "UNSCORED": ["?", "U", "nd", "UNS", "-", "", "Unknown", "undefined", "Unscored|9", "Sleep stage ?",
                 "SLEEP-UNSCORED"],
}
# fmt: on


@pytest.mark.parametrize(("stage", "label"), [(stage, label) for stage, labels in LABELS.items() for label in labels])
def test_label(stage, label):
    assert parse_label(label) == stage
    assert to_stages([f" {label} "]) == ([stage], "labels")


@pytest.mark.parametrize("stage", [*STAGES, *NOT_STAGED])
def test_canonical_names_are_labels(stage):
    assert parse_label(stage) == stage


@pytest.mark.parametrize(
    "label", ["NREM", "light", "deep", "Rapide", "REM onset", "wake up", "stage 5", "S5", "N4x", "NaN"]
)
def test_no_stage(label):
    assert parse_label(label) is None
    with pytest.raises(HypnogramError) as caught:
        to_stages(["W", label, "W", label])
    assert f"{label!r}, 2 times, first as entry 2" in str(caught.value)


CODES = [
    # codes, coding asked for, stages, coding used
    ("0 1 2 3 9 -1", "auto", "W N1 N2 N3 UNSCORED UNSCORED", "auto"),
    ("0 2 5", "auto", "W N2 REM", "rk"),
    ("0 2 6", "auto", "W N2 MOVEMENT", "rk"),
    ("0 1 2 3 4 5 6 7 9", "rk", "W N1 N2 N3 N3 REM MOVEMENT UNSCORED UNSCORED", "rk"),
    ("0 1 2 3 4 -1 -2 5", "aasm", "W N1 N2 N3 REM UNSCORED UNSCORED UNSCORED", "aasm"),
    ("5 4 3 2 1 0 -1 -2 -3", "dreams", "W REM N1 N2 N3 N3 MOVEMENT UNSCORED UNSCORED", "dreams"),
    ("0 ? 1 5", "dreams", "N3 UNSCORED N3 W", "dreams"),
    ("0.0 1.0 2.", "auto", "W N1 N2", "auto"),
    ("0 ? 2", "auto", "W UNSCORED N2", "auto"),
    ("W 1 2 3 4 R", "auto", "W N1 N2 N3 N3 REM", "labels"),
]


@pytest.mark.parametrize(("codes", "coding", "stages", "used"), CODES)
def test_codes(codes, coding, stages, used):
    assert to_stages(codes.split(), coding) == (stages.split(), used)


@pytest.mark.parametrize("codes", [[0, 1, 2, 3, 4], [0, 4, 5], [4]])
def test_rem_or_stage_4_is_refused_with_both_readings(codes):
    with pytest.raises(HypnogramError) as caught:
        parse_codes(codes)
    assert "4 is REM in 'aasm'" in str(caught.value)
    assert "4: 1" in str(caught.value)
    assert "coding=" in caught.value.remedy


@pytest.mark.parametrize(("codes", "coding"), [([0, 8], "auto"), ([0, 6], "aasm"), ([6], "dreams"), ([0, 12], "rk")])
def test_codes_outside_the_coding_are_refused(codes, coding):
    with pytest.raises(HypnogramError, match="not in the coding"):
        parse_codes(codes, coding)


def test_unknown_coding():
    with pytest.raises(ParameterError, match="aasm"):
        to_stages(["0"], "AASM")
    assert set(CODINGS) == {"aasm", "rk", "dreams"}


def test_mixed_words_and_4_without_rem_is_refused():
    with pytest.raises(HypnogramError):
        to_stages(["W", "1", "4"])
