"""Tables and lists as people write them: header lines, delimiters, languages, and none of these."""

from __future__ import annotations

import pytest
from hypnogram_files import EPOCH, STAGES, clock, elan, named, runs, visbrain_samples

from eegflex.epochs import make_epochs
from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers import get_notes, read_hypnogram, read_psg
from eegflex.readers.hypnograms.formats.events_table import ROLES

from .test_hypnogram_formats import by_epoch, put, read, recording


def rows(delimiter="\t", stages=STAGES, decimal="."):
    return [delimiter.join([f"{EPOCH * n}{decimal}0", f"{EPOCH}{decimal}0", stage]) for n, stage in enumerate(stages)]


@pytest.mark.parametrize("delimiter", ["\t", ";", ",", "|", " ", "   "])
@pytest.mark.parametrize("above", [[], ["Sleep report", "Patient: X, born 1.1.1970", "Start Time: 23:55:00", ""]])
def test_delimiters_and_lines_above_the_header(tmp_path, delimiter, above):
    head = delimiter.join(["onset", "duration", "stage"])
    decimal = "," if delimiter == ";" else "."
    found = read(tmp_path, "\n".join([*above, head, *rows(delimiter, decimal=decimal)]))
    assert by_epoch(found) == list(STAGES)


HEADS = {
    "a nameless index": ",Stage,Confidence",
    "pandas, twice": "Unnamed: 0,Stage,Confidence",
    "a number": "No.,Stage,Confidence",
    "an index": "index,hypno,p",
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
def test_an_index_counts_the_epochs(tmp_path, head, first):
    lines = [f"{first + n},{stage},0.9" for n, stage in enumerate(STAGES)]
    assert by_epoch(read(tmp_path, "\n".join([head, *lines]), epoch_length=EPOCH)) == list(STAGES)


def test_an_index_is_nothing_beside_onsets(tmp_path):
    lines = [f"{n + 7},{EPOCH * n},{EPOCH},{stage}" for n, stage in enumerate(STAGES)]
    assert by_epoch(read(tmp_path, "\n".join([",onset,duration,stage", *lines]))) == list(STAGES)


def test_a_table_that_says_no_time_has_an_epoch_a_row(tmp_path):
    text = "\n".join(["Stage,Confidence", *(f"{stage},0.9" for stage in STAGES)])
    assert by_epoch(read(tmp_path, text, epoch_length=EPOCH)) == list(STAGES)
    raw = read_psg(recording(tmp_path), hypnogram=put(tmp_path, text), verbose="ERROR")
    assert get_notes(raw.info).alignment["matched"] == len(STAGES)


GERMAN = ["Bericht", "Startzeit;Dauer [s];Stadium;Bemerkung", *(f"{row};-" for row in rows(";"))]
SAID = {"onset": "Startzeit", "duration": "Dauer", "stage": "Stadium"}


def test_headers_in_another_language(tmp_path):
    assert by_epoch(read(tmp_path, "\n".join(GERMAN), columns=SAID)) == list(STAGES)
    raw = read_psg(recording(tmp_path), hypnogram=put(tmp_path, "\n".join(GERMAN)), columns=SAID, verbose="ERROR")
    assert get_notes(raw.info).alignment["matched"] == len(STAGES)
    clocked = ["Début|Fin|Stade"]
    clocked += [f"{clock(n)}|{clock(n + 1)}|{STAGES[n]}" for n in range(8)]
    said = {"onset": "Début", "end": "Fin"}
    assert by_epoch(read(tmp_path, "\n".join(clocked), columns=said)) == list(STAGES[:8])
    by_number = ["Epoche\tBefund", *(f"{n + 1}\t{stage}" for n, stage in enumerate(STAGES))]
    said = {"epoch": "Epoche", "stage": "Befund"}
    assert by_epoch(read(tmp_path, "\n".join(by_number), columns=said, epoch_length=EPOCH)) == list(STAGES)


def test_what_a_card_says_of_columns(tmp_path):
    card = tmp_path / "my.toml"
    card.write_text('[hypnogram]\ncolumns = { onset = "Startzeit", duration = "Dauer", stage = "Stadium" }\n')
    raw = read_psg(recording(tmp_path), hypnogram=put(tmp_path, "\n".join(GERMAN)), profile=card, verbose="ERROR")
    assert get_notes(raw.info).alignment["matched"] == len(STAGES)


def test_an_error_says_which_names_are_known(tmp_path):
    path = put(tmp_path, "\n".join(GERMAN).replace("Stadium", "Befund"))
    with pytest.raises(HypnogramError, match=r"columns=.*known: .*begin.*duration.*onset.*starttime"):
        read_hypnogram(path)
    # the column of the stages is known, that of the times is not: rows are not taken for epochs
    path = put(tmp_path, "\n".join(GERMAN))
    with pytest.raises(HypnogramError, match=r"Got 'Startzeit'.*begin.*duration.*onset.*columns="):
        read_hypnogram(path, epoch_length=EPOCH)
    with pytest.raises(HypnogramError, match=r"no header with these columns.*onset='Beginn'.*known: "):
        read_hypnogram(path, columns={"onset": "Beginn"})
    with pytest.raises(ParameterError, match=r"'start': 'Startzeit'.*Allowed: onset, duration, end, epoch, stage"):
        read_hypnogram(path, columns={"start": "Startzeit"})
    with pytest.raises(ParameterError, match="must map"):
        read_hypnogram(path, columns="Startzeit")
    assert list(ROLES) == ["onset", "duration", "end", "epoch", "stage"]


ENDS = [(EPOCH * onset, EPOCH * (onset + length), stage) for onset, length, stage in runs()]
BARE = {
    "stage, onset, duration": [f"{s}\t{a}\t{b - a}" for a, b, s in ENDS],
    "stage, onset, end": [f"{s}\t{a}\t{b}" for a, b, s in ENDS],
    "onset, end, stage": [f"{a},{b},{s}" for a, b, s in ENDS],
    "onset, duration, stage": [f"{a};{b - a};{s}" for a, b, s in ENDS],
    "onset, stage, duration": [f"{a} {s} {b - a}" for a, b, s in ENDS],
    "stage, end": [f"{s}\t{b}" for _, b, s in ENDS],
    "Visbrain's comments": ["*Duration_sec\t600", "*Unit\tseconds", *(f"{s}\t{b}.0" for _, b, s in ENDS)],
    "epoch, stage": [f"{n}\t{s}" for n, s in enumerate(STAGES, 1)],
    "onset, stage": [f"{EPOCH * n}\t{s}" for n, s in enumerate(STAGES)],
    "clock, stage": [f"{clock(n)}\t{s}" for n, s in enumerate(STAGES)],
    "codes: onset, duration, stage": [f"{EPOCH * n} {EPOCH} {s}" for n, s in enumerate(named("0,1,2,3,5"))],
    "codes: stage, onset, duration": [f"{s},{EPOCH * n},{EPOCH}" for n, s in enumerate(named("0,1,2,3,5"))],
    "codes: epoch, stage": [f"{n}\t{s}" for n, s in enumerate(named("0,1,2,3,5"))],
    "codes: clock, stage": [f"{clock(n)};{s}" for n, s in enumerate(named("0,1,2,3,5"))],
    "comments above": ["# scored by two", "# on Monday", *STAGES],
    "one line of commas": [",".join(STAGES)],
    "one line of blanks": [" ".join(STAGES)],
    "one line of codes": [" ".join(named("0,1,2,3,5"))],
    "one line in brackets": ["[" + ", ".join(named("0,1,2,3,5")) + "]"],
}  # fmt: skip


@pytest.mark.parametrize("lines", BARE.values(), ids=list(BARE))
def test_rows_without_a_header(tmp_path, lines):
    raw = read_psg(recording(tmp_path), hypnogram=put(tmp_path, "\n".join(lines)), verbose="ERROR")
    assert make_epochs(raw, verbose="ERROR").metadata["stage"].tolist() == list(STAGES)


def test_visbrains_two_forms(tmp_path):
    """Its samples may have their description in a file beside them; of any length of a sample."""
    for window in (0.5, 1, 30):
        assert by_epoch(read(tmp_path, visbrain_samples(window))) == list(STAGES)
    lines = visbrain_samples().decode().splitlines()
    put(tmp_path, "\n".join(lines[:7]), "night_description.txt")
    assert by_epoch(read(tmp_path, "\n".join(lines[7:]), "night.txt")) == list(STAGES)
    # a configuration of one's own: what the description says, not what the codes are elsewhere
    own = ["time 30", "Wake 5", "REM 0", "N1 3", "N2 2", "N3 1", *named("5,3,2,1,0")]
    assert by_epoch(read(tmp_path, "\n".join(own))) == list(STAGES)
    with pytest.raises(HypnogramError, match="a code of the header"):
        read(tmp_path, "\n".join([*own, "7"]))
    with pytest.raises(HypnogramError, match="header has no end"):
        read(tmp_path, elan().replace(b"epoch_list\n", b""))


def test_wonambis_export(tmp_path):
    """A clock that is no onset, and starts and ends in s from the start of the recording."""
    names = named("Wake,NREM1,NREM2,NREM3,REM")
    lines = [f"23:55:00,{EPOCH * n},{EPOCH * (n + 1)},{stage}" for n, stage in enumerate(names)]
    assert by_epoch(read(tmp_path, "\n".join(["clock start time,start,end,stage", *lines]))) == list(STAGES)


def test_wscs_codes_are_those_of_rk_if_it_is_said(tmp_path):
    lines = [f"{n}\t{code}\t{code}" for n, code in enumerate(named("0,1,2,3,5"), 1)]
    text = "\n".join(["Epoch\tUser-Defined Stage\tCAST-Defined Stage", *lines])
    found = read(tmp_path, text, column="User-Defined Stage", coding="rk", epoch_length=EPOCH)
    assert by_epoch(found) == list(STAGES)


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("STAGE - W", "W"), ("STAGE - N1", "N1"), ("Stage - N4", "N3"), ("STAGE - R", "REM"), ("Stage: N2", "N2"),
        ("STAGE - NO STAGE", "UNSCORED"), ("STAGE - MVT", "MOVEMENT"), ("Sleep stage: N3", "N3"), ("Nde", "UNSCORED"),
    ],
)  # fmt: skip
def test_stage_words_of_twin_and_others(tmp_path, word, stage):
    found = read(tmp_path, f"{word}\nW\n", epoch_length=EPOCH)
    assert found.description.tolist() == [stage, "W"]


