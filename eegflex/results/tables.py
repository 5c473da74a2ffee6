"""From attributions of epochs to tables: pure functions of a result's dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.agreement import cohens_kappa, confusion
from eegflex.bands import Bands
from eegflex.errors import ParameterError, check_choice
from eegflex.results.means import refuse_single
from eegflex.results.once import known
from eegflex.results.resolution import bin_widths, check_edges
from eegflex.review import Answers
from eegflex.scores import consensus, negligible_size, probabilities, surest
from eegflex.settings import ADAPTIVE

__all__ = [
    "STAGES_FROM",
    "agreed_labels",
    "agreement",
    "band_sums",
    "beyond_moved",
    "counted_cases",
    "counted_labels",
    "counted_sets",
    "counted_stages",
    "epoch_stages",
    "is_negligible",
    "least_sizes",
    "long_table",
    "measure_sizes",
    "night_confusion",
    "night_stages",
    "reduced",
    "relative_gap",
    "score_kind",
    "sizes",
    "stage_labels",
]

#: Where the stage of an epoch is from: the stager, the hypnogram, or the score that was explained.
STAGES_FROM = ("predicted", "scored", "target")
#: Epochs of a view that are reduced at once.
_AT_ONCE = 32


def score_kind(dataset: xr.Dataset) -> str:
    """What the stager returned: ``"logits"``, ``"log_probs"`` or ``"probs"``."""
    return str(json.loads(dataset.attrs["spec"])["output"]["scores"])


def reduced(
    variable: xr.DataArray, reduce: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """Reduce what is on the last axis, a few epochs at a time: a view is neither read nor made float64 as a whole."""
    bare = variable.variable  # to take a part of the coordinates, too, took longer than to reduce
    starts = range(0, max(len(bare), 1), _AT_ONCE)
    return np.concatenate([reduce(bare[start : start + _AT_ONCE].values) for start in starts])


def band_sums(dataset: xr.Dataset, bands: Bands, variable: str = "frequency_view") -> npt.NDArray[np.float64]:
    """Sums over each band and what lies outside them, shape (n_epochs, n_channels, n_names); of power in its unit squared.

    Raises
    ------
    ParameterError
        If the method attributed to other bands than these, as wholes, or an edge falls inside a bin of a light result.
    """
    usual = dict(bands) == dict(Bands())
    if variable in dataset and not (usual and variable == "frequency_view" and "band_view" in dataset):
        check_edges(dataset, bands)
        freqs = dataset["freq"].values
        widths = bin_widths(dataset) if variable == "power" else None

        def sums() -> npt.NDArray[np.float64]:
            return reduced(
                dataset[variable], lambda values: bands.sum(values if widths is None else values * widths, freqs)
            )

        return known(dataset.variables[variable], ("band sums", *bands.items()), sums)
    if not usual:
        raise ParameterError(
            "This method attributes to whole bands, which cannot be divided",
            seen=bands,
            allowed=Bands(),
            remedy="Leave bands out, or use a method that attributes to frequencies, such as 'flex'",
        )
    return dataset["band_view"].values.astype(np.float64)


def sizes(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """What errors and gaps are relative to: the absolute total of the band sums of all channels, as it was when explained.

    Shape (n_epochs, n_channel_sets). Where the quadrature adapts, it is at least what is negligible (`negligible_size`), since
    smaller explanations were made as exact as one of that size. That of a result of all stages has two dimensions more: it is
    that of the difference of two stages, and of each stage itself on the diagonal.
    """
    size = dataset["size"].values
    least = least_sizes(dataset)
    return np.asarray(np.maximum(size, least.reshape(*least.shape, *(1,) * (size.ndim - 2))))


def least_sizes(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """What `sizes` are at least, shape (n_epochs, n_channel_sets): of each recording its own."""
    found = np.full((dataset.sizes["epoch"], dataset.sizes["channel_set"]), np.finfo(float).tiny)
    if json.loads(dataset.attrs["parameters"]).get("quadrature") == ADAPTIVE:
        night, own = (dataset[name].values.astype(str) for name in ("night_recording", "recording"))
        for label in np.unique(own):
            of_night = dataset["night_scores"].values[night == label]
            found[own == label] = np.maximum(found[own == label], negligible_size(of_night))
    return found


def is_negligible(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Which explanations are so small that they were not made more exact for it; the shape is that of `sizes`."""
    return np.asarray(dataset["size"].values < sizes(dataset))


