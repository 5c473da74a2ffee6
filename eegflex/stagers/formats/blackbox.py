"""Estimators that only predict: anything with ``predict_proba``."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["BlackBox", "stages_of"]


class BlackBox:
    """An estimator as a callable on tensors, without a gradient: for the methods that need none.

    Parameters
    ----------
    estimator : object
        With a method ``predict_proba``: array -> array, shape (n, n_stages).
    """

    has_gradient = False

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def __call__(self, fed: torch.Tensor) -> torch.Tensor:
        """Probabilities, of the precision and on the device of what it is fed."""
        returned = self.estimator.predict_proba(fed.detach().cpu().numpy())
        return torch.as_tensor(returned).to(fed)


def stages_of(estimator: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """The stages of its outputs where it says so itself: estimators sort their classes, REM before W."""
    classes = tuple(str(name) for name in getattr(estimator, "classes_", ()))
    return classes if classes and set(classes) <= set(known) else ()
