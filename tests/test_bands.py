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
    assert Bands().names[-1] == "rest"


@given(n_times=st.integers(2, 4000), sfreq=st.floats(20, 600))
def test_every_frequency_is_in_exactly_one_band(n_times, sfreq):
    masks = Bands().masks(np.fft.rfftfreq(n_times, 1 / sfreq))
    assert (masks.sum(axis=0) == 1).all()


def test_edges_belong_to_the_upper_band():
    masks = Bands().masks([0.5, 4.0, 8.0, 12.0, 16.0, 30.0])
    assert [Bands().names[i] for i in masks.argmax(axis=0)] == ["delta", "theta", "alpha", "sigma", "beta", "rest"]


def test_885_bins_of_a_30_s_epoch():
    freqs = np.fft.rfftfreq(3000, 1 / 100)
    assert Bands().masks(freqs)[:-1].sum() == 885


def test_sums_add_up_to_the_whole():
    values = np.random.default_rng(0).standard_normal((3, 2, 1501))
    sums = Bands().sum(values, np.fft.rfftfreq(3000, 1 / 100))
    assert sums.shape == (3, 2, 6)
    np.testing.assert_allclose(sums.sum(-1), values.sum(-1), atol=1e-10)


@pytest.mark.parametrize(
    "edges", [{"rest": (1, 2)}, {"a": (2, 1)}, {"a": (-1, 1)}, {"a": (1, 3), "b": (2, 4)}, {"a": (1, 2), "b": (1, 2)}]
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
        assert Bands(edges).names == (*edges, "rest")
    else:
        with pytest.raises(ParameterError, match="overlap"):
            Bands(edges)


def test_sums_by_hand():
    values, freqs = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, -8.0]], [0.5, 1.0, 2.0, 3.0]
    assert Bands({"high": (2, 9), "low": (0.5, 2)}).sum(values, freqs).tolist() == [[7, 3, 0], [-1, 11, 0]]
    assert Bands({"low": (0.5, 2)}).sum(values, freqs).tolist() == [[3, 7], [11, -1]]
    assert Bands({}).sum(values, freqs).tolist() == [[10], [10]]


def test_they_cannot_be_changed():
    with pytest.raises(TypeError):
        Bands()["delta"] = (0, 1)
