"""Preparation: channels, rate, unit, scale, faults, runs; on the continuous signal, on a copy."""

from __future__ import annotations

import json

import mne
import numpy as np
import pandas as pd
import pytest

from eegflex.epochs import make_epochs
from eegflex.errors import ChannelError, ParameterError, RecordingError
from eegflex.preprocessing.channels import connect
from eegflex.preprocessing.filtering import RESAMPLING_REACH
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ChannelSpec, FilterSpec, ModelSpec, ScaleSpec


def continuous(sfreq=200.0, n_epochs=5, names=("C3-M2", "E1-M2"), types=("eeg", "eog"), seed=0):
    """Noise of 20 µV below 30 Hz."""
    rng = np.random.default_rng(seed)
    n_times = int(n_epochs * 30 * sfreq)
    data = 2e-5 * mne.filter.filter_data(rng.standard_normal((len(names), n_times)), sfreq, None, 30.0, verbose="error")
    return mne.io.RawArray(data, mne.create_info(list(names), sfreq, list(types)), verbose="error")


def cut(raw, tmax=None):
    events = mne.make_fixed_length_events(raw, duration=30.0)
    tmax = 30 - 1 / raw.info["sfreq"] if tmax is None else tmax
    return mne.Epochs(raw, events, tmin=0, tmax=tmax, baseline=None, preload=True, verbose="error")


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 200.0, 256.0])
def test_resampling_moves_no_sample_and_sees_no_seam(sfreq):
    """Sines of the recording are the same sines at the new rate, across epochs and within a sample of its ends."""
    raw = continuous(sfreq)
    times, new_times = raw.times, np.arange(5 * 2560) * 30 / 2560
    for row, freq in enumerate((1.3, 28.7)):
        raw._data[row] = np.sin(2 * np.pi * freq * times + 1)
    segments = prepare(cut(raw), ModelSpec(sfreq=2560 / 30, n_times=2560))
    for row, freq in enumerate((1.3, 28.7)):
        ours = segments.signals[:, row].ravel()
        expected = np.sin(2 * np.pi * freq * new_times + 1)
        np.testing.assert_allclose(ours[256:-256], expected[256:-256], atol=2e-3)


def test_filtering_is_that_of_the_recording():
    raw = continuous()
    segments = prepare(cut(raw), ModelSpec(filter=FilterSpec(0.3, 20.0), unit="V"))
    expected = raw.copy().filter(0.3, 20.0, picks="all", verbose="error").get_data()
    np.testing.assert_allclose(segments.signals.transpose(1, 0, 2).reshape(2, -1), expected, atol=1e-6 * expected.std())


def test_what_the_recording_already_lacks_is_not_filtered_again():
    raw = continuous().filter(0.3, 30.0, picks="all", verbose="error")
    segments = prepare(cut(raw), ModelSpec(filter=FilterSpec(0.3, 30.0)))
    np.testing.assert_array_equal(segments.signals, cut(raw).get_data().astype(np.float32))


def test_an_extra_last_sample_is_cut_off():
    raw = continuous()
    spec = ModelSpec(sfreq=100.0, n_times=3000)
    assert prepare(cut(raw, tmax=30.0), spec).signals.shape[-1] == 3000


@pytest.mark.parametrize(("unit", "factor"), [("V", 1.0), ("mV", 1e3), ("uV", 1e6)])
def test_units(unit, factor):
    epochs = cut(continuous())
    segments = prepare(epochs, ModelSpec(unit=unit))
    np.testing.assert_allclose(segments.signals, epochs.get_data() * factor, rtol=1e-5)
    np.testing.assert_allclose(segments.gain * factor, 1e6)


@pytest.mark.parametrize("per", ["recording", "epoch"])
@pytest.mark.parametrize("kind", ["zscore", "robust"])
def test_scaling_and_the_way_back(kind, per):
    epochs = cut(continuous())
    segments = prepare(epochs, ModelSpec(unit="uV", scale=ScaleSpec(kind, per)))
    axis = (0, 2) if per == "recording" else 2
    if kind == "zscore":
        np.testing.assert_allclose(segments.signals.mean(axis=axis), 0, atol=1e-5)
        np.testing.assert_allclose(segments.signals.std(axis=axis), 1, atol=1e-4)
    physical = segments.signals * segments.gain[..., None]
    recorded = epochs.get_data() * 1e6
    np.testing.assert_allclose(np.diff(physical), np.diff(recorded), atol=1e-3)


def test_clipping():
    segments = prepare(cut(continuous()), ModelSpec(scale=ScaleSpec("zscore", clip=1.5)))
    assert np.abs(segments.signals).max() == pytest.approx(1.5)


def test_the_callers_epochs_are_left_as_they_were():
    epochs = cut(continuous())
    before = epochs.get_data().copy()
    prepare(epochs, ModelSpec(sfreq=100.0, n_times=3000, filter=FilterSpec(0.3, 30.0), scale=ScaleSpec("zscore")))
    np.testing.assert_array_equal(epochs.get_data(), before)
    assert epochs.info["sfreq"] == 200.0


