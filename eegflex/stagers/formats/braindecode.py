"""What a network of braindecode says of itself."""

from __future__ import annotations

from typing import Any

from torch import nn

__all__ = ["declared_by"]


def declared_by(module: Any) -> dict[str, Any]:
    """Rate, samples of an epoch, and so on, as far as a network of braindecode knows its own; else nothing.

    braindecode itself is not imported: whoever has such a network has it.
    """
    kinds = type(module).__mro__
    if not isinstance(module, nn.Module) or not any(k.__module__.partition(".")[0] == "braindecode" for k in kinds):
        return {}
    declared = {"sfreq": _of(module, "sfreq", float), "n_times": _of(module, "n_times", int)}
    return {name: value for name, value in declared.items() if value is not None}


def _of(module: nn.Module, name: str, kind: type[Any]) -> Any:
    """What it was made with; asking for what it was not raises."""
    try:
        value = getattr(module, name)
    except Exception:  # of whatever it was made with
        return None
    return None if value is None else kind(value)
