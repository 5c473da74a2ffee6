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
        What the file says that it takes and returns. All that it takes must be known but the size of the batch, and be
        windows, since epochs of so many samples are what many models take; and of what it returns, how many stages.

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
    return _fits(shapes.inputs[0], spec.layout, spec, "ect") and _fits(shapes.outputs[0], spec.output, spec, "s")


def _fits(shape: Shape | None, layout: str, spec: ModelSpec, needed: str) -> bool:
    """Whether a shape is that of a layout, as far as it is known; those of some axes must be."""
    sizes = {"e": spec.context.before + 1 + spec.context.after, "c": len(spec.channels), "t": spec.n_times}
    sizes |= {"s": len(spec.stages), "1": 1}
    axes = re.findall(r"\([^)]*\)|[a-z1]", layout)
    if shape is None or len(shape) != len(axes) or spec.context.whole:
        return False
    return all(
        size == sizes.get(axis) if size is not None else axis not in needed
        for size, axis in zip(shape, axes, strict=True)
        if axis != "b"
    )
