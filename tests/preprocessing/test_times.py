"""When epochs begin, if nothing says it, and whether their event names are stages."""

import mne
import numpy as np
import pytest

from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, ModelSpec

RATE, SECONDS = 100.0, 30
ALONE = ModelSpec(name="alone", channels=(ChannelSpec("eeg", ("eeg",)),), unit="uV")
AMONG = ALONE.replace(name="among", context=ContextSpec(before=1, after=1))


def epochs_of(n_epochs=5, extra=0, **kwargs):
    data = np.random.default_rng(0).normal(0, 2e-5, (n_epochs, 2, int(RATE) * SECONDS + extra))
    info = mne.create_info(["C3", "C4"], RATE, "eeg")
    return mne.EpochsArray(data, info, baseline=None, verbose="error", **kwargs)


def events_of(step, n_epochs=5, codes=1):
    places = np.arange(n_epochs) * step
    return np.column_stack([places, 0 * places, np.broadcast_to(codes, n_epochs)]).astype(int)


@pytest.mark.parametrize("extra", [0, 1])  # one: both ends included, as in MNE's own epochs
def test_epochs_without_times_follow_each_other_and_this_is_told(extra):
    segments = prepare(epochs_of(extra=extra), AMONG)
    np.testing.assert_allclose(segments.onset, [0, 30, 60, 90, 120])
    assert segments.run.tolist() == [0] * 5
    assert "nothing says when the epochs begin" in segments.notes["warnings"][0]


def test_epochs_without_times_are_prepared_as_those_that_have_them():
    timed = prepare(epochs_of(events=events_of(3000)), AMONG)
    assert not timed.notes["warnings"]
    np.testing.assert_array_equal(prepare(epochs_of(), AMONG).signals, timed.signals)


def test_what_is_left_of_epochs_without_times_keeps_its_place():
    assert prepare(epochs_of()[[0, 3]], ALONE).onset.tolist() == [0, 90]
    assert prepare(epochs_of()[[0, 3]], ALONE).run.tolist() == [0, 1]


def test_epochs_that_overlap_are_told():
    (told,) = prepare(epochs_of(events=events_of(1000)), AMONG).notes["warnings"]
    assert told.startswith("4 of 5 epochs begin before the one before has ended")
    assert "among" in told
    (told,) = prepare(epochs_of(events=events_of(1000)), ALONE).notes["warnings"]
    assert "neighbours" not in told


def test_epochs_that_share_one_sample_or_lie_apart_do_not_overlap():
    assert not prepare(epochs_of(extra=1, events=events_of(3000)), AMONG).notes["warnings"]
    assert not prepare(epochs_of(events=events_of(6000)), AMONG).notes["warnings"]


@pytest.mark.parametrize(
    ("names", "stages"),
    [
        (["Sleep stage W", "Sleep stage 1", "Sleep stage 2", "Sleep stage 3/4", "Sleep stage R"], "W N1 N2 N3 REM"),
        (["Wake", "S1", "S2", "S4", "R"], "W N1 N2 N3 REM"),
        (["Sleep stage 4", "lights off", "arousal", "A", "S2"], "N3 UNSCORED UNSCORED UNSCORED UNSCORED"),
        (["N2", "S1", "S2", "button", "R"], "N2 UNSCORED UNSCORED UNSCORED UNSCORED"),  # S1 is a trigger here
        (["Stimulus/S  1", "Stimulus/S  2", "W", "R", "N2"], "UNSCORED UNSCORED W UNSCORED N2"),
    ],
)
def test_events_that_are_named_as_stages_are_the_hypnogram(names, stages):
    events = events_of(3000, codes=np.arange(1, 6))
    epochs = epochs_of(events=events, event_id=dict(zip(names, range(1, 6), strict=True)))
    assert prepare(epochs, ALONE).stage.tolist() == stages.split()


def test_codes_of_one_kind_are_no_hypnogram():
    assert set(prepare(epochs_of(events=events_of(3000), event_id={"A": 1}), ALONE).stage) == {"UNSCORED"}
    assert set(prepare(epochs_of(events=events_of(3000), event_id={"N2": 1}), ALONE).stage) == {"N2"}
