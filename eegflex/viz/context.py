"""The context map: what the neighbours of an epoch did to its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import REST, Bands
from eegflex.errors import ParameterError
from eegflex.results.select import (
    averaged_words,
    bands_and_rest,
    check_stage,
    n_epochs_by_stage,
    pick,
    picked_words,
    pool,
    sample_words,
    stage_order,
)
from eegflex.results.wording import attribution_label, positive_means, unit
from eegflex.viz.style import DIVERGING, NEGATIVE, POSITIVE, add_note, plain, symmetric

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["ContextMeans", "context_means", "has_context", "plot_context"]

#: Of an epoch's neighbours, only offsets that so many of the epochs of a stage have are drawn.
MOST = 0.5
_NOTHING_THERE = "0.93"
#: Offsets that are labelled, in epochs.
_STEPS = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 240, 480, 960, 1920, 3840)


@dataclass(frozen=True)
class ContextMeans:
    """What was attributed to each epoch of the window, on average over the epochs of one stage.

    Attributes
    ----------
    means : array, shape (n_offsets, n_bands + 1)
        NaN where fewer than half of the epochs have such a neighbour.
    share : float
        Of the absolute total of the band sums of the window, the part that is the neighbours', averaged over epochs; NaN
        where all of it is nothing.
    """

    means: npt.NDArray[np.float64]
    share: float


def plot_context(
    result: FlexResult,
    *,
    stage: str | None = None,
    picks: str | Sequence[str] | None = None,
    show: bool = True,
) -> Figure:
    """Draw what the epochs around an epoch did to its score, one column a stage.

    Above, the attribution to each epoch of the window, summed over all bands: how much the epoch itself counts, and how much
    its neighbours. Below, the neighbours alone, by band, on a colour scale of their own. Sums are over the picked channels
    that the stager takes at once, means over the epochs of a predicted stage.

    Parameters
    ----------
    result : FlexResult
        Attributions with ``context="scaled"``. A result of all stages speaks for the predicted one.
    stage : str | None
        Draw only this predicted stage.
    picks : str | sequence of str | None
        Channel types or names. By default the EEG, or all channels where there is none.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        Red raised the score, blue lowered it. Hatched: fewer than half of the epochs have such a neighbour.

    Raises
    ------
    ParameterError
        If the result has no context map, or no epoch of the stage was explained.
    ChannelError
        If there is no such channel.
    """
    from mne.viz.utils import plt_show

    result = result.for_target()
    dataset = result.data
    if not has_context(dataset):
        raise ParameterError(
            "This result attributes nothing to the context",
            seen=f"context={result.parameters['context']!r}, stager {result.model}",
            remedy="Attribute with context='scaled', with a stager that looks at neighbouring epochs",
        )
    columns, members = check_stage(stage, stage_order(dataset, "predicted")), pick(dataset, picks)
    found = context_means(dataset, members, columns)
    drawn = np.isfinite([found[name].means for name in columns]).any(axis=(0, 2))
    offsets = dataset["context"].values[drawn]
    fig, axes = _make_grid(len(columns))
    counts = n_epochs_by_stage(dataset, "predicted")
    neighbours = [np.where(offsets[:, None] == 0, np.nan, found[name].means[drawn]) for name in columns]
    colours = symmetric(neighbours)
    for column, name in enumerate(columns):
        _draw_bars(axes[0, column], offsets, found[name].means[drawn].sum(axis=1))
        share = f"context {100 * found[name].share:.0f} %" if np.isfinite(found[name].share) else ""
        axes[0, column].set_title(f"{plain(name)} (n = {counts[name]})\n{share}", fontsize=9)
        image = axes[1, column].imshow(
            _drawn_bands(neighbours[column]),
            cmap=DIVERGING,
            norm=colours,
            aspect="auto",
            extent=(offsets[0] - 0.5, offsets[-1] + 0.5, len(Bands().names) - 0.5, -0.5),
        )
        _mark_what_is_not_there(axes[1, column], offsets, neighbours[column])
    _label_axes(axes, offsets, dataset.sizes["time"] / result.sfreq, unit(result))
    fig.colorbar(image, ax=axes[1].tolist(), label=attribution_label(result), pad=0.02)
    fig.suptitle(plain(f"{result.model}: attribution to the context, {picked_words(dataset, members)}"), fontsize=11)
    add_note(
        fig,
        positive_means(result, "what an epoch of the window holds"),
        f"Mean over the {averaged_words(dataset)} of a predicted stage; n counts epochs.",
        "Above: summed over all bands, 0 is the epoch itself. Below: its neighbours alone, by band; hatched: fewer than half "
        "of the epochs have such a neighbour. Context %: the neighbours' part of all attributions, signs left aside.",
        sample_words(result),
    )
    plt_show(show, fig)
    return fig


def has_context(dataset: xr.Dataset) -> bool:
    """Whether a result attributes to neighbours of its epochs."""
    return "context_map" in dataset and bool((dataset["context"].values != 0).any())


def context_means(
    dataset: xr.Dataset, members: npt.NDArray[np.bool_], stages: Sequence[str]
) -> dict[str, ContextMeans]:
    """Return what was attributed to each epoch of the window, by predicted stage.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result with a context map.
    members : array of bool, shape (n_channels,)
        Channels to sum over.
    stages : sequence of str
        Which stages.
    """
    maps = dataset["context_map"].transpose("epoch", "channel", "context", "band").values
    pooled = pool(dataset, maps, members, "predicted")
    sizes = pool(dataset, np.abs(maps), members, "predicted")
    neighbours = dataset["context"].values != 0
    found = {}
    for stage in stages:
        cases, parts = pooled.of(stage), np.nan_to_num(sizes.of(stage)).sum(axis=2)
        there = np.isfinite(cases).all(axis=2)
        enough = there.mean(axis=0) >= MOST
        total = np.nan_to_num(cases).sum(axis=0)
        means = np.divide(total, there.sum(axis=0)[:, None], out=np.full_like(total, np.nan), where=enough[:, None])
        whole = parts.sum(axis=1)
        shares = parts[whole > 0][:, neighbours].sum(axis=1) / whole[whole > 0]
        found[stage] = ContextMeans(means, float(shares.mean()) if shares.size else np.nan)
    return found


def _make_grid(n_columns: int) -> tuple[Figure, npt.NDArray[np.object_]]:
    import matplotlib.pyplot as plt

    size = (max(1.9 * n_columns + 2.4, 6.4), 5.6)
    return plt.subplots(
        2, n_columns, figsize=size, sharex=True, sharey="row", height_ratios=[1, 1.15], squeeze=False,
        layout="constrained",
    )  # fmt: skip


def _draw_bars(ax: Axes, offsets: npt.NDArray[np.int64], sums: npt.NDArray[np.float64]) -> None:
    colours = [POSITIVE if value >= 0 else NEGATIVE for value in sums]
    ax.bar(offsets, np.nan_to_num(sums), width=0.8, color=colours)
    ax.axhline(0, color="0.3", linewidth=0.6)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


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
                fontsize=7,
                color="0.3",
            )
        elif not np.isfinite(row).any():
            ax.axvspan(offset - 0.5, offset + 0.5, facecolor="none", edgecolor="0.75", hatch="///", linewidth=0)


def _drawn_bands(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return rows of bands in the order in which they are drawn, shape (n_bands + 1, n_offsets)."""
    names = Bands().names
    return values[:, [names.index(name) for name in bands_and_rest(Bands())]].T


def _label_axes(
    axes: npt.NDArray[np.object_], offsets: npt.NDArray[np.int64], duration: float, score_unit: str
) -> None:
    def label(offset: int) -> str:
        minutes = offset * duration / 60
        return f"{offset:+d}\n{minutes:+.3g} min".replace("-", "−") if offset else "0"

    # One on each side of 0, so that their labels have room.
    step = next(step for step in _STEPS if 2 * step > np.abs(offsets).max())
    ticks = [int(offset) for offset in offsets if offset % step == 0]
    for ax in axes[1]:
        ax.set_xticks(ticks, [label(offset) for offset in ticks])
        ax.tick_params(labelsize=8)
        ax.set_xlim(offsets[0] - 0.5, offsets[-1] + 0.5)
    names = [name if name != REST else f"{REST} (no band)" for name in bands_and_rest(Bands())]
    axes[1, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylabel(f"All bands\n({score_unit})")
    axes[1, 0].set_ylabel("Band, neighbours only")
    middle = axes[1, axes.shape[1] // 2]
    middle.set_xlabel(f"Epochs from the epoch explained (1 epoch = {duration:g} s)")
