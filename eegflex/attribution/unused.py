"""What was asked that nothing comes of: said, since whoever asks for something believes that it was done."""

from __future__ import annotations

import dataclasses
from typing import Any

from mne.utils import logger

from eegflex.attribution.methods.method import Method
from eegflex.settings import MEAN, Settings
from eegflex.staging import StagedNight

__all__ = ["OF_PATHS", "settled"]

#: Settings of a path, of which a method without one makes no use.
OF_PATHS = ("precision", "quadrature", "n_steps", "tol", "max_evals", "windows_per_stage")
_OF_ADAPTIVE = ("tol", "max_evals")
_DEFAULTS = {one.name: one.default for one in dataclasses.fields(Settings)}


def settled(settings: Settings, method: Method, night: StagedNight) -> dict[str, Any]:
    """What a setting comes to of which there can be nothing: no windows. A warning tells what was asked for in vain.

    Parameters
    ----------
    settings : Settings
        As they were given.
    method : Method
        The method.
    night : StagedNight
        What is to be explained.
    """
    reasons = _reasons(settings, method, night)
    asked = {name: why for name, why in reasons.items() if getattr(settings, name) not in (_DEFAULTS[name], 0)}
    for why in dict.fromkeys(asked.values()):
        given = ", ".join(f"{name}={getattr(settings, name)!r}" for name in asked if asked[name] == why)
        logger.warning(f"No effect of {given}: {why}")
    return {"windows_per_stage": 0} if "windows_per_stage" in reasons else {}


def _reasons(settings: Settings, method: Method, night: StagedNight) -> dict[str, str]:
    """Settings that are of no use, and why."""
    if not method.on_path:
        return dict.fromkeys(OF_PATHS, f"method={settings.method!r} takes no path")
    found: dict[str, str] = {}
    if settings.precision == MEAN:
        found |= dict.fromkeys(("windows_per_stage", *_OF_ADAPTIVE), "precision='mean' tells of no single epoch")
    elif not settings.is_adaptive:
        found |= dict.fromkeys(_OF_ADAPTIVE, f"quadrature={settings.quadrature!r} has its number of nodes from n_steps")
    if settings.precision == MEAN:
        return found
    if settings.context != "fixed":
        found["windows_per_stage"] = "with context='scaled' every epoch is explained with its whole window"
    elif all(one.windows.length.max() == 1 for one in night.bound):
        found["windows_per_stage"] = f"{night.stager.spec.name} sees no neighbours of an epoch"
    return found
