"""The tags of a FIF file, followed once before MNE follows them: it would go round in a circle for ever."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from eegflex.errors import RecordingError

__all__ = ["check_tags"]

_TAG = struct.Struct(">4i")  # kind, type, size, place of the next (0: behind this one; below 0: none)
_MOST_EMPTY = 100  # tags of nothing but zeros


def check_tags(path: Path) -> None:
    """Refuse a FIF file whose tags have no end.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordingError
        If they go round in a circle, or are zeros, as where a copy was given room and never filled.
    """
    seen: set[int] = set()
    at, empty, back = 0, 0, 0
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while at >= 0 and empty <= _MOST_EMPTY and back <= _MOST_EMPTY:
            file.seek(at)
            head = file.read(_TAG.size)
            if len(head) < _TAG.size:
                return
            _, _, size, following = _TAG.unpack(head)
            empty += not any(head)
            seen.add(at)
            step = at + _TAG.size + size if following == 0 else following
            back += step <= at
            if following < 0:
                return
            if step in seen:
                break
            at = step
    raise RecordingError(
        f"{path.name!r} is a damaged FIF file",
        seen=f"{empty} empty tags" if empty > _MOST_EMPTY else f"a tag at byte {at} that leads back",
        remedy="Copy it again, or save it again",
    )
