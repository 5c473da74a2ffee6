"""Which recordings a cohort has, and which hypnogram goes with each."""

import time
from pathlib import Path

import numpy as np
import pytest

from eegflex.cohort import Recording, list_recordings
from eegflex.errors import ParameterError


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def bids(root, *stems):
    (root / "derivatives" / "sub-09" / "eeg").mkdir(parents=True)
    touch(root / "dataset_description.json", root / "derivatives" / "sub-09" / "eeg" / "sub-09_eeg.edf")
    for stem in stems:
        entities = dict(part.split("-") for part in stem.split("_"))
        session = [f"ses-{entities['ses']}"] if "ses" in entities else []
        folder = Path(root, f"sub-{entities['sub']}", *session, "eeg")
        touch(folder / f"{stem}_eeg.edf", folder / f"{stem}_events.tsv", folder / f"{stem}_channels.tsv")
    return root


def test_a_bids_data_set(tmp_path):
    root = bids(tmp_path, "sub-02_task-sleep", "sub-01_ses-1_task-sleep", "sub-01_ses-2_task-sleep")
    (root / "participants.tsv").write_text(
        "participant_id\tgroup\tage\tcode\nsub-01\tpatient\t31\t007\nsub-02\tcontrol\tn/a\t011\n"
    )
    (root / "sub-02" / "eeg" / "sub-02_task-sleep_events.tsv").unlink()
    found = list_recordings(root)
    assert [one.name for one in found] == ["sub-01_ses-1_task-sleep", "sub-01_ses-2_task-sleep", "sub-02_task-sleep"]
    assert [(one.subject, one.session) for one in found] == [("01", "1"), ("01", "2"), ("02", "")]
    assert [one.covariates for one in found][1:] == [
        {"group": "patient", "age": 31, "code": "007"},
        {"group": "control", "age": None, "code": "011"},
    ]
    assert found[0].hypnogram.name == "sub-01_ses-1_task-sleep_events.tsv"
    assert found[0].may_have_none
    assert found[2].hypnogram is None
    assert found[0].folder == Path("sub-01", "ses-1", "eeg")


def test_of_several_tasks_sleep_is_meant_or_one_must_be_named(tmp_path):
    root = bids(tmp_path / "a", "sub-01_task-rest", "sub-01_task-sleep")
    assert [one.name for one in list_recordings(root)] == ["sub-01_task-sleep"]
    assert [one.name for one in list_recordings(root, task="rest")] == ["sub-01_task-rest"]
    with pytest.raises(ParameterError, match=r"no such task.*rest, sleep"):
        list_recordings(root, task="nap")
    with pytest.raises(ParameterError, match=r"several tasks.*nap, rest"):
        list_recordings(bids(tmp_path / "b", "sub-01_task-rest", "sub-01_task-nap"))


def test_what_is_no_bids_data_set_has_no_tasks(tmp_path):
    touch(tmp_path / "nights" / "a.edf")
    (tmp_path / "t.csv").write_text("recording\na.edf\n")
    given, nights = [Recording("sub-a", Path("a.edf"))], tmp_path / "nights"
    for source in (nights, tmp_path / "t.csv", str(nights / "*.edf"), given):
        with pytest.raises(ParameterError, match=r"Only a BIDS data set has tasks.*'rest'"):
            list_recordings(source, task="rest")
    with pytest.raises(ParameterError, match="does not exist"):
        list_recordings(tmp_path / "nowhere", task="rest")


def test_hypnograms_of_a_folder_go_with_recordings_by_name(tmp_path):
    touch(
        *(tmp_path / name for name in ("a.edf", "a-hypnogram.edf", "a-events.tsv", "b-PSG.edf", "b_stages.csv")),
        *(tmp_path / name for name in ("deep/c.bdf", "deep/c.xml", "d.edf", "notes.txt", ".hidden.edf", "ab.edf")),
    )
    found = {one.name: one.hypnogram and one.hypnogram.name for one in list_recordings(tmp_path)}
    assert found == {
        "sub-a": "a-hypnogram.edf", "sub-ab": None, "sub-b": "b_stages.csv", "sub-c": "c.xml", "sub-d": None
    }  # fmt: skip


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    touch(*(tmp_path / who / name for who in ("p1", "p2") for name in ("night.edf", "night-hypnogram.edf")))
    found = list_recordings(tmp_path)
    assert [one.name for one in found] == ["sub-p1night", "sub-p2night"]
    assert [one.hypnogram.parent for one in found] == [one.path.parent for one in found]


