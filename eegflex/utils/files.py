"""Files are read if they are files, and written whole or not at all: everything that is written goes through here."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from eegflex.errors import EegflexError, OutputError
from eegflex.utils.stopping import held

if TYPE_CHECKING:
    import pandas as pd

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has other locks; there, what a dead run leaves stays
    fcntl = None

__all__ = ["check_input", "check_output", "same_file", "write_table", "write_together", "write_tree", "write_whole"]

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


#: Temporary folders: what they are called, the file in them that their maker holds locked, and the age in s from which one
#: without that file is nobody's.
_PREFIX, _SUFFIX, _LOCK, _STALE = ".eegflex-", ".tmp", ".lock", 86400.0


def check_output(fname: str | Path, *, overwrite: bool, inputs: Iterable[str | Path] = ()) -> Path:
    """Refuse an output file before any work is done for it.

    Parameters
    ----------
    fname : path-like
        The file to be written; of a link, the file that it names.
    overwrite : bool
        Whether a file of that name may be replaced.
    inputs : iterable of path-like
        Files, and folders of files, that are never replaced, under whatever name.

    Returns
    -------
    path : Path
        As given.

    Raises
    ------
    OutputError
        If it is there already, is write-protected, an input, a directory or a device, or its directory is missing or cannot
        be written to.
    """
    path = Path(fname)
    target, mode = _target(path)
    if mode is not None:
        _check_replaceable(path, target, mode, overwrite=overwrite, inputs=inputs)
    if not target.parent.is_dir():
        raise OutputError("The output's directory does not exist", seen=path.parent, remedy="Create it first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError("The output's directory cannot be written to", seen=path.parent, remedy="Choose another one")
    return path


def _target(path: Path) -> tuple[Path, int | None]:
    """The file that a name leads to, by way of links, and its mode; None if it is not there yet."""
    try:
        target = path.resolve()
        return target, target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return target, None
    except (OSError, RuntimeError, ValueError) as failure:  # links in a circle, names that no system takes
        reason = getattr(failure, "strerror", None) or failure
        raise OutputError(
            f"The output cannot be written: {reason}", seen=f"{str(path)!r:.200}", remedy="Choose another name"
        ) from None


def _check_replaceable(path: Path, target: Path, mode: int, *, overwrite: bool, inputs: Iterable[str | Path]) -> None:
    """Refuse what is there and must stay."""
    if stat.S_ISDIR(mode):
        raise OutputError("The output is a directory, not a file", seen=path, remedy="Name a file in it")
    if not stat.S_ISREG(mode):
        special = next((words for test, words in _SPECIAL if test(mode)), "no file")
        raise OutputError(f"The output is {special}, not a file", seen=path, remedy="Name a file")
    if any(same_file(target, one) for given in inputs for one in _files_of(Path(given))):
        raise OutputError(
            "The output is an input file, which would be lost", seen=path, remedy="Choose another name for the output"
        )
    if not overwrite:
        raise OutputError(
            "The output file already exists",
            seen=path,
            remedy="Choose another name, or pass overwrite=True (--overwrite)",
        )
    if not os.access(target, os.W_OK):
        raise OutputError("The output file is write-protected", seen=path, remedy="Choose another name")


def _files_of(path: Path) -> Iterator[Path]:
    """A file, or all files in a folder."""
    try:
        yield from (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else (path,)
    except (OSError, ValueError):
        return


def same_file(one: Path, other: Path) -> bool:
    """Whether two names are of one file, which is there."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # what is not there is not the same
        return False


def write_whole(
    fname: str | Path,
    write: Callable[[Path], object],
    *,
    overwrite: bool,
    inputs: Iterable[str | Path] = (),
) -> Path:
    """Write a file whole, or not at all; see `write_together`.

    Parameters
    ----------
    fname : path-like
        The file.
    write : callable
        ``write(temporary)`` writes the file at the path that it is given.
    overwrite : bool
        Whether a file of that name may be replaced.
    inputs : iterable of path-like
        What is never replaced.

    Returns
    -------
    path : Path
        As given.

    Raises
    ------
    OutputError
        As `check_output`, or if writing fails. Nothing half-written is left, and an older file is as it was.
    """
    (path,) = write_together([fname], lambda parts: write(parts[0]), overwrite=overwrite, inputs=inputs)
    return path


