"""How far explaining an epoch within a window, in place of the whole night, changes the attribution."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from mne.utils import logger

from eegflex.attribution.baseline_night import BaselineNights
from eegflex.attribution.context import moving
from eegflex.attribution.methods.flex import band_rates
from eegflex.attribution.paths import Paths, average_gradients
from eegflex.attribution.quadrature import FixedNodes, gauss_legendre
from eegflex.attribution.request import Request
from eegflex.attribution.window_choice import SHARE_OF_TOL, narrowest_windows, run_lengths
from eegflex.results.wording import window_words
from eegflex.settings import AUTO, MEAN
from eegflex.stagers.batches import BatchSize, fitting_batch
from eegflex.utils.progress import progress

__all__ = ["choose_window"]

#: Epochs of each predicted stage on which the error is measured; one, where so few are explained that two of each are more than
#: this share of them.
N_PER_STAGE, MOST_MEASURED = 2, 1 / 8
#: Points of each path on which windows are compared: all have the same ones, and most of what these miss cancels. Of five
#: epochs of GSSC the errors were 0.6 to 3.1 times those with 72 points, the largest of them as large; with 39 adaptive ones
#: 0.4 to 1.5 times, the largest 1.5 times as large.
N_NODES = 24
#: The window that stands for the whole night.
REFERENCE = 161

#: stage -> the error of each epoch of it that was measured
Errors = Mapping[str, list[float]]


def choose_window(
    request: Request, nights: BaselineNights, known: Mapping[str, Any] | None = None
) -> tuple[Request, dict[str, Any]]:
    """Give each epoch its window, if that is left open, and measure how much these windows change.

    The error is that of the band sums per channel, relative to their absolute total, or to what is negligible where that is
    more, within the whole run, or within `REFERENCE` epochs where it is longer. Both are taken at the same few nodes, so that
    most of what these miss cancels. On one simulated night of 240 epochs, 161 epochs themselves differed from all by up to
    0.7 %.

    Parameters
    ----------
    request : Request
        What is to be explained, by a stager of whole nights.
    nights : BaselineNights
        The nights of its baselines.
    known : mapping | None
        What was said of the window before, by a run that is resumed: it is not measured again.

    Returns
    -------
    request : Request
        The same in the windows that were chosen: each epoch has one for each channel set.
    notes : dict
        ``window``: its length in epochs, the longest where they differ; ``error_by_stage``, the error of each epoch that was
        measured, in its own window; their median and the largest.
    """
    if request.settings.window_length == AUTO:
        request = narrowest_windows(request, nights)
    if known is not None:
        return request, {"window": dict(known)}
    lengths = np.stack([one.windows.full_length[request.chosen] for one in request.night.bound])
    runs = run_lengths(request)
    if np.all(lengths >= runs[request.chosen]):
        all_of_it = "all that was given of the night" if request.segments.notes.get("left_out") else "the whole night"
        return request, {"window": {"length": int(lengths.max()), "error": f"none: it is {all_of_it}"}}
    errors = _errors(request, _sample(request), min(int(runs.max()), REFERENCE))
    notes = _notes(lengths, errors, None if runs.max() <= REFERENCE else REFERENCE)
    allowed = request.settings.tol * SHARE_OF_TOL
    over = [stage for stage, own in errors.items() if max(own) > allowed]
    by_stage = ", ".join(f"{stage} {100 * max(own):.2g} %" for stage, own in errors.items())
    said = (
        f"Explained in windows of {window_words(notes)} instead of the whole night, which change the band sums of "
        f"{notes['measured_on_epochs']} epochs by at most: {by_stage}"
    )
    if not over:
        logger.info(said)
    else:
        logger.warning(
            f"{said}. That is more than half of the tolerance of {100 * request.settings.tol:g} % in {', '.join(over)}: "
            "a larger window_length changes less."
        )
    return request, {"window": notes}


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


def _errors(request: Request, sample: _Sample, reference: int) -> Errors:
    """The errors of epochs by stage, each in its own windows: of every epoch that of the target that has the largest."""
    near, far = _band_sums(request, sample, reference)
    least = np.maximum(request.negligible[sample.sets], np.finfo(float).tiny)
    size = np.maximum(np.abs(far).sum(axis=2), least[:, None])
    errors = (np.abs(near - far).sum(axis=2) / size).max(axis=1)
    stages = request.night.predicted[sample.numbers]
    return {stage: errors[stages == stage].tolist() for stage in dict.fromkeys(stages.tolist())}


def _band_sums(request: Request, sample: _Sample, reference: int) -> npt.NDArray[np.float64]:
    """Band sums per channel in their own windows and in those that these are compared with.

    Of shape (2, n_epochs, n_targets, n_parts). What a channel set makes of a variant by itself is made once for both.
    """
    settings = dataclasses.replace(request.settings, context="fixed")
    if settings.precision == MEAN:
        settings = dataclasses.replace(settings, precision="epoch", n_steps=None)
    fixed = dataclasses.replace(request, settings=settings)
    numbers, parts = sample.numbers, dict[int, npt.NDArray[np.float64]]()
    with progress(len(numbers), f"Measuring windows beside those of {reference} epochs") as done:
        for channel_set in np.unique(sample.sets).tolist():
            own = np.flatnonzero(sample.sets == channel_set)
            parts |= dict(zip(own.tolist(), _of_channel_set(fixed, channel_set, numbers[own], reference), strict=True))
            done(len(own))
    return np.stack([parts[place] for place in range(len(numbers))], axis=1)


def _of_channel_set(
    request: Request, channel_set: int, numbers: npt.NDArray[np.intp], reference: int
) -> npt.NDArray[np.float64]:
    """The same of one channel set, shape (n_epochs, 2, n_targets, n_parts): windows are targets of one quadrature."""
    what = moving(request, channel_set, numbers)
    own, widest = request.night.bound[channel_set], run_lengths(request).max()
    # twice as long as a run it is all of it, wherever in it the epoch is
    bounds = [own, own.with_window_length(reference if reference < widest else 2 * reference)]
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


def _notes(lengths: npt.NDArray[np.int64], errors: Errors, reference: int | None) -> dict[str, Any]:
    """What provenance says of the windows; `reference` is None where that is the whole night."""
    every = [error for own in errors.values() for error in own]
    return {
        "length": int(lengths.max()),
        "shortest": int(lengths.min()),
        "error_median": float(np.median(every)),
        "error_largest": max(every),
        "error_by_stage": dict(errors),
        "measured_on_epochs": len(every),
        "measured_against": "the whole night" if reference is None else f"windows of {reference} epochs",
    }
