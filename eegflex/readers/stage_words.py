"""Stage labels, and what they mean.

A label counts only as a whole: "NREM" without a number, "light" or "deep" are no stages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["bare_label", "is_sleep_stage", "looks_like_stage", "parse_label"]


def _numbered(number: int) -> list[str]:
    forms = (
        "n{}; nrem{}; nrem {}; s{}; stage {}; stage n{}; sleep stage {}; sleep stage n{}; stage {} sleep|{}; sleep-s{}"
    )
    return forms.replace("{}", str(number)).split("; ")


# "" is a blank line between two stages.
# fmt: off
_LABELS: dict[str, Sequence[str]] = {
    "W": ["w", "wa", "wk", "wake", "awake", "wakefulness", "wach", "éveil", "stage w", "sleep stage w", "wake|0",
          "sleep-s0", "s0"],
    "N1": _numbered(1),
    "N2": _numbered(2),
    "N3": [*_numbered(3), *_numbered(4), "s3/4", "stage 3/4", "sleep stage 3/4", "sws"],
    "REM": ["r", "rem", "rem sleep", "rem sleep|5", "stage r", "sleep stage r", "sleep stage rem", "sleep-rem",
            "paradoxal"],
    "MOVEMENT": ["m", "mt", "movement", "movement|6", "movement time", "sleep-mt", "bewegung", "stage mvt", "stage mt"],
    "ARTIFACT": ["a", "art", "artefact", "artefakt", "artifact"],
    "UNSCORED": ["?", "u", "nd", "nde", "uns", "-", "", "empty", "unknown", "undefined", "unscored", "unscored|9",
                 "sleep stage ?", "stage ?", "stage no stage", "no stage", "sleep-unscored"],
}
# fmt: on
_STAGE_OF = {label: stage for stage, labels in _LABELS.items() for label in labels}


_LIKE_A_STAGE = re.compile(r"(sleep )?stage\b|sleep-s\w?\b|nrem\b")
#: Types of BrainVision's markers, which MNE writes before their texts: "Comment/N2". "Stimulus/S1" is a trigger.
_MARKER = re.compile(
    r"^(?:(?:comment|event|user|sleep ?stage|sleep|stage|scoring|hypnogram)|(?:stimulus|response)(?!/ ?[sr] ?\d))/"
)
_DASHED = re.compile(r"((?:sleep )?stage) ?[-:=] ?")  # "Stage - N2" is "Stage N2"
_LONGEST = 60  # characters: no stage has a longer label


def bare_label(label: str) -> str:
    """Reduce a label to what names a stage: in small letters, without the type of a marker and spare blanks."""
    text = unicodedata.normalize("NFKC", label[: 2 * _LONGEST]).strip().casefold()
    text = _MARKER.sub("", re.sub(r"[\s_]+", " ", text).strip(), count=1)
    return _DASHED.sub(r"\1 ", text, count=1).strip()


def parse_label(label: str) -> str | None:
    """Return the stage that a label names, or None."""
    return _STAGE_OF.get(bare_label(label))


def is_sleep_stage(label: str) -> bool:
    """Whether a label says itself that it is a stage, as EDF+ has it ("Sleep stage N2", "Movement time")."""
    text = bare_label(label)
    return text.startswith("sleep stage") or text == "movement time"


def looks_like_stage(label: str) -> bool:
    """Whether a label begins like a stage, so that it cannot be passed over as some other event."""
    return _LIKE_A_STAGE.match(bare_label(label)) is not None