def test_two_hypnograms_are_told_and_none_is_chosen(tmp_path):
    touch(*(tmp_path / name for name in ("a.edf", "a-hypnogram.edf", "a_scoring.csv", "b.edf")))
    found = list_recordings(tmp_path)
    assert ("2 files" in found[0].error, found[0].hypnogram, found[1].error) == (True, None, "")
    assert "table" in found[0].remedy


@pytest.mark.parametrize(
    ("profile", "recording", "hypnogram", "name"),
    [
        ("sleep_edf", "SC4012E0-PSG.edf", "SC4012EC-Hypnogram.edf", "sub-SC401_ses-2"),
        (
            "shhs",
            "edfs/shhs1/shhs1-200001.edf",
            "annotations-events-nsrr/shhs1/shhs1-200001-nsrr.xml",
            "sub-200001_ses-shhs1",
        ),
        ("mesa", "edfs/mesa-sleep-0001.edf", "annotations-events-nsrr/mesa-sleep-0001-nsrr.xml", "sub-0001"),
        ("hmc", "SN001.edf", "SN001_sleepscoring.edf", "sub-SN001"),
        ("mass", "01-01-0001 PSG.edf", "01-01-0001 Base.edf", "sub-01010001"),
        ("dreams", "subject1.edf", "HypnogramAASM_subject1.txt", "sub-subject1"),
    ],
)
def test_profiles_know_their_files(tmp_path, profile, recording, hypnogram, name):
    touch(tmp_path / recording, tmp_path / hypnogram, tmp_path / "other.edf", tmp_path / "shhs1-200001-profusion.xml")
    found = next(one for one in list_recordings(tmp_path, profile=profile) if one.name == name)
    assert (found.path, found.hypnogram) == (tmp_path / recording, tmp_path / hypnogram)


def test_a_card_with_a_wrong_pattern_is_refused(tmp_path):
    card = tmp_path / "my.toml"
    for pattern in ("night.edf", "(?P<key>["):
        card.write_text(f"[files]\nrecording = '{pattern}'\n")
        with pytest.raises(ParameterError, match="regular expression with a group key"):
            list_recordings(tmp_path, profile=card)


def test_a_pattern_and_a_single_file(tmp_path, monkeypatch):
    touch(*(tmp_path / who / name for who in ("x", "y") for name in ("a.edf", "a-hypnogram.edf", "b.edf")))
    found = list_recordings(str(tmp_path / "*" / "a*.edf"))
    assert [(one.name, one.hypnogram.name) for one in found] == [
        ("sub-xa", "a-hypnogram.edf"),
        ("sub-ya", "a-hypnogram.edf"),
    ]
    monkeypatch.chdir(tmp_path / "x")
    assert [one.name for one in list_recordings("*.edf")] == ["sub-a", "sub-b"]
    assert [one.hypnogram.name for one in list_recordings("a.edf")] == ["a-hypnogram.edf"]
    with pytest.raises(ParameterError, match="There is no recording"):
        list_recordings("*.bdf")


def test_a_table_with_paths_relative_to_it(tmp_path):
    table = tmp_path / "lists" / "nights.csv"
    table.parent.mkdir()
    table.write_text(
        "recording;hypnogram;subject;session;group;age\n../a.edf;../a.txt;1E5;1;x;30,5\n../a2.edf;;1E5;2;x;31\n../c.edf;;;;y;n/a\n"
    )
    found = {one.name: one for one in list_recordings(table)}
    assert list(found) == ["sub-1E5_ses-1", "sub-1E5_ses-2", "sub-c"]
    assert found["sub-1E5_ses-1"].hypnogram.resolve() == tmp_path / "a.txt"
    assert found["sub-c"].covariates == {"group": "y", "age": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("path\na.edf\n", "no column with the paths"),
        ("recording,subject\na.edf,1,2\n", "Row 2 of the table has 3 cells"),
        ("recording,subject,subject\na.edf,1,2\n", "a unique name"),
        ("recording,subject\n,1\n", "Row 2 of the table names no recording"),
        ("recording,subject\na.edf,Mr. X\n", "a label that BIDS does not take"),
        ("recording,subject\na.edf,1\nb.edf,1\n", "Several recordings would be called sub-1"),
        ("recording\n", "There is no recording"),
    ],
)
def test_a_table_that_cannot_be_one(tmp_path, text, said):
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(ParameterError, match=said):
        list_recordings(table)


