"""Blocks: every epoch once, none over the edge of a run, and no trace of them in the signals."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.preprocessing import blocks
from eegflex.preprocessing.blocks import cut_blocks
from eegflex.preprocessing.channels import choose_inputs
from eegflex.preprocessing.filter_and_resample import plan_filter
from eegflex.preprocessing.grid import lay_grid
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec

SLOW = ModelSpec(filter=FilterSpec(0.05, 20.0), unit="uV")  # a filter of 66 s: it reaches two epochs far


@pytest.mark.parametrize("size", [1, 2, 5, 60])
@pytest.mark.parametrize("kept", [range(9), [0, 1, 2, 5, 7, 8]])
def test_blocks_are_a_partition_with_the_neighbours_that_the_filter_needs(monkeypatch, size, kept):
    monkeypatch.setattr(blocks, "BLOCK", size)
    epochs = cut(continuous(sfreq=64.0, n_epochs=9))[list(kept)]
    plan = plan_filter(epochs.info, SLOW.filter, lay_grid(epochs, SLOW, choose_inputs(epochs, SLOW)))
    found = cut_blocks(plan)
    numbers = np.arange(len(epochs))
    assert np.concatenate([numbers[block.epochs] for block in found]).tolist() == numbers.tolist()
    for block in found:
        assert np.array_equal(numbers[block.read][block.own], numbers[block.epochs])
        assert len(numbers[block.epochs]) <= size
        run = plan.grid.run[block.epochs][0]
        assert set(plan.grid.run[block.read]) == {run}
        first, last = plan.grid.onset[block.epochs][[0, -1]]
        near = (plan.grid.onset > first - 30 - plan.reach) & (plan.grid.onset < last + 30 + plan.reach)
        assert set(numbers[near & (plan.grid.run == run)]) <= set(numbers[block.read])


def test_signals_are_the_same_whatever_the_blocks(monkeypatch):
    epochs = cut(continuous(sfreq=64.0, n_epochs=9))
    whole = prepare(epochs, SLOW).signals
    monkeypatch.setattr(blocks, "BLOCK", 2)
    np.testing.assert_allclose(prepare(epochs, SLOW).signals, whole, atol=1e-5 * whole.std())
