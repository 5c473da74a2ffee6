"""The explanation of one epoch with one channel set, and the model that it is of."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.context import moving
from eegflex.evaluation.faithfulness import frequency_groups, spread_over
from eegflex.results.resolution import PER_HZ, Bins, is_light, light_bins
from eegflex.scores import probabilities
from eegflex.settings import BANDS
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.modules import rnn_safe

if TYPE_CHECKING:
    from eegflex.evaluation.question import Question

__all__ = ["Explanation"]


@dataclass(frozen=True)
class Explanation:
    """The explanation of one epoch with one channel set, and the model that it is of.

    Attributes
    ----------
    question : Question
        The result that it is from.
    row : int
        The epoch's place in the result.
    number : int
        Its place in the recording.
    channel_set : int
        With which channels.
    place : int
        Its place in the sample, which is in random order: what is dear is measured of the first ones only.
    """

    question: Question
    row: int
    number: int
    channel_set: int
    place: int = 0

    @cached_property
    def channels(self) -> npt.NDArray[np.intp]:
        """Places of its channels in the result."""
        return np.flatnonzero(self.question.data["of_channel_set"].values == self.channel_set)

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """Attribution to each frequency of each channel, shape (n_channels, n_freqs).

        Of a method that knows only bands, or of a light result, spread evenly over the frequencies of each band or bin.
        """
        data = self.question.data
        name = "frequency_view" if "frequency_view" in data else "band_view"
        found = data[name].isel(epoch=self.row).values[self.channels].astype(np.float64)
        if name == "band_view":
            return spread_over(found, self.masks)
        return found if self._bins is None else self._bins.spread(found)

    @cached_property
    def _bins(self) -> Bins | None:
        """Which frequencies a light result keeps as one."""
        return light_bins(self.freqs, PER_HZ) if is_light(self.question.data) else None

    def by(self, method: str) -> npt.NDArray[np.float64]:
        """Attribution of the same epoch by another method, as `values` is; explained once."""
        if method not in self._known:
            self._known[method] = self.anew(self.question.with_method(method))
        return self._known[method]

    @cached_property
    def _known(self) -> dict[str, npt.NDArray[np.float64]]:
        return {}

    def anew(self, question: Question) -> npt.NDArray[np.float64]:
        """Attribution of the same epoch as another question has it, as finely as `values` is."""
        (explained,) = question.explain([self])
        views = explained.views
        if "frequency" in views:
            found = np.asarray(views["frequency"][0], dtype=np.float64)
            return found if self._bins is None else self._bins.spread(self._bins.sum(found))
        return spread_over(np.asarray(views["band"][0], dtype=np.float64), self.masks)

    @cached_property
    def groups(self) -> npt.NDArray[np.intp]:
        """Which group each frequency of each channel is inserted and deleted with, shape (n_channels, n_freqs)."""
        if self.question.groups == BANDS:
            return self.cells
        return frequency_groups(self.freqs, len(self.channels), float(self.question.groups))

    @cached_property
    def cells(self) -> npt.NDArray[np.intp]:
        """Which band of which channel each frequency is in, shape (n_channels, n_freqs), numbered without a hole."""
        masks = self.masks[self.masks.any(axis=1)]
        return np.asarray(masks.argmax(axis=0) + len(masks) * np.arange(len(self.channels))[:, None], dtype=np.intp)

    @property
    def masks(self) -> npt.NDArray[np.bool_]:
        """Which frequency is in which band, shape (n_bands, n_freqs); the last lie outside the bands."""
        return self.question.request.band_masks

    @property
    def freqs(self) -> npt.NDArray[np.float64]:
        """Frequencies in Hz, shape (n_freqs,)."""
        return np.asarray(np.fft.rfftfreq(self.ends.shape[-1], 1 / self.question.request.segments.sfreq))

    @cached_property
    def band_sums(self) -> npt.NDArray[np.float64]:
        """Attribution to each band of each channel, shape (n_channels, n_bands)."""
        return np.asarray(self.values @ self.masks.T, dtype=np.float64)

    @cached_property
    def _moving(self) -> tuple[torch.Tensor, torch.Tensor]:
        request = self.question.request
        n_draws = request.baseline.n_draws
        what = moving(request, self.channel_set, np.repeat(np.array([self.number]), n_draws), np.arange(n_draws))
        return what.end[:, 0], what.begin[:, 0]

    @property
    def ends(self) -> torch.Tensor:
        """The epoch as recorded, once for each draw of its baseline, shape (n_draws, n_channels, n_times)."""
        return self._moving[0]

    @property
    def begins(self) -> torch.Tensor:
        """The draws of its baseline, shape (n_draws, n_channels, n_times); one, unless it is drawn at random."""
        return self._moving[1]

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """What is explained, as weights on the stager's scores, shape (n_stages,)."""
        found = self.question.request.weights(np.array([self.number]), self.channel_set)
        return np.asarray(found[0, 0].double().cpu().numpy())

    @property
    def stage(self) -> int:
        """The stage that the model gives the epoch as recorded: its place among the stager's."""
        return int(self.question.request.night.scores[self.number, self.channel_set].argmax())

    def scores(self, signals: torch.Tensor) -> npt.NDArray[np.float64]:
        """Scores with signals in the place of the epoch, its neighbours as recorded.

        Parameters
        ----------
        signals : Tensor, shape (n, n_channels, n_times)
            Scaled and arranged as `ends` is.

        Returns
        -------
        scores : array, shape (n, n_stages)
        """
        bound = self.question.request.night.bound[self.channel_set]
        index = torch.full((len(signals),), self.number, device=signals.device)
        with torch.no_grad(), rnn_safe(self.question.request.stager.module):
            (found,) = BatchSize(FORWARD_BATCH)(lambda part, at: (bound(part, at),), signals, index)
        return np.asarray(found.double().cpu().numpy())

    def probabilities(self, signals: torch.Tensor) -> npt.NDArray[np.float64]:
        """Probabilities of the stages with signals in the place of the epoch, shape (n, n_stages)."""
        return probabilities(self.scores(signals), self.question.request.stager.spec.scores)

    def answer(self, signals: torch.Tensor) -> npt.NDArray[np.float64]:
        """The probability of the stage explained, shape (n,); of a margin, how much more probable one is than the other."""
        return np.asarray(self.probabilities(signals) @ self.weights)

    def score(self, signals: torch.Tensor) -> npt.NDArray[np.float64]:
        """The score explained, F, of signals in the place of the epoch, shape (n,)."""
        return np.asarray(self.scores(signals) @ self.weights)

    def rng(self, what: str) -> np.random.Generator:
        """Random numbers for one purpose: the same for this epoch and channel set, whatever else is drawn."""
        return np.random.default_rng([self.question.seed, zlib.crc32(what.encode()), self.number, self.channel_set])
