"""Where a figure is drawn: in a figure of its own, or in axes that the caller gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError
from eegflex.viz.style import add_note, add_title, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Canvas", "figure_of", "given_axes", "make_canvas"]


@dataclass(frozen=True)
class Canvas:
    """Where a figure is drawn.

    Attributes
    ----------
    fig : matplotlib.figure.Figure
        The figure.
    axes : array of matplotlib Axes
        Its panels, by row and column; None where there is none.
    own : bool
        Whether the figure was made for this, so that its title and what stands below it may be written.
    annotate : bool
        Whether they are to be.
    """

    fig: Figure
    axes: npt.NDArray[Any]
    own: bool
    annotate: bool

    def label_y(self, text: str) -> None:
        """Label the vertical axes: all at once, or each where the caller has put them wherever they liked."""
        if self.own:
            self.fig.supylabel(text, fontsize=points(10))
            return
        for ax in self.axes.flat:
            ax.set_ylabel(text, fontsize=points(9))

    def label_x(self, text: str) -> None:
        """Label the horizontal axes: of each column the lowest, or each where the caller has put them wherever they liked."""
        lowest = [[ax for ax in column if ax is not None][-1] for column in self.axes.T]
        middle = lowest[(len(lowest) - 1) // 2 :][: 1 + (len(lowest) % 2 == 0)]
        for ax in lowest if not self.own else middle[:1]:
            ax.set_xlabel(text, fontsize=points(9), x=0.5 if len(middle) == 1 or not self.own else 1.0)

    def finish(self, title: str, *notes: str, show: bool) -> Figure:
        """Write the title and the notes below, where they belong to the figure and are wanted, and show it."""
        from mne.viz.utils import plt_show

        if self.own and self.annotate:
            add_title(self.fig, title)
            add_note(self.fig, *notes)
        plt_show(show, self.fig)
        return self.fig


def make_canvas(
    axes: Axes | Sequence[Axes] | None, panels: Sequence[Sequence[str]], annotate: bool, **options: Any
) -> Canvas:
    """Make a figure with panels in rows and columns, or take axes that the caller gave.

    Parameters
    ----------
    axes : matplotlib Axes | sequence of matplotlib Axes | None
        What the caller gave: as many as there are panels, row by row.
    panels : sequence of sequence of str
        What is in each panel, by row and column; nothing is where there is no name, and needs no axes.
    annotate : bool
        Whether a title and notes are wanted.
    **options
        Of `matplotlib.pyplot.subplots`, for a figure of its own.

    Raises
    ------
    ParameterError
        As `given_axes`.
    """
    import matplotlib.pyplot as plt

    from eegflex.viz.layout import MeasuredOnce

    shape = len(panels), len(panels[0])
    there = np.array([[bool(name) for name in row] for row in panels])
    if axes is None:
        fig, made = plt.subplots(*shape, squeeze=False, layout=MeasuredOnce(), **options)
        for ax in made[~there]:
            ax.remove()
        return Canvas(fig, np.asarray(np.where(there, made, None)), True, annotate)
    given = given_axes(axes, [name for row in panels for name in row if name])
    placed = np.full(shape, None, dtype=object)
    placed[there] = given
    return Canvas(figure_of(given[0]), placed, False, annotate)


def given_axes(axes: Axes | Sequence[Axes], panels: Sequence[str]) -> npt.NDArray[Any]:
    """Return the axes that the caller gave, shape (n_panels,).

    Raises
    ------
    ParameterError
        If they are not axes, not as many as there are panels, or not all of one figure.
    """
    from matplotlib.axes import Axes

    given = np.array(axes, dtype=object).ravel()
    wrong = [type(one).__name__ for one in given if not isinstance(one, Axes)]
    if wrong or len(set(given)) != len(panels):
        raise ParameterError(
            f"This figure needs {len(panels)} axes, one for each panel",
            seen=f"{len(set(given))}{f', not all of them Axes ({wrong[0]})' if wrong else ''}",
            allowed=list(panels),
            remedy="The panels are in this order; stage=, picks= and the like make them fewer",
        )
    if len({figure_of(one) for one in given}) > 1:
        raise ParameterError("The axes must be of one figure", remedy="Create them with plt.subplots")
    return given


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes are in."""
    # Axes may be in a subfigure, and ``figure`` of a figure is itself.
    return ax.figure.figure
