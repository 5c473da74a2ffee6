"""The public verb: explain the epochs of a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import mne
import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger, verbose

from eegflex.agreement import consensus
from eegflex.attribution.adaptive import N_FIRST, AdaptiveNodes
from eegflex.attribution.assemble import assemble
from eegflex.attribution.baselines import make_baseline
from eegflex.attribution.methods.flex import VIEWS
from eegflex.attribution.kept import Kept
from eegflex.attribution.methods.table import METHODS, Method
from eegflex.attribution.paths import Nodes
from eegflex.attribution.quadrature import ADAPTIVE, FixedNodes, make_rule
from eegflex.attribution.request import AttributionStopped, Task, explain_all
from eegflex.attribution.window_error import width_error
from eegflex.errors import ModelError, ParameterError
from eegflex.utils.progress import progress
from eegflex.results.result import FlexResult
from eegflex.preprocessing.segments import Segments, prepare
from eegflex.doctor.table import Case, refuse_or_warn, run_checks, sound_epochs, with_counted_stages
from eegflex.findings import Findings
from eegflex.stagers.loading import load_model
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.stager import BoundStager, rnn_safe
from eegflex.targets import is_scored

__all__ = ["attribute_epochs"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


@verbose
def attribute_epochs(
    epochs: mne.BaseEpochs,
    model: Any,
    *,
    target: str | tuple[str, str] = "predicted",
    baseline: Any = "zero",
    context: str = "fixed",
    method: str = "flex",
    quadrature: str = ADAPTIVE,
    tol: float = 0.02,
    max_evals: int = 400,
    n_steps: int | None = None,
    views: Sequence[str] = ("frequency",),
    edges: str = "shift",
    filter_edges: Literal["keep", "mask"] = "keep",
    width: int | None = None,
    picks: str | Sequence[str] | None = None,
    spec: ModelSpec | str | Path | None = None,
    sample_per_stage: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    device: str | torch.device | None = None,
    dtype: str = "float32",
    check: bool | Literal["warn"] = True,
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
    model : str | path-like | Stager | torch.nn.Module | callable | sequence
        ``"gssc"``, ``"bandpower"``, a network that maps ``(batch, channel, time)`` to ``(batch, stage)``, a file or folder
        that holds one, or several of them, which are averaged; see `eegflex.load_model`.
    target : str | tuple of (str, str)
        What is explained: ``"predicted"``, the score of the stage that the network chose; ``"scored"``, that of the
        hypnogram's, of the epochs that have one; ``"margin"``, predicted minus runner-up; a stage's name; a pair such as
        ``("N2", "N1")``, the score of the first minus that of the second; or ``"all"``, every stage from one forward
        pass (see `FlexResult.for_target`).
    baseline : str | array-like
        What an epoch is compared with, always with the epoch's own phases. ``"zero"``: silence on every channel.
        ``"aperiodic"``: its own 1/f part, so that the oscillatory peaks are explained. ``"recording"``: the median
        magnitude spectrum of the recording. ``"stage:W"``: that of a stage of the hypnogram. Or magnitudes,
        shape (n_channels, n_freqs), or samples, shape (n_channels, n_times), as the stager is given them; with a first
        axis more for each epoch.
    context : {"fixed", "scaled"}
        ``"fixed"``: neighbouring epochs stay as recorded, and only the segment moves along the path. ``"scaled"``: the
        whole window does, each of its epochs from its own baseline; what it adds is in ``context_map``. The map's sum is
        F(window) - F(baseline window).
    method : str
        ``"flex"``. On the frequency-domain model, by captum: ``"saliency"``, ``"input_x_gradient"``, ``"deeplift"``,
        ``"gradient_shap"``. For models without a gradient too, with the bands of each channel as features:
        ``"shapley"`` (exact, up to two channels), ``"shapley_sampling"``, ``"feature_ablation"``.
    quadrature : {"adaptive", "graded", "gauss-legendre", "riemann-left", "riemann-middle", "riemann-right"}
        How the gradient is averaged over the path. ``"adaptive"`` adds nodes, epoch by epoch, until the estimated error
        of the band sums of all channels is within `tol`. The others are fixed rules; ``"graded"`` puts its nodes
        where networks change quickly, near the baseline.
    tol : float
        For ``"adaptive"``: the error allowed, relative to the absolute total of the band sums.
    max_evals : int
        For ``"adaptive"``: most gradient evaluations for an epoch; where they do not suffice, its ``error`` says so.
    n_steps : int | None
        For a fixed rule: gradient evaluations for each epoch; by default 72 for ``"graded"``, else 50.
    views : sequence of {"frequency", "time", "time-frequency"}
        What to attribute to. Each view has the same sum. The frequency view is always there.
    edges : {"shift", "pad", "skip"}
        Where a run ends within the window of an epoch: move the window inside, if the stager scores every position of it
        (if not, the epoch is left unexplained); put silence there; or leave the epoch unexplained. ``edge`` of the result
        says what happened to each epoch. A stager of whole nights knows their ends.
    filter_edges : {"keep", "mask"}
        Whether epochs into which the preparation's filter reaches from beyond the edge of a run, as it does at both ends of
        any night, are explained like any other, or left out.
    width : int | None
        For a stager of whole nights: epochs of the window in which an epoch is explained, by default 21. Its error, measured
        on a few epochs against the whole night, is in the provenance.
    picks : str | sequence of str | None
        Channels to choose from; by default all that are not bad.
    spec : ModelSpec | path-like | None
        The contract of a bare network. Without one it is fed the epochs as they are, in MNE's units.
    sample_per_stage : int | None
        Explain only so many epochs of each stage that the network predicted, drawn at random. By default all.
    seed : int
        Seed of all that is drawn at random.
    batch_size : int | None
        Points on the paths in one pass through the network; by default as many as fit into memory. Halved where memory
        runs out.
    device : str | torch.device | None
        Where to compute, such as ``"cuda"``. By default where the model is.
    dtype : {"float32", "float64"}
        Precision of the network's arithmetic, and of the result.
    check : bool | "warn"
        Whether the cheap checks of `check_model` are made first: ``True`` refuses a model with an error, ``"warn"`` only
        logs what they find, ``False`` leaves them out. What they found is in the provenance, as ``"checks"``.
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
        If the model fails, or a check finds that its explanation would be false.
    AttributionStopped
        On Ctrl-C, a ``KeyboardInterrupt``. Its ``result`` holds the epochs that were finished.

    Notes
    -----
    Epochs that are not finite, flat or saturated, and those whose neighbours a model needs and the recording does not
    have, are left unexplained and counted in the provenance.

    The path is a straight line in time, so that one pass of time-domain gradients and one FFT give the attribution to
    frequencies: ``A_f = (w_f / T) Re(D_f conj(G_f))`` with D and G the spectra of the change along the path and of the
    averaged gradient.
    """
    how = _method(method, context, baseline, views)
    _check_choice("dtype", dtype, tuple(_DTYPES))
    _check_choice("check", check, (True, False, "warn"))
    make_nodes, asked = _nodes(quadrature, n_steps, tol, max_evals, dtype)
    stager = load_model(model, spec=spec)
    device = _check_device(stager.like.device if device is None else device, dtype)
    stager = stager.to(device, _DTYPES[dtype])
    segments = prepare(epochs, stager.spec, picks, filter_edges=filter_edges)
    stager = with_counted_stages(stager, segments)
    compared = make_baseline(baseline, segments, stager.spec.filter)
    parameters = {
        "target": target,
        "baseline": compared.name,
        "context": context,
        "method": method,
        **(asked if method == "flex" else {}),
        "edges": edges,
        "filter_edges": filter_edges,
        "sample_per_stage": sample_per_stage,
        "seed": seed,
        "dtype": dtype,
        "device": str(device),
        "check": check,
    }
    from_silence = method == "flex" and compared.name == "zero"
    with rnn_safe(stager.module):
        bound = stager.bind(segments, edges, width)
        scores = _night_scores(bound, segments, stager.spec)
        chosen = _choose(segments, bound, scores, stager.spec, target, sample_per_stage, seed)
        case = Case(epochs, stager, segments, bound, scores, picks, how.differentiates, from_silence)
        findings = run_checks(case, cheap=True) if check else Findings(stager.spec.name, ())
        refuse_or_warn(findings, refuse=check is True)
        wanted = tuple(dict.fromkeys(("frequency", *views)))
        task = Task(segments, stager, scores, chosen, target, compared, context, make_nodes, wanted, batch_size, seed)
        notes = {"checks": findings.to_dicts(), **(width_error(task, bound[0]) if how.differentiates else {})}
        return _explain(epochs, task, bound, how, parameters, notes)


