"""Windows: where they lie, whatever the runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegflex.errors import ParameterError
from eegflex.stagers.windows import EDGES, SILENCE, cut_windows

RUNS = st.lists(st.integers(1, 12), min_size=1, max_size=5).map(lambda n: np.repeat(np.arange(len(n)), n))
SIDES = st.integers(0, 5)


@given(RUNS, SIDES, SIDES, st.sampled_from(EDGES), st.booleans(), st.booleans())
def test_a_window_holds_its_epoch_and_only_epochs_of_its_run(run, before, after, edges, can_shift, can_shrink):
    windows = cut_windows(run, before, after, edges, can_shift=can_shift, can_shrink=can_shrink)
    for number in np.flatnonzero(windows.explicable):
        index = np.array([number])
        (members,) = windows.members(index)
        assert members[windows.at(index)[0]] == number
        inside = members[members != SILENCE]
        assert (run[inside] == run[number]).all()
        assert (np.diff(inside) == 1).all()
        assert (SILENCE in members) == (windows.edge[number] == "padded")
        if not can_shrink:
            assert len(members) == before + 1 + after
        if windows.edge[number] == "inside" and not can_shrink:
            assert windows.at(index)[0] == before


@given(RUNS, SIDES, SIDES)
def test_padding_explains_all_and_skipping_only_what_is_inside(run, before, after):
    padded, skipped, shifted, fixed = (
        cut_windows(run, before, after, edges, can_shift=can_shift)
        for edges, can_shift in (("pad", False), ("skip", True), ("shift", True), ("shift", False))
    )
    assert padded.explicable.all()
    inside = padded.edge == "inside"
    np.testing.assert_array_equal(skipped.explicable, inside)
    np.testing.assert_array_equal(fixed.explicable, inside)
    long_enough = np.bincount(run)[run] >= before + 1 + after
    np.testing.assert_array_equal(shifted.explicable, long_enough)


@given(RUNS, SIDES, SIDES)
def test_a_window_that_can_shrink_is_as_long_as_its_run_allows(run, before, after):
    windows = cut_windows(run, before, after, can_shift=True, can_shrink=True)
    assert windows.explicable.all()
    np.testing.assert_array_equal(windows.length, np.minimum(np.bincount(run)[run], before + 1 + after))


def test_edges_must_be_known():
    with pytest.raises(ParameterError, match="shift"):
        cut_windows(np.zeros(3, dtype=int), 1, 1, "wrap", can_shift=True)
