"""Checks of a model as a machine: whether it says the same twice, and alone as in company, and has gradients."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import nn

from eegflex.doctor.case import TOLERANCE, Case, one_by_one
from eegflex.doctor.hypnogram import missing_context
from eegflex.errors import ModelError
from eegflex.findings import CannotTellError, Finding, error, ok, warning
from eegflex.stagers.passes import OWN, TORCH, torchs_own, verdicts
from eegflex.stagers.passes import TOLERANCE as SAME_SLOPES
from eegflex.stagers.stager import BoundStager

__all__ = [
    "batch_independence",
    "context_differentiability",
    "determinism",
    "differentiability",
    "eval_mode",
    "finite_scores",
    "quick_pass",
    "window",
]

#: Shares of the way to another epoch on which gradients are compared with differences: the next where the scores hardly
#: change on it. And the nodes on it: first, and where these miss too much.
STEPS, N_NODES = (0.01, 0.1, 1.0), (6, 48, 384)
#: What is cut off stays missing: more nodes tell the same, to this share of it.
SAME_TOLD = 0.1
#: Change of a score, relative to its size, a tenth of which may be rounding.
ROUNDING = 1e-4
#: Share of a difference that gradients may miss: kinks between the nodes.
MISSED = 0.1
#: Epochs whose gradients are looked at, and the length of the window in which a stager of whole nights is.
N_GRADIENTS, WINDOW_LENGTH = 3, 5
#: Epochs scored in their whole run, and how far probabilities may then differ.
N_WHOLE, DIFFERENCE = 12, 0.05

#: segments or windows, (n, ...), and the epochs that they stand for, (n,) -> scores (n, n_stages)
_Model = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_DETACHED = (
    "Remove detach(), argmax, numpy and no_grad from its forward pass, "
    "or use a forward-only method such as method='shapley'"
)
#: Sizes of epochs at which scores are looked at, down to silence.
TO_SILENCE = (0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001, 0.0)


@torch.no_grad()
def determinism(case: Case) -> Finding:
    """Whether the same input is scored the same twice."""
    unsteady = float((case.finite - case.score(case.inputs)).abs().max())
    measured = f"scored twice, the same epochs differ by {unsteady:.3g} on scores of {case.size:.3g}"
    if unsteady > TOLERANCE * case.size:
        return error(f"it is not deterministic: {measured}", "Switch off dropout and sampling in its forward pass")
    return ok(measured)


def eval_mode(case: Case) -> Finding:
    """Whether every part is in eval mode, also those that a plain callable keeps for itself."""
    training = [
        f"{type(module).__name__} {name}".strip()
        for owner in _modules_of(case.stager.module)
        for name, module in owner.named_modules()
        if module.training and isinstance(module, _MINDING)
    ]
    if training:
        return error(
            f"{len(training)} parts are in training mode: {', '.join(training[:3])}{', ...' if len(training) > 3 else ''}",
            "Call eval() on the model, and make sure that no part switches itself back",
        )
    return ok("every part is in eval mode")


#: What computes otherwise in training. Containers, and graphs exported in eval mode, keep the flag without minding it.
_MINDING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase, nn.RNNBase, nn.MultiheadAttention, nn.RReLU)


def _modules_of(model: Callable[..., object]) -> Iterator[nn.Module]:
    """The modules that a model is, or refers to by name, closure, partial or attribute."""
    if isinstance(model, nn.Module):
        yield model
        return
    refers = [getattr(model, "__self__", None), getattr(model, "func", None), *getattr(model, "__dict__", {}).values()]
    if inspect.isfunction(model):
        variables = inspect.getclosurevars(model)
        refers += [*variables.nonlocals.values(), *variables.globals.values()]
    yield from (found for found in refers if isinstance(found, nn.Module))


@torch.no_grad()
def batch_independence(case: Case) -> Finding:
    """Whether an epoch is scored in company as it is alone.

    Gradients of points on a path are computed in batches; where the members of a batch are coupled they would be wrong
    without a sign of it.
    """
    # Scaled variants tell apart a norm that takes its statistics over the batch.
    scales = 0.5 ** torch.arange(len(case.few), dtype=case.inputs.dtype, device=case.inputs.device)
    variants = case.inputs * scales[:, None, None]
    together = case.score(variants)
    if case.batch.points == 1:
        raise CannotTellError("memory is too short for a batch of two")
    alone = one_by_one(case.bound, variants, case.few)
    coupled = float((together - alone).abs().max())
    measured = f"in a batch and alone, the same epochs differ by {coupled:.3g} on scores of {case.size:.3g}"
    if coupled > TOLERANCE * case.size:
        return error(
            f"it scores an epoch differently in a batch than alone, so that its gradients cannot be trusted: {measured}",
            "Apply normalisation to each sample by itself (a batch norm must be in eval mode, with running statistics)",
        )
    return ok(measured)


@torch.no_grad()
def finite_scores(case: Case) -> Finding:
    """Whether the scores of the night are finite, and those on the way to silence."""
    bad = np.flatnonzero(~np.isfinite(case.scores[case.numbers]).all(axis=(1, 2)))
    remedy = "Check the unit and scaling that its spec gives"
    if len(bad):
        onset = case.segments.onset[case.numbers[bad][0]]
        return error(
            f"{len(bad)} of {len(case.numbers)} epochs have scores that are not finite, the first at {onset:g} s",
            remedy,
        )
    for share in TO_SILENCE:
        if not torch.isfinite(case.score(share * case.inputs)).all():
            found = error if case.from_silence and case.differentiates else warning
            where = "silence has" if share == 0 else f"epochs at {share:g} of their size have"
            return found(
                f"{where} scores that are not finite",
                "Look for divisions by a standard deviation and logarithms that can be of zero in the model, "
                "or take another baseline, such as 'recording'",
            )
    return ok(f"the scores of all epochs are finite, and at {len(TO_SILENCE)} places on the way to silence")


def differentiability(case: Case) -> Finding:
    """Whether gradients account for what the scores do on the way from one epoch to another."""
    if not case.stager.has_gradient:
        found = error if case.asked else warning
        return found(
            "it has no gradient, so that FLEX, which needs one, cannot explain it",
            "Use a method that needs none: method='shapley_sampling', 'feature_ablation', or 'shapley' for one or two channels",
        )
    case.finite  # noqa: B018  (raises)
    at = slice(0, N_GRADIENTS)
    start = case.inputs[at]
    finding = _accounted(case.bound, start, case.inputs.roll(1, 0)[at] - start, case.few[at])
    if finding.status == "error":
        return finding
    unused = _channels_without_gradient(case)
    if unused:
        return error(
            f"the score changes with {', '.join(unused)}, but has no gradient there",
            _DETACHED,
        )
    return finding


def _channels_without_gradient(case: Case) -> list[str]:
    """Channels that count for the scores although no gradient reaches them."""
    reached = one_by_one(partial(_slope, case.bound), case.inputs, case.few).abs().amax((0, 2)) > 0
    names = [case.segments.ch_names[channel] for channel in case.segments.channel_sets[0]]
    missed = []
    for channel in torch.nonzero(~reached).ravel().tolist():
        changed = case.inputs.clone()
        changed[:, channel] = case.inputs.roll(1, 0)[:, channel]
        if float((case.score(changed) - case.recorded).abs().max()) > TOLERANCE * case.size:
            missed.append(names[channel])
    return missed


def context_differentiability(case: Case) -> Finding:
    """Whether gradients account for what the neighbours do to the scores, as ``context="scaled"`` needs."""
    bound = case.bound.with_window_length(WINDOW_LENGTH) if case.spec.context.whole else case.bound
    if bound.windows.length.max() == 1:
        return ok("it sees no neighbours")
    if not case.stager.has_gradient:
        raise CannotTellError("it has no gradient")
    case.finite  # noqa: B018  (raises)
    # A score that is sure of itself hardly minds its neighbours: the epoch that minds them most is looked at.
    there, index, recorded, way = max(
        (_other_neighbours(bound, at) for at in case.few.split(1)), key=lambda one: one[0]
    )
    if there <= TOLERANCE * case.size:
        return warning(
            "other neighbours do not change the score, although the spec says that it sees some",
            "Check whether the model's context and layout are what the spec says",
        )
    return _accounted(bound.score_windows, recorded, way, index)


@torch.no_grad()
def _other_neighbours(
    bound: BoundStager, index: torch.Tensor
) -> tuple[float, torch.Tensor, torch.Tensor, torch.Tensor]:
    """How much a score minds other neighbours; its epoch, the window as recorded, and the way to the other one."""
    members = torch.from_numpy(bound.windows.members(index.cpu().numpy()))[0].to(index.device)
    recorded = bound.inputs(members)
    others = recorded.roll(len(members) // 2, 0) - recorded
    way = torch.where((members == index)[:, None, None], torch.zeros_like(others), others)
    as_recorded, otherwise = (one_by_one(bound.score_windows, x[None], index) for x in (recorded, recorded + way))
    return float((otherwise - as_recorded).abs().max()), index, recorded[None], way[None]


def _weights(scores: torch.Tensor) -> torch.Tensor:
    """Weights of the stages that let no two of them cancel, the same at every call."""
    return torch.cos(torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device))


def _accounted(model: _Model, start: torch.Tensor, way: torch.Tensor, index: torch.Tensor) -> Finding:
    """Compare the change of the scores on the first part of a way with the integral of the gradients there."""
    for step in STEPS[:-1]:
        with contextlib.suppress(CannotTellError):
            return _accounted_within(step, model, start, way, index)
    return _accounted_within(STEPS[-1], model, start, way, index)


def _accounted_within(
    step: float, model: _Model, start: torch.Tensor, way: torch.Tensor, index: torch.Tensor
) -> Finding:
    """Do so on this share of the way.

    One epoch at a time, so that a coupled batch is not taken for missing gradients.
    """
    with torch.no_grad():
        scores = [one_by_one(model, start + share * way, index) for share in (0.0, step, 1.0)]
        here, near, far = ((one * _weights(one)).sum(-1) for one in scores)
    change = near - here
    told = torch.full_like(change, torch.inf)
    for n_nodes in N_NODES:  # kinks are missed less by more nodes, what is cut off is not
        gradients = _mean_gradient(model, start, step * way, index, n_nodes)
        if not torch.isfinite(gradients).all():
            return error("gradients are not finite", "Look for divisions by zero and roots of zero in the model")
        if float(gradients.abs().max()) == 0 and float((far - here).abs().max()) > 0:
            return error("gradients are zero everywhere, although the scores differ", _DETACHED)
        before, told = told, step * (gradients * way).flatten(1).sum(1)
        size = float(torch.maximum(change.abs(), told.abs()).sum())
        if size <= _rounding(scores[0]) * max(float(here.abs().max()), 1e-3):
            raise CannotTellError("the scores hardly change from one epoch to another")
        missed = float((change - told).abs().sum()) / size
        settled = float((told - before).abs().sum()) <= SAME_TOLD * missed * size
        if missed <= MISSED or settled:
            break
    of = "of the change of the scores on the way to another epoch"
    if missed > MISSED and not settled:
        raise CannotTellError(
            f"gradients change too fast on the way to another epoch for {n_nodes} of them to be summed"
        )
    if missed > MISSED:
        return error(f"part of the model is cut off from its gradients: these miss {missed:.1%} {of}", _DETACHED)
    return ok(f"gradients account for all but {missed:.2%} {of}")


def quick_pass(case: Case) -> Finding:
    """Whether slopes are those of torch's own way, where they are computed in a quicker one."""

    def slopes() -> torch.Tensor:
        (found,) = case.batch(lambda x, index: (_slope(case.bound, x, index),), case.inputs, case.few)
        return found

    try:
        quick = slopes()
        with torchs_own():
            exact, again = slopes(), slopes()
    except ModelError as problem:
        raise CannotTellError(f"there are none: {problem.what}") from problem
    if not torch.equal(exact, again):
        raise CannotTellError("gradients are not finite, or change each time")
    modules = [own for module in _modules_of(case.stager.module) for own in module.modules()]
    told = [verdict for module in modules for own in verdicts(module).values() for verdict in own]
    ways = dict.fromkeys(verdict.way for verdict in told if verdict.way != TORCH)
    refused = "; ".join(dict.fromkeys(reason for verdict in told for reason in verdict.refused))
    differ = float((quick - exact).norm() / exact.norm().clamp(min=torch.finfo(exact.dtype).tiny))
    measured = (
        f"gradients by {', '.join(ways)} differ by {differ:.1g} from torch's own"
        if ways
        else "gradients are torch's own"
    )
    measured = f"{measured}; {refused}" if refused else measured
    if not differ <= SAME_SLOPES:
        return error(f"they are wrong: {measured}", "Leave the model's own pass out")
    if OWN in refused:
        return warning(measured, "Fix the model's own pass, or leave it out; the model is explained nevertheless")
    return ok(measured)


