"""Physical units as files write them, and what one of them is in volts."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from eegflex.errors import UnitError

__all__ = ["Unit", "parse_unit", "user_unit"]

UnitKind = Literal["voltage", "other", "blank", "unknown"]

# After NFKC both micro signs are the Greek letter, and case is kept: mV and MV are not the same.
_VOLTS = {
    "V": 1.0,
    "v": 1.0,
    "volt": 1.0,
    "volts": 1.0,
    "mV": 1e-3,
    "mv": 1e-3,
    "millivolt": 1e-3,
    "millivolts": 1e-3,
    "μV": 1e-6,
    "μv": 1e-6,
    "uV": 1e-6,
    "uv": 1e-6,
    "UV": 1e-6,
    "Uv": 1e-6,
    "microV": 1e-6,
    "microv": 1e-6,
    "mcV": 1e-6,
    "mkV": 1e-6,
    "muV": 1e-6,
    "microvolt": 1e-6,
    "microvolts": 1e-6,
    "nV": 1e-9,
    "nv": 1e-9,
    "nanovolt": 1e-9,
    "nanovolts": 1e-9,
}

# fmt: off
_OTHER = frozenset((
    "ohm", "ohms", "ω", "kohm", "kω", "mohm",
    "%", "g", "mg", "g/s", "m/s2", "v/s", "mv/s", "μv/s", "h", "mh", "a", "ma", "μa", "w", "j", "k", "n",
    "s", "ms", "min", "hz", "khz", "bpm", "1/min", "/min", "tr/min", "rpm",
    "°", "deg", "degree", "degrees", "degreec", "degc", "°c", "c", "f", "lx", "lux",
    "pa", "hpa", "kpa", "mbar", "bar", "cmh2o", "cm", "mmh2o", "mmhg", "torr", "m", "mm",
    "db", "dba", "l", "l/s", "l/m", "l/min", "lpm", "ml", "ml/s",
    "boolean", "bool", "index", "position", "stage", "score",
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
    # a full stop may end a unit, but ".V" has lost its "u"
    key = _BLANK.sub("", unicodedata.normalize("NFKC", plain)).rstrip(".")
    if not key or key in {"-", "--", "none", "n/a", "?"}:
        return Unit(plain, "blank")
    volts = _VOLTS.get(key, _VOLTS.get(key.casefold() if len(key) > 2 else key))
    if volts is not None:
        return Unit(plain, "voltage", volts)
    return Unit(plain, "other" if key.casefold() in _OTHER else "unknown")


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
