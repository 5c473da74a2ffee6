"""The adaptive quadrature: as exact as asked, no dearer than needed, and honest where it stops."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from attribution_helpers import explain, noise_epochs, view
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Smooth, Steep

from eegflex import Bands
from eegflex.attribution.adaptive import N_FIRST, AdaptiveNodes
from eegflex.errors import ParameterError
from eegflex.evaluation.evidence import Evidence
from eegflex.evaluation.exactness import convergence


def bands(result):
    data = result.to_xarray()
    return Bands().sum(data["frequency_view"].values, data["freq"].values)


FROM_SILENCE, ALIKE = np.array([[0.0], [1.0]]), np.ones((2, 1))


def integrate(rate, score, tol, max_evals=2000, sizes=FROM_SILENCE, negligible=0.0):
    """Let the nodes find their way over known functions: rate(a), shape (n, targets, parts), and its integral score(a)."""
    nodes = AdaptiveNodes(tol, max_evals, sizes=sizes, negligible=negligible)
    while nodes.advance(rate(nodes.nodes), score(nodes.nodes), score(np.zeros(1))[0]):
        pass
    return nodes, np.einsum("n,nkp->kp", nodes.weights, rate(nodes.nodes))


def jumps(places, heights):
    """An integrand that jumps, one row of heights a jump and one column a part, and the score it adds up to."""
    places, heights = np.array(places), np.array(heights)

    def rate(a):
        return ((a[:, None] >= places)[..., None] * heights).sum(axis=1)[:, None] + 1.0

    def score(a):
        return (np.maximum(a[:, None] - places, 0.0) * heights.sum(axis=1)).sum(axis=1)[:, None] + heights.shape[1] * a[
            :, None
        ]

    exact = ((1 - places)[:, None] * heights).sum(axis=0) + 1.0
    return rate, score, exact


@settings(max_examples=60)
@given(st.data())
def test_jumps_anywhere_are_found(data):
    n = data.draw(st.integers(1, 12))
    places = data.draw(st.lists(st.floats(0.001, 0.999), min_size=n, max_size=n))
    heights = data.draw(st.lists(st.lists(st.floats(-2, 2), min_size=4, max_size=4), min_size=n, max_size=n))
    rate, score, exact = jumps(places, heights)
    nodes, integral = integrate(rate, score, tol=0.01)
    # The estimate is a statistical one: it holds for most paths, and is never far off.
    assert np.abs(integral[0] - exact).sum() <= 3 * max(nodes.error, 0.01) * np.abs(integral).sum()


def test_smooth_integrands_need_few_nodes():
    def rate(a):
        return np.stack([np.exp(a), np.cos(3 * a), a**2], axis=-1)[:, None]

    def score(a):
        return (np.exp(a) - 1 + np.sin(3 * a) / 3 + a**3 / 3)[:, None]

    nodes, integral = integrate(rate, score, tol=0.05, sizes=ALIKE)
    assert len(nodes.nodes) == N_FIRST
    np.testing.assert_allclose(integral[0], [np.e - 1, np.sin(3) / 3, 1 / 3], atol=5e-3)


@pytest.mark.parametrize("sizes", [FROM_SILENCE, ALIKE])
def test_weights_sum_to_one_and_nodes_are_used_once(sizes):
    rate, score, _ = jumps([0.03, 0.4], [[3, -2], [1, 5]])
    nodes, _ = integrate(rate, score, tol=0.003, sizes=sizes)
    assert nodes.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (nodes.weights > 0).all()
    assert len(np.unique(nodes.nodes)) == len(nodes.nodes) > N_FIRST
    assert nodes.nodes.max() == 1.0


@pytest.mark.parametrize("sizes", [FROM_SILENCE, ALIKE, [[1.0, 0.1], [0.02, 5.0]]])
@pytest.mark.parametrize("end", [1e-5, 0.03, 0.25, 0.77, 1.0])
def test_of_a_line_every_part_of_the_path_is_exact(sizes, end):
    rate, score = (lambda a: (3 - 2 * a)[:, None, None], lambda a: (3 * a - a**2)[:, None])
    nodes = AdaptiveNodes(0.1, 20, sizes=np.array(sizes))
    assert not nodes.advance(rate(nodes.nodes), score(nodes.nodes), np.zeros(1))
    np.testing.assert_allclose(
        nodes.weights_below(end) @ rate(nodes.nodes)[:, 0, 0], score(np.array([end]))[0, 0], rtol=1e-12
    )


def test_nodes_are_where_the_signal_changes_relative_to_its_size():
    """Between ends that are alike, evenly; else towards the smaller end, as many below a part as that is small."""
    even = (np.arange(N_FIRST) + 0.5) / (N_FIRST - 0.5)
    for alike in (ALIKE, 1e-9 * np.array(ALIKE), np.zeros((2, 3))):
        np.testing.assert_allclose(AdaptiveNodes(0.02, 99, sizes=np.array(alike)).nodes, even, atol=1e-3)
    below = [
        (AdaptiveNodes(0.02, 99, sizes=np.array([[begin], [1.0]])).nodes < 0.1).sum()
        for begin in (1, 0.1, 0.01, 0.001, 0)
    ]
    assert (np.diff(below) >= 0).all()
    assert below[0] == 1
    assert below[-1] >= N_FIRST // 2 - 1
    towards, away = (AdaptiveNodes(0.02, 99, sizes=np.array(ends)).nodes for ends in ([[1], [0.02]], [[0.02], [1]]))
    assert ((1 - towards) < 0.2).sum() > ((1 - even) < 0.2).sum()
    assert (away < 0.2).sum() > (even < 0.2).sum()


@given(st.integers(1, 3), st.integers(1, 3), st.floats(0, 1e-3), st.integers(0, 2**16))
def test_the_estimate_is_never_less_than_twice_what_is_missing(n_targets, n_parts, precision, seed):
    """Of the change of the score of any target, relative to its parts, but for what is rounding: whatever it is told."""
    rng = np.random.default_rng(seed)
    nodes = AdaptiveNodes(1e-9, 60, precision)
    told, scores, baseline = np.empty((0, n_targets, n_parts)), np.empty((0, n_targets)), rng.normal(size=n_targets)
    more = True
    while more:
        new = len(nodes.nodes) - len(told)
        told = np.concatenate([told, rng.normal(size=(new, n_targets, n_parts))])
        scores = np.concatenate([scores, rng.normal(size=(new, n_targets))])
        more = nodes.advance(told, scores, baseline)
    assert 58 < len(nodes.weights) <= 60
    parts = sum(weight * rates for weight, rates in zip(nodes.weights, told, strict=True))
    (last,) = np.flatnonzero(nodes.nodes == 1.0)
    for target in range(n_targets):
        rounding = 8 * precision * np.abs(scores[:, target]).max()
        missing = abs(parts[target].sum() - (scores[last, target] - baseline[target])) - rounding
        assert nodes.error >= 2 * missing / np.abs(parts[target]).sum() - 1e-9


def judged(*, of="error", before=0.0, middle=0.0, bump=0.0, parts=2):
    """What is estimated of parts of rate 1 between ends that are alike, at 1/15, 3/15, ..., 1; the score has steps before the
    first node and in the middle, and at 9/15 one part gives more by a bump, and another less.
    """
    nodes = AdaptiveNodes(0.02, N_FIRST, 1e-15, ALIKE)  # what is less is rounding
    assert nodes.nodes == pytest.approx(np.arange(1, 16, 2) / 15)
    rates = np.ones((N_FIRST, 1, parts))
    rates[4, 0, :2] += [bump, -bump]
    scores = (parts * nodes.nodes + middle * (nodes.nodes > 0.5))[:, None]
    assert not nodes.advance(rates, scores, np.array([-before]))
    return getattr(nodes, of)


# A bump b between nodes 2 / 15 apart: how far its node and the ones beside are from the lines between theirs, squared, by what
# is expected of a path of roughness 1, half of the distance. Both ends of four stretches tell of these.
ROUGH = 15 * 0.2**2 * np.array([0.25, 1.0, 0.25])
BUMP = np.sqrt((2 / 15) ** 3 / 12 * (ROUGH[0] / 2 + ROUGH[:2].mean() + ROUGH[1:].mean() + ROUGH[2] / 2))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({}, 0.0),
        ({"before": 0.1}, 2.5 * 0.1 / 2),  # a gap counts so much: what it says of all parts, they may miss by more
        ({"middle": 0.1}, 2.5 * 0.1 / 2),
        ({"before": 0.1, "middle": 0.1}, 2.5 * 0.2 / 2),  # all of the path misses what both do
        ({"before": 0.1, "middle": -0.1}, 2.5 * np.hypot(0.1, 0.1) / 2),  # and if that is nothing, as variances are
        ({"bump": 0.2}, 1.4 * 2 * BUMP / 2),  # what the gap does not see, the parts do
        ({"bump": 0.2, "middle": 0.01}, 1.4 * 2 * BUMP / 2),  # the larger of both
    ],
)
def test_the_estimate_by_hand(steps, expected):
    assert judged(**steps) == pytest.approx(expected, abs=1e-10)


def test_a_part_that_differs_little_errs_as_the_others_do():
    """By three quarters of their mean: by chance it differs little."""
    own = BUMP * np.array([1, 1, 0])
    np.testing.assert_allclose(
        judged(of="part_errors", bump=0.2, parts=3)[0], 1.6 * np.hypot(own, 0.75 * own.mean()), rtol=1e-9
    )


def test_out_of_silence_what_is_taken_for_the_stretch_before_the_first_node_may_be_wrong():
    nodes = AdaptiveNodes(0.02, N_FIRST, 1e-15)
    assert not nodes.advance(np.ones((N_FIRST, 1, 2)), 2 * nodes.nodes[:, None], np.zeros(1))
    assert nodes.error == pytest.approx(1.4 * nodes.nodes.min() / 2)


def test_a_hidden_change_of_sign_is_seen_in_the_parts():
    """Two parts that cancel in the score: the gap sees nothing, the band sums do."""
    rate, score, exact = jumps([0.3, 0.7], [[4, -4], [-8, 8]])
    nodes, integral = integrate(rate, score, tol=0.005)
    np.testing.assert_allclose(integral[0], exact, atol=0.01 * np.abs(exact).sum())
    assert len(nodes.nodes) > 2 * N_FIRST


def test_a_jump_next_to_zero_is_found():
    rate, score, exact = jumps([1e-6], [[30.0, -20.0]])
    steep = lambda a: rate(a) + 2e4 * np.exp(-a[:, None, None] / 1e-5)  # noqa: E731
    total = lambda a: score(a) + 2 * 0.2 * (1 - np.exp(-a[:, None] / 1e-5))  # noqa: E731
    nodes, integral = integrate(steep, total, tol=0.001)
    np.testing.assert_allclose(integral[0], exact + 0.2, rtol=0.002)
    assert nodes.nodes.min() < 1e-6


@functools.cache
def nearly_exact(model):
    """Twelve epochs and all stages, by far more nodes than they need."""
    n_steps = {Smooth: 450, Steep: 1800}[model]
    return explain(noise_epochs(n_epochs=12), model(), target="all", quadrature="graded", n_steps=n_steps)


@pytest.mark.slow
@pytest.mark.parametrize("model", [Smooth, Steep])
@pytest.mark.parametrize("tol", [0.05, 0.02, 0.005])
def test_the_band_sums_are_within_what_was_asked(model, tol):
    reference = bands(nearly_exact(model).for_target("N3"))
    result = explain(noise_epochs(n_epochs=12), model(), target="N3", tol=tol)
    error = np.abs(bands(result) - reference).sum((1, 2)) / np.abs(reference).sum((1, 2))
    assert (error <= tol).mean() >= 0.9
    assert (error <= 2 * tol).all()
    assert (result.relative_gap() <= 0.51 * tol).all()
    assert (result.to_xarray()["error"] <= tol).all()


def test_evaluations_are_spent_where_they_are_needed():
    epochs = noise_epochs(n_epochs=6)
    easy, hard = (explain(epochs, m, target="N3").to_xarray()["n_gradients"].values for m in (Smooth(), Steep()))
    assert (easy <= N_FIRST + 2).all()  # one panel halved at most
    assert (hard > N_FIRST + 2).all()
    assert (hard < 120).all()


def test_it_stops_at_max_evals_and_says_how_far_it_came():
    data = explain(noise_epochs(n_epochs=4), Steep(), target="N3", tol=1e-4, max_evals=40).to_xarray()
    assert (data["n_gradients"] <= 40).all()
    assert (data["error"] > 1e-4).all()


def test_no_evaluation_is_spent_on_rounding():
    """A score that hardly depends on the epoch, far from zero: its changes drown in the rounding of float32."""

    class Flat(Smooth):
        def forward(self, x):
            return 1000 + 1e-5 * super().forward(x)

    assert (explain(noise_epochs(n_epochs=3), Flat(), target="N2").to_xarray()["n_gradients"] <= N_FIRST + 2).all()


def test_every_target_is_within_what_was_asked():
    result = explain(noise_epochs(n_epochs=12), Steep(), target="all", tol=0.01)
    for stage in result.stages:
        reference = bands(nearly_exact(Steep).for_target(stage))
        error = np.abs(bands(result.for_target(stage)) - reference).sum((1, 2)) / np.abs(reference).sum((1, 2))
        assert (error <= 0.02).all()


def test_batches_and_neighbours_in_a_chunk_do_not_matter():
    epochs = noise_epochs(n_epochs=5)
    whole = view(explain(epochs, Steep(), target="N3"))
    np.testing.assert_allclose(view(explain(epochs[2:3], Steep(), target="N3")), whole[2:3], atol=1e-6)
    np.testing.assert_allclose(view(explain(epochs, Steep(), target="N3", batch_size=5)), whole, atol=1e-6)


@pytest.mark.parametrize("arguments", [{"n_steps": 50}, {"tol": 0}, {"tol": 2}, {"max_evals": 7}])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ParameterError):
        explain(noise_epochs(), Smooth(), **arguments)


def test_a_score_that_its_parts_do_not_tell_is_an_error_and_no_overflow():
    """A score that changes while nothing is attributed: relative to nothing, the error is beyond all bounds."""
    nodes, integral = integrate(
        lambda a: np.zeros((len(a), 1, 3)), lambda a: np.stack([a**2], axis=1), tol=0.02, max_evals=40
    )
    assert not integral.any()
    assert nodes.error > 1e100
    assert len(nodes.nodes) >= 39


@pytest.mark.parametrize("floors", [(1e-6, 1e-7), (1e-5, 1.0001e-5), (1e-8, 3e-5)])
def test_bands_that_take_turns_near_nothing_are_seen(floors):
    """Logarithms of powers: one band speaks for, another against, each above a floor of its own, and the score hardly moves."""
    floors, signs = np.array(floors), np.array([1.0, -1.0])

    def rate(a):
        return (signs / (a[:, None] + floors))[:, None] + 0.1

    def score(a):
        return (signs * np.log1p(a[:, None] / floors)).sum(axis=1, keepdims=True) + 0.2 * a[:, None]

    exact = signs * np.log1p(1 / floors) + 0.1
    nodes, integral = integrate(rate, score, tol=0.02)
    assert nodes.error <= 0.02
    # Errors that all go one way, over twenty octaves, are more than those that wander: half as much again as was asked.
    assert np.abs(integral[0] - exact).sum() <= 1.5 * 0.02 * np.abs(integral).sum()
    assert len(nodes.nodes) < 150


def test_what_is_negligible_is_as_exact_as_one_of_that_size():
    rate, score, exact = jumps([0.2, 0.45, 0.7], [[3, -2], [-4, 1], [2, 2]])
    total = np.abs(exact).sum()
    nodes, _ = integrate(rate, score, tol=0.005, sizes=ALIKE)
    fewer, integral = integrate(rate, score, tol=0.005, sizes=ALIKE, negligible=20 * total)
    assert N_FIRST <= len(fewer.nodes) < len(nodes.nodes)
    assert fewer.error <= 0.005, "relative to what is negligible"
    assert np.abs(integral[0] - exact).sum() <= 0.005 * 20 * total
    same, _ = integrate(rate, score, tol=0.005, sizes=ALIKE, negligible=total / 2)
    np.testing.assert_array_equal(same.nodes, nodes.nodes, "what is larger is as before")


@pytest.mark.parametrize("target", ["N3", "all"])
def test_an_explanation_of_nearly_nothing_costs_little_and_says_its_error(target):
    def given():
        epochs = noise_epochs(n_epochs=8)
        epochs._data[3] *= 1e-5
        return epochs

    exact = bands(explain(given(), Steep(), target="N3", quadrature="graded", n_steps=144))
    result = explain(given(), Steep(), target=target)
    data = result.to_xarray()
    night = data["night_scores"].values[:, 0]
    limit = 1e-3 * np.sqrt(((night - night.mean(axis=0)) ** 2).mean())
    own = (result.for_target("N3") if target == "all" else result).to_xarray()
    small = own["size"].values[:, 0] < limit
    np.testing.assert_array_equal(small, np.arange(8) == 3)
    assert data["n_gradients"].values[3, 0] == N_FIRST < data["n_gradients"].values[~small].min()
    assert (data["error"].values <= 0.02).all()
    found = bands(result.for_target("N3") if target == "all" else result)
    assert np.abs(found - exact)[3].sum() <= 0.02 * limit
    said = convergence(Evidence.of(result.for_target("N3") if target == "all" else result))
    assert said.status == "ok"
    assert said.values["n_negligible"] == 1
    assert "In 1 the band sums are negligible" in said.measured
