"""Made-up cohorts: as a run makes them, and with what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from eegflex.bands import Bands
from eegflex.cohort import simulate_cohort
from eegflex.cohort.cohort import BANDS, STAGES
from eegflex.errors import ParameterError


def test_it_has_the_columns_of_a_cohort():
    cohort = simulate_cohort(8, nights=2, seed=1)
    assert tuple(cohort.bands.columns) == BANDS
    assert tuple(cohort.stages.columns) == STAGES
    assert cohort.spectra["mean"].dims == ("recording", "stage", "channel", "freq")
    assert cohort.recordings.index.name == "recording"
    assert cohort.recordings["subject"].nunique() == 8
    assert (cohort.recordings.groupby("subject")["group"].nunique() == 1).all()
    assert set(cohort.bands["recording"]) == set(cohort.recordings.index)


def test_bands_are_the_sums_of_spectra():
    cohort = simulate_cohort(4, seed=1)
    spectrum = cohort.spectra["mean"].sel(stage="N3", channel="C3-M2")
    sums = Bands().sum(spectrum.to_numpy(), spectrum["freq"].to_numpy()) * 0.5
    wide = cohort.bands.query("stage == 'N3' and channel == 'C3-M2'").pivot_table(
        index="recording", columns="band", values="mean"
    )
    np.testing.assert_allclose(wide.loc[cohort.spectra["recording"].to_numpy(), list(Bands().names)].to_numpy(), sums)


def test_errors_are_those_of_the_numbers():
    """The same people, explained with few epochs and with very many: they differ by their errors."""
    few, many = (simulate_cohort(300, n_explained=n, seed=1, stages=("N2",), channels=("C3-M2",)) for n in (8, 10**6))
    a, b = (one.bands[one.bands["band"] == "sigma"].reset_index(drop=True) for one in (few, many))
    z = (a["mean"] - b["mean"]) / a["error"]
    assert z.std() == pytest.approx(1, abs=0.12)
    assert (b["error"] < 0.01 * a["error"]).all()


def test_bad_arguments_are_refused():
    with pytest.raises(ParameterError, match="n_people must"):
        simulate_cohort(1)
    with pytest.raises(ParameterError, match="stages must"):
        simulate_cohort(10, stages=("N4",))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n_people": 10**30}, "n_people must"),
        ({"n_people": 2.5}, "n_people must"),
        ({"nights": 1e300}, "nights must"),
        ({"n_people": 1000, "nights": 1000}, "too many recordings"),
        ({"n_explained": -1}, "n_explained must"),
        ({"n_explained": float("nan")}, "n_explained must"),
        ({"error_ratio": -1}, "error_ratio is out of its range"),
        ({"error_ratio": float("nan")}, "error_ratio is out of its range"),
        ({"error_ratio": float("inf")}, "error_ratio is out of its range"),
        ({"stages": ("N2", "N2")}, "stages must"),
        ({"channels": "C3"}, "channels must"),
        ({"channels": ("C3", "C3")}, "channels must"),
        ({"channels": (3,)}, "channels must"),
    ],
)
def test_what_no_cohort_has_is_refused(given, said):
    with pytest.raises(ParameterError, match=said):
        simulate_cohort(**given)
