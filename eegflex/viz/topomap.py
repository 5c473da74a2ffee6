"""Topographies: what a band did to the score at each electrode."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.marks import cell_errors, mean_error, unexplained_words, within
from eegflex.results.means import only_means
from eegflex.results.select import (
    as_bands,
    as_list,
    bands_in_rows,
    few_words,
    pick_all,
    sample_words,
    stage_order,
    stages_of_few,
    stages_with_means,
)
from eegflex.results.spectral_share import share_words
from eegflex.results.trust import trust_words
from eegflex.results.weights import case_weights, weight_words
from eegflex.results.wording import attribution_label, positive_means, span_words
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import make_canvas
from eegflex.viz.head import MIN_SITES, Sites, draw_head, find_sites
from eegflex.viz.style import colour_limits, diverging, plain, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["add_bars", "panel_size", "plot_topomap", "site_marks", "site_values"]


@checked
def plot_topomap(
    result: FlexResult,
    *,
    stage: str | Sequence[str] | None = None,
    band: str | Sequence[str] | None = None,
    picks: str | Sequence[str] | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    stage_from: str = "predicted",
    trust: str = "all",
    scale_by: str = "stage",
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot topographies of the attribution, by band and stage.

    Attributions are summed in each band first and averaged over the epochs of a stage, the same ones at every electrode: those
    on which the channel sets of all electrodes drawn say that stage. Fewer than 16 sites are drawn as discs; from there on what
    lies between them is interpolated. An electrode whose number is within its error is crossed out. A result of all stages
    speaks for the predicted one.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, or of several.
    stage : str | sequence of str | None
        Draw only these stages.
    band : str | sequence of str | None
        Draw only these bands.
    picks : str | sequence of str | None
        Names of EEG channels. By default all EEG channels.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    stage_from : {"predicted", "scored", "target"}
        Whether the columns are the stager's stages, the hypnogram's, or the scores that were explained.
    trust : {"all", "trusted"}
        Which epochs to draw: all, or those that `FlexResult.trust` trusts.
    scale_by : {"stage", "figure"}
        Whether each stage has its own colour scale, so that bands are compared within a stage, or all share one.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into, one for each band and stage, row by row, the fastest band first. By default those of a figure of its
        own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        White is 0; red, a plus and solid contours raised the score; blue, a minus and dashed contours lowered it.

    Raises
    ------
    ChannelError
        If no EEG channel that is picked has a position.
    ParameterError
        If no epoch of a stage was explained (with ``precision="mean"``, fewer than five), there is no such band, or `axes` are
        not as many as the panels.

    See Also
    --------
    eegflex.viz.plot_bands : Bands, by stage.
    mne.viz.plot_topomap : Any values over the head.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> fig = eegflex.viz.plot_topomap(result, stage="W", band="alpha", show=False)
    >>> fig.axes[0].get_title().splitlines()
    ['W', 'n = 2']
    """
    every, bands = result.for_target(), as_bands(bands, result.data)
    result = every.sel(trust=trust)
    dataset = result.data
    sites = find_sites(dataset, pick_all(dataset, picks))
    counts, left_out = _counts(dataset, sites, stage_from)
    columns, rows = stages_with_means(dataset, counts, stage), _check_bands(band, bands)
    values, marks = site_values(dataset, bands, sites, stage_from), site_marks(dataset, bands, sites, stage_from)
    shown = np.array([[values[name][column] for column in columns] for name in rows])
    limits = colour_limits(np.moveaxis(shown, 1, -1), scale_by)
    panels = [[f"{name} in {column}" for column in columns] for name in rows]
    canvas = make_canvas(axes, panels, annotate, figsize=panel_size(len(rows), len(columns)))
    for (row, column), ax in np.ndenumerate(canvas.axes):
        marked = marks[rows[row]][columns[column]]
        draw_head(ax, shown[row, column], sites, limits[column], names=shown.shape[:2] == (1, 1), marked=marked)
        name, n = plain(columns[column]), f"n = {counts[columns[column]]}"
        if not canvas.own:
            ax.set_title(f"{plain(rows[row])} in {name}\n{n}", fontsize=points(9), y=1)
        elif row == 0:
            ax.set_title(f"{name}\n{n}", fontsize=points(9), y=1)
        if canvas.own and column == 0:
            _name_row(ax, rows[row], bands)
    add_bars(canvas.fig, canvas.axes, limits, attribution_label(result), scale_by)
    return canvas.finish(
        f"{result.model}: what each band did to the score at each electrode, by {stage_from} stage",
        *_notes(result, sites, left_out, own_scales=scale_by == "stage" and len(columns) > 1),
        few_words(stages_of_few(dataset, counts)) if stage is None else "",
        share_words(dataset, columns, stage_from),
        "Crossed out: within its error." if any(marks[row][column].any() for row in rows for column in columns) else "",
        unexplained_words(dataset),
        trust_words(every.data, trust, stage_from),
        weight_words(dataset, by_predicted=stage_from == "predicted"),
        show=show,
    )


def counts_of(result: FlexResult) -> dict[str, int]:
    """How many epochs of each predicted stage a map over the head would be of."""
    dataset = result.for_target().data
    return _counts(dataset, find_sites(dataset), "predicted")[0]


