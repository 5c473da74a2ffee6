"""Figures of what was compared: effects with their intervals, over the head and over frequency, and a correlation's people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.bands import OUTSIDE, Bands
from eegflex.cohort.page_figures import in_bins, label_of, name_rows, site_words, sites_of
from eegflex.cohort.page_people import TOTAL, People, kinds_of, person_of, person_values, spectra_of
from eegflex.cohort.page_tiles import count
from eegflex.results.intervals import MIN_EPOCHS, mean_interval
from eegflex.viz.canvas import make_canvas
from eegflex.viz.head import draw_head
from eegflex.viz.style import LIGHT, LOWERED, RAISED, colour_limits, plain, points, stage_colours
from eegflex.viz.topomap import add_bars, panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.cohort.cohort import Cohort
    from eegflex.viz.head import Sites

__all__ = [
    "ALL_CHANNELS",
    "ALPHA",
    "Effect",
    "best_rows",
    "column_of",
    "effect_of",
    "found_clusters",
    "in_order",
    "plot_clusters",
    "plot_effect_maps",
    "plot_effects",
    "plot_scatter",
]

#: What the mean over channels is called in tables of effects.
ALL_CHANNELS = "all channels"
#: From here on a p is not told from chance.
ALPHA = 0.05
#: Clusters, and correlations, that are drawn.
_MOST = 3
#: Colours of two groups, and of more, in turn; marks that distinguish them without these.
_COLOURS = (RAISED, LOWERED, "#1f7a6a", "#8a5a00", "#6b3fa0", "0.35")
_LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Effect:
    """Which columns of a table have the effect.

    Attributes
    ----------
    name, low, high : str
        Columns of the effect and of the ends of its interval.
    words : str
        What it is called.
    signed : bool
        Whether it has a sign.
    """

    name: str
    low: str
    high: str
    words: str
    signed: bool = True


#: In the order in which they are looked for.
_EFFECTS = (
    Effect("g", "g_low", "g_high", "Hedges' g"),
    Effect("r", "low", "high", "correlation r"),
    Effect("omega2", "low", "high", "ω², the share of the variance", signed=False),
    Effect("slope", "low", "high", "slope"),
    Effect("estimate", "low", "high", "estimate"),
    Effect("effect", "low", "high", "effect"),
    Effect("difference", "low", "high", "difference"),
)


def effect_of(table: pd.DataFrame) -> Effect | None:
    """Return the effect that a table has; None where it has none that is known."""
    return next((one for one in _EFFECTS if {one.name, one.low, one.high} <= set(table.columns)), None)


def column_of(cohort: Cohort, comparison: Any) -> str:
    """Return the column of the recordings that was compared; empty where nobody knows."""
    told = str(getattr(comparison, "by", "") or getattr(comparison, "covariate", "") or "")
    title = str(getattr(comparison, "title", ""))
    fitting = [str(one) for one in cohort.recordings.columns if title.startswith((f"{one}:", f"{one} ("))]
    return told if told in cohort.recordings else max(fitting, key=len, default="")


def best_rows(table: pd.DataFrame, people: People) -> pd.DataFrame:
    """Return the rows of the mean over channels, or all where there are none, in order; without what is no band."""
    own = in_order(table[~table["band"].isin((*OUTSIDE, TOTAL))], people)
    over_all = own[own["channel"] == ALL_CHANNELS] if "channel" in own else own
    return over_all if len(over_all) else own


def in_order(table: pd.DataFrame, people: People) -> pd.DataFrame:
    """Return the rows of a table in the order of stages and bands."""
    ranks = [
        table[name].map({one: place for place, one in enumerate(order)}).fillna(len(order))
        for name, order in (("stage", people.stages), ("band", people.bands))
        if name in table
    ]
    keys = pd.DataFrame({str(place): rank for place, rank in enumerate(ranks)}, index=table.index)
    return table.loc[keys.sort_values(list(keys.columns), kind="stable").index] if len(keys.columns) else table


def found_clusters(table: Any) -> pd.DataFrame:
    """Return the clusters whose p, corrected where it is, is small; the least first."""
    if not isinstance(table, pd.DataFrame) or table.empty:
        return pd.DataFrame()
    p = "p_corrected" if "p_corrected" in table else "p"
    return table[table[p] < ALPHA].sort_values(p, kind="stable")


def _told(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which effects are told from chance."""
    p = "p_fdr" if "p_fdr" in table else "p"
    found: npt.NDArray[np.bool_] = table[p].to_numpy(dtype=np.float64) < ALPHA
    return found


