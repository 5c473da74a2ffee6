"""Differences between groups of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from eegflex.cohort import told
from eegflex.cohort.clusters import Map, check_search, find_clusters, over_stages
from eegflex.cohort.comparison import Comparison
from eegflex.cohort.linear import GroupDesign, by_pattern, fdr
from eegflex.cohort.people import Asked, Units, gather, group_of, numbers_of
from eegflex.cohort.staging_differences import staging_of
from eegflex.errors import ParameterError
from eegflex.findings import Findings
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["LEAST", "compare_groups"]

Array = npt.NDArray[np.float64]
#: So many people must a group have of a cell.
LEAST = 3


@dataclass(frozen=True, eq=False)
class _Question:
    """Who is in which group, by number, with the groups' names and the covariates of each."""

    codes: npt.NDArray[np.intp]
    groups: tuple[str, ...]
    covariates: Array

    @property
    def two(self) -> bool:
        return len(self.groups) == 2

    def design(self, rows: npt.NDArray[np.bool_]) -> GroupDesign | None:
        """Of some people; None where a group has too few."""
        codes = self.codes[rows]
        if np.bincount(codes, minlength=len(self.groups)).min() < LEAST:
            return None
        made = GroupDesign(codes, self.covariates[rows])
        return made if made.df >= LEAST else None

    def table(self, values: Array) -> pd.DataFrame:
        """A row for each column of values."""
        found: list[pd.DataFrame] = []
        for columns, rows in by_pattern(values):
            own = values[np.ix_(rows, columns)]
            counts = {f"n_{name}": int((self.codes[rows] == k).sum()) for k, name in enumerate(self.groups)}
            part = pd.DataFrame(counts, index=columns)
            if (design := self.design(rows)) is not None:
                means = dict(zip((f"mean_{name}" for name in self.groups), design.means(own), strict=True))
                tested = design.compare(own) if self.two else design.compare_more(own)
                part = pd.DataFrame(means | tested, index=columns).join(part)
            found.append(part)
        table = pd.concat(found).sort_index()
        named = [name for name in table if not name.startswith("n_")]
        table = table.reindex(columns=[*named, *(f"n_{name}" for name in self.groups)])
        table = table.reindex(columns=[*table.columns, *({"p"} - set(table.columns))])
        table.insert(table.columns.get_loc("p") + 1, "p_fdr", fdr(table["p"].to_numpy(dtype=np.float64)))
        return table


