"""People who stand out of a cohort, each with the reason, by rules that are stated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.cohort.page_people import People, nan_mean, person_values
from eegflex.cohort.page_rows import ALL, Column, columns_of
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.wording import number_text

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["LEAST_PEOPLE", "RULES", "Outlying", "distances", "modified_z", "outlying_people"]

#: Fewer people than this do not tell who is unlike the others.
LEAST_PEOPLE = 10
#: From this modified z-score on a value is an outlier (Iglewicz and Hoaglin, 1993).
FAR = 3.5
#: At this kappa or below, agreement is no more than fair (Landis and Koch, 1977), whatever others have.
FAIR = 0.4
#: One cell counts for no more than this many units of scatter.
_MOST = 10.0
#: What makes the median absolute deviation of normal values their standard deviation.
_NORMAL = 1.4826
#: What more than this part of the people have in common makes nobody stand out.
_COMMON = 1 / 3
RULES = (
    "A person's profile is unlike the others': how far each band of each stage lies from the median over people, in units of "
    f"their scatter (median absolute deviation, and the person's own error), the root mean square of that over all bands and "
    f"stages, and of its logarithm a modified z-score above {FAR:g}.",
    f"The stager and the scorer agree little: kappa of {FAIR:g} or less, or a modified z-score below −{FAR:g}.",
    "The person's own errors are large: in more than half of the bands and stages larger than the scatter between people.",
    f"Few epochs: fewer than {MIN_EPOCHS} explained of a stage, unless that is so in more than a third of the people.",
)


@dataclass(frozen=True)
class Outlying:
    """A person who stands out, and why."""

    person: str
    reasons: tuple[str, ...]


def modified_z(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far values lie from their median in units of their median absolute deviation; 0 where they have none.

    Examples
    --------
    >>> import numpy as np
    >>> modified_z(np.array([1.0, 2.0, 3.0, 4.0, 50.0])).round(1)
    array([-1.3, -0.7,  0. ,  0.7, 31.7])
    """
    away = values - np.nanmedian(values) if np.isfinite(values).any() else values
    scatter = _NORMAL * np.nanmedian(np.abs(away)) if np.isfinite(values).any() else 0.0
    return np.asarray(away / scatter if scatter > 0 else np.zeros_like(values))


def outlying_people(cohort: Cohort, people: People) -> list[Outlying]:
    """Name the people who stand out, by `RULES`; those with most reasons first.

    Parameters
    ----------
    cohort : Cohort
        The cohort.
    people : People
        What the bands did in each person.

    Notes
    -----
    In 4000 simulated people whose profiles were normal and alike, in 35 bands and stages that were independent, the first rule
    named 1 % of the people of cohorts of 10, 0.2 % of 20, 0.1 % of 50 and none of 200. It found one person who was off by four
    standard deviations in a third of the bands and stages in 86 % of the cohorts of 10, 98 % of 20 and all of 50.
    """
    columns = [one for one in columns_of(people) if one.name != ALL]  # a sum says nothing of its own
    reasons: dict[str, list[str]] = {}
    for found in (
        _unlike(people, columns), _disagreeing(cohort), _vague(people, columns), _of_few_epochs(people),
    ):  # fmt: skip
        for person, reason in found.items():
            reasons.setdefault(person, []).append(reason)
    named = [Outlying(person, tuple(own)) for person, own in reasons.items()]
    return sorted(named, key=lambda one: -len(one.reasons))


