"""What is to be explained, and the loop over epochs and channel sets that explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from eegflex.attribution.adaptive import AdaptiveNodes
from eegflex.attribution.baselines import Baseline
from eegflex.attribution.paths import MakeNodes
from eegflex.attribution.quadrature import FixedNodes, make_rule
from eegflex.bands import Bands
from eegflex.preprocessing.segments import Segments
from eegflex.scores import negligible_size
from eegflex.settings import Settings
from eegflex.stagers.batches import BatchSize, fitting_batch
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.staging import StagedNight
from eegflex.targets import Target, resolve_target
from eegflex.utils.progress import duration_text, progress

if TYPE_CHECKING:
    from eegflex.attribution.crew import Crew
    from eegflex.attribution.methods.method import Method

__all__ = ["Explained", "Explainer", "Part", "Request", "explain_all", "order_of"]

#: Epochs of a window of a sample, where what is left out of it is told by what reaches into it: all of them are encoded at
#: every node, so that a window costs what as many epochs do.
MOVED_LENGTH = 9
#: Epochs that are explained with each channel set before the next ones are. What they are batched with decides how sums are
#: rounded: a run that is resumed takes up whole chunks, and so has the same bits; that costs it at most one chunk again.
CHUNK = 16
#: A run of so many epochs has chunks of twice the size, and so on; but they are at most so many times as large.
MANY, MOST_CHUNKS = 128, 6
#: One of so many chunks, the last ones, is cut into small ones.
LAST = 8
#: How long a run takes is told when one of so many explanations is there.
SOON = 32
#: A run of more than so many s is long: it is told what a sample of so many epochs of each stage takes.
LONG, FEW = 120.0, 20


@dataclass(frozen=True)
class Explained:
    """One epoch, explained with one channel set.

    Attributes
    ----------
    number : int
        The epoch's place in the recording.
    views : dict of str to array, shape (n_targets, n_channels, ...)
        Attributions: ``"frequency"``, ``"time"``, ``"time-frequency"``; ``"band"`` where a method has no finer one; and
        ``"context"``, shape (n_targets, n_window, n_channels, n_bands); and ``"band_error"``, the estimated error of each band,
        where the method has one.
    score, baseline_score : array of float64, shape (n_targets,)
        F(x) and F(x_b).
    gap : array of float64, shape (n_targets,)
        Sum of all attributions less F(x) - F(x_b); NaN for a method whose attributions have no such sum.
    n_gradients, n_forwards : int
        Gradient evaluations, and scores without a gradient.
    error : float
        Estimated relative error; NaN where there is no estimate.
    path_share : array of float64, shape (n_targets, n_targets, n_fractions) | None
        Share of the absolute band sums that arises below each of `FRACTIONS` of the path, of the differences of targets and of
        each of them; None without a path.
    change_error : array of float64, shape (n_targets, n_targets) | None
        Error of the change of the score itself, F(x) - F(x_b), where x_b is drawn at random: of the differences of targets and
        of each of them, on the diagonal. None where x_b is the only one.
    """

    number: int
    views: Mapping[str, npt.NDArray[np.floating[Any]]]
    score: npt.NDArray[np.float64]
    baseline_score: npt.NDArray[np.float64]
    gap: npt.NDArray[np.float64]
    n_gradients: int = 0
    n_forwards: int = 0
    error: float = np.nan
    path_share: npt.NDArray[np.float64] | None = None
    change_error: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Request:
    """What is to be explained, and how.

    Attributes
    ----------
    night : StagedNight
        The stager on the recording.
    settings : Settings
        What is asked.
    method : Method
        What explains.
    chosen : array of int
        Epochs to explain.
    baseline : Baseline
        What they are compared with.
    because : str | None
        Why with that, where nobody asked for it.
    batches : dict
        How many points are in one pass, by their size.
    beyond : dict of int to list of Tensor
        By the draw of a baseline, what reaches into the windows of the chosen epochs from the night of baselines; one for each
        channel set.
    asked_of : StagedNight | None
        The night whose scores say what is explained of an epoch, such as its predicted stage, where that is another one.
    nodes_by_stage : dict of str to int
        How many random nodes an epoch has, by the stage that it is called, where it was estimated.
    """

    night: StagedNight
    settings: Settings
    method: Method
    chosen: npt.NDArray[np.intp]
    baseline: Baseline
    because: str | None = None
    batches: dict[int, BatchSize] = field(default_factory=dict)
    beyond: dict[int, list[torch.Tensor]] = field(default_factory=dict)
    asked_of: StagedNight | None = None
    nodes_by_stage: Mapping[str, int] = field(default_factory=dict)

    def make_nodes(self, channel_set: int) -> MakeNodes:
        """What makes the nodes of one path with a channel set."""
        asked = self.settings
        if asked.is_adaptive:
            eps, negligible = float(torch.finfo(self.dtype).eps), float(self.negligible[channel_set])
            return partial(AdaptiveNodes, asked.tol, asked.max_evals, eps, negligible=negligible)
        rule = make_rule(asked.quadrature, asked.n_steps)
        return lambda _: FixedNodes(rule)

    @cached_property
    def negligible(self) -> npt.NDArray[np.float64]:
        """What errors are relative to at least, shape (n_channel_sets,): nothing smaller is made more exact for it."""
        if not self.settings.is_adaptive:
            return np.zeros(len(self.night.bound))
        return negligible_size(self.night.scores)

    @cached_property
    def moved(self) -> tuple[BoundStager, ...]:
        """The stager in the windows that move as wholes, if some do: those of a sample are short, if any window does.

        What is left out of a window is then in what reaches into it from beyond.
        """
        bound = self.night.bound
        if self.settings.context == "scaled" or not all(one.any_window for one in bound):
            return bound
        longest = max(int(one.windows.length.max()) for one in bound)
        return tuple(one.with_window_length(min(longest, MOVED_LENGTH)) for one in bound)

    @property
    def segments(self) -> Segments:
        """The recording as the stager is given it."""
        return self.night.segments

    @property
    def stager(self) -> Stager:
        """The model."""
        return self.night.stager

    @property
    def band_masks(self) -> npt.NDArray[np.bool_]:
        """Which frequency is in which band, shape (n_names, n_freqs); what lies outside them is last."""
        return Bands().masks(np.fft.rfftfreq(self.segments.signals.shape[-1], 1 / self.segments.sfreq))

    @property
    def dtype(self) -> torch.dtype:
        """The precision that the model computes in, and attributions are kept in."""
        return self.stager.like.dtype

    def weights(self, numbers: npt.NDArray[np.intp], channel_set: int) -> torch.Tensor:
        """The scores explained as weights on the stager's outputs, shape (n, n_targets, n_stages)."""
        return torch.from_numpy(self._resolved(numbers, channel_set).weights).to(self.stager.like)

    def recorded_scores(self, numbers: npt.NDArray[np.intp], channel_set: int) -> npt.NDArray[np.float64]:
        """F(x), the scores explained of the epochs as recorded, shape (n, n_targets)."""
        weights = self._resolved(numbers, channel_set).weights
        found: npt.NDArray[np.float64] = np.einsum("nts,ns->nt", weights, self.night.scores[numbers, channel_set])
        return found

    def labels(self, numbers: npt.NDArray[np.intp], channel_set: int) -> npt.NDArray[np.str_]:
        """What is explained of each epoch."""
        return self._resolved(numbers, channel_set).labels

    def _resolved(self, numbers: npt.NDArray[np.intp], channel_set: int) -> Target:
        scored = self.segments.stage[numbers].tolist()
        scores = (self.night if self.asked_of is None else self.asked_of).scores[numbers, channel_set]
        return resolve_target(self.settings.target, self.stager.spec.stages, scores, scored)

    def batch(self, model: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], segment: torch.Tensor) -> BatchSize:
        """Points in one pass, found once for segments of a shape and from then on only made smaller."""
        key = segment[0].numel()
        if key not in self.batches:
            self.batches[key] = BatchSize(self.settings.batch_size or fitting_batch(model, segment))
        return self.batches[key]


