"""What all figures share: colours that colour-blind readers can tell apart, labels, and the note below a figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import check_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

__all__ = [
    "BAND_SHADES",
    "DARK",
    "GREY",
    "LIGHT",
    "LOWERED",
    "LOWERED_MARK",
    "RAISED",
    "RAISED_MARK",
    "WITHIN",
    "Theme",
    "add_note",
    "add_title",
    "colour_limits",
    "diverging",
    "hatch_bars",
    "ink",
    "notes_apart",
    "plain",
    "points",
    "shade_bands",
    "stage_colours",
    "swarm",
    "symmetric",
]


@dataclass(frozen=True)
class Theme:
    """Colours on one ground, chosen by numbers that ``tests/viz/test_palette.py`` holds.

    All of them are told apart by readers of full colour vision and with protanopia, deuteranopia and tritanopia. In grey the
    stages differ by their lightness, and so do raised and lowered, which have marks of their own besides.

    Attributes
    ----------
    ground, text, muted, rule : str
        What lies below, what is written on it, what is written beside that, and lines.
    raised, lowered : str
        What raised the score and what lowered it; they can be written with, too.
    stages : mapping of str to str
        Colours of the stages of the AASM.
    others : tuple of str
        Those of other stages, in turn.
    """

    ground: str
    text: str
    muted: str
    rule: str
    raised: str
    lowered: str
    stages: Mapping[str, str]
    others: tuple[str, ...]

    def of_stages(self, stages: Sequence[str]) -> dict[str, str]:
        """Return a colour for each stage: those of the AASM keep theirs, others take what is left, in turn."""
        left = [*self.others, *(colour for name, colour in self.stages.items() if name not in stages)]
        own = [stage for stage in stages if stage not in self.stages]
        return {stage: self.stages.get(stage) or left[own.index(stage) % len(left)] for stage in stages}


LIGHT = Theme(
    ground="#ffffff",
    text="#1a1c20",
    muted="#4f5560",
    rule="#c9ced6",
    raised="#c8341b",
    lowered="#0c3085",
    stages={"W": "#f2c14a", "REM": "#a974dd", "N1": "#7fb5a8", "N2": "#1f7a6a", "N3": "#2b2430"},
    others=("#cbb7f2", "#55f2b7", "#551a1a", "#901af2", "#686890", "#b7a37c", "#b7dfdf"),
)
DARK = Theme(
    ground="#15181d",
    text="#e8eaee",
    muted="#a9b0bb",
    rule="#3a414c",
    raised="#ffa9a1",
    lowered="#8085ea",
    stages={"W": "#f7ec4f", "REM": "#a07090", "N1": "#5fdfe0", "N2": "#3aa84f", "N3": "#476c55"},
    others=("#902d7c", "#68681a", "#682ddf", "#b7b71a", "#a3a3b7", "#7c5568", "#b7f2df"),
)
#: Figures are drawn on white.
RAISED, LOWERED = LIGHT.raised, LIGHT.lowered
#: The marks that tell these apart without colour.
RAISED_MARK, LOWERED_MARK = "+", "o"
GREY = "0.45"
#: What is within its error.
WITHIN = "////"
#: Two greys in turn, so that neighbouring bands are told apart without a claim made by colour.
BAND_SHADES = ("0.95", "0.89")

#: Marks that fit beside each other along an axis.
_BEES = 45

#: Points an inch over the mean width of a small character in points: characters that fit into an inch of a note.
_CHARACTERS_PER_INCH = 15.5


def stage_colours(stages: Sequence[str]) -> dict[str, str]:
    """Return a colour on white for each stage."""
    return LIGHT.of_stages(stages)


@cache
def diverging() -> LinearSegmentedColormap:
    """Return the colours from lowered, over white, to raised."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("eegflex", [LOWERED, "#6f8fd0", LIGHT.ground, "#f0937a", RAISED])


def ink(colour: str) -> str:
    """Return white or black, whichever is better read on a colour."""
    from matplotlib.colors import to_rgb

    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


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


def swarm(places: npt.NDArray[np.float64], reach: float) -> npt.NDArray[np.float64]:
    """Return how far to move marks sideways so that they are seen beside each other, like bees: the more, the wider.

    Parameters
    ----------
    places : array, shape (n,)
        Where they are along an axis whose length is 1.
    reach : float
        How far the outermost may be moved.
    """
    bins = np.round(np.nan_to_num(places) * _BEES).astype(np.intp)
    order = np.argsort(bins, kind="stable")
    first = np.searchsorted(bins[order], bins[order])
    rank = np.empty(len(places), dtype=np.intp)
    rank[order] = np.arange(len(places)) - first
    sides = np.where(rank % 2, 1, -1) * ((rank + 1) // 2)
    step = min(reach / max(np.abs(sides).max(initial=0), 1), reach / 3)
    return np.asarray(step * sides, dtype=np.float64)


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


def add_title(fig: Figure, text: str) -> None:
    """Write the title, in as many lines as the figure's width asks for, and make the figure higher by those after the first."""
    lines = textwrap.wrap(
        plain(text), int(fig.get_figwidth() * _CHARACTERS_PER_INCH * 8 / 11 / points(1)), break_on_hyphens=False
    )
    fig.suptitle("\n".join(lines), fontsize=points(11))
    fig.set_figheight(fig.get_figheight() + _line(11) * (len(lines) - 1))


#: Where notes are gathered instead of being written below figures.
_APART: ContextVar[list[str] | None] = ContextVar("eegflex_notes", default=None)


@contextmanager
def notes_apart() -> Iterator[list[str]]:
    """Gather the notes of the figures that are drawn within, which then have none: a page writes them as text."""
    gathered: list[str] = []
    token = _APART.set(gathered)
    try:
        yield gathered
    finally:
        _APART.reset(token)


def add_note(fig: Figure, *sentences: str) -> None:
    """Write sentences below a figure, wrapped to its width, and make it higher by their height: no panel pays for them."""
    apart = _APART.get()
    if apart is not None:
        apart += [sentence for sentence in sentences if sentence]
        return
    text = plain(" ".join(sentence for sentence in sentences if sentence))
    width = int(fig.get_figwidth() * _CHARACTERS_PER_INCH / points(1))
    lines = textwrap.wrap(text, width, break_on_hyphens=False)
    fig.supxlabel("\n".join(lines), fontsize=points(8), color=LIGHT.muted, x=0.01, ha="left")
    fig.set_figheight(fig.get_figheight() + _line(8) * len(lines))


def _line(size: float) -> float:
    """Height of a line of text in inches."""
    return 1.25 * points(size) / 72
