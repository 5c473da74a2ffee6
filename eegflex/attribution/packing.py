"""What is to be explained, for other processes: large arrays lie in files that all of them share, the rest is pickled once."""

from __future__ import annotations

import dataclasses
from io import BufferedWriter
from pathlib import Path
from typing import Any, cast

import cloudpickle
import numpy as np
import torch

from eegflex.attribution.request import Request
from eegflex.stagers.passes import found_of, take_over
from eegflex.staging import StagedNight

__all__ = ["pack", "unpack"]

#: Arrays from so many bytes on are shared.
LARGE = 2**20


def pack(request: Request, folder: Path, **more: Any) -> None:
    """Write a request into a folder, and whatever else is to go with it.

    The recording itself stays: what explains needs the segments, which the stager is given.

    Raises
    ------
    Exception
        Of whatever kind, if something of it cannot be pickled, such as a model that holds a lock.
    """
    with (folder / "packed").open("wb") as file:
        _Packer(file, folder).dump((_without_recording(request), more, _Known()))


def unpack(folder: Path) -> tuple[Request, dict[str, Any]]:
    """What `pack` wrote. Arrays are mapped, and copied only where they are written to.

    Which way to compute slopes is right was found by whoever packed it, and is not tried again: at the border of what is
    allowed another input might say something else, and the last bits would differ.
    """
    with (folder / "packed").open("rb") as file:
        request, more, known = cloudpickle.load(file)
    for module, found in known:
        take_over(module, found)
    return request, more


def _without_recording(request: Request) -> Request:
    return dataclasses.replace(
        request, night=_bare(request.night), asked_of=request.asked_of and _bare(request.asked_of)
    )


def _bare(night: StagedNight) -> StagedNight:
    return dataclasses.replace(night, epochs=cast(Any, None))


class _Known:
    """Stands for what was found of all modules that were pickled before it."""


class _Packer(cloudpickle.CloudPickler):  # type: ignore[misc]  # it has no types
    """Functions and classes that only the caller's program has go by value; large arrays and TorchScript by files."""

    def __init__(self, file: BufferedWriter, folder: Path) -> None:
        super().__init__(file)
        self._folder, self._n_files = folder, 0
        self._modules: list[torch.nn.Module] = []

    def reducer_override(self, of: Any) -> Any:
        """How an object is pickled."""
        if isinstance(of, torch.nn.Module) and found_of(of):
            self._modules.append(of)
        if isinstance(of, _Known):  # the last of all
            return list, ([(module, found_of(module)) for module in self._modules],)
        if type(of) is np.ndarray and of.nbytes >= LARGE and not of.dtype.hasobject:
            return _mapped, (self._saved(of),)
        if type(of) is torch.Tensor and _is_plain(of) and of.nbytes >= LARGE:
            return _mapped_tensor, (self._saved(of.numpy()),)
        if isinstance(of, torch.jit.ScriptModule):
            file = str(self._next_file())
            torch.jit.save(of, file)
            return torch.jit.load, (file,)
        return super().reducer_override(of)

    def _saved(self, array: np.ndarray[Any, Any]) -> str:
        file = self._next_file()
        np.save(file, array)
        return f"{file}.npy"

    def _next_file(self) -> Path:
        self._n_files += 1
        return self._folder / f"part{self._n_files}"


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether numpy can look at a tensor as it is."""
    plain = tensor.device.type == "cpu" and tensor.layout == torch.strided and not tensor.requires_grad
    return plain and tensor.dtype in _NUMPYS and not (tensor.is_conj() or tensor.is_neg())


_NUMPYS = (torch.float32, torch.float64, torch.int64, torch.int32, torch.complex64, torch.complex128)


def _mapped(file: str) -> np.ndarray[Any, Any]:
    return np.asarray(np.load(file, mmap_mode="c"))


def _mapped_tensor(file: str) -> torch.Tensor:
    return torch.from_numpy(_mapped(file))
