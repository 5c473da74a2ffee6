"""Codes and labels of other schools: said by a user or a card, and told where a night says that they were misread."""

from __future__ import annotations

import numpy as np
import pytest
from edf_files import Edf, Sig

from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers import get_notes, load_profile, read_hypnogram, read_psg
from eegflex.readers.hypnograms.odd_night import odd_night
from eegflex.readers.stage_numbers import CODINGS
from eegflex.simulation.hypnogram import draw_hypnogram

UCDDB = list("00002223333334455111")
UCDDB_STAGES = ["W"] * 4 + ["N1"] * 3 + ["N2"] * 6 + ["N3"] * 4 + ["REM"] * 3
SAID = {"0": "W", 1: "REM", "2": "N1", "3.0": "N2", "4": "N3", "5": "N3"}


def put(tmp_path, labels, name="stages.txt"):
    path = tmp_path / name
    path.write_text("\n".join(labels))
    return path


def recording(tmp_path, seconds=600, label="C3A2"):
    path = tmp_path / "night.rec"
    path.write_bytes(Edf([Sig(label, n=10)], n_records=seconds).to_bytes())
    return path


def test_a_user_says_what_codes_mean(tmp_path):
    found = read_hypnogram(put(tmp_path, UCDDB), labels=SAID, epoch_length=30, verbose="ERROR")
    assert found.description.tolist() == UCDDB_STAGES
    raw = read_psg(recording(tmp_path), hypnogram=put(tmp_path, UCDDB), labels=SAID, verbose="ERROR")
    assert raw.annotations.description.tolist() == UCDDB_STAGES
    assert get_notes(raw.info).alignment["coding"] == "as said"


def test_that_something_was_said_is_noted(tmp_path):
    path = put(tmp_path, ["0", "1", "2", "8"] * 5)
    raw = read_psg(recording(tmp_path), hypnogram=path, labels={"8": "REM"}, verbose="ERROR")
    assert get_notes(raw.info).alignment["coding"] == "auto, as said"


def test_a_card_says_it(tmp_path):
    codes = put(tmp_path, UCDDB, "ucddb002_stage.txt")
    raw = read_psg(recording(tmp_path), hypnogram=codes, profile="ucddb", verbose="ERROR")
    assert raw.annotations.description.tolist() == UCDDB_STAGES
    card = tmp_path / "my.toml"
    card.write_text(
        '[hypnogram]\nlabels = { 1 = "W", 2 = "REM", 3 = "N1", 4 = "N2", 5 = "N3", "Dösig" = "N1" }\n', "utf-8"
    )
    given = put(tmp_path, ["1", "3", "4", "5", "2"] * 4)
    raw = read_psg(recording(tmp_path), hypnogram=given, profile=card, verbose="ERROR")
    assert raw.annotations.description.tolist() == ["W", "N1", "N2", "N3", "REM"] * 4
    # what the user says outranks it, label by label
    raw = read_psg(recording(tmp_path), hypnogram=given, profile=card, labels={"2": "ARTIFACT"}, verbose="ERROR")
    assert raw.annotations.description.tolist() == ["W", "N1", "N2", "N3", "ARTIFACT"] * 4


def test_boas(tmp_path):
    """8 is a PSG that was disconnected; the human's column, of two."""
    rows = [f"{30 * n}\t30\t{s}\t{s if s != 8 else -2}" for n, s in enumerate([0, 0, 1, 1, 2, 2, 3, 8, 4, -2] * 2)]
    events = put(tmp_path, ["onset\tduration\tstage_hum\tstage_ai", *rows], "events.tsv")
    raw = read_psg(recording(tmp_path), hypnogram=events, profile="boas", verbose="ERROR")
    assert (
        raw.annotations.description.tolist()
        == ["W", "W", "N1", "N1", "N2", "N2", "N3", "UNSCORED", "REM", "UNSCORED"] * 2
    )
    assert "code 8 (2 entries) is no stage in the coding 'aasm': UNSCORED" in get_notes(raw.info).warnings


def test_words_of_any_language_and_what_is_not_said_is_read_as_ever(tmp_path):
    labels = ["Wach", "Leichtschlaf", "N2", "Tief", "Traum"]
    said = {"leichtschlaf": "N1", "TIEF": "N3", "Traum": "REM"}
    found = read_hypnogram(put(tmp_path, labels), labels=said, epoch_length=30, verbose="ERROR")
    assert found.description.tolist() == ["W", "N1", "N2", "N3", "REM"]
    with pytest.raises(HypnogramError, match=r"'Traum', 1 times, first as entry 3.*labels="):
        read_hypnogram(put(tmp_path, labels), labels={"leichtschlaf": "N1", "tief": "N3"}, epoch_length=30)
    # "Stage 7" begins like a stage and is none: what the user says it is
    given = put(tmp_path, ["onset\tduration\tevent", "0\t30\tStage 7", "30\t30\tW", "40\t3\tArousal"], "e.tsv")
    found = read_hypnogram(given, labels={"Stage 7": "UNSCORED"}, verbose="ERROR")
    assert found.description.tolist() == ["UNSCORED", "W"]


def test_what_is_no_stage_is_refused(tmp_path):
    path = put(tmp_path, UCDDB)
    with pytest.raises(ParameterError, match=r"not a stage.*Got 'Rem'.*Allowed: W, N1, N2, N3, REM, MOVEMENT"):
        read_hypnogram(path, labels={"1": "Rem"})
    with pytest.raises(ParameterError, match="must map labels"):
        read_psg(recording(tmp_path), hypnogram=path, labels=["REM"])
    card = tmp_path / "my.toml"
    card.write_text('[hypnogram]\nlabels = { 1 = "S1" }\n')
    with pytest.raises(ParameterError, match=r"Got 'S1'"):
        load_profile(card)


