"""The real scored night, where it is at hand: French, UTF-16, with other events between the stages."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter

import numpy as np
import pytest
from edf_files import REAL, Edf, Sig

from eegflex.epochs import make_epochs
from eegflex.readers import get_notes, read_hypnogram, read_psg
from eegflex.readers.hypnograms.read import load_hypnogram

NIGHT = REAL.with_name("noxturnal-events.csv")
COUNTS = {"N2": 466, "N3": 364, "REM": 249, "W": 213, "N1": 66}
GAPS = [30, 2190, 570, 1380]  # s


@pytest.fixture
def night():
    if not NIGHT.exists():
        pytest.skip(f"{NIGHT} is not there")
    return NIGHT


def test_counts_are_those_of_an_independent_look(night):
    rows = list(csv.reader(io.StringIO(night.read_bytes().decode("utf-16"))))[2:]
    seen = Counter(row[2] for row in rows)
    assert seen == {
        "N2": 466,
        "N3": 364,
        "REM": 249,
        "Éveil": 213,
        "N1": 66,
        "Notification": 29,
        "Micro-éveil": 22,
        "Avertissement": 2,
    }
    assert Counter(read_hypnogram(night).description.tolist()) == COUNTS


def test_events_between_the_stages_are_left_out(night):
    loaded = load_hypnogram(night)
    assert (len(loaded.stages), len(loaded.event_places)) == (1358, 53)
    assert loaded.start.moment == dt.datetime(2016, 1, 15, 22, 30)
    assert set(loaded.duration) == {30.0}


def test_gaps_are_unscored(night, tmp_path):
    found = read_hypnogram(night)
    steps = np.diff(found.onset) - 30
    assert steps[steps > 0].tolist() == GAPS
    psg = tmp_path / "night.edf"
    psg.write_bytes(Edf([Sig(n=1)], n_records=44910, date="15.01.16", time="22.30.00").to_bytes())
    raw = read_psg(psg, hypnogram=night, verbose="ERROR")
    alignment = get_notes(raw.info).alignment
    assert (alignment["matched"], alignment["padded"], alignment["dropped"]) == (1358, sum(GAPS) // 30, 0)
    stages = make_epochs(raw).metadata["stage"]
    assert Counter(stages) == {**COUNTS, "UNSCORED": 139}
