"""Bands by stages: the heat map of summed attributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.marks import cell_errors, mean_error, pooled_errors, unexplained_words, within
from eegflex.results.select import (
    as_bands,
    bands_in_rows,
    channel_types,
    check_stages,
    n_epochs_by_stage,
    pick_all,
    picked_words,
    pool,
    sample_words,
    stage_order,
)
from eegflex.results.spectral_share import share_words
from eegflex.results.trust import trust_words
from eegflex.results.weights import weight_words
from eegflex.results.wording import attribution_label, number_text, positive_means, span_words, unit
from eegflex.viz.canvas import make_canvas
from eegflex.viz.style import colour_limits, diverging, hatch_cells, plain, points, symmetric

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["band_means", "marked_bands", "plot_bands"]


def plot_bands(
    result: FlexResult,
    *,
    stage: str | Sequence[str] | None = None,
    picks: str | Sequence[str] | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    stage_from: str = "predicted",
    trust: str = "all",
    scale_by: str = "stage",
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Draw what each frequency band did to the score, stage by stage.

    A cell is the attribution summed over a band and over the picked channels of one type that the stager takes at once, and
    averaged over the epochs of a stage; it is hatched, and its number in parentheses, where it is within its error. With fixed
    context and a method whose attributions sum to it, the cells of a stage in all panels together are the mean of F(x) -
    F(x_b), if all channels are picked. A result of all stages speaks for the predicted one.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, or of several.
    stage : str | sequence of str | None
        Draw only these stages.
    picks : str | sequence of str | None
        Channel types or names. By default all channels.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    stage_from : {"predicted", "scored", "target"}
        Whether the columns are the stager's stages, the hypnogram's, or the scores that were explained.
    trust : {"all", "trusted"}
        Which epochs to draw: all, or those that `FlexResult.trust` trusts.
    scale_by : {"stage", "figure"}
        Whether each stage has its own colour scale, so that bands are compared within a stage, or all share one.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into, one for each channel type, EEG first. By default those of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into a figure of yours.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        One panel for each channel type.

    Raises
    ------
    ChannelError
        If there is no such channel.
    ParameterError
        If no epoch of a stage was explained, or `axes` are not as many as the panels.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> fig = eegflex.viz.plot_bands(result, picks="eeg", show=False)
    >>> [label.get_text() for label in fig.axes[0].get_yticklabels()][:2]
    ['above ≥ 30 Hz', 'beta 16–30 Hz']
    """
    every, bands = result.for_target(), as_bands(bands, result.data)
    result = every.sel(trust=trust)
    dataset, members = result.data, pick_all(result.data, picks)
    rows, columns = bands_in_rows(bands), check_stages(stage, stage_order(dataset, stage_from))
    kinds = channel_types(dataset, members)
    of_kind = [members & (dataset["ch_type"].values.astype(str) == kind) for kind in kinds]
    cells = np.stack([band_means(dataset, bands, own, columns, stage_from) for own in of_kind])
    marked = np.stack([marked_bands(dataset, bands, own, columns, stage_from) for own in of_kind])
    limits = np.array([limit.vmax for limit in colour_limits(cells, scale_by)])
    shown = cells if scale_by == "figure" else cells / limits
    width = max(0.85 * len(columns) * len(kinds) + 2.2, 5.5)
    names = [picked_words(dataset, own) for own in of_kind]
    canvas = make_canvas(axes, [names], annotate, figsize=(width, 0.45 * len(rows) + 1.9), sharey=True)
    counts, colours = n_epochs_by_stage(dataset, stage_from), symmetric(shown)
    for ax, name, values, image, marks in zip(canvas.axes[0], names, cells, shown, marked, strict=True):
        drawn = ax.imshow(image, cmap=diverging(), norm=colours, aspect="auto")
        hatch_cells(ax, marks)
        _write_cells(ax, values, limits, marks)
        ax.set_title(plain(name), fontsize=points(10))
        ax.set_xticks(range(len(columns)), [f"{plain(one)}\nn = {counts[one]}" for one in columns])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        if ax is canvas.axes[0, 0] or not canvas.own:
            ax.set_yticks(range(len(rows)), [_band_label(one, bands) for one in rows])
    canvas.label_y("Band")
    label = attribution_label(result) if scale_by == "figure" else "Attribution / largest of its stage"
    canvas.fig.colorbar(drawn, ax=canvas.axes.ravel().tolist(), label=label, pad=0.02)
    return canvas.finish(
        f"{result.model}: attribution by band and {stage_from} stage",
        f"Numbers: attribution in the unit of the score ({unit(result)}).",
        positive_means(result),
        "Mean over the epochs of a stage; n counts them.",
        share_words(dataset, columns, stage_from),
        "Hatched, in parentheses: within its error." if marked.any() else "",
        unexplained_words(dataset),
        trust_words(every.data, trust, stage_from),
        weight_words(dataset, by_predicted=stage_from == "predicted"),
        sample_words(result),
        show=show,
    )


def band_means(
    dataset: xr.Dataset, bands: Bands, members: npt.NDArray[np.bool_], stages: Sequence[str], stage_from: str
) -> npt.NDArray[np.float64]:
    """Return the cells of some channels, shape (n_rows, n_stages), in the order in which bands are drawn.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of the result.
    bands : Bands
        Frequency bands.
    members : array of bool, shape (n_channels,)
        The channels to sum over.
    stages : sequence of str
        Which stages; NaN where none of the channels was explained in one.
    stage_from : {"predicted", "scored", "target"}
        Whose stages they are.
    """
    pooled = pool(dataset, tables.band_sums(dataset, bands), members, stage_from)
    cells = np.stack([pooled.mean(stage) for stage in stages], axis=1)
    return cells[[bands.names.index(name) for name in bands_in_rows(bands)]]


def marked_bands(
    dataset: xr.Dataset, bands: Bands, members: npt.NDArray[np.bool_], stages: Sequence[str], stage_from: str
) -> npt.NDArray[np.bool_]:
    """Return which cells of `band_means` are within their error, shape (n_rows, n_stages)."""
    errors = pooled_errors(dataset, cell_errors(dataset, bands), members, stage_from)
    of_means = np.stack([mean_error(errors.of(stage), errors.weights_of(stage)) for stage in stages], axis=1)
    order = [bands.names.index(name) for name in bands_in_rows(bands)]
    return within(band_means(dataset, bands, members, stages, stage_from), of_means[order])


def _band_label(name: str, bands: Bands) -> str:
    return f"{plain(name)} {span_words(name, bands)}"


def _write_cells(ax: Axes, values: npt.NDArray[Any], limits: npt.NDArray[Any], marks: npt.NDArray[np.bool_]) -> None:
    for (row, column), value in np.ndenumerate(values):
        strong = np.isfinite(value) and abs(value) > 0.6 * limits[column]
        text, colour = number_text(float(value), float(limits.max())), "white" if strong else "black"
        marked = bool(marks[row, column])
        ax.text(
            column,
            row,
            f"({text})" if marked else text,
            ha="center",
            va="center",
            fontsize=points(9),
            color="0.3" if marked else colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8} if marked else None,
        )