def plot_effects(table: pd.DataFrame, people: People, effect: Effect, title: str) -> Figure:
    """Draw each effect with its interval, one panel a stage; open marks are not told from chance."""
    rows = best_rows(table, people)
    stages = list(dict.fromkeys(rows["stage"]))
    bands = _fastest_first(rows, people)
    canvas = make_canvas(
        None,
        [stages],
        True,
        figsize=(max(1.7 * len(stages) + 1.5, 3.6), 0.3 * len(bands) + 1.4),
        sharex=True,
        sharey=True,
    )
    for stage, ax in zip(stages, canvas.axes[0], strict=True):
        own = rows[rows["stage"] == stage]
        _draw_intervals(ax, own, effect, bands)
        ax.set_title(plain(stage), fontsize=points(9))
        ax.spines["top"].set(color=stage_colours(list(stages)).get(stage, LIGHT.muted), linewidth=3)
        ax.set_yticks(range(len(bands)), [plain(one) for one in bands], fontsize=points(8))
        ax.tick_params(axis="x", labelsize=points(7.5))
        ax.set_ylim(len(bands) - 0.5, -0.5)
    canvas.label_x(effect.words)
    return canvas.finish(
        f"{title}: effects over people",
        "Mark: the effect; line: its 95 % interval.",
        f"Filled: false discovery rate below {ALPHA:g} over all that was tested; open: within chance.",
        show=False,
    )


def _fastest_first(table: pd.DataFrame, people: People) -> list[str]:
    there = dict.fromkeys(table["band"])
    known = [one for one in reversed(people.bands) if one in there]
    return [*known, *(one for one in there if one not in known)]


def _draw_intervals(ax: Axes, own: pd.DataFrame, effect: Effect, bands: Sequence[str]) -> None:
    ax.axvline(0, color=LIGHT.muted, linewidth=0.7, zorder=1)
    places = [bands.index(band) for band in own["band"]]
    values, low, high = (own[name].to_numpy(dtype=np.float64) for name in (effect.name, effect.low, effect.high))
    for place, value, start, end, told in zip(places, values, low, high, _told(own), strict=True):
        colour = (RAISED if value > 0 else LOWERED) if told else "0.45"
        mark = ("P" if value > 0 else "o") if effect.signed else "s"
        ax.plot([start, end], [place, place], color=colour, linewidth=1.4, zorder=2, gid="interval")
        ax.plot(
            [value], [place], mark, color=colour, markerfacecolor=colour if told else "white", markersize=6, zorder=3,
            gid="told" if told else "not told",
        )  # fmt: skip


