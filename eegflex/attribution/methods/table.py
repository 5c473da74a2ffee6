"""All methods behind one call: FLEX, captum's on the frequency-domain model F o irfft, and those that only predict."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegflex.attribution.methods.flex import VIEWS, Moving, explain_flex, moving
from eegflex.attribution.gradients import score_of
from eegflex.attribution.methods.shapley import coalitions, shapley_values
from eegflex.attribution.request import Explained, Explainer, Task
from eegflex.errors import ParameterError
from eegflex.stagers.stager import BoundStager

__all__ = ["METHODS", "Method"]

#: Draws of the methods that draw at random.
N_SAMPLES = 25
#: 4,096 coalitions: the bands of two channels.
MOST_PLAYERS = 12


@dataclass(frozen=True)
class Method:
    """A way of attributing.

    Attributes
    ----------
    explain : Explainer
        Explains epochs with one combination of channels.
    differentiates : bool
        Whether the model must have a gradient.
    views : tuple of str
        The views that it can give; without any it attributes to whole bands.
    contexts : tuple of str
        What may move along the path.
    baselines : tuple of str
        The only baselines that it knows; empty: any.
    """

    explain: Explainer
    differentiates: bool = True
    views: tuple[str, ...] = ("frequency",)
    contexts: tuple[str, ...] = ("fixed",)
    baselines: tuple[str, ...] = ()


class _OfMagnitudes(nn.Module):
    """The score explained as a function of magnitudes, F o irfft: what captum's methods are applied to.

    The stager's module is a part of it, so that methods which hook its layers find them.
    """

    def __init__(self, task: Task, what: Moving, weights: torch.Tensor) -> None:
        super().__init__()
        inner = task.stager.module
        self.inner = inner if isinstance(inner, nn.Module) else None
        self.score, self.weights, self.n_times = what.model, weights, what.end.shape[-1]

    def forward(self, magnitudes: torch.Tensor, phases: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(n, channel, freq) -> scores (n,)."""
        x = torch.fft.irfft(torch.polar(magnitudes, phases), n=self.n_times)
        return (self.score(x, rows) * self.weights[rows]).sum(-1)


