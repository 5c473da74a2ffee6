"""The simulated nights and the stagers that the benchmarks explain."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import mne
import numpy as np
import numpy.typing as npt
import torch

import eegflex
from eegflex.attribution.baselines import Baseline
from eegflex.attribution.methods.flex import explain_flex
from eegflex.attribution.paths import Nodes
from eegflex.attribution.quadrature import FixedNodes, gauss_legendre
from eegflex.attribution.request import Explained, Task
from eegflex.preprocessing.segments import Segments, prepare
from eegflex.stagers import Stager
from eegflex.stagers.stager import BoundStager, rnn_safe

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the trained stagers are those of the tests

import trained

__all__ = ["STAGERS", "Bench", "night"]

STAGERS: dict[str, Callable[[], Stager]] = {
    "GSSC": partial(eegflex.load_model, "gssc"),
    "chambon": trained.chambon,
    "context": trained.context,
}


@functools.cache
def night(hours: float = 7.0, seed: int = 21) -> mne.BaseEpochs:
    """A simulated night, of a seed that trained none of the stagers."""
    return eegflex.make_epochs(eegflex.simulate_psg(hours=hours, seed=seed, verbose="error").raw, verbose="error")


@dataclass(frozen=True)
class Bench:
    """A stager on a night: one combination of channels, explained without the public verb's checks and labels."""

    segments: Segments
    stager: Stager
    bound: BoundStager
    scores: npt.NDArray[np.float64]

    @classmethod
    def of(cls, stager: Stager, epochs: mne.BaseEpochs) -> Bench:
        """Stage the night with the last combination of channels."""
        segments = prepare(epochs, stager.spec)
        with rnn_safe(stager.module):
            bound = stager.bind(segments)[-1]
            scores = bound.night_scores(lambda _: None).double().numpy()
        return cls(segments, stager, bound, scores)

    def balanced(self, per_stage: int, seed: int = 0) -> npt.NDArray[np.intp]:
        """So many epochs of each predicted stage."""
        rng = np.random.default_rng(seed)
        predicted = np.where(self.bound.windows.explicable, self.scores.argmax(1), -1)
        drawn = [rng.permutation(np.flatnonzero(predicted == stage))[:per_stage] for stage in range(5)]
        return np.sort(np.concatenate(drawn))

    def explain(self, numbers: npt.NDArray[np.intp], make_nodes: Callable[[], Nodes]) -> dict[int, Explained]:
        """Explain epochs by FLEX."""
        combination = len(self.segments.combinations) - 1
        scores = np.repeat(self.scores[:, None], combination + 1, axis=1)
        views = ("frequency",)
        task = Task(
            self.segments, self.stager, scores, numbers, "predicted", Baseline("zero"), "fixed", make_nodes, views
        )
        with rnn_safe(self.stager.module):
            return {e.number: e for e in explain_flex(task, self.bound, combination, numbers)}

    def band_sums(self, explained: Explained) -> npt.NDArray[np.float64]:
        """Band sums per channel of one epoch."""
        freqs = np.fft.rfftfreq(self.segments.signals.shape[-1], 1 / self.segments.sfreq)
        return eegflex.Bands().sum(explained.views["frequency"][0], freqs)


def gauss(n_steps: int) -> Callable[[], Nodes]:
    """Nodes of a Gauss-Legendre rule."""
    rule = gauss_legendre(n_steps)
    return lambda: FixedNodes(rule)


torch.manual_seed(0)
