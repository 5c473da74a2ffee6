"""From a name, a module or a callable to a Stager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from eegflex.errors import ModelError, SpecError
from eegflex.stagers.spec import ModelSpec
from eegflex.stagers.stager import Stager

__all__ = ["load_model"]


def _gssc() -> Stager:
    from eegflex.stagers.gssc import load_gssc

    return load_gssc()


def _bandpower() -> Stager:
    from eegflex.stagers.bandpower import load_bandpower

    return load_bandpower()


#: What a name loads; imported only when asked for.
_NAMED: dict[str, Callable[[], Stager]] = {"gssc": _gssc, "bandpower": _bandpower}


def load_model(
    source: Any,
    *,
    spec: ModelSpec | str | Path | None = None,
    trusted: bool = False,
    device: str | torch.device | None = None,
) -> Stager:
    """Load a model that stages sleep.

    Parameters
    ----------
    source : str | torch.nn.Module | callable
        ``"gssc"`` (extra ``gssc``), ``"bandpower"``, or a module that maps ``(batch, channel, time)`` to
        ``(batch, stage)``, or as its spec says. The caller's module is copied and left as it was.
    spec : ModelSpec | path-like | None
        The model's contract, or its TOML file. Without one a module is fed the epochs as they are, in MNE's units, and five
        outputs are taken to be W, N1, N2, N3 and REM.
    trusted : bool
        Whether files that run code when they are opened may be opened. No such format is read yet.
    device : str | torch.device | None
        Where to put the model. By default it stays where it is.

    Returns
    -------
    stager : Stager
        The model and its contract.

    Raises
    ------
    ModelError
        If there is no such model, or it cannot be copied.
    SpecError
        If the spec is not one, or the model has its own.
    MissingExtraError
        If the model needs a package that is not installed.
    """
    if isinstance(spec, str | Path):
        spec = ModelSpec.from_toml(spec)
    if spec is not None and isinstance(source, str | Stager):
        raise SpecError(
            "This stager has a contract of its own, which a spec cannot replace",
            seen=f"spec={spec.name!r} for {source!r}",
            remedy="Leave spec= out, or pass the bare torch.nn.Module with it",
        )
    if isinstance(source, str):
        if source not in _NAMED:
            raise ModelError(
                "There is no such model",
                seen=repr(source),
                allowed=list(_NAMED),
                remedy="Load your own network with torch and pass the nn.Module itself",
            )
        stager = _NAMED[source]()
    elif isinstance(source, Stager):
        stager = source
    elif callable(source):
        stager = Stager(source, spec or _bare_spec(source))
    else:
        raise ModelError(
            "A model must be a name, a torch.nn.Module or a callable", seen=type(source).__name__, allowed=list(_NAMED)
        )
    return stager if device is None else stager.to(device, stager.like.dtype)


def _bare_spec(source: Callable[..., Any]) -> ModelSpec:
    """What is taken for granted of a module without a spec."""
    return ModelSpec(
        name=type(source).__name__ if isinstance(source, torch.nn.Module) else getattr(source, "__name__", "stager"),
        assumed=("unit: V, as MNE stores it", "stages: W, N1, N2, N3, REM, by convention", "scores: logits"),
    )
