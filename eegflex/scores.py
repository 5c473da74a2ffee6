"""What a stager's scores mean: probabilities of the stages, and the surest of several answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

__all__ = ["NEGLIGIBLE", "consensus", "negligible_size", "probabilities", "surest"]

#: A change of a score by less than this share of how much scores differ over the night is nothing that decides anything.
NEGLIGIBLE = 1e-3


def probabilities(scores: npt.NDArray[np.floating[Any]], kind: str) -> npt.NDArray[np.float64]:
    """Probabilities of the stages.

    Parameters
    ----------
    scores : array, shape (..., n_stages)
        What a stager returned.
    kind : {"logits", "log_probs", "probs"}
        What it says that they are. Probabilities are divided by their sum, since an ensemble may add them up.

    Returns
    -------
    probabilities : array, shape (..., n_stages)
        They sum to 1; NaN where a score is not finite, or what is to be probabilities does not sum to more than 0.

    Examples
    --------
    >>> import numpy as np
    >>> probabilities(np.array([0.2, 0.2, 0.0]), "probs")
    array([0.5, 0.5, 0. ])
    """
    scores = np.asarray(scores, dtype=np.float64)
    usable = np.isfinite(scores).all(axis=-1, keepdims=True)
    finite = np.where(usable, scores, 0.0)
    if kind == "probs":
        total = finite.sum(axis=-1, keepdims=True)
        usable &= total > 0
        shares = finite / np.where(total > 0, total, 1.0)
    else:
        shares = softmax(finite, axis=-1)
    return np.where(usable, shares, np.nan)


def surest(scores: npt.NDArray[np.floating[Any]], kind: str) -> npt.NDArray[np.intp]:
    """The most confident channel set of each epoch: that whose probability for its own choice is highest.

    Parameters
    ----------
    scores : array, shape (n_epochs, n_channel_sets, n_stages)
        Scores; a channel set without finite ones is passed over.
    kind : {"logits", "log_probs", "probs"}
        What they are.

    Returns
    -------
    channel_set : array of int, shape (n_epochs,)
        Its place; 0 where no channel set has finite scores.
    """
    found: npt.NDArray[np.intp] = np.nan_to_num(probabilities(scores, kind).max(axis=-1), nan=-1.0).argmax(axis=-1)
    return found


def consensus(scores: npt.NDArray[np.floating[Any]], kind: str) -> npt.NDArray[np.intp]:
    """The stage of each epoch by its most confident channel set.

    Parameters
    ----------
    scores : array, shape (n_epochs, n_channel_sets, n_stages)
        Scores.
    kind : {"logits", "log_probs", "probs"}
        What they are.

    Returns
    -------
    stage : array of int, shape (n_epochs,)
        Place of the stage; -1 where no channel set has finite scores.
    """
    chosen = np.take_along_axis(np.asarray(scores), surest(scores, kind)[:, None, None], axis=1)[:, 0]
    finite = np.isfinite(chosen).all(axis=-1)
    return np.where(finite, np.where(finite[:, None], chosen, 0).argmax(axis=-1), -1)


def negligible_size(night_scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Below which size attributions are nothing that decides anything, by channel set.

    It is a thousandth of the standard deviation of the scores over the night, each stage's about its own mean: of
    log-probabilities, typically a few thousandths. An explanation smaller than that is made as exact as one of that size.

    Parameters
    ----------
    night_scores : array, shape (n_epochs, n_channel_sets, n_stages)
        Scores of all epochs, NaN where there are none.

    Returns
    -------
    size : array, shape (n_channel_sets,)
        In the unit of the scores; 0 where fewer than two epochs were scored.

    Examples
    --------
    >>> import numpy as np
    >>> night_scores = np.array([[[0.0, 1.0]], [[2.0, -1.0]]])  # two epochs, one channel set, two stages
    >>> negligible_size(night_scores)
    array([0.001])
    """
    scores = np.asarray(night_scores, dtype=np.float64)
    found = np.zeros(scores.shape[1])
    for channel_set in range(len(found)):
        own = scores[:, channel_set]
        own = own[np.isfinite(own).all(axis=1)]
        if len(own) > 1:
            found[channel_set] = NEGLIGIBLE * np.sqrt(own.var(axis=0).mean())
    return found
