"""ONNX graphs (extra ``onnx``), converted to torch so that they have a gradient."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mne.utils import logger
from torch import nn

from eegflex.errors import MissingExtraError, ModelError
from eegflex.stagers.formats.batches import in_batches
from eegflex.stagers.formats.dtypes import check_network, refuse_kinds
from eegflex.stagers.formats.onnx_words import lowered, with_own_slices
from eegflex.stagers.formats.registry import ModelFile
from eegflex.stagers.formats.shapes import Shape, Shapes
from eegflex.utils.inside import inside

__all__ = ["files_beside", "load_onnx"]

#: protobuf's own limit; more is in files of its own.
LARGEST = 2**31
#: What exporters make names of.
_NAME = re.compile(r"[\w./:;\-+@#$\[\]<>| ]*")
#: What weights are.
_REAL = {"FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE"}
#: torchvision's operators that its Python code expects of its compiled library.
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_DECLARED: list[torch.library.Library] = []


class _Graph(nn.Module):
    """A converted graph; a dict is fed to the graph's inputs by their names, and several outputs are a dict."""

    def __init__(self, graph: nn.Module, inputs: list[str], outputs: list[str], shapes: Shapes) -> None:
        super().__init__()
        self.graph, self.inputs, self.outputs, self.shapes = graph, inputs, outputs, shapes
        self.batch = shapes.batch

    def forward(self, fed: Any) -> Any:
        if isinstance(fed, dict):
            return self._named(*(fed[name] for name in self.inputs))
        return in_batches(self._named, fed, self.batch)

    def _named(self, *fed: torch.Tensor) -> Any:
        returned = self.graph(*fed)
        return returned if len(self.outputs) == 1 else dict(zip(self.outputs, returned, strict=True))


class _Runtime:
    """A graph that onnxruntime runs, forward only."""

    has_gradient = False

    def __init__(self, session: Any, shapes: Shapes) -> None:
        self.session, self.shapes, self.batch = session, shapes, shapes.batch
        self.inputs = [value.name for value in session.get_inputs()]
        self.outputs = [value.name for value in session.get_outputs()]

    def __call__(self, fed: Any) -> Any:
        if isinstance(fed, dict):
            return self._run({name: fed[name] for name in self.inputs})
        return in_batches(lambda part: self._run({self.inputs[0]: part}), fed, self.batch)

    def _run(self, fed: dict[str, torch.Tensor]) -> Any:
        like = next(iter(fed.values()))
        arrays = {name: part.detach().cpu().float().numpy() for name, part in fed.items()}
        returned = [
            torch.from_numpy(own).to(like) if isinstance(own, np.ndarray) and own.dtype.kind in "fiub" else own
            for own in self.session.run(None, arrays)
        ]
        return returned[0] if len(self.outputs) == 1 else dict(zip(self.outputs, returned, strict=True))


def load_onnx(file: ModelFile) -> nn.Module | _Runtime:
    """Load an ONNX graph, with weights that lie in it or beside it.

    What cannot be converted, recurrent layers for one, is run by onnxruntime where that is installed, without a gradient.
    """
    onnx, onnx2torch = _packages()
    model = _parsed(onnx, file.path)
    if not model.graph.node or not model.graph.input:
        raise ModelError("This ONNX file holds no network", seen=file.path)
    _check_names(model, file.path)
    _check_tensors(onnx, model, file.path)
    _check_kinds(onnx, model, file.path)
    try:
        onnx.external_data_helper.load_external_data_for_model(model, str(file.path.parent.resolve()))
    except Exception as error:  # onnx has its own for links that it does not follow
        raise ModelError(
            f"The weights beside this ONNX file cannot be read: {error}",
            seen=file.path,
            remedy="Copy the model and its weights into a folder of their own, without links",
        ) from error
    try:
        graph = with_own_slices(onnx2torch.convert(lowered(onnx, model)))
    except Exception as error:  # each converter has its own
        return _forward_only(model, file, error)
    check_network(graph, file.path)
    inputs, outputs = ([value.name for value in values] for values in (_inputs(model), model.graph.output))
    return _Graph(graph, inputs, outputs, _shapes(model))


