"""What a scorer should check first: the epochs of a staged night in the order of doubt, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd

from eegflex.agreement import cohens_kappa, confusion
from eegflex.errors import ParameterError, check_choice
from eegflex.scores import probabilities
from eegflex.stagers.ensemble import Ensemble, members_of
from eegflex.stagers.modules import rnn_safe
from eegflex.utils.arguments import checked
from eegflex.utils.columns import check_columns, number_column, text_column
from eegflex.utils.files import write_table, write_whole
from eegflex.utils.given import Span, check_count, check_number

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult
    from eegflex.staging import StagedNight

__all__ = ["epochs_to_review", "review_queue", "save_queue", "to_annotations"]

#: How much an epoch itself counts in its doubt, and its two neighbours together.
OWN, NEIGHBOURS = 0.5, 0.5
#: Lengths that epochs can have, in s.
DURATIONS = (0.1, 3600.0)
#: What is not staged.
NO_STAGE = "UNSCORED"


@dataclass(frozen=True, eq=False)
class Answers:
    """What a stager says of the epochs of a night, by each of its voices.

    Attributes
    ----------
    stages : tuple of str
        The stager's.
    probabilities : array, shape (n_members, n_epochs, n_channel_sets, n_stages)
        By each member of an ensemble, with each channel set; NaN where there is none.
    predicted : array of str, shape (n_epochs,)
        The stage of each epoch; ``"UNSCORED"`` where it has none.
    scored : array of str, shape (n_epochs,)
        The hypnogram's.
    recording : array, shape (n_epochs,)
        Of which recording it is.
    number : array of int, shape (n_epochs,)
        Its place there.
    onset : array, shape (n_epochs,)
        When it begins, in s.
    run : array of int, shape (n_epochs,)
        Stretches contiguous in time.
    fault : array of str, shape (n_epochs,)
        Why it is not staged.
    """

    stages: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.str_]
    scored: npt.NDArray[np.str_]
    recording: npt.NDArray[np.object_]
    number: npt.NDArray[np.intp]
    onset: npt.NDArray[np.float64]
    run: npt.NDArray[np.int64]
    fault: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.predicted)

    @cached_property
    def staged(self) -> npt.NDArray[np.bool_]:
        """Which epochs have a stage."""
        return np.isin(self.predicted, self.stages)

    def places(self, names: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
        """Places of stages among the stager's; -1 for none of them."""
        found = {stage: place for place, stage in enumerate(self.stages)}
        return np.array([found.get(name, -1) for name in names.tolist()], dtype=np.intp)

    @cached_property
    def mean(self) -> npt.NDArray[np.float64]:
        """Probabilities of the stages, the mean over all voices that are known, shape (n_epochs, n_stages); NaN if none is."""
        known = np.isfinite(self.probabilities).all(axis=-1, keepdims=True)
        total = np.where(known, self.probabilities, 0.0).sum(axis=(0, 2))
        n = known.sum(axis=(0, 2))
        found = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
        return np.where(self.staged[:, None], found, np.nan)

    @cached_property
    def smoothed(self) -> npt.NDArray[np.float64]:
        """The same, half of it that of the neighbours in the night: those that there are, in the same run and staged."""
        total, weight = np.zeros_like(self.mean), np.zeros((len(self), 1))
        for step in (-1, 1):
            there = self._neighbour(step)
            known = there >= 0
            total[known] += self.mean[there[known]]
            weight[known] += 1
        neighbours = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
        return np.where(weight > 0, OWN * self.mean + NEIGHBOURS * neighbours, self.mean)

    def _neighbour(self, step: int) -> npt.NDArray[np.intp]:
        """The epoch before or after each; -1 where there is none that is staged."""
        there = np.arange(len(self)) + step
        inside = (there >= 0) & (there < len(self))
        at = np.where(inside, there, 0)
        same = (self.run[at] == self.run) & (self.recording[at] == self.recording)
        return np.where(inside & same & self.staged[at], there, -1)

    def table(self, hypnogram: bool) -> pd.DataFrame:
        """The queue without trust."""
        rows, own = np.arange(len(self)), self.places(self.predicted)
        without = np.where(np.arange(len(self.stages)) == own[:, None], -1.0, self.mean)
        second = np.where(np.isnan(without), -1.0, without).argmax(axis=1)
        p = np.where(self.staged, self.mean[rows, own], np.nan)
        scored = self.places(self.scored)
        against = hypnogram & self.staged & (scored >= 0) & (scored != own)
        doubt = np.where(self.staged, 1 - self.smoothed[rows, own], np.nan)
        table = pd.DataFrame(
            {
                "recording": self.recording,
                "epoch": self.number,
                "onset": self.onset,
                "stage": self.scored,
                "predicted": self.predicted,
                "second": np.where(self.staged, np.array(self.stages)[second], ""),
                "p": p,
                "margin": p - np.where(self.staged, self.mean[rows, second], np.nan),
                "disagreeing": np.where(self.staged, self._disagreeing.mean(axis=1), np.nan),
                "p_scored": np.where(against, self.smoothed[rows, scored], np.nan),
                "doubt": doubt,
                "reasons": [self._reasons(row, int(second[row]), bool(against[row])) for row in range(len(self))],
            }
        )
        urgent = np.where(against, 2 - table["p_scored"], doubt)
        order = np.argsort(-np.where(np.isnan(urgent), -1.0, urgent), kind="stable")
        return table.iloc[order].reset_index(drop=True)

    @cached_property
    def _choices(self) -> npt.NDArray[np.intp]:
        """The stage by each voice, shape (n_epochs, n_members, n_channel_sets); -1 where it has none."""
        known = np.isfinite(self.probabilities).all(axis=-1)
        chosen = np.where(np.isnan(self.probabilities), 0.0, self.probabilities).argmax(axis=-1)
        return np.where(known, chosen, -1).swapaxes(0, 1)

    @cached_property
    def _disagreeing(self) -> npt.NDArray[np.bool_]:
        """Which voices say something else, shape (n_epochs, n_voices)."""
        voices = self._choices.reshape(len(self), -1)
        found: npt.NDArray[np.bool_] = (voices != self.places(self.predicted)[:, None]) & (voices >= 0)
        return found

    def _reasons(self, row: int, second: int, against: bool) -> str:
        """Why an epoch is to be looked at, in words."""
        if not self.staged[row]:
            return f"not staged: {self.fault[row] or 'no context'}"
        own = str(self.predicted[row])
        at, beside = self.stages.index(own), self.stages[second]
        said = [f"scored {self.scored[row]}, the model says {own}"] if against else []
        said.append(f"{own}/{beside} margin {self.mean[row, at] - self.mean[row, second]:.2f}")
        said += self._other_voices(row, at)
        around = {str(self.predicted[there]) for there in (self._before[row], self._after[row]) if there >= 0}
        if len(around) == 1 and around != {own}:
            said.append(f"between {around.pop()}")
        return "; ".join(said)

    @cached_property
    def _before(self) -> npt.NDArray[np.intp]:
        return self._neighbour(-1)

    @cached_property
    def _after(self) -> npt.NDArray[np.intp]:
        return self._neighbour(1)

    def _other_voices(self, row: int, own: int) -> list[str]:
        """How many channel sets, and members of an ensemble, say something else."""
        n_members, _, n_sets, _ = self.probabilities.shape
        voices = self._choices[row].ravel()
        names = ("members and channel sets" if n_sets > 1 else "members") if n_members > 1 else "channel sets"
        counted = [(int((voices == k).sum()), stage) for k, stage in enumerate(self.stages) if k != own]
        return [
            f"{n} of {len(voices)} {names} say{'s' * (n == 1)} {stage}"
            for n, stage in sorted(counted, reverse=True)
            if n
        ]


