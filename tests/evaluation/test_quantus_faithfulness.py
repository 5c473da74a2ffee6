"""Our curves and correlations are those of Quantus, an independent implementation, on a trained network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trained
from torch import nn

import eegflex
from eegflex.evaluation import knockout
from eegflex.evaluation.faithfulness import between, insertion_and_deletion, order_by, sum_by_group
from eegflex.evaluation.question import ask

quantus = pytest.importorskip("quantus", exc_type=ImportError)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class OfGroups(nn.Module):
    """What a stager answers as a function of which groups are as recorded, as Quantus asks networks: (n, 1, n_groups)."""

    def __init__(self, one, answer, groups):
        super().__init__()
        self.one, self.answer, self.groups = one, answer, groups

    def forward(self, present):
        asked = present[:, 0].numpy() > 0.5
        found = self.answer(between(self.one.begins[0], self.one.ends[0], self.groups, asked))
        return torch.from_numpy(np.stack([-found, found], axis=1))


@pytest.fixture(scope="module")
def explanations():
    recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=6, verbose="error")
    night = eegflex.stage_epochs(eegflex.make_epochs(recorded.raw, verbose="error"), trained.chambon(), verbose="error")
    result = eegflex.attribute_epochs(
        night, sample_per_stage=1, baseline="recording", on_check="ignore", verbose="error"
    )
    return ask(result, night).sample(None)


def asked_of_quantus(metric, one, answer, groups):
    sums = sum_by_group(one.values, groups)
    (found,) = metric(
        model=OfGroups(one, answer, groups).eval(),
        x_batch=np.ones((1, 1, len(sums)), dtype=np.float32),
        y_batch=np.array([1]),
        a_batch=sums[None, None],
        softmax=False,
        device="cpu",
    )
    return np.asarray(found)


def test_deletion_is_pixel_flipping(explanations):
    metric = quantus.PixelFlipping(normalise=False, abs=False, perturb_baseline=0.0, disable_warnings=True)
    for one in explanations:
        theirs = asked_of_quantus(metric, one, one.answer, one.groups)
        order = order_by(sum_by_group(one.values, one.groups))
        (own,) = insertion_and_deletion(one.answer, one.begins[0], one.ends[0], one.groups, [order], n_points=1000)
        assert own.deletion[1:] == pytest.approx(theirs, abs=1e-4)


def test_halves_of_bands_correlate_as_in_faithfulness_correlation(explanations):
    for one in explanations:
        sums = sum_by_group(one.values, one.cells)
        metric = quantus.FaithfulnessCorrelation(
            nr_runs=300,
            subset_size=len(sums) // 2,
            normalise=False,
            abs=False,
            perturb_baseline=0.0,
            return_aggregate=False,
            disable_warnings=True,
        )
        np.random.seed(0)  # noqa: NPY002  (Quantus draws from numpy's old generator)
        theirs = float(asked_of_quantus(metric, one, one.score, one.cells))
        taken = knockout.halves(len(sums), np.random.default_rng(0), 300)
        lost, told = knockout.losses(one, taken), taken @ sums
        own = np.corrcoef(lost, told)[0, 1]
        assert own == pytest.approx(theirs, abs=0.1)
        assert 1 - knockout.unexplained(lost, told) <= own + 1e-9  # which asks for the size of losses, too
