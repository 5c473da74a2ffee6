"""Means over the draws of a baseline that is drawn at random, and how well a few draws tell them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from eegflex.attribution.request import Explained

__all__ = ["COVERED", "Draw", "mean_over"]

#: How often the estimated error of a mean over draws covers the true one.
COVERED = 0.95
_TINY = 1e-30


@dataclass(frozen=True)
class Draw:
    """One epoch as explained from one draw of its baseline.

    Attributes
    ----------
    explained : Explained
        The explanation.
    sums : array of float64, shape (n_targets, n_moving, n_channels, n_bands)
        Band sums of all that moves.
    at : int
        The segment among what moves.
    errors : array of float64, shape (n_targets, n_parts) | None
        Estimated errors of all `parts`, where there is an estimate.
    beyond : array of float64, shape (n_targets,) | None
        Attribution to what reaches into the window from beyond it, where something does.
    """

    explained: Explained
    sums: npt.NDArray[np.float64]
    at: int = 0
    errors: npt.NDArray[np.float64] | None = None
    beyond: npt.NDArray[np.float64] | None = None

    @property
    def parts(self) -> npt.NDArray[np.float64]:
        """Band sums and what is from beyond, shape (n_targets, n_parts)."""
        flat = self.sums.reshape(len(self.sums), -1)
        return flat if self.beyond is None else np.column_stack([flat, self.beyond])


def mean_over(draws: Sequence[Draw], negligible: float = 0.0) -> Explained:
    """The mean of the draws of an epoch, or the only one as it is.

    The error of each band sum is what each draw's own may be, and in quadrature half of the interval that the draws give for
    their mean (by Student's t, for they are few). That of the change of the score is of the scores of the baselines, likewise:
    what a draw gives one band more, it gives others less, so that the errors of the bands together would be far too large for
    it.

    Parameters
    ----------
    draws : sequence of Draw
        Of one epoch.
    negligible : float
        What the error is relative to at least.
    """
    explained = [draw.explained for draw in draws]
    first, own = explained[0], [draw.errors for draw in draws if draw.errors is not None]
    errors = np.mean(own, axis=0) if own else None
    facts = {}
    averaged = ("baseline_score", "gap", *(() if first.path_share is None else ("path_share",)))
    if len(draws) > 1:
        parts = np.stack([draw.parts for draw in draws])
        of_paths = np.zeros(parts.shape[1]) if errors is None else errors.sum(axis=1)
        errors = np.hypot(0.0 if errors is None else errors, _half_interval(parts))
        sizes = np.abs(parts.mean(axis=0)).sum(axis=1)
        begins = np.stack([one.baseline_score for one in explained])
        facts = {
            "views": {view: _mean([one.views[view] for one in explained]) for view in first.views},
            **{name: np.mean([getattr(one, name) for one in explained], axis=0) for name in averaged},
            **{name: sum(getattr(one, name) for one in explained) for name in ("n_gradients", "n_forwards")},
            "change_error": _change_error(begins, of_paths),
            "error": float((errors.sum(axis=1) / np.maximum(sizes, max(negligible, _TINY))).max()),
        }
    whole = dataclasses.replace(first, **facts)
    if errors is None:
        return whole
    shape = draws[0].sums.shape
    of_bands = errors[:, : np.prod(shape[1:])].reshape(shape)[:, draws[0].at]
    return dataclasses.replace(whole, views={**whole.views, "band_error": of_bands.astype(np.float32)})


def _change_error(begins: npt.NDArray[np.float64], of_paths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Error of the change of each score, and of each score less another, shape (n_targets, n_targets).

    Parameters
    ----------
    begins : array, shape (n_draws, n_targets)
        Scores of the baselines.
    of_paths : array, shape (n_targets,)
        Errors of the attributions along the paths, which may add up where two scores are compared.
    """
    own = np.eye(begins.shape[1], dtype=bool)
    between = np.where(own, begins[:, :, None], begins[:, :, None] - begins[:, None])
    return np.hypot(_half_interval(between), np.where(own, of_paths, of_paths[:, None] + of_paths))


def _half_interval(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Half of the interval that holds the mean of all draws there could be."""
    n_draws = len(sums)
    return np.asarray(stdtrit(n_draws - 1, (1 + COVERED) / 2) / np.sqrt(n_draws) * sums.std(axis=0, ddof=1))


def _mean(views: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.floating]:
    return np.mean(views, axis=0, dtype=np.float64).astype(views[0].dtype)
