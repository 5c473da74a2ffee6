"""The night on disk: whole, and as it was made."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pyedflib
import pytest
from simulated import EPOCH, microvolts

from eegflex.errors import OutputError, ParameterError
from eegflex.simulation.simulate import simulate_psg


def test_names_beside_each_other(saved):
    assert [path.name for path in saved] == ["night.edf", "night-hypnogram.edf", "night-events.tsv"]
    assert sorted(path.name for path in saved.psg.parent.iterdir()) == sorted(path.name for path in saved)


def test_signals_come_back_to_one_step(night, saved):
    raw = mne.io.read_raw_edf(saved.psg, verbose="error")
    assert raw.ch_names == night.raw.ch_names
    assert raw.info["sfreq"] == 128.0
    assert raw.n_times == night.raw.n_times
    with pyedflib.EdfReader(str(saved.psg)) as reader:
        for row, channel in enumerate(night.raw.ch_names):
            header = reader.getSignalHeader(row)
            step = (header["physical_max"] - header["physical_min"]) / (2**16 - 1)
            expected = microvolts(night, channel)
            assert header["dimension"] == "uV"
            assert header["physical_min"] <= expected.min() < expected.max() <= header["physical_max"]
            assert np.abs(reader.readSignal(row) - expected).max() <= step
            assert np.abs(raw.get_data([channel])[0] * 1e6 - expected).max() <= step


def test_hypnogram_comes_back(night, saved):
    annotations = mne.read_annotations(saved.hypnogram)
    names = {"W": "Sleep stage W", "N1": "Sleep stage N1", "N2": "Sleep stage N2", "N3": "Sleep stage N3"}
    assert list(annotations.description) == [names.get(stage, "Sleep stage R") for stage in night.hypnogram]
    np.testing.assert_allclose(annotations.onset, EPOCH * np.arange(120))
    np.testing.assert_allclose(annotations.duration, EPOCH)


def test_events_come_back(night, saved):
    events = pd.read_csv(saved.events, sep="\t", na_values="n/a")
    pd.testing.assert_frame_equal(events, night.events, rtol=1e-5, check_dtype=False)


def test_header_says_simulated_and_names_nobody(saved):
    for path in saved[:2]:
        header = path.read_bytes()[:256].decode("ascii")
        assert header[8:88].strip() == "X X X X"
        assert header[88:168].strip() == "Startdate 01-JAN-2000 X X eegflex_simulated seed_3"
        assert header[192:236].strip() == "EDF+C"


def test_rate_that_is_no_whole_number(tmp_path):
    """2560 samples an epoch: what GSSC takes, 85.33 Hz."""
    night = simulate_psg(hours=0.2, sfreq=2560 / 30, verbose="error")
    raw = mne.io.read_raw_edf(night.save(tmp_path / "night.edf").psg, verbose="error")
    assert raw.info["sfreq"] == pytest.approx(2560 / 30)
    assert raw.n_times == 24 * 2560
    np.testing.assert_allclose(raw.get_data(), night.raw.get_data(), atol=0.05e-6)


def test_overwrite(tmp_path):
    first, second = (simulate_psg(hours=0.2, sfreq=64.0, seed=seed, verbose="error") for seed in (1, 2))
    paths = first.save(tmp_path / "night.edf")
    before = [path.read_bytes() for path in paths]
    with pytest.raises(OutputError, match=r"already exists.*overwrite=True"):
        second.save(tmp_path / "night.edf")
    assert [path.read_bytes() for path in paths] == before
    second.save(str(tmp_path / "night.edf"), overwrite=True)
    assert all(path.read_bytes() != old for path, old in zip(paths, before, strict=True))
    assert len(list(tmp_path.iterdir())) == 3


def test_nothing_is_written_beside_one_that_is_there(night, tmp_path):
    (tmp_path / "night-events.tsv").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        night.save(tmp_path / "night.edf")
    assert [path.name for path in tmp_path.iterdir()] == ["night-events.tsv"]
    assert (tmp_path / "night-events.tsv").read_text() == "mine"


def test_no_such_directory(night, tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        night.save(tmp_path / "none" / "night.edf")
    assert not list(tmp_path.iterdir())


def test_directory_that_is_a_file(night, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="does not exist"):
        night.save(tmp_path / "file" / "night.edf")


@pytest.mark.parametrize("part", ["_write_signals", "_write_hypnogram"])
def test_a_full_disk_leaves_nothing_half_written(night, tmp_path, monkeypatch, part):
    def fail(path: Path, *args: object) -> None:
        del args
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"eegflex.simulation.write.{part}", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        night.save(tmp_path / "night.edf")
    assert not list(tmp_path.iterdir())


def test_name_must_end_in_edf(night, tmp_path):
    with pytest.raises(ParameterError, match=r"ends in \.edf"):
        night.save(tmp_path / "night.fif")