def test_runs_break_where_time_does():
    epochs = cut(continuous(n_epochs=8))[[0, 1, 4, 5, 7]]
    assert prepare(epochs, ModelSpec()).run.tolist() == [0, 0, 1, 1, 2]


def test_runs_break_where_recordings_were_joined_at_the_end_of_an_epoch():
    joined = mne.concatenate_raws([continuous(n_epochs=2), continuous(n_epochs=3, seed=1)], verbose="error")
    epochs = make_epochs(joined, verbose="error")
    segments = prepare(epochs, ModelSpec(filter=FilterSpec(0.3, 20.0), unit="V"))
    assert segments.run.tolist() == [0, 0, 1, 1, 1]
    alone = prepare(cut(continuous(n_epochs=2)), ModelSpec(filter=FilterSpec(0.3, 20.0), unit="V"))
    np.testing.assert_allclose(segments.signals[:2], alone.signals, atol=1e-6 * alone.signals.std())


SHAPED = ModelSpec(sfreq=100.0, n_times=3000, filter=FilterSpec(0.3, 35.0), unit="uV")


def test_what_was_done_is_noted():
    notes = prepare(cut(continuous()), SHAPED).notes
    assert notes["filter"]["asked"] == [0.3, 35.0]
    assert (notes["filter"]["l_freq"], notes["filter"]["h_freq"]) == (0.3, 35.0)
    assert notes["filter"]["length_s"] == pytest.approx(11, abs=0.02)
    assert notes["resampled"] == "200 to 100 Hz"
    assert notes["edge_reach_s"] == pytest.approx(notes["filter"]["length_s"] / 2 + RESAMPLING_REACH)
    assert notes["edge_epochs"] == 2
    assert json.loads(json.dumps(notes)) == notes
    bare = prepare(cut(continuous()), ModelSpec()).notes
    assert (bare["filter"], bare["resampled"], bare["edge_epochs"]) == ({}, "", 0)
    slow = prepare(cut(continuous(sfreq=100.0)), ModelSpec(filter=FilterSpec(None, 50.0))).notes["filter"]
    assert (slow["asked"], slow["h_freq"], slow["length_s"]) == ([None, 50.0], None, 0)


@pytest.mark.parametrize(("low", "at_edge"), [(0.3, [0, 3, 4, 6]), (0.05, [0, 1, 2, 3, 4, 5, 6]), (None, [0, 3, 4, 6])])
def test_epochs_at_the_edges_of_runs_are_named_counted_and_masked_on_request(low, at_edge):
    """A filter of 66 s reaches 33 s, and so into the second epoch too."""
    epochs = cut(continuous(n_epochs=8))[[0, 1, 2, 3, 5, 6, 7]]
    spec = ModelSpec(filter=FilterSpec(low, 30.0), unit="uV")
    kept, masked = prepare(epochs, spec), prepare(epochs, spec, filter_edges="mask")
    assert np.flatnonzero(kept.filter_edge).tolist() == at_edge
    assert kept.notes["edge_epochs"] == len(at_edge)
    assert (kept.fault == "").all()
    assert np.flatnonzero(masked.fault == "at an edge").tolist() == at_edge
    np.testing.assert_array_equal(kept.signals, masked.signals)
    with pytest.raises(ParameterError, match="'keep', 'mask'"):
        prepare(epochs, spec, filter_edges="drop")


@pytest.mark.parametrize("spec", [SHAPED, ModelSpec(sfreq=2560 / 30, n_times=2560), ModelSpec(filter=FilterSpec(0.3))])
def test_beyond_the_reach_of_an_edge_nothing_depends_on_it(spec):
    epochs = cut(continuous(n_epochs=6))
    whole, part = prepare(epochs, spec), prepare(epochs[2:], spec)
    reach = round(part.notes["edge_reach_s"] * part.sfreq)
    off = np.abs(whole.signals[2, 0] - part.signals[0, 0]) / whole.signals[:, 0].std()
    assert off[reach:].max() < 0.01
    assert off[:reach].max() > 0.01


def test_an_extra_last_sample_is_in_no_filter():
    spec = ModelSpec(filter=FilterSpec(0.3, 20.0), sfreq=200.0, n_times=6000)
    expected = prepare(cut(continuous())[:4], spec).signals
    found = prepare(cut(continuous(), tmax=30.0)[:4], spec).signals[:3]
    np.testing.assert_allclose(found, expected[:3], atol=1e-12)


def test_a_channel_without_signal_is_refused_with_the_others_named():
    epochs = cut(continuous(names=("C3-M2", "C4-M1", "O1-M2"), types=("eeg",) * 3))
    epochs._data[:, 0] = 1e-5
    epochs._data[:, 2] = np.clip(epochs._data[:, 2], -1e-5, 1e-5)
    with pytest.raises(
        ChannelError, match=r"C3-M2: flat, O1-M2: \d\d% of its samples saturated.*Allowed: C4-M1\..*bads"
    ):
        prepare(epochs, ModelSpec())
    epochs.info["bads"] = ["C3-M2", "O1-M2"]
    assert prepare(epochs, ModelSpec()).ch_names == ("C4-M1",)


