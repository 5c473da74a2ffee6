"""What decided: the epoch itself or its context, and whether the epoch's own part is more than the attribution's error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, median_interval
from eegflex.results.means import refuse_single
from eegflex.results.once import known
from eegflex.results.spectral_share import has_share, spectral_share
from eegflex.scores import probabilities
from eegflex.targets import resolve_target
from eegflex.utils.arrays import read_only

__all__ = [
    "DECIDES",
    "FRACTIONS",
    "REPLACED",
    "ContextShare",
    "baseline_stages",
    "called_stages",
    "change_error",
    "context_of",
    "context_share",
    "context_shares",
    "decided_by",
    "epoch_shares",
    "explained_epochs",
    "near_baseline",
    "stays",
    "within_error",
]

#: What stands at its baseline: nothing of an epoch, the epoch, its context, or both.
REPLACED = ("nothing", "epoch", "context", "both")
#: Where the context's share of the change is larger, the context decided.
DECIDES = 0.5
#: How far from the baseline: below these parts of the path it is told how much of an attribution arises.
FRACTIONS = (1 / 32, 1 / 4)


def within_error(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Whether the change of an epoch's score is within the attribution's estimated error, shape (n_epochs, n_channel_sets).

    What such an epoch did to the score is not told from nothing: its attribution does not explain it. False where a method has
    no estimate of its error.
    """
    refuse_single(dataset, "what tells whether epochs explain their score")
    change = np.abs(dataset["score"].values - dataset["baseline_score"].values)
    error = change_error(dataset)
    return np.asarray(change <= np.where(np.isfinite(error), error, -1.0))


