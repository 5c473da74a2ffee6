"""What the extra `cohort` brings."""

from __future__ import annotations

import importlib
from typing import Any

from eegflex.errors import MissingExtraError

__all__ = ["from_extra"]


def from_extra(name: str) -> Any:
    """Import a module that comes with the extra `cohort`.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"A cohort needs {name.split('.')[0]}, which is not installed", "cohort") from error
