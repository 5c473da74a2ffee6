"""The context map: what the neighbours of an epoch did to its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.results.marks import cell_errors, mean_error, pooled_errors, unexplained_words, within
from eegflex.results.select import (
    bands_in_rows,
    check_stages,
    n_epochs_by_stage,
    pick,
    picked_words,
    pool,
    sample_words,
    stage_order,
)
from eegflex.results.spectral_share import share_words
from eegflex.results.weights import weight_words
from eegflex.results.window_rhythms import with_context_map
from eegflex.results.wording import attribution_label, positive_means, unit
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import Canvas, make_canvas
from eegflex.viz.style import LOWERED, RAISED, diverging, hatch_bars, ink, plain, points, symmetric

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from eegflex.results.result import FlexResult

__all__ = ["ContextMeans", "context_means", "has_context", "plot_context"]

#: Of an epoch's neighbours, only offsets that so many of the epochs of a stage have are drawn.
MOST = 0.5
_NOTHING_THERE = "0.93"
#: Offsets up to which signs have room, and part of the limit of the colours from which on they are written.
_MOST_WITH_SIGNS, _STRONG = 15, 0.25
#: Offsets that are labelled, in epochs.
_STEPS = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 240, 480, 960, 1920, 3840)


@dataclass(frozen=True)
class ContextMeans:
    """What was attributed to each epoch of the window, on average over the epochs of one stage.

    Attributes
    ----------
    means : array, shape (n_offsets, n_rows)
        NaN where fewer than half of the epochs have such a neighbour.
    share : float
        Of the absolute total of the band sums of the window, the part that is the neighbours', averaged over epochs; NaN
        where all of it is nothing.
    low, high : array, shape (n_offsets,)
        The 95 % interval of the sum over all bands; NaN where there are too few epochs for one, or all are of one block.
    marked : bool
        Whether the sum over all bands of the epoch itself is within its error.
    """

    means: npt.NDArray[np.float64]
    share: float
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    marked: bool = False


@checked
def plot_context(
    result: FlexResult,
    *,
    stage: str | Sequence[str] | None = None,
    picks: str | Sequence[str] | None = None,
    stage_from: str = "predicted",
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot the contribution of neighbouring epochs to the score, by stage.

    Above, the attribution to each epoch of the window, summed over all bands: how much the epoch itself counts, and how much
    its neighbours. Below, the neighbours alone, by band, on a colour scale of their own. Sums are over the picked channels
    that the stager takes at once, means over the epochs of a stage.

    Parameters
    ----------
    result : FlexResult
        Attributions with ``context="scaled"``; or others, of which the windows of some epochs were explained (see
        `FlexResult.window_rhythms`): then of these. A result of all stages speaks for the predicted one.
    stage : str | sequence of str | None
        Draw only these stages.
    picks : str | sequence of str | None
        Channel types or names. By default the EEG, or all channels where there is none.
    stage_from : {"predicted", "scored", "target"}
        Whether the columns are the stager's stages, the hypnogram's, or the scores that were explained.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into: for the whole window one for each stage, and then for the neighbours. By default those of a figure
        of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        Red raised the score, blue lowered it; strong cells have their sign. Hatched: fewer than half of the epochs have such
        a neighbour.

    Raises
    ------
    ParameterError
        If the result has no context map, no epoch of a stage was explained, or `axes` are not as many as the panels.
    ChannelError
        If there is no such channel.

    See Also
    --------
    eegflex.viz.plot_epoch : One epoch.
    eegflex.attribute_epochs : Explain the stages.

    Examples
    --------
    >>> import eegflex, torch
    >>> night = eegflex.simulate_psg(hours=0.2, sfreq=100, seed=1, electrodes=["C3", "C4"], verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> context = eegflex.spec.ContextSpec(before=1, after=1)
    >>> spec = eegflex.ModelSpec(name="three", layout="b e c t", unit="uV", context=context)
    >>> _ = torch.manual_seed(0)
    >>> network = torch.nn.Sequential(
    ...     torch.nn.Flatten(1, 2), torch.nn.Conv1d(6, 8, 50, 25), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(1),
    ...     torch.nn.Flatten(), torch.nn.Linear(8, 5),
    ... )
    >>> result = eegflex.attribute_epochs(
    ...     epochs, network, spec=spec, picks="eeg", context="scaled", target="N2", on_check="ignore", verbose="error"
    ... )
    >>> fig = eegflex.viz.plot_context(result, stage_from="target", show=False)
    >>> fig.axes[0].get_title().splitlines()[0]
    'N2 (n = 22)'
    """
    result = result.for_target()
    dataset = with_context_map(result.data)
    if not has_context(dataset):
        raise ParameterError(
            "This result has no attribution to the context",
            seen=f"context={result.parameters['context']!r}, stager {result.model}",
            remedy="Attribute with context='scaled', with a stager that uses neighbouring epochs",
        )
    columns, members = check_stages(stage, stage_order(dataset, stage_from)), pick(dataset, picks)
    found = context_means(dataset, members, columns, stage_from)
    drawn = np.isfinite([found[name].means for name in columns]).any(axis=(0, 2))
    offsets = dataset["context"].values[drawn]
    panels = [[f"{what} in {name}" for name in columns] for what in ("the window", "the neighbours")]
    size = (max(1.12 * len(columns) + 1.6, 4.6), 3.9)
    canvas = make_canvas(axes, panels, annotate, figsize=size, sharex=True, sharey="row", height_ratios=[1, 1.15])
    counts = n_epochs_by_stage(dataset, stage_from)
    for ax, name in zip(canvas.axes[0], columns, strict=True):
        bars = _draw_bars(ax, offsets, found[name].means[drawn].sum(axis=1))
        hatch_bars(bars, (offsets == 0) & found[name].marked)
        ax.vlines(
            offsets, found[name].low[drawn], found[name].high[drawn], color="black", linewidth=1.0, gid="interval"
        )
        share = f"context {100 * found[name].share:.0f} %" if np.isfinite(found[name].share) else ""
        ax.set_title(f"{plain(name)} (n = {counts[name]})\n{share}", fontsize=points(9), y=1)
    _share_y(canvas.axes[0])
    neighbours = [np.where(offsets[:, None] == 0, np.nan, found[name].means[drawn]) for name in columns]
    colours = symmetric(neighbours)
    for ax, values in zip(canvas.axes[1], neighbours, strict=True):
        image = _draw_neighbours(ax, offsets, values, colours)
        _write_signs(ax, offsets, values, colours)
    _label_axes(canvas, offsets, dataset.sizes["time"] / result.sfreq, unit(result))
    canvas.fig.colorbar(image, ax=canvas.axes[1].tolist(), label=attribution_label(result), pad=0.02)
    return canvas.finish(
        f"{result.model}: attribution to the context, {picked_words(dataset, members)}",
        positive_means(result, "what an epoch of the window holds"),
        f"Mean over the epochs of a {stage_from} stage; n counts them.",
        "Black lines: 95 % interval of the mean, from blocks of 10 min; none where there are too few epochs or blocks.",
        "Above: summed over all bands, 0 is the epoch itself. Below: its neighbours alone, by band; hatched: fewer than half "
        "of the epochs have such a neighbour. Context %: the neighbours' part of all attributions, in absolute values.",
        share_words(dataset, columns, stage_from),
        "The bar of the epoch itself is hatched where it is within its error."
        if any(found[name].marked for name in columns)
        else "",
        unexplained_words(dataset),
        weight_words(dataset, by_predicted=stage_from == "predicted"),
        sample_words(result),
        show=show,
    )


