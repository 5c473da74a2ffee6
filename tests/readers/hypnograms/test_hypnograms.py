"""Hypnogram files, and how they are laid on a recording."""

from __future__ import annotations

import datetime as dt

import mne
import numpy as np
import pytest
from edf_files import Edf, Sig, times

from eegflex.epochs import make_epochs
from eegflex.errors import EegflexError, HypnogramError, ParameterError
from eegflex.readers import describe_psg, get_notes, read_hypnogram, read_psg
from eegflex.readers.recordings.edf import EdfSource

NIGHT = [(0, 60, "Sleep stage W"), (60, 30, "Sleep stage 1"), (90, 90, "Sleep stage 2"), (180, 60, "Sleep stage R")]


def psg(write, seconds=240, **keys):
    return write(Edf([Sig(n=10)], n_records=seconds, **keys))


def stages(raw):
    return [
        (round(float(onset), 6), round(float(duration), 6), str(stage))
        for onset, duration, stage in zip(
            raw.annotations.onset, raw.annotations.duration, raw.annotations.description, strict=True
        )
    ]


def test_edf_plus_annotations(hypnogram_edf):
    rows = [*NIGHT, (5, None, "Lights off@@EEG F4-A1"), (33, 3, "Movement")]
    found = read_hypnogram(hypnogram_edf(rows, date="03.04.20"))
    assert list(found.description) == ["W", "N1", "N2", "REM"]
    assert found.onset.tolist() == [0, 60, 90, 180]
    assert found.orig_time == dt.datetime(2020, 4, 3, 22, tzinfo=dt.UTC)
    assert read_hypnogram(hypnogram_edf(rows, date="01.01.85")).orig_time is None


def test_any_extension(hypnogram_edf, tmp_path):
    path = hypnogram_edf(NIGHT)
    renamed = path.rename(tmp_path / "stages.txt")
    assert len(read_hypnogram(renamed)) == 4


LINES = {
    "lf": b"W\nN1\nN2\nREM\n",
    "crlf, no end": b"W\r\nN1\r\nN2\r\nREM",
    "utf-16": "W\nN1\nN2\nREM\n".encode("utf-16"),
    "utf-8 mark": "W\nN1\nN2\nREM\n".encode("utf-8-sig"),
    "header": b"stage\nW\nN1\nN2\nREM\n",
    "quotes and a trailing comma": b'"W",\n"N1",\n"N2",\n"REM",\n',
    "codes": b"0\n1\n2\n5\n",
    "words": b"Sleep stage W\nSleep stage 1\nSleep stage 2\nSleep stage R\n",
}


@pytest.mark.parametrize("case", LINES)
def test_one_stage_a_line(tmp_path, case):
    path = tmp_path / "hypnogram.csv"
    path.write_bytes(LINES[case])
    found = read_hypnogram(path, epoch_length=20, verbose="ERROR")
    assert list(found.description) == ["W", "N1", "N2", "REM"]
    assert found.onset.tolist() == [0, 20, 40, 60]
    with pytest.raises(HypnogramError, match="epoch_length=30"):
        read_hypnogram(path)


@pytest.mark.parametrize("array", [np.array([0, 1, 2, 5]), np.array([0.0, 1, 2, 5]), np.array(["W", "N1", "N2", "R"])])
def test_npy(tmp_path, array):
    np.save(tmp_path / "h.npy", array)
    found = read_hypnogram(tmp_path / "h.npy", epoch_length=30, verbose="ERROR")
    assert list(found.description) == ["W", "N1", "N2", "REM"]


def test_npy_with_code_in_it_is_refused(tmp_path):
    np.save(tmp_path / "h.npy", np.array(["W", print], dtype=object))
    with pytest.raises(HypnogramError):
        read_hypnogram(tmp_path / "h.npy", epoch_length=30)
    np.save(tmp_path / "h.npy", np.zeros((3, 3)))
    with pytest.raises(HypnogramError, match=r"\(3, 3\)"):
        read_hypnogram(tmp_path / "h.npy", epoch_length=30)