@pytest.mark.parametrize("change", ["resample", "decimate", "neither"])
def test_epochs_of_a_file_keep_their_onsets_whatever_was_done_to_their_rate(tmp_path, change):
    epochs = cut(continuous(n_epochs=8))[[1, 2, 3, 6]]
    if change == "resample":
        epochs.resample(128.0, verbose="error")
    elif change == "decimate":
        epochs.decimate(2, verbose="error")
    epochs.save(tmp_path / "night-epo.fif", verbose="error")
    again = mne.read_epochs(tmp_path / "night-epo.fif", verbose="error")
    segments = prepare(again, ModelSpec())
    assert segments.onset.tolist() == [30.0, 60.0, 90.0, 180.0]
    assert segments.run.tolist() == [0, 0, 0, 1]


def test_onsets_and_stages_come_from_the_metadata():
    epochs = cut(continuous(n_epochs=3))
    epochs.metadata = pd.DataFrame({"onset": [10.0, 40.0, 100.0], "stage": ["N2", "N3", "UNSCORED"]})
    segments = prepare(epochs, ModelSpec())
    assert segments.onset.tolist() == [10.0, 40.0, 100.0]
    assert segments.run.tolist() == [0, 0, 1]
    assert segments.stage.tolist() == ["N2", "N3", "UNSCORED"]


def test_resampled_epochs_keep_their_onsets():
    epochs = cut(continuous()).resample(100.0, verbose="error")
    assert prepare(epochs, ModelSpec()).onset.tolist() == [0.0, 30.0, 60.0, 90.0, 120.0]


def test_faults():
    epochs = cut(continuous())
    epochs._data[0, 0, 3] = np.nan
    epochs._data[1, 1] = 1e-5
    epochs._data[2, 0, :2000] = epochs._data[2, 0].max()
    assert prepare(epochs, ModelSpec()).fault.tolist() == ["not finite", "flat", "saturated", "", ""]


@pytest.mark.parametrize(
    "spec", [ModelSpec(), ModelSpec(scale=ScaleSpec("zscore")), ModelSpec(sfreq=100.0, n_times=3000)]
)
def test_one_bad_sample_does_not_spoil_the_others(spec):
    epochs, spoilt = cut(continuous()), cut(continuous())
    spoilt._data[4, 0, -1] = np.nan
    expected = prepare(epochs, spec).signals[:4]
    np.testing.assert_allclose(prepare(spoilt, spec).signals[:4], expected, rtol=0, atol=1e-3 * expected.std())


def test_short_epochs_and_slow_recordings_are_refused():
    with pytest.raises(RecordingError, match="epochs of 30 s"):
        prepare(cut(continuous(), tmax=20.0), ModelSpec(sfreq=100.0, n_times=3000))
    with pytest.raises(RecordingError, match="256 Hz"):
        prepare(cut(continuous()), ModelSpec(sfreq=256.0, n_times=7680))


GSSC_LIKE = ModelSpec(
    channels=(
        ChannelSpec("eeg", types=("eeg",), use="each"),
        ChannelSpec("eog", types=("eog",), sites=("E1-E2", "E1", "E2", "EOG"), use="first"),
    )
)


def names(raw, spec=GSSC_LIKE, picks=None):
    connections, channel_sets = connect(cut(raw), spec, picks)
    return [[connections[i].name for i in channel_set] for channel_set in channel_sets]


def test_each_eeg_channel_is_connected_by_itself():
    raw = continuous(names=("C3-M2", "F4-M1", "E1-M2", "Chin"), types=("eeg", "eeg", "eog", "emg"))
    assert names(raw) == [["C3-M2", "E1-M2"], ["F4-M1", "E1-M2"]]
    assert names(raw, picks=["F4-M1", "E1-M2"]) == [["F4-M1", "E1-M2"]]
    raw.info["bads"] = ["C3-M2"]
    assert names(raw) == [["F4-M1", "E1-M2"]]


def test_a_horizontal_eog_is_derived_where_both_eyes_share_their_reference():
    shared = continuous(names=("C3-M2", "E1-M2", "E2-M2"), types=("eeg", "eog", "eog"))
    assert names(shared) == [["C3-M2", "E1-E2"]]
    signals = prepare(cut(shared), GSSC_LIKE).signals[:, 1]
    data = cut(shared).get_data()
    np.testing.assert_allclose(signals, data[:, 1] - data[:, 2], atol=1e-10)
    apart = continuous(names=("C3-M2", "E1-M2", "E2-M1"), types=("eeg", "eog", "eog"))
    assert names(apart) == [["C3-M2", "E1-M2"]]
    there = continuous(names=("C3-M2", "E1-M2", "E2-M2", "E1-E2"), types=("eeg", "eog", "eog", "eog"))
    assert prepare(cut(there), GSSC_LIKE).notes["derived"] == []


def test_a_missing_channel_lists_what_there_is():
    raw = continuous(names=("C3-M2", "Chin"), types=("eeg", "emg"))
    with pytest.raises(ChannelError, match=r"'eog'.*C3-M2 \(eeg\), Chin \(emg\)"):
        names(raw)
    with pytest.raises(ChannelError, match="picks"):
        names(raw, picks=["Cz"])