def test_twin_with_two_starts_is_refused(tmp_path):
    text = "21:00:00.00\tSTART RECORDING\n21:00:00.00\tSTAGE - W\n22:00:00.00\tSTART RECORDING\n"
    with pytest.raises(HypnogramError, match="starts more than once"):
        read(tmp_path, text)


def test_edfbrowsers_xml_in_seconds(tmp_path):
    items = "".join(
        f"<annotation><onset>{EPOCH * n}.0</onset><duration>{EPOCH}</duration><description>Sleep stage {s}</description>"
        "</annotation>"
        for n, s in enumerate(named("W,1,2,4,R"))
    )
    assert by_epoch(read(tmp_path, f"<annotationlist>{items}</annotationlist>")) == list(STAGES)


def test_a_clock_that_begins_at_0_is_told(tmp_path):
    text = "\n".join(
        ["onset,stage", *(f"00:{n // 2:02d}:{30 * (n % 2):02d},{stage}" for n, stage in enumerate(STAGES))]
    )
    path = put(tmp_path, text)
    raw = read_psg(recording(tmp_path, 1200), hypnogram=path, verbose="ERROR")
    assert any("read as midnight" in warning for warning in get_notes(raw.info).warnings)


def test_numbers_that_are_no_times_are_refused(tmp_path):
    for lines in (["1 2", "5 0", "3 2"], ["0 30 2", "30 12 2", "90 7 1"], ["0 1", "1 1"], ["0 1 2 3", "1 2 3 5"]):
        with pytest.raises(HypnogramError):
            read(tmp_path, "\n".join(lines), epoch_length=EPOCH)


