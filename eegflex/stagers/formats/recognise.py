"""Models without a spec whose inputs and outputs are those of a published contract, and of no other."""

from __future__ import annotations

import re

from eegflex.spec.model_spec import ModelSpec
from eegflex.spec.published import load_spec, spec_names
from eegflex.stagers.formats.shapes import Shape, Shapes

__all__ = ["published_like"]


def published_like(shapes: Shapes | None) -> str | None:
    """The name of the published spec that a file's shapes are those of.

    Parameters
    ----------
    shapes : Shapes | None
        What the file says that it takes and returns; all but the size of the batch must be known, and they must be those
        of windows: an epoch of so many samples is what many models take.

    Returns
    -------
    name : str | None
        ``None`` if there is no such spec, or several.
    """
    if shapes is None or not len(shapes.inputs) == len(shapes.outputs) == 1:
        return None
    found = [name for name in spec_names() if _is_like(shapes, load_spec(name))]
    return found[0] if len(found) == 1 else None


def _is_like(shapes: Shapes, spec: ModelSpec) -> bool:
    if spec.class_name or not isinstance(spec.layout, str) or not spec.takes_sequences:
        return False
    return _fits(shapes.inputs[0], spec.layout, spec) and _fits(shapes.outputs[0], spec.output, spec)


def _fits(shape: Shape | None, layout: str, spec: ModelSpec) -> bool:
    """Whether a shape is that of a layout, in all axes but that of the batch."""
    sizes = {"e": spec.context.before + 1 + spec.context.after, "c": len(spec.channels), "t": spec.n_times}
    sizes |= {"s": len(spec.stages), "1": 1}
    axes = re.findall(r"\([^)]*\)|[a-z1]", layout)
    if shape is None or len(shape) != len(axes) or spec.context.whole:
        return False
    return all(size == sizes.get(axis) is not None for size, axis in zip(shape, axes, strict=True) if axis != "b")
