"""What is to be explained, and the loop over epochs and combinations of channels that explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.baselines import Baseline
from eegflex.attribution.gradients import fitting_batch
from eegflex.attribution.paths import Nodes
from eegflex.bands import Bands
from eegflex.utils.progress import progress
from eegflex.preprocessing.segments import Segments
from eegflex.stagers.batches import BatchSize
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.targets import Target, resolve_target

__all__ = ["AttributionStopped", "Explained", "Explainer", "Task", "explain_all"]

#: Epochs that are explained with each combination before the next ones are.
CHUNK = 64


@dataclass(frozen=True)
class Explained:
    """One epoch, explained with one combination of channels.

    Attributes
    ----------
    number : int
        The epoch's place in the recording.
    views : dict of str to array, shape (n_targets, n_channels, ...)
        Attributions: ``"frequency"``, ``"time"``, ``"time-frequency"``; ``"band"`` where a method has no finer one; and
        ``"context"``, shape (n_targets, n_window, n_channels, n_bands).
    score, baseline_score : array of float64, shape (n_targets,)
        F(x) and F(x_b).
    gap : array of float64, shape (n_targets,)
        Sum of all attributions less F(x) - F(x_b); NaN for a method whose attributions have no such sum.
    n_gradients, n_forwards : int
        Gradient evaluations, and scores without a gradient.
    error : float
        Estimated relative error; NaN where there is no estimate.
    """

    number: int
    views: Mapping[str, npt.NDArray[np.floating[Any]]]
    score: npt.NDArray[np.float64]
    baseline_score: npt.NDArray[np.float64]
    gap: npt.NDArray[np.float64]
    n_gradients: int = 0
    n_forwards: int = 0
    error: float = np.nan


@dataclass(frozen=True)
class Task:
    """What is the same for every combination.

    Attributes
    ----------
    segments : Segments
        The recording as the stager is given it.
    stager : Stager
        The model.
    scores : array, shape (n_epochs, n_combinations, n_stages)
        Its scores of the recording.
    chosen : array of int
        Epochs to explain.
    target : str | tuple of (str, str)
        What is explained.
    baseline : Baseline
        What they are compared with.
    context : {"fixed", "scaled"}
        Whether neighbours move along the path.
    make_nodes : callable
        Nodes of one path.
    views : tuple of str
        What is attributed to.
    batch_size : int | None
        Points in one pass; by default as many as fit.
    seed : int
        Of methods that draw at random.
    """

    segments: Segments
    stager: Stager
    scores: npt.NDArray[np.float64]
    chosen: npt.NDArray[np.intp]
    target: str | tuple[str, str]
    baseline: Baseline
    context: str
    make_nodes: Callable[[], Nodes]
    views: tuple[str, ...]
    batch_size: int | None = None
    seed: int = 0
    batches: dict[int, BatchSize] = field(default_factory=dict)

    @property
    def band_masks(self) -> npt.NDArray[np.bool_]:
        """Which frequency is in which band, shape (n_bands, n_freqs); the rest is last."""
        return Bands().masks(np.fft.rfftfreq(self.segments.signals.shape[-1], 1 / self.segments.sfreq))

    @property
    def dtype(self) -> torch.dtype:
        """The precision that the model computes in, and attributions are kept in."""
        return self.stager.like.dtype

    def weights(self, numbers: npt.NDArray[np.intp], combination: int) -> torch.Tensor:
        """The scores explained as weights on the stager's outputs, shape (n, n_targets, n_stages)."""
        return torch.from_numpy(self._resolved(numbers, combination).weights).to(self.stager.like)

    def recorded_scores(self, numbers: npt.NDArray[np.intp], combination: int) -> npt.NDArray[np.float64]:
        """F(x), the scores explained of the epochs as recorded, shape (n, n_targets)."""
        weights = self._resolved(numbers, combination).weights
        return np.einsum("nts,ns->nt", weights, self.scores[numbers, combination])

    def labels(self, numbers: npt.NDArray[np.intp], combination: int) -> npt.NDArray[np.str_]:
        """What is explained of each epoch."""
        return self._resolved(numbers, combination).labels

    def _resolved(self, numbers: npt.NDArray[np.intp], combination: int) -> Target:
        scored = self.segments.stage[numbers].tolist()
        return resolve_target(self.target, self.stager.spec.stages, self.scores[numbers, combination], scored)

    def batch(self, model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], segment: torch.Tensor) -> BatchSize:
        """Points in one pass, found once for segments of a shape and from then on only made smaller."""
        key = segment[0].numel()
        if key not in self.batches:
            self.batches[key] = BatchSize(self.batch_size or fitting_batch(model, segment))
        return self.batches[key]


class AttributionStopped(KeyboardInterrupt):
    """An attribution was stopped by Ctrl-C; what was finished is kept.

    A ``KeyboardInterrupt``, so that whatever else was to follow is stopped too.

    Attributes
    ----------
    result : FlexResult
        The epochs that were finished, flagged as partial.
    """

    def __init__(self, result: Any, n_finished: int, n_wanted: int) -> None:
        super().__init__(
            f"Stopped: {n_finished} of {n_wanted} epochs are explained. They are the `result` of this exception "
            "(in a notebook: sys.last_value.result)."
        )
        self.result = result


#: task, the stager on a combination of channels, the number of that combination, epochs -> each of them explained
Explainer = Callable[[Task, BoundStager, int, npt.NDArray[np.intp]], Iterator[Explained]]


def explain_all(
    task: Task, bound: Sequence[BoundStager], explain: Explainer, keep: Callable[[int, Explained], None]
) -> None:
    """Explain all epochs with all combinations.

    Parameters
    ----------
    task : Task
        What is to be explained.
    bound : sequence of BoundStager
        The stager on each combination.
    explain : callable
        The method.
    keep : callable
        Told of each explanation as soon as it is there, with the number of its combination: what is kept so survives a
        Ctrl-C.
    """
    with progress(len(bound) * len(task.chosen), "Explaining") as done:
        for start in range(0, len(task.chosen), CHUNK):
            numbers = task.chosen[start : start + CHUNK]
            for combination, one in enumerate(bound):
                for explained in explain(task, one, combination, numbers):
                    keep(combination, explained)
                    done(1)
