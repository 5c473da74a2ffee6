"""Stages that are noted as points: each lasts one usual step, and what lies beyond is not scored."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from edf_files import Edf, Sig, times

from eegflex.epochs import make_epochs
from eegflex.errors import HypnogramError
from eegflex.readers import get_notes, read_hypnogram, read_psg

UNKNOWN = ["Wake"] * 4 + ["Stade 1"] * 2 + ["Stade 2"] * 6 + ["REM"] * 4 + ["Stade 2"] * 2 + ["Wake"] * 2
WITH_GAPS = ["W"] * 4 + ["UNSCORED"] * 8 + ["REM"] * 4 + ["UNSCORED"] * 2 + ["W"] * 2


def table(tmp_path, rows, head="onset\tstage"):
    path = tmp_path / "stages.tsv"
    path.write_text("\n".join([head, *("\t".join(map(str, row)) for row in rows)]), "utf-8")
    return path


def night(tmp_path, seconds=600, notes=None):
    """A recording of the length, with points noted in it."""
    keys = {}
    if notes is not None:
        extra = {}
        for onset, text in notes:
            extra[int(onset)] = extra.get(int(onset), b"") + f"+{onset:g}\x14{text}\x14\x00".encode()
        keys = {"reserved": "EDF+C", "tals": times(seconds, extra=extra)}
    path = tmp_path / "night.edf"
    path.write_bytes(Edf([Sig(n=10)], n_records=seconds, date="10.03.20", time="22.00.00", **keys).to_bytes())
    return path


def staged(raw):
    return make_epochs(raw, verbose="ERROR").metadata["stage"].tolist()


def test_no_stage_runs_on_over_labels_that_are_not_known(tmp_path):
    raw = read_psg(night(tmp_path, notes=[(30 * n, label) for n, label in enumerate(UNKNOWN)]), verbose="ERROR")
    assert staged(raw) == WITH_GAPS
    told = " ".join(get_notes(raw.info).warnings)
    assert "each lasts 30 s; 10 epochs after them have none and are UNSCORED" in told
    assert "'Stade 2' (8 times between the stages) is treated as an event" in told
    assert "'Stade 1' (2 times" in told


def test_nor_over_every_other_epoch(tmp_path):
    raw = read_psg(night(tmp_path, notes=[(30 * n, "Stade 2" if n % 2 else "REM") for n in range(20)]), verbose="ERROR")
    assert staged(raw) == ["REM", "UNSCORED"] * 10
    notes = [(30 * n, "Stade 2" if n % 2 else ("Wake" if n < 10 else "REM")) for n in range(20)]
    raw = read_psg(night(tmp_path, notes=notes), verbose="ERROR")
    assert staged(raw) == ["W", "UNSCORED"] * 5 + ["REM", "UNSCORED"] * 5


def test_nor_in_a_table_and_labels_can_be_said(tmp_path):
    rows = [(30 * n, label) for n, label in enumerate(UNKNOWN)]
    path = night(tmp_path)
    mixed = table(tmp_path, rows, "onset\tevent")
    assert staged(read_psg(path, hypnogram=mixed, verbose="ERROR")) == WITH_GAPS
    said = {"stade 1": "N1", " Stade  2": "N2"}
    whole = [{"Wake": "W", "Stade 1": "N1", "Stade 2": "N2"}.get(label, label) for label in UNKNOWN]
    for head in ("onset\tevent", "onset\tstage"):
        raw = read_psg(path, hypnogram=table(tmp_path, rows, head), labels=said, verbose="ERROR")
        assert staged(raw) == whole


def test_rows_that_are_missing_are_not_scored(tmp_path):
    """Onsets only, 40 epochs of N2 of which 20 in the middle have no row."""
    rows = [(30 * n, "N2") for n in range(40) if not 10 <= n < 30] + [(1200, "W")]
    raw = read_psg(night(tmp_path, 1230), hypnogram=table(tmp_path, rows), verbose="ERROR")
    assert staged(raw) == ["N2"] * 10 + ["UNSCORED"] * 20 + ["N2"] * 10 + ["W"]


@pytest.mark.parametrize("step", [5, 20, 30])
def test_the_step_is_the_usual_one(tmp_path, step):
    rows = [(step * n, "N2" if n % 3 else "REM") for n in range(60) if n not in (7, 8, 30)]
    found = read_hypnogram(table(tmp_path, rows), verbose="ERROR")
    assert set(found.duration) == {step}


def test_changes_of_stage_are_no_epochs(tmp_path):
    """Of steps of all lengths none is an epoch: 30 s. What the user says of the epoch counts for it."""
    rows = [(0, "Wake"), (120, "N1"), (180, "N2"), (540, "N3"), (1500, "REM")]
    found = read_hypnogram(table(tmp_path, rows), verbose="ERROR")
    assert found.duration.tolist() == [30] * 5
    found = read_hypnogram(table(tmp_path, rows), epoch_length=60, verbose="ERROR")
    assert found.duration.tolist() == [60] * 5


def test_events_between_points_are_no_strangers(tmp_path):
    notes = [(30.0 * n, "W" if n < 5 else "N2") for n in range(20)] + [(47.0, "Arousal"), (3.0, "Lights off")]
    raw = read_psg(night(tmp_path, notes=notes), verbose="ERROR")
    assert staged(raw) == ["W"] * 5 + ["N2"] * 15
    assert not any("treated as an event" in warning for warning in get_notes(raw.info).warnings)


def test_some_stages_are_points_and_some_not(hypnogram_edf):
    rows = [(0, 30, "Sleep stage W"), (30, None, "Sleep stage 1"), (90, 30, "Sleep stage 2"), (120, 0, "Sleep stage R")]
    found = read_hypnogram(hypnogram_edf(rows), verbose="ERROR")
    assert found.duration.tolist() == [30, 30, 30, 30]
    with pytest.raises(HypnogramError, match="W and N1 at 0 s"):
        read_hypnogram(hypnogram_edf([(0, None, "Sleep stage W"), (0, 30, "Sleep stage 1")]))


def test_stages_that_are_shorter_than_their_steps_are_told(tmp_path):
    rows = [(30 * n, 1, "N2") for n in range(20)]
    raw = read_psg(night(tmp_path), hypnogram=table(tmp_path, rows, "onset\tduration\tstage"), verbose="ERROR")
    assert any("the stages last 1 s, and none covers one whole" in w for w in get_notes(raw.info).warnings)


def test_a_marker_of_one_sample_is_a_point():
    """BrainVision's comments last a sample, and MNE says so."""
    info = mne.create_info(["C3-M2"], 100.0, "eeg", verbose="ERROR")
    raw = mne.io.RawArray(np.zeros((1, 60000)), info, verbose="ERROR")
    labels = ["Comment/W"] * 6 + ["Comment/N2"] * 8 + ["Comment/N3"] * 6
    raw.set_annotations(mne.Annotations(30.0 * np.arange(20), 0.01, labels))
    assert staged(raw) == ["W"] * 6 + ["N2"] * 8 + ["N3"] * 6


