"""Where on its path an attribution arises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from eegflex.results.decided import FRACTIONS

__all__ = ["integrals_by_stretch", "path_shares"]


def integrals_by_stretch(
    weights_below: Callable[[float], npt.NDArray[np.float64]], rates: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What each stretch of a path adds to each part of the integral.

    Parameters
    ----------
    weights_below : callable
        Of a quadrature rule on [0, 1]: an end -> the weight of each node in the integral from 0 to there.
    rates : array, shape (n_nodes, n_targets, n_parts)
        The integrand.

    Returns
    -------
    integrals : array, shape (n_stretches, n_targets, n_parts)
        From 0 to the first of `FRACTIONS`, from each to the next, and on to 1.
    """
    below = np.stack([weights_below(end) for end in (*FRACTIONS, 1.0)])
    return np.asarray(np.tensordot(np.diff(below, axis=0, prepend=0.0), rates, axes=1))


def path_shares(integrals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of the absolute integrals that arises below each of `FRACTIONS`.

    Each stretch counts with the absolute total of its parts, so that shares are between 0 and 1 and do not fall.

    Parameters
    ----------
    integrals : array, shape (n_stretches, n_targets, n_parts)
        As `integrals_by_stretch` gives them.

    Returns
    -------
    shares : array, shape (n_targets, n_targets, n_fractions)
        Of the difference of two targets, as for `size`; of each itself on the diagonal. NaN where there is nothing.
    """
    pairs = integrals[:, :, None] - integrals[:, None]
    n_targets = integrals.shape[1]
    pairs[:, range(n_targets), range(n_targets)] = integrals
    parts = np.abs(pairs).sum(axis=-1)
    total = parts.sum(axis=0)
    below = np.cumsum(parts, axis=0)[:-1]
    shares = np.divide(below, total, out=np.full_like(below, np.nan), where=total > 0)
    return np.moveaxis(np.minimum(shares, 1.0), 0, -1)
