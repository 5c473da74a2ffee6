"""What a method of attribution is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from eegflex.attribution.request import Explainer
from eegflex.results.wording import MethodWords

__all__ = ["N_SAMPLES", "Method", "seeded"]

#: Draws of the methods that draw at random.
N_SAMPLES = 25


@dataclass(frozen=True)
class Method:
    """A way of attributing.

    Attributes
    ----------
    explain : Explainer
        Explains epochs with one channel set.
    words : MethodWords
        What its numbers mean, and whether they sum to the change of the score.
    on_path : bool
        Whether it averages gradients over a path, by a quadrature.
    differentiates : bool
        Whether the model must have a gradient.
    views : tuple of str
        The views that it can give; without any it attributes to whole bands.
    contexts : tuple of str
        What may move along the path.
    baselines : tuple of str
        The only baselines that it knows; empty: any.
    turns_phases : bool
        Whether it can begin from a baseline of other phases than the epoch's.
    """

    explain: Explainer
    words: MethodWords
    on_path: bool = False
    differentiates: bool = True
    views: tuple[str, ...] = ("frequency",)
    contexts: tuple[str, ...] = ("fixed",)
    baselines: tuple[str, ...] = ()
    turns_phases: bool = True


@contextlib.contextmanager
def seeded(*stream: int) -> Iterator[None]:
    """Seed what captum draws from, and leave the caller's generators as they were.

    Parameters
    ----------
    *stream : int
        Whose draws they are: the seed, the channel set, the epoch and the draw of its baseline. So an epoch's draws are its
        own, with whatever others it is explained.
    """
    state = np.random.get_state()  # noqa: NPY002  (captum draws from numpy's old generator)
    words = np.random.SeedSequence(stream).generate_state(4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(words[0]) << 32 | int(words[1]))
        np.random.seed(words)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
