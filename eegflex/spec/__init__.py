"""Specs of stagers: what a stager expects, what it returns, and its TOML file."""

from eegflex.spec.model_spec import ChannelSpec, ContextSpec, FilterSpec, ModelSpec, ScaleSpec
from eegflex.spec.published import load_spec, spec_names, spec_text
from eegflex.spec.spectrogram import LogSpec, SpectrogramSpec

__all__ = [
    "ChannelSpec",
    "ContextSpec",
    "FilterSpec",
    "LogSpec",
    "ModelSpec",
    "ScaleSpec",
    "SpectrogramSpec",
    "load_spec",
    "spec_names",
    "spec_text",
]
