"""The seal of a file: a hash of all that is before it, so that one that was damaged or cut is not even opened."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from eegflex.errors import EegflexError

__all__ = ["check_seal", "is_sealed", "seal"]

_BEGIN = b"\neegflex seal sha256 "
_LENGTH = len(_BEGIN) + 64 + 1
_SEAL = re.compile(re.escape(_BEGIN) + b"([0-9a-f]{64})\n")
_BLOCK = 1 << 20  # bytes


def seal(path: Path) -> None:
    """Write a seal behind what a file holds; HDF5 takes no notice of what comes after its own end."""
    text = _BEGIN + _hash(path, path.stat().st_size).encode() + b"\n"
    with path.open("ab") as file:
        file.write(text)


def is_sealed(path: Path) -> bool:
    """Whether a file ends in a seal, be it broken or not."""
    return bool(_SEAL.fullmatch(_end(path)))


def check_seal(path: Path, error: type[EegflexError], what: str) -> None:
    """Refuse a file that is not as it was sealed.

    Parameters
    ----------
    path : Path
        The file.
    error : type
        What to raise.
    what : str
        What it is, such as ``"result"``.

    Raises
    ------
    EegflexError
        An `error`, if it has no seal, or that of another content.
    """
    found = _SEAL.fullmatch(_end(path))
    if found is None:
        raise error(
            f"The {what} has no checksum at its end: it was truncated, or another program wrote it",
            seen=path,
            remedy="Copy it again; for a dataset of your own, FlexResult(dataset).save writes a result",
        )
    if found[1].decode() != _hash(path, path.stat().st_size - _LENGTH):
        raise error(
            f"The {what} is damaged: its checksum does not match", seen=path, remedy="Copy it again, or create it again"
        )


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _LENGTH, 0))
        return file.read(_LENGTH)


def _hash(path: Path, size: int) -> str:
    """Hash of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