def test_lines_without_epoch_length_must_fit_the_recording(write, tmp_path):
    path = psg(write, 1200)
    text = tmp_path / "h.txt"
    text.write_text("\n".join(["N2"] * 40))
    assert get_notes(read_psg(path, hypnogram=text).info).alignment["matched"] == 40
    text.write_text("\n".join(["N2"] * 60))  # 20 s a line, say
    with pytest.raises(HypnogramError, match="20 s a line"):
        read_psg(path, hypnogram=text)
    raw = read_psg(path, hypnogram=read_hypnogram(text, epoch_length=20))
    assert stages(raw)[-1] == (1180, 20, "N2")


def test_files_that_are_no_hypnogram(tmp_path, write, hypnogram_edf):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "table.csv").write_text("subject,age\n1,34\n2,41\n")
    (tmp_path / "prose.txt").write_text("This is a long line of text that is certainly no stage of sleep.\n")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 9)
    cases = {
        tmp_path / "missing.edf": "no such hypnogram",
        tmp_path: "directory",
        tmp_path / "empty.txt": "empty",
        tmp_path / "table.csv": "not a hypnogram that can be read",
        tmp_path / "prose.txt": "not a hypnogram that can be read",
        tmp_path / "noise.bin": "not a hypnogram that can be read",
        psg(write): "holds no stages",
        hypnogram_edf([(0, 30, "Lights off")]): "holds no stages",
    }
    for path, words in cases.items():
        with pytest.raises(HypnogramError, match=words) as caught:
            read_hypnogram(path)
        assert caught.value.remedy


@pytest.mark.parametrize("label", ["Sleep stage X9", "Stage 7", "NREM", "Sleep stage"])
def test_a_label_that_begins_like_a_stage_is_an_error(hypnogram_edf, label):
    with pytest.raises(HypnogramError, match=f"{label}', 1 times, first as annotation 5"):
        read_hypnogram(hypnogram_edf([*NIGHT, (240, 30, label)]))


def test_overlapping_different_stages_are_an_error(hypnogram_edf):
    with pytest.raises(HypnogramError, match="W until 60 s, N1 from 45 s"):
        read_hypnogram(hypnogram_edf([(0, 60, "Sleep stage W"), (45, 30, "Sleep stage 1")]))
    same = read_hypnogram(hypnogram_edf([(0, 60, "Sleep stage W"), (45, 30, "Sleep stage W")]))
    assert len(same) == 2


def test_bad_parameters(tmp_path, write):
    (tmp_path / "h.txt").write_text("W\n")
    for keys in ({"coding": "xx"}, {"epoch_length": 0}, {"epoch_length": -30}, {"epoch_length": "30"}):
        with pytest.raises(ParameterError):
            read_hypnogram(tmp_path / "h.txt", **keys)
    with pytest.raises(ParameterError):
        read_psg(psg(write), hypnogram=3)
    with pytest.raises(ParameterError):
        read_psg(psg(write), coding="xx")


# --- alignment --------------------------------------------------------------------------------------------------------

# recording's date and time, hypnogram's, offset of the hypnogram in s
CLOCKS = [
    (("03.04.20", "22.00.00"), ("03.04.20", "22.00.00"), 0),
    (("03.04.20", "22.00.00"), ("03.04.20", "22.02.00"), 120),
    (("03.04.20", "23.59.00"), ("04.04.20", "00.00.00"), 60),
    (("03.04.20", "23.59.00"), ("01.01.85", "00.00.00"), 60),
    (("01.01.85", "23.59.00"), ("04.04.20", "00.00.00"), 60),
    (("01.01.85", "00.00.30"), ("01.01.85", "23.59.30"), -60),
    (("03.04.20", "xx.xx.xx"), ("03.04.20", "22.00.00"), 0),
]


