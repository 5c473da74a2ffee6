"""Peaks above the 1/f part are where they were planted, and where specparam finds them."""

import numpy as np
import pytest

from eegflex.attribution.peaks import _fit_peaks

FREQS = np.arange(2, 141) / 4
LOWEST = 0.05


def spectrum(peaks, exponent=1.5, noise=0.01, seed=0):
    """Logarithm of the power of a line with peaks (centre, height, width)."""
    centres, heights, widths = np.reshape(peaks, (-1, 3)).T
    bumps = heights @ np.exp(-((FREQS - centres[:, None]) ** 2) / (2 * widths[:, None] ** 2))
    return bumps - exponent * np.log10(FREQS) + noise * np.random.default_rng(seed).normal(size=len(FREQS))


@pytest.mark.parametrize("exponent", [0.5, 1.5, 2.5])
def test_peaks_are_found_where_they_were_planted(exponent):
    found = _fit_peaks(FREQS, spectrum([(6, 0.3, 1.0), (13, 0.8, 0.7), (24, 0.4, 2.0)], exponent), LOWEST)
    np.testing.assert_allclose(
        found, [(6, 1.0), (13, 0.7), (24, 2.0)], atol=0.25
    )  # a bin; the line lies a little too high


def test_of_a_line_no_peak_is_found():
    assert _fit_peaks(FREQS, spectrum([]), LOWEST).shape == (0, 2)


def test_what_begins_before_the_spectrum_does_is_no_peak():
    assert _fit_peaks(FREQS, spectrum([(0.5, 0.6, 0.4)]), LOWEST).shape == (0, 2)


def test_a_peak_that_is_wider_than_any_is_cut_to_the_widest():
    found = _fit_peaks(FREQS, spectrum([(15, 1.0, 6.0)]), LOWEST)
    assert found[:, 1].max() <= 4


@pytest.mark.parametrize("seed", range(20))
def test_peaks_are_those_of_specparam(seed):
    """It has pre-releases only, and so is nothing that an installation can stand on."""
    specparam = pytest.importorskip("specparam")
    random = np.random.default_rng(seed)
    n = random.integers(0, 4)
    planted = np.column_stack([random.uniform(4, 30, n), random.uniform(0.1, 1, n), random.uniform(0.5, 2, n)])
    values = spectrum(planted, random.uniform(0.5, 2.5), seed=seed)
    model = specparam.SpectralModel(
        aperiodic_mode="fixed", max_n_peaks=6, peak_width_limits=(0.5, 8), min_peak_height=LOWEST, verbose=False
    )
    model.fit(FREQS, 10**values)
    theirs = np.reshape(model.get_params("peak"), (-1, 3))
    theirs = theirs[np.isfinite(theirs).all(axis=1)]
    theirs = theirs[theirs[:, 0].argsort()]
    ours = _fit_peaks(FREQS, values, LOWEST)
    assert len(ours) == len(theirs)

    def bumps(centres, widths):
        return np.exp(-((FREQS - centres[:, None]) ** 2) / (2 * widths[:, None] ** 2))

    # Peaks that overlap can be divided in two ways; what they span together is one.
    design = bumps(*ours.T)
    of_theirs = bumps(theirs[:, 0], theirs[:, 2] / 2)
    left = of_theirs - (of_theirs @ np.linalg.pinv(design)) @ design if len(ours) else of_theirs
    assert np.abs(left).max(initial=0) < 0.05


@pytest.mark.parametrize("centre", [0.75, 1.0, 1.25, 1.5, 1.75, 2.0])
@pytest.mark.parametrize("width", [0.25, 0.4, 0.6])
def test_where_the_spectrum_begins_a_slow_wave_is_a_peak_where_specparam_finds_one(centre, width):
    """Whether it is one decides what the baseline without peaks leaves of it."""
    specparam = pytest.importorskip("specparam")
    values = spectrum([(centre, 0.6, width), (centre + 1, 0.5, 0.6)])  # steeper towards the beginning
    model = specparam.SpectralModel(
        aperiodic_mode="fixed", max_n_peaks=6, peak_width_limits=(0.5, 8), min_peak_height=LOWEST, verbose=False
    )
    model.fit(FREQS, 10**values)
    theirs = np.reshape(model.get_params("peak"), (-1, 3))
    ours = _fit_peaks(FREQS, values, LOWEST)
    slow = [one[one[:, 0] < 5][:, 0] for one in (ours, theirs[np.isfinite(theirs).all(axis=1)])]
    np.testing.assert_allclose(*slow, atol=0.05)
