"""Several models with one contract as one stager, whose score is the mean or the sum of theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from eegflex.errors import ParameterError, SpecError, check_choice
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.digest import digest_of_members
from eegflex.stagers.fronts import Front
from eegflex.stagers.stager import BoundStager, Stager
from eegflex.stagers.windows import Length, Windows
from eegflex.utils.arguments import checked

if TYPE_CHECKING:
    from eegflex.preprocessing.segments import Segments

__all__ = ["Ensemble", "ensemble", "members_of"]

#: In what members must agree; how their tensors are arranged is a matter of their own.
_SHARED = ("sfreq", "n_times", "channels", "unit", "filter", "scale", "context", "scores", "stages", "combine")

Rule = Literal["mean", "sum"]


@checked
def ensemble(members: Sequence[Stager], rule: Rule = "mean") -> Stager:
    """Combine stagers.

    What is combined are the scores that the members' specs declare. As they enter it linearly, the attribution of the
    ensemble's score is the mean (or the sum) of the members' attributions of the same stage. Combined log-probabilities
    are logits, since their exponentials no longer sum to one.

    Parameters
    ----------
    members : sequence of Stager
        Of one contract, so that they are given the same signals; only their layouts may differ.
    rule : {"mean", "sum"}
        What becomes of their scores.

    Returns
    -------
    stager : Stager
        The ensemble.

    Raises
    ------
    SpecError
        If the members want different things.
    ParameterError
        If there are none, or the rule is not one.

    See Also
    --------
    eegflex.load_model : Load a stager.
    eegflex.Stager : A model and its spec.

    Examples
    --------
    >>> import torch, eegflex
    >>> spec = eegflex.ModelSpec(name="member", sfreq=100.0, n_times=3000, unit="uV")
    >>> members = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3000, 5)) for _ in range(2)]
    >>> both = eegflex.stagers.ensemble([eegflex.load_model(one, spec=spec) for one in members])
    >>> both.pooling
    'mean'
    """
    check_choice("rule", rule, ("mean", "sum"))
    if not members:
        raise ParameterError("An ensemble needs members", seen="none")
    for name in _SHARED:
        values = [getattr(member.spec, name) for member in members]
        if any(value != values[0] for value in values):
            raise SpecError(
                f"The members of an ensemble disagree in their {name}",
                seen=[f"{member.spec.name}: {value}" for member, value in zip(members, values, strict=True)],
                remedy="Members get the same signals. Explain each of these by itself, with the same target, and average "
                "their band tables: that is the attribution of their mean",
            )
    spec = members[0].spec.replace(
        scores="logits" if members[0].spec.scores == "log_probs" and len(members) > 1 else members[0].spec.scores,
        name=f"{rule} of {', '.join(dict.fromkeys(member.spec.name for member in members))}",
        spectrogram=None,
        layout="b e c t",
        output="b s",
        target_index=None,
        positions="all",
        pool="mean",
        file="",
        format="ensemble",
        output_key=None,
        class_name="",
        kwargs={},
        prefix="",
        sha256="",
    )
    return Ensemble(members, rule, spec)


def members_of(bound: BoundStager) -> list[BoundStager]:
    """The members of an ensemble on the recording and channel set that it is bound to; of another stager, itself."""
    return bound.members if isinstance(bound, _BoundEnsemble) else [bound]


def _combined(scores: Sequence[torch.Tensor], rule: Rule) -> torch.Tensor:
    total = torch.stack(list(scores)).sum(0)
    return total / len(scores) if rule == "mean" else total


class Ensemble(Stager):
    """Stagers of one contract whose scores are combined.

    Parameters
    ----------
    members : sequence of Stager
        See `ensemble`, which makes sure that they agree.
    rule : {"mean", "sum"}
        What becomes of their scores.
    spec : ModelSpec
        The contract of all of them, for canonical windows.
    """

    members: list[Stager]

    def __init__(self, members: Sequence[Stager], rule: Rule, spec: ModelSpec) -> None:
        self.spec, self.rule, self.like = spec, rule, members[0].like
        self.members = [member.to(self.like.device, self.like.dtype) for member in members]
        self.module = _Networks(self.members, rule)

    @property
    def scores_every_position(self) -> bool:
        """Whether all members do."""
        return all(member.scores_every_position for member in self.members)

    @property
    def has_gradient(self) -> bool:
        """Whether any member has one; of the others it is then found that they are cut off."""
        return any(member.has_gradient for member in self.members)

    @property
    def takes_sequences(self) -> bool:
        """Whether any member is made for several epochs at a time."""
        return any(member.takes_sequences for member in self.members)

    @property
    def pooling(self) -> str:
        """The rule; that of its member, if there is only one."""
        return self.rule if len(self.members) > 1 else self.members[0].pooling

    @property
    def digest(self) -> str:
        """SHA-256 of its members' digests; empty if one of them has none."""
        return digest_of_members(member.digest for member in self.members)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Stager:
        """Copy of the ensemble on another device and in another precision."""
        return Ensemble([member.to(device, dtype) for member in self.members], self.rule, self.spec)

    def with_spec(self, spec: ModelSpec) -> Stager:
        """The same members under another contract."""
        shared = {name: getattr(spec, name) for name in _SHARED}
        return Ensemble([m.with_spec(m.spec.replace(**shared)) for m in self.members], self.rule, spec)

    @property
    def fronts(self) -> tuple[Front, ...]:
        """Those of all members."""
        return tuple(front for member in self.members for front in member.fronts)

    def fitted(self, segments: Segments) -> Stager:
        """The same, each member with the statistics of a recording where it asks for them."""
        return Ensemble([member.fitted(segments) for member in self.members], self.rule, self.spec)

    def on_channels(self, segments: Segments, channels: Sequence[int]) -> Stager:
        """The same, each member with the statistics of its channels."""
        return Ensemble([member.on_channels(segments, channels) for member in self.members], self.rule, self.spec)

    def score(self, windows: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
        """Combined scores of the target epoch of windows, (batch, epoch, channel, time) -> (batch, stage)."""
        return _combined([member.score(windows, at) for member in self.members], self.rule)

    def bind(self, segments: Segments, edges: str = "shift", window_length: int | None = None) -> list[BoundStager]:
        """The ensemble on a recording, once for each channel set; each member keeps its own codes."""
        if edges == "shift" and not self.scores_every_position:
            edges = "skip"  # what shifting comes to for the members that cannot
        bound = [member.bind(segments, edges, window_length) for member in self.members]
        return [_BoundEnsemble(own, self.rule) for own in zip(*bound, strict=True)]


class _Networks(nn.Module):
    """The members' networks, where hooks and whoever counts parameters find them: canonical windows -> combined scores."""

    members: list[Stager]
    networks: nn.ModuleList

    def __init__(self, members: Sequence[Stager], rule: Rule) -> None:
        super().__init__()
        self.members, self.rule = list(members), rule
        self.networks = nn.ModuleList([m.module for m in members if isinstance(m.module, nn.Module)])
        self.training = False

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        return _combined([member.score(windows) for member in self.members], self.rule)


class _BoundEnsemble(BoundStager):
    def __init__(self, members: Sequence[BoundStager], rule: Rule) -> None:
        windows = next((member for member in members if not member.any_window), members[0]).windows
        # whoever scores in any window alike does so in those of the others, at the ends of a run too
        self.members = [member.with_windows(windows) if member.any_window else member for member in members]
        self.rule, self.windows = rule, windows
        self.any_window = all(member.any_window for member in members)
        self.n_beyond = sum(member.n_beyond for member in members)
        for name in ("start", "length"):
            if any(not np.array_equal(getattr(one.windows, name), getattr(windows, name)) for one in self.members):
                raise SpecError(
                    "The members of an ensemble see different windows at the edges of a run",
                    remedy="Take edges='skip', which leaves these epochs unexplained",
                )

    def inputs(self, index: torch.Tensor) -> torch.Tensor:
        """The recorded segments, the same for all members."""
        return self.members[0].inputs(index)

    def __call__(self, segments: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return self._of(lambda member: member(segments, index))

    def encode(self, segments: torch.Tensor) -> list[Any]:
        """What each member makes of segments by themselves."""
        return [member.encode(segments) for member in self.members]

    def decode(self, codes: list[Any], index: torch.Tensor) -> torch.Tensor:
        """Combined scores of what `encode` made."""
        own = dict(zip(self.members, codes, strict=True))
        return self._of(lambda member: member.decode(own[member], index))

    def beyond(self, index: torch.Tensor) -> torch.Tensor:
        """What reaches into the windows of each member, one after the other."""
        return torch.cat([member.beyond(index) for member in self.members], dim=1)

    def score_windows(
        self, windows: torch.Tensor, index: torch.Tensor, beyond: torch.Tensor | None = None
    ) -> torch.Tensor:
        if beyond is None:
            return self._of(lambda member: member.score_windows(windows, index))
        own = dict(zip(self.members, beyond.split([member.n_beyond for member in self.members], dim=1), strict=True))
        return self._of(lambda member: member.score_windows(windows, index, own[member]))

    def with_window_length(self, window_length: Length) -> BoundStager:
        return _BoundEnsemble([member.with_window_length(window_length) for member in self.members], self.rule)

    def with_windows(self, windows: Windows) -> BoundStager:
        return _BoundEnsemble([member.with_windows(windows) for member in self.members], self.rule)

    def night_scores(self, progress: Callable[[int], None]) -> torch.Tensor:
        last = self.members[-1]  # an epoch is scored when all have scored it
        return self._of(lambda member: member.night_scores(progress if member is last else lambda _: None))

    def _of(self, answer: Callable[[BoundStager], torch.Tensor]) -> torch.Tensor:
        return _combined([answer(member) for member in self.members], self.rule)
