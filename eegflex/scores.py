"""What a stager's scores mean: probabilities of the stages, and the surest of several answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

__all__ = ["consensus", "probabilities", "surest"]


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
