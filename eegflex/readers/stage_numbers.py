"""Numbers of stages: what they mean in each coding, and when that cannot be told.

Codes that mean REM in one convention and stage 4 in another are refused until the user says which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eegflex.errors import HypnogramError, ParameterError, check_choice, shorten
from eegflex.readers.stage_words import parse_label
from eegflex.stages import NOT_STAGED, STAGES

__all__ = [
    "AS_SAID",
    "CODINGS",
    "check_coding",
    "check_labels",
    "named_stage",
    "parse_code",
    "parse_codes",
    "tell_unscored",
    "to_stages",
]


#: The coding where the user says what each label means.
AS_SAID = "as said"
_SAME = {0: "W", 1: "N1", 2: "N2", 3: "N3"}


#: What the numbers of each convention mean.
CODINGS: dict[str, dict[int, str]] = {
    "aasm": {**_SAME, 4: "REM", 5: "UNSCORED", 8: "UNSCORED", 9: "UNSCORED", -1: "UNSCORED", -2: "UNSCORED"},
    "rk": {**_SAME, 4: "N3", 5: "REM", 6: "MOVEMENT", 7: "UNSCORED", 9: "UNSCORED", -1: "UNSCORED", -2: "UNSCORED"},
    "dreams": {5: "W", 4: "REM", 3: "N1", 2: "N2", 1: "N3", 0: "N3", -1: "MOVEMENT", -2: "UNSCORED", -3: "UNSCORED"},
}


_NUMBER = re.compile(r"[+-]?\d+(?:\.0*)?", re.ASCII)


_LONGEST_NUMBER = 16  # characters
_LAST_STAGE = 4  # the largest code that is a stage in every coding


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


def check_labels(labels: Mapping[Any, str] | None) -> dict[str, str]:
    """Return what a user says that labels mean, by the label without blanks around it, in small letters.

    Raises
    ------
    ParameterError
        If it is no mapping of labels to stages.
    """
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise ParameterError("labels must map labels of the file to stages", seen=type(labels).__name__)
    for stage in labels.values():
        if stage not in (*STAGES, *NOT_STAGED):
            raise ParameterError(
                "labels maps to a name that is not a stage", seen=repr(stage), allowed=[*STAGES, *NOT_STAGED]
            )
    return {_key(str(label)): stage for label, stage in labels.items()}


def named_stage(label: str, named: Mapping[str, str]) -> str | None:
    """Return the stage that a user says a label is, or None; 1 and 1.0 are one code."""
    return named.get(_key(label)) if named else None


def _key(label: str) -> str:
    code = parse_code(label)
    return " ".join(label.split()).casefold() if code is None else str(code)


def to_stages(
    labels: Sequence[str], coding: str = "auto", named: Mapping[str, str] | None = None
) -> tuple[list[str], str]:
    """Understand a list of labels that must all be stages.

    Parameters
    ----------
    labels : sequence of str
        Labels or numbers as written.
    coding : str
        "auto", or a key of `CODINGS`.
    named : mapping of str to str | None
        What the user says of labels, as `check_labels` returns it; the others are read as without it.

    Returns
    -------
    stages : list of str
        Canonical names.
    coding : str
        "labels", or the numeric coding used; "as said" where the user says what each means.

    Raises
    ------
    HypnogramError
        If a label is not known, or the numbers can be read in two ways.
    """
    check_coding(coding)
    said = {label: stage for label in set(labels) if (stage := named_stage(label, named or {})) is not None}
    if said:
        others = [label for label in labels if label not in said]
        rest, used = _to_stages(others, coding) if others else ([], AS_SAID)
        known = iter(rest)
        return [said[label] if label in said else next(known) for label in labels], used
    return _to_stages(labels, coding)


def _to_stages(labels: Sequence[str], coding: str) -> tuple[list[str], str]:
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
        "A stage label is unknown",
        seen=f"{shorten(label, 100)!r}, {count} times, first as entry {place + 1}",
        allowed=[*STAGES, *NOT_STAGED, "Sleep stage W", "Sleep stage 1", "..."],
        remedy='Give its stage with labels={"...": "N2"}, or rename it in the hypnogram to one of these',
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
                remedy=f"Name the right one with coding= ({', '.join(CODINGS)}), or define each code with "
                'labels={"1": "REM", ...}',
            )
    return [meaning[code] for code in codes], coding


def tell_unscored(labels: Sequence[str], stages: Sequence[str], coding: str) -> list[str]:
    """Tell of codes from 5 on that have no stage in the coding, which may be stages in another."""
    codes = Counter(
        code
        for label, stage in zip(labels, stages, strict=True)
        if stage == "UNSCORED" and (code := parse_code(label)) is not None and code > _LAST_STAGE
    )
    return [
        f"code {code} ({count} entries) is no stage in the coding {coding!r}: UNSCORED" for code, count in codes.items()
    ]


def _decide(counts: Counter[int]) -> str:
    if 4 in counts:
        readings = ", ".join(f"{code}: {count}" for code, count in sorted(counts.items()))
        raise HypnogramError(
            "The stage codes can be read in two ways",
            seen=f"epochs by code {readings}; 4 is REM in 'aasm' ({counts[4]} epochs of REM) and stage 4 in 'rk' "
            f"({counts[3] + counts[4]} of N3, {counts[5]} of REM)",
            allowed=[f"coding={name!r}" for name in CODINGS],
            remedy='Choose with coding=, or define each code with labels={"0": "W", ...}',
        )
    return "rk" if {5, 6, 7} & set(counts) else "auto"
