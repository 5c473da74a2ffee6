"""What the checks of a result look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.results import tables

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.findings import Value
    from eegflex.results.result import FlexResult

__all__ = ["Evidence"]


@dataclass(frozen=True)
class Evidence:
    """What the checks look at, a case being an epoch with a channel set.

    Attributes
    ----------
    result : FlexResult
        Of one target.
    totals : array, shape (n_cases,)
        Absolute totals of the band sums.
    changes : array, shape (n_cases,)
        Sizes of F(x) - F(x_b).
    scales : array, shape (n_cases,)
        What gaps and errors are relative to: the totals, or what is negligible where that is more.
    gaps, errors : array, shape (n_cases,)
        Completeness gaps and estimated errors as shares of the scales; NaN where there is none.
    """

    result: FlexResult
    totals: npt.NDArray[np.float64]
    changes: npt.NDArray[np.float64]
    scales: npt.NDArray[np.float64]
    gaps: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]

    @classmethod
    def of(cls, result: FlexResult) -> Evidence:
        """Measure a result of one target."""
        data, scales = result.data, tables.sizes(result.data)
        totals = np.maximum(data["size"].values, np.finfo(float).tiny)
        changes = np.abs(data["score"].values - data["baseline_score"].values)
        shares = np.abs(data["gap"].values) / scales, data["error"].values
        return cls(result, *(np.ravel(values).astype(np.float64) for values in (totals, changes, scales, *shares)))

    @property
    def data(self) -> xr.Dataset:
        """The result's dataset, to be read only."""
        return self.result.data

    @property
    def bounds(self) -> npt.NDArray[np.float64]:
        """What is known of the error: the larger one of gap, which is a lower bound of it, and estimate."""
        return np.fmax(self.gaps, self.errors)

    @property
    def are_there(self) -> npt.NDArray[np.bool_]:
        """Which cases have any attribution: those of a score that nothing moves have none, and no error."""
        return np.asarray(self.totals > np.finfo(float).tiny)

    @property
    def sizes(self) -> dict[str, Value]:
        """How many cases and epochs there are."""
        return {"n": len(self.totals), "n_epochs": self.data.sizes["epoch"]}

    @property
    def cases(self) -> str:
        """What a case is called, in the plural."""
        return "epochs" if self.data.sizes["channel_set"] == 1 else "pairs of an epoch and a channel set"
