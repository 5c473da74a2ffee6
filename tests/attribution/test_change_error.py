"""The error of the change of a score from baselines that are drawn: it covers the mean that many draws would give."""

from __future__ import annotations

import example_results
import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view
from models import Linear, Smooth

from eegflex.attribution.baselines import N_DRAWS, make_baseline
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import FilterSpec, ModelSpec

FAST = {"baseline": "surrogate", "on_check": "ignore", "tol": 0.2}


def of_draws(epochs, network, n_draws, seed):
    """Scores of baselines, shape (n_epochs, n_draws, n_stages)."""
    segments = prepare(epochs, ModelSpec())
    made = make_baseline("surrogate", segments, FilterSpec(), seed)
    found = []
    for number in range(len(epochs)):
        x = torch.from_numpy(segments.signals[[number]]).repeat(n_draws, 1, 1)
        begin = made(x, np.full(n_draws, number), (0, 1), np.arange(n_draws))
        with torch.no_grad():
            found.append(network(begin.float()).double().numpy())
    return np.stack(found)


class Peaked(Smooth):
    """Heeds what is largest in an epoch: its scores are skewed over draws."""

    def forward(self, x):
        return self.head(self.conv(x).abs().amax(-1) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("network", [Smooth, Peaked])
def test_it_covers_the_mean_over_200_draws(network):
    """Of 240 epochs 95 %, and is no more than a few times too large; the errors of all bands together were."""
    epochs = noise_epochs(n_epochs=240)
    result = explain(epochs, network(), target="N2", **FAST)
    true = of_draws(epochs, network(), 200, seed=99)[..., result.stages.index("N2")].mean(axis=1)
    missed = np.abs(view(result, "baseline_score")[:, 0] - true)
    error = view(result, "change_error")[:, 0]
    assert (missed <= error).mean() >= 0.95
    assert (missed <= error / 3).mean() < 0.95  # it could fail
    bands = (view(result, "error") * view(result, "size"))[:, 0]
    assert np.median(error / bands) < 0.6


def test_it_is_students_interval_of_the_scores_and_the_errors_of_the_paths():
    """Of a linear network, whose paths have no error; by the definition, from the scores of the draws."""
    epochs, network = noise_epochs(n_epochs=4), Linear(2, 960)
    result = explain(epochs, network, target="N2", seed=5, dtype="float64", **FAST | {"tol": 1e-3})
    scores = of_draws(epochs, network.float(), N_DRAWS, seed=5)[..., result.stages.index("N2")]
    half = 2.7764 * scores.std(axis=1, ddof=1) / np.sqrt(N_DRAWS)
    np.testing.assert_allclose(view(result, "change_error")[:, 0], half, rtol=1e-3)


def test_of_all_stages_it_is_that_of_any_target():
    """Of a stage, and of the difference of two, whose draws are the same: as if only that had been asked."""
    epochs = noise_epochs(n_epochs=4)
    every = explain(epochs, Smooth(), target="all", seed=5, dtype="float64", **FAST | {"tol": 1e-3})
    for target in ("N2", ("N2", "N1"), "predicted", "margin"):
        alone = explain(epochs, Smooth(), target=target, seed=5, dtype="float64", **FAST | {"tol": 1e-3})
        found = every.for_target(target)
        np.testing.assert_allclose(view(found, "change_error"), view(alone, "change_error"), rtol=0.05)
        np.testing.assert_array_equal(found.within_error, alone.within_error)


def test_epochs_are_explained_by_it_and_not_by_the_errors_of_all_bands():
    result = explain(noise_epochs(n_epochs=6), Smooth(), target="N2", **FAST)
    data = result.to_xarray()
    change = np.abs(data["score"] - data["baseline_score"]).values
    np.testing.assert_array_equal(result.within_error, change <= data["change_error"].values)
    for factor, expected in ((0.99, False), (1.01, True)):
        data["change_error"].values[:] = factor * change
        assert (type(result)(data).within_error == expected).all()
        np.testing.assert_array_equal(type(result)(data).to_data_frame()["explained"], not expected)
    stage = type(result)(data).decided_by()
    assert stage["n_explained"].sum() == 0


def test_it_is_kept_in_files_and_by_a_run_that_goes_on(tmp_path):
    import eegflex

    result = explain(noise_epochs(n_epochs=6), Smooth(), target="all", **FAST)
    again = eegflex.read_result(result.save(tmp_path / "whole.nc"))
    np.testing.assert_array_equal(view(again, "change_error"), view(result, "change_error"))
    resumed = explain(noise_epochs(n_epochs=6), Smooth(), target="all", resume=tmp_path / "whole.nc", **FAST)
    np.testing.assert_array_equal(view(resumed, "change_error"), view(result, "change_error"))


@pytest.mark.parametrize("baseline", ["zero", "recording"])
def test_a_baseline_that_is_not_drawn_has_none(baseline):
    result = example_results.explain(example_results.make_epochs(), baseline=baseline)
    data = result.to_xarray()
    assert "change_error" not in data
    np.testing.assert_array_equal(
        result.within_error, np.abs(data["score"] - data["baseline_score"]) <= data["error"] * data["size"]
    )
