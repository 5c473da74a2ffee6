"""What an evaluation is asked, and what of it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eegflex.attribution.methods.registry import METHODS, method_of
from eegflex.errors import EegflexError, ParameterError, check_choice
from eegflex.results.means import refuse_single
from eegflex.settings import Settings

if TYPE_CHECKING:
    from eegflex.evaluation.explanation import Explanation
    from eegflex.results.result import FlexResult

__all__ = ["check_asked", "try_methods"]


def check_asked(result: FlexResult, compare: Sequence[str]) -> None:
    """Refuse what cannot be asked, before anything is computed for it.

    Parameters
    ----------
    result : FlexResult
        Whose baseline the methods must know.
    compare : sequence of str
        Names of methods.

    Raises
    ------
    ParameterError
        If a method is none, is the result's own or does not know its baseline; or single epochs are not to be read.
    """
    refuse_single(result.data, "an evaluation")
    own, named = result.parameters["method"], result.parameters["baseline"]
    for name in compare:
        check_choice("compare", name, tuple(other for other in METHODS if other != own))
        baseline = np.zeros(0) if named.startswith("array") else named
        try:
            method_of(Settings(method=name, baseline=baseline))
        except ParameterError as error:
            raise ParameterError(
                f"compare={name!r} cannot explain what this result explains: {error.what}",
                seen=error.seen,
                allowed=error.allowed,
                remedy="Compare another method, or attribute with a baseline that both know, such as baseline='zero'",
            ) from error


def try_methods(one: Explanation) -> None:
    """Refuse methods that cannot explain this model, by letting each explain one epoch; what they find is kept.

    Raises
    ------
    ParameterError
        If one cannot, such as one that needs gradients of a model that has none.
    """
    for name in one.question.compare:
        try:
            one.by(name)
        except EegflexError as error:
            raise ParameterError(
                f"compare={name!r} cannot explain this model: {error.what}",
                seen=error.seen,
                allowed=error.allowed,
                remedy="Compare another method, such as 'shapley_sampling', which only predicts",
            ) from error
