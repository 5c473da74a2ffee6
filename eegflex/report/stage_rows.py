"""A row for each stage: evidence for and against it by band, one mark an epoch, and whether that can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.bands import Bands
from eegflex.evaluation.aasm import AASM_CRITERIA
from eegflex.report.facts import GRADES, StageFacts
from eegflex.results import tables
from eegflex.results.decided import change_error
from eegflex.results.marks import cell_errors
from eegflex.results.select import channel_types, is_whole, once_each, pool
from eegflex.results.wording import baseline_words, number_text, span_words, sums_to_change, type_label
from eegflex.viz.style import LOWERED, RAISED

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["HEIGHT", "WIDTH", "Cell", "Row", "Table", "draw_axis", "draw_cell", "make_rows", "round_up"]

#: Size of a cell in CSS pixels, half the size of a mark, and how far marks are spread where there are many.
WIDTH, HEIGHT, MARK, SPREAD = 98, 30, 3.5, 8
#: From so many epochs on marks are spread.
CROWD = 8
#: From so many on, marks of one place are drawn once.
CROWDED = 400
#: The scale is linear up to this part of its end, and logarithmic from there on.
LINEAR = 1 / 100
#: What AASM's criteria are called where there is little room, by the kind of event that shows them.
_SHORT = {
    "eye_movement_rapid": "rapid eye movements",
    "eye_movement_slow": "slow eye movements",
    "chin_tone_high": "chin tone",
    "chin_tone_low": "low chin tone",
    "vertex_wave": "vertex waves",
    "k_complex": "K-complexes",
    "spindle": "spindles",
    "slow_wave": "slow waves (0.5–2 Hz)",
    "sawtooth": "sawtooth waves",
    "twitch": "muscle twitches",
}


@dataclass(frozen=True)
class Column:
    """Something that a scorer looks at, and what it did in each explained epoch.

    Attributes
    ----------
    name, span : str
        What it is called, and its frequencies or channels.
    values, errors : array, shape (n_epochs,)
        What it did to the score, by the channel sets that explain the epoch's stage, and the error of that; NaN of an epoch
        that no such channel set has it of.
    """

    name: str
    span: str
    values: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """What one thing did to one stage: SVG of numbers and of colours only, and the same in words."""

    svg: str
    said: str


@dataclass(frozen=True)
class Row:
    """A stage, and everything that is told of it on the first screen."""

    stage: str
    n: int
    cells: tuple[Cell, ...]
    change: str
    change_range: str
    change_error: str
    looked_for: str
    grade: str
    believed: tuple[tuple[str, str, str], ...]

    @property
    def mark(self) -> str:
        """What stands for its grade without a colour."""
        return GRADES[self.grade]


@dataclass(frozen=True)
class Table:
    """The rows, what their columns are, and the scale that all cells share."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    axis: str
    sums: bool
    is_aasm: bool


def make_rows(result: FlexResult, stages: Sequence[StageFacts]) -> Table:
    """Make the table.

    Parameters
    ----------
    result : FlexResult
        Of one recording and one target.
    stages : sequence of StageFacts
        Of all stages that epochs were explained of.
    """
    columns = _columns(result)
    largest = max((float(np.nanmax(np.abs(one.values), initial=0.0)) for one in columns), default=0.0)
    end = round_up(largest)
    change = _change(result)
    rows = [_row(one, columns, end, change, baseline_words(result)) for one in stages]
    criteria = {one.stage for one in AASM_CRITERIA}
    return Table(
        columns=tuple((one.name, one.span) for one in columns),
        rows=tuple(rows),
        axis=draw_axis(end),
        sums=change is not None,
        is_aasm=any(one.stage in criteria for one in stages),
    )


