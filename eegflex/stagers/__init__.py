"""Stagers: a model, its contract, and what it becomes on a recording."""

from eegflex.stagers.ensemble import ensemble
from eegflex.stagers.loading import load_model
from eegflex.spec.model_spec import ChannelSpec, ContextSpec, FilterSpec, ModelSpec, ScaleSpec
from eegflex.stagers.stager import Stager

__all__ = [
    "ChannelSpec",
    "ContextSpec",
    "FilterSpec",
    "ModelSpec",
    "ScaleSpec",
    "Stager",
    "ensemble",
    "load_model",
]
