"""What the metadata of epochs say is taken at its word, or refused: never half of it."""

import numpy as np
import pandas as pd
import pytest
from attribution_helpers import scored_epochs
from models import Smooth

import eegflex
from eegflex.errors import ChannelError, RecordingError


@pytest.fixture(scope="module")
def epochs():
    epochs = scored_epochs(n_epochs=20)
    names = {code: name for name, code in epochs.event_id.items()}
    stage = [names[code] for code in epochs.events[:, 2]]
    epochs.metadata = pd.DataFrame({"stage": stage, "onset": 30.0 * np.arange(20)})
    return epochs


def staged(epochs, **columns):
    own = epochs.copy()
    own.metadata = own.metadata.assign(**columns)
    return eegflex.stage_epochs(own, Smooth(), verbose="error")


def test_labels_that_are_no_stages_are_refused_and_the_remedy_names_what_they_mean(epochs):
    stage = epochs.metadata["stage"].replace({"W": "Wake", "REM": "R"})
    with pytest.raises(RecordingError, match=r"'R' \(\d+ epochs\), 'Wake' \(\d+ epochs\)") as refused:
        staged(epochs, stage=stage)
    assert "replace({'R': 'REM', 'Wake': 'W'})" in str(refused.value)
    with pytest.raises(RecordingError, match="no stages"):
        staged(epochs, stage=np.arange(20) % 5)


def test_what_is_missing_is_not_scored(epochs):
    stage = epochs.metadata["stage"].astype(object)
    stage.iloc[:7] = [None, np.nan, pd.NA, "", "UNSCORED", "MOVEMENT", "ARTIFACT"]
    found = staged(epochs, stage=stage).segments.stage
    assert found[:7].tolist() == ["UNSCORED"] * 5 + ["MOVEMENT", "ARTIFACT"]
    assert found[7:].tolist() == epochs.metadata["stage"].tolist()[7:]


@pytest.mark.parametrize(
    "onset",
    [np.nan, None, np.inf, "12:00:00", True, pd.date_range("2020-01-01 22:00", periods=20, freq="30s")],
    ids=["nan", "none", "infinite", "clock", "bool", "dates"],
)
def test_an_onset_that_is_no_number_of_seconds_is_refused(epochs, onset):
    with pytest.raises(RecordingError, match="no number of seconds"):
        staged(epochs, onset=onset)


def test_numbers_among_objects_are_onsets(epochs):
    onset = epochs.metadata["onset"].astype(object)
    np.testing.assert_array_equal(staged(epochs, onset=onset).segments.onset, epochs.metadata["onset"])


def test_runs_have_any_names_but_not_none(epochs):
    named = staged(epochs, run=["evening"] * 8 + ["morning"] * 12).segments.run
    np.testing.assert_array_equal(named, np.repeat([0, 1], [8, 12]))
    for missing in (None, np.nan):
        with pytest.raises(RecordingError, match="20 of 20 are missing"):
            staged(epochs, run=missing)


def test_a_channel_without_a_name_is_refused(epochs):
    own = epochs.copy().rename_channels({epochs.ch_names[0]: ""})
    with pytest.raises(ChannelError, match="no name"):
        eegflex.stage_epochs(own, Smooth(), verbose="error")


def test_what_a_staged_night_shows_cannot_be_changed_in_place(epochs):
    night = staged(epochs)
    for name in ("scores", "predicted", "probabilities", "sound", "explicable"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(night, name)[:] = getattr(night, name)[::-1]
