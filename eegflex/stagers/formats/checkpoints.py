"""Checkpoints: the weights of a network among all that training writes beside them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from eegflex.errors import ModelError
from eegflex.stagers.formats.dtypes import check_weights
from eegflex.stagers.formats.registry import ModelFile

__all__ = ["fill", "stand_ins", "tables_of"]

#: Tensors by name, by what stands before the names.
Tables = dict[str, dict[str, torch.Tensor]]

#: Tables in tables of a checkpoint.
_DEEPEST = 8
#: Names that a note shows.
_SHOWN = 5
#: What normalisation counts with in training; checkpoints of old have no such counter, and nothing is computed with it.
_COUNTER = re.compile(r"(.*\.)?num_batches_tracked")
#: Plain values that frameworks of training write beside the weights: arguments, the best score so far, paths, times.
_BESIDE = re.compile(
    r"argparse\.Namespace|pathlib\.(Posix|Windows|PurePosix|PureWindows)?Path|datetime\.\w+|typing\.Any"
    r"|numpy\.(dtype|ndarray|dtypes\.\w+DType|_?core\.multiarray\.(scalar|_reconstruct)|bool_?|(u?int|float)\d+)"
    r"|omegaconf\.(dictconfig\.DictConfig|listconfig\.ListConfig|base\.\w*Metadata|nodes\.\w+Node)"
    r"|builtins\.(bool|bytes|dict|float|int|list|set|str|tuple)",
    re.ASCII,
)
#: The same, of tables.
_TABLES = re.compile(r"collections\.defaultdict|(\w+\.)*AttributeDict", re.ASCII)


class _Nothing:
    """Stands for a value beside the weights, whatever it was made of."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


class _Table:
    """Stands for a table beside the weights, or with weights in it."""

    def __new__(cls, *_: Any) -> Any:
        return {}


def stand_ins(names: set[str]) -> list[Callable[..., Any] | tuple[Callable[..., Any], str]] | None:
    """What stands for the things that a checkpoint names, so that none of them is imported.

    Parameters
    ----------
    names : set of str
        What torch does not open by itself.

    Returns
    -------
    pairs : list of tuple | None
        Of a stand-in and the name; None if anything may be more than a plain value.
    """
    plain, tables = ({name for name in names if kind.fullmatch(name)} for kind in (_BESIDE, _TABLES))
    if names - plain - tables:
        return None
    return [*((_Nothing, name) for name in plain), *((_Table, name) for name in tables)]


def tables_of(saved: Any, above: str = "", depth: int = 0) -> Tables:
    """The tables of tensors in what was saved, by what stands before their names; tables may lie in tables.

    Parameters
    ----------
    saved : object
        What was saved.
    above : str
        The name of the table that it is in.
    depth : int
        How many tables that one is in.
    """
    if not isinstance(saved, Mapping) or depth > _DEEPEST:
        return {}
    own = {str(name): value for name, value in saved.items() if isinstance(value, torch.Tensor)}
    found = {above: own} if own else {}
    for name, value in saved.items():
        found |= tables_of(value, f"{above}{name}.", depth + 1)
    return found


def fill(network: nn.Module, saved: Any, file: ModelFile) -> nn.Module:
    """The network with its weights, all of them: those behind the prefix that covers it. What is left over is noted.

    Parameters
    ----------
    network : torch.nn.Module
        The network, which is changed.
    saved : object
        What was saved: a state dict, or a checkpoint with one in it.
    file : ModelFile
        Where it is from; its spec may say which prefix is meant, and it notes what is left over.

    Raises
    ------
    ModelError
        If weights are missing, of another shape or kind, or if there are several sets of them.
    """
    tables = tables_of(saved)
    wanted = {name: value for name, value in network.state_dict().items() if isinstance(value, torch.Tensor)}
    if not tables:
        raise ModelError(
            "This file does not hold one state dict",
            seen=list(saved)[:10] if isinstance(saved, Mapping) else type(saved).__name__,
            remedy="Save one by itself: torch.save(model.state_dict(), 'weights.pt')",
        )
    prefix = _prefix(tables, wanted, file)
    meant = {above: own for above, own in tables.items() if any(_after(prefix, above + name) in wanted for name in own)}
    named = {above + name: value for above, own in (meant or tables).items() for name, value in own.items()}
    state = {after: value for name, value in named.items() if (after := _after(prefix, name))}
    unknown = _load(network, state, file)
    beside = [name for name in named if _after(prefix, name) in {"", *unknown}]
    if beside:
        more = f" and {len(beside) - _SHOWN} more" if len(beside) > _SHOWN else ""
        file.notes.append(
            f"weights of {file.path.name} that {type(network).__name__} does not have are left out: "
            f"{', '.join(map(_plain, beside[:_SHOWN]))}{more}"
        )
    return network


