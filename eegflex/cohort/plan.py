"""How many epochs of a night, and how many people, are needed: from a pilot, before a run."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from eegflex.cohort.people import ALL_CHANNELS, Asked, Units, gather
from eegflex.cohort.told import cell
from eegflex.errors import MissingExtraError, ParameterError
from eegflex.findings import Finding, Findings, ok, unknown, warning
from eegflex.results.intervals import LEVEL
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["EpochPlan", "plan_epochs"]

#: A pilot has so many people or more.
LEAST = 5
_MOST_EPOCHS = 10_000
#: Effects in standard deviations, and shares, that nobody asks for.
_MOST = 100


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """How many epochs and people are needed.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each stage, channel and band: ``n`` people of the pilot, ``between_sd`` (of people, their errors taken
        away) with its 95 % interval, ``epoch_sd`` (what one epoch misses its night's mean by), ``epochs_now`` (the
        median of the pilot), ``epochs`` that make the error of a night's mean the share that was asked for of
        ``between_sd``, ``epochs_most`` (if people differ as little as the interval allows), and people of each group
        with the numbers of the pilot (``people_now``), with ``epochs`` (``people``) and with all there could be
        (``people_least``). NaN where the pilot cannot tell.
    findings : Findings
        The same in sentences.

    See Also
    --------
    eegflex.cohort.plan_epochs : How many epochs and people are needed.

    Examples
    --------
    >>> from eegflex.cohort import plan_epochs, simulate_cohort
    >>> plan = plan_epochs(simulate_cohort(20, stages=("N2",), channels=("C3-M2",), n_explained=4, seed=2))
    >>> plan.table["n"].max().item()
    20
    """

    table: pd.DataFrame
    findings: Findings

    def __str__(self) -> str:
        """The findings."""
        return str(self.findings)


@checked
def plan_epochs(
    cohort: Cohort,
    *,
    share: float = 0.5,
    effect: float = 0.8,
    power: float = 0.8,
    alpha: float = 0.05,
    stages: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    picks: Sequence[str] | None = None,
) -> EpochPlan:
    """Estimate how many epochs of each night, and how many people, a comparison needs.

    Parameters
    ----------
    cohort : Cohort
        A pilot: some nights of five people or more, with a sample of epochs of each.
    share : float
        How large the error of a night's mean may be, as a part of the standard deviation between people. With 0.5 it
        makes a fifth of the variance that a comparison sees.
    effect : float
        The difference of two groups that is to be found, in standard deviations between people.
    power : float
        How often it is to be found.
    alpha : float
        The p from which on it counts; less where many cells are compared.
    stages, bands, picks : sequence of str | None
        Of what. None: all.

    Returns
    -------
    EpochPlan
        The table, and what it says.

    Raises
    ------
    ParameterError
        If the pilot has fewer than five people, or a number is out of range.

    See Also
    --------
    eegflex.cohort.EpochPlan : What `plan_epochs` returns.
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.cohort.simulate_cohort : A cohort with a known truth.

    Notes
    -----
    The variance of people's means is that between people and that of their errors; the latter is known of each and taken away.
    Errors go down with the square root of the number of epochs as long as these come from other parts of the night. Channels
    are told one by one, for the error of a mean over them is not known.

    Examples
    --------
    >>> from eegflex.cohort import plan_epochs, simulate_cohort
    >>> plan = plan_epochs(simulate_cohort(20, n_explained=4, seed=2), stages=["N2"], picks=["C3-M2"])
    >>> row = plan.table.set_index("band").loc["sigma"]
    >>> bool(row["epochs"] > row["epochs_now"])  # more are needed than the pilot has
    True
    """
    for name, value in (("share", share), ("effect", effect), ("power", power), ("alpha", alpha)):
        if not 0 < value < (1 if name in ("power", "alpha") else _MOST):
            raise ParameterError(
                f"{name} is out of its range",
                seen=value,
                allowed=f"above 0, power and alpha below 1, others below {_MOST}",
            )
    units = gather(cohort, Asked(stages, bands, picks)).people()
    if len(units.table) < LEAST:
        raise ParameterError("A pilot has too few people", seen=len(units.table), allowed=f"{LEAST} or more")
    table = _table(units, share)
    for name, epochs in (("people_now", table["epochs_now"]), ("people", table["epochs"]), ("people_least", np.inf)):
        total = np.sqrt(table["between_sd"] ** 2 + table["epoch_sd"] ** 2 / epochs)
        table[name] = [
            _people(effect * sd / all_, power, alpha) for sd, all_ in zip(table["between_sd"], total, strict=True)
        ]
    title = f"epochs for an error of {share:g} of the standard deviation between people"
    asked = f"a difference of {effect:g} standard deviations between people, power {power:g}, p < {alpha:g}"
    return EpochPlan(table, Findings(title, (_epochs_line(table, units, share), _people_line(table, asked))))


def _table(units: Units, share: float) -> pd.DataFrame:
    rows = []
    for own in units.mean.columns:
        if own[1] == ALL_CHANNELS:
            continue
        there = units.mean[own].notna() & units.error[own].notna()
        mean, error, n = (wide.loc[there, own] for wide in (units.mean, units.error, units.n_epochs))
        rows.append(
            (*own, int(there.sum()), *_spread(mean, error), *_of_epochs(error, n, units.table.loc[there, "n_nights"]))
        )
    names = ["stage", "channel", "band", "n", "between_sd", "between_low", "between_high", "epoch_sd", "epochs_now"]
    table = pd.DataFrame(rows, columns=names)
    for name, sd in (("epochs", "between_sd"), ("epochs_most", "between_low")):
        needed = np.ceil((table["epoch_sd"] / (share * table[sd].where(table[sd] > 0))) ** 2)
        table[name] = np.maximum(needed, 1).where(needed <= _MOST_EPOCHS)
    return table


def _spread(mean: pd.Series, error: pd.Series) -> tuple[float, float, float]:
    """The standard deviation between people without that of their errors, and its interval."""
    n = len(mean)
    if n < LEAST:
        return np.nan, np.nan, np.nan
    total, own = float(mean.var()), float((error**2).mean())
    ends = [total * (n - 1) / stats.chi2.ppf(tail, n - 1) - own for tail in ((1 + LEVEL) / 2, (1 - LEVEL) / 2)]
    middle, low, high = (math.sqrt(max(one, 0.0)) for one in (total - own, *ends))
    return middle or np.nan, low, high


def _of_epochs(error: pd.Series, n: pd.Series, nights: pd.Series) -> tuple[float, float]:
    """What one epoch misses the mean by, and how many there are of a night."""
    return float(np.sqrt((error**2 * n).mean())), float((n / nights).median())


def _people(effect: float, power: float, alpha: float) -> float:
    if not math.isfinite(effect) or effect < 0.02:
        return np.nan
    try:
        solver: Any = importlib.import_module("statsmodels.stats.power").TTestIndPower()
    except ImportError as error:
        raise MissingExtraError("Power needs statsmodels, which is not installed", "cohort") from error
    if solver.power(effect, 3, alpha) >= power:
        return 3.0
    return float(math.ceil(solver.solve_power(effect, power=power, alpha=alpha)))


def _epochs_line(table: pd.DataFrame, units: Units, share: float) -> Finding:
    known = table.dropna(subset=["epochs"])
    values: dict[str, float | int] = {"n_people": len(units.table), "n_cells": len(table), "n_known": len(known)}
    if known.empty:
        return unknown(
            "people of the pilot do not differ more than their errors", "Explain more epochs of it", **values
        ).named("epochs")
    enough = int((known["epochs_now"] >= known["epochs"]).sum())
    middle, most = float(known["epochs"].median()), known.loc[known["epochs"].idxmax()]
    values |= {"epochs": middle, "epochs_most": float(most["epochs"]), "n_enough": enough}
    told = (
        f"from {len(units.table)} people: {middle:.0f} epochs of a stage of each night make the error {share:g} of what people "
        f"differ in, in the median of {len(known)} cells (a band of a channel in a stage); most are needed for {cell(most)} "
        f"({most['epochs']:.0f}, and {_or_more(most['epochs_most'])} if people differ as little as the pilot allows); the "
        f"pilot has enough for {enough}"
    )
    if unclear := len(table) - len(known):
        told += f"; of {unclear} it cannot tell, for people differ no more than their errors"
    if enough < len(known):
        return warning(told, "Explain so many: sample_per_stage", **values).named("epochs")
    return ok(told, **values).named("epochs")


def _or_more(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "any number would do too little"


def _people_line(table: pd.DataFrame, asked: str) -> Finding:
    known = table.dropna(subset=["people", "people_now"])
    if known.empty:
        return unknown("how many people are needed cannot be told").named("people")
    now, then, least = (float(known[name].median()) for name in ("people_now", "people", "people_least"))
    return ok(
        f"{asked}: {then:.0f} people of each group with so many epochs, {now:.0f} with those of the pilot, {least:.0f} "
        f"without any error within nights (the median of {len(known)} cells; before a correction for how many are compared)",
        people=then, people_now=now, people_least=least,
    ).named("people")  # fmt: skip
