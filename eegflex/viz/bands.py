"""Bands by stages: the heat map of summed attributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.select import (
    as_bands,
    averaged_words,
    bands_and_rest,
    channel_types,
    n_epochs_by_stage,
    pool,
    sample_words,
    stage_order,
)
from eegflex.results.wording import attribution_label, number_text, positive_means, type_label, unit
from eegflex.viz.style import DIVERGING, add_note, colour_limits, plain, symmetric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["band_means", "plot_bands"]


def plot_bands(
    result: FlexResult,
    *,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    stage_from: str = "predicted",
    scale_by: str = "stage",
    show: bool = True,
) -> Figure:
    """Draw what each frequency band did to the score, stage by stage.

    A cell is the attribution summed over a band and over the channels of one type that the stager takes at once, and
    averaged over the epochs of a stage. With fixed context and a method whose attributions sum to it, the cells of a stage
    in all panels together are the mean of F(x) - F(x_b). A result of all stages speaks for the predicted one.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    stage_from : {"predicted", "scored", "target"}
        Whether the columns are the stager's stages, the hypnogram's, or the scores that were explained.
    scale_by : {"stage", "figure"}
        Whether each stage has its own colour scale, so that bands are compared within a stage, or all share one.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        One panel for each channel type.
    """
    import matplotlib.pyplot as plt
    from mne.viz.utils import plt_show

    result, bands = result.for_target(), as_bands(bands)
    dataset = result.data
    rows, columns = bands_and_rest(bands), stage_order(dataset, stage_from)
    kinds = channel_types(dataset)
    cells = np.stack([band_means(result, bands, kind, stage_from) for kind in kinds])
    width = max(0.85 * len(columns) * len(kinds) + 2.2, 5.5)
    fig, axes = plt.subplots(
        1, len(kinds), figsize=(width, 0.45 * len(rows) + 1.9), sharey=True, squeeze=False, layout="constrained"
    )
    limits = np.array([limit.vmax for limit in colour_limits(cells, scale_by)])
    shown = cells if scale_by == "figure" else cells / limits
    counts = n_epochs_by_stage(dataset, stage_from)
    colours = symmetric(shown)
    for ax, kind, values, image in zip(axes[0], kinds, cells, shown, strict=True):
        ax.imshow(image, cmap=DIVERGING, norm=colours, aspect="auto")
        _write_cells(ax, values, limits)
        ax.set_title(type_label(kind), fontsize=10)
        ax.set_xticks(range(len(columns)), [f"{plain(stage)}\nn = {counts[stage]}" for stage in columns])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
    axes[0, 0].set_yticks(range(len(rows)), [_band_label(name, bands) for name in rows])
    fig.supylabel("Band", fontsize=10)
    label = attribution_label(result) if scale_by == "figure" else "Attribution / largest of its stage"
    fig.colorbar(axes[0, 0].images[0], ax=axes, label=label, pad=0.02)
    fig.suptitle(plain(f"{result.model}: attribution by band and {stage_from} stage"), fontsize=11)
    add_note(
        fig,
        f"Numbers: attribution in the unit of the score ({unit(result)}).",
        positive_means(result),
        f"Mean over the {averaged_words(dataset)} of a stage; n counts epochs.",
        sample_words(result),
    )
    plt_show(show, fig)
    return fig


def band_means(result: FlexResult, bands: Bands, kind: str, stage_from: str) -> npt.NDArray[np.float64]:
    """Return the cells of one channel type, shape (n_bands + 1, n_stages), in the order in which they are drawn.

    NaN where no channel of the type was explained in a stage.
    """
    dataset = result.data
    sums = tables.band_sums(dataset, bands)
    pooled = pool(dataset, sums, dataset["ch_type"].values.astype(str) == kind, stage_from)
    cells = np.full((len(bands.names), len(stage_order(dataset, stage_from))), np.nan)
    for column, stage in enumerate(stage_order(dataset, stage_from)):
        if (pooled.labels == stage).any():
            cells[:, column] = pooled.of(stage).mean(axis=0)
    drawn = [bands.names.index(name) for name in bands_and_rest(bands)]
    return cells[drawn]


def _band_label(name: str, bands: Bands) -> str:
    if name not in bands:
        return f"{name} (no band)"
    low, high = bands[name]
    return f"{plain(name)} {low:g}–{high:g} Hz"


def _write_cells(ax: Axes, values: npt.NDArray[Any], limits: npt.NDArray[Any]) -> None:
    for (row, column), value in np.ndenumerate(values):
        strong = np.isfinite(value) and abs(value) > 0.6 * limits[column]
        ax.text(
            column,
            row,
            number_text(float(value), float(limits.max())),
            ha="center",
            va="center",
            fontsize=9,
            color="white" if strong else "black",
        )
