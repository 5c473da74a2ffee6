"""Files that point at others: what they name lies in their own folder and no link leads out of it, or it is not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eegflex.errors import EegflexError

__all__ = ["check_hdf5", "data_sets", "inside"]

#: What reading damaged HDF5 raises; the last is h5py's own trouble.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, SystemError)


def inside(path: Path, named: str | Path, error: type[EegflexError]) -> Path:
    """The file that another one names.

    Parameters
    ----------
    path : Path
        The file that names it. It may be a link itself: its folder is where the link lies.
    named : path-like
        The name, as it stands in the file.
    error : type
        What to raise.

    Returns
    -------
    where : Path
        The file, without links. It need not be there.

    Raises
    ------
    EegflexError
        An `error`, if the name or a link leads out of the folder of `path`, or to something that is no file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from eegflex.errors import RecordingError
    >>> from eegflex.utils.inside import inside
    >>> inside(Path("nights/one.vhdr"), "one.eeg", RecordingError).name
    'one.eeg'
    >>> inside(Path("nights/one.vhdr"), "../two.eeg", RecordingError)
    Traceback (most recent call last):
    eegflex.errors.RecordingError: one.vhdr names a file outside its own folder. Got '../two.eeg'. ...
    """
    try:
        folder = path.parent.resolve()
        where = (folder / named).resolve()
        fits, is_file = where.is_relative_to(folder), where.is_file() or not where.exists()
    except (OSError, RuntimeError, ValueError):  # links in a circle, names that no system takes
        fits = is_file = False
    if not (fits and is_file):
        raise error(
            f"{path.name} names {'something that is no file' if fits else 'a file outside its own folder'}",
            seen=f"{str(named)!r:.200}",
            remedy="Put the file itself in the same folder: links and paths outside it are not followed",
        )
    return where


def check_hdf5(path: Path, error: type[EegflexError]) -> None:
    """Refuse an HDF5 file that takes data from others; what cannot be opened as HDF5 passes.

    Parameters
    ----------
    path : Path
        The file.
    error : type
        What to raise.

    Raises
    ------
    EegflexError
        An `error`, if it is damaged or has links, virtual data sets or data sets that are stored elsewhere.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except _DAMAGE:  # whoever is going to read it says so
        return
    with file:
        try:
            data_sets(file, path, error)
        except _DAMAGE as damage:
            if isinstance(damage, EegflexError):
                raise
            raise error(f"{path.name} is damaged", seen=damage, remedy="Copy it again") from damage


def data_sets(file: Any, path: Path, error: type[EegflexError]) -> dict[str, Any]:
    """All data sets of an open HDF5 file, by name, if their values are its own.

    Parameters
    ----------
    file : h5py.File
        The file.
    path : Path
        What it is called.
    error : type
        What to raise.

    Raises
    ------
    EegflexError
        An `error`, as `check_hdf5`.
    """
    import h5py

    found: dict[str, Any] = {}
    elsewhere: list[str] = []

    def look(name: str, link: Any) -> None:
        own = file[name] if isinstance(link, h5py.HardLink) else None
        if isinstance(own, h5py.Dataset):
            found[name] = own
        if own is None or (name in found and (own.is_virtual or own.external)):
            elsewhere.append(name)

    file.visititems_links(look)
    if elsewhere:
        raise error(
            f"{path.name} has data in other files",
            seen=elsewhere[:3],
            allowed="data sets of its own, and no links",
            remedy="Do not open it; ask its author for one file that holds everything",
        )
    return found
