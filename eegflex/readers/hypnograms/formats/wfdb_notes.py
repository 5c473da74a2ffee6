"""WFDB annotation files with stages among their notes, as PhysioNet's Challenge of 2018 has them (``.arousal``).

The format is MIT's: words of 16 bits, little-endian, the upper 6 the kind and the lower 10 the samples since the
annotation before; some kinds carry more words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.text import decode_header, decode_text
from eegflex.utils.inside import inside

__all__ = ["NAME", "parse", "sniff"]

NAME = "WFDB annotations"
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63
_LAST = 49  # the largest kind that is an annotation of its own
_RATE = "## time resolution:"


@dataclass
class _Notes:
    """What a file notes: samples and texts, and the rate if the file gives it."""

    samples: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    rate: float | None = None
    whole: bool = False


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file begins like WFDB annotations of which one has a text."""
    notes = _read(head)
    # the last text may be cut; of chance's making they would not be printable
    return bool(notes.texts) and all(text.isprintable() for text in notes.texts[:5])


def parse(path: Path) -> Scoring:
    """Read the notes; each stage lasts until the next one."""
    notes = _read(path.read_bytes())
    if not notes.whole:
        raise HypnogramError("The annotation file is cut or damaged", seen=path.name, remedy="Copy it again")
    rate = notes.rate or _header_rate(path)
    if rate is None:
        raise HypnogramError(
            "The annotations count samples, and the sampling rate is not known",
            seen=path.name,
            remedy=f"Put the record's header, {path.stem}.hea, beside it",
        )
    # An event that begins or ends is noted as "(hypopnea" or "hypopnea)".
    return Scoring(
        np.array(notes.samples, dtype=float) / rate,
        np.zeros(len(notes.samples)),
        notes.texts,
        format=NAME,
        mixed=True,
        until_next=True,
        has_time=False,
    )


def _read(raw: bytes) -> _Notes:
    notes, at, time, place = _Notes(), 0, 0, None
    while at + 2 <= len(raw):
        word = raw[at] | raw[at + 1] << 8
        kind, value = word >> 10, word & 0x3FF
        at += 2
        if word == 0:
            notes.whole = True
            break
        if kind == _SKIP:
            if at + 4 > len(raw):
                break
            # high word first, each little-endian
            high, low = (int.from_bytes(raw[n : n + 2], "little") for n in (at, at + 2))
            time += int.from_bytes((high << 16 | low).to_bytes(4, "little"), "little", signed=True)
            at += 4
        elif kind == _AUX:
            _note(notes, raw[at : at + value], place)
            at += value + value % 2
        elif kind <= _LAST:
            time += value
            place = time
        elif kind not in (_NUM, _SUB, _CHN):
            break  # no kind of the format's
    return notes


def _note(notes: _Notes, raw: bytes, place: int | None) -> None:
    text = decode_header(raw)
    if text.startswith(_RATE):
        notes.rate = _number(text.removeprefix(_RATE))
    elif place is not None and not text.startswith("##"):
        notes.samples.append(place)
        notes.texts.append(text)


def _header_rate(path: Path) -> float | None:
    """Read the rate from the record's header: ``name n_signals rate[/...] ...``."""
    header = inside(path, path.with_suffix(".hea").name, HypnogramError)
    if not header.is_file():
        return None
    lines = [line.split() for line in decode_text(header.read_bytes()).splitlines() if line and line[0] != "#"]
    return _number(lines[0][2].partition("/")[0].partition("(")[0]) if lines and len(lines[0]) > 2 else None


def _number(text: str) -> float | None:
    text = text.strip()
    value = float(text) if text.replace(".", "", 1).isdecimal() else 0.0
    return value if 0 < value < 1e6 else None
