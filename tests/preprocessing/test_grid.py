"""The grid: samples of an epoch at both rates, onsets, and runs."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest
from noise import continuous, cut

from eegflex.epochs import make_epochs
from eegflex.errors import RecordingError
from eegflex.preprocessing.channels import choose_inputs
from eegflex.preprocessing.grid import lay_grid
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (ModelSpec(), (200.0, 6000, 6000, False)),
        (ModelSpec(sfreq=100.0), (100.0, 6000, 3000, True)),
        (ModelSpec(sfreq=100.0, n_times=3000), (100.0, 6000, 3000, True)),
        (ModelSpec(sfreq=2560 / 30, n_times=2560), (2560 / 30, 6000, 2560, True)),
        (ModelSpec(sfreq=100.0, n_times=2000), (100.0, 4000, 2000, True)),  # the first 20 s of each epoch
        (ModelSpec(n_times=5000), (200.0, 5000, 5000, False)),
    ],
)
def test_samples_of_an_epoch_at_both_rates(spec, expected):
    epochs = cut(continuous())
    grid = lay_grid(epochs, spec, choose_inputs(epochs, spec))
    assert (grid.sfreq, grid.n_recorded, grid.n_times, grid.resamples) == expected
    assert grid.recorded == 200.0
    assert grid.duration == pytest.approx(expected[1] / 200)


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


def test_short_epochs_and_slow_recordings_are_refused():
    with pytest.raises(RecordingError, match="epochs of 30 s"):
        prepare(cut(continuous(), tmax=20.0), ModelSpec(sfreq=100.0, n_times=3000))
    with pytest.raises(RecordingError, match="256 Hz"):
        prepare(cut(continuous()), ModelSpec(sfreq=256.0, n_times=7680))
