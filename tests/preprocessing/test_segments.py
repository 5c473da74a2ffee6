"""Preparation as a whole: on a copy, with notes of what was done."""

from __future__ import annotations

import json

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.errors import ParameterError
from eegflex.preprocessing.filter_and_resample import RESAMPLING_REACH
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec, ScaleSpec


def test_the_callers_epochs_are_left_as_they_were():
    epochs = cut(continuous())
    before = epochs.get_data().copy()
    prepare(epochs, ModelSpec(sfreq=100.0, n_times=3000, filter=FilterSpec(0.3, 30.0), scale=ScaleSpec("zscore")))
    np.testing.assert_array_equal(epochs.get_data(), before)
    assert epochs.info["sfreq"] == 200.0


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
