"""How many random nodes an epoch needs where only means of stages are asked for, and which part of their error is theirs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from mne.utils import logger
from scipy.special import ndtri

from eegflex.attribution.request import Request
from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.intervals import LEVEL, effective_number
from eegflex.results.result import FlexResult
from eegflex.settings import MEAN

__all__ = ["SHARE_OF_EPOCHS", "choose_nodes", "told_nodes"]

#: The error by the nodes is meant to be at most so much of that by the epochs: intervals are then 5 % wider than without it.
SHARE_OF_EPOCHS = 1 / 3
#: Epochs of each predicted stage, and nodes of each, by which it is estimated how many nodes are needed.
N_PER_STAGE, N_NODES = 6, 4
#: Numbers of nodes to choose from. Of what is smooth along the path the error falls at least as one over them.
LADDER = (2, 4, 6, 8, 12, 16)
#: Where fewer epochs than these carry the spread of most bands, intervals are too narrow, whatever the nodes.
FEW = 4.0
#: Tells these draws from any others of the same seed.
_STREAM = 0x3EA2
_TINY = np.finfo(float).tiny


def choose_nodes(request: Request, known: Mapping[str, Any] | None = None) -> tuple[Request, dict[str, Any]]:
    """Choose how many nodes each epoch has, if means are asked for and nobody said how many.

    Parameters
    ----------
    request : Request
        What is to be explained.
    known : mapping | None
        What was said of it before, by a run that is resumed.

    Returns
    -------
    request : Request
        The same with that many.
    notes : dict
        ``nodes``: how many of each stage (``by_stage``), or of all (``n_steps``), and what that is estimated by.
    """
    settings = request.settings
    if settings.precision != MEAN:
        return request, {}
    if known is not None:
        notes = dict(known)
    elif settings.n_steps is not None:
        notes = {"n_steps": settings.n_steps}
    else:
        notes = _estimated(request)
    return dataclasses.replace(request, nodes_by_stage=notes.get("by_stage", {})), {"nodes": notes}


def _estimated(request: Request) -> dict[str, Any]:
    """As many nodes as some epochs of each predicted stage need; as the neediest, where a stage has too few to tell."""
    predicted = request.night.predicted[request.chosen]
    rng = np.random.default_rng([_STREAM, request.settings.seed])
    few = dataclasses.replace(request, settings=dataclasses.replace(request.settings, n_steps=N_NODES))
    shares = {}
    for stage in sorted(set(predicted.tolist())):
        own = rng.permutation(request.chosen[predicted == stage])[:N_PER_STAGE]
        if len(own) == N_PER_STAGE and np.isfinite(share := _share(few, own)):
            shares[stage] = share
    most = max(shares.values(), default=SHARE_OF_EPOCHS)
    counts = {stage: _enough(shares.get(stage, most)) for stage in sorted(set(predicted.tolist()))}
    told = ", ".join(f"{stage} {n}" for stage, n in counts.items())
    logger.info(
        f"Random nodes for each epoch, from {N_PER_STAGE} epochs of each stage: {told}; the integration error is then "
        f"about a third of the sampling error"
    )
    return {"by_stage": counts, "measured_on_epochs": len(shares) * N_PER_STAGE, "share_of_spread": shares}


def _enough(share: float) -> int:
    """How many nodes make the error by them small, where with `N_NODES` it is that share of the epochs'."""
    return next((one for one in LADDER if one >= share * N_NODES / SHARE_OF_EPOCHS), LADDER[-1])


def _share(request: Request, numbers: npt.NDArray[np.intp]) -> float:
    """Error by the nodes against how epochs of one stage differ, of all bands, channels and targets together."""
    segments = request.segments
    freqs = np.fft.rfftfreq(segments.signals.shape[-1], 1 / segments.sfreq)
    by_nodes = spread = 0.0
    for channel_set in range(len(request.night.bound)):
        found = list(request.method.explain(request, channel_set, numbers))
        sums = np.stack([Bands().sum(one.views["frequency"], freqs) for one in found])
        errors = np.stack([one.views["band_error"] for one in found]) / ndtri((1 + LEVEL) / 2)
        by_nodes += float((errors.astype(np.float64) ** 2).mean(axis=0).sum())
        spread += float(sums.var(axis=0, ddof=1).sum())
    return float(np.sqrt(by_nodes / max(spread - by_nodes, _TINY)))


def told_nodes(result: FlexResult) -> FlexResult:
    """Measure on a whole result which part the nodes have in the errors of its means, and say so, in provenance too."""
    if result.parameters.get("precision") != MEAN:
        return result
    table = result.band_table(by=("stage", "channel"), statistic="all")
    half, nodes = (table["ci_high"] - table["ci_low"]).to_numpy() / 2, table["error"].to_numpy()
    known = np.isfinite(half) & (half > nodes)
    if not known.any():
        return result
    epochs = np.sqrt(half[known] ** 2 - nodes[known] ** 2)  # the interval holds both
    share = float(np.median(nodes[known] / np.maximum(epochs, _TINY)))
    provenance, counts = result.provenance, np.unique(result.data["n_gradients"].values)
    provenance["nodes"] |= {"share_of_epochs": share}
    several = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    told = (
        f"Means of stages from {several} random nodes an epoch: the integration error is {share:.2f} of the sampling error "
        "(median of bands, channels and stages), and is in the intervals; single epochs are not exact"
    )
    if share <= SHARE_OF_EPOCHS:
        logger.info(told)
    else:
        wanted = 2 * int(np.ceil(counts[-1] * share / SHARE_OF_EPOCHS / 2))
        logger.warning(f"{told}. With n_steps={wanted} it would be a third.")
    carried = _carried_by_few(result)
    if carried:
        provenance["nodes"]["carried_by_few"] = carried
        logger.warning(
            f"A few epochs dominate most means of {', '.join(carried)}: whatever the nodes, intervals of such a stage hold the "
            "mean of more epochs like these in fewer than 93 % of cases. Look at its epochs with precision='epoch'."
        )
    return FlexResult(result.data.assign_attrs(provenance=json.dumps(provenance)))


def _carried_by_few(result: FlexResult) -> dict[str, float]:
    """Stages of whose means most are carried by fewer than `FEW` epochs: by how many, in the middle."""
    data = result.for_target().data
    sums, labels = tables.band_sums(data, Bands()), tables.stage_labels(data, "predicted")
    found = {}
    for stage in result.stages:
        own = [
            sums[rows, channel] for channel in range(sums.shape[1]) if (rows := labels[:, channel] == stage).sum() > 1
        ]
        numbers = [effective_number(values - values.mean(axis=0)) for values in own]
        if numbers and np.median(numbers) < FEW:
            found[stage] = float(np.median(numbers))
    return found
