"""What is assumed of a model without a spec, and said in every result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from mne.utils import logger
from torch import nn

from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.formats.blackbox import stages_of
from eegflex.stagers.formats.braindecode import declared_by
from eegflex.stagers.formats.shapes import refuse_many
from eegflex.stagers.modules import meant_of
from eegflex.stagers.stager import Stager
from eegflex.stages import STAGES

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["assumed", "assumed_of_estimator", "assumed_of_module", "with_counted_stages"]


def assumed(name: str, **declared: Any) -> ModelSpec:
    """The spec of a model that has none."""
    notes = ("unit: V, as MNE stores it", f"stages: {', '.join(STAGES)}, by convention", "scores: logits")
    return ModelSpec(
        name=name, assumed=tuple(note for note in notes if note.partition(":")[0] not in declared), **declared
    )


def assumed_of_module(source: Callable[..., Any], name: str) -> ModelSpec:
    """The same of a module, which may declare some of it itself."""
    own = type(source).__name__ if isinstance(source, nn.Module) else getattr(source, "__name__", "stager")
    return assumed(name or own, **declared_by(source))


def assumed_of_estimator(source: Any, name: str) -> ModelSpec:
    """The same of an estimator with ``predict_proba``, which may know its stages."""
    stages = stages_of(source, STAGES)
    return assumed(name or type(source).__name__, scores="probs", **({"stages": stages} if stages else {}))


def with_counted_stages(stager: Stager, segments: Segments) -> Stager:
    """Name the outputs of a bare module that has not five of them, for which there is no convention."""
    if not any(note.startswith("stages:") for note in stager.spec.assumed):
        return stager
    first = torch.from_numpy(segments.signals[:1, list(segments.channel_sets[0])])
    own = stager.on_channels(segments, segments.channel_sets[0])
    with torch.no_grad():
        returned = meant_of(own.run(own.module, own.arrange(first.to(own.like)[:, None])), own.spec)
    if returned.ndim != 2:
        return stager  # it will be refused in the words of its layout
    refuse_many(tuple(returned.shape), stager.spec.name)
    if returned.shape[1] == len(stager.spec.stages):
        return stager
    logger.warning(
        f"{stager.spec.name} returns {returned.shape[1]} scores, where sleep has {len(STAGES)} stages: without a spec "
        f"that names them they are explained as outputs without names"
    )
    names = tuple(f"output {i}" for i in range(returned.shape[1]))
    others = tuple(note for note in stager.spec.assumed if not note.startswith("stages:"))
    return stager.with_spec(stager.spec.replace(stages=names, assumed=(*others, "outputs have no names of stages")))
