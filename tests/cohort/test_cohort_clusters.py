"""Neighbours on the head, and clusters of spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eegflex.cohort import compare_groups, simulate_cohort
from eegflex.cohort.clusters import adjacency_of, spectra_of
from eegflex.cohort.people import Asked, gather

AASM = ["F3-M2", "F4-M1", "C3-M2", "C4-M1", "O1-M2", "O2-M1"]


def neighbours(channels):
    matrix, enough = adjacency_of(channels)
    return {(channels[a], channels[b]) for a, b in zip(*matrix.nonzero(), strict=True) if a < b}, enough


def test_neighbours_on_the_head():
    found, enough = neighbours(AASM)
    assert enough
    assert {("F3-M2", "F4-M1"), ("F3-M2", "C3-M2"), ("C3-M2", "C4-M1"), ("C3-M2", "O1-M2")} <= found
    assert ("F3-M2", "O2-M1") not in found
    assert ("F4-M1", "O1-M2") not in found


@pytest.mark.parametrize(
    "names",
    [
        ["F3", "F4", "C3", "C4", "O1", "O2"],
        [f"EEG {name}" for name in AASM],
        ["F3-A2", "F4-A1", "C3-A2", "C4-A1", "O1-A2", "O2-A1"],
    ],
)
def test_names_of_all_kinds_have_places(names):
    order = dict(zip(AASM, names, strict=True))
    expected, _ = neighbours(AASM)
    assert neighbours(names)[0] == {(order[a], order[b]) for a, b in expected}


def test_a_pair_lies_between_its_electrodes_and_an_eye_nowhere():
    found, enough = neighbours(["Fpz-Cz", "Pz-Oz", "C3-M2", "C4-M1", "EOG"])
    assert enough
    assert ("C3-M2", "C4-M1") in found or ("Fpz-Cz", "Pz-Oz") in found
    assert not [pair for pair in found if "EOG" in pair]


@pytest.mark.parametrize(
    "names",
    [
        ["C3-M2"],
        ["C3-M2", "C4-M1"],
        ["Fpz-Cz", "Pz-Oz", "EOG"],
        ["A", "B", "C", "D"],
        ["C3-M2", "C3-A2", "C3", "C3-M1"],
    ],
)
def test_too_few_places_have_no_neighbours_and_it_is_told(names):
    found, enough = neighbours(names)
    assert (found, enough) == (set(), False)
    if names[-1] == "C4-M1":
        cohort = simulate_cohort(12, seed=1, stages=("N2",), channels=tuple(names))
        line = compare_groups(cohort, "group", n_permutations=20).findings["clusters"]
        assert "each channel has clusters of its own" in line.measured


def test_two_derivations_of_one_electrode_are_neighbours():
    assert ("C3-M2", "C3-M1") in neighbours([*AASM, "C3-M1"])[0]


def test_spectra_are_means_over_steps():
    cohort = simulate_cohort(6, seed=1, stages=("N2",))
    units = gather(cohort, Asked()).people()
    values, freqs, channels = spectra_of(units, "N2", 1.0)
    own = cohort.spectra["mean"].sel(stage="N2").transpose("recording", "freq", "channel").to_numpy()
    np.testing.assert_allclose(values[:, 3], own[:, 6:8].mean(axis=1))
    assert freqs[3] == pytest.approx(3.5)
    assert channels == tuple(AASM)
    assert spectra_of(units, "N2", 0)[0].shape[1] == cohort.spectra.sizes["freq"]


def test_a_recording_of_a_lower_rate_costs_its_high_frequencies_and_no_people():
    cohort = simulate_cohort(12, seed=1, stages=("N2",))
    spectra = cohort.spectra.copy(deep=True)
    spectra["mean"].loc[{"recording": list(cohort.recordings.index[:2]), "freq": slice(20, None)}] = np.nan
    units = gather(replace(cohort, spectra=spectra), Asked()).people()
    values, freqs, _ = spectra_of(units, "N2", 0.5)
    assert np.isfinite(values).all()
    assert freqs.max() < 20


def test_the_same_seed_gives_the_same_clusters():
    cohort = simulate_cohort(16, effect=1.0, seed=1, stages=("N2",))
    first, second, third = (
        compare_groups(cohort, "group", n_permutations=60, seed=seed).clusters for seed in (1, 1, 2)
    )
    assert first.equals(second)
    assert not first.equals(third)


def test_attributions_to_whole_bands_have_no_clusters():
    cohort = simulate_cohort(12, seed=1, stages=("N2",))
    found = compare_groups(replace(cohort, spectra=cohort.spectra.isel(freq=slice(0))), "group", n_permutations=20)
    assert found.clusters.empty
    assert found.findings["clusters"].status == "unknown"
