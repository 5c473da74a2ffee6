"""The night on the first screen: strips on one axis of time, as SVG that is stretched to the width of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegflex.results.night import Night
from eegflex.results.select import hypnogram_order
from eegflex.utils.clock import clock_text
from eegflex.viz.style import stage_colours

__all__ = ["Strip", "Tick", "axis_ticks", "make_strips", "stage_swatches"]

#: Size of strips in their own units, which are nearly pixels: some printers scale lines with the rest.
WIDE, _TALL, _LEVEL, _THIN = 1000.0, 84, 16, 14
#: Hours or minutes between ticks, the first that leaves no more than so many.
_MOST_TICKS = 10
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720)
#: Of marks of what was scored otherwise.
_WRONG = "#b2182b"
#: What a line of a strip is drawn with.
_LINE = 'fill="none" stroke-width="{width}" vector-effect="non-scaling-stroke"'


@dataclass(frozen=True)
class Strip:
    """One strip: its label, what is drawn in it (SVG of numbers and of colours only), and its size.

    Attributes
    ----------
    kind : str
        What it is, for its style.
    label : str
        What stands beside it.
    svg : str
        What is drawn.
    height : float
        Of the box that it is drawn in, which is 1000 wide; it is stretched.
    said : str
        The same in words, for who does not see it.
    """

    kind: str
    label: str
    svg: str
    height: float
    said: str


@dataclass(frozen=True)
class Tick:
    """A mark of the axis of time: where it is, as a share of the width, and what it says."""

    place: float
    text: str


def stage_swatches(stages: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """Stages from top to bottom with their places among the stager's and their colours."""
    colours = stage_colours(stages)
    return {stage: (stages.index(stage), colours[stage]) for stage in hypnogram_order(stages)}


def _units(night: Night) -> tuple[npt.NDArray[np.float64], float]:
    """Where each epoch begins, and how wide it is."""
    step = WIDE / ((night.onset[-1] - night.onset[0]) / night.length + 1)
    return (night.onset - night.onset[0]) / night.length * step, float(step)


def make_strips(night: Night, marks: Mapping[str, npt.NDArray[np.intp]] | None = None) -> list[Strip]:
    """Draw the strips: hypnograms, the epochs that were explained, probabilities, disagreement, errors, and marks.

    Parameters
    ----------
    night : Night
        The night.
    marks : mapping of str to array of int | None
        More that is known of explained epochs: what it is, and their places in the night.
    """
    left, step = _units(night)
    order = hypnogram_order(night.stages)
    n_sets, n_explained = night.answers.shape[1], len(night.explained)
    disputed, wrong = night.is_disputed, night.is_wrong
    label = "probability" if n_sets == 1 else f"probability, mean of {n_sets} channels"
    middle = left + step / 2
    strips = [
        _hypnograms(night, left, step, order),
        _ticks("explained", "explained", middle[night.explained], f"{n_explained} epochs were explained"),
        _density(night, left, step, order, label),
    ]
    if n_sets > 1:
        said = f"Channels disagree in {disputed.sum()} epochs"
        strips.append(_ticks("disputed", "channels disagree", middle[disputed], said))
    if night.is_judged.any():
        said = f"Another stage than the scorer's in {wrong.sum()} epochs"
        strips.append(_ticks("wrong", "not as scored", middle[wrong], said))
    for name, places in (marks or {}).items():
        strips.append(_ticks("marked", name, middle[places], f"{name} in {len(places)} epochs"))
    return strips


def _hypnograms(night: Night, left: npt.NDArray[np.float64], step: float, order: list[str]) -> Strip:
    """Scored in grey, broad, and staged in black on top of it."""
    lines = []
    for stages, kind, stroke, thick in (
        (night.scored, "scored", "#a8a8a8", 4),
        (night.predicted, "staged", "#111", 1.5),
    ):
        places = {stage: _LEVEL * (place + 0.5) for place, stage in enumerate(order)}
        levels = np.array([places.get(one, np.nan) for one in stages.tolist()])
        path = _steps(left, step, levels)
        lines += [f'<path class="{kind}" stroke="{stroke}" {_LINE.format(width=thick)} d="{path}"/>'] if path else []
    label = "scored (broad), staged (thin)" if np.isin(night.scored, order).any() else "staged"
    said = f"Hypnogram, {label}, from top to bottom: {', '.join(order)}"
    return Strip("hypnogram", label, "".join(lines), _LEVEL * len(order), said)


