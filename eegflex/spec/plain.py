"""Plain values: what a spec may hold, so that whoever writes, hashes or prints it later can."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["LARGEST", "short", "unfit"]

#: Whole numbers of TOML have 64 bits.
LARGEST = 2**63 - 1
#: Tables in tables.
_DEEPEST = 32
#: Characters of a value that a message shows.
_SHOWN = 200


def short(value: Any) -> str:
    """A value as a message shows it: not at any length, and whatever it is.

    Examples
    --------
    >>> from eegflex.spec.plain import short
    >>> short("100 Hz"), len(short("x" * 10_000)), short(10**5000)
    ("'100 Hz'", 204, 'a int that is too large to show')
    """
    try:
        text = repr(value)
    except Exception:  # numbers of thousands of digits, lists in lists in lists
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def unfit(value: Any, *, lines: bool = False) -> str:
    r"""What hinders a value from being written, printed and read again; empty for nothing.

    Parameters
    ----------
    value : object
        Texts, numbers, and lists and tables of them; what is none of these is passed over.
    lines : bool
        Whether texts may have several lines.

    Examples
    --------
    >>> from eegflex.spec.plain import unfit
    >>> unfit(["N1", "N2"]), unfit({"a": [10**30]}), unfit("N\x001")
    ('', 'a whole number of more than 64 bits', 'a control character')
    """
    waiting = [(value, 0)]
    while waiting:
        own, depth = waiting.pop()
        if isinstance(own, str) and _is_odd(own, lines):
            return "a control character"
        if isinstance(own, int) and abs(own) > LARGEST:
            return "a whole number of more than 64 bits"
        if depth > _DEEPEST:
            return f"tables in tables, more than {_DEEPEST}"
        if isinstance(own, dict):
            waiting += [(part, depth + 1) for pair in own.items() for part in pair]
        elif isinstance(own, list | tuple):
            waiting += [(part, depth + 1) for part in own]
    return ""


#: What turns the direction of all that is written behind it.
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def _is_odd(text: str, lines: bool) -> bool:
    allowed = "\n\r\t" if lines else ""
    return any(
        (unicodedata.category(letter) in {"Cc", "Cs"} or letter in _TURNING) and letter not in allowed
        for letter in text
    )
