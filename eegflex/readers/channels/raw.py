"""The Raw that reads derivations straight from a file, a stretch at a time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
from mne._fiff.utils import _mult_cal_one
from scipy.signal import resample_poly

from eegflex.errors import RecordingError
from eegflex.readers.channels.derivations import Derivation, Known
from eegflex.readers.recordings.guard import guarded
from eegflex.readers.recordings.source import Source, sample_at

__all__ = ["RawPSG", "read_derivation"]


def read_derivation(source: Source, derivation: Derivation, start: int, stop: int) -> npt.NDArray[np.float64]:
    """Read a derivation at its native rate.

    Parameters
    ----------
    source : Source
        The file.
    derivation : Derivation
        The channel.
    start, stop : int
        First sample and the one after the last, at the native rate.

    Returns
    -------
    data : array, shape (stop - start,)
        In volts where its unit is a voltage, else in the unit as written.
    """
    first, *rest = (_scaled(source, known, factor, start, stop) for known, factor in derivation.terms)
    for term in rest:
        first += term
    return first


def _scaled(source: Source, known: Known, factor: float, start: int, stop: int) -> npt.NDArray[np.float64]:
    with guarded(source.path):
        term = source.read(known.signal.index, start, stop)
        if term.shape != (stop - start,):
            raise RecordingError(
                f"{source.path.name!r} has fewer samples than when it was opened",
                seen=f"{term.size} samples from sample {start} of {known.signal.label!r} on",
                allowed=f"{stop - start}",
                remedy="It was truncated or replaced in the meantime: copy it again, and read it again",
            )
    term *= factor * (known.unit.volts if known.unit.kind == "voltage" else 1.0)
    return term


def _resample_runs(source: Source, derivation: Derivation, new: float, n_times: int) -> npt.NDArray[np.float32]:
    """Read a whole derivation at another rate, each run by itself; shape (n_times,)."""
    out = np.zeros(n_times, np.float32)
    old, last = derivation.rate, derivation.terms[0][0].signal.n_times
    for run in source.runs:
        data = read_derivation(source, derivation, sample_at(run.start, old), min(sample_at(run.stop, old), last))
        first, end = sample_at(run.start, new), min(sample_at(run.stop, new), n_times)
        if data.size:
            out[first:end] = _resample(data, old, new, end - first)
    return out


def _resample(data: npt.NDArray[np.float64], old: float, new: float, n_times: int) -> npt.NDArray[np.float64]:
    """Bring a whole signal to another rate, as `n_times` samples."""
    ratio = Fraction(new / old).limit_denominator(1000)
    if abs(float(ratio) * old / new - 1) < 1e-9:
        out = resample_poly(data, ratio.numerator, ratio.denominator, padtype="line")
    else:
        # a ratio of no small whole numbers (100.4016 Hz): through the spectrum
        out = mne.filter.resample(data, up=n_times / data.size, npad="auto", verbose="ERROR")
    return np.pad(out, (0, max(0, n_times - out.size)), mode="edge")[:n_times]


class RawPSG(mne.io.BaseRaw):  # type: ignore[misc]  # MNE has no types
    """A recording whose channels are sums of a file's signals, read when asked for.

    Parameters
    ----------
    source : Source
        The file.
    derivations : list of Derivation
        The channels.
    info : mne.Info
        Their info.
    n_times : int
        Samples at the Raw's rate.
    """

    def __init__(self, source: Source, derivations: list[Derivation], info: Any, n_times: int) -> None:
        extras = {
            "source": source,
            "derivations": derivations,
            "sfreq": float(info["sfreq"]),
            "n_times": n_times,
            "resampled": {},
        }
        super().__init__(
            info,
            preload=False,
            last_samps=[n_times - 1],
            filenames=[source.path],
            raw_extras=[extras],
            orig_format="single",
        )

    def _read_segment_file(self, data: Any, idx: Any, fi: int, start: int, stop: int, cals: Any, mult: Any) -> None:
        # MNE lends this method an object that has nothing but _raw_extras, so the work is a function's.
        extras = self._raw_extras[fi]
        rows = np.arange(len(extras["derivations"]))[idx]
        if mult is None:
            for place, row in enumerate(rows):
                data[place] = _read_row(extras, int(row), start, stop)
                data[place] *= cals[place]
            return
        block = np.zeros((len(extras["derivations"]), stop - start))
        # Only the channels in idx are read; the other rows of the block are never looked at.
        for row in rows:
            block[row] = _read_row(extras, int(row), start, stop)
        _mult_cal_one(data, block, idx, cals, mult)


def _read_row(extras: dict[str, Any], row: int, start: int, stop: int) -> npt.NDArray[np.float64]:
    source: Source = extras["source"]
    derivation: Derivation = extras["derivations"][row]
    if abs(derivation.rate / extras["sfreq"] - 1) < 1e-9:
        return read_derivation(source, derivation, start, stop)
    if row not in extras["resampled"]:
        extras["resampled"][row] = _resample_runs(source, derivation, extras["sfreq"], extras["n_times"])
    resampled: npt.NDArray[np.float32] = extras["resampled"][row]
    return resampled[start:stop].astype(np.float64)
