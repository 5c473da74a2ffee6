"""Random nodes: right on average, with an error that is known on average, and an epoch's own whatever is beside it."""

import dataclasses

import numpy as np
import pytest
from attribution_helpers import explain, noise_epochs, view
from models import CNN, Smooth
from scipy import stats

import eegflex
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.random_nodes import RandomNodes
from eegflex.results.intervals import mean_interval
from eegflex.results.marks import mean_error
from eegflex.settings import Settings

#: An integrand on [0, 1] that is smooth, one that jumps, and one that changes beside 0; and their integrals.
INTEGRANDS = {
    "smooth": (lambda a: a**3, 1 / 4),
    "jumping": (lambda a: 1.0 * (a > 0.3), 0.7),
    "near 0": (lambda a: 1 / (a + 0.01), np.log(101)),
}


def drawn(function, n_nodes, graded, n=3000):
    """What nodes give of an integrand, and half of the interval that they say, in so many draws."""
    values, errors = [], []
    for number in range(n):
        nodes = RandomNodes(n_nodes, (0, 0, number), graded)
        rates = function(nodes.nodes)[:, None, None]
        assert not nodes.advance(rates, rates[:, :, 0], np.zeros(1))
        values.append(nodes.weights @ rates[:, 0, 0])
        errors.append(nodes.part_errors[0, 0])
    return np.array(values), np.array(errors)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("n_nodes", [2, 6])
@pytest.mark.parametrize("kind", INTEGRANDS)
def test_the_mean_over_draws_is_the_integral_and_the_error_its_spread(kind, n_nodes, graded):
    function, integral = INTEGRANDS[kind]
    values, errors = drawn(function, n_nodes, graded)
    assert abs(values.mean() - integral) < 4 * values.std() / np.sqrt(len(values)) + 1e-12
    said = np.sqrt((errors**2).mean()) / stats.norm.ppf(0.975)
    assert said == pytest.approx(values.std(), rel=0.1)


def test_nodes_towards_silence_are_better_where_that_is_where_it_changes():
    even, graded = (drawn(INTEGRANDS["near 0"][0], 4, graded)[0].std() for graded in (False, True))
    assert graded < even / 3


def test_nodes_lie_in_the_path_and_weights_of_an_even_path_are_equal():
    for number in range(200):
        nodes = RandomNodes(4, (number,), graded=True)
        assert ((nodes.nodes > 0) & (nodes.nodes <= 1)).all()
    assert RandomNodes(4, (1,)).weights.tolist() == [0.25] * 4


def test_an_epoch_has_its_nodes_whatever_is_explained_beside_it():
    epochs, net = noise_epochs(12), Smooth()
    every = explain(epochs, net, precision="mean", n_steps=4)
    some = explain(epochs, net, precision="mean", n_steps=4, select=[2, 3, 5, 7, 11])
    other = explain(epochs, net, precision="mean", n_steps=4, seed=1)
    np.testing.assert_allclose(view(some), view(every)[[2, 3, 5, 7, 11]], rtol=1e-4, atol=1e-7)
    assert np.abs(view(other) - view(every)).max() > 1e-3 * np.abs(view(every)).max()


@pytest.mark.slow
def test_one_process_and_two_give_the_same():
    epochs, net = noise_epochs(40, n_channels=1), CNN(norm=True)
    one, two = (explain(epochs, net, precision="mean", n_jobs=n, on_check="ignore") for n in (1, 2))
    assert one.provenance["nodes"]["by_stage"] == two.provenance["nodes"]["by_stage"]
    np.testing.assert_allclose(view(one), view(two), rtol=1e-4, atol=1e-6 * np.abs(view(one)).max())


def sums_by(request, numbers, **asked):
    """Band sums of epochs and their errors, (n_epochs, n_cells)."""
    request = dataclasses.replace(request, settings=dataclasses.replace(request.settings, **asked))
    found = sorted(request.method.explain(request, 0, numbers), key=lambda one: one.number)
    freqs = np.fft.rfftfreq(request.segments.signals.shape[-1], 1 / request.segments.sfreq)
    sums = np.stack([eegflex.Bands().sum(one.views["frequency"], freqs).ravel() for one in found])
    errors = [one.views["band_error"].ravel() for one in found if "band_error" in one.views]
    return sums, np.array(errors, dtype=float)


@pytest.fixture(scope="module")
def population():
    """Epochs of growing size: precise band sums, and those of many draws of two nodes, with their errors."""
    epochs = noise_epochs(60, n_channels=1)
    sizes = np.random.default_rng(1).lognormal(0, 0.5, 60)
    epochs._data *= sizes[:, None, None]
    night = eegflex.stage_epochs(epochs, CNN(norm=True), verbose="error")
    numbers = np.arange(60)
    request = make_request(night, Settings(target="N2", baseline="zero", precision="mean", n_steps=2))
    precise, _ = sums_by(request, numbers, precision="epoch", quadrature="graded", n_steps=72)
    draws = [sums_by(request, numbers, seed=seed) for seed in range(24)]
    kept = np.abs(precise).mean(axis=0) > 1e-3 * np.abs(precise).mean(axis=0).max()
    return precise[:, kept], np.stack([own[:, kept] for own, _ in draws]), np.stack([own[:, kept] for _, own in draws])


@pytest.mark.slow
def test_means_over_seeds_are_the_precise_ones(population):
    precise, drawn_sums, _ = population
    off = drawn_sums.mean(axis=1) - precise.mean(axis=0)
    z = off.mean(axis=0) / (off.std(axis=0, ddof=1) / np.sqrt(len(off)))
    assert np.abs(z).max() < 4


@pytest.mark.slow
def test_intervals_hold_the_mean_in_nineteen_of_twenty_cases(population):
    """Of a population of epochs, for samples of them; and, by the error alone, of the sample itself."""
    precise, drawn_sums, errors = population
    rng, n = np.random.default_rng(0), 40
    over_epochs, of_these = [], []
    for _ in range(400):
        chosen, seeds = rng.choice(len(precise), n), rng.integers(len(drawn_sums), size=n)
        values, error = drawn_sums[seeds, chosen], errors[seeds, chosen]
        low, high = mean_interval(values, np.arange(n), guarded=True)
        over_epochs.append((low <= precise.mean(axis=0)) & (precise.mean(axis=0) <= high))
        missed = np.abs(values.mean(axis=0) - precise[chosen].mean(axis=0))
        of_these.append(missed <= mean_error(error, np.ones(n), drawn=True))
    assert np.mean(over_epochs) >= 0.93
    assert np.mean(of_these) >= 0.93
