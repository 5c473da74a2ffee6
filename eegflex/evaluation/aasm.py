"""The criteria of the AASM manual for each stage, beside what the network used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.event_shares import SIGNS, Moments, check_events, occurrences
from eegflex.evaluation.grounding import LEAST_OF_ALL, ground, interval_of, is_inside
from eegflex.evaluation.judged import limits
from eegflex.results.intervals import MIN_EPOCHS
from eegflex.results.select import is_whole
from eegflex.results.wording import count_epochs
from eegflex.utils.arguments import checked
from eegflex.utils.given import SEEDS, check_count

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["AASM_CRITERIA", "COLUMNS", "AasmCriterion", "Verdict", "aasm_criteria"]

Verdict = Literal["used", "not used", "used against", "cannot tell"]

#: Columns of the table.
COLUMNS = (
    "stage", "criterion", "kind", "verdict", "because", "enrichment", "enrichment_low", "enrichment_high", "p_corrected",
    "of_all", "n_epochs", "n_events",
)  # fmt: skip
#: An enrichment is taken for none where its interval holds 1 and reaches at most so far above, or half the way to its largest.
NEGLIGIBLE = 0.5


@dataclass(frozen=True)
class AasmCriterion:
    """What a scorer looks for.

    Attributes
    ----------
    stage : str
        The stage.
    words : str
        The criterion.
    kind : str
        The kind of event that shows it.
    speaks : {"for", "against"}
        What the events should do for the stage: the alpha that is left in N1 speaks against it.
    lasts : bool
        Whether it is a level that fills epochs, so that there is no other time to compare it with: then what the channel
        adds to the score is more than nothing.

    See Also
    --------
    eegflex.evaluation.aasm_criteria : The AASM's criteria beside what the network used.

    Examples
    --------
    >>> from eegflex.evaluation import AASM_CRITERIA
    >>> [one.words for one in AASM_CRITERIA if one.stage == "N2"]
    ['sleep spindles', 'K-complexes']
    """

    stage: str
    words: str
    kind: str
    speaks: Literal["for", "against"] = "for"
    lasts: bool = False


#: Of the AASM manual for the scoring of sleep and associated events: rules for adults.
AASM_CRITERIA = (
    AasmCriterion("W", "alpha rhythm for more than half of the epoch", "alpha"),
    AasmCriterion("W", "eye blinks, or rapid eye movements with normal or high chin tone", "eye_movement_rapid"),
    AasmCriterion("W", "normal or high chin tone", "chin_tone_high", lasts=True),
    AasmCriterion("N1", "alpha attenuated, for more than half of the epoch", "alpha", speaks="against"),
    AasmCriterion("N1", "slow eye movements", "eye_movement_slow"),
    AasmCriterion("N1", "activity of 4 to 7 Hz", "theta"),
    AasmCriterion("N1", "vertex sharp waves", "vertex_wave"),
    AasmCriterion("N2", "sleep spindles", "spindle"),
    AasmCriterion("N2", "K-complexes", "k_complex"),
    AasmCriterion("N3", "slow waves in 20 % or more of the epoch", "slow_wave"),
    AasmCriterion("REM", "rapid eye movements", "eye_movement_rapid"),
    AasmCriterion("REM", "low chin tone", "chin_tone_low", lasts=True),
    AasmCriterion("REM", "sawtooth waves", "sawtooth"),
    AasmCriterion("REM", "transient muscle activity", "twitch"),
)


@checked
def aasm_criteria(result: FlexResult, events: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Compare the AASM's criteria of each stage with what the network used.

    Parameters
    ----------
    result : FlexResult
        Of one recording, with the view ``"time-frequency"``, or ``"time"``. Epochs count for the stage that was
        predicted, where its score was explained.
    events : pandas.DataFrame
        As `find_sleep_events` returns them, or any table with ``onset`` and ``duration`` (s) and ``kind``.
    seed : int
        Of the random shifts of `grounding`.

    Returns
    -------
    table : pandas.DataFrame
        One row for each criterion: its ``stage``, the ``criterion``, the ``kind`` of event that shows it, a ``verdict``, and
        ``because``, the reason. ``"used"``: inside the events lies more of what spoke for the stage than by chance (interval
        and corrected p value of `grounding`), and at least 1 % of all that spoke for it more than by chance.
        ``"used against"``: of what spoke against it. ``"not used"``: neither, and the interval leaves room for little; or the
        stager is not given such a channel. ``"cannot tell"`` otherwise: too few epochs or events, or too wide an interval.
        ``enrichment``, its interval, ``p_corrected`` and ``of_all`` are those of `grounding` for the side that the verdict is
        of. Of a level of the chin's tone, which fills epochs, there is no enrichment: where the mean attribution to the chin in
        such epochs is above 0, it is used, and below 0, used against.

    Raises
    ------
    ParameterError
        If the result has neither view or is of several recordings, or `events` is no table of events.

    See Also
    --------
    eegflex.evaluation.AasmCriterion : What a scorer looks for.
    eegflex.evaluation.find_sleep_events : Find what scorers look for.
    eegflex.evaluation.grounding : Hold attributions against what scorers look for.

    Notes
    -----
    Criteria are those of the AASM manual [1]_. For a criterion that asks for an absence, such as attenuated alpha in N1,
    what the events should do is speak against the stage; its verdict is ``"used"`` where they do, and ``"used against"``
    where they speak for the stage.

    References
    ----------
    .. [1] Iber C., Ancoli-Israel S., Chesson A. L., Quan S. F. (2007). The AASM manual for the scoring of sleep and associated
       events. American Academy of Sleep Medicine.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", views=("time-frequency",), verbose="error")
    >>> table = aasm_criteria(result, night.events).set_index(["stage", "criterion"])
    >>> table.loc[("N2", "sleep spindles"), "verdict"], table.loc[("REM", "low chin tone"), "verdict"]
    ('used', 'not used')
    """
    seed = check_count("seed", seed, SEEDS) or 0
    moments = Moments.of(result)
    labels = _explained(moments)
    grounded = ground(moments, labels, events, seed)
    table = occurrences(check_events(events))
    rows = []
    for criterion in AASM_CRITERIA:
        judge = _level if criterion.lasts else _events
        told = _beforehand(criterion, moments, labels) or judge(criterion, moments, labels, grounded, table)
        rows.append({"stage": criterion.stage, "criterion": criterion.words, "kind": criterion.kind} | told)
    return pd.DataFrame(rows, columns=list(COLUMNS))


