"""The rhythms of the window: what the neighbours of an epoch did to its score, where they were explained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.results.select import Pooled, once_each, pool

__all__ = [
    "ALL",
    "BEYOND",
    "CHANGE",
    "EPOCH",
    "NEIGHBOURS",
    "TOTAL",
    "Neighbours",
    "has_windows",
    "neighbours",
    "window_rhythms",
    "with_context_map",
]

#: What a window consists of, and the change of the score that its parts sum to.
EPOCH, NEIGHBOURS, BEYOND, CHANGE = "epoch", "neighbours", "beyond", "change"
#: All channels that the stager takes at once, and all bands.
ALL, TOTAL = "all", "total"
_COLUMNS = ("n_epochs", "median", "mean", "ci_low", "ci_high", "error")


@dataclass(frozen=True)
class _Windows:
    """The epochs whose windows were explained.

    Attributes
    ----------
    dataset : xarray.Dataset
        Of these epochs.
    maps : array, shape (n_epochs, n_channels, n_offsets, n_bands + 1)
        Band sums, and of all bands; NaN where there is no such neighbour.
    beyond, change, error : array, shape (n_epochs, n_channel_sets)
        Attribution to the rest of the night, F(x) - F(x_b), and the estimated error of all parts together.
    """

    dataset: xr.Dataset
    maps: npt.NDArray[np.float64]
    beyond: npt.NDArray[np.float64]
    change: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]


def has_windows(dataset: xr.Dataset) -> bool:
    """Whether windows of some epochs were explained as wholes."""
    return bool(_names(dataset)) and bool(_explained(dataset).any())


def _names(dataset: xr.Dataset) -> tuple[str, str] | None:
    """The map of windows, and their baselines' score; None without one."""
    pairs = (("context_map", "baseline_score"), ("window_map", "window_baseline_score"))
    return next((pair for pair in pairs if pair[0] in dataset), None)


def _explained(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    names = _names(dataset)
    assert names is not None  # noqa: S101
    return np.asarray(np.isfinite(dataset[names[1]].values).all(axis=1))


def with_context_map(dataset: xr.Dataset) -> xr.Dataset:
    """The epochs whose windows were explained, as a result has them in which all windows moved; as it is without any."""
    if "context_map" in dataset or not has_windows(dataset):
        return dataset
    return dataset.isel(epoch=np.flatnonzero(_explained(dataset))).rename(window_map="context_map")


def _windows(dataset: xr.Dataset) -> _Windows:
    names = _names(dataset)
    if names is None:
        raise ParameterError(
            "This result explains no windows",
            remedy="Explain with FLEX a stager that sees neighbours, with windows_per_stage=3, or all with context='scaled'",
        )
    dataset = dataset.isel(epoch=np.flatnonzero(_explained(dataset)))
    maps = dataset[names[0]].transpose("epoch", "channel", "context", "band").values.astype(np.float64)
    scaled = names[0] == "context_map"
    error = dataset["error"].values * tables.sizes(dataset) if scaled else dataset["window_error"].values
    change = dataset["score"].values - dataset[names[1]].values
    beyond = dataset["beyond"].values if "beyond" in dataset else np.zeros_like(change)
    return _Windows(dataset, np.concatenate([maps, maps.sum(axis=-1, keepdims=True)], axis=-1), beyond, change, error)


@dataclass(frozen=True)
class Neighbours:
    """What the neighbours of epochs did, in those whose windows were explained.

    Attributes
    ----------
    dataset : xarray.Dataset
        Of these epochs.
    sums : array, shape (n_epochs, n_channels, n_bands)
        Band sums, over all neighbours.
    error : array, shape (n_epochs, n_channels)
        Estimated error of all parts of the window together: no sum over some of them has a larger one.
    """

    dataset: xr.Dataset
    sums: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]


def neighbours(dataset: xr.Dataset) -> Neighbours | None:
    """What the neighbours of epochs did; None where no window was explained."""
    if not has_windows(dataset):
        return None
    windows = _windows(dataset)
    error = np.nan_to_num(windows.error)[:, windows.dataset["of_channel_set"].values]
    return Neighbours(windows.dataset, _of_neighbours(windows)[..., :-1], error)


