"""Pickles, of trusted authors only: whole modules of old torch, estimators of scikit-learn."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import torch

from eegflex.errors import ModelError
from eegflex.stagers.formats.registry import ModelFile
from eegflex.stagers.formats.safety import names_in_pickle, refuse_unless_trusted
from eegflex.stagers.formats.weights import into_network

__all__ = ["load_pickle"]


#: Bytes of a pickle in which names are looked for: those of its outermost objects come first.
_LOOKED_AT = 2**22


def load_pickle(file: ModelFile) -> Any:
    """Unpickle a model, if the caller said that its author is trusted."""
    refuse_unless_trusted(file, "a pickle", () if file.trusted else _names(file))
    try:
        if file.path.suffix == ".joblib":
            import joblib

            loaded = joblib.load(file.path)
        else:
            loaded = _unpickled(file)
    except (pickle.UnpicklingError, ImportError, AttributeError, EOFError) as error:
        raise ModelError(
            f"This pickle cannot be opened: {error}",
            seen=file.path,
            remedy="Install the packages that it was written with",
        ) from error
    return into_network(loaded, file) if isinstance(loaded, Mapping) else loaded


def _unpickled(file: ModelFile) -> Any:
    """Of torch before 1.6, or plain."""
    try:
        return torch.load(file.path, map_location="cpu", weights_only=False)
    except (pickle.UnpicklingError, RuntimeError):
        return pickle.loads(file.path.read_bytes())  # noqa: S301  (the caller trusts it)


def _names(file: ModelFile) -> set[str]:
    """What it would import, as far as that can be told."""
    with file.path.open("rb") as opened:
        return names_in_pickle(opened.read(_LOOKED_AT))
