"""Oscillatory peaks above the 1/f part of spectra: where they are in a recording, and how high in each of its epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import curve_fit
from scipy.signal import welch

__all__ = ["peak_gains"]

#: Seconds of the segments that Welch's method averages.
WELCH = 4.0
#: Epochs whose spectra are averaged before peaks are looked for, and most groups of them.
N_AVERAGED, MOST_GROUPS = 60, 5
#: Height in log10 of the power below which a peak is never one, and in standard errors of the averaged spectrum.
LOWEST, IN_ERRORS = 0.05, 4.0
#: Most peaks of a spectrum, how many standard deviations of what is left one stands out by, and the standard deviations in Hz
#: that it may have.
MOST_PEAKS, STANDS_OUT, WIDTHS = 6, 2.0, (1 / WELCH, 4.0)
#: In standard deviations of a peak: how near the end of the spectrum, or a higher peak, it is none; how far the fit moves it.
FROM_THE_END, APART, MOVED = 1.0, 0.75, 3.0
#: Full width at half maximum of a Gaussian of standard deviation 1.
_FWHM = 2 * np.sqrt(2 * np.log(2))


def peak_gains(
    signals: npt.NDArray[np.floating[Any]],
    sound: npt.NDArray[np.bool_],
    sfreq: float,
    fitted: tuple[float, float],
) -> npt.NDArray[np.float32]:
    """What the magnitudes of one channel are multiplied with to take their oscillatory peaks away.

    On the spectrum of a single epoch a fit takes noise for peaks. So peaks are looked for as Donoghue et al. 2020 (Nature
    Neuroscience 23:1655) do, on spectra that are averaged over epochs alike in the steepness of their spectra, as depth of
    sleep makes them; in each of the epochs the heights of these peaks are fitted together with its own 1/f part, by least
    squares on logarithmic axes.

    Parameters
    ----------
    signals : array, shape (n_epochs, n_times)
        A channel.
    sound : array of bool, shape (n_epochs,)
        Epochs whose signal has no fault.
    sfreq : float
        Sampling rate in Hz.
    fitted : tuple of float
        Hz between which the 1/f part is fitted.

    Returns
    -------
    gains : array, shape (n_epochs, n_freqs)
        Between 0 and 1 at the frequencies of the rfft; 1 where there is no peak, outside `fitted`, and for epochs that are not
        sound.
    """
    n_times = signals.shape[-1]
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    inside = (freqs >= fitted[0]) & (freqs <= fitted[1])
    gains = np.ones((len(signals), len(freqs)), dtype=np.float32)
    numbers, at, spectra = _spectra(signals, sound, sfreq, fitted)
    if len(numbers) == 0:
        return gains
    slopes = np.linalg.lstsq(_line(at), spectra.T, rcond=None)[0][1]
    n_groups = int(np.clip(len(numbers) // N_AVERAGED, 1, MOST_GROUPS))
    for group in np.array_split(np.argsort(slopes, kind="stable"), n_groups):
        peaks = _peaks(at, spectra[group], sfreq, n_times)
        if len(peaks) == 0:
            continue
        design = np.column_stack([_line(at), *_bumps(at, peaks)])
        heights = np.linalg.lstsq(design, spectra[group].T, rcond=None)[0][2:]
        above = np.maximum(heights, 0).T @ np.stack(_bumps(freqs[inside], peaks))
        gains[np.ix_(numbers[group], inside)] = 10 ** (-above / 2)
    return gains


def _spectra(
    signals: npt.NDArray[np.floating[Any]], sound: npt.NDArray[np.bool_], sfreq: float, fitted: tuple[float, float]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Epochs that have a spectrum, its frequencies, and log10 of the power, shape (n, n_freqs)."""
    numbers = np.flatnonzero(sound)
    freqs, density = welch(
        np.asarray(signals[numbers], dtype=np.float64), sfreq, nperseg=_length(signals.shape[-1], sfreq)
    )
    inside = (freqs > 0) & (freqs >= fitted[0]) & (freqs <= fitted[1])
    positive = (density[:, inside] > 0).all(axis=1)
    return numbers[positive], freqs[inside], np.log10(density[np.ix_(positive, inside)])


def _length(n_times: int, sfreq: float) -> int:
    """Samples of the segments that are averaged."""
    return min(round(WELCH * sfreq), n_times)


