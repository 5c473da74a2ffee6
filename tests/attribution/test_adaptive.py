"""The adaptive quadrature: as exact as asked, no dearer than needed, and honest where it stops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, view
from models import Smooth
from torch import nn

from eegflex import Bands
from eegflex.errors import ParameterError


class Steep(nn.Module):
    """Switches its score within a hundredth of the path, each epoch at a place of its own."""

    def __init__(self):
        super().__init__()
        self.net = Smooth()

    def forward(self, x):
        size = x.square().mean((1, 2))[:, None]
        return self.net(x) + torch.sigmoid(400 * (size - 0.3)) * torch.arange(5.0)


def bands(result):
    data = result.to_xarray()
    return Bands().sum(data["frequency_view"].values, data["freq"].values)


@pytest.mark.parametrize("model", [Smooth(), Steep()], ids=["smooth", "steep"])
@pytest.mark.parametrize("tol", [0.05, 0.01, 0.001])
def test_the_band_sums_are_within_what_was_asked(model, tol):
    epochs = noise_epochs(n_epochs=12)
    reference = bands(explain(epochs, model, target="N3", quadrature="graded", n_steps=1800))
    result = explain(epochs, model, target="N3", tol=tol)
    error = np.abs(bands(result) - reference).sum((1, 2)) / np.abs(reference).sum((1, 2))
    assert (error <= 2 * tol).all()
    assert (result.relative_gap() <= tol).all()
    assert (result.to_xarray()["error"] <= tol).all()


def test_evaluations_are_spent_where_they_are_needed():
    epochs = noise_epochs(n_epochs=6)
    easy, hard = (explain(epochs, m, target="N3").to_xarray()["n_gradients"].values for m in (Smooth(), Steep()))
    assert (easy == 27).all()  # three on each of nine intervals, none halved
    assert (hard > 27).all()
    assert (hard < 120).all()


def test_it_stops_at_max_evals_and_says_how_far_it_came():
    result = explain(noise_epochs(n_epochs=4), Steep(), target="N3", tol=1e-4, max_evals=40)
    data = result.to_xarray()
    assert (data["n_gradients"] <= 40 + 6 * 9).all()
    assert (data["error"] > 1e-4).all()


def test_no_evaluation_is_spent_on_rounding():
    """A score that hardly depends on the epoch, far from zero: its changes drown in the rounding of float32."""

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Smooth()

        def forward(self, x):
            return 1000 + 1e-5 * self.net(x)

    assert (explain(noise_epochs(n_epochs=3), Flat(), target="N2").to_xarray()["n_gradients"] == 27).all()


def test_batches_and_neighbours_in_a_chunk_do_not_matter():
    epochs = noise_epochs(n_epochs=5)
    whole = view(explain(epochs, Steep(), target="N3"))
    np.testing.assert_allclose(view(explain(epochs[2:3], Steep(), target="N3")), whole[2:3], atol=1e-6)
    np.testing.assert_allclose(view(explain(epochs, Steep(), target="N3", batch_size=5)), whole, atol=1e-6)


@pytest.mark.parametrize("arguments", [{"n_steps": 50}, {"tol": 0}, {"tol": 2}, {"max_evals": 0}])
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ParameterError):
        explain(noise_epochs(), Smooth(), **arguments)
