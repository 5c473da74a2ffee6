"""Which events carried the decision on an epoch, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.event_shares import MOST_COVERED, SIGNS, Moments, check_events, occurrences, shifted
from eegflex.evaluation.grounding import LEAST_OF_ALL, many

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["COLUMNS", "carried_by"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Columns of the table.
COLUMNS = (
    "number", "channel_set", "stage", "kind", "channel", "time", "duration", "share", "total", "chance", "p", "sentence",
)  # fmt: skip
#: So many events of a kind are named one by one; of more, their number is.
NAMED = 2
#: Of events that are shifted round their epoch, so few may have as much inside.
ALPHA = 0.05


@dataclass(frozen=True)
class _Kind:
    """The events of one kind in one epoch, as a channel set sees them.

    Attributes
    ----------
    name : str
        The kind.
    events : pandas.DataFrame
        One row for each event.
    inside : array, shape (n_moments,)
        The share of all that spoke for the stage inside the events, by how far they are shifted.
    cells : array, shape (n_channels, n_freqs, n_moments)
        Which cells of the plane they cover.
    """

    name: str
    events: pd.DataFrame
    inside: Array
    cells: Mask

    @property
    def excess(self) -> Array:
        """How far the share lies above its mean over all shifts, in standard deviations over them."""
        spread = float(self.inside.std())
        return (self.inside - self.inside.mean()) / spread if spread > 1e-9 else np.zeros_like(self.inside)


def carried_by(result: FlexResult, events: pd.DataFrame) -> pd.DataFrame:
    """Say of each epoch which events carried what spoke for its stage.

    Parameters
    ----------
    result : FlexResult
        Of one recording, with the view ``"time-frequency"``; a view ``"time"`` serves too, without the bands.
    events : pandas.DataFrame
        As `find_events` returns them, or any table with ``onset`` and ``duration`` (s) and ``kind``.

    Returns
    -------
    table : pandas.DataFrame
        One row for each event that carried the decision on an epoch (its ``number``), by channel set: the ``stage`` explained,
        its ``kind``, ``channel``, ``time`` (s from the onset of the epoch) and ``duration`` (s), the ``share`` of all that
        spoke for the stage that lies inside it, the ``total`` of all events that are listed and what it would be by ``chance``,
        the ``p`` of its kind, and a ``sentence`` that says it, the same for all rows of an epoch. Where no event stands out,
        one row without a kind.

    Raises
    ------
    ParameterError
        If the result has neither view or is of several recordings, or `events` is no table of events.

    Notes
    -----
    What spoke for the stage is the positive attribution of all channels of the channel set and all frequencies; inside an
    event is what lies in its time, its band and its channels. A kind of event is said to carry the decision only where
    its events have more inside than when all events are shifted round the epoch, all kinds by the same amount: the kind that
    stands out most is compared with the one that stands out most after each shift (61 of them), so that of epochs whose
    events lie anywhere not more than 5 % name one, however many kinds there are. Shares of events that overlap do not add up
    to the total, in which each cell counts once.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> asked = {"target": "N2", "views": ("time-frequency",), "verbose": "error"}
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", **asked).sel(stage="N2")
    >>> table = eegflex.evaluation.carried_by(result, night.events)
    >>> set(table["kind"].dropna())
    {'spindle'}
    """
    table = occurrences(check_events(events))
    moments = Moments.of(result)
    data, whole = moments.data, moments.whole(SIGNS["for"])
    length = data.sizes["time"] / float(data.attrs["sfreq"])
    sets = data["of_channel_set"].values
    rows: list[dict[str, Any]] = []
    for epoch, onset in enumerate(data["onset"].values.tolist()):
        own = table[(table["onset"] < onset + length) & (table["onset"] + table["duration"] > onset)]
        one = _of_epoch(moments, epoch)
        positive = np.maximum(one.values[0], 0).astype(np.float64)
        for place, name in enumerate(data["channel_set"].values.tolist()):
            kinds = _kinds(one, own, positive, sets == place, float(whole[epoch, place]))
            head = {
                "number": int(data["number"].values[epoch]),
                "channel_set": str(name),
                "stage": str(data["target"].values[epoch, place]),
            }
            rows += _rows(head, kinds, one, positive, float(whole[epoch, place]), onset)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_epoch(moments: Moments, epoch: int) -> Moments:
    here = slice(epoch, epoch + 1)
    return Moments(moments.data.isel(epoch=here), moments.view, moments.values[here], moments.freqs, moments.times)


def _kinds(one: Moments, events: pd.DataFrame, positive: Array, members: Mask, whole: float) -> list[_Kind]:
    """The kinds of events in an epoch, so far as a channel set sees them."""
    found = []
    for name, own in events.groupby("kind", sort=False):
        mask = one.covered(own, str(name))[0] & members[:, None]
        rows = one.rows_of(float(own["low"].iloc[0]), float(own["high"].iloc[0]))
        if not mask.any() or whole <= 0 or mask[mask.any(axis=1)].mean() > MOST_COVERED:
            continue
        inside = shifted(positive[:, rows].sum(axis=1), mask).sum(axis=0) / whole
        found.append(_Kind(str(name), own, inside, mask[:, None, :] & rows[None, :, None]))
    return found


def _rows(
    head: dict[str, Any], kinds: Sequence[_Kind], one: Moments, positive: Array, whole: float, onset: float
) -> list[dict[str, Any]]:
    """The rows of an epoch and a channel set."""
    stage = head["stage"].replace(" - ", " rather than ")
    if whole <= 0:
        return [head | {"sentence": f"{stage}: nothing in the epoch spoke for it"}]
    if not kinds:
        return [head | {"total": 0.0, "sentence": f"{stage}: no event was found in the epoch"}]
    p_values = _p_values(kinds)
    listed = [kind for kind in kinds if p_values[kind.name] <= ALPHA and kind.inside[0] >= LEAST_OF_ALL]
    cells = np.any([kind.cells for kind in listed or kinds], axis=0)
    total, chance = _inside(cells, positive, whole)
    told = head | {"total": total, "chance": chance}
    if not listed:
        found = ", ".join(_counted(kind) for kind in kinds)
        words = f"{stage}: no event stands out; {found} have {total:.0%} of what spoke for it, by chance {chance:.0%}"
        return [told | {"p": min(p_values.values()), "sentence": words.replace("%", " %")}]
    listed.sort(key=lambda kind: -kind.inside[0])
    members: list[dict[str, Any]] = []
    phrases = []
    for kind in listed:
        own = [_event(kind, seen, one, positive, whole, onset) for _, seen in kind.events.groupby("occurrence")]
        own.sort(key=lambda row: row["time"])
        phrases.append(_phrase(kind.name, own))
        members += [row | {"p": p_values[kind.name]} for row in own]
    verb = "carries" if len(members) == 1 else "carry"
    words = f"{stage}: {_joined(phrases)} {verb} {total:.0%} of what spoke for it, by chance {chance:.0%}".replace("%", " %")
    return [told | row | {"sentence": words} for row in members]


def _p_values(kinds: Sequence[_Kind]) -> dict[str, float]:
    """Of each kind, against the one that stands out most after each shift."""
    most = np.max([kind.excess for kind in kinds], axis=0)
    return {kind.name: float((most >= kind.excess[0] - 1e-9).mean()) for kind in kinds}


def _inside(cells: Mask, positive: Array, whole: float) -> tuple[float, float]:
    """The share of all that spoke inside cells; and the mean over all shifts of them."""
    rows = positive.mean(axis=2, keepdims=True) * cells
    return float((positive * cells).sum() / whole), float(rows.sum() / whole)


def _event(
    kind: _Kind, seen: pd.DataFrame, one: Moments, positive: Array, whole: float, onset: float
) -> dict[str, Any]:
    """One event that several channels may have seen; its channel is that with the largest share."""
    mask = one.covered(seen, kind.name)[0][:, None, :] & kind.cells
    by_channel = (positive * mask).sum(axis=(1, 2)) / whole
    first = float(seen["onset"].min())
    largest = int(np.argmax(by_channel)) if by_channel.any() else int(np.argmax(mask.any(axis=(1, 2))))
    return {
        "kind": kind.name,
        "channel": one.ch_names[largest],
        "time": first - onset,
        "duration": float((seen["onset"] + seen["duration"]).max()) - first,
        "share": float(by_channel.sum()),
    }


def _phrase(kind: str, events: Sequence[dict[str, Any]]) -> str:
    """How the events of a kind are named: with where and when, if they are few."""
    single = KINDS[kind].one if kind in KINDS else f"{kind.replace('_', ' ')}"
    at = [(row["channel"].split("-")[0], max(row["time"], 0.0)) for row in events]
    if len(events) == 1:
        return f"{single} at {at[0][0]}, {at[0][1]:.1f} s"
    if len(events) <= NAMED:
        return f"{len(events)} {many(kind)} (" + ", ".join(f"{site}, {time:.1f} s" for site, time in at) + ")"
    most = max(range(len(events)), key=lambda i: events[i]["share"])
    return f"{len(events)} {many(kind)} (most that at {at[most][0]}, {at[most][1]:.1f} s)"


def _counted(kind: _Kind) -> str:
    n = kind.events["occurrence"].nunique()
    return f"{n} {many(kind.name)}" if n > 1 else (KINDS[kind.name].one if kind.name in KINDS else kind.name.replace("_", " "))


def _joined(phrases: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))
