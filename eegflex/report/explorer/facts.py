"""What a page must know of the night and of each explained epoch, besides what `encode` packs: as plain lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.bands import Bands
from eegflex.evaluation.evaluation import Evaluation
from eegflex.report.disagreements import SMALL_MARGIN
from eegflex.report.explorer.encode import PLANE_EDGES, PLANE_LEVELS, SIGNAL_STEPS, Packing, as_decibels
from eegflex.report.explorer.quantise import LEVELS, in_steps
from eegflex.report.html import without_directories
from eegflex.results.collapse import for_sums
from eegflex.results.decided import REPLACED, context_share, explained_epochs
from eegflex.results.night import night_of as whole_night
from eegflex.results.select import hypnogram_order
from eegflex.results.tables import night_answers, score_kind
from eegflex.results.trust import has_evidence, judge
from eegflex.results.wording import baseline_words, explained_words, reading, sums_to_change, unit
from eegflex.scores import probabilities

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["meta_of", "night_of"]


def meta_of(result: FlexResult, packing: Packing, began: float | None = None) -> dict[str, Any]:
    """What is true of the whole recording: names, steps, words; `began` is the clock at its start, in s from midnight."""
    data, how, target = result.data, reading(result), result.parameters["target"]
    kinds = data["ch_type"].values.astype(str)
    return {
        "model": result.model,
        "stages": list(result.stages),
        "order": [result.stages.index(stage) for stage in hypnogram_order(result.stages)],
        "channels": [_text(name) for name in data["channel"].values],
        "names": [_text(name) for name in data["ch_name"].values],
        "types": [_text(kind) for kind in kinds],
        "volts": [bool(kind in {"eeg", "eog", "emg", "ecg", "seeg", "ecog", "dbs", "bio"}) for kind in kinds],
        "sets": [_text(name) for name in data["channel_set"].values],
        "of": packing.of.tolist(),
        "signals": packing.signals,
        "signalOf": packing.signal_of,
        "hasSignal": packing.signal,
        "steps": _numbers(packing.steps, 6),
        "signalSteps": SIGNAL_STEPS,
        "nTimes": packing.n_times,
        "loudest": _numbers(packing.loudest, 3),
        "baselinePower": baseline_power(result, packing),
        "length": packing.length,
        "begins": began,
        "chunk": {"layout": packing.layout()},
        "all": target == "all",
        "explained": "the score of a stage" if target == "all" else explained_words(result),
        "unit": unit(result),
        "sums": sums_to_change(result),
        "raised": how.raised,
        "lowered": how.lowered,
        "baseline": baseline_words(result),
        "scaled": result.parameters["context"] == "scaled",
        "bands": [[name, *edges] for name, edges in Bands().items()],
        "outside": list(Bands().outside),
        "freqEdges": _numbers(packing.freq_edges, 6),
        "timeEdges": packing.time_edges.tolist(),
        "planeEdges": list(PLANE_EDGES),
        "planeTimes": packing.plane_times.tolist(),
        "levels": LEVELS,
        "planeLevels": PLANE_LEVELS,
        "context": data["context"].values.tolist() if packing.context else [],
        "unsure": SMALL_MARGIN,
    }


def night_of(result: FlexResult) -> dict[str, Any]:
    """What is known of every epoch of the night, and of those that were explained."""
    data = result.data
    night, answers, stages = whole_night(data), night_answers(data), list(result.stages)
    queue = answers.table(hypnogram=bool(np.isin(night.scored, stages).any())).sort_values("epoch")
    numbers = data["number"].values.astype(int)
    row = np.full(len(night.predicted), -1)
    row[numbers] = np.arange(len(numbers))
    scored = night.scored.tolist()
    labels = list(dict.fromkeys([*stages, *scored]))
    return {
        "onset": _numbers(night.onset, 3),
        "scoredNames": [_text(name) for name in labels],
        "scored": [labels.index(name) for name in scored],
        "predicted": night.places(night.predicted).tolist(),
        "chosen": night.answers.tolist(),
        "mean": _numbers(night.mean, 4),
        "probability": _numbers(night.probabilities, 4),
        "fault": {str(k): _text(fault) for k, fault in enumerate(answers.fault.tolist()) if fault},
        "row": row.tolist(),
        "ahead": _numbers(queue["margin"].to_numpy(), 3),
        "reasons": [_text(words) for words in queue["reasons"]],
        "rows": _rows(result),
    }


def _rows(result: FlexResult) -> list[dict[str, Any]]:
    """What is known of each explained epoch: by channel set where it is of these."""
    single = type(result)(for_sums(result.data)).for_target().data
    stages = list(result.stages)
    asked = has_evidence(single)
    trust, evaluation = judge(single), _evaluation(result)
    measures, share, replaced = _measures(single), _context(single), _without_epoch(single)
    explains, changed = _targets(result), explained_epochs(single)
    names, predicted = single["channel_set"].values.astype(str).tolist(), single["predicted"].values.astype(str)
    edges, filtered = single["edge"].values.astype(str).tolist(), single["filter_edge"].values.astype(bool).tolist()
    rows = []
    for k, number in enumerate(single["number"].values.astype(int).tolist()):
        sets = []
        for place, name in enumerate(names):
            one: dict[str, Any] = {"predicted": stages.index(str(predicted[k, place]))}
            one |= {"target": explains[k][place], "contextShare": share[k][place], "replaced": replaced[k][place]}
            if asked and trust.cases[k, place]:
                one |= {"verdict": str(trust.verdict[k, place]), "reasons": trust.reasons(k, place)}
            if measures[k][place]:
                one["measures"] = measures[k][place]
            if (number, name) in evaluation:
                one["carried"] = _text(evaluation[number, name])
            sets.append(one)
        told = {"edge": edges[k], "filterEdge": filtered[k], "told": bool(changed[k]), "sets": sets}
        rows.append({"number": number, **told})
    return rows


def _targets(result: FlexResult) -> list[list[str]]:
    """What is explained of each epoch with each channel set; empty where it is for the reader to choose."""
    if result.parameters["target"] == "all":
        return [[""] * result.data.sizes["channel_set"]] * len(result)
    return [[_text(name).replace(" - ", " over ") for name in own] for own in result.data["target"].values.tolist()]


def _context(data: xr.Dataset) -> list[list[float | None]]:
    if "replaced_scores" not in data:
        return [[None] * data.sizes["channel_set"]] * data.sizes["epoch"]
    found: list[list[float | None]] = _numbers(context_share(data), 3)
    return found


def _without_epoch(data: xr.Dataset) -> list[list[list[float | None] | None]]:
    """Probability of each stage with the baseline in the place of the epoch, where that is known."""
    if "replaced_scores" not in data:
        return [[None] * data.sizes["channel_set"]] * data.sizes["epoch"]
    scores = data["replaced_scores"].transpose("epoch", "channel_set", "replaced", "stage_name").values
    found: list[list[list[float | None] | None]] = _numbers(
        probabilities(scores[:, :, REPLACED.index("epoch")], score_kind(data)), 4
    )
    return found


def _measures(data: xr.Dataset) -> list[list[dict[str, float]]]:
    """What an evaluation measured of each explanation, so far as it did."""
    if "measures" not in data:
        return [[{} for _ in range(data.sizes["channel_set"])] for _ in range(data.sizes["epoch"])]
    names, values = [_text(name) for name in data["measure"].values], data["measures"].values
    return [
        [{name: float(f"{v:.4g}") for name, v in zip(names, own, strict=True) if np.isfinite(v)} for own in epoch]
        for epoch in values
    ]


def _evaluation(result: FlexResult) -> dict[tuple[int, str], str]:
    """Which events carried the decision on an epoch, by its number and the channel set, where that was asked."""
    told = Evaluation(result).tables if "evaluation" in result.provenance else {}
    table = told.get("carried by", pd.DataFrame())
    if "sentence" not in table:
        return {}
    keys = zip(table["number"].astype(int), table["channel_set"].astype(str), strict=True)
    return dict(zip(keys, table["sentence"].astype(str), strict=True))


def baseline_power(result: FlexResult, packing: Packing) -> list[list[float]] | None:
    """Power of the baseline of each signal in the steps of frequency, in dB, where the result tells it.

    That is so of an ordinary epoch of the recording where every epoch that was staged was explained, for it is made of these.
    """
    data = result.data
    staged = int((whole_night(data).predicted != "").sum())
    if result.parameters["baseline"] != "recording" or data.sizes["epoch"] < staged:
        return None
    freqs = data["freq"].values
    masks = Bands().masks(freqs)
    levels = []
    for place in packing.signals:
        power = data["power"][:, place].values.astype(np.float64)
        level = in_steps(_ordinary(power, masks), freqs, packing.freq_edges)
        levels.append(as_decibels(level, freqs, packing.freq_edges))
    found: list[list[float]] | None = _numbers(np.array(levels), 2)
    return found


def _ordinary(power: npt.NDArray[np.float64], masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The spectrum whose bands have the median power of the epochs' bands, shape (n_freqs,): see ``baseline="recording"``."""
    ordinary = np.asarray(np.median(power, axis=0) / np.log(2), dtype=np.float64)
    for mask in masks:
        total = ordinary[mask].sum()
        if total > 0:
            ordinary[mask] *= np.median(power[:, mask].sum(axis=1)) / total
    return ordinary


def _text(value: Any) -> str:
    """Text from a file, without directories."""
    return without_directories(str(value))


def _numbers(values: npt.ArrayLike, places: int) -> Any:
    """Numbers as JSON has them, in lists; what is not finite is None."""
    own = np.round(np.asarray(values, dtype=np.float64), places)
    told = own.astype(object)
    told[~np.isfinite(own)] = None
    return told.tolist()
