"""Explanations of a stager whose truth is known, held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from eegflex.errors import ParameterError
from eegflex.results.recordings import one_recording
from eegflex.results.resolution import check_edges
from eegflex.results.select import is_whole
from eegflex.stagers.zoo.known_truth import SITES, TRUTHS, KnownTruth
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["Cover", "area_under_roc", "average_precision", "cover_of_events", "covered_by", "share_in_truth"]

#: Half the main lobe of the frames' window of 2 s: so far from its own frequency an event is seen in a frame, in Hz.
SPREAD = 1.0


@dataclass(frozen=True)
class Cover:
    """How well a time-frequency view finds simulated events.

    Attributes
    ----------
    average_precision : float
        Area under the precision-recall curve over cells of the plane.
    chance : float
        What a view at random has: the share of the cells that events cover.
    auroc : float
        Area under the ROC curve: how often a cell that an event covers has more than one that none does.

    See Also
    --------
    eegflex.evaluation.cover_of_events : Whether a view in time finds the planted events.

    Examples
    --------
    >>> from eegflex.evaluation import Cover
    >>> Cover(average_precision=0.5, chance=0.125, auroc=0.9).ratio  # times better than a view at random
    4.0
    """

    average_precision: float
    chance: float
    auroc: float = float("nan")

    @property
    def ratio(self) -> float:
        """How many times better than chance."""
        return self.average_precision / self.chance


@checked
def share_in_truth(result: FlexResult, truth: KnownTruth) -> npt.NDArray[np.float64]:
    """Share of the absolute attribution that lies in the true channel and band.

    Parameters
    ----------
    result : FlexResult
        An explanation of the stager, of one target.
    truth : KnownTruth
        The stager's truth.

    Returns
    -------
    share : array, shape (n_epochs,)
        NaN for an epoch to which nothing is attributed.

    Raises
    ------
    ParameterError
        If the result explains another kind of stager, has lost channels, or has no frequency view.

    See Also
    --------
    eegflex.evaluation.KnownTruth : What decides for a stager that was made so.
    eegflex.evaluation.cover_of_events : Whether a view in time finds the planted events.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", target="N2", sample_per_stage=1, verbose="error")
    >>> share = eegflex.evaluation.share_in_truth(result, eegflex.evaluation.TRUTHS["known-spindle"])
    >>> bool((share > 0.99).all())
    True
    """
    data = _view(result, "frequency")
    check_edges(data, {truth.name: truth.band})
    size = np.abs(data["frequency_view"].values.astype(np.float64))
    whole = size.sum(axis=(1, 2))
    inside = size[:, truth.input, _within(result.freqs, truth)].sum(axis=1)
    found: npt.NDArray[np.float64] = np.divide(inside, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return found


@checked
def cover_of_events(
    result: FlexResult, truth: KnownTruth, events: pd.DataFrame, *, rows: Literal["band", "all"] = "band"
) -> Cover:
    """Compare the time-frequency view of the true channel with the simulated events.

    A cell is covered by an event if the middle of its frame lies in the event's time, and its frequency within 1 Hz of
    the event's, the width of a frame's window. Events whose frequency is not in the stager's band are no truth of it; those
    that hardly reach its channel, or lie at an end of an epoch, are, though it cannot hear them. The attributions themselves
    are ranked, not their sizes: an event speaks for its stage.

    Parameters
    ----------
    result : FlexResult
        An explanation with the view ``"time-frequency"``, of one target.
    truth : KnownTruth
        The stager's truth.
    events : pandas.DataFrame
        What was planted: ``onset`` and ``duration`` (s), ``kind`` and ``frequency`` (Hz).
    rows : {"band", "all"}
        Which frequencies take part: those of the true band, so that to know the band is no help and only *when* is asked; or
        the whole plane.

    Returns
    -------
    cover : Cover
        Over all epochs explained at once.

    Raises
    ------
    ParameterError
        If no such event lies in them, or the result explains another kind of stager, has lost channels, is of several
        recordings or lacks the view.

    See Also
    --------
    eegflex.evaluation.Cover : How well a view finds planted events.
    eegflex.evaluation.share_in_truth : How much of an explanation lies where the truth is.
    eegflex.evaluation.KnownTruth : What decides for a stager that was made so.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> asked = {"target": "N2", "views": ("time-frequency",), "verbose": "error"}
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", **asked)
    >>> cover = eegflex.evaluation.cover_of_events(result, eegflex.evaluation.TRUTHS["known-spindle"], night.events)
    >>> cover.ratio > 3  # times better than a view at random
    True
    """
    data = one_recording(_view(result, "time-frequency"), None, "A list of events")
    freqs, frames = data["frame_freq"].values, data["frame"].values
    heard = events[(events["kind"] == truth.kind) & _within(events["frequency"].to_numpy(), truth)]
    covered = covered_by(heard, data["onset"].values[:, None] + frames, freqs)
    plane = _within(freqs, truth) if rows == "band" else np.ones(len(freqs), dtype=bool)
    inside = (frames >= 0) & (frames <= data.sizes["time"] / result.sfreq)  # the outermost frames lie beside the epoch
    cells = np.ix_(np.arange(len(covered)), plane, inside)
    if not covered[cells].any():
        raise ParameterError(
            f"No event lies in the explained epochs and in the band of {truth.name}",
            seen=events["kind"].value_counts().to_dict(),
            allowed=f"{truth.kind!r} of {truth.band[0]:g} to {truth.band[1]:g} Hz",
        )
    found = data["time_frequency_view"].values[:, truth.input]
    true, score = covered[cells], found[cells]
    return Cover(average_precision(true, score), float(true.mean()), area_under_roc(true, score))


def covered_by(
    events: pd.DataFrame, times: npt.NDArray[np.floating[Any]], freqs: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.bool_]:
    """Which cells of a time-frequency plane events cover.

    Parameters
    ----------
    events : pandas.DataFrame
        Their ``onset`` and ``duration`` (s), and ``frequency`` (Hz).
    times : array, shape (n_epochs, n_frames)
        The middles of the frames, in s from where onsets count.
    freqs : array, shape (n_freqs,)
        The frequencies in Hz.

    Returns
    -------
    covered : array of bool, shape (n_epochs, n_freqs, n_frames)
    """
    covered = np.zeros((len(times), len(freqs), times.shape[1]), dtype=bool)
    for onset, duration, freq in events[["onset", "duration", "frequency"]].to_numpy(dtype=float):
        during = (onset <= times) & (times <= onset + duration)
        covered |= during[:, None, :] & (np.abs(freqs - freq) <= SPREAD)[:, None]
    return covered


def _paired(truth: npt.ArrayLike, score: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """What is to be found and its scores, each along one axis."""
    true, by_score = np.ravel(truth), np.ravel(score)
    if true.dtype.kind not in "biuf" or not np.isin(true, (0, 1)).all():
        raise ParameterError("truth must say True or False of each", seen=f"{truth!r:.80}")
    if by_score.dtype.kind not in "biuf" or np.isnan(by_score).any():
        raise ParameterError("score must be a number for each, and NaN is none", seen=f"{score!r:.80}")
    if true.shape != by_score.shape:
        raise ParameterError(
            "There must be one score for each that may be to be found", seen=f"{true.size} and {by_score.size} scores"
        )
    return true.astype(bool), by_score.astype(np.float64)


@checked
def average_precision(truth: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Area under the precision-recall curve, as the sum of the steps of recall times the precision at their end [1]_.

    Parameters
    ----------
    truth : array-like of bool
        What is to be found.
    score : array-like, of the same shape
        How much each is taken for it. Equal scores are one step.

    Returns
    -------
    area : float
        1 where all that is to be found scores above all else; for scores at random the share of it. NaN where there is nothing
        to be found.

    See Also
    --------
    eegflex.evaluation.area_under_roc : Area under the ROC curve.
    eegflex.evaluation.cover_of_events : Whether a view in time finds the planted events.

    References
    ----------
    .. [1] Davis J., Goadrich M. (2006). The relationship between precision-recall and ROC curves. Proceedings of the 23rd
       International Conference on Machine Learning, 233-240.

    Examples
    --------
    >>> average_precision([True, False, True, False], [4, 3, 2, 1])  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    true, by_score = _paired(truth, score)
    if not true.any():
        return float("nan")
    order = np.argsort(-by_score, kind="stable")
    true, by_score = true[order], by_score[order]
    last = np.append(np.flatnonzero(np.diff(by_score)), len(true) - 1)
    hits = np.cumsum(true)[last]
    recall = hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * hits / (last + 1)))


@checked
def area_under_roc(truth: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """How often what is to be found scores higher than what is not; equal scores are half [1]_.

    Parameters
    ----------
    truth : array-like of bool
        What is to be found.
    score : array-like, of the same shape
        How much each is taken for it.

    Returns
    -------
    area : float
        NaN where there is nothing to be found, or nothing else.

    See Also
    --------
    eegflex.evaluation.average_precision : Area under the precision-recall curve.
    eegflex.evaluation.cover_of_events : Whether a view in time finds the planted events.

    References
    ----------
    .. [1] Hanley J. A., McNeil B. J. (1982). The meaning and use of the area under a receiver operating characteristic (ROC)
       curve. Radiology 143:29-36.

    Examples
    --------
    >>> area_under_roc([True, False, True, False], [4, 3, 2, 1])
    0.75
    """
    true, by_score = _paired(truth, score)
    n_true, n_false = int(true.sum()), int((~true).sum())
    if not n_true or not n_false:
        return float("nan")
    ranks = rankdata(np.unique(by_score, return_inverse=True)[1])  # SciPy 1.12 cannot rank what is infinite
    return float((ranks[true].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false))


def _view(result: FlexResult, view: str) -> xr.Dataset:
    """The result of one target, if it has the view and its channels are the inputs of a stager whose truth is known."""
    if [channel["name"] for channel in result.spec["input"]["channels"]] != list(SITES):
        raise ParameterError(
            "This is not a result of a stager whose right explanation is known", seen=result.model, allowed=list(TRUTHS)
        )
    data = result.for_target().data
    if not is_whole(data):
        raise ParameterError(
            "Channels were left out of this result",
            seen=result.ch_names,
            remedy="Compare the result of all channels with the truth",
        )
    if f"{view.replace('-', '_')}_view" not in data:
        raise ParameterError(
            f"This result has no {view} view",
            seen=[name for name in data if str(name).endswith("_view")],
            remedy=f"Attribute with method='flex' and views=({view!r},)",
        )
    return data


def _within(freqs: npt.NDArray[Any], truth: KnownTruth) -> npt.NDArray[np.bool_]:
    low, high = truth.band
    return np.asarray((low <= freqs) & (freqs < high))
