"""Text out of files: headers, labels and tables of any encoding."""

from __future__ import annotations

import codecs

__all__ = ["decode_header", "decode_text", "is_text"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_header(raw: bytes) -> str:
    """Decode a field of a header: UTF-8 where it is valid, else latin-1; NULs are padding.

    A field that was cut in the middle of a UTF-8 character loses only that character.
    """
    raw = raw.replace(b"\x00", b" ").strip()
    for end in range(len(raw), max(len(raw) - 3, 0), -1):
        try:
            text = raw[:end].decode("utf-8")
        except UnicodeDecodeError:
            continue
        # Cutting must have removed the head of a character, not a latin-1 letter at the end of an ASCII word.
        if end == len(raw) or not text.isascii():
            return _repair(text)
    return raw.decode("latin-1").strip()


def _repair(text: str) -> str:
    """Undo UTF-8 that was read as latin-1 and encoded again ("ImpÃ©dance")."""
    try:
        return text.encode("latin-1").decode("utf-8").strip() if not text.isascii() else text.strip()
    except UnicodeError:
        return text.strip()


def decode_text(raw: bytes) -> str:
    """Decode a text file: by its byte-order mark, else UTF-8, else latin-1."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file look like text."""
    if any(head.startswith(mark) for mark, _ in _MARKS):
        return True
    return bool(head) and not any(byte < 9 or 13 < byte < 32 for byte in head)
