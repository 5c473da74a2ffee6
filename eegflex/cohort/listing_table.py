"""Recordings that a table names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from eegflex.cohort.listing_files import of_files
from eegflex.cohort.recording import Recording, as_label
from eegflex.cohort.rows import read_rows
from eegflex.errors import ParameterError
from eegflex.readers.profiles import FilesCard

__all__ = ["of_table"]

#: The columns that are no covariates.
_OWN = ("recording", "hypnogram", "subject", "session")


def of_table(path: Path) -> list[Recording]:
    """The recordings of a table, with paths relative to it."""
    rows = read_rows(path, texts=_OWN)
    if not rows:
        return []
    if "recording" not in rows[0]:
        raise ParameterError(
            "The table has no column with the paths of recordings",
            seen=list(rows[0]),
            allowed="a column recording, and optionally hypnogram, subject and session",
        )
    return [_recording(path.parent, number, row) for number, row in enumerate(rows, 2)]


def _recording(folder: Path, number: int, row: dict[str, Any]) -> Recording:
    if row["recording"] is None:
        raise ParameterError(f"Row {number} of the table names no recording", seen=list(row.values()))
    file = folder / str(row["recording"])
    hypnogram = row.get("hypnogram")
    subject = _label("sub", row.get("subject"), number) or _named_after(file)
    session = _label("ses", row.get("session"), number)
    return Recording(
        f"sub-{subject}" + (f"_ses-{session}" if session else ""),
        file,
        None if hypnogram is None else folder / str(hypnogram),
        subject,
        session,
        {name: value for name, value in row.items() if name not in _OWN},
    )


def _label(entity: str, given: Any, number: int) -> str:
    """A label as BIDS has it; one that would lose a letter is refused, for another may be left of it."""
    text = "" if given is None else str(given).removeprefix(f"{entity}-")
    if not re.fullmatch(r"[0-9A-Za-z]*", text):
        raise ParameterError(
            f"Row {number} of the table has a label that BIDS does not take",
            seen=repr(text),
            allowed="letters and digits",
        )
    return text


def _named_after(file: Path) -> str:
    found = of_files([file], FilesCard(), file.parent)
    label = found[0].subject if found else as_label(file.name.split(".")[0])
    if not label:
        raise ParameterError("A file's name holds no letter or digit that could name it", seen=file)
    return label
