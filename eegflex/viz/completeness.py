"""How far the attributions add up, and how large their error is estimated to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.results import tables
from eegflex.results.collapse import facts
from eegflex.results.means import refuse_single
from eegflex.results.wording import sum_words, sums_to_change
from eegflex.utils.arguments import checked
from eegflex.viz.canvas import make_canvas
from eegflex.viz.style import GREY, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eegflex.results.result import FlexResult

__all__ = ["plot_completeness"]

#: A gap above this is worth a look.
LIMIT = 0.01
_SMALLEST = 1e-8
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@checked
def plot_completeness(
    result: FlexResult,
    *,
    axes: Axes | Sequence[Axes] | None = None,
    annotate: bool = True,
    show: bool = True,
) -> Figure:
    """Plot completeness gaps and estimated errors, relative to the absolute total of the band sums.

    Both are of all channels of a channel set, whichever are in the result.

    Parameters
    ----------
    result : FlexResult
        Attributions of a recording, or of several. One of all stages speaks for the predicted one.
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        Axes to draw into: for the gaps, where the attributions are meant to add up, and for the errors, where there is an
        estimate. By default those of a figure of its own.
    annotate : bool
        Whether to write a title and notes. They are never written into your own figure.
    show : bool
        Whether to show the figure.

    Returns
    -------
    fig : matplotlib.figure.Figure
        A histogram of the gaps on a logarithmic axis, with the limit of 1 %; where there is an estimate, one of the errors,
        with the tolerance that was asked for. Of a method whose attributions are not meant to add up, a sentence that says so.

    Raises
    ------
    ParameterError
        If `axes` are not as many as the panels.

    See Also
    --------
    eegflex.evaluation.assess : What can be told without asking the model again.
    eegflex.evaluate : Ask the model again whether explanations hold.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
    >>> fig = eegflex.viz.plot_completeness(result, show=False)
    >>> [ax.get_xlabel().split(" / ")[0] for ax in fig.axes]
    ['Completeness gap', 'Estimated error']
    """
    judged = _judged(result)
    panels = [name for name, _, _ in judged] or ["the sentence that there is no gap"]
    canvas = make_canvas(axes, [panels], annotate, figsize=(4.6 if len(judged) < 2 else 7.2, 2.2), sharey=True)
    notes = []
    for ax, (name, values, limit) in zip(canvas.axes[0], judged, strict=False):
        _draw_histogram(ax, values, limit)
        ax.set_xlabel(f"{name} / absolute total of the band sums", fontsize=points(9))
        notes.append(
            f"{100 * (values <= limit).mean():.0f} % of {values.size} {name.casefold()}s are within {_percent(limit)}."
        )
        if ax is canvas.axes[0, 0] or not canvas.own:
            ax.set_ylabel("Epochs" if result.data.sizes["channel_set"] == 1 else "Epochs × channel sets")
    top = max((ax.get_ylim()[1] for ax in canvas.axes[0][: len(judged)]), default=1.0)
    for ax in canvas.axes[0][: len(judged)]:  # one height for the same number of epochs, in axes of yours too
        ax.set_ylim(0, top)
    if not judged:
        _say_there_is_none(canvas.axes[0, 0])
        notes.append(sum_words(result))
    title = f"{result.model}: how far the attributions add up to F(x) − F(x_b)"
    return canvas.finish(title, *notes, show=show)


def _judged(result: FlexResult) -> list[tuple[str, npt.NDArray[np.float64], float]]:
    """Return what can be judged: its name, the values that there are, and the limit that they should be within."""
    refuse_single(result.data, "a figure of gaps and errors")
    known = facts(result.data)
    error = known["error"].values.ravel().astype(np.float64)
    error = error[np.isfinite(error)]
    gaps = tables.relative_gap(known).ravel()
    gaps = gaps[np.isfinite(gaps)]
    judged = [("Completeness gap", gaps, LIMIT)] if sums_to_change(result) and gaps.size else []
    return [*judged, *([("Estimated error", error, float(result.parameters.get("tol", LIMIT)))] if error.size else [])]


def _draw_histogram(ax: Axes, values: npt.NDArray[np.float64], limit: float) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    values = np.maximum(values, _SMALLEST)
    low = np.floor(np.log10(min(values.min() / limit, 0.1)))
    high = np.floor(np.log10(max(values.max() / limit, 1))) + 1
    # The limit is an edge, so that no bar is on both sides of it.
    edges = limit * 10.0 ** (np.arange(4 * low, 4 * high + 1) / 4)
    ax.hist(values, bins=edges.tolist(), color=GREY, edgecolor="white")
    ax.axvline(limit, color="black", linestyle="--", linewidth=1.2)
    ax.annotate(
        _percent(limit),
        (limit, 1),
        xycoords=("data", "axes fraction"),
        va="bottom",
        ha="center",
        color="black",
        fontsize=points(9),
    )
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_major_formatter(lambda value, _: _power_of_ten(value))
    ax.minorticks_off()
    ax.tick_params(labelsize=points(8))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _say_there_is_none(ax: Axes) -> None:
    ax.axis("off")
    ax.text(
        0.5, 0.5, "There is no completeness gap:\nthese attributions are not meant to add up.", ha="center", va="center",
        fontsize=points(11), transform=ax.transAxes,
    )  # fmt: skip


def _power_of_ten(value: float) -> str:
    """A power of ten as text, which is drawn without a parser of mathematics, whose start takes longer than the figure."""
    return f"10{str(round(np.log10(value))).translate(_RAISED)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
