"""Faster passes through a network: its scores and the way back to their slopes.

A way is tried on the first input of its shape, beside torch's own, and taken if both say the same. What fails is left alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from mne.utils import logger
from torch import nn
from torch.autograd.function import once_differentiable

from eegflex.stagers.batches import out_of_memory
from eegflex.stagers.layers import ChannelsLast
from eegflex.stagers.modules import parts_of

__all__ = [
    *("CHANNELS_LAST", "OWN", "TOLERANCE", "TORCH", "Pass", "Verdict"),
    *("by_channels_last", "by_own", "found_of", "quickest", "take_over", "torchs_own", "verdicts"),
]

#: what a module, or a part of it, is fed -> what it returns, and what makes of weights (of the shape of what it returned)
#: the slopes of ``(weights * returned).sum()`` with respect to what was fed
Pass = Callable[[Any], tuple[torch.Tensor, Callable[[torch.Tensor], Any]]]
#: tensors -> what is computed of them
Function = Callable[..., Any]

#: Names of ways: of those that have no other, of the passes that stagers bring, and of known layers.
TORCH, OWN, CHANNELS_LAST = "torch", "its own pass", "channels last"
#: What is returned may differ from torch's by this much, relative to its size, and so may the slopes of most rows.
TOLERANCE = 1e-3
#: A rectifier at its kink goes either way with the rounding: slopes of this share of the rows may differ by more, but those of
#: all together by no more than so many times as much. Of GSSC's encoder 3 rows in 100 do, by 1.5 % at most; of batches of 64 as
#: a whole it was every third.
AT_KINKS, TIMES = 0.2, 20
#: How many rows ways are tried on where no slopes are wanted.
TRIED = 4


@dataclass(frozen=True)
class Verdict:
    """Which way was taken, and why.

    Attributes
    ----------
    way : str
        Its name.
    difference : float
        How far its slopes were from torch's, relative to their size.
    refused : tuple of str
        The ways that were tried before it, with what was wrong with them.
    """

    way: str
    difference: float = 0.0
    refused: tuple[str, ...] = ()


#: A part of a module and what it was fed, as far as its way depends on it -> the verdict.
Found = dict[tuple[Any, ...], Verdict]

_verdicts: WeakKeyDictionary[nn.Module, Found] = WeakKeyDictionary()
_only_torch: ContextVar[bool] = ContextVar("only torch", default=False)


@contextlib.contextmanager
def torchs_own() -> Iterator[None]:
    """Within it, all is computed in torch's own way."""
    token = _only_torch.set(True)
    try:
        yield
    finally:
        _only_torch.reset(token)


def verdicts(module: Any) -> dict[str, list[Verdict]]:
    """What was found of the parts of a module so far, by their names."""
    found: dict[str, list[Verdict]] = {}
    known = _verdicts.get(module, {}) if isinstance(module, nn.Module) else {}
    for (part, *_), verdict in known.items():
        found.setdefault(part, []).append(verdict)
    return found


def found_of(module: nn.Module) -> Found:
    """What was found of a module so far, to be taken over for a copy of it on the same machine."""
    return dict(_verdicts.get(module, {}))


def take_over(module: nn.Module, found: Found) -> None:
    """Take for found of a module what was found of the one that it is a copy of."""
    _verdicts.setdefault(module, {}).update(found)


def quickest(
    owner: Any,
    part: str,
    function: Function,
    ways: dict[str, Function],
    of: Sequence[torch.Tensor],
    called: str,
    *,
    without_slopes: bool = False,
) -> Any:
    """What a function makes of tensors, in the first of several ways that is right, where slopes are wanted.

    Parameters
    ----------
    owner : Module
        Whose function it is; anything else has none but torch's way.
    part : str
        Its name among the owner's.
    function : callable
        Computes it in torch's way.
    ways : dict
        Name -> callable that computes the same.
    of : sequence of Tensor
        What it is computed of.
    called : str
        The stager, for the log.
    without_slopes : bool
        Whether the ways are quicker where no slopes are wanted, too.
    """
    slopes = torch.is_grad_enabled() and any(one.requires_grad for one in of)
    if _only_torch.get() or not ((slopes or without_slopes) and ways and isinstance(owner, nn.Module)):
        return function(*of)
    known = _verdicts.setdefault(owner, {})
    varied = of if slopes else [one[:TRIED].detach().requires_grad_(one.is_floating_point()) for one in of]
    key = part, *((one.shape[1:], one.dtype, one.device, one.requires_grad) for one in varied)
    if key not in known:
        with torch.enable_grad():
            known[key] = _tried(function, ways, varied)
        for reason in known[key].refused:
            logger.info(f"{called}, {part}: {reason}")
    return ways.get(known[key].way, function)(*of)


