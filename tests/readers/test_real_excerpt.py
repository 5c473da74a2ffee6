"""The real clinical PSG, where it is at hand."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from eegflex.epochs import make_epochs
from eegflex.readers import describe_psg, get_notes, read_psg

PICKS = ["1-F", "C3-M2", "C4-M1", "E1-M2", "E2-M1", "ECG", "F3-M2", "F4-M1", "O1-M2", "O2-M1"]
TYPES = ["emg", "eeg", "eeg", "eog", "eog", "ecg", "eeg", "eeg", "eeg", "eeg"]


def test_picks_types_and_scale(real):
    raw = read_psg(real)
    assert raw.ch_names == PICKS
    assert raw.get_channel_types() == TYPES
    assert raw.info["sfreq"] == 200
    assert np.std(raw.get_data(["C3-M2"])) == pytest.approx(69e-6, abs=1e-6)
    assert get_notes(raw.info).roles["1-F"] == "CHIN"
    assert get_notes(raw.info).warnings == []


def test_values_are_mnes_where_the_rate_is_the_files_highest(real):
    raw = read_psg(real)
    theirs = mne.io.read_raw_edf(real, include=PICKS, verbose="ERROR")
    for name in PICKS:
        np.testing.assert_allclose(raw.get_data([name]), theirs.get_data([name]), atol=1e-9)


def test_the_files_derivation_is_the_difference_that_we_would_make(real):
    made = read_psg(real, channels=["C3", "M2", "C3-M2", "F3-C3"]).get_data()
    rest = made[0] - made[1] - made[2]
    # The 8 characters of the header's minimum are too few: each signal as written is 3 µV too high.
    assert rest.mean() == pytest.approx(-3e-6, abs=1e-8)
    assert rest.std() < 1e-9
    assert made[3].std() > 1e-6


def test_slow_and_strange_signals_at_their_own_rate(real):
    raw = read_psg(real, channels=["Saturation"], verbose="ERROR")
    assert raw.info["sfreq"] == 3
    assert 90 < raw.get_data().mean() < 100
    impedance = read_psg(real, channels=["C3 Impédance"], verbose="ERROR")
    assert impedance.get_channel_types() == ["misc"]


def test_describe(real):
    described = describe_psg(real)
    rows = {row.label: row for row in described.signals}
    assert len(described.signals) == 89
    assert [row.label for row in described.picked] == PICKS
    c3 = rows["C3-M2"]
    assert (c3.kind, c3.rate, c3.unit, c3.picked) == ("eeg", 200, "V", True)
    assert c3.sd == pytest.approx(68.6e-6, rel=1e-3)
    assert not any(row.unit == "Ohm" for row in described.picked)
    assert sum(row.unit == "Ohm" for row in described.signals) == 26
    text = described.to_text()
    assert "Impédance" in text
    assert max(map(len, text.splitlines())) <= 100


def test_epochs(real):
    epochs = make_epochs(read_psg(real))
    assert epochs.get_data().shape == (4, 10, 6000)
    assert epochs.metadata["stage"].tolist() == ["UNSCORED"] * 4
