"""The annotation signal of EDF+ and BDF+: time-stamped lists of texts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from eegflex.readers.text import decode_header

__all__ = ["parse_record"]

# onset, duration after \x15, and texts between \x14; some writers leave the sign of the onset out.
_TAL = re.compile(rb"([+-]?\d+(?:[.,]\d*)?)(?:\x15(\d+(?:[.,]\d*)?))?\x14(.*)", re.DOTALL)


def parse_record(raw: bytes) -> tuple[float | None, list[tuple[float, float | None, str]], int]:
    """Read the annotations of one data record.

    Parameters
    ----------
    raw : bytes
        The bytes of the annotation signal in one record.

    Returns
    -------
    time : float | None
        When the record starts, in s: the onset of its first list if that list begins with an empty text.
    texts : list of (onset, duration, text)
        Its annotations, in s; a duration that is not given is None.
    broken : int
        How many lists could not be read.
    """
    time: float | None = None
    texts: list[tuple[float, float | None, str]] = []
    broken = 0
    for place, tal in enumerate(_lists(raw)):
        match = _TAL.fullmatch(tal)
        if match is None:
            broken += 1
            continue
        onset, duration = _number(match[1]), (None if match[2] is None else _number(match[2]))
        entries = match[3].rstrip(b"\x14").split(b"\x14")
        if place == 0 and not entries[0]:
            time = onset
        texts += [(onset, duration, decode_header(entry)) for entry in entries if entry.strip()]
    return time, texts, broken


def _lists(raw: bytes) -> Iterator[bytes]:
    return (tal for tal in raw.split(b"\x00") if tal)


def _number(text: bytes) -> float:
    value = float(text.replace(b",", b"."))
    return value if math.isfinite(value) else 0.0
