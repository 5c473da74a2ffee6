"""Model files: which format one is of, told by its content, and which adapter opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from eegflex.errors import ModelError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers.formats.archive import Archive

__all__ = ["FORMATS", "Format", "ModelFile", "format_of", "resolve"]


@dataclass(frozen=True)
class ModelFile:
    """A file that a model is made from, and what the caller said of it.

    Attributes
    ----------
    path : Path
        The file.
    spec : ModelSpec
        Its contract.
    trusted : bool
        Whether opening it may run code that it brings.
    network : torch.nn.Module | callable | None
        What its weights belong to: a module, or what makes one when called with the spec's ``kwargs``.
    folder : Path | None
        Where its spec is from, beside which a class that the spec names may lie.
    notes : list of str
        What an adapter found, and took for granted.
    """

    path: Path
    spec: ModelSpec
    trusted: bool = False
    network: nn.Module | Callable[..., nn.Module] | None = None
    folder: Path | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Look:
    """What a file looks like."""

    path: Path
    head: bytes
    members: frozenset[str]  # of an archive, without its first folder

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()


@dataclass(frozen=True)
class Format:
    """A format of model files.

    Attributes
    ----------
    words : str
        What it is called in messages.
    adapter : str
        What opens it, ``"module:function"``, imported only then: ModelFile -> the model, a callable.
    is_it : callable
        Tells it by a look at the file.
    takes_network : bool
        Whether it may hold weights only, which need a network.
    beside : str
        What lists the other files that such a model lies in, ``"module:function"``; empty where it lies in one.
    """

    words: str
    adapter: str
    is_it: Callable[[_Look], bool]
    takes_network: bool = False
    beside: str = ""


_ADAPTERS = "eegflex.stagers.formats"

#: The first that fits.
FORMATS = (
    Format("torch.export (.pt2)", f"{_ADAPTERS}.exported:load_exported", lambda look: "archive_format" in look.members),
    Format(
        "TorchScript",
        f"{_ADAPTERS}.torchscript:load_torchscript",
        lambda look: "constants.pkl" in look.members or any(name.startswith("code/") for name in look.members),
    ),
    Format(
        "a file of torch.save (.pt, .pth, .ckpt)",
        f"{_ADAPTERS}.weights:load_torch",
        lambda look: "data.pkl" in look.members,
        takes_network=True,
    ),
    Format("Keras 3 (.keras)", f"{_ADAPTERS}.keras:load_keras", lambda look: "config.json" in look.members),
    Format("Keras (.h5)", f"{_ADAPTERS}.keras:load_keras_h5", lambda look: look.head.startswith(b"\x89HDF\r\n\x1a\n")),
    Format(
        "safetensors",
        f"{_ADAPTERS}.weights:load_safetensors",
        lambda look: look.head[8:9] == b"{" or look.suffix == ".safetensors",  # after the length of its header
        takes_network=True,
    ),
    Format(
        "ONNX",
        f"{_ADAPTERS}.onnx:load_onnx",
        lambda look: look.suffix == ".onnx",
        beside=f"{_ADAPTERS}.onnx:files_beside",
    ),
    Format(
        "a pickle",
        f"{_ADAPTERS}.pickled:load_pickle",
        lambda look: look.head[:1] == b"\x80" or look.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt"},
        takes_network=True,
    ),
)


def format_of(path: Path) -> Format:
    """Tell the format of a file.

    Raises
    ------
    ModelError
        If it is none of them, or an archive that must not be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
        names = [member.filename for member in Archive(path).members] if head.startswith(b"PK\x03\x04") else []
    except OSError as error:
        raise ModelError(f"This model cannot be read: {error.strerror}", seen=path) from error
    look = _Look(path, head, frozenset(names) | {name.partition("/")[2] for name in names})
    for known in FORMATS:
        if known.is_it(look):
            return known
    raise ModelError("This file is not a model that can be read", seen=path, allowed=[known.words for known in FORMATS])


def resolve(address: str) -> Any:
    """Import what ``"module:name"`` says."""
    module, _, name = address.partition(":")
    return getattr(import_module(module), name)