def distances(
    values: npt.NDArray[np.float64], errors: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How far each person lies from the others.

    Parameters
    ----------
    values, errors : array, shape (n_people, n_cells)
        What each band did in each stage, and its error; NaN where it is not known.

    Returns
    -------
    distance : array, shape (n_people,)
        The root mean square over cells; NaN of a person of whom too little is known.
    each : array, shape (n_people, n_cells)
        The distance in each cell, with its sign.
    """
    middle, scatter = _scatter(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = (values - middle) / np.hypot(scatter, np.nan_to_num(errors))
    each = np.clip(np.where(np.isfinite(each) & (scatter > 0), each, np.nan), -_MOST, _MOST)
    return np.sqrt(nan_mean(each**2, axis=1)), each


def _scatter(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The median of each cell over people, and their scatter; 0 where fewer than half of the people have it."""
    known = np.isfinite(values)
    enough = known.sum(axis=0) >= max(LEAST_PEOPLE / 2, len(values) / 2)
    middle, scatter = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for cell in np.flatnonzero(enough):
        own = values[known[:, cell], cell]
        middle[cell] = np.median(own)
        scatter[cell] = _NORMAL * np.median(np.abs(own - middle[cell]))
    return middle, scatter


def _cells(people: People, columns: list[Column]) -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Names, values and errors of all bands and stages, (n_people, n_cells)."""
    names = [f"{column.name} in {stage}" for stage in people.stages for column in columns]
    shape = len(people.labels), len(names)
    values, errors = (
        np.stack([getattr(one, field) for one in columns], axis=2).reshape(shape) if columns else np.zeros(shape)
        for field in ("values", "errors")
    )
    return names, values, errors


def _unlike(people: People, columns: list[Column]) -> dict[str, str]:
    if len(people.labels) < LEAST_PEOPLE:
        return {}
    names, values, errors = _cells(people, columns)
    distance, each = distances(values, errors)
    with np.errstate(divide="ignore"):
        far = modified_z(np.log(np.where(distance > 0, distance, np.nan)))
    found = {}
    for person in np.flatnonzero(far > FAR):
        cell = int(np.nanargmax(np.abs(each[person])))
        own = values[:, cell][np.isfinite(values[:, cell])]
        low, middle, high = np.quantile(own, [0.25, 0.5, 0.75]).tolist()
        size = max(map(abs, (low, middle, high, values[person, cell])))
        found[people.labels[person]] = (
            f"Unlike the others, {distance[person]:.1f} units of scatter from the middle (half of the people: below "
            f"{np.nanmedian(distance):.1f}); most so {names[cell]}: {number_text(values[person, cell], size)}, while "
            f"half of the people have {number_text(low, size)} to {number_text(high, size)}"
        )
    return found


def _disagreeing(cohort: Cohort) -> dict[str, str]:
    table = cohort.recordings
    own = person_values(cohort, table.loc[table["status"] == "done", "kappa"])
    values = own.to_numpy(dtype=np.float64)
    low = values <= FAIR
    if len(values) >= LEAST_PEOPLE:
        low |= modified_z(values) < -FAR
    middle = float(np.median(values)) if len(values) else np.nan
    return {
        str(name): f"Stager and scorer agree little: kappa {value:.2f} (median person {middle:.2f})"
        for name, value in own[low].items()
    }


def _vague(people: People, columns: list[Column]) -> dict[str, str]:
    if len(people.labels) < LEAST_PEOPLE:
        return {}
    _, values, errors = _cells(people, columns)
    _, scatter = _scatter(values)
    usable = np.isfinite(values) & (scatter > 0)
    n = usable.sum(axis=1)
    larger = (usable & (np.nan_to_num(errors) > scatter)).sum(axis=1)
    return {
        people.labels[i]: f"Own error larger than the scatter between people in {larger[i]} of {n[i]} bands and stages"
        for i in np.flatnonzero(larger > n / 2)
    }


def _of_few_epochs(people: People) -> dict[str, str]:
    few = (people.n_epochs > 0) & (people.n_epochs < MIN_EPOCHS)
    common = few.sum(axis=0) > _COMMON * np.maximum((people.n_epochs > 0).sum(axis=0), 1)
    few &= ~common
    told = {}
    for i in np.flatnonzero(few.any(axis=1)):
        named = ", ".join(f"{people.stages[k]} {people.n_epochs[i, k]}" for k in np.flatnonzero(few[i]))
        told[people.labels[i]] = f"Few explained epochs: {named}"
    return told