@pytest.mark.parametrize(("recording", "hypnogram", "offset"), CLOCKS)
def test_offset(write, hypnogram_edf, recording, hypnogram, offset):
    path = psg(write, 600, date=recording[0], time=recording[1])
    rows = hypnogram_edf([(0, 120, "Sleep stage W"), (120, 120, "Sleep stage 2")], date=hypnogram[0], time=hypnogram[1])
    raw = read_psg(path, hypnogram=rows, verbose="ERROR")
    assert get_notes(raw.info).alignment["offset_s"] == offset
    assert stages(raw)[-1] == (120 + offset, 120, "N2")


def test_more_than_12_hours_apart_is_refused(write, hypnogram_edf):
    path = psg(write, 600)
    with pytest.raises(HypnogramError, match="12 h apart"):
        read_psg(path, hypnogram=hypnogram_edf(NIGHT, date="05.04.20"))


@pytest.mark.parametrize(
    ("seconds", "dropped", "warned"), [(240, 0, False), (230, 1, False), (150, 3, True), (90, 5, True)]
)
def test_a_hypnogram_that_is_longer(write, hypnogram_edf, seconds, dropped, warned):
    raw = read_psg(psg(write, seconds), hypnogram=hypnogram_edf(NIGHT), verbose="ERROR")
    notes = get_notes(raw.info)
    assert notes.alignment["dropped"] == dropped
    assert any("beyond the recording" in warning for warning in notes.warnings) == warned
    assert raw.annotations.onset[-1] + raw.annotations.duration[-1] <= seconds


def test_more_than_five_epochs_too_long_is_refused_unless_unscored(write, hypnogram_edf):
    with pytest.raises(HypnogramError, match="6 scored epochs"):
        read_psg(psg(write, 60), hypnogram=hypnogram_edf(NIGHT))
    rows = [*NIGHT, (240, 86400, "Sleep stage ?")]  # as Sleep-EDF ends
    raw = read_psg(psg(write, 300), hypnogram=hypnogram_edf(rows))
    assert stages(raw)[-1] == (240, 60, "UNSCORED")
    assert get_notes(raw.info).alignment["dropped"] == 0


def test_what_begins_before_the_recording_stays_on_the_grid(write, hypnogram_edf):
    path = psg(write, 240, time="22.00.50")
    raw = read_psg(path, hypnogram=hypnogram_edf(NIGHT, time="22.00.00"), verbose="ERROR")
    assert stages(raw)[0] == (10, 30, "N1")
    alignment = get_notes(raw.info).alignment
    assert (alignment["offset_s"], alignment["grid_phase_s"], alignment["dropped"]) == (-50, 10, 2)
    assert (alignment["matched"], alignment["padded"]) == (6, 1)


def test_stages_inside_the_recording(write):
    extra = {
        0: b"+0\x1560\x14Sleep stage W\x14\x00",
        60: b"+60\x1560\x14Sleep stage 2\x14\x00",
        70: b"+70\x14Arousal\x14\x00",
    }
    path = psg(write, 120, reserved="EDF+C", tals=times(120, extra=extra))
    raw = read_psg(path)
    assert stages(raw) == [(0, 60, "W"), (60, 60, "N2"), (70, 0, "Arousal")]


def test_a_given_hypnogram_replaces_the_recordings_own(write, hypnogram_edf):
    extra = {0: b"+0\x1560\x14Sleep stage W\x14\x00", 70: b"+70\x14Arousal\x14\x00"}
    path = psg(write, 120, reserved="EDF+C", tals=times(120, extra=extra))
    raw = read_psg(path, hypnogram=hypnogram_edf([(0, 120, "Sleep stage 2")]), verbose="ERROR")
    assert stages(raw) == [(0, 120, "N2"), (70, 0, "Arousal")]
    assert "of its own" in " ".join(get_notes(raw.info).warnings)


