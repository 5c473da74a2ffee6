"""The attribution spectrum of each stage, beside the power spectrum."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.dominated import dominated_stages
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.results.marks import cell_errors, mean_error, pooled_errors, unexplained_words, within
from eegflex.results.means import only_means
from eegflex.results.once import known
from eegflex.results.select import (
    Pooled,
    as_bands,
    bands_in_rows,
    few_words,
    n_epochs_by_stage,
    pick,
    picked_words,
    pool,
    sample_words,
    stages_of_few,
    stages_with_means,
)
from eegflex.results.spectral_share import share_words
from eegflex.results.trust import trust_words
from eegflex.results.weights import weight_words
from eegflex.results.wording import positive_means, unit
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import make_canvas
from eegflex.viz.style import GREY, LIGHT, LOWERED, RAISED, WITHIN, plain, points, shade_bands, stage_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["BIN", "bin_edges", "decibels", "draw_signed", "into_bins", "plot_spectrum"]

#: Spectra that are summed in double precision at once; a night's are as large as its result.
_AT_ONCE = 1024

#: Hz. Bins of a 30-s epoch are 1/30 Hz wide: too narrow to be seen, and their attributions noisy.
BIN = 0.5
#: The ends of the intervals of a stage's means, if it has any.
_Interval = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None


@checked
def plot_spectrum(
    result: FlexResult,
    *,
    stage: str | Sequence[str] | None = None,
    picks: str | Sequence[str] | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    stage_from: str = "predicted",
    trust: str = "all",
    fmax: float = 30.0,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot the attribution spectrum, with power for comparison, by stage.

    Attributions are summed in bins of 0.5 Hz and over the picked channels that the stager takes at once; the mean over the
    epochs of a stage is drawn, with its 95 % interval. Bands whose sums are within their error are hatched. The sum of a band's
    bins is the number of `FlexResult.band_table`. A result of all stages speaks for the predicted one.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, or of several.
    stage : str | sequence of str | None
        Draw only these stages.
    picks : str | sequence of str | None
        Channel types or names. By default the EEG, or all channels where there is none.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    stage_from : {"predicted", "scored", "target"}
        Whether the rows are the stager's stages, the hypnogram's, or the scores that were explained.
    trust : {"all", "trusted"}
        Which epochs to draw: all, or those that `FlexResult.trust` trusts.
    fmax : float
        Highest frequency that is drawn, in Hz.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into, one for each stage. By default those of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        One row for each stage, each with its own scale.

    Raises
    ------
    ChannelError
        If there is no such channel.
    ParameterError
        If the method attributes to whole bands, no epoch of a stage was explained (with ``precision="mean"``, fewer than five),
        `fmax` is too low, or `axes` are not as many as the panels.

    See Also
    --------
    eegflex.viz.plot_bands : Bands, by stage.
    eegflex.viz.plot_epoch : One epoch.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> fig = eegflex.viz.plot_spectrum(result, stage="W", picks="C4-M1", show=False)
    >>> fig.axes[0].get_title(loc="left")
    'W  (n = 2)'
    """
    every, bands = result.for_target(), as_bands(bands, result.data)
    result = every.sel(trust=trust)
    dataset, freqs = result.data, result.freqs
    _check(result, fmax)
    counts, members = n_epochs_by_stage(dataset, stage_from), pick(dataset, picks)
    order = stages_with_means(dataset, counts, stage)
    canvas = make_canvas(axes, [[name] for name in order], annotate, figsize=(7.2, 1.2 * len(order) + 0.9), sharex=True)
    marked = _marked_bands(dataset, bands, members, order, stage_from)
    edges = bin_edges(freqs, fmax)
    width = edges[1] - edges[0]
    attribution = _pooled(dataset, "frequency_view", members, stage_from, edges, mean=False)
    power = _pooled(dataset, "power", members, stage_from, edges, mean=True)
    carried = dominated_stages(dataset, stage_from)
    intervals = {name: None if name in carried else _interval(dataset, attribution, name) for name in order}
    compared = _baseline_power(result, members, edges)
    for row, (ax, name) in enumerate(zip(canvas.axes[:, 0], order, strict=True)):
        named = row == 0 or not canvas.own
        _draw_row(ax, edges, intervals[name], attribution, power, compared, name, bands, named=named)
        _hatch_bands(ax, bands, marked[:, row], edges[-1])
        title = f"{plain(name)}  (n = {counts[name]})"
        ax.set_title(title, loc="left", fontsize=points(9), pad=14 if named else 4, y=1)
        ax.spines["left"].set(color=stage_colours(result.stages).get(name, LIGHT.muted), linewidth=3)
        if ax is canvas.axes[-1, 0] or not canvas.own:
            ax.set_xlabel("Frequency (Hz)")
        else:
            ax.xaxis.set_visible(False)
        ax.set_xlim(0, edges[-1])
    canvas.label_y(f"Attribution per {width:g} Hz{' ' if canvas.own and len(order) > 2 else chr(10)}({unit(result)})")
    return canvas.finish(
        f"{result.model}: attribution spectrum by {stage_from} stage, {picked_words(dataset, members)}",
        positive_means(result, "this frequency"),
        f"Filled: mean sum in bins of {width:g} Hz, red above 0, blue below. Each row has its own scale.",
        _interval_words(intervals, carried),
        _power_words(result, compared),
        few_words(stages_of_few(dataset, counts)) if stage is None else "",
        share_words(dataset, order, stage_from),
        "Hatched on top: the sum over the band is within its error." if marked.any() else "",
        unexplained_words(dataset),
        trust_words(every.data, trust, stage_from),
        weight_words(dataset, by_predicted=stage_from == "predicted"),
        sample_words(result),
        show=show,
    )