#: How a kind's channels are called where a stager has none.
_CHANNELS = {"eeg": "EEG", "eog": "EOG", "chin": "chin EMG"}
#: So much of an epoch must be at a level for the epoch to count.
LASTING = 0.5


def _explained(moments: Moments) -> npt.NDArray[np.str_]:
    """The predicted stage of each epoch and channel set, where it is that whose score was explained; else empty."""
    predicted, target = (moments.data[name].values.astype(str) for name in ("predicted", "target"))
    first = np.char.partition(target, " - ")[..., 0]  # of a margin, too, the first is spoken for
    return np.where(first == predicted, predicted, "")


def _told(verdict: Verdict, because: str, row: Mapping[str, Any] | None = None) -> dict[str, Any]:
    numbers = ("enrichment", "enrichment_low", "enrichment_high", "p_corrected", "of_all", "n_epochs", "n_events")
    return {"verdict": verdict, "because": because} | ({} if row is None else {name: row[name] for name in numbers})


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _beforehand(criterion: AasmCriterion, moments: Moments, labels: npt.NDArray[np.str_]) -> dict[str, Any] | None:
    """What is known without a look at events."""
    if not moments.channels_of(criterion.kind).any():
        where = _CHANNELS[KINDS[criterion.kind].where]
        if is_whole(moments.data):
            return _told("not used", f"the stager is given no {where}")
        return _told("cannot tell", f"this result has no {where}")
    n_epochs = int((labels == criterion.stage).any(axis=1).sum())
    if n_epochs < MIN_EPOCHS:
        return _told(
            "cannot tell", f"{count_epochs(n_epochs)} of {criterion.stage} explained, and {MIN_EPOCHS} are needed"
        )
    return None


