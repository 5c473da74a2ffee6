"""EDF and BDF: values, rates, laziness; and every odd or damaged file with its outcome."""

from __future__ import annotations

import pickle

import edfio
import mne
import numpy as np
import pyedflib
import pytest
from edf_files import Edf, Sig, times

import eegflex.readers.channels.raw as raw_module
from eegflex.errors import ChannelError
from eegflex.readers import get_notes, read_psg
from eegflex.readers.recordings.edf import EdfSource

LSB = 1000 / 65535 * 1e-6  # V, of the signals that Edf writes


@pytest.mark.parametrize(
    ("n", "duration"),
    [(100, "1"), (128, "1"), (200, "1"), (256, "1"), (500, "1"), (512, "1"), (250, "2.49"), (3, "0.1")],
)
def test_values_and_rate_are_those_of_pyedflib_and_mne(write, n, duration):
    edf = Edf([Sig(n=n), Sig("EEG C4-A1", n=n)], n_records=20, duration=duration)
    path = write(edf)
    raw = read_psg(path)
    assert raw.info["sfreq"] == n / float(duration)
    oracle = mne.io.read_raw_edf(path, verbose="ERROR")
    data = raw.get_data()
    assert data.shape == (2, 20 * n)
    np.testing.assert_allclose(data, oracle.get_data(), atol=LSB / 2, rtol=0)
    with pyedflib.EdfReader(str(path)) as reader:
        np.testing.assert_allclose(data[1] * 1e6, reader.readSignal(1), atol=LSB / 2 * 1e6, rtol=0)
        assert raw.info["sfreq"] == pytest.approx(reader.getSampleFrequency(0), rel=1e-12)


