"""Keras 3 on its torch backend (extra ``keras``): the model is a torch module, and gradients flow.

Keras builds a model by importing what its file names. What that may be is decided here, before Keras sees the file.
"""

from __future__ import annotations

import copy
import io
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import nn

from eegflex.errors import MissingExtraError, ModelError
from eegflex.stagers.formats.archive import Archive
from eegflex.stagers.formats.dtypes import refuse_kinds
from eegflex.stagers.formats.registry import ModelFile
from eegflex.stagers.formats.safety import check_expansion, refuse_unless_trusted
from eegflex.stagers.formats.shapes import Shapes
from eegflex.utils.inside import data_sets

__all__ = ["load_keras", "load_keras_h5", "wrap"]

#: Where the parts of a model live. Keras has other modules, which fetch files or switch its own checks off.
_MODULE = re.compile(
    r"builtins|keras(\.src)?(\.(layers|models|initializers|regularizers|constraints|activations|optimizers|losses|metrics"
    r"|dtype_policies|quantizers|backend\.torch\.optimizers)(\.\w+)*)?",
    re.ASCII,
)
#: Where its functions live: nothing else that Keras exports may stand in the place of an activation.
_FUNCTIONS = re.compile(r"builtins|keras(\.src)?\.activations(\.\w+)*")
#: Classes, and what stands for values. Functions of Keras have other names, and may do anything.
_CLASS = re.compile(r"[A-Z]\w*|__(keras_tensor|tensor|numpy|ellipsis|slice)__|function|tuple|list|dict|slice", re.ASCII)
#: Layers that run code of their author's, or read files.
_REACHING = {
    *("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"),
    *("IndexLookup", "IntegerLookup", "StringLookup", "TextVectorization"),
}
#: The members of an archive.
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
#: What a layer counts with, or draws numbers by.
_COUNTERS = {"int32", "int64", "uint32", "uint64"}
_LARGEST_CONFIG = 2**26
#: Bytes of a weight, which in half precision has fewer.
_ITEMSIZE = 4


class _Keras(nn.Module):
    """A model of Keras. It computes in the precision that it was made with, whatever it is fed."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def shapes(self) -> Shapes | None:
        """What it takes and returns; not known before a model without declared inputs was fed."""
        if not (getattr(self.model, "inputs", None) and getattr(self.model, "outputs", None)):
            return None
        return Shapes(
            *(tuple(tuple(own.shape) for own in tensors) for tensors in (self.model.inputs, self.model.outputs))
        )

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> _Keras:
        super()._apply(lambda tensor: fn(tensor).to(tensor.dtype), recurse)  # type: ignore[no-untyped-call]  # torch's own
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Keras:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras copies by writing and reading, and not without complaints
            return _Keras(copy.deepcopy(self.model, memo)).train(self.training)

    def forward(self, fed: Any) -> Any:
        returned = self.model(fed, training=False)
        own = next(iter(fed.values())) if isinstance(fed, dict) else fed
        if isinstance(returned, dict):
            return {name: part.to(own.dtype) for name, part in returned.items()}
        return (
            [part.to(own.dtype) for part in returned] if isinstance(returned, list | tuple) else returned.to(own.dtype)
        )


def wrap(model: Any) -> nn.Module:
    """A model of Keras that is in memory.

    Raises
    ------
    ModelError
        If it runs on another backend.
    """
    _package()
    return _Keras(model)


def load_keras(file: ModelFile) -> nn.Module:
    """Load a ``.keras`` archive that is made of Keras' own layers."""
    archive = Archive(file.path)
    members = {member.filename: member for member in archive.members}
    missing = {"config.json", "model.weights.h5"} - set(members)
    if missing:
        raise ModelError("This archive is not a Keras model", seen=f"{file.path} without {', '.join(sorted(missing))}")
    if members["config.json"].file_size > _LARGEST_CONFIG:
        raise ModelError("This Keras model's configuration is much too long", seen=file.path)
    archive.verify()
    _inspect(archive.read("config.json"), file)
    if foreign := set(members) - _MEMBERS:
        refuse_unless_trusted(file, "a Keras model with more than layers and weights in it", foreign)
    _, odd = _inspect_weights(io.BytesIO(archive.read("model.weights.h5")), file)
    return _load(file, odd)


