"""The table of bands: what each band did to the score, over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.bands import Bands
from eegflex.errors import ParameterError, check_choice
from eegflex.results import tables
from eegflex.results.dominated import dominated
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval, quantile
from eegflex.results.marks import cell_errors, error_of_all, mean_error, total_errors, within
from eegflex.results.means import only_means, refuse_single
from eegflex.results.recordings import labels_of
from eegflex.results.spectral_share import decided_rows
from eegflex.results.trust import has_evidence, judge
from eegflex.results.weights import case_weights, tell_of_weights

__all__ = ["GROUPINGS", "STATISTICS", "band_table"]

#: What a table of bands can be by.
GROUPINGS = ("stage", "channel", "epoch", "recording")
#: What it can tell of the epochs of a group.
STATISTICS = ("mean", "median", "sd", "q25", "q75", "min", "max", "ci_low", "ci_high", "error", "within_error")
#: What needs each of them by itself.
_OF_SINGLE = ("median", "sd", "q25", "q75", "min", "max")


def band_table(
    dataset: xr.Dataset, bands: Bands, *, by: Sequence[str], stage_from: str, statistic: str
) -> pd.DataFrame:
    """Tell what each band did over the epochs of each group; see `FlexResult.band_table`."""
    _check(dataset, by, statistic)
    names = [*bands.names, "total"]
    rows = _rows(dataset, bands, by, stage_from)
    groups = rows.groupby(list(by), observed=True)
    drawn = only_means(dataset)
    found = np.stack([_statistics(own[own["agreed"]], names, drawn=drawn) for _, own in groups])
    counts = groups["agreed"].agg(["sum", "size"]).astype(int)
    if drawn:
        few = counts["sum"].to_numpy() < MIN_EPOCHS
        found[few] = np.nan
        found[few, STATISTICS.index("within_error")] = 0
        found[:, [STATISTICS.index(one) for one in _OF_SINGLE]] = np.nan
        without = _carried_by_few(dataset, counts.index.to_frame(index=False), by, stage_from)
        for end in ("ci_low", "ci_high"):
            found[without, STATISTICS.index(end)] = np.nan
    told = pd.DataFrame({"n_epochs": counts["sum"]})
    if _compares(dataset, by):
        told["n_left_out"] = counts["size"] - counts["sum"]
    if has_evidence(dataset):
        told["n_trusted"] = (rows["trusted"] & rows["agreed"]).groupby([rows[name] for name in by], observed=True).sum()
    deciders = decided_rows(dataset, counts.index.to_frame(index=False), stage_from)
    if deciders is not None:
        told["decided_by"] = deciders
    if statistic != "all":
        table = pd.DataFrame(found[:, STATISTICS.index(statistic)], index=counts.index, columns=names)
        return table.astype(_KINDS.get(statistic, float)).assign(**told)
    keys = counts.index.to_frame(index=False)
    keys = keys.loc[keys.index.repeat(len(names))].assign(band=names * len(keys))
    table = pd.DataFrame(
        np.moveaxis(found, 1, 2).reshape(-1, len(STATISTICS)), index=pd.MultiIndex.from_frame(keys), columns=STATISTICS
    )
    return table.astype(_KINDS).assign(**{name: told[name].to_numpy().repeat(len(names)) for name in told})


def _carried_by_few(
    dataset: xr.Dataset, groups: pd.DataFrame, by: Sequence[str], stage_from: str
) -> npt.NDArray[np.bool_]:
    """Of which groups a few epochs carry the means: of a stage, a recording, or both, whatever the channel."""
    whole = [one for one in by if one != "channel"]
    parts = {
        "stage": _labels(dataset, whole, stage_from),
        "recording": dataset["recording"].values.astype(str)[:, None],
    }
    own, keys = np.where(parts["stage"] == "", "", "|"), np.full(len(groups), "|")
    for name in (one for one in parts if one in by):
        own = np.where(own == "", "", np.char.add(own, parts[name]))
        keys = np.char.add(keys, groups[name].to_numpy(dtype=str))
    return np.isin(keys, list(dominated(dataset, own)))


#: What is no number.
_KINDS = {"within_error": bool}


def _compares(dataset: xr.Dataset, by: Sequence[str]) -> bool:
    """Whether channels of channel sets that may explain other stages stand beside each other, over epochs of a stage."""
    return {"stage", "channel"} <= set(by) and "epoch" not in by and dataset.sizes["channel_set"] > 1


def _check(dataset: xr.Dataset, by: Sequence[str], statistic: str) -> None:
    check_choice("statistic", statistic, (*STATISTICS, "all"))
    if not by or not set(by) <= set(GROUPINGS) or len(set(by)) < len(by):
        raise ParameterError(
            "by must be one or several of " + ", ".join(map(repr, GROUPINGS)), seen=repr(tuple(by)),
            allowed="each of them once",
        )  # fmt: skip
    if "epoch" in by and "recording" not in by and len(labels_of(dataset)) > 1:
        raise ParameterError(
            "Epochs are numbered within their recording, and this result holds several",
            seen=f"by={tuple(by)!r}",
            remedy="Add 'recording' to by, or take one of them with result.sel(recording=...)",
        )
    if "epoch" in by or statistic in _OF_SINGLE:
        refuse_single(dataset, f"a table of bands with by={tuple(by)!r} and statistic={statistic!r}")


def _rows(dataset: xr.Dataset, bands: Bands, by: Sequence[str], stage_from: str) -> pd.DataFrame:
    """One row for each epoch of each group, in the order of time: what it is of, and its band sums."""
    sums, errors = tables.band_sums(dataset, bands), cell_errors(dataset, bands)
    together = np.minimum(errors.sum(axis=-1), error_of_all(dataset))
    sums = np.concatenate([sums, sums.sum(axis=-1, keepdims=True), errors, together[..., None]], axis=-1)
    channels = dataset["channel"].values.astype(str)
    labels = _labels(dataset, by, stage_from)
    names = [*bands.names, "total"]
    names = [*names, *map(_error_of, names)]
    rows = _spread(sums, labels, channels, names) if "channel" in by else _pooled(dataset, sums, labels, names)
    if "stage" in by:
        rows = rows[rows["stage"] != ""]
    place, by_predicted = rows["place"].to_numpy(), "stage" in by and stage_from == "predicted"
    if "epoch" not in by:
        tell_of_weights(dataset, by_predicted=by_predicted)
    stages = [*dataset["stage_name"].values.astype(str), *sorted(set(labels.ravel()))]
    rows = rows.assign(
        recording=_ordered(dataset["recording"].values.astype(str)[place], labels_of(dataset)),
        stage=_ordered(rows["stage"], stages),
        channel=_ordered(rows["channel"], [*channels, ""]),
        epoch=dataset["number"].values[place],
        block=blocks_of(dataset["onset"].values, dataset["recording"].values)[place],
        weight=case_weights(dataset, place, rows["stage"].to_numpy(dtype=str) if by_predicted else None),
        trusted=judge(dataset).epochs[place] if has_evidence(dataset) else False,
        agreed=(tables.agreed_labels(dataset, stage_from) != "")[place] if _compares(dataset, by) else True,
    )
    return rows.sort_values(["recording", "epoch"], kind="stable", ignore_index=True)


def _labels(dataset: xr.Dataset, by: Sequence[str], stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch and channel, (n_epochs, n_channels); empty for what is not counted."""
    shape = (dataset.sizes["epoch"], dataset.sizes["channel"])
    if "stage" not in by:
        return np.broadcast_to(tables.epoch_stages(dataset, stage_from)[:, None], shape)
    if _compares(dataset, by):  # over the same epochs: one of which a channel explains another stage is left out of all
        return np.broadcast_to(tables.counted_stages(dataset, stage_from)[:, None], shape)
    return tables.counted_labels(dataset, stage_from)


