"""Which bands of which channels are enough for a stage, which it needs, and how little of them must change to flip it.

A *cell* is a band of a channel. Of an epoch x with its baseline x_b, some cells are as recorded and the others at the
baseline, as in `eegflex.evaluation.faithfulness`; a cell is *changed* by a factor on its amplitudes, phases kept, within the
range that the night's own epochs span. Attributions only say in which order cells are tried: what is told of a set is what the
model answered to exactly this set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from eegflex.evaluation.faithfulness import between, order_by
from eegflex.evaluation.smallest import Smallest, least_step, smallest_set

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eegflex.evaluation.explanation import Explanation
    from eegflex.evaluation.question import Question

__all__ = ["Cells", "Flip", "Sets", "amplitude_range", "measure", "sets_of"]

#: Quantiles of a band's amplitude over the night's sound epochs: the range in which a change is one that this night has seen.
RANGE = (0.05, 0.95)
#: Flips by one cell that are looked at closely, the clearest first.
N_CLOSE = 8


@dataclass(frozen=True)
class Flip:
    """A change of bands that makes another stage of an epoch.

    Attributes
    ----------
    log_gains : array, shape (n_channels, n_bands)
        Logarithms of the factors on the amplitudes; 0 where nothing changes.
    stage : str
        Which stage it becomes.
    p : float
        The probability of that stage.
    """

    log_gains: npt.NDArray[np.float64]
    stage: str
    p: float


@dataclass(frozen=True)
class Sets:
    """What was found of one explanation.

    Attributes
    ----------
    baseline_p : float
        The probability of the stage at the baseline, where no cell is as recorded.
    sufficient, necessary : array of bool, shape (n_channels, n_bands) | None
        The smallest set that keeps the stage while all else is at the baseline, and the smallest whose replacement by the
        baseline takes it away. None where there is none, or nothing is explained of this stage.
    sufficient_p, necessary_p : float
        The probability of the stage with exactly the first, and without exactly the second; NaN where there is none.
    sufficient_in_order, necessary_in_order : float
        How many cells had to be taken in the order of attribution; see `Smallest`. NaN where that never does.
    flip : Flip | None
        The smallest change found; None where nothing within the range of the night makes another stage.
    """

    baseline_p: float
    sufficient: npt.NDArray[np.bool_] | None
    sufficient_p: float
    sufficient_in_order: float
    necessary: npt.NDArray[np.bool_] | None
    necessary_p: float
    necessary_in_order: float
    flip: Flip | None


#: Of each question: what was found of its explanations, by epoch and channel set, and the range of its night.
_FOUND: WeakKeyDictionary[Question, dict[tuple[int, int], Sets]] = WeakKeyDictionary()
_RANGES: WeakKeyDictionary[Question, npt.NDArray[np.float64]] = WeakKeyDictionary()


def measure(one: Explanation) -> dict[str, float]:
    """Sizes of the sets, and what the model answers to them."""
    found = sets_of(one)
    return {
        "sufficient: baseline p": found.baseline_p,
        **_columns("sufficient", found.sufficient, found.sufficient_p, found.sufficient_in_order),
        **_columns("necessary", found.necessary, found.necessary_p, found.necessary_in_order),
        "flip: n": float("nan") if found.flip is None else float(np.count_nonzero(found.flip.log_gains)),
        "flip: p": float("nan") if found.flip is None else found.flip.p,
        "flip: log gain": float("nan") if found.flip is None else float(np.abs(found.flip.log_gains).max()),
    }


def _columns(kind: str, members: npt.NDArray[np.bool_] | None, p: float, in_order: float) -> Mapping[str, float]:
    n = float("nan") if members is None else float(members.sum())
    return {f"{kind}: n": n, f"{kind}: p": p, f"{kind}: in order": in_order}


def sets_of(one: Explanation) -> Sets:
    """What is found of an explanation; it is searched for once."""
    found = _FOUND.setdefault(one.question, {})
    key = (one.number, one.channel_set)
    if key not in found:
        found[key] = _search(Cells(one))
    return found[key]


def amplitude_range(question: Question) -> npt.NDArray[np.float64]:
    """Between which amplitudes 90 % of the sound epochs of this night lie, shape (2, n_all_channels, n_bands)."""
    if question not in _RANGES:
        night = question.night
        signals = night.segments.signals[night.sound]
        each = np.stack([_amplitudes(epoch, question.request.band_masks) for epoch in signals])
        _RANGES[question] = np.quantile(each, RANGE, axis=0)
    return _RANGES[question]


def _amplitudes(signals: npt.NDArray[np.floating[Any]], masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Root of the summed squares of the spectrum in each band, shape (n_channels, n_bands)."""
    power = np.square(np.abs(np.fft.rfft(signals.astype(np.float64))))
    return np.asarray(np.sqrt(power @ masks.T))


