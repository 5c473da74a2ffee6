"""Rules on [0, 1]: exactness, sums, and where their nodes are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegflex.attribution.quadrature import FixedNodes, gauss_legendre, graded, make_rule, riemann
from eegflex.errors import ParameterError

RULES = [gauss_legendre(7), graded(3, 5), riemann(10, "left"), riemann(10, "middle"), riemann(10, "right")]


@pytest.mark.parametrize("rule", RULES)
def test_weights_sum_to_one_and_nodes_lie_inside(rule):
    assert rule.weights.sum() == pytest.approx(1, abs=1e-14)
    assert rule.nodes.dtype == rule.weights.dtype == np.float64
    assert (rule.nodes >= 0).all()
    assert (rule.nodes <= 1).all()


@given(n=st.integers(1, 12), coefficients=st.lists(st.floats(-3, 3), min_size=1, max_size=24))
def test_gauss_legendre_integrates_polynomials_of_degree_below_2n(n, coefficients):
    coefficients = coefficients[: 2 * n]
    exact = sum(c / (k + 1) for k, c in enumerate(coefficients))
    rule = gauss_legendre(n)
    assert rule.weights @ np.polynomial.polynomial.polyval(rule.nodes, coefficients) == pytest.approx(exact, abs=1e-12)


def test_graded_nodes_gather_at_zero_where_a_logarithm_changes():
    def slope(a, floor=1e-6):  # of log(a**2 + floor), as a network's response to a signal that shrinks
        return 2 * a / (a**2 + floor)

    exact = np.log(1 + 1e-6) - np.log(1e-6)
    even, near = gauss_legendre(33), graded(3, 10)
    assert len(near) == 33
    errors = [abs(rule.weights @ slope(rule.nodes) - exact) for rule in (even, near)]
    assert errors[1] < errors[0] / 4


def test_graded_intervals_halve():
    rule = graded(1, 3)
    np.testing.assert_allclose(rule.nodes, [1 / 16, 3 / 16, 3 / 8, 3 / 4])
    np.testing.assert_allclose(rule.weights, [1 / 8, 1 / 8, 1 / 4, 1 / 2])


DEFAULTS = {"graded": 72, "gauss-legendre": 50, "riemann-left": 50, "riemann-middle": 50, "riemann-right": 50}


@pytest.mark.parametrize("name", DEFAULTS)
def test_rules_by_name(name):
    assert len(make_rule(name)) == DEFAULTS[name]
    for n_steps in (1, 2, 18):
        assert len(make_rule(name, n_steps)) == n_steps


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("riemann-left", [0, 1 / 4, 2 / 4, 3 / 4]),
        ("riemann-middle", [1 / 8, 3 / 8, 5 / 8, 7 / 8]),
        ("riemann-right", [1 / 4, 2 / 4, 3 / 4, 1]),
        ("graded", [1 / 16, 3 / 16, 3 / 8, 3 / 4]),  # one node on each of as many intervals as there are nodes
        ("gauss-legendre", [0.0694318442, 0.3300094782, 0.6699905218, 0.9305681558]),
    ],
)
def test_four_nodes_of_each_rule(name, nodes):
    np.testing.assert_allclose(make_rule(name, 4).nodes, nodes, atol=1e-10)


@pytest.mark.parametrize(("n_steps", "each"), [(9, 1), (17, 1), (18, 2), (72, 8), (80, 8)])
def test_graded_nodes_are_alike_on_nine_intervals(n_steps, each):
    edges = [0, *(2.0**-level for level in range(8, -1, -1))]
    rule = make_rule("graded", n_steps)
    assert np.histogram(rule.nodes, edges)[0].tolist() == [each] * 9
    for low, high in itertools.pairwise(edges):
        assert rule.weights[(low < rule.nodes) & (rule.nodes < high)].sum() == pytest.approx(high - low)


def test_a_fixed_rule_asks_once_and_estimates_nothing():
    rule = gauss_legendre(3)
    nodes = FixedNodes(rule)
    assert nodes.nodes is rule.nodes
    assert nodes.weights is rule.weights
    assert np.isnan(nodes.error)
    assert not nodes.advance(np.ones((3, 1, 1)), np.ones((3, 1)), np.zeros(1))


@pytest.mark.parametrize(("name", "n_steps"), [("simpson", None), ("graded", 0), ("graded", 2.5), ("graded", True)])
def test_what_is_no_rule_is_refused(name, n_steps):
    with pytest.raises(ParameterError):
        make_rule(name, n_steps)
