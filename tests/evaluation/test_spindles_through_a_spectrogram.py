"""A network of spectrograms on nights on which spindles alone make N2: FLEX, on its signal, finds the spindles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trained
from trained.nights import spindle_night

import eegflex
from eegflex.agreement import cohens_kappa
from eegflex.evaluation.truth import average_precision, covered_by
from eegflex.stagers.stager import Stager

pytestmark = pytest.mark.slow

SITE, SIGMA = "C4-M1", (11.0, 16.0)
#: Least weight in C4 of a spindle that counts.
HEARD = 0.3
N_BOOTSTRAP = 200


@pytest.fixture(scope="module")
def night():
    """45 minutes, of a seed that trained nothing."""
    return spindle_night(0.75, seed=51)


@pytest.fixture(scope="module")
def epochs(night):
    return eegflex.make_epochs(night.raw, verbose="error")


def evidence(epochs, stager, **asked):
    """What speaks for N2 and against N1, in the epochs of N2."""
    few = {"spectral_share": 0, "windows_per_stage": 0, "on_check": "ignore", "max_evals": 100, "tol": 0.05}
    more = {"target": ("N2", "N1"), "select": "stage == 'N2'", "views": ("time-frequency",)}
    return eegflex.attribute_epochs(epochs, stager, **few | more | asked, verbose="error")


def times_chance(result, events):
    """Average precision of the spindles in the cells of sigma over chance, and its interval by a bootstrap over epochs."""
    data = result.data
    freqs, frames = data["frame_freq"].values, data["frame"].values
    heard = events[(events["kind"] == "spindle") & (events[SITE].abs() >= HEARD)]
    covered = covered_by(heard, data["onset"].values[:, None] + frames, freqs)
    rows, inside = (freqs >= SIGMA[0]) & (freqs <= SIGMA[1]), (frames >= 0) & (frames <= 30.0)
    cells = np.ix_(np.arange(len(covered)), rows, inside)
    truth, found = covered[cells], data["time_frequency_view"].values[:, 0][cells]
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(truth), len(truth)) for _ in range(N_BOOTSTRAP)]
    ratios = [average_precision(truth[own], found[own]) / truth[own].mean() for own in drawn]
    return average_precision(truth, found) / truth.mean(), *np.quantile(ratios, (0.025, 0.975))


def test_on_this_night_spindles_are_in_n2_alone_and_nothing_is_in_n1(night):
    kinds = night.events.groupby("stage")["kind"].unique()
    assert kinds["N2"].tolist() == ["spindle"]
    assert "N1" not in kinds
    assert (night.events.loc[night.events["kind"] == "spindle", "stage"] == "N2").all()


def test_the_evidence_for_n2_lies_on_planted_spindles(night, epochs):
    staged = eegflex.stage_epochs(epochs, trained.planted(), verbose="error")
    assert cohens_kappa(staged.confusion) > 0.8
    result = evidence(staged, None)
    ratio, low, _ = times_chance(result, night.events)
    assert low > 4, f"{ratio:.1f} times chance"
    bands = result.to_data_frame().groupby("band")["attribution"].mean()
    assert bands.idxmax() == "sigma"
    assert bands["sigma"] > 1.5 * bands.drop("sigma").abs().max()


def test_what_is_planted_elsewhere_is_not_found_nor_by_a_network_that_learnt_nothing(night, epochs):
    """The same cells against spindles of other times; the same network before training."""
    result = evidence(epochs, trained.planted())
    _, low, _ = times_chance(result, night.events)
    shifted = night.events.assign(onset=night.events["onset"] + 4.0)
    assert times_chance(result, shifted)[0] < low / 2
    torch.manual_seed(0)
    untrained = Stager(trained.network("planted"), trained.spec("planted"), folder=trained.FOLDER)
    assert times_chance(evidence(epochs, untrained), night.events)[0] < low / 2