def _of_neighbours(windows: _Windows) -> npt.NDArray[np.float64]:
    others = windows.dataset["context"].values != 0
    return np.asarray(np.nansum(windows.maps[:, :, others], axis=2))


def window_rhythms(dataset: xr.Dataset, *, by_offset: bool = False) -> pd.DataFrame:
    """Tell by stage what the parts of windows did; see `FlexResult.window_rhythms`."""
    windows = _windows(dataset)
    level = "offset" if by_offset else "part"
    rows = _rows_by_offset(windows) if by_offset else _rows_by_part(windows)
    keys = ["stage", level, "channel", "band"]
    table = pd.DataFrame(rows, columns=[*keys, *_COLUMNS]).astype({"n_epochs": int})
    order = {
        "stage": dataset["stage_name"].values.astype(str).tolist(),
        "part": [EPOCH, NEIGHBOURS, BEYOND, CHANGE],
        "channel": [*dataset["channel"].values.astype(str), ALL],
        "band": [*Bands().names, TOTAL],
    }
    for name in set(keys) & set(order):
        table[name] = pd.Categorical(table[name], categories=order[name])
    return table.set_index(keys).sort_index()


def _rows_by_part(windows: _Windows) -> list[tuple[object, ...]]:
    offsets = windows.dataset["context"].values
    own = windows.maps[:, :, offsets == 0].sum(axis=2)
    rows = [*_of_bands(windows, EPOCH, own), *_of_bands(windows, NEIGHBOURS, _of_neighbours(windows))]
    every = np.ones(windows.maps.shape[1], dtype=bool)
    for part, values in ((BEYOND, windows.beyond), (CHANGE, windows.change)):
        did = pool(windows.dataset, once_each(windows.dataset, values)[..., None], every, "predicted")
        rows += _told(windows, did, part, ALL, [TOTAL], every)
    return rows


def _rows_by_offset(windows: _Windows) -> list[tuple[object, ...]]:
    offsets = windows.dataset["context"].values.tolist()
    return [
        row for place, offset in enumerate(offsets) for row in _of_bands(windows, offset, windows.maps[:, :, place])
    ]


def _of_bands(windows: _Windows, part: object, values: npt.NDArray[np.float64]) -> list[tuple[object, ...]]:
    """Rows of each channel, and of all together, of values of shape (n_epochs, n_channels, n_bands + 1)."""
    names = windows.dataset["channel"].values.astype(str).tolist()
    bands = [*Bands().names, TOTAL]
    members = {name: np.arange(len(names)) == place for place, name in enumerate(names)} | {
        ALL: np.ones(len(names), dtype=bool)
    }
    rows = []
    for name, own in members.items():
        rows += _told(windows, pool(windows.dataset, values, own, "predicted"), part, name, bands, own)
    return rows


def _told(
    windows: _Windows, did: Pooled, part: object, channel: str, bands: list[str], members: npt.NDArray[np.bool_]
) -> list[tuple[object, ...]]:
    """Rows of each stage: in how many epochs, and what was done in them."""
    dataset = windows.dataset
    rows: list[tuple[object, ...]] = []
    of = dataset["of_channel_set"].values
    sets = np.unique(of[members])
    errors = windows.error[:, sets].mean(axis=1)
    for stage in dict.fromkeys(did.labels.tolist()):
        there = (did.labels == stage) & np.isfinite(did.values).all(axis=1)
        values, epochs = did.values[there], did.epochs[there]
        if not len(values):
            continue
        low = high = np.full(len(bands), np.nan)
        if len(values) >= MIN_EPOCHS:
            low, high = mean_interval(
                values, blocks_of(dataset["onset"].values[epochs], dataset["recording"].values[epochs])
            )
        median, mean, error = np.median(values, axis=0), values.mean(axis=0), float(np.median(errors[epochs]))
        for place, band in enumerate(bands):
            rows.append(
                (stage, part, channel, band, len(values), median[place], mean[place], low[place], high[place], error)
            )
    return rows
