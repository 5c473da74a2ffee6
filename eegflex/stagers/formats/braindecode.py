"""Networks of braindecode: their classes by name, what they are made with, and what they say of themselves."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import nn

from eegflex.errors import MissingExtraError, ModelError, SpecError
from eegflex.spec.model_spec import ModelSpec

__all__ = ["PREFIX", "arguments", "class_named", "declared_by"]

#: What stands before the name of a class of braindecode.
PREFIX = "braindecode:"


def class_named(name: str) -> Callable[..., nn.Module]:
    """The class that ``"braindecode:USleep"`` names.

    Raises
    ------
    MissingExtraError
        If braindecode is not installed.
    ModelError
        If it has no network of this name.
    """
    try:
        models = import_module("braindecode.models")
    except ImportError as error:
        raise MissingExtraError(f"The network {name} needs the package braindecode", "braindecode") from error
    own = name.removeprefix(PREFIX)
    kinds = {word: kind for word, kind in vars(models).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)}
    if own not in kinds:
        raise ModelError(
            "braindecode has no network of this name",
            seen=repr(name),
            allowed=[f"{PREFIX}{word}" for word in difflib.get_close_matches(own, kinds, n=3)] or sorted(kinds),
        )
    return kinds[own]


def arguments(kind: Callable[..., Any], spec: ModelSpec) -> dict[str, Any]:
    """What a class is called with: the spec's ``kwargs``, and of its contract what these leave to a class of braindecode.

    Raises
    ------
    SpecError
        If the two say different things.
    """
    if not (inspect.isclass(kind) and _is_of_braindecode(kind)):
        return spec.kwargs
    known = inspect.signature(kind).parameters
    contract = {name: value for name, value in _contract(spec).items() if name in known}
    odd = {name: value for name, value in contract.items() if spec.kwargs.get(name, value) != value}
    if odd:
        raise SpecError(
            "The network is made for other inputs or outputs than its spec has",
            seen=[
                f"{name} = {spec.kwargs[name]!r} in kwargs, {value!r} by the rest of it" for name, value in odd.items()
            ],
            remedy="Correct the spec, or leave these out of its [model] kwargs",
        )
    said = {own for name, own in _THE_SAME.items() if name in spec.kwargs}
    return {name: value for name, value in contract.items() if name not in said} | spec.kwargs


#: Arguments that say in other words what another one says.
_THE_SAME = {"chs_info": "n_chans", "input_window_seconds": "n_times"}


def _contract(spec: ModelSpec) -> dict[str, Any]:
    """What a spec says in braindecode's words; nothing where it leaves it open."""
    layout = spec.layout if isinstance(spec.layout, str) else ""
    # the epochs of a window one after another: how long that is, or how many channels, is for kwargs to say
    joined = {axis for group in re.findall(r"\(([^)]*)\)", layout) if "e" in group for axis in group}
    words = {
        "n_chans": None if "c" in joined or any(own.use == "all" for own in spec.channels) else len(spec.channels),
        "n_times": None if "t" in joined else spec.n_times,
        "sfreq": spec.sfreq,
        "n_outputs": len(spec.stages) if spec.output_key is None else None,
    }
    return {name: value for name, value in words.items() if value is not None and spec.spectrogram is None}


def declared_by(module: Any) -> dict[str, Any]:
    """Rate, samples of an epoch, and so on, as far as a network of braindecode knows its own; else nothing.

    braindecode itself is not imported: whoever has such a network has it.
    """
    if not isinstance(module, nn.Module) or not _is_of_braindecode(type(module)):
        return {}
    declared = {"sfreq": _of(module, "sfreq", float), "n_times": _of(module, "n_times", int)}
    return {name: value for name, value in declared.items() if value is not None}


def _is_of_braindecode(kind: type) -> bool:
    return any(own.__module__.partition(".")[0] == "braindecode" for own in kind.__mro__)


def _of(module: nn.Module, name: str, kind: type[Any]) -> Any:
    """What it was made with; asking for what it was not raises."""
    try:
        value = getattr(module, name)
    except Exception:  # of whatever it was made with
        return None
    return None if value is None else kind(value)
