"""Epochs that stand for a stage, means over channel sets, and intervals for medians."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex.errors import ParameterError
from eegflex.results.choice import typical_places
from eegflex.results.select import pool


@pytest.fixture(scope="module")
def of_n2():
    """Nine epochs of N2, of which the fourth is attributed what the median of the others is, and the second far more."""
    result = example_results.explain(example_results.make_epochs(("C3-M2",), "eeg", n_epochs=45))
    data = result.to_xarray().isel(epoch=slice(2, None, 5))
    view = data["frequency_view"].values
    scale = np.array([0.6, 30.0, 0.7, 1.0, 1.6, 1.7, 0.5, 1.8, 1.0001])
    view[:] = view[3] * scale[:, None, None]
    return data


def test_the_typical_epoch_is_nearest_to_the_median_and_the_outlier_is_last(of_n2):
    places = typical_places(of_n2, "N2", 9)
    assert places[0] in (3, 8)
    assert places[-1] == 1
    assert len(places) == 9
    assert typical_places(of_n2, None, 2) == places[:2]


def test_of_two_epochs_the_earlier_one_is_typical(of_n2):
    """Both are as far from their median, but for rounding."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        data = of_n2.isel(epoch=[0, 2]).copy(deep=True)
        view = data["frequency_view"].values
        view *= rng.uniform(0.5, 2, size=view.shape)
        assert typical_places(data, "N2", 2) == [0, 1]


def test_what_does_not_explain_its_score_is_not_typical(of_n2):
    data = of_n2.copy(deep=True)
    change = np.abs(data["score"] - data["baseline_score"]).values
    data["error"].values[[3, 8]] = (1.01 * change / data["size"].values)[[3, 8]]
    assert set(typical_places(data, "N2", 9)[-2:]) == {3, 8}


def test_the_surest_epoch_is_no_choice(of_n2):
    data = of_n2.copy(deep=True)
    data["scores"].values[:] = np.log([0.05, 0.05, 0.8, 0.05, 0.05])
    data["scores"].values[1] = np.log([1e-6, 1e-6, 1 - 4e-6, 1e-6, 1e-6])
    assert typical_places(data, "N2", 1) != [1]
    with pytest.raises(ParameterError, match="N2"):
        typical_places(data, "REM", 1)


def test_an_epoch_is_the_mean_of_the_channel_sets_that_explain_its_stage():
    names = ("C3-M2", "C4-M1", "O1-M2", "EOG-L")
    epochs = example_results.make_epochs(names, ["eeg", "eeg", "eeg", "eog"])
    data = example_results.explain(epochs, example_results.pair_spec()).to_xarray()
    kinds = data["ch_type"].values.astype(str)
    values = np.random.default_rng(0).standard_normal((10, data.sizes["channel"], 2))
    own = values[:, kinds == "eeg"]
    found = pool(data, values, kinds == "eeg", "predicted")
    assert found.epochs.tolist() == list(range(10))
    np.testing.assert_allclose(found.values, own.mean(axis=1))
    data["predicted"].values[4, 1] = data["target"].values[4, 1] = "W"  # one of three, and not the surest
    data["scores"].values[4, :, :] = np.log([0.01, 0.01, 0.01, 0.01, 0.96])
    data["scores"].values[4, 1] = np.log([0.3, 0.2, 0.2, 0.1, 0.2])
    found = pool(data, values, kinds == "eeg", "predicted")
    np.testing.assert_allclose(found.values[4], own[4][[0, 2]].mean(axis=0))
    alone = pool(data, values, data["ch_name"].values == "C4-M1", "predicted")
    assert alone.epochs.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
