"""How far explaining an epoch within a window, in place of the whole night, changes the attribution."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.context import moving
from eegflex.attribution.methods.flex import band_rates
from eegflex.attribution.paths import Paths, average_gradients
from eegflex.attribution.quadrature import FixedNodes, gauss_legendre
from eegflex.attribution.request import Request
from eegflex.stagers.batches import BatchSize, fitting_batch
from eegflex.stagers.stager import BoundStager

__all__ = ["window_error"]

#: Epochs on which the error is measured, spread over those that are explained.
N_MEASURED = 3
#: Nodes on their paths: both answers have the same error of quadrature, which cancels.
N_NODES = 2


def window_error(request: Request) -> dict[str, Any]:
    """Measure the error of the window's length on a few epochs against their whole run.

    Parameters
    ----------
    request : Request
        What is to be explained.

    Returns
    -------
    notes : dict
        Empty for a stager whose window has the length that it was made for. Else ``window``: its length in epochs, and the
        difference of the band sums per channel from those of the whole run, relative to their absolute total: median and
        largest.
    """
    if not request.stager.spec.context.whole:
        return {}
    bound = request.night.bound[0]
    numbers = request.chosen[np.unique(np.linspace(0, len(request.chosen) - 1, N_MEASURED).round().astype(int))]
    widest = int(np.unique(bound.windows.run, return_counts=True)[1].max())
    window_length = int(bound.windows.length[numbers].max())
    if window_length >= widest:
        all_of_it = "all that was given of the night" if request.segments.notes.get("left_out") else "the whole night"
        return {"window": {"length": window_length, "error": f"none: it is {all_of_it}"}}
    fixed = dataclasses.replace(request, settings=dataclasses.replace(request.settings, context="fixed"))
    near, whole = (_band_sums(fixed, one, numbers) for one in (bound, bound.with_window_length(2 * widest)))
    error = np.abs(near - whole).sum(axis=(1, 2)) / np.abs(whole).sum(axis=(1, 2))
    return {
        "window": {
            "length": window_length,
            "error_median": float(np.median(error)),
            "error_largest": float(error.max()),
            "measured_on_epochs": len(numbers),
        }
    }


def _band_sums(request: Request, bound: BoundStager, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Band sums per channel of some epochs, roughly, shape (n, n_targets, n_parts)."""
    request = dataclasses.replace(request, night=dataclasses.replace(request.night, bound=(bound,)), batches={})
    what = moving(request, 0, numbers)
    end, begin = what.end.flatten(1, 2), what.begin.flatten(1, 2)
    batch = BatchSize(fitting_batch(what.model, end[:1]))
    paths = Paths(what.model, end, begin, request.weights(numbers, 0), batch)
    rates = band_rates(paths.change, request.band_masks)
    unknown = torch.full((len(numbers), paths.weights.shape[1]), torch.nan)
    sums = {}
    for row, path in average_gradients(paths, partial(FixedNodes, gauss_legendre(N_NODES)), unknown, rates):
        index = torch.tensor([row], device=end.device)
        sums[row] = rates(path.gradient[None].to(end), index)[0].double().cpu().numpy()
    return np.stack([sums[row] for row in range(len(numbers))])
