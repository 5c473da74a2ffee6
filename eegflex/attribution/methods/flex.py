"""FLEX: gradients averaged over the path, and the views of what they say."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.context import Moving, moving
from eegflex.attribution.draws import Draw, mean_over
from eegflex.attribution.path_share import path_shares
from eegflex.attribution.paths import PathGradient, Paths, Rates, average_gradients, baseline_scores
from eegflex.attribution.random_nodes import nodes_in_turn
from eegflex.attribution.request import Explained, Request
from eegflex.attribution.spectra import attribution_in_frequency, attribution_in_time, frames, weighted_spectrum
from eegflex.settings import MEAN

__all__ = ["band_rates", "explain_flex"]


def explain_flex(request: Request, channel_set: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
    """Explain epochs with one channel set by FLEX."""
    windows = request.night.bound[channel_set].windows
    in_turn = np.lexsort(
        (windows.at(numbers), windows.full_length[numbers])
    )  # those that are scored together side by side
    groups = windows.alike(numbers) if request.settings.context == "scaled" else [in_turn]
    n_draws = request.baseline.n_draws
    for group in groups:
        drawn: defaultdict[int, list[Draw]] = defaultdict(list)
        paths = np.repeat(numbers[group], n_draws), np.tile(np.arange(n_draws), len(group))
        for draw in _explain_alike(request, channel_set, *paths):
            own = drawn[draw.explained.number]
            own.append(draw)
            if len(own) == n_draws:
                yield mean_over(drawn.pop(draw.explained.number), float(request.negligible[channel_set]))


def band_rates(change: torch.Tensor, masks: npt.NDArray[np.bool_]) -> Rates:
    """What each band of each channel adds to a score per unit of the path: the integrand that quadrature judges itself by."""
    in_band = torch.from_numpy(masks.T).to(change)
    weighted = functools.cache(lambda: weighted_spectrum(change)[:, None])  # made when first asked for

    def rates(slopes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = ((weighted()[rows] * torch.fft.rfft(slopes).conj()).real @ in_band).flatten(2)
        return found

    return rates


def _explain_alike(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], draws: npt.NDArray[np.intp]
) -> Iterator[Draw]:
    """Explain epochs whose windows, as far as they move, have one length, each from a draw of its baseline."""
    what = moving(request, channel_set, numbers, draws)
    end, begin = what.ends
    paths = Paths(what.model, end, begin, request.weights(numbers, channel_set), request.batch(what.model, end[:1]))
    score, baseline_score = request.recorded_scores(numbers, channel_set), baseline_scores(paths)
    masks, (changes, changes_beyond) = request.band_masks, what.changes
    rates, make_nodes = _rates(what, masks), nodes_in_turn(request, channel_set, numbers, draws)
    for row, path in average_gradients(paths, make_nodes, baseline_score, rates):
        change = changes[row].to(path.gradient.dtype)
        gradient, slope_beyond = what.unpack(path.gradient)
        at = int(what.at[row])
        by_frequency = attribution_in_frequency(change, gradient)
        sums = by_frequency @ torch.from_numpy(masks.T).to(gradient)  # of all that moves, as `Draw` has them
        views, total = _views(request, change, gradient, by_frequency, at)
        if request.settings.context == "scaled":
            views["context"] = sums.to(request.dtype).cpu().numpy()
        by_beyond = (changes_beyond[row].to(slope_beyond) * slope_beyond).sum(-1).double().cpu().numpy()
        if what.n_beyond:
            views["beyond"] = by_beyond[:, None]
        ends = score[row], baseline_score[row].cpu().numpy()
        if request.settings.precision == MEAN:  # a few random nodes do not tell where on one path it arises
            path = dataclasses.replace(path, stretches=None)
        explained = _explained(int(numbers[row]), views, total + by_beyond, ends, path)
        yield Draw(explained, sums.double().cpu().numpy(), at, path.part_errors, by_beyond if what.n_beyond else None)


def _rates(what: Moving, masks: npt.NDArray[np.bool_]) -> Rates:
    """What each band of all that moves adds to a score per unit of the path; and last what reaches in from beyond."""
    change, change_beyond = what.changes
    of_bands = band_rates(change.flatten(1, 2), masks)
    if not what.n_beyond:
        return of_bands

    def rates(slopes: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        windows, beyond = what.unpack(slopes)
        by_beyond = (change_beyond[rows][:, None] * beyond).sum(-1, keepdim=True)
        return torch.cat([of_bands(windows.flatten(2, 3), rows), by_beyond], dim=2)

    return rates


def _explained(
    number: int,
    views: dict[str, npt.NDArray[np.floating[Any]]],
    total: npt.NDArray[np.float64],
    ends: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    path: PathGradient,
) -> Explained:
    share = None if path.stretches is None else path_shares(path.stretches)
    return Explained(number, views, *ends, total - (ends[0] - ends[1]), path.n_gradients, 1, path.error, share)


def _views(
    request: Request, change: torch.Tensor, gradient: torch.Tensor, by_frequency: torch.Tensor, at: int
) -> tuple[dict[str, npt.NDArray[np.floating[Any]]], npt.NDArray[np.float64]]:
    """The views of one epoch, and the sum of all attributions to each score.

    Parameters
    ----------
    request : Request
        Says which.
    change : Tensor, shape (n_moving, n_channels, n_times)
        From baseline to recorded.
    gradient : Tensor, shape (n_targets, n_moving, n_channels, n_times)
        Averaged over the path.
    by_frequency : Tensor, shape (n_targets, n_moving, n_channels, n_freqs)
        The attributions of all that moves to each frequency.
    at : int
        The segment among what moves.
    """
    own = change[at], gradient[:, at]  # one change for all targets
    makers = {
        "frequency": lambda: by_frequency[:, at],
        "time": lambda: attribution_in_time(*own),
        "time-frequency": lambda: frames(change.shape[-1], request.segments.sfreq).attribution(*own),
    }
    views = {view: makers[view]().to(request.dtype).cpu().numpy() for view in request.settings.views}
    return views, (change * gradient).sum((1, 2, 3)).double().cpu().numpy()
