"""Theorems about the interval of a mean: how often it holds the truth, and what it does not depend on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from eegflex.results.intervals import carried, mean_interval, median_interval

#: Epochs of 20 bouts of a night, from 1 to 20 long.
LENGTHS = (1, 6, 3, 12, 1, 2, 8, 5, 20, 4, 1, 7, 3, 10, 2, 6, 15, 4, 9, 1)


def alone(n):
    return np.arange(n)


def covered(low, high, truth):
    return float(((low <= truth) & (truth <= high)).mean())


def correlated(rng, n_nights, rho, lengths=LENGTHS):
    """Values of neighbours in a bout are correlated by rho, bouts are independent; mean 0, shape (n_epochs, n_nights)."""
    bouts = []
    for length in lengths:
        noise = rng.standard_normal((length, n_nights))
        for row in range(1, length):
            noise[row] = rho * noise[row - 1] + np.sqrt(1 - rho**2) * noise[row]
        bouts.append(noise)
    return np.concatenate(bouts)


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, shape: rng.standard_normal(shape), 0.0),
        (lambda rng, shape: rng.exponential(size=shape), 1.0),
        (lambda rng, shape: -rng.exponential(size=shape), -1.0),
        (lambda rng, shape: rng.lognormal(0, 0.5, shape), np.exp(0.125)),
        (lambda rng, shape: rng.chisquare(1, shape), 1.0),
    ],
    ids=["normal", "exponential", "mirrored", "lognormal", "chi-square"],
)
def test_of_twenty_independent_epochs_it_holds_the_mean_in_95_percent(draw, truth):
    low, high = mean_interval(draw(np.random.default_rng(0), (20, 8000)), alone(20))
    assert 0.92 <= covered(low, high, truth) <= 0.98


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_of_epochs_that_are_like_their_neighbours_too(rho):
    values = correlated(np.random.default_rng(1), 4000, rho)
    bouts = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    assert 0.90 <= covered(*mean_interval(values, bouts), 0.0) <= 0.98
    # Were each epoch taken for an independent one, the interval would be worth little.
    naive = covered(*mean_interval(values, alone(len(values))), 0.0)
    assert naive < 0.75 if rho else naive > 0.92


def test_of_symmetric_values_it_is_students():
    values = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])[:, None]
    low, high = mean_interval(values, alone(5))
    expected = stats.t.interval(0.95, 4, loc=0, scale=values.std(ddof=1) / np.sqrt(5))
    np.testing.assert_allclose([low[0], high[0]], expected)


def test_halls_transformation_takes_its_ends_to_students_quantiles():
    values = np.array([0.0, 0.1, 0.4, 0.8, 2.5, 6.0])
    n, deviations = len(values), values - values.mean()
    gamma = (deviations**3).mean() / values.std() ** 3
    ends = np.ravel(mean_interval(values[:, None], alone(n)))
    t = (values.mean() - ends) / (values.std(ddof=1) / np.sqrt(n))
    transformed = t + gamma * t**2 / (3 * np.sqrt(n)) + gamma**2 * t**3 / (27 * n) + gamma / (6 * np.sqrt(n))
    np.testing.assert_allclose(transformed, stats.t.ppf([0.975, 0.025], n - 1))


def test_of_bouts_of_one_length_it_is_that_of_their_means():
    values = np.random.default_rng(2).exponential(size=(12, 5))
    bouts = np.repeat([2, 0, 3, 1], 3)
    means = np.stack([values[bouts == bout].mean(axis=0) for bout in range(4)])
    np.testing.assert_allclose(mean_interval(values, bouts), mean_interval(means, alone(4)))


def test_epochs_that_say_the_same_add_nothing():
    values = np.random.default_rng(3).exponential(size=(6, 4))
    repeated = mean_interval(np.repeat(values, 10, axis=0), np.repeat(np.arange(6), 10))
    np.testing.assert_allclose(repeated, mean_interval(values, alone(6)))


def test_it_follows_shift_scale_and_mirror_and_no_order():
    rng = np.random.default_rng(4)
    values, bouts = rng.exponential(size=(30, 3)), np.sort(rng.integers(0, 8, 30))
    low, high = mean_interval(values, bouts)
    np.testing.assert_allclose(mean_interval(5 + 2 * values, bouts), (5 + 2 * low, 5 + 2 * high))
    np.testing.assert_allclose(mean_interval(-values, bouts), (-high, -low))
    order = rng.permutation(30)
    np.testing.assert_allclose(mean_interval(values[order], bouts[order]), (low, high))
    assert (low < values.mean(axis=0)).all()
    assert (values.mean(axis=0) < high).all()


def test_of_skewed_values_it_reaches_further_to_the_long_side():
    values = np.array([0.0, 0.1, 0.2, 0.3, 5.0])[:, None]
    low, high = mean_interval(values, alone(5))
    assert high - values.mean() > 1.5 * (values.mean() - low)


def test_one_bout_tells_nothing_and_no_scatter_leaves_none():
    assert np.isnan(mean_interval(np.arange(4.0)[:, None], np.zeros(4, dtype=int))).all()
    assert np.isnan(mean_interval(np.ones((1, 2)), np.zeros(1, dtype=int))).all()
    np.testing.assert_allclose(mean_interval(np.full((4, 2), 3.0), alone(4)), 3.0)


# Of a median.


@pytest.mark.parametrize("n", [6, 9, 20, 250])
def test_of_independent_epochs_it_is_the_interval_of_the_sign_test(n):
    values = np.random.default_rng(n).permutation(n).astype(float)
    low, high = median_interval(values[:, None], alone(n))
    outside = max(k for k in range(n // 2) if stats.binom.cdf(k, n, 0.5) <= 0.025)
    assert (low, high) == (outside, n - 1 - outside)


def test_of_five_epochs_there_is_none():
    assert all(np.isnan(np.concatenate(median_interval(np.arange(5.0)[:, None], alone(5)))))


def test_no_value_moves_it_by_being_larger_still():
    values = np.r_[np.zeros(8), 0.1 * np.arange(12)]
    told = median_interval(values[:, None], alone(20))
    values[-1] = 1e9
    assert median_interval(values[:, None], alone(20)) == told


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_of_epochs_that_are_like_their_neighbours_it_holds_the_median(rho):
    bouts = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    nights = correlated(np.random.default_rng(2), 500, rho)
    assert 0.90 <= covered(*median_interval(nights, bouts), 0.0) <= 0.995
    if rho:
        assert covered(*median_interval(nights, alone(len(nights))), 0.0) < 0.85


def test_weights_count_as_if_epochs_were_there_so_often():
    """Of the heavier half the median is told, not of all."""
    values = np.r_[np.linspace(0, 1, 12), np.linspace(10, 11, 12)]
    low, high = median_interval(values[:, None], alone(24), np.r_[np.full(12, 1.0), np.full(12, 9.0)])
    assert 10 <= low < high <= 11


def test_six_blocks_of_epochs_that_are_all_alike_have_one_and_five_have_none():
    for n_blocks, is_known in ((6, True), (5, False)):
        blocks = np.repeat(np.arange(n_blocks), 7)
        low, high = median_interval((1.0 + blocks)[:, None], blocks)
        assert np.isfinite(low[0]) == np.isfinite(high[0]) == is_known
        if is_known:
            assert (low[0], high[0]) == (1.0, 6.0)


def test_the_interval_of_a_median_holds_it_and_is_that_of_the_binomial_for_independent_epochs():
    from scipy.stats import binom

    values = np.random.default_rng(3).standard_normal((200, 1))
    low, high = median_interval(values, np.arange(200))
    ordered = np.sort(values[:, 0])
    assert low < np.median(values) < high
    for end, share in ((low, 0.025), (high, 0.975)):
        assert abs(np.searchsorted(ordered, end[0]) - binom.ppf(share, 200, 0.5)) <= 2


def test_alike_epochs_of_a_block_count_little():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal(12), 20)[:, None]
    alone, together = (
        np.ptp(median_interval(values, blocks), axis=0) for blocks in (np.arange(240), np.arange(240) // 20)
    )
    assert together > 2 * alone


def test_of_too_few_epochs_or_one_block_there_is_no_interval():
    values = np.arange(20.0)[:, None]
    assert np.isnan(median_interval(values, np.zeros(20, dtype=int))).all()
    assert np.isnan(median_interval(values[:5], np.arange(5))).all()
    assert np.isfinite(median_interval(values[:6], np.arange(6))).all()


def test_the_interval_of_a_median_holds_the_true_one_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        low, high = median_interval(np.exp(rng.standard_normal((20, 1))), np.arange(20))
        held += low[0] <= 1 <= high[0]
    assert 0.92 <= held / 300 <= 0.995


def test_weights_move_the_interval():
    values = np.concatenate([np.zeros(30), np.ones(30)])[:, None] + np.linspace(0, 0.1, 60)[:, None]
    weights = np.repeat([1.0, 9.0], 30)
    low, _ = median_interval(values, np.arange(60), weights)
    assert low[0] > 0.9
    assert median_interval(values, np.arange(60))[0][0] < 0.2


def test_a_mean_that_few_values_carry_is_told_from_one_that_is_only_skewed():
    """Of infinite variance, intervals of a mean do not hold it, and most samples are told; exponential ones are not."""
    rng = np.random.default_rng(0)
    sizes, draws = (
        (20, 40, 100),
        {
            "normal": (lambda size: rng.standard_normal(size), 0.0),
            "exponential": (lambda size: rng.exponential(size=size), 1.0),
            "infinite variance": (lambda size: rng.pareto(1.2, size), 5.0),
        },
    )
    told, held = {}, {}
    for (name, (draw, mean)), n in product(draws.items(), sizes):
        values = draw((n, 2000))
        low, high = mean_interval(values, alone(n), guarded=True)
        told[name, n], held[name, n] = (carried(values)[1] < 1).mean(), ((low <= mean) & (mean <= high)).mean()
    assert max(told["normal", n] for n in sizes) == 0
    assert max(told["exponential", n] for n in sizes) < 0.1
    assert min(held[name, n] for name in ("normal", "exponential") for n in sizes) > 0.93
    assert max(held["infinite variance", n] for n in sizes) < 0.8
    assert told["infinite variance", 40] > 0.6
    assert told["infinite variance", 100] > 0.75