def test_prose_and_tables_of_other_things_are_no_hypnogram(tmp_path):
    for text in (
        "subject,age\n1,34\n2,41\n",
        "The start of the night\nwas late\n",
        "a b\n1 2\n",
        "onset of sleep was\nlate at 3 h\n",
    ):
        with pytest.raises(HypnogramError):
            read(tmp_path, text, epoch_length=EPOCH)


def test_a_second_of_60_and_dates_that_are_used_or_not(tmp_path, caplog):
    head = ["Signal ID: SchlafProfil\\profil", "Start Time: 30.03.2020 23:54:60", "Rate: 30 s", ""]
    clocks = [f"23:{55 + n // 2}:{30 * (n % 2):02d},000; {stage}" for n, stage in enumerate(STAGES[:10])]
    path = put(tmp_path, "\n".join([*head, *clocks]))
    raw = read_psg(recording(tmp_path), hypnogram=path, verbose="ERROR")
    notes = get_notes(raw.info)
    assert notes.alignment["placed_by"] == "date and clock"
    assert not any("left out" in warning for warning in notes.warnings)  # it is used
    raw = read_psg(
        recording(tmp_path),
        hypnogram=put(tmp_path, "\n".join([*head, *clocks]).replace("30.03.2020", "03/04/2020")),
        verbose="ERROR",
    )
    notes = get_notes(raw.info)
    assert notes.alignment["placed_by"] == "the nearest day"
    assert any("day first or month first" in warning for warning in notes.warnings)
    some = ["start,duration,stage", "2020-03-30 23:55:00,30,W", "23:55:30,30,N2"]
    found = get_notes(read_psg(recording(tmp_path), hypnogram=put(tmp_path, "\n".join(some)), verbose="ERROR").info)
    assert "1 of 2 entries have a date; the date is not used" in found.warnings