def _saliency(
    model: nn.Module, magnitudes: torch.Tensor, _: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    from captum.attr import Saliency

    return Saliency(model).attribute(magnitudes, abs=False, additional_forward_args=extra)


def _input_x_gradient(
    model: nn.Module, magnitudes: torch.Tensor, _: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    from captum.attr import InputXGradient

    return InputXGradient(model).attribute(magnitudes, additional_forward_args=extra)


def _deeplift(
    model: nn.Module, magnitudes: torch.Tensor, begin: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    from captum.attr import DeepLift

    return DeepLift(model).attribute(magnitudes, baselines=begin, additional_forward_args=extra)


def _gradient_shap(
    model: nn.Module, magnitudes: torch.Tensor, begin: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    from captum.attr import GradientShap

    # One epoch at a time: captum pairs each input with draws from all baselines.
    parts = [
        GradientShap(model).attribute(
            magnitudes[i : i + 1],
            baselines=begin[i : i + 1],
            n_samples=N_SAMPLES,
            additional_forward_args=tuple(values[i : i + 1] for values in extra),
        )
        for i in range(len(magnitudes))
    ]
    return torch.cat(parts)


def _on_magnitudes(
    attribute: Callable[..., torch.Tensor], evaluations: int, *, complete: bool
) -> Callable[[Task, BoundStager, int, npt.NDArray[np.intp]], Iterator[Explained]]:
    """A method of captum's as one of ours.

    Parameters
    ----------
    attribute : callable
        Model, magnitudes, their baseline and further arguments of the model -> attributions.
    evaluations : int
        Gradient evaluations for an epoch.
    complete : bool
        Whether the attributions are meant to sum to F(x) - F(x_b).
    """

    def explain(task: Task, bound: BoundStager, combination: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
        what = moving(task, bound, combination, numbers)
        end, begin = what.end[:, 0], what.begin[:, 0]
        weights = task.weights(numbers, combination)
        size = max(task.batch(what.model, end[:1]).points // evaluations, 1)
        for rows in torch.arange(len(numbers), device=end.device).split(size):
            spectrum, magnitudes = torch.fft.rfft(end[rows]), torch.fft.rfft(begin[rows]).abs()
            found = []
            for target in range(weights.shape[1]):
                model = _OfMagnitudes(task, what, weights[:, target])
                with _seeded(task.seed), warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # captum tells of the hooks that it sets and removes
                    values = attribute(model, spectrum.abs().requires_grad_(), magnitudes, (spectrum.angle(), rows))
                found.append(values.detach().double())
            score, baseline_score = (score_of(what.model, x[rows], rows, weights[rows]).cpu() for x in (end, begin))
            attribution = torch.stack(found, dim=1).cpu()
            total = attribution.sum((2, 3)).numpy() if complete else np.nan
            change = (score - baseline_score).numpy()
            for i, row in enumerate(rows.tolist()):
                views = {"frequency": attribution[i].to(task.dtype).numpy()}
                gap = np.broadcast_to((total - change)[i], change[i].shape)
                ends = score[i].numpy(), baseline_score[i].numpy()
                yield Explained(int(numbers[row]), views, *ends, gap, evaluations * weights.shape[1], 2)

    return explain


class _OfBands:
    """The score explained as a function of which bands of which channels are as recorded, the others as in the baseline."""

    def __init__(self, task: Task, what: Moving, weights: torch.Tensor, row: int) -> None:
        self.score, self.weights, self.row = what.model, weights[row], row
        self.begin = what.begin[row, 0]
        masks = torch.from_numpy(task.band_masks).to(self.begin.device)
        spectrum = torch.fft.rfft(what.end[row, 0] - self.begin)
        self.parts = torch.fft.irfft(spectrum[:, None] * masks, n=self.begin.shape[-1])  # (channel, band, time)
        self.batch = task.batch(what.model, self.begin[None])
        self.n_scores = 0

    @property
    def precision(self) -> torch.dtype:
        """The highest that the device has."""
        return torch.float32 if self.begin.device.type == "mps" else torch.float64

    @property
    def n_players(self) -> int:
        """Bands x channels."""
        return self.parts.shape[0] * self.parts.shape[1]

    def __call__(self, present: torch.Tensor) -> torch.Tensor:
        """(n, player), 1 for present -> scores (n, n_targets)."""
        self.n_scores += len(present)
        return self.batch(self._scores, present.to(self.begin))[0]

    def _scores(self, present: torch.Tensor) -> tuple[torch.Tensor]:
        shares = present.unflatten(1, self.parts.shape[:2])
        x = self.begin + torch.einsum("ncb,cbt->nct", shares, self.parts)
        rows = torch.full((len(x),), self.row, device=x.device)
        return (score_of(self.score, x, rows, self.weights.expand(len(x), *self.weights.shape)),)


def _exact(model: _OfBands) -> npt.NDArray[np.float64]:
    if model.n_players > MOST_PLAYERS:
        raise ParameterError(
            "Exact Shapley values of so many bands and channels are out of reach",
            seen=f"{model.n_players} bands x channels, 2^{model.n_players} scores for an epoch",
            allowed=f"at most {MOST_PLAYERS}",
            remedy="Use method='shapley_sampling'",
        )
    values = model(torch.from_numpy(coalitions(model.n_players))).cpu().numpy()
    return shapley_values(values).T


def _by_captum(name: str, **options: Any) -> Callable[[_OfBands], npt.NDArray[np.float64]]:
    def attribute(model: _OfBands) -> npt.NDArray[np.float64]:
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


def _on_bands(
    attribute: Callable[[_OfBands], npt.NDArray[np.float64]], *, complete: bool
) -> Callable[[Task, BoundStager, int, npt.NDArray[np.intp]], Iterator[Explained]]:
    """A method that only predicts, with bands x channels as its features.

    Parameters
    ----------
    attribute : callable
        Model of the features -> attributions, shape (n_targets, n_channels * n_bands).
    complete : bool
        Whether the attributions are meant to sum to F(x) - F(x_b).
    """

    def explain(task: Task, bound: BoundStager, combination: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
        what = moving(task, bound, combination, numbers)
        weights = task.weights(numbers, combination)
        for row, number in enumerate(numbers):
            model = _OfBands(task, what, weights, row)
            with _seeded(task.seed), torch.no_grad():
                attribution = attribute(model).reshape(weights.shape[1], *model.parts.shape[:2])
                ends = model(torch.tensor([[1.0], [0.0]]).repeat(1, model.n_players)).cpu().numpy()
            total = attribution.sum(axis=(1, 2)) if complete else np.full(weights.shape[1], np.nan)
            views = {"band": attribution}
            yield Explained(int(number), views, ends[0], ends[1], total - (ends[0] - ends[1]), 0, model.n_scores)

    return explain


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed what captum draws from, and leave the caller's generators as they were."""
    state = np.random.get_state()  # noqa: NPY002  (captum draws from numpy's old generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002


METHODS = {
    "flex": Method(explain_flex, views=VIEWS, contexts=("fixed", "scaled")),
    "saliency": Method(_on_magnitudes(_saliency, 1, complete=False)),
    "input_x_gradient": Method(_on_magnitudes(_input_x_gradient, 1, complete=False), baselines=("zero",)),
    "deeplift": Method(_on_magnitudes(_deeplift, 1, complete=True)),
    "gradient_shap": Method(_on_magnitudes(_gradient_shap, N_SAMPLES, complete=True)),
    "shapley": Method(_on_bands(_exact, complete=True), differentiates=False, views=()),
    "shapley_sampling": Method(
        _on_bands(_by_captum("ShapleyValueSampling", n_samples=N_SAMPLES), complete=True),
        differentiates=False,
        views=(),
    ),
    "feature_ablation": Method(
        _on_bands(_by_captum("FeatureAblation"), complete=False), differentiates=False, views=()
    ),
}