def _common_labels(dataset: xr.Dataset, sites: Sites, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch that the channel sets of all sites explain, shape (n_epochs,); empty where some do not."""
    labels = tables.counted_labels(dataset, stage_from)[:, np.concatenate(sites.channels)]
    return np.where((labels != "").all(axis=1), labels[:, 0], "")


def _counts(dataset: xr.Dataset, sites: Sites, stage_from: str) -> tuple[dict[str, int], dict[str, int]]:
    """How many epochs of each stage are drawn, and how many are left out, since channel sets explain others of them."""
    labels, own = _common_labels(dataset, sites, stage_from), tables.counted_stages(dataset, stage_from)
    order = stage_order(dataset, stage_from)
    drawn = {stage: int((labels == stage).sum()) for stage in order}
    left_out = {stage: int(((own == stage) & (labels == "")).sum()) for stage in order}
    return drawn, {stage: n for stage, n in left_out.items() if n}


def panel_size(n_rows: int, n_columns: int) -> tuple[float, float]:
    """Return the size of a figure of heads, in inches."""
    size = 2.6 if n_rows * n_columns == 1 else 1.18
    return max(size * n_columns + 1.2, 3.5), size * n_rows + 1.3


def add_bars(fig: Figure, axes: npt.NDArray[Any], limits: list[Normalize], label: str, scale_by: str) -> None:
    """Add a colour bar below each column, or one beside them all."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.ticker import LinearLocator

    if scale_by == "figure" or axes.shape[1] == 1:
        shared = ScalarMappable(limits[0], diverging())
        fig.colorbar(shared, ax=axes.ravel().tolist(), shrink=0.7, aspect=25, label=label)
        return
    for column, colours in enumerate(limits):
        bar = fig.colorbar(
            ScalarMappable(colours, diverging()),
            ax=axes[:, column].tolist(),
            location="bottom",
            shrink=0.8,
            aspect=12,
            pad=0.01,
        )
        bar.ax.xaxis.set_major_locator(LinearLocator(3))
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:.2g}".replace("-", "−"))
        bar.ax.tick_params(labelsize=points(7))
        bar.set_label(textwrap.fill(label, 18, break_on_hyphens=False), fontsize=points(8))


def site_values(
    dataset: xr.Dataset, bands: Bands, sites: Sites, stage_from: str
) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Return the mean summed attribution at the sites, by band and stage; NaN where nothing was explained.

    Those of `FlexResult.band_table` by stage and channel, averaged where channels share a site.
    """
    return _at_sites(dataset, tables.band_sums(dataset, bands), bands, sites, stage_from, _mean)


def site_marks(
    dataset: xr.Dataset, bands: Bands, sites: Sites, stage_from: str
) -> dict[str, dict[str, npt.NDArray[np.bool_]]]:
    """Return which of `site_values` are within their error, by band and stage."""
    values = site_values(dataset, bands, sites, stage_from)
    reduce = partial(mean_error, drawn=only_means(dataset))
    errors = _at_sites(dataset, cell_errors(dataset, bands), bands, sites, stage_from, reduce)
    return {
        name: {stage: within(found, errors[name][stage]) for stage, found in own.items()}
        for name, own in values.items()
    }


def _mean(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.average(values, axis=0, weights=weights))


def _at_sites(
    dataset: xr.Dataset,
    values: npt.NDArray[np.float64],
    bands: Bands,
    sites: Sites,
    stage_from: str,
    reduce: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.float64]],
) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Reduce values of epochs, (n_epochs, n_channels, n_bands), by stage, and bring them to the sites."""
    labels = _common_labels(dataset, sites, stage_from)
    found: dict[str, dict[str, npt.NDArray[np.float64]]] = {name: {} for name in bands.names}
    for stage in stage_order(dataset, stage_from):
        places = np.flatnonzero(labels == stage)
        weights = case_weights(dataset, places, labels[places] if stage_from == "predicted" else None)
        means = reduce(values[places], weights) if len(places) else np.full(values.shape[1:], np.nan)
        for index, name in enumerate(bands.names):
            found[name][stage] = sites.means(means[:, index])
    return found


def _check_bands(band: str | Sequence[str] | None, bands: Bands) -> list[str]:
    """Return the bands to draw, the fastest first."""
    wanted = list(bands) if band is None else as_list(band)
    missing = [one for one in wanted if one not in bands.names]
    if missing or not wanted:
        raise ParameterError(
            "There is no band with this name", seen=list(map(repr, missing)) or "nothing", allowed=bands.names
        )
    return [one for one in bands_in_rows(bands) if one in wanted]


def _name_row(ax: Any, name: str, bands: Bands) -> None:
    ax.text(
        -0.08,
        0.5,
        f"{plain(name)}\n{span_words(name, bands)}",
        transform=ax.transAxes,
        ha="right",
        va="center",
        fontsize=points(9),
        linespacing=1.3,
    )


def _notes(result: FlexResult, sites: Sites, left_out: dict[str, int], *, own_scales: bool) -> list[str]:
    notes = [positive_means(result), "+ and red: raised; − and blue: lowered."]
    if own_scales:
        notes.append("Each stage has its own colour scale.")
    notes.append("Every electrode is drawn over the same n epochs of a stage.")
    if left_out:
        told = ", ".join(f"{stage} {n}" for stage, n in left_out.items())
        notes.append(f"Left out: epochs on which the channels disagree about the stage ({told}).")
    if any(channel["use"] == "each" for channel in result.spec["input"]["channels"]):
        notes.append(f"{result.model} takes one EEG channel at a time: each is explained by itself.")
    if len(sites.names) < MIN_SITES:
        notes.append("Each disc is one site; too few to interpolate between them.")
    else:
        notes.append("Between sites: interpolated; contours at quarters of the scale, dashed below 0.")
    if sites.shared:
        notes.append(f"Channels at one site are drawn as their mean: {'; '.join(sites.shared)}.")
    if sites.bipolar.any() and len(sites.names) < MIN_SITES:
        pairs = ", ".join(np.array(sites.names)[sites.bipolar])
        notes.append(f"Squares: bipolar, drawn at the first electrode of the pair ({pairs}).")
    if sites.without:
        notes.append(f"Without a position: {', '.join(sites.without)}.")
    return [*notes, sample_words(result)]