def test_one_file_is_not_two_recordings(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("recording,subject\na.edf,1\na.edf,2\nb.edf,3\n")
    assert [bool(one.error) for one in list_recordings(table)] == [True, True, False]


def test_no_source():
    with pytest.raises(ParameterError, match=r"The source does not exist.*nowhere"):
        list_recordings("nowhere")


def test_recordings_may_be_given_themselves():
    given = [Recording("sub-b", Path("b.edf"), subject="b"), Recording("sub-a", Path("a.edf"), subject="a")]
    assert [one.name for one in list_recordings(given)] == ["sub-a", "sub-b"]


@pytest.mark.slow
def test_a_listing_takes_as_long_as_there_are_recordings(tmp_path):
    def seconds(n):
        root = bids(tmp_path / str(n), *(f"sub-{k:05d}_task-sleep" for k in range(n)))
        times = []
        for _ in range(3):
            began = time.process_time()
            assert len(list_recordings(root)) == n
            times.append(time.process_time() - began)
        return min(times)

    few, many = seconds(250), seconds(1000)
    assert many < 8 * few  # a search of all files for each would take 16 times as long


def test_what_cannot_be_looked_at_does_not_hide_the_others(tmp_path):
    touch(tmp_path / "a.edf")
    (tmp_path / "circle").symlink_to("circle")
    assert [one.name for one in list_recordings(tmp_path / "a.edf")] == ["sub-a"]
    assert [one.name for one in list_recordings(tmp_path)] == ["sub-a"]


def test_a_source_that_no_system_takes_is_none():
    with pytest.raises(ParameterError, match="source does not exist"):
        list_recordings("x" * 5000)


@pytest.mark.parametrize(
    ("cell", "value"), [("9" * 30, 1e30), ("9" * 5000, float("inf")), ('"two\nlines"', "two\nlines")]
)
def test_cells_of_any_length_and_of_several_lines(tmp_path, cell, value):
    path = tmp_path / "c.csv"
    path.write_text(f"recording,what\na.edf,{cell}\n")
    (one,) = list_recordings(path)
    assert one.covariates == {"what": value}
    assert type(one.covariates["what"]) is type(value)


def test_a_cell_without_an_end_is_refused(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('recording,what\na.edf,"' + "x" * 200_000)
    with pytest.raises(ParameterError, match=r"table cannot be read: field larger.*quote"):
        list_recordings(path)


def test_participants_are_known_with_and_without_their_prefix(tmp_path):
    root = bids(tmp_path, "sub-1", "sub-2")
    (root / "participants.tsv").write_text("participant_id\tage\n1\t31\nsub-2\t42\nn/a\t5\n")
    assert [one.covariates for one in list_recordings(root)] == [{"age": 31}, {"age": 42}]
    (root / "participants.tsv").write_text("participant_id\tage\n1\t31\nsub-1\t42\n")
    with pytest.raises(ParameterError, match=r"several rows of one participant.*sub-1"):
        list_recordings(root)


def test_entities_in_capitals(tmp_path):
    touch(tmp_path / "dataset_description.json", tmp_path / "sub-01" / "eeg" / "SUB-01_eeg.edf")
    assert [one.subject for one in list_recordings(tmp_path)] == ["01"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "../x"}, "name of a recording"),
        ({"name": ""}, "name of a recording"),
        ({"name": 1}, "name of a recording"),
        ({"subject": "../.."}, "subject of a recording"),
        ({"session": "a b"}, "session of a recording"),
        ({"path": None}, "path of a recording"),
        ({"covariates": None}, "must be a dict"),
        ({"covariates": {"age": [1]}}, "number or a word"),
    ],
)
def test_a_recording_that_no_folder_could_hold_is_refused(given, said):
    with pytest.raises(ParameterError, match=said):
        Recording(**{"name": "sub-1", "path": Path("a.edf"), "subject": "1"} | given)


def test_covariates_are_as_tables_take_them():
    made = Recording(
        "sub-1", "a.edf", covariates={"age": np.int64(3), "well": np.bool_(True), "huge": 10**30, "no": None}
    )
    assert made.path == Path("a.edf")
    assert made.covariates == {"age": 3, "well": True, "huge": 1e30, "no": None}
    assert [type(one) for one in made.covariates.values()] == [int, bool, float, type(None)]
    words = Recording("sub-2", Path("b.edf"), covariates={"age": "old"})
    with pytest.raises(ParameterError, match=r"'age' is a number for some.*3, 'old'"):
        list_recordings([made, words])
