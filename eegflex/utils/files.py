"""Files are read if they are files, and written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from eegflex.errors import EegflexError, OutputError

__all__ = ["check_input", "check_output", "write_whole"]

#: What a path may be beside a file and a folder: opening one of these waits for ever, or reads without an end.
_SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_input(fname: str | Path, error: type[EegflexError], what: str, *, folder: bool = False) -> Path:
    """Refuse what is no file before it is opened.

    Parameters
    ----------
    fname : path-like
        What is to be read; links are followed.
    error : type
        What to raise.
    what : str
        What it should be, such as ``"recording"``.
    folder : bool
        Whether it may be a folder.

    Returns
    -------
    path : Path

    Raises
    ------
    EegflexError
        An `error`, if it is not there, cannot be looked at, or is a pipe, a socket, a device, or a folder that it may not be.

    Examples
    --------
    >>> from eegflex.errors import RecordingError
    >>> from eegflex.utils.files import check_input
    >>> check_input("nights", RecordingError, "recording")
    Traceback (most recent call last):
    eegflex.errors.RecordingError: There is no such recording. Got nights. Check the path.
    """
    path = Path(fname)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"There is no such {what}", seen=path, remedy="Check the path") from None
    except (OSError, ValueError) as failure:  # no right to look, a loop of links, a name that no system takes
        reason = getattr(failure, "strerror", None) or failure
        raise error(
            f"The {what} cannot be opened: {reason}", seen=repr(str(path))[:200], remedy="Check the path"
        ) from None
    special = next((words for test, words in _SPECIAL if test(mode)), None)
    if special is not None:
        raise error(f"The {what} is {special}, not a file", seen=path, remedy="Write it into a file, and give that")
    if stat.S_ISDIR(mode) and not folder:
        raise error(f"The {what} is a directory", seen=path, remedy="Give the file in it")
    return path


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
