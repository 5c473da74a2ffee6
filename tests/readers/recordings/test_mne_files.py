"""FIF, BrainVision and EEGLAB go through MNE, and come out like any other recording."""

from __future__ import annotations

import datetime as dt
import pickle

import mne
import numpy as np
import pytest
import scipy.io
from recording_files import noise, write_brainvision

from eegflex.epochs import make_epochs
from eegflex.errors import RecordingError, UnitError
from eegflex.readers import describe_psg, get_notes, read_psg

LABELS = ["C3", "C4", "M1", "M2", "E1-M2", "EMG chin", "SpO2"]


def a_raw(labels=LABELS, types="eeg", seconds=90.0):
    rng = np.random.default_rng(0)
    info = mne.create_info(labels, 100.0, types)
    raw = mne.io.RawArray(rng.normal(0, 40e-6, (len(labels), round(seconds * 100))), info, verbose="ERROR")
    raw.set_meas_date(1000000000)
    return raw


@pytest.fixture
def fif(tmp_path):
    types = ["eeg", "eeg", "eeg", "eeg", "eog", "eeg", "bio"]
    raw = a_raw(types=types)
    raw.set_annotations(mne.Annotations([5, 35], [30, 30], ["Sleep stage 2", "Sleep stage R"]))
    path = tmp_path / "night.fif"
    raw.copy().crop(2).save(path, verbose="ERROR")
    return path, raw.get_data()[:, 200:]


@pytest.fixture
def brainvision(tmp_path):
    data = np.round(a_raw().get_data() * 1e7).astype("<i2")
    data.T.tofile(tmp_path / "night.eeg")
    channels = "".join(f"Ch{k}={label},,0.1,µV\n" for k, label in enumerate(LABELS, 1))
    (tmp_path / "night.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nDataFile=night.eeg\n[Marker Infos]\n"
        "Mk1=New Segment,,1,1,0,20010909014640000000\n"
    )
    (tmp_path / "night.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=night.eeg\n"
        "MarkerFile=night.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=7\n"
        "SamplingInterval=10000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n" + channels,
        encoding="utf-8",
    )
    return tmp_path / "night.vhdr", data * 1e-7


@pytest.fixture
def eeglab(tmp_path):
    data = a_raw().get_data() * 1e6
    chanlocs = np.array([(label,) for label in LABELS], dtype=[("labels", "O")])
    eeg = {"data": data, "nbchan": 7, "pnts": 9000, "trials": 1, "srate": 100.0, "xmin": 0.0, "xmax": 89.99}
    eeg |= {"setname": "night", "filename": "night.set", "chanlocs": chanlocs, "event": [], "epoch": [], "icawinv": []}
    scipy.io.savemat(tmp_path / "night.set", {"EEG": eeg}, appendmat=False)
    return tmp_path / "night.set", data * 1e-6


@pytest.mark.parametrize("kind", ["fif", "brainvision", "eeglab"])
def test_roles_types_and_derivations_are_ours(kind, request):
    path, data = request.getfixturevalue(kind)
    raw = read_psg(path, verbose="ERROR")
    assert raw.ch_names == ["C3-M2", "C4-M1", "E1-M2", "EMG chin"]
    assert raw.get_channel_types() == ["eeg", "eeg", "eog", "emg"]
    assert get_notes(raw.info).format.lower() == kind
    expected = [data[0] - data[3], data[1] - data[2], data[4], data[5]]
    np.testing.assert_allclose(raw.get_data(), expected, atol=1e-10)
    np.testing.assert_array_equal(raw.get_data(), raw.get_data())
    again = pickle.loads(pickle.dumps(raw.copy().crop(1, 3)))
    np.testing.assert_array_equal(again.get_data(), raw.get_data(start=100, stop=301))
    assert "C3-M2" in describe_psg(path).to_text()
    assert np.isfinite(raw.info["chs"][0]["loc"][:3]).all()


