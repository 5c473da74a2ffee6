"""What the neighbours of epochs said, as a table of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eegflex.bands import Bands
from eegflex.report import html
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.select import is_whole
from eegflex.results.window_rhythms import ALL, TOTAL
from eegflex.results.wording import baseline_words, number_text, unit

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["neighbours_table"]

_COLUMNS = [*Bands().names, TOTAL]


def neighbours_table(result: FlexResult) -> str:
    """Tell by stage what each band of the epoch and of its neighbours did, over the windows that were explained, as HTML.

    Parameters
    ----------
    result : FlexResult
        Attributions of one target.
    """
    rows = result.window_rhythms().xs(ALL, level="channel").reset_index()
    by = {"index": ["stage", "part"], "columns": "band", "observed": True}
    medians = rows.pivot_table(values="median", **by).reindex(columns=_COLUMNS)
    counts = rows.pivot_table(values="n_epochs", **by)[TOTAL].astype(int)
    largest = float(np.nanmax(np.abs(medians.drop(columns=TOTAL).to_numpy(dtype=np.float64))))
    written = medians.astype(object).map(lambda value: "" if np.isnan(value) else number_text(value, largest))
    written = written.assign(n=counts.astype(object))
    everywhere = result.parameters["context"] == "scaled"
    which = "all explained epochs" if everywhere else "some of the epochs in which the neighbours decide"
    adding = " that these add up to in each epoch" if is_whole(result.data) else ", of all channels together"
    said = (
        f"Where the neighbours of an epoch decide its stage, its own bands explain little. In {which}, "
        f"all epochs of the window were explained together, compared with {baseline_words(result)} in the place of each. "
        f"Medians over n epochs, in units of {unit(result)}, summed over channels: the epoch itself, its neighbours together, "
        f"the rest of the night beyond them, and the change of the score{adding}."
    )
    if (counts.to_numpy() < MIN_EPOCHS).any():
        said += f" Rows of fewer than {MIN_EPOCHS} epochs are examples, and say nothing of the stage."
    return html.paragraph(said) + html.frame(written, corner="stage, part")
