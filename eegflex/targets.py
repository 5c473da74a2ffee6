"""What is explained: a score as a weighting of a stager's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eegflex.errors import ParameterError

__all__ = ["TARGET_WORDS", "Target", "check_target", "is_scored", "resolve_target"]

#: What a target may be but stages.
TARGET_WORDS = ("predicted", "scored", "margin", "all")


@dataclass(frozen=True)
class Target:
    """The score of each epoch as weights on the stager's outputs.

    Attributes
    ----------
    weights : array, shape (n_epochs, n_targets, n_stages)
        Each score explained is ``weights @ scores``.
    labels : array of str, shape (n_epochs,)
        ``"N2"``, or ``"N2 - N1"`` for a margin; ``"all"`` for all stages; empty where there is nothing to explain.
    """

    weights: npt.NDArray[np.float64]
    labels: npt.NDArray[np.str_]


def resolve_target(
    target: str | tuple[str, str], stages: Sequence[str], scores: npt.NDArray[np.floating], scored: Sequence[str]
) -> Target:
    """Turn a target's name into weights.

    Parameters
    ----------
    target : str | tuple of (str, str)
        ``"predicted"``, ``"scored"``, ``"margin"`` (predicted minus runner-up), a stage's name, a pair of stages (a
        margin: the score of the first minus that of the second), or ``"all"``: each stage's score by itself.
    stages : sequence of str
        The stager's stages, in the order of its outputs.
    scores : array, shape (n_epochs, n_stages)
        Its scores for the recorded epochs.
    scored : sequence of str, shape (n_epochs,)
        The hypnogram's stages.

    Raises
    ------
    ParameterError
        If the target is not known, or the scored stage of an epoch is none of the stager's.
    """
    check_target(target, stages)
    order = np.argsort(-scores, axis=1, kind="stable")
    number = {stage: i for i, stage in enumerate(stages)}
    if target == "all":
        every = np.broadcast_to(np.eye(len(stages)), (len(scores), len(stages), len(stages)))
        return Target(every.copy(), np.full(len(scores), "all"))
    if target == "predicted":
        plus, minus = order[:, 0], None
    elif target == "margin":
        plus, minus = order[:, 0], order[:, 1]
    elif target == "scored":
        if unknown := sorted(set(scored) - set(number)):
            raise ParameterError(
                "The scored stage of an epoch is none of the stager's", seen=unknown, allowed=list(stages)
            )
        plus, minus = np.array([number[stage] for stage in scored], dtype=np.intp), None
    elif isinstance(target, str):
        plus, minus = np.full(len(scores), number[target]), None
    else:
        plus, minus = (np.full(len(scores), number[stage]) for stage in target)
    return _weighting(plus, minus, stages)


def check_target(target: Any, stages: Sequence[str]) -> None:
    """Refuse a target that a stager of these stages does not have.

    Raises
    ------
    ParameterError
        If it is not one of the words, nor a stage, nor a pair of two.
    """
    words = (*TARGET_WORDS, *stages)
    pair = isinstance(target, tuple | list) and len(target) == len(set(target)) == 2 and set(target) <= set(stages)
    if not pair and not (isinstance(target, str) and target in words):
        raise ParameterError(
            f"target must be one of {', '.join(map(repr, words))}, or a pair of two stages", seen=repr(target)
        )


def is_scored(scored: Sequence[str] | npt.NDArray[np.str_], stages: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether the hypnogram gave each epoch one of the stager's stages, as ``"scored"`` needs.

    Raises
    ------
    ParameterError
        If it gave none to any.
    """
    has_score = np.isin(scored, stages)
    if not has_score.any():
        raise ParameterError(
            "target='scored' explains the score of the hypnogram's stage, and no epoch has one",
            seen=np.unique(scored).tolist(),
            allowed=list(stages),
            remedy="Read the recording with its hypnogram, or take target='predicted'",
        )
    return has_score


def _weighting(plus: npt.NDArray[np.intp], minus: npt.NDArray[np.intp] | None, stages: Sequence[str]) -> Target:
    rows = np.arange(len(plus))
    weights = np.zeros((len(plus), len(stages)))
    weights[rows, plus] = 1.0
    names = np.array(stages)
    labels = names[plus]
    if minus is not None:
        weights[rows, minus] = -1.0
        labels = np.array([f"{a} - {b}" for a, b in zip(names[plus], names[minus], strict=True)], dtype=str)
    return Target(weights[:, None], labels)
