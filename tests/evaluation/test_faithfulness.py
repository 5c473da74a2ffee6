"""Insertion and deletion of frequencies: theorems about models whose right order is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from models import Linear, Sinusoid

from eegflex.bands import Bands
from eegflex.evaluation.faithfulness import (
    Curves,
    between,
    bootstrap,
    counts_of,
    frequency_groups,
    insertion_and_deletion,
    order_by,
    spread_over,
    sum_by_group,
    with_sign,
)

SFREQ, N_TIMES, N_CHANNELS = 16.0, 160, 2
FREQS = np.fft.rfftfreq(N_TIMES, 1 / SFREQ)
GROUPS = frequency_groups(FREQS, N_CHANNELS)
RNG = np.random.default_rng(0)
END, OTHER = torch.from_numpy(RNG.standard_normal((2, N_CHANNELS, N_TIMES)))
SILENCE = torch.zeros_like(END)
BASELINES = {"silence": SILENCE, "other phases and magnitudes": OTHER, "half of it": END / 2}
WEIGHT = torch.from_numpy(RNG.standard_normal((N_CHANNELS, N_TIMES)))


def linear(signals):
    """A score that is a sum over groups, some of which raise it and some of which lower it."""
    return (signals * WEIGHT).sum((1, 2)).numpy()


def what_groups_add(begin, end=END):
    """Of a linear score, one group at a time: no attribution takes part."""
    n_groups = GROUPS.max() + 1
    one = between(begin, end, GROUPS, np.eye(n_groups, dtype=bool))
    return linear(one) - linear(begin[None])


def area(score, begin, order, end=END, n_points=1000):
    (curves,) = insertion_and_deletion(score, begin, end, GROUPS, [order], n_points)
    return curves.area


def test_groups_are_1_hz_of_a_channel_and_every_bin_is_in_one():
    assert GROUPS.shape == (N_CHANNELS, len(FREQS))
    for channel, (k, own) in itertools.product(range(N_CHANNELS), enumerate(range(9))):
        inside = (own <= FREQS) & (own + 1 > FREQS)
        assert (np.flatnonzero(GROUPS[channel] == channel * 9 + k) == np.flatnonzero(inside)).all()


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 256 / 3])
def test_groups_keep_their_edges_at_odd_rates_and_can_be_wider(sfreq):
    freqs = np.fft.rfftfreq(round(30 * sfreq), 1 / sfreq)
    groups = frequency_groups(freqs, 1, width=4.0)[0]
    edges = freqs[np.flatnonzero(np.diff(groups)) + 1]
    assert np.allclose(edges, 4.0 * np.arange(1, len(edges) + 1), atol=1e-6)


def test_sums_by_group_are_those_of_its_bins():
    values = RNG.standard_normal(GROUPS.shape)
    sums = sum_by_group(values, GROUPS)
    assert np.allclose(sums[9 + 3], values[1, (FREQS >= 3) & (FREQS < 4)].sum())
    assert np.isclose(sums.sum(), values.sum())


def test_what_is_spread_over_bands_has_their_sums():
    masks = Bands().masks(FREQS)
    sums = RNG.standard_normal((N_CHANNELS, len(masks))) * masks.any(axis=1)
    values = spread_over(sums, masks)
    assert np.allclose(Bands().sum(values, FREQS), sums)
    alpha = masks[list(Bands().names).index("alpha")]
    assert np.ptp(values[0, alpha]) == 0


@pytest.mark.parametrize("name", BASELINES)
def test_the_ends_are_the_baseline_and_the_epoch_to_the_bit(name):
    every = np.array([[False], [True]]).repeat(GROUPS.max() + 1, axis=1)
    begin, end = between(BASELINES[name].float(), END.float(), GROUPS, every)
    assert torch.equal(begin, BASELINES[name].float())
    assert torch.equal(end, END.float())


def test_a_group_as_recorded_has_the_spectrum_of_the_epoch_and_the_others_that_of_the_baseline():
    present = RNG.random((1, GROUPS.max() + 1)) < 0.5
    found = torch.fft.rfft(between(OTHER, END, GROUPS, present)[0]).numpy()
    spectra = np.fft.rfft(END.numpy()), np.fft.rfft(OTHER.numpy())
    assert np.allclose(found, np.where(present[0][GROUPS], *spectra))


def test_with_a_baseline_of_the_same_phases_only_magnitudes_change():
    quieter = torch.fft.irfft(0.3 * torch.fft.rfft(END), n=N_TIMES)
    present = RNG.random((1, GROUPS.max() + 1)) < 0.5
    found = np.fft.rfft(between(quieter, END, GROUPS, present)[0].numpy())
    own = np.fft.rfft(END.numpy())
    assert np.allclose(np.angle(found[:, 1:-1]), np.angle(own[:, 1:-1]))
    assert np.allclose(np.abs(found), np.where(present[0][GROUPS], 1.0, 0.3) * np.abs(own))


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("sign", [1, -1])
def test_of_a_sum_no_order_has_a_larger_area_than_the_true_one(name, sign):
    """Whether the epoch raises the answer or lowers it: both signs of the score are tried."""
    begin, added = BASELINES[name], sign * what_groups_add(BASELINES[name])

    def score(signals):
        return sign * linear(signals)

    best = area(score, begin, order_by(added))
    others = [area(score, begin, RNG.permutation(len(added))) for _ in range(50)]
    assert best > max(others)
    assert best > 0
    swapped = order_by(added)
    swapped[[3, 4]] = swapped[[4, 3]]  # the smallest of errors is seen
    assert area(score, begin, swapped) < best
    exact = 2 * (np.sort(added) * (np.arange(len(added)) + 0.5)).sum() / len(added) - added.sum()
    assert np.isclose(best, exact)


def test_ordering_by_size_alone_is_worse_where_groups_lower_the_answer():
    added = what_groups_add(SILENCE)
    assert (added < 0).any()
    assert area(linear, SILENCE, order_by(np.abs(added))) < area(linear, SILENCE, order_by(added))


def log_power(signals):
    """Not a sum: power at 2 and 5 Hz, which saturates, less that at 3 Hz."""
    model = Sinusoid([20, 50, 30], N_TIMES)
    at = model(100 * signals.float()).double().numpy()
    return at[:, 0] + at[:, 1] - at[:, 2]


@pytest.mark.parametrize("n_points", [15, 16, 1000])
@pytest.mark.parametrize("name", BASELINES)
def test_the_reverse_of_an_order_has_the_negative_area(name, n_points):
    order = RNG.permutation(GROUPS.max() + 1)
    forth = area(log_power, BASELINES[name], order, n_points=n_points)
    assert np.isclose(area(log_power, BASELINES[name], order[::-1], n_points=n_points), -forth)


def test_orders_at_random_have_no_area_on_average():
    orders = [RNG.permutation(GROUPS.max() + 1) for _ in range(300)]
    areas = np.array([one.area for one in insertion_and_deletion(log_power, SILENCE, END, GROUPS, orders)])
    assert abs(areas.mean()) < 3 * areas.std() / np.sqrt(len(areas))
    assert areas.std() > 0


def test_what_decides_is_seen_at_once():
    """A model that reads 5 Hz of the second channel and nothing else: one group is all."""
    model = Sinusoid([50], N_TIMES)

    def score(signals):
        return model(signals[:, 1:].float())[:, 0].numpy()

    first, last = np.zeros(GROUPS.max() + 1), np.zeros(GROUPS.max() + 1)
    first[9 + 5], last[9 + 5] = 1, -1
    whole = float(score(END[None])[0])
    n_groups = len(first)
    assert np.isclose(area(score, SILENCE, order_by(first)), whole * (n_groups - 1) / n_groups, rtol=1e-4)
    assert np.isclose(area(score, SILENCE, order_by(last)), -whole * (n_groups - 1) / n_groups, rtol=1e-4)


def test_what_has_no_sign_takes_that_of_the_change():
    power = np.array([3.0, 1.0, 2.0])
    assert order_by(with_sign(power, 0.1)).tolist() == [0, 2, 1]
    assert order_by(with_sign(power, -0.1)).tolist() == [1, 2, 0]
    # a quiet epoch of what loud ones are not: its largest group lowers the answer most
    loud = torch.stack([3 * END[0], END[1]])

    def score(signals):
        return -signals.square().sum((1, 2)).numpy()

    sizes = sum_by_group(np.abs(np.fft.rfft(loud.numpy())) ** 2, GROUPS)
    change = float(score(loud[None])[0])
    assert change < 0
    assert area(score, SILENCE, order_by(with_sign(sizes, change)), end=loud) > 0
    assert area(score, SILENCE, order_by(sizes), end=loud) < 0


@pytest.mark.parametrize(("n_groups", "n_points"), [(86, 15), (102, 15), (7, 15), (1, 15), (86, 2), (19, 10)])
def test_points_are_the_same_from_either_end_and_hold_both(n_groups, n_points):
    counts = counts_of(n_groups, n_points)
    assert counts[0] == 0
    assert counts[-1] == n_groups
    assert (np.sort(n_groups - counts) == counts).all()
    assert len(counts) <= n_points + 1


def test_each_variant_is_scored_once():
    seen = []

    def score(signals):
        seen.append(len(signals))
        return linear(signals)

    order = RNG.permutation(GROUPS.max() + 1)
    one, same = insertion_and_deletion(score, SILENCE, END, GROUPS, [order, order])
    assert len(seen) == 1
    assert seen[0] == 2 * len(one.shares) - 2  # both ends are of both curves
    assert np.array_equal(one.insertion, same.insertion)


def test_few_points_tell_nearly_the_whole_area():
    order = order_by(what_groups_add(SILENCE))
    dense, few = (area(linear, SILENCE, order, n_points=n) for n in (1000, 15))
    assert abs(few - dense) < 0.1 * dense


def test_a_float32_model_is_given_float32():
    model = Linear(N_CHANNELS, N_TIMES)

    def score(signals):
        with torch.no_grad():
            return model(signals)[:, 0].numpy()

    (curves,) = insertion_and_deletion(score, SILENCE.float(), END.float(), GROUPS, [np.arange(GROUPS.max() + 1)])
    assert np.isclose(curves.insertion[-1], curves.deletion[0])


def test_the_area_is_that_between_the_curves():
    assert Curves(np.array([0, 0.5, 1]), np.array([0, 1, 1.0]), np.array([1, 0, 0.0])).area == 0.5


def test_a_bootstrap_holds_the_mean_as_often_as_it_says():
    means = RNG.exponential(size=(400, 40))
    held = [one.low <= 1 <= one.high for one in (bootstrap(own, seed=i) for i, own in enumerate(means))]
    assert 0.89 <= np.mean(held) <= 0.98
    assert bootstrap([1.0, np.nan, 3.0]).mean == 2


def test_epochs_that_are_alike_are_drawn_together():
    values = np.repeat(RNG.standard_normal(10), 5)
    alone, together = bootstrap(values), bootstrap(values, np.repeat(np.arange(10), 5))
    assert together.high - together.low > 1.8 * (alone.high - alone.low)
    assert np.isnan(bootstrap([]).mean)


def test_a_difference_of_pairs_is_told_where_two_intervals_overlap():
    level = 10 * RNG.standard_normal(40)
    one, other = level + 1 + 0.1 * RNG.standard_normal(40), level
    assert bootstrap(one).low < bootstrap(other).high
    assert bootstrap(one - other).differs
    assert not bootstrap(one - one[::-1]).differs
