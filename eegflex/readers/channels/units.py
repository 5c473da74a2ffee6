"""Physical units as files write them, and what one of them is in volts."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import product
from typing import Literal

from eegflex.errors import UnitError

__all__ = ["Unit", "parse_unit", "user_unit"]

UnitKind = Literal["voltage", "other", "blank", "unknown"]

# Case is kept in letters: mV and MV are not the same. After NFKC both micro signs are the Greek letter.
_PREFIXES = {
    "": 1.0,
    **dict.fromkeys(("m", "milli"), 1e-3),
    **dict.fromkeys(("u", "U", "μ", "mc", "mk", "mu", "micro"), 1e-6),
    **dict.fromkeys(("n", "nano"), 1e-9),
}
_VOLTAGE = re.compile(r"(?P<prefix>[^\W\d_]*?)[-_]?(?:[Vv](?:olts?|OLTS?|olt\(s|OLT\(S)?)")

_RUSSIAN = {"В": 1.0, "мВ": 1e-3, "мкВ": 1e-6, "нВ": 1e-9}

# What a program makes of the sign of a millionth that wrote one encoding and reads another.
_WRITTEN = ("utf-8", "cp437", "cp1253", "cp1251", "koi8-r", "cp866", "shift_jis", "gbk", "big5", "euc_kr", "mac_greek")
_READ = ("latin-1", "cp1252")  # as we do, where it is not UTF-8
_READ_UTF8 = (*_READ, "cp437", "cp850", "cp1251", "mac_roman")


def _garbled() -> set[str]:
    found = set[str]()
    for text in ("µV", "μV", "мкВ"):
        ways = [*product(_WRITTEN, _READ), *product(("utf-8",), _READ_UTF8)]
        for written, read in ways:
            try:
                key = _key(text.encode(written).decode(read))
            except UnicodeError:
                continue
            found |= set() if key.isascii() else {key}
    return found


# fmt: off
_OTHER = frozenset((
    "ohm", "ohms", "ω", "kohm", "kω", "mohm",
    "%", "g", "mg", "g/s", "m/s2", "v/s", "mv/s", "μv/s", "h", "mh", "a", "ma", "μa", "w", "j", "k", "n",
    "s", "ms", "min", "hz", "khz", "bpm", "1/min", "/min", "tr/min", "rpm",
    "°", "deg", "degree", "degrees", "degreec", "degc", "°c", "c", "f", "lx", "lux",
    "pa", "hpa", "kpa", "mbar", "bar", "cmh2o", "cm", "mmh2o", "mmhg", "torr", "m", "mm",
    "db", "dba", "l", "l/s", "l/m", "l/min", "lpm", "ml", "ml/s",
    "aru", "boolean", "bool", "index", "position", "stage", "score",
))
# fmt: on

_BLANK = re.compile(r"\s+")


@dataclass(frozen=True)
class Unit:
    """A unit as written, and what it is.

    Attributes
    ----------
    text : str
        The unit as written in the file, repaired.
    kind : {"voltage", "other", "blank", "unknown"}
        What it is.
    volts : float
        One of it, in volts; NaN unless `kind` is "voltage".
    """

    text: str
    kind: UnitKind
    volts: float = float("nan")


def parse_unit(text: str) -> Unit:
    """Read a unit as a file writes it.

    Parameters
    ----------
    text : str
        The unit, such as ``"uV"``, ``"µV"``, ``"Ohm"`` or ``""``.

    Returns
    -------
    unit : Unit
        Its kind, and its size in volts where it is a voltage.
    """
    plain = text.strip().strip("[]()").strip()
    key = _key(plain)
    if not key or key in {"-", "--", "none", "n/a", "?"}:
        return Unit(plain, "blank")
    volts = _volts(key)
    if volts is not None:
        return Unit(plain, "voltage", volts)
    return Unit(plain, "other" if key.casefold() in _OTHER else "unknown")


def _key(text: str) -> str:
    # a full stop may end a unit, but ".V" has lost its "u"
    return _BLANK.sub("", unicodedata.normalize("NFKC", text)).rstrip(".")


def _volts(key: str) -> float | None:
    match = _VOLTAGE.fullmatch(key)
    if match is None:
        return _WHOLE.get(key)
    prefix = match["prefix"]
    known = _PREFIXES.get(prefix, _PREFIXES.get(prefix.casefold() if len(prefix) > 1 else prefix))
    return _WHOLE.get(key) if known is None else known


def user_unit(text: str) -> Unit:
    """Read a unit that the user gave, which must be known.

    Raises
    ------
    UnitError
        If it is not known.
    """
    unit = parse_unit(text)
    if unit.kind in {"blank", "unknown"}:
        raise UnitError(
            "units has a unit that is not known",
            seen=repr(text),
            allowed=["V", "mV", "uV", "nV"],
            remedy="Give the unit that the recording was scaled in",
        )
    return unit


_WHOLE = {**dict.fromkeys(_garbled(), 1e-6), **_RUSSIAN}
