"""What a check looks at: a stager on a recording, its scores of the night, and a few epochs to try things on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import mne
import numpy as np
import numpy.typing as npt
import torch

from eegflex.epochs import without_bad
from eegflex.findings import CannotTellError
from eegflex.preprocessing.segments import Segments, prepare
from eegflex.scores import consensus, probabilities
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.batches import BatchSize
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.staging import StagedNight

__all__ = ["N_STRETCH", "Case", "one_by_one"]

#: Epochs on which something is tried.
N_FEW = 5
#: Epochs of the stretch that is staged anew where another unit, polarity or rate is tried: 2 h.
N_STRETCH = 240
#: Scores closer than this are the same, relative to their size: rounding.
TOLERANCE = 1e-3


def one_by_one(function: Callable[..., torch.Tensor], *of: torch.Tensor) -> torch.Tensor:
    """What a function makes of each row of tensors by itself, without the company of the others."""
    (joined,) = BatchSize(1)(lambda *row: (function(*row),), *of)
    return joined


@dataclass(eq=False)
class Case:
    """A stager on a recording, and what is to be done with it.

    Attributes
    ----------
    night : StagedNight
        The stager on the recording, and its scores. What is tried is tried on its first channel set.
    differentiates : bool
        Whether gradients are wanted.
    from_silence : bool
        Whether epochs are explained on a path from silence.
    asked : bool
        Whether an explanation is asked for; if not, the model is only looked at, and may be explained in any way.
    """

    night: StagedNight
    differentiates: bool = True
    from_silence: bool = True
    asked: bool = True

    @property
    def stager(self) -> Stager:
        """The model."""
        return self.night.stager

    @property
    def spec(self) -> ModelSpec:
        """The stager's contract."""
        return self.night.stager.spec

    @property
    def segments(self) -> Segments:
        """The recording as the stager is given it."""
        return self.night.segments

    @property
    def bound(self) -> BoundStager:
        """The stager on the first channel set."""
        return self.night.bound[0]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Scores of the night, shape (n_epochs, n_channel_sets, n_stages); NaN where the context is lacking."""
        return self.night.scores

    @cached_property
    def numbers(self) -> npt.NDArray[np.intp]:
        """Sound epochs that have their context."""
        return np.flatnonzero(self.night.sound)

    @cached_property
    def few(self) -> torch.Tensor:
        """A few epochs, of as many predicted stages as there are, shape (n,)."""
        predicted = self.predicted[self.numbers]
        groups = [self.numbers[predicted == stage] for stage in np.unique(predicted)]
        middles = [group[len(group) // 2] for group in groups]
        spread = self.numbers[np.linspace(0, len(self.numbers) - 1, N_FEW).round().astype(int)]
        chosen = np.array(list(dict.fromkeys([*middles, *spread])))[:N_FEW]
        return torch.from_numpy(np.sort(chosen)).to(self.stager.like.device)

    @cached_property
    def inputs(self) -> torch.Tensor:
        """The few epochs as recorded, shape (n, n_channels, n_times)."""
        return self.bound.inputs(self.few)

    @cached_property
    def recorded(self) -> torch.Tensor:
        """Scores of the few epochs as recorded, shape (n, n_stages)."""
        return self.score(self.inputs)

    @property
    def finite(self) -> torch.Tensor:
        """Scores of the few epochs as recorded, for a check that can do nothing with others than finite ones."""
        if not torch.isfinite(self.recorded).all():
            raise CannotTellError("the scores are not finite")
        return self.recorded

    @property
    def size(self) -> float:
        """How large the scores of the few epochs are."""
        return max(float(self.finite.abs().max()), 1e-3)

    @property
    def spread(self) -> float:
        """How much a score differs between the few epochs, at most."""
        return float((self.finite.amax(0) - self.finite.amin(0)).max())

    @cached_property
    def batch(self) -> BatchSize:
        """How many of the few epochs are scored at a time: all, unless memory is short."""
        return BatchSize(len(self.few))

    @torch.no_grad()
    def score(self, variants: torch.Tensor) -> torch.Tensor:
        """Scores of variants of the few epochs among their recorded neighbours."""
        (scores,) = self.batch(lambda x, index: (self.bound(x, index),), variants, self.few)
        return scores

    def probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        """Probabilities of the stages, by what the spec says that the scores are."""
        return torch.from_numpy(probabilities(scores.detach().cpu().numpy(), self.spec.scores)).to(scores)

    @cached_property
    def predicted(self) -> npt.NDArray[np.intp]:
        """The stage of every epoch by the most confident channel set, as an index."""
        return consensus(self.scores, self.spec.scores)

    @cached_property
    def scored(self) -> npt.NDArray[np.intp]:
        """The hypnogram's stage of every epoch, as an index into the spec's; -1 where there is none to compare with."""
        places = {stage: place for place, stage in enumerate(self.spec.stages)}
        known = np.array([places.get(stage, -1) for stage in self.segments.stage.tolist()])
        judged = np.isin(np.arange(len(known)), self.numbers) & np.isfinite(self.scores).all(axis=(1, 2))
        return np.where(judged, known, -1)

    @cached_property
    def stretch(self) -> slice:
        """The stretch of `N_STRETCH` epochs in which the hypnogram changes most often."""
        changes = np.diff(self.scored, prepend=self.scored[:1]) != 0
        counts = np.cumsum(changes & (self.scored >= 0))
        start = (
            int((counts[N_STRETCH - 1 :] - np.r_[0, counts[:-N_STRETCH]]).argmax()) if len(counts) > N_STRETCH else 0
        )
        return slice(start, start + N_STRETCH)

    @cached_property
    def stretch_epochs(self) -> mne.BaseEpochs:
        """The recording in the stretch."""
        return without_bad(self.night.epochs)[self.stretch]

    @cached_property
    def stretch_segments(self) -> Segments:
        """The stretch as the stager is given it."""
        return prepare(self.stretch_epochs, self.spec, self.night.settings.picks)

    @torch.no_grad()
    def staged(
        self, spec: ModelSpec | None = None, change: Callable[[Segments], Segments] = lambda segments: segments
    ) -> npt.NDArray[np.intp]:
        """Stage the stretch anew with the first channel set, under another spec, or with its signals changed.

        Returns
        -------
        stage : array of int, shape (n_stretch,)
            Index of the stage; -1 where an epoch lacks its context or its scores are not finite.
        """
        stager = self.stager if spec is None else self.stager.with_spec(spec)
        segments = change(
            self.stretch_segments
            if spec is None
            else prepare(self.stretch_epochs, stager.spec, self.night.settings.picks)
        )
        (bound,) = stager.bind(replace(segments, channel_sets=segments.channel_sets[:1]))
        scores = bound.night_scores(lambda _: None).double().cpu().numpy()
        return consensus(scores[:, None], self.spec.scores)
