"""Hypnograms as JSON: YASA's, and lists of one stage an epoch as the Dreem Open Datasets' scorers have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from eegflex.errors import HypnogramError
from eegflex.readers.hypnograms.clock import lay, parse_stamp
from eegflex.readers.hypnograms.scoring import Scoring
from eegflex.readers.hypnograms.tables import first_lines
from eegflex.readers.recordings.source import Start
from eegflex.readers.text import decode_text

__all__ = ["NAME", "parse", "sniff"]

NAME = "JSON (YASA, Dreem)"


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file begins like a JSON object or a list of numbers or texts."""
    text = "".join(first_lines(head)).replace(" ", "")[:2]
    return text[:1] == "{" or (text[:1] == "[" and text[1:2] in set('"-0123456789]'))


def parse(path: Path) -> Scoring:
    """Read YASA's object, or a list that begins with the recording."""
    try:
        content = json.loads(decode_text(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise HypnogramError(f"{path.name!r} is not valid JSON", seen=error, remedy="Save it again") from error
    if isinstance(content, list):
        return Scoring.of_epochs(_labels(content), format=NAME)
    return _yasa(content)


def _labels(values: Any) -> list[str]:
    plain = isinstance(values, list) and all(
        isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)) for value in values
    )
    if not plain:
        raise HypnogramError(
            "The JSON holds no list of stages",
            seen=type(values).__name__,
            allowed="texts or whole numbers, one an epoch",
        )
    return [str(value) for value in values]


def _yasa(content: Any) -> Scoring:
    if not isinstance(content, dict) or not {"values", "n_stages", "freq"} <= set(content):
        seen = sorted(map(str, content))[:8] if isinstance(content, dict) else type(content).__name__
        raise HypnogramError("The JSON is not a hypnogram", seen=seen, allowed="YASA's: values, n_stages, freq, start")
    if content["n_stages"] != 5:
        raise HypnogramError(
            "The hypnogram does not tell all stages apart",
            seen=f"n_stages {content['n_stages']}",
            allowed="5: W, N1, N2, N3, REM",
            remedy="Give the hypnogram before its stages were merged",
        )
    labels, epoch = _labels(content["values"]), _seconds(content["freq"])
    stamp = parse_stamp(content["start"]) if isinstance(content.get("start"), str) else None
    start = Start() if stamp is None else lay([stamp])[1]
    return Scoring.of_epochs(labels, epoch, start=start, format=NAME, has_time=stamp is not None)


def _seconds(freq: Any) -> float:
    try:
        seconds = float(pd.Timedelta(freq).total_seconds()) if isinstance(freq, str) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not seconds > 0:
        raise HypnogramError("The length of an epoch cannot be read", seen=repr(freq), allowed="such as '30s'")
    return seconds
