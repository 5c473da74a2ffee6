"""Numbers of stages: what they mean in each coding, and when that cannot be told.

Codes that mean REM in one convention and stage 4 in another are refused until the user says which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from eegflex.errors import HypnogramError, check_choice
from eegflex.readers.stage_words import parse_label
from eegflex.stages import NOT_STAGED, STAGES

__all__ = ["CODINGS", "check_coding", "parse_code", "parse_codes", "to_stages"]


_SAME = {0: "W", 1: "N1", 2: "N2", 3: "N3"}


#: What the numbers of each convention mean.
CODINGS: dict[str, dict[int, str]] = {
    "aasm": {**_SAME, 4: "REM", 5: "UNSCORED", 9: "UNSCORED", -1: "UNSCORED", -2: "UNSCORED"},
    "rk": {**_SAME, 4: "N3", 5: "REM", 6: "MOVEMENT", 7: "UNSCORED", 9: "UNSCORED", -1: "UNSCORED", -2: "UNSCORED"},
    "dreams": {5: "W", 4: "REM", 3: "N1", 2: "N2", 1: "N3", 0: "N3", -1: "MOVEMENT", -2: "UNSCORED", -3: "UNSCORED"},
}


_NUMBER = re.compile(r"[+-]?\d+(?:\.0*)?", re.ASCII)


_LONGEST_NUMBER = 16  # characters


def parse_code(label: str) -> int | None:
    """Return the whole number that a label is, or None."""
    text = label.strip()
    return int(float(text)) if len(text) < _LONGEST_NUMBER and _NUMBER.fullmatch(text) else None


def check_coding(coding: str) -> str:
    """Return a coding that is known.

    Raises
    ------
    ParameterError
        If it is not.
    """
    check_choice("coding", coding, ("auto", *CODINGS))
    return coding


def to_stages(labels: Sequence[str], coding: str = "auto") -> tuple[list[str], str]:
    """Understand a list of labels that must all be stages.

    Parameters
    ----------
    labels : sequence of str
        Labels or numbers as written.
    coding : str
        "auto", or a key of `CODINGS`.

    Returns
    -------
    stages : list of str
        Canonical names.
    coding : str
        "labels", or the numeric coding used.

    Raises
    ------
    HypnogramError
        If a label is not known, or the numbers can be read in two ways.
    """
    check_coding(coding)
    numeric = {label: code for label in set(labels) if (code := parse_code(label)) is not None}
    if not numeric:
        return _words(labels), "labels"
    words = {label for label in set(labels) - set(numeric) if parse_label(label) != "UNSCORED"}
    if not words:
        # marks such as "?" among numbers are unscored whatever the numbers mean
        stages, used = parse_codes([numeric[label] for label in labels if label in numeric], coding)
        known = iter(stages)
        return [next(known) if label in numeric else "UNSCORED" for label in labels], used
    return _mixed(labels, numeric), "labels"


def _words(labels: Sequence[str]) -> list[str]:
    found = {label: parse_label(label) for label in set(labels)}
    for place, label in enumerate(labels):
        if found[label] is None:
            raise _unknown(label, labels.count(label), place)
    return [found[label] or "" for label in labels]


def _mixed(labels: Sequence[str], numeric: Mapping[str, int]) -> list[str]:
    """W, 1, 2, 3, 4, R: beside an R the numbers are stages, and 4 is stage 4."""
    stages = {parse_label(label) for label in set(labels) - set(numeric)}
    meaning = {1: "N1", 2: "N2", 3: "N3"} | ({4: "N3"} if "REM" in stages else {}) | ({} if "W" in stages else {0: "W"})
    known = {label: meaning.get(numeric[label]) if label in numeric else parse_label(label) for label in set(labels)}
    for place, label in enumerate(labels):
        if known[label] is None:
            raise _unknown(label, labels.count(label), place)
    return [known[label] or "" for label in labels]


def _unknown(label: str, count: int, place: int) -> HypnogramError:
    return HypnogramError(
        "A stage label is not known",
        seen=f"{label!r}, {count} times, first as entry {place + 1}",
        allowed=[*STAGES, *NOT_STAGED, "Sleep stage W", "Sleep stage 1", "..."],
        remedy="Rename it in the hypnogram to one of these",
    )


def parse_codes(codes: Sequence[int], coding: str = "auto") -> tuple[list[str], str]:
    """Understand stage codes.

    Parameters
    ----------
    codes : sequence of int
        The codes.
    coding : str
        "auto", or a key of `CODINGS`.

    Returns
    -------
    stages : list of str
        Canonical names.
    coding : str
        The coding used: "auto" where both mean the same.

    Raises
    ------
    HypnogramError
        If "auto" cannot decide between REM and stage 4, or a code is not in the coding.
    """
    counts = Counter(codes)
    if coding == "auto":
        coding = _decide(counts)
    meaning = CODINGS["rk" if coding == "auto" else coding]
    for place, code in enumerate(codes):
        if code not in meaning:
            raise HypnogramError(
                f"A stage code is not in the coding {coding!r}",
                seen=f"{code}, {counts[code]} times, first as entry {place + 1}",
                allowed=sorted(meaning),
                remedy=f"Name the right one with coding=: {', '.join(CODINGS)}",
            )
    return [meaning[code] for code in codes], coding


def _decide(counts: Counter[int]) -> str:
    if 4 in counts:
        readings = ", ".join(f"{code}: {count}" for code, count in sorted(counts.items()))
        raise HypnogramError(
            "The stage codes can be read in two ways",
            seen=f"epochs by code {readings}; 4 is REM in 'aasm' ({counts[4]} epochs of REM) and stage 4 in 'rk' "
            f"({counts[3] + counts[4]} of N3, {counts[5]} of REM)",
            allowed=[f"coding={name!r}" for name in CODINGS],
            remedy="Say which with coding=",
        )
    return "rk" if {5, 6, 7} & set(counts) else "auto"