def _events(
    criterion: AasmCriterion,
    moments: Moments,
    labels: npt.NDArray[np.str_],
    grounded: pd.DataFrame,
    table: pd.DataFrame,
) -> dict[str, Any]:
    """The verdict on events that come and go."""
    own = grounded[(grounded["stage"] == criterion.stage) & (grounded["kind"] == criterion.kind)].set_index("speaks")
    if own.empty:
        return _told("cannot tell", "the table has no such events")
    expected = own.loc[criterion.speaks]
    opposite = own.loc["against" if criterion.speaks == "for" else "for"]
    sides: dict[Verdict, pd.Series] = {"used": expected, "used against": opposite}
    rows = [(verdict, row) for verdict, row in sides.items() if is_inside(row.to_frame().T.infer_objects())[0]]
    if rows:
        verdict, row = max(rows, key=lambda one: one[1]["amount"])
        return _told(
            verdict,
            f"{_percent(row['share'])} of what spoke {row.name} {criterion.stage} in the band lies inside, by chance "
            f"{_percent(row['chance'])}",
            row,
        )
    if not expected["n_epochs"] >= MIN_EPOCHS:
        return _told(
            "cannot tell",
            f"{count_epochs(int(expected['n_epochs']))} with such events, and {MIN_EPOCHS} are needed",
            expected,
        )
    most = 1 + NEGLIGIBLE * min(1.0, 1 / expected["chance"] - 1)
    if expected["of_all"] < LEAST_OF_ALL:
        return _told(
            "not used", f"less than {_percent(LEAST_OF_ALL)} of what spoke {criterion.speaks} it lies inside", expected
        )
    if expected["enrichment_high"] <= most:
        return _told("not used", "no more lies inside than by chance", expected)
    return _told("cannot tell", "the interval is too wide, or the p value too large", expected)


def _level(
    criterion: AasmCriterion,
    moments: Moments,
    labels: npt.NDArray[np.str_],
    grounded: pd.DataFrame,
    table: pd.DataFrame,
) -> dict[str, Any]:
    """The verdict on a level: what its channels add to the score in the epochs that have it."""
    seen = moments.channels_of(criterion.kind)
    mask = moments.covered(table[table["kind"] == criterion.kind], criterion.kind)
    there = mask[:, seen].any(axis=1).mean(axis=1) >= LASTING
    counted = (labels == criterion.stage) & there[:, None]
    epochs = np.flatnonzero(counted.any(axis=1))
    if len(epochs) < MIN_EPOCHS:
        return _told("cannot tell", f"{count_epochs(len(epochs))} with it, and {MIN_EPOCHS} are needed") | {
            "n_epochs": len(epochs)
        }
    net = moments.by_set(moments.values.sum(axis=(2, 3), dtype=np.float64) * seen)
    size = moments.whole(SIGNS["for"]) + moments.whole(SIGNS["against"])
    weights = counted[epochs] / counted[epochs].sum(axis=1, keepdims=True)
    of_size = np.divide(net, size, out=np.zeros_like(net), where=size > 0)
    share = (weights * of_size[epochs]).sum(axis=1)
    low, high = interval_of(share, moments.data["onset"].values[epochs])
    told = f"{100 * share.mean():+.1f} % ({limits(100 * low, 100 * high, '+.1f')})"
    words = f"the chin has {told} of all that spoke for or against {criterion.stage} there"
    verdict: Verdict = "cannot tell"
    if low > 0 and share.mean() >= LEAST_OF_ALL:
        verdict = "used"
    elif high < 0 and share.mean() <= -LEAST_OF_ALL:
        verdict = "used against"
    elif max(abs(low), abs(high)) < LEAST_OF_ALL:
        verdict = "not used"
    return _told(verdict, words) | {"of_all": float(share.mean()), "n_epochs": len(epochs)}
