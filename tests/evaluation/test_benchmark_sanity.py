"""Our measure of similarity against Quantus', where that is installed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("quantus")

from benchmarks import sanity


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_measure_is_that_of_quantus():
    question, first = sanity.cases(1, 3)
    own = np.array([one.band_sums for one in first])
    told, ours = sanity.by_quantus(question.night.stager.module, own, sanity.explain_with(question, first), seed=0)
    assert list(told) == ["original", "final_layer.1", "feature_extractor.4", "feature_extractor.0", "spatial_conv"]
    assert np.array([*told.values()]) == pytest.approx(ours[..., [0, 2]], abs=1e-4, nan_ok=True)
    assert told["original"] == pytest.approx(1, abs=1e-3)
