"""What the epoch itself and the epochs around it did to its stage, as a table of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.report import html
from eegflex.results import tables
from eegflex.results.decided import REPLACED, context_of, epoch_shares
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.wording import baseline_words, percent
from eegflex.scores import probabilities

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult

__all__ = ["around_table"]


def around_table(result: FlexResult) -> str:
    """Tell by stage how much of the change the epochs around made, and what is left without them, as HTML.

    Nothing of a stager that sees no other epoch, or where nobody knows.

    Parameters
    ----------
    result : FlexResult
        Attributions of one target.
    """
    data, share = result.data, epoch_shares(result.data)
    if not np.isfinite(share).any():
        return ""
    stages, chances = tables.counted_stages(data, "predicted"), _chances(data)
    rows = {
        stage: _row(data, chances, (stages == stage) & np.isfinite(share))
        for stage in result.stages
        if (stages == stage).any()
    }
    few = [stage for stage, row in rows.items() if int(row["n"]) < MIN_EPOCHS]
    baseline = baseline_words(result)
    said = (
        f"The epoch, its neighbours, or both were replaced by {baseline}. Share: the part of the change of the score that the "
        "neighbours made (median over n epochs, with 95 % interval): they decide where all of the interval is above 50 %, and "
        "the epoch itself where it is below. The last columns are the median "
        "probability of the stage, as recorded and with either replaced. "
        + ("Figures of bands show the epoch itself, with its neighbours as recorded."
           if result.parameters["context"] == "fixed"
           else "Figures of bands show the epoch itself; its neighbours changed together with it.")
    )  # fmt: skip
    said += f" Too few epochs for a statement about the stage: {', '.join(few)}." if few else ""
    return html.paragraph(said) + html.frame(pd.DataFrame.from_dict(rows, orient="index"), corner="stage")


def _chances(data: xr.Dataset) -> npt.NDArray[np.float64]:
    """Probability of the epoch's stage with each of `REPLACED`, the mean over the channel sets that explain it."""
    scores = data["replaced_scores"].transpose("epoch", "channel_set", "replaced", "stage_name").values
    every = probabilities(scores, tables.score_kind(data))
    names = data["stage_name"].values.astype(str).tolist()
    places = np.array([names.index(stage) for stage in tables.epoch_stages(data, "predicted").tolist()])
    own = np.take_along_axis(every, places[:, None, None, None], axis=-1)[..., 0]
    counted = tables.counted_sets(data, "predicted")
    counted = counted | ~counted.any(axis=1, keepdims=True)
    return np.asarray((own * counted[..., None]).sum(axis=1) / counted.sum(axis=1)[:, None])


def _row(data: xr.Dataset, chances: npt.NDArray[np.float64], epochs: npt.NDArray[np.bool_]) -> dict[str, str]:
    n, found = int(epochs.sum()), context_of(data, epochs)
    probability = np.median(chances[epochs], axis=0) if n else np.full(len(REPLACED), np.nan)
    return {
        "n": str(n),
        "share": percent(found.median) if n else "–",
        "interval": f"{percent(found.low)} to {percent(found.high)}" if np.isfinite(found.low) else "–",
        "decided in": f"{found.n_more} of {n}",
        "as recorded": _text(probability[REPLACED.index("nothing")]),
        "epoch replaced": _text(probability[REPLACED.index("epoch")]),
        "neighbours replaced": _text(probability[REPLACED.index("context")]),
    }


def _text(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"
