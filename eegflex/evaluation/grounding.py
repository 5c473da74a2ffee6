"""Whether what spoke for a stage lies where scorers look: inside spindles, slow waves, eye movements and the like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mne.stats import fdr_correction

from eegflex.errors import check_choice
from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.event_shares import MOST_COVERED, SIGNS, Moments, check_events, occurrences, shifted
from eegflex.evaluation.judged import limits
from eegflex.evaluation.truth import area_under_roc
from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.results.select import hypnogram_order
from eegflex.results.tables import STAGES_FROM
from eegflex.utils.arguments import checked
from eegflex.utils.columns import check_columns, number_column
from eegflex.utils.given import SEEDS, check_count

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = [
    "COLUMNS",
    "NAMES_READ",
    "NUMBERS_READ",
    "ground",
    "grounding",
    "grounding_findings",
    "interval_of",
    "is_inside",
    "many",
]

Array = npt.NDArray[np.float64]

#: Random shifts of the events of each row, for its p value.
N_SHIFTS = 4999
#: Columns of the table.
COLUMNS = (
    "stage", "kind", "speaks", "low", "high", "n_epochs", "n_events", "covered", "share", "chance", "enrichment",
    "enrichment_low", "enrichment_high", "p", "p_corrected", "auroc", "of_all", "amount", "view",
)  # fmt: skip
#: Those of them that findings read, from a table or from what an evaluation kept of it: words, and numbers.
NAMES_READ = ("stage", "kind", "speaks")
NUMBERS_READ = (
    "n_epochs", "share", "chance", "enrichment", "enrichment_low", "enrichment_high", "p_corrected", "of_all",
)  # fmt: skip
#: So little of all that spoke is none of it, however well it is placed: leaks of filters, and rounding.
LEAST_OF_ALL = 0.01
#: Corrected p values up to this are told from chance.
ALPHA = 0.05


@checked
def grounding(
    result: FlexResult, events: pd.DataFrame, *, stage_from: str = "predicted", seed: int = 0
) -> pd.DataFrame:
    """Test whether the evidence for and against each stage lies in the events that scorers use.

    Parameters
    ----------
    result : FlexResult
        Of one recording, with the view ``"time-frequency"``; a view ``"time"`` serves too, without the bands.
    events : pandas.DataFrame
        As `find_sleep_events` returns them, or any table with ``onset`` and ``duration`` (s, from the start of the recording)
        and ``kind``, such as the truth of a simulated night. ``channel``, ``low`` and ``high`` (Hz) are those of the kind where
        they are not told.
    stage_from : {"predicted", "scored", "target"}
        Whether a stage is the stager's, the hypnogram's, or the score that was explained.
    seed : int
        Of the random shifts.

    Returns
    -------
    table : pandas.DataFrame
        One row for each stage, kind of event and sign: what ``speaks`` ``"for"`` (positive attribution) or ``"against"`` it.

        ``n_epochs``, ``n_events``
            Epochs with such events to which something was attributed in the band (``low`` to ``high``), and the events in
            them; what several channels saw at once is one.
        ``covered``
            The share of time and channels that events cover.
        ``share``, ``chance``, ``enrichment``
            The share of the attribution in the band that lies inside the events; what it would be were they at another time
            of the same epoch; and the ratio of the two, with a 95 % interval (``enrichment_low``, ``enrichment_high``).
        ``p``, ``p_corrected``
            Of the share against shifted events, and corrected over the table (false discovery rate).
        ``auroc``
            Area under the ROC curve: how well the attribution to a moment tells whether it is inside an event.
        ``of_all``
            The share of all that spoke so, in all bands and channels, that lies inside the events.
        ``amount``
            The mean attribution of an epoch inside the events, so far as it speaks so, in the unit of the score.
        ``view``
            The view that it is taken from.

    Raises
    ------
    ParameterError
        If the result has neither view or is of several recordings, or `events` is no table of events.

    See Also
    --------
    eegflex.evaluation.find_sleep_events : Find what scorers look for.
    eegflex.evaluation.grounding_findings : What its table says, in sentences.
    eegflex.evaluation.decisive_events : Which events carried an epoch.

    Notes
    -----
    *Chance* is what lies inside the same events after they are shifted round the epoch, each epoch by an amount of its own.
    That keeps the events, their channels and their number in an epoch, and what is attributed to an epoch and its band;
    only *when* is asked, so that an epoch with much power and many events is no evidence. A shift over the whole night would
    ask, too, whether epochs with events are epochs of the stage, which the hypnogram answers. The mean over all shifts is
    known exactly; p is from 4999 draws. Epochs that events cover all but wholly have nothing to compare with and are left out.

    The interval is that of the mean excess of share over chance, by the jackknife of `eegflex.results.intervals`, divided
    by the mean chance: over blocks of 10 minutes where there are 4, else over epochs, whose levels the comparison within epochs
    has taken out.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", views=("time-frequency",), verbose="error")
    >>> table = eegflex.evaluation.grounding(result, night.events).set_index(["stage", "kind", "speaks"])
    >>> bool(table.loc[("N2", "spindle", "for"), "enrichment"] > 3)
    True
    """
    check_choice("stage_from", stage_from, STAGES_FROM)
    seed = check_count("seed", seed, SEEDS) or 0
    moments = Moments.of(result)
    return ground(moments, _labels(moments, stage_from), events, seed)


def ground(moments: Moments, labels: npt.NDArray[np.str_], events: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table of `grounding`.

    Parameters
    ----------
    moments : Moments
        What an attribution says of each moment.
    labels : array of str, shape (n_epochs, n_channel_sets)
        The stage that each epoch and channel set counts for; empty for none.
    events : pandas.DataFrame
        The events.
    seed : int
        Of the random shifts.
    """
    table = occurrences(check_events(events))
    stages = [stage for stage in hypnogram_order(sorted(set(labels.ravel().tolist()))) if stage]
    wholes = {speaks: moments.whole(sign) for speaks, sign in SIGNS.items()}
    least = LEAST_OF_ALL * sum(
        wholes.values()
    )  # of less than that, nothing spoke so: it is rounding, and leaks of filters
    wholes = {speaks: np.where(whole >= least, whole, 0.0) for speaks, whole in wholes.items()}
    rows: list[dict[str, Any]] = []
    for kind in _order(table["kind"]):
        own = table[table["kind"] == kind]
        low, high = float(own["low"].iloc[0]), float(own["high"].iloc[0])
        mask = moments.covered(own, kind)
        for speaks, sign in SIGNS.items():
            sums = moments.sums(sign, low, high) * moments.channels_of(kind)[:, None]
            shares = _Shares.of(moments, sums, mask, kind, wholes[speaks])
            for stage in stages:
                told = shares.row(labels == stage, own, np.random.default_rng(seed))
                rows.append({"stage": stage, "kind": kind, "speaks": speaks, "low": low, "high": high} | told)
    found = pd.DataFrame(rows, columns=list(COLUMNS)).assign(view=moments.view)
    place = {stage: i for i, stage in enumerate(stages)}
    found = found.sort_values("stage", key=lambda column: column.map(place), kind="stable", ignore_index=True)
    found["p_corrected"] = _corrected(found["p"].to_numpy(dtype=float))
    return found