def _explain(
    epochs: mne.BaseEpochs,
    task: Task,
    bound: Sequence[BoundStager],
    how: Method,
    parameters: dict[str, Any],
    notes: dict[str, Any],
) -> FlexResult:
    """Explain, and keep what is finished if it is stopped."""
    kept = Kept(task, bound)
    try:
        explain_all(task, bound, how.explain, kept)
    except KeyboardInterrupt as stop:
        if len(kept.numbers) == 0:
            raise
        partial_result = assemble(epochs, task, bound, kept, {**parameters, "partial": True}, notes)
        raise AttributionStopped(partial_result, len(kept.numbers), len(task.chosen)) from stop
    return assemble(epochs, task, bound, kept, parameters, notes)


def _method(method: str, context: str, baseline: Any, views: Sequence[str]) -> Method:
    """The method, if it can do what is asked of it."""
    _check_choice("method", method, tuple(METHODS))
    _check_choice("context", context, ("fixed", "scaled"))
    for view in views:
        _check_choice("views", view, VIEWS)
    how = METHODS[method]
    _check_choice(f"context with method={method!r}", context, how.contexts)
    if how.baselines and not (isinstance(baseline, str) and baseline in how.baselines):
        _check_choice(f"baseline with method={method!r}", str(baseline), how.baselines)
    for view in set(views) - {"frequency"}:
        _check_choice(f"views with method={method!r}", view, how.views)
    return how