def answers_of(night: StagedNight) -> Answers:
    """What the stager says of a night; members of an ensemble are asked one by one, which stages the night again."""
    segments = night.segments
    return Answers(
        night.stages,
        _of_members(night),
        night.predicted,
        segments.stage,
        np.full(len(night), "", dtype=object),
        np.arange(len(night)),
        segments.onset,
        segments.run,
        np.where(night.explicable | (segments.fault != ""), segments.fault, "no context"),
    )


def _of_members(night: StagedNight) -> npt.NDArray[np.float64]:
    """Probabilities by each member of an ensemble, shape (n_members, n_epochs, n_channel_sets, n_stages)."""
    if not isinstance(night.stager, Ensemble) or len(night.stager.members) < 2:
        return probabilities(night.scores, night.stager.spec.scores)[None]
    bound = [members_of(one) for one in night.bound]
    found = []
    with rnn_safe(night.stager.module):
        for place, member in enumerate(night.stager.members):
            own = [of_set[place].night_scores(lambda _: None) for of_set in bound]
            scores = np.stack([one.double().cpu().numpy() for one in own], axis=1)
            found.append(probabilities(scores, member.spec.scores))
    return np.stack(found)


def queue_of(answers: Answers, *, hypnogram: bool = True, trust: pd.DataFrame | None = None) -> pd.DataFrame:
    """See `review_queue`."""
    table = answers.table(hypnogram)
    if trust is not None:
        table = _with_trust(table, trust)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def _with_trust(table: pd.DataFrame, trust: pd.DataFrame) -> pd.DataFrame:
    """The queue with what is said of the explanations of its epochs."""
    check_columns("table of trust", trust, ("epoch", "trust"), "result.trust() makes one")
    keys = [name for name in ("recording", "epoch") if name in trust and name in table]
    by_epoch = trust.groupby(keys)["trust"].agg(lambda words: ", ".join(dict.fromkeys(map(str, words))))
    table = table.join(by_epoch, on=keys)
    doubted = table["trust"].notna() & (table["trust"] != "trusted")
    said = table["reasons"] + np.where(doubted, "; explanation: " + table["trust"].fillna(""), "")
    return table.assign(reasons=said)


