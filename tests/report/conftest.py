from __future__ import annotations

import matplotlib as mpl
import pytest

mpl.use("agg")

import results


@pytest.fixture(scope="session")
def result():
    """Six EEG channels at once, ten epochs, two of each stage, both views. Not to be changed."""
    return results.make_result()


@pytest.fixture(scope="session")
def pair_result():
    """One EEG channel at a time with the same EOG channel, two combinations. Not to be changed."""
    return results.make_pair_result()
