"""What a result explains, asked of the model again: its epochs, their baselines, and whatever else may stand in their place."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.assemble import recording_facts
from eegflex.attribution.attribute_epochs import make_request
from eegflex.attribution.baselines import make_baseline
from eegflex.attribution.context import moving
from eegflex.attribution.methods.registry import METHODS
from eegflex.attribution.request import Explained, Request
from eegflex.attribution.window_error import choose_window
from eegflex.errors import ParameterError
from eegflex.evaluation.asked import BANDS, check_asked
from eegflex.evaluation.faithfulness import frequency_groups, spread_over
from eegflex.results.recordings import one_recording, provenances
from eegflex.results.select import is_whole
from eegflex.scores import probabilities
from eegflex.settings import VIEWS, Settings
from eegflex.stagers.batches import FORWARD_BATCH, BatchSize
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.modules import rnn_safe
from eegflex.staging import StagedNight

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult
    from eegflex.stagers.stager import Stager

__all__ = ["Explanation", "Question", "ask"]


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

        Of a method that knows only bands, spread evenly over the frequencies of each.
        """
        data = self.question.data
        if "frequency_view" in data:
            return np.asarray(data["frequency_view"].values[self.row, self.channels], dtype=np.float64)
        return spread_over(data["band_view"].values[self.row, self.channels].astype(np.float64), self.masks)

    def by(self, method: str) -> npt.NDArray[np.float64]:
        """Attribution of the same epoch by another method, as `values` is; explained once."""
        if method not in self._known:
            self._known[method] = self.anew(self.question.with_method(method))
        return self._known[method]

    @cached_property
    def _known(self) -> dict[str, npt.NDArray[np.float64]]:
        return {}

    def anew(self, question: Question) -> npt.NDArray[np.float64]:
        """Attribution of the same epoch as another question has it, as `values` is."""
        (explained,) = question.explain([self])
        views = explained.views
        if "frequency" in views:
            return np.asarray(views["frequency"][0], dtype=np.float64)
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


