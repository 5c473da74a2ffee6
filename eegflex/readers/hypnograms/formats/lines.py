"""One stage a line: text or csv with a single column, and .npy with one dimension. There is no time in them."""

from __future__ import annotations

import re
from itertools import dropwhile
from pathlib import Path

import numpy as np

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import MOST_ENTRIES, read_text
from eegflex.readers.stage_numbers import parse_code
from eegflex.readers.stage_words import parse_label
from eegflex.readers.text import decode_text, is_text

__all__ = ["NAME", "parse", "sniff"]

NAME = "one stage per line"
_NPY = b"\x93NUMPY"
_HEADERS = {"stage", "stages", "hypnogram", "hypno", "sleep_stage", "sleep stage", "label"}
_HEAD = 4096  # bytes by which a file is known
_LONGEST_LINE = 8 * MOST_ENTRIES  # characters of all stages in one line
_LONGEST = 40  # characters: no stage has a longer label


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file holds one short entry a line, or a numpy array."""
    if head.startswith(_NPY):
        return True
    if not is_text(head) and b"\x00" not in head:
        return False
    text = decode_text(head)
    if _in_one_line(text, cut=len(head) >= _HEAD):
        return True
    lines = _entries(text)[:50]
    # the last line of the head may be cut; a separator in it would still show
    return bool(lines) and all(len(line) <= _LONGEST and not set(line) & set(",;\t<>{}=") for line in lines)


def parse(path: Path) -> Scoring:
    """Read the entries; onsets and durations count epochs, not seconds, until the length of one is known."""
    with path.open("rb") as file:
        is_array = file.read(len(_NPY)) == _NPY
    if is_array:
        labels = _array(path)
    else:
        text = read_text(path)
        labels = _in_one_line(text) or _entries(text)
    if labels and labels[0].casefold() in _HEADERS:
        labels = labels[1:]
    return Scoring.of_epochs(labels, format=NAME)


def _in_one_line(text: str, *, cut: bool = False) -> list[str]:
    """Split a file of one line into its stages; none where it is no such line. A last entry that is cut counts for none."""
    line = text.strip("\r\n\t \ufeff[]")
    entries = (
        [] if "\n" in line or "\r" in line or len(line) > _LONGEST_LINE else re.split(r"[,;\s]\s*", line.rstrip(",;"))
    )
    entries = [entry.strip("\"'") for entry in (entries[:-1] if cut else entries)]
    fits = len(entries) > 1 and all(
        parse_code(entry) is not None or parse_label(entry) is not None for entry in set(entries)
    )
    return entries if fits else []


def _entries(text: str) -> list[str]:
    """Split into entries; blank lines count, as unscored, but not at the ends, where there may be comments above."""
    lines = list(dropwhile(lambda line: line.startswith("#"), text.strip("\r\n\t \ufeff").splitlines()))
    return [line.strip().rstrip(",;").strip(" \t\"'") for line in lines]


def _array(path: Path) -> list[str]:
    try:
        # mapped, so that a size that the file does not have cannot be asked for
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise HypnogramError(
            "The .npy file cannot be read", seen=error, remedy="Save it with numpy.save again"
        ) from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iufUSb":
        raise HypnogramError(
            "The .npy file is not a list of stages",
            seen=f"shape {np.shape(array)}, {array.dtype}",
            allowed="one dimension, of whole numbers or text",
            remedy="Save the stages alone",
        )
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (array == np.round(array))
        return [str(int(value)) if ok else str(value) for value, ok in zip(array, whole, strict=True)]
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in array.tolist()]
