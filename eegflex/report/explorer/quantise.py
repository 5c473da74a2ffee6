"""Numbers made small for a page: sums over steps of frequency and time, in one byte each, with a known error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

__all__ = ["LEVELS", "as_bytes", "as_differences", "in_rows", "in_steps", "marked_sums", "resampled", "rounded"]

#: Levels of a byte on each side of 0, less one that the rounding of sums may need.
LEVELS = 126
#: Of two bytes.
_LARGEST = 32767

Array = npt.NDArray[np.float64]


def in_steps(values: npt.NDArray[Any], coordinate: npt.NDArray[Any], edges: npt.NDArray[Any]) -> Array:
    """Sum values over the steps of their last axis: each belongs to the step that holds its coordinate.

    Parameters
    ----------
    values : array, shape (..., n)
        What to sum.
    coordinate : array, shape (n,)
        Rising. What lies outside the edges belongs to the first or the last step.
    edges : array, shape (n_steps + 1,)
        Edges of the steps, which are half open.

    Returns
    -------
    sums : array, shape (..., n_steps)
        0 where a step holds nothing.
    """
    steps, starts = _starts(coordinate, edges)
    sums = np.zeros((*values.shape[:-1], len(edges) - 1))
    sums[..., steps] = np.add.reduceat(values, starts, axis=-1, dtype=np.float64)
    return sums


def in_rows(values: npt.NDArray[Any], coordinate: npt.NDArray[Any], edges: npt.NDArray[Any]) -> Array:
    """Sum values over the steps of their last axis but one, as `in_steps` does over the last: in a quarter of the time.

    Parameters
    ----------
    values : array, shape (..., n, m)
        What to sum.
    coordinate, edges
        As of `in_steps`.

    Returns
    -------
    sums : array, shape (..., n_steps, m)
        0 where a step holds nothing.
    """
    steps, starts = _starts(coordinate, edges)
    sums = np.zeros((*values.shape[:-2], len(edges) - 1, values.shape[-1]))
    for step, start, end in zip(steps, starts, [*starts[1:], len(coordinate)], strict=True):
        values[..., start:end, :].sum(axis=-2, dtype=np.float64, out=sums[..., step, :])
    return sums


def _starts(coordinate: npt.NDArray[Any], edges: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The steps that hold something, and the place of the first that each holds."""
    places = np.clip(np.searchsorted(edges, coordinate + 1e-9, side="right") - 1, 0, len(edges) - 2)
    return np.unique(places, return_index=True)


def rounded(values: Array, scale: npt.NDArray[Any], levels: int = LEVELS) -> npt.NDArray[np.int8]:
    """Round values to `levels` of a scale on each side of 0, so that the sum over any stretch is off by at most one of them.

    What is rounded are the sums from the first value on; a value is the difference of two of these. Were each value rounded
    by itself, the sum over a band would gather the errors of all of its steps.

    Parameters
    ----------
    values : array, shape (..., n)
        What to round; |values| <= scale.
    scale : array, broadcast against (..., 1)
        The largest value.
    levels : int
        At most `LEVELS`.
    """
    level = np.where(scale > 0, scale, 1.0) / levels
    sums = np.rint(np.cumsum(values, axis=-1) / level)
    return np.diff(sums, axis=-1, prepend=0.0).astype(np.int8)


def as_bytes(values: Array, scale: npt.NDArray[Any], levels: int) -> npt.NDArray[np.int8]:
    """Round each value by itself; what is not finite is -128."""
    level = np.where(scale > 0, scale, 1.0) / levels
    return np.where(np.isfinite(values), np.rint(np.nan_to_num(values) / level), -128).astype(np.int8)


def marked_sums(
    sums: Array, errors: Array, scale: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Sums of bands and their errors in two bytes each, so that what is within its error stays so, and nothing else becomes so.

    Parameters
    ----------
    sums, errors : array, shape (...)
        Sums, and their errors; NaN where these are not known.
    scale : array, broadcast against (...)
        The largest of all of them.

    Returns
    -------
    sums, errors : array of int16, shape (...)
        In parts of scale / 32767; an error that is not known is -1.
    """
    level = np.where(scale > 0, scale, 1.0).astype(np.float64) / _LARGEST
    own = np.clip(np.rint(sums / level), -_LARGEST, _LARGEST)
    known = np.isfinite(errors)
    parts = np.where(known, errors, 0.0) / level
    within = known & (np.abs(sums) <= errors)
    held = np.where(within, np.ceil(parts), np.minimum(np.floor(parts), np.maximum(np.abs(own) - 1, 0)))
    return own.astype(np.int16), np.where(known, np.clip(held, 0, _LARGEST), -1).astype(np.int16)


def resampled(signal: npt.NDArray[Any], n_times: int) -> Array:
    """A signal with fewer samples, shape (..., n_times); the same where it has no more."""
    recorded = signal.shape[-1]
    if recorded <= n_times:
        return np.asarray(signal, dtype=np.float64)
    shared = int(np.gcd(recorded, n_times))
    fewer = resample_poly(signal.astype(np.float64), n_times // shared, recorded // shared, axis=-1, padtype="line")
    return np.asarray(fewer[..., :n_times])


def as_differences(steps: Array) -> npt.NDArray[np.int8]:
    """Whole numbers from -127 to 127 as differences from one to the next, which pack better; they wrap round a byte."""
    whole = np.clip(np.rint(steps), -127, 127).astype(np.int16)
    return np.diff(whole, axis=-1, prepend=np.int16(0)).astype(np.int8)