def measure_sizes(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Measure `sizes`, of the context too if it moved.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result with all of its channels.
    """
    if "context_map" in dataset:
        moved = dataset["context_map"].transpose("epoch", ..., "channel", "context", "band").values
        parts = np.nan_to_num(moved).reshape(*moved.shape[:-2], -1)
    else:
        parts = band_sums(dataset, Bands())
    of, beyond = dataset["of_channel_set"].values, beyond_moved(dataset)

    def total(values: npt.NDArray[Any], more: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        own = np.abs(values).sum(axis=-1, dtype=np.float64)
        within = [own[:, of == k].sum(axis=1) for k in range(dataset.sizes["channel_set"])]
        found: npt.NDArray[np.float64] = np.stack(within, axis=1) + np.abs(more)
        return found

    if "target_stage" not in dataset.dims:
        return total(parts, beyond)
    stages = range(dataset.sizes["target_stage"])
    other = [[(i, j) if i != j else (i, None) for j in stages] for i in stages]

    def less(values: npt.NDArray[Any], i: int, j: int | None) -> npt.NDArray[Any]:
        return values[:, i] - (0 if j is None else values[:, j])

    pairs = [[total(less(parts, *pair), less(beyond, *pair)) for pair in row] for row in other]
    return np.moveaxis(np.array(pairs), (0, 1), (-2, -1))


def beyond_moved(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """What the night beyond the windows did, where all of these moved, (n_epochs, [n_targets,] n_channel_sets); else 0."""
    if "context_map" in dataset and "beyond" in dataset:
        return dataset["beyond"].transpose("epoch", ..., "channel_set").values.astype(np.float64)
    dims = ("epoch", *(("target_stage",) if "target_stage" in dataset.dims else ()), "channel_set")
    return np.zeros([dataset.sizes[dim] for dim in dims])


#: How far scores are rounded in single precision, relative to their size, over the layers of a network.
_ROUNDING = 1e-5


def relative_gap(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """|completeness gap| over the absolute total of the band sums, shape (n_epochs, n_channel_sets).

    At the zero baseline large terms of both signs cancel in F(x) - F(0), so that is not what a gap is judged against. It is
    judged against `sizes`; and where these are no larger than the rounding of scores in single precision, as of an epoch that
    is its own baseline, against that.
    """
    refuse_single(dataset, "a completeness gap")
    rounding = _ROUNDING * np.maximum(np.abs(dataset["score"].values), np.abs(dataset["baseline_score"].values))
    found: npt.NDArray[np.float64] = np.abs(dataset["gap"].values) / np.maximum(sizes(dataset), rounding)
    return found


def stage_labels(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch and channel, shape (n_epochs, n_channels).

    Parameters
    ----------
    stage_from : {"predicted", "scored", "target"}
        The stager's (of the channel's own channel set), the hypnogram's, or the score explained.
    """
    check_choice("stage_from", stage_from, STAGES_FROM)
    if stage_from == "scored":
        shape = (dataset.sizes["epoch"], dataset.sizes["channel"])
        return np.broadcast_to(dataset["stage"].values.astype(str)[:, None], shape)
    return dataset[stage_from].values.astype(str)[:, dataset["of_channel_set"].values]


def counted_labels(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage under which what a channel says of an epoch is counted, (n_epochs, n_channels); empty where it is not.

    This is how epochs are counted, everywhere: an epoch has one stage, as `epoch_stages` says, and is counted once, for that.
    A channel is counted if what it explains is that stage. With ``target="predicted"`` each channel set explains what it
    predicts itself, and with ``target="scored"`` what was scored: if that is another stage than the epoch's, the channel speaks
    of another score, which no mean or median of the stage can hold. A named stage or a margin is one and the same score for all
    channels, and then all are counted; and so they are of an epoch that was scored as no stage of the stager's.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    stage_from : {"predicted", "scored", "target"}
        As in `epoch_stages`.
    """
    stages, counted = counted_cases(dataset, stage_from)
    return np.where(counted[:, dataset["of_channel_set"].values], stages[:, None], "")


def counted_stages(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage for which each epoch is counted, shape (n_epochs,); empty where no channel explains its stage."""
    stages, counted = counted_cases(dataset, stage_from)
    return np.where(counted.any(axis=1), stages, "")


def counted_sets(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.bool_]:
    """Whether each channel set explains the stage of the epoch, shape (n_epochs, n_channel_sets); see `counted_labels`."""
    return counted_cases(dataset, stage_from)[1]


def counted_cases(dataset: xr.Dataset, stage_from: str) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.bool_]]:
    """`epoch_stages` and `counted_sets`, which takes these."""
    own, target = epoch_stages(dataset, stage_from), json.loads(dataset.attrs["parameters"])["target"]
    stages = own[:, None]
    follows = target in ("predicted", "scored") and stage_from != "target"
    if follows and target == "scored":
        explained = dataset.variables["stage"].values.astype(str)[:, None]
    elif follows or stage_from == "target":
        explained = dataset.variables["predicted" if follows else "target"].values.astype(str)
    else:
        explained = stages
    of_none = ~np.isin(stages, dataset.variables["stage_name"].values.astype(str)) & (stage_from == "scored")
    return own, np.broadcast_to((explained == stages) | of_none, dataset.variables["predicted"].shape)


