"""Opening a file, and saying plainly what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

from eegflex.errors import EmptyRecordingError, HypnogramError, RecordingError
from eegflex.readers.text import decode_text, is_text
from eegflex.utils.files import check_input

__all__ = ["begin", "open_head"]


def open_head(path: Path, what: str = "recording") -> bytes:
    """Return the first 4096 bytes of a file.

    Parameters
    ----------
    path : Path
        The file.
    what : {"recording", "hypnogram"}
        What it should be, for the error.

    Raises
    ------
    RecordingError, HypnogramError
        If it does not exist, is no file, or may not be read.
    EmptyRecordingError, HypnogramError
        If it is empty.
    """
    error = HypnogramError if what == "hypnogram" else RecordingError
    check_input(path, error, what)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as failure:
        raise error(f"The {what} cannot be opened", seen=failure, remedy="Check its permissions") from failure
    if not head:
        kind = HypnogramError if what == "hypnogram" else EmptyRecordingError
        raise kind(f"The {what} is empty", seen=f"{path} has 0 bytes", remedy="Copy or export the file again")
    return head


def begin(head: bytes) -> str:
    """Quote how a file begins: the first word of a text, else the first bytes; never so far that a name could be in it."""
    if not is_text(head):
        return repr(head[:8])
    return repr(re.split(r"[:=,;\t\r\n]", decode_text(head[:60]).lstrip("\ufeff"), maxsplit=1)[0][:24])
