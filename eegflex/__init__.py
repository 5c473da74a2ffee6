"""eegflex: which rhythms, on which electrodes, at which moment made a network stage sleep as it did.

The public names are loaded when they are first used, so that ``import eegflex`` imports neither torch nor pyplot.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from eegflex._version import __version__
from eegflex.bands import Bands
from eegflex.errors import EegflexError

if TYPE_CHECKING:
    from eegflex import cohort as cohort
    from eegflex import datasets as datasets
    from eegflex import doctor as doctor
    from eegflex import errors as errors
    from eegflex import evaluation as evaluation
    from eegflex import readers as readers
    from eegflex import report as report
    from eegflex import results as results
    from eegflex import review as review
    from eegflex import simulation as simulation
    from eegflex import spec as spec
    from eegflex import stagers as stagers
    from eegflex import viz as viz
    from eegflex.attribution.attribute_epochs import attribute_epochs
    from eegflex.attribution.freqig import attribute
    from eegflex.doctor.check_model import check_model
    from eegflex.epochs import make_epochs
    from eegflex.evaluation.evaluate import evaluate
    from eegflex.readers import read_hypnogram, read_psg
    from eegflex.report import make_report
    from eegflex.results import FlexResult, concatenate_results, read_result
    from eegflex.simulation import simulate_psg
    from eegflex.spec import ModelSpec
    from eegflex.stagers import Stager, load_model
    from eegflex.staging import StagedNight, stage_epochs
    from eegflex.utils.versions import sys_info

__all__ = [
    "Bands",
    "EegflexError",
    "FlexResult",
    "ModelSpec",
    "StagedNight",
    "Stager",
    "__version__",
    "attribute",
    "attribute_epochs",
    "check_model",
    "concatenate_results",
    "evaluate",
    "load_model",
    "make_epochs",
    "make_report",
    "read_hypnogram",
    "read_psg",
    "read_result",
    "simulate_psg",
    "stage_epochs",
    "sys_info",
]

#: public name -> the module that it lives in
_HOMES = {
    "FlexResult": "eegflex.results",
    "ModelSpec": "eegflex.spec",
    "StagedNight": "eegflex.staging",
    "Stager": "eegflex.stagers",
    "attribute": "eegflex.attribution.freqig",
    "attribute_epochs": "eegflex.attribution.attribute_epochs",
    "check_model": "eegflex.doctor",
    "concatenate_results": "eegflex.results",
    "evaluate": "eegflex.evaluation",
    "load_model": "eegflex.stagers",
    "make_epochs": "eegflex.epochs",
    "make_report": "eegflex.report",
    "read_hypnogram": "eegflex.readers",
    "read_psg": "eegflex.readers",
    "read_result": "eegflex.results",
    "simulate_psg": "eegflex.simulation",
    "stage_epochs": "eegflex.staging",
    "sys_info": "eegflex.utils.versions",
}

#: modules that hold further public names, imported when they are first asked for
_MODULES = (
    "cohort",
    "datasets",
    "doctor",
    "errors",
    "evaluation",
    "readers",
    "report",
    "results",
    "review",
    "simulation",
    "spec",
    "stagers",
    "viz",
)


if not TYPE_CHECKING:  # a checker of types would take any name for a public one

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"eegflex.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'eegflex' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
