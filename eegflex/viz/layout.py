"""Where panels are in a figure: as matplotlib's constrained layout has it, in half of its time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MeasuredOnce"]


class MeasuredOnce(ConstrainedLayoutEngine):
    """Constrained layout, which goes over a figure twice, with what stands around a panel measured once if its ticks stay.

    The second pass moves panels by a little. To measure their texts takes most of the time, and they are as large as before
    unless other ticks fit.
    """

    def execute(self, fig: Figure) -> None:
        """Lay the figure out."""
        with ExitStack() as stack:
            for ax in fig.axes:
                if ax.get_axes_locator() is None:  # else something else says where it is
                    stack.enter_context(_remembering(ax))
            super().execute(fig)


@contextmanager
def _remembering(ax: Axes) -> Iterator[None]:
    """Let a panel remember how far what stands around it reaches beyond it."""
    measure, found = ax.get_tightbbox, dict[Any, Any]()
    lines = [spine for spine in ax.spines.values() if spine.get_in_layout()]

    def remembered(*args: Any, **kwargs: Any) -> Bbox | None:
        ax.apply_aspect()
        ticks = tuple(tuple(axis.get_majorticklocs()) for axis in (ax.xaxis, ax.yaxis))
        if ticks not in found:
            box = measure(*args, **kwargs)
            found[ticks] = None if box is None else np.subtract(box.extents, ax.bbox.extents)
        return None if found[ticks] is None else Bbox.from_extents(*np.add(ax.bbox.extents, found[ticks]))

    ax.get_tightbbox = remembered  # type: ignore[method-assign]
    for line in lines:  # each would look for the ticks on it once more, and reaches no further than their labels
        line.set_in_layout(False)
    try:
        yield
    finally:
        del ax.get_tightbbox
        for line in lines:
            line.set_in_layout(True)
