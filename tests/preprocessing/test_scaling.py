"""Scaling: units, standardisation, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from noise import continuous, cut

from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ModelSpec, ScaleSpec


@pytest.mark.parametrize(("unit", "factor"), [("V", 1.0), ("mV", 1e3), ("uV", 1e6)])
def test_units(unit, factor):
    epochs = cut(continuous())
    segments = prepare(epochs, ModelSpec(unit=unit))
    np.testing.assert_allclose(segments.signals, epochs.get_data() * factor, rtol=1e-5)
    np.testing.assert_allclose(segments.gain * factor, 1e6)


@pytest.mark.parametrize("per", ["recording", "epoch"])
@pytest.mark.parametrize("kind", ["zscore", "robust"])
def test_scaling_and_the_way_back(kind, per):
    epochs = cut(continuous())
    segments = prepare(epochs, ModelSpec(unit="uV", scale=ScaleSpec(kind, per)))
    axis = (0, 2) if per == "recording" else 2
    if kind == "zscore":
        np.testing.assert_allclose(segments.signals.mean(axis=axis), 0, atol=1e-5)
        np.testing.assert_allclose(segments.signals.std(axis=axis), 1, atol=1e-4)
    physical = segments.signals * segments.gain[..., None]
    recorded = epochs.get_data() * 1e6
    np.testing.assert_allclose(np.diff(physical), np.diff(recorded), atol=1e-3)


def test_clipping():
    segments = prepare(cut(continuous()), ModelSpec(scale=ScaleSpec("zscore", clip=1.5)))
    assert np.abs(segments.signals).max() == pytest.approx(1.5)
