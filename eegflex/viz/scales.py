"""A scale for values of both signs that many panels share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Scale", "choose_scale"]

#: From so many times the usual value on, the largest one would press the others together on a linear scale.
WIDE = 20.0
#: A logarithmic scale does not go below this part of the largest value: what is there is next to nothing.
WIDEST = 100.0
_FIRST_DIGITS = (1, 2, 5)


@dataclass(frozen=True)
class Scale:
    """Linear, or logarithmic on both sides of a linear part.

    Attributes
    ----------
    limit : float
        The largest absolute value that is drawn.
    linear : float | None
        How far the linear part reaches; None if all of it is linear.
    words : str
        What it is and why, for the note below a figure.
    """

    limit: float
    linear: float | None
    words: str

    def apply(self, ax: Axes) -> None:
        """Give the horizontal axis this scale, with ticks at 0 and at a round number on both sides."""
        from matplotlib.ticker import FixedLocator, FuncFormatter

        reach = 1.12 * self.limit
        if self.linear is not None:
            ax.set_xscale("symlog", linthresh=self.linear, linscale=0.7)
            decades = self.linear * 10.0 ** np.arange(0, 1 + int(np.log10(self.limit / self.linear)))
            ax.xaxis.set_minor_locator(FixedLocator([*-decades, *decades]))
            reach = 1.6 * self.limit
        ax.set_xlim(-reach, reach)
        tick = _round(self.limit, up=False)
        ax.xaxis.set_major_locator(FixedLocator([-tick, 0, tick]))
        ax.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:+.6g}".replace("-", "−") if value else "0")
        )

    def place(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Where values are along the axis, from 0 to 1."""
        if self.linear is None:
            return np.asarray(0.5 + values / self.limit / 2)
        size = np.abs(values) / self.linear
        folded = np.where(size <= 1, 0.7 * size, 0.7 + np.log10(np.maximum(size, 1)))
        longest = 0.7 + np.log10(self.limit / self.linear)
        return np.asarray(0.5 + np.sign(values) * folded / longest / 2)


def choose_scale(
    values: Sequence[npt.NDArray[np.float64]], doubtful: Sequence[npt.NDArray[np.bool_]], what: str
) -> Scale:
    """Choose the scale of all panels: linear, unless the largest value is more than 20 times the median one.

    Parameters
    ----------
    values : sequence of array
        All that is drawn.
    doubtful : sequence of array of bool
        What of it is within its error, and so has no say in what is usual.
    what : str
        What it is.
    """
    every = np.abs(np.concatenate([one.ravel() for one in values]))
    there = np.isfinite(every) & (every > 0)
    if not there.any():
        return Scale(1.0, None, "")
    told = there & ~np.concatenate([one.ravel() for one in doubtful])
    largest, usual = float(every[there].max()), float(np.median(every[told if told.any() else there]))
    if largest <= WIDE * usual:
        return Scale(largest, None, "All panels have one linear scale.")
    linear = _round(max(usual, largest / WIDEST), up=True)
    return Scale(
        largest,
        linear,
        f"All panels have one scale, linear to ±{linear:g} and logarithmic beyond, since the largest {what} is more than "
        f"{WIDE:g} times the median one.",
    )


def _round(value: float, *, up: bool) -> float:
    """The next number with one digit, 1, 2 or 5."""
    decade = 10.0 ** np.floor(np.log10(value))
    steps = [digit * decade for digit in (*_FIRST_DIGITS, 10)]
    fitting = [step for step in steps if (step >= value * (1 - 1e-9) if up else step <= value * (1 + 1e-9))]
    return float(f"{(min(fitting) if up else max(fitting)):.1g}")