def agreed_labels(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch that all of its channels explain, shape (n_epochs,); empty where some explain another.

    Channels of different channel sets are compared over these epochs, so that they are compared over the same.
    """
    labels = counted_labels(dataset, stage_from)
    return np.where((labels != "").all(axis=1), labels[:, 0], "")


def epoch_stages(dataset: xr.Dataset, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch as a whole, shape (n_epochs,).

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    stage_from : {"predicted", "scored", "target"}
        The stager's, the hypnogram's, or the score explained; where channel sets differ, that of the most confident one.
    """
    check_choice("stage_from", stage_from, STAGES_FROM)
    if stage_from == "scored":
        return dataset.variables["stage"].values.astype(str)
    chosen = surest(dataset.variables["scores"].values, score_kind(dataset))
    return dataset.variables[stage_from].values.astype(str)[np.arange(len(chosen)), chosen]


def long_table(dataset: xr.Dataset, bands: Bands, **cells: npt.NDArray[Any]) -> pd.DataFrame:
    """One row for each epoch, channel and band.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    bands : Bands
        Frequency bands.
    **cells : array, shape (n_epochs, n_channels) or (n_epochs, n_channels, n_names)
        Further columns, beside the attribution.
    """
    shape = (dataset.sizes["epoch"], dataset.sizes["channel"], len(bands.names))

    def spread(values: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
        index = tuple(slice(None) if axis in axes else None for axis in "ecb")
        return np.broadcast_to(values[index], shape).ravel()

    of, power = dataset["of_channel_set"].values, band_sums(dataset, bands, "power")
    return pd.DataFrame(
        {
            "recording": spread(dataset["recording"].values.astype(str), "e"),
            "number": spread(dataset["number"].values, "e"),
            "onset": spread(dataset["onset"].values, "e"),
            "stage": spread(dataset["stage"].values.astype(str), "e"),
            "predicted": spread(stage_labels(dataset, "predicted"), "ec"),
            "target": spread(stage_labels(dataset, "target"), "ec"),
            "channel": spread(dataset["channel"].values.astype(str), "c"),
            "band": spread(np.array(bands.names), "b"),
            "attribution": band_sums(dataset, bands).ravel(),
            **{name: spread(values, "ecb"[: values.ndim]) for name, values in cells.items()},
            "power": power.ravel(),
            "score": spread(dataset["score"].values[:, of], "ec"),
            "baseline_score": spread(dataset["baseline_score"].values[:, of], "ec"),
        }
    )


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


def night_answers(dataset: xr.Dataset) -> Answers:
    """What the stager says of every epoch of the nights, with each channel set."""
    recording, (_, predicted) = dataset["night_recording"].values.astype(str), night_stages(dataset)
    fault = dataset["night_fault"].values.astype(str)
    first = np.array([recording.tolist().index(label) for label in recording.tolist()], dtype=np.intp)
    return Answers(
        tuple(dataset["stage_name"].values.astype(str).tolist()),
        probabilities(dataset["night_scores"].values, score_kind(dataset))[None],
        np.where(predicted == "", "UNSCORED", predicted),
        dataset["night_stage"].values.astype(str),
        recording.astype(object),
        np.arange(len(recording)) - first,
        dataset["night_onset"].values,
        dataset["night_run"].values,
        np.where((predicted == "") & (fault == ""), "no context", fault),
    )


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