@dataclass(frozen=True, eq=False)
class Question:
    """A result of one recording, and the model and the night that it is of.

    Attributes
    ----------
    result : FlexResult
        Of one target; of a result of all stages, the predicted one.
    request : Request
        What was asked, with the context as recorded, ready to be asked of other signals.
    seed : int
        Of what is drawn at random.
    compare : tuple of str
        Other methods that are held against this one.
    groups : float | "bands"
        What is inserted and deleted at once, of each channel: frequencies within so many Hz, or a band.
    """

    result: FlexResult
    request: Request
    seed: int = 0
    compare: tuple[str, ...] = ()
    groups: float | str = 1.0

    @property
    def data(self) -> xr.Dataset:
        """The result's dataset, to be read only."""
        return self.result.data

    @property
    def night(self) -> StagedNight:
        """The stager on the recording."""
        return self.request.night

    @cached_property
    def others(self) -> dict[str, Question]:
        """Questions like this one that were asked before, by their baseline."""
        return {}

    @cached_property
    def predicted(self) -> npt.NDArray[np.str_]:
        """The stage by each channel set, shape (n_epochs, n_channel_sets)."""
        return np.asarray(self.data["predicted"].values.astype(str))

    def explanation(self, row: int, channel_set: int) -> Explanation:
        """The explanation of one epoch with one channel set."""
        return Explanation(self, row, int(self.data["number"].values[row]), channel_set)

    def sample(self, per_stage: int | None) -> list[Explanation]:
        """So many explanations of each stage, in random order; all of them if `per_stage` is None.

        The stage is that of the channel set. An epoch comes with a second channel set after each has come with a first.
        """
        rng = np.random.default_rng([self.seed, 0xE7A1])
        n_epochs, n_sets = self.predicted.shape
        turn = rng.permuted(np.tile(np.arange(n_sets), (n_epochs, 1)), axis=1)  # the order of each epoch's channel sets
        every = [(row, int(turn[row, k])) for k in range(n_sets) for row in rng.permutation(n_epochs).tolist()]
        left = dict.fromkeys(self.night.stages, len(every) if per_stage is None else per_stage)
        chosen = []
        for row, channel_set in every:
            stage = str(self.predicted[row, channel_set])
            if left.get(stage, 0) > 0:
                left[stage] -= 1
                chosen.append(self.explanation(row, channel_set))
        order = rng.permutation(len(chosen)).tolist()
        return [dataclasses.replace(chosen[own], place=place) for place, own in enumerate(order)]

    def explain(self, explanations: Sequence[Explanation]) -> list[Explained]:
        """Explain epochs anew, as they were explained, in the order given."""
        with rnn_safe(self.request.stager.module):
            return [self._explained(one) for one in explanations]

    def _explained(self, one: Explanation) -> Explained:
        (found,) = self.request.method.explain(self.request, one.channel_set, np.array([one.number]))
        return found

    def with_signals(self, changed: Mapping[int, npt.NDArray[np.floating[Any]]]) -> Question:
        """The same question with other signals in the place of some epochs, each of them among neighbours as recorded.

        What is explained of an epoch stays: the stage that was predicted of it as recorded.

        Parameters
        ----------
        changed : mapping of int to array, shape (n_all_channels, n_times)
            By the number of the epoch in the recording, signals as ``night.segments.signals`` has them.
        """
        night = self.night
        bound = tuple(
            _Changed(own, changed, night.segments.channel_sets[place]) for place, own in enumerate(night.bound)
        )
        scores = night.scores.copy()
        for number in changed:
            index = torch.tensor([number], device=night.stager.like.device)
            for place, own in enumerate(bound):
                with torch.no_grad(), rnn_safe(night.stager.module):
                    scores[number, place] = own(own.inputs(index), index)[0].double().cpu().numpy()
        return self._of(dataclasses.replace(night, bound=bound, scores=scores))

    def with_stager(self, stager: Stager) -> Question:
        """The same question about another model of the same contract, such as one with other weights.

        What is explained of an epoch stays: the stage that the first one predicted of it.
        """
        night = self.night
        windows = [own.windows for own in night.bound]
        length = max(int(one.length.max()) for one in windows) if stager.spec.context.whole else None
        with rnn_safe(stager.module):
            bound = tuple(stager.bind(night.segments, night.settings.edges, length))
            scores = [one.night_scores(lambda _: None).double().cpu().numpy() for one in bound]
        return self._of(dataclasses.replace(night, stager=stager, bound=bound, scores=np.stack(scores, axis=1)))

    def with_method(self, name: str) -> Question:
        """The same question asked of another method, one that `check_compare` lets pass."""
        settings = dataclasses.replace(self.request.settings, method=name, second_opinion=None, views=VIEWS[:1])
        request = dataclasses.replace(self.request, method=METHODS[name], settings=settings)
        return dataclasses.replace(self, request=request)

    def against(self, name: str) -> Question:
        """The same question compared with another baseline, which is made once."""
        if name not in self.others:
            self.others[name] = self._against(name)
        return self.others[name]

    def _against(self, name: str) -> Question:
        asked = self.request
        baseline = make_baseline(name, asked.segments, asked.stager.spec.filter, asked.settings.seed)
        settings = dataclasses.replace(asked.settings, baseline=name)
        return dataclasses.replace(self, request=dataclasses.replace(asked, baseline=baseline, settings=settings))

    def _of(self, night: StagedNight) -> Question:
        asked_of = self.night if self.request.asked_of is None else self.request.asked_of
        return dataclasses.replace(self, request=dataclasses.replace(self.request, night=night, asked_of=asked_of))


