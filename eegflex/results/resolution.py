"""How finely a result keeps its views: every bin, or sums over neighbouring ones whose edges are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import ROUNDING, Bands
from eegflex.errors import ParameterError

__all__ = [
    "EVERY_BIN",
    "PER_HZ",
    "PER_SECOND",
    "Bins",
    "bin_widths",
    "check_edges",
    "is_light",
    "light_bins",
    "time_of",
]

#: What a light result keeps: sums of so many bins to a Hz, and to a second. An epoch of 30 s has 30 frequencies to a Hz: three
#: in each of ten, where quarters of a Hz would hold seven and eight by turns.
PER_HZ, PER_SECOND = 10, 4
#: What to do where every bin is needed.
EVERY_BIN = "Attribute with resolution='full' (--resolution full), which keeps every bin"


@dataclass(frozen=True, eq=False)
class Bins:
    """Neighbours on an axis that are kept as one.

    Attributes
    ----------
    axis : array, shape (n,)
        What there was: frequencies in Hz, or times in s.
    starts : array of int, shape (n_bins,)
        The place of the first of each bin.
    """

    axis: npt.NDArray[np.float64]
    starts: npt.NDArray[np.intp]

    @property
    def counts(self) -> npt.NDArray[np.intp]:
        """How many each bin holds, shape (n_bins,)."""
        return np.diff(self.starts, append=len(self.axis))

    @property
    def low(self) -> npt.NDArray[np.float64]:
        """The first of what each bin holds."""
        return self.axis[self.starts]

    @property
    def high(self) -> npt.NDArray[np.float64]:
        """The last of what each bin holds, which is in it."""
        found: npt.NDArray[np.float64] = self.axis[self.starts + self.counts - 1]
        return found

    @property
    def middle(self) -> npt.NDArray[np.float64]:
        """The mean of what each bin holds."""
        return np.add.reduceat(self.axis, self.starts) / self.counts

    def sum(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Sum what is on the last axis, in double precision."""
        return np.add.reduceat(values, self.starts, axis=-1, dtype=np.float64).astype(values.dtype)

    def mean(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Average what is on the last axis."""
        sums = np.add.reduceat(values, self.starts, axis=-1, dtype=np.float64)
        return np.asarray((sums / self.counts).astype(values.dtype))

    def spread(self, sums: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Spread what bins hold evenly over what they were made of, on the last axis."""
        return np.asarray(np.repeat(sums / self.counts, self.counts, axis=-1), dtype=np.float64)


def light_bins(axis: npt.NDArray[np.float64], per_unit: int) -> Bins:
    """The bins of a light result: between k and k + 1 parts of a Hz, or of a second.

    Parameters
    ----------
    axis : array, shape (n,)
        Frequencies in Hz, or times in s, from 0 on.
    per_unit : int
        How many parts a Hz or a second has.

    Examples
    --------
    >>> bins = light_bins(np.arange(7) / 30, 10)
    >>> bins.sum(np.ones(7)).tolist(), (30 * bins.high).round().tolist()
    ([3.0, 3.0, 1.0], [2.0, 5.0, 6.0])
    """
    edges = np.arange(int(axis[-1] * per_unit) + 2) / per_unit
    places = np.searchsorted(edges - ROUNDING, axis, side="right")
    return Bins(axis, np.flatnonzero(np.diff(places, prepend=-1)))


def is_light(dataset: xr.Dataset) -> bool:
    """Whether the bins of a result's spectra are sums of neighbouring ones."""
    return "freq_low" in dataset.variables


def bin_widths(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """How much of the spectrum each frequency of a result stands for, in Hz, shape (n_freqs,)."""
    if not is_light(dataset):
        freqs = dataset["freq"].values
        return np.full(len(freqs), freqs[1] - freqs[0])
    apart = float(dataset.attrs["sfreq"]) / dataset.sizes["time"]
    spans = dataset["freq_high"].values - dataset["freq_low"].values
    return np.asarray((np.rint(spans / apart) + 1) * apart)


def time_of(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """The times of the time view of a result, in s: of its samples, or the middles of the bins that a light one keeps."""
    return np.asarray(dataset["time_bin" if "time_bin" in dataset.sizes else "time"].values)


def check_edges(dataset: xr.Dataset, bands: Mapping[str, tuple[float, float]]) -> None:
    """Refuse a band that has only a part of a bin that a light result keeps.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result; one that has every bin takes any band.
    bands : Bands
        What is to be summed.

    Raises
    ------
    ParameterError
        If an edge falls inside a bin; it says which edges next to it do not.
    """
    if not is_light(dataset) or dict(bands) == dict(Bands()):  # whose sums were taken of every bin
        return
    low, high = dataset["freq_low"].values, dataset["freq_high"].values
    for name, edges in bands.items():
        for edge in edges:
            inside = (low < edge - ROUNDING) & (edge - ROUNDING < high)
            if inside.any():
                whole = np.floor(edge * PER_HZ) / PER_HZ, np.ceil(edge * PER_HZ) / PER_HZ
                raise ParameterError(
                    f"The band {name!r} begins or ends inside a bin of this result, which keeps sums over 1/{PER_HZ} Hz",
                    seen=f"{edge:g} Hz",
                    allowed="{:g} or {:g} Hz".format(*whole),
                    remedy=f"Take one of these edges. {EVERY_BIN}",
                )
