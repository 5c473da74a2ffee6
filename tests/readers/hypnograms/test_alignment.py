"""Longer hypnograms, epochs of other lengths, and what is told of how a hypnogram was laid."""

from __future__ import annotations

import json
import logging

import mne
import numpy as np
import pytest
from edf_files import times

from eegflex.epochs import make_epochs
from eegflex.errors import HypnogramError, ParameterError
from eegflex.readers import describe_psg, get_notes, read_psg
from eegflex.readers.hypnograms.align import vote

from .test_hypnograms import NIGHT, psg, stages


def test_a_hypnogram_that_is_much_longer_is_dropped_when_told(write, hypnogram_edf):
    raw = read_psg(psg(write, 60), hypnogram=hypnogram_edf(NIGHT), on_mismatch="warn", verbose="ERROR")
    notes = get_notes(raw.info)
    assert notes.alignment["dropped"] == 6
    assert any("6 epochs beyond" in warning for warning in notes.warnings)
    later = hypnogram_edf(NIGHT, time="23.00.00")  # nothing of it lies inside
    with pytest.raises(HypnogramError, match="does not fit"):
        read_psg(psg(write, 60), hypnogram=later, on_mismatch="warn")
    with pytest.raises(ParameterError, match="on_mismatch"):
        read_psg(psg(write, 60), hypnogram=later, on_mismatch="ignore")
    for seconds in (0, 1e-9, 1e5, "30", float("nan")):
        with pytest.raises(ParameterError, match=r"majority must be 0\.5 to 3600 s"):
            read_psg(psg(write, 60), hypnogram=later, majority=seconds)


TWENTY = ["W", "W", "N1", "N1", "N2", "N2", "N2", "N3", "N3", "N3", "R", "R"]  # of 20 s, 240 s in all


def test_20_second_epochs_are_kept(write, tmp_path):
    text = tmp_path / "h.txt"
    text.write_text("\n".join(TWENTY))
    raw = read_psg(psg(write), hypnogram=text, epoch_length=20)
    alignment = get_notes(raw.info).alignment
    assert (alignment["epoch_length_s"], alignment["matched"]) == (20, 12)
    assert "majority_of_s" not in alignment
    assert make_epochs(raw, duration=20).metadata["stage"].tolist() == [s.replace("R", "REM") for s in TWENTY]
    # An epoch of 30 s has a stage only where one stage covers all of it.
    assert make_epochs(raw).metadata["stage"].tolist() == [
        "W", "UNSCORED", "UNSCORED", "N2", "UNSCORED", "N3", "UNSCORED", "REM",
    ]  # fmt: skip


def test_20_second_epochs_become_30_by_majority_and_it_is_recorded(write, tmp_path):
    text = tmp_path / "h.txt"
    text.write_text("\n".join(TWENTY))
    raw = read_psg(psg(write), hypnogram=text, epoch_length=20, majority=30)
    alignment = get_notes(raw.info).alignment
    # 30-60 s holds 10 s of W and 20 s of N1; 60-90 s holds 20 of N1 and 10 of N2; ...
    stages_30 = ["W", "N1", "N1", "N2", "N2", "N3", "N3", "REM"]
    assert make_epochs(raw).metadata["stage"].tolist() == stages_30
    assert (alignment["epoch_length_s"], alignment["majority_of_s"], alignment["majority_split"]) == (30, 20, 4)
    assert alignment["matched"] == 8
    text_out = describe_psg(psg(write), hypnogram=text, epoch_length=20, majority=30).to_text()
    assert "by majority from epochs of 20 s; 4 were split" in text_out
    assert "N2 2" in text_out


