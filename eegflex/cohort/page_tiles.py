"""The tiles of a cohort's first screen: what a reader must know before any number below is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegflex.cohort.page_people import Estimate, People, estimate, person_of, person_values
from eegflex.report.facts import LIMITS, grade, worst
from eegflex.report.tiles import Tile
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.wording import count_epochs, percent

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["between_words", "count", "make_tiles"]

#: People that are named.
_MOST_NAMED = 3
_FITS = {
    "good": "The stager agrees with the scorers",
    "some": "The stager agrees with the scorers in part",
    "bad": "The stager does not agree with the scorers",
}
_AGREE = {
    "good": "The channels agree",
    "some": "Not all channels agree",
    "bad": "The channels disagree",
}


def count(number: int, one: str, many: str = "") -> str:
    """Return ``"1 person"`` or ``"2 people"``."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def between_words(found: Estimate, *, shares: bool = False) -> str:
    """Say the median over people and its interval: ``"0.78 (95 % interval 0.75 to 0.81, 40 people)"``."""
    write = percent if shares else "{:.2f}".format
    people = count(found.n, "person", "people")
    if not np.isfinite(found.low):
        return f"{write(found.median)} ({people}, too few for an interval)"
    return f"{write(found.median)} (95 % interval {write(found.low)} to {write(found.high)}, {people})"


def make_tiles(cohort: Cohort, people: People) -> list[Tile]:
    """Make the tiles.

    Parameters
    ----------
    cohort : Cohort
        The cohort.
    people : People
        What the bands did in each person.
    """
    return [_done(cohort), _fits(cohort), _channels(cohort), _looked_at(cohort, people), _trusted(cohort)]


def _done(cohort: Cohort) -> Tile:
    status, who = cohort.recordings["status"], person_of(cohort)
    n, done, failed = len(status), int((status == "done").sum()), int((status == "failed").sum())
    left = n - done - failed
    people = count(who[status == "done"].nunique(), "person", "people")
    how = worst(grade("failed", failed / n if n else np.nan), "some" if left else "good", "good" if done else "bad")
    nights = who[status == "done"].value_counts()
    said = [f"Of {people}{_each(nights)}."] if done else []
    if failed:
        said.append(f"{failed} failed, listed below with what to do.")
    if left:
        said.append(f"{left} {'is' if left == 1 else 'are'} not done yet: run the same command again.")
    if failed or left:
        said.append("All numbers are of those that are done.")
    title = f"All {n} recordings are done" if done == n and n > 1 else f"{done} of {count(n, 'recording')} done"
    return Tile(how, title, " ".join(said))


def _each(nights: pd.Series[int]) -> str:
    """How many recordings there are of each person, where it is more than one."""
    if nights.max() < 2:
        return ""
    low, high = int(nights.min()), int(nights.max())
    return f", {low if low == high else f'{low} to {high}'} each"


def _fits(cohort: Cohort) -> Tile:
    own = person_values(cohort, _of_done(cohort, "kappa"))
    if own.empty:
        return Tile("unknown", "These nights were not scored", "Whether the stager is right is not known.")
    found = estimate(own.to_numpy())
    how = grade("agreement", found.low) if np.isfinite(found.low) else worst("some", grade("agreement", found.median))
    bad = LIMITS["agreement"][1]
    below = int((own < bad).sum())
    said = f"Corrected for chance, kappa of the median person is {between_words(found)}. {_named(own, 'Lowest')}"
    said += f" {below} of {found.n} below {bad:g}." if below else ""
    return Tile(how, _FITS[how], said)


def _channels(cohort: Cohort) -> Tile:
    own = person_values(cohort, _of_done(cohort, "disagreement"))
    if own.empty:
        return Tile("unknown", "One answer a night", "The stager uses all channels together, so they cannot disagree.")
    found = estimate(own.to_numpy())
    how = grade("disagreement", found.high if np.isfinite(found.high) else found.median)
    said = "They give different stages, in the median person, in "
    said += f"{between_words(found, shares=True)} of the epochs. {_named(-own, 'Most', shares=True)}"
    return Tile(how, _AGREE[how], said)


def _looked_at(cohort: Cohort, people: People) -> Tile:
    all_epochs, explained = (_of_done(cohort, name).sum() for name in ("n_epochs", "n_explained"))
    share = explained / all_epochs if all_epochs else np.nan
    few = {
        stage: (int((n[n > 0] < MIN_EPOCHS).sum()), int((n > 0).sum()))
        for stage, n in zip(people.stages, people.n_epochs.T, strict=True)
    }
    told = [f"{stage} ({n} of {of})" for stage, (n, of) in few.items() if n]
    everything = bool(share >= 1)
    how = grade("looked at", float(share))
    many = any(n > of / 2 for n, of in few.values())
    how = worst(how, "bad") if many and not everything else how
    title = (
        f"All {int(all_epochs)} epochs were explained" if everything
        else f"{percent(share)} of {count_epochs(int(all_epochs))} were explained" if all_epochs
        else "No epoch was explained"
    )  # fmt: skip
    middle = [
        f"{stage} {np.median(n[n > 0]):.0f}"
        for stage, n in zip(people.stages, people.n_epochs.T, strict=True)
        if (n > 0).any()
    ]
    said = [f"In the median person: {', '.join(middle)}."] if middle else []
    if told:
        said.append(f"Fewer than {MIN_EPOCHS} of a stage, so a person's own number is imprecise: {', '.join(told)}.")
    return Tile(how, title, " ".join(said))


def _trusted(cohort: Cohort) -> Tile:
    own = _of_done(cohort, "n_trusted")
    own = own[own >= 0]
    if own.empty:
        return Tile("some", "No explanation was tested", "They were not tested on the model (evaluate).")
    asked = "Tests on the model, with parts of the signal changed, confirm"
    if "n_tested" not in cohort.recordings:
        said = f"{asked} so many of a sample; of how many is not in the tables, so no share is told."
        return Tile("some", f"{count(int(own.sum()), 'explanation')} {'holds' if own.sum() == 1 else 'hold'}", said)
    of = _of_done(cohort, "n_tested").reindex(own.index)
    if not of.sum():
        return Tile(
            "some", "No explanation was tested", f"None of {count(len(own), 'recording')} had one to be tested."
        )
    found = estimate(person_values(cohort, own / of.where(of > 0)).to_numpy())
    how = grade("trusted", found.low if np.isfinite(found.low) else found.median)
    said = f"{asked}, in the median person, {between_words(found, shares=True)} of the tested epochs; "
    said += f"in all {int(own.sum())} of {int(of.sum())}, of {count(len(own), 'recording')}."
    return Tile(how, f"{percent(own.sum() / of.sum())} of those that were tested hold", said)


def _of_done(cohort: Cohort, name: str) -> pd.Series[float]:
    """A column of the recordings that are done, as numbers."""
    table = cohort.recordings
    return pd.to_numeric(table.loc[table["status"] == "done", name], errors="coerce").astype(float)


def _named(values: pd.Series[float], word: str, *, shares: bool = False) -> str:
    """Name the people with the lowest values; those of shares come with a minus."""
    if len(values) < 2:
        return ""
    write = percent if shares else "{:.2f}".format
    lowest = values.sort_values(kind="stable").head(_MOST_NAMED)
    return f"{word}: {', '.join(f'{name} {write(abs(value) if shares else value)}' for name, value in lowest.items())}."
