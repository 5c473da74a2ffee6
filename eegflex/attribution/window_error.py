"""How far explaining an epoch within a window, in place of the whole night, changes the attribution."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger

from eegflex.attribution.context import moving
from eegflex.attribution.methods.flex import band_rates
from eegflex.attribution.paths import Paths, average_gradients
from eegflex.attribution.quadrature import FixedNodes, gauss_legendre
from eegflex.attribution.request import Request
from eegflex.settings import AUTO, MEAN
from eegflex.stagers.batches import BatchSize, fitting_batch
from eegflex.stagers.windows import DEFAULT_WINDOW_LENGTH, Length
from eegflex.utils.progress import progress

__all__ = ["choose_window"]

#: Epochs of each predicted stage on which the error is measured; one, where so few are explained that two of each are more than
#: this share of them.
N_PER_STAGE, MOST_MEASURED = 2, 1 / 8
#: Windows that are tried, in turn.
LADDER = (DEFAULT_WINDOW_LENGTH, 41, 81)
#: Points of each path on which windows are compared: all have the same ones, and most of what these miss cancels. Of five
#: epochs of GSSC the errors were 0.6 to 3.1 times those with 72 points, the largest of them as large; with 39 adaptive ones
#: 0.4 to 1.5 times, the largest 1.5 times as large.
N_NODES = 24
#: The window that stands for the whole night.
REFERENCE = 161
#: The share of the tolerance that a window may take up.
SHARE_OF_TOL = 0.5
#: Scores in another window are the night's own if they differ by no more, relative to their size.
SAME_SCORES = 1e-3

#: stage -> the error of each epoch of it that was measured
Errors = Mapping[str, list[float]]


def choose_window(request: Request, known: Mapping[str, Any] | None = None) -> tuple[Request, dict[str, Any]]:
    """Measure the error of the window's length, and choose a wider one if that is asked for and needed.

    The error is that of the band sums per channel, relative to their absolute total, or to what is negligible where that is
    more, within the whole run, or within `REFERENCE` epochs where it is longer. Both are taken at the same few nodes, so that
    most of what these miss cancels. On one simulated night of 240 epochs, 161 epochs themselves differed from all by up to
    0.7 %.

    Parameters
    ----------
    request : Request
        What is to be explained, by a stager of whole nights.
    known : mapping | None
        What was said of the window before, by a run that is resumed: its length is taken.

    Returns
    -------
    request : Request
        The same in the windows that were chosen: each predicted stage has the narrowest that is good enough for it.
    notes : dict
        ``window``: its length in epochs, the longest where stages have windows of their own (``length_by_stage``), and
        ``error_by_stage``, the error of each epoch that was measured, in the window of its stage; their median and the largest.
    """
    if known is not None:
        return _in_window(request, known["length"], known.get("length_by_stage")), {"window": dict(known)}
    bound = request.night.bound[0]
    widest = int(np.unique(bound.windows.run, return_counts=True)[1].max())
    length = int(bound.windows.length[request.chosen].max())
    if length >= widest:
        all_of_it = "all that was given of the night" if request.segments.notes.get("left_out") else "the whole night"
        return request, {"window": {"length": length, "error": f"none: it is {all_of_it}"}}
    sample = _sample(request)
    reference = min(widest, REFERENCE)
    # the whole run, wherever in it the epoch is
    (far,) = _band_sums(request, sample, [reference if reference < widest else 2 * widest])
    tried = _errors(request, sample, [length], far)
    chosen = dict.fromkeys(tried[length], length)
    if _largest(tried[length]) > request.settings.tol * SHARE_OF_TOL and length < reference:
        request, chosen = _widened(request, sample, tried, reference, far)
    return request, {"window": _notes(tried, chosen, reference if reference < widest else None)}


def _widened(
    request: Request,
    sample: _Sample,
    tried: dict[int, Errors],
    reference: int,
    far: npt.NDArray[np.float64],
) -> tuple[Request, dict[str, int]]:
    """The request, in the narrowest windows that are good enough, and these by stage; what is tried is added.

    Wider windows are tried on the epochs of the stages that need them. Never without a word. A stager whose scores in another
    window are not those of the night keeps its own.
    """
    length, allowed = max(tried), request.settings.tol * SHARE_OF_TOL
    wider = [one for one in LADDER if length < one < reference] if request.settings.window_length == AUTO else []
    if wider and _scores_are_the_nights(_in_window(request, wider[-1]), sample.numbers):
        needed = [stage for stage, errors in tried[length].items() if max(errors) > allowed]
        rows = np.flatnonzero(np.isin(request.night.predicted[sample.numbers], needed))
        tried |= _errors(request, _Sample(sample.numbers[rows], sample.sets[rows]), wider, far[rows])
    chosen = {}
    for stage in tried[length]:
        lengths = [one for one in sorted(tried) if stage in tried[one]]
        chosen[stage] = next((one for one in lengths if max(tried[one][stage]) <= allowed), lengths[-1])
    errors = {stage: max(tried[one][stage]) for stage, one in chosen.items()}
    by_stage = ", ".join(f"{stage} {chosen[stage]} epochs, {100 * error:.2g} %" for stage, error in errors.items())
    said = f"Explained in windows instead of the whole night. Change of the band sums by stage: {by_stage}"
    if max(errors.values()) <= allowed:
        logger.info(said)
    else:
        logger.warning(
            f"{said} (largest of {len(sample.numbers)} epochs). Where that is more than half of the tolerance of "
            f"{100 * request.settings.tol:g} %, a larger window_length changes less."
        )
    return _in_window(request, max(chosen.values()), chosen), chosen


def _in_window(request: Request, length: int, by_stage: Mapping[str, int] | None = None) -> Request:
    """The same question in windows of another length, or of that of each predicted stage."""
    night = request.night
    lengths = {length, *(by_stage or {}).values()}
    of_each: Length = length
    if len(lengths) > 1 and by_stage is not None:
        of_each = np.array([by_stage.get(stage, length) for stage in night.predicted.tolist()])
    bound = tuple(one.with_window_length(of_each) for one in night.bound)
    settings = dataclasses.replace(night.settings, window_length=length)
    return dataclasses.replace(request, night=dataclasses.replace(night, bound=bound, settings=settings), batches={})


@torch.no_grad()
def _scores_are_the_nights(request: Request, numbers: npt.NDArray[np.intp]) -> bool:
    """Whether epochs have the scores of the night in other windows, too."""
    bound, night = request.night.bound[0], request.night.scores[numbers, 0]
    index = torch.from_numpy(numbers)
    scores = bound(bound.inputs(index), index).double().cpu().numpy()
    return bool(np.abs(scores - night).max() <= SAME_SCORES * np.abs(night).max())


@dataclass(frozen=True)
class _Sample:
    """Epochs on which windows are compared, and the channel set that explains each, shapes (n,)."""

    numbers: npt.NDArray[np.intp]
    sets: npt.NDArray[np.intp]


def _sample(request: Request) -> _Sample:
    """Some epochs of each predicted stage, of those that are explained, which the channel sets share."""
    predicted = request.night.predicted[request.chosen]
    rng = np.random.default_rng(request.settings.seed)
    few = N_PER_STAGE * len(set(predicted)) > MOST_MEASURED * len(request.chosen) * len(request.night.bound)
    drawn = [
        rng.permutation(request.chosen[predicted == stage])[: 1 if few else N_PER_STAGE]
        for stage in request.night.stages
    ]
    numbers = np.concatenate(drawn)
    return _Sample(numbers, np.arange(len(numbers)) % len(request.night.bound))


def _errors(
    request: Request, sample: _Sample, lengths: Sequence[int], far: npt.NDArray[np.float64]
) -> dict[int, Errors]:
    """The errors of epochs by stage, in windows of each length: of every epoch that of the target that has the largest."""
    least = np.maximum(request.negligible[sample.sets], np.finfo(float).tiny)
    size = np.maximum(np.abs(far).sum(axis=2), least[:, None])
    stages = request.night.predicted[sample.numbers]
    found: dict[int, Errors] = {}
    for length, sums in zip(lengths, _band_sums(request, sample, lengths), strict=True):
        errors = (np.abs(sums - far).sum(axis=2) / size).max(axis=1)
        found[length] = {stage: errors[stages == stage].tolist() for stage in dict.fromkeys(stages.tolist())}
    return found


def _band_sums(request: Request, sample: _Sample, lengths: Sequence[int]) -> npt.NDArray[np.float64]:
    """Band sums per channel in windows of several lengths, shape (n_lengths, n_epochs, n_targets, n_parts).

    What a channel set makes of a variant by itself is made once for all lengths.
    """
    settings = dataclasses.replace(request.settings, context="fixed")
    if settings.precision == MEAN:
        settings = dataclasses.replace(settings, precision="epoch", n_steps=None)
    fixed = dataclasses.replace(request, settings=settings)
    numbers, parts = sample.numbers, dict[int, npt.NDArray[np.float64]]()
    with progress(len(numbers), f"Measuring windows of {', '.join(map(str, lengths))} epochs") as done:
        for channel_set in np.unique(sample.sets).tolist():
            own = np.flatnonzero(sample.sets == channel_set)
            parts |= dict(zip(own.tolist(), _of_channel_set(fixed, channel_set, numbers[own], lengths), strict=True))
            done(len(own))
    return np.stack([parts[place] for place in range(len(numbers))], axis=1)


def _of_channel_set(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], lengths: Sequence[int]
) -> npt.NDArray[np.float64]:
    """The same of one channel set, shape (n_epochs, n_lengths, n_targets, n_parts): windows are targets of one quadrature."""
    what = moving(request, channel_set, numbers)
    bounds = [request.night.bound[channel_set].with_window_length(length) for length in lengths]
    end, begin = what.end.flatten(1, 2), what.begin.flatten(1, 2)
    index = torch.from_numpy(numbers)

    def model(variants: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        codes = bounds[0].encode(variants)  # whatever the window
        return torch.cat([bound.decode(codes, index[rows.cpu()]) for bound in bounds], dim=1)

    weights = request.weights(numbers, channel_set)
    n_targets, n_stages = weights.shape[1:]
    apart = torch.eye(len(bounds)).to(weights)[:, None, :, None] * weights[:, None, :, None]
    paths = Paths(
        model,
        end,
        begin,
        apart.reshape(len(numbers), -1, len(bounds) * n_stages),
        BatchSize(fitting_batch(model, end[:1])),
    )
    rates = band_rates(paths.change, request.band_masks)
    found = np.empty((len(numbers), len(bounds), n_targets, len(request.band_masks) * end.shape[1]))
    at_baselines = torch.zeros(len(numbers), len(bounds) * n_targets)  # which fixed nodes do not look at
    for row, path in average_gradients(paths, partial(FixedNodes, gauss_legendre(N_NODES)), at_baselines):
        sums = rates(path.gradient[None].to(end), torch.tensor([row]))[0]
        found[row] = sums.double().cpu().numpy().reshape(len(bounds), n_targets, -1)
    return found


def _largest(errors: Errors) -> float:
    return max(error for own in errors.values() for error in own)


def _notes(tried: Mapping[int, Errors], chosen: Mapping[str, int], reference: int | None) -> dict[str, Any]:
    """What provenance says of the windows; `reference` is None where that is the whole night."""
    by_stage = {stage: tried[length][stage] for stage, length in chosen.items()}
    errors = [error for own in by_stage.values() for error in own]
    return {
        "length": max(chosen.values()),
        "length_by_stage": dict(chosen),
        "error_median": float(np.median(errors)),
        "error_largest": max(errors),
        "error_by_stage": by_stage,
        "measured_on_epochs": len(errors),
        "measured_against": "the whole night" if reference is None else f"windows of {reference} epochs",
        "largest_by_length": {str(one): _largest(own) for one, own in sorted(tried.items())},
    }