def test_values_are_those_of_edfio_at_native_rates(write):
    edf = Edf([Sig(n=256), Sig("SaO2", "%", 1, "0", "100"), Sig("EMG chin", "mV", 512)], n_records=30)
    source = EdfSource(write(edf))
    oracle = edfio.read_edf(source.path)
    for signal, theirs in zip(source.signals, oracle.signals, strict=True):
        assert signal.rate == theirs.sampling_frequency
        np.testing.assert_allclose(source.read(signal.index, 0, signal.n_times), theirs.data, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("name", ["night.bdf", "named-wrongly.edf", "night.rec"])
def test_bdf_is_known_by_its_first_byte(write, name):
    edf = Edf([Sig(n=64, bottom="-8388608", top="8388607")], n_records=10, bdf=True)
    raw = read_psg(write(edf, name))
    np.testing.assert_allclose(raw.get_data()[0], edf.physical(0) * 1e-6, atol=1e-12)
    theirs = edfio.read_bdf(raw.filenames[0]) if name.endswith("bdf") else None
    if theirs is not None:
        np.testing.assert_allclose(raw.get_data()[0] * 1e6, theirs.signals[0].data, atol=1e-9)


def test_any_stretch_is_the_whole_cut_to_it(write):
    raw = read_psg(write(Edf([Sig(n=50), Sig("EEG C4-A1", n=50)], n_records=9)))
    whole = raw.get_data()
    for start, stop in [(0, 1), (49, 51), (50, 100), (0, 450), (123, 321), (449, 450)]:
        np.testing.assert_array_equal(raw.get_data(start=start, stop=stop), whole[:, start:stop])


def test_raw_survives_copy_load_pick_crop_pickle(write, tmp_path):
    raw = read_psg(write(Edf([Sig(), Sig("EEG C4-A1"), Sig("EEG O1-A2")])))
    whole = raw.get_data()
    names = ["EEG O1-A2", "EEG C3-A2"]
    for twin in (raw.copy(), raw.copy().load_data(), pickle.loads(pickle.dumps(raw))):
        np.testing.assert_array_equal(twin.get_data(), whole)
        cropped = twin.copy().pick(names).crop(10, 20)
        np.testing.assert_array_equal(cropped.get_data(), whole[[2, 0], 1000:2001])
        assert get_notes(cropped.info).source == "night.edf"
    raw.save(tmp_path / "x_raw.fif", verbose="ERROR")
    again = mne.io.read_raw_fif(tmp_path / "x_raw.fif", verbose="ERROR").get_data()
    np.testing.assert_allclose(again, whole, atol=1e-10)


def test_repr_and_projection_work(write):
    raw = read_psg(write(Edf([Sig(), Sig("EEG C4-A1"), Sig("EEG O1-A2")])))
    assert "night.edf" in repr(raw)
    averaged = raw.copy().set_eeg_reference(projection=True, verbose="ERROR").apply_proj(verbose="ERROR")
    np.testing.assert_allclose(
        averaged.get_data(picks=[1])[0], (raw.get_data() - raw.get_data().mean(0))[1], atol=1e-15
    )


def test_only_the_channels_asked_for_are_read(write, monkeypatch):
    raw = read_psg(write(Edf([Sig(f"EEG {site}-A2") for site in ("C3", "F3", "O1", "P3")])))
    seen = []
    original = EdfSource.read
    monkeypatch.setattr(
        EdfSource, "read", lambda self, index, a, b: (seen.append((index, b - a)), original(self, index, a, b))[1]
    )
    raw.get_data(picks=[1, 3], start=100, stop=160)
    assert sorted(seen) == [(1, 60), (3, 60)]
    seen.clear()
    raw.copy().pick([2]).get_data(stop=10)
    assert seen == [(2, 10)]


def test_two_channels_of_a_big_file_cost_little_memory(write):
    import tracemalloc

    path = write(Edf([Sig(f"X{k}", n=200) for k in range(60)] + [Sig(n=200)], n_records=300))
    tracemalloc.start()
    read_psg(path).get_data(stop=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6 < 61 * 60000 * 8  # far below the file as floats


# --- what a file says about itself -----------------------------------------------------------------------------------


def test_warnings_are_logged_and_never_raised(write):
    with mne.utils.catch_logging() as log:
        read_psg(write(Edf(cut=200 * 20 + 7)), verbose="WARNING")
    assert "21 s at its end are lost" in log.getvalue()


def test_the_refused_channel_says_why(write):
    path = write(Edf([Sig(), Sig("EEG C4-A1", low="5", high="5")]))
    with pytest.raises(ChannelError, match="physical minimum equals"):
        read_psg(path, channels=["EEG C4-A1"])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "2020-04-03 22:00:00"),
        ({"recording": "Startdate 02-MAR-2019 X X X"}, "2019-03-02 22:00:00"),
        ({"date": "01.01.85"}, None),
        ({"date": "01.01.85", "recording": "Startdate X X X X"}, None),
        ({"date": "01.02.99"}, "1999-02-01 22:00:00"),
        ({"time": "xx.00.00"}, None),
        ({"time": "1.02.03"}, "2020-04-03 01:02:03"),
    ],
)
def test_dates(write, keys, expected):
    raw = read_psg(write(Edf(**keys)), verbose="ERROR")
    found = raw.info["meas_date"]
    assert (found and found.strftime("%Y-%m-%d %H:%M:%S")) == expected
    if "date" in keys:
        assert get_notes(raw.info).start_time == "22:00:00"


def test_fraction_of_the_first_second_moves_the_start_not_the_events(write):
    extra = {5: b"+5.75\x152\x14Arousal\x14\x00"}
    raw = read_psg(write(Edf(reserved="EDF+C", tals=times(120, first=0.25, extra=extra))))
    assert raw.info["meas_date"].microsecond == 250000
    assert raw.annotations.onset.tolist() == [5.5]


def test_no_name_is_kept(write, tmp_path):
    raw_bytes = bytearray(Edf().to_bytes())
    raw_bytes[8:88] = b"12345 F 02-MAY-1951 Haagse_Harry".ljust(80)
    (tmp_path / "name.edf").write_bytes(bytes(raw_bytes))
    raw = read_psg(tmp_path / "name.edf")
    assert raw.info["subject_info"] is None
    assert b"Haagse" not in pickle.dumps(raw)
    assert str(tmp_path) not in str(get_notes(raw.info))


