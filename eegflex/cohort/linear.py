"""Differences and correlations of many cells at once, by tests that hold where groups differ in size and in scatter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from eegflex.results.intervals import LEVEL

__all__ = ["Correlation", "GroupDesign", "by_pattern", "fdr"]

Array = npt.NDArray[np.float64]
_TAIL = (1 + LEVEL) / 2
_ROWS = 512


def by_pattern(values: Array) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]]:
    """Columns that have numbers in the same rows, and those rows."""
    patterns, of = np.unique(np.isfinite(values), axis=1, return_inverse=True)
    for number, rows in enumerate(patterns.T):
        yield np.flatnonzero(of.ravel() == number), rows


def fdr(p: Array) -> Array:
    """The p values with the false discovery rate controlled over all that are there, after Benjamini and Hochberg."""
    found, there = np.full_like(p, np.nan), np.isfinite(p)
    if there.any():
        found[there] = stats.false_discovery_control(p[there])
    return found


@dataclass(frozen=True, eq=False)
class GroupDesign:
    """Who is in which group, and what else is known of each.

    Attributes
    ----------
    codes : array of int, shape (n_people,)
        The number of each one's group.
    covariates : array, shape (n_people, n_covariates)
        Numbers whose part is taken away.

    Notes
    -----
    Each person has a mean and a scatter of a group's own: standard errors are those of White with the correction of MacKinnon
    and White (HC2), and degrees of freedom are Satterthwaite's with the variance of each group. Without covariates this is
    Welch's test, of two groups or of more.
    """

    codes: npt.NDArray[np.intp]
    covariates: Array

    @cached_property
    def n(self) -> npt.NDArray[np.intp]:
        """How many each group has."""
        return np.bincount(self.codes)

    @cached_property
    def _matrix(self) -> Array:
        centred = self.covariates - self.covariates.mean(axis=0)
        return np.asarray(np.hstack((np.eye(len(self.n))[self.codes], centred)), dtype=np.float64)

    @cached_property
    def _solver(self) -> Array:
        return np.asarray(np.linalg.pinv(self._matrix), dtype=np.float64)

    def _residuals(self, values: Array) -> Array:
        found: Array = values - self._matrix @ (self._solver @ values)
        return found

    @cached_property
    def _room(self) -> Array:
        """1 less the leverage of each."""
        found: Array = np.maximum(1 - np.einsum("nk,kn->n", self._matrix, self._solver), 1e-9)
        return found

    @property
    def df(self) -> int:
        """Degrees of freedom of the residuals."""
        return len(self.codes) - int(np.linalg.matrix_rank(self._matrix))

    def without_covariates(self, values: Array) -> Array:
        """What covariates leave of values: these are exchanged between people (Freedman and Lane 1983)."""
        if not self.covariates.shape[1]:
            return values
        own = np.column_stack([np.ones(len(values)), self.covariates])
        found: Array = values - own @ np.linalg.lstsq(own, values, rcond=None)[0]
        return found

    def means(self, values: Array) -> Array:
        """Of each group, at the mean of the covariates: (n_groups, n_cells)."""
        return (self._solver @ values)[: len(self.n)]

    def variances(self, values: Array) -> Array:
        """Of each group's people about its mean: (n_groups, n_cells)."""
        squares = self._residuals(values) ** 2 / self._room[:, None]
        return np.array([squares[self.codes == number].mean(axis=0) for number in range(len(self.n))])

    def t(self, values: Array) -> Array:
        """Of the first group less the second."""
        difference, variance = self._difference(values)
        return np.divide(difference, np.sqrt(variance), out=np.zeros_like(difference), where=variance > 0)

    def _difference(self, values: Array) -> tuple[Array, Array]:
        squares = self._residuals(values) ** 2 / self._room[:, None]
        return self._contrast @ values, self._contrast**2 @ squares

    @cached_property
    def _contrast(self) -> Array:
        found: Array = self._solver[0] - self._solver[1]
        return found

    def compare(self, values: Array) -> dict[str, Array]:
        """Difference of two groups: with its interval, Hedges' g with its own, and p."""
        difference, variance = self._difference(values)
        own = self.variances(values)
        se, df = np.sqrt(variance), self._satterthwaite(own)
        scatter = np.sqrt(own.mean(axis=0))
        flat = ~(scatter > 1e-12 * np.abs(values).max(axis=0))
        se, scatter = np.where(flat, np.nan, se), np.where(flat, np.nan, scatter)
        reach = stats.t.ppf(_TAIL, df) * se
        # Bonett (2008): standardised by the mean of both variances, with the error of a group's own
        d, room = difference / scatter, self.n[:, None] - 1
        spread = np.sqrt(d**2 * (own**2 / room).sum(axis=0) / (8 * scatter**4) + variance / scatter**2)
        small = 1 - 3 / (4 * self.df - 1)
        wide = stats.norm.ppf(_TAIL) * spread
        return {
            "difference": difference, "low": difference - reach, "high": difference + reach,
            "g": small * d, "g_low": small * (d - wide), "g_high": small * (d + wide),
            "p": 2 * stats.t.sf(np.abs(difference / se), df),
        }  # fmt: skip

    def _satterthwaite(self, own: Array) -> Array:
        weights, member = self._contrast**2 / self._room, np.eye(len(self.n))[self.codes]
        alone, together = np.zeros(len(self.n)), np.zeros((len(self.n), len(self.n)))
        for start in range(0, len(self.codes), _ROWS):  # of people x people, which may be many
            rows = slice(start, start + _ROWS)
            part = -self._matrix[rows] @ self._solver
            part[np.arange(len(part)), np.arange(start, start + len(part))] += 1
            part *= weights
            part -= (part @ self._matrix) @ self._solver
            alone += part[np.arange(len(part)), np.arange(start, start + len(part))] @ member[rows]
            together += member[rows].T @ part**2 @ member
        total = alone @ own
        found: Array = total**2 / np.maximum(np.einsum("gc,gh,hc->c", own, together, own), 1e-300)
        return np.maximum(found, 1.0)

    def f(self, values: Array) -> Array:
        """Of any group from the others, after Welch (1951), before its correction."""
        return self._wald(values)[0]

    def _wald(self, values: Array) -> tuple[Array, Array]:
        solver, k = self._solver[: len(self.n)], len(self.n)
        squares = self._residuals(values) ** 2 / self._room[:, None]
        cov = np.einsum("kn,nc,ln->ckl", solver, squares, solver, optimize=True)
        cov += 1e-12 * np.eye(k) * np.trace(cov, axis1=1, axis2=2)[:, None, None] + 1e-300 * np.eye(k)
        apart = np.diff(np.eye(k), axis=0)
        moved = np.einsum("ak,kn,nc->ca", apart, solver, values, optimize=True)
        inner = np.einsum("ak,ckl,bl->cab", apart, cov, apart, optimize=True)
        wald = np.einsum("ca,ca->c", moved, np.linalg.solve(inner, moved[..., None])[..., 0])
        weights = 1 / np.diagonal(cov, axis1=1, axis2=2)
        slack = ((1 - weights / weights.sum(axis=1, keepdims=True)) ** 2 / (self.n - 1)).sum(axis=1)
        return wald / (k - 1), slack

    def compare_more(self, values: Array) -> dict[str, Array]:
        """Of more than two groups: F and p after Welch, and omega squared with its interval."""
        k = len(self.n)
        f, slack = self._wald(values)
        f = f / (1 + 2 * (k - 2) / (k**2 - 1) * slack)
        low, high = np.array([_noncentral(one, k - 1, self.df) for one in f]).reshape(-1, 2).T
        n = len(self.codes)
        omega = (k - 1) * (f - 1) / ((k - 1) * (f - 1) + n)
        return {
            "F": f, "omega2": np.maximum(omega, 0), "low": low / (low + n), "high": high / (high + n),
            "p": stats.f.sf(f, k - 1, (k**2 - 1) / (3 * slack)),
        }  # fmt: skip