class _Changed(BoundStager):
    """A stager on a recording of which some epochs are others, for whoever asks what was recorded of them."""

    def __init__(
        self, own: BoundStager, changed: Mapping[int, npt.NDArray[np.floating[Any]]], channels: Sequence[int]
    ) -> None:
        self.own, self.changed, self.channels = own, changed, list(channels)
        self.windows, self.any_window, self.n_beyond = own.windows, own.any_window, own.n_beyond

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        found = self.own.inputs(index).clone()
        for place, number in enumerate(index.tolist()):
            if number in self.changed:
                found[place] = torch.from_numpy(np.asarray(self.changed[number][self.channels])).to(found)
        return found

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return self.own(segments, index)

    def beyond(self, index: torch.Tensor) -> torch.Tensor:
        return self.own.beyond(index)

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.own.score_windows(windows, index, beyond)

    def with_window_length(self, window_length: int) -> BoundStager:
        return _Changed(self.own.with_window_length(window_length), self.changed, self.channels)

    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        return self.own.night_scores(progress)


def ask(
    result: FlexResult,
    night: StagedNight,
    *,
    baseline: Any = None,
    seed: int = 0,
    compare: Sequence[str] = (),
    groups: float | str = 1.0,
) -> Question:
    """Ask what a result explains again.

    Parameters
    ----------
    result : FlexResult
        Attributions of one recording.
    night : StagedNight
        That recording, staged by that model.
    baseline : array | None
        What the attribution was compared with, where that was an array: a result does not keep it.
    seed : int
        Of what will be drawn at random.
    compare : sequence of str
        Other methods that will be held against this one.
    groups : float | "bands"
        What will be inserted and deleted at once, of each channel: frequencies within so many Hz, or a band.

    Raises
    ------
    ParameterError
        If the result is of several recordings or of a part of the channels, if it is not of this recording and model, or its
        baseline is not given.
    """
    one_recording(result.data, None, "What is evaluated")
    check_asked(result, compare, groups)
    single = result.for_target()
    if not is_whole(single.data):
        raise ParameterError(
            "Channels were left out of this result",
            seen=result.ch_names,
            remedy="Evaluate the result of all channels, and choose channels then",
        )
    asked = result.parameters
    _check_baseline(asked["baseline"], baseline)
    asked |= {"baseline": asked["baseline"] if baseline is None else baseline, "context": "fixed"}
    asked |= {name: getattr(night.settings, name) for name in vars(night.settings)}  # where and how it computes now
    asked |= {"target": "predicted"} if asked["target"] == "all" else {}
    numbers = single.data["number"].values
    request = make_request(night, Settings(**asked), numbers)
    told = provenances(result.data)[result.recordings[0]]
    _check_same(told, recording_facts(request))
    if request.method.differentiates and night.stager.spec.context.whole and "window" in told:
        request, _ = choose_window(request, told["window"])
    if not np.allclose(request.night.scores[numbers], single.data["scores"].values, atol=1e-3, equal_nan=True):
        raise ParameterError(
            "This model does not score the epochs as the result says that it did",
            seen=f"largest difference {np.nanmax(np.abs(request.night.scores[numbers] - single.data['scores'].values)):.2g}",
            remedy="Give the model, and the settings of staging, that the result was made with",
        )
    return Question(single, request, seed, tuple(dict.fromkeys(compare)), groups if groups == BANDS else float(groups))


def _check_baseline(named: str, given: Any) -> None:
    if named.startswith("array") and given is None:
        raise ParameterError(
            "This result was compared with an array, which it does not keep", remedy="Give the same array as baseline="
        )
    if given is not None and not named.startswith("array"):
        raise ParameterError("The result says what it was compared with", seen=named, remedy="Leave baseline out")


def _check_same(told: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse another recording, or another model."""
    for name, what in (("input_sha256", "recording, as the model is given it"), ("model_sha256", "model")):
        if name in told and name in here and told[name] != here[name]:
            raise ParameterError(
                f"This is not the {what}, that the result is of",
                seen=f"{name} {here[name][:12]}…",
                allowed=f"{told[name][:12]}…",
                remedy="Give the recording and the model, read and prepared in the same way",
            )
