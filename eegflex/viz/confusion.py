"""The confusion matrix, whose cells show why: what spoke for the stage that was predicted where another was scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.agreement import cohens_kappa
from eegflex.bands import Bands
from eegflex.errors import ParameterError
from eegflex.results import tables
from eegflex.results.collapse import for_sums
from eegflex.results.intervals import quantile
from eegflex.results.marks import cell_errors, pooled_errors
from eegflex.results.result import FlexResult
from eegflex.results.select import as_bands, hypnogram_order, pick_all, picked_words, pool, sample_words
from eegflex.results.wording import number_text, positive_means, reading, unit
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import make_canvas
from eegflex.viz.style import LIGHT, LOWERED, RAISED, plain, points, stage_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Spoke", "plot_confusion", "what_spoke"]

#: Bands that are told of a cell: so many that raised the score most, and so many that lowered it.
_FOR, _AGAINST = 2, 1
#: The darkest grey of a cell, that of a stage that is always called so: what is written on it in colour can be read.
_DARKEST = 0.13


@dataclass(frozen=True)
class Spoke:
    """What a band did in the epochs of one cell.

    Attributes
    ----------
    band : str
        Its name.
    median, error : float
        The median over the epochs, and that of their errors.
    n_agreeing, n_epochs : int
        In how many epochs it has the sign of the median, and of how many.
    """

    band: str
    median: float
    error: float
    n_agreeing: int
    n_epochs: int

    @property
    def is_within(self) -> bool:
        """Whether it is within its error."""
        return abs(self.median) <= self.error


@checked
def plot_confusion(
    result: FlexResult,
    *,
    picks: str | Sequence[str] | None = None,
    bands: Bands | Mapping[str, tuple[float, float]] | None = None,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot the confusion matrix, with the evidence in each cell.

    In each cell stand the epochs of the night that were scored as its row and predicted as its column, and, where some of them
    were explained, the bands that raised the score most and the one that lowered it most: the median over these epochs. Of a
    result of all stages that is the score of the predicted stage minus that of the scored one, and of the predicted stage on
    the diagonal; of another the score that was explained.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording with a hypnogram, or of several.
    picks : str | sequence of str | None
        Channel types or names to sum over. By default all channels that the stager takes at once.
    bands : Bands | mapping | None
        Frequency bands; by default those of `Bands`.
    axes : matplotlib Axes | None
        Axes to draw into. By default those of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        The darker a cell, the larger its part of the scored stage. What is within its error is grey.

    Raises
    ------
    ParameterError
        If there is no hypnogram to compare with.
    ChannelError
        If there is no such channel.

    See Also
    --------
    eegflex.viz.plot_night : The night as it was staged.
    eegflex.viz.plot_bands : Bands, by stage.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, target="all", verbose="error")
    >>> fig = eegflex.viz.plot_confusion(result, show=False)
    >>> fig.axes[0].get_xlabel()
    'Predicted stage'
    """
    bands, order = as_bands(bands, result.data), hypnogram_order(result.stages)
    places = [result.stages.index(stage) for stage in order]
    counts = tables.night_confusion(result.data)[np.ix_(places, places)]
    if not counts.sum():
        raise ParameterError(
            "There is no hypnogram to compare with",
            seen="no epoch that is both scored and staged",
            remedy="Give a hypnogram when the recording is read",
        )
    spoke = what_spoke(result, bands, picks)
    width = 0.075 * max(len(name) for name in bands.names) + 0.72
    size = (max(width, 1.05) * len(order) + 1.0, 0.66 * len(order) + 1.1)
    canvas = make_canvas(axes, [["the confusion matrix"]], annotate, figsize=size)
    ax = canvas.axes[0, 0]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares * _DARKEST, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    told = _written(spoke)
    for (row, column), count in np.ndenumerate(counts):
        own = told.get((order[row], order[column]), [])
        _write_cell(ax, row, column, int(count), float(shares[row, column]), own)
    _label(ax, order, counts)
    return canvas.finish(
        f"{result.model}: {'evidence for the predicted stage' if spoke else 'stages'}, by scored and predicted stage, "
        f"Cohen's kappa {cohens_kappa(counts):.2f} (n = {counts.sum()} epochs)",
        *_notes(result, picks, told),
        show=show,
    )


def what_spoke(
    result: FlexResult, bands: Bands, picks: str | Sequence[str] | None = None
) -> dict[tuple[str, str], list[Spoke]]:
    """Return what spoke most, for and then against, in the explained epochs of each cell (scored, predicted).

    Parameters
    ----------
    result : FlexResult
        Attributions.
    bands : Bands
        Frequency bands.
    picks : str | sequence of str | None
        As in `plot_confusion`.
    """
    scored, predicted = (tables.epoch_stages(result.data, name) for name in ("scored", "predicted"))
    if dict(bands) == dict(Bands()):
        result = FlexResult(for_sums(result.data))
    found = {}
    for own in result.stages:
        for said in result.stages:
            places = np.flatnonzero((scored == own) & (predicted == said))
            if len(places):
                part = result[places]
                if part.parameters["target"] == "all":
                    part = part.for_target("predicted" if own == said else (said, own))
                found[own, said] = _of_cell(part, bands, picks)
    return found


