"""ONNX graphs said again in the words that the converter to torch knows, and what of its words torch no longer knows."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import nn

__all__ = ["lowered", "with_own_slices"]

#: The newest opset of which onnx2torch knows all that it knows.
NEWEST = 17
#: Operators that may leave their padding to be worked out.
_PADDED = {"Conv", "MaxPool", "AveragePool"}


def lowered(onnx: ModuleType, model: Any) -> Any:
    """The graph in an older opset, with no mention of sizes of zero, and with paddings as numbers.

    Parameters
    ----------
    onnx : module
        The package.
    model : onnx.ModelProto
        The graph, which is changed.
    """
    if any(opset.domain == "" and opset.version > NEWEST for opset in model.opset_import):
        with contextlib.suppress(RuntimeError):  # not everything can be said in older words
            model = onnx.version_converter.convert_version(model, NEWEST)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants and constants[node.input[1]].all():
            # whether a 0 means "as it was" or none at all is of no matter where there is no 0
            _replace(node, {"allowzero"})
    padded = [node for node in model.graph.node if node.op_type in _PADDED and _said(onnx, node).get("auto_pad")]
    if padded:
        sizes = _sizes(onnx, model) | {name: list(value.shape) for name, value in constants.items()}
        for node in padded:
            pads = _pads(_said(onnx, node), [sizes.get(name) for name in node.input[:2]])
            if pads is not None:
                _replace(node, {"auto_pad", "pads"}, [onnx.helper.make_attribute("pads", pads)])
    return model


class _Slice(nn.Module):
    """ONNX' Slice. The converter's own indexes with lists, which torch is about to read otherwise."""

    def forward(
        self,
        x: torch.Tensor,
        starts: torch.Tensor,
        ends: torch.Tensor,
        axes: torch.Tensor | None = None,
        steps: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """A part of a tensor, along one axis after the other."""
        along = range(len(starts)) if axes is None else axes.tolist()
        by = [1] * len(starts) if steps is None else steps.tolist()
        for axis, start, end, step in zip(along, starts.tolist(), ends.tolist(), by, strict=True):
            kept = range(x.shape[axis])[start:end:step]
            before = (slice(None),) * (axis % x.ndim)
            forwards = (
                slice(kept.start, kept.stop, kept.step) if step > 0 else torch.tensor(kept, device=x.device).long()
            )
            x = x[(*before, forwards)]
        return x


def with_own_slices(graph: nn.Module) -> nn.Module:
    """A converted graph, which is changed, with slices of ours."""
    for name, module in list(graph.named_modules()):
        if type(module).__name__ == "OnnxSlice":
            graph.set_submodule(name, _Slice())
    return graph


def _said(onnx: ModuleType, node: Any) -> dict[str, Any]:
    """What a node says of itself, by name."""
    return {own.name: onnx.helper.get_attribute_value(own) for own in node.attribute}


def _replace(node: Any, names: set[str], others: Sequence[Any] = ()) -> None:
    """Put other attributes in the place of some of a node."""
    kept = [own for own in node.attribute if own.name not in names]
    del node.attribute[:]
    node.attribute.extend([*kept, *others])


def _sizes(onnx: ModuleType, model: Any) -> dict[str, list[int | None]]:
    """The sizes of all values of a graph as far as they are known, by name."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: [one.dim_value if one.HasField("dim_value") else None for one in value.type.tensor_type.shape.dim]
        for values in (graph.input, graph.value_info, graph.output)
        for value in values
    }


def _pads(said: Mapping[str, Any], sizes: Sequence[list[int | None] | None]) -> list[int] | None:
    """How much is padded before and after each axis so that the output is as long as the input, or as it over the stride.

    Parameters
    ----------
    said : mapping
        What the node says.
    sizes : sequence of list
        Of its input, and of its weights if it has any.
    """
    how = said["auto_pad"].decode()
    if how not in ("SAME_UPPER", "SAME_LOWER"):
        return None
    long, weights = (list(own or [])[2:] for own in (*sizes, None, None)[:2])
    kernel = list(said.get("kernel_shape") or weights)
    before, after = [], []
    for axis, width in enumerate(kernel):
        step, apart = (said[word][axis] if word in said else 1 for word in ("strides", "dilations"))
        size = long[axis] if axis < len(long) else None
        if width is None or (size is None and step > 1):
            return None
        reach = (width - 1) * apart + 1
        total = reach - 1 if step == 1 else max((-(-size // step) - 1) * step + reach - size, 0)  # type: ignore[operator]
        less, more = total // 2, total - total // 2
        before.append(less if how == "SAME_UPPER" else more)
        after.append(more if how == "SAME_UPPER" else less)
    return [*before, *after] if kernel else None
