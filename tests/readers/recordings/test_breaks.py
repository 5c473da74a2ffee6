"""Where a recording was cut or paused, no epoch crosses, and what lies after keeps its own time."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from edf_files import Edf, Sig, times
from recording_files import LABELS, noise, write_brainvision, write_eeglab

from eegflex.epochs import make_epochs
from eegflex.readers import get_notes, read_psg
from eegflex.readers.recordings.breaks import is_break, is_gap

FIRST = "New Segment,,1,1,0,20200310220000000000"


def breaks(raw):
    marks = [a for a in raw.annotations if is_gap(a["description"]) or is_break(a["description"])]
    return [(round(float(a["onset"]), 6), round(float(a["duration"]), 6), str(a["description"])) for a in marks]


def table(epochs):
    return dict(zip(epochs.metadata["onset"].round(6), epochs.metadata["stage"], strict=True))


def test_what_eeglab_cut_out_is_a_gap_of_its_length(tmp_path):
    """Ten minutes were removed at 310 s; a stage that the cut parts is on both sides of it, and nowhere between."""
    data = noise(600)
    events = [("boundary", 31000.5, 60000.0), ("N2", 28001.0, 9000.0), ("N3", 39001.0, 12000.0), ("Note", 50001.0, 1.0)]
    raw = read_psg(write_eeglab(tmp_path / "a.set", data, events), channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [(310.0, 600.0, "BAD_ACQ_SKIP")]
    assert raw.n_times == 120000
    np.testing.assert_allclose(raw.get_data()[0, :31000], data[0, :31000], rtol=1e-6)
    np.testing.assert_allclose(raw.get_data()[0, 91000:], data[0, 31000:], rtol=1e-6)
    assert not raw.get_data(start=31000, stop=91000).any()
    noted = [(a["onset"], a["duration"], a["description"]) for a in raw.annotations if a["description"][0] == "N"]
    expected = [(280, 30, "N2"), (910, 60, "N2"), (990, 120, "N3"), (1100, 0.01, "Note")]
    assert [(pytest.approx(a), pytest.approx(b), c) for a, b, c in expected] == noted
    epochs = make_epochs(raw, verbose="ERROR")
    onset, run = epochs.metadata["onset"], epochs.metadata["run"]
    assert not ((onset + 30 > 310) & (onset < 910)).any()
    assert run[onset < 310].unique().tolist() == [0]
    assert run[onset > 900].unique().tolist() == [1]
    assert table(epochs)[1000.0] == "N3"
    assert "600 s together" in " ".join(get_notes(raw.info).warnings)


def test_a_hypnogram_of_the_whole_night_fits_what_was_left_of_it(tmp_path):
    """40 epochs were scored; epochs 5 to 14 were cut out of the recording afterwards."""
    path = write_eeglab(tmp_path / "a.set", noise(900), [("boundary", 15000.5, 30000.0)])
    labels = ["W"] * 5 + ["N1"] * 10 + ["N2"] * 15 + ["N3"] * 10
    (tmp_path / "a.txt").write_text("\n".join(labels), encoding="utf-8")
    found = table(make_epochs(read_psg(path, hypnogram=tmp_path / "a.txt", channels=["C3"], verbose="ERROR")))
    assert found == {30.0 * k: labels[k] for k in range(40) if not 5 <= k < 15}


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (("boundary", 31000.5, np.nan), "how long|for how"),
        (("boundary", 31000.5, 0.0), "does not say"),
        (("boundary", 31001.0, 1.0), "does not say"),  # as BrainVision's segments come out of EEGLAB
        (("boundary", 31000.5, 1e12), "does not say"),
        ((-99.0, 31000.5, np.nan), "does not say"),  # where all types are numbers
        (("discontinuity", 31001.0, 0.0), "does not say"),
    ],
)
def test_a_cut_of_unknown_length_is_an_edge_and_is_told(tmp_path, event, words):
    raw = read_psg(write_eeglab(tmp_path / "a.set", noise(600), [event]), channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [(310.0, 0.0, "EDGE boundary")]
    assert raw.n_times == 60000
    epochs = make_epochs(raw, verbose="ERROR")
    assert 300.0 not in list(epochs.metadata["onset"])
    assert epochs.metadata["run"].tolist() == [0] * 10 + [1] * 9
    assert any("without the length" in words for words in get_notes(raw.info).warnings)


def test_numbers_among_words_and_cuts_at_the_ends(tmp_path):
    """-99 is a boundary only in EEGLAB; what was cut before the first sample leaves its time free."""
    events = [("boundary", 0.5, 3000.0), ("boundary", 60000.5, 500.0), ("boundary", 31000.5, 100.0)]
    raw = read_psg(write_eeglab(tmp_path / "a.set", noise(600), events), channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [(0.0, 30.0, "BAD_ACQ_SKIP"), (340.0, 1.0, "BAD_ACQ_SKIP")]
    np.testing.assert_allclose(raw.get_data(start=3000, stop=3010)[0], noise(600)[0, :10], rtol=1e-6)
    assert make_epochs(raw, verbose="ERROR").metadata["onset"].iloc[0] == 30.0


def test_a_pause_of_brainvision_is_a_gap_by_its_own_date(tmp_path):
    data = noise(600)
    markers = [
        FIRST,
        "Comment,Lights off,2001,1,0",
        "New Segment,,31001,1,0,20200310221510000000",
        "Comment,N2,31001,1,0",
    ]
    path = write_brainvision(tmp_path / "b", data, markers)
    hypnogram = tmp_path / "h.csv"
    labels = ["W"] * 10 + ["N1"] * 20 + ["N2"] * 10
    rows = "".join(f"2020-03-10 22:{k // 2:02d}:{30 * (k % 2):02d},30,{label}\n" for k, label in enumerate(labels))
    hypnogram.write_text("start,duration,stage\n" + rows, encoding="utf-8")
    raw = read_psg(path, hypnogram=hypnogram, channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [(310.0, 600.0, "BAD_ACQ_SKIP")]
    np.testing.assert_allclose(raw.get_data()[0, 91000:], data[0, 31000:], atol=1e-12)
    assert raw.info["meas_date"].isoformat() == "2020-03-10T22:00:00+00:00"
    assert table(make_epochs(raw, verbose="ERROR")) == {
        30.0 * k: labels[k] for k in range(40) if 30 * k + 30 <= 310 or 30 * k >= 910
    }


@pytest.mark.parametrize(
    "marker",
    [
        "New Segment,,31001,1,0",
        "New Segment,,31001,1,0,00000000000000000000",
        "New Segment,,31001,1,0,20200310220100000000",  # the clock went back
        "New Segment,,31001,1,0,20290310220100000000",
    ],
)
def test_a_segment_whose_date_says_nothing_is_an_edge(tmp_path, marker):
    raw = read_psg(write_brainvision(tmp_path / "b", noise(600), [FIRST, marker]), channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [(310.0, 0.0, "EDGE boundary")]
    assert any("without the length" in words for words in get_notes(raw.info).warnings)


def test_pauses_and_segments_without_one(tmp_path):
    """A segment that begins where the one before ends is no break; half a second too early it is one of no length."""
    markers = [
        FIRST,
        "New Segment,,2,1,0,20200310220000000001",  # as real files begin
        "New Segment,,10001,1,0,20200310220150000000",  # 10 s
        "New Segment,,20001,1,0,20200310220330000000",  # at once
        "New Segment,,30001,1,0,20200310220530250000",  # 20.25 s
        "New Segment,,40001,1,0,20200310220709750000",  # too early
    ]
    raw = read_psg(write_brainvision(tmp_path / "b", noise(600), markers), channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [
        (100.0, 10.0, "BAD_ACQ_SKIP"),
        (310.0, 20.25, "BAD_ACQ_SKIP"),
        (430.25, 0.0, "EDGE boundary"),
    ]
    assert get_notes(raw.info).warnings == ["the recording has gaps: 2, 30.25 s together"]


WORDS = [
    "boundary",
    "BAD boundary",
    "EDGE boundary",
    "BAD_boundary",
    "EDGE",
    "New Segment/",
    "New Segment",
    "Discontinuity",
]
WORDS += ["data discontinuity", "Segment break", "recording discontinuous"]


@pytest.mark.parametrize("word", WORDS)
def test_a_break_is_one_in_any_format_and_in_any_raw(tmp_path, word):
    info = mne.create_info(["C3", "C4"], 100.0, "eeg")
    own = mne.io.RawArray(noise(600, 2), info, verbose="ERROR")
    own.set_annotations(mne.Annotations([310.0], [60.0], [word]))
    edf = Edf(
        [Sig()], n_records=600, tals=times(600, extra={310: f"+310\x14{word}\x14\x00".encode()}), reserved="EDF+C"
    )
    (tmp_path / "x.edf").write_bytes(edf.to_bytes())
    own.save(tmp_path / "x_raw.fif", verbose="ERROR")
    for raw in (own, *(read_psg(tmp_path / name, verbose="ERROR") for name in ("x.edf", "x_raw.fif"))):
        epochs = make_epochs(raw, verbose="ERROR")
        assert 300.0 not in list(epochs.metadata["onset"])
        assert epochs.metadata["run"].tolist() == [0] * 10 + [1] * 9
    assert breaks(raw) == [(310.0, 0.0, "EDGE boundary")]
    assert "without the length" in get_notes(raw.info).warnings[-1]


@pytest.mark.parametrize(
    "word", ["Boundary of REM?", "Edge of bed", "Pause", "knowledge", "segment", "Discontinued CPAP"]
)
def test_other_words_are_events(word):
    assert not is_break(word)


def test_a_gap_that_mne_exported_is_a_gap(tmp_path):
    edf = Edf(
        [Sig()], n_records=600, tals=times(600, extra={300: b"+300\x1560\x14BAD_ACQ_SKIP\x14\x00"}), reserved="EDF+C"
    )
    (tmp_path / "x.edf").write_bytes(edf.to_bytes())
    raw = read_psg(tmp_path / "x.edf", verbose="ERROR")
    assert breaks(raw) == [(300.0, 60.0, "BAD_ACQ_SKIP")]


def test_what_others_exported_to_brainvision_is_a_gap_or_an_edge(tmp_path):
    """MNE writes its annotations as comments, and EEGLAB its boundaries as stimuli."""
    markers = [
        FIRST,
        "Comment,BAD_ACQ_SKIP,10001,6000,0",
        "Stimulus,boundary,30001,1,0",
        "Comment,Boundary of REM?,40001,1,0",
    ]
    raw = read_psg(write_brainvision(tmp_path / "b", noise(600), markers), channels=["C3"], verbose="ERROR")
    assert breaks(raw) == [(100.0, 60.0, "BAD_ACQ_SKIP"), (300.0, 0.0, "EDGE boundary")]


def test_parts_that_meet_are_two_runs_and_not_four():
    info = mne.create_info(list(LABELS), 100.0, "eeg")
    parts = [mne.io.RawArray(noise(90), info, verbose="ERROR") for _ in range(3)]
    assert (
        make_epochs(mne.concatenate_raws(parts, verbose="ERROR")).metadata["run"].tolist()
        == [0] * 3 + [1] * 3 + [2] * 3
    )
