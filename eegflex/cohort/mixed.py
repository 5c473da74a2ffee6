"""Nights of people who have several: mixed models with an intercept of each person."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from eegflex.cohort import told
from eegflex.cohort.comparison import Comparison
from eegflex.cohort.linear import by_pattern, fdr
from eegflex.cohort.people import Asked, Units, gather, numbers_of
from eegflex.errors import MissingExtraError, ParameterError
from eegflex.findings import Finding, Findings, ok, unknown, warning
from eegflex.results.intervals import LEVEL
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["mixed_model"]

Array = npt.NDArray[np.float64]
#: So many people must have two nights or more, and so many people must there be.
LEAST_REPEATED, LEAST = 3, 6


@checked
def mixed_model(
    cohort: Cohort,
    by: str,
    *,
    groups: Sequence[Any] | None = None,
    covariates: Sequence[str] = (),
    stages: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    picks: Sequence[str] | None = None,
    epochs: str = "all",
) -> Comparison:
    """Compare nights with a linear mixed model with an intercept for each person.

    Use it where people have several nights, and above all where `by` differs between the nights of a person: a session, a dose.
    Every night is used, and none counts as if it were another person.

    Parameters
    ----------
    cohort : Cohort
        The recordings, those that are done.
    by : str
        The column of ``cohort.recordings`` whose effect is asked for: two groups, or a number.
    groups : sequence | None
        Which two: the effect is that of the first less the second. None: both that there are; a number otherwise.
    covariates : sequence of str
        Columns that are in the model, too.
    stages, bands, picks, epochs
        As in `compare_groups`.

    Returns
    -------
    Comparison
        `bands` has ``effect`` with its interval, ``d`` (in standard deviations of a night of a person),
        ``person_share`` (which part of the variance is between people), ``n`` people, ``n_nights``, and whether it
        ``converged``; `clusters` and `staging` are empty.

    Raises
    ------
    ParameterError
        If fewer than three people have several nights, or there are fewer than six people.

    See Also
    --------
    eegflex.cohort.Comparison : What a comparison found.
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.cohort.correlate : What goes with a number of people's, such as age.

    Notes
    -----
    ``statsmodels.MixedLM`` by restricted maximum likelihood [1]_. Its z would take few people for many: p and intervals are
    Student's, with the degrees of freedom of people where `by` is of people, and of nights within people where it is of
    nights.

    References
    ----------
    .. [1] Laird N. M., Ware J. H. (1982). Random-effects models for longitudinal data. Biometrics 38:963-974.

    Examples
    --------
    >>> from eegflex.cohort import mixed_model, simulate_cohort
    >>> cohort = simulate_cohort(20, nights=2, within_effect=1.0, stages=("N2",), channels=("C3-M2",), seed=1)
    >>> found = mixed_model(cohort, "session", groups=["2", "1"])
    >>> found.bands.set_index("band")["p_fdr"].idxmin()
    'sigma'
    """
    units = gather(cohort, Asked(stages, bands, picks, epochs))
    effect, name = _effect(units, by, groups)
    others = numbers_of(units, covariates)
    rows = np.isfinite(effect) & np.isfinite(others).all(axis=1)
    units, effect, others = units.of(rows), effect[rows], others[rows]
    who = units.table["subject"].to_numpy()
    _check_repeated(who, effect, by)
    values = units.mean.to_numpy(dtype=np.float64)
    found = []
    for columns, there in by_pattern(values):
        design = _Design(effect[there], others[there], who[there])
        found += [pd.Series(design.fit(values[there, column]), name=column) for column in columns]
    numbers = pd.DataFrame(found).sort_index().infer_objects()
    numbers.insert(numbers.columns.get_loc("p") + 1, "p_fdr", fdr(numbers["p"].to_numpy(dtype=np.float64)))
    table = units.mean.columns.to_frame(index=False).join(numbers)
    table["error_share"] = ((units.error**2).mean() / units.mean.var()).to_numpy()
    title = f"{name} (mixed model{', given ' + ', '.join(covariates) if covariates else ''})"
    n = {"people": len(np.unique(who))}
    lines = (
        told.people_line(n, units, cohort),
        _bands_line(table, name),
        _fits_line(table),
        told.errors_line(table, units),
    )
    people, empty = tuple(map(str, pd.unique(who))), pd.DataFrame()
    return Comparison(title, n, people, table, empty, empty, Findings(title, lines))


def _effect(units: Units, by: str, groups: Sequence[Any] | None) -> tuple[Array, str]:
    """The regressor of each night, and what it is called."""
    number = groups is None and pd.api.types.is_numeric_dtype(units.table.get(by, pd.Series(dtype=object)))
    if number:
        return numbers_of(units, [by])[:, 0], by
    if by not in units.table:
        raise ParameterError(f"The cohort has no column {by!r}", allowed=list(map(str, units.table.columns)))
    own = units.table[by]
    wanted = sorted(pd.unique(own.dropna()), key=str) if groups is None else list(groups)
    if len(wanted) != 2 or any(np.ndim(one) or (own == one).sum() == 0 for one in wanted):
        raise ParameterError(
            f"{by} must have two groups, or be a number", seen=wanted, allowed=[str(one) for one in pd.unique(own.dropna())],
            remedy="Name two of them: groups=[...]",
        )  # fmt: skip
    return own.map({wanted[0]: 1.0, wanted[1]: 0.0}).to_numpy(dtype=np.float64), f"{by}: {wanted[0]} − {wanted[1]}"


def _check_repeated(who: npt.NDArray[Any], effect: Array, by: str) -> None:
    _, nights = np.unique(who, return_counts=True)
    repeated = int((nights > 1).sum())
    if repeated < LEAST_REPEATED or len(nights) < LEAST or np.ptp(effect) == 0:
        raise ParameterError(
            "A mixed model needs people who have several nights, and a column that differs",
            seen=f"{len(nights)} people, {repeated} of them with several nights, {len(np.unique(effect))} values of {by}",
            allowed=f"{LEAST} people or more, {LEAST_REPEATED} of them with two nights",
            remedy="Use compare_groups or correlate, which take the mean of the nights of each person",
        )


class _Design:
    """The nights that a cell has."""

    def __init__(self, effect: Array, others: Array, who: npt.NDArray[Any]) -> None:
        self.columns = np.column_stack([np.ones(len(effect)), effect, others])
        _, self.who = np.unique(who, return_inverse=True)
        self.n, self.n_nights = len(np.unique(self.who)), len(effect)
        k = self.columns.shape[1]
        within = any(np.ptp(effect[self.who == one]) > 0 for one in range(self.n))
        self.df = (self.n_nights - self.n - k + 1) if within else self.n - k
        self.fits = self.df >= 2 and np.ptp(effect) > 0 and np.linalg.matrix_rank(self.columns) == k

    def fit(self, values: Array) -> dict[str, Any]:
        """The effect on one cell; NaN where it cannot be estimated."""
        counts = {"n": self.n, "n_nights": self.n_nights}
        size = values.std() if self.fits else 0.0
        if not size > 1e-12 * max(np.abs(values).max(initial=0.0), 1e-300):
            return (
                dict.fromkeys(("effect", "low", "high", "d", "person_share", "p"), np.nan)
                | counts
                | {"converged": False}
            )
        model = _statsmodels().MixedLM(values / size, self.columns, groups=self.who)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say of convergence is in the fit
            fitted = model.fit(reml=True)
        found, se = float(fitted.fe_params[1]) * size, float(fitted.bse_fe[1]) * size
        person, rest = float(fitted.cov_re[0, 0]) * size**2, float(fitted.scale) * size**2
        good = bool(fitted.converged) and np.isfinite(se) and se > 0
        se = se if good else np.nan
        reach = stats.t.ppf((1 + LEVEL) / 2, self.df) * se
        return {
            "effect": found, "low": found - reach, "high": found + reach, "d": found / np.sqrt(person + rest),
            "person_share": person / (person + rest), "p": float(2 * stats.t.sf(abs(found / se), self.df)),
        } | counts | {"converged": good}  # fmt: skip


def _statsmodels() -> Any:
    try:
        return importlib.import_module("statsmodels.regression.mixed_linear_model")
    except ImportError as error:
        raise MissingExtraError("Mixed models need statsmodels, which is not installed", "cohort") from error


def _bands_line(table: pd.DataFrame, name: str) -> Finding:
    tested = table.dropna(subset=["p"])
    if tested.empty:
        return unknown("no cell could be estimated", "Give more people, or more nights").named("bands")
    found = tested[tested["p_fdr"] < told.ALPHA].sort_values("p")
    values = {"n_tested": len(tested), "n_found": len(found)}
    corrected = f"corrected over {len(tested)} cells (false discovery rate)"
    if found.empty:
        row = tested.sort_values("p").iloc[0]
        return unknown(
            f"none of {len(tested)} cells stays below p = .05 {corrected}, which does not show that there is no effect; the "
            f"smallest p is of {told.cell(row)}: {told.interval(row, 'effect', 'low', 'high')}",
            **values,
        ).named("bands")
    lines = [
        f"{told.cell(row)} {told.interval(row, 'effect', 'low', 'high')}, d = {row['d']:+.2g}, {told.p_text(row['p_fdr'])}"
        for _, row in found.head(3).iterrows()
    ]
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return ok(f"{name}, in units of the score: {'; '.join(lines)}{more}; p {corrected}", **values).named("bands")


def _fits_line(table: pd.DataFrame) -> Finding:
    bad, edge = int((~table["converged"]).sum()), int((table["person_share"] < 1e-6).sum())
    values = {"n_failed": bad, "n_at_zero": edge, "person_share": float(table["person_share"].median())}
    told_of = (
        f"{len(table) - bad} of {len(table)} models converged; in the median one {values['person_share']:.0%} of the "
        "variance is between people"
    )
    if edge:
        told_of += f"; in {edge} people do not differ more than nights, and their intervals may be narrow"
    if bad:
        return warning(told_of, "Those that did not are left out: use compare_groups for them", **values).named(
            "models"
        )
    return ok(told_of, **values).named("models")
