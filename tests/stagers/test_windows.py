"""Windows: where they lie, whatever the runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegflex.errors import ParameterError
from eegflex.stagers.windows import EDGES, SILENCE, clip_windows, cut_windows, split_window

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


def nearest(run, number, length, place):
    """Of all windows of so many epochs of its run that hold an epoch, the start of that in which it is nearest to a place."""
    starts = [
        start
        for start in range(len(run) - length + 1)
        if start <= number < start + length and set(run[start : start + length]) == {run[number]}
    ]
    return min(starts, key=lambda start: abs(number - start - place), default=None)


@given(RUNS, st.integers(1, 14), st.sampled_from(EDGES))
def test_an_epoch_is_in_the_middle_of_a_window_that_can_shrink(run, window_length, edges):
    """Of an even number, the later of the two in the middle; where the window is moved inside, as near to that as can be."""
    before = window_length // 2
    windows = cut_windows(run, before, window_length - 1 - before, edges, can_shift=True, can_shrink=True)
    for number in range(len(run)):
        length = min(window_length, int((run == run[number]).sum()))
        (place,) = windows.at(np.array([number]))
        if edges == "shift":
            assert number - place == nearest(run, number, length, length // 2)
        else:
            assert place == length // 2
        inside = nearest(run, number, length, length // 2) == number - length // 2
        assert (windows.edge[number] == "inside") == inside


@given(RUNS, SIDES, SIDES)
def test_a_window_is_moved_no_further_than_it_must(run, before, after):
    windows = cut_windows(run, before, after, "shift", can_shift=True)
    for number in range(len(run)):
        start = nearest(run, number, before + 1 + after, before)
        assert windows.explicable[number] == (start is not None)
        if start is not None:
            assert windows.start[number] == start
            assert (windows.edge[number] == "inside") == (start == number - before)


@given(RUNS, SIDES, SIDES)
def test_a_window_that_is_cut_ends_where_its_run_does(run, before, after):
    """As far on each side as it is asked to reach, and no further than the run; of a run that is no longer it is all."""
    windows = clip_windows(run, before, after)
    for number in range(len(run)):
        own = np.flatnonzero(run == run[number])
        reach = [one for one in own if number - before <= one <= number + after]
        expected = own.tolist() if len(own) <= before + 1 + after else reach
        assert windows.members(np.array([number]))[0].tolist() == expected
        assert windows.full_length[number] == min(before + 1 + after, len(own))


def test_what_is_scored_together_differs_at_the_ends_of_runs_only():
    """A run of twelve and one of three, in windows of five; then windows of a length each."""
    run = np.repeat([0, 1], [12, 3])
    windows = clip_windows(run, 2, 2)
    together = windows.together(np.arange(15))
    assert [own.tolist() for own in together] == [[12], [13], [14], list(range(12))]
    lengths = np.where(np.arange(15) % 2, 5, 3)
    mixed = clip_windows(run, *split_window(lengths))
    assert [own.tolist() for own in mixed.together(np.arange(12))] == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]


def test_three_runs_by_hand():
    """Windows of five epochs; the runs have six, three and one."""
    run = np.repeat([0, 1, 2], [6, 3, 1])
    shifted = cut_windows(run, 2, 2, "shift", can_shift=True, can_shrink=True)
    assert shifted.start.tolist() == [0, 0, 0, 1, 1, 1, 6, 6, 6, 9]
    assert shifted.length.tolist() == [5, 5, 5, 5, 5, 5, 3, 3, 3, 1]
    assert shifted.edge.tolist() == [
        "shifted", "shifted", "inside", "inside", "shifted", "shifted", "shifted", "inside", "shifted", "inside",
    ]  # fmt: skip
    padded = cut_windows(run, 2, 2, "pad", can_shift=True, can_shrink=True)
    assert padded.start.tolist() == [-2, -1, 0, 1, 2, 3, 5, 6, 7, 9]
    assert padded.members(np.array([6, 7, 8])).tolist() == [
        [SILENCE, 6, 7],
        [6, 7, 8],
        [7, 8, SILENCE],
    ]
    assert [places.tolist() for places in padded.alike(np.array([7, 0, 9, 1, 8]))] == [[2], [0, 4], [1, 3]]
    skipped = cut_windows(run, 2, 2, "skip", can_shift=True, can_shrink=True)
    assert np.flatnonzero(skipped.explicable).tolist() == [2, 3, 7, 9]


def test_edges_must_be_known():
    with pytest.raises(ParameterError, match="shift"):
        cut_windows(np.zeros(3, dtype=int), 1, 1, "wrap", can_shift=True)


@pytest.mark.parametrize("edges", ["shift", "pad", "skip"])
def test_windows_of_a_length_for_each_epoch_are_those_of_each_length(edges):
    run = np.array([0] * 9 + [1] * 4)
    lengths = np.array([3, 5, 7] * 4 + [1])
    asked = {"edges": edges, "can_shift": True, "can_shrink": True}
    each = cut_windows(run, *split_window(lengths), **asked)
    for length in np.unique(lengths):
        own, of_all = lengths == length, cut_windows(run, *split_window(int(length)), **asked)
        for name in ("start", "length", "edge"):
            np.testing.assert_array_equal(getattr(each, name)[own], getattr(of_all, name)[own])
