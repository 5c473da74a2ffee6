"""The night in a BIDS data set."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from simulated import EEG, microvolts

import eegflex
from eegflex.errors import MissingExtraError, OutputError, ParameterError
from eegflex.simulation.events import TRUTH


@pytest.fixture(scope="module")
def dataset(clean, tmp_path_factory):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    root = tmp_path_factory.mktemp("bids") / "nights"
    return root, clean.save_bids(root), clean.save_bids(root, subject="02", session="1")


def test_bids_comes_back_with_its_stages(clean, dataset):
    import mne_bids

    root, first, second = dataset
    assert first == root / "sub-01" / "eeg" / "sub-01_task-sleep_eeg.edf"
    assert second == root / "sub-02" / "ses-1" / "eeg" / "sub-02_ses-1_task-sleep_eeg.edf"
    path = mne_bids.BIDSPath(root=root, subject="01", task="sleep", datatype="eeg", suffix="eeg", extension=".edf")
    raw = eegflex.read_psg(path, verbose="error")
    assert list(raw.annotations.description) == list(clean.hypnogram)
    assert set(EEG) <= set(raw.ch_names)
    np.testing.assert_allclose(raw.get_data(["C4-M1"])[0] * 1e6, microvolts(clean, "C4-M1"), atol=0.05)
    assert pd.read_csv(root / "participants.tsv", sep="\t")["participant_id"].tolist() == ["sub-01", "sub-02"]
    channels = pd.read_csv(first.with_name("sub-01_task-sleep_channels.tsv"), sep="\t")
    assert channels["type"].tolist() == ["EEG"] * 6 + ["EOG"] * 2 + ["EMG"]


def sidecar(path):
    return json.loads(path.with_suffix(".json").read_text("utf-8"))


def test_the_sidecar_says_what_was_simulated(clean, dataset):
    root, first, _ = dataset
    said = sidecar(first)
    assert said["PowerLineFrequency"] == "n/a"  # no hum was asked for
    assert "contralateral mastoid" in said["EEGReference"]
    assert "10-05" in said["EEGPlacementScheme"]
    assert "no person was recorded" in said["TaskDescription"].lower()
    assert said["RecordingDuration"] == pytest.approx(clean.raw.times[-1])
    assert (said["EEGChannelCount"], said["EOGChannelCount"], said["EMGChannelCount"]) == (6, 2, 1)
    channels = pd.read_csv(first.with_name("sub-01_task-sleep_channels.tsv"), sep="\t", keep_default_na=False)
    assert channels.columns[:3].tolist() == ["name", "type", "units"]
    told = dict(zip(channels["name"], channels["reference"], strict=True))
    assert told["C4-M1"] == "M1"
    assert told["C3-M2"] == told["E1-M2"] == "M2"
    assert told["Chin1-Chin2"] == "Chin2"
    assert set(channels["low_cutoff"]) == set(channels["high_cutoff"]) == {"n/a"}
    described = json.loads((root / "dataset_description.json").read_text("utf-8"))
    assert described["Authors"] == ["eegflex contributors"]
    assert described["GeneratedBy"] == [
        {"Name": "eegflex", "Version": eegflex.__version__, "Description": "simulate_psg"}
    ]


@pytest.mark.parametrize("line_freq", [50, 60])
def test_the_power_line_is_the_one_that_was_planted(tmp_path, line_freq):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    night = eegflex.simulate_psg(
        hours=0.2, sfreq=128, electrodes=["C3"], artifacts=["line"], line_freq=line_freq, verbose="error"
    )
    assert night.raw.info["line_freq"] == line_freq
    assert sidecar(night.save_bids(tmp_path))["PowerLineFrequency"] == line_freq
    assert eegflex.make_epochs(night.raw, verbose="error").info["line_freq"] == line_freq


def test_without_hum_there_is_no_power_line():
    night = eegflex.simulate_psg(hours=0.2, sfreq=128, electrodes=["C3"], line_freq=60, verbose="error")
    assert night.raw.info["line_freq"] is None


def test_the_truth_is_a_derivative(clean, dataset):
    root, *_ = dataset
    truth = root / "derivatives" / "eegflex-simulation"
    assert json.loads((truth / "dataset_description.json").read_text("utf-8"))["DatasetType"] == "derivative"
    table = truth / "sub-01" / "eeg" / "sub-01_task-sleep_desc-truth_events.tsv"
    pd.testing.assert_frame_equal(
        pd.read_csv(table, sep="\t", na_values="n/a"), clean.events, rtol=1e-5, check_dtype=False
    )
    assert set(json.loads(table.with_suffix(".json").read_text("utf-8"))) == set(TRUTH)


def test_bids_does_not_replace_what_is_there(clean, dataset):
    root, first, _ = dataset
    before = first.stat().st_mtime_ns
    with pytest.raises(OutputError, match=r"already there.*overwrite=True"):
        clean.save_bids(root)
    assert first.stat().st_mtime_ns == before
    assert clean.save_bids(root, overwrite=True) == first


@pytest.mark.parametrize("labels", [{"subject": "a_b"}, {"subject": ""}, {"session": "../x"}])
def test_a_label_that_is_none(clean, tmp_path, labels):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    with pytest.raises(ParameterError, match="letters and digits"):
        clean.save_bids(tmp_path, **labels)
    assert not list(tmp_path.iterdir())


def test_without_mne_bids_the_extra_is_named(clean, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mne_bids", None)
    with pytest.raises(MissingExtraError, match=r"eegflex\[bids\]"):
        clean.save_bids(tmp_path)
