"""What failed in a cohort, by the kind of its error, without a word that names a file, a folder or a machine."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Failure", "failures_of", "told"]

#: Files that hold recordings, stages, models and results, by their suffixes.
_SUFFIXES = (
    "edf|bdf|gdf|rec|set|fdt|vhdr|vmrk|eeg|fif|mat|h5|hdf5|hdf|xml|tsv|csv|txt|nc|json|toml|npz|npy|zip|gz|dat|ann|hyp|"
    "apa|st|annot|mff|cnt|edfz|parquet|pt|pt2|pth|onnx|keras|safetensors"
)
#: What may name a person or a machine, and what is told in its place; in this order.
_NAMING: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        # an address: of a scheduler, a worker, a store
        (r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+", "an address"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "an address"),
        (r"\b[a-z][\w.-]*:\d{4,5}\b", "an address"),
        (r"\b[\w.-]+@[\w-]+(?:\.[\w-]+)+\b", "an address"),
        # a file between quotes, whatever its name
        (rf"(['\"`])[^'\"`\n]*(?:[\\/][^'\"`\n]*|\.(?:{_SUFFIXES}))\1", "the file"),
        # an absolute path, or one from here or from home; spaces only before something that is a file
        (
            rf"(?<![\w/<])(?:[a-z]:[\\/]|\\\\|~?/|\.{{1,2}}[\\/])(?:[^\n'\"<>:;,]*?\.(?:{_SUFFIXES})\b|[^\s'\"<>:;,)\]]+)",
            "the file",
        ),
        # a name or a relative path that ends like a file, with the capitalised words before it: Anna Smith.edf
        (rf"(?:(?-i:[A-Z])[\w'-]*[ ,]+)*[^\s'\"<>()\[\]=:;,]+\.(?:{_SUFFIXES})\b", "the file"),
    )
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: Words of an error that are told.
_LONGEST = 400
#: And read: what a file holds may be as long as it likes.
_MOST_READ = 4000


def told(text: object) -> str:
    """Return what an error says, without what may name a person or a machine.

    Examples
    --------
    >>> told("Cannot read /data/anna smith/night 1.edf: 3 of 20 records")
    'Cannot read the file: 3 of 20 records'
    >>> told("The worker at tcp://10.0.0.3:8786 died, at 12.5 uV/bit")
    'The worker at an address died, at 12.5 uV/bit'
    """
    found = "" if text is None or text != text else str(text)[:_MOST_READ]  # NaN, of a table
    for pattern, words in _NAMING:
        found = pattern.sub(words, found)
    found = re.sub(r"\s+", " ", found).strip()
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1]}…"


@dataclass(frozen=True)
class Failure:
    """Recordings that failed in one way.

    Attributes
    ----------
    error, remedy : str
        What was wrong with the first of them, or with most, and what to do.
    recordings : tuple of (str, str)
        Each recording, and its own error.
    """

    error: str
    remedy: str
    recordings: tuple[tuple[str, str], ...]

    @property
    def differ(self) -> bool:
        """Whether their errors differ in their numbers."""
        return len({error for _, error in self.recordings}) > 1


def failures_of(recordings: pd.DataFrame) -> list[Failure]:
    """Put the recordings that failed together by their errors, whatever the numbers in these; the most frequent first."""
    failed = recordings[recordings["status"] == "failed"]
    kinds: dict[str, list[tuple[str, str, str]]] = {}
    for name, error, remedy in zip(failed.index.astype(str), failed["error"], failed["remedy"], strict=True):
        said = told(error) or "It failed without a message"
        kinds.setdefault(_NUMBER.sub("0", said), []).append((name, said, told(remedy)))
    found = [
        Failure(
            Counter(error for _, error, _ in own).most_common(1)[0][0],
            Counter(remedy for _, _, remedy in own).most_common(1)[0][0],
            tuple((name, error) for name, error, _ in own),
        )
        for own in kinds.values()
    ]
    return sorted(found, key=lambda one: -len(one.recordings))
