"""Our measure of similarity against Quantus', where that is installed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("quantus")

from benchmarks import sanity


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("signed", [True, False])
def test_the_measure_is_that_of_quantus(signed):
    question, first = sanity.cases(1, 3)
    own, explain = np.array([one.band_sums for one in first]), sanity.explain_with(question, first)
    told, ours = sanity.by_quantus(question.night.stager.module, own, explain, 0, signed=signed)
    assert list(told) == ["original", "final_layer.1", "feature_extractor.4", "feature_extractor.0", "spatial_conv"]
    assert np.array([*told.values()]) == pytest.approx(ours[..., [0, 2]], abs=1e-4, nan_ok=True)
    assert bool((told["final_layer.1"][:, 0] >= 0).all()) or signed
    assert told["original"] == pytest.approx(1, abs=1e-3)