# --- rates ----------------------------------------------------------------------------------------------------------


def test_slow_signals_are_left_out_unless_asked_for(write):
    edf = Edf([Sig(n=200), Sig("EOG horizontal", n=50), Sig("EMG chin", n=400), Sig("SaO2", "%", 1, "0", "100")])
    path = write(edf)
    raw = read_psg(path, verbose="ERROR")
    assert raw.ch_names == ["EEG C3-A2", "EMG chin"]
    assert "resampled from 400 to 200 Hz" in get_notes(raw.info).warnings[0]
    asked = read_psg(path, channels=["EOG horizontal", "EEG C3-A2"], verbose="ERROR")
    assert asked.info["sfreq"] == 200
    assert get_notes(asked.info).native_sfreq["EOG horizontal"] == 50
    assert asked.get_data().shape == (2, 24000)


@pytest.mark.parametrize(("n", "duration"), [(50, "1"), (250, "2.49"), (512, "1")])
def test_resampling_keeps_a_sine(write, n, duration):
    seconds = float(duration)
    t = np.arange(n * 60) / (n / seconds)
    sine = np.round(6000 * np.sin(2 * np.pi * 5 * t)).astype(int)
    edf = Edf([Sig(n=round(100 * seconds)), Sig("EOG horizontal", n=n, data=sine)], n_records=60, duration=duration)
    raw = read_psg(write(edf), channels=["EEG C3-A2", "EOG horizontal"], verbose="ERROR")
    wave = raw.get_data(picks=[1])[0]
    expected = 6000 * 1000 / 65535 * 1e-6 * np.sin(2 * np.pi * 5 * raw.times)
    middle = slice(200, -200)
    assert np.abs(wave - expected)[middle].max() < 0.01 * np.abs(expected).max()
    np.testing.assert_array_equal(raw.get_data(picks=[1], start=300, stop=900)[0], wave[300:900])
    assert raw_module.RawPSG is type(raw)


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("21.59.60", "2020-04-03 22:00:00"),
        ("21.60.00", "2020-04-03 22:00:00"),
        ("23.59.60", "2020-04-04 00:00:00"),
        ("24.00.00", "2020-04-04 00:00:00"),
        ("22:00:60", "2020-04-03 22:01:00"),
        ("21.59.61", "2020-04-03 time not known"),
        ("25.00.00", "2020-04-03 time not known"),
    ],
)
def test_a_time_that_was_rounded_up_runs_over(tmp_path, time, moment):
    (tmp_path / "x.edf").write_bytes(Edf(time=time).to_bytes())
    source = EdfSource(tmp_path / "x.edf")
    assert str(source.start) == moment
    assert len(source.warnings) == 1
    assert time in source.warnings[0] or "not known" in source.warnings[0]


@pytest.mark.parametrize("top", [b"32767", b"  32767", b"32767\x00", b"32767\x00\x00\x00", b"+32767\x00"])
def test_a_number_may_be_filled_up_with_blanks_or_zero_bytes(write, top):
    edf = Edf([Sig(top=top)], n_records=10)
    expected = Edf([Sig()], n_records=10).physical(0)
    np.testing.assert_allclose(read_psg(write(edf)).get_data()[0] * 1e6, expected, atol=1e-9)


@pytest.mark.parametrize("top", [b"\x0032767", b"\x00\x00767", b"327\x00\x00  ", b"32\x0067", b"3 2767", b"\x00" * 8])
def test_digits_that_zero_bytes_overwrote_are_no_number(write, top):
    """Its signal is left out and named, or the file is refused: another scale would be read without a word."""
    path = write(Edf([Sig(), Sig("EEG C4-A1", top=top)], n_records=10))
    raw = read_psg(path, verbose="ERROR")
    assert len(raw.ch_names) == 1
    assert any("EEG C4-A1" in one for one in get_notes(raw.info).warnings)
