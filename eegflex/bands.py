"""Frequency bands: names, edges, and the one rule for what lies in a band."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError

__all__ = ["Bands"]

#: Hz, half open. The edges of the AASM manual's rhythms as sleep research uses them.
_SLEEP_BANDS = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "sigma": (12.0, 16.0),
    "beta": (16.0, 30.0),
}

REST = "rest"


class Bands(Mapping[str, tuple[float, float]]):
    """Named, half-open frequency bands that do not overlap.

    A frequency f is in a band when ``low <= f < high``, so that neighbouring bands share no bin.
    What lies outside all bands is called ``rest``: the bands and the rest always add up to the whole.

    Parameters
    ----------
    edges : mapping of str to (float, float), optional
        Name and edges in Hz of each band. By default delta 0.5-4, theta 4-8, alpha 8-12, sigma 12-16 and beta 16-30 Hz.

    Raises
    ------
    ParameterError
        If a band is empty or negative, overlaps another, or is called ``rest``.

    Examples
    --------
    >>> Bands()["sigma"]
    (12.0, 16.0)
    >>> Bands({"slow": (0.5, 1), "fast": (1, 4)}).names
    ('slow', 'fast', 'rest')
    """

    def __init__(self, edges: Mapping[str, tuple[float, float]] | None = None) -> None:
        chosen = _SLEEP_BANDS if edges is None else edges
        self._edges = MappingProxyType({name: (float(low), float(high)) for name, (low, high) in chosen.items()})
        self._check()

    def _check(self) -> None:
        if REST in self._edges:
            raise ParameterError(
                "A band cannot be called 'rest'", remedy="'rest' is what lies outside all bands: choose another name"
            )
        for name, (low, high) in self._edges.items():
            if not 0 <= low < high:
                raise ParameterError(f"The band {name!r} is empty", seen=(low, high), allowed="0 <= low < high, in Hz")
        ordered = sorted(self._edges.items(), key=lambda item: item[1])
        for (name, (_, high)), (other, (low, _)) in itertools.pairwise(ordered):
            if low < high:
                raise ParameterError(
                    f"The bands {name!r} and {other!r} overlap",
                    seen=dict(ordered),
                    remedy="Give bands that do not overlap, so that their sums add up to the whole",
                )

    def __getitem__(self, name: str) -> tuple[float, float]:
        return self._edges[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._edges)

    def __len__(self) -> int:
        return len(self._edges)

    def __repr__(self) -> str:
        return f"<Bands | {', '.join(f'{name} {low:g}-{high:g} Hz' for name, (low, high) in self.items())}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bands, and ``rest`` last."""
        return (*self._edges, REST)

    def masks(self, freqs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which frequencies lie in which band.

        Parameters
        ----------
        freqs : array-like, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        masks : array of bool, shape (n_bands + 1, n_freqs)
            One row a band, and the rest last; each frequency is in exactly one row.
        """
        freqs = np.asarray(freqs, dtype=float)
        inside = np.array([(low <= freqs) & (freqs < high) for low, high in self.values()], dtype=bool)
        inside = inside.reshape(len(self), freqs.size)
        return np.vstack([inside, ~inside.any(axis=0)])

    def sum(self, values: npt.ArrayLike, freqs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Sum values over the frequencies of each band.

        Parameters
        ----------
        values : array-like, shape (..., n_freqs)
            What to sum, for example attributions.
        freqs : array-like, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        sums : array, shape (..., n_bands + 1)
            In the order of `names`; the sums over the last axis equal those of `values`.
        """
        # einsum sums in double precision without a copy of the values in it
        return np.einsum("...f,bf->...b", np.asarray(values), self.masks(freqs), dtype=np.float64)
