"""What every test may use."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import example_results
import mne
import pytest
from browser import browser
from hypothesis import settings

__all__ = ["browser"]

os.environ.setdefault("MPLBACKEND", "agg")

# Keras chooses its backend when it is first imported, which a test may do before the library does.
os.environ.setdefault("KERAS_BACKEND", "torch")
# How long an example takes says how busy the machine is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

REAL_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _log_level():
    """The command line sets the level of MNE's log for good; each test begins with the same."""
    mne.set_log_level("WARNING")


@pytest.fixture(autouse=True)
def _no_figures():
    """Figures that a test leaves open are not kept for the next ones: of more than twenty matplotlib warns."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def real_psg() -> Path:
    """A real clinical PSG, anonymised, which is not part of the project."""
    path = REAL_DATA / "psg-excerpt.edf"
    if not path.exists():
        pytest.skip("the real PSG excerpt is not on this machine")
    return path


@pytest.fixture(scope="session")
def physioex_weights():
    """Where a checkpoint of PhysioEx is: None for its package, if that is installed; else a file beside the project."""
    installed = importlib.util.find_spec("physioex") is not None

    def weights(file: str) -> Path | None:
        path = REAL_DATA / "physioex" / file
        if not installed and not path.exists():
            pytest.skip("the weights of PhysioEx are not on this machine")
        return None if installed else path

    return weights


@pytest.fixture(scope="session")
def result():
    """Six EEG channels at once, ten epochs, two of each stage, both views. Not to be changed."""
    return example_results.make_result()


@pytest.fixture(scope="session")
def pair_result():
    """One EEG channel at a time with the same EOG channel, two channel sets. Not to be changed."""
    return example_results.make_pair_result()


@pytest.fixture(scope="session")
def every_bin():
    """Of all stages, with every bin."""
    return example_results.make_result(target="all", resolution="full")


@pytest.fixture(scope="session")
def of_all():
    """Six EEG channels at once, every stage explained. Not to be changed."""
    return example_results.make_result(target="all")
