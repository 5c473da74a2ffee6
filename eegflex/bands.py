"""Frequency bands: names, edges, and the one rule for what lies in a band."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError
from eegflex.utils.arguments import checked_methods

__all__ = ["OUTSIDE", "ROUNDING", "Bands"]

#: Hz, half open. The edges of the AASM manual's rhythms as sleep research uses them.
_SLEEP_BANDS = {
    "delta": (0.5, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 12.0),
    "sigma": (12.0, 16.0),
    "beta": (16.0, 30.0),
}

#: Hz. A frequency that is so little below an edge is at it: those of a spectrum are rounded.
ROUNDING = 1e-9
#: What lies outside all bands: below the lowest, in the gaps that they leave, if they do, and above the highest.
BELOW, BETWEEN, ABOVE = OUTSIDE = ("below", "between", "above")
#: Spectra that are summed at once.
_AT_ONCE = 256


@checked_methods
class Bands(Mapping[str, tuple[float, float]]):
    """Named, half-open frequency bands that do not overlap.

    A frequency f is in a band when ``low <= f < high``, so that neighbouring bands share no bin.
    What lies below the lowest of them is called ``below``, what lies above the highest ``above``, and what lies in a gap
    between two, if they leave one, ``between``: the bands and these always add up to the whole.

    Parameters
    ----------
    edges : mapping of str to (float, float), optional
        Name and edges in Hz of each band. By default delta 0.5-4, theta 4-8, alpha 8-12, sigma 12-16 and beta 16-30 Hz.

    Raises
    ------
    ParameterError
        If a band is empty or negative, overlaps another, or is called ``below``, ``between`` or ``above``.

    See Also
    --------
    eegflex.FlexResult : Attributions, labelled.
    eegflex.viz.plot_bands : Bands, by stage.

    Examples
    --------
    >>> Bands()["sigma"]
    (12.0, 16.0)
    >>> Bands({"slow": (0.5, 1), "fast": (1, 4)}).names
    ('slow', 'fast', 'below', 'above')
    >>> Bands({"slow": (0.5, 1), "spindle": (11, 16)}).names
    ('slow', 'spindle', 'below', 'between', 'above')
    """

    def __init__(self, edges: Mapping[str, tuple[float, float]] | None = None) -> None:
        chosen = _SLEEP_BANDS if edges is None else edges
        self._edges = MappingProxyType({name: (float(low), float(high)) for name, (low, high) in chosen.items()})
        self._check()

    def _check(self) -> None:
        for name in OUTSIDE:
            if name in self._edges:
                raise ParameterError(
                    f"A band cannot be called {name!r}",
                    remedy="That is what lies outside all bands: choose another name",
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
    def outside(self) -> tuple[str, ...]:
        """The names of what lies outside all bands: ``between`` only where they leave a gap."""
        ordered = sorted(self._edges.values())
        gap = any(low > high for (_, high), (low, _) in itertools.pairwise(ordered))
        return OUTSIDE if gap else (BELOW, ABOVE)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bands, and of what lies outside them last."""
        return (*self._edges, *self.outside)

    def masks(self, freqs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which frequencies lie in which band.

        Parameters
        ----------
        freqs : array-like, shape (n_freqs,)
            Frequencies in Hz.

        Returns
        -------
        masks : array of bool, shape (n_names, n_freqs)
            One row for each of `names`; each frequency is in exactly one row.

        Raises
        ------
        ParameterError
            If they are not numbers along one axis.
        """
        freqs = np.asarray(freqs, dtype=float) + ROUNDING
        if freqs.ndim != 1:
            raise ParameterError("freqs must have one axis", seen=f"shape {freqs.shape}")
        inside = np.array([(low <= freqs) & (freqs < high) for low, high in self.values()], dtype=bool)
        inside = inside.reshape(len(self), freqs.size)
        lowest = min((low for low, _ in self.values()), default=0.0)
        highest = max((high for _, high in self.values()), default=0.0)
        outside = {BELOW: freqs < lowest, ABOVE: ~(freqs < highest)}
        outside[BETWEEN] = ~inside.any(axis=0) & ~outside[BELOW] & ~outside[ABOVE]
        return np.vstack([inside, *(outside[name] for name in self.outside)])

    def within(self, low: float, high: float) -> tuple[Bands, tuple[str, ...]]:
        """The parts of the bands that lie in a range of frequencies.

        Parameters
        ----------
        low, high : float
            The range, in Hz.

        Returns
        -------
        bands : Bands
            Cut at the ends of the range.
        cut : tuple of str
            The names of those that were.

        Raises
        ------
        ParameterError
            If a band lies wholly outside the range.

        Examples
        --------
        >>> Bands({"slow": (0.1, 1), "fast": (1, 4)}).within(0.5, 50)
        (<Bands | slow 0.5-1 Hz, fast 1-4 Hz>, ('slow',))
        """
        cut = {name: (max(low, own), min(high, end)) for name, (own, end) in self.items()}
        empty = [name for name, (own, end) in cut.items() if own >= end]
        if empty:
            raise ParameterError(
                f"The band {empty[0]!r} lies wholly outside the frequencies that there are",
                seen="{:g}-{:g} Hz".format(*self[empty[0]]),
                allowed=f"{low:g} to {high:g} Hz",
                remedy="Leave it out: nothing can be attributed to it",
            )
        return Bands(cut), tuple(name for name in self if cut[name] != self[name])

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
        sums : array, shape (..., n_names)
            In the order of `names`; the sums over the last axis equal those of `values`.

        Raises
        ------
        ParameterError
            If their last axis is another than that of the frequencies, or they are no numbers.
        """
        values, masks = np.asarray(values), self.masks(freqs)
        if values.ndim < 1 or values.shape[-1] != masks.shape[1]:
            raise ParameterError(
                "The last axis of values must be that of the frequencies",
                seen=f"shape {values.shape}",
                allowed=f"shape (..., {masks.shape[1]})",
            )
        # in double precision, of which there is never a copy of all values; products are faster than einsum
        rows, within = values.reshape(-1, values.shape[-1]), masks.T.astype(np.float64)
        found = np.empty((len(rows), masks.shape[0]))
        for start in range(0, len(rows), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            np.matmul(rows[some], within, out=found[some], dtype=np.float64)
        return found.reshape(*values.shape[:-1], masks.shape[0])
