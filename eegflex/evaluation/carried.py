"""Which events carried the decision on an epoch, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.event_shares import MOST_COVERED, SIGNS, Moments, check_events, occurrences, shifted
from eegflex.evaluation.grounding import LEAST_OF_ALL, many
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["COLUMNS", "decisive_events"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Columns of the table.
COLUMNS = (
    "number", "channel_set", "stage", "kind", "channel", "time", "duration", "share", "total", "chance", "p", "sentence",
)  # fmt: skip
#: So many events of a kind are named one by one; of more, their number is.
NAMED = 2
#: Events that have less of all that spoke between them carried nothing, however well they are placed (chosen).
LEAST_CARRIED = 0.1
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


@checked
def decisive_events(result: FlexResult, events: pd.DataFrame) -> pd.DataFrame:
    """Find the events that contain the evidence for the stage of each epoch.

    Parameters
    ----------
    result : FlexResult
        Of one recording, with the view ``"time-frequency"``; a view ``"time"`` serves too, without the bands.
    events : pandas.DataFrame
        As `find_sleep_events` returns them, or any table with ``onset`` and ``duration`` (s) and ``kind``.

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

    See Also
    --------
    eegflex.evaluation.find_sleep_events : Find what scorers look for.
    eegflex.evaluation.grounding : Hold attributions against what scorers look for.

    Notes
    -----
    What spoke for the stage is the positive attribution of all channels of the channel set and all frequencies; inside an
    event is what lies in its time, its band and its channels. A kind of event is said to carry the decision only where
    its events have more inside than when all events are shifted round the epoch, all kinds by the same amount: the kind that
    stands out most is compared with the one that stands out most after each shift (61 of them), so that of epochs whose
    events lie anywhere about 5 % name one, however many kinds there are; and only where they have a
    tenth of it. Shares of events that overlap do not add up
    to the total, in which each cell counts once.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> asked = {"target": "N2", "views": ("time-frequency",), "verbose": "error"}
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", **asked).sel(stage="N2")
    >>> table = eegflex.evaluation.decisive_events(result, night.events)
    >>> set(table["kind"].dropna())
    {'spindle'}
    """
    table = occurrences(check_events(events))
    moments = Moments.of(result)
    data, whole = moments.data, moments.whole(SIGNS["for"])
    length = data.sizes["time"] / float(data.attrs["sfreq"])
    sets, targets = data["of_channel_set"].values, data["target"].values.astype(str)
    names, numbers = data["channel_set"].values.astype(str).tolist(), data["number"].values.tolist()
    first, last = table["onset"], table["onset"] + table["duration"]
    rows: list[dict[str, Any]] = []
    for epoch, onset in enumerate(data["onset"].values.tolist()):
        own = table[(first < onset + length) & (last > onset)]
        here = _Epoch(moments, slice(epoch, epoch + 1), np.maximum(moments.values[epoch], 0).astype(np.float64), onset)
        masks = {str(kind): here.covered(seen, str(kind)) for kind, seen in own.groupby("kind", sort=False)}
        for place, name in enumerate(names):
            there = _Share(here, sets == place, float(whole[epoch, place]))
            head = {"number": numbers[epoch], "channel_set": name, "stage": targets[epoch, place]}
            rows += _rows(head, _kinds(there, own, masks), there)
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class _Epoch:
    """One epoch: where it is among the `moments`, what speaks for its stage (n_channels, n_freqs, n_moments), and its onset."""

    moments: Moments
    place: slice
    positive: Array
    onset: float

    def covered(self, events: pd.DataFrame, kind: str) -> Mask:
        """Which moments of which channels events cover, shape (n_channels, n_moments)."""
        found: Mask = self.moments.covered(events, kind, self.place)[0]
        return found


@dataclass(frozen=True)
class _Share:
    """A channel set in an epoch: which channels are its own, and all that speaks for the stage in them."""

    epoch: _Epoch
    members: Mask
    whole: float

    def of(self, cells: Mask) -> tuple[float, float]:
        """The share of all that spoke inside cells; and the mean over all shifts of them."""
        positive = self.epoch.positive
        by_chance = positive.mean(axis=2, keepdims=True) * cells
        return float((positive * cells).sum() / self.whole), float(by_chance.sum() / self.whole)


def _kinds(there: _Share, events: pd.DataFrame, masks: Mapping[str, Mask]) -> list[_Kind]:
    """The kinds of events in an epoch, so far as a channel set sees them."""
    found = []
    for name, covered in masks.items():
        own, mask = events[events["kind"] == name], covered & there.members[:, None]
        rows = there.epoch.moments.rows_of(float(own["low"].iloc[0]), float(own["high"].iloc[0]))
        if not mask.any() or there.whole <= 0 or mask[mask.any(axis=1)].mean() > MOST_COVERED:
            continue
        inside = shifted(there.epoch.positive[:, rows].sum(axis=1), mask).sum(axis=0) / there.whole
        found.append(_Kind(name, own, inside, mask[:, None, :] & rows[None, :, None]))
    return found


def _rows(head: dict[str, Any], kinds: Sequence[_Kind], there: _Share) -> list[dict[str, Any]]:
    """The rows of an epoch and a channel set."""
    stage = head["stage"].replace(" - ", " rather than ")
    if there.whole <= 0:
        return [head | {"sentence": f"{stage}: nothing in the epoch is evidence for it"}]
    if not kinds:
        return [head | {"total": 0.0, "sentence": f"{stage}: no event that scorers use was found in the epoch"}]
    p_values = _p_values(kinds)
    listed = [kind for kind in kinds if p_values[kind.name] <= ALPHA + 1e-9 and kind.inside[0] >= LEAST_OF_ALL]
    total, chance = there.of(np.any([kind.cells for kind in listed or kinds], axis=0))
    if listed and total < LEAST_CARRIED:
        listed = []
        total, chance = there.of(np.any([kind.cells for kind in kinds], axis=0))
    told = head | {"total": total, "chance": chance}
    shares = f"{_percent(total)} of the evidence for it (by chance {_percent(chance)})"
    if not listed:
        counts = [kind.events["occurrence"].nunique() for kind in kinds]
        found = _joined([_counted(kind.name, n) for kind, n in zip(kinds, counts, strict=True)])
        words = f"{stage}: no event stands out; {found} {'has' if sum(counts) == 1 else 'have'} {shares}"
        return [told | {"p": min(p_values.values()), "sentence": words}]
    listed.sort(key=lambda kind: -kind.inside[0])
    members: list[dict[str, Any]] = []
    phrases = []
    for kind in listed:
        own = [_event(kind, seen, there) for _, seen in kind.events.groupby("occurrence")]
        own.sort(key=lambda row: row["time"])
        phrases.append(_phrase(kind.name, own))
        members += [row | {"p": p_values[kind.name]} for row in own]
    words = f"{stage}: {_joined(phrases)} {'carries' if len(members) == 1 else 'carry'} {shares}"
    return [told | row | {"sentence": words} for row in members]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _p_values(kinds: Sequence[_Kind]) -> dict[str, float]:
    """Of each kind, against the one that stands out most after each shift."""
    most = np.max([kind.excess for kind in kinds], axis=0)
    return {kind.name: float((most >= kind.excess[0] - 1e-9).mean()) for kind in kinds}


def _event(kind: _Kind, seen: pd.DataFrame, there: _Share) -> dict[str, Any]:
    """One event that several channels may have seen; its channel is that with the largest share."""
    mask = there.epoch.covered(seen, kind.name)[:, None, :] & kind.cells
    by_channel = (there.epoch.positive * mask).sum(axis=(1, 2)) / there.whole
    largest = int(np.argmax(by_channel if by_channel.any() else mask.any(axis=(1, 2))))
    first = float(seen["onset"].min())
    return {
        "kind": kind.name,
        "channel": there.epoch.moments.ch_names[largest],
        "time": first - there.epoch.onset,
        "duration": float((seen["onset"] + seen["duration"]).max()) - first,
        "share": float(by_channel.sum()),
    }


def _phrase(kind: str, events: Sequence[dict[str, Any]]) -> str:
    """How the events of a kind are named: with where and when, if they are few."""
    at = [f"{row['channel'].split('-')[0]}, {max(row['time'], 0.0):.1f} s" for row in events]
    named = _counted(kind, len(events))
    if len(events) <= NAMED:
        return f"{named} at {' and '.join(at)}"
    largest = max(range(len(events)), key=lambda i: events[i]["share"])
    return f"{named} (the largest share: {at[largest]})"


def _counted(kind: str, n: int) -> str:
    single = KINDS[kind].one if kind in KINDS else f"1 {kind.replace('_', ' ')}"
    return f"{n} {many(kind)}" if n > 1 else single


def _joined(phrases: Sequence[str]) -> str:
    """As a sentence lists them; with a comma before the last where they have commas themselves."""
    before = ", and " if any("," in phrase for phrase in phrases) else " and "
    return before.join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))