@checked
def review_queue(
    staged: StagedNight | FlexResult, *, hypnogram: bool = True, trust: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Sort the epochs of a night in the order in which a scorer should check them.

    Parameters
    ----------
    staged : StagedNight | FlexResult
        A night that was staged; of a result, all epochs of its nights, whether they were explained or not.
    hypnogram : bool
        Whether the stager is held against the hypnogram, where there is one: epochs that were scored otherwise then come first.
    trust : pandas.DataFrame | None
        What is thought of the explanations: columns ``epoch`` and ``trust``, a word, and ``recording`` if there are several. It
        is told beside the other reasons, and does not change the order.

    Returns
    -------
    queue : pandas.DataFrame
        One row for each epoch, the first to be looked at first. ``rank``; ``recording``, ``epoch`` (its number), ``onset`` (s);
        ``stage`` (the hypnogram's), ``predicted`` and ``second`` (the runner-up); ``p``, the probability of the stage
        predicted, the mean over channel sets and members of an ensemble, and ``margin``, by how much it is ahead;
        ``disagreeing``, which share of channel sets and members says another stage; ``p_scored``, where it was scored
        otherwise, the probability of that stage; ``doubt``, by which epochs are ordered; and ``reasons``, in words. Epochs
        that are not staged come last, with the reason.

    See Also
    --------
    eegflex.StagedNight : A recording as it was staged.
    eegflex.review.to_annotations : The queue for a viewer.
    eegflex.review.save_queue : Write the queue to a file.
    eegflex.review.epochs_to_review : How many epochs must be looked at.

    Notes
    -----
    *Doubt* is 1 less the probability of the stage predicted: the mean over channel sets and members, half of it that of the
    epoch itself and a quarter that of each neighbour. It has the margin, the disagreement of channels and the course of the
    night in one number, and nothing in it is fitted to a stager. It puts epochs in order; it is no calibrated probability of
    an error.

    An epoch that was scored otherwise is the more urgent, the less probable the scored stage is to the model.

    Examples
    --------
    >>> import eegflex
    >>> recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    >>> epochs = eegflex.make_epochs(recorded.raw, verbose="error")
    >>> night = eegflex.stage_epochs(epochs, "bandpower", verbose="error")
    >>> queue = night.review_queue(hypnogram=False)
    >>> len(queue), bool(queue["doubt"].is_monotonic_decreasing)
    (60, True)
    """
    return staged.review_queue(hypnogram=hypnogram, trust=trust)


@checked
def to_annotations(queue: pd.DataFrame, n: int | None = 50, *, duration: float = 30.0) -> mne.Annotations:
    """Make annotations of a review queue, for a viewer.

    Parameters
    ----------
    queue : pandas.DataFrame
        As `review_queue` returns it, of one recording.
    n : int | None
        How many epochs at most; None: all.
    duration : float
        Length of an epoch in s.

    Returns
    -------
    annotations : mne.Annotations
        One for each epoch, such as ``"review 1: N1/N2 margin 0.04; 3 of 6 channel sets say W"``. Onsets count from the start of
        the recording. Add them to the recording (``raw.set_annotations(raw.annotations + annotations)``), or save them.

    See Also
    --------
    eegflex.review.review_queue : Which epochs a scorer should look at first.
    eegflex.review.save_queue : Write the queue to a file.
    mne.Annotations : MNE's notes on a recording.

    Examples
    --------
    >>> import pandas as pd
    >>> queue = pd.DataFrame({"rank": [1], "recording": ["a"], "onset": [30.0], "reasons": ["N1/N2 margin 0.04"]})
    >>> print(to_annotations(queue).description[0])
    review 1: N1/N2 margin 0.04
    """
    check_columns("review queue", queue, ("rank", "recording", "onset", "reasons"), "review_queue() makes one")
    n, duration = check_count("n", n, Span(0, default=True)), check_number("duration", duration, *DURATIONS)
    if len(queue["recording"].unique()) > 1:
        raise ParameterError(
            "The annotations of a recording are of one", seen=queue["recording"].unique().tolist(), remedy="Choose one"
        )
    own = queue.iloc[:n]
    said = [f"review {rank}: {reasons}" for rank, reasons in zip(own["rank"], text_column(own, "reasons"), strict=True)]
    return mne.Annotations(number_column(own, "onset"), np.full(len(own), duration), said)


@checked
def save_queue(
    queue: pd.DataFrame, fname: str | Path, *, overwrite: bool = False, inputs: Sequence[str | Path] = ()
) -> Path:
    """Write a review queue to a CSV file.

    Parameters
    ----------
    queue : pandas.DataFrame
        As `review_queue` returns it.
    fname : path-like
        ``*.csv``.
    overwrite : bool
        Whether a file of that name may be replaced.
    inputs : sequence of path-like
        What is never replaced.

    Returns
    -------
    fname : Path
        The file.

    Raises
    ------
    ParameterError
        If the suffix is another one.
    OutputError
        If the file is there already, or cannot be written.

    See Also
    --------
    eegflex.review.review_queue : Which epochs a scorer should look at first.
    eegflex.review.to_annotations : The queue for a viewer.

    Examples
    --------
    >>> import pandas as pd
    >>> queue = pd.DataFrame({"rank": [1], "onset": [30.0], "reasons": ["N1/N2 margin 0.04"]})
    >>> print(save_queue(queue, "review.csv").read_text())
    rank,onset,reasons
    1,30.0,N1/N2 margin 0.04
    <BLANKLINE>
    """
    path = check_queue_file(fname)
    check_columns("review queue", queue, ("onset",), "review_queue() makes one")
    number_column(queue, "onset")
    write = partial(write_table, queue)
    return write_whole(path, write, overwrite=overwrite, inputs=inputs)


def check_queue_file(fname: str | Path) -> Path:
    """Refuse a file of a review queue whose suffix names no format that there is."""
    path = Path(fname)
    check_choice("The suffix of a review queue", path.suffix.casefold(), (".csv",))
    return path


@checked
def epochs_to_review(queue: pd.DataFrame, kappa: float = 0.9, *, truth: Sequence[str] | None = None) -> int | None:
    """Count how many epochs must be reviewed, in the order of a queue, until the night agrees with the truth.

    Parameters
    ----------
    queue : pandas.DataFrame
        As `review_queue` returns it, with ``hypnogram=False``: an order that knows the truth would be no test.
    kappa : float
        Cohen's kappa that is to be reached.
    truth : sequence of str | None
        The true stage of each row; by default ``stage``, the hypnogram's.

    Returns
    -------
    n : int | None
        How many of the first epochs must be given their true stage; 0 where none must, None where it is never reached.

    See Also
    --------
    eegflex.review.review_queue : Which epochs a scorer should look at first.

    Examples
    --------
    >>> import pandas as pd
    >>> queue = pd.DataFrame({"stage": ["N1", "W", "N2", "W"], "predicted": ["W", "W", "N2", "W"]})
    >>> epochs_to_review(queue)
    1
    """
    if not 0 < kappa <= 1:
        raise ParameterError("kappa must lie above 0 and at most at 1", seen=kappa)
    if truth is not None:
        if isinstance(truth, str) or len(truth) != len(queue):
            raise ParameterError("truth must have a stage for each row of the queue", seen=f"{truth!r:.80}")
        queue = queue.assign(stage=pd.Series(list(truth), queue.index, dtype=object))
    check_columns("review queue", queue, ("stage", "predicted"), "review_queue() makes one")
    true, said = text_column(queue, "stage"), text_column(queue, "predicted")
    known = ~np.isin(true, [NO_STAGE, "MOVEMENT", "ARTIFACT"])
    names = np.unique(np.concatenate([true[known], said[known]]).astype(str)).tolist()
    places = {name: place for place, name in enumerate(names)}
    real, given = (np.array([places[name] for name in own[known]], dtype=np.intp) for own in (true, said))
    reviewed = np.flatnonzero(known)
    counts = confusion(real, given, len(names))
    for place in range(len(real) + 1):
        if cohens_kappa(counts) >= kappa or np.trace(counts) == counts.sum() > 0:
            return int(reviewed[place - 1] + 1) if place else 0
        if place < len(real):
            counts[real[place], given[place]] -= 1
            counts[real[place], real[place]] += 1
    return None
