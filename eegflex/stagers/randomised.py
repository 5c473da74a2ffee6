"""A stager with other weights: those of some of its levels permuted, so that what it learnt there is lost."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from eegflex.findings import CannotTellError
from eegflex.stagers.copies import own_copy
from eegflex.stagers.ensemble import Ensemble
from eegflex.stagers.stager import Stager

__all__ = ["MAX_LEVELS", "Level", "levels_of", "randomised"]

#: Into so many levels the modules of a network are put together.
MAX_LEVELS = 5


@dataclass(frozen=True)
class Level:
    """Modules of a stager that follow each other, and whose weights are permuted together.

    Attributes
    ----------
    name : str
        That of its modules in the (first) network, the first and the last.
    weights : tuple of tuple of str
        Names of their parameters, for each network of the stager.
    """

    name: str
    weights: tuple[tuple[str, ...], ...]


def levels_of(stager: Stager, run: Callable[[], Any]) -> list[Level]:
    """The levels of a stager, from its input to its output.

    Parameters
    ----------
    stager : Stager
        The stager; of an ensemble, each level has one of every member.
    run : callable
        Scores anything with it.

    Returns
    -------
    levels : list of Level
        `MAX_LEVELS` at most, of as many modules each as can be, the last ones of fewer. Modules stand in the order in which
        their parameters are first read, whatever wrote the network: TorchScript or ONNX, too. What was not read at all is in
        the first level, so that nothing is left out of all of them.

    Raises
    ------
    CannotTellError
        If there is nothing that permuting would change; it says why.
    """
    networks = list(_networks(stager))
    if not networks:
        raise CannotTellError("the model is not a torch network: it has no weights that can be randomised")
    named = [_changeable(network) for network in networks]
    if not all(named):
        has_any = any(True for network in networks for _ in network.parameters())
        why = "its weights are single numbers, or all alike" if has_any else "it has no parameters"
        raise CannotTellError(f"nothing in the model could be randomised: {why}")
    with _Reads() as reads:
        run()
    modules = [_modules_in_order(own, reads.first) for own in named]
    n_levels = min(MAX_LEVELS, *map(len, modules))
    parts = [_split(list(own), n_levels) for own in modules]
    return [
        Level(
            _name(parts[0][place], modules[0]),
            tuple(
                tuple(name for module in part[place] for name in own[module])
                for part, own in zip(parts, modules, strict=True)
            ),
        )
        for place in range(n_levels)
    ]


def randomised(stager: Stager, levels: Sequence[Level], rng: np.random.Generator) -> Stager:
    """A copy of a stager in which the weights of some levels are permuted.

    The values of each tensor are put into another order. So the scale of every layer stays, which a fresh initialisation does
    not promise of a network whose layers are only known as tensors, and nothing of what was learnt does. Buffers, such as
    the running statistics of batch normalisation or the filters of a front end, stay as they are.

    Parameters
    ----------
    stager : Stager
        It is not changed.
    levels : sequence of Level
        Those of this stager.
    rng : numpy.random.Generator
        Of the order.
    """
    changed = []
    for place, network in enumerate(_networks(stager)):
        own = own_copy(network)
        names = {name for level in levels for name in level.weights[place]}
        with torch.no_grad():
            for name, tensor in own.named_parameters():  # type: ignore[attr-defined]
                if name in names:
                    order = torch.from_numpy(rng.permutation(tensor.numel())).to(tensor.device)
                    tensor.copy_(tensor.detach().reshape(-1)[order].reshape(tensor.shape))
        changed.append(own)
    return _with_networks(stager, iter(changed))


def _members(stager: Stager) -> Sequence[Stager]:
    return stager.members if isinstance(stager, Ensemble) else ()


def _networks(stager: Stager) -> Iterator[nn.Module]:
    """The networks of a stager, those of the members of an ensemble one after the other."""
    members = _members(stager)
    for member in members:
        yield from _networks(member)
    if not members and isinstance(stager.module, nn.Module):
        yield stager.module


def _with_networks(stager: Stager, networks: Iterator[Any]) -> Stager:
    if isinstance(stager, Ensemble):
        return Ensemble([_with_networks(member, networks) for member in stager.members], stager.rule, stager.spec)
    if not isinstance(stager.module, nn.Module):
        return stager
    changed = copy.copy(stager)
    changed.module = next(networks)
    changed._digest, changed._as_given = "", None
    return changed


def _changeable(network: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that another order of their values changes, by their names."""
    return {
        name: tensor
        for name, tensor in network.named_parameters()
        if (tensor.is_floating_point() or tensor.is_complex()) and bool((tensor != tensor.flatten()[:1]).any())
    }


class _Reads(TorchDispatchMode):
    """Notes when tensors are first read, by where their values lie: by whatever runs a network, and through any view."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self.first: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Tensor):
                self.first.setdefault(_address(value), len(self.first))
        return func(*args, **(kwargs or {}))


def _address(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _modules_in_order(named: Mapping[str, torch.Tensor], first: Mapping[int, int]) -> dict[str, list[str]]:
    """Names of parameters by their module, in the order in which modules were first read; those that were not come first."""
    modules: dict[str, list[str]] = {}
    for name in named:
        modules.setdefault(name.rpartition(".")[0], []).append(name)
    read = {
        module: min((first[at] for at in (_address(named[name]) for name in names) if at in first), default=-1)
        for module, names in modules.items()
    }
    return {module: modules[module] for module in sorted(modules, key=lambda own: read[own])}


def _split(modules: list[str], n_levels: int) -> list[list[str]]:
    """Modules that follow each other, in so many parts: of as many as can be, the last parts of fewer."""
    return [list(part) for part in np.array_split(np.array(modules, dtype=object), n_levels)]


def _name(part: Sequence[str], names: Mapping[str, Sequence[str]]) -> str:
    first, last = (module or ", ".join(names[module]) for module in (part[0], part[-1]))
    return first if first == last else f"{first} to {last}"