@dataclass(frozen=True)
class Cells:
    """The bands of the channels of one explanation, and what the model makes of the epoch when some of them are changed."""

    one: Explanation

    @property
    def shape(self) -> tuple[int, int]:
        """How many channels and bands there are."""
        return len(self.one.channels), len(self.one.masks)

    @cached_property
    def of_bin(self) -> npt.NDArray[np.intp]:
        """Which cell each bin of the spectrum is in, shape (n_channels, n_freqs)."""
        n_channels, n_bands = self.shape
        return np.asarray(self.one.masks.argmax(axis=0) + n_bands * np.arange(n_channels)[:, None], dtype=np.intp)

    def with_some(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Probabilities with some cells as recorded and the others at the baseline, (n, n_cells) -> (n, n_stages).

        Means over the draws of the baseline, if it has several.
        """
        own, where = np.unique(present, axis=0, return_inverse=True)
        pairs = zip(self.one.begins, self.one.ends, strict=True)
        signals = torch.cat([between(begin, end, self.of_bin, own) for begin, end in pairs])
        found = self.one.probabilities(signals).reshape(len(self.one.begins), len(own), -1)
        return np.asarray(found.mean(axis=0)[where.ravel()])

    def changed(self, log_gains: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities with the amplitudes of cells multiplied, (n, n_cells) -> (n, n_stages)."""
        end = self.one.ends[0]
        gains = torch.from_numpy(np.expm1(log_gains)[:, self.of_bin]).to(end.device)
        change = torch.fft.irfft(torch.fft.rfft(end.double()) * gains, n=end.shape[-1])
        return self.one.probabilities((end + change).to(end))

    def lead(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """By how much the stage is ahead of the next one, on a logarithmic scale; positive where it is the answer.

        It is in a tie, too, if the model's answer is the first of those that are equal.
        """
        tiny = np.finfo(np.float64).tiny
        logs = np.log(np.maximum(probabilities, tiny))
        ahead = logs[:, self.one.stage] - np.delete(logs, self.one.stage, axis=1).max(axis=1)
        found: npt.NDArray[np.float64] = np.where(
            probabilities.argmax(axis=1) == self.one.stage, np.maximum(ahead, tiny), ahead
        )
        return found

    @property
    def limits(self) -> npt.NDArray[np.float64]:
        """Least and largest log gain of each cell, shape (2, n_cells), that leave it in the range of the night."""
        question = self.one.question
        places = list(question.night.segments.channel_sets[self.one.channel_set])
        own = _amplitudes(self.one.ends[0].double().cpu().numpy(), self.one.masks).ravel()
        ends = amplitude_range(question)[:, places].reshape(2, -1)
        heard = (own > 0) & (ends > 0)
        logs = np.log(np.divide(ends, own, out=np.ones_like(ends), where=heard))
        return np.stack([np.minimum(logs[0], 0.0), np.maximum(logs[1], 0.0)])


def _search(cells: Cells) -> Sets:
    stage, shape = cells.one.stage, cells.shape
    n_cells = shape[0] * shape[1]
    nothing = np.zeros((1, n_cells), dtype=bool)
    towards = float(cells.one.weights[stage])
    order = order_by(towards * cells.one.band_sums.ravel())
    none = Smallest(None, None)
    sufficient = none if towards == 0 else smallest_set(lambda sets: cells.lead(cells.with_some(sets)), order)
    necessary = none if towards == 0 else smallest_set(lambda sets: -cells.lead(cells.with_some(~sets)), order)

    def p(members: npt.NDArray[np.bool_] | None, flipped: bool) -> float:
        return float("nan") if members is None else float(cells.with_some((members ^ flipped)[None])[0, stage])

    return Sets(
        float(cells.with_some(nothing)[0, stage]),
        _shaped(sufficient.members, shape),
        p(sufficient.members, False),
        _number(sufficient.in_order),
        _shaped(necessary.members, shape),
        p(necessary.members, True),
        _number(necessary.in_order),
        _flip(cells),
    )


def _shaped(members: npt.NDArray[np.bool_] | None, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
    return None if members is None else members.reshape(shape)


def _number(value: int | None) -> float:
    return float("nan") if value is None else float(value)


def _flip(cells: Cells) -> Flip | None:
    """The smallest change of bands that makes another stage: of one cell if there is one, else of as few as are found."""

    def behind(log_gains: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return -cells.lead(cells.changed(log_gains))

    limits = cells.limits
    n_cells = limits.shape[1]
    moves = (np.eye(n_cells) * limits[:, None]).reshape(-1, n_cells)  # each cell to its least, then each to its largest
    found = behind(moves)
    clearest = np.argsort(-found)[:N_CLOSE]
    ends = moves[clearest[found[clearest] > 0]]
    if not len(ends):
        best = found.reshape(2, n_cells).argmax(axis=0)
        to = limits[best, np.arange(n_cells)]
        members = smallest_set(lambda sets: behind(sets * to), order_by(found.reshape(2, n_cells).max(axis=0))).members
        if members is None:
            return None
        ends = (members * to)[None]
    log_gains = least_step(behind, ends)
    answer = cells.changed(log_gains[None])[0]
    other = int(np.argmax(np.where(np.arange(len(answer)) == cells.one.stage, -1.0, answer)))
    return Flip(log_gains.reshape(cells.shape), cells.one.question.night.stages[other], float(answer[other]))
