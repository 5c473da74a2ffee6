"""Which explanations can be believed: of each epoch and channel set, by what was measured of it, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from eegflex.errors import ParameterError, check_choice
from eegflex.findings import Finding, Value, ok, unknown, warning
from eegflex.results import tables
from eegflex.results.criteria import CRITERIA, EVIDENCE, Criterion
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.means import refuse_single
from eegflex.results.once import known
from eegflex.results.wording import count_epochs

__all__ = [
    "CHOICES",
    "NOT_EXPLAINED",
    "NOT_TRUSTED",
    "TRUSTED",
    "VERDICTS",
    "Trust",
    "chosen",
    "has_evidence",
    "judge",
    "trust_of_stages",
    "trust_table",
    "trust_words",
]

TRUSTED, NOT_TRUSTED, NOT_EXPLAINED, NOT_TESTED = "trusted", "not trusted", "not explained by the epoch", "not tested"
VERDICTS = (TRUSTED, NOT_TRUSTED, NOT_EXPLAINED, NOT_TESTED)
#: Which epochs a table or figure can be of.
CHOICES = ("all", "trusted")


@dataclass(frozen=True)
class Trust:
    """What holds of each explanation of a result.

    Attributes
    ----------
    holds : dict of str to array, shape (n_epochs, n_channel_sets)
        By the name of the criterion: 1 where it holds, 0 where it does not, NaN where it was not measured.
    words : dict of str to str
        Why an explanation is not trusted of which it does not hold.
    missing : dict of str to array of bool
        By the words for it, which explanations lack evidence.
    """

    holds: dict[str, npt.NDArray[np.float64]]
    words: dict[str, str]
    missing: dict[str, npt.NDArray[np.bool_]]

    @cached_property
    def verdict(self) -> npt.NDArray[np.str_]:
        """One of `VERDICTS`, shape (n_epochs, n_channel_sets)."""
        fails = {name: values == 0 for name, values in self.holds.items()}
        by_epoch = np.any([fails[name] for name in fails if CRITERIA[name].by_epoch], axis=0)
        failed = np.any(list(fails.values()), axis=0)
        known = np.where(failed, NOT_TRUSTED, np.where(self.cases, TRUSTED, NOT_TESTED))
        return np.where(by_epoch, NOT_EXPLAINED, known)

    @property
    def cases(self) -> npt.NDArray[np.bool_]:
        """Which explanations have all the evidence that trust takes, shape (n_epochs, n_channel_sets)."""
        return np.asarray(~np.any(list(self.missing.values()), axis=0))

    @property
    def epochs(self) -> npt.NDArray[np.bool_]:
        """Whether an epoch is trusted with most of the channel sets that it was tested with, shape (n_epochs,)."""
        return np.asarray((self.verdict == TRUSTED).sum(axis=1) > self.cases.sum(axis=1) / 2)

    @property
    def tested(self) -> npt.NDArray[np.bool_]:
        """Whether an epoch has, with some channel set, all the evidence that trust takes, shape (n_epochs,).

        An evaluation tests few explanations, and each of another epoch as long as there are any.
        """
        return np.asarray(self.cases.any(axis=1))

    def reasons(self, row: int, place: int) -> list[str]:
        """Why one explanation is not trusted, in the order of the criteria."""
        failed = [self.words[name] for name, values in self.holds.items() if values[row, place] == 0]
        return failed + [words for words, those in self.missing.items() if those[row, place]]

    def main_reasons(self, rows: npt.NDArray[np.bool_], n: int = 2) -> str:
        """Why most explanations of some epochs, so far as they were tested, are not trusted; and how many each reason is of."""
        counts: Counter[str] = Counter()
        asked = self.cases | ~self.tested[:, None]
        for row, place in np.argwhere((self.verdict != TRUSTED) & asked & rows[:, None]):
            counts.update(self.reasons(row, place))
        return "; ".join(f"{words} ({count})" for words, count in counts.most_common(n))


def judge(dataset: xr.Dataset, limits: Mapping[str, float] | None = None) -> Trust:
    """Judge the explanations of a result.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    limits : mapping of str to float | None
        Other limits than those of `CRITERIA`, by the name of the criterion.

    Raises
    ------
    ParameterError
        If there is no such criterion, or a limit is not a number.
    """
    refuse_single(dataset, "trust")
    if limits is not None and limits != {}:  # also what is empty but no mapping, which is refused there
        return _judge(dataset, limits)
    return known(dataset, "trust", lambda: _judge(dataset, {}))


def _judge(dataset: xr.Dataset, limits: Mapping[str, float]) -> Trust:
    criteria = CRITERIA | {name: _with_limit(name, limit) for name, limit in limits.items()}
    holds = {name: one.holds(dataset) for name, one in criteria.items()}
    sums = np.isfinite(dataset["gap"].values)
    missing = {
        words: np.all([np.isnan(holds[name]) for name in names], axis=0) & (sums | (names != ("converged",)))
        for names, words in EVIDENCE.items()
    }
    return Trust(holds, {name: one.words for name, one in criteria.items()}, missing)


def _with_limit(name: str, limit: Any) -> Criterion:
    if name not in CRITERIA:
        raise ParameterError("There is no trust criterion with this name", seen=repr(name), allowed=list(CRITERIA))
    if isinstance(limit, bool) or not isinstance(limit, int | float | np.number) or np.isnan(limit):
        raise ParameterError(f"The limit of {name!r} must be a number", seen=repr(limit))
    return replace(CRITERIA[name], limit=float(limit))


def trust_table(dataset: xr.Dataset, limits: Mapping[str, float] | None = None) -> pd.DataFrame:
    """One row for each epoch and channel set; see `FlexResult.trust`."""
    found = judge(dataset, limits)
    n_epochs, n_sets = found.verdict.shape
    row, place = np.divmod(np.arange(n_epochs * n_sets), n_sets)
    table = pd.DataFrame({name: dataset[name].values[row] for name in ("recording", "number", "onset", "stage")})
    table["channel_set"] = dataset["channel_set"].values[place]
    table["predicted"] = dataset["predicted"].values.ravel()
    table["verdict"] = pd.Categorical(found.verdict.ravel(), categories=VERDICTS)
    table["reasons"] = ["; ".join(found.reasons(*where)) for where in zip(row, place, strict=True)]
    held = {name: pd.array(values.ravel()).astype("boolean") for name, values in found.holds.items()}
    table["n_measured"] = np.sum([one.notna() for one in map(pd.Series, held.values())], axis=0)
    table = table.assign(**held)
    measured = {name: int(table[name].notna().sum()) for name in held}
    table.attrs = {
        "n_criteria": len(held),
        "n_measured": {name: n for name, n in measured.items() if n},
        "not_measured": [name for name, n in measured.items() if not n],
        "counts": {name: int((table["verdict"] == name).sum()) for name in VERDICTS},
    }
    return table


def chosen(dataset: xr.Dataset, trust: str) -> npt.NDArray[np.intp]:
    """The places of the epochs that a table or figure is of: all of them, or those that are trusted.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of a result of one target.
    trust : {"all", "trusted"}
        Which epochs to take.

    Raises
    ------
    ParameterError
        If none is trusted.
    """
    check_choice("trust", trust, CHOICES)
    if trust == "all":
        return np.arange(dataset.sizes["epoch"])
    found = judge(dataset)
    if not found.epochs.any():
        raise ParameterError(
            f"None of {count_epochs(len(found.epochs))} is trusted: {found.main_reasons(~found.epochs)}",
            seen="trust='trusted'",
            remedy="See result.trust(), or take all with trust='all'",
        )
    return np.flatnonzero(found.epochs)


def has_evidence(dataset: xr.Dataset) -> bool:
    """Whether explanations were tested on the model at all: without that, none is trusted."""
    measured = "measures" in dataset and bool(np.isfinite(dataset["measures"].values).any())
    return measured or "second_view" in dataset


def trust_words(dataset: xr.Dataset, trust: str = "all", stage_from: str = "predicted") -> str:
    """Say how many epochs are trusted, of each stage, and why others are not; nothing where none was tested.

    Parameters
    ----------
    dataset : xarray.Dataset
        With all epochs.
    trust : {"all", "trusted"}
        Which of them are shown.
    stage_from : {"predicted", "scored", "target"}
        Whose stages they are counted by.
    """
    if not has_evidence(dataset):
        return ""
    found, stages = judge(dataset), tables.counted_stages(dataset, stage_from)
    kept, tested = found.epochs, found.tested
    order = dict.fromkeys([*dataset["stage_name"].values.astype(str).tolist(), *sorted(stages.tolist())])
    counts = {one: (int((kept & (stages == one)).sum()), int((tested & (stages == one)).sum())) for one in order}
    by_stage = ", ".join(f"{stage} {n} of {of}" for stage, (n, of) in counts.items() if of and stage)
    shown = "Only trusted epochs are shown" if trust == "trusted" else "Trusted"
    left = len(tested) - int(tested.sum())
    told = [f"{shown}: {kept.sum()} of {count_epochs(int(tested.sum()))} that were tested ({by_stage})"]
    told += [f"of the others, {found.main_reasons(tested & ~kept)}"] if (tested & ~kept).any() else []
    told += [f"{left} {'was' if left == 1 else 'were'} not tested"] if left else []
    return "; ".join(told) + "."


def trust_of_stages(dataset: xr.Dataset) -> dict[str, Finding]:
    """How many epochs of each predicted stage are trusted, of those that were tested, and why others are not.

    A warning where fewer than `MIN_EPOCHS`, or not even half, are.
    """
    found, stages = judge(dataset), tables.counted_stages(dataset, "predicted")
    return {stage: _of_stage(found, stages == stage, stage) for stage in dict.fromkeys(stages.tolist()) if stage}


def _of_stage(found: Trust, own: npt.NDArray[np.bool_], stage: str) -> Finding:
    tested, kept = own & found.tested, own & found.epochs
    n, of, left = int(kept.sum()), int(tested.sum()), int((own & ~found.tested).sum())
    values: dict[str, Value] = {"stage": stage, "n_trusted": n, "n_tested": of, "n_epochs": int(own.sum())}
    if not of:
        return unknown("none of its explanations was tested", "Evaluate them", **values).named(f"{stage} trust")
    told = f"{n} of {count_epochs(of)} whose explanations were tested {'is' if n == 1 else 'are'} trusted"
    told += f"; others: {found.main_reasons(tested & ~kept)}" if n < of else ""
    told += f"; {left} {'was' if left == 1 else 'were'} not tested" if left else ""
    if n >= min(of, MIN_EPOCHS) and n >= of / 2:
        return ok(told, **values).named(f"{stage} trust")
    return warning(told, "Do not rely on any of those alone; see result.trust()", **values).named(f"{stage} trust")