def _inputs(model: Any) -> list[Any]:
    """What a graph is fed: weights may be listed among its inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _shapes(model: Any) -> Shapes:
    def of(value: Any) -> Shape | None:
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            return None
        return tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)

    return Shapes(tuple(map(of, _inputs(model))), tuple(map(of, model.graph.output)))


def files_beside(path: Path) -> list[Path]:
    """The files that hold weights of an ONNX graph, in the order of their names; each lies in its folder."""
    onnx, _ = _packages()
    outside = [t for t in _tensors(_parsed(onnx, path)) if t.data_location == onnx.TensorProto.EXTERNAL]
    named = {entry.value for tensor in outside for entry in tensor.external_data if entry.key == "location"}
    found = [inside(path, name, ModelError) for name in sorted(named)]
    if missing := [where for where in found if not where.is_file()]:
        raise ModelError("The weights of this ONNX file are not beside it", seen=missing)
    return found


def _parsed(onnx: ModuleType, path: Path) -> Any:
    """An ONNX file as it is, without the weights that lie beside it."""
    if path.stat().st_size >= LARGEST:
        raise ModelError("This ONNX file is larger than one can be", seen=path)
    try:
        return onnx.load_model(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own, which has no public home
        raise ModelError(f"This ONNX file is damaged: {error}", seen=path) from error


def _forward_only(model: Any, file: ModelFile, error: Exception) -> _Runtime:
    """The graph in onnxruntime."""
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(
            f"This ONNX graph cannot be converted: {error}",
            seen=file.path,
            remedy="Export it as .pt2; or install onnxruntime, which is enough for methods without gradients, with: "
            "pip install 'eegflex[onnx]'",
        ) from error
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as failure:  # onnxruntime's own, which has no public home
        raise ModelError(f"This ONNX graph can neither be converted nor run: {failure}", seen=file.path) from error
    logger.warning(
        f"{file.path.name} has no gradient in torch ({error}); it can be explained by methods that need none, such as "
        "method='shapley'"
    )
    return _Runtime(session, _shapes(model))


def _packages() -> tuple[ModuleType, ModuleType]:
    try:
        import onnx
        import onnx.external_data_helper
        import onnx.shape_inference
        import onnx.version_converter

        return onnx, _onnx2torch()
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"ONNX needs the package {error.name}", "onnx") from error


def _onnx2torch() -> ModuleType:
    """onnx2torch, which imports torchvision though it hardly needs it.

    The wheel of torchvision for CUDA cannot load its compiled library beside a CPU build of torch, and then misses two
    operators; declaring them is enough, as no stager suppresses boxes.
    """
    try:
        import onnx2torch
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}{_SIGNATURE}")
        _DECLARED.append(library)  # it is forgotten when it is collected
        import onnx2torch
    found: ModuleType = onnx2torch
    return found


def _check_names(model: Any, path: Path) -> None:
    """Refuse names that end a string: the converter writes them into the source of a function."""
    names = [node.name for node in model.graph.node]
    for node in model.graph.node:
        names.extend((*node.input, *node.output, node.op_type, node.domain))
    for values in (model.graph.input, model.graph.output, model.graph.initializer):
        names.extend(value.name for value in values)
    # protobuf gives what is no text as bytes
    odd = [name for name in names if not (isinstance(name, str) and _NAME.fullmatch(name))]
    if odd:
        raise ModelError(
            f"{path.name} has names that could be code",
            seen=[f"{name!r:.80}" for name in odd[:3]],
            allowed="letters, digits and . / : ; _ - + @ # $ [ ] < > |, and blanks",
            remedy="Do not open it, or export it again with plain names",
        )


def _check_tensors(onnx: ModuleType, model: Any, path: Path) -> None:
    """Refuse tensors that are declared larger than they are, or lie outside the model's folder."""
    for tensor in _tensors(model):
        if any(size < 0 for size in tensor.dims):
            raise ModelError(
                "A tensor of this ONNX file has a negative size", seen=f"{tensor.name}: {list(tensor.dims)}"
            )
        is_outside = tensor.data_location == onnx.TensorProto.EXTERNAL
        # what is in the model has its values in one of several fields, which are never more than the whole
        there = _external_bytes(tensor, path) if is_outside else tensor.ByteSize()
        wanted = math.prod(tensor.dims) * _bits(onnx, tensor) / 8
        if wanted > there:
            raise ModelError(
                f"A tensor of this ONNX file is declared as {wanted:,.0f} bytes, of which {there:,} are there",
                seen=f"{tensor.name}: {list(tensor.dims)}",
                remedy="The file is damaged or malicious: get it again from a source that you trust",
            )


def _check_kinds(onnx: ModuleType, model: Any, path: Path) -> None:
    """Refuse weights of other kinds than the operators that take them compute with, which the converter would cast."""
    try:
        onnx.shape_inference.infer_shapes(model, check_type=True)
    except onnx.shape_inference.InferenceError as error:
        kinds = {tensor.name: onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in model.graph.initializer}
        takers = [
            node for node in model.graph.node if f"(op_type:{node.op_type}, node name: {node.name})" in str(error)
        ]
        odd = {
            name: kinds[name].lower() for node in takers for name in node.input if kinds.get(name, "FLOAT") not in _REAL
        }
        refuse_kinds(odd or {"a tensor": str(error)}, path)
    except Exception as error:  # protobuf's own
        raise ModelError(f"This ONNX file is damaged: {error}", seen=path) from error


def _bits(onnx: ModuleType, tensor: Any) -> float:
    """Fewest bits that a value takes in the file, where fields of protobuf are packed into as little as a byte each."""
    if not tensor.HasField("raw_data"):
        return 4 if tensor.data_type in {onnx.TensorProto.INT4, onnx.TensorProto.UINT4} else 8
    return onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8 if tensor.data_type != 0 else 0


def _external_bytes(tensor: Any, path: Path) -> int:
    """How many bytes of an external tensor there are, in a file of the model's own folder."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    where = inside(path, told.get("location", ""), ModelError)
    if not where.is_file():
        raise ModelError("The weights of this ONNX file are not beside it", seen=where)
    numbers = {key: told.get(key) or "0" for key in ("offset", "length")}
    if not all(number.isdecimal() for number in numbers.values()):
        raise ModelError("The data of a tensor of this ONNX file are missing", seen=f"{tensor.name}: {numbers}")
    left = max(where.stat().st_size - int(numbers["offset"]), 0)
    return min(int(numbers["length"]), left) if told.get("length") else left


def _tensors(model: Any) -> Iterator[Any]:
    """All tensors of a model, wherever it keeps them: in nested graphs, in functions, within sparse ones."""
    waiting = [model]
    while waiting:
        own = waiting.pop()
        if own.DESCRIPTOR.name == "TensorProto":
            yield own
            continue
        for field, value in own.ListFields():
            if field.message_type is not None:
                waiting.extend(value if isinstance(value, Sequence) else [value])