def _steps(left: npt.NDArray[np.float64], step: float, levels: npt.NDArray[np.float64]) -> str:
    """A staircase over epochs, broken where there is no level, and where epochs do not follow each other."""
    path: list[str] = []
    level, end = np.nan, np.nan
    for x, y in zip(left.tolist(), levels.tolist(), strict=True):
        if np.isfinite(y) and not (np.isfinite(level) and abs(x - end) < step / 2):
            path.append(f"M{x:.1f} {y:g}")
        elif np.isfinite(y) and y != level:
            path.append(f"H{x:.1f}V{y:g}")
        elif path and not np.isfinite(y) and np.isfinite(level):
            path.append(f"H{end:.1f}")
        if path and np.isfinite(y) and np.isfinite(level) and abs(x - end) >= step / 2:
            path.insert(-1, f"H{end:.1f}")
        level, end = y, x + step
    return "".join(path) + (f"H{end:.1f}" if path and np.isfinite(level) else "")


def _density(night: Night, left: npt.NDArray[np.float64], step: float, order: list[str], label: str) -> Strip:
    """Areas of the stages, the topmost on top; nothing where an epoch was not staged.

    Each reaches down to the bottom and is covered by the next one, so that no seam of the paper shows between them.
    """
    colours = stage_colours(night.stages)
    own = night.mean[:, [night.stages.index(stage) for stage in order]]
    above = np.cumsum(own, axis=1) - own
    areas = "".join(
        f'<path class="stage-{night.stages.index(stage)}" fill="{colours[stage]}" d="{_area(left, step, above[:, i])}"/>'
        for i, stage in enumerate(order)
    )
    return Strip("density", label, areas, _TALL, "Probabilities of the stages in each epoch")


def _area(left: npt.NDArray[np.float64], step: float, above: npt.NDArray[np.float64]) -> str:
    """From the bottom to what a stage leaves for those above it, epoch by epoch, in pieces without a gap."""
    tops = np.round(np.clip(above, 0, 1) * _TALL)
    known = np.flatnonzero(np.isfinite(tops))
    path = []
    for own in np.split(known, np.flatnonzero(np.diff(left[known]) > 1.5 * step) + 1):
        if len(own):
            changes = own[np.flatnonzero(np.diff(tops[own], prepend=np.nan) != 0)]
            path.append(f"M{left[own[0]]:.1f} {_TALL}")
            path += [f"H{left[k]:.1f}V{tops[k]:g}" for k in changes.tolist()]
            path.append(f"H{left[own[-1]] + step:.1f}V{_TALL}Z")
    return "".join(path)


def _ticks(kind: str, label: str, places: npt.NDArray[np.float64], said: str) -> Strip:
    """Epochs as marks: at their place, and never too thin to be seen."""
    path = "".join(f"M{x:.1f} 0V{_THIN}" for x in places.tolist())
    stroke = _WRONG if kind == "wrong" else "#111"
    drawn = f'<path class="{kind}" stroke="{stroke}" {_LINE.format(width=2)} d="{path}"/>' if path else ""
    return Strip(kind, label, drawn, _THIN, said)


def axis_ticks(night: Night, began: float | None = None) -> list[Tick]:
    """Ticks of the axis of time: by the clock, or in hours from the beginning of the recording, or in minutes of a short one.

    Parameters
    ----------
    night : Night
        The night.
    began : float | None
        The clock when the recording began, in s from midnight, where it is to be told.
    """
    first, last = float(night.onset[0]) / 60, (float(night.onset[-1]) + night.length) / 60
    if began is not None:
        first, last = first + began / 60, last + began / 60
    step = next((one for one in _STEPS if (last - first) / one <= _MOST_TICKS), _STEPS[-1])
    hours = last - first > 90
    found = []
    for minutes in np.arange(np.ceil(first / step) * step, last, step).tolist():
        text = f"{minutes / 60:g} h" if hours else f"{minutes:g} min"
        text = text if began is None else clock_text(60 * minutes, short=True)
        found.append(Tick(100 * (minutes - first) / (last - first), text))
    return [tick for tick in found if tick.place < 98]