def test_events_alone_are_no_hypnogram(write):
    path = psg(write, 60, reserved="EDF+C", tals=times(60, extra={7: b"+7\x153\x14Movement\x14\x00"}))
    raw = read_psg(path)
    assert stages(raw) == [(7, 3, "Movement")]
    assert get_notes(raw.info).alignment == {}


def test_annotations_are_taken_and_left_alone(write):
    given = mne.Annotations([0, 30], [30, 30], ["Sleep stage W", "Sleep stage 2"])
    before = given.copy()
    raw = read_psg(psg(write), hypnogram=given)
    assert stages(raw) == [(0, 30, "W"), (30, 30, "N2")]
    assert given == before
    later = mne.Annotations([0], [30], ["N2"], orig_time="2020-04-03 22:01:00.000")
    assert stages(read_psg(psg(write), hypnogram=later)) == [(60, 30, "N2")]


def test_coding_is_passed_on(write, tmp_path):
    text = tmp_path / "h.txt"
    text.write_text("0\n1\n2\n3\n4\n")
    path = psg(write, 150)
    with pytest.raises(HypnogramError, match="two ways"):
        read_psg(path, hypnogram=text)
    for coding, last in [("aasm", "REM"), ("rk", "N3")]:
        raw = read_psg(path, hypnogram=text, coding=coding)
        assert stages(raw)[-1][2] == last
        assert get_notes(raw.info).alignment["coding"] == coding


def test_describe_shows_the_alignment(write, hypnogram_edf):
    text = describe_psg(psg(write, 260), hypnogram=hypnogram_edf(NIGHT)).to_text()
    assert "W 2, N1 1, N2 3, REM 2" in text
    assert "8 epochs matched, 0 without a stage, 0 dropped" in text
    assert max(map(len, text.splitlines())) <= 100


def test_annotations_without_a_time_start_with_a_recording_of_unknown_time(write):
    raw = read_psg(psg(write, time="xx.xx.xx"), hypnogram=mne.Annotations([0], [60], ["N2"]), verbose="ERROR")
    assert stages(raw) == [(0, 60, "N2")]
    assert not any("start with" in warning for warning in get_notes(raw.info).warnings)


def test_notes_survive_epochs_and_resampling(write, hypnogram_edf):
    raw = read_psg(psg(write), hypnogram=hypnogram_edf(NIGHT))
    epochs = make_epochs(raw).load_data().resample(8, verbose="ERROR").copy().pick([0])
    notes = get_notes(epochs.info)
    assert notes.alignment["matched"] == 8
    notes.warnings.append("mine")
    assert get_notes(epochs.info).warnings == []
    two = mne.concatenate_raws([raw.copy().load_data(), raw.copy().load_data()], verbose="ERROR")
    assert make_epochs(two).metadata["run"].nunique() == 2


def test_every_mutation_of_a_hypnogram_is_read_or_refused(hypnogram_edf):
    rng = np.random.default_rng(3)
    path = hypnogram_edf(NIGHT)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes = set()
    for _ in range(500):
        broken = whole.copy()
        for place in rng.integers(0, broken.size, rng.integers(1, 6)):
            broken[place] = rng.choice([0, 20, 21, 32, 45, 48, 57, 255, int(rng.integers(256))])
        path.write_bytes(broken[: int(rng.choice([broken.size, rng.integers(1, broken.size)]))].tobytes())
        try:
            read_hypnogram(path, verbose="CRITICAL")
            outcomes.add("read")
        except EegflexError as error:
            outcomes.add(type(error).__name__)
    assert {"read", "HypnogramError", "RecordingError"} <= outcomes


def test_record_times_of_the_source(write):
    source = EdfSource(psg(write, 30, reserved="EDF+C", tals=times(30, first=0.5)))
    assert source.start.time == dt.time(22, 0, 0, 500000)
    assert source.duration == 30
