"""Several models with one contract as one stager, whose score is the mean or the sum of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from eegflex.errors import ParameterError, SpecError
from eegflex.stagers.stager import Stager

__all__ = ["ensemble"]

#: In what members must agree; how their tensors are arranged is a matter of their own.
_SHARED = ("sfreq", "n_times", "channels", "unit", "filter", "scale", "context", "scores", "stages", "combine")


class _Members(nn.Module):
    """Canonical windows -> the combined scores of all members."""

    def __init__(self, members: Sequence[Stager], rule: str) -> None:
        super().__init__()
        self.members, self.rule = list(members), rule
        # registered, so that they move, and that hooks find their layers
        self.networks = nn.ModuleList([m.module for m in members if isinstance(m.module, nn.Module)])

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        total = sum(member.score(windows) for member in self.members)
        return total / len(self.members) if self.rule == "mean" else total  # type: ignore[return-value]


def ensemble(members: Sequence[Stager], rule: Literal["mean", "sum"] = "mean") -> Stager:
    """Combine stagers.

    What is combined are the scores that the members' specs declare. As they enter it linearly, the attribution of the
    ensemble's score is the mean (or the sum) of the members' attributions of the same stage.

    Parameters
    ----------
    members : sequence of Stager
        Of one contract; only their layouts may differ.
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
    """
    if not members or rule not in ("mean", "sum"):
        raise ParameterError("An ensemble needs members and a rule", seen=(len(members), rule), allowed="mean, sum")
    first = members[0].spec
    for name in _SHARED:
        values = [getattr(member.spec, name) for member in members]
        if any(value != values[0] for value in values):
            raise SpecError(
                f"The members of an ensemble disagree in their {name}", seen=[str(value) for value in values]
            )
    if any(type(member) is not Stager for member in members):
        raise SpecError(
            "Only stagers that score windows can be members of an ensemble",
            seen=[member.spec.name for member in members if type(member) is not Stager],
        )
    spec = first.replace(
        name=f"{rule} of {', '.join(dict.fromkeys(member.spec.name for member in members))}",
        layout="b e c t",
        output="b s",
        target_index=None,
        file="",
        format="ensemble",
        class_name="",
        kwargs={},
    )
    return Stager(_Members(members, rule), spec)
