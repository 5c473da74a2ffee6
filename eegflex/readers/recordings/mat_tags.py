"""The tags of a MATLAB file of version 5, followed to the end before SciPy is let at it: a wrong one ends the process."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from eegflex.errors import RecordingError

__all__ = ["texts_in"]

_COMPRESSED, _MATRIX = 15, 14
_NAMES, _INTEGERS = (1, 16), (5, 6)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # type of numbers: bytes each
_CODECS = {1: "latin-1", 2: "latin-1", 3: "utf-16", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_WIDTHS = {**_SIZES, 16: 1, 17: 2, 18: 4}  # type of letters: bytes each, at least
_COMPLEX, _LOGICAL = 0x800, 0x200
_DEEPEST = 40


class _TagError(Exception):
    """What is wrong with a tag."""


def texts_in(path: Path, fields: frozenset[str]) -> list[str]:
    """Follow a file's tags to its end, and return the texts of some of its fields.

    Parameters
    ----------
    path : Path
        A MAT file of version 5, 6 or 7; it is read whole.
    fields : frozenset of str
        Names of variables or of fields of structures, at any depth.

    Returns
    -------
    texts : list of str
        What they hold where that is text.

    Raises
    ------
    RecordingError
        If a tag contradicts what it stands in: the file is damaged, or written to do damage.
    """
    raw = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(raw[126:128])
    texts: list[str] = []
    try:
        if order is None:
            raise _TagError("no byte order in its header")
        at = 128
        while at < len(raw):
            kind, size = struct.unpack_from(order + "II", raw, at)
            if at + 8 + size > len(raw):
                raise _TagError(f"{size} bytes from byte {at} on, of a file of {len(raw)}")
            whole = raw[at : at + 8 + size] if kind != _COMPRESSED else _unpacked(raw[at + 8 : at + 8 + size], order)
            walk = _Walk(whole, order, fields, texts)
            if walk.matrix("", 0) != len(whole):
                raise _TagError("a variable ends before its end")
            at += 8 + size
    except (_TagError, struct.error, zlib.error, UnicodeError) as wrong:
        raise RecordingError(
            f"{path.name!r} is a damaged MATLAB file", seen=wrong, remedy="Copy it again, or save it again in EEGLAB"
        ) from wrong
    return texts


def _unpacked(packed: bytes, order: str) -> bytes:
    """Unpack a variable, no further than it says that it reaches; zlib checks its sum."""
    machine = zlib.decompressobj()
    head = machine.decompress(packed, 8)
    _, size = struct.unpack(order + "II", head)
    whole = head + machine.decompress(machine.unconsumed_tail, size) + machine.decompress(machine.unconsumed_tail, 1)
    if len(whole) != size + 8 or not machine.eof:
        raise _TagError(f"a variable of {size} bytes unpacks to others")
    return whole


@dataclass
class _Walk:
    """A walk over one variable; each step begins at `at` and leaves it behind what it has read."""

    raw: bytes
    order: str
    fields: frozenset[str]
    texts: list[str]
    at: int = 0
    ends: list[int] = field(default_factory=list)

    def element(self, *kinds: int) -> tuple[int, int, int]:
        """Pass an element; give its type, and where its bytes begin and how many they are."""
        first, size = struct.unpack_from(self.order + "II", self.raw, self.at)
        small = first >> 16
        kind, size, begin = (first & 0xFFFF, small, self.at + 4) if small else (first, size, self.at + 8)
        end = self.at + 8 if small else begin + -(-size // 8) * 8
        if kind not in kinds or (small and size > 4) or end > self.ends[-1]:
            raise _TagError(f"an element of type {kind} and {size} bytes at byte {self.at}")
        self.at = end
        return kind, begin, size

    def numbers(self) -> list[int]:
        """Pass an element of 32-bit numbers."""
        kind, begin, size = self.element(*_INTEGERS)
        if size % 4:
            raise _TagError(f"{size} bytes of 32-bit numbers")
        letter = "i" if kind == 5 else "I"
        return list(struct.unpack_from(f"{self.order}{size // 4}{letter}", self.raw, begin))

    def name(self) -> str:
        _, begin, size = self.element(*_NAMES)
        return self.raw[begin : begin + size].decode("latin-1")

    def matrix(self, name: str, depth: int) -> int:
        """Pass an array of any class."""
        kind, size = struct.unpack_from(self.order + "II", self.raw, self.at)
        end = self.at + 8 + size
        if kind != _MATRIX or end > (self.ends[-1] if self.ends else len(self.raw)) or depth > _DEEPEST:
            raise _TagError(f"an array of type {kind} and {size} bytes at byte {self.at}, {depth} deep")
        self.at += 8
        if size:
            self.ends.append(end)
            self.array(name, depth)
            self.ends.pop()
        if self.at != end:
            raise _TagError(f"an array that ends at byte {self.at} and says {end}")
        return int(end)

    def array(self, name: str, depth: int) -> None:
        flags = (self.numbers() or [0])[0]
        kind = flags & 0xFF
        if kind == _OPAQUE:
            for _ in range(3):
                self.name()
            self.matrix("", depth + 1)
            return
        dims = self.numbers()
        if len(dims) < 2 or min(dims) < 0 or len(dims) > 32:
            raise _TagError(f"an array of shape {dims[:8]}")
        name = self.name() or name
        step = _CLASSES.get(kind)
        if step is None:
            raise _TagError(f"an array of class {kind}")
        step(self, _Array(name, dims, prod(dims), bool(flags & _COMPLEX), bool(flags & _LOGICAL), depth))

    def values(self, array: _Array) -> None:
        for _ in range(1 + array.is_complex):
            kind, _, size = self.element(*_SIZES)
            if size != array.count * _SIZES[kind]:
                raise _TagError(f"{size} bytes for {array.count} numbers of type {kind}")

    def letters(self, array: _Array) -> None:
        kind, begin, size = self.element(*_CODECS)
        # UTF has letters of several bytes, and MATLAB counts some as two
        fits = size <= 4 * array.count * _WIDTHS[kind] if kind in {16, 17, 18} else size == array.count * _WIDTHS[kind]
        if size and (size % _WIDTHS[kind] or not fits):
            raise _TagError(f"{size} bytes for {array.count} letters of type {kind}")
        if array.name in self.fields:
            codec = _CODECS[kind] + ("" if _WIDTHS[kind] == 1 else {"<": "-le", ">": "-be"}[self.order])
            self.texts.append(self.raw[begin : begin + size].decode(codec))

    def cells(self, array: _Array) -> None:
        self.enough(array.count)
        for _ in range(array.count):
            self.matrix(array.name, array.depth + 1)

    def structure(self, array: _Array) -> None:
        length = self.numbers()
        _, begin, size = self.element(*_NAMES)
        if len(length) != 1 or not 0 < length[0] <= 1024 or size % length[0]:
            raise _TagError(f"{size} bytes of names of fields, {length} each")
        names = [self.raw[k : k + length[0]].split(b"\0")[0] for k in range(begin, begin + size, length[0])]
        self.enough(array.count * len(names))
        for _ in range(array.count):
            for own in names:
                self.matrix(own.decode("latin-1"), array.depth + 1)

    def object(self, array: _Array) -> None:
        self.name()
        self.structure(array)

    def function(self, array: _Array) -> None:
        self.matrix("", array.depth + 1)

    def sparse(self, array: _Array) -> None:
        rows, columns = np.array(self.numbers()), np.array(self.numbers())
        fits = len(array.dims) == 2 and columns.size == array.dims[1] + 1 and columns[0] == 0
        fits = fits and bool((np.diff(columns) >= 0).all()) and columns[-1] <= rows.size
        if not fits or (rows.size and not 0 <= rows.min() <= rows.max() < array.dims[0]):
            raise _TagError(f"a sparse array of shape {array.dims} whose indices lie outside it")
        for _ in range(1 + array.is_complex):
            kind, _, size = self.element(*_SIZES)
            # those of a logical array call themselves double and are bytes
            least = columns[-1] * (1 if array.is_logical else _SIZES[kind])
            if not least <= size <= rows.size * _SIZES[kind]:
                raise _TagError(f"{size} bytes for {rows.size} numbers of type {kind}")

    def enough(self, count: int) -> None:
        """Refuse more parts than there are bytes for their tags."""
        if count * 8 > self.ends[-1] - self.at:
            raise _TagError(f"{count} parts in {self.ends[-1] - self.at} bytes")


@dataclass(frozen=True)
class _Array:
    name: str
    dims: list[int]
    count: int
    is_complex: bool
    is_logical: bool
    depth: int


_OPAQUE = 17
_CLASSES: dict[int, Callable[[_Walk, _Array], None]] = {
    1: _Walk.cells,
    2: _Walk.structure,
    3: _Walk.object,
    4: _Walk.letters,
    5: _Walk.sparse,
    **dict.fromkeys(range(6, 16), _Walk.values),
    16: _Walk.function,
}
"""Class of an array: what follows its name."""