def _columns(result: FlexResult) -> list[Column]:
    """The bands of the first type of channel, and each other type as a whole."""
    data, bands = result.data, Bands()
    sums, errors = tables.band_sums(data, bands), cell_errors(data, bands)
    kinds = data["ch_type"].values.astype(str)
    first, *others = channel_types(data)
    names = data["ch_name"].values.astype(str)

    def column(name: str, span: str, kind: str, chosen: slice) -> Column:
        members = kinds == kind
        return Column(
            name,
            span,
            _of_epochs(result, sums[..., chosen].sum(axis=-1), members),
            _errors_of_epochs(result, errors[..., chosen].sum(axis=-1), members),
        )

    found = [
        column(name, f"{span_words(name, bands)}, {type_label(first)}", first, slice(i, i + 1))
        for i, name in enumerate(bands)
    ]
    for kind in others:
        own = list(dict.fromkeys(names[kinds == kind].tolist()))
        where = ", ".join(own) if len(own) <= 2 else f"{len(own)} channels"
        found.append(column(type_label(kind), f"all bands, {where}", kind, slice(None)))
    return found


def _of_epochs(
    result: FlexResult, values: npt.NDArray[np.float64], members: npt.NDArray[np.bool_], *, mean: bool = False
) -> npt.NDArray[np.float64]:
    """One value of each epoch, as `pool` has it; NaN of one whose stage no channel set of these explains."""
    pooled = pool(result.data, values, members, "predicted", mean=mean)
    found = np.full(result.data.sizes["epoch"], np.nan)
    found[pooled.epochs] = pooled.values
    return found


