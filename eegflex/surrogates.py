"""Random phases, and a night staged again with them: the magnitudes of every epoch stay as recorded."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from mne.utils import logger

from eegflex.errors import ModelError, RecordingError
from eegflex.preprocessing.segments import Segments
from eegflex.results.phase_table import COLUMNS, KINDS, phase_table
from eegflex.scores import consensus, probabilities, surest
from eegflex.settings import MOST_DRAWS, StagingSettings
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.modules import rnn_safe
from eegflex.stagers.stager import Stager
from eegflex.stagers.windows import SILENCE, Windows
from eegflex.utils.given import SEEDS, Span, check_count
from eegflex.utils.progress import progress

__all__ = ["RandomPhases", "Restaged", "balanced_sample", "cut_out", "phase_turns", "random_phases"]

#: Tells the draw of a sample from any others of the same seed.
_STREAM = 0x5A3E


def phase_turns(n_times: int, stream: tuple[int, ...], n_channels: int = 1) -> npt.NDArray[np.float64]:
    """By how much random phases turn each frequency of an epoch, shape (n_channels, n_freqs).

    The turns that a delay can give, and no others: any angle between 0 Hz and Nyquist. A signal at Nyquist, which is real,
    is turned over or not, as by a delay of one sample. The mean stays: it has no phase, and no delay turns it over.

    Parameters
    ----------
    n_times : int
        Samples of the epoch.
    stream : tuple of int
        Seed of the generator.
    n_channels : int
        Rows that are drawn; the first is the same however many there are.
    """
    turns = np.random.default_rng(stream).uniform(0, 2 * np.pi, (n_channels, n_times // 2 + 1))
    if n_times % 2 == 0:
        turns[:, -1] = np.pi * (turns[:, -1] > np.pi)
    turns[:, 0] = 0.0
    return turns


def random_phases(
    signals: npt.NDArray[np.float32], numbers: npt.NDArray[np.intp], seed: tuple[int, ...] = (0,), *, joint: bool
) -> npt.NDArray[np.float32]:
    """Signals with random phases, after Prichard and Theiler (1994): every magnitude stays.

    Parameters
    ----------
    signals : array, shape (n_epochs, n_channels, n_times)
        Signals. They are not changed.
    numbers : array of int, shape (n_epochs,)
        Which epochs of the night they are; a negative one stays as it is.
    seed : tuple of int
        Of the phases. Those of an epoch depend on its number too, and on no other epoch.
    joint : bool
        Whether the phases of all channels are turned by the same angles, which keeps their differences. The first channel is
        the same in either case.
    """
    made = signals.copy()
    n_channels, n_times = signals.shape[1:]
    for place in np.flatnonzero(numbers >= 0).tolist():
        turns = phase_turns(n_times, (*seed, int(numbers[place])), 1 if joint else n_channels)
        spectrum = np.fft.rfft(signals[place].astype(np.float64)) * np.exp(1j * turns)
        made[place] = np.fft.irfft(spectrum, n=n_times)
    return made


@dataclass(frozen=True)
class Restaged:
    """What is left of the epochs of a night with random phases.

    Attributes
    ----------
    stage : array of str, shape (n_night,)
        The stage of each epoch as recorded; empty where it was not staged again.
    values : array of float64, shape (n_night, n_columns)
        What `COLUMNS` names: its probability as recorded and, as means over the draws, with random phases; and the share of
        draws that keep it. NaN where it was not staged again.
    n_draws, seed : int
        How often phases were drawn, and from what.
    """

    stage: npt.NDArray[np.str_]
    values: npt.NDArray[np.float64]
    n_draws: int
    seed: int

    @property
    def numbers(self) -> npt.NDArray[np.intp]:
        """The epochs that were staged again."""
        return np.flatnonzero(self.stage != "")

    def table(self, onset: npt.NDArray[np.float64], stages: tuple[str, ...]) -> pd.DataFrame:
        """What it says of each stage; see `StagedNight.spectral_share`."""
        own = self.numbers
        table = phase_table(self.values[own], self.stage[own], onset[own], np.full(len(own), ""), stages)
        table.attrs = {"n_draws": self.n_draws, "n_epochs": len(own)}
        return table


class RandomPhases:
    """A night with random phases, in which nothing is staged twice that was asked before.

    Parameters
    ----------
    stager : Stager
        The model.
    segments : Segments
        The recording as it is given it.
    settings : StagingSettings
        How it was staged.
    scores : array, shape (n_epochs, n_channel_sets, n_stages)
        What it returned.
    windows : Windows
        The context of each epoch.

    Attributes
    ----------
    known : dict
        What was restaged so far.
    """

    stager: Stager
    segments: Segments
    settings: StagingSettings
    windows: Windows
    scores: npt.NDArray[np.float64]
    own: npt.NDArray[np.int_]

    def __init__(
        self,
        stager: Stager,
        segments: Segments,
        settings: StagingSettings,
        scores: npt.NDArray[np.float64],
        windows: Windows,
    ) -> None:
        self.stager, self.segments, self.settings, self.windows = stager, segments, settings, windows
        self.scores, self.kind = scores, stager.spec.scores
        self.own = np.where(segments.fault == "", consensus(scores, self.kind), -1)
        self.known: dict[tuple[int, int, bytes], Restaged] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of phases that differ: of a single channel there are no relations, and both are one."""
        return KINDS if max(map(len, self.segments.channel_sets)) > 1 else KINDS[:1]

    def __call__(self, n_draws: int, seed: int, numbers: npt.NDArray[np.intp] | None = None) -> Restaged:
        """Stage again.

        Parameters
        ----------
        n_draws, seed : int
            How often phases are drawn, and from what.
        numbers : array of int | None
            Epochs that are staged, each among neighbours with random phases; by default all.
        """
        n_draws = check_count("n_draws", n_draws, Span(1, MOST_DRAWS)) or 1
        seed = check_count("seed", seed, SEEDS) or 0
        every = np.flatnonzero(self.own >= 0)
        if not len(every):
            raise RecordingError("No epoch is usable and has the context that the model needs")
        numbers = every if numbers is None else np.intersect1d(numbers, every)
        key = n_draws, seed, numbers.tobytes()
        if key not in self.known:
            self.known[key] = self._restaged(n_draws, seed, numbers)
        return self.known[key]

    def _restaged(self, n_draws: int, seed: int, numbers: npt.NDArray[np.intp]) -> Restaged:
        members = self._members(numbers)
        part = cut_out(self.segments, members)
        turned = np.where(part.fault == "", members, -1)
        places, own = np.searchsorted(members, numbers), self.own[numbers]
        found = np.zeros((2, len(self.kinds), len(numbers)))  # p and whether the stage is kept, of each kind and epoch
        began, times = time.perf_counter(), n_draws * len(self.kinds)
        total = times * len(part.channel_sets) * (len(part) if self._scores_all(part) else len(numbers))
        message = f"Staging with random phases by {self.stager.spec.name}"
        with rnn_safe(self.stager.module), progress(total, message) as done:
            for draw in range(n_draws):
                for place, name in enumerate(self.kinds):
                    signals = random_phases(part.signals, turned, (seed, draw), joint=name == "joint")
                    again = self._scores(dataclasses.replace(part, signals=signals), places, done)
                    _check_scores(again, self.kind)
                    found[0, place] += _p_of(again, self.kind, own) / n_draws
                    found[1, place] += (consensus(again, self.kind) == own) / n_draws
        logger.info(f"Staged {times} time{'s' * (times > 1)} with random phases in {time.perf_counter() - began:.0f} s")
        values = np.full((len(self.own), len(COLUMNS)), np.nan)
        values[numbers, 0] = _p_of(self.scores[numbers], self.kind, own)
        values[numbers, 1:] = np.repeat(found, len(KINDS) // len(self.kinds), axis=1).reshape(-1, len(numbers)).T
        stage = np.array([*self.stager.spec.stages, ""])
        is_one = np.isin(np.arange(len(self.own)), numbers)
        return Restaged(np.where(is_one, stage[self.own], ""), values, n_draws, seed)

    def _members(self, numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """The epochs that must be there to stage some of them: their windows, or the night."""
        every = np.arange(len(self.own))
        if self.stager.spec.context.whole or len(numbers) == (self.own >= 0).sum():
            return every
        groups = (self.windows.members(numbers[group]).ravel() for group in self.windows.alike(numbers))
        members = np.unique(np.concatenate([*groups]))
        found: npt.NDArray[np.intp] = members[members != SILENCE]
        return found

    @torch.no_grad()
    def _scores(
        self, segments: Segments, places: npt.NDArray[np.intp], done: Callable[[int], None]
    ) -> npt.NDArray[np.float64]:
        """Scores of the epochs at some places, shape (n, n_channel_sets, n_stages)."""
        found = []
        for bound in self.stager.bind(segments, self.settings.edges, self.settings.n_window):
            scores = bound.night_scores(done)[places] if self._scores_all(segments) else _scores_at(bound, places, done)
            found.append(scores.double().cpu().numpy())
        return np.stack(found, axis=1)

    def _scores_all(self, segments: Segments) -> bool:
        """Whether all of what is staged again is scored: the night, and not only neighbours of some epochs."""
        return len(segments) == len(self.own)


def _scores_at(bound: BoundStager, places: npt.NDArray[np.intp], done: Callable[[int], None]) -> torch.Tensor:
    """Scores of some epochs as they are, and of no others."""

    def score(at: torch.Tensor) -> tuple[torch.Tensor]:
        found = bound(bound.inputs(at), at)
        done(len(at))
        return (found,)

    index = torch.from_numpy(places)
    (scores,) = BatchSize(FORWARD_BATCH)(score, index.to(bound.inputs(index[:1]).device))
    return scores


def cut_out(segments: Segments, members: npt.NDArray[np.intp]) -> Segments:
    """Some epochs of a night. A run ends where the next epoch is not among them."""
    if len(members) == len(segments):
        return segments
    part = segments.at(members)
    ends = (np.diff(members) > 1) | (np.diff(part.run) != 0)
    return dataclasses.replace(part, run=np.r_[0, np.cumsum(ends)])


def _check_scores(scores: npt.NDArray[np.float64], kind: str) -> None:
    """Refuse scores that tell no stage: they are no sign that waveforms decide."""
    lost = int((consensus(scores, kind) < 0).sum())
    if lost:
        raise ModelError(
            "The model gives no finite scores of epochs with random phases",
            seen=f"{lost} of {len(scores)} epochs",
            remedy="Look for divisions by zero and logarithms of zero in the model, or leave this out (spectral_share=0)",
        )


def _p_of(scores: npt.NDArray[np.float64], kind: str, stage: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Probability of a stage of each epoch by the most confident channel set; 0 where no score is finite."""
    rows = np.arange(len(scores))
    return np.nan_to_num(probabilities(scores, kind)[rows, surest(scores, kind), stage], nan=0.0)


def balanced_sample(predicted: npt.NDArray[np.intp], n_of_stage: int, seed: int = 0) -> npt.NDArray[np.intp]:
    """Epochs of all predicted stages, drawn from all over the night; those without a stage, -1, are never among them."""
    drawn = np.random.default_rng([_STREAM, seed]).permutation(np.flatnonzero(predicted >= 0))
    parts = [drawn[predicted[drawn] == stage][:n_of_stage] for stage in np.unique(predicted[drawn])]
    return np.sort(np.concatenate(parts))