def _of_cell(part: FlexResult, bands: Bands, picks: str | Sequence[str] | None) -> list[Spoke]:
    data, members = part.data, pick_all(part.data, picks)
    did = pool(data, tables.band_sums(data, bands), members, "predicted")
    if not len(did.epochs):
        return []
    errors = pooled_errors(data, cell_errors(data, bands), members, "predicted").values
    medians, of_errors = (quantile(one, did.weights, 0.5) for one in (did.values, errors))
    agreeing = (np.sign(did.values) == np.sign(medians)).sum(axis=0)
    every = [
        Spoke(name, float(medians[i]), float(of_errors[i]), int(agreeing[i]), len(did.epochs))
        for i, name in enumerate(bands.names)
    ]
    ranked = sorted(every, key=lambda one: -one.median)
    raised = [one for one in ranked if one.median > 0][:_FOR]
    return raised + [one for one in ranked if one.median < 0][-_AGAINST:]


def _written(
    spoke: Mapping[tuple[str, str], Sequence[Spoke]],
) -> dict[tuple[str, str], list[tuple[Spoke, str]]]:
    """Write the medians with as many decimals as the largest needs, without those that are then nothing."""
    largest = max((abs(one.median) for own in spoke.values() for one in own), default=0.0)
    written = {cell: [(one, number_text(one.median, largest)) for one in own] for cell, own in spoke.items()}
    return {cell: [(one, text) for one, text in own if float(text[1:])] for cell, own in written.items()}


def _write_cell(ax: Axes, row: int, column: int, count: int, share: float, told: Sequence[tuple[Spoke, str]]) -> None:
    """Write how many epochs a cell has, and below that what spoke in them."""
    if not count:
        ax.text(column, row, "0", ha="center", va="center", fontsize=points(8), color=LIGHT.muted)
        return
    top = row - 0.4 if told else row - 0.09
    ax.text(column, top, f"{count} ({100 * share:.0f} %)", ha="center", va="top", fontsize=points(8.5), weight="bold")
    for line, (one, text) in enumerate(told):
        mark, colour = ("+", RAISED) if one.median > 0 else ("○", LOWERED)
        ax.text(
            column,
            row - 0.17 + 0.185 * line,
            plain(f"{mark} {one.band} {text}, {one.n_agreeing}/{one.n_epochs}"),
            ha="center",
            va="top",
            fontsize=points(7),
            color=LIGHT.muted if one.is_within else colour,
            style="italic" if one.is_within else "normal",
        )


def _label(ax: Axes, order: Sequence[str], counts: npt.NDArray[np.int64]) -> None:
    names = [plain(stage) for stage in order]
    ax.set_xticks(range(len(order)), [f"{name}\nn = {n}" for name, n in zip(names, counts.sum(axis=0), strict=True)])
    ax.set_yticks(range(len(order)), [f"{name}\nn = {n}" for name, n in zip(names, counts.sum(axis=1), strict=True)])
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("Predicted stage", fontsize=points(9))
    ax.set_ylabel("Scored stage", fontsize=points(9))
    ax.tick_params(length=0, labelsize=points(8))
    for edge in np.arange(len(order) + 1) - 0.5:
        ax.axhline(edge, color="0.8", linewidth=0.6)
        ax.axvline(edge, color="0.8", linewidth=0.6)
    for place, colour in enumerate(stage_colours(order).values()):
        ax.plot([place - 0.48, place + 0.48], [-0.5, -0.5], color=colour, linewidth=4, clip_on=False)
        ax.plot([-0.5, -0.5], [place - 0.48, place + 0.48], color=colour, linewidth=4, clip_on=False)
    for side in ax.spines.values():
        side.set_visible(False)


def _notes(
    result: FlexResult, picks: str | Sequence[str] | None, told: Mapping[tuple[str, str], Sequence[tuple[Spoke, str]]]
) -> Iterator[str]:
    yield "In each cell: epochs of the night, and in % of those scored so."
    if not told:
        yield "No epoch that was scored was explained."
        return
    how, of_all = reading(result), result.parameters["target"] == "all"
    yield (
        f"Below: bands with the largest medians over the explained epochs of the cell ({unit(result)}, "
        f"{picked_words(result.data, pick_all(result.data, picks))}), and in how many of these epochs the sign is that of the "
        f"median; + {how.raised}, ○ {how.lowered}"
    )
    if of_all:
        yield "the score of the predicted stage minus that of the scored one, or the predicted stage's on the diagonal."
    else:
        yield f"the score. {positive_means(result)}"
    if any(one.is_within for own in told.values() for one, _ in own):
        yield "Grey, slanted: within its error."
    if result.data.sizes["channel_set"] > 1:
        yield "Of an epoch: the mean over the channels that explain its predicted stage."
    yield sample_words(result)
