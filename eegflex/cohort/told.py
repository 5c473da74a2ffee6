"""What comparisons over people say, in sentences: with n, intervals, and what speaks against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eegflex.cohort.people import ALL_CHANNELS
from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import LEVEL, MIN_EPOCHS

if TYPE_CHECKING:
    from eegflex.cohort.cohort import Cohort
    from eegflex.cohort.people import Units

__all__ = [
    "ALPHA", "agreement_line", "bands_line", "cell", "clusters_line", "correlations_line", "errors_line", "interval", "p_text",
    "people_line", "staging_line",
]  # fmt: skip

ALPHA = 1 - LEVEL
#: Fewer people of a group tell of large differences only.
FEW = 12
#: From this part of the variance on errors within nights are told of.
MUCH_ERROR = 1 / 3
#: From so many times the errors of another group on it is told.
UNEQUAL = 1.5
_MOST = 3


def interval(row: pd.Series, name: str, low: str, high: str) -> str:
    """An effect with its interval."""
    return f"{row[name]:+.3g} (95 % {row[low]:+.3g} to {row[high]:+.3g})"


def cell(row: pd.Series) -> str:
    """A band of a channel in a stage."""
    return f"{row['band']} of {row['channel']} in {row['stage']}"


def p_text(p: float) -> str:
    """A p value."""
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".")


def people_line(n: Mapping[str, int], units: Units, cohort: Cohort) -> Finding:
    """Who was compared, and who was not."""
    counts = ", ".join(f"{count} {name}" for name, count in n.items())
    nights = int(units.table["n_nights"].sum()) if "n_nights" in units.table else len(units.table)
    there = cohort.recordings.loc[cohort.recordings["status"] == "done", "subject"].nunique()
    told = f"{counts} (people, with {nights} nights)"
    dropped = there - units.table["subject"].nunique() if "subject" in units.table else there - len(units.table)
    told += f"; {dropped} people without a group or a covariate left out" if dropped else ""
    told += f"; {units.failed} recordings failed or are missing" if units.failed else ""
    told += f"; {', '.join(units.left_out)} left out, because other people do not have it" if units.left_out else ""
    values = {f"n_{name}": count for name, count in n.items()} | {"n_failed": units.failed}
    if min(n.values()) < FEW:
        return warning(
            f"{told}; so few can show only large differences", "See plan_epochs for how many are needed", **values
        ).named("people")
    return ok(told, **values).named("people")


def bands_line(table: pd.DataFrame, groups: Sequence[str]) -> Finding:
    """Which bands differ; never that none does."""
    two = "g" in table
    names = ("g", "g_low", "g_high") if two else ("omega2", "low", "high")
    what = f"{groups[0]} minus {groups[1]}, Hedges' g" if two else "omega squared"
    return _discoveries(table, names, what, "bands")


def correlations_line(table: pd.DataFrame, what: str) -> Finding:
    """Which bands go with a number."""
    return _discoveries(table, ("r", "low", "high"), what, "bands")


def _discoveries(table: pd.DataFrame, names: tuple[str, str, str], what: str, check: str) -> Finding:
    _, low, high = names
    tested = table.dropna(subset=["p"])
    values: dict[str, float | int] = {"n_tested": len(tested)}
    if tested.empty:
        return unknown("no cell has enough people in it", "Give more recordings").named(check)
    found = tested[tested["p_fdr"] < ALPHA].sort_values("p")
    values |= {"n_found": len(found), "least_p_fdr": float(tested["p_fdr"].min())}
    corrected = f"corrected over {len(tested)} cells (false discovery rate)"
    if found.empty:
        widest = float(np.nanmedian(np.maximum(tested[low].abs(), tested[high].abs())))
        return unknown(
            f"none of {len(tested)} cells stays below p = .05 {corrected}, which does not show that there is no difference: "
            f"half of the intervals ({what}) reach to {widest:.2g} or farther, on one side",
            **(values | {"reach": widest}),
        ).named(check)
    lines = [f"{cell(row)} {interval(row, *names)}, {p_text(row['p_fdr'])}" for _, row in found.head(_MOST).iterrows()]
    more = f", and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return ok(f"{what}: {'; '.join(lines)}{more}; p {corrected}", **values).named(check)


def clusters_line(table: pd.DataFrame, units: Units, n_permutations: int) -> Finding | None:
    """What clusters there are."""
    from eegflex.cohort.clusters import adjacency_of

    if not n_permutations:
        return None
    tested = int(table.attrs.get("n_stages", 0))
    if not tested:
        return unknown("no stage has spectra of enough people for clusters").named("clusters")
    few = (
        ""
        if adjacency_of(units.channels)[1]
        else "; too few electrodes for neighbours, so each channel has clusters of its own"
    )
    how = f"{n_permutations} permutations of people, corrected over {tested} stages{few}"
    found = table[table["p_corrected"] < ALPHA]
    least = float(table["p_corrected"].min()) if len(table) else 1.0
    values = {"n_found": len(found), "n_stages": tested, "least_p": least}
    if found.empty:
        return unknown(
            f"no cluster below p = .05 ({how}; the least p is {least:.2f}), which does not show that there is no difference",
            **values,
        ).named("clusters")
    lines = [
        f"{row['stage']} {row['sign']} {row['low_freq']:.3g}-{row['high_freq']:.3g} Hz at {row['channels']}, "
        f"{p_text(row['p_corrected'])}, n = {row['n']}"
        for _, row in found.head(_MOST).iterrows()
    ]
    more = f", and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return ok(
        f"{'; '.join(lines)}{more} ({how}); a cluster shows that there is a difference, not where it ends, and the effect "
        "at its peak is too large on average",
        **values,
    ).named("clusters")


def staging_line(table: pd.DataFrame, groups: Sequence[str]) -> Finding:
    """How the groups differ in how they are staged."""
    two = "g" in table
    names = ("g", "g_low", "g_high") if two else ("omega2", "low", "high")
    tested = table.dropna(subset=["p"])
    if tested.empty:
        return unknown("what is known of the staging is too little to compare").named("staging")
    found = tested[tested["p_fdr"] < ALPHA].sort_values("p")
    values = {"n_tested": len(tested), "n_found": len(found)}
    if found.empty:
        row = tested.sort_values("p").iloc[0]
        return ok(
            f"of {len(tested)} shares of stages, agreements and disagreements none stays below p = .05 corrected; the largest "
            f"is {row['quantity']} of {row['stage']}, {'g' if two else 'omega squared'} {interval(row, *names)}",
            **values,
        ).named("staging")
    lines = [
        f"{row['quantity']} of {row['stage']} {interval(row, *names)}, {p_text(row['p_fdr'])}"
        for _, row in found.head(_MOST).iterrows()
    ]
    of = f"{groups[0]} minus {groups[1]}, Hedges' g" if two else "omega squared"
    return warning(
        f"the staging of the groups differs ({of}): {'; '.join(lines)}; this may cause a difference of attribution",
        "Compare with epochs='agreed', or with covariates=['kappa']",
        **values,
    ).named("staging")


def agreement_line(table: pd.DataFrame, covariates: Sequence[str]) -> Finding | None:
    """What is left of the differences with agreement as a covariate."""
    if "adjusted" not in table or "kappa" in covariates:
        return None
    found = table[table["p_fdr"] < ALPHA]
    if found.empty:
        return None
    side = np.sign(found["difference"])
    kept = int(((side * found["adjusted"] > 0) & (found["adjusted_low"] * found["adjusted_high"] > 0)).sum())
    row = found.sort_values("p").iloc[0]
    told = (
        f"with kappa as a covariate {kept} of {len(found)} differences keep their sign and an interval without 0; "
        f"{cell(row)} is {interval(row, 'adjusted', 'adjusted_low', 'adjusted_high')} "
        f"instead of {interval(row, 'difference', 'low', 'high')}"
    )
    values = {"n_found": len(found), "n_kept": kept}
    if kept < len(found) / 2:
        return warning(told, "Check whether these are differences of staging", **values).named("agreement")
    return ok(told, **values).named("agreement")


def errors_line(table: pd.DataFrame, units: Units, unequal: float = 1.0) -> Finding:
    """How much of what people differ in is the error of their means, and who has few epochs."""
    # the error of the mean over channels is an upper bound
    share = table.loc[table["channel"] != ALL_CHANNELS, "error_share"].dropna()
    few = units.n_epochs.where(units.mean.notna()).min(axis=1) < MIN_EPOCHS
    names = ", ".join(map(str, few.index[few][:5]))
    who = (
        f"; {int(few.sum())} have fewer than {MIN_EPOCHS} epochs of a stage ({names}{' ...' if few.sum() > 5 else ''})"
    )
    if share.empty:
        return unknown(f"the errors of the means are not known{who if few.any() else ''}").named("errors")
    middle = float(share.median())
    told = f"errors within nights make {100 * min(middle, 1):.0f} % of the variance between people in the median cell"
    told += who if few.any() else ""
    values = {"error_share": middle, "n_few": int(few.sum()), "unequal": unequal}
    apart = unequal > UNEQUAL and middle > MUCH_ERROR / 3
    if apart:
        told += f"; those of one group are {unequal:.1f} times another's, so clusters are false positives somewhat more often"
    if middle > MUCH_ERROR or few.mean() > 0.1 or apart:
        return warning(told, "Explain more epochs of each night: see plan_epochs", **values).named("errors")
    return ok(told, **values).named("errors")
