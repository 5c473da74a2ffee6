"""From a path-averaged time-domain gradient to the views of an attribution (design: one pass, views that agree)."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

__all__ = [
    "Frames",
    "attribution_in_frequency",
    "attribution_in_time",
    "frames",
    "turned_phases",
    "weighted_spectrum",
    "with_phases_of",
]

#: Seconds between the frames of the time-frequency view; each of them lasts four times as long.
HOP = 0.5


def attribution_in_time(change: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Attribution to each sample, ``A_t = d_t g_t``.

    Parameters
    ----------
    change : Tensor, shape (..., n_times)
        d = x - x_b, the segment less its baseline.
    gradient : Tensor, shape (..., n_times)
        g, the gradient averaged over the path from x_b to x.

    Returns
    -------
    attribution : Tensor, shape (..., n_times)
        Its sum over channels and samples is F(x) - F(x_b).
    """
    return change * gradient


def attribution_in_frequency(change: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Attribution to each frequency, ``A_f = (w_f / T) Re(D_f conj(G_f))``.

    By Parseval's theorem it has the same sum as `attribution_in_time`, and it equals FLEX: Integrated Gradients over
    the magnitudes of the spectrum with its phases held fixed (Graeve et al. 2025), since that path is a straight line
    in time.

    Parameters
    ----------
    change, gradient : Tensor, shape (..., n_times)
        As in `attribution_in_time`.

    Returns
    -------
    attribution : Tensor, shape (..., n_freqs)
        ``n_freqs`` is ``n_times // 2 + 1``. w_f is 2, but 1 at 0 Hz and, for even n_times, at Nyquist.
    """
    found: torch.Tensor = (weighted_spectrum(change) * torch.fft.rfft(gradient).conj()).real
    return found


def weighted_spectrum(change: torch.Tensor) -> torch.Tensor:
    """What `attribution_in_frequency` multiplies a gradient's spectrum with, ``(w_f / T) D_f``, shape (..., n_freqs)."""
    n_times = change.shape[-1]
    spectrum: torch.Tensor = torch.fft.rfft(change) * (2.0 / n_times)
    spectrum[..., 0] /= 2
    if n_times % 2 == 0:
        spectrum[..., -1] /= 2
    return spectrum


class Frames:
    """A tight Gabor frame: what an attribution in time and frequency at once is expanded in.

    Hann windows of about 2 s, four times overlapping. The squares of windows that overlap so sum to a constant, which makes
    the frame tight: products of coefficients, summed over all frames and frequencies, equal the product of the signals.

    Parameters
    ----------
    n_times : int
        Samples of a segment.
    sfreq : float
        Sampling rate in Hz.

    Attributes
    ----------
    times : array, shape (n_frames,)
        Middle of each frame in s. The outermost reach beyond the segment, where nothing is.
    freqs : array, shape (n_freqs,)
        Frequencies in Hz, about 0.5 Hz apart.
    """

    times: npt.NDArray[np.float64]
    freqs: npt.NDArray[np.float64]

    def __init__(self, n_times: int, sfreq: float) -> None:
        hop = max(round(HOP * sfreq), 1)
        window = hann(4 * hop, sym=False)
        transform = ShortTimeFFT(window, hop, sfreq, fft_mode="onesided", scale_to=None, phase_shift=None)
        weights = np.full(transform.f_pts, 2.0 / len(window))
        weights[[0, -1]] /= 2  # 0 Hz and Nyquist stand alone
        self._weights = torch.from_numpy(weights / ((window**2).sum() / hop))
        self._window, self._hop = torch.tensor(window), hop
        first, stop = transform.p_min, transform.p_max(n_times)
        before = transform.m_num_mid - first * hop
        self._padding = before, (stop - 1) * hop + len(window) - transform.m_num_mid - n_times
        self.times = transform.t(n_times)
        self.freqs = transform.f

    def attribution(self, change: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Attribution to each frequency in each frame, ``A_mf = w_f Re(D_mf conj(G_mf))``.

        The weights are as in `attribution_in_frequency`, and so is the sum.

        Parameters
        ----------
        change, gradient : Tensor, shape (..., n_times)
            As in `attribution_in_time`.

        Returns
        -------
        attribution : Tensor of float64, shape (..., n_freqs, n_frames)
        """
        spectra = [self._coefficients(signal.cpu().double()) for signal in (change, gradient)]
        return ((spectra[0] * spectra[1].conj()).real * self._weights).mT

    def _coefficients(self, signal: torch.Tensor) -> torch.Tensor:
        """What `ShortTimeFFT.stft` gives, all frames at once, shape (..., n_frames, n_freqs)."""
        slices = torch.nn.functional.pad(signal, self._padding).unfold(-1, len(self._window), self._hop)
        found: torch.Tensor = torch.fft.rfft(slices * self._window)
        return found


#: `Frames`, made once for segments of a kind.
frames = functools.lru_cache(maxsize=8)(Frames)


def with_phases_of(segment: torch.Tensor, magnitudes: torch.Tensor) -> torch.Tensor:
    """The signal with the phases of `segment` and the given magnitudes, ``irfft(r exp(i theta))``.

    Parameters
    ----------
    segment : Tensor, shape (..., n_times)
        Whose phases are kept. A bin without magnitude has phase 0.
    magnitudes : Tensor, broadcastable to (..., n_freqs)
        Magnitudes of its rfft.

    Returns
    -------
    signal : Tensor, shape (..., n_times)
    """
    return turned_phases(segment, magnitudes)


def turned_phases(segment: torch.Tensor, magnitudes: torch.Tensor, turns: torch.Tensor | float = 0.0) -> torch.Tensor:
    """The signal with the phases of `segment`, turned, and the given magnitudes, ``irfft(r exp(i (theta + turn)))``.

    Parameters
    ----------
    segment, magnitudes : Tensor
        As in `with_phases_of`.
    turns : Tensor, broadcastable to (..., n_freqs) | float
        Angles.

    Returns
    -------
    signal : Tensor, shape (..., n_times)
    """
    spectrum = torch.fft.rfft(segment)
    polar = torch.polar(magnitudes.expand_as(spectrum.real).contiguous(), spectrum.angle() + turns)
    found: torch.Tensor = torch.fft.irfft(polar, n=segment.shape[-1])
    return found
