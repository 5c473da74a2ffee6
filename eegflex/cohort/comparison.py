"""What a comparison over people found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from eegflex.findings import Findings

__all__ = ["Comparison"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Differences between groups of people, or correlations with a covariate.

    Attributes
    ----------
    title : str
        What was compared.
    n : mapping of str to int
        People of each group; ``people`` where there are no groups.
    people : tuple of str
        Who they are, by the labels of the cohort.
    bands : pandas.DataFrame
        A row for each stage, channel and band, ``all channels`` among the channels: the effect with its 95 % interval (`low`,
        `high`), `p`, `p_fdr` (Benjamini and Hochberg over all rows), ``n_...`` people, and `error_share`, the part of the
        variance between people that the errors within their nights make.
    clusters : pandas.DataFrame
        A row for each cluster over frequency and channel: its stage and sign, `low_freq` and `high_freq` (Hz),
        `channels`, `mass` (sum of the statistic), `p` and `p_corrected` (over stages), `n` people, and the effect at
        its peak, which is optimistic, for the peak was chosen by its size.
    staging : pandas.DataFrame
        How the groups differ in how they were staged: shares of stages, agreement and disagreement, in the same columns.
    findings : Findings
        Sentences, with what speaks against.

    See Also
    --------
    eegflex.cohort.compare_groups : Compare groups of people.
    eegflex.cohort.correlate : What goes with a number of people's, such as age.
    eegflex.cohort.mixed_model : Several nights of each person.
    eegflex.cohort.make_cohort_report : A cohort on one page.

    Examples
    --------
    >>> from eegflex.cohort import compare_groups, simulate_cohort
    >>> cohort = simulate_cohort(12, stages=("N2",), channels=("C3-M2",), seed=1)
    >>> found = compare_groups(cohort, "group", groups=["patient", "control"], n_permutations=100)
    >>> dict(found.n)
    {'patient': 6, 'control': 6}
    """

    title: str
    n: Mapping[str, int]
    people: tuple[str, ...]
    bands: pd.DataFrame
    clusters: pd.DataFrame
    staging: pd.DataFrame
    findings: Findings

    def __repr__(self) -> str:
        """What was compared, and how many there are."""
        n = ", ".join(f"{count} {name}" for name, count in self.n.items())
        found = int((self.bands["p_fdr"] < 0.05).sum())
        return f"<Comparison | {self.title}: {n}; {found} of {len(self.bands)} cells>"

    def __str__(self) -> str:
        """The findings."""
        return str(self.findings)
