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
from eegflex.errors import ParameterError
from eegflex.results.dominated import dominated_stages
from eegflex.results.intervals import LEVEL, MIN_EPOCHS
from eegflex.results.result import FlexResult
from eegflex.results.wording import count_epochs
from eegflex.settings import MEAN

__all__ = ["SHARE_OF_EPOCHS", "check_enough", "choose_nodes", "told_nodes"]

#: The error by the nodes is meant to be at most so much of that by the epochs: intervals are then 5 % wider than without it.
SHARE_OF_EPOCHS = 1 / 3
#: Epochs of each predicted stage, and nodes of each, by which it is estimated how many nodes are needed.
N_PER_STAGE, N_NODES = 6, 4
#: Numbers of nodes to choose from. Of what is smooth along the path the error falls at least as one over them. How often
#: intervals hold the mean was measured with four: fewer are not chosen by themselves.
LADDER = (4, 6, 8, 12, 16)
#: Tells these draws from any others of the same seed.
_STREAM = 0x3EA2
_TINY = np.finfo(float).tiny


def check_enough(request: Request) -> None:
    """Refuse to explain epochs over which no mean is told, before anything long begins; warn of stages that have too few.

    Raises
    ------
    ParameterError
        If means are asked for, over fewer epochs than a mean is told of.
    """
    if request.settings.precision != MEAN:
        return
    n = len(request.chosen)
    if n < MIN_EPOCHS:
        raise ParameterError(
            f"precision='mean' tells of means, and of none over fewer than {MIN_EPOCHS} epochs",
            seen=f"{count_epochs(n)} to explain",
            remedy="Explain more epochs, or take precision='epoch'",
        )
    predicted = request.night.predicted[request.chosen].tolist()
    counts = {stage: predicted.count(stage) for stage in request.night.stages if stage in predicted}
    few = ", ".join(f"{stage} (n = {count})" for stage, count in counts.items() if count < MIN_EPOCHS)
    if few:
        logger.warning(f"No means will be told of stages of which fewer than {MIN_EPOCHS} epochs are explained: {few}")


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
        f"Random nodes for each epoch, from {N_PER_STAGE} epochs of each stage: {told}; their error is meant to be at most "
        f"a third of the sampling error"
    )
    return {"by_stage": counts, "measured_on_epochs": len(shares) * N_PER_STAGE, "share_of_spread": shares}


def _enough(share: float) -> int:
    """How many nodes make the error by them small, where with `N_NODES` it is that share of the epochs'."""
    return next((one for one in LADDER if one >= share * N_NODES / SHARE_OF_EPOCHS), LADDER[-1])


def _share(request: Request, numbers: npt.NDArray[np.intp]) -> float:
    """Error by the nodes against how epochs of one stage differ, in the middle of bands, channels and targets.

    The middle is also what is told of a whole result (`told_nodes`): in a sum of all, the few epochs and bands that are far
    larger than the others would decide for them, and of six epochs that is chance.
    """
    segments = request.segments
    freqs = np.fft.rfftfreq(segments.signals.shape[-1], 1 / segments.sfreq)
    shares = []
    for channel_set in range(len(request.night.bound)):
        found = list(request.method.explain(request, channel_set, numbers))
        sums = np.stack([Bands().sum(one.views["frequency"], freqs) for one in found])
        errors = np.stack([one.views["band_error"] for one in found]) / ndtri((1 + LEVEL) / 2)
        by_nodes, spread = (errors.astype(np.float64) ** 2).mean(axis=0), sums.var(axis=0, ddof=1)
        shares.append((by_nodes / np.maximum(spread, _TINY))[spread > 0])
    if not any(map(len, shares)):
        return 0.0
    share = np.median(np.concatenate(shares))  # of the spread of what is seen, which the nodes' part is in
    return float(np.sqrt(share / max(1 - share, _TINY)))


def told_nodes(result: FlexResult) -> FlexResult:
    """Measure on a whole result which part the nodes have in the errors of its means, and say so, in provenance too."""
    if result.parameters.get("precision") != MEAN:
        return result
    provenance = result.provenance
    carried = dominated_stages(result.for_target().data)
    if carried:
        provenance["nodes"]["carried_by_few"] = carried
        logger.warning(
            f"A few epochs dominate the means of {', '.join(carried)}: no interval holds the mean of more epochs like these as "
            "often as it should, and none is given. Look at the epochs of such a stage, and at their medians, with "
            "precision='epoch'."
        )
    if (share := _share_of_epochs(result)) is not None:
        provenance["nodes"]["share_of_epochs"] = share
        _tell_share(share, np.unique(result.data["n_gradients"].values))
    return FlexResult(result.data.assign_attrs(provenance=json.dumps(provenance)))


def _share_of_epochs(result: FlexResult) -> float | None:
    """The nodes' error against that by the epochs, in the middle of what has an interval, which holds both."""
    table = result.band_table(by=("stage", "channel"), statistic="all")
    half, nodes = (table["ci_high"] - table["ci_low"]).to_numpy() / 2, table["error"].to_numpy()
    known = np.isfinite(half) & (half > nodes)
    if not known.any():
        return None
    epochs = np.sqrt(half[known] ** 2 - nodes[known] ** 2)
    return float(np.median(nodes[known] / np.maximum(epochs, _TINY)))


def _tell_share(share: float, counts: npt.NDArray[np.integer[Any]]) -> None:
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
