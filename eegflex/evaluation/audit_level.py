"""The level of a channel: what electrodes and amplifiers make of a signal, against what the signal is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["FACTORS", "Level", "level_of"]

Array = npt.NDArray[np.float64]

#: What electrodes and amplifiers do to a signal that nothing else happens to. (What levels a night has is asked beside it, of
#: the answer: in so wide a range, a logarithm of any power would seem to be a level's.)
FACTORS = (0.5, 2.0)
#: How the amplitude of the shapes falls with frequency that stand in the place of a signal, at its level: as in white noise,
#: and as in a random walk.
SLOPES = (0.0, 1.0)
#: Shapes have no frequencies below this, in Hz, where a random walk would have next to all.
FROM = 0.5


@dataclass(frozen=True)
class Level:
    """What the level of the channel does that does most.

    Attributes
    ----------
    channel : int
        Which of them it is.
    probability : float
        How much the answer moves, at most, by one of `FACTORS` on that channel, or by the levels that it has in this night.
    score : float
        How much the score moves by one of `FACTORS`, as a share of the explanation's absolute total.
    flips : bool
        Whether another stage becomes the most probable one.
    share : float
        How much of what moves the score in that channel is its level, and not the shape of its spectrum: 1 where noise of any
        shape does the same at the same level, 0 where the level does nothing.
    """

    channel: int
    probability: float
    score: float
    flips: bool
    share: float


def level_of(
    scores: Callable[[torch.Tensor], Array],
    answer: Callable[[Array], tuple[Array, Array]],
    recorded: torch.Tensor,
    total: float,
    usual: Array,
    channels: Sequence[int],
    passed: npt.NDArray[np.bool_],
    sfreq: float,
    rng: np.random.Generator,
) -> Level | None:
    """Measure what the level does.

    Parameters
    ----------
    scores : callable
        Signals, shape (n, n_channels, n_times) -> scores, shape (n, n_stages).
    answer : callable
        Scores -> the score explained and the probability of what is explained, each of shape (n,).
    recorded : Tensor, shape (n_channels, n_times)
        The epoch.
    total : float
        Absolute total of the explanation.
    usual : array, shape (n_channels, 2)
        The range of the root mean squares of each channel in this recording.
    channels : sequence of int
        Those whose level is looked at.
    passed : array of bool, shape (n_channels, n_freqs)
        Frequencies that the filters pass.
    sfreq : float
        Rate in Hz.
    rng : Generator
        Of the noise.

    Returns
    -------
    level : Level | None
        Of the channel whose level moves the score most; None without a channel that has a signal.
    """
    sizes = recorded.double().square().mean(dim=-1).sqrt().cpu().numpy()
    alive = [place for place in channels if sizes[place] > 0]
    if not alive:
        return None
    factors = {place: (*FACTORS, *np.clip(usual[place] / sizes[place], 1 / 8, 8).tolist()) for place in alive}
    scaled = [_with(recorded, place, recorded[place] * factor) for place in alive for factor in factors[place]]
    found = scores(torch.stack([recorded, *scaled]))
    score, probability = answer(found)
    n_factors = len(FACTORS) + 2
    moved = np.abs(score[1:] - score[0]).reshape(len(alive), n_factors)[:, : len(FACTORS)]
    which = int(moved.max(axis=1).argmax())
    place, best = alive[which], int(moved[which].argmax())
    own = slice(1 + which * n_factors, 1 + (which + 1) * n_factors)
    by_shape = _by_shape(
        lambda signals: answer(scores(signals))[0],
        recorded,
        place,
        {1.0: float(score[0]), factors[place][best]: float(score[own][best])},
        _shapes(passed[place], recorded.shape[-1], sfreq, rng),
    )
    most = float(moved[which, best])
    return Level(
        channel=place,
        probability=float(np.abs(probability[own] - probability[0]).max()),
        score=most / total if total > 0 else np.nan,
        flips=bool((found[own].argmax(axis=1) != found[0].argmax()).any()),
        share=most / (most + by_shape) if most > 0 else 0.0,
    )


def _by_shape(
    score: Callable[[torch.Tensor], Array],
    recorded: torch.Tensor,
    place: int,
    at_level: dict[float, float],
    shapes: Sequence[Array],
) -> float:
    """How much the score moves, at most, where noise of another shape stands in the place of a channel, at the same level."""
    size = float(recorded[place].double().square().mean().sqrt())
    like: dict[str, Any] = {"dtype": recorded.dtype, "device": recorded.device}
    pairs = [(factor, shape) for factor in at_level for shape in shapes]
    others = [_with(recorded, place, torch.tensor(size * factor * shape, **like)) for factor, shape in pairs]
    own = np.array([at_level[factor] for factor, _ in pairs])
    return float(np.abs(score(torch.stack(others)) - own).max())


def _shapes(passed: npt.NDArray[np.bool_], n_times: int, sfreq: float, rng: np.random.Generator) -> list[Array]:
    """Noise of each slope, with root mean square 1."""
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    open_ = passed & (freqs >= FROM)
    found = []
    for slope in SLOPES:
        size = np.where(open_, np.maximum(freqs, FROM) ** -slope, 0.0)
        noise = np.fft.irfft(size * (rng.standard_normal(len(freqs)) + 1j * rng.standard_normal(len(freqs))), n=n_times)
        found.append(noise / max(float(np.sqrt(np.mean(noise**2))), 1e-300))
    return found


def _with(recorded: torch.Tensor, place: int, channel: torch.Tensor) -> torch.Tensor:
    """The epoch with another signal in the place of a channel."""
    changed = recorded.clone()
    changed[place] = channel
    return changed