def write_together(
    fnames: Sequence[str | Path],
    write: Callable[[Sequence[Path]], object],
    *,
    overwrite: bool,
    inputs: Iterable[str | Path] = (),
) -> tuple[Path, ...]:
    """Write files under temporary names beside their own, have the disk say that it has them, then rename them.

    A link stays and the file that it names is written; a file that is replaced keeps its permissions. Signals wait until the
    files are there; a second one does not. What runs that are dead left in the directory is removed.

    Parameters
    ----------
    fnames : sequence of path-like
        The files.
    write : callable
        ``write(temporaries)`` writes them at the paths that it is given.
    overwrite : bool
        Whether files of these names may be replaced.
    inputs : iterable of path-like
        What is never replaced.

    Returns
    -------
    paths : tuple of Path
        As given.

    Raises
    ------
    OutputError
        As `check_output`, or if writing fails. Nothing half-written is left, and older files are as they were.
    """
    inputs = tuple(inputs)
    paths = tuple(check_output(fname, overwrite=overwrite, inputs=inputs) for fname in fnames)
    targets = [_target(path)[0] for path in paths]
    with held(), _said(paths[0]), contextlib.ExitStack() as stack:
        folders = {parent: stack.enter_context(_own_folder(parent)) for parent in {one.parent for one in targets}}
        parts = [folders[target.parent] / target.name for target in targets]
        write(parts)
        _move(parts, targets)
    return paths


def write_tree(root: str | Path, write: Callable[[Path], object]) -> None:
    """Write files into a folder and those in it, all of them or none.

    Parameters
    ----------
    root : path-like
        The folder; made if need be.
    write : callable
        ``write(temporary)`` makes them in a folder that it is given, where they are to be in `root`. Files of these names are
        replaced.

    Raises
    ------
    OutputError
        If one of them is no file, or writing fails.
    """
    root = Path(root)
    with held(), _said(root), contextlib.ExitStack() as stack:
        made = not root.exists()
        root.mkdir(parents=True, exist_ok=True)
        if made:
            stack.callback(_remove_empty, root)
        folder = stack.enter_context(_own_folder(root.resolve()))
        write(folder / "root")
        parts = sorted(one for one in (folder / "root").rglob("*") if one.is_file())
        places = [root / part.relative_to(folder / "root") for part in parts]
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
        _move(parts, [_target(check_output(place, overwrite=True))[0] for place in places])


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say what the system says, in words of ours."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"The file could not be written: {error.strerror or error}",
            seen=path,
            remedy="Use an existing, writable directory with enough space",
        ) from error


def _move(parts: Sequence[Path], targets: Sequence[Path]) -> None:
    """Put files where they belong, once they are on the disk and not only on their way there."""
    for part, target in zip(parts, targets, strict=True):
        with contextlib.suppress(FileNotFoundError):
            old = target.stat()
            shutil.copymode(target, part)
            with contextlib.suppress(OSError, AttributeError):  # only some may, and Windows has no owners
                os.chown(part, old.st_uid, old.st_gid)
        _sync(part)
    for part, target in zip(parts, targets, strict=True):
        part.replace(target)
    for parent in {target.parent for target in targets}:
        with contextlib.suppress(OSError):  # not every system can
            _sync(parent)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty, then
        folder.rmdir()


@contextlib.contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder in a directory, held while this block, or the process, lives."""
    _sweep(parent)
    with contextlib.ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX, suffix=_SUFFIX))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            number = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            stack.callback(os.close, number)
            _lock(number)
            if (folder / _LOCK).exists():  # if not, another run took it for a dead one's before it was locked
                break
        yield folder


def _lock(number: int) -> bool:
    """Whether an open file is now locked by this process, and by none other."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody has it, or the file system knows no locks
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove what dead runs have left: folders of ours that nobody holds."""
    for folder in parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if folder.is_dir() and not folder.is_symlink() and _is_dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    try:
        number = os.open(folder / _LOCK, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _STALE
    try:
        return _lock(number)
    finally:
        os.close(number)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table of epochs as CSV: numbers to six digits, but for the column ``onset``, a time of the night in s."""
    exact = table.assign(onset=table["onset"].round(6).astype(str))
    exact.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
