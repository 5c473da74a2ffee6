"""Arrays that are shown and not given away."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

__all__ = ["read_only"]


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same numbers, which nobody who is given them can change in place."""
    found = array.view()
    found.flags.writeable = False
    return found