def _pooled(
    dataset: xr.Dataset,
    sums: npt.NDArray[np.float64],
    labels: npt.NDArray[np.str_],
    names: Sequence[str],
) -> pd.DataFrame:
    """One row for each epoch: summed over the channels of a channel set, and then averaged over those that have a label."""
    of = dataset["of_channel_set"].values
    members = [np.flatnonzero(of == k) for k in range(dataset.sizes["channel_set"])]
    sums = np.stack([sums[:, own].sum(axis=1) for own in members], axis=1)
    n_values = len(names) // 2  # then their errors, which are not more than that of all together
    most = error_of_all(dataset)[:, [own[0] for own in members]]
    sums[..., n_values:] = np.minimum(sums[..., n_values:], most[..., None])
    sums[..., -1] = np.minimum(sums[..., -1], total_errors(dataset))
    rows = _spread(sums, labels[:, [own[0] for own in members]], np.array([""] * len(members)), names)
    rows = rows[rows["stage"] != ""]
    return rows.groupby(["place", "stage"], sort=False, as_index=False)[list(names)].mean().assign(channel="")


def _ordered(values: Any, order: Sequence[str]) -> pd.Categorical:
    """Names that are sorted as they stand in an order."""
    return pd.Categorical(values, categories=list(dict.fromkeys(order)))


def _spread(
    sums: npt.NDArray[np.float64], labels: npt.NDArray[np.str_], channels: npt.NDArray[np.str_], names: Sequence[str]
) -> pd.DataFrame:
    """One row for each epoch and channel, or channel set."""
    rows = pd.DataFrame(sums.reshape(-1, sums.shape[-1]), columns=list(names))
    return rows.assign(
        place=np.repeat(np.arange(len(sums)), len(channels)),
        channel=np.tile(channels, len(sums)),
        stage=labels.ravel(),
    )


def _statistics(rows: pd.DataFrame, names: Sequence[str], *, drawn: bool) -> npt.NDArray[np.float64]:
    """Tell of the values of epochs: what `STATISTICS` names, shape (n_statistics, n_values).

    `drawn` is whether the nodes of epochs were drawn at random, so that their errors are a part of their spread.
    """
    values, weights = rows[list(names)].to_numpy(), rows["weight"].to_numpy(dtype=np.float64)
    if not len(values):
        return np.vstack([np.full((len(STATISTICS) - 1, len(names)), np.nan), np.zeros(len(names))])
    mean = np.average(values, axis=0, weights=weights)
    deviation = np.full(len(names), np.nan)
    if len(values) > 1:
        deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights) * len(values) / (len(values) - 1))
    quartile, median, other = (quantile(values, weights, share) for share in (0.25, 0.5, 0.75))
    low, high = mean_interval(values, rows["block"].to_numpy(), weights, guarded=drawn)
    error = mean_error(rows[list(map(_error_of, names))].to_numpy(), weights, drawn=drawn)
    ends = values.min(axis=0), values.max(axis=0), low, high
    return np.stack([mean, median, deviation, quartile, other, *ends, error, within(mean, error, low, high)])


def _error_of(name: str) -> str:
    """The column with the errors of another one."""
    return f"error of {name}"