def _load(network: nn.Module, state: Mapping[str, torch.Tensor], file: ModelFile) -> list[str]:
    """Load weights into a network, which may know older names of them; returns the names of those that it has not got."""
    check_weights(state, network, file.path)
    wrong, done = "", None
    try:
        done = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        wrong = " ".join(str(error).partition("\n\t")[2].split())
    filled = _names_of_the_same(network, state)
    missing = [name for name in done.missing_keys if not (_COUNTER.fullmatch(name) or name in filled)] if done else []
    if missing or done is None:
        unknown = list(done.unexpected_keys) if done else []
        raise ModelError(
            f"The weights of {file.path.name} are not those of {type(network).__name__}",
            seen=wrong or f"{len(missing)} missing {missing[:3]}, {len(unknown)} unknown {unknown[:3]}",
            remedy="Create the network with the arguments that it was trained with",
        )
    return list(done.unexpected_keys)


def _names_of_the_same(network: nn.Module, state: Mapping[str, torch.Tensor]) -> set[str]:
    """Further names by which a network has the weights of a file: safetensors have weights that are shared but once."""
    own = {name: value for name, value in network.state_dict(keep_vars=True).items() if isinstance(value, torch.Tensor)}
    there = {id(value) for name, value in own.items() if name in state}
    return {name for name, value in own.items() if id(value) in there}


def _prefix(tables: Tables, wanted: Mapping[str, torch.Tensor], file: ModelFile) -> str:
    """What stands before the names of the network's weights in a checkpoint."""
    named = {above + name: value for above, own in tables.items() for name, value in own.items()}
    covered: Mapping[str, int] = Counter(
        name[:cut]
        for name in named
        for cut in (0, *(place + 1 for place, letter in enumerate(name) if letter == "."))
        if name[cut:] in wanted
    )
    said = f"{file.spec.prefix.rstrip('.')}." if file.spec.prefix else ""
    if said:
        meant = _meant(said, covered)
        if not meant and not any(f".{said}" in f".{name}" for name in named):
            raise ModelError(
                "No weights have the prefix that the spec's [model] says",
                seen=repr(file.spec.prefix),
                allowed=[own.rstrip(".") for own in covered if own] or list(tables),
            )
        covered = {own: covered[own] for own in meant}
    if not covered:
        return said
    best = max(covered.values())
    found = [own for own, number in covered.items() if number == best]
    fitting = [own for own in found if all(_fits(named.get(own + name), value) for name, value in wanted.items())]
    if len(fitting) > 1 and "" not in fitting and said not in fitting:
        raise ModelError(
            "This file does not hold one state dict, but several that fit",
            seen=[own.rstrip(".") for own in fitting],
            remedy=f"Say which in the spec's [model]: prefix = {fitting[0].rstrip('.')!r}",
        )
    return next((own for own in ("", said) if own in found), (fitting or found)[0])


def _meant(said: str, covered: Iterable[str]) -> list[str]:
    """Prefixes that a word of the spec may mean: itself; what ends with it, as in tables of a checkpoint; what it is within.

    People say ``nn`` of ``state_dict.nn.``, and of ``nn._orig_mod.`` and ``state_dict.nn.module.`` of what was compiled or
    trained in parallel, too.
    """
    within = [own for own in covered if f".{said}" in f".{own}"]
    ending = [own for own in within if f".{own}".endswith(f".{said}")]
    return [own for own in within if own == said] or ending or within


def _plain(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:80])


def _after(prefix: str, name: str) -> str:
    """The name without the prefix; empty for one that has another."""
    return name[len(prefix) :] if name.startswith(prefix) else ""


def _fits(own: torch.Tensor | None, wanted: torch.Tensor) -> bool:
    return own is None or is_lazy(wanted) or own.shape == wanted.shape
