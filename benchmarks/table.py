"""Rows of the table that the benchmarks write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Row", "as_table", "markdown", "seconds"]

HEADS = ("what", "ours", "against", "ratio", "floor", "met")


@dataclass(frozen=True)
class Row:
    """One row: two measurements, and what their ratio must be.

    Attributes
    ----------
    what : str
        What was measured.
    ours, against : str
        The two measurements, with their units and what the other one is.
    ratio : float
        Of the two, as the floor means it; NaN where words stand in their place.
    floor : str
        What must hold.
    met : bool or None
        Whether it does; ``None`` where nothing must.
    """

    what: str
    ours: str
    against: str
    ratio: float
    floor: str = ""
    met: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        met = "" if self.met is None else "yes" if self.met else "**no**"
        ratio = "" if np.isnan(self.ratio) else f"{self.ratio:.2f}"
        return self.what, self.ours, self.against, ratio, self.floor, met


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    return as_table(HEADS, (row.cells() for row in rows))


def as_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells as a Markdown table."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ("---",) * len(heads), *rows))


def seconds(*tasks: Callable[[], Any], repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Time tasks in turn, so that what else the machine does meets all alike; the median of each in s."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(repeats):
        for action, taken in zip(tasks, times, strict=True):
            start = clock()
            action()
            taken.append(clock() - start)
    return [float(np.median(taken)) for taken in times]
