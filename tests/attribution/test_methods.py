"""Other methods under the same call: what each must give on models whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Detached, Linear, Sinusoid, Smooth
from torch import nn

import eegflex
from eegflex.attribution.methods.registry import METHODS
from eegflex.attribution.methods.shapley import coalitions, shapley_values
from eegflex.errors import ParameterError

COMPLETE = ("flex", "deeplift", "gradient_shap", "shapley", "shapley_sampling")
ON_BANDS = ("shapley", "shapley_sampling", "feature_ablation")


def bands(result):
    data = result.to_xarray()
    if "band_view" in data:
        return data["band_view"].values.astype(float)
    return eegflex.Bands().sum(data["frequency_view"].values, data["freq"].values)


class BlackBox(nn.Module):
    """Predicts without a gradient."""

    def __init__(self, n_channels=1):
        super().__init__()
        self.net = Smooth(n_channels=n_channels)

    def forward(self, x):
        return torch.from_numpy(self.net(x).detach().numpy())


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"saliency"}))
def test_all_agree_on_a_linear_score(method):
    """Where gradients are constant and features do not interact there is one answer."""
    epochs = noise_epochs(n_epochs=3)
    expected = bands(explain(epochs, Linear(2, 960), target="N2", dtype="float64"))
    found = bands(explain(epochs, Linear(2, 960), target="N2", method=method, dtype="float64"))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_saliency_is_the_gradient_at_the_epoch():
    epochs = noise_epochs(n_epochs=2)
    slope, product = (
        view(explain(epochs, Smooth(), target="N2", method=m, dtype="float64"))
        for m in ("saliency", "input_x_gradient")
    )
    magnitudes = np.abs(np.fft.rfft(epochs.get_data().astype(np.float32).astype(float)))
    np.testing.assert_allclose(slope * magnitudes, product, atol=1e-8 * np.abs(product).max())


def test_gradients_equal_finite_differences():
    epochs, model = noise_epochs(n_epochs=1), Smooth().double()
    slope = view(explain(epochs, model, target="N2", method="saliency", dtype="float64"))[0, 1, 77]
    x = epochs.get_data().astype(np.float32).astype(float)[0]
    spectrum = np.fft.rfft(x[1])
    scores = []
    for step in (-1e-3, 1e-3):
        moved = spectrum.copy()
        moved[77] *= (np.abs(spectrum[77]) + step) / np.abs(spectrum[77])
        x[1] = np.fft.irfft(moved, n=960)
        scores.append(model(torch.from_numpy(x)[None])[0, 2].item())
    np.testing.assert_allclose(slope, (scores[1] - scores[0]) / 2e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("method", "limit"), [("shapley", 1e-12), ("shapley_sampling", 1e-6)]
)  # captum adds in float32
def test_shapley_values_are_complete_for_any_model(method, limit):
    result = explain(noise_epochs(n_epochs=2, n_channels=1), Smooth(n_channels=1), method=method, dtype="float64")
    assert result.relative_gap().max() < limit


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_gap_is_given_where_there_is_a_sum_to_meet(method):
    gaps = explain(noise_epochs(n_epochs=2), Linear(2, 960), method=method).relative_gap()
    assert np.isfinite(gaps).all() == (method in COMPLETE)


def test_exact_shapley_values_of_one_channel_are_128_scores():
    data = explain(noise_epochs(n_epochs=2, n_channels=1), Smooth(n_channels=1), method="shapley").to_xarray()
    assert (data["n_forwards"] == 128 + 2).all()
    assert (data["n_gradients"] == 0).all()


@pytest.mark.parametrize("method", ON_BANDS)
def test_models_that_only_predict_are_explained(method):
    epochs = noise_epochs(n_epochs=2, n_channels=1)
    black = explain(epochs, BlackBox(), target="N2", method=method)
    clear = explain(epochs, Smooth(n_channels=1), target="N2", method=method)
    np.testing.assert_allclose(bands(black), bands(clear), atol=1e-6)


def test_a_model_without_a_gradient_is_told_of_them():
    with pytest.raises(eegflex.EegflexError, match="shapley"):
        explain(noise_epochs(), Detached())


@pytest.mark.parametrize("method", ON_BANDS)
def test_a_sinusoid_model_puts_it_into_the_band_of_its_rhythm(method):
    bins = [30, 180, 300, 400, 450]  # 1, 6, 10, 13.3 and 15 Hz
    result = explain(noise_epochs(n_epochs=4, n_channels=1), Sinusoid(bins, 960), target="N2", method=method)
    attribution = np.abs(bands(result)[:, 0])
    assert (attribution[:, eegflex.Bands().names.index("alpha")] > 0.999 * attribution.sum(1)).all()


@pytest.mark.parametrize("method", ["gradient_shap", "shapley_sampling"])
def test_what_is_drawn_is_seeded_and_leaves_the_generators_alone(method):
    epochs = noise_epochs(n_epochs=2)
    state, old = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (bands(explain(epochs, Smooth(), method=method, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], old)  # noqa: NPY002


@pytest.mark.parametrize("method", sorted(METHODS))
def test_all_stages_at_once_and_one_by_one(method):
    epochs = noise_epochs(n_epochs=2, n_channels=1)
    rule = {"method": method, "dtype": "float64"}
    if method == "flex":
        rule |= {"quadrature": "gauss-legendre", "n_steps": 8}
    every = explain(epochs, Smooth(n_channels=1), target="all", **rule)
    one = explain(epochs, Smooth(n_channels=1), target="N3", **rule)
    np.testing.assert_allclose(bands(every.for_target("N3")), bands(one), atol=1e-10)


def test_deeplift_finds_the_layers_of_the_model():
    """Against captum itself on the module, in time: a rectified network of one channel, from silence."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(960, 20), nn.ReLU(), nn.Linear(20, 5))
    epochs = noise_epochs(n_epochs=2, n_channels=1)
    result = explain(epochs, net, target="N2", method="deeplift", dtype="float64")
    from captum.attr import DeepLift

    x = torch.from_numpy(epochs.get_data().astype(np.float32)).double()
    own = nn.Sequential(*net).double()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = DeepLift(own).attribute(x, target=2).detach().numpy()
    np.testing.assert_allclose(view(result).sum((1, 2)), expected.sum((1, 2)), rtol=1e-9)
    assert result.relative_gap().max() < 1e-9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "lime"}, "shapley"),
        ({"method": "saliency", "views": ("time",)}, "views"),
        ({"method": "deeplift", "context": "scaled"}, "fixed"),
        ({"method": "input_x_gradient", "baseline": "recording"}, "zero"),
        ({"method": "shapley", "views": ("frequency", "time")}, "views"),
    ],
)
def test_what_a_method_cannot_do_is_refused(arguments, words):
    with pytest.raises(ParameterError, match=words):
        explain(noise_epochs(), Smooth(), **arguments)


def test_too_many_coalitions_are_refused():
    with pytest.raises(ParameterError, match="shapley_sampling"):
        explain(noise_epochs(n_channels=3), Smooth(n_channels=3), method="shapley")


def test_other_bands_of_whole_bands_are_refused():
    result = explain(noise_epochs(n_epochs=2), Smooth(), method="feature_ablation")
    assert list(result.band_table().columns[:7]) == [*eegflex.Bands(), "below", "above"]
    with pytest.raises(ParameterError, match="whole bands"):
        result.band_table({"slow": (0, 2)})


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_shapley_values_are_the_mean_over_all_orders(n_players, seed):
    import itertools

    values = np.random.default_rng(seed).standard_normal(2**n_players)
    place = {tuple(row): i for i, row in enumerate(coalitions(n_players).tolist())}
    gained = np.zeros(n_players)
    orders = list(itertools.permutations(range(n_players)))
    for order in orders:
        present = [False] * n_players
        for player in order:
            before = values[place[tuple(present)]]
            present[player] = True
            gained[player] += values[place[tuple(present)]] - before
    np.testing.assert_allclose(shapley_values(values), gained / len(orders), atol=1e-12)
