"""What must hold of an explanation that is believed: each criterion with what measures it, its limit, and its words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.decided import DECIDES, FRACTIONS, REPLACED, change_error, context_share
from eegflex.results.phase_table import LOST
from eegflex.results.recordings import labels_of, of_recordings
from eegflex.results.second_opinion import second_opinion
from eegflex.results.select import is_whole
from eegflex.results.shortcut_excess import excess
from eegflex.results.spectral_share import has_share, spectral_share

__all__ = ["CRITERIA", "EVIDENCE", "Criterion"]

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Criterion:
    """Something that must hold of an explanation that is believed.

    Attributes
    ----------
    measure : callable
        The dataset of a result of one target -> a number of each epoch and channel set, NaN where it was not measured.
    limit : float
        What it is held against.
    words : str
        Why an explanation is not trusted of which it does not hold.
    at_least : bool
        Whether the number must be at least the limit; else at most.
    by_epoch : bool
        Whether an explanation of which it does not hold tells nothing of its epoch, rather than something not to trust.
    """

    measure: Callable[[xr.Dataset], _Values]
    limit: float
    words: str
    at_least: bool = False
    by_epoch: bool = False

    def holds(self, dataset: xr.Dataset) -> _Values:
        """1 where it holds, 0 where it does not, and NaN where it was not measured, shape (n_epochs, n_channel_sets)."""
        values = self.measure(dataset)
        held = values >= self.limit if self.at_least else values <= self.limit
        return np.where(np.isnan(values), np.nan, held)


def _unknown(dataset: xr.Dataset) -> _Values:
    return np.full(dataset["score"].shape, np.nan)


def _change(dataset: xr.Dataset) -> _Values:
    return np.asarray(dataset["score"].values - dataset["baseline_score"].values, dtype=np.float64)


def _error(dataset: xr.Dataset) -> _Values:
    return np.asarray(dataset["error"].values, dtype=np.float64)


def _gap(dataset: xr.Dataset) -> _Values:
    """The gap as the result says, or as its views have it where that is more."""
    told = tables.relative_gap(dataset)
    if not is_whole(dataset) or "context_map" in dataset:
        return told
    of, sums = dataset["of_channel_set"].values, tables.band_sums(dataset, Bands()).sum(axis=-1)
    found = np.stack([sums[:, of == k].sum(axis=1) for k in range(dataset.sizes["channel_set"])], axis=1)
    own = tables.relative_gap(dataset.assign(gap=(("epoch", "channel_set"), found - _change(dataset))))
    return np.where(np.isnan(told), np.nan, np.maximum(told, own))


def _error_of_change(dataset: xr.Dataset) -> _Values:
    """The error of the change of the score, relative to that change."""
    change, error = np.abs(_change(dataset)), change_error(dataset)
    ratio = np.divide(error, change, out=np.full_like(error, np.inf), where=change > 0)
    return np.where(np.isfinite(error), ratio, np.nan)


def _context(dataset: xr.Dataset) -> _Values:
    return context_share(dataset) if "replaced_scores" in dataset else _unknown(dataset)


def _near(dataset: xr.Dataset) -> _Values:
    if "path_share" not in dataset:
        return _unknown(dataset)
    return np.asarray(dataset["path_share"].values[..., FRACTIONS.index(1 / 32)], dtype=np.float64)


def _second(dataset: xr.Dataset) -> _Values:
    """How far the second opinion is from the first, beyond its own error."""
    found = _unknown(dataset)
    if "second_view" in dataset:
        table = second_opinion(dataset)
        row, place = _places(dataset, table)
        found[row, place] = np.maximum(table["disagreement"] - table["error"].fillna(0.0), 0.0)
    return found


def _places(dataset: xr.Dataset, table: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Where the rows of a table of epochs and channel sets are."""
    epochs = zip(dataset["recording"].values.tolist(), dataset["number"].values.tolist(), strict=True)
    rows = {key: row for row, key in enumerate(epochs)}
    sets = dataset["channel_set"].values.tolist()
    keys = zip(table["recording"], table["number"], strict=True)
    return [rows[key] for key in keys], [sets.index(name) for name in table["channel_set"]]


#: What decides a stage -> whether its spectrum does.
_SAYS = {"spectrum": 1.0, **dict.fromkeys(LOST, 0.0)}


def _spectrum(dataset: xr.Dataset) -> _Values:
    """Whether the spectrum decides the stage; NaN where that is not known."""
    found = _unknown(dataset)
    if not has_share(dataset):
        return found
    predicted, recording = (dataset[name].values.astype(str) for name in ("predicted", "recording"))
    for label in labels_of(dataset):
        for stage, row in spectral_share(of_recordings(dataset, [label])).iterrows():
            told = _SAYS.get(str(row["decided_by"]), np.nan)
            found[(recording == label)[:, None] & (predicted == str(stage))] = told
    return found


