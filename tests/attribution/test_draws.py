"""A baseline of random phases: each draw is a baseline like any other, and what is told is the mean over some of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs, view
from models import Linear, Smooth, Window
from torch import nn

import eegflex
from eegflex.attribution import request as requests
from eegflex.attribution.baselines import N_DRAWS, make_baseline
from eegflex.attribution.draws import Draw, mean_over
from eegflex.attribution.request import Explained
from eegflex.errors import AttributionFailed, ParameterError
from eegflex.evaluation import assess
from eegflex.preprocessing.segments import prepare
from eegflex.results.consistency import check_values
from eegflex.spec.model_spec import ContextSpec, FilterSpec, ModelSpec

OF_THREE = ModelSpec(layout="b c (e t)", context=ContextSpec(1, 1))
MASKS = eegflex.Bands().masks(np.fft.rfftfreq(960, 1 / 32))


def drawn(segments, numbers, draws, seed=0, channels=(0, 1)):
    made = make_baseline("surrogate", segments, FilterSpec(), seed)
    x = torch.from_numpy(segments.signals[numbers][:, list(channels)]).double()
    return made(x, np.asarray(numbers), channels, np.asarray(draws)).numpy()


def ordinary(segments):
    x = torch.from_numpy(segments.signals[:1]).double()
    return np.abs(np.fft.rfft(make_baseline("recording", segments, FilterSpec())(x, np.array([0]), (0, 1)).numpy()[0]))


@pytest.mark.parametrize("n_times", [960, 2559])
def test_a_draw_is_an_ordinary_epoch_with_phases_of_its_own(n_times):
    """Of odd lengths too, which have no Nyquist frequency."""
    segments = prepare(noise_epochs(n_epochs=4, n_times=n_times, sfreq=n_times / 30), ModelSpec())
    made = drawn(segments, [2] * 400, range(400))
    spectra = np.fft.rfft(made)
    np.testing.assert_allclose(np.abs(spectra), np.tile(ordinary(segments), (400, 1, 1)), atol=1e-9)
    inner = spectra[..., 1 : (n_times - 1) // 2]
    direction = inner / np.abs(inner)
    # of 400 directions of one frequency the mean is as short as chance has it, over all of them
    assert np.abs(direction.mean(axis=0)).max() < 5 / np.sqrt(400)
    assert 0.9 < (np.abs(direction.mean(axis=0)) ** 2).mean() * 400 < 1.1
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=6 * np.sqrt((made**2).mean() / 400))


def test_what_relates_the_channels_stays():
    """One angle for all of them: the phase of every cross-spectrum is that of the epoch, and so is coherence."""
    epochs = noise_epochs(n_epochs=3)
    epochs._data[:, 1] = 0.7 * np.roll(epochs._data[:, 0], 4, axis=-1) + 0.3 * epochs._data[:, 1]
    segments = prepare(epochs, ModelSpec())
    first, second = np.fft.rfft(drawn(segments, [1, 1], [0, 3])).swapaxes(0, 1)
    own = np.fft.rfft(segments.signals[1].astype(float))
    expected = np.angle(own[0] * own[1].conj())[1:-1]
    for cross in (first * second.conj())[:, 1:-1]:
        np.testing.assert_allclose(np.exp(1j * np.angle(cross)), np.exp(1j * expected), atol=1e-5)
    assert np.abs(first[0] - first[1])[1:-1].min() > 0  # and yet the draws differ


def test_draws_are_those_of_seed_epoch_and_draw_and_of_nothing_else():
    segments = prepare(noise_epochs(n_epochs=6), ModelSpec())
    alone = drawn(segments, [4], [2])[0]
    among = drawn(segments, [0, 5, 4, 4], [2, 2, 1, 2])
    np.testing.assert_array_equal(among[3], alone)
    np.testing.assert_array_equal(drawn(segments, [4], [2], channels=(1,))[0, 0], alone[1])
    others = [*among[:3], drawn(segments, [4], [2], seed=1)[0]]
    assert min(np.abs(other - alone).max() for other in others) > 0.1


class Polarity(nn.Module):
    """Reads the sign of a waveform and nothing of its size: what a deflection looks like, not how much there is of it."""

    def forward(self, x):
        up = torch.tanh(20 * x[:, 0, 480] / x[:, 0].square().mean(-1).sqrt())
        return torch.stack([up, -up], dim=-1)


def deflections(n_epochs=8):
    """A deflection upwards in the middle of noise: all its phases are those of one impulse."""
    epochs = noise_epochs(n_epochs=n_epochs, n_channels=1, scale=0.05)
    spectrum = np.abs(np.fft.rfft(epochs._data))
    epochs._data[:] = np.roll(np.fft.irfft(spectrum), 480, axis=-1)
    return epochs


def test_what_is_read_off_waveforms_is_explained_by_it_alone():
    """A baseline with the epoch's phases keeps the deflection, and leaves nothing to explain."""
    asked = {
        "spec": ModelSpec(stages=("W", "N1")),
        "target": "W",
        "dtype": "float64",
        "on_check": "ignore",
        "tol": 0.001,
    }
    kept, lost = (explain(deflections(), Polarity(), baseline=b, **asked) for b in ("recording", "surrogate"))
    assert np.abs(view(kept).sum((1, 2))).max() < 1e-3
    whole = kept.to_xarray()["score"].values[:, 0]
    assert whole.min() > 0.99
    changes = view(lost).sum((1, 2))
    assert 0.7 < changes.mean() < 1.3  # half of the draws point up, by chance
    np.testing.assert_allclose(changes, whole - lost.to_xarray()["baseline_score"].values[:, 0], atol=0.01)


