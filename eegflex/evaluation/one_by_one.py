"""Whether bands do what was attributed to them, asked of the model one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegflex.evaluation.faithfulness import between
from eegflex.findings import Finding, ok, unknown, warning
from eegflex.results.intervals import MIN_EPOCHS

if TYPE_CHECKING:
    from eegflex.evaluation.evaluation import Evaluation
    from eegflex.evaluation.question import Explanation

__all__ = ["COLUMN", "effects", "findings", "measure"]

#: The column of the measure.
COLUMN = "bands: one by one"
#: Of a baseline that is drawn at random, so many draws are asked.
N_DRAWS = 4
#: A mean cosine below this is a warning.
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
    """The cosine of the band sums and what the bands do one by one; NaN where one of both is nothing."""
    told, found = one.band_sums.ravel(), effects(one).ravel()
    size = float(np.linalg.norm(told) * np.linalg.norm(found))
    return {COLUMN: float(told @ found) / size if size > 0 else np.nan}


def findings(evaluation: Evaluation) -> list[Finding]:
    """Whether bands do, one by one, what was attributed to them."""
    n = evaluation.count(COLUMN)
    if n < MIN_EPOCHS:
        return [unknown(f"bands were asked one by one of only {n} explanations", n=n).named("one by one")]
    found = evaluation.interval(COLUMN)
    said = (
        f"each band by itself, put in or left out, does what was attributed to it: a cosine of {found.mean:.2f} (95 % interval "
        f"{found.low:.2f} to {found.high:.2f}, n = {n})"
    )
    values = {"n": n, "mean": found.mean, "low": found.low, "high": found.high}
    if found.low > ALIKE:
        return [ok(said, **values).named("one by one")]
    said = said.replace("does what", "does not always do what")
    return [warning(said, "Read bands together, and not one by one", **values).named("one by one")]
