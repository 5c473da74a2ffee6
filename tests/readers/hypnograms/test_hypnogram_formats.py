"""Every hypnogram format says the same night, whatever the file is called."""

from __future__ import annotations

import datetime as dt
import warnings
from collections import Counter

import h5py
import hypnogram_files as files
import numpy as np
import pytest
from edf_files import Edf, Sig
from hypnogram_files import EPOCH, FILES, STAGES

from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers import get_notes, read_hypnogram, read_psg
from eegflex.readers.hypnograms.read import HYPNOGRAM_FORMATS, HypnogramOptions, load_hypnogram


def put(tmp_path, content, name="stages.txt"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(tmp_path, content, name="stages.txt", **keys):
    return read_hypnogram(put(tmp_path, content, name), verbose="ERROR", **keys)


def by_epoch(annotations, epoch=EPOCH):
    """The stage of each epoch; UNSCORED where no stage is."""
    end = (annotations.onset + annotations.duration).max()
    found = ["UNSCORED"] * round(end / epoch)
    for onset, length, stage in zip(annotations.onset, annotations.duration, annotations.description, strict=True):
        for place in range(round(onset / epoch), round((onset + length) / epoch)):
            found[place] = str(stage)
    return found


def recording(tmp_path, seconds=600, date="30.03.20", time="23.55.00"):
    path = tmp_path / "night.edf"
    path.write_bytes(Edf([Sig(n=10)], n_records=seconds, date=date, time=time).to_bytes())
    return path


def test_every_format_is_tried():
    assert {name.partition(",")[0] for name in FILES} == {name.partition(",")[0] for name in HYPNOGRAM_FORMATS}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("file", ["stages.txt", "stages.edf", "stages"])
def test_every_format_says_the_same_night(tmp_path, name, file):
    write, in_epochs = FILES[name]
    keys = {"epoch_length": EPOCH} if in_epochs else {}
    found = read(tmp_path, write(), file, **keys)
    assert by_epoch(found)[: len(STAGES)] == list(STAGES)
    assert set(by_epoch(found)[len(STAGES) :]) <= {"UNSCORED"}
    loaded = load_hypnogram(tmp_path / file, HypnogramOptions(**keys))
    assert loaded.format.partition(",")[0] == name.partition(",")[0]


@pytest.mark.parametrize("name", FILES)
def test_every_format_lies_on_its_recording(tmp_path, name):
    raw = read_psg(recording(tmp_path), hypnogram=put(tmp_path, FILES[name][0]()), verbose="ERROR")
    alignment = get_notes(raw.info).alignment
    assert alignment["matched"] * alignment["epoch_length_s"] == 600
    assert (alignment["padded"], alignment["dropped"]) == (0, 0)
    assert (alignment["offset_s"], alignment["grid_phase_s"]) == (0, 0)


CLOCKED = [
    "EDF+ annotations", "Noxturnal events", "RemLogic events", "DOMINO sleep profile", "Alice epochs", "EDFbrowser XML",
    "TWin events",
]  # fmt: skip


@pytest.mark.parametrize("name", CLOCKED)
def test_a_hypnogram_with_a_clock_that_starts_late_lies_later(tmp_path, name):
    psg = recording(tmp_path, 720, time="23.53.00")
    raw = read_psg(psg, hypnogram=put(tmp_path, FILES[name][0]()), verbose="ERROR")
    alignment = get_notes(raw.info).alignment
    assert (alignment["offset_s"], alignment["matched"], alignment["padded"]) == (120, 20, 4)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be-mark", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("names", ["Éveil,N1,N2,N3,REM", "Wach,N1,N2,N3,REM", "Wake,N1,N2,N3,R"])
def test_noxturnal_in_any_language_and_encoding(tmp_path, encoding, names):
    raw = files.noxturnal("utf-8", names).decode()
    content = b"\xfe\xff" + raw.encode("utf-16-be") if encoding == "utf-16-be-mark" else raw.encode(encoding)
    found = read(tmp_path, content)
    assert by_epoch(found) == list(STAGES)
    assert found.orig_time == dt.datetime(2020, 3, 30, 23, 55, tzinfo=dt.UTC)
    # "Rapide", "Activity-REMstart" and a movement inside an epoch are events
    assert len(load_hypnogram(tmp_path / "stages.txt").event_places) == 12


def test_noxturnal_with_dates_month_first(tmp_path):
    content = files.noxturnal("utf-8").decode()
    content = content.replace("30/03/2020", "03/30/2020").replace("31/03/2020", "03/31/2020")
    assert read(tmp_path, content).orig_time.date() == dt.date(2020, 3, 30)
    unclear = content.replace("03/30/2020", "03/05/2020").replace("03/31/2020", "03/05/2020")
    assert read(tmp_path, unclear[: unclear.index("00:00:00")].rpartition("\n")[0]).orig_time is None


def test_noxturnals_columns_are_the_users_choice(tmp_path):
    rows = [row.split(",") for row in files.noxturnal("utf-8").decode().replace('"0,7"', "0.7").splitlines()]
    short = "\n".join(",".join([row[0], row[3], row[2], ""]) for row in rows)
    assert by_epoch(read(tmp_path, short)) == list(STAGES)
    with pytest.raises(HypnogramError, match="Line 3 does not follow"):
        read(tmp_path, "\n".join(",".join([row[0], row[1], row[2], ""]) for row in rows))


def test_remlogic_takes_the_recordings_date_and_no_birthday(tmp_path):
    text = files.remlogic().decode("latin-1")
    assert read(tmp_path, text).orig_time == dt.datetime(2020, 3, 30, 23, 55, tzinfo=dt.UTC)
    born = text.replace("Patient ID:\t", "Birth Date:\t17/05/1970")
    assert read(tmp_path, born).orig_time == dt.datetime(2020, 3, 30, 23, 55, tzinfo=dt.UTC)
    assert read(tmp_path, born.replace("Recording Date:\t30/03/2020\n", "")).orig_time is None


def test_a_clock_of_24_hours_by_day_is_no_clock_of_12(tmp_path):
    rows = [f"{hour}:{minute:02d}:00,W" for hour in (1, 2, 11, 12) for minute in range(60)]
    found = read(tmp_path, "\n".join(["Time,Stage", *rows]))
    assert found.onset[-1] == 11 * 3600 + 59 * 60


def test_gaps_of_a_table_stay_without_a_stage(tmp_path):
    rows = files.noxturnal("utf-8").decode().splitlines()
    first = next(n for n, row in enumerate(rows) if ",N3," in row)
    found = read(tmp_path, "\n".join(rows[:first] + [row for row in rows[first:] if ",N3," not in row]))
    assert Counter(by_epoch(found))["UNSCORED"] == STAGES.count("N3")


HEADS = {
    "CAP without a position": "Sleep Stage\tTime [hh:mm:ss]\tEvent\tDuration[s]\tLocation",
    "French": "Stade de sommeil\tPosition\tHeure [hh:mm:ss]\tEvénement\tDurée[s]\tEmplacement",
    "fractions": "Sleep Stage\tPosition\tTime [hh:mm:ss.xxx]\tEvent\tDuration[s]",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
def test_remlogic_headers(tmp_path, head):
    assert by_epoch(read(tmp_path, files.remlogic(head))) == list(STAGES)


def test_a_clock_of_12_hours_goes_over_midnight(tmp_path):
    assert by_epoch(read(tmp_path, files.remlogic(mark=True))) == list(STAGES)


def test_a_clock_of_12_hours_without_am_or_pm(tmp_path):
    # From 12:55 to 1:04, be it day or night: of the two, what is near the recording's start.
    path = put(tmp_path, files.remlogic(half=True, first=55 * 60))
    assert by_epoch(read_hypnogram(path, verbose="ERROR")) == list(STAGES)
    for hour in ("00", "12"):
        raw = read_psg(recording(tmp_path, time=f"{hour}.55.00"), hypnogram=path, verbose="ERROR")
        alignment = get_notes(raw.info).alignment
        assert (alignment["offset_s"], alignment["placed_by"]) == (0, "the nearest half day")
        assert any("AM or PM" in warning for warning in get_notes(raw.info).warnings)


def test_a_whole_night_on_a_clock_of_12_hours(tmp_path):
    head = "Sleep Stage\tTime [hh:mm:ss]\tEvent\tDuration[s]"
    hours = [10, 11, 12, 1, 2, 3]
    rows = [f"W\t{hour:02d}:{minute:02d}:00\tSLEEP-S2\t30" for hour in hours for minute in range(60)]
    found = read(tmp_path, "\n".join([head, *rows]))
    assert found.onset.tolist() == [60.0 * n for n in range(360)]


@pytest.mark.parametrize(
    "begin", ["30.03.2020 23:55:00", "30/03/2020 23:55:00", "3/30/2020 11:55:00 PM", "2020-03-30 23:55:00"]
)
def test_domino_dates(tmp_path, begin):
    found = read(tmp_path, files.domino(begin))
    assert found.orig_time == dt.datetime(2020, 3, 30, 23, 55, tzinfo=dt.UTC)


def test_domino_labels(tmp_path):
    text = files.domino().decode().replace("Rem", "A").replace("N3", "Bewegung")
    assert set(read(tmp_path, text).description) == {"W", "N1", "N2", "ARTIFACT", "MOVEMENT"}
    with pytest.raises(HypnogramError, match="'Tief', 4 times, first as entry 12"):
        read(tmp_path, files.domino().decode().replace("N3", "Tief").replace("N4,Tief", "N4,N3"))


@pytest.mark.parametrize("times", ["s", "+", "e", "clock", "am", "date", "0+", "..."])
def test_lunas_ways_to_write_a_time(tmp_path, times):
    found = read(tmp_path, files.luna(times))
    assert by_epoch(found) == list(STAGES)
    dated = dt.datetime(2020, 3, 30, 23, 55, tzinfo=dt.UTC)
    assert found.orig_time == (dated if times == "date" else None)


def test_luna_in_two_ways_at_once_is_refused(tmp_path):
    with pytest.raises(HypnogramError, match="others go by the clock"):
        read(tmp_path, "W\t.\t0\t30\nN2\t.\t23:55:30\t+30\n")


def test_lunas_eannot_is_one_stage_a_line(tmp_path):
    assert by_epoch(read(tmp_path, files.lines(), "night.eannot", epoch_length=30)) == list(STAGES)


def test_profusion(tmp_path):
    text = files.profusion().decode()
    found = read(tmp_path, text.replace("<SleepStage>1<", "<SleepStage>9<"))
    assert by_epoch(found)[4:6] == ["UNSCORED"] * 2  # 9 is not wake
    assert by_epoch(found)[11] == "N3"  # 4 is not REM
    with pytest.raises(HypnogramError, match="CMPPSGSCOREDATA"):
        read(tmp_path, files.profusion("CMPPSGSCOREDATA"))
    for length in ("0", "-30", "x", "", "3e-9", "1e9"):
        with pytest.raises(HypnogramError, match=r"EpochLength|impossible (length|time)"):
            read(tmp_path, text.replace("<EpochLength>30<", f"<EpochLength>{length}<"))


def test_nsrr_leaves_out_what_is_no_stage(tmp_path):
    loaded = load_hypnogram(put(tmp_path, files.nsrr()))
    assert loaded.others == 2
    with pytest.raises(HypnogramError, match="none of type"):
        read(tmp_path, files.nsrr().replace(b"Stages|Stages", b"Limb|Limb"))


def test_a_rater_is_named_where_there_are_several(tmp_path):
    path = put(tmp_path, files.wonambi(["one", "two"]))
    with pytest.raises(HypnogramError, match=r"Allowed: one, two\. Name one with column="):
        read_hypnogram(path)
    assert by_epoch(read_hypnogram(path, column="two")) == list(STAGES)
    with pytest.raises(ParameterError, match="names a column"):
        read_hypnogram(path, column="three")
    with pytest.raises(ParameterError, match="one scoring"):
        read(tmp_path, files.ids(), column="two")


TWO = "onset\tduration\tstage_hum\tstage_ai\n" + "".join(f"{30 * n}\t30\t{n % 4}\t{n % 3}\n" for n in range(12))


def test_the_column_of_a_table_is_a_parameter(tmp_path):
    with pytest.raises(HypnogramError, match="stage_hum, stage_ai"):
        read(tmp_path, TWO, "sub-1_events.tsv")
    found = read(tmp_path, TWO, "sub-1_events.tsv", column="stage_ai")
    assert by_epoch(found)[:4] == ["W", "N1", "N2", "W"]
    assert by_epoch(read(tmp_path, files.bids("my own"), column="My Own")) == list(STAGES)


def test_missing_durations_and_labels_of_a_table(tmp_path):
    rows = ["onset\tduration\tstage", "0\tn/a\tW", "60\tn/a\tN2", "90\tn/a\tn/a", "120\tn/a\tREM"]
    found = read(tmp_path, "\n".join(rows))
    # the row without a stage is an epoch without one, and the row that is missing is none
    assert list(found.description) == ["W", "N2", "UNSCORED", "REM"]
    assert (found.onset.tolist(), found.duration.tolist()) == ([0, 60, 90, 120], [30, 30, 30, 30])
    with pytest.raises(HypnogramError, match="onset in line 3"):
        read(tmp_path, "\n".join(rows).replace("60\t", "n/a\t", 1))


def test_a_column_of_stages_holds_nothing_else(tmp_path):
    rows = "0\t30\tW\n30\t30\tlight\n60\t30\tN2\n90\t30\tlight\n"
    with pytest.raises(HypnogramError, match="'light', 2 times, first as entry 2"):
        read(tmp_path, f"onset\tduration\tsleep_stage\n{rows}")


def test_a_label_that_comes_as_stages_do_is_told(tmp_path):
    path = put(tmp_path, files.noxturnal("utf-8", "Vaken,N1,N2,N3,REM"))
    loaded = load_hypnogram(path)
    # of five; during one of them there is a "Movement", which nothing now tells from a stage
    assert [w for w in loaded.warnings if "Vaken" in w] == [
        "'Vaken' (4 times between the stages) is treated as an event; if it is a stage, name it with labels="
    ]
    assert not any("event" in w for w in load_hypnogram(put(tmp_path, files.noxturnal())).warnings)


def test_columns_of_one_name_and_spare_commas(tmp_path):
    with pytest.raises(HypnogramError, match="Two columns have one name"):
        read(tmp_path, "onset,stage,stage\n0,W,N1\n")
    assert len(read(tmp_path, "onset,duration,stage\n0,30,W,\n30,30,N2,,\n")) == 2
    with pytest.raises(HypnogramError, match="Line 2 does not follow"):
        read(tmp_path, "onset,duration,stage\n0,30,W,N1\n")


def test_an_error_quotes_no_name(tmp_path):
    with pytest.raises(HypnogramError) as caught:
        read(tmp_path, "Patient: Doe, Jane\tborn 1.1.1970\nand more = of this\n")
    assert "Patient" in str(caught.value)
    assert "Doe" not in str(caught.value)


def test_a_table_by_epoch_may_have_gaps_and_must_begin_at_0_or_1(tmp_path):
    text = "Epoch\tUser-Defined Stage\n1\t0\n2\t1\n4\t2\n"
    assert by_epoch(read(tmp_path, text, epoch_length=30)) == ["W", "N1", "UNSCORED", "N2"]
    with pytest.raises(HypnogramError, match="neither 0 nor 1"):
        read(tmp_path, text.replace("1\t0", "7\t0"), epoch_length=30)


def test_yasas_hypnogram_of_fewer_stages_is_refused(tmp_path):
    with pytest.raises(HypnogramError, match="n_stages 4"):
        read(tmp_path, files.yasa_json(4))
    with pytest.raises(HypnogramError, match="'LIGHT', 5 times"):
        read(tmp_path, files.yasa_csv().replace(b"N2", b"LIGHT", 5), epoch_length=30)
    dated = files.yasa_csv().decode().splitlines()[1:]
    rows = [f"{files.date(n, '{y}-{m:02d}-{d}')} {files.clock(n)},{row.split(',')[1]}" for n, row in enumerate(dated)]
    assert by_epoch(read(tmp_path, "\n".join(["Time,Stage", *rows]))) == list(STAGES)


@pytest.mark.parametrize("first", ["[hypnogram]", "[HypnogramAASM]", "[HypnogramR&K]"])
def test_dreams_codes_are_its_own(tmp_path, first):
    content = files.dreams().decode().replace("[HypnogramAASM]", first)
    assert by_epoch(read(tmp_path, content)) == list(STAGES)
    assert load_hypnogram(tmp_path / "stages.txt").epoch_length == 5
    assert read(tmp_path, f"{first}\n0\n-1\n-2\n-3\n5\n").description.tolist() == [
        "N3",
        "MOVEMENT",
        "UNSCORED",
        "UNSCORED",
        "W",
    ]


def test_a_list_in_json_is_of_nobodys_coding(tmp_path):
    path = put(tmp_path, files.json_list().replace(b"5", b"4"))
    with pytest.raises(HypnogramError, match="two ways"):
        read_hypnogram(path, epoch_length=30)
    assert by_epoch(read_hypnogram(path, epoch_length=30, coding="aasm")) == list(STAGES)
    raw = read_psg(recording(tmp_path), hypnogram=path, coding="aasm")
    assert get_notes(raw.info).alignment["matched"] == 20


def test_dreem_codes_are_its_own(tmp_path):
    path = tmp_path / "night.h5"
    for codes, fit in [([0, 1, 4, -1], True), ([0, 1, 5], False), ([0.5, 1.0], False)]:
        with h5py.File(path, "w") as file:
            file["hypnogram"], file["signals/x"] = np.array(codes), np.zeros(3)
        if fit:
            assert read_hypnogram(path, epoch_length=30).description.tolist() == ["W", "N1", "REM", "UNSCORED"]
        else:
            with pytest.raises(HypnogramError, match="holds no hypnogram"):
                read_hypnogram(path, epoch_length=30)


def test_isruc(tmp_path):
    found = read(tmp_path, "\n".join(files.named("0,1,2,3,5")), "1_1.txt", epoch_length=30)
    assert by_epoch(found) == list(STAGES)


def test_wfdb_rate_from_the_header_beside_it(tmp_path):
    path = put(tmp_path, files.wfdb(rate=False), "tr03-0005.arousal")
    with pytest.raises(HypnogramError, match=r"tr03-0005\.hea"):
        read_hypnogram(path)
    (tmp_path / "tr03-0005.hea").write_text("tr03-0005 13 200 120000\nx.mat 16 1/uV 16 0 0 0 0 F3-M2\n")
    assert by_epoch(read_hypnogram(path, verbose="ERROR")) == list(STAGES)
    with pytest.raises(HypnogramError, match="cut or damaged"):
        read(tmp_path, files.wfdb()[:-2])


def test_what_wfdb_writes_is_read(tmp_path):
    wfdb = pytest.importorskip("wfdb", reason="wfdb, an oracle for its annotations, is not installed")
    rows = [(onset * EPOCH * 200, stage) for onset, _, stage in files.runs()]
    rows = sorted([*rows, (500, "(arousal_rera"), (1700, "arousal_rera)")])
    samples, notes = zip(*rows, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about wfdb
        wfdb.wrann(
            "night", "arousal", np.array(samples), ['"'] * len(rows), aux_note=list(notes), fs=200, write_dir=tmp_path
        )
    assert by_epoch(read_hypnogram(tmp_path / "night.arousal", verbose="ERROR")) == list(STAGES)


ROWS = {
    "a negative duration": "onset\tduration\tstage\n0\t30\tW\n30\t-30\tN2\n",
    "an infinite onset": "onset\tduration\tstage\n0\t30\tW\ninf\t30\tN2\n",
    "a year later": "0,30,W\n99999999,30,N2\n",
    "two at one time": "onset\tduration\tstage\n0\tn/a\tW\n0\tn/a\tN2\n30\tn/a\tW\n",
    "overlap": "0,60,W\n30,30,N2\n",
    "a short row": "onset\tduration\tstage\n0\t30\n",
    "a word for a number": "0,30,W\nx,30,N2\n",
}


@pytest.mark.parametrize("text", ROWS.values(), ids=list(ROWS))
def test_impossible_rows_are_refused(tmp_path, text):
    with pytest.raises(HypnogramError) as caught:
        read(tmp_path, text)
    assert caught.value.seen


def test_a_clock_without_a_date_is_not_lost_in_silence(tmp_path, caplog):
    read_hypnogram(put(tmp_path, files.alice()), verbose="WARNING")
    assert "give read_psg the file itself" in caplog.text


def test_the_formats_coding_stands(tmp_path):
    path = put(tmp_path, files.profusion())
    loaded = load_hypnogram(path, HypnogramOptions(coding="aasm"))
    assert loaded.coding == "rk"
    assert any("is not used" in warning for warning in loaded.warnings)
