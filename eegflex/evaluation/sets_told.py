"""What is said of the smallest sets: in words for each explanation, counted by stage, and as findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from eegflex.bands import ABOVE, BELOW, Bands
from eegflex.evaluation.faithfulness import Interval, bootstrap
from eegflex.evaluation.judged import count_explanations, limits, was
from eegflex.evaluation.sets import Flip, sets_of
from eegflex.evaluation.told_tables import COUNT, TEXT, TEXT_OR_NONE, refuse
from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import LEVEL, MIN_EPOCHS, blocks_of

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.question import Question
    from eegflex.findings import Value

__all__ = ["cells_in_words", "findings", "tables"]

#: What the set without a member is called, and what is said where there is no set.
NOTHING, NONE = "nothing", ""
#: In what a cell is counted for all channels of a type.
ANY = "any"


def tables(question: Question, explanations: Sequence[Explanation]) -> dict[str, pd.DataFrame]:
    """The sets of each explanation in words, and how often each band of each channel is in them, by stage."""
    return {
        "sets": pd.DataFrame([_row(one) for one in explanations], columns=list(_COLUMNS), dtype=object),
        "sets_by_stage": _by_stage(question, explanations),
    }


#: Columns of the table of explanations.
_COLUMNS = (
    *("epoch", "onset", "channel_set", "predicted", "sufficient", "sufficient_p", "necessary", "necessary_p"),
    *("flip", "flip_cells", "flip_to", "flip_p"),
)


def _row(one: Explanation) -> dict[str, Any]:
    data, found, flip = one.question.data, sets_of(one), sets_of(one).flip
    names = data["ch_name"].values[one.channels].tolist()
    return {
        "epoch": one.number,
        "onset": float(data["onset"].values[one.row]),
        "channel_set": str(data["channel_set"].values[one.channel_set]),
        "predicted": one.question.night.stages[one.stage],
        "sufficient": NONE if found.sufficient is None else cells_in_words(found.sufficient, names),
        "sufficient_p": _plain(found.sufficient_p),
        "necessary": NONE if found.necessary is None else cells_in_words(found.necessary, names),
        "necessary_p": _plain(found.necessary_p),
        "flip": NONE if flip is None else _flip_in_words(flip, names),
        "flip_cells": NONE if flip is None else cells_in_words(flip.log_gains != 0, names),
        "flip_to": None if flip is None else flip.stage,
        "flip_p": None if flip is None else flip.p,
    }


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def cells_in_words(cells: npt.NDArray[np.bool_], names: Sequence[str], bands: Bands | None = None) -> str:
    """Say which bands of which channels a set consists of; bands that touch are told as one range.

    Parameters
    ----------
    cells : array of bool, shape (n_channels, n_bands)
        The set; bands are those of `Bands.names`.
    names : sequence of str, length n_channels
        Of the channels.
    bands : Bands | None
        By default those of `Bands`.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.zeros((2, 7), dtype=bool)
    >>> cells[:, 3], cells[1, 4] = True, True
    >>> cells_in_words(cells, ["C3", "C4"])
    'sigma at C3 and 12 to 30 Hz at C4'
    """
    bands = Bands() if bands is None else bands
    channels: dict[str, list[str]] = {}
    for own, name in zip(cells, names, strict=True):
        if own.any():
            channels.setdefault(_listed(_ranges(np.flatnonzero(own).tolist(), bands)), []).append(name)
    return _listed([f"{what} at {_listed(where)}" for what, where in channels.items()]) or NOTHING


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _edges(name: str, bands: Bands) -> tuple[float, float]:
    lowest, highest = min(low for low, _ in bands.values()), max(high for _, high in bands.values())
    return {BELOW: (0.0, lowest), ABOVE: (highest, np.inf)}.get(name) or bands.get(name, (np.nan, np.nan))


def _ranges(places: Sequence[int], bands: Bands) -> list[str]:
    """Bands in words, in the order of their frequencies."""
    spans = sorted((*_edges(bands.names[place], bands), bands.names[place]) for place in places)
    merged: list[tuple[float, float, list[str]]] = []
    for low, high, name in spans:
        if merged and merged[-1][1] == low:
            merged[-1] = (merged[-1][0], high, [*merged[-1][2], name])
        else:
            merged.append((low, high, [name]))
    return [_span(low, high, own) for low, high, own in merged]


def _span(low: float, high: float, names: Sequence[str]) -> str:
    if low == 0 and np.isinf(high):
        return "all frequencies"
    if low == 0:
        return f"< {high:g} Hz"
    if np.isinf(high):
        return f"≥ {low:g} Hz"
    return names[0] if len(names) == 1 else f"{low:g} to {high:g} Hz"


def _flip_in_words(flip: Flip, names: Sequence[str]) -> str:
    bands, cells = Bands(), zip(*np.nonzero(flip.log_gains), strict=True)
    changes = []
    for channel, band in cells:
        factor = float(np.exp(flip.log_gains[channel, band]))
        what = _ranges([int(band)], bands)[0]
        changes.append(f"{what} at {names[channel]} {'reduced' if factor < 1 else 'raised'} to {100 * factor:.0f} %")
    return _listed(changes)


def _by_stage(question: Question, explanations: Sequence[Explanation]) -> pd.DataFrame:
    """How often each band of each channel, and of any channel of a type, is in the sets; those that never are are left out."""
    data, known = question.data, [one for one in explanations if sets_of(one).sufficient is not None]
    onset = data["onset"].values[[one.row for one in known]]
    blocks = blocks_of(onset, np.zeros(len(known)))
    stages = np.array([one.question.night.stages[one.stage] for one in known], dtype=object)
    members = [_named_members(one) for one in known]
    rows = []
    for stage in question.night.stages:
        here = np.flatnonzero(stages == stage)
        places = sorted({key for place in here for kind in members[place] for key in kind}, key=str)
        for key in places:
            of = [np.array([key in members[place][kind] for place in here]) for kind in range(2)]
            own = _share_interval(of[0], blocks[here])
            rows.append(
                {
                    **dict(zip(("predicted", "band", "ch_type", "channel"), (stage, *key), strict=True)),
                    "n": len(here),
                    **_values("sufficient", own, "_"),
                    "necessary": float(of[1].mean()),
                }
            )
    return pd.DataFrame(rows)


def _named_members(one: Explanation) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
    """Band, type and name of each member of the sufficient and of the necessary set."""
    data, names = one.question.data, Bands().names
    found = sets_of(one)

    def named(cells: npt.NDArray[np.bool_] | None) -> set[tuple[str, str, str]]:
        if cells is None:
            return set()
        every = set()
        for channel, band in zip(*np.nonzero(cells), strict=True):
            place = one.channels[channel]
            kind, name = (str(data[what].values[place]) for what in ("ch_type", "ch_name"))
            every |= {(names[band], kind, name), (names[band], kind, ANY)}
        return every

    return named(found.sufficient), named(found.necessary)


#: What findings read of the table of sets.
_TOLD = (
    {"epoch": COUNT}
    | dict.fromkeys(("channel_set", "sufficient", "necessary", "flip", "flip_cells"), TEXT)
    | {"flip_to": TEXT_OR_NONE}
)


def findings(evaluation: Evaluation) -> list[Finding]:
    """What is enough for each stage and what it needs, and what flips it: two findings for each stage that was evaluated."""
    if "sets" not in evaluation.tables:
        return [unknown("the search was stopped before it was told", "Evaluate again to continue").named("sets")]
    keys = ["epoch", "channel_set"]
    told = evaluation.told("sets", _TOLD).drop_duplicates(keys)
    table = evaluation.to_data_frame().merge(told, on=keys, how="left")
    if table["flip_cells"].isna().any():
        raise refuse("sets", "a table of other explanations")
    found = []
    for stage in evaluation.result.stages:
        of = _Stage(evaluation, table, stage)
        if of.own.any():
            found += [of.sets().named(f"sets {stage}"), of.flips().named(f"flip {stage}")]
    return found


@dataclass(frozen=True)
class _Stage:
    """What was found of the explanations of one stage; `table` has the rows of the evaluation's."""

    evaluation: Evaluation
    table: pd.DataFrame
    stage: str

    @property
    def own(self) -> pd.Series:
        """Which rows are of this stage."""
        return self.table["predicted"] == self.stage

    def sets(self) -> Finding:
        """What keeps the stage, and what takes it away."""
        known = self.own & self.table["sufficient: n"].notna()
        n = int(known.sum())
        if n < MIN_EPOCHS:
            return unknown(f"only {count_explanations(n)} of {self.stage} {was(n)} searched", n=n)
        already = int((self.table.loc[known, "sufficient: n"] == 0).sum())
        parts: list[str] = []
        values: dict[str, Value] = {"n": n, "n_baseline_is_stage": already}
        if already:
            parts.append(f"in {already} of {n} the baseline alone is already {self.stage}")
        for kind, does in _KINDS.items():
            among = known & (self.table[f"{kind}: n"] > 0)
            if among.any():
                words, numbers = self._kind(kind, among)
                parts.append(f"{does.format(stage=self.stage)} {words}")
                values |= numbers
        text = f"{self.stage}, {n} explanations: {'; '.join(parts)}"
        return warning(text, _ELSEWHERE, **values) if already > n / 2 else ok(text, **values)

    def _kind(self, kind: str, among: pd.Series) -> tuple[str, dict[str, Value]]:
        """The commonest set of a kind, how often it is the set, what the model answers, and how large sets are."""
        words, has = _commonest(self.table, kind, among)
        share, n, n_has = self._share(has, among), int(among.sum()), int(has.sum())
        p, size = (self._mean(f"{kind}: {what}", among) for what in ("p", "n"))
        said = (
            f"{words} in {n_has} of {n} ({_as_percent(share)}; over all {n} sets p is {p.mean:.2f}, interval "
            f"{limits(p.low, p.high)}, with {size.mean:.1f} bands of channels, interval {limits(size.low, size.high, '.1f')})"
        )
        values: dict[str, Value] = {kind: words, f"{kind} n": n, f"{kind} n_same": n_has}
        for name, interval in (("share", share), ("p", p), ("size", size)):
            values |= _values(f"{kind} {name}", interval)
        return said, values

    def flips(self) -> Finding:
        """What makes another stage of it within the range of this night."""
        among, n = self.own & self.table["flip: n"].notna(), int(self.own.sum())
        if n < MIN_EPOCHS:
            return unknown(f"only {count_explanations(n)} of {self.stage} {was(n)} searched", n=n)
        share, n_flipped = self._share(among, self.own), int(among.sum())
        values: dict[str, Value] = {"n": n, "n_flipped": n_flipped} | _values("share", share)
        within = (
            f"band amplitudes within the range of this night make it another stage in {n_flipped} of {n} explanations"
        )
        text = f"{self.stage}: {within} ({_as_percent(share)})"
        if not n_flipped:
            return ok(text, **values)
        cells, has = _commonest(self.table, "flip_cells", among)
        to, both = _commonest(self.table, "flip_to", has)
        by_size = self.table[both].sort_values("flip: log gain")
        median = by_size.iloc[(len(by_size) - 1) // 2]
        values |= {"flip": cells, "to": to, "n_so": len(by_size), "p": median["flip: p"]}
        values |= {"log gain": median["flip: log gain"]}
        example = f"{median['flip']} makes it {to} (p {median['flip: p']:.2f})"
        return ok(f"{text}, {len(by_size)} times {cells}: typically, {example}", **values)

    def _share(self, holds: pd.Series, among: pd.Series) -> Interval:
        """Of how many of some it holds."""
        blocks = blocks_of(self.table["onset"].to_numpy(), self.table["recording"].to_numpy())
        return _share_interval(holds[among].to_numpy(), blocks[among])

    def _mean(self, column: str, among: pd.Series) -> Interval:
        return self.evaluation.interval(column, among=among)


#: kind of set -> what it does
_KINDS = {
    "sufficient": "what keeps {stage}, all else at the baseline, is most often",
    "necessary": "what makes it another stage when put at the baseline is most often",
}
_ELSEWHERE = (
    "What decides is then not in these sets, but in what the baseline has in common with the stage, or, of a stager that sees "
    "them, in the neighbours of the epoch: compare with another baseline, or look at the context"
)


def _commonest(table: pd.DataFrame, column: str, among: pd.Series) -> tuple[str, pd.Series]:
    """The commonest words of a column, and which rows have them."""
    words = str(table.loc[among, column].value_counts().index[0])
    return words, (table[column] == words) & among


def _as_percent(share: Interval) -> str:
    return f"{100 * share.mean:.0f} %, 95 % interval {limits(100 * share.low, 100 * share.high, '.0f')}"


def _values(name: str, interval: Interval, between: str = " ") -> dict[str, Value]:
    return {name: interval.mean, f"{name}{between}low": interval.low, f"{name}{between}high": interval.high}


def _share_interval(holds: npt.NDArray[np.bool_], blocks: npt.NDArray[np.intp]) -> Interval:
    """Of how many it holds; the interval, from blocks, is at least as wide as that of so many that are independent.

    Where it holds of all or of none, nothing varies from block to block, and blocks alone would say that it is sure.
    """
    of_blocks = bootstrap(holds.astype(float), blocks)
    independent = stats.binomtest(int(holds.sum()), len(holds)).proportion_ci(LEVEL, method="wilson")
    return Interval(of_blocks.mean, min(of_blocks.low, independent.low), max(of_blocks.high, independent.high))
