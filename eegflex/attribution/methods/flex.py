"""FLEX: gradients averaged over the path, and the views of what they say."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.gradients import ScoreFunction
from eegflex.attribution.paths import PathGradient, Paths, Rates, average_gradients, baseline_scores
from eegflex.attribution.spectra import attribution_in_frequency, attribution_in_time, frames, weighted_spectrum
from eegflex.attribution.request import Explained, Task
from eegflex.stagers.stager import BoundStager

__all__ = ["VIEWS", "Moving", "band_rates", "explain_flex", "moving"]

#: What an attribution can be to.
VIEWS = ("frequency", "time", "time-frequency")


def explain_flex(
    task: Task, bound: BoundStager, combination: int, numbers: npt.NDArray[np.intp]
) -> Iterator[Explained]:
    """Explain epochs with one combination of channels by FLEX."""
    groups = bound.windows.alike(numbers) if task.context == "scaled" else [np.arange(len(numbers))]
    for group in groups:
        yield from _explain_alike(task, bound, combination, numbers[group])


@dataclass(frozen=True)
class Moving:
    """What moves along the paths of some epochs: the segment, or its whole window.

    Attributes
    ----------
    model : callable
        Scores variants of it, shape (n, n_moving * n_channels, n_times).
    end, begin : Tensor, shape (n_epochs, n_moving, n_channels, n_times)
        As recorded, and its baseline.
    at : array of int, shape (n_epochs,)
        Which of the moving epochs is the segment.
    """

    model: ScoreFunction
    end: torch.Tensor
    begin: torch.Tensor
    at: npt.NDArray[np.int64]


def moving(task: Task, bound: BoundStager, combination: int, numbers: npt.NDArray[np.intp]) -> Moving:
    """What moves: with its context fixed, an epoch is a window of its own."""
    index = torch.from_numpy(numbers).to(task.stager.like.device)
    scaled = task.context == "scaled"
    members = bound.windows.members(numbers) if scaled else numbers[:, None]
    n_moving = members.shape[1]
    x = bound.inputs(torch.from_numpy(members.ravel()).to(index.device))
    x_b = task.baseline(x, members.ravel(), task.segments.combinations[combination])

    def model(variants: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if not scaled:
            return bound(variants, index[rows])
        return bound.score_windows(variants.unflatten(1, (n_moving, -1)), index[rows])

    at = bound.windows.at(numbers) if scaled else np.zeros(len(numbers), dtype=np.int64)
    end, begin = (part.unflatten(0, members.shape) for part in (x, x_b))
    return Moving(model, end, begin, at)


def band_rates(change: torch.Tensor, masks: npt.NDArray[np.bool_]) -> Rates:
    """What each band of each channel adds to a score per unit of the path: the integrand that quadrature judges itself by."""
    in_band = torch.from_numpy(masks.T).to(change)
    weighted = functools.cache(lambda: weighted_spectrum(change)[:, None])  # made when first asked for

    def rates(slopes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return ((weighted()[rows] * torch.fft.rfft(slopes).conj()).real @ in_band).flatten(2)

    return rates


def _explain_alike(
    task: Task, bound: BoundStager, combination: int, numbers: npt.NDArray[np.intp]
) -> Iterator[Explained]:
    """Explain epochs whose windows, as far as they move, have one length."""
    what = moving(task, bound, combination, numbers)
    end, begin = what.end.flatten(1, 2), what.begin.flatten(1, 2)
    paths = Paths(what.model, end, begin, task.weights(numbers, combination), task.batch(what.model, end[:1]))
    score, baseline_score = task.recorded_scores(numbers, combination), baseline_scores(paths)
    finished = average_gradients(paths, task.make_nodes, baseline_score, band_rates(paths.change, task.band_masks))
    for row, path in finished:
        change = (what.end[row] - what.begin[row]).to(path.gradient.dtype)
        gradient = path.gradient.unflatten(1, change.shape[:2])
        views, total = _views(task, change, gradient, int(what.at[row]))
        ends = score[row], baseline_score[row].cpu().numpy()
        yield _explained(int(numbers[row]), views, total, ends, path)


def _explained(
    number: int,
    views: dict[str, npt.NDArray[np.floating[Any]]],
    total: npt.NDArray[np.float64],
    ends: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    path: PathGradient,
) -> Explained:
    return Explained(number, views, *ends, total - (ends[0] - ends[1]), path.n_gradients, 1, path.error)


def _views(
    task: Task, change: torch.Tensor, gradient: torch.Tensor, at: int
) -> tuple[dict[str, npt.NDArray[np.floating[Any]]], npt.NDArray[np.float64]]:
    """The views of one epoch, and the sum of all attributions to each score.

    Parameters
    ----------
    task : Task
        Says which.
    change : Tensor, shape (n_moving, n_channels, n_times)
        From baseline to recorded.
    gradient : Tensor, shape (n_targets, n_moving, n_channels, n_times)
        Averaged over the path.
    at : int
        The segment among what moves.
    """
    own = change[at].expand_as(gradient[:, at]), gradient[:, at]
    makers = {
        "frequency": attribution_in_frequency,
        "time": attribution_in_time,
        "time-frequency": frames(change.shape[-1], task.segments.sfreq).attribution,
    }
    views = {view: makers[view](*own).to(task.dtype).cpu().numpy() for view in task.views}
    total = (change * gradient).sum((1, 2, 3)).double().cpu().numpy()
    if task.context == "scaled":
        masks = torch.from_numpy(task.band_masks.T).to(gradient)
        views["context"] = (attribution_in_frequency(change, gradient) @ masks).to(task.dtype).cpu().numpy()
    return views, total
