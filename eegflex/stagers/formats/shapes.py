"""What files of models say of their inputs and outputs, by which one is told that is no stager of sleep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mne.utils import logger

from eegflex.errors import ModelError
from eegflex.spec.model_spec import ModelSpec

__all__ = ["MOST_OUTPUTS", "Shape", "Shapes", "refuse_many", "refuse_other_kinds"]

#: A model with more outputs than this does not return scores of stages.
MOST_OUTPUTS = 20
#: Axes of a batch of images.
_IMAGES = 4

#: Sizes of a tensor's axes; None for one that may be any.
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Shapes:
    """What a model takes and returns.

    Attributes
    ----------
    inputs, outputs : tuple of tuple
        The shape of each; None for one that the file does not know.
    """

    inputs: tuple[Shape | None, ...]
    outputs: tuple[Shape | None, ...]

    @property
    def batch(self) -> int | None:
        """The size of the batch, where the model takes no other."""
        first = self.inputs[0] if self.inputs else None
        return first[0] if first else None


def refuse_other_kinds(model: Any, spec: ModelSpec, path: Path) -> None:
    """Refuse a model that cannot be one of what its spec says, or what is assumed of it.

    Parameters
    ----------
    model : object
        What was loaded; its ``shapes``, if it has any, are what the file says.
    spec : ModelSpec
        Its contract.
    path : Path
        The file.

    Raises
    ------
    ModelError
        If it takes or returns tensors of other axes than its spec says, or, without one, images or so many scores that they
        are none of stages.
    """
    shapes: Shapes | None = getattr(model, "shapes", None)
    if shapes is None or not isinstance(spec.layout, str):
        return
    if len(shapes.inputs) != 1:
        raise ModelError(
            f"{path.name} takes {len(shapes.inputs)} inputs, where {_said(spec.layout, spec)}",
            seen=[_shown(shape) for shape in shapes.inputs],
            remedy="Give a spec with a layout for each of its inputs, by their names",
        )
    _refuse_axes(f"{path.name} takes", shapes.inputs[0], spec.layout, "input", spec)
    if len(shapes.outputs) != 1:
        return
    _refuse_axes(f"{path.name} returns", shapes.outputs[0], spec.output, "output", spec)
    if any(note.startswith("stages:") for note in spec.assumed):
        refuse_many(shapes.outputs[0], path.name)


def _refuse_axes(what: str, shape: Shape | None, layout: str, key: str, spec: ModelSpec) -> None:
    """Refuse other axes than the layout's; where it is only assumed, say so, unless there are as many as images have."""
    if shape is None or len(shape) == len(re.findall(r"\([^)]*\)|[a-z1]", layout)):
        return
    found = ModelError(
        f"{what} a tensor of {len(shape)} axes, where {_said(layout, spec)}",
        seen=_shown(shape),
        remedy=f"If it stages sleep, give a spec with its [{key}] layout; if not, it cannot be explained here",
    )
    if not spec.assumed or len(shape) >= _IMAGES:
        raise found
    logger.warning(str(found))


def _said(layout: str, spec: ModelSpec) -> str:
    return f"{layout!r} is assumed, because there is no spec" if spec.assumed else f"its spec says {layout!r}"


def refuse_many(shape: Shape | None, called: str) -> None:
    """Refuse what returns too many scores for stages, by the shape of what it returns."""
    n = shape[1] if shape and len(shape) == 2 else None  # of other axes it is not known which is that of stages
    if n is not None and n > MOST_OUTPUTS:
        raise ModelError(
            f"{called} returns {n:,} scores, and is not a sleep stager as it is",
            seen=_shown(shape),
            allowed=f"at most {MOST_OUTPUTS}, one a stage",
            remedy="If it is one, give a spec that names its stages and the [output] layout",
        )


def _shown(shape: Shape | None) -> str:
    return "unknown" if shape is None else f"({', '.join('any' if size is None else str(size) for size in shape)})"