@pytest.mark.parametrize("seconds", [5, 10, 15, 30])
def test_a_majority_of_whole_parts_changes_nothing(write, tmp_path, seconds):
    night = [stage for stage in ("W", "N1", "N2", "N3", "REM", "W", "N2", "REM") for _ in range(30 // seconds)]
    text = tmp_path / "h.txt"
    text.write_text("\n".join(night))
    raw = read_psg(psg(write), hypnogram=text, epoch_length=seconds, majority=30)
    assert make_epochs(raw).metadata["stage"].tolist() == night[:: 30 // seconds]
    assert get_notes(raw.info).alignment.get("majority_split", 0) == 0


def slow_vote(onset, length, stages, seconds):
    """Vote second by second: whole seconds only."""
    end = int((onset + length).max())
    line = ["UNSCORED"] * (end + seconds)
    for at, span, stage in zip(onset, length, stages, strict=True):
        line[int(at) : int(at + span)] = [stage] * int(span)
    won = []
    for at in range(int(onset[0]), end, seconds):
        part = line[at : at + seconds]
        most = max(part.count(stage) for stage in part)
        tied = [stage for stage in part if part.count(stage) == most]
        covered = any(a < at + seconds and a + s > at for a, s in zip(onset, length, strict=True))
        if covered:
            won.append((at, "UNSCORED" if "UNSCORED" in tied else tied[0]))
    return won


@pytest.mark.parametrize("seed", range(20))
def test_the_vote_is_the_literal_one(seed):
    rng = np.random.default_rng(seed)
    length = rng.integers(1, 50, 30).astype(float)
    gaps = np.where(rng.random(30) < 0.2, rng.integers(1, 90, 30), 0)
    onset = np.cumsum(np.append(rng.integers(0, 40), length[:-1] + gaps[:-1])).astype(float)
    names = rng.choice(["W", "N1", "N2", "REM", "UNSCORED"], 30).tolist()
    at, span, won, _ = vote(onset, length, names, 30)
    assert list(zip(at.astype(int).tolist(), won, strict=True)) == slow_vote(onset, length, names, 30)
    assert set(span) <= {30}


def test_stages_off_the_grid_are_told(write):
    given = mne.Annotations([0, 30, 70], [30, 40, 30], ["W", "N2", "REM"])
    raw = read_psg(psg(write), hypnogram=given, verbose="ERROR")
    assert any("1 of 3 stages do not begin on the grid" in warning for warning in get_notes(raw.info).warnings)


def test_numbers_noted_in_a_recording_are_triggers(write):
    path = psg(write, 60, reserved="EDF+C", tals=times(60, extra={7: b"+7\x141\x14\x00", 9: b"+9\x144\x14\x00"}))
    raw = read_psg(path)
    assert stages(raw) == [(7, 0, "1"), (9, 0, "4")]
    assert get_notes(raw.info).alignment == {}


def test_how_the_hypnogram_was_placed_is_told(write, hypnogram_edf):
    cases = {"03.04.20": "date and clock", "01.01.85": "the nearest day"}
    for date, words in cases.items():
        raw = read_psg(psg(write), hypnogram=hypnogram_edf(NIGHT, date=date), verbose="ERROR")
        assert get_notes(raw.info).alignment["placed_by"] == words


def test_epochs_of_another_length_than_the_hypnograms_are_told(write, tmp_path, caplog):
    text = tmp_path / "h.txt"
    text.write_text("\n".join(TWENTY))
    raw = read_psg(psg(write), hypnogram=text, epoch_length=20)
    with caplog.at_level(logging.WARNING, "mne"):
        make_epochs(raw, duration=20, verbose="WARNING")
        assert "majority" not in caplog.text
        make_epochs(raw, verbose="WARNING")
    assert "epochs of 20 s, and these have 30 s" in caplog.text


def test_the_report_is_plain_and_goes_with_the_epochs(write, tmp_path):
    text = tmp_path / "h.txt"
    text.write_text("\n".join(TWENTY))
    raw = read_psg(psg(write), hypnogram=text, epoch_length=20, majority=30)
    alignment = get_notes(make_epochs(raw).info).alignment
    assert alignment == get_notes(raw.info).alignment
    assert json.loads(json.dumps(alignment)) == alignment
    assert set(alignment) == {
        "offset_s", "placed_by", "grid_phase_s", "epoch_length_s", "coding", "format", "matched", "padded", "dropped",
        "events_ignored", "majority_of_s", "majority_split",
    }  # fmt: skip
