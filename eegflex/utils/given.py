"""What is given as an argument, read: whole numbers, choices of epochs, and any value as JSON has it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eegflex.errors import ParameterError

__all__ = [
    "MOST_SEED",
    "SEEDS",
    "Span",
    "check_count",
    "check_number",
    "plain",
    "put_counts",
    "selection",
    "whole_number",
]


def whole_number(value: Any) -> int | None:
    """A whole number, of whatever type; None for anything else."""
    if isinstance(value, bool | str):
        return None
    try:
        return int(value) if int(value) == value else None
    except (TypeError, ValueError, OverflowError):
        return None


#: Seeds that everything that is drawn by takes, and an EDF's header has room for.
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Span:
    """From where to where a count may be, and whether None leaves it to a default."""

    least: int = 1
    most: int | None = None
    default: bool = False


#: Where seeds lie.
SEEDS = Span(0, MOST_SEED)


def check_number(name: str, value: Any, least: float, most: float, words: str = "a number") -> float:
    """A number as Python has it, of whatever type it was given; refuse what is none, or beyond its bounds."""
    try:
        number = np.nan if isinstance(value, bool | str | bytes) or np.ndim(value) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not least <= number <= most:
        raise ParameterError(f"{name} must be {words}", seen=f"{value!r:.80}", allowed=f"{least:g} to {most:,g}")
    return number


def check_count(name: str, value: Any, span: Span = Span()) -> int | None:
    """A count as a Python integer, of whatever type it was given; refuse what is no whole number, or out of its span."""
    if value is None and span.default:
        return None
    count = whole_number(value)
    if count is None or count < span.least or (span.most is not None and count > span.most):
        words = f"{name} must be a positive whole number{' or 0' * (span.least == 0)}"
        allowed = None if span.most is None else f"{span.least} to {span.most:,}"
        raise ParameterError(words, seen=f"{value!r:.80}", allowed=allowed)
    return count


def put_counts(settings: Any, spans: Mapping[str, Span]) -> None:
    """Put the counts of a frozen dataclass in their place as Python integers, or refuse them."""
    for name, span in spans.items():
        object.__setattr__(settings, name, check_count(name, getattr(settings, name), span))


#: Numbers of epochs as text, such as "12, 20-25"; and the most that anybody has.
_NUMBERS = re.compile(r"\s*\d{1,7}(?:\s*-\s*\d{1,7})?(?:\s*,\s*\d{1,7}(?:\s*-\s*\d{1,7})?)*\s*")
_MOST_NUMBERS = 100_000


def selection(given: Any) -> str | tuple[int, ...] | tuple[bool, ...] | None:
    """What selects epochs: a query; numbers, as text too; or a boolean for each epoch."""
    if given is None or isinstance(given, str):
        return given if given is None or not _NUMBERS.fullmatch(given) else _numbers(given)
    try:
        values = np.atleast_1d(np.asarray(given))
    except ValueError:
        values = np.empty((0, 0))
    if values.ndim != 1 or not values.size or values.dtype.kind not in "biu":
        raise ParameterError(
            "select must be numbers of epochs, a boolean for each epoch, or a query", seen=f"{given!r:.200}"
        )
    return tuple(values.tolist())


def _numbers(text: str) -> tuple[int, ...]:
    ends = [[int(word) for word in part.split("-")] for part in text.split(",")]
    if sum(own[-1] - own[0] + 1 for own in ends) > _MOST_NUMBERS or any(own[-1] < own[0] for own in ends):
        raise ParameterError("select names ranges that are none of a night's", seen=text[:200])
    return tuple(number for own in ends for number in range(own[0], own[-1] + 1))


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list) and all(isinstance(part, bool | int | str) for part in value):
        return list(value)
    if isinstance(value, np.generic):
        return value.item()
    array = np.ascontiguousarray(np.asarray(value))
    return f"array:{hashlib.sha256(f'{array.dtype}{array.shape}'.encode() + array.tobytes()).hexdigest()[:16]}"
