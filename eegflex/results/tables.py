"""From attributions of epochs to tables: pure functions of a result's dataset."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.agreement import cohens_kappa, confusion, consensus, probabilities, surest
from eegflex.bands import Bands
from eegflex.errors import ParameterError

__all__ = [
    "agreement",
    "band_sums",
    "band_table",
    "long_table",
    "night_confusion",
    "night_stages",
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
    """Absolute total of the band sums of all channels, and of the context's if it moved, shape (n_epochs, n_channel_sets)."""
    own = np.abs(band_sums(dataset, bands)).sum(axis=-1)
    if "context_map" in dataset:
        parts = np.abs(dataset["context_map"].transpose("epoch", "channel", "context", "band").values)
        own = np.nansum(parts, axis=(2, 3), dtype=np.float64)
    of = dataset["of_channel_set"].values
    totals = np.stack([own[:, of == k].sum(axis=1) for k in range(dataset.sizes["channel_set"])], axis=1)
    return np.maximum(totals, np.finfo(float).tiny)


def relative_gap(dataset: xr.Dataset, bands: Bands) -> npt.NDArray[np.float64]:
    """|completeness gap| over the absolute total of the band sums, shape (n_epochs, n_channel_sets).

    At the zero baseline large terms of both signs cancel in F(x) - F(0), so that is not what a gap is judged against.
    """
    return np.abs(dataset["gap"].values) / sizes(dataset, bands)


def stage_labels(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch and channel, shape (n_epochs, n_channels).

    Parameters
    ----------
    stage_from : {"predicted", "scored", "target"}
        The stager's (of the channel's own channel set), the hypnogram's, or the score explained.
    """
    shape = (dataset.sizes["epoch"], dataset.sizes["channel"])
    if stage_from == "scored":
        return np.broadcast_to(dataset["stage"].values.astype(str)[:, None], shape)
    if stage_from in ("predicted", "target"):
        return dataset[stage_from].values.astype(str)[:, dataset["of_channel_set"].values]
    raise ParameterError("stage_from must be one of 'predicted', 'scored', 'target'", seen=repr(stage_from))


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


def band_table(dataset: xr.Dataset, bands: Bands, *, by: tuple[str, ...], stage_from: str) -> pd.DataFrame:
    """Mean attribution in each band, within stages, channels or both."""
    if not by or not set(by) <= {"stage", "channel"}:
        raise ParameterError("A band table is by stage, by channel or by both", seen=by, allowed=["stage", "channel"])
    sums = band_sums(dataset, bands)
    table = pd.DataFrame(sums.reshape(-1, sums.shape[-1]), columns=list(bands.names))
    table["total"] = table.sum(axis=1)
    labels = stage_labels(dataset, stage_from)
    channels = dataset["channel"].values.astype(str)
    order = [*dataset["stage_name"].values.astype(str), *sorted(set(labels.ravel()))]
    table["stage"] = pd.Categorical(labels.ravel(), categories=list(dict.fromkeys(order)))
    table["channel"] = pd.Categorical(np.tile(channels, len(sums)), categories=list(channels))
    table["epoch"] = np.repeat(np.arange(len(sums)), len(channels))
    groups = table.groupby(list(by), observed=True)
    return groups[[*bands.names, "total"]].mean().assign(n_epochs=groups["epoch"].nunique())


def night_stages(dataset: xr.Dataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """What the stager said of the whole night, by the most confident channel set.

    Returns
    -------
    probabilities : array, shape (n_night, n_stages)
        NaN for epochs that were not staged by all channel sets, or whose signal is faulty.
    predicted : array of str, shape (n_night,)
        The stage; empty there.
    """
    scores, kind = dataset["night_scores"].values, score_kind(dataset)
    sound = np.isfinite(scores).all(axis=(1, 2)) & (dataset["night_fault"].values.astype(str) == "")
    chosen = probabilities(scores, kind)[np.arange(len(scores)), surest(scores, kind)]
    names = dataset["stage_name"].values.astype(str)[consensus(scores, kind)]
    return np.where(sound[:, None], chosen, np.nan), np.where(sound, names, "")


def night_confusion(dataset: xr.Dataset) -> npt.NDArray[np.int64]:
    """How often each stage was taken for each over the whole night, scored by predicted, in epochs that have both."""
    stages = list(dataset["stage_name"].values.astype(str))
    scored, predicted = dataset["night_stage"].values.astype(str), night_stages(dataset)[1]
    judged = np.isin(scored, stages) & (predicted != "")
    places = [np.array([stages.index(stage) for stage in of[judged]], dtype=np.intp) for of in (scored, predicted)]
    return confusion(places[0], places[1], len(stages))


def agreement(dataset: xr.Dataset) -> tuple[float, pd.DataFrame] | None:
    """Cohen's kappa and the confusion matrix of the stager (by consensus) against the hypnogram, over the whole night.

    Returns
    -------
    kappa : float
        Cohen's kappa; NaN where both always say the same single stage.
    confusion : pandas.DataFrame
        Rows scored, columns predicted, in epochs. ``None`` in place of both without a hypnogram.
    """
    stages, counts = list(dataset["stage_name"].values.astype(str)), night_confusion(dataset)
    if not counts.sum():
        return None
    table = pd.DataFrame(counts, index=pd.Index(stages, name="scored"), columns=pd.Index(stages, name="predicted"))
    return cohens_kappa(counts), table
