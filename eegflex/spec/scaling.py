"""Standardisation: the words of a spec."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from eegflex.errors import SpecError
from eegflex.spec.plain import short

__all__ = ["ScaleSpec", "check_scale"]


@dataclass(frozen=True)
class ScaleSpec:
    """Standardisation, with statistics frozen before the path.

    Attributes
    ----------
    kind : {"none", "zscore", "robust", "given", "moving"}
        Mean and standard deviation, or median and interquartile range, of the recording; `mean` and `sd` as given; or
        mean and standard deviation as they move through each run of the recording, exponentially.
    per : {"recording", "epoch"}
        What the statistics are taken over, for each channel.
    clip : float or None
        Limit after scaling, in scaled units.
    mean, sd : tuple of float
        For ``"given"``, in the spec's unit: one for each of `channels`, or one for all of them.
    factor : float or None
        For ``"moving"``: the weight of a new sample, at the stager's rate. ``1e-3`` at 100 Hz forgets in about 10 s.
    first : int
        For ``"moving"``: so many samples at the start of a run are scaled by their own mean and standard deviation.
    eps : float
        For ``"moving"``: the smallest standard deviation that is divided by.

    See Also
    --------
    eegflex.ModelSpec : The contract of a stager.
    eegflex.spec.FilterSpec : A pass band.

    Examples
    --------
    >>> from eegflex.spec import ScaleSpec
    >>> ScaleSpec("robust", clip=20.0).per
    'recording'
    """

    kind: Literal["none", "zscore", "robust", "given", "moving"] = "none"
    per: Literal["recording", "epoch"] = "recording"
    clip: float | None = None
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    factor: float | None = None
    first: int = 0
    eps: float = 1e-4


def check_scale(scale: ScaleSpec, n_inputs: int) -> None:
    """Refuse numbers that do not go with the kind of scaling, or are none."""
    given, moving = scale.kind == "given", scale.kind == "moving"
    one_each = f"finite numbers, {n_inputs} or 1: one for each of [[input.channels]], or one for all"
    fits: dict[str, tuple[Any, bool, str, Callable[[Any], bool]]] = {
        "mean": (scale.mean, given, one_each, lambda x: len(x) in (1, n_inputs) and all(map(math.isfinite, x))),
        "sd": (scale.sd, given, f"{one_each}, above zero", lambda x: len(x) in (1, n_inputs) and _above_zero(x)),
        "factor": (scale.factor, moving, "above 0, below 1", lambda x: x is not None and 0 < x < 1),
        "first": (scale.first, moving, "0 samples or more", lambda x: x >= 0),
        "eps": (scale.eps, moving, "a number above zero", lambda x: _above_zero((x,))),
    }
    defaults = ScaleSpec()
    for key, (value, used, allowed, is_right) in fits.items():
        if not used and value != getattr(defaults, key):
            raise SpecError(
                f"The spec's [input.scale] {key} is for another kind of scaling",
                seen=f"{key} = {short(value)}, kind = {scale.kind!r}",
                allowed="kind = 'given'" if key in ("mean", "sd") else "kind = 'moving'",
            )
        if used and not is_right(value):
            raise SpecError(f"The spec's [input.scale] {key} does not fit", seen=short(value), allowed=allowed)


def _above_zero(numbers: tuple[float, ...]) -> bool:
    return all(0 < number < math.inf for number in numbers)