def told(path, **keys):
    return get_notes(read_psg(recording(path.parent), hypnogram=path, verbose="ERROR", **keys).info).warnings


def test_codes_without_a_stage_in_the_coding_are_told(tmp_path):
    """An R&K night without stage 4, read as if 5 were unknown: no REM, without a word before."""
    path = put(tmp_path, ["0"] * 4 + ["2"] * 10 + ["5"] * 6)
    assert "code 5 (6 entries) is no stage in the coding 'aasm': UNSCORED" in told(path, coding="aasm")
    assert not any("no stage in the coding" in warning for warning in told(path, coding="rk"))
    with pytest.raises(HypnogramError, match=r"not in the coding 'aasm'.*6, 2 times, first as entry 19.*labels="):
        told(put(tmp_path, ["0"] * 18 + ["6"] * 2), coding="aasm")


def test_what_codes_were_taken_for_is_told(tmp_path):
    assert any("0 = W, 1 = N1, 2 = N2, 3 = N3" in warning for warning in told(put(tmp_path, ["0", "1", "2", "3"] * 5)))
    assert not any("labels=" in w for w in told(put(tmp_path, ["W", "N1", "N2", "N3"] * 5)))
    assert any(
        "labels= names labels that the hypnogram does not have" in w
        for w in told(put(tmp_path, ["W", "N1"] * 10), labels={"1": "REM"})
    )


def draw(seed, n_epochs=840):
    return [str(stage) for stage in draw_hypnogram(n_epochs, np.random.default_rng(seed))]


LONG = np.full(840, 30.0)
#: what a night is in truth -> what it is read as
MISREAD = {
    "1 is REM, 2 is N1": {"REM": "N1", "N1": "N2", "N2": "N3"},
    "1 is W, 2 is REM": {"W": "N1", "REM": "N2", "N1": "N3", "N2": "N3", "N3": "REM"},
    "4 is REM, not stage 4": {"REM": "N3"},
    "5 is REM, not unknown": {"REM": "UNSCORED"},
    "DREAMS' codes": {"W": "REM", "REM": "N3", "N1": "N3", "N3": "N1"},
    "W and REM": {"W": "REM", "REM": "W"},
}


@pytest.mark.parametrize("read_as", MISREAD.values(), ids=list(MISREAD))
@pytest.mark.parametrize("seed", range(10))
def test_a_night_that_was_misread_is_odd_and_itself_is_not(seed, read_as):
    night = draw(seed)
    assert odd_night(night, LONG) == []
    (warning,) = odd_night([read_as.get(stage, stage) for stage in night], LONG)
    assert "coding=" in warning


def test_stage_4_of_another_school_is_entered_from_stage_3(tmp_path):
    """0 W, 1 REM, 2 S1, 3 S2, 4 S3, 5 S4 read as R&K, half of N3 in S4: none of the five stages is missing."""
    night, code = draw(3), {"W": "0", "REM": "1", "N1": "2", "N2": "3"}
    deep = 0
    codes = []
    for stage in night:
        deep = deep + 1 if stage == "N3" else 0
        codes.append(code.get(stage) or ("5" if deep > 4 else "4"))
    path = put(tmp_path, codes, "night_stage.txt")
    psg = recording(tmp_path, 840 * 30)
    warnings = get_notes(read_psg(psg, hypnogram=path, coding="rk", verbose="ERROR").info).warnings
    assert any("REM is entered" in warning and "from N3" in warning for warning in warnings)
    raw = read_psg(psg, hypnogram=path, profile="ucddb", verbose="ERROR")
    assert raw.annotations.description.tolist() == night
    assert not any("rare" in warning for warning in get_notes(raw.info).warnings)


def test_a_short_night_is_not_judged():
    assert odd_night(["N1"] * 400, np.full(400, 30.0)) == []
    assert odd_night(["N2"] * 500, np.full(500, 30.0)) != []


@pytest.mark.slow
def test_false_alarms_are_rare():
    assert sum(bool(odd_night(draw(seed, 960), np.full(960, 30.0))) for seed in range(1000)) == 0


@pytest.mark.parametrize("coding", CODINGS)
def test_no_coding_has_a_code_without_a_name(coding):
    assert {*CODINGS[coding].values()} <= {"W", "N1", "N2", "N3", "REM", "MOVEMENT", "UNSCORED"}


def test_the_shell_has_the_words_of_python(tmp_path, capsys):
    from eegflex.cli import main

    path, codes = recording(tmp_path), put(tmp_path, UCDDB)
    assert main(["info", str(path), "--hypnogram", str(codes), "--labels", "0=W,1=REM,2=N1,3=N2,4=N3,5=N3"]) == 0
    assert "W 4, N1 3, N2 6, N3 4, REM 3" in capsys.readouterr().out
    assert main(["info", str(path), "--hypnogram", str(codes), "--labels", "0:W"]) != 0
    assert "1=REM,2=N1" in capsys.readouterr().err
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["Startzeit;Befund", *(f"{30 * n};{'Wach' if n < 9 else 'N2'}" for n in range(20))]))
    assert main(["info", str(path), "--hypnogram", str(table), "--columns", "onset=Startzeit,stage=Befund"]) == 0
    assert "W 9, N2 11" in capsys.readouterr().out


def test_the_shell_can_say_all_of_a_hypnogram_that_python_can():
    import dataclasses

    from eegflex.cli.options import RecordingOptions
    from eegflex.readers.hypnograms.read import HypnogramOptions

    words = {field.name for field in dataclasses.fields(HypnogramOptions)}
    assert words <= {field.name for field in dataclasses.fields(RecordingOptions)}
