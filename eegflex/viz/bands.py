"""Bands by stages: what each band did in each epoch, one mark an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.results import tables
from eegflex.results.intervals import blocks_of, median_interval, quantile
from eegflex.results.marks import cell_errors, pooled_errors, unexplained_words, within
from eegflex.results.means import refuse_single
from eegflex.results.select import (
    Pooled,
    as_bands,
    bands_in_rows,
    channel_types,
    check_stages,
    pick_all,
    picked_words,
    pool,
    sample_words,
    stage_order,
)
from eegflex.results.spectral_share import share_words
from eegflex.results.trust import has_evidence, judge, trust_words
from eegflex.results.weights import weight_words
from eegflex.results.wording import positive_means, reading, span_words, unit
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import make_canvas
from eegflex.viz.scales import Scale, choose_scale
from eegflex.viz.style import LIGHT, LOWERED, RAISED, plain, points, stage_colours, swarm

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["BandMarks", "Middle", "band_marks", "draw_panel", "plot_bands"]

#: Stages beside each other; more go on in the next row.
_WIDEST = 6
#: Beside fewer stages there is no room for a long label below.
_NARROW = 3
#: Part of a row that its marks take, on each side of its middle.
_REACH = 0.36
_WITHIN = "0.62"


@dataclass(frozen=True)
class Middle:
    """The median of one band over the epochs of a stage.

    Attributes
    ----------
    value, error : float
        The median, and that of the errors of the epochs.
    low, high : float
        Its interval of 95 %; NaN where there are too few epochs for one, or all are of one block.
    """

    value: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class BandMarks:
    """What each band did in each epoch, summed over channels of one type that the stager takes at once.

    Attributes
    ----------
    did : Pooled
        Attribution of each epoch, shape (n_cases, n_rows), in the order in which bands are drawn: the fastest first.
    errors : array, shape (n_cases, n_rows)
        Estimated errors; NaN without an estimate.
    blocks : array of int, shape (n_cases,)
        The block of 10 minutes of each epoch.
    trusted : array of bool, shape (n_cases,)
        Whether the epoch is trusted.
    """

    did: Pooled
    errors: npt.NDArray[np.float64]
    blocks: npt.NDArray[np.intp]
    trusted: npt.NDArray[np.bool_]

    @property
    def within(self) -> npt.NDArray[np.bool_]:
        """Which attributions are within their errors."""
        return within(self.did.values, self.errors)

    def middles(self, stage: str) -> list[Middle]:
        """Return the medians of a stage, by row; none where it has no epoch."""
        return self._by_stage.get(stage, [])

    @cached_property
    def _by_stage(self) -> dict[str, list[Middle]]:
        return {stage: self._middles(stage) for stage in dict.fromkeys(self.did.labels.tolist())}

    def _middles(self, stage: str) -> list[Middle]:
        of_stage = self.did.labels == stage
        values, weights = self.did.values[of_stage], self.did.weights[of_stage]
        low, high = median_interval(values, self.blocks[of_stage], weights)
        found = (quantile(one, weights, 0.5) for one in (values, self.errors[of_stage]))
        return [Middle(*map(float, row)) for row in np.column_stack([next(found), low, high, next(found)])]


@checked
def plot_bands(
    result: FlexResult,
    *,
    stage: str | Sequence[str] | None = None,
    picks: str | Sequence[str] | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    stage_from: str = "predicted",
    trust: str = "all",
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot the attribution of each band in each epoch, by stage.

    A mark is one epoch: the attribution summed over a band and over the picked channels of one type that the stager takes at
    once. Of a stager that takes one EEG channel at a time it is the mean over those channels that explain the stage that the
    epoch has.
    Over the marks stand their median and its 95 % interval. All panels have one scale. A result of all stages speaks for the
    predicted one.

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
        Whether the panels are the stager's stages, the hypnogram's, or the scores that were explained.
    trust : {"all", "trusted"}
        Which epochs to draw: all, or those that `FlexResult.trust` trusts.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into, one for each channel type, EEG first, and stage. By default those of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        One panel for each channel type and stage. A plus raised the score, a circle lowered it; grey is within its error. Where
        the result was evaluated, marks of trusted epochs are filled.

    Raises
    ------
    ChannelError
        If there is no such channel.
    ParameterError
        If no epoch of a stage was explained, or `axes` are not as many as the panels.

    See Also
    --------
    eegflex.viz.plot_spectrum : Frequencies, by stage.
    eegflex.viz.plot_topomap : Bands over the head.
    eegflex.Bands : Names and edges of frequency bands.

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
    stages, kinds = check_stages(stage, stage_order(dataset, stage_from)), channel_types(dataset, members)
    of_kind = {kind: members & (dataset["ch_type"].values.astype(str) == kind) for kind in kinds}
    marks = band_marks(dataset, bands, of_kind, stage_from)
    names = {kind: picked_words(dataset, own) for kind, own in of_kind.items()}
    places = [[(kind, one) for one in part] for kind in kinds for part in _parts(stages)]
    widest = max(map(len, places))
    panels = [[f"{names[kind]} in {one}" for kind, one in row] + [""] * (widest - len(row)) for row in places]
    height = 0.21 * len(bands.names) + 0.62
    canvas = make_canvas(
        axes,
        panels,
        annotate,
        figsize=(max(1.18 * widest + 1.5, 3.4), height * len(panels) + 0.75),
        sharex=True,
        sharey=True,
    )
    scale = choose_scale(
        [one.did.values[np.isin(one.did.labels, stages)] for one in marks.values()],
        [one.within[np.isin(one.did.labels, stages)] for one in marks.values()],
        "attribution",
    )
    for row, axes_of_row in zip(places, canvas.axes, strict=True):
        for (kind, one), ax in zip(row, axes_of_row, strict=False):
            draw_panel(ax, marks[kind], one, scale)
            n, kept = _counts(marks[kind], one)
            filled = f", {kept} trusted" if has_evidence(dataset) else ""
            where = f"{plain(names[kind])}, " if len(kinds) > 1 or not canvas.own else ""
            ax.set_title(f"{where}{plain(one)}\nn = {n}{filled}", fontsize=points(8.5), y=1)
            ax.spines["top"].set(color=stage_colours(result.stages).get(one, LIGHT.muted), linewidth=3)
            _label_bands(ax, bands, labelled=not canvas.own or ax is axes_of_row[0])
    canvas.label_x(f"Attribution{chr(10) if widest < _NARROW else ' '}({unit(result)})")
    return canvas.finish(
        f"{result.model}: what each band did to the score, by {stage_from} stage",
        *_notes(result, marks, stages, names, scale),
        share_words(dataset, stages, stage_from),
        unexplained_words(dataset),
        trust_words(every.data, trust, stage_from),
        weight_words(dataset, by_predicted=stage_from == "predicted"),
        sample_words(result),
        show=show,
    )


def band_marks(
    dataset: xr.Dataset, bands: Bands, of_kind: Mapping[str, npt.NDArray[np.bool_]], stage_from: str
) -> dict[str, BandMarks]:
    """Return what each band did in each epoch.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    bands : Bands
        Frequency bands.
    of_kind : mapping of str to array of bool, shape (n_channels,)
        The channels to sum over, by what they are called.
    stage_from : {"predicted", "scored", "target"}
        Whose stages they are.
    """
    refuse_single(dataset, "a figure with a mark for each epoch")
    order = [bands.names.index(name) for name in bands_in_rows(bands)]
    sums, errors = tables.band_sums(dataset, bands)[..., order], cell_errors(dataset, bands)[..., order]
    kept = judge(dataset).epochs if has_evidence(dataset) else np.zeros(dataset.sizes["epoch"], dtype=bool)
    blocks = blocks_of(dataset["onset"].values, dataset["recording"].values)
    found = {}
    for kind, members in of_kind.items():
        did = pool(dataset, sums, members, stage_from)
        own = pooled_errors(dataset, errors, members, stage_from).values
        found[kind] = BandMarks(did, own, blocks[did.epochs], kept[did.epochs])
    return found


def _parts(stages: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide stages into rows as wide as each other."""
    n_rows = -(-len(stages) // _WIDEST)
    width = -(-len(stages) // n_rows)
    return (stages[start : start + width] for start in range(0, len(stages), width))


def _counts(marks: BandMarks, stage: str) -> tuple[int, int]:
    of_stage = marks.did.labels == stage
    return int(of_stage.sum()), int((of_stage & marks.trusted).sum())


def draw_panel(ax: Axes, marks: BandMarks, stage: str, scale: Scale) -> None:
    """Draw the marks of one stage, a row a band, and over them their medians."""
    of_stage = marks.did.labels == stage
    values, doubtful = marks.did.values[of_stage], marks.within[of_stage]
    scale.apply(ax)
    rows = np.arange(values.shape[1])
    offsets = np.stack([swarm(scale.place(values[:, row]), _REACH) for row in rows], axis=1)
    trusted = np.broadcast_to(marks.trusted[of_stage][:, None], values.shape)
    ax.axvline(0, color=LIGHT.muted, linewidth=0.7, zorder=1)
    for sign, colour, (open_mark, full_mark) in ((1, RAISED, ("+", "P")), (-1, LOWERED, ("o", "o"))):
        for is_within in (True, False):
            for is_trusted in (False, True):
                chosen = (np.sign(values) == sign) & (doubtful == is_within) & (trusted == is_trusted)
                chosen |= (values == 0) & (sign > 0) & (doubtful == is_within) & (trusted == is_trusted)
                if not chosen.any():
                    continue
                own = _WITHIN if is_within else colour
                filled = own if is_trusted or open_mark == "+" else "none"
                ax.plot(
                    values[chosen], (rows + offsets)[chosen], full_mark if is_trusted else open_mark, color=own,
                    markerfacecolor=filled, markersize=4.2, markeredgewidth=0.8, linestyle="none",
                    zorder=2 if is_within else 3, gid=_gid(sign, within=is_within, trusted=is_trusted),
                )  # fmt: skip
    _draw_middles(ax, marks.middles(stage))
    ax.set_ylim(len(rows) - 0.5, -0.5)


def _gid(sign: int, *, within: bool, trusted: bool) -> str:
    """Name a group of marks, in a vector figure as in a test."""
    words = ["raised" if sign > 0 else "lowered", "within error" if within else "", "trusted" if trusted else ""]
    return ", ".join(word for word in words if word)


def _draw_middles(ax: Axes, middles: Sequence[Middle]) -> None:
    """Draw the medians of rows, grey where they are within their error, and their intervals where there are any."""
    value, low, high, error = np.array([[one.value, one.low, one.high, one.error] for one in middles]).T
    rows, colours = np.arange(len(value)), np.where(np.abs(value) <= error, "0.45", "black")
    for width, own, order in ((3.4, "white", 4), (1.5, colours, 5)):
        ax.vlines(value, rows - 0.42, rows + 0.42, color=own, linewidth=width, zorder=order, gid="median",
                  capstyle="projecting")  # fmt: skip
    known = np.isfinite(low)
    for width, own, order in ((2.6, "white", 4), (1.1, colours[known], 5)) if known.any() else ():
        ax.hlines(rows[known] + 0.42, low[known], high[known], color=own, linewidth=width, zorder=order, gid="interval")


def _label_bands(ax: Axes, bands: Bands, *, labelled: bool) -> None:
    rows = bands_in_rows(bands)
    if labelled:
        names = [f"{plain(name)} {span_words(name, bands)}" for name in rows]
        ax.set_yticks(range(len(rows)), names, fontsize=points(8))
        ax.tick_params(axis="y", length=0)
    ax.yaxis.set_visible(labelled)
    ax.tick_params(axis="x", labelsize=points(7.5), labelbottom=True)
    edges = np.arange(len(rows) - 1) + 0.5
    ax.hlines(edges, 0, 1, transform=ax.get_yaxis_transform(), color="0.9", linewidth=0.6, zorder=0)
    for side in ("left", "right"):
        ax.spines[side].set_visible(False)


def _notes(
    result: FlexResult, marks: Mapping[str, BandMarks], stages: Sequence[str], names: Mapping[str, str], scale: Scale
) -> Iterator[str]:
    data, how = result.data, reading(result)
    summed = "each channel" if data["n_channels"].values.max() == 1 else "the channels that the stager takes at once"
    several = data.sizes["channel_set"] > 1
    yield f"Each mark is one epoch: the sum over a band of {summed}" + (
        ", the mean over the channels that explain the epoch's stage." if several else "."
    )
    yield f"+ (red): {how.raised} the score; ○ (blue): {how.lowered} it."
    yield positive_means(result)
    if any(one.within.any() for one in marks.values()):
        yield "Grey: within its error."
    if has_evidence(data):
        yield "Filled: trusted."
    yield "Line: median; bar below it: its 95 % interval, from blocks of 10 min."
    without = [one for one in stages if any(_no_interval(own, one) for own in marks.values())]
    if without:
        yield f"No interval where epochs are too few, or from too few parts of the night ({', '.join(without)})."
    yield scale.words
    if len(names) == 1:
        yield f"Channels: {next(iter(names.values()))}."


def _no_interval(marks: BandMarks, stage: str) -> bool:
    return any(not np.isfinite(middle.low) for middle in marks.middles(stage))