def _line(freqs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a 1/f part is made of on logarithmic axes: an offset and a slope, shape (n_freqs, 2)."""
    return np.column_stack([np.ones_like(freqs), np.log10(freqs)])


def _bumps(freqs: npt.NDArray[np.floating[Any]], peaks: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Peaks of height 1 in log10 of the power, from their centres and standard deviations in Hz."""
    return [np.exp(-((freqs - centre) ** 2) / (2 * width**2)) for centre, width in peaks]


def _peaks(
    freqs: npt.NDArray[np.float64], spectra: npt.NDArray[np.float64], sfreq: float, n_times: int
) -> npt.NDArray[np.float64]:
    """Centre and standard deviation in Hz of the peaks of averaged spectra, shape (n_peaks, 2)."""
    # Welch's segments overlap by half: with a Hann window n of them are worth 9/11 n. log10 of an average of k
    # independent periodograms has a standard deviation of about 1 / (ln 10 sqrt(k)).
    n_segments = max(max(2 * n_times // _length(n_times, sfreq) - 1, 1) * 9 / 11, 1)
    error = 1 / (np.log(10) * np.sqrt(n_segments * len(spectra)))
    return _fit_peaks(freqs, spectra.mean(axis=0), max(LOWEST, IN_ERRORS * error))


def _fit_peaks(
    freqs: npt.NDArray[np.float64], spectrum: npt.NDArray[np.float64], lowest: float
) -> npt.NDArray[np.float64]:
    """Fit Gaussians to what stands out of the line below a spectrum (log10 of the power): centres and widths in Hz."""
    flat = _above_the_line(freqs, spectrum)
    guesses = _apart(freqs, _guess_peaks(freqs, flat, lowest))
    if len(guesses) == 0:
        return np.empty((0, 2))
    centres, heights, widths = guesses.T
    low = np.column_stack([np.maximum(centres - MOVED * widths, freqs[0]), 0 * heights, 0 * widths + WIDTHS[0]])
    high = np.column_stack([np.minimum(centres + MOVED * widths, freqs[-1]), heights + np.inf, 0 * widths + WIDTHS[1]])

    def peaks(_: object, *parameters: float) -> npt.NDArray[np.float64]:
        found = np.reshape(parameters, (-1, 3))
        return np.asarray(found[:, 1] @ np.stack(_bumps(freqs, found[:, [0, 2]])))

    try:
        fitted, _ = curve_fit(peaks, freqs, flat, p0=guesses.ravel(), bounds=(low.ravel(), high.ravel()))
    except RuntimeError:  # no least was found: the first guesses are what is known
        fitted = guesses.ravel()
    return np.asarray(fitted.reshape(-1, 3)[:, [0, 2]])


def _above_the_line(freqs: npt.NDArray[np.float64], spectrum: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is left of a spectrum without the line that runs below its peaks."""
    design = _line(freqs)
    first = spectrum - design @ np.linalg.lstsq(design, spectrum, rcond=None)[0]
    below = first <= 0
    return spectrum - design @ np.linalg.lstsq(design[below], spectrum[below], rcond=None)[0]


def _guess_peaks(
    freqs: npt.NDArray[np.float64], flat: npt.NDArray[np.float64], lowest: float
) -> npt.NDArray[np.float64]:
    """Take the highest point for a peak as wide as its steeper flank says, and so on with what is left without it.

    Returns centre, height and standard deviation of each, shape (n_peaks, 3).
    """
    left, found = flat.copy(), []
    for _ in range(MOST_PEAKS):
        top = int(left.argmax())
        height = left[top]
        if height <= max(lowest, STANDS_OUT * left.std()):
            break
        half = 1 + np.flatnonzero(left[1:] <= height / 2)  # the first point is where the spectrum begins, and no flank
        to_half = np.abs(freqs[half] - freqs[top]).min(initial=WIDTHS[1] * _FWHM / 2)
        found.append((freqs[top], height, np.clip(2 * to_half / _FWHM, *WIDTHS)))
        left -= height * _bumps(freqs, np.array([[found[-1][0], found[-1][2]]]))[0]
    return np.array(found).reshape(-1, 3)


def _apart(freqs: npt.NDArray[np.float64], peaks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Leave out peaks that lie at the ends, and the lower one of two neighbours that are one."""
    centres, _, widths = peaks.T
    reach = FROM_THE_END * widths
    inner = peaks[(centres - freqs[0] > reach) & (freqs[-1] - centres > reach)]
    inner = inner[inner[:, 0].argsort()]
    centres, heights, widths = inner.T
    one, rises = np.diff(centres) < APART * (widths[:-1] + widths[1:]), np.diff(heights) > 0
    left_out = np.zeros(len(inner), dtype=bool)
    left_out[:-1] |= one & rises
    left_out[1:] |= one & ~rises
    return np.asarray(inner[~left_out])
