"""Layouts: how the axes of a model's tensors are arranged, in einops' words."""

from __future__ import annotations

import re
from collections import Counter

from eegflex.errors import SpecError

__all__ = ["AXES", "axes_of", "check_layout"]

#: What the letters of layouts mean.
AXES = {
    "b": "batch",
    "e": "epoch of the window",
    "c": "channel",
    "t": "time",
    "w": "window of the spectrogram",
    "f": "frequency of the spectrogram",
    "s": "stage",
    "k": "part of an epoch",
}

#: Single letters and 1, apart or together in brackets.
_PATTERN = re.compile(r"\s*(?:(?:[a-z1]|\(\s*[a-z1](?:\s+[a-z1])*\s*\))(?:\s+|(?=\()|$))+")


def axes_of(layout: str) -> list[str]:
    """The axes that a layout names, in its order."""
    return re.findall(r"[a-z]", layout)


def check_layout(layout: str, called: str, *, needed: str, axes: str) -> None:
    """Refuse what is no layout.

    Parameters
    ----------
    layout : str
        The layout.
    called : str
        Its name in a message.
    needed, axes : str
        The axes that it must have, and those that it may.

    Raises
    ------
    SpecError
        Naming the layout, its key, and the axes.
    """
    named = Counter(axes_of(layout))
    sound = _PATTERN.fullmatch(layout) and set(needed) <= set(named) <= set(axes) and set(named.values()) == {1}
    if not sound:
        raise SpecError(
            f"The spec's {called} is not an einops pattern of these axes",
            seen=repr(layout),
            allowed=f"{', '.join(f'{axis} {AXES[axis]}' for axis in axes)}, each once at most, and 1; "
            f"{' and '.join(needed)} must be there",
        )
