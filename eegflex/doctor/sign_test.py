"""Whether another reading of a model agrees with the hypnogram clearly better than the declared one.

Epochs in a row are alike, so that they are no independent witnesses. Each bout, a stretch of one scored stage cut into
parts of at most five minutes, has one vote: for the reading that more of its epochs agree with. A reading is clearly
better where the bouts say so in a sign test, and kappa grows by a margin to something that is an agreement at all. Few
bouts cannot say it: a large difference is then a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from eegflex.agreement import cohens_kappa, confusion
from eegflex.findings import CannotTellError

__all__ = [
    "FAIR",
    "MIN_BOUTS",
    "MIN_EPOCHS",
    "Judgement",
    "bootstrap_kappas",
    "bouts_of",
    "judge",
    "kappa_of",
    "require_enough",
]

#: Scored epochs, and bouts of them, that it takes to judge by a hypnogram.
MIN_EPOCHS, MIN_BOUTS = 60, 8
#: Epochs of a bout that has one vote.
LONGEST = 10
#: Probability of the bouts' votes if both readings were alike, below which they are not. Where the declared one is right
#: the bouts vote against the other, so that this is far from the rate of false alarms.
LEVEL = 0.02
#: Kappa of a reading that can be the right one, at least.
FAIR = 0.4
#: Growth of kappa that is suspicious even if there are too few bouts to be sure.
LARGE = 0.2


@dataclass(frozen=True)
class Judgement:
    """Two readings of the same scores against a hypnogram.

    Attributes
    ----------
    kappa, other : float
        Cohen's kappa of the declared reading and of the other.
    probability : float
        Of bouts voting for the other as often as they did, or more often, if both were alike.
    clear, suspicious : bool
        Whether the other is clearly better; whether it looks so, on too little evidence.
    """

    kappa: float
    other: float
    probability: float
    clear: bool
    suspicious: bool

    def __str__(self) -> str:
        return f"kappa {self.other:.2f} instead of {self.kappa:.2f} (p = {self.probability:.2g} by bouts)"


def kappa_of(scored: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], n_stages: int) -> float:
    """Cohen's kappa; 0 where it is not defined, since a single stage is no agreement to judge by."""
    return float(np.nan_to_num(cohens_kappa(confusion(scored, predicted, n_stages))))


def bouts_of(scored: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Number the stretches of one scored stage, shape (n_epochs,), long ones in parts; those of no stage (-1) count too."""
    begins = np.diff(scored, prepend=scored[:1]) != 0
    place = np.arange(len(scored))
    since = place - np.maximum.accumulate(np.where(begins, place, 0))
    return np.cumsum(begins | ((since > 0) & (since % LONGEST == 0)))


def bootstrap_kappas(
    scored: npt.NDArray[np.intp],
    predicted: npt.NDArray[np.intp],
    bout: npt.NDArray[np.intp],
    n_stages: int,
    *,
    n_draws: int,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Cohen's kappa of as many bouts drawn with replacement: how far another such night might be from this one.

    Parameters
    ----------
    scored, predicted : array of int, shape (n_epochs,)
        Places of the stages.
    bout : array of int, shape (n_epochs,)
        The bout of each epoch, as `bouts_of` numbers them.
    n_stages : int
        How many stages there are.
    n_draws : int
        How often they are drawn.
    seed : int
        Of the draws.

    Returns
    -------
    kappas : array, shape (n_draws,)
        NaN for a draw of a single stage, of which kappa is not defined.
    """
    tables = np.stack([confusion(scored[bout == k], predicted[bout == k], n_stages) for k in np.unique(bout)])
    drawn = np.random.default_rng(seed).multinomial(len(tables), np.full(len(tables), 1 / len(tables)), size=n_draws)
    return np.array([cohens_kappa(counts) for counts in np.tensordot(drawn, tables, axes=1)])


def require_enough(scored: npt.NDArray[np.intp]) -> None:
    """Give up on a hypnogram that says too little.

    Raises
    ------
    CannotTellError
        If there are too few scored epochs, bouts or stages.
    """
    known = scored >= 0
    n_bouts = len(np.unique(bouts_of(scored)[known]))
    if known.sum() < MIN_EPOCHS or n_bouts < MIN_BOUTS or len(np.unique(scored[known])) < 2:
        raise CannotTellError(
            f"not enough scored epochs: {int(known.sum())} in {n_bouts} bouts, "
            f"where {MIN_EPOCHS} in {MIN_BOUTS} and two stages are needed"
        )


def judge(
    scored: npt.NDArray[np.intp],
    declared: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    other: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    n_stages: int,
    *,
    margin: float,
    n_tried: int = 1,
) -> Judgement:
    """Compare two readings, each a pair of what was scored and what was predicted, (n_epochs,); -1: nothing to compare.

    Parameters
    ----------
    scored : array of int, shape (n_epochs,)
        The hypnogram, for its bouts.
    declared, other : tuple of two arrays of int, shape (n_epochs,)
        Scored and predicted stages.
    n_stages : int
        How many stages there are.
    margin : float
        Growth of kappa that matters.
    n_tried : int
        Readings of which `other` is the best.
    """
    valid = np.logical_and.reduce([side >= 0 for side in (*declared, *other)])
    right = [(a == b)[valid].astype(int) for a, b in (declared, other)]
    _, bout = np.unique(bouts_of(scored)[valid], return_inverse=True)
    votes = np.sign(np.bincount(bout, weights=right[1] - right[0]))
    wins, losses = int((votes > 0).sum()), int((votes < 0).sum())
    probability = 1.0 if wins == 0 else float(binomtest(wins, wins + losses, alternative="greater").pvalue)
    before, after = (kappa_of(a[valid], b[valid], n_stages) for a, b in (declared, other))
    fair = after >= FAIR
    clear = fair and after - before >= margin and probability < LEVEL / n_tried
    suspicious = fair and not clear and after - before >= max(margin, LARGE) and wins > losses
    return Judgement(before, after, probability, clear, suspicious)
