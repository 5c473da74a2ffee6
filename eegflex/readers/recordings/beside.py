"""What a recording names beside itself, found out as MNE will find it, before MNE opens any of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
from mne._fiff.open import _get_next_fname, fiff_open
from mne.io.brainvision.brainvision import _aux_hdr_info

from eegflex.errors import EegflexError, RecordingError
from eegflex.readers.recordings.fif_tags import check_tags
from eegflex.readers.recordings.guard import reason
from eegflex.readers.recordings.mat_tags import texts_in
from eegflex.utils.inside import data_sets, inside

__all__ = ["check_beside"]

#: The fields of an EEGLAB structure that name a file where they are text.
_EEGLAB_FIELDS = frozenset({"data", "datfile"})


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MNE says them again when it reads
            for named in _NAMED[name](path):
                if named:
                    inside(path, named, RecordingError)
    except EegflexError:
        raise
    except Exception as error:
        raise RecordingError(
            f"MNE cannot read {path.name!r} as {name}", seen=reason(error), remedy="Check the file"
        ) from error


def _of_brainvision(path: Path) -> Iterator[str]:
    _, header, section, *_ = _aux_hdr_info(str(path))
    yield header.get(section, "DataFile", fallback="")
    yield header.get(section, "MarkerFile", fallback="")
    yield path.with_suffix(".vmrk").name  # what MNE takes in place of markers that are not there


def _of_eeglab(path: Path) -> Iterator[str]:
    yield path.with_suffix(".fdt").name  # likewise
    if not h5py.is_hdf5(path):
        yield from texts_in(path, _EEGLAB_FIELDS)
        return
    with h5py.File(path, "r") as file:
        for where, own in data_sets(file, path, RecordingError).items():
            if where.rpartition("/")[2] in _EEGLAB_FIELDS:
                yield from (_text(part) for part in _parts(file, own) if part.attrs.get("MATLAB_class") == b"char")
    if find_spec("pymatreader") is None:
        raise RecordingError(
            f"{path.name!r} is an EEGLAB file of MATLAB 7.3 (HDF5), and the package that reads these is not installed",
            remedy="Install it with: pip install 'eegflex[eeglab]'; or save the file in EEGLAB without the option of 7.3",
        )


def _parts(file: h5py.File, own: h5py.Dataset) -> list[h5py.Dataset]:
    """What a data set is, or refers to."""
    refers = h5py.check_ref_dtype(own.dtype) is not None
    return [file[part] for part in own[()].ravel() if part] if refers else [own]


def _text(own: h5py.Dataset) -> str:
    return "".join(map(chr, np.ravel(own[()])))


def _of_fif(path: Path) -> Iterator[Path]:
    """The parts that a recording was split into, each named by the one before; a name is checked before it is opened."""
    seen: list[Path] = []
    part: Path | None = path
    while part is not None and part.is_file():
        if part.resolve() in seen:
            raise RecordingError("The parts of the recording refer to each other in a circle", seen=part.name)
        seen.append(part.resolve())
        check_tags(part)
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