def clock(n):
    return f"22:{n // 2:02d}:{30 * (n % 2):02d}"


ENDS = {
    "end": ("onset\tend\tstage", lambda n: (30 * n, 30 * (n + 1))),
    "stop, in minutes": ("Start (min)\tStop (min)\tstage", lambda n: (n / 2, (n + 1) / 2)),
    "a length in ms": ("onset_ms\tduration [ms]\tstage", lambda n: (30000 * n, 30000)),
    "an onset in hours": ("onset (hours)\tduration (min)\tstage", lambda n: (n / 120, 0.5)),
    "clocks": ("start\tend\tstage", lambda n: (clock(n), clock(n + 1))),
}  # fmt: skip


@pytest.mark.parametrize(("head", "cells"), ENDS.values(), ids=list(ENDS))
def test_ends_and_units_of_a_table_count(tmp_path, head, cells):
    """Two rows are missing, so that a row that runs on would be seen."""
    stages = ["W"] * 5 + ["N2"] * 15
    rows = [(*cells(n), stages[n]) for n in range(20) if n not in (9, 10)]
    raw = read_psg(night(tmp_path), hypnogram=table(tmp_path, rows, head), verbose="ERROR")
    assert staged(raw) == ["W"] * 5 + ["N2"] * 4 + ["UNSCORED"] * 2 + ["N2"] * 9


def test_a_unit_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(HypnogramError, match=r"unit.*onset.*'onset \(samples\)'"):
        read_hypnogram(table(tmp_path, [(0, "W"), (7680, "N2")], "onset (samples)\tstage"))
