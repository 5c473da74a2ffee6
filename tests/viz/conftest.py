from __future__ import annotations

import example_results
import matplotlib as mpl
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def close_figures():
    """Every figure is closed, and none has changed rcParams."""
    before = mpl.rcParams.copy()
    yield
    plt.close("all")
    assert mpl.rcParams == before


@pytest.fixture(scope="session")
def context_result():
    """Six EEG channels at once, the middle one of 3 epochs, which all move. Not to be changed."""
    return example_results.make_context_result()


@pytest.fixture(scope="session")
def by_bands():
    """Two EEG channels, attributions to whole bands by exact Shapley values. Not to be changed."""
    return example_results.explain(example_results.make_epochs(("C3-M2", "C4-M1"), ["eeg", "eeg"]), method="shapley")
