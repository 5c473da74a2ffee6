"""A row for each stage of a cohort: evidence for and against it by band, one mark a person, and how the stage was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.bands import Bands
from eegflex.cohort.page_people import TOLD, TOTAL, Estimate, People, estimate, person_values
from eegflex.cohort.page_tiles import between_words, count
from eegflex.report.facts import GRADES, grade, worst
from eegflex.report.stage_rows import Cell, draw_axis, draw_cell, round_up
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.wording import number_text, percent, span_words, type_label

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["ALL", "Column", "PeopleRow", "PeopleTable", "columns_of", "make_people_rows", "numbers_of"]

#: The column of all bands together.
ALL = "All together"


@dataclass(frozen=True)
class Column:
    """A band of the first type of channel, or all bands of another type.

    Attributes
    ----------
    name, span : str
        What it is called, and its frequencies or channels.
    values, errors : array, shape (n_people, n_stages)
        What it did in each person, and the standard error of that.
    """

    name: str
    span: str
    values: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]


@dataclass(frozen=True)
class PeopleRow:
    """A stage: its cells, and what is known of how it was found."""

    stage: str
    n: int
    cells: tuple[Cell, ...]
    grade: str
    told: tuple[str, ...]

    @property
    def mark(self) -> str:
        """What stands for its grade without a colour."""
        return GRADES[self.grade]


@dataclass(frozen=True)
class PeopleTable:
    """The rows, what their columns are, and the scale that all cells share."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[PeopleRow, ...]
    axis: str


def columns_of(people: People) -> list[Column]:
    """The bands of the first type of channel, and each other type as a whole."""
    if not people.order:
        return []
    first, *others = people.order
    values, errors = people.of_kind(first)
    edges = Bands()
    found = []
    for place, band in enumerate(people.bands):
        if band in edges.outside:
            continue
        if band == TOTAL:
            found.append(Column(ALL, f"all bands, {type_label(first)}", values[..., place], errors[..., place]))
            continue
        span = span_words(band, edges) if band in edges else ""
        found.append(
            Column(band, ", ".join(filter(None, [span, type_label(first)])), values[..., place], errors[..., place])
        )
    for kind in others:
        own, of = (_all_bands(people, one) for one in people.of_kind(kind))
        found.append(Column(type_label(kind), "all bands", own, of))
    return found


def _all_bands(people: People, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What all bands did together, (n_people, n_stages): what the cohort says of that, or their sum."""
    if TOTAL in people.bands:
        return values[..., people.bands.index(TOTAL)]
    return np.where(np.isfinite(values).any(axis=2), np.nansum(values, axis=2), np.nan)


def make_people_rows(cohort: Cohort, people: People) -> PeopleTable:
    """Make the table.

    Parameters
    ----------
    cohort : Cohort
        The cohort.
    people : People
        What the bands did in each person.
    """
    columns = columns_of(people)
    largest = max((float(np.nanmax(np.abs(one.values), initial=0.0)) for one in columns), default=0.0)
    end = round_up(largest)
    rows = []
    for place, stage in enumerate(people.stages):
        if not people.n_epochs[:, place].any():
            continue
        cells = tuple(_cell(one, place, end) for one in columns)
        how, told = _told(cohort, people, stage)
        rows.append(PeopleRow(stage, int((people.n_epochs[:, place] > 0).sum()), cells, how, told))
    return PeopleTable(tuple((one.name, one.span) for one in columns), tuple(rows), draw_axis(end))


def _cell(column: Column, place: int, end: float) -> Cell:
    values = column.values[:, place]
    found = estimate(values)
    errors = TOLD * np.nan_to_num(column.errors[:, place])
    return draw_cell(column.name, values, errors, end, cases="people", interval=(found.low, found.high))


def _told(cohort: Cohort, people: People, stage: str) -> tuple[str, tuple[str, ...]]:
    """How a stage is judged, and the sentences of that: how well it is found, how much was explained, what holds."""
    own = cohort.stages[cohort.stages["stage"] == stage].set_index("recording")
    own = own[own.index.isin(cohort.recordings.index[cohort.recordings["status"] == "done"])]
    place = people.stages.index(stage)
    n = people.n_epochs[:, place]
    few, of = int((n[n > 0] < MIN_EPOCHS).sum()), int((n > 0).sum())
    found = estimate(person_values(cohort, own["kappa"]).to_numpy())
    trusted = pd.to_numeric(own["n_trusted"], errors="coerce")
    tested = pd.to_numeric(own["n_tested"], errors="coerce") if "n_tested" in own else pd.Series(dtype=float)
    known = (trusted >= 0) & (tested.reindex(trusted.index) > 0)
    grades, said = ["unknown"], []
    if found.n:
        grades.append(grade("agreement", found.low if np.isfinite(found.low) else found.median))
        said.append(f"Agreement with the scorers: kappa {between_words(found)}.")
    if known.any():
        share = float(trusted[known].sum() / tested[known].sum())
        grades.append(grade("trusted", share))
        said.append(f"{percent(share)} of {count(int(tested[known].sum()), 'explanation')} that were tested hold.")
    if few:
        grades.append("bad" if few > of / 2 else "some")
        said.append(f"Fewer than {MIN_EPOCHS} epochs in {few} of {count(of, 'person', 'people')}.")
    return worst(*grades), tuple(said) or ("It was not scored, and nothing was tested.",)


def numbers_of(people: People) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """The numbers of the rows as a table, and which of its medians are not told from 0.

    Returns
    -------
    table : pandas.DataFrame
        By stage and band: the median over people and its interval, the mean and its interval, of how many people, and in how
        many the band raised the score.
    grey : array of bool, shape of the table
        Rows whose interval holds 0, or that have none.
    """
    rows, names, grey = [], [], []
    for place, stage in enumerate(people.stages):
        for column in columns_of(people):
            found = estimate(column.values[:, place])
            if not found.n:
                continue
            rows.append(_texts(found))
            names.append((stage, column.name))
            grey.append(not (found.low > 0 or found.high < 0))
    columns = ["median", "95 % interval", "mean", "95 % interval ", "people", "raised it in"]
    index = pd.MultiIndex.from_tuples(names, names=["stage", "band"]) if names else None
    marks = np.zeros((len(rows), len(columns)), dtype=bool)
    marks[:, :2] = np.array(grey, dtype=bool).reshape(-1, 1)
    return pd.DataFrame(rows, columns=columns, index=index), marks


def _texts(found: Estimate) -> list[str]:
    size = max(abs(found.median), abs(found.mean))
    write = [number_text(one, size) for one in (found.low, found.high, found.mean_low, found.mean_high)]
    return [
        number_text(found.median, size),
        f"{write[0]} to {write[1]}" if np.isfinite(found.low) else "too few",
        number_text(found.mean, size),
        f"{write[2]} to {write[3]}" if np.isfinite(found.mean_low) else "too few",
        str(found.n),
        str(found.n_for),
    ]
