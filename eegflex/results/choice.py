"""Which epochs stand for a stage: those whose explanation is like that of the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.collapse import for_sums
from eegflex.results.decided import explained_epochs
from eegflex.results.select import channel_types, check_stages, pool
from eegflex.results.trust import has_evidence, judge

__all__ = ["typical_places"]


def typical_places(dataset: xr.Dataset, stage: str | None, n: int) -> list[int]:
    """Return the places among the explained epochs of those that are most like the others of a stage, the most typical first.

    How far an epoch is from typical is the sum over bands and types of channels of the distance of its attribution from their
    median; of equally distant epochs the earlier one comes first. Epochs that do not explain their score come last, and trusted
    ones first where the result was evaluated. The epochs that a stager is surest of are no choice: their scores are saturated,
    and their attributions small or odd.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    stage : str | None
        The stage that was predicted by the most confident channel set; by default the most frequent.
    n : int
        How many at most.

    Raises
    ------
    ParameterError
        If no epoch of the stage was explained.
    """
    places = _of_stage(dataset, stage)
    part = for_sums(dataset).isel(epoch=places)
    sums, kinds = tables.band_sums(part, Bands()), part["ch_type"].values.astype(str)
    far = np.zeros(len(places))
    for kind in channel_types(part):
        did = pool(part, sums, kinds == kind, "predicted")
        far[did.epochs] += np.abs(did.values - np.median(did.values, axis=0)).sum(axis=1)
    trusted = judge(dataset).epochs[places] if has_evidence(dataset) else np.zeros(len(places), dtype=bool)
    far = far.astype(np.float32)  # two epochs are equally far from their median: no rounding of a machine is to choose
    return [int(place) for place in places[np.lexsort((far, ~trusted, ~explained_epochs(part)))][:n]]


def _of_stage(dataset: xr.Dataset, stage: str | None) -> npt.NDArray[np.intp]:
    predicted = tables.counted_stages(dataset, "predicted")
    names = [name for name in dataset["stage_name"].values.astype(str).tolist() if name in predicted]
    if stage is None:
        stage = max(names, key=lambda name: int((predicted == name).sum()))
    (stage,) = check_stages(stage, names)
    return np.flatnonzero(predicted == stage)
