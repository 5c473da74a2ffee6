"""Recurrent layers of which one step's input varies, as the epoch explained does among its recorded neighbours.

The products of their weights are most of the work. Torch computes them by a library that has one kernel for all processors;
the one that computes its convolutions has them too, for weights that were put in order before. That is a function of torch's
own making which it does not promise to keep, so that it is looked for, and done without where it is not found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["Layer", "layers_of", "one_varies"]


class Product:
    """Inputs times weights, (..., n_inputs) -> (..., n_outputs), and the way back.

    Parameters
    ----------
    weight : Tensor, shape (n_outputs, n_inputs)
    bias : Tensor, shape (n_outputs,)
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self.weight, self.bias = weight, bias
        self.onward, self.back = _times(weight), _times(weight.t().contiguous())

    def __reduce__(self) -> tuple[object, ...]:
        # Weights in the library's order are no tensors that can be written: they are put in order anew.
        return type(self), (self.weight, self.bias)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs times weights; it has slopes."""
        found: torch.Tensor = _Product.apply(inputs, self)  # type: ignore[no-untyped-call]  # torch's own
        return found


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, product: Product) -> torch.Tensor:
        ctx.product = product
        return product.onward(inputs, product.bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return ctx.product.back(slope, None), None


def _times(weight: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]:
    """What multiplies by weights and adds a bias: with weights in the library's order where there is such a thing."""

    def plain(inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        return functional.linear(inputs, weight, bias)

    try:
        ordered = torch.ops.mkldnn._reorder_linear_weight(weight)
        multiply = torch.ops.mkldnn._linear_pointwise

        def quick(inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
            found: torch.Tensor = multiply(inputs, ordered, bias, "none", [], "")
            return found

        quick(weight.new_zeros(1, weight.shape[1]), None)
    except (RuntimeError, AttributeError, TypeError):  # another torch, another precision
        return plain
    return quick


class Direction:
    """One direction of a layer of gated recurrent units.

    Parameters
    ----------
    gru : GRU
        A single layer.
    reverse : bool
        Whether it reads from the end.
    """

    size: int
    reverse: bool
    gates: Product
    states: Product

    def __init__(self, gru: nn.GRU, *, reverse: bool) -> None:
        suffix = "_l0_reverse" if reverse else "_l0"
        weights = (getattr(gru, name + suffix).detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        of_inputs, of_states, bias, bias_of_states = weights
        self.size, self.reverse = gru.hidden_size, reverse
        # The biases of two of the gates can be added beforehand; that of the third is within a product with the first gate.
        inner = torch.cat([torch.zeros_like(bias[: 2 * self.size]), bias_of_states[2 * self.size :]])
        self.gates = Product(of_inputs, bias + bias_of_states - inner)
        self.states = Product(of_states, inner)

    def __call__(self, gates: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """States after each step.

        Parameters
        ----------
        gates : Tensor, shape (time, batch, 3 x size)
            What `gates` makes of the inputs.
        state : Tensor, shape (batch, size)
            Before the first step that is read.
        """
        found: torch.Tensor = _Steps.apply(gates, state, self)  # type: ignore[no-untyped-call]  # torch's own
        return found


class _Steps(torch.autograd.Function):
    """The steps of a layer: from a state h, with the gates r and z, to n + z (h - n), where n = tanh(x + r (W h + b))."""

    @staticmethod
    def forward(ctx: Any, gates: torch.Tensor, state: torch.Tensor, direction: Direction) -> torch.Tensor:
        n_steps, batch, size = *gates.shape[:2], direction.size
        both = gates.new_empty(n_steps, batch, 2 * size)  # r and z
        inner, new, after, before = (gates.new_empty(n_steps, batch, size) for _ in range(4))
        for step in _order(n_steps, direction.reverse):
            before[step] = state
            own = direction.states.onward(state, direction.states.bias)
            torch.add(gates[step, :, : 2 * size], own[:, : 2 * size], out=both[step]).sigmoid_()
            inner[step] = own[:, 2 * size :]
            r, z = both[step].chunk(2, dim=1)
            torch.addcmul(gates[step, :, 2 * size :], r, inner[step], out=new[step]).tanh_()
            state = torch.lerp(new[step], state, z, out=after[step])
        ctx.save_for_backward(both, inner, new, before)
        ctx.direction = direction
        return after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        both, inner, new, before = ctx.saved_tensors
        r, z = both.chunk(2, dim=2)
        to_new = (1 - z) * (1 - new * new)  # what the slope of a state is multiplied by on its way to each of the sums
        factors = torch.stack([to_new * inner * r * (1 - r), (before - new) * z * (1 - z), to_new * r], dim=2)
        found, carried = torch.empty_like(factors), torch.zeros_like(before[0])
        total = torch.empty_like(before)
        for step in reversed(_order(len(before), ctx.direction.reverse)):
            own = torch.add(carried, slope[step], out=total[step])
            torch.mul(factors[step], own[:, None], out=found[step])
            carried = torch.addcmul(ctx.direction.states.back(found[step].flatten(1), None), own, z[step])
        found[:, :, 2] = total * to_new
        return found.flatten(2), carried, None


def _order(n_steps: int, reverse: bool) -> range:
    return range(n_steps - 1, -1, -1) if reverse else range(n_steps)


#: Both directions of a layer.
Layer = tuple[Direction, Direction]


def layers_of(grus: Sequence[nn.GRU]) -> list[Layer]:
    """Single bidirectional layers, ready to be computed."""
    return [(Direction(gru, reverse=False), Direction(gru, reverse=True)) for gru in grus]


def one_varies(
    layers: Sequence[Layer],
    code: torch.Tensor,
    gates: torch.Tensor,
    first: torch.Tensor,
    edges: tuple[torch.Tensor, torch.Tensor],
    at: int,
) -> torch.Tensor:
    """Output of the last layer at one step of windows, shape (batch, 2 x size), while only that step's input varies.

    Up to that step the first layer's states are those that were recorded, and from it on in the other direction; of the last
    layer nothing beyond it is needed.

    Parameters
    ----------
    layers : sequence of Layer
        Two or more.
    code : Tensor, shape (batch, n_inputs)
        The input that varies.
    gates : Tensor, shape (time, batch, 6 x size)
        What the first layer's products make of the recorded inputs, in both directions.
    first : Tensor, shape (time, batch, 2 x size)
        The first layer's recorded output.
    edges : tuple of Tensor, shape (n_layers, batch, size)
        States before the windows, and after them in the other direction.
    at : int
        The step.
    """
    size = layers[0][0].size
    onward, backward = layers[0]
    left, right = edges
    entered = first[at - 1, :, :size] if at else left[0], first[at + 1, :, size:] if at + 1 < len(first) else right[0]
    later = onward(torch.cat([onward.gates(code)[None], gates[at + 1 :, :, : 3 * size]]), entered[0])
    earlier = backward(torch.cat([gates[:at, :, 3 * size :], backward.gates(code)[None]]), entered[1])
    states = _joined(torch.cat([first[:at, :, :size], later]), torch.cat([earlier, first[at + 1 :, :, size:]]))
    for (onward, backward), before, after in zip(layers[1:-1], left[1:-1], right[1:-1], strict=True):
        states = _joined(onward(onward.gates(states), before), backward(backward.gates(states), after))
    onward, backward = layers[-1]
    until, since = onward.gates(states[: at + 1]), backward.gates(states[at:])
    return _joined(onward(until, left[-1])[at], backward(since, right[-1])[0])


def _joined(onward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
    return torch.cat([onward, backward], dim=-1)