def load_keras_h5(file: ModelFile) -> nn.Module:
    """Load a whole model from a ``.h5`` file, if it is made of Keras' own layers."""
    config, odd = _inspect_weights(file.path, file)
    if config is None:
        raise ModelError(
            "This HDF5 file holds no Keras model",
            seen=file.path,
            remedy="Save the whole model: model.save('stager.keras')",
        )
    _inspect(config, file)
    return _load(file, odd)


def _load(file: ModelFile, odd: dict[str, tuple[str, tuple[int, ...]]]) -> nn.Module:
    keras = _package()

    def load() -> Any:
        return keras.saving.load_model(str(file.path), compile=False, safe_mode=not file.trusted)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers without weights, of old formats
            if not file.trusted:
                with keras.device("meta"):  # Keras makes the weights before it reads them: here they take no memory
                    declared = sum(math.prod(variable.shape) for variable in load().variables)
                check_expansion(file.path.stat().st_size, _ITEMSIZE * declared, file.path)
            model = load()
    except ModelError:
        raise
    except Exception as error:  # of whatever layer it is
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(f"Keras cannot load this model: {said}", seen=file.path) from error
    own = {(variable.dtype, tuple(variable.shape)) for variable in model.variables if variable.dtype in _COUNTERS}
    refuse_kinds({name: kind for name, (kind, shape) in odd.items() if (kind, shape) not in own}, file.path)
    return _Keras(model)


def _package() -> ModuleType:
    """Keras on torch. The backend is chosen when Keras is first imported and cannot be changed."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import keras
    except ModuleNotFoundError as error:
        raise MissingExtraError("Models of Keras need the package keras", "keras") from error
    if keras.config.backend() != "torch":
        raise ModelError(
            "Keras runs on another backend, which gives torch no gradient",
            seen=keras.config.backend(),
            allowed="torch",
            remedy="Set the environment variable KERAS_BACKEND=torch before Keras is imported",
        )
    found: ModuleType = keras
    return found


def _inspect_weights(source: Any, file: ModelFile) -> tuple[Any, dict[str, tuple[str, tuple[int, ...]]]]:
    """Refuse weights that lie in other files, or are declared larger than any file's.

    Returns the model's configuration, and the kinds and shapes of all weights that are not real and floating point.
    """
    import h5py

    try:
        with h5py.File(source, "r") as saved:
            found = data_sets(saved, file.path, ModelError)
            declared = sum(own.nbytes for own in found.values())
            odd = {
                name: (str(own.dtype), own.shape)
                for name, own in found.items()
                if own.dtype.kind != "f" and own.attrs.get("dtype") != "bfloat16" and not name.startswith("optimizer")
            }
            config = saved.attrs.get("model_config")
    except (OSError, RuntimeError, KeyError, SystemError) as error:  # the last is h5py's own trouble with damage
        raise ModelError(f"This HDF5 file is damaged: {error}", seen=file.path) from error
    check_expansion(file.path.stat().st_size, declared, file.path)
    return config, odd


def _inspect(config: bytes | str, file: ModelFile) -> None:
    """Refuse a model that names what is not one of Keras' own parts."""
    try:
        beyond = sorted(set(_beyond(json.loads(config))))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"This Keras model's configuration is damaged: {error}", seen=file.path) from error
    if beyond and not file.trusted:
        raise ModelError(
            f"{file.path.name} has parts that are not Keras' own: opening it would run any code that its author put there",
            seen=beyond[:5],
            allowed="layers, activations and the like of Keras itself",
            remedy="Ask for the model without Lambda and custom layers, or as .pt2 or ONNX; or, only if you would run a "
            "program by its author, pass trusted=True",
        )


def _beyond(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for own in value:
            yield from _beyond(own)
    if not isinstance(value, dict):
        return
    module, kind = value.get("module"), value.get("class_name")
    if isinstance(kind, str) and not _is_own(module, kind, value.get("config")):
        yield f"{module or 'keras'}.{kind}"
    registered = value.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        yield registered
    for own in value.values():
        yield from _beyond(own)


def _is_own(module: Any, kind: str, config: Any) -> bool:
    """Whether a named part of a model is one of Keras' own, and no code."""
    if kind in _REACHING or not _CLASS.fullmatch(kind) or not (module is None or _MODULE.fullmatch(str(module))):
        return False
    if kind == "function":
        is_activation = module is None or _FUNCTIONS.fullmatch(str(module))
        return bool(is_activation and re.fullmatch(r"[a-z_0-9]+", str(config)))
    return module != "builtins" or kind in {"tuple", "list", "dict", "slice"}
