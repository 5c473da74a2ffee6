"""A second opinion: Shapley values of the bands beside FLEX, on a sample of the epochs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view
from models import Linear, Smooth
from torch import nn

import eegflex
from eegflex.attribution import request as requests
from eegflex.attribution.methods.shapley import coalitions, permutation_shapley, shapley_values
from eegflex.bands import Bands
from eegflex.errors import AttributionFailed, ParameterError
from eegflex.settings import Settings

FREQS = np.fft.rfftfreq(960, 1 / 32)
MASKS = eegflex.Bands().masks(FREQS)
ASKED = {"second_opinion": "shapley", "target": "N2", "on_check": "ignore"}


class OfPowers(nn.Module):
    """Band powers of each channel, by a formula of them: the score of every stage."""

    def __init__(self, formula):
        super().__init__()
        self.formula = formula
        self.register_buffer("masks", torch.from_numpy(MASKS).float())

    def forward(self, x):
        power = torch.fft.rfft(x).abs().square() @ self.masks.to(x).T / x.shape[-1] ** 2
        return self.formula(power)[:, None] * torch.arange(1, 6).to(x)


def powers(epochs):
    spectrum = np.abs(np.fft.rfft(epochs.get_data().astype(np.float32).astype(float))) ** 2
    return spectrum @ MASKS.T / 960**2


def additive(power):
    return (power * torch.arange(1, power.shape[-1] + 1).to(power)).sum((1, 2))


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("baseline", ["zero", "recording", "surrogate"])
def test_where_bands_add_up_both_opinions_are_one(n_channels, baseline):
    epochs = noise_epochs(n_epochs=6, n_channels=n_channels)
    result = explain(epochs, OfPowers(additive), baseline=baseline, tol=1e-4, dtype="float64", **ASKED)
    table = result.second_opinion()
    assert len(table) == len(np.unique(table["number"])) == 5  # of six that are all given one stage
    assert table["disagreement"].max() < 1e-3
    assert table["rank_correlation"].min() > 0.99
    assert (table["same_sign"] == 1).all()


def test_it_sums_to_the_change_of_the_score():
    result = explain(noise_epochs(n_epochs=4), Smooth(), baseline="recording", dtype="float64", **ASKED)
    data = result.to_xarray()
    change = (data["score"] - data["baseline_score"]).values[:, 0]
    np.testing.assert_allclose(view(result, "second_view").sum((1, 2)), change, atol=1e-6)


def test_what_two_bands_do_together_is_halved():
    """A product of two powers, from silence: each has half of it; and along the path too, by symmetry."""
    epochs = noise_epochs(n_epochs=3, n_channels=1)
    result = explain(epochs, OfPowers(lambda p: p[:, 0, 0] * p[:, 0, 2]), dtype="float64", **ASKED)
    expected = np.zeros((3, len(Bands().names)))
    expected[:, [0, 2]] = (3 * powers(epochs)[:, 0, 0] * powers(epochs)[:, 0, 2] / 2)[:, None]
    np.testing.assert_allclose(view(result, "second_view")[:, 0], expected, rtol=1e-4, atol=1e-7)
    assert not view(result, "second_error").any()  # exact, for one channel


def test_where_the_path_matters_they_differ_and_the_table_says_how_far():
    """a * b^3: of it a quarter and three quarters on the path of magnitudes (2 and 6 of 8 powers), halves by Shapley."""
    epochs = noise_epochs(n_epochs=3, n_channels=1)
    result = explain(epochs, OfPowers(lambda p: p[:, 0, 0] * p[:, 0, 2] ** 3), dtype="float64", tol=1e-4, **ASKED)
    table = result.second_opinion()
    np.testing.assert_allclose(table["disagreement"], 0.5, atol=2e-3)
    assert not table["error"].any()


@pytest.mark.parametrize("n_players", [2, 5, 12])
def test_orders_at_random_are_complete_and_right_within_their_error(n_players):
    rng = np.random.default_rng(n_players)
    pairwise = rng.standard_normal((n_players, n_players))

    def values(present):
        z = np.asarray(present, dtype=float)
        single = z @ np.arange(1, n_players + 1)
        third = z[:, 0] * z[:, 1] * z[:, -1]
        return np.stack([single + np.einsum("ni,ij,nj->n", z, pairwise, z), single + 5 * third], axis=1)

    exact = shapley_values(values(coalitions(n_players)))
    covered, misses = [], []
    for seed in range(200):
        shares, errors = permutation_shapley(values, n_players, np.random.default_rng(seed), 12)
        np.testing.assert_allclose(shares.sum(axis=0), values(np.ones((1, n_players)))[0], atol=1e-9)
        # what at most two players do together, an order and its reverse tell exactly
        np.testing.assert_allclose(shares[:, 0], exact[:, 0], atol=1e-9)
        misses.append(shares[:, 1] - exact[:, 1])
        covered.append(np.abs(misses[-1]) <= 2.2 * errors[:, 1] + 1e-9)  # Student's t of 11 degrees of freedom
    assert np.mean(covered) > 0.9
    assert np.abs(np.mean(misses, axis=0)).max() < 0.1


@pytest.mark.slow
def test_of_two_channels_the_estimate_is_near_the_exact_values():
    """And as near as its standard error says, over seeds."""
    epochs, rule = noise_epochs(n_epochs=4), {"dtype": "float64", "quadrature": "gauss-legendre", "n_steps": 2}
    exact = view(explain(epochs, Smooth(), target="N2", on_check="ignore", method="shapley"), "band_view")
    covered, sizes = [], []
    for seed in range(20):
        sampled = explain(epochs, Smooth(), seed=seed, **rule, **ASKED)
        miss = np.abs(view(sampled, "second_view") - exact)
        covered.append(miss <= 2.2 * view(sampled, "second_error") + 1e-7)  # Student's t of 11 degrees of freedom
        sizes.append(miss.sum() / np.abs(exact).sum())
        assert (sampled.to_xarray()["n_forwards"].values == 1 + 2 + 24 * 13).all()
    assert 0.9 < np.mean(covered) < 0.98
    assert np.mean(sizes) < 0.02


def test_few_of_each_stage_are_asked_about_and_the_others_are_as_without_it():
    epochs = noise_epochs(n_epochs=40)
    asked = explain(epochs, Linear(2, 960), **ASKED | {"target": "predicted"})
    plain = explain(epochs, Linear(2, 960), on_check="ignore")
    np.testing.assert_array_equal(view(asked), view(plain))
    known = np.isfinite(view(asked, "second_view")).all(axis=(1, 2))
    predicted = asked.to_xarray()["predicted"].values[:, 0]
    for stage in np.unique(predicted):
        assert known[predicted == stage].sum() == min(5, (predicted == stage).sum())
    assert len(asked.second_opinion()) == known.sum() < 40
    np.testing.assert_allclose(asked.second_opinion()["disagreement"], 0, atol=1e-4)


def test_batches_and_resumption_change_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(requests, "CHUNK", 4)
    epochs, rule = noise_epochs(n_epochs=12), {"batch_size": 6, **ASKED}

    class Failing(Smooth):
        left = 10**9

        def forward(self, x):
            Failing.left -= len(x) * torch.is_grad_enabled()
            if Failing.left < 0:
                Failing.left = 10**9
                raise RuntimeError("out of luck")
            return super().forward(x)

    whole = explain(epochs, Failing(), **rule)
    Failing.left = 110
    with pytest.raises(AttributionFailed) as caught:
        explain(epochs, Failing(), **rule)
    assert 0 < len(caught.value.result) < 12
    resumed = explain(epochs, Failing(), resume=caught.value.result.save(tmp_path / "kept.nc"), **rule)
    for name in ("second_view", "second_error", "n_forwards"):
        np.testing.assert_array_equal(view(resumed, name), view(whole, name))
    other = explain(epochs, Failing(), **rule | {"batch_size": 50})
    np.testing.assert_allclose(view(other, "second_view"), view(whole, "second_view"), rtol=1e-3, atol=1e-6)
    with pytest.raises(ParameterError, match="second_opinion"):
        explain(epochs, Failing(), resume=caught.value.result, **rule | {"second_opinion": None})


def test_of_all_stages_a_margin_has_that_of_both():
    epochs = noise_epochs(n_epochs=3, n_channels=1)
    every = explain(epochs, Smooth(1), dtype="float64", **ASKED | {"target": "all"})
    margin = explain(epochs, Smooth(1), dtype="float64", **ASKED | {"target": ("N2", "N1")})
    np.testing.assert_allclose(
        view(every.for_target(("N2", "N1")), "second_view"), view(margin, "second_view"), atol=1e-6
    )
    assert len(every.second_opinion()) == 3


def test_of_each_channel_set_there_is_one():
    from eegflex.spec.model_spec import ChannelSpec, ModelSpec

    each = ModelSpec(channels=(ChannelSpec("EEG", ("eeg",), use="each"),), layout="b c t")
    result = explain(noise_epochs(n_epochs=4), Smooth(1), spec=each, **ASKED)
    table = result.second_opinion()
    assert table["channel_set"].tolist() == ["EEG0", "EEG1"] * 4
    assert not table["error"].any()
    assert np.isfinite(table["disagreement"]).all()


@pytest.mark.parametrize("more", [{"method": "shapley"}, {"method": "saliency"}, {"context": "scaled"}])
def test_it_is_one_on_flex_with_the_context_as_recorded(more):
    with pytest.raises(ParameterError, match="second opinion"):
        explain(noise_epochs(), Smooth(), **ASKED | more)


def test_what_is_no_second_opinion_is_refused():
    with pytest.raises(ParameterError, match="shapley"):
        Settings(second_opinion="flex")
    with pytest.raises(ParameterError, match="second_opinion='shapley'"):
        explain(noise_epochs(n_epochs=2), Smooth(), on_check="ignore").second_opinion()
