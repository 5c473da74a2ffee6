"""Spectrum or waveform: how often, and of which epochs, a night that is explained is staged again with random phases."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from mne.utils import logger

from eegflex.errors import ModelError
from eegflex.results.phase_table import COLUMNS
from eegflex.settings import Settings
from eegflex.stagers.batches import out_of_memory
from eegflex.staging import StagedNight
from eegflex.surrogates import Restaged, balanced_sample

__all__ = ["labelled", "restaged", "told"]

#: What random phases may cost, as a share of what the explanation does; but they are drawn once at least. Of a stager of whole
#: nights, which takes minutes, a small one: it is given all epochs anyway, and these tell more than another draw for the same.
SHARE, SHARE_OF_NIGHT = 0.2, 0.03
#: What it costs to explain an epoch with a channel set, in epochs that are staged: some thirty gradients, each of them three.
#: Measured: 100 and 230 for networks of one epoch and of a window, 100 for GSSC.
EXPLAINED = 100
#: Epochs of each predicted stage that are staged again, where all of them would cost more.
N_OF_STAGE = 40


def restaged(
    night: StagedNight, settings: Settings, n_chosen: int, before: xr.Dataset | None = None
) -> Restaged | None:
    """Stage a night with random phases, as often as is asked and worth it.

    A stager that sees the whole night is given it all, but perhaps fewer times. Of another, a sample of each stage from all
    over the night is staged, where all would cost more than is allowed; each epoch among its neighbours. It is never the
    epochs that are explained: somebody may have chosen them because they are odd, and what is told is told of the stage.

    Parameters
    ----------
    night : StagedNight
        The night.
    settings : Settings
        What is asked: ``spectral_share``, the draws, and the seed.
    n_chosen : int
        How many epochs are explained.
    before : xarray.Dataset | None
        What was explained of it before: what is known from there is not computed again.

    Returns
    -------
    restaged : Restaged | None
        None where it is not asked for, or the model fails on such signals, which is logged.
    """
    if not settings.spectral_share:
        return None
    known = None if before is None else _taken_up(before, settings)
    if known is not None:
        return known
    own, whole = night.random_phases.own, night.stager.spec.context.whole
    kinds, allowed = len(night.random_phases.kinds), (SHARE_OF_NIGHT if whole else SHARE) * EXPLAINED * n_chosen
    numbers, asked = np.flatnonzero(own >= 0), settings.spectral_share
    if not whole and kinds * asked * len(numbers) > allowed:
        numbers = balanced_sample(own, N_OF_STAGE, settings.seed)
    n_draws = int(np.clip(allowed // (kinds * (len(own) if whole else len(numbers))), 1, asked))
    try:
        return night.random_phases(n_draws, settings.seed, numbers)
    except Exception as problem:  # an explanation does not fail for what is told beside it
        if not (isinstance(problem, ModelError) or out_of_memory(problem)):
            raise
        logger.warning(
            f"Spectrum or waveform is not known: {night.stager.spec.name} failed on random phases ({problem})"
        )
        return None


def _taken_up(before: xr.Dataset, settings: Settings) -> Restaged | None:
    """What an earlier run was told, if it asked the same."""
    facts = json.loads(before.attrs["provenance"]).get("random_phases")
    asked = json.loads(before.attrs["parameters"]).get("spectral_share")
    if facts is None or asked != settings.spectral_share or "spectral_share" not in before:
        return None
    stage = before["night_stage_share"].values.astype(str)
    return Restaged(stage, before["spectral_share"].values.astype(np.float64), facts["n_draws"], settings.seed)


def labelled(found: Restaged | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables and the coordinates of a result that say it."""
    if found is None:
        return {}, {}
    coordinates = {"share": np.array(COLUMNS, dtype=object), "night_stage_share": ("night", found.stage.astype(object))}
    return {"spectral_share": (("night", "share"), found.values)}, coordinates


def told(found: Restaged | None, night: StagedNight, settings: Settings) -> dict[str, Any]:
    """What provenance says of it: no draws where the model failed."""
    if not settings.spectral_share:
        return {}
    n_draws, n_epochs = (0, 0) if found is None else (found.n_draws, len(found.numbers))
    of = int((night.random_phases.own >= 0).sum())
    return {"random_phases": {"n_draws": n_draws, "n_epochs": n_epochs, "of": of}}