def _pooled(
    dataset: xr.Dataset,
    variable: str,
    members: npt.NDArray[np.bool_],
    stage_from: str,
    edges: npt.NDArray[np.float64],
    *,
    mean: bool,
) -> Pooled:
    """Bring a variable into bins, and pool it over channels."""
    freqs = dataset["freq"].values

    def in_bins() -> npt.NDArray[np.float64]:
        return tables.reduced(dataset[variable], lambda values: into_bins(values, freqs, edges, mean=mean))

    binned = known(dataset.variables[variable], ("bins", edges.tobytes(), mean), in_bins)
    return pool(dataset, binned, members, stage_from, mean=mean)


def _check(result: FlexResult, fmax: float) -> None:
    if "frequency_view" not in result.data:
        raise ParameterError(
            "This result has no attribution to frequencies: its method attributes to whole bands",
            seen=f"method={result.parameters['method']!r}",
            remedy="Use plot_bands, or attribute with a method such as 'flex'",
        )
    freqs = result.freqs
    if not fmax > freqs[1]:
        raise ParameterError(
            "fmax is below the first frequency", seen=fmax, allowed=f"{freqs[1]:g} to {freqs[-1]:g} Hz"
        )


def bin_edges(freqs: npt.NDArray[np.float64], fmax: float, width: float = BIN) -> npt.NDArray[np.float64]:
    """Return the edges of bins up to `fmax`, in Hz; as wide as the frequencies lie apart where that is wider."""
    width = max(width, float(freqs[1] - freqs[0]))
    top = min(fmax, float(freqs[-1]) + width / 2)
    return np.arange(int(np.ceil(top / width - 1e-9)) + 1, dtype=np.float64) * width


def into_bins(
    values: npt.NDArray[Any], freqs: npt.NDArray[np.float64], edges: npt.NDArray[np.float64], *, mean: bool = False
) -> npt.NDArray[np.float64]:
    """Sum values in bins ``low <= f < high``, shape (..., n_bins), or take their mean."""
    masks = (freqs >= edges[:-1, None] - 1e-9) & (freqs < edges[1:, None] - 1e-9)
    weights: npt.NDArray[np.float64] = masks.T.astype(np.float64)
    if mean:
        weights = weights / np.maximum(masks.sum(axis=1), 1)
    rows = values.reshape(-1, values.shape[-1])
    blocks = (rows[i : i + _AT_ONCE].astype(np.float64) @ weights for i in range(0, len(rows), _AT_ONCE))
    return np.concatenate([*blocks]).reshape(*values.shape[:-1], len(masks))


def draw_signed(
    ax: Axes, edges: npt.NDArray[np.float64], heights: npt.NDArray[np.float64], *, upright: bool = True
) -> None:
    """Draw steps that are red above zero and blue below, or to its right and left where frequencies go up."""
    how: Literal["vertical", "horizontal"] = "vertical" if upright else "horizontal"
    for part, colour in ((np.maximum(heights, 0), RAISED), (np.minimum(heights, 0), LOWERED)):
        ax.stairs(part, edges, fill=True, color=colour, linewidth=0, orientation=how)
    (ax.axhline if upright else ax.axvline)(0, color="0.3", linewidth=0.6)


