"""The table of what is left of each stage with random phases, from the values of epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval

__all__ = ["COLUMNS", "KINDS", "LOST", "is_told", "phase_table"]

#: One random phase a frequency for all channels, or one for each channel.
KINDS = ("joint", "independent")
#: What is known of each epoch, of which the table has means with intervals.
COLUMNS = ("p", *(f"p_{kind}" for kind in KINDS), *(f"agreement_{kind}" for kind in KINDS))
#: Share of its epochs that a stage must keep not to be lost.
KEPT = 0.5
#: What decides a stage that is lost with random phases -> the share that tells so.
LOST = {"waveforms": "agreement_joint", "relations": "agreement_independent"}


def phase_table(
    values: npt.NDArray[np.float64],
    stage: npt.NDArray[np.str_],
    onset: npt.NDArray[np.float64],
    recording: npt.NDArray[np.str_],
    stages: Sequence[str],
) -> pd.DataFrame:
    """Means and intervals by stage, and what they say decides it; see `StagedNight.spectral_share`.

    Parameters
    ----------
    values : array, shape (n_epochs, n_columns)
        Of each epoch what `COLUMNS` names.
    stage, onset, recording : array, shape (n_epochs,)
        Its stage as recorded, when it begins in s, and of which recording it is.
    stages : sequence of str
        The stages in their order.
    """
    rows = {}
    for name in stages:
        mine = stage == name
        if not mine.any():
            continue
        low, high = (np.clip(end, 0, 1) for end in mean_interval(values[mine], blocks_of(onset[mine], recording[mine])))
        every = zip(COLUMNS, values[mine].mean(axis=0), low, high, strict=True)
        row = {"n_epochs": int(mine.sum())}
        row |= {
            f"{column}{end}": x for column, *three in every for end, x in zip(("", "_low", "_high"), three, strict=True)
        }
        rows[name] = row | {"decided_by": _decider(row)}
    index = pd.CategoricalIndex(list(rows), categories=list(stages), name="stage")
    return pd.DataFrame(list(rows.values()), index=index)


def _decider(row: Mapping[str, float]) -> str:
    """What decides a stage, where the intervals say so."""
    kept = {kind: row[f"agreement_{kind}_low"] > KEPT for kind in KINDS}
    lost = {kind: row[f"agreement_{kind}_high"] < KEPT for kind in KINDS}
    enough = row["n_epochs"] >= MIN_EPOCHS
    ways = {
        "waveforms": lost["joint"],
        "relations": kept["joint"] and lost["independent"],
        "spectrum": kept["joint"] and kept["independent"],
    }
    return next((way for way, holds in ways.items() if enough and holds), "unclear")


def is_told(row: pd.Series) -> bool:
    """Whether what a row of the table says limits what bands can say of the stage.

    Where the intervals hold one half it may; that there are too few epochs to have an interval says nothing.
    """
    unclear = row["decided_by"] == "unclear" and row["n_epochs"] >= MIN_EPOCHS
    return row["decided_by"] in LOST or bool(unclear and np.isfinite(row["agreement_joint_low"]))
