"""Networks of one sample more than a whole epoch, as MNE's own epochs have: 3001 at 100 Hz on a grid of 30 s."""

from __future__ import annotations

import mne
import numpy as np
import pytest
import torch
from torch import nn

import eegflex
from eegflex.errors import RecordingError
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ContextSpec, FilterSpec, ModelSpec

SPEC = ModelSpec(name="mine", sfreq=100.0, n_times=3001, unit="uV")
PLAIN = SPEC.replace(n_times=3000)


@pytest.fixture(scope="module")
def raw():
    return eegflex.simulate_psg(hours=0.2, sfreq=100, seed=1, verbose="error").raw.pick(["C3-M2", "C4-M1"])


@pytest.fixture(scope="module")
def epochs(raw):
    return eegflex.make_epochs(raw, verbose="error")


@pytest.mark.parametrize("change", [{}, {"filter": FilterSpec(0.3, 30.0)}], ids=["as recorded", "filtered"])
def test_the_last_sample_is_the_first_of_the_next_epoch(change, epochs):
    long, plain = (prepare(epochs, spec.replace(**change)) for spec in (SPEC, PLAIN))
    assert long.signals.shape[-1] == 3001
    np.testing.assert_array_equal(long.signals[..., :-1], plain.signals)
    np.testing.assert_array_equal(long.signals[:-1, :, -1], plain.signals[1:, :, 0])
    np.testing.assert_array_equal(long.signals[-1, :, -1], plain.signals[-1, :, -1])
    assert long.duration == plain.duration == 30
    assert set(long.run) == {0}


def test_it_is_not_taken_from_beyond_a_gap(epochs):
    parts = epochs[[0, 1, 2, 7, 8]]
    parts.metadata = parts.metadata.assign(run=[0, 0, 0, 1, 1])
    long = prepare(parts, SPEC)
    assert long.run.tolist() == [0, 0, 0, 1, 1]
    np.testing.assert_array_equal(long.signals[2, :, -1], long.signals[2, :, -2])


@pytest.mark.parametrize("rate", [128, 256, 200])
def test_so_it_is_at_another_rate_of_the_recording(rate):
    night = eegflex.simulate_psg(hours=0.2, sfreq=rate, seed=1, verbose="error").raw.pick(["C3-M2"])
    cut = eegflex.make_epochs(night, verbose="error")
    long, plain = (prepare(cut, spec) for spec in (SPEC, PLAIN))
    np.testing.assert_array_equal(long.signals[:-1, :, -1], plain.signals[1:, :, 0])


def test_epochs_of_mne_with_both_ends_are_one_run(raw):
    events = mne.make_fixed_length_events(raw, duration=30.0)
    both = mne.Epochs(raw, events, tmin=0, tmax=30.0, baseline=None, preload=True, verbose="error")
    assert len(both.times) == 3001
    long, plain = prepare(both, SPEC), prepare(both, PLAIN)
    assert set(long.run) == set(plain.run) == {0}
    np.testing.assert_array_equal(prepare(both, ModelSpec(unit="uV")).signals, long.signals)
    np.testing.assert_allclose(long.signals, 1e6 * both.get_data(), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("n_times", [3002, 3010, 4500])
def test_more_than_one_sample_is_no_rounding(n_times, epochs):
    with pytest.raises(RecordingError, match="needs epochs of"):
        prepare(epochs, SPEC.replace(n_times=n_times))


def test_such_a_network_is_staged_and_explained_among_its_neighbours(epochs, tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.head = nn.Linear(2 * 3001, 5)

        def forward(self, x):
            return torch.tanh(self.head(x.flatten(2).mean(1)) / 100)

    spec = SPEC.replace(layout="b e c t", context=ContextSpec(1, 1))
    night = eegflex.stage_epochs(epochs, Net(), spec=spec, verbose="error")
    assert night.explicable.sum() == len(epochs) - 2
    result = eegflex.attribute_epochs(night, target="N2", sample_per_stage=1, on_check="ignore", verbose="error")
    assert float(abs(result.to_xarray()["gap"]).max()) < 1e-3
    notes = mne.read_annotations(night.save(tmp_path / "stages.edf"))
    assert set(notes.duration) == {30.0}
