"""A point on a path of GSSC against the machine's products of matrices: as many multiplications, in the same shapes.

Counted are those that a point needs: of convolutions and their slopes as torch computes them, of recurrent layers the steps
that vary. What the same products take by themselves, with weights in the library's own order, is the least that it can take.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import eegflex
from benchmarks.nights import STAGERS, night
from benchmarks.table import Row, markdown, seconds
from eegflex.stagers.passes import torchs_own

__all__ = ["rows"]

N_POINTS, REPEATS = 64, 5
#: Rows of a product that is timed: of longer ones, so many.
MOST_ROWS = 16384
#: The share of the arithmetic limit that a point must reach.
LEAST = 0.5

#: (rows, summed over, columns) -> how often
Products = Counter[tuple[int, int, int]]


class _Counting(TorchDispatchMode):
    """Notes the products of matrices that convolutions and layers of weights stand for."""

    def __init__(self) -> None:
        super().__init__()
        self.products: Products = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        counted = _COUNTED.get(str(func).split(".default")[0])
        if counted is not None:
            self.products.update(counted(args, found))
        return found


def _convolved(args: Any, found: torch.Tensor) -> Products:
    return _of_convolution(args[1], found.numel() // found.shape[1], args[8])


def _slope(args: Any, found: Any) -> Products:
    if found[0] is None:
        return Counter()
    given, weight, groups = args[0], args[2], args[9]
    return Counter({(given.numel() // given.shape[1], weight.shape[0] // groups, weight[0].numel()): groups})


def _of_convolution(weight: torch.Tensor, rows: int, groups: int) -> Products:
    return Counter({(rows, weight[0].numel(), weight.shape[0] // groups): groups})


def _times(args: Any, found: torch.Tensor) -> Products:
    n_in = args[0].shape[-1]
    return Counter({(args[0].numel() // n_in, n_in, found.shape[-1]): 1})


def _added(args: Any, found: torch.Tensor) -> Products:
    return Counter({(args[1].shape[0], args[1].shape[1], found.shape[1]): 1})


_COUNTED: dict[str, Callable[[Any, Any], Products]] = {
    "aten.convolution": _convolved,
    "aten.convolution_backward": _slope,
    "aten.mm": _times,
    "aten.addmm": _added,
    "mkldnn._linear_pointwise": _times,
}


def rows() -> list[Row]:
    """Count, and time both sides in turn, with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_row()]
    finally:
        torch.set_num_threads(threads)


def _row() -> Row:
    bound, index, x = _bound()

    def slopes(function: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> torch.Tensor:
        points = at.clone().requires_grad_(True)
        return torch.autograd.grad(function(points).sum(0)[0], points)[0]

    def whole() -> torch.Tensor:
        return slopes(lambda points: bound(points, index), x)

    whole()  # which way is right
    with torch.no_grad():
        codes = bound.encode(x)
    with torchs_own(), _Counting() as encoded:
        slopes(bound.encode, x)
    slopes(lambda own: bound.decode(own, index), codes)
    with _Counting() as decoded:
        slopes(lambda own: bound.decode(own, index), codes)
    products = encoded.products + decoded.products
    multiplied = sum(n * rows * inner * columns for (rows, inner, columns), n in products.items()) / N_POINTS
    limit = sum(n * _product(*shape) for shape, n in products.items())
    (took,) = seconds(whole, repeats=REPEATS, clock=time.process_time)
    return Row(
        f"GSSC: a point of {multiplied / 1e6:.0f} million multiplications, one thread",
        f"{1e3 * took / N_POINTS:.2f} ms, {multiplied * N_POINTS / took / 1e9:.0f} billion a second",
        f"products of these shapes {1e3 * limit / N_POINTS:.2f} ms",
        limit / took,
        f"at least {LEAST:g}",
        limit / took >= LEAST,
    )


def _bound() -> tuple[Any, torch.Tensor, torch.Tensor]:
    staged = eegflex.stage_epochs(night(hours=1.0), STAGERS["GSSC"](), verbose="error")
    index = torch.arange(40, 44).repeat_interleave(N_POINTS // 4)
    return staged.bound[0], index, 0.5 * staged.bound[0].inputs(index)


def _product(rows: int, inner: int, columns: int) -> float:
    """Seconds that a product takes, with weights in the library's order."""
    few = min(rows, MOST_ROWS)
    left, weight = torch.randn(few, inner), torch.randn(columns, inner)
    ordered = torch.ops.mkldnn._reorder_linear_weight(weight)

    def multiply() -> torch.Tensor:
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(left, ordered, None, "none", [], "")
        return product

    multiply()
    (took,) = seconds(multiply, repeats=REPEATS, clock=time.process_time)
    return took * rows / few


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
