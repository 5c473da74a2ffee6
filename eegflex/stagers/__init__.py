"""Stagers: models that stage sleep, from different sources, with one interface."""

from eegflex.stagers.ensemble import ensemble
from eegflex.stagers.loading import load_model
from eegflex.stagers.stager import Stager

__all__ = ["Stager", "ensemble", "load_model"]
