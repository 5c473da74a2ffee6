"""Whether bands do what was attributed to them, asked of the model one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.evaluation.faithfulness import between
from eegflex.evaluation.judged import judged, spoken, too_few

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.explanation import Explanation
    from eegflex.findings import Finding

__all__ = ["COLUMN", "effects", "findings", "measure", "overlap"]

#: The column of the measure.
COLUMN = "bands: one by one"
#: Of a baseline that is drawn at random, so many draws are asked.
N_DRAWS = 4
#: What the mean is judged by.
ALIKE = 0.5


def effects(one: Explanation) -> npt.NDArray[np.float64]:
    """What each band of each channel does to the score by itself, shape (n_channels, n_bands).

    The mean of what it adds to the baseline, where it comes first, and takes from the epoch, where it goes first: the two ends
    of a Shapley value.
    """
    n_channels, n_bands = len(one.channels), len(one.masks)
    groups = one.masks.argmax(axis=0) + n_bands * np.arange(n_channels)[:, None]
    cells = np.eye(n_channels * n_bands, dtype=bool)
    none, every = np.zeros((1, len(cells)), dtype=bool), np.ones((1, len(cells)), dtype=bool)
    found = []
    for begin, end in list(zip(one.begins, one.ends, strict=True))[:N_DRAWS]:
        score = one.score(between(begin, end, groups, np.concatenate([none, cells, ~cells, every])))
        added, left = np.split(score[1:-1], 2)
        found.append(((added - score[0]) + (score[-1] - left)) / 2)
    return np.asarray(np.mean(found, axis=0).reshape(n_channels, n_bands))


def measure(one: Explanation) -> dict[str, float]:
    """How far band sums and what the bands do one by one lie in the same place; see `overlap`.

    It takes two scores for each band of each channel, and for each of at most four draws of the baseline.
    """
    return {COLUMN: overlap(one.band_sums, effects(one))}


def overlap(told: npt.NDArray[np.float64], found: npt.NDArray[np.float64]) -> float:
    """Which share of two attributions is the same: 1 - |a - b| / (|a| + |b|), with absolute totals over all cells.

    0 where they lie in other cells, or have other signs; NaN where both are nothing. Where a share of an attribution is put
    into wrong cells, just that share is missing, whether it lies in one of them or is spread over all: a cosine would hardly
    see the latter.

    Parameters
    ----------
    told, found : array
        Of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> round(overlap(np.array([0.7, 0.1, 0.2]), np.array([1.0, 0.0, 0.0])), 3)
    0.7
    """
    size = float(np.abs(told).sum() + np.abs(found).sum())
    return 1 - float(np.abs(told - found).sum()) / size if size > 0 else np.nan


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether bands do, one by one, what was attributed to them."""
    few = too_few(evaluation, COLUMN, "one by one")
    if few is not None:
        return [few]
    own = spoken(evaluation.interval(COLUMN), evaluation.count(COLUMN))
    said = f"the share of the attributed effect that single bands cause by themselves, inserted or left out, is {own}"
    return [judged(evaluation, COLUMN, said, ALIKE, "Interpret bands together, not one by one", name="one by one")]
