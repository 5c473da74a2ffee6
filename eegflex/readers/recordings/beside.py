"""What a recording names beside itself, found out as MNE will find it, before MNE opens any of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
from mne._fiff.open import _get_next_fname, fiff_open
from mne.io.brainvision.brainvision import _aux_hdr_info
from mne.io.eeglab._eeglab import _check_for_scipy_mat_struct
from scipy.io import loadmat, whosmat

from eegflex.errors import EegflexError, RecordingError
from eegflex.utils.inside import check_hdf5, inside

__all__ = ["check_beside"]

#: The fields of an EEGLAB structure that name a file where they are text.
_EEGLAB_FIELDS = ("data", "datfile")


def check_beside(path: Path, name: str) -> None:
    """Refuse a recording that would make MNE read a file outside its folder.

    Parameters
    ----------
    path : Path
        The recording.
    name : str
        What its format is called.

    Raises
    ------
    RecordingError
        If it does, or MNE cannot read so much as the names.
    """
    path = path.absolute()  # not resolved: what is named lies where the link lies, if it is one
    if name == "EEGLAB":
        check_hdf5(path, RecordingError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MNE says them again when it reads
            for named in _NAMED[name](path):
                if named:
                    inside(path, named, RecordingError)
    except EegflexError:
        raise
    except Exception as error:
        raise RecordingError(f"MNE cannot read {path.name!r} as {name}", seen=error, remedy="Check the file") from error


def _of_brainvision(path: Path) -> Iterator[str]:
    _, header, section, *_ = _aux_hdr_info(str(path))
    yield header.get(section, "DataFile", fallback="")
    yield header.get(section, "MarkerFile", fallback="")
    yield path.with_suffix(".vmrk").name  # what MNE takes in place of markers that are not there


def _of_eeglab(path: Path) -> Iterator[str]:
    yield path.with_suffix(".fdt").name  # likewise
    waiting: list[Any] = [_structure(path)]
    while waiting:
        fields = waiting.pop()
        yield from (str(fields[key]) for key in _EEGLAB_FIELDS if isinstance(fields.get(key), str))
        waiting += [value for value in fields.values() if isinstance(value, dict)]


def _structure(path: Path) -> dict[str, Any]:
    """The parts of an EEGLAB file in which text may name another; samples that lie by themselves are not read."""
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            places = [file.get(f"{group}{key}") for group in ("", "EEG/") for key in _EEGLAB_FIELDS]
            texts = [own[()] for own in places if own is not None and own.attrs.get("MATLAB_class") == b"char"]
        return {"EEG": {str(n): {"data": "".join(map(chr, text.ravel()))} for n, text in enumerate(texts)}}
    wanted = [key for key, _, kind in whosmat(path) if key == "EEG" or (key in _EEGLAB_FIELDS and kind == "char")]
    found: dict[str, Any] = loadmat(path, variable_names=wanted, squeeze_me=True) if wanted else {}
    return {key: _check_for_scipy_mat_struct(value) for key, value in found.items()}


def _of_fif(path: Path) -> Iterator[Path]:
    """The parts that a recording was split into, each named by the one before; a name is checked before it is opened."""
    seen: list[Path] = []
    part: Path | None = path
    while part is not None and part.is_file():
        if part.resolve() in seen:
            raise RecordingError("The parts of the recording name each other in a circle", seen=part.name)
        seen.append(part.resolve())
        opened, tree, _ = fiff_open(part, verbose="ERROR")
        with opened:
            part = _get_next_fname(opened, part, tree)
        if part is not None:
            yield part


_NAMED: dict[str, Callable[[Path], Iterator[str | Path]]] = {
    "BrainVision": _of_brainvision,
    "EEGLAB": _of_eeglab,
    "FIF": _of_fif,
}
"""Name of the format: what a file of it names, or nothing."""
