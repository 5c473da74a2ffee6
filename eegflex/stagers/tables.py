"""Tables of numbers beside a spec: files that hold nothing but numbers, read without running anything of theirs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eegflex.errors import SpecError
from eegflex.utils.files import check_input
from eegflex.utils.inside import inside

__all__ = ["read_table"]

#: Bytes of a file of statistics or of a filter bank, at most.
_LARGEST = 2**26


def read_table(named: str, key: str, folder: Path | None) -> npt.NDArray[np.float64]:
    """Read an array of numbers.

    Parameters
    ----------
    named : str
        The file, as it stands in the spec.
    key : str
        What the spec calls it; so is the array called, in a file that has several.
    folder : Path | None
        The folder of the spec, outside which no file of it lies. ``None``: the spec was written in Python, and the path is its
        author's.

    Returns
    -------
    table : array of float64
        Finite numbers.

    Raises
    ------
    SpecError
        If there is no such file, it is none of these formats, is damaged, or holds anything but finite real numbers.
    """
    path = Path(named) if folder is None else inside(folder / "the spec", named, SpecError)
    called = f"file of the spec's [input.spectrogram] {key}"
    check_input(path, SpecError, called)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise SpecError(f"The {called} has an unknown format", seen=path.name, allowed=sorted(_READERS))
    if path.stat().st_size > _LARGEST:
        raise SpecError(f"The {called} is too long", seen=path, allowed=f"{_LARGEST:,} bytes")
    try:
        found = reader(path, key)
    except SpecError:
        raise
    except Exception as error:  # of whatever a damaged file makes a library do
        raise SpecError(f"The {called} is damaged: {error}", seen=path) from error
    if found.dtype.kind not in "fiu":
        raise SpecError(f"The {called} holds no real numbers", seen=f"{path.name}: {found.dtype}")
    table = found.astype(np.float64)
    if not table.size or not np.isfinite(table).all():
        raise SpecError(f"The {called} has numbers that are not finite, or none", seen=f"{path.name}: {table.shape}")
    return table


def _of_npy(path: Path, _: str) -> npt.NDArray[np.generic]:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        heads = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in heads:
            raise SpecError("This .npy file has an unknown version", seen=version, allowed=list(heads))
        shape, _fortran, dtype = heads[version](file)
        # before memory is taken for what is not there
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != path.stat().st_size - file.tell():
            raise SpecError(
                f"{path.name} does not hold the numbers that it declares", seen=f"{short_shape(shape)} {dtype}"
            )
    found: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
    return found


def _of_safetensors(path: Path, key: str) -> npt.NDArray[np.generic]:
    from safetensors.torch import load_file

    tensors = load_file(path)
    if key not in tensors and len(tensors) != 1:
        raise SpecError(
            f"{path.name} has several arrays, and none called {key!r}", seen=list(tensors)[:10], allowed=[key]
        )
    tensor = tensors[key] if key in tensors else next(iter(tensors.values()))
    found: npt.NDArray[np.generic] = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    return found


def short_shape(shape: tuple[int, ...]) -> str:
    """A shape as a message shows it."""
    return f"({', '.join(map(str, shape[:6]))}{', ...' if len(shape) > 6 else ''})"


#: How files of each suffix are read: (file, what it is) -> array.
_READERS: dict[str, Callable[[Path, str], npt.NDArray[np.generic]]] = {
    ".npy": _of_npy,
    ".safetensors": _of_safetensors,
}
