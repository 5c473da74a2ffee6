"""Spectrograms as the input of a stager: the words of a spec, and what they come to in samples and bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from eegflex.errors import SpecError
from eegflex.spec.plain import short

__all__ = [
    "RECORDING",
    "LogSpec",
    "SpectrogramSpec",
    "bins_of",
    "check_spectrogram",
    "n_windows",
    "samples",
    "window_of",
]

#: In the place of a file: statistics of the recording that is staged.
RECORDING = "recording"
#: Below it, the reciprocal of a floor is no number of single precision.
_LOWEST_FLOOR = 1e-30
#: Bins of a spectrum, at most.
_MOST_BINS = 2**20


@dataclass(frozen=True)
class LogSpec:
    """The logarithm of a spectrogram, ``factor * log10(power + floor)``.

    Attributes
    ----------
    factor : float
        10 for decibels of a power, 20 for those of a magnitude; some networks were trained with 20 for a power.
    floor : float
        What is added before, in the unit of the spectrogram. It keeps silence, and gradients there, finite.

    See Also
    --------
    eegflex.spec.SpectrogramSpec : The spectrogram that a stager is given.

    Examples
    --------
    >>> from eegflex.spec import LogSpec
    >>> LogSpec(factor=20, floor=1e-12).factor
    20
    """

    factor: float
    floor: float


@dataclass(frozen=True)
class SpectrogramSpec:
    """Spectrogram that a stager gets instead of the signal, computed within the graph.

    The steps, in this order: windows of each epoch, detrended and tapered; their spectrum; `fmin` to `fmax`; `filterbank`;
    `log`; `clip`; ``(x - mean) / sd``. So attributions are those of the *signal*, whatever the network itself sees.

    Attributes
    ----------
    window : str | tuple
        Taper, by its name in `scipy.signal.get_window`, such as ``"hamming"``; with parameters in a list,
        ``["tukey", 0.25]``.
    length, hop : float
        Length of a window, and from one to the next, in s. The last window is the last that fits into the epoch.
    scaling : {"psd", "spectrum", "power", "magnitude"}
        ``"psd"`` and ``"spectrum"`` are scipy's one-sided density (µV²/Hz) and spectrum (µV²), of
        `scipy.signal.spectrogram`; ``"power"`` and ``"magnitude"`` are ``|X|**2`` and ``|X|`` of `torch.stft`, librosa and
        torchaudio, without any normalisation.
    n_fft : int or None
        Samples of the transform; what it has more than the window is zero. ``None``: those of the window.
    symmetric : bool
        Whether the taper is symmetric, as MATLAB's, not periodic, as scipy's and torch's for spectra.
    detrend : {"none", "constant", "linear"}
        What is taken from each window before the taper.
    pad : {"none", "zeros", "reflect"}
        What each epoch is extended with by half a window on both sides, as torch's ``center=True`` does.
    fmin, fmax : float or None
        Lowest and highest frequency kept, in Hz, both included.
    filterbank : str
        File of a matrix that weighs frequencies into bands, (frequency, band) or its transpose; or one for each channel.
        `.npy` or safetensors, beside the spec.
    log : LogSpec or None
        Logarithm, ``{ factor = 20, floor = 1e-12 }``. ``None``: none.
    clip : tuple of float or None
        Lowest and highest value, before mean and sd.
    mean, sd : str | tuple of float
        What is subtracted, then divided by: of each frequency, of each channel and frequency, or of each window too. A
        `.npy` or safetensors beside the spec, or a list of numbers. ``"recording"``: over the usable epochs of the recording
        that is staged, for each channel and frequency, frozen. Empty: none.

    See Also
    --------
    eegflex.spec.LogSpec : The logarithm of a spectrogram.
    eegflex.ModelSpec : The contract of a stager.

    Examples
    --------
    >>> from eegflex.spec import LogSpec, ModelSpec, SpectrogramSpec
    >>> words = SpectrogramSpec(window="hamming", length=2.0, hop=1.0, scaling="psd", log=LogSpec(factor=10, floor=1e-12))
    >>> ModelSpec(sfreq=100.0, n_times=3000, unit="uV", spectrogram=words, layout="b c w f").spectrogram.length
    2.0
    """

    window: str | tuple[str | float, ...]
    length: float
    hop: float
    scaling: Literal["psd", "spectrum", "power", "magnitude"]
    n_fft: int | None = None
    symmetric: bool = False
    detrend: Literal["none", "constant", "linear"] = "none"
    pad: Literal["none", "zeros", "reflect"] = "none"
    fmin: float | None = None
    fmax: float | None = None
    filterbank: str = ""
    log: LogSpec | None = None
    clip: tuple[float, ...] | None = None
    mean: str | tuple[float, ...] = ""
    sd: str | tuple[float, ...] = ""


def samples(spec: SpectrogramSpec, sfreq: float) -> tuple[int, int, int]:
    """Samples of a window, from one to the next, and of the transform."""
    length, hop = round(spec.length * sfreq), round(spec.hop * sfreq)
    return length, hop, length if spec.n_fft is None else spec.n_fft


def n_windows(spec: SpectrogramSpec, sfreq: float, n_times: int) -> int:
    """How many windows fit into an epoch; none, where it is too short."""
    length, hop, _ = samples(spec, sfreq)
    padded = n_times + (2 * (length // 2) if spec.pad != "none" else 0)
    return max(0, 1 + (padded - length) // hop)


def window_of(spec: SpectrogramSpec, sfreq: float) -> npt.NDArray[np.float64]:
    """The taper, shape (n_length,)."""
    from scipy.signal import get_window  # it takes a while

    length, _, _ = samples(spec, sfreq)
    try:
        with np.errstate(all="ignore"):  # it is looked at below
            window = np.asarray(get_window(spec.window, length, fftbins=not spec.symmetric), dtype=np.float64)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise SpecError(
            f"The spec's [input.spectrogram] window is none: {str(error).splitlines()[0]}",
            seen=short(spec.window),
            allowed="a name of scipy.signal.get_window, such as 'hann', 'hamming', 'boxcar' or ['tukey', 0.25]",
        ) from error
    if not np.isfinite(window).all() or not np.square(window).sum() > 0:
        raise SpecError(
            "The spec's [input.spectrogram] window has nothing in it", seen=f"{short(spec.window)}, {length} samples"
        )
    return window


def bins_of(spec: SpectrogramSpec, sfreq: float) -> tuple[npt.NDArray[np.float64], slice]:
    """All frequencies of the transform in Hz, and which of them are kept."""
    frequencies: npt.NDArray[np.float64] = np.fft.rfftfreq(samples(spec, sfreq)[2], 1 / sfreq)  # type: ignore[assignment]
    low = -math.inf if spec.fmin is None else spec.fmin - 1e-9
    high = math.inf if spec.fmax is None else spec.fmax + 1e-9
    kept = np.flatnonzero((frequencies >= low) & (frequencies <= high))
    return frequencies, slice(int(kept[0]), int(kept[-1]) + 1) if len(kept) else slice(0, 0)


def check_spectrogram(spec: SpectrogramSpec, sfreq: float | None, n_times: int | None) -> None:
    """Refuse what is no spectrogram of epochs at a rate, naming the key, the value and what would do.

    Raises
    ------
    SpecError
        If it is none.
    """
    if sfreq is None:
        raise SpecError(
            "The spec has [input.spectrogram], whose frequencies need a rate", remedy="Add sfreq to [input]"
        )
    _check_times(spec, sfreq, n_times)
    window_of(spec, sfreq)
    _check_band(spec, sfreq)
    _check_values(spec)


def _check_times(spec: SpectrogramSpec, sfreq: float, n_times: int | None) -> None:
    for key, seconds in {"length": spec.length, "hop": spec.hop}.items():
        n = seconds * sfreq
        if not 1 - 1e-6 <= n <= _MOST_BINS or abs(n - round(n)) > 1e-6 * max(1.0, n):
            near = f" such as {max(1, round(n)) / sfreq:.6g} s" if math.isfinite(n) else ""
            raise _wrong(
                key, f"{seconds!r} s are {n:.6g} samples", f"whole samples at {sfreq:g} Hz, at least one,{near}"
            )
    length, _, n_fft = samples(spec, sfreq)
    if length < 2:
        raise _wrong("length", f"{length} sample", "at least two samples")
    if not length <= n_fft <= _MOST_BINS:
        raise _wrong("n_fft", n_fft, f"as many samples as a window has or more, {length} to {_MOST_BINS:,}")
    if n_times is not None and (n_windows(spec, sfreq, n_times) < 1 or n_times <= _reach(spec, length)):
        raise _wrong("length", f"{spec.length:g} s", f"at most the epoch's {n_times / sfreq:g} s")


def _reach(spec: SpectrogramSpec, length: int) -> int:
    return length // 2 if spec.pad == "reflect" else 0


def _check_band(spec: SpectrogramSpec, sfreq: float) -> None:
    low, high, nyquist = spec.fmin, spec.fmax, sfreq / 2
    for key, value in {"fmin": low, "fmax": high}.items():
        if value is not None and not 0 <= value <= nyquist + 1e-9:
            raise _wrong(key, value, f"0 to {nyquist:g} Hz, half the rate")
    if low is not None and high is not None and low > high:
        raise _wrong("fmin", f"{low:g} above fmax = {high:g}", "fmin <= fmax")
    frequencies, kept = bins_of(spec, sfreq)
    if kept.stop == kept.start:
        raise _wrong("fmin", (low, high), f"a band with at least one of its frequencies, {frequencies[1]:g} Hz apart")


def _check_values(spec: SpectrogramSpec) -> None:
    if spec.log is not None:
        if not math.isfinite(spec.log.factor) or spec.log.factor == 0:
            raise _wrong("log", f"factor = {spec.log.factor}", "a finite number, such as 10 or 20")
        if not _LOWEST_FLOOR <= spec.log.floor < math.inf:
            raise _wrong(
                "log",
                f"floor = {spec.log.floor}",
                f"{_LOWEST_FLOOR:g} or more: without it the logarithm of silence, or its gradient, is infinite",
            )
    if spec.clip is not None and not (len(spec.clip) == 2 and -math.inf < spec.clip[0] < spec.clip[1] < math.inf):
        raise _wrong("clip", short(spec.clip), "two numbers, the lowest and the highest value")
    for key, given in {"mean": spec.mean, "sd": spec.sd}.items():
        if not isinstance(given, tuple):
            continue
        if not given or not all(math.isfinite(value) for value in given):
            raise _wrong(key, short(given), "finite numbers, one for each frequency")
        if key == "sd" and not min(given) > 0:
            raise _wrong(key, short(min(given)), "numbers above zero")


def _wrong(key: str, seen: Any, allowed: str) -> SpecError:
    return SpecError(f"The spec's [input.spectrogram] {key} does not fit", seen=seen, allowed=allowed)
