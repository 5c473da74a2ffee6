"""The report of a result of which only means over epochs are to be read: nothing on its page is of a single epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegflex.report import html
from eegflex.report.methods_paragraph import methods
from eegflex.report.parts import Gathered, Part, Text
from eegflex.report.provenance import provenance
from eegflex.report.sections import night, spectra, stager, topography, waveforms
from eegflex.report.summary import what_was_done
from eegflex.results.marks import LEGEND
from eegflex.results.wording import number_text, unit

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["SECTIONS_OF_MEANS"]


def _summary(gathered: Gathered) -> Iterator[Part]:
    """What was done, how exact it is, and what this page does not tell."""
    result, nodes = gathered.result, gathered.result.provenance.get("nodes", {})
    counts = result.data["n_gradients"].values
    n_points = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    exact = f"Each epoch was evaluated at {n_points} points of its path, drawn at random"
    share = nodes.get("share_of_epochs")
    told = (
        "" if share is None else f": this integration error is {share:.2f} of the sampling error over epochs (median)"
    )
    parts = [html.paragraph(sentence) for sentence in what_was_done(result)]
    parts.append(
        html.paragraph(
            f"{exact}{told}. Means over the epochs of a stage are right on average, and their intervals include both errors. "
            "Single epochs are not exact: this page has no explorer, no epoch cards, no medians and no "
            "verdicts on epochs. A result with precision='epoch' has them."
        )
    )
    if carried := nodes.get("carried_by_few"):
        few = (
            f"A few epochs dominate the means of {', '.join(carried)}: no interval would hold them as often as it should, and "
            "none is given."
        )
        parts.append(html.warning(few))
    trust = html.bullets([one.text for one in gathered.findings])
    yield Text("Summary", "".join([*parts, "<h4>How far to trust it</h4>", trust]))


def _bands(gathered: Gathered) -> Iterator[Part]:
    """Means of bands with their intervals, over channels and for each of them."""
    result = gathered.result
    words = (
        f"Means over the epochs of a stage, in units of {unit(result)}, with 95 % intervals from blocks of 10 "
        "minutes, which include the integration error."
    )
    legend = f" {LEGEND}"
    yield Text("Bands by stage", html.paragraph(words + legend) + _table(result, ("stage",)), "Bands")
    yield Text("By channel", html.folded("Numbers by stage and channel", _table(result, ("stage", "channel"))), "Bands")


def _table(result: FlexResult, by: tuple[str, ...]) -> str:
    """Means and intervals, grey where they are within the error by the points."""
    every = result.band_table(by=by, statistic="all")
    largest = float(np.nanmax(np.abs(every["mean"].to_numpy()), initial=0.0))

    def said(row: pd.Series) -> str:
        mean, low, high = (number_text(row[name], largest) for name in ("mean", "ci_low", "ci_high"))
        return f"{mean} ({low} to {high})" if np.isfinite(row["ci_low"]) else mean

    names = list(dict.fromkeys(every.index.get_level_values("band")))
    groups = result.band_table(by=by)  # in the order of the table
    written = every.apply(said, axis=1).to_numpy().reshape(len(groups), len(names))
    frame = pd.DataFrame(written, index=groups.index, columns=names).assign(n=groups["n_epochs"].to_numpy())
    grey = np.column_stack([every["within_error"].to_numpy().reshape(written.shape), np.zeros(len(groups), dtype=bool)])
    return html.frame(frame, corner=", ".join(by), grey=grey)


#: In the order of the page.
SECTIONS_OF_MEANS: tuple[Callable[[Gathered], Iterator[Part]], ...] = (
    _summary,
    night,
    _bands,
    waveforms,
    spectra,
    topography,
    methods,
    stager,
    provenance,
)
