"""What a comparison of a cohort found: its sentences first, then effects with their intervals, clusters and staging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eegflex.cohort import page_effects as effects
from eegflex.errors import ChannelError
from eegflex.report.html import escape, folded, frame, paragraph
from eegflex.report.parts import Part, Picture, Text
from eegflex.results.wording import number_text, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from eegflex.cohort.cohort import Cohort
    from eegflex.cohort.page_people import People
    from eegflex.findings import Finding

__all__ = ["compared_parts", "first_words", "heading_of"]

#: Sentences of a comparison on the first screen; rows of a table that are shown at once, and at all; clusters at once.
_MOST_FIRST, _MOST_ROWS, _MOST_FOLDED, _MOST_CLUSTERS = 3, 40, 400, 10
_MARKS = {"ok": ("good", "✓"), "unknown": ("unknown", "–"), "warning": ("some", "◐"), "error": ("bad", "✗")}
#: column -> what it is called
_CALLED = {
    "g": "Hedges' g", "omega2": "ω²", "p_fdr": "p (false discovery rate)", "p_corrected": "p (corrected)", "error_share":
    "share of errors within nights", "low_freq": "from Hz", "high_freq": "to Hz", "n": "people", "peak_freq": "peak, Hz",
    "peak_channel": "peak at", "peak_effect": "effect at the peak", "f": "F",
}  # fmt: skip


def heading_of(comparison: Any, number: int) -> str:
    """What a comparison is called."""
    told = getattr(comparison, "title", "") or getattr(getattr(comparison, "findings", None), "model", "")
    return str(told) or f"Comparison {number}"


def first_words(comparisons: Sequence[Any]) -> str:
    """The first sentences of each comparison, and all warnings, for the first screen."""
    found = []
    for number, comparison in enumerate(comparisons, 1):
        shown = [
            one
            for place, one in enumerate(comparison.findings)
            if place < _MOST_FIRST or one.status in ("warning", "error")
        ]
        lines = "".join(f"<li>{_line(one)}</li>" for one in shown)
        found.append(f"<h3>{escape(heading_of(comparison, number))}</h3><ul>{lines}</ul>")
    return "".join(found)


def _line(finding: Finding) -> str:
    how, mark = _MARKS[finding.status]
    return f'<span class="{how}"><span class="mark" aria-hidden="true">{mark}</span></span> {escape(finding.text)}'


def compared_parts(cohort: Cohort, people: People, comparison: Any, number: int) -> Iterator[Part]:
    """The parts of one comparison."""
    section = heading_of(comparison, number)
    lines = "".join(f"<li>{_line(one)}</li>" for one in comparison.findings)
    yield Text("What was found", f"<ul>{lines}</ul>", section)
    yield from _pictures(cohort, people, comparison, section)
    bands = getattr(comparison, "bands", None)
    if isinstance(bands, pd.DataFrame) and not bands.empty:
        best = effects.best_rows(bands, people) if {"stage", "band"} <= set(bands.columns) else bands
        yield Text("Effects by stage and band", _framed(best, "effects by stage and band"), section)
        if len(best) < len(bands):
            html = _framed(bands.head(_MOST_FOLDED), "effects at each channel")
            more = f" (the first {_MOST_FOLDED})" if len(bands) > _MOST_FOLDED else ""
            yield Text("Effects at each channel", folded(f"{len(bands)} rows{more}", html), section)
    clusters, staging = (getattr(comparison, name, None) for name in ("clusters", "staging"))
    if isinstance(clusters, pd.DataFrame) and not clusters.empty:
        p = "p_corrected" if "p_corrected" in clusters else "p"
        yield Text("Clusters", _shown(clusters.sort_values(p, kind="stable"), "clusters", _MOST_CLUSTERS), section)
    if isinstance(staging, pd.DataFrame) and not staging.empty:
        yield Text("How they are staged", _shown(staging, "how they are staged", _MOST_ROWS), section)


def _pictures(cohort: Cohort, people: People, comparison: Any, section: str) -> Iterator[Part]:
    table = getattr(comparison, "bands", None)
    if not isinstance(table, pd.DataFrame) or table.empty or not {"stage", "band"} <= set(table.columns):
        return
    effect = effects.effect_of(table)
    if effect is None:
        return
    yield Picture(
        "Effects", partial(effects.plot_effects, table, people, effect, section), "One mark a stage and band.", section
    )
    makers: tuple[tuple[str, str, Callable[[], Figure | None]], ...] = (
        ("Effects over the head", "Each site by itself.", partial(_maps, cohort, people, comparison, effect, section)),
        (
            "Clusters over frequency",
            "Spectra of the groups.",
            partial(effects.plot_clusters, cohort, comparison, section),
        ),
        (
            "The people",
            "One mark for each person.",
            partial(effects.plot_scatter, cohort, people, comparison, effect, section),
        ),
    )
    for title, caption, draw in makers:
        fig = draw()
        if fig is not None:
            yield Picture(title, partial(_same, fig), caption, section)


def _maps(cohort: Cohort, people: People, comparison: Any, effect: effects.Effect, section: str) -> Figure | None:
    if "channel" not in comparison.bands:
        return None
    try:
        return effects.plot_effect_maps(cohort, people, comparison, effect, section)
    except ChannelError:  # no channel's name tells where it lies
        return None


def _same(fig: Figure) -> Figure:
    return fig


def _shown(table: pd.DataFrame, name: str, most: int) -> str:
    """The first rows of a table, and all of them folded."""
    first = _framed(table.head(most), name)
    if len(table) <= most:
        return first
    rest = _framed(table.head(_MOST_FOLDED), f"all {name}")
    return f"{first}{paragraph(f'The first {most} of {len(table)} rows.')}{folded('More rows', rest)}"


def _framed(table: pd.DataFrame, name: str) -> str:
    written = _written(table)
    return frame(written, corner=", ".join(str(one) for one in written.index.names if one) or "row", named=name)


def _written(table: pd.DataFrame) -> pd.DataFrame:
    """A table as texts: words name its rows, numbers are its cells, an effect with its interval is one."""
    own = table if isinstance(table.index, pd.RangeIndex) or table.index.name is None else table.reset_index()
    words = [column for column in own.columns if not pd.api.types.is_numeric_dtype(own[column])]
    if "channel" in words and len(words) > 1 and (own["channel"] == effects.ALL_CHANNELS).all():
        words, own = [column for column in words if column != "channel"], own.drop(columns="channel")
    taken: set[str] = set()
    found: dict[str, list[str]] = {}
    for column in map(str, own.columns):
        if column in words or column in taken:
            continue
        values = own[column].to_numpy(dtype=np.float64)
        if pd.api.types.is_bool_dtype(own[column]):
            found[_called(column)] = ["yes" if one else "no" for one in values.tolist()]
            continue
        ends = _ends(column, list(map(str, own.columns)))
        size = float(np.nanmax(np.abs(np.where(np.isfinite(values), values, np.nan)), initial=0.0))
        texts = [_text(column, value, size) for value in values.tolist()]
        if ends:
            taken |= set(ends)
            low, high = ([_text(column, value, size) for value in own[end].tolist()] for end in ends)
            texts = [f"{a} ({b} to {c})" for a, b, c in zip(texts, low, high, strict=True)]
        found[_called(column)] = [text.replace(" ", "\xa0") for text in texts]  # numbers that belong together stay so
    index = (
        pd.MultiIndex.from_frame(own[words].astype(str)) if len(words) > 1 else own[words[0]] if words else own.index
    )
    return pd.DataFrame(found, index=index)


def _ends(column: str, columns: Sequence[str]) -> tuple[str, str] | None:
    """The columns of the interval of an effect: its own, or those that have no other."""
    if {f"{column}_low", f"{column}_high"} <= set(columns):
        return f"{column}_low", f"{column}_high"
    plainly = next((one for one in ("difference", "r", "omega2", "slope", "estimate", "effect") if one in columns), "")
    return ("low", "high") if column == plainly and {"low", "high"} <= set(columns) else None


def _called(column: str) -> str:
    if column in _CALLED:
        return _CALLED[column]
    kind, _, name = column.partition("_")
    return (
        f"{name}: {'people' if kind == 'n' else 'mean'}" if kind in ("n", "mean") and name else column.replace("_", " ")
    )


def _text(column: str, value: float, size: float) -> str:
    if not np.isfinite(value):
        return "–"
    if column.startswith("n_") or column == "n":
        return f"{value:.0f}"
    if column.endswith("_freq"):
        return f"{value:.3g}"
    if column == "error_share":
        return percent(value)
    if column == "p" or column.startswith("p_"):
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return number_text(value, size)
