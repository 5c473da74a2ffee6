"""The filter: pass band and rate of the continuous signal, and how far the edge of a run reaches."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.preprocessing.channels import choose_inputs
from eegflex.preprocessing.filter_and_resample import RESAMPLING_REACH, plan_filter
from eegflex.preprocessing.grid import lay_grid
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec

SHAPED = ModelSpec(sfreq=100.0, n_times=3000, filter=FilterSpec(0.3, 35.0), unit="uV")


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


def test_an_extra_last_sample_is_in_no_filter():
    spec = ModelSpec(filter=FilterSpec(0.3, 20.0), sfreq=200.0, n_times=6000)
    expected = prepare(cut(continuous())[:4], spec).signals
    found = prepare(cut(continuous(), tmax=30.0)[:4], spec).signals[:3]
    np.testing.assert_allclose(found, expected[:3], atol=1e-12)


@pytest.mark.parametrize("spec", [SHAPED, ModelSpec(sfreq=2560 / 30, n_times=2560), ModelSpec(filter=FilterSpec(0.3))])
def test_beyond_the_reach_of_an_edge_nothing_depends_on_it(spec):
    epochs = cut(continuous(n_epochs=6))
    whole, part = prepare(epochs, spec), prepare(epochs[2:], spec)
    reach = round(part.notes["edge_reach_s"] * part.sfreq)
    off = np.abs(whole.signals[2, 0] - part.signals[0, 0]) / whole.signals[:, 0].std()
    assert off[reach:].max() < 0.01
    assert off[:reach].max() > 0.01


def planned(epochs, spec):
    return plan_filter(epochs.info, spec.filter, lay_grid(epochs, spec, choose_inputs(epochs, spec)))


@pytest.mark.parametrize(
    ("asked", "l_freq", "h_freq"),
    [
        (FilterSpec(), None, None),
        (FilterSpec(0.3, 35.0), 0.3, 35.0),
        (FilterSpec(0.1, 35.0), None, 35.0),  # the recording lacks what is below 0.2 Hz
        (FilterSpec(0.3, 70.0), 0.3, None),  # and what is above 60 Hz
        (FilterSpec(None, 100.0), None, None),
    ],
)
def test_what_is_filtered_is_what_the_recording_does_not_lack(asked, l_freq, h_freq):
    raw = continuous()
    with raw.info._unlock():
        raw.info["highpass"], raw.info["lowpass"] = 0.2, 60.0
    plan = planned(cut(raw), ModelSpec(filter=asked))
    assert (plan.l_freq, plan.h_freq) == (l_freq, h_freq)
    assert (plan.length > 0) == (l_freq is not None or h_freq is not None)


@pytest.mark.parametrize("kept", [range(8), [0, 1, 4, 5, 6, 7], [1, 3, 5], [0, 2, 3, 4, 5, 6]])
@pytest.mark.parametrize("spec", [ModelSpec(), SHAPED, ModelSpec(filter=FilterSpec(0.05)), ModelSpec(sfreq=100.0)])
def test_an_epoch_is_at_an_edge_if_what_it_is_made_of_lies_beyond_one(spec, kept):
    """Epoch by epoch: the samples within the filter's half length and the resampler's reach, are they of its run?"""
    plan = planned(cut(continuous(n_epochs=8))[list(kept)], spec)
    reach = plan.length / 2 + (RESAMPLING_REACH if spec.sfreq else 0)
    for number, (onset, found) in enumerate(zip(plan.grid.onset, plan.at_edge, strict=True)):
        own = [start for start, run in zip(plan.grid.onset, plan.grid.run, strict=True) if run == plan.grid.run[number]]
        beyond = onset - reach < min(own) or onset + 30 + reach > max(own) + 30
        assert found == (beyond and reach > 0)
