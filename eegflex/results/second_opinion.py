"""How far two ways of explaining the same epochs agree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy.stats import rankdata

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables

__all__ = ["second_opinion"]

#: The leading cells of the first opinion, whose signs are compared.
N_LEADING = 3


def second_opinion(dataset: xr.Dataset) -> pd.DataFrame:
    """Compare both opinions, epoch by epoch; see `FlexResult.second_opinion`."""
    if "second_view" not in dataset:
        raise ParameterError(
            "This result has no second opinion", remedy="Attribute the recording with second_opinion='shapley'"
        )
    first = tables.band_sums(dataset, Bands())
    second, error = (
        dataset[name].transpose("epoch", "channel", "band").values.astype(np.float64)
        for name in ("second_view", "second_error")
    )
    of = dataset["of_channel_set"].values
    facts = {name: dataset[name].values for name in ("recording", "number", "onset")}
    sets, predicted = dataset["channel_set"].values.tolist(), dataset["predicted"].values
    rows = []
    for channel_set, name in enumerate(sets):
        own = of == channel_set
        for epoch in np.flatnonzero(np.isfinite(second[:, own]).all(axis=(1, 2))).tolist():
            compared = _compare(*(values[epoch, own].ravel() for values in (first, second, error)))
            known = {one: values[epoch] for one, values in facts.items()}
            rows.append(known | {"channel_set": name, "stage": predicted[epoch, channel_set]} | compared)
    columns = [*facts, "channel_set", "stage", *_compare(*np.ones((3, 2)))]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["recording", "number", "channel_set"], ignore_index=True)


def _compare(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], error: npt.NDArray[np.float64]
) -> dict[str, float]:
    """How far the opinions on the cells of one epoch agree."""
    size = max(float(np.abs(first).sum()), 1e-30)
    leading = np.abs(first).argsort()[::-1][:N_LEADING]
    return {
        "disagreement": float(np.abs(first - second).sum()) / size,
        "error": float(error.sum()) / size,
        "rank_correlation": _correlation(rankdata(first), rankdata(second)),
        "same_sign": float((np.sign(first[leading]) == np.sign(second[leading])).mean()),
    }


def _correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation; NaN where one of both is all the same."""
    one, other = one - one.mean(), other - other.mean()
    spread = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / spread) if spread > 0 else np.nan