def _called(dataset: xr.Dataset) -> _Values:
    """Whether the baseline is called the stage of the epoch, where its score is what is explained and it is that stage."""
    if "replaced_scores" not in dataset:
        return _unknown(dataset)
    scaled = json.loads(dataset.attrs["parameters"])["context"] == "scaled"
    replaced = dataset["replaced_scores"].transpose("epoch", "channel_set", "replaced", "stage_name").values
    scores = replaced[:, :, REPLACED.index("both" if scaled else "epoch")]
    known = np.isfinite(scores).all(axis=-1)
    stages = dataset["stage_name"].values.astype(str)
    called = stages[np.where(known[..., None], scores, 0.0).argmax(axis=-1)]
    own, target = (dataset[name].values.astype(str) for name in ("predicted", "target"))
    return np.where(known & (own == target), called == own, np.nan)


def _channels(dataset: xr.Dataset) -> _Values:
    """How alike the bands of a channel set are to those of all others, a cosine; -1 where they give another stage."""
    n_sets = dataset.sizes["channel_set"]
    if n_sets < 2:
        return _unknown(dataset)
    of, kinds = dataset["of_channel_set"].values, dataset["ch_type"].values.astype(str)
    sums = tables.band_sums(dataset, Bands())
    own = np.stack(
        [
            np.concatenate([sums[:, (of == k) & (kinds == kind)].sum(axis=1) for kind in np.unique(kinds)], axis=1)
            for k in range(n_sets)
        ],
        axis=1,
    )
    others = own.sum(axis=1, keepdims=True) - own
    size = np.linalg.norm(own, axis=-1) * np.linalg.norm(others, axis=-1)
    alike = np.divide((own * others).sum(axis=-1), size, out=np.zeros_like(size), where=size > 0)
    agreed = dataset["predicted"].values.astype(str) == tables.epoch_stages(dataset, "predicted")[:, None]
    return np.where(agreed, alike, -1.0)


def _names(dataset: xr.Dataset) -> list[str]:
    return list(map(str, dataset["measure"].values.tolist())) if "measures" in dataset else []


def _measured(dataset: xr.Dataset, name: str) -> _Values:
    """A measure of an evaluation, by the name of its column."""
    if name not in _names(dataset):
        return _unknown(dataset)
    return np.asarray(dataset["measures"].sel(measure=name).values, dtype=np.float64)


def _smallest(*columns: str) -> Callable[[xr.Dataset], _Values]:
    """The smallest of measures, of those that were taken."""
    return lambda dataset: np.fmin.reduce([_measured(dataset, name) for name in columns])


#: So much may lie where no sleep can be seen, above chance where chance puts something there; of the level of a channel, more.
_MAY_BE, _MAY_BE_LEVEL = 0.1, 0.25


def _shortcut(dataset: xr.Dataset) -> _Values:
    """The largest share of what lies where no sleep can be seen, as the audit reckons it, over what may be there."""
    kinds = [name.removeprefix("shortcut: ") for name in _names(dataset) if name.startswith("shortcut: ")]
    found = [
        excess(kind, _measured(dataset, f"shortcut: {kind}"), _measured(dataset, f"shortcut chance: {kind}"))
        / (_MAY_BE_LEVEL if kind == "level" else _MAY_BE)
        for kind in kinds
    ]
    return np.asarray(np.fmax.reduce([_unknown(dataset), *found]))


#: name -> the criterion, in the order in which reasons are told
CRITERIA: dict[str, Criterion] = {
    "change": Criterion(_error_of_change, 1.0, "its change of the score is within the error", by_epoch=True),
    "context": Criterion(_context, DECIDES, "its context decided", by_epoch=True),
    "converged": Criterion(_error, 0.05, "its estimated error is large"),
    "adds up": Criterion(_gap, 0.05, "it does not add up to the change of the score"),
    "beyond silence": Criterion(_near, 0.5, "it arises right beside the baseline"),
    "baseline": Criterion(_called, 0.5, "the baseline is called its stage already"),
    "spectrum": Criterion(_spectrum, 0.5, "waveforms or relations decide its stage", at_least=True),
    "channels": Criterion(_channels, 0.5, "other channels disagree", at_least=True),
    "second opinion": Criterion(_second, 0.5, "the second opinion differs"),
    "one by one": Criterion(
        _smallest("bands: one by one"), 0.85, "single bands do not have the attributed effect", at_least=True
    ),
    "deletion": Criterion(
        _smallest("deletion: random beaten"), 0.9, "its order is no better than random", at_least=True
    ),
    "stable": Criterion(
        _smallest("stability: noise", "stability: shift"), 0.7, "noise or a shift changes it", at_least=True
    ),
    "no shortcut": Criterion(_shortcut, 1.0, "it is not evidence of sleep (a shortcut)"),
}
#: Without one of each of these an explanation is not trusted, but for an error of what is not meant to sum to anything.
EVIDENCE: dict[tuple[str, ...], str] = {
    ("converged",): "its error was not estimated",
    ("second opinion", "one by one"): "it was not tested on the model",
}
