"""What pyedflib and MNE write is read back to half a digit and to the nearest sample, and as they themselves read it."""

from __future__ import annotations

import datetime as dt

import mne
import numpy as np
import pyedflib
import pytest

from eegflex.epochs import make_epochs
from eegflex.readers import read_psg

# rate -> samples and seconds of a record that holds whole samples
RECORDS = {100: (100, 1), 128: (128, 1), 200: (200, 1), 256: (256, 1), 500: (500, 1), 512: (512, 1)}
RECORDS |= {250 / 2.49: (250, 2.49)}
LABELS = ["EEG C3-A2", "EEG C4-A1"]
LIMIT = 400.0  # µV
STAGES = ["W", "1", "2", "3", "R"]
START = dt.datetime(2020, 2, 28, 23, 58, 30, tzinfo=dt.UTC)


def night(sfreq: float) -> tuple[np.ndarray, np.ndarray]:
    """150 s of noise in µV and the onsets, in s, of five stages and of events at awkward times."""
    n, seconds = RECORDS[sfreq]
    rng = np.random.default_rng(0)
    # an even number of records, since MNE makes them of 0.996 s where we make them of 2.49 s
    data = rng.normal(0, 50, (2, n * 2 * round(83 / seconds + 0.5))).clip(-LIMIT + 1, LIMIT - 1)
    return data, np.array([*(7 + 30 * np.arange(5.0)), 0.01, 33.333, 100.0001, 149.99])


def texts():
    return [*(f"Sleep stage {stage}" for stage in STAGES), "a", "b", "c", "d"]


def write_by_pyedflib(path, sfreq, *, bdf):
    data, onsets = night(sfreq)
    _, seconds = RECORDS[sfreq]
    limits = (-(2**23), 2**23 - 1) if bdf else (-(2**15), 2**15 - 1)
    digit = 2 * LIMIT / (limits[1] - limits[0])
    kind = pyedflib.FILETYPE_BDFPLUS if bdf else pyedflib.FILETYPE_EDFPLUS
    with pyedflib.EdfWriter(str(path), 2, file_type=kind) as writer:
        writer.setStartdatetime(START.replace(tzinfo=None))
        if seconds != 1:
            with pytest.warns(UserWarning, match="record_duration"):
                writer.setDatarecordDuration(seconds)
        for k, label in enumerate(LABELS):
            header = {"label": label, "dimension": "uV", "sample_frequency": sfreq, "transducer": "", "prefilter": ""}
            header |= {"physical_min": -LIMIT, "physical_max": LIMIT}
            writer.setSignalHeader(k, header | {"digital_min": limits[0], "digital_max": limits[1]})
            writer.setSamplefrequency(k, sfreq)
        # pyedflib itself cuts the digits' fractions off instead of rounding
        writer.writeSamples(list(np.round((data + LIMIT) / digit + limits[0]).astype(np.int32)), digital=True)
        for onset, text in zip(onsets, texts(), strict=True):
            writer.writeAnnotation(onset, 30.0 if "stage" in text else 0.5, text)
    return data, onsets, digit


def write_by_mne(path, sfreq, *, bdf):
    data, onsets = night(sfreq)
    raw = mne.io.RawArray(data * 1e-6, mne.create_info(LABELS, sfreq, "eeg"), verbose="ERROR")
    raw.set_meas_date(START)
    durations = [30.0 if "stage" in text else 0.5 for text in texts()]
    raw.set_annotations(mne.Annotations(onsets, durations, texts(), orig_time=START))
    limits = (-LIMIT, LIMIT)
    mne.export.export_raw(path, raw, fmt="bdf" if bdf else "edf", physical_range=limits, verbose="ERROR")
    return data, onsets, 2 * LIMIT / (2**24 - 1 if bdf else 2**16 - 1)


@pytest.mark.parametrize("bdf", [False, True], ids=["edf", "bdf"])
@pytest.mark.parametrize("write", [write_by_pyedflib, write_by_mne])
@pytest.mark.parametrize("sfreq", RECORDS)
def test_values_to_half_a_digit_and_onsets_to_a_sample(tmp_path, sfreq, write, bdf):
    if bdf and write is write_by_mne and not mne.utils.check_version("mne", "1.10"):
        pytest.skip("MNE writes no BDF before 1.10")
    path = tmp_path / ("night.bdf" if bdf else "night.edf")
    data, onsets, digit = write(path, sfreq, bdf=bdf)
    raw = read_psg(path, verbose="ERROR")
    assert raw.info["sfreq"] == pytest.approx(sfreq, rel=1e-12)
    ours = raw.get_data()[:, : data.shape[1]] * 1e6
    np.testing.assert_allclose(ours, data, rtol=0, atol=0.5001 * digit)
    found = sorted(raw.annotations.onset)
    np.testing.assert_allclose(found, np.sort(onsets), rtol=0, atol=0.5 / sfreq)
    assert raw.info["meas_date"] == START
    epochs = make_epochs(raw)
    assert epochs.metadata["stage"].tolist() == ["W", "N1", "N2", "N3", "REM"]
    np.testing.assert_array_equal(epochs.events[:, 0], np.round(onsets[:5] * sfreq))


@pytest.mark.parametrize("bdf", [False, True], ids=["edf", "bdf"])
@pytest.mark.parametrize("sfreq", RECORDS)
def test_pyedflib_and_mne_read_the_same(tmp_path, sfreq, bdf):
    path = tmp_path / ("night.bdf" if bdf else "night.edf")
    _, _, digit = write_by_pyedflib(path, sfreq, bdf=bdf)
    raw = read_psg(path, verbose="ERROR")
    theirs = (mne.io.read_raw_bdf if bdf else mne.io.read_raw_edf)(path, verbose="ERROR")
    np.testing.assert_allclose(raw.get_data(), theirs.get_data(), rtol=0, atol=0.01 * digit * 1e-6)
    assert raw.info["sfreq"] == pytest.approx(theirs.info["sfreq"], rel=1e-12)
    np.testing.assert_allclose(sorted(raw.annotations.onset), sorted(theirs.annotations.onset), atol=0.5 / sfreq)
    with pyedflib.EdfReader(str(path)) as reader:
        for k in range(2):
            np.testing.assert_allclose(raw.get_data([k])[0] * 1e6, reader.readSignal(k), rtol=0, atol=0.01 * digit)
        assert reader.getSampleFrequency(0) == pytest.approx(sfreq, rel=1e-9)
        np.testing.assert_allclose(sorted(raw.annotations.onset), sorted(reader.readAnnotations()[0]), atol=0.5 / sfreq)
