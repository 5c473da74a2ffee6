"""A BIDSPath brings its recording and its events."""

from __future__ import annotations

import json

import hypnogram_files as files
import pytest
from edf_files import Edf, Sig

from eegflex.errors import HypnogramError, RecordingError
from eegflex.readers import describe_psg, get_notes, read_hypnogram, read_psg

mne_bids = pytest.importorskip("mne_bids", reason="the extra 'bids' (mne-bids) is not installed")


@pytest.fixture
def dataset(tmp_path):
    """Write a data set of one recording, with its events given as text."""

    def _write(events: bytes | str | None, subject: str = "01"):
        (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "x", "BIDSVersion": "1.8.0"}))
        folder = tmp_path / f"sub-{subject}" / "eeg"
        folder.mkdir(parents=True, exist_ok=True)
        psg = Edf([Sig("C4-M1", n=10)], n_records=600, date="30.03.20", time="23.55.00")
        (folder / f"sub-{subject}_task-sleep_eeg.edf").write_bytes(psg.to_bytes())
        if events is not None:
            content = events.encode() if isinstance(events, str) else events
            (folder / f"sub-{subject}_task-sleep_events.tsv").write_bytes(content)
        return mne_bids.BIDSPath(
            subject=subject, task="sleep", suffix="eeg", extension=".edf", datatype="eeg", root=tmp_path
        )

    return _write


def test_a_bids_path_brings_its_events(dataset):
    path = dataset(files.bids())
    raw = read_psg(path)
    alignment = get_notes(raw.info).alignment
    assert (alignment["matched"], alignment["format"], alignment["placed_by"]) == (
        20,
        "table of events",
        "the recording's start",
    )
    assert alignment["events_ignored"] == 1
    assert "20 epochs matched" in describe_psg(path).to_text()


def test_the_column_is_a_parameter(dataset):
    rows = "".join(f"{30 * n}\t30\t{n % 4}\t{n % 3}\n" for n in range(20))
    path = dataset("onset\tduration\tstage_hum\tstage_ai\n" + rows)
    with pytest.raises(HypnogramError, match="stage_hum, stage_ai"):
        read_psg(path)
    raw = read_psg(path, column="stage_ai", verbose="ERROR")
    assert raw.annotations.description[:4].tolist() == ["W", "N1", "N2", "W"]


def test_a_given_hypnogram_outranks_the_events(dataset, tmp_path):
    text = tmp_path / "h.txt"
    text.write_text("\n".join(["N2"] * 20))
    raw = read_psg(dataset(files.bids()), hypnogram=text)
    assert set(raw.annotations.description) == {"N2"}


@pytest.mark.parametrize("events", [None, "onset\tduration\ttrial_type\n3\t0\tstimulus\n9\t0\tresponse\n"])
def test_without_stages_there_is_no_hypnogram(dataset, events):
    assert get_notes(read_psg(dataset(events)).info).alignment == {}


def test_the_events_themselves_are_a_hypnogram(dataset):
    path = dataset(files.bids()).copy().update(suffix="events", extension=".tsv")
    assert len(read_hypnogram(path)) == 20


def test_a_bids_path_of_nothing_is_refused(dataset):
    path = dataset(None).copy().update(subject="02")
    with pytest.raises(RecordingError, match="no such recording"):
        read_psg(path)
