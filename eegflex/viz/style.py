"""What all figures share: colours that colour-blind readers can tell apart, labels, and the note below a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import check_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

__all__ = [
    "BAND_SHADES",
    "DIVERGING",
    "NEGATIVE",
    "POSITIVE",
    "STAGE_COLOURS",
    "WITHIN",
    "add_note",
    "colour_limits",
    "hatch_bars",
    "hatch_cells",
    "plain",
    "points",
    "shade_bands",
    "stage_colours",
    "symmetric",
]

#: Red raised the score, blue lowered it; safe for the common kinds of colour blindness.
DIVERGING = "RdBu_r"
POSITIVE, NEGATIVE = "#b2182b", "#2166ac"
GREY = "0.45"
#: What is within its error.
WITHIN = "////"
#: Okabe-Ito.
STAGE_COLOURS = {"W": "#E69F00", "REM": "#D55E00", "N1": "#56B4E9", "N2": "#0072B2", "N3": "#1B2A4E"}
_OTHER_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
#: Two greys in turn, so that neighbouring bands are told apart without a claim made by colour.
BAND_SHADES = ("0.95", "0.89")

#: Points an inch over the mean width of a small character in points: characters that fit into an inch of a note.
_CHARACTERS_PER_INCH = 15.5


def stage_colours(stages: Sequence[str]) -> dict[str, str]:
    """Return a colour for each stage; those of a stager with stages of its own are given in turn."""
    if set(stages) <= set(STAGE_COLOURS):
        return {stage: STAGE_COLOURS[stage] for stage in stages}
    return {stage: _OTHER_COLOURS[i % len(_OTHER_COLOURS)] for i, stage in enumerate(stages)}


def colour_limits(values: npt.NDArray[np.float64], scale_by: str) -> list[Normalize]:
    """Return the colour scale of each stage.

    Parameters
    ----------
    values : array, shape (..., n_stages)
        What is drawn; NaN is left out.
    scale_by : {"stage", "figure"}
        Whether each stage has its own scale, or all have one.

    Raises
    ------
    ParameterError
        If `scale_by` is not one of its choices.
    """
    check_choice("scale_by", scale_by, ("stage", "figure"))
    n_stages = values.shape[-1]
    return [symmetric(values[..., i] if scale_by == "stage" else values) for i in range(n_stages)]


def symmetric(values: npt.ArrayLike) -> Normalize:
    """Return a colour scale with 0 in its middle that takes in all finite values."""
    from matplotlib.colors import Normalize

    found = np.abs(np.asarray(values, dtype=float))
    found = found[np.isfinite(found)]
    limit = float(found.max()) if found.size and found.max() > 0 else 1.0
    return Normalize(-limit, limit)


def hatch_cells(ax: Axes, marks: npt.NDArray[np.bool_]) -> None:
    """Hatch cells of an image, (row, column), that are within their error."""
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(marks):
        cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="none", edgecolor="0.6", hatch=WITHIN, linewidth=0)
        ax.add_patch(cell)


def hatch_bars(bars: BarContainer, marks: npt.NDArray[np.bool_]) -> None:
    """Hatch bars, and take away their fill, that are within their error."""
    for bar, marked in zip(bars, marks, strict=True):
        if marked:
            bar.set(facecolor="white", edgecolor=bar.get_facecolor(), hatch=WITHIN, linewidth=0.8)


def plain(text: str) -> str:
    """Return text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


def points(size: float) -> float:
    """Return a size of text that follows the caller's ``font.size``; `size` is that at matplotlib's own, 10 points."""
    import matplotlib as mpl

    return size * float(mpl.rcParams["font.size"]) / 10


def shade_bands(ax: Axes, bands: Any, upper: float, *, names: bool) -> None:
    """Shade bands on an axis of frequencies up to `upper` Hz, and name them at its top."""
    for i, (name, (low, high)) in enumerate(bands.items()):
        if low >= upper:
            continue
        high = min(high, upper)
        ax.axvspan(low, high, color=BAND_SHADES[i % 2], zorder=0, linewidth=0)
        if names:
            ax.annotate(
                name,
                ((low + high) / 2, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=points(8),
                color="0.3",
            )


def add_note(fig: Figure, *sentences: str) -> None:
    """Write sentences below a figure, wrapped to its width. The constrained layout keeps room for them."""
    text = plain(" ".join(sentence for sentence in sentences if sentence))
    width = int(fig.get_figwidth() * _CHARACTERS_PER_INCH / points(1))
    fig.supxlabel("\n".join(textwrap.wrap(text, width)), fontsize=points(8), color="0.3", x=0.01, ha="left")
