"""A result in a few lines: its repr, and its table in a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.results.collapse import facts
from eegflex.results.means import MEANS_ONLY, only_means
from eegflex.results.wording import method_words, sums_to_change

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["as_html", "as_text"]


def as_text(result: FlexResult) -> str:
    """Return a result on one line."""
    sizes = result.data.sizes
    several = f"{len(result.recordings)} recordings, " if len(result.recordings) > 1 else ""
    return (
        f"<FlexResult | {result.model}, target {result.parameters['target']!r}, {several}{sizes['epoch']} of "
        f"{sizes['night']} epochs ({_counted(result)}), {sizes['channel']} channels, "
        f"{sizes['channel_set']} channel set(s), {result.sfreq:.5g} Hz{', means only' * only_means(result.data)}>"
    )


def as_html(result: FlexResult) -> str:
    """Return a result as a table in HTML."""
    rows = "".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(value)}</td></tr>'
        for name, value in _rows(result).items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _rows(result: FlexResult) -> dict[str, str]:
    """Names and values of the table."""
    sizes, parameters = result.data.sizes, result.parameters
    target = parameters["target"]
    rows = {
        "FlexResult": result.model,
        "Target": target if isinstance(target, str) else " − ".join(target),
        "Baseline": str(parameters["baseline"]),
        "Method": method_words(result),
        "Epochs": f"{sizes['epoch']} of {sizes['night']} ({_counted(result)})",
        "Channels": ", ".join(result.ch_names),
    }
    rows["Recordings"] = ", ".join(result.recordings)
    if only_means(result.data):
        return rows | {"Precision": MEANS_ONLY}
    if sums_to_change(result):
        rows["Completeness gap"] = _quantiles(result.relative_gap())
    error = facts(result.data)["error"].values
    if np.isfinite(error).any():
        rows["Estimated error"] = _quantiles(error)
    return rows


def _counted(result: FlexResult) -> str:
    return ", ".join(f"{stage} {count}" for stage, count in result.counts().items())


def _quantiles(values: npt.NDArray[np.float64]) -> str:
    """Say how large shares of the band sums' total are, in the middle, in nearly all and in all epochs."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "not known"
    half, most, largest = np.quantile(known, [0.5, 0.95, 1.0])
    return (
        f"median {_percent(half)}, 95 % within {_percent(most)}, largest {_percent(largest)} of the absolute band sums"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