def _nodes(
    quadrature: str, n_steps: int | None, tol: float, max_evals: int, dtype: str
) -> tuple[Callable[[], Nodes], dict[str, Any]]:
    """How the nodes of a path are made, and the parameters that this depends on."""
    if quadrature != ADAPTIVE:
        rule = make_rule(quadrature, n_steps)
        return partial(FixedNodes, rule), {"quadrature": quadrature, "n_steps": len(rule)}
    if n_steps is not None:
        raise ParameterError(
            "The adaptive quadrature finds its own number of steps",
            seen=f"n_steps={n_steps}",
            remedy="Give tol and max_evals, or a fixed rule such as quadrature='gauss-legendre'",
        )
    if not 0 < tol < 1 or max_evals < N_FIRST:
        raise ParameterError(
            "tol or max_evals cannot be that",
            seen=(tol, max_evals),
            allowed=f"0 < tol < 1, max_evals at least {N_FIRST}, which it begins with",
        )
    nodes = partial(AdaptiveNodes, float(tol), int(max_evals), torch.finfo(_DTYPES[dtype]).eps)
    return nodes, {"quadrature": quadrature, "tol": float(tol), "max_evals": int(max_evals)}


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
    target: str | tuple[str, str],
    sample_per_stage: int | None,
    seed: int,
) -> npt.NDArray[np.intp]:
    """Epochs to explain: sound, with the context and stage that they need, and a balanced sample if one was asked for."""
    sound = sound_epochs(segments, bound)
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
    if target == "scored":
        has_score = is_scored(segments.stage[sound], spec.stages)
        if not has_score.all():
            logger.info(f"{int((~has_score).sum())} of {len(sound)} epochs have no scored stage and are left out")
        sound = sound[has_score]
    if sample_per_stage is None:
        return sound
    if int(sample_per_stage) != sample_per_stage or sample_per_stage < 1:
        raise ParameterError("sample_per_stage must be a positive whole number", seen=sample_per_stage)
    predicted = consensus(scores[sound], spec.scores)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(sound[predicted == stage])[:sample_per_stage] for stage in range(len(spec.stages))]
    return np.sort(np.concatenate(drawn))


def _check_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
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