#: request, the number of a channel set, epochs -> each of them explained
Explainer = Callable[["Request", int, npt.NDArray[np.intp]], Iterator[Explained]]
#: A channel set, and epochs that are explained together.
Part = tuple[int, npt.NDArray[np.intp]]


def order_of(
    chosen: npt.NDArray[np.intp], seed: int, kinds: npt.NDArray[np.int64] | None = None
) -> list[npt.NDArray[np.intp]]:
    """The chunks in which epochs are explained: in an order drawn at random, so that those of any time are a fair sample.

    Parameters
    ----------
    chosen : array of int, shape (n,)
        Which epochs.
    seed : int
        By which the order is drawn.
    kinds : array of int, shape (n,) | None
        Of which kind each is: those of a chunk are alike, such as in the length of their windows.

    Returns
    -------
    chunks : list of array of int
        Epochs that are explained together, in the order of time within each. They are larger where there are many epochs, since
        the last passes for a chunk have few points; the last of all are small, so that several processes end at one time.
    """
    rng = np.random.default_rng([seed, len(chosen)])
    order = rng.permutation(len(chosen))
    size = CHUNK * int(np.clip(len(chosen) // MANY, 1, MOST_CHUNKS))
    alike = [order] if kinds is None else [order[kinds[order] == kind] for kind in np.unique(kinds)]
    chunks = [np.sort(chosen[own[k : k + size]]) for own in alike for k in range(0, len(own), size)]
    chunks = chunks if len(alike) == 1 else [chunks[place] for place in rng.permutation(len(chunks))]
    n_large = len(chunks) - len(chunks) // LAST
    return chunks[:n_large] + [own[k : k + CHUNK] for own in chunks[n_large:] for k in range(0, len(own), CHUNK)]


def explain_all(
    request: Request,
    explain: Explainer,
    keep: Callable[[int, Explained], None],
    crew: Crew,
    known: npt.NDArray[np.int64] | None = None,
) -> None:
    """Explain all epochs with all channel sets.

    Parameters
    ----------
    request : Request
        What is to be explained.
    explain : callable
        What explains.
    keep : callable
        Told of each explanation as soon as it is there, with the number of its channel set: what is kept so survives
        whatever ends this.
    crew : Crew
        The processes that do it.
    known : array of int | None
        Epochs that are explained already. A chunk of which some are is explained again as a whole.
    """
    chunks = order_of(request.chosen, request.settings.seed, _kinds(request))
    if known is not None:
        chunks = [numbers for numbers in chunks if not np.isin(numbers, known).all()]
    parts = [(channel_set, numbers) for numbers in chunks for channel_set in range(len(request.night.bound))]
    total = sum(len(numbers) for _, numbers in parts)
    after = max(CHUNK, total // SOON)  # of a chunk the first ones take longest to come
    with progress(total, "Explaining", lambda _: _duration(request, total, crew), after=after) as done:
        crew.explain(explain, parts, keep, done)


def _kinds(request: Request) -> npt.NDArray[np.int64] | None:
    """Which epochs are computed alike by a stager of whole nights: of the others each needs passes of its own.

    These are epochs whose longest windows are of one length. Near the ends of a run a stager of windows has them elsewhere in
    these than in the middle; one that knows what lies beyond cuts its windows there.
    """
    if not request.stager.spec.context.whole:
        return None
    bound, chosen = request.night.bound, request.chosen
    lengths = np.stack([own.windows.full_length[chosen] for own in bound])
    places = np.stack([own.windows.at(chosen) for own in bound])
    at_end = (places != lengths // 2).any(axis=0) & (not all(own.any_window for own in bound))
    return np.asarray(2 * lengths.max(axis=0) + at_end, dtype=np.int64)


def _duration(request: Request, total: int, crew: Crew) -> str:
    """How long a run takes; and, of a long one, what is quicker. Nothing, as long as that is not known."""
    took = crew.takes(total)
    if took is None:
        return ""
    seconds, n_processes = took
    within = f" in {n_processes} processes" if n_processes > 1 else ""
    said = f"Explaining takes about {duration_text(seconds)} for {total} explanations{within}"
    stage = request.night.predicted[request.chosen]
    fewer = sum(min(int((stage == name).sum()), FEW) for name in set(stage.tolist())) * len(request.night.bound)
    few = crew.takes(fewer)
    if seconds <= LONG or 2 * fewer > total or few is None:
        return said
    return f"{said}; a sample, sample_per_stage={FEW}, takes about {duration_text(few[0])} beside what is done once a night"
