"""What a result explains, asked of the model again: its epochs, their baselines, and whatever else may stand in their place."""

from __future__ import annotations

import dataclasses
import json
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
from eegflex.attribution.methods.registry import METHODS
from eegflex.attribution.request import Explained, Request
from eegflex.attribution.window_choice import in_windows
from eegflex.bands import ROUNDING
from eegflex.errors import ParameterError
from eegflex.evaluation.asked import check_asked
from eegflex.evaluation.explanation import Explanation
from eegflex.evaluation.part_of_night import bound_to_part
from eegflex.results.recordings import one_recording, provenances
from eegflex.results.resolution import EVERY_BIN, PER_HZ, is_light
from eegflex.results.select import is_whole
from eegflex.settings import BANDS, VIEWS, Settings
from eegflex.stagers.bound import BoundStager
from eegflex.stagers.modules import rnn_safe
from eegflex.stagers.windows import Length
from eegflex.staging import StagedNight

if TYPE_CHECKING:
    import xarray as xr

    from eegflex.results.result import FlexResult
    from eegflex.stagers.stager import Stager

__all__ = ["Question", "ask"]


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
        Random seed.
    compare : tuple of str
        Other methods that are held against this one.
    groups : float | "bands"
        What is inserted and deleted at once, for each channel: frequency ranges of this width in Hz, or bands.
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

    def with_stager(self, stager: Stager, of: Sequence[Explanation]) -> Question:
        """The same question about another model of the same contract, such as one with other weights.

        What is explained of an epoch stays: the stage that the first one predicted of it.

        Parameters
        ----------
        stager : Stager
            The other model.
        of : sequence of Explanation
            It is asked about these only, and only they are staged, each among the neighbours in its window; the night of a
            stager of whole nights ends ten epochs away.
        """
        night = self.night
        bound = bound_to_part(night, stager, [one.number for one in of], self._window_length)
        scores = np.full_like(night.scores, np.nan)
        with torch.no_grad(), rnn_safe(stager.module):
            for one in of:
                own, index = bound[one.channel_set], torch.tensor([one.number], device=stager.like.device)
                scores[one.number, one.channel_set] = own(own.inputs(index), index)[0].double().cpu().numpy()
        return self._of(dataclasses.replace(night, stager=stager, bound=bound, scores=scores))

    def with_method(self, name: str) -> Question:
        """The same question asked of another method, one that `check_asked` lets pass."""
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

    @property
    def _window_length(self) -> int | None:
        windows = [own.windows for own in self.night.bound]
        return max(int(one.length.max()) for one in windows) if self.night.stager.spec.context.whole else None

    def with_target(self, target: str | tuple[str, str]) -> Question:
        """The same question about another score of the same epochs, such as that of another stage."""
        settings = dataclasses.replace(self.request.settings, target=target)
        return dataclasses.replace(self, request=dataclasses.replace(self.request, settings=settings))

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

    def with_window_length(self, window_length: Length) -> BoundStager:
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
        The baseline of the attribution, if it was an array: a result does not store it.
    seed : int
        Of what will be drawn at random.
    compare : sequence of str
        Other methods that will be held against this one.
    groups : float | "bands"
        What will be inserted and deleted at once, of each channel: frequencies within so many Hz, or a band.

    Raises
    ------
    ParameterError
        If the result is of several recordings or of a part of the channels, if it is not of this recording and model, its
        baseline is not given, or groups would divide bins that it keeps.
    """
    _check_groups(result, groups)
    one_recording(result.data, None, "What is evaluated")
    check_asked(result, compare)
    single = result.for_target()
    if not is_whole(single.data):
        raise ParameterError(
            "Channels were left out of this result",
            seen=result.ch_names,
            remedy="Evaluate the result of all channels, and choose channels then",
        )
    asked = result.parameters
    _check_baseline(asked["baseline"], baseline)
    _check_model(result, night)
    asked |= {"baseline": asked["baseline"] if baseline is None else baseline, "context": "fixed"}
    asked |= {name: getattr(night.settings, name) for name in vars(night.settings)}  # where and how it computes now
    asked |= {"target": "predicted"} if asked["target"] == "all" else {}
    numbers = single.data["number"].values
    request = make_request(night, Settings(**asked), numbers)
    told = provenances(result.data)[result.recordings[0]]
    _check_same(told, recording_facts(request))
    if "window_length" in single.data:
        request = in_windows(request, single.data["window_length"].values)
    if not np.allclose(request.night.scores[numbers], single.data["scores"].values, atol=1e-3, equal_nan=True):
        raise ParameterError(
            "This model does not score the epochs as the result says that it did",
            seen=f"largest difference {np.nanmax(np.abs(request.night.scores[numbers] - single.data['scores'].values)):.2g}",
            remedy="Give the model, and the settings of staging, that the result was made with",
        )
    return Question(single, request, seed, tuple(dict.fromkeys(compare)), groups if groups == BANDS else float(groups))


def _check_groups(result: FlexResult, groups: float | str) -> None:
    """Refuse groups of frequencies that begin inside a bin of a light result."""
    parts = 0.0 if groups == BANDS else float(groups) * PER_HZ
    if is_light(result.data) and abs(parts - round(parts)) > PER_HZ * ROUNDING:
        raise ParameterError(
            "Groups would divide the bins of this result",
            seen=f"{groups:g} Hz",
            allowed=f"multiples of {1 / PER_HZ:g} Hz, or {BANDS!r}",
            remedy=EVERY_BIN,
        )


def _check_baseline(named: str, given: Any) -> None:
    if named.startswith("array") and given is None:
        raise ParameterError(
            "This result was compared with an array, which it does not keep", remedy="Give the same array as baseline="
        )
    if given is not None and not named.startswith("array"):
        raise ParameterError("The result says what it was compared with", seen=named, remedy="Leave baseline out")


def _check_model(result: FlexResult, night: StagedNight) -> None:
    """Refuse a model of another contract: of one recording, it is given something else."""
    here, told = (json.loads(json.dumps(spec)) for spec in (night.stager.spec.to_dict(), result.spec))
    if here != told:
        raise ParameterError(
            "This is not the model that the result is of",
            seen=night.stager.spec.name,
            allowed=result.model if result.model != night.stager.spec.name else "the same with the result's own spec",
            remedy="Give that model (--model), with the spec that the result was made with (spec=, --spec)",
        )


def _check_same(told: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse another recording, or another model."""
    for name, what in (("model_sha256", "model"), ("input_sha256", "recording, as the model is given it")):
        if name in told and name in here and told[name] != here[name]:
            raise ParameterError(
                f"This is not the {what}, that the result is of",
                seen=f"{name} {here[name][:12]}…",
                allowed=f"{told[name][:12]}…",
                remedy="Give the recording and the model, read and prepared in the same way",
            )
