"""Captum's methods on the frequency-domain model F o irfft."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eegflex.attribution.context import Moving, moving
from eegflex.attribution.gradients import score_of
from eegflex.attribution.methods.method import N_SAMPLES, seeded
from eegflex.attribution.request import Explained, Explainer, Request


class _OfMagnitudes(nn.Module):
    """The score explained as a function of magnitudes, F o irfft: what captum's methods are applied to.

    The stager's module is a part of it, so that methods which hook its layers find them.
    """

    def __init__(self, request: Request, what: Moving, weights: torch.Tensor) -> None:
        super().__init__()
        inner = request.stager.module
        self.inner = inner if isinstance(inner, nn.Module) else None
        self.score, self.weights, self.n_times = what.model, weights, what.end.shape[-1]

    def forward(self, magnitudes: torch.Tensor, phases: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(n, channel, freq) -> scores (n,)."""
        x = torch.fft.irfft(torch.polar(magnitudes, phases), n=self.n_times)
        return (self.score(x, rows) * self.weights[rows]).sum(-1)


def saliency(
    model: nn.Module, magnitudes: torch.Tensor, _: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """The slope of the score at the epoch as recorded."""
    from captum.attr import Saliency

    found: torch.Tensor = Saliency(model).attribute(magnitudes, abs=False, additional_forward_args=extra)
    return found


def input_x_gradient(
    model: nn.Module, magnitudes: torch.Tensor, _: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """The magnitude of each frequency times the slope of the score."""
    from captum.attr import InputXGradient

    found: torch.Tensor = InputXGradient(model).attribute(magnitudes, additional_forward_args=extra)
    return found


def deeplift(
    model: nn.Module, magnitudes: torch.Tensor, begin: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """DeepLIFT's rescale rule from the baseline to the epoch."""
    from captum.attr import DeepLift

    found: torch.Tensor = DeepLift(model).attribute(magnitudes, baselines=begin, additional_forward_args=extra)
    return found


def gradient_shap(
    model: nn.Module, magnitudes: torch.Tensor, begin: torch.Tensor, extra: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Integrated Gradients at points drawn at random on the path."""
    from captum.attr import GradientShap

    found: torch.Tensor = GradientShap(model).attribute(
        magnitudes, baselines=begin, n_samples=N_SAMPLES, additional_forward_args=extra
    )
    return found


def on_magnitudes(attribute: Callable[..., torch.Tensor], evaluations: int = 1, *, draws: bool = False) -> Explainer:
    """A method of captum's as one of ours.

    Parameters
    ----------
    attribute : callable
        Model, magnitudes, their baseline and further arguments of the model -> attributions.
    evaluations : int
        Gradient evaluations for an epoch.
    draws : bool
        Whether it draws at random: then it is given one epoch at a time. The draws of an epoch are its own, and captum would
        pair each epoch with the baselines of all.
    """

    def explain(request: Request, channel_set: int, numbers: npt.NDArray[np.intp]) -> Iterator[Explained]:
        what = moving(request, channel_set, numbers)
        end, begin = what.end[:, 0], what.begin[:, 0]
        weights = request.weights(numbers, channel_set)
        size = 1 if draws else request.batch(what.model, end[:1]).points
        for rows in torch.arange(len(numbers), device=end.device).split(size):
            spectrum, magnitudes = torch.fft.rfft(end[rows]), torch.fft.rfft(begin[rows]).abs()
            found = []
            for target in range(weights.shape[1]):
                model = _OfMagnitudes(request, what, weights[:, target])
                stream = request.settings.seed, channel_set, int(numbers[rows[0]])
                with seeded(*stream), warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # captum tells of the hooks that it sets and removes
                    values = attribute(model, spectrum.abs().requires_grad_(), magnitudes, (spectrum.angle(), rows))
                found.append(values.detach().double())
            score, baseline_score = (score_of(what.model, x[rows], rows, weights[rows]).cpu() for x in (end, begin))
            attribution = torch.stack(found, dim=1).cpu()
            total = attribution.sum((2, 3)).numpy()
            change = (score - baseline_score).numpy()
            for i, row in enumerate(rows.tolist()):
                views = {"frequency": attribution[i].to(request.dtype).numpy()}
                gap = np.broadcast_to((total - change)[i], change[i].shape)
                ends = score[i].numpy(), baseline_score[i].numpy()
                yield Explained(int(numbers[row]), views, *ends, gap, evaluations * weights.shape[1], 2)

    return explain
