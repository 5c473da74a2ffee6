"""The criteria of the AASM manual for each stage, beside what the network used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from eegflex.evaluation.detectors import KINDS
from eegflex.evaluation.event_shares import Moments, check_events, occurrences
from eegflex.evaluation.grounding import grounding, is_inside
from eegflex.results.intervals import MIN_EPOCHS, blocks_of, mean_interval
from eegflex.results.select import is_whole

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["COLUMNS", "CRITERIA", "Criterion", "Verdict", "criteria"]

Verdict = Literal["used", "not used", "used against", "cannot tell"]

#: Columns of the table.
COLUMNS = (
    "stage", "criterion", "kind", "verdict", "because", "enrichment", "enrichment_low", "enrichment_high", "p_corrected", "of_all",
    "n_epochs", "n_events",
)  # fmt: skip
#: An enrichment is taken for none where its interval holds 1 and reaches at most so far above, or half the way to its largest.
NEGLIGIBLE = 0.5


@dataclass(frozen=True)
class Criterion:
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
        adds to the score is told from nothing.
    """

    stage: str
    words: str
    kind: str
    speaks: Literal["for", "against"] = "for"
    lasts: bool = False


#: Of the AASM manual for the scoring of sleep and associated events: rules for adults.
CRITERIA = (
    Criterion("W", "alpha rhythm for more than half of the epoch", "alpha"),
    Criterion("W", "eye blinks, or rapid eye movements with normal or high chin tone", "eye_movement_rapid"),
    Criterion("W", "normal or high chin tone", "chin_tone_high", lasts=True),
    Criterion("N1", "alpha attenuated, for more than half of the epoch", "alpha", speaks="against"),
    Criterion("N1", "slow eye movements", "eye_movement_slow"),
    Criterion("N1", "activity of 4 to 7 Hz", "theta"),
    Criterion("N1", "vertex sharp waves", "vertex_wave"),
    Criterion("N2", "sleep spindles", "spindle"),
    Criterion("N2", "K-complexes", "k_complex"),
    Criterion("N3", "slow waves in 20 % or more of the epoch", "slow_wave"),
    Criterion("REM", "rapid eye movements", "eye_movement_rapid"),
    Criterion("REM", "low chin tone", "chin_tone_low", lasts=True),
    Criterion("REM", "sawtooth waves", "sawtooth"),
    Criterion("REM", "transient muscle activity", "twitch"),
)


def criteria(result: FlexResult, events: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Lay the AASM's criteria of each stage beside what the network used.

    Parameters
    ----------
    result : FlexResult
        Of one recording, with the view ``"time-frequency"``, or ``"time"``. Epochs count for the stage whose score was explained
        and which was predicted.
    events : pandas.DataFrame
        As `find_events` returns them, or any table with ``onset`` and ``duration`` (s) and ``kind``.
    seed : int
        Of the random shifts of `grounding`.

    Returns
    -------
    table : pandas.DataFrame
        One row for each criterion: its ``stage``, the ``criterion``, the ``kind`` of event that shows it, a ``verdict``, and
        ``because``, the reason. ``"used"``: inside the events lies more of what spoke for the stage than by chance (interval
        and corrected p value of `grounding`), and at least 1 % of all that spoke for it more than by chance. ``"used against"``:
        of what spoke against it. ``"not used"``: neither, and the interval leaves room for little; or the stager is not given
        such a channel. ``"cannot tell"`` otherwise: too few epochs or events, or too wide an interval.
        ``enrichment``, its interval, ``p_corrected`` and ``of_all`` are those of `grounding` for the side that the verdict is
        of. Of a level of the chin's tone, which fills epochs, there is no enrichment: where the mean attribution to the chin in
        such epochs is above 0, it is used, and below 0, used against.

    Raises
    ------
    ParameterError
        If the result has neither view or is of several recordings, or `events` is no table of events.

    Notes
    -----
    For a criterion that asks for an absence, such as attenuated alpha in N1, what the events should do is speak against the
    stage; its verdict is ``"used"`` where they do, and ``"used against"`` where they speak for the stage.

    Examples
    --------
    >>> import eegflex
    >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
    >>> result = eegflex.attribute_epochs(epochs, "known-spindle", views=("time-frequency",), verbose="error")
    >>> table = criteria(result, night.events).set_index(["stage", "criterion"])
    >>> table.loc[("N2", "sleep spindles"), "verdict"], table.loc[("REM", "low chin tone"), "verdict"]
    ('used', 'not used')
    """
    own = _of_predicted(result)
    grounded = grounding(own, events, seed=seed) if len(own) else pd.DataFrame()
    table = occurrences(check_events(events))
    moments = Moments.of(own)
    rows = []
    for criterion in CRITERIA:
        told = _verdict(criterion, moments, grounded, table)
        rows.append({"stage": criterion.stage, "criterion": criterion.words, "kind": criterion.kind} | told)
    return pd.DataFrame(rows, columns=list(COLUMNS))
