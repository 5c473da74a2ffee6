"""A second opinion on the bands that takes no path: Shapley values, on a sample of the epochs that are explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.context import moving
from eegflex.attribution.methods.on_bands import OfBands, exact_shapley
from eegflex.attribution.methods.shapley import permutation_shapley
from eegflex.attribution.request import Explained, Request
from eegflex.scores import consensus

__all__ = ["N_PAIRS", "N_PER_STAGE", "explain_twice"]

#: Epochs of each predicted stage that are asked about twice.
N_PER_STAGE = 5
#: Players whose coalitions are all tried: the bands of one channel, and what lies outside them.
MOST_EXACT = 7
#: Pairs of orders, where they are too many for that.
N_PAIRS = 12
#: Tells these draws from any others of the same seed.
_STREAM = 0x5EC0


def explain_twice(request: Request, channel_set: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
    """Explain epochs with one channel set, and give a sample of them a second opinion, if one is asked for.

    Of the epochs without one it is NaN.

    Parameters
    ----------
    request : Request
        What is to be explained.
    channel_set : int
        With which channels.
    numbers : array of int, shape (n,)
        Epochs.
    """
    explained = request.method.explain(request, channel_set, numbers)
    if request.settings.second_opinion is None:
        yield from explained
        return
    sample = set(_sample(request).tolist())
    n_bands, n_channels = len(request.band_masks), len(request.segments.channel_sets[channel_set])
    for one in explained:
        if one.number in sample:
            shares, errors, n_scores = _shapley(request, channel_set, one.number)
        else:
            n_scores = 0
            shares = errors = np.full((len(one.score), n_channels, n_bands), np.nan)
        more = {"second": shares.astype(np.float32), "second_error": errors.astype(np.float32)}
        yield dataclasses.replace(one, views={**one.views, **more}, n_forwards=one.n_forwards + n_scores)


def _sample(request: Request) -> npt.NDArray[np.intp]:
    """Epochs of each predicted stage, drawn at random from those that are explained."""
    predicted = consensus(request.night.scores[request.chosen], request.stager.spec.scores)
    rng = np.random.default_rng([_STREAM, request.settings.seed])
    drawn = [rng.permutation(request.chosen[predicted == stage])[:N_PER_STAGE] for stage in np.unique(predicted)]
    return np.concatenate(drawn)


def _shapley(
    request: Request, channel_set: int, number: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
    """Shapley values of the bands and their standard errors, (n_targets, n_channels, n_bands); and how many scores it took.

    Of a baseline that is drawn at random they are the mean over the same draws as the attributions.
    """
    n_draws = request.baseline.n_draws
    rows = np.repeat(np.array([number]), n_draws)
    what, weights = moving(request, channel_set, rows, np.arange(n_draws)), request.weights(rows, channel_set)
    models = [OfBands(request, what, weights, draw) for draw in range(n_draws)]
    with torch.no_grad():
        found = [
            _estimate(model, request.settings.seed, channel_set, number, draw) for draw, model in enumerate(models)
        ]
    shares, errors = (np.stack(part) for part in zip(*found, strict=True))
    shape = (weights.shape[1], *models[0].parts.shape[:2])
    of_mean = np.sqrt((errors**2).sum(axis=0)) / n_draws
    return shares.mean(axis=0).reshape(shape), of_mean.reshape(shape), sum(model.n_scores for model in models)


def _estimate(model: OfBands, *stream: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shapley values and their standard errors, (n_targets, n_players): exact where the players are few."""
    if model.n_players <= MOST_EXACT:
        exact = exact_shapley(model)
        return exact, np.zeros_like(exact)
    rng = np.random.default_rng([_STREAM, *stream])
    shares, errors = permutation_shapley(
        lambda present: model(torch.from_numpy(present)).double().cpu().numpy(), model.n_players, rng, N_PAIRS
    )
    return shares.T, errors.T