def explained_epochs(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Whether an epoch changed the score by more than the error, with most channel sets that explain its stage, (n_epochs,)."""
    own = _own(dataset)
    return np.asarray((~within_error(dataset) & own).sum(axis=1) > own.sum(axis=1) / 2)


def _own(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Channel sets that explain the stage of the epoch; all of an epoch whose stage none explains."""
    counted = tables.counted_sets(dataset, "predicted")
    return np.asarray(counted | ~counted.any(axis=1, keepdims=True))


def change_error(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Estimated error of the change of the score that was attributed, shape (n_epochs, n_channel_sets); NaN without one.

    That of the attribution; of a baseline that is drawn at random, with what the draws say of the mean of their scores.
    """
    if "change_error" in dataset:
        return np.asarray(dataset["change_error"].values, dtype=np.float64)
    return np.asarray(dataset["error"].values * tables.sizes(dataset))


def context_share(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """How much of the change of the score its context made, shape (n_epochs, n_channel_sets).

    Epoch and context are two players, and Shapley values divide the change from both at their baselines to both as recorded:
    a player's is the mean of what it adds to the baseline and to the recorded other one. The share is the absolute value of
    the context's in the sum of both absolute values; NaN for a stager without context.
    """
    return context_shares(_explained(dataset))


def epoch_shares(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """The context's share of the change of each epoch, the mean over channel sets that explain its stage, shape (n_epochs,).

    NaN where nobody knows.
    """

    def shares() -> npt.NDArray[np.float64]:
        if "replaced_scores" not in dataset:
            return read_only(np.full(dataset.sizes["epoch"], np.nan))
        return read_only(_mean(np.where(_own(dataset), context_share(dataset), np.nan)))

    return known(dataset, "context share", shares)


@dataclass(frozen=True)
class ContextShare:
    """What part of the change of their scores the context made in some epochs.

    Attributes
    ----------
    values : array, shape (n_known,)
        The share of each of them of which it is known.
    low, high : float
        The 95 % interval of their median; NaN where there are too few.
    """

    values: npt.NDArray[np.float64]
    low: float
    high: float

    @property
    def median(self) -> float:
        """The share at the median; NaN where none is known."""
        return float(np.median(self.values)) if len(self.values) else float("nan")

    @property
    def n_more(self) -> int:
        """In how many the context made more than half."""
        return int((self.values > DECIDES).sum())

    @property
    def decides(self) -> str:
        """What decides them: ``"context"``, ``"epoch"``, or ``"unclear"``, where no interval tells the share from a half.

        Nothing where no share is known.
        """
        if not len(self.values):
            return ""
        return "context" if self.low > DECIDES else "epoch" if self.high < DECIDES else "unclear"


def context_of(dataset: xr.Dataset, epochs: npt.NDArray[np.bool_]) -> ContextShare:
    """What part of the change the context made in these epochs, shape (n_epochs,)."""
    share = epoch_shares(dataset)
    places = np.flatnonzero(epochs & np.isfinite(share))
    low = high = float("nan")
    if len(places) >= MIN_EPOCHS:
        blocks = blocks_of(dataset["onset"].values[places], dataset["recording"].values[places])
        low, high = (float(end[0]) for end in median_interval(share[places][:, None], blocks))
    return ContextShare(share[places], low, high)


def context_shares(replaced: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The context's share of a change, (...), of scores with each of `REPLACED` at its baseline, (..., 4)."""
    recorded, no_epoch, no_context, neither = np.moveaxis(replaced, -1, 0)
    by_epoch = np.abs((recorded - no_epoch) + (no_context - neither))
    by_context = np.abs((recorded - no_context) + (no_epoch - neither))
    total = by_epoch + by_context
    found: npt.NDArray[np.float64] = np.divide(by_context, total, out=np.full_like(total, np.nan), where=total > 0)
    return found


def _explained(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """The score explained with the epoch, its context, both or nothing replaced, shape (n_epochs, n_channel_sets, 4)."""
    stages = dataset["stage_name"].values.astype(str).tolist()
    target = json.loads(dataset.attrs["parameters"])["target"]
    target = tuple(target) if isinstance(target, list) else target
    scored = dataset["stage"].values.astype(str).tolist()
    replaced = _replaced(dataset)
    weights = np.stack(
        [resolve_target(target, stages, own, scored).weights[:, 0] for own in dataset["scores"].values.swapaxes(0, 1)],
        axis=1,
    )
    return np.asarray(np.einsum("ecrs,ecs->ecr", replaced, weights))


def _replaced(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    return np.asarray(
        dataset["replaced_scores"].transpose("epoch", "channel_set", "replaced", "stage_name").values, dtype=np.float64
    )


def called_stages(replaced: npt.NDArray[np.float64], stages: Sequence[str]) -> pd.DataFrame:
    """What stages the model makes of baselines, of `replaced_scores`; see `FlexResult.baseline_stages`."""
    shares = {}
    for name in ("epoch", "both"):
        scores = replaced[:, :, REPLACED.index(name)].reshape(-1, len(stages))
        scores = scores[np.isfinite(scores).all(axis=1)]
        counts = (
            np.bincount(scores.argmax(axis=1), minlength=len(stages)) if len(scores) else np.full(len(stages), np.nan)
        )
        shares[name] = counts / max(len(scores), 1)
    return pd.DataFrame(shares, index=pd.Index(stages, name="stage"))


def baseline_stages(dataset: xr.Dataset, of_stage: str | None = None) -> pd.DataFrame:
    """What stages the model makes of the baseline of a result; see `FlexResult.baseline_stages`.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    of_stage : str | None
        Of the epochs of this predicted stage, and the channel sets that explain it: every epoch has a baseline of its own. By
        default of all.
    """
    _check_replaced(dataset)
    return known(dataset, ("baseline stages", of_stage), lambda: _baseline_stages(dataset, of_stage))


def _baseline_stages(dataset: xr.Dataset, of_stage: str | None) -> pd.DataFrame:
    replaced = _replaced(dataset)
    if of_stage is not None:
        own = (
            tables.counted_sets(dataset, "predicted")
            & (tables.counted_stages(dataset, "predicted") == of_stage)[:, None]
        )
        replaced = np.where(own[:, :, None, None], replaced, np.nan)
    return called_stages(replaced, dataset["stage_name"].values.astype(str).tolist())


def stays(dataset: xr.Dataset, stage: str) -> float:
    """In what share of cases the model says the stage with the epoch and its context both at the baseline.

    An explanation of a change that changes nothing says little of what decides. NaN where nobody knows.
    """
    if "replaced_scores" not in dataset:
        return float("nan")
    return float(baseline_stages(dataset, stage)["both"][stage])


def _check_replaced(dataset: xr.Dataset) -> None:
    if "replaced_scores" not in dataset:
        raise ParameterError(
            "This result does not hold what the scores become without the epoch",
            remedy="Attribute the recording again; results that were made by hand need replaced_scores",
        )


def decided_by(dataset: xr.Dataset) -> pd.DataFrame:
    """Tell by stage what decided; see `FlexResult.decided_by`."""
    _check_replaced(dataset)
    kind = tables.score_kind(dataset)
    p = probabilities(_replaced(dataset), kind)  # epoch, channel set, replaced, stage
    said = dataset["scores"].values.argmax(axis=-1)
    p = np.take_along_axis(p, said[:, :, None, None], axis=-1)[..., 0]
    own = _own(dataset)
    change, error = dataset["score"].values - dataset["baseline_score"].values, change_error(dataset)

    def mean(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return _mean(np.where(own, values, np.nan))

    rows = pd.DataFrame(
        {
            "stage": _stage(dataset),
            "p": mean(p[..., 0]),
            "p_replaced": mean(p[..., 1]),
            "change": mean(change),
            "error": mean(error),
            "context_share": epoch_shares(dataset),
            "below_1/32": mean(_near(dataset)),
            "explained": explained_epochs(dataset),
        }
    )
    groups = rows.groupby("stage", observed=True)
    table = groups[["p", "p_replaced", "change", "error", "context_share", "below_1/32"]].median()
    counts = groups["explained"].agg(["sum", "size"])
    table = table.assign(n_explained=counts["sum"].astype(int), n_epochs=counts["size"])
    if not has_share(dataset):
        return table
    share = spectral_share(dataset)[["agreement_joint", "decided_by"]]
    share.index = share.index.astype(str)
    return table.join(share.reindex(table.index.astype(str)).set_axis(table.index))


def near_baseline(dataset: xr.Dataset) -> dict[str, tuple[int, int]]:
    """Stages of which most epochs' attributions arise for more than half right beside the baseline: how many, of how many.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    """
    near = pd.Series(_mean(np.where(_own(dataset), _near(dataset), np.nan)) > 0.5)
    counts = near.groupby(_stage(dataset), observed=True).agg(["sum", "size"])
    return {str(stage): (int(n), int(of)) for stage, n, of in counts.itertuples() if n > of / 2}


def _near(dataset: xr.Dataset) -> npt.NDArray[np.float64]:
    """Share of an attribution below 1/32 of its path, shape (n_epochs, n_channel_sets); NaN where nobody knows."""
    if "path_share" not in dataset:
        return np.full(dataset["score"].shape, np.nan)
    return np.asarray(dataset["path_share"].values[..., FRACTIONS.index(1 / 32)])


def _stage(dataset: xr.Dataset) -> pd.Categorical:
    """The stage for which each epoch is counted; missing of one whose stage no channel set explains."""
    stages = tables.counted_stages(dataset, "predicted")
    names = dataset["stage_name"].values.astype(str)
    return pd.Categorical([stage or None for stage in stages.tolist()], categories=names)


def _mean(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean over channel sets of what is known, shape (n_epochs,)."""
    known = np.isfinite(values)
    return np.where(
        known.any(axis=1), np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )
