"""From attributions of epochs to tables: pure functions of a result's dataset."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.agreement import cohens_kappa, confusion, consensus
from eegflex.bands import Bands
from eegflex.errors import ParameterError

__all__ = [
    "agreement",
    "band_sums",
    "band_table",
    "long_table",
    "relative_gap",
    "score_kind",
    "sizes",
    "stage_labels",
]


def score_kind(dataset: xr.Dataset) -> str:
    """What the stager returned: ``"logits"``, ``"log_probs"`` or ``"probs"``."""
    return str(json.loads(dataset.attrs["spec"])["output"]["scores"])


def band_sums(dataset: xr.Dataset, bands: Bands, variable: str = "frequency_view") -> npt.NDArray[np.float64]:
    """Sums over each band and the rest, shape (n_epochs, n_channels, n_bands + 1).

    Raises
    ------
    ParameterError
        If the method attributed to other bands than these, as wholes.
    """
    if variable in dataset:
        return bands.sum(dataset[variable].values, dataset["freq"].values)
    if dict(bands) != dict(Bands()):
        raise ParameterError(
            "This method attributes to whole bands, which cannot be divided",
            seen=bands,
            allowed=Bands(),
            remedy="Leave bands out, or use a method that attributes to frequencies, such as 'flex'",
        )
    return dataset["band_view"].values.astype(np.float64)


def sizes(dataset: xr.Dataset, bands: Bands) -> npt.NDArray[np.float64]:
    """Absolute total of the band sums of all channels, and of the context's if it moved, shape (n_epochs, n_combinations)."""
    own = np.abs(band_sums(dataset, bands)).sum(axis=-1)
    if "context_map" in dataset:
        parts = np.abs(dataset["context_map"].transpose("epoch", "channel", "context", "band").values)
        own = np.nansum(parts, axis=(2, 3), dtype=np.float64)
    of = dataset["of_combination"].values
    totals = np.stack([own[:, of == k].sum(axis=1) for k in range(dataset.sizes["combination"])], axis=1)
    return np.maximum(totals, np.finfo(float).tiny)


def relative_gap(dataset: xr.Dataset, bands: Bands) -> npt.NDArray[np.float64]:
    """|completeness gap| over the absolute total of the band sums, shape (n_epochs, n_combinations).

    At the zero baseline large terms of both signs cancel in F(x) - F(0), so that is not what a gap is judged against.
    """
    return np.abs(dataset["gap"].values) / sizes(dataset, bands)


def stage_labels(dataset: xr.Dataset, stages: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch and channel, shape (n_epochs, n_channels).

    Parameters
    ----------
    stages : {"predicted", "scored", "target"}
        The stager's (of the channel's own combination), the hypnogram's, or the score explained.
    """
    shape = (dataset.sizes["epoch"], dataset.sizes["channel"])
    if stages == "scored":
        return np.broadcast_to(dataset["stage"].values.astype(str)[:, None], shape)
    if stages in ("predicted", "target"):
        return dataset[stages].values.astype(str)[:, dataset["of_combination"].values]
    raise ParameterError("There are no such stages", seen=repr(stages), allowed=["predicted", "scored", "target"])


def long_table(dataset: xr.Dataset, bands: Bands) -> pd.DataFrame:
    """One row for each epoch, channel and band."""
    n_epochs, n_channels, n_bands = dataset.sizes["epoch"], dataset.sizes["channel"], len(bands.names)
    shape = (n_epochs, n_channels, n_bands)

    def spread(values: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
        index = tuple(slice(None) if axis in axes else None for axis in "ecb")
        return np.broadcast_to(values[index], shape).ravel()

    freqs = dataset["freq"].values
    power = band_sums(dataset, bands, "power") * (freqs[1] - freqs[0])
    return pd.DataFrame(
        {
            "number": spread(dataset["number"].values, "e"),
            "onset": spread(dataset["onset"].values, "e"),
            "stage": spread(dataset["stage"].values.astype(str), "e"),
            "predicted": spread(stage_labels(dataset, "predicted"), "ec"),
            "target": spread(stage_labels(dataset, "target"), "ec"),
            "channel": spread(dataset["channel"].values.astype(str), "c"),
            "band": spread(np.array(bands.names), "b"),
            "attribution": band_sums(dataset, bands).ravel(),
            "power": power.ravel(),
        }
    )


def band_table(dataset: xr.Dataset, bands: Bands, *, by: tuple[str, ...], stages: str) -> pd.DataFrame:
    """Mean attribution in each band, within stages, channels or both."""
    if not by or not set(by) <= {"stage", "channel"}:
        raise ParameterError("A band table is by stage, by channel or by both", seen=by, allowed=["stage", "channel"])
    sums = band_sums(dataset, bands)
    table = pd.DataFrame(sums.reshape(-1, sums.shape[-1]), columns=list(bands.names))
    table["total"] = table.sum(axis=1)
    labels = stage_labels(dataset, stages)
    channels = dataset["channel"].values.astype(str)
    order = [*dataset["stage_name"].values.astype(str), *sorted(set(labels.ravel()))]
    table["stage"] = pd.Categorical(labels.ravel(), categories=list(dict.fromkeys(order)))
    table["channel"] = pd.Categorical(np.tile(channels, len(sums)), categories=list(channels))
    table["epoch"] = np.repeat(np.arange(len(sums)), len(channels))
    groups = table.groupby(list(by), observed=True)
    return groups[[*bands.names, "total"]].mean().assign(n_epochs=groups["epoch"].nunique())


def agreement(dataset: xr.Dataset) -> tuple[float, pd.DataFrame] | None:
    """Cohen's kappa and the confusion matrix of the stager (by consensus) against the hypnogram, over the whole night.

    Returns
    -------
    kappa : float
        Cohen's kappa; NaN where both always say the same single stage.
    confusion : pandas.DataFrame
        Rows scored, columns predicted, in epochs. ``None`` in place of both without a hypnogram.
    """
    stages = list(dataset["stage_name"].values.astype(str))
    scored = dataset["night_stage"].values.astype(str)
    sound = dataset["night_fault"].values.astype(str) == ""
    judged = np.isin(scored, stages) & sound & np.isfinite(dataset["night_scores"].values).all(axis=(1, 2))
    if not judged.any():
        return None
    predicted = consensus(dataset["night_scores"].values[judged], score_kind(dataset))
    rows = np.array([stages.index(stage) for stage in scored[judged]])
    counts = confusion(rows, predicted, len(stages))
    table = pd.DataFrame(counts, index=pd.Index(stages, name="scored"), columns=pd.Index(stages, name="predicted"))
    return cohens_kappa(counts), table
