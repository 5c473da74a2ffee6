"""Products of inputs and weights, and the way back, in the way that is quickest on this processor.

They are most of the work of recurrent layers. Torch computes them by one library. That which computes its convolutions has them
too, for weights that were put in order before, and which of both is the quicker one depends on the processor. To put weights in
order is a function of torch's own making which it does not promise to keep: it is looked for, and done without where it is not
found.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import torch

__all__ = ["Product", "order_is_quicker"]

#: Weights are put in the library's order where that makes products so many times as fast: far enough from 1 that the same
#: processor gives the same answer again. Tried is a product of GSSC's size: rows, inputs, outputs; and so often.
QUICKER, TRIED, REPEATS = 1.2, (64, 256, 768), 9


class Product:
    """Inputs times weights, (..., n_inputs) -> (..., n_outputs), and the way back.

    Parameters
    ----------
    weight : Tensor, shape (n_outputs, n_inputs)
    bias : Tensor, shape (n_outputs,) | None
    in_order : bool | None
        Whether weights are put in the library's order, if there is one; by default where that is quicker here.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None, *, in_order: bool | None = None) -> None:
        self.weight, self.bias = weight, bias
        self.in_order = order_is_quicker() if in_order is None else in_order
        self._onward = _times(weight, in_order=self.in_order)
        self._back = _times(weight.t().contiguous(), in_order=self.in_order)

    def __reduce__(self) -> tuple[object, ...]:
        # Weights in the library's order are no tensors that can be written: they are put in order anew. Another process
        # multiplies in the same way, whatever is quicker there, so that it gives the same to the bit.
        return functools.partial(type(self), in_order=self.in_order), (self.weight, self.bias)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs times weights."""
        return self._onward(inputs, self.bias)

    def back(self, slopes: torch.Tensor) -> torch.Tensor:
        """Slopes of what was returned -> slopes of the inputs."""
        return self._back(slopes, None)


@functools.cache
def order_is_quicker() -> bool:
    """Whether this processor multiplies faster by weights in the library's order: found out once, by the clock."""
    n_rows, n_inputs, n_outputs = TRIED
    inputs, weight, bias = torch.ones(n_rows, n_inputs), torch.ones(n_outputs, n_inputs), torch.ones(n_outputs)
    ways = [_times(weight, in_order=in_order) for in_order in (False, True)]
    took = [float("inf")] * len(ways)
    for _ in range(REPEATS):
        for place, way in enumerate(ways):
            begun = time.perf_counter()
            way(inputs, bias)
            took[place] = min(took[place], time.perf_counter() - begun)
    return took[0] > QUICKER * took[1]


def _times(weight: torch.Tensor, *, in_order: bool) -> Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]:
    """What multiplies by weights and adds a bias: with weights in the library's order if that is asked for and is there."""
    turned = weight.t().contiguous()  # of few rows up to twice as fast as turned within the product

    def plain(inputs: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        rows = inputs.reshape(-1, len(turned))
        found = torch.mm(rows, turned) if bias is None else torch.addmm(bias, rows, turned)
        return found.view(*inputs.shape[:-1], len(weight))

    if not in_order:
        return plain
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