def plot_effect_maps(cohort: Cohort, people: People, comparison: Any, effect: Effect, title: str) -> Figure | None:
    """Draw the effects over the head: crossed out where not told from chance, ringed where in a cluster."""
    table = comparison.bands
    table = table[table["channel"].isin(people.channels) & ~table["band"].isin((*OUTSIDE, TOTAL))]
    if table.empty:
        return None
    stages, bands = list(dict.fromkeys(in_order(table, people)["stage"])), _fastest_first(table, people)
    channels = tuple(dict.fromkeys(table["channel"]))
    sites = sites_of(cohort, channels, kinds_of(cohort, channels))
    told = dict(iter(table.assign(told=_told(table)).groupby(["stage", "band"], sort=False)))
    values = np.full((len(sites.names), len(bands), len(stages)), np.nan)
    doubtful = np.zeros(values.shape, dtype=bool)
    for row, column in np.ndindex(values.shape[1:]):
        own = told.get((stages[column], bands[row]))
        if own is not None:
            of = own.set_index("channel").reindex(channels)
            values[:, row, column] = sites.means(of[effect.name].to_numpy(dtype=np.float64))
            doubtful[:, row, column] = sites.means(of["told"].eq(True).to_numpy(dtype=np.float64)) < 0.5
    width, height = panel_size(len(bands), len(stages))
    canvas = make_canvas(
        None,
        [[f"{row} in {one}" for one in stages] for row in bands],
        True,
        figsize=(width + 0.8, height - 0.7),
    )
    limits = colour_limits(values, "figure")
    clusters = found_clusters(getattr(comparison, "clusters", None))
    for (row, column), ax in np.ndenumerate(canvas.axes):
        draw_head(ax, values[:, row, column], sites, limits[column], marked=doubtful[:, row, column])
        _ring(ax, sites, channels, _in_cluster(clusters, stages[column], bands[row]))
        if row == 0:
            ax.set_title(plain(stages[column]), fontsize=points(9))
    name_rows(canvas.axes, bands)
    add_bars(canvas.fig, canvas.axes, limits, effect.words, "figure")
    return canvas.finish(
        f"{title}: effects over the head",
        f"Crossed out: false discovery rate of {ALPHA:g} or more.",
        "Ring: the channel is in a cluster that touches the band." if len(clusters) else "",
        "Each colour is of one band at one site; a cluster shows that there is a difference, not where it ends."
        if len(clusters)
        else "",
        site_words(sites),
        show=False,
    )


def _in_cluster(clusters: pd.DataFrame, stage: str, band: str) -> set[str]:
    """Channels that are in a cluster of a stage that touches a band."""
    if clusters.empty or band not in Bands():
        return set()
    low, high = Bands()[band]
    own = clusters[(clusters["stage"] == stage) & (clusters["low_freq"] < high) & (clusters["high_freq"] >= low)]
    return {name for told in own["channels"] for name in _names(told)}


def _names(told: Any) -> list[str]:
    return [one.strip() for one in told.split(",")] if isinstance(told, str) else [str(one) for one in told]


def _ring(ax: Axes, sites: Sites, channels: Sequence[str], members: set[str]) -> None:
    inside = np.array([any(channels[place] in members for place in own) for own in sites.channels], dtype=bool)
    if inside.any():
        ax.scatter(
            sites.xy[inside, 0], sites.xy[inside, 1], s=190, facecolors="none", edgecolors="black", linewidths=1.5, zorder=8,
            gid="in a cluster",
        )  # fmt: skip


def plot_clusters(cohort: Cohort, comparison: Any, title: str) -> Figure | None:
    """Draw the spectra of the groups at the channels of each of the first clusters; None where there are none, or no groups."""
    clusters, by = found_clusters(getattr(comparison, "clusters", None)).head(_MOST), column_of(cohort, comparison)
    groups = [str(one) for one in getattr(comparison, "n", {})]
    if clusters.empty or not by or len(groups) < 2:
        return None
    of_person = cohort.recordings[by].astype(str).groupby(person_of(cohort), sort=False).first()
    panels = [f"{one.stage}, {one.sign}" for one in clusters.itertuples()]
    canvas = make_canvas(None, [panels], True, figsize=(max(2.9 * len(panels) + 0.8, 5.2), 3.3))
    for (_, cluster), ax in zip(clusters.iterrows(), canvas.axes[0], strict=True):
        channels = _names(cluster["channels"])
        spectra = spectra_of(cohort, channels)
        edges, binned = in_bins(spectra, 30.0)
        own = binned[:, spectra.stages.index(str(cluster["stage"]))]
        middles = (edges[:-1] + edges[1:]) / 2
        ax.axvspan(cluster["low_freq"], cluster["high_freq"], color="0.9", zorder=0, linewidth=0, gid="cluster")
        ax.axhline(0, color="0.3", linewidth=0.6)
        for place, group in enumerate(groups):
            members = own[[of_person.get(label) == group for label in spectra.labels]]
            members = members[np.isfinite(members).all(axis=1)]
            if len(members):
                _draw_group(ax, middles, members, place, f"{plain(group)}, n = {len(members)}")
        p = cluster["p_corrected"] if "p_corrected" in cluster else cluster["p"]
        said = f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
        ax.set_title(f"{plain(str(cluster['stage']))}, {count(len(channels), 'channel')}, {said}", fontsize=points(9))
        ax.set_xlim(0, edges[-1])
        ax.tick_params(labelsize=points(8))
        ax.legend(fontsize=points(7.5), frameon=False)
    canvas.label_x("Frequency (Hz)")
    canvas.label_y(label_of(cohort, "per Hz"))
    return canvas.finish(
        f"{title}: where the spectra differ",
        f"Mean over people and over the cluster's channels; bands of colour: 95 % intervals, from {MIN_EPOCHS} people on.",
        "Grey: the cluster's frequencies. It shows that there is a difference, not where it ends.",
        show=False,
    )


