"""Cheap checks that every attribution makes before it trusts a model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from eegflex.errors import ModelError
from eegflex.segments import Segments
from eegflex.stagers.stager import BoundStager, Stager

__all__ = ["check_bound", "with_counted_stages"]

#: Scores may differ by this much between batches, relative to their size: rounding, not coupling.
TOLERANCE = 1e-3
#: A module with more outputs than this does not return scores of stages.
MOST_OUTPUTS = 20


def with_counted_stages(stager: Stager, segments: Segments) -> Stager:
    """Name the outputs of a bare module that has not five of them, for which there is no convention."""
    if not any(note.startswith("stages:") for note in stager.spec.assumed):
        return stager
    first = torch.from_numpy(segments.signals[:1, list(segments.combinations[0])])
    with torch.no_grad():
        returned = stager.run(stager.module, stager.arrange(first.to(stager.like)[:, None]))
    if not isinstance(returned, torch.Tensor) or returned.ndim != 2 or returned.shape[1] > MOST_OUTPUTS:
        return stager  # it will be refused in the words of its layout
    if returned.shape[1] == len(stager.spec.stages):
        return stager
    names = tuple(f"output {i}" for i in range(returned.shape[1]))
    assumed = tuple(note for note in stager.spec.assumed if not note.startswith("stages:"))
    return stager.with_spec(stager.spec.replace(stages=names, assumed=(*assumed, "outputs have no names of stages")))


@torch.no_grad()
def check_bound(bound: BoundStager, segments: Segments, chosen: npt.NDArray[np.intp], name: str) -> None:
    """Refuse a model that gives a segment another score in company, or another score each time.

    Gradients of points on a path are computed in batches; where the members of a batch are coupled they would be wrong
    without a sign of it.

    Raises
    ------
    ModelError
        If the model is not deterministic, or its batch members are not independent.
    """
    few = chosen[[0, len(chosen) // 2, -1]]
    index = torch.from_numpy(few)
    variants = bound.inputs(index)
    index = index.to(variants.device)
    # Scaled variants tell apart a norm that takes its statistics over the batch.
    variants = variants * torch.tensor([1.0, 0.5, 0.25], dtype=variants.dtype, device=variants.device)[:, None, None]
    together, again = bound(variants, index), bound(variants, index)
    alone = torch.cat([bound(variants[i : i + 1], index[i : i + 1]) for i in range(len(few))])
    size = max(float(together.abs().max()), 1e-3)
    if (unsteady := float((together - again).abs().max())) > TOLERANCE * size:
        raise ModelError(
            f"{name} is not deterministic: the same input was scored differently",
            seen=f"a difference of {unsteady:.3g} on scores of {size:.3g}",
            remedy="Switch off dropout and sampling in its forward pass",
        )
    if (coupled := float((together - alone).abs().max())) > TOLERANCE * size:
        raise ModelError(
            f"{name} scores an epoch differently in a batch than alone, so that its gradients cannot be trusted",
            seen=f"a difference of {coupled:.3g} on scores of {size:.3g}",
            remedy="Apply normalisation to each sample by itself (a batch norm must be in eval mode)",
        )