def decibels(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return power in dB; NaN where there is none."""
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(power)
    return np.asarray(np.where(np.isfinite(level), level, np.nan), dtype=np.float64)


def _hatch_bands(ax: Axes, bands: Bands, marks: npt.NDArray[np.bool_], top: float) -> None:
    """Hatch a strip at the top of the bands whose sums are within their error, which are in the order of rows."""
    for name, marked in zip(bands_in_rows(bands), marks, strict=True):
        if marked and name in bands and bands[name][0] < top:
            low, high = bands[name][0], min(bands[name][1], top)
            ax.axvspan(low, high, ymin=0.9, facecolor="white", edgecolor="0.5", hatch=WITHIN, linewidth=0, zorder=4)


def _marked_bands(
    dataset: xr.Dataset, bands: Bands, members: npt.NDArray[np.bool_], stages: Sequence[str], stage_from: str
) -> npt.NDArray[np.bool_]:
    """Return which means of bands are within their error, shape (n_rows, n_stages), in the order of rows."""
    pooled = pool(dataset, tables.band_sums(dataset, bands), members, stage_from)
    errors = pooled_errors(dataset, cell_errors(dataset, bands), members, stage_from)
    means = np.stack([pooled.mean(stage) for stage in stages], axis=1)
    drawn = only_means(dataset)
    of_means = np.stack([mean_error(errors.of(one), errors.weights_of(one), drawn=drawn) for one in stages], axis=1)
    return within(means, of_means)[[bands.names.index(name) for name in bands_in_rows(bands)]]


def _interval(dataset: xr.Dataset, attribution: Pooled, stage: str) -> _Interval:
    """The interval of the means of a stage; None where it has too few epochs for one, or all are of one block."""
    cases, epochs = attribution.of(stage), attribution.epochs[attribution.labels == stage]
    blocks = blocks_of(dataset["onset"].values[epochs], dataset["recording"].values[epochs])
    if len(cases) < MIN_EPOCHS or len(np.unique(blocks)) < 2:
        return None
    return mean_interval(cases, blocks, attribution.weights_of(stage), guarded=only_means(dataset))


def _interval_words(intervals: Mapping[str, _Interval], carried: Collection[str]) -> str:
    without = [stage for stage, found in intervals.items() if found is None]
    told = "Black lines: 95 % interval of the mean, from blocks of 10 min."
    if not without:
        return told
    few = [stage for stage in without if stage in carried]
    short = [stage for stage in without if stage not in carried]
    none = " and ".join(
        [
            *([f"fewer than {MIN_EPOCHS} epochs, or of one block only ({', '.join(short)})"] if short else []),
            *([f"means that a few epochs dominate ({', '.join(few)})"] if few else []),
        ]
    )
    return f"No intervals: {none}." if len(without) == len(intervals) else f"{told} None where there are {none}."


@dataclass(frozen=True)
class _Compared:
    """The power of the baseline, shape (n_bins,), of how many epochs that is told, and of which."""

    power: npt.NDArray[np.float64]
    n_epochs: int
    what: str


def _baseline_power(
    result: FlexResult, members: npt.NDArray[np.bool_], edges: npt.NDArray[np.float64]
) -> _Compared | None:
    """The spectrum of an ordinary epoch, of the recording or of a stage, so far as the explained epochs tell it."""
    kind, _, stage = str(result.parameters["baseline"]).partition(":")
    if kind not in ("recording", "surrogate", "stage"):
        return None
    data = result.data
    chosen = data["stage"].values.astype(str) == stage if stage else np.ones(len(result), dtype=bool)
    if chosen.sum() < MIN_EPOCHS:
        return None
    power = data["power"].isel(epoch=np.flatnonzero(chosen), channel=np.flatnonzero(members))
    binned = tables.reduced(power, lambda values: into_bins(values, data["freq"].values, edges, mean=True))
    what = f"scored {stage}" if stage else "of the recording"
    return _Compared(np.median(binned, axis=0).mean(axis=0), int(chosen.sum()), what)


def _power_words(result: FlexResult, compared: _Compared | None) -> str:
    told = "Grey line: mean power density."
    if compared is not None:
        told += (
            f" Dashed: that of the baseline, estimated as the median over the {compared.n_epochs} explained epochs "
            f"{compared.what}."
        )
    elif result.parameters["baseline"] == "zero":
        told += " The baseline, silence, has none."
    return told


def _draw_row(
    ax: Axes,
    edges: npt.NDArray[np.float64],
    interval: _Interval,
    attribution: Pooled,
    power: Pooled,
    compared: _Compared | None,
    stage: str,
    bands: Bands,
    *,
    named: bool,
) -> None:
    shade_bands(ax, bands, edges[-1], names=named)
    right = ax.twinx()
    right.tick_params(colors=GREY, labelsize=points(8))
    for side in ("top", "left"):
        right.spines[side].set_visible(False)
    ax.spines["top"].set_visible(False)
    ax.tick_params(labelsize=points(8))
    right.set_ylabel("Power density\n(dB re 1 µV²/Hz)", color=GREY, fontsize=points(7.5))
    if not len(attribution.of(stage)):
        return
    draw_signed(ax, edges, attribution.mean(stage))
    centres = (edges[:-1] + edges[1:]) / 2
    if interval is not None:
        ax.vlines(centres, *interval, color="black", linewidth=0.8)
    right.plot(centres, decibels(power.mean(stage)), color=GREY, linewidth=1.1)
    if compared is not None:
        right.plot(centres, decibels(compared.power), color=GREY, linewidth=1.0, linestyle="--")