def _draw_group(
    ax: Axes, freqs: npt.NDArray[np.float64], values: npt.NDArray[np.float64], place: int, label: str
) -> None:
    colour, line = _COLOURS[place % len(_COLOURS)], _LINES[place % len(_LINES)]
    ax.plot(freqs, values.mean(axis=0), color=colour, linestyle=line, linewidth=1.4, label=label, zorder=4)
    if len(values) >= MIN_EPOCHS:
        low, high = mean_interval(values, np.arange(len(values)))
        ax.fill_between(freqs, low, high, color=colour, alpha=0.18, linewidth=0, zorder=3)


def plot_scatter(cohort: Cohort, people: People, comparison: Any, effect: Effect, title: str) -> Figure | None:
    """Draw the people of the strongest correlations; None where the number is not known."""
    by = column_of(cohort, comparison)
    if not by or not pd.api.types.is_numeric_dtype(cohort.recordings[by]):
        return None
    rows = best_rows(comparison.bands, people)
    rows = rows[np.isfinite(rows[effect.name].to_numpy(dtype=np.float64))].sort_values("p", kind="stable").head(_MOST)
    if rows.empty:
        return None
    number = person_values(cohort, cohort.recordings.loc[cohort.recordings["status"] == "done", by])
    canvas = make_canvas(None, [[f"{one.band} in {one.stage}" for one in rows.itertuples()]], True,
                         figsize=(max(2.7 * len(rows) + 0.8, 4.2), 3.2))  # fmt: skip
    own = number.reindex(list(people.labels)).to_numpy(dtype=np.float64)
    for (_, row), ax in zip(rows.iterrows(), canvas.axes[0], strict=True):
        values = _of_row(people, row)
        ax.axhline(0, color="0.6", linewidth=0.6)
        ax.plot(
            own,
            values,
            "o",
            markerfacecolor="none",
            color=LIGHT.text,
            markersize=4.5,
            markeredgewidth=0.9,
            gid="people",
        )
        told = f"{row[effect.name]:+.2f} ({row[effect.low]:+.2f} to {row[effect.high]:+.2f})".replace("-", "−")
        ax.set_title(
            f"{plain(str(row['band']))} in {plain(str(row['stage']))}\n{effect.name} {told}", fontsize=points(9)
        )
        ax.tick_params(labelsize=points(8))
    canvas.label_x(plain(by))
    canvas.label_y(label_of(cohort))
    return canvas.finish(
        f"{title}: the people",
        "One mark is one person. Shown are the smallest p. Because they were selected, their effects are overestimated.",
        show=False,
    )


def _of_row(people: People, row: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """The band of a stage in each person, over all channels or at one."""
    stage, band = people.stages.index(str(row["stage"])), people.bands.index(str(row["band"]))
    channel = str(row.get("channel", ALL_CHANNELS))
    if channel in people.channels:
        return people.means[:, stage, people.channels.index(channel), band]
    return people.of_kind(people.order[0])[0][:, stage, band]
