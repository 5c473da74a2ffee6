"""The simulated nights and the stagers that the benchmarks explain."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import torch

import eegflex
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.request import Explained
from eegflex.settings import Settings
from eegflex.stagers import Stager
from eegflex.stagers.modules import rnn_safe
from eegflex.staging import StagedNight

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # the trained stagers are those of the tests

import trained
from trained.nights import spindle_night

__all__ = ["SEQUENCES", "STAGERS", "Bench", "night", "spindle_night"]

STAGERS: dict[str, Callable[[], Stager]] = {
    "GSSC": partial(eegflex.load_model, "gssc"),
    "chambon": trained.chambon,
    "context": trained.context,
}
#: One network of spectrograms, trained on ordinary simulated nights, and on such as `spindle_night` makes.
SEQUENCES: dict[str, Callable[[], Stager]] = {"sequence": trained.sequence, "planted": trained.planted}


@functools.cache
def night(hours: float = 7.0, seed: int = 21) -> mne.BaseEpochs:
    """A simulated night, of a seed that trained none of the stagers."""
    return eegflex.make_epochs(eegflex.simulate_psg(hours=hours, seed=seed, verbose="error").raw, verbose="error")


@dataclass(frozen=True)
class Bench:
    """A stager on a night: one channel set, explained without the public verb's checks and labels."""

    night: StagedNight

    @classmethod
    def of(cls, stager: Stager, epochs: mne.BaseEpochs) -> Bench:
        """Stage the night with the last channel set."""
        staged = eegflex.stage_epochs(epochs, stager, verbose="error")
        last = replace(staged.segments, channel_sets=staged.segments.channel_sets[-1:])
        return cls(replace(staged, segments=last, bound=staged.bound[-1:], scores=staged.scores[:, -1:]))

    def balanced(self, per_stage: int, seed: int = 0) -> npt.NDArray[np.intp]:
        """So many epochs of each predicted stage."""
        rng = np.random.default_rng(seed)
        of = [np.flatnonzero(self.night.predicted == stage) for stage in self.night.stages]
        return np.sort(np.concatenate([rng.permutation(numbers)[:per_stage] for numbers in of]))

    def explain(self, numbers: npt.NDArray[np.intp], **asked: Any) -> dict[int, Explained]:
        """Explain epochs by FLEX; `asked` are settings of the attribution."""
        request = make_request(self.night, Settings(**{"baseline": "zero"} | asked), numbers)
        with rnn_safe(self.night.stager.module):
            return {e.number: e for e in request.method.explain(request, 0, numbers)}

    def band_sums(self, explained: Explained) -> npt.NDArray[np.float64]:
        """Band sums per channel of one epoch."""
        segments = self.night.segments
        freqs = np.fft.rfftfreq(segments.signals.shape[-1], 1 / segments.sfreq)
        return eegflex.Bands().sum(explained.views["frequency"][0], freqs)


torch.manual_seed(0)
