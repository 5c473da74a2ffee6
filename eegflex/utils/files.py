"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from eegflex.errors import OutputError

__all__ = ["check_output", "write_whole"]


def check_output(fname: str | Path, *, overwrite: bool) -> Path:
    """Refuse an output file before any work is done for it.

    Parameters
    ----------
    fname : path-like
        The file to be written.
    overwrite : bool
        Whether a file of that name may be replaced.

    Returns
    -------
    path : Path

    Raises
    ------
    OutputError
        If it is there already, is a directory, or its directory is missing or cannot be written to.
    """
    path = Path(fname)
    if path.is_dir():
        raise OutputError("The output is a directory, not a file", seen=path, remedy="Name a file in it")
    if path.exists() and not overwrite:
        raise OutputError(
            "The output file is there already",
            seen=path,
            remedy="Choose another name, or pass overwrite=True (--overwrite)",
        )
    if not path.parent.is_dir():
        raise OutputError("The output's directory does not exist", seen=path.parent, remedy="Make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError("The output's directory cannot be written to", seen=path.parent, remedy="Choose another one")
    return path


def write_whole(fname: str | Path, write: Callable[[Path], object], *, overwrite: bool) -> Path:
    """Write a file under a temporary name in its own directory, then rename it.

    Parameters
    ----------
    fname : path-like
        The file.
    write : callable
        ``write(temporary)`` writes the file at the path that it is given.
    overwrite : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    OutputError
        As `check_output`, or if writing fails. Nothing half-written is left.
    """
    path = check_output(fname, overwrite=overwrite)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".eegflex-") as folder:
            temporary = Path(folder) / path.name
            write(temporary)
            temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"The file could not be written: {error.strerror or error}",
            seen=path,
            remedy="Name a directory that exists, may be written to and has room",
        ) from error
    return path