def _errors_of_epochs(
    result: FlexResult, errors: npt.NDArray[np.float64], members: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """The error of each epoch's value, as if those of its channels had the same sign; 0 where nobody estimated it."""
    return np.nan_to_num(_of_epochs(result, np.nan_to_num(errors), members))


def _change(result: FlexResult) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """By how much each epoch changed the score, and the error of that; None where attributions do not sum to it."""
    data = result.data
    if not (sums_to_change(result) and is_whole(data)):
        return None
    everything = np.ones(data.sizes["channel"], dtype=bool)
    both = (data["score"].values - data["baseline_score"].values, np.nan_to_num(change_error(data)))
    change, error = (_of_epochs(result, once_each(data, one), everything) for one in both)
    return change, error


def _row(
    one: StageFacts,
    columns: Sequence[Column],
    end: float,
    change: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None,
    baseline: str,
) -> Row:
    reasons = one.reasons(baseline)
    told = ("", "", "")
    if change is not None:
        own, error = (values[one.places] for values in change)
        largest = float(np.nanmax(np.abs(own), initial=0.0))
        told = (
            number_text(float(np.nanmedian(own)), largest),
            f"{number_text(float(np.nanmin(own)), largest)} to {number_text(float(np.nanmax(own)), largest)}"
            if one.n > 1
            else "",
            number_text(float(np.nanmedian(error)), largest).lstrip("+"),
        )
    criteria = [criterion for criterion in AASM_CRITERIA if criterion.stage == one.stage]
    looked_for = ", ".join(
        ("less " if criterion.speaks == "against" else "") + _SHORT.get(criterion.kind, criterion.kind)
        for criterion in criteria
    )
    return Row(
        stage=one.stage,
        n=one.n,
        cells=tuple(_cell(column, one, end) for column in columns),
        change=told[0],
        change_range=told[1],
        change_error=told[2],
        looked_for=looked_for or "no rule",
        grade=reasons[0][0] if reasons else "good",
        believed=tuple(reasons),
    )


def _cell(column: Column, stage: StageFacts, end: float) -> Cell:
    """Draw what one thing did in each epoch of a stage."""
    return draw_cell(column.name, column.values[stage.places], column.errors[stage.places], end)


def draw_cell(
    name: str,
    values: npt.NDArray[np.float64],
    errors: npt.NDArray[np.float64],
    end: float,
    *,
    cases: str = "epochs",
    interval: tuple[float, float] | None = None,
) -> Cell:
    """Draw what one thing did in each case: + raised, o lowered, faint within the error; a bar at the median.

    Parameters
    ----------
    name : str
        What it is.
    values, errors : array, shape (n_cases,)
        What it did, and the error of that; a case whose value is NaN is left out.
    end : float
        The end of the scale.
    cases : str
        What a case is, in the plural.
    interval : (float, float) | None
        That of the median, drawn below it, if it is known.
    """
    known = np.isfinite(values)
    own, errors = values[known], errors[known]
    if not len(own):
        return Cell("", "nothing")
    x = _place(own, end)
    y = HEIGHT / 2 + (np.zeros(len(own)) if len(own) < CROWD else (np.arange(len(own)) * 0.382 % 1 - 0.5) * 2 * SPREAD)
    if len(own) > CROWDED:  # more than a cell has places for: what falls on each other is drawn once
        x, y = np.round(x), np.round(y)
    within = np.abs(own) <= errors
    drawn = [f'<path class="zero" stroke="#999" d="M{WIDTH / 2:g} 2V{HEIGHT - 2}"/>']
    for kind, colour, mark, chosen in (("raised", RAISED, _plus, own > 0), ("lowered", LOWERED, _ring, own <= 0)):
        for faint, those in (("", chosen & ~within), (" within", chosen & within)):
            path = "".join(dict.fromkeys(mark(*at) for at in zip(x[those].tolist(), y[those].tolist(), strict=True)))
            if path:
                opacity = ' stroke-opacity="0.45"' if faint else ""
                drawn.append(
                    f'<path class="{kind}{faint}" fill="none" stroke="{colour}" stroke-width="1.6"{opacity} d="{path}"/>'
                )
    middle = float(np.median(own))
    at = _place(np.array([middle]), end)[0]
    drawn.append(f'<path class="median" stroke="#111" stroke-width="2.5" d="M{at:.1f} 4V{HEIGHT - 4}"/>')
    n_for, n_within = int((own > 0).sum()), int(within.sum())
    between = ""
    if interval is not None and np.isfinite(interval).all():
        low, high = _place(np.array(interval), end).tolist()
        drawn.append(f'<path class="median" stroke="#111" stroke-width="3" d="M{low:.1f} {HEIGHT - 3}H{high:.1f}"/>')
        between = f" (95 % interval {number_text(interval[0], end)} to {number_text(interval[1], end)})"
    said = f"{name}: median {number_text(middle, end)}{between}, for in {n_for} of {len(own)} {cases}"
    return Cell("".join(drawn), said + (f", within the error in {n_within}" if n_within else ""))


def _plus(x: float, y: float) -> str:
    return f"M{x - MARK:.1f} {y:.1f}h{2 * MARK:g}m{-MARK:g}-{MARK:g}v{2 * MARK:g}"


def _ring(x: float, y: float) -> str:
    return f"M{x - MARK:.1f} {y:.1f}a{MARK:g} {MARK:g} 0 1 0 {2 * MARK:g} 0a{MARK:g} {MARK:g} 0 1 0-{2 * MARK:g} 0"


def _place(values: npt.NDArray[np.float64], end: float) -> npt.NDArray[np.float64]:
    """Where values are drawn: on a scale that is linear about 0 and logarithmic from there on, the same in all cells."""
    scale = np.arcsinh(1 / LINEAR)
    found: npt.NDArray[np.float64] = WIDTH / 2 + np.arcsinh(values / (LINEAR * end)) / scale * (WIDTH / 2 - MARK - 2)
    return found


def round_up(value: float) -> float:
    """Return the next of 1, 2 and 5 times a power of ten; 1 of nothing."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-12)))


def draw_axis(end: float) -> str:
    """Return the scale, once: SVG of numbers only."""
    values = np.array([-end, -end / 10, 0, end / 10, end])
    places = _place(values, end)
    lines = "".join(f"M{x:.1f} 0V5" for x in places.tolist())
    ends = ((2.0, 0, "start"), (places[2], 2, "middle"), (WIDTH - 2.0, 4, "end"))
    texts = "".join(
        f'<text x="{x:.1f}" y="18" text-anchor="{anchor}">{f"{values[i]:g}".replace("-", "−")}</text>'
        for x, i, anchor in ends
    )
    return f'<path class="zero" stroke="#777" d="{lines}"/><g class="ticks" font-size="12" fill="#4a4a4a">{texts}</g>'