def has_context(dataset: xr.Dataset) -> bool:
    """Whether a result attributes to neighbours of its epochs."""
    return "context_map" in dataset and bool((dataset["context"].values != 0).any())


def context_means(
    dataset: xr.Dataset, members: npt.NDArray[np.bool_], stages: Sequence[str], stage_from: str = "predicted"
) -> dict[str, ContextMeans]:
    """Return what was attributed to each epoch of the window, by stage.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result with a context map.
    members : array of bool, shape (n_channels,)
        Channels to sum over.
    stages : sequence of str
        Which stages.
    stage_from : {"predicted", "scored", "target"}
        Whose stages they are.
    """
    maps = dataset["context_map"].transpose("epoch", "channel", "context", "band").values
    pooled = pool(dataset, maps, members, stage_from)
    sizes = pool(dataset, np.abs(maps), members, stage_from)
    errors = pooled_errors(dataset, cell_errors(dataset, Bands()).sum(axis=-1), members, stage_from)
    neighbours = dataset["context"].values != 0
    found = {}
    for stage in stages:
        cases, parts = pooled.of(stage), np.nan_to_num(sizes.of(stage)).sum(axis=2)
        weights = pooled.weights_of(stage)
        there = np.isfinite(cases).all(axis=2)
        enough = there.mean(axis=0) >= MOST
        total = np.tensordot(weights, np.nan_to_num(cases), axes=1)
        means = np.divide(total, (weights @ there)[:, None], out=np.full_like(total, np.nan), where=enough[:, None])
        whole = parts.sum(axis=1)
        shares = parts[whole > 0][:, neighbours].sum(axis=1) / whole[whole > 0]
        share = float(np.average(shares, weights=weights[whole > 0])) if shares.size else np.nan
        own = means[~neighbours].sum(axis=1)
        marked = within(own, mean_error(errors.of(stage), weights))
        epochs = pooled.epochs[pooled.labels == stage]
        low, high = _intervals(dataset, cases.sum(axis=2), epochs, weights, enough)
        found[stage] = ContextMeans(means, share, low, high, bool(marked.any()))
    return found