@checked
def compare_groups(
    cohort: Cohort,
    by: str,
    *,
    groups: Sequence[Any] | None = None,
    covariates: Sequence[str] = (),
    stages: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    picks: Sequence[str] | None = None,
    epochs: str = "all",
    freq_step: float = 0.5,
    cluster_alpha: float = 0.05,
    n_permutations: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare attributions and staging between groups of people.

    The person is the unit. Nights of one person are averaged first, and permutations exchange people.

    Parameters
    ----------
    cohort : Cohort
        The recordings, those that are done.
    by : str
        The column of ``cohort.recordings`` that has the groups; it must be the same on all nights of a person.
    groups : sequence | None
        Which groups, in which order: of two, the first less the second. None: all that there are, by name.
    covariates : sequence of str
        Columns whose part is taken away, such as ``["age"]``; ``"kappa"`` for how well a night was staged.
    stages, bands, picks : sequence of str | None
        Stages, bands and channels. None: all.
    epochs : {"all", "agreed"}
        Of which epochs the means are: all, or those on which stager and scorer agree, so that groups which are staged
        unlike are compared in what is staged alike. (That one group has more of them biases no mean; it has the smaller
        errors.)
    freq_step : float
        Over how many Hz spectra are averaged before clusters are sought; 0 for every bin.
    cluster_alpha : float
        The two-sided p of a cell from which it can be in a cluster. It changes what is found, not how often it is false.
    n_permutations : int
        How often people are exchanged; 0 for no clusters.
    seed : int
        Of the exchanges.

    Returns
    -------
    Comparison
        Tables of bands, clusters and staging, and what they say. Of two groups the effect is ``difference``, in units of the
        score, and ``g`` (Hedges' g); ``adjusted`` is the difference with kappa as one more covariate, where it is
        known. Of more groups it is ``F`` and ``omega2``, the share of the variance.

    Raises
    ------
    ParameterError
        If there are no such groups, a group has fewer than three people, or a person is in two of them.

    See Also
    --------
    eegflex.cohort.Comparison : What a comparison found.
    eegflex.cohort.correlate : What goes with a number of people's, such as age.
    eegflex.cohort.mixed_model : Several nights of each person.
    eegflex.cohort.plan_epochs : How many epochs and people are needed.

    Notes
    -----
    Bands: Welch's test [1]_ and Hedges' g [2]_, with covariates in the linear model with variances of each group (HC2 [3]_),
    and the false discovery rate over all rows [4]_. People are not weighted by
    their own errors: weights find more where errors are as large as what people differ in, but with a dozen people of each
    group they are false in 7 to 8 % instead of 5, and they bias the mean where those with few epochs of a stage are unlike the
    others. Where errors make much of the variance a finding tells it: more epochs are the remedy.

    Clusters [5]_: the same statistic at each frequency of each channel, neighbours by MNE's triangulation; the mass of
    clusters is held against the largest of each permutation, and p is multiplied by the number of stages.

    References
    ----------
    .. [1] Welch B. L. (1947). The generalization of 'Student's' problem when several different population variances are
       involved. Biometrika 34:28-35.
    .. [2] Hedges L. V. (1981). Distribution theory for Glass's estimator of effect size and related estimators. Journal of
       Educational Statistics 6:107-128.
    .. [3] MacKinnon J. G., White H. (1985). Some heteroskedasticity-consistent covariance matrix estimators with improved
       finite sample properties. Journal of Econometrics 29:305-325.
    .. [4] Benjamini Y., Hochberg Y. (1995). Controlling the false discovery rate: a practical and powerful approach to multiple
       testing. Journal of the Royal Statistical Society B 57:289-300.
    .. [5] Maris E., Oostenveld R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal of Neuroscience
       Methods 164:177-190.

    Examples
    --------
    >>> from eegflex.cohort import compare_groups, simulate_cohort
    >>> cohort = simulate_cohort(24, effect=1.5, seed=4)
    >>> found = compare_groups(cohort, "group", groups=["patient", "control"], stages=["N2"], n_permutations=200)
    >>> row = found.bands.query("band == 'sigma' and channel == 'all channels'").iloc[0]
    >>> bool(row["g_low"] < 1.5 < row["g_high"])
    True
    """
    n_permutations, seed = check_search(freq_step, cluster_alpha, n_permutations, seed)
    asked = Asked(stages, bands, picks, epochs)
    units = gather(cohort, asked).people()
    question, units = _grouped(units, by, groups, covariates)
    table = _cells(units.mean).join(question.table(units.mean.to_numpy(dtype=np.float64)))
    table["error_share"] = _error_share(units, question).to_numpy()
    adjusted = _adjusted(units, question, covariates)
    if adjusted is not None:
        table = table.join(adjusted)
    own = staging_of(cohort, units)
    staging = own.columns.to_frame(index=False, name=["quantity", "stage"])
    # kappa itself must not be among what is taken away from it
    asked_of = replace(question, covariates=numbers_of(units, [name for name in covariates if name != "kappa"]))
    staging = staging.join(asked_of.table(own.to_numpy(dtype=np.float64)))
    clusters = _clusters(units, question, freq_step, cluster_alpha, n_permutations, seed)
    title = f"{by}: {' − '.join(question.groups) if question.two else ', '.join(question.groups)}"
    title += f", given {', '.join(covariates)}" if covariates else ""
    n = {name: int((question.codes == number).sum()) for number, name in enumerate(question.groups)}
    lines = (
        told.people_line(n, units, cohort),
        told.bands_line(table, question.groups),
        told.clusters_line(clusters, units, n_permutations),
        told.staging_line(staging, question.groups),
        told.agreement_line(table, covariates),
        told.errors_line(table, units, _unequal(units, question)),
    )
    who, findings = tuple(map(str, units.table.index)), Findings(title, tuple(one for one in lines if one is not None))
    return Comparison(title, n, who, table, clusters, staging, findings)


def _grouped(units: Units, by: str, groups: Sequence[Any] | None, covariates: Sequence[str]) -> tuple[_Question, Units]:
    codes, names = group_of(units, by, groups)
    numbers = numbers_of(units, covariates)
    rows = (codes >= 0) & np.isfinite(numbers).all(axis=1)
    counts = np.bincount(codes[rows], minlength=len(names))
    if counts.min() < LEAST:
        raise ParameterError(
            f"A group has fewer than {LEAST} people",
            seen={name: int(count) for name, count in zip(names, counts, strict=True)},
            remedy="Several nights of a person count as one; people without a covariate are left out",
        )
    return _Question(codes[rows], names, numbers[rows]), units.of(rows)


def _cells(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.columns.to_frame(index=False)


def _error_share(units: Units, question: _Question) -> pd.Series:
    """The part of the variance of people of a group that the errors of their means make."""
    within = units.mean.groupby(question.codes).var().mean()
    return (units.error**2).mean() / within.where(within > 0)


def _unequal(units: Units, question: _Question) -> float:
    """How many times as large as in another the errors of a group are."""
    own = (units.error**2).groupby(question.codes).mean()
    return (
        float(np.nanmedian((own.max() / own.min().where(own.min() > 0)) ** 0.5)) if own.notna().any(axis=None) else 1.0
    )


def _adjusted(units: Units, question: _Question, covariates: Sequence[str]) -> pd.DataFrame | None:
    """The difference with agreement as one more covariate, where it is known of most people."""
    if "kappa" in covariates or not question.two or "kappa" not in units.table:
        return None
    kappa = units.table["kappa"].to_numpy(dtype=np.float64)
    rows = np.isfinite(kappa)
    if rows.mean() < 0.8 or np.ptp(kappa[rows]) == 0:
        return None
    more = _Question(question.codes[rows], question.groups, np.column_stack([question.covariates, kappa])[rows])
    if more.design(np.ones(int(rows.sum()), dtype=bool)) is None:
        return None
    found = more.table(units.mean.to_numpy(dtype=np.float64)[rows])
    return found.reindex(columns=["difference", "low", "high"]).rename(
        columns={"difference": "adjusted", "low": "adjusted_low", "high": "adjusted_high"}
    )


def _clusters(
    units: Units, question: _Question, step: float, alpha: float, n_permutations: int, seed: int
) -> pd.DataFrame:
    def run(stage: str, values: Array, freqs: Array, channels: tuple[str, ...], rows: Any) -> Any:
        design = question.design(rows)
        if design is None:
            return None
        two = question.two
        threshold = stats.t.isf(alpha / 2, design.df) if two else stats.f.isf(alpha, len(design.n) - 1, design.df)
        test = Map(
            design.t if two else design.f,
            float(threshold),
            0 if two else 1,
            (lambda own: design.compare(own)["g"]) if two else (lambda own: design.compare_more(own)["omega2"]),
        )
        left = design.without_covariates(values.reshape(len(values), -1)).reshape(values.shape)
        return find_clusters(left, freqs, channels, test, n_permutations=n_permutations, seed=seed)

    return over_stages(units, list(pd.unique(_cells(units.mean)["stage"])) if n_permutations else [], step, run)
