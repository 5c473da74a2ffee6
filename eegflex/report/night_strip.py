"""The night on the first screen: strips on one axis of time, as SVG that is stretched to the width of the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eegflex.report.facts import NightFacts
from eegflex.results.select import hypnogram_order
from eegflex.viz.style import stage_colours

__all__ = ["Strip", "Tick", "axis_ticks", "make_strips", "stage_swatches"]

#: Height of the strip of probabilities in its own units.
_TALL = 100
#: Hours or minutes between ticks, the first that leaves no more than so many.
_MOST_TICKS = 10
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720)
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
    width, height : float
        The box that it is drawn in; it is stretched.
    said : str
        The same in words, for who does not see it.
    """

    kind: str
    label: str
    svg: str
    width: float
    height: float
    said: str


@dataclass(frozen=True)
class Tick:
    """A mark of the axis of time: where it is, as a share of the width, and what it says."""

    place: float
    text: str


def stage_swatches(stages: tuple[str, ...]) -> list[tuple[str, str]]:
    """Stages from top to bottom with their colours."""
    colours = stage_colours(stages)
    return [(stage, colours[stage]) for stage in hypnogram_order(stages)]


def _units(night: NightFacts) -> tuple[npt.NDArray[np.float64], float]:
    """Where each epoch begins, and where the night ends, in epochs from its beginning."""
    left = (night.onset - night.onset[0]) / night.length
    return left, float(left[-1] + 1)


def make_strips(night: NightFacts) -> list[Strip]:
    """Draw the strips: hypnograms, the epochs that were explained, probabilities, disagreement, and errors."""
    left, width = _units(night)
    order = hypnogram_order(night.stages)
    colours = stage_colours(night.stages)
    judged, n_sets = night.is_judged, night.answers.shape[1]
    strips = [_hypnograms(night, left, width, order)]
    strips.append(
        _ticks("explained", "explained", left[night.explained], width, f"{len(night.explained)} epochs were explained")
    )
    layers = _density(night, left, order)
    drawn = "".join(f'<path fill="{colours[stage]}" d="{path}"/>' for stage, path in layers)
    label = "probability" if n_sets == 1 else f"probability, mean of {n_sets} channels"
    strips.append(Strip("density", label, drawn, width, _TALL, "Probabilities of the stages in each epoch"))
    if n_sets > 1:
        own = night.is_disputed
        strips.append(
            _ticks("disputed", "channels disagree", left[own], width, f"Channels disagree in {own.sum()} epochs")
        )
    if judged.any():
        own = night.is_wrong
        strips.append(
            _ticks("wrong", "not as scored", left[own], width, f"Another stage than the scorer's in {own.sum()} epochs")
        )
    return strips


def _hypnograms(night: NightFacts, left: npt.NDArray[np.float64], width: float, order: list[str]) -> Strip:
    """Scored in grey, broad, and staged in black on top of it."""
    lines = []
    for stages, kind, stroke, thick in (
        (night.scored, "scored", "#a8a8a8", 4),
        (night.predicted, "staged", "#111", 1.5),
    ):
        levels = np.array([order.index(one) + 0.5 if one in order else np.nan for one in stages.tolist()])
        path = _steps(left, levels)
        lines += [f'<path class="{kind}" stroke="{stroke}" {_LINE.format(width=thick)} d="{path}"/>'] if path else []
    is_scored = np.isin(night.scored, order).any()
    label = "scored (grey), staged (black)" if is_scored else "staged"
    return Strip(
        "hypnogram",
        label,
        "".join(lines),
        width,
        len(order),
        f"Hypnogram, {label}, from top to bottom: {', '.join(order)}",
    )


def _steps(left: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]) -> str:
    """A staircase over epochs, broken where there is no level, and where epochs do not follow each other."""
    path, level, end = [], np.nan, np.nan
    for x, y in zip(left.tolist(), levels.tolist(), strict=True):
        if np.isfinite(y):
            joined = np.isfinite(level) and abs(x - end) < 1e-6
            path.append((f"V{y:g}" if y != level else "") if joined else f"M{x:g} {y:g}")
            path.append(f"H{x + 1:g}")
        level, end = y, x + 1
    return "".join(path)


def _density(night: NightFacts, left: npt.NDArray[np.float64], order: list[str]) -> list[tuple[str, str]]:
    """Areas of the stages, the topmost on top; nothing where an epoch was not staged.

    Each reaches down to the bottom and is covered by the next one, so that no seam of the paper shows between them.
    """
    places = [night.stages.index(stage) for stage in order]
    above = np.cumsum(night.chances[:, places], axis=1) - night.chances[:, places]
    return [(stage, _area(left, above[:, i])) for i, stage in enumerate(order)]


def _area(left: npt.NDArray[np.float64], above: npt.NDArray[np.float64]) -> str:
    """From the bottom to what a stage leaves for those above it, epoch by epoch."""
    tops = np.round(above * _TALL)
    runs = np.flatnonzero((np.abs(np.diff(left, prepend=left[0] - 1) - 1) > 1e-6) | ~np.isfinite(tops))
    path = []
    for first, stop in zip(np.union1d(0, runs), np.append(np.union1d(0, runs)[1:], len(left)), strict=True):
        own = np.arange(first, stop)[np.isfinite(tops[first:stop])]
        if not len(own):
            continue
        changes = own[np.flatnonzero(np.diff(tops[own], prepend=np.nan) != 0)]
        path.append(f"M{left[own[0]]:g} {_TALL}" + "".join(f"H{left[k]:g}V{tops[k]:g}" for k in changes))
        path.append(f"H{left[own[-1]] + 1:g}V{_TALL}Z")
    return "".join(path)


def _ticks(kind: str, label: str, left: npt.NDArray[np.float64], width: float, said: str) -> Strip:
    """Epochs as marks: at their place, and never too thin to be seen."""
    path = "".join(f"M{x + 0.5:g} 0V1" for x in left.tolist())
    stroke = "#b2182b" if kind == "wrong" else "#111"
    drawn = f'<path class="{kind}" stroke="{stroke}" {_LINE.format(width=2)} d="{path}"/>' if path else ""
    return Strip(kind, label, drawn, width, 1, said)


def axis_ticks(night: NightFacts) -> list[Tick]:
    """Ticks of the axis of time, in hours from the beginning of the recording, or in minutes of a short one."""
    first, last = float(night.onset[0]) / 60, (float(night.onset[-1]) + night.length) / 60
    step = next((one for one in _STEPS if (last - first) / one <= _MOST_TICKS), _STEPS[-1])
    hours = last - first > 90
    found = []
    for minutes in np.arange(np.ceil(first / step) * step, last, step).tolist():
        text = f"{minutes / 60:g} h" if hours else f"{minutes:g} min"
        found.append(Tick(100 * (minutes - first) / (last - first), text))
    return [tick for tick in found if tick.place < 98]
