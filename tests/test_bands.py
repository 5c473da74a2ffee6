"""Bands: half open, without overlap, and with the rest they make the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eegflex import Bands
from eegflex.errors import ParameterError


def test_the_bands_of_sleep():
    assert dict(Bands()) == {
        "delta": (0.5, 4.0),
        "theta": (4.0, 8.0),
        "alpha": (8.0, 12.0),
        "sigma": (12.0, 16.0),
        "beta": (16.0, 30.0),
    }
    assert Bands().names[-2:] == ("below", "above")


@given(n_times=st.integers(2, 4000), sfreq=st.floats(20, 600))
def test_every_frequency_is_in_exactly_one_band(n_times, sfreq):
    masks = Bands().masks(np.fft.rfftfreq(n_times, 1 / sfreq))
    assert (masks.sum(axis=0) == 1).all()


def test_edges_belong_to_the_upper_band():
    masks = Bands().masks([0.5, 4.0, 8.0, 12.0, 16.0, 30.0])
    assert [Bands().names[i] for i in masks.argmax(axis=0)] == ["delta", "theta", "alpha", "sigma", "beta", "above"]


def test_885_bins_of_a_30_s_epoch():
    freqs = np.fft.rfftfreq(3000, 1 / 100)
    assert Bands().masks(freqs)[:5].sum() == 885


def test_sums_add_up_to_the_whole():
    values = np.random.default_rng(0).standard_normal((3, 2, 1501))
    sums = Bands().sum(values, np.fft.rfftfreq(3000, 1 / 100))
    assert sums.shape == (3, 2, 7)
    np.testing.assert_allclose(sums.sum(-1), values.sum(-1), atol=1e-10)


@pytest.mark.parametrize(
    "edges",
    [
        {"below": (1, 2)},
        {"above": (1, 2)},
        {"between": (1, 2)},
        {"a": (2, 1)},
        {"a": (-1, 1)},
        {"a": (1, 3), "b": (2, 4)},
        {"a": (1, 2), "b": (1, 2)},
    ],
)
def test_what_is_no_set_of_bands_is_refused(edges):
    with pytest.raises(ParameterError):
        Bands(edges)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), min_size=1, max_size=5))
def test_bands_are_refused_exactly_where_they_overlap(parts):
    """In whatever order they are given; neighbours that share an edge do not."""
    edges = {f"band {i}": (low, low + width) for i, (low, width) in enumerate(parts)}
    taken = [tenth for low, high in edges.values() for tenth in range(10 * low, 10 * high)]
    if len(taken) == len(set(taken)):
        assert dict(Bands(edges)) == edges
        lowest, highest = min(low for low, _ in edges.values()), max(high for _, high in edges.values())
        between = ("between",) if len(taken) < 10 * (highest - lowest) else ()
        assert Bands(edges).names == (*edges, "below", *between, "above")
        freqs = np.arange(0, 20, 0.1)
        masks = dict(zip(Bands(edges).names, Bands(edges).masks(freqs), strict=True))
        assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()
        assert freqs[masks["below"]].size == 10 * lowest
        assert (freqs[masks["above"]] > highest - 0.01).all()
    else:
        with pytest.raises(ParameterError, match="overlap"):
            Bands(edges)


def test_sums_by_hand():
    values, freqs = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, -8.0]], [0.5, 1.0, 2.0, 3.0]
    assert Bands({"high": (2, 9), "low": (0.5, 2)}).sum(values, freqs).tolist() == [[7, 3, 0, 0], [-1, 11, 0, 0]]
    assert Bands({"low": (0.5, 2)}).sum(values, freqs).tolist() == [[3, 0, 7], [11, 0, -1]]
    assert Bands({}).sum(values, freqs).tolist() == [[0, 10], [0, 10]]


def test_what_lies_below_between_and_above_by_hand():
    bands = Bands({"fast": (4, 5), "slow": (1, 2)})
    assert bands.names == ("fast", "slow", "below", "between", "above")
    assert bands.sum([1, 2, 4, 8, 16, 32], [0, 1, 2, 3.9, 4, 5]).tolist() == [16, 2, 1, 12, 32]


def test_bands_are_cut_to_a_range_or_refused():
    bands = Bands({"slow": (0.1, 1), "mid": (1, 4), "fast": (20, 40)})
    cut, names = bands.within(0.3, 35)
    assert dict(cut) == {"slow": (0.3, 1), "mid": (1, 4), "fast": (20, 35)}
    assert names == ("slow", "fast")
    assert bands.within(0, 40) == (bands, ())
    for low, high in ((1, 50), (0, 20)):  # half open: a band that begins where the range ends is not in it
        with pytest.raises(ParameterError, match="wholly outside"):
            bands.within(low, high)


def test_they_cannot_be_changed():
    with pytest.raises(TypeError):
        Bands()["delta"] = (0, 1)