def _noncentral(f: float, df: int, df_within: int) -> tuple[float, float]:
    """Interval for the noncentrality of F."""
    found = []
    for share in (_TAIL, 1 - _TAIL):
        top = 10.0 + 4 * f * df
        while stats.ncf.cdf(f, df, df_within, top) > share:
            top *= 2
        inside = stats.f.cdf(f, df, df_within) > share
        found.append(
            float(optimize.brentq(lambda nc, at=share: stats.ncf.cdf(f, df, df_within, nc) - at, 0, top))
            if inside
            else 0.0
        )
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class Correlation:
    """A number of each person, which values are correlated with.

    Attributes
    ----------
    covariate : array, shape (n_people,)
        The number.
    others : array, shape (n_people, n_covariates)
        Whose part is taken away from both.
    ranked : bool
        By Spearman; by Pearson otherwise.
    """

    covariate: Array
    others: Array
    ranked: bool = True

    @cached_property
    def _others(self) -> Array:
        own = stats.rankdata(self.others, axis=0) if self.ranked and self.others.size else self.others
        return np.column_stack([np.ones(len(own)), own])

    @cached_property
    def _along(self) -> Array:
        own = self.rest(self.values(self.covariate[:, None]))[:, 0]
        found: Array = own / np.linalg.norm(own)
        return found

    @property
    def df(self) -> int:
        """Degrees of freedom."""
        return len(self.covariate) - 1 - int(np.linalg.matrix_rank(self._others))

    def values(self, values: Array) -> Array:
        """Values, or their ranks."""
        return stats.rankdata(values, axis=0) if self.ranked else values

    def rest(self, values: Array) -> Array:
        """What the others leave of values."""
        found: Array = values - self._others @ np.linalg.lstsq(self._others, values, rcond=None)[0]
        return found

    def r(self, rest: Array) -> Array:
        """Correlations of what `rest` left, also where it was exchanged between people."""
        rest = self.rest(rest)
        size = np.linalg.norm(rest, axis=0)
        found: Array = np.divide(self._along @ rest, size, out=np.zeros(rest.shape[1]), where=size > 1e-12)
        return np.clip(found, -1 + 1e-12, 1 - 1e-12)

    def t(self, rest: Array) -> Array:
        """The same as Student's t."""
        r = self.r(rest)
        found: Array = r * np.sqrt(self.df / (1 - r**2))
        return found

    def compare(self, values: Array) -> dict[str, Array]:
        """Correlations with intervals (Fisher; of ranks after Bonett and Wright 2000), and p."""
        r = self.r(self.rest(self.values(values)))
        r = np.where(np.ptp(values, axis=0) > 0, r, np.nan)
        se = np.sqrt((1 + r**2 / 2 if self.ranked else 1) / max(self.df - 1, 1))
        reach = stats.norm.ppf(_TAIL) * se
        return {
            "r": r, "low": np.tanh(np.arctanh(r) - reach), "high": np.tanh(np.arctanh(r) + reach),
            "p": stats.beta.sf(r**2, *self._square()),
        }  # fmt: skip

    def _square(self) -> tuple[float, float]:
        """The beta distribution of r squared where there is no correlation.

        Of numbers it is that of Student's t. Ranks reach into the tails more often, where corrected p lie: of 24 people 0.0007
        of them below a p of 0.0005; so it has their own fourth moment (Kendall and Gibbons 1990).
        """
        if not self.ranked:
            return 0.5, self.df / 2
        n = self.df + 2
        square = 1 / (n - 1)
        fourth = 3 / (n + 1) * (25 * n**3 - 38 * n**2 - 35 * n + 72) / (25 * n * (n - 1) ** 2)
        total = (1 - fourth) / (fourth - square)
        return square * total, (1 - square) * total