def _rounding(scores: torch.Tensor) -> float:
    """Change of scores, relative to their size, a tenth of which may be rounding: more where they are of low precision."""
    coarse = [kind for kind in (torch.float16, torch.bfloat16) if bool((scores.to(kind).to(scores) == scores).all())]
    return max([ROUNDING, *(10 * torch.finfo(kind).eps for kind in coarse)]) if bool(scores.any()) else ROUNDING


def _mean_gradient(
    model: _Model, start: torch.Tensor, way: torch.Tensor, index: torch.Tensor, n_nodes: int
) -> torch.Tensor:
    """Gradient of the weighted scores averaged over a way, by Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    mean = torch.zeros_like(start)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        mean += weight * one_by_one(partial(_slope, model), start + node * way, index)
    return mean


def _slope(model: _Model, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Gradient of the weighted scores.

    Raises
    ------
    ModelError
        If there is none.
    """
    x = x.detach().requires_grad_(True)
    with torch.enable_grad():
        scores = model(x, index)
        if not scores.requires_grad:
            raise ModelError(
                "the scores do not depend on the input in a way that can be differentiated", remedy=_DETACHED
            )
        (slope,) = torch.autograd.grad((scores * _weights(scores)).sum(), x, materialize_grads=True)
    return slope


@torch.no_grad()
def window(case: Case) -> Finding:
    """Whether a stager of whole nights stages an epoch in a window as it does in the whole night; one of sequences has any."""
    if case.spec.context.alone and case.stager.takes_sequences:
        return missing_context(case)
    if not case.spec.context.whole:
        return ok("its window is the one that it was made for")
    spread = np.linspace(0, len(case.numbers) - 1, N_WHOLE).round().astype(int)
    index = torch.from_numpy(case.numbers[np.unique(spread)]).to(case.few)
    bound = case.bound
    night = bound.with_window_length(2 * len(case.segments))
    near, whole = (case.probabilities(one_by_one(one, one.inputs(index), index)) for one in (bound, night))
    same = float((near.argmax(1) == whole.argmax(1)).double().mean())
    largest = float((near - whole).abs().max())
    length = int(bound.windows.length.max())
    measured = (
        f"in windows of {length} epochs it stages {same:.0%} of {len(index)} epochs as in the whole night; "
        f"probabilities differ by at most {largest:.2g}"
    )
    remedy = (
        "Take longer windows (window_length=...), up to the whole night, or let the model take the night's states at "
        "their edges"
    )
    if same < 0.9:
        return error(measured, remedy)
    return warning(measured, remedy) if largest > DIFFERENCE else ok(measured)