@pytest.mark.parametrize(("unit", "volts"), [("μV", 1e-6), ("uVolt", 1e-6), ("mVolts", 1e-3), ("", 1e-6)])
def test_units_of_brainvision_that_mne_does_not_know_are_read_by_our_rules(tmp_path, unit, volts):
    data = noise(60)
    raw = read_psg(write_brainvision(tmp_path / "x", data, unit=unit), channels=["C3"], verbose="ERROR")
    np.testing.assert_allclose(raw.get_data()[0], data[0] * 1e6 * volts, rtol=1e-9)
    assert raw.get_channel_types() == ["eeg"]


def test_a_channel_that_mne_calls_misc_by_its_name_is_scaled_once(tmp_path):
    data = noise(60)
    raw = read_psg(write_brainvision(tmp_path / "x", data, labels=("C3", "HL", "ReRef")), channels=["C3", "HL"])
    np.testing.assert_allclose(raw.get_data(), data[:2], atol=1e-12)


def test_a_unit_of_brainvision_that_nobody_knows_is_refused(tmp_path):
    with pytest.raises(UnitError, match="furlong"):
        read_psg(write_brainvision(tmp_path / "x", noise(60), unit="furlong"))


def test_fif_keeps_time_and_stages(fif):
    raw = read_psg(fif[0], verbose="ERROR")
    assert raw.info["meas_date"].timestamp() == 1000000002
    assert raw.annotations.description.tolist() == ["N2", "REM"]
    assert (raw.annotations.onset).tolist() == [3, 33]
    assert make_epochs(raw).metadata["stage"].tolist() == ["N2", "REM"]


def test_fif_may_call_its_eeg_what_it_likes(tmp_path):
    a_raw(["EEG 001", "EEG 002", "STI"], ["eeg", "eeg", "stim"]).save(tmp_path / "x_raw.fif", verbose="ERROR")
    assert read_psg(tmp_path / "x_raw.fif", verbose="ERROR").ch_names == ["EEG 001", "EEG 002"]


def test_fif_keeps_its_own_positions(tmp_path):
    raw = a_raw(["C3", "C4"])
    raw.set_montage(
        mne.channels.make_dig_montage({"C3": [0.01, 0.02, 0.09], "C4": [0.03, 0.02, 0.09]}, coord_frame="head")
    )
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    found = read_psg(tmp_path / "x_raw.fif", verbose="ERROR")
    np.testing.assert_allclose(found.info["chs"][0]["loc"][:3], [0.01, 0.02, 0.09], atol=1e-6)


def test_no_name_is_kept(tmp_path):
    raw = a_raw(["C3", "C4"])
    raw.info["subject_info"] = {"his_id": "H123", "last_name": "Haagse", "birthday": dt.date(1951, 5, 2)}
    raw.info["experimenter"] = "Haagse"
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    found = read_psg(tmp_path / "x_raw.fif", verbose="ERROR")
    assert found.info["subject_info"] is None
    assert all(word not in pickle.dumps(found) for word in (b"Haagse", b"H123"))


def test_what_mne_cannot_read_is_our_error(tmp_path, brainvision):
    (tmp_path / "night.eeg").unlink()
    with pytest.raises(RecordingError, match="BrainVision"):
        read_psg(brainvision[0])
    (tmp_path / "broken.fif").write_bytes(b"\x00\x00\x00\x64" + bytes(100))
    with pytest.raises(RecordingError, match="FIF"):
        read_psg(tmp_path / "broken.fif")


def test_a_gap_of_a_fif_is_a_gap(tmp_path):
    raw = a_raw(["C3", "C4"])
    raw._data[:, 3000:4500] = 0
    raw.set_annotations(mne.Annotations([30.0], [15.0], ["BAD_ACQ_SKIP"], orig_time=raw.info["meas_date"]))
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    found = read_psg(tmp_path / "x_raw.fif", verbose="ERROR")
    assert [tuple(a.values())[:3] for a in found.annotations] == [(30.0, 15.0, "BAD_ACQ_SKIP")]
    np.testing.assert_allclose(found.get_data(), raw.get_data(), rtol=1e-6)
    assert make_epochs(found, duration=10.0).metadata["run"].tolist() == [0, 0, 0, 1, 1, 1, 1]


