"""FLEX on Epochs: the public verb, and what it does for one combination of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger, verbose

from eegflex import aggregate
from eegflex.attribution.adaptive import adaptive_gradient
from eegflex.attribution.assemble import Explained, assemble
from eegflex.attribution.baselines import make_baselines
from eegflex.attribution.gradients import PathGradient, ScoreFunction, fitting_batch, path_gradient, rnn_safe
from eegflex.attribution.quadrature import ADAPTIVE, Rule, make_rule
from eegflex.attribution.spectra import attribution_in_frequency, attribution_in_time
from eegflex.attribution.targets import resolve_target
from eegflex.bands import Bands
from eegflex.errors import ModelError, ParameterError
from eegflex.progress import progress
from eegflex.result import FlexResult
from eegflex.segments import Segments, prepare
from eegflex.stagers.checks import check_bound, with_counted_stages
from eegflex.stagers.loading import load_model
from eegflex.stagers.spec import ModelSpec
from eegflex.stagers.stager import BoundStager, Stager

__all__ = ["attribute_epochs"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_VIEWS = {"frequency": attribution_in_frequency, "time": attribution_in_time}
#: Epochs whose gradients are in memory at once.
CHUNK = 8


@verbose
def attribute_epochs(
    epochs: mne.BaseEpochs,
    model: Any,
    *,
    target: str | tuple[str, str] = "predicted",
    baseline: str = "zero",
    context: str = "fixed",
    method: str = "flex",
    quadrature: str = ADAPTIVE,
    tol: float = 0.01,
    max_evals: int = 400,
    n_steps: int | None = None,
    views: Sequence[str] = ("frequency",),
    picks: str | Sequence[str] | None = None,
    spec: ModelSpec | str | Path | None = None,
    sample_per_stage: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    dtype: str = "float32",
    verbose: bool | str | int | None = None,
) -> FlexResult:
    """Explain which rhythms, on which channels, made a network stage each epoch as it did.

    FLEX attributes the score of an epoch to the frequencies of each channel: Integrated Gradients over the magnitudes of
    the spectrum, its phases held fixed, from a baseline to the epoch as recorded (Gräve et al. 2025). A positive
    attribution means that what the epoch has of this frequency, beyond the baseline, raised the score; the attributions
    of all channels sum to the score's change, F(x) - F(x_b).

    Parameters
    ----------
    epochs : mne.BaseEpochs
        Epochs of a recording, as `eegflex.make_epochs` cuts it, in the order of time. They are not changed.
    model : str | Stager | torch.nn.Module | callable
        ``"gssc"``, ``"bandpower"``, or a network that maps ``(batch, channel, time)`` to ``(batch, stage)``.
    target : str | tuple of (str, str)
        What is explained: ``"predicted"``, the score of the stage that the network chose; ``"scored"``, that of the
        hypnogram's; ``"margin"``, predicted minus runner-up; a stage's name; or a pair such as ``("N2", "N1")``, the
        score of the first minus that of the second.
    baseline : {"zero"}
        ``"zero"``: the epoch is compared with silence on every channel.
    context : {"fixed"}
        ``"fixed"``: neighbouring epochs stay as recorded.
    method : {"flex"}
        Method of attribution.
    quadrature : {"adaptive", "graded", "gauss-legendre", "riemann-left", "riemann-middle", "riemann-right"}
        How the gradient is averaged over the path. ``"adaptive"`` halves intervals of the path, epoch by epoch, until what
        all of them miss of the score's change is below `tol`. The others are fixed rules; ``"graded"`` puts its nodes
        where networks change quickly, near the baseline.
    tol : float
        For ``"adaptive"``: what may be missed, relative to the absolute total of the band sums.
    max_evals : int
        For ``"adaptive"``: gradient evaluations for an epoch, beyond which it is left as it is; its error is recorded.
    n_steps : int | None
        For a fixed rule: gradient evaluations for each epoch; by default 72 for ``"graded"``, else 50.
    views : sequence of {"frequency", "time"}
        What to attribute to. Each view has the same sum. The frequency view is always there.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.
    spec : ModelSpec | path-like | None
        The contract of a bare network. Without one it is fed the epochs as they are, in MNE's units.
    sample_per_stage : int | None
        Explain only so many epochs of each stage that the network predicted, drawn at random. By default all.
    seed : int
        Seed of that draw.
    batch_size : int | None
        Points on the paths in one pass through the network; by default as many as fit into memory.
    device : str | torch.device | None
        Where to compute, such as ``"cuda"``. By default where the model is.
    dtype : {"float32", "float64"}
        Precision of the network's arithmetic.
    %(verbose)s

    Returns
    -------
    result : FlexResult
        Attributions with scores, stages, completeness gaps and provenance.

    Raises
    ------
    ParameterError
        If an argument is not one of its choices.
    ChannelError, RecordingError
        If the epochs cannot give what the model's spec asks for.
    ModelError
        If the model fails, or its gradients cannot be trusted.

    Notes
    -----
    Epochs that are not finite, flat or saturated, and those whose neighbours a model needs and the recording does not
    have, are left unexplained and counted in the provenance.

    The path is a straight line in time, so that one pass of time-domain gradients and one FFT give the attribution to
    frequencies: ``A_f = (w_f / T) Re(D_f conj(G_f))`` with D and G the spectra of the change along the path and of the
    averaged gradient.
    """
    choices = {"context": (context, ("fixed",)), "method": (method, ("flex",)), "dtype": (dtype, tuple(_DTYPES))}
    for name, (value, allowed) in choices.items():
        _check_choice(name, value, allowed)
    for view in views:
        _check_choice("views", view, tuple(_VIEWS))
    average = _quadrature(quadrature, n_steps, tol, max_evals)
    stager = load_model(model, spec=spec)
    device = _check_device(stager.like.device if device is None else device, dtype)
    stager = stager.to(device, _DTYPES[dtype])
    segments = prepare(epochs, stager.spec, picks)
    stager = with_counted_stages(stager, segments)
    with rnn_safe(stager.recurrent):
        bound = stager.bind(segments)
        scores = _night_scores(bound, segments, stager.spec)
        chosen = _choose(segments, bound, scores, stager.spec, sample_per_stage, seed)
        for one in bound:
            check_bound(one, segments, chosen, stager.spec.name)
        task = _Task(segments, scores, chosen, stager, target, baseline, average, ("frequency", *views), batch_size)
        explained = _explain_all(task, bound)
    parameters = {
        "target": target,
        "baseline": baseline,
        "context": context,
        "method": method,
        "quadrature": quadrature,
        **average.parameters,
        "sample_per_stage": sample_per_stage,
        "seed": seed,
        "dtype": dtype,
        "device": str(device),
    }
    return assemble(epochs, segments, stager.spec, scores, chosen, explained, parameters)


@dataclass(frozen=True)
class _Quadrature:
    """How gradients are averaged over paths."""

    rule: Rule | None  # None: adaptive
    tol: float
    max_evals: int

    @property
    def parameters(self) -> dict[str, float | int]:
        if self.rule is not None:
            return {"n_steps": len(self.rule)}
        return {"tol": self.tol, "max_evals": self.max_evals}

    def __call__(
        self,
        model: ScoreFunction,
        segments: torch.Tensor,
        baselines: torch.Tensor,
        weights: torch.Tensor,
        batch_size: int,
        sfreq: float,
    ) -> PathGradient:
        if self.rule is not None:
            return path_gradient(model, segments, baselines, weights, self.rule, batch_size)
        masks = torch.from_numpy(Bands().masks(np.fft.rfftfreq(segments.shape[-1], 1 / sfreq))).to(segments)
        change = segments - baselines

        def size(gradient: torch.Tensor) -> torch.Tensor:
            """Absolute total of the band sums of each epoch."""
            return (attribution_in_frequency(change, gradient.to(change)) @ masks.T).abs().sum((1, 2))

        return adaptive_gradient(
            model,
            segments,
            baselines,
            weights,
            size,
            tol=self.tol,
            max_evals=self.max_evals,
            batch_size=batch_size,
        )


def _quadrature(quadrature: str, n_steps: int | None, tol: float, max_evals: int) -> _Quadrature:
    if quadrature != ADAPTIVE:
        return _Quadrature(make_rule(quadrature, n_steps), tol, max_evals)
    if n_steps is not None:
        raise ParameterError(
            "The adaptive quadrature finds its own number of steps",
            seen=f"n_steps={n_steps}",
            remedy="Give tol and max_evals, or a fixed rule such as quadrature='gauss-legendre'",
        )
    if not 0 < tol < 1 or max_evals < 1:
        raise ParameterError("tol must lie between 0 and 1, and max_evals be positive", seen=(tol, max_evals))
    return _Quadrature(None, float(tol), int(max_evals))


@dataclass(frozen=True)
class _Task:
    """What is the same for every combination."""

    segments: Segments
    scores: npt.NDArray[np.float64]  # (epoch of the recording, combination, stage)
    chosen: npt.NDArray[np.intp]  # epochs to explain
    stager: Stager
    target: str | tuple[str, str]
    baseline: str
    average: _Quadrature
    views: tuple[str, ...]
    batch_size: int | None


def _night_scores(bound: Sequence[BoundStager], segments: Segments, spec: ModelSpec) -> npt.NDArray[np.float64]:
    """Scores of every epoch as recorded, shape (n_epochs, n_combinations, n_stages)."""
    with progress(len(segments) * len(bound), f"Staging with {spec.name}") as done:
        scores = [one.night_scores(done).double().cpu().numpy() for one in bound]
    return np.stack(scores, axis=1)


def _choose(
    segments: Segments,
    bound: Sequence[BoundStager],
    scores: npt.NDArray[np.float64],
    spec: ModelSpec,
    sample_per_stage: int | None,
    seed: int,
) -> npt.NDArray[np.intp]:
    """Epochs to explain: sound, with the context they need, and a balanced sample if one was asked for."""
    possible = (segments.fault == "") & np.logical_and.reduce([one.explicable for one in bound])
    sound = np.flatnonzero(possible)
    if len(sound) == 0:
        faults, counts = np.unique(segments.fault[segments.fault != ""], return_counts=True)
        raise ModelError(
            "No epoch can be explained",
            seen=dict(zip(faults.tolist(), counts.tolist(), strict=True))
            or "no epoch with the context that the model needs",
            remedy="Look at the signals, or give epochs that are contiguous in time",
        )
    bad = ~np.isfinite(scores[sound]).all(axis=(1, 2))
    if bad.any():
        raise ModelError(
            f"{spec.name} returned scores that are not finite",
            seen=f"{int(bad.sum())} of {len(sound)} epochs, the first at {segments.onset[sound[bad][0]]:g} s",
            remedy="Check the unit and scaling that its spec gives",
        )
    if len(sound) < len(segments):
        logger.info(f"{len(segments) - len(sound)} of {len(segments)} epochs cannot be explained and are left out")
    if sample_per_stage is None:
        return sound
    if int(sample_per_stage) != sample_per_stage or sample_per_stage < 1:
        raise ParameterError("sample_per_stage must be a positive whole number", seen=sample_per_stage)
    predicted = aggregate.consensus(scores[sound], spec.scores)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(sound[predicted == stage])[:sample_per_stage] for stage in range(len(spec.stages))]
    return np.sort(np.concatenate(drawn))


def _explain_all(task: _Task, bound: Sequence[BoundStager]) -> list[Explained]:
    with progress(len(bound) * len(task.chosen), "Explaining") as done:
        return [_explain(task, one, k, done) for k, one in enumerate(bound)]


def _explain(task: _Task, bound: BoundStager, combination: int, done: Callable[[int], None]) -> Explained:
    """Explain the chosen epochs with one combination of channels."""
    segments, chosen = task.segments, task.chosen
    target = resolve_target(
        task.target, task.stager.spec.stages, task.scores[chosen, combination], segments.stage[chosen].tolist()
    )
    batch_size = task.batch_size or _fitting(task, bound)
    parts = []
    for start in range(0, len(chosen), CHUNK):
        rows = slice(start, start + CHUNK)
        parts.append(_explain_chunk(task, bound, chosen[rows], target.weights[rows], batch_size))
        done(len(chosen[rows]))
    return Explained.joined(parts, target.labels)


def _fitting(task: _Task, bound: BoundStager) -> int:
    """Points that fit into one batch, by the first epoch."""
    index = torch.from_numpy(task.chosen[:1]).to(task.stager.like.device)
    return fitting_batch(lambda variants, rows: bound(variants, index[rows]), bound.inputs(index))


def _explain_chunk(
    task: _Task,
    bound: BoundStager,
    chosen: npt.NDArray[np.intp],
    weights: npt.NDArray[np.float64],
    batch_size: int,
) -> Explained:
    index = torch.from_numpy(chosen).to(task.stager.like.device)
    x = bound.inputs(index)
    x_b = make_baselines(task.baseline, x)

    def model(variants: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return bound(variants, index[which])

    path = task.average(model, x, x_b, torch.from_numpy(weights).to(x), batch_size, task.segments.sfreq)
    change = (x - x_b).to(path.gradient.dtype)
    return Explained(
        views={view: _VIEWS[view](change, path.gradient).cpu().numpy() for view in dict.fromkeys(task.views)},
        score=path.score.numpy(),
        baseline_score=path.baseline_score.numpy(),
        n_gradients=path.n_gradients.numpy(),
        error=path.error.numpy(),
    )


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParameterError(f"{name} cannot be that", seen=repr(value), allowed=allowed)


def _check_device(wanted: str | torch.device, dtype: str) -> torch.device:
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ParameterError("There is no such device", seen=repr(wanted), allowed=["cpu", "cuda", "mps"]) from error
    if device.type == "mps" and dtype == "float64":
        raise ParameterError(
            "Apple's GPUs have no float64", seen=str(device), remedy="Use dtype='float32' or device='cpu'"
        )
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError("No CUDA device is available", seen=str(device), remedy="Use device='cpu'")
    return device
