"""How well explanations of stagers whose truth is known tell it: where they are put, and whether they find planted events.

Two numbers for each stager of `eegflex.stagers.zoo.known_truth`, over epochs of its own stage from several simulated nights,
explained by FLEX with its defaults:

- the share of the absolute attribution, per channel and frequency, that lies in the true channel and band; against it, the
  share of the signals' power that lies there, which is what a picture of the signals alone would have shown;
- the area under the precision-recall curve of the time-frequency view, over the cells of the true channel, against the cells
  that planted events cover; chance is the share of those cells. In the rows of the band only the moment is asked; in the
  whole plane the frequency too. Where events cover a fifth of the rows of their band, nothing can be 5 times better than
  chance there, and only spindles are held to it.
"""

from __future__ import annotations

import sys
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

import eegflex
from benchmarks.table import Row, markdown
from eegflex.evaluation.truth import cover_of_events, share_in_truth
from eegflex.simulation.simulate import SimulatedPSG
from eegflex.stagers.zoo.known_truth import SFREQ, SHORTCUT, SPINDLE, TRUTHS, KnownTruth, plant_line_noise

__all__ = ["rows"]

SEEDS = (31, 32, 33)
#: Least share in the truth, and least ratio to chance.
SHARE, TIMES_CHANCE = 0.9, 5.0
PLANES: dict[Literal["band", "all"], str] = {"band": "rows of its band", "all": "whole plane"}


def rows(hours: float = 7.0, per_night: int = 60) -> list[Row]:
    """Measure all stagers, on so many epochs of each night."""
    nights = [eegflex.simulate_psg(hours=hours, sfreq=SFREQ, seed=seed, verbose="error") for seed in SEEDS]
    return [row for truth in TRUTHS.values() for row in _measure(truth, nights, per_night)]


def _measure(truth: KnownTruth, nights: list[SimulatedPSG], per_night: int) -> list[Row]:
    explained = [_explain(truth, night, per_night) for night in nights]
    share = np.concatenate([share_in_truth(result, truth) for result, _ in explained])
    power = np.mean([_share_of_power(result, truth) for result, _ in explained])
    ours = f"{100 * share.mean():.3f} %, least of {len(share)} epochs {100 * share.min():.3f} %"
    asked = f"at least {SHARE:g}"
    where = f"{truth.band[0]:g} to {truth.band[1]:g} Hz of {truth.site}"
    found = [
        Row(
            f"{truth.name}: absolute attribution in {where}",
            ours,
            f"{100 * power:.2g} % of the power",
            share.min(),
            asked,
            share.min() >= SHARE,
        )
    ]
    for plane, words in PLANES.items():
        covers = [cover_of_events(result, truth, events, rows=plane) for result, events in explained]
        areas = [cover.average_precision for cover in covers]
        ours = f"{np.mean(areas):.2f} ({min(areas):.2f} to {max(areas):.2f})"
        chance = f"chance {np.mean([cover.chance for cover in covers]):.3g}"
        ratio = min(cover.ratio for cover in covers)
        held = plane == "all" or truth is SPINDLE
        floor, met = (f"at least {TIMES_CHANCE:g}", ratio >= TIMES_CHANCE) if held else ("", None)
        found.append(Row(f"{truth.name}: AUPRC of {truth.kind}, {words}", ours, chance, ratio, floor, met))
    return found


def _explain(truth: KnownTruth, night: SimulatedPSG, per_night: int) -> tuple[eegflex.FlexResult, pd.DataFrame]:
    """Explain epochs of the stager's own stage; also the events that decide for it."""
    raw, events = night.raw, night.events
    if truth is SHORTCUT:
        raw, events = plant_line_noise(raw, truth.stage), _lines(truth, night.hypnogram)
    epochs = eegflex.make_epochs(raw, verbose="error")
    own = np.random.default_rng(0).permutation(np.flatnonzero(night.hypnogram == truth.stage))[:per_night]
    chosen = epochs[np.sort(own)]
    views = ("time-frequency",)
    asked = {"target": truth.stage, "views": views, "baseline": "zero", "verbose": "error"}
    return eegflex.attribute_epochs(chosen, truth.name, **asked), events


def _lines(truth: KnownTruth, hypnogram: npt.NDArray[np.str_]) -> pd.DataFrame:
    """Return the line noise of every epoch of the confounded stage as events."""
    onsets = 30.0 * np.flatnonzero(hypnogram == truth.stage)
    return pd.DataFrame({"onset": onsets, "duration": 30.0, "kind": truth.kind, "frequency": 50.0})


def _share_of_power(result: eegflex.FlexResult, truth: KnownTruth) -> float:
    power = result.to_xarray()["power"].values.sum(axis=0)
    low, high = truth.band
    inside = (low <= result.freqs) & (result.freqs < high)
    return float(power[truth.input, inside].sum() / power.sum())


if __name__ == "__main__":
    sys.stdout.write(markdown(rows(float(sys.argv[1]) if len(sys.argv) > 1 else 7.0)))
