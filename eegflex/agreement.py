"""How far two stagings agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["cohens_kappa", "confusion"]


def confusion(
    scored: npt.NDArray[np.integer[Any]], predicted: npt.NDArray[np.integer[Any]], n_stages: int
) -> npt.NDArray[np.int64]:
    """How often each stage was taken for each, in epochs.

    Parameters
    ----------
    scored, predicted : array of int, shape (n_epochs,)
        Places of the stages, from 0 to `n_stages` - 1.
    n_stages : int
        How many stages there are.

    Returns
    -------
    counts : array of int, shape (n_stages, n_stages)
        Rows scored, columns predicted.
    """
    counts = np.bincount(scored * n_stages + predicted, minlength=n_stages**2)
    return counts.reshape(n_stages, n_stages).astype(np.int64)


def cohens_kappa(counts: npt.NDArray[np.integer[Any]]) -> float:
    """Cohen's kappa of a table of counts, shape (n_stages, n_stages).

    NaN where it is not defined: for no epochs, and where both always say the same single stage.
    """
    total = counts.sum()
    if total == 0:
        return float("nan")
    observed, expected = np.trace(counts) / total, (counts.sum(0) @ counts.sum(1)) / total**2
    return float("nan") if expected == 1 else float((observed - expected) / (1 - expected))
