"""The course of a night: cycles, shares and bouts."""

from __future__ import annotations

import numpy as np
import pytest

from eegflex.simulation.hypnogram import MIN_EPOCHS, draw_hypnogram
from eegflex.stages import STAGES


@pytest.mark.parametrize("n_epochs", [MIN_EPOCHS, 60, 180, 840])
def test_every_stage_in_every_night(n_epochs):
    for seed in range(50):
        hypnogram = draw_hypnogram(n_epochs, np.random.default_rng(seed))
        assert len(hypnogram) == n_epochs
        assert set(hypnogram) == set(STAGES)
        assert hypnogram[0] == hypnogram[-1] == "W"


def test_night_has_the_shares_of_an_adult():
    nights = np.array([draw_hypnogram(840, np.random.default_rng(seed)) for seed in range(40)])
    shares = {stage: (nights == stage).mean() for stage in STAGES}
    assert 0.03 < shares["W"] < 0.15
    assert 0.02 < shares["N1"] < 0.10
    assert 0.40 < shares["N2"] < 0.55
    assert 0.15 < shares["N3"] < 0.25
    assert 0.15 < shares["REM"] < 0.25


def test_deep_sleep_early_rem_late():
    nights = np.array([draw_hypnogram(840, np.random.default_rng(seed)) for seed in range(40)])
    early, late = nights[:, :420], nights[:, 420:]
    assert (early == "N3").sum() > 2 * (late == "N3").sum()
    assert (late == "REM").sum() > 1.5 * (early == "REM").sum()