def by_channels_last(function: Function, of: Sequence[torch.Tensor]) -> dict[str, Function]:
    """The way of `ChannelsLast`, where it is one: on a processor, in single precision."""
    if not torch.backends.mkldnn.is_available() or any(
        one.device.type != "cpu" or one.dtype != torch.float32 for one in of if one.is_floating_point()
    ):
        return {}

    def arranged(*of: torch.Tensor) -> Any:
        with ChannelsLast():
            return function(*of)

    return {CHANNELS_LAST: arranged}


def by_own(own: Pass | None, fed: Callable[..., Any]) -> dict[str, Function]:
    """The way of a pass that a stager brings; `fed` makes of tensors what it is fed."""
    return {} if own is None else {OWN: lambda *of: _Own.apply(own, fed, *of)}  # type: ignore[no-untyped-call]


class _Own(torch.autograd.Function):
    """A pass that a stager brings, as torch knows functions."""

    @staticmethod
    def forward(ctx: Any, own: Pass, fed: Callable[..., Any], *of: torch.Tensor) -> torch.Tensor:
        given = fed(*of)
        ctx.names = tuple(given) if isinstance(given, dict) else ()
        returned, ctx.back = own(given)
        return returned.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: torch.Tensor) -> tuple[Any, ...]:
        with torch.enable_grad():  # torch itself may be what it is written with
            slopes = ctx.back(weights)
        return None, None, *([slopes[name] for name in ctx.names] or [slopes])


def _tried(function: Function, ways: dict[str, Function], of: Sequence[torch.Tensor]) -> Verdict:
    """Which way is right; the first of them that is."""
    # Who counts what is kept for the way back shall not count this.
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: kept, lambda kept: kept):
        refused: list[str] = []
        try:
            expected = _slopes(function, of)
        except Exception as error:  # whatever a model does; it will be told in the words of who asked for it
            if out_of_memory(error):
                raise
            return Verdict(TORCH)
        for name, way in ways.items():
            try:
                found = _slopes(way, of)
                difference = max(_difference(*pair) for pair in zip(found, expected, strict=True))
                missed = max(_missed(*pair) for pair in zip(found, expected, strict=True))
            except Exception as error:  # whatever a model does
                if out_of_memory(error):
                    raise
                refused.append(f"{name} is not used ({error})")
                continue
            if missed <= TOLERANCE:
                return Verdict(name, difference, tuple(refused))
            refused.append(f"{name} is not used, since what it gives differs by {missed:.2g} of its size")
    return Verdict(TORCH, 0.0, tuple(refused))


def _slopes(function: Function, of: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What a function returns, and its slopes, for weights that differ."""
    own = [one.detach().clone().requires_grad_(one.requires_grad) for one in of]
    returned = _tensors(function(*own))
    total = sum((_weights(one) * one).sum() for one in returned if one.requires_grad)
    if not isinstance(total, torch.Tensor):
        raise ValueError("nothing that it returns has a slope")
    varied = [one for one in own if one.requires_grad]
    slopes = torch.autograd.grad(total, varied, allow_unused=True, materialize_grads=True)
    return [one.detach() for one in (*returned, *slopes)]


def _tensors(returned: Any) -> list[torch.Tensor]:
    """The tensors of numbers in what a module returned."""
    parts = parts_of(returned).values()
    return [part for part in parts if isinstance(part, torch.Tensor) and part.is_floating_point()]


def _weights(like: torch.Tensor) -> torch.Tensor:
    return torch.arange(1, like.numel() + 1, dtype=like.dtype, device=like.device).cos().reshape(like.shape)


def _difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """How far tensors are apart, relative to their size; infinite where one of them is of another shape, or not finite."""
    if found.shape != expected.shape or not torch.equal(found.isfinite(), expected.isfinite()):
        return float("inf")
    there = expected.isfinite()
    apart, size = (found - expected)[there].norm(), expected[there].norm()
    return float(apart / size) if size > 0 else float(apart)


def _missed(found: torch.Tensor, expected: torch.Tensor) -> float:
    """How far most rows are apart, or all together if that is `TIMES` as much, relative to their size."""
    together = _difference(found, expected)
    if not 0 < together < float("inf") or not found.ndim:
        return together
    there = expected.isfinite()
    apart, size = (torch.where(there, one, 0).reshape(len(one), -1).norm(dim=1) for one in (found - expected, expected))
    of_rows = apart / size.clamp(min=float(size.mean()) * torch.finfo(size.dtype).eps)
    return max(float(of_rows.sort(descending=True)[0][int(AT_KINKS * len(of_rows))]), together / TIMES)
