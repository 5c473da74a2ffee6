"""Whether the parts of a spec agree: filters, channels, context, layouts, and which window stages an epoch."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from eegflex.errors import SpecError
from eegflex.spec.layouts import axes_of, check_layout

if TYPE_CHECKING:
    from eegflex.spec.model_spec import ModelSpec

__all__ = ["check_parts"]


def check_parts(spec: ModelSpec) -> None:
    """Refuse a spec whose parts contradict each other.

    Parameters
    ----------
    spec : ModelSpec
        The contract, each field of which has a value of its type.

    Raises
    ------
    SpecError
        If they do; the key, its value and what is allowed are named.
    """
    for check in (_check_filters, _check_channels, _check_context, _check_layouts, _check_positions):
        check(spec)


def _check_filters(spec: ModelSpec) -> None:
    own = {f"[[input.channels]] filter of {channel.name!r}": channel.filter for channel in spec.channels}
    for key, passed in ({"[input] filter": spec.filter} | own).items():
        if passed is None:
            continue
        low, high = passed.l_freq, passed.h_freq
        if (low is not None and not 0 <= low < math.inf) or (high is not None and not (low or 0) < high <= 1e6):
            raise SpecError(f"The spec's {key} is empty", seen=(low, high), allowed="l_freq < h_freq, in Hz")


def _check_channels(spec: ModelSpec) -> None:
    names = [channel.name for channel in spec.channels]
    if not names:
        raise SpecError("The spec names no channels", remedy="Add at least one [[input.channels]]")
    if len(set(names)) != len(names):
        raise SpecError("The inputs of a stager must have unique names", seen=names)
    uses = [channel.use for channel in spec.channels]
    if uses.count("each") > 1:
        raise SpecError("Only one input of a stager can be used 'each' by itself", seen=names)
    if spec.combine != "surest" and "each" not in uses:
        raise SpecError(
            "The spec's [output] combine is for several outputs, and there is only one",
            seen=repr(spec.combine),
            remedy="Give one of [[input.channels]] use = 'each', or leave combine out",
        )
    told_apart = isinstance(spec.layout, dict) or spec.combine != "surest"
    if told_apart and uses.count("all") > (spec.combine == "surest"):
        raise SpecError(
            "These inputs cannot be distinguished by the number of their channels",
            seen={channel.name: channel.use for channel in spec.channels},
            allowed="use = 'first' for all but one",
        )


def _check_context(spec: ModelSpec) -> None:
    context, target = spec.context, spec.target_index
    if context.before < 0 or context.after < 0 or (context.whole and (context.before or context.after)):
        raise SpecError(
            "The spec's [input] context is not one",
            seen=dataclasses.asdict(context),
            allowed="before and after, 0 or more epochs each, or whole = true",
        )
    if target is None:
        return
    if context.whole or not 0 <= target <= context.before + context.after:
        raise SpecError(
            "The spec's [output] target_index is not in the window",
            seen=target,
            allowed="none, the window is the whole night"
            if context.whole
            else f"0 to {context.before + context.after}",
        )
    if "e" not in spec.output and target != context.before:
        raise SpecError(
            "The spec's [output] target_index contradicts its context: the output is about one epoch, that after "
            "context.before others",
            seen=f"target_index = {target}, context.before = {context.before}",
            remedy="Move the window with context = { before, after }, and leave target_index out",
        )


def _check_positions(spec: ModelSpec) -> None:
    if spec.pool != "mean" and not {"k", "t"} & set(axes_of(spec.output)):
        raise SpecError(
            "The spec's [output] pool is of the scores of parts of an epoch, and its layout has none",
            seen=f"pool = {spec.pool!r}, layout = {spec.output!r}",
            allowed="k parts of an epoch, or t moments of it, in the layout",
        )
    if spec.positions == "all":
        return
    if "e" not in axes_of(spec.output) or spec.target_index is not None:
        raise SpecError(
            "The spec's [output] positions are those of several epochs, and one is read",
            seen=f"positions = {spec.positions!r}, layout = {spec.output!r}, target_index = {spec.target_index}",
            allowed="e epoch of the window in the layout, and no target_index",
        )
    if spec.context.alone or spec.context.whole:
        raise SpecError(
            "The spec's [output] positions are those of a window, and it has none of a certain length",
            seen=f"positions = {spec.positions!r}, context = {dataclasses.asdict(spec.context)}",
            remedy="Give context = { before = 10, after = 9 }, or what the model was trained with",
        )


def _check_layouts(spec: ModelSpec) -> None:
    if isinstance(spec.layout, dict):
        names = [channel.name for channel in spec.channels]
        if sorted(spec.layout) != sorted(names):
            raise SpecError(
                "The spec's [input] layout must have each input once", seen=list(spec.layout), allowed=names
            )
    layouts = spec.layout if isinstance(spec.layout, dict) else {"": spec.layout}
    needed, axes = ("bt", "bect") if spec.spectrogram is None else ("bwf", "becwf")
    for name, layout in layouts.items():
        check_layout(layout, "[input] layout" + (f" of {name!r}" if name else ""), needed=needed, axes=axes)
    is_detector = "t" in spec.output and "s" not in spec.output
    needed, axes = ("bt", "bekt") if is_detector else ("bs", "besk")
    check_layout(spec.output, "[output] layout", needed=needed, axes=axes)
    if is_detector and len(spec.stages) != 1:
        raise SpecError(
            "The spec's [output] has no axis of stages, and so a single score",
            seen=f"layout = {spec.output!r}, stages = {list(spec.stages)}",
            remedy="Name what the score is of, such as stages = ['spindle']; or write k for time, beside s for stages",
        )