STAGED = {"N2": 2, "REM": 5, "artefact": 9}


def some_epochs(tmax=30 - 1 / 100, stages=STAGED):
    """Epochs 1, 2 and 5 of a raw that begins at sample 700."""
    raw = a_raw(["C3-M2", "E1-M2"], ["eeg", "eog"], seconds=200)
    raw = mne.io.RawArray(raw.get_data(), raw.info, first_samp=700, verbose="ERROR")
    events = np.array([[700 + 3000 * k, 0, code] for k, code in [(1, 2), (2, 5), (5, 2)]])
    names = {name: code for name, code in stages.items() if code in events[:, 2]}
    keys = {"tmin": 0, "tmax": tmax, "baseline": None, "preload": True, "verbose": "ERROR"}
    return raw, mne.Epochs(raw, events, names, **keys)


@pytest.mark.parametrize("tmax", [29.99, 30.0])
@pytest.mark.parametrize("change", ["resample", "decimate", "neither"])
def test_epochs_of_a_fif_lie_where_they_were_cut(tmp_path, change, tmax):
    whole, epochs = some_epochs(tmax)
    factor = 1 if change == "neither" else 2
    if change == "resample":
        epochs.resample(50.0, verbose="ERROR")
    elif change == "decimate":
        epochs.decimate(2, verbose="ERROR")
    epochs.save(tmp_path / "night-epo.fif", verbose="ERROR")
    raw = read_psg(tmp_path / "night-epo.fif", verbose="ERROR")
    assert get_notes(raw.info).format == "Epochs FIF"
    assert raw.info["sfreq"] == 100 / factor
    assert raw.info["meas_date"].timestamp() == 1000000000 + 7 + 30
    assert [tuple(a.values())[:3] for a in raw.annotations if a["description"] == "BAD_ACQ_SKIP"] == [
        (pytest.approx(60, abs=0.011), pytest.approx(60, abs=0.011), "BAD_ACQ_SKIP")
    ]
    again = make_epochs(raw, verbose="ERROR")
    assert again.metadata["stage"].tolist() == ["N2", "REM", "N2"]
    assert again.metadata["onset"].tolist() == [0, 30, 120]
    assert again.metadata["run"].tolist() == [0, 0, 1]
    n_times = 3000 // factor
    np.testing.assert_allclose(again.get_data(), epochs.get_data()[..., :n_times], atol=1e-10)
    if change == "neither":
        np.testing.assert_allclose(raw.get_data(stop=6000), whole.get_data(start=3000, stop=9000), rtol=1e-6)
    for start, stop in [(0, 10), (n_times - 5, n_times + 5), (2 * n_times - 3, 4 * n_times + 3), (300, 301)]:
        np.testing.assert_array_equal(raw.get_data(start=start, stop=stop), raw.get_data()[:, start:stop])


def test_numbers_of_events_are_no_stages(tmp_path):
    _, epochs = some_epochs(stages={"2": 2, "5": 5})
    epochs.save(tmp_path / "night-epo.fif", verbose="ERROR")
    raw = read_psg(tmp_path / "night-epo.fif", verbose="ERROR")
    assert set(raw.annotations.description) == {"BAD_ACQ_SKIP"}


def test_epochs_that_overlap_are_refused(tmp_path):
    some_epochs(tmax=45.0)[1].save(tmp_path / "night-epo.fif", verbose="ERROR")
    with pytest.raises(RecordingError, match=r"overlap.*epochs of 45.01 s, 30 s apart"):
        read_psg(tmp_path / "night-epo.fif")
