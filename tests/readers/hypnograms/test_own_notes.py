"""A recording's own notes are a hypnogram only if they look like one."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from edf_files import Edf, Sig, times

from eegflex.epochs import make_epochs
from eegflex.readers import describe_psg, get_notes, read_psg


def night(tmp_path, notes, seconds=600):
    """A recording with notes: (onset, duration or None, text)."""
    extra = {}
    for onset, length, text in notes:
        lasting = "" if length is None else f"\x15{length:g}"
        extra[int(onset)] = extra.get(int(onset), b"") + f"+{onset:g}{lasting}\x14{text}\x14\x00".encode()
    path = tmp_path / "night.edf"
    tals = times(seconds, extra=extra)
    size = max(map(len, tals)) // 2 + 1
    path.write_bytes(Edf([Sig(n=10)], n_records=seconds, reserved="EDF+C", tals=tals, tal_size=size).to_bytes())
    return path


RNG = np.random.default_rng(5)
CUES = [(12 + 8 * n, None, "LR"[RNG.integers(2)]) for n in range(60)]
NO_HYPNOGRAM = {
    "lights, legs or buttons": [(10, None, "Lights off"), (35, None, "L"), *((at, None, "R") for at in (95, 160, 400.5))],
    "buttons W and R": [(13, None, "W"), (77, None, "R"), (101, None, "R"), (333, None, "W")],
    "one remark": [(100, None, "REM"), (130, None, "Lights on")],
    "remarks of one kind": [(17, None, "REM"), (205, None, "REM"), (411, None, "REM")],
    "cues at random": CUES,
    "cues in blocks of 20 s": [(40 * n + 20 * side, 20, "LR"[side]) for n in range(14) for side in (0, 1)],
    "slow cues": [(30 * n, None, "LR"[n % 2]) for n in range(20)],
    "movements": [(30 * n, None, "M") for n in range(20)],
    "answers": [(3 * n, None, "R") for n in range(150)],
}  # fmt: skip
HYPNOGRAM = {
    "epochs of one letter": [(30 * n, 30, "W") for n in range(20)],
    "points of one letter": [(30 * n, None, "W") for n in range(20)],
    "wake and REM": [(30 * n, 30, "W" if n < 12 else "R") for n in range(20)],
    "stages, now and then": [(17, None, "N1"), (140, None, "N2"), (333, None, "R")],
    "one stretch": [(0, 600, "N2")],
    "20-s epochs, and legs": [*((20 * n, 20, "S2" if n % 4 else "S1") for n in range(30)), (55, 1, "L"), (83, 1, "R leg")],
    "what says so": [(100, None, "Sleep stage R")],
}  # fmt: skip


def counts(path, **keys):
    found = make_epochs(read_psg(path, verbose="ERROR", **keys), verbose="ERROR").metadata["stage"]
    return found[found != "UNSCORED"].value_counts().to_dict()


@pytest.mark.parametrize("notes", NO_HYPNOGRAM.values(), ids=list(NO_HYPNOGRAM))
def test_no_hypnogram(tmp_path, notes):
    path = night(tmp_path, notes)
    raw = read_psg(path, verbose="ERROR")
    assert (counts(path), get_notes(raw.info).alignment) == ({}, {})
    assert sorted(raw.annotations.description) == sorted(text for *_, text in notes)  # they are events
    alike = [text for *_, text in notes if text in ("R", "W", "REM")]
    told = [warning for warning in get_notes(raw.info).warnings if "named like stages" in warning]
    assert len(told) == bool(alike)
    assert all(told_of.startswith(f"{len(alike)} notes") for told_of in told)
    assert describe_psg(path).stage_counts is None


@pytest.mark.parametrize("notes", HYPNOGRAM.values(), ids=list(HYPNOGRAM))
def test_a_hypnogram(tmp_path, notes):
    assert sum(counts(night(tmp_path, notes)).values()) >= 1


def test_how_many_epochs(tmp_path):
    assert counts(night(tmp_path, HYPNOGRAM["wake and REM"])) == {"W": 12, "REM": 8}
    assert counts(night(tmp_path, HYPNOGRAM["points of one letter"])) == {"W": 20}


def test_who_says_that_they_are_stages_is_believed(tmp_path):
    path = night(tmp_path, NO_HYPNOGRAM["slow cues"])
    assert counts(path, hypnogram=path) == {"REM": 10}
    assert counts(path, labels={"L": "N2", "R": "N3"}) == {"N2": 10, "N3": 10}
    numbers = night(tmp_path, [(30 * n, None, str(n % 2)) for n in range(20)])
    assert counts(numbers) == {}
    assert counts(numbers, labels={"0": "W", "1": "N1"}) == {"W": 10, "N1": 10}


def test_buttons_do_not_touch_a_hypnogram_that_is_given(tmp_path):
    path = night(tmp_path, NO_HYPNOGRAM["buttons W and R"])
    given = mne.Annotations(30.0 * np.arange(20), 30.0, ["N2"] * 20)
    assert counts(path, hypnogram=given) == {"N2": 20}


@pytest.mark.parametrize(("notes", "stages"), [("slow cues", {}), ("wake and REM", {"W": 12, "REM": 8})])
def test_the_same_rule_for_a_raw_of_mne(tmp_path, notes, stages):
    raw = mne.io.read_raw_edf(night(tmp_path, {**NO_HYPNOGRAM, **HYPNOGRAM}[notes]), verbose="ERROR")
    found = make_epochs(raw, verbose="ERROR").metadata["stage"]
    assert found[found != "UNSCORED"].value_counts().to_dict() == stages


MARKERS = {
    "Comment/N2": "N2", "Comment/Sleep stage R": "REM", "Event/W": "W", "Stimulus/N3": "N3", "SleepStage/S4": "N3",
    "Comment/S2": "N2", "Stimulus/S2": None, "Stimulus/S  1": None, "Response/R  1": None, "Comment/Arousal": None,
}  # fmt: skip


@pytest.mark.parametrize(("label", "stage"), MARKERS.items())
def test_marker_types_of_brainvision(label, stage):
    info = mne.create_info(["C3-M2"], 10.0, "eeg", verbose="ERROR")
    raw = mne.io.RawArray(np.zeros((1, 6000)), info, verbose="ERROR")
    raw.set_annotations(mne.Annotations(30.0 * np.arange(20), 0.1, [label] * 20))
    found = set(make_epochs(raw, verbose="ERROR").metadata["stage"])
    assert found == ({stage} if stage else {"UNSCORED"})


def test_comments_of_a_brainvision_recording(tmp_path):
    """Stages scored as comments, whose markers last a sample, beside triggers called S1 and R1."""
    labels = ["W"] * 5 + ["N1"] * 2 + ["N2"] * 8 + ["R"] * 5
    marks = [f"Comment,{label},{3000 * n + 1},1,0" for n, label in enumerate(labels)]
    marks += ["Stimulus,S  1,4711,1,0", "Response,R  1,4900,1,0", "Comment,Arousal,10111,1,0"]
    listed = ["Mk1=New Segment,,1,1,0,20200403220000000000", *(f"Mk{n}={mark}" for n, mark in enumerate(marks, 2))]
    (tmp_path / "night.vmrk").write_text(
        "\n".join(["BrainVision Data Exchange Marker File, Version 1.0", "[Common Infos]", "Codepage=UTF-8",
                   "DataFile=night.eeg", "[Marker Infos]", *listed, ""])
    )  # fmt: skip
    (tmp_path / "night.vhdr").write_text(
        "\n".join(["BrainVision Data Exchange Header File Version 1.0", "[Common Infos]", "Codepage=UTF-8",
                   "DataFile=night.eeg", "MarkerFile=night.vmrk", "DataFormat=BINARY", "DataOrientation=MULTIPLEXED",
                   "NumberOfChannels=1", "SamplingInterval=10000", "[Binary Infos]", "BinaryFormat=INT_16",
                   "[Channel Infos]", "Ch1=C3,,1,µV", ""]), "utf-8",
    )  # fmt: skip
    np.zeros(60000, "<i2").tofile(tmp_path / "night.eeg")
    raw = read_psg(tmp_path / "night.vhdr", channels=["C3"], verbose="ERROR")
    stages = make_epochs(raw, verbose="ERROR").metadata["stage"].tolist()
    assert stages == ["REM" if label == "R" else label for label in labels]
    assert get_notes(raw.info).alignment["matched"] == 20