@pytest.mark.parametrize("context", ["fixed", "scaled"])
@pytest.mark.parametrize("target", ["predicted", "all", ("N2", "N1")])
def test_it_is_complete_in_every_view(context, target):
    result = explain(noise_epochs(n_epochs=6), Window(), spec=OF_THREE, baseline="surrogate", context=context, target=target,
                     views=("time", "time-frequency"), dtype="float64", tol=1e-3)  # fmt: skip
    data = result.to_xarray()
    check_values(data, ParameterError)
    size = data["size"].values
    size = np.diagonal(size, axis1=-2, axis2=-1) if target == "all" else size
    assert (np.abs(data["gap"].values) / size).max() < 5e-3
    totals = [data[name].sum([d for d in data[name].dims if d not in ("epoch", "target_stage")]) for name in
              ("frequency_view", "time_view", "time_frequency_view")]  # fmt: skip
    for total in totals[1:]:
        np.testing.assert_allclose(total, totals[0], atol=1e-9)
    if context == "fixed":
        change = (data["score"] - data["baseline_score"]).values[:, 0]
        np.testing.assert_allclose(totals[0], change, atol=5e-3 * np.abs(view(result)).sum())


def test_the_mean_is_that_of_its_draws_each_of_which_is_an_attribution():
    """Of a linear network, whose attribution to a sample is known: d_t w_t."""
    epochs = noise_epochs(n_epochs=3)
    network = Linear(2, 960)
    result = explain(epochs, network, baseline="surrogate", target="N2", views=("time",), dtype="float64", seed=7)
    segments = prepare(epochs, ModelSpec())
    weights = network.weight.detach().numpy()[result.stages.index("N2")].astype(float)
    for number in range(3):
        begins = drawn(segments, [number] * N_DRAWS, range(N_DRAWS), seed=7)
        change = segments.signals[number].astype(float) - begins
        np.testing.assert_allclose(view(result, "time_view")[number], (change * weights).mean(axis=0), atol=1e-6)
        in_frequency = np.fft.rfft(change) * np.fft.rfft(weights).conj()
        share = np.full(481, 2 / 960)
        share[[0, -1]] = 1 / 960
        sums = (in_frequency.real * share) @ MASKS.T
        np.testing.assert_allclose(view(result)[number] @ MASKS.T, sums.mean(axis=0), atol=1e-6)
        half = 2.7764 / np.sqrt(5) * sums.std(axis=0, ddof=1)  # Student's t of 4 degrees of freedom, from a table
        np.testing.assert_allclose(view(result, "band_error")[number], half, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(
            result.to_xarray()["error"].values[number, 0], half.sum() / np.abs(sums.mean(axis=0)).sum(), rtol=1e-2
        )


@pytest.mark.slow
def test_the_error_covers_what_many_draws_would_give():
    """Of all cells of a network that is not linear, over seeds, 95 % to within what so few seeds can tell."""
    epochs, asked = noise_epochs(n_epochs=4), {"baseline": "surrogate", "target": "N2", "on_check": "ignore"}
    results = [explain(epochs, Smooth(), seed=seed, tol=0.005, **asked) for seed in range(60)]
    sums = np.stack([view(one) @ MASKS.T for one in results])
    errors = np.stack([view(one, "band_error") for one in results])
    within = np.abs(sums - sums.mean(axis=0)) <= errors
    assert 0.92 < within.mean() < 0.985
    score = np.stack([one.to_xarray()["baseline_score"].values for one in results])
    assert score.std(axis=0).min() > 0
    total = np.abs(sums - sums.mean(axis=0)).sum((2, 3)) / np.abs(sums).sum((2, 3))
    assert (total <= np.stack([one.to_xarray()["error"].values[:, 0] for one in results])).mean() > 0.95


def test_more_draws_come_nearer(monkeypatch):
    """As the root of their number: to the mean over many, which others gave."""
    from eegflex.attribution import baselines

    epochs, rule = noise_epochs(n_epochs=2), {"quadrature": "gauss-legendre", "n_steps": 4, "on_check": "ignore"}
    found = {}
    for n_draws, seed in ((5, 1), (80, 2), (400, 3)):
        monkeypatch.setattr(baselines, "N_DRAWS", n_draws)
        found[n_draws] = view(explain(epochs, Smooth(), baseline="surrogate", target="N2", seed=seed, **rule)) @ MASKS.T
    far, near = (np.abs(found[n] - found[400]).mean() for n in (5, 80))
    assert 2 < far / near < 8


def test_neither_batches_nor_what_else_is_explained_change_it():
    epochs = noise_epochs(n_epochs=9)
    asked = {"baseline": "surrogate", "dtype": "float64", "quadrature": "gauss-legendre", "n_steps": 4, "seed": 3}
    whole = explain(epochs, Window(), spec=OF_THREE, context="scaled", **asked)
    for more in ({"batch_size": 3}, {"select": [2, 7]}):
        other = explain(epochs, Window(), spec=OF_THREE, context="scaled", **asked, **more)
        own = whole.sel(epoch=other.to_xarray()["number"].values.tolist())
        for name in ("frequency_view", "band_error", "context_map", "baseline_score", "error"):
            np.testing.assert_allclose(view(other, name), view(own, name), rtol=1e-6, atol=1e-9)
    again = explain(epochs, Window(), spec=OF_THREE, context="scaled", **asked)
    np.testing.assert_array_equal(view(again), view(whole))
    other_seed = explain(epochs, Window(), spec=OF_THREE, context="scaled", **asked | {"seed": 4})
    assert np.abs(view(other_seed) - view(whole)).max() > 1e-6


class Ending(Smooth):
    """Fails once, after so many points were scored with a gradient."""

    left = 10**9

    def forward(self, x):
        Ending.left -= len(x) * torch.is_grad_enabled()
        if Ending.left < 0:
            Ending.left = 10**9
            raise RuntimeError("out of luck")
        return super().forward(x)


def test_what_was_finished_goes_on_as_if_nothing_had_happened(monkeypatch, tmp_path):
    monkeypatch.setattr(requests, "CHUNK", 4)
    epochs, asked = noise_epochs(n_epochs=10), {"baseline": "surrogate", "batch_size": 5, "on_check": "ignore"}
    whole = explain(epochs, Ending(), **asked)
    Ending.left = 400
    with pytest.raises(AttributionFailed) as caught:
        explain(epochs, Ending(), **asked)
    kept = caught.value.result
    assert 0 < len(kept) < 10
    resumed = explain(epochs, Ending(), resume=kept.save(tmp_path / "kept.nc"), **asked)
    for name in ("frequency_view", "band_error", "baseline_score", "error", "n_gradients"):
        np.testing.assert_array_equal(view(resumed, name), view(whole, name))


@pytest.mark.parametrize("stager", ["alone", "window"])
def test_what_decides_is_told_of_the_mean_over_the_draws(stager):
    """The very change that is explained: with the epoch replaced, the score is that of the baseline."""
    network, spec = {"alone": (Smooth(), None), "window": (Window(), OF_THREE)}[stager]
    result = explain(noise_epochs(n_epochs=5), network, spec=spec, baseline="surrogate", target="N2", dtype="float64")
    n2 = result.stages.index("N2")
    replaced = view(result, "replaced_scores")[:, 0, :, n2]
    np.testing.assert_allclose(replaced[:, 1], view(result, "baseline_score")[:, 0], rtol=1e-6, atol=1e-6)
    if stager == "alone":
        begins = drawn(
            prepare(noise_epochs(n_epochs=5), ModelSpec()), np.arange(5).repeat(N_DRAWS), [*range(N_DRAWS)] * 5
        )
        with torch.no_grad():
            scores = Smooth().double()(torch.from_numpy(begins)).numpy()[:, n2]
        np.testing.assert_allclose(replaced[:, 1], scores.reshape(5, N_DRAWS).mean(axis=1), atol=1e-6)
        assert np.isnan(replaced[:, 2:]).all()
        return
    whole = explain(noise_epochs(n_epochs=5), network, spec=spec, baseline="surrogate", target="N2", dtype="float64",
                    context="scaled")  # fmt: skip
    both = view(whole, "baseline_score")[:, 0]
    np.testing.assert_allclose(replaced[1:-1, 3], both[1:-1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["shapley", "shapley_sampling", "feature_ablation"])
def test_methods_on_bands_take_the_mean_too(method):
    result = explain(noise_epochs(n_epochs=3), Linear(2, 960), baseline="surrogate", target="N2", method=method)
    flex = explain(noise_epochs(n_epochs=3), Linear(2, 960), baseline="surrogate", target="N2", tol=1e-3)
    # of a linear network each method says the same
    np.testing.assert_allclose(view(result, "band_view"), view(flex) @ MASKS.T, atol=1e-4)
    np.testing.assert_allclose(view(result, "band_error"), view(flex, "band_error"), rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient", "deeplift", "gradient_shap"])
def test_methods_on_magnitudes_refuse_it(method):
    with pytest.raises(ParameterError, match=r"recording|zero"):
        explain(scored_epochs(), Smooth(), baseline="surrogate", method=method)


def test_a_single_draw_is_left_as_it_is():
    own = Explained(3, {"frequency": np.ones((1, 2, 5))}, np.ones(1), np.zeros(1), np.zeros(1), 7, 1, 0.25)
    assert mean_over([Draw(own, np.ones((1, 1, 2, 6)))]) == own


def test_a_result_says_what_it_was_compared_with():
    from eegflex.results.wording import baseline_words, sum_words

    result = explain(scored_epochs(), Smooth(), baseline="surrogate")
    assert json.loads(result.data.attrs["parameters"])["baseline"] == "surrogate"
    assert baseline_words(result) == "ordinary epochs with random phases"
    assert "waveforms" in sum_words(result)


def test_trust_holds_no_tolerance_against_what_draws_cannot_meet():
    night = eegflex.simulate_psg(hours=0.3, sfreq=128, seed=1, verbose="error")
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    result = explain(epochs, "bandpower", baseline="surrogate", sample_per_stage=2)
    assert (result.to_xarray()["error"].values > 0.02).any()
    found = assess(result)
    assert found["convergence"].status == "ok"
    assert "draws" in found["convergence"].measured
