"""The grid of epochs is the hypnogram's."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegflex.epochs import make_epochs
from eegflex.errors import EegflexError, EmptyRecordingError, HypnogramError, ParameterError
from eegflex.stages import STAGE_CODES


def a_raw(seconds=150.0, sfreq=100.0, first_samp=0, stages=(), meas_date=None):
    rng = np.random.default_rng(0)
    info = mne.create_info(["C3", "C4"], sfreq, "eeg")
    raw = mne.io.RawArray(rng.normal(size=(2, round(seconds * sfreq))), info, first_samp=first_samp, verbose="ERROR")
    raw.set_meas_date(meas_date)
    if stages:
        onset, duration, label = zip(*stages, strict=True)
        # onsets are seconds from the first sample, which MNE counts from only where there is no date
        onset = np.array(onset, float) + (0 if meas_date is None else raw.first_time)
        raw.set_annotations(mne.Annotations(onset, duration, label, orig_time=raw.info["meas_date"]), verbose="ERROR")
    return raw


def rows(epochs):
    return list(zip(epochs.metadata["onset"].round(6), epochs.metadata["stage"], strict=True))


def test_a_stage_counts_when_it_covers_the_whole_epoch():
    raw = a_raw(120, stages=[(0, 45, "N2"), (45, 75, "N3")])
    assert rows(make_epochs(raw)) == [(0, "N2"), (30, "UNSCORED"), (60, "N3"), (90, "N3")]


def test_adjacent_stretches_of_one_stage_are_one():
    raw = a_raw(90, stages=[(0, 20, "N2"), (20, 20, "N2"), (40, 20, "N2"), (60, 20, "W")])
    assert rows(make_epochs(raw)) == [(0, "N2"), (30, "N2"), (60, "UNSCORED")]


def test_the_grid_reaches_over_the_whole_recording():
    raw = a_raw(200, stages=[(70, 30, "W"), (100, 30, "N1")])
    assert rows(make_epochs(raw)) == [
        (10, "UNSCORED"),
        (40, "UNSCORED"),
        (70, "W"),
        (100, "N1"),
        (130, "UNSCORED"),
        (160, "UNSCORED"),
    ]


@pytest.mark.parametrize("first_samp", [0, 777])
@pytest.mark.parametrize("meas_date", [None, 1000000000])
def test_onsets_count_from_the_start_of_the_raw_given(first_samp, meas_date):
    raw = a_raw(150, first_samp=first_samp, meas_date=meas_date, stages=[(5, 60, "N2"), (65, 60, "R")])
    epochs = make_epochs(raw)
    assert rows(epochs) == [(5, "N2"), (35, "N2"), (65, "REM"), (95, "REM")]
    np.testing.assert_array_equal(epochs.get_data()[2], raw.get_data(start=6500, stop=9500))
    cropped = make_epochs(raw.copy().crop(20))
    assert rows(cropped)[-2:] == [(45, "REM"), (75, "REM")]
    np.testing.assert_array_equal(cropped.get_data()[-1], epochs.get_data()[-1])


def test_a_crop_inside_an_epoch_does_not_move_the_grid():
    stages = [(30 * k, 30, ("W", "N1", "N2")[k % 3]) for k in range(8)]
    raw = a_raw(240, stages=stages)
    assert rows(make_epochs(raw.copy().crop(40)))[:2] == [(20, "N2"), (50, "W")]


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 85.33, 250 / 2.49, 256.0])
def test_samples_are_rounded_from_the_grid_and_do_not_drift(sfreq):
    raw = a_raw(1000, sfreq=sfreq, stages=[(7.3, 900, "N2")])
    epochs = make_epochs(raw)
    starts = np.round((7.3 + 30 * np.arange(len(epochs))) * sfreq).astype(int)
    np.testing.assert_array_equal(epochs.events[:, 0], starts)
    data = epochs.get_data()
    assert data.shape[2] == round(30 * sfreq)
    np.testing.assert_array_equal(data[-1], raw.get_data(start=starts[-1], stop=starts[-1] + data.shape[2]))


def test_without_stages_every_30_seconds():
    epochs = make_epochs(a_raw(100))
    assert rows(epochs) == [(0, "UNSCORED"), (30, "UNSCORED"), (60, "UNSCORED")]
    assert epochs.event_id == {"UNSCORED": STAGE_CODES["UNSCORED"]}
    assert epochs.metadata["run"].tolist() == [0, 0, 0]


def test_labels_of_others_and_event_ids():
    labels = ["Sleep stage W", "Sleep stage 4", "Sleep stage ?", "Movement time", "Sleep stage R"]
    raw = a_raw(150, stages=[(30 * k, 30, label) for k, label in enumerate(labels)] + [(3, 1, "Movement"), (5, 0, "A")])
    epochs = make_epochs(raw)
    assert epochs.metadata["stage"].tolist() == ["W", "N3", "UNSCORED", "MOVEMENT", "REM"]
    assert epochs.events[:, 2].tolist() == [STAGE_CODES[stage] for stage in epochs.metadata["stage"]]
    assert len(epochs["REM"]) == 1


def test_bad_annotations_reject_nothing():
    raw = a_raw(60, stages=[(0, 60, "N2"), (10, 5, "BAD_move")])
    epochs = make_epochs(raw)
    epochs.drop_bad(verbose="ERROR")  # which returns nothing before MNE 1.13
    assert len(epochs) == 2


def test_runs_end_where_recordings_meet():
    raw = mne.concatenate_raws([a_raw(75), a_raw(90)], verbose="ERROR")
    epochs = make_epochs(raw)
    assert epochs.metadata["onset"].tolist() == [0, 30, 90, 120]
    assert epochs.metadata["run"].tolist() == [0, 0, 1, 1]


def test_the_callers_raw_is_left_alone():
    raw = a_raw(150, first_samp=50, stages=[(5, 60, "Sleep stage 2")])
    before = (raw.get_data().copy(), raw.annotations.copy(), raw.info.copy())
    make_epochs(raw)
    np.testing.assert_array_equal(raw.get_data(), before[0])
    assert raw.annotations == before[1]
    assert mne.utils.object_diff(raw.info, before[2]) == ""


@pytest.mark.parametrize(
    ("raw", "duration", "error"),
    [
        (a_raw(20), 30.0, EmptyRecordingError),
        (a_raw(60), 0.0, ParameterError),
        (a_raw(60, stages=[(0, 40, "N2"), (30, 30, "N3")]), 30.0, HypnogramError),
        (a_raw(60, stages=[(0, 30, "N2"), (30, 30, "Sleep stage X")]), 30.0, HypnogramError),
    ],
)
def test_refused(raw, duration, error):
    with pytest.raises(error):
        make_epochs(raw, duration=duration)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["W", "N1", "N2", "N3", "REM"]), st.integers(1, 100)), min_size=1, max_size=8),
    st.integers(0, 45),
    st.integers(0, 40),
)
def test_every_epoch_has_the_stage_that_every_one_of_its_seconds_has(stages, start, rest):
    """Against a literal count, second by second."""
    seconds = ["UNSCORED"] * start
    annotated = []
    for stage, length in stages:
        annotated.append((len(seconds), length, stage))
        seconds += [stage] * length
    seconds += ["UNSCORED"] * rest
    try:
        epochs = make_epochs(a_raw(len(seconds), sfreq=10.0, stages=annotated), verbose="ERROR")
    except EegflexError:
        assert len(seconds) < 60
        return
    onsets = epochs.metadata["onset"].to_numpy()
    assert onsets[0] < 30
    assert np.allclose(np.diff(onsets), 30)
    assert onsets[-1] + 60 > len(seconds)
    if start:
        assert (onsets[0] - start) % 30 == 0
    for onset, stage in zip(onsets, epochs.metadata["stage"], strict=True):
        inside = set(seconds[round(onset) : round(onset) + 30])
        assert stage == (inside.pop() if len(inside) == 1 else "UNSCORED")
