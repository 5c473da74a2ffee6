"""What a result knows of spectrum and waveforms: what is left of each stage with random phases, as a table and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.errors import ParameterError
from eegflex.results.phase_table import is_told, phase_table
from eegflex.results.recordings import labels_of, of_recordings, provenances
from eegflex.results.wording import count_epochs, percent

__all__ = [
    "READERS",
    "decided_rows",
    "has_share",
    "kept_range",
    "kept_words",
    "limits",
    "share_words",
    "spectral_share",
    "told_of",
]

#: What decides stages -> how that is said of them.
_WORDS = {
    "waveforms": "{stages} {are} decided by waveforms, which bands do not explain",
    "relations": "{stages} {are} decided by relations between channels",
    "unclear": "whether the spectrum decides {stages} is unclear",
}
#: What to look at where waveforms decide.
READERS = "the views by time and time-frequency, compared with 'surrogate' or 'zero'"


def has_share(dataset: xr.Dataset) -> bool:
    """Whether a result holds what is left of its night with random phases."""
    return "spectral_share" in dataset.variables


def spectral_share(dataset: xr.Dataset) -> pd.DataFrame:
    """Tell by stage what is left of it with random phases; see `FlexResult.spectral_share`."""
    if not has_share(dataset):
        raise ParameterError(
            "This result does not hold what is left of its night with random phases",
            remedy="Attribute it with spectral_share=3, or ask the night: eegflex.stage_epochs(...).spectral_share()",
        )
    stage = dataset["night_stage_share"].values.astype(str)
    own = np.flatnonzero(stage != "")
    onset, recording = (dataset[f"night_{name}"].values[own] for name in ("onset", "recording"))
    values = np.asarray(dataset["spectral_share"].values[own], dtype=np.float64)
    stages = dataset["stage_name"].values.astype(str).tolist()
    table = phase_table(values, stage[own], onset, recording, stages)
    drawn = [told["random_phases"]["n_draws"] for told in provenances(dataset).values()]
    table.attrs = {"n_draws": min(drawn), "n_epochs": len(own)}
    return table


def limits(dataset: xr.Dataset, stage_from: str = "predicted") -> dict[str, pd.Series]:
    """Stages of which bands cannot say everything, and their rows of the table; none where nobody knows.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result.
    stage_from : {"predicted", "scored", "target"}
        Whose stages are told of. What decides is known of those that the stager gave.
    """
    if not has_share(dataset) or stage_from != "predicted":
        return {}
    return {str(stage): row for stage, row in spectral_share(dataset).iterrows() if is_told(row)}


def share_words(dataset: xr.Dataset, stages: Sequence[str], stage_from: str = "predicted") -> str:
    """Say of which stages that are drawn bands do not tell what decides; empty where of none."""
    found = limits(dataset, stage_from)
    ways = {way: [one for one in stages if one in found and found[one]["decided_by"] == way] for way in _WORDS}
    told = [
        _WORDS[way].format(stages=_joined(own), are="are" if len(own) > 1 else "is") for way, own in ways.items() if own
    ]
    return f"Staged with random phases: {'; '.join(told)}." if told else ""


def kept_words(row: pd.Series, kind: str) -> str:
    """How many epochs keep their stage with phases of a kind, with the interval."""
    low, high = (row[f"agreement_{kind}_{end}"] for end in ("low", "high"))
    return f"{percent(row[f'agreement_{kind}'])} (95 % interval {percent(low)} to {percent(high)})"


def kept_range(row: pd.Series, kind: str) -> str:
    """The same in a cell of a table, such as ``"29 % (20–40)"``, in one line; without an interval where there is none."""
    low, high = (100 * row[f"agreement_{kind}_{end}"] for end in ("low", "high"))
    between = f"\N{NO-BREAK SPACE}({low:.0f}–{high:.0f})" if np.isfinite(low) else ""
    return f"{100 * row[f'agreement_{kind}']:.0f}\N{NO-BREAK SPACE}%{between}"


def decided_rows(dataset: xr.Dataset, rows: pd.DataFrame, stage_from: str) -> npt.NDArray[np.str_] | None:
    """What decides the stage of each row of a table of bands; None where that limits none of them, or nobody knows.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    rows : pandas.DataFrame
        What the rows are of, with a column ``stage`` and perhaps ``recording``.
    stage_from : {"predicted", "scored", "target"}
        Whose stages they are.
    """
    if "stage" not in rows or stage_from != "predicted" or not has_share(dataset):
        return None
    if "recording" in rows:
        known = {label: spectral_share(of_recordings(dataset, [label])) for label in labels_of(dataset)}
    else:
        known = {"": spectral_share(dataset)}
    labels = rows.get("recording", pd.Series("", index=rows.index)).astype(str)
    found = [_row(known[label], stage) for label, stage in zip(labels, rows["stage"].astype(str), strict=True)]
    if not any(row is not None and is_told(row) for row in found):
        return None
    return np.array(["" if row is None else row["decided_by"] for row in found])


def _row(table: pd.DataFrame, stage: str) -> Any:
    return table.loc[stage] if stage in table.index else None


def _joined(names: Sequence[str]) -> str:
    *others, last = names
    return " and ".join([*filter(None, [", ".join(others)]), last])


def told_of(dataset: xr.Dataset) -> str:
    """How the night was staged again, such as ``"a sample of 160 of 960 epochs that have a stage, 3 times"``."""
    told = [one["random_phases"] for one in provenances(dataset).values()]
    n_epochs, of = (sum(one[name] for one in told) for name in ("n_epochs", "of"))
    n_draws = min(one["n_draws"] for one in told)
    part = "all" if n_epochs == of else f"a sample of {n_epochs} of"
    return f"{part} {count_epochs(of)} that have a stage, {'once' if n_draws == 1 else f'{n_draws} times'}"