def _intervals(
    dataset: xr.Dataset,
    sums: npt.NDArray[np.float64],
    epochs: npt.NDArray[np.intp],
    weights: npt.NDArray[np.float64],
    enough: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """The intervals of means of sums over bands, (n_cases, n_offsets), over the epochs that have such a neighbour."""
    blocks = blocks_of(dataset["onset"].values[epochs], dataset["recording"].values[epochs])
    found = np.full((2, sums.shape[1]), np.nan)
    for offset in np.flatnonzero(enough):
        there = np.isfinite(sums[:, offset])
        if there.sum() >= MIN_EPOCHS:
            ends = mean_interval(sums[there, offset, None], blocks[there], weights[there])
            found[:, offset] = np.concatenate(ends)
    return found


def _draw_bars(ax: Axes, offsets: npt.NDArray[np.int64], sums: npt.NDArray[np.float64]) -> BarContainer:
    colours = [RAISED if value >= 0 else LOWERED for value in sums]
    bars = ax.bar(offsets, np.nan_to_num(sums), width=0.8, color=colours)
    ax.axhline(0, color="0.3", linewidth=0.6)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return bars


def _share_y(axes: npt.NDArray[np.object_]) -> None:
    """Give axes, which may be the caller's, one scale."""
    low, high = zip(*(ax.get_ylim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_ylim(min(low), max(high))


def _draw_neighbours(
    ax: Axes, offsets: npt.NDArray[np.int64], values: npt.NDArray[np.float64], colours: Normalize
) -> AxesImage:
    """Draw the bands of the neighbours, shape (n_offsets, n_rows)."""
    image = ax.imshow(
        _drawn_bands(values),
        cmap=diverging(),
        norm=colours,
        aspect="auto",
        extent=(offsets[0] - 0.5, offsets[-1] + 0.5, len(Bands().names) - 0.5, -0.5),
    )
    _mark_what_is_not_there(ax, offsets, values)
    return image


def _write_signs(ax: Axes, offsets: npt.NDArray[np.int64], values: npt.NDArray[np.float64], colours: Normalize) -> None:
    """Write the sign into strong cells of a short window, for those who see no colours."""
    from matplotlib.colors import to_hex

    if len(offsets) > _MOST_WITH_SIGNS:
        return
    for (row, column), value in np.ndenumerate(_drawn_bands(values)):
        if np.isfinite(value) and abs(value) > _STRONG * float(colours.vmax or 1):
            fill = to_hex(diverging()(colours(value)))
            text = "+" if value > 0 else "−"
            ax.text(
                float(offsets[column]),
                row,
                text,
                ha="center",
                va="center",
                fontsize=points(8),
                color=ink(fill),
                gid="sign",
            )


def _mark_what_is_not_there(ax: Axes, offsets: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> None:
    """Hatch offsets without a value, and name the epoch itself."""
    for offset, row in zip(offsets, values, strict=True):
        if offset == 0:
            ax.axvspan(-0.5, 0.5, color=_NOTHING_THERE, linewidth=0)
            ax.text(
                0,
                values.shape[1] / 2 - 0.5,
                "the epoch itself",
                rotation=90,
                ha="center",
                va="center",
                fontsize=points(7),
                color="0.3",
            )
        elif not np.isfinite(row).any():
            ax.axvspan(offset - 0.5, offset + 0.5, facecolor="none", edgecolor="0.75", hatch="///", linewidth=0)


def _drawn_bands(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return rows of bands in the order in which they are drawn, shape (n_rows, n_offsets)."""
    names = Bands().names
    return values[:, [names.index(name) for name in bands_in_rows(Bands())]].T


def _label_axes(canvas: Canvas, offsets: npt.NDArray[np.int64], duration: float, score_unit: str) -> None:
    def label(offset: int) -> str:
        minutes = offset * duration / 60
        return f"{offset:+d}\n{minutes:+.3g} min".replace("-", "−") if offset else "0"

    # One on each side of 0, so that their labels have room.
    step = next(step for step in _STEPS if 2 * step > np.abs(offsets).max())
    ticks = [int(offset) for offset in offsets if offset % step == 0]
    for ax in canvas.axes[1] if canvas.own else canvas.axes.flat:
        ax.set_xticks(ticks, [label(offset) for offset in ticks])
        ax.tick_params(labelsize=points(7))
        ax.set_xlim(offsets[0] - 0.5, offsets[-1] + 0.5)
    names = bands_in_rows(Bands())
    for above, below in canvas.axes.T[:1] if canvas.own else canvas.axes.T:
        below.set_yticks(range(len(names)), names)
        above.set_ylabel(f"All bands\n({score_unit})")
        below.set_ylabel("Band, neighbours only")
    middle = canvas.axes[1, canvas.axes.shape[1] // 2]
    for ax in [middle] if canvas.own else canvas.axes[1]:
        ax.set_xlabel(f"Epochs from the epoch explained (1 epoch = {duration:g} s)")
