"""What goes with a number of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from eegflex.cohort import told
from eegflex.cohort.clusters import Map, check_search, find_clusters, over_stages
from eegflex.cohort.comparison import Comparison
from eegflex.cohort.linear import Correlation, by_pattern, fdr
from eegflex.cohort.people import Asked, Units, gather, numbers_of
from eegflex.cohort.staging_differences import staging_of
from eegflex.errors import ParameterError, check_choice
from eegflex.findings import Findings
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort

__all__ = ["correlate"]

Array = npt.NDArray[np.float64]
#: Fewer people have no correlation with an interval.
LEAST = 6


@checked
def correlate(
    cohort: Cohort,
    covariate: str,
    *,
    method: str = "spearman",
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
    """Correlate attributions with a covariate of each person.

    The person is the unit: nights of one person are averaged first, the number too, and permutations exchange people.

    Parameters
    ----------
    cohort : Cohort
        The recordings, those that are done.
    covariate : str
        The column of ``cohort.recordings`` that has the number, such as ``"age"``.
    method : {"spearman", "pearson"}
        Of ranks, or of the numbers themselves, which single people can make.
    covariates : sequence of str
        Columns whose part is taken away from both; ``"kappa"`` for how well a night was staged.
    stages, bands, picks, epochs, freq_step, cluster_alpha, n_permutations, seed
        As in `compare_groups`.

    Returns
    -------
    Comparison
        Its tables have ``r`` with its interval; `staging` has how staging goes with the number.

    Raises
    ------
    ParameterError
        If the column is no number, is the same for all, or fewer than six people have it.

    See Also
    --------
    eegflex.cohort.Comparison : What a comparison found.
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.cohort.mixed_model : Several nights of each person.

    Notes
    -----
    The false discovery rate is over all rows [1]_. Clusters over frequency and channel are held against the largest of each
    permutation of people [2]_.

    References
    ----------
    .. [1] Benjamini Y., Hochberg Y. (1995). Controlling the false discovery rate: a practical and powerful approach to multiple
       testing. Journal of the Royal Statistical Society B 57:289-300.
    .. [2] Maris E., Oostenveld R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal of Neuroscience
       Methods 164:177-190.

    Examples
    --------
    >>> from eegflex.cohort import correlate, simulate_cohort
    >>> found = correlate(simulate_cohort(40, slope=0.8, seed=1), "age", stages=["N2"], n_permutations=200)
    >>> found.bands.query("channel == 'all channels'").set_index("band")["r"].idxmax()
    'sigma'
    """
    check_choice("method", method, ("spearman", "pearson"))
    n_permutations, seed = check_search(freq_step, cluster_alpha, n_permutations, seed)
    units = gather(cohort, Asked(stages, bands, picks, epochs)).people()
    number = numbers_of(units, [covariate])
    if number.shape[1] != 1 or not pd.api.types.is_numeric_dtype(units.table[covariate]):
        raise ParameterError(f"{covariate} is no number", remedy="Use compare_groups for groups")
    others = numbers_of(units, covariates)
    known = np.isfinite(number[:, 0]) & np.isfinite(others).all(axis=1)
    if known.sum() < LEAST + others.shape[1] or np.ptp(number[known]) == 0:
        raise ParameterError(
            f"Too few people have {covariate}, or all have the same",
            seen=f"{int(known.sum())} people",
            allowed=f"{LEAST + others.shape[1]} or more",
        )
    units = units.of(known)
    asked = _Number(number[known, 0], others[known], method == "spearman")
    table = units.mean.columns.to_frame(index=False).join(asked.table(units.mean.to_numpy(dtype=np.float64)))
    within = units.mean.var()
    table["error_share"] = ((units.error**2).mean() / within.where(within > 0)).to_numpy()
    own = staging_of(cohort, units)
    own = own.drop(columns=[(covariate, "all stages")], errors="ignore")
    staging = own.columns.to_frame(index=False, name=["quantity", "stage"])
    staging = staging.join(asked.table(own.to_numpy(dtype=np.float64)))
    clusters = _clusters(units, asked, freq_step, cluster_alpha, n_permutations, seed)
    title = f"{covariate} ({method.title()}'s r{', given ' + ', '.join(covariates) if covariates else ''})"
    n = {"people": int(known.sum())}
    lines = (
        told.people_line(n, units, cohort),
        told.correlations_line(table, f"r with {covariate}"),
        told.clusters_line(clusters, units, n_permutations),
        told.errors_line(table, units),
    )
    who, findings = tuple(map(str, units.table.index)), Findings(title, tuple(one for one in lines if one is not None))
    return Comparison(title, n, who, table, clusters, staging, findings)


class _Number:
    """The number of each, and what is taken away."""

    def __init__(self, number: Array, others: Array, ranked: bool) -> None:
        self.number, self.others, self.ranked = number, others, ranked

    def of(self, rows: npt.NDArray[np.bool_]) -> Correlation | None:
        """Of some people; None if they are too few."""
        if rows.sum() < LEAST + self.others.shape[1] or np.ptp(self.number[rows]) == 0:
            return None
        return Correlation(self.number[rows], self.others[rows], self.ranked)

    def table(self, values: Array) -> pd.DataFrame:
        """A row for each column of values."""
        found = []
        for columns, rows in by_pattern(values):
            made = self.of(rows)
            part = {} if made is None else made.compare(values[np.ix_(rows, columns)])
            found.append(pd.DataFrame(part | {"n": int(rows.sum())}, index=columns))
        table = pd.concat(found).sort_index().reindex(columns=["r", "low", "high", "p", "n"])
        table.insert(4, "p_fdr", fdr(table["p"].to_numpy(dtype=np.float64)))
        return table


def _clusters(units: Units, asked: _Number, step: float, alpha: float, n_permutations: int, seed: int) -> pd.DataFrame:
    def run(stage: str, values: Array, freqs: Array, channels: tuple[str, ...], rows: Any) -> Any:
        made = asked.of(rows)
        if made is None:
            return None
        test = Map(made.t, float(stats.t.isf(alpha / 2, made.df)), 0, made.r)
        left = made.rest(made.values(values.reshape(len(values), -1))).reshape(values.shape)
        return find_clusters(left, freqs, channels, test, n_permutations=n_permutations, seed=seed)

    stages = list(pd.unique(units.mean.columns.get_level_values("stage"))) if n_permutations else []
    return over_stages(units, stages, step, run)