def _corrected(p: Array) -> Array:
    """Corrected for all that were tested, by their false discovery rate."""
    corrected, tested = np.full(len(p), np.nan), np.isfinite(p)
    if tested.any():
        corrected[tested] = fdr_correction(p[tested])[1]
    return corrected


def _order(kinds: pd.Series) -> list[str]:
    """Kinds in the order of their table, then those that are not in it."""
    there = set(kinds)
    return [kind for kind in KINDS if kind in there] + sorted(there - set(KINDS))


def _labels(moments: Moments, stage_from: str) -> npt.NDArray[np.str_]:
    """The stage of each epoch and channel set, shape (n_epochs, n_channel_sets)."""
    if stage_from == "scored":
        return np.repeat(moments.data["stage"].values.astype(str)[:, None], moments.n_sets, axis=1)
    return moments.data[stage_from].values.astype(str)


@dataclass(frozen=True)
class _Shares:
    """Shares of a kind, of one sign.

    Attributes
    ----------
    moments : Moments
        What they are of.
    share : array, shape (n_epochs, n_channel_sets, n_moments)
        Inside the events, by how far they are shifted; NaN where there is nothing to compare.
    of_all, amount : array, shape (n_epochs, n_channel_sets)
        Inside the events, of all that speaks so, and in the unit of the score.
    sums : array, shape (n_epochs, n_channel_sets, n_moments)
        What speaks so in the band at each moment.
    mask : array of bool, shape (n_epochs, n_channel_sets, n_moments)
        Where an event is, on any of the channels.
    covered : array, shape (n_epochs, n_channel_sets)
        The share of moments and channels that events cover.
    """

    moments: Moments
    share: Array
    of_all: Array
    amount: Array
    sums: Array
    mask: npt.NDArray[np.bool_]
    covered: Array

    @classmethod
    def of(cls, moments: Moments, sums: Array, mask: npt.NDArray[np.bool_], kind: str, whole: Array) -> _Shares:
        """Measure them."""
        seen = moments.channels_of(kind)
        inside = moments.by_set(shifted(sums, mask))
        total = moments.by_set(sums).sum(axis=2)
        n_seen = moments.by_set(np.broadcast_to(seen[None, :], sums.shape[:2]).astype(float))
        covered = np.divide(moments.by_set(mask.mean(axis=2)), n_seen, out=np.zeros_like(total), where=n_seen > 0)
        told = (whole > 0) & (total > 0) & (covered <= MOST_COVERED) & (inside.mean(axis=2) > 1e-12 * total)
        share = np.divide(inside, total[:, :, None], out=np.full_like(inside, np.nan), where=told[:, :, None])
        of_all = np.divide(inside[:, :, 0], whole, out=np.full_like(whole, np.nan), where=told & (whole > 0))
        return cls(
            moments,
            share,
            of_all,
            inside[:, :, 0],
            moments.by_set(sums),
            moments.by_set(mask.astype(float)) > 0,
            covered,
        )

    def row(self, members: npt.NDArray[np.bool_], events: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
        """What is told of the channel sets of a stage, shape (n_epochs, n_channel_sets)."""
        counted = members & np.isfinite(self.share[:, :, 0])
        epochs = np.flatnonzero(counted.any(axis=1))
        told: dict[str, Any] = {"n_epochs": len(epochs), "n_events": self._count(events, epochs)}
        if not len(epochs):
            return told
        some = counted[epochs]
        weights = some / some.sum(axis=1, keepdims=True)

        def mean(values: Array) -> Array:
            """Over the channel sets of each epoch."""
            return np.asarray(np.einsum("es,es...->e...", weights, np.where(_like(some, values), values[epochs], 0.0)))

        shares = mean(self.share)
        chances = shares.mean(axis=1)
        low, high = _interval(shares[:, 0], chances, self.moments, epochs)
        return told | {
            "covered": float(mean(self.covered).mean()),
            "share": float(shares[:, 0].mean()),
            "chance": float(chances.mean()),
            "enrichment": float(shares[:, 0].sum() / chances.sum()),
            "enrichment_low": low,
            "enrichment_high": high,
            "p": _p_value(shares, rng),
            "auroc": area_under_roc(self.mask[epochs][some], self.sums[epochs][some]),
            "amount": float(mean(self.amount).mean()),
            "of_all": float(mean(np.nan_to_num(self.of_all)).mean()),
        }

    def _count(self, events: pd.DataFrame, epochs: npt.NDArray[np.intp]) -> int:
        """How many events lie in epochs."""
        onsets = self.moments.data["onset"].values[epochs][:, None]
        length = self.moments.data.sizes["time"] / float(self.moments.data.attrs["sfreq"])
        first, last = events["onset"].to_numpy(), (events["onset"] + events["duration"]).to_numpy()
        there = ((first < onsets + length) & (onsets < last)).any(axis=0)
        return int(events["occurrence"][there].nunique())


def _like(some: npt.NDArray[np.bool_], values: Array) -> npt.NDArray[np.bool_]:
    return some.reshape(some.shape + (1,) * (values.ndim - some.ndim))


#: From so many blocks on, the interval is from blocks; of fewer, its quantiles say nothing, and it is from epochs.
LEAST_BLOCKS = 4


def _interval(share: Array, chance: Array, moments: Moments, epochs: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Interval of the enrichment: that of the mean excess over chance, which is bounded, as a ratio to the mean chance."""
    edges = np.array(interval_of(share - chance, moments.data["onset"].values[epochs]))
    low, high = np.clip(1 + edges / chance.mean(), 0, 1 / chance.mean()).tolist()  # a share is from 0 to 1
    return low, high


def interval_of(values: Array, onset: Array) -> tuple[float, float]:
    """The 95 % interval of the mean over epochs of one recording, by blocks where there are enough."""
    blocks = blocks_of(onset, np.zeros(len(onset)))
    blocks = blocks if len(np.unique(blocks)) >= LEAST_BLOCKS else np.arange(len(onset))
    low, high = mean_interval(values[:, None], blocks)
    return float(low[0]), float(high[0])


def _p_value(shares: Array, rng: np.random.Generator) -> float:
    """How often shifted events have as much inside, each epoch shifted by itself; shape (n_epochs, n_moments)."""
    n_epochs, n_moments = shares.shape
    as_many = 0
    whole = shares[:, 0].sum() * (1 - 1e-9)  # the same events at the same place have the same share, but for rounding
    for n_draws in _portions(N_SHIFTS, 500):
        drawn = rng.integers(n_moments, size=(n_draws, n_epochs))
        as_many += int((shares[np.arange(n_epochs), drawn].sum(axis=1) >= whole).sum())
    return (1 + as_many) / (1 + N_SHIFTS)


def _portions(n: int, most: int) -> Sequence[int]:
    return [min(most, n - done) for done in range(0, n, most)]


@checked
def grounding_findings(table: pd.DataFrame) -> list[Finding]:
    """Summarise a table of `grounding`, one finding for each stage.

    Parameters
    ----------
    table : pandas.DataFrame
        As `grounding` returns it; columns that are not read may be left out.

    Returns
    -------
    findings : list of Finding
        ``"N2 grounding"`` and so on: ``"ok"`` where what spoke for the stage lies in events that scorers use more than by
        chance, ``"warning"`` where it lies in none although there were enough of them, ``"unknown"`` where there were not.

    See Also
    --------
    eegflex.evaluation.grounding : Hold attributions against what scorers look for.
    eegflex.doctor.Findings : What all checks found.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", views=("time-frequency",), verbose="error")
    >>> findings = grounding_findings(grounding(result, night.events))
    >>> {finding.check: finding.status for finding in findings}["N2 grounding"]
    'ok'
    """
    read = (*NAMES_READ, *NUMBERS_READ)
    check_columns("table of grounding", table, read, "eegflex.evaluation.grounding(result, events) makes one")
    for name in NUMBERS_READ:
        number_column(table, name, unknown=True)
    spoke = table[table["speaks"] == "for"]
    return [_finding(stage, rows).named(f"{stage} grounding") for stage, rows in spoke.groupby("stage", sort=False)]


def is_inside(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows say more than chance: interval and corrected p value, and it is some of all that spoke."""
    surely = (table["enrichment_low"] > 1) & (table["p_corrected"] <= ALPHA) & (table["n_epochs"] >= MIN_EPOCHS)
    return np.asarray(surely & (table["of_all"] * (1 - 1 / table["enrichment"]) >= LEAST_OF_ALL), dtype=bool)


def _finding(stage: str, rows: pd.DataFrame) -> Finding:
    inside = rows[is_inside(rows)].sort_values("of_all", ascending=False)
    judged = rows[rows["n_epochs"] >= MIN_EPOCHS]
    numbers = {"n_epochs": int(rows["n_epochs"].max()), "n_kinds": len(judged)}
    if len(inside):
        first = inside.iloc[0]
        named = ", ".join(
            f"{many(one.kind)} ({one.share:.0%} of the attribution in their band, by chance {one.chance:.0%}; "
            f"{one.enrichment:.1f} times, {limits(one.enrichment_low, one.enrichment_high, '.1f')})"
            for one in inside.itertuples()
        )
        named_values = ("share", "chance", "enrichment", "enrichment_low", "enrichment_high", "p_corrected", "of_all")
        values = {name: float(first[name]) for name in named_values}
        return ok(f"the evidence for {stage} lies in {named}", kind=str(first["kind"]), **values, **numbers)
    if not len(judged):
        return unknown(
            f"fewer than {MIN_EPOCHS} epochs taken for {stage} have events that scorers use",
            "Explain more epochs of it, or use more kinds of events",
            **numbers,
        )
    return warning(
        f"the evidence for {stage} lies in none of {', '.join(many(kind) for kind in judged['kind'])} more than by chance",
        "See what else decided: grounding() has the numbers, result.window_rhythms() and spectral_share() the context and the "
        "waveforms",
        **numbers,
    )


def many(kind: str) -> str:
    """How several events of a kind are called."""
    return KINDS[kind].many if kind in KINDS else f"{kind.replace('_', ' ')} events"
