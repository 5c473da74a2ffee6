"""Methods that only predict, with the bands of each channel as their features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.context import Moving, moving
from eegflex.attribution.draws import Draw, mean_over
from eegflex.attribution.gradients import score_of
from eegflex.attribution.methods.method import seeded
from eegflex.attribution.methods.shapley import MOST_PLAYERS, coalitions, shapley_values
from eegflex.attribution.request import Explained, Explainer, Request
from eegflex.errors import ParameterError
from eegflex.utils.stopping import check


class OfBands:
    """The score explained as a function of which bands of which channels are as recorded, the others as in the baseline."""

    weights: torch.Tensor
    row: int
    begin: torch.Tensor
    parts: torch.Tensor
    n_scores: int

    def __init__(self, request: Request, what: Moving, weights: torch.Tensor, row: int) -> None:
        self.score, self.weights, self.row = what.model, weights[row], row
        self.begin = what.begin[row, 0]
        masks = torch.from_numpy(request.band_masks).to(self.begin.device)
        spectrum = torch.fft.rfft(what.end[row, 0] - self.begin)
        self.parts = torch.fft.irfft(spectrum[:, None] * masks, n=self.begin.shape[-1])  # (channel, band, time)
        self.batch = request.batch(what.model, self.begin[None])
        self.n_scores = 0

    @property
    def precision(self) -> torch.dtype:
        """The highest that the device has."""
        return torch.float32 if self.begin.device.type == "mps" else torch.float64

    @property
    def n_players(self) -> int:
        """Bands x channels."""
        return int(self.parts.shape[0] * self.parts.shape[1])

    def __call__(self, present: torch.Tensor) -> torch.Tensor:
        """(n, player), 1 for present -> scores (n, n_targets)."""
        check()
        self.n_scores += len(present)
        return self.batch(self._scores, present.to(self.begin))[0]

    def _scores(self, present: torch.Tensor) -> tuple[torch.Tensor]:
        shares = present.unflatten(1, self.parts.shape[:2])
        x = self.begin + torch.einsum("ncb,cbt->nct", shares, self.parts)
        rows = torch.full((len(x),), self.row)
        return (score_of(self.score, x, rows, self.weights.expand(len(x), *self.weights.shape)),)


def exact_shapley(model: OfBands) -> npt.NDArray[np.float64]:
    """Shapley values of the bands from all coalitions, shape (n_targets, n_players)."""
    if model.n_players > MOST_PLAYERS:
        raise ParameterError(
            "Exact Shapley values of so many bands and channels are out of reach",
            seen=f"{model.n_players} bands x channels, 2^{model.n_players} scores for an epoch",
            allowed=f"at most {MOST_PLAYERS}",
            remedy="Use method='shapley_sampling'",
        )
    values = model(torch.from_numpy(coalitions(model.n_players))).cpu().numpy()
    return shapley_values(values).T


def by_captum(name: str, **options: Any) -> Callable[[OfBands], npt.NDArray[np.float64]]:
    """A forward-only method of captum, by its name there."""

    def attribute(model: OfBands) -> npt.NDArray[np.float64]:
        import captum.attr

        present = torch.ones(1, model.n_players, dtype=model.precision, device=model.begin.device)
        found = []
        drawn = torch.get_rng_state()
        for target in range(model.weights.shape[0]):
            torch.set_rng_state(drawn)  # the same draws for each target
            method = getattr(captum.attr, name)(lambda z, k=target: model(z)[:, k])
            evals = min(model.batch.points, model.n_players)
            found.append(method.attribute(present, baselines=0, perturbations_per_eval=evals, **options)[0])
        return torch.stack(found).double().cpu().numpy()

    return attribute


def on_bands(
    attribute: Callable[[OfBands], npt.NDArray[np.float64]],
) -> Explainer:
    """A method that only predicts, with bands x channels as its features.

    Parameters
    ----------
    attribute : callable
        Model of the features -> attributions, shape (n_targets, n_channels * n_bands).
    """

    def explain(request: Request, channel_set: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
        n_draws = request.baseline.n_draws
        rows, draws = np.repeat(numbers, n_draws), np.tile(np.arange(n_draws), len(numbers))
        what, weights = moving(request, channel_set, rows, draws), request.weights(rows, channel_set)

        def from_draw(row: int) -> Draw:
            model = OfBands(request, what, weights, row)
            with seeded(request.settings.seed, channel_set, int(rows[row]), int(draws[row])), torch.no_grad():
                attribution = attribute(model).reshape(weights.shape[1], *model.parts.shape[:2])
                score, begin = model(torch.tensor([[1.0], [0.0]]).repeat(1, model.n_players)).cpu().numpy()
            gap = attribution.sum(axis=(1, 2)) - (score - begin)
            views = {"band": attribution}
            return Draw(Explained(int(rows[row]), views, score, begin, gap, 0, model.n_scores), attribution[:, None])

        for start in range(0, len(rows), n_draws):
            yield mean_over([from_draw(row) for row in range(start, start + n_draws)])

    return explain
