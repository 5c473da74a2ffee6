"""Recurrent layers of which one step's input varies, as the epoch explained does among its recorded neighbours.

What does not vary is computed once for a recording: the first layer's states up to that step and, in the other direction, from
it on; and what the second layer's products make of them. The last layer is read up to that step only. What the slopes need of a
step is made while it is still at hand in the processor's cache.

No step is left out for being far away: what an epoch changes fades slowly. In GSSC some hundredths of it are left 40 epochs
away, in states and in slopes, and to come down to rounding would take hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from eegflex.stagers.products import Product

__all__ = ["Layer", "Recorded", "layers_of", "one_varies", "recorded"]

#: Rows of which factors are made at once: few enough to stay in the cache, enough for a call to be worth it.
ROWS = 128


class Direction:
    """One direction of a layer of gated recurrent units.

    From a state h, with the gates r and z, a step leads to n + z (h - n), where n = tanh(x + r (W h + b)). The weights of n are
    twice the layer's: tanh(x) is 2 sigmoid(2 x) - 1, and takes a quarter of the time so.

    Parameters
    ----------
    gru : GRU
        A single layer.
    suffix : str
        Of the names of its weights.

    Attributes
    ----------
    gates : Product
        What it makes of inputs before it reads them.
    bias : Tensor, shape (3 x size,)
        What of that is the same for all inputs.
    halves : tuple of Product
        The same of each half of the inputs, without the bias.
    states : Product
        What it makes of its states.
    """

    def __init__(self, gru: nn.GRU, suffix: str) -> None:
        weights = (getattr(gru, name + suffix).detach() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        self.size = size = gru.hidden_size
        of_inputs, of_states, bias, of_states_bias = (
            torch.cat([one[: 2 * size], 2 * one[2 * size :]]) for one in weights
        )
        # The biases of two of the gates can be added beforehand; that of the third is within a product with the first gate.
        inner = torch.cat([torch.zeros_like(bias[: 2 * size]), of_states_bias[2 * size :]])
        self.bias = bias + of_states_bias - inner
        self.gates = Product(of_inputs, self.bias)
        self.halves = tuple(Product(half.contiguous()) for half in of_inputs.tensor_split(2, dim=1))
        self.states = Product(of_states, inner)

    def read(
        self,
        gates: Iterable[torch.Tensor],
        state: torch.Tensor,
        into: Sequence[torch.Tensor],
        kept: torch.Tensor | None,
        within: Sequence[torch.Tensor | None] | None = None,
    ) -> torch.Tensor:
        """Read steps, in the order in which it does, and return the last state.

        Parameters
        ----------
        gates : iterable of Tensor, shape (batch, 3 x size)
            What `gates` makes of the inputs.
        state : Tensor, shape (batch, size)
            Before the first of them.
        into : sequence of Tensor, shape (batch, size)
            Where the states are written.
        kept : Tensor, shape (n_steps, batch, 5, size) | None
            Where that is written which `slopes` needs.
        within : sequence of Tensor of bool, shape (batch, 1), or None
            Which rows have a step; the others are left in the state that they began with. None where all have it.
        """
        begin, there = state, [None] * len(into) if within is None else within
        size, batch, n_steps = self.size, len(state), len(into)
        parts = state.new_empty(1, batch, 5, size) if kept is None else kept
        views = [*(part.unbind() for part in parts.unbind(2)), parts[:, :, 3:].flatten(2).unbind()]
        minus, at_once, begun = state.new_tensor(-1.0), max(ROWS // max(batch, 1), 1), 0
        for step, (given, after) in enumerate(zip(gates, into, strict=True)):
            inner, change, new, r, z, both = (view[0 if kept is None else step] for view in views)
            of_both, of_new = given.split((2 * size, size), dim=1)
            own_of_both, own_of_new = self.states(state).split((2 * size, size), dim=1)
            torch.add(of_both, own_of_both, out=both).sigmoid_()
            inner.copy_(own_of_new)
            torch.addcmul(of_new, r, inner, out=new).sigmoid_()
            torch.add(minus, new, alpha=2.0, out=new)
            torch.sub(state, new, out=change)
            state = torch.lerp(new, state, z, out=after)
            if (own := there[step]) is not None:
                state = torch.where(own, state, begin, out=after)
            if kept is not None and (step + 1 - begun == at_once or step + 1 == n_steps):
                _to_factors(kept[begun : step + 1])
                for place in range(begun, step + 1):
                    if (own := there[place]) is not None:
                        kept[place].mul_(own[..., None])  # a state that stays as it began has no slopes
                begun = step + 1
        return state

    def slopes(self, kept: torch.Tensor, of: Sequence[torch.Tensor | None], into: Sequence[torch.Tensor]) -> None:
        """Slopes of the gates.

        Parameters
        ----------
        kept : Tensor, shape (n_steps, batch, 5, size)
            What was kept of the steps.
        of : sequence of Tensor, shape (batch, size), or None
            Slopes of the states after each of them, as far as somebody else reads these; of the last one there are some.
        into : sequence of Tensor, shape (batch, 3, size)
            Where the slopes are written.
        """
        carried: torch.Tensor | None = None
        to_sums, to_new, remain = kept[:, :, :3].unbind(), kept[:, :, 3].unbind(), kept[:, :, 4].unbind()
        for step in range(len(kept) - 1, -1, -1):
            own, gates = _sum(carried, of[step]), into[step]
            torch.mul(to_sums[step], own[:, None], out=gates)
            if step:
                carried = torch.addcmul(self.states.back(gates.flatten(1)), own, remain[step])
            torch.mul(to_new[step], own, out=gates[:, 2])


def _to_factors(parts: torch.Tensor) -> None:
    """What `Direction.slopes` needs, in the place of what was kept of steps.

    There is the inside of n, what a step changes, n, r and z; and then what the slope of a state is multiplied by on its way to
    r, to z and to the inside of n, and to n itself; and z.
    """
    inner, _, new, r, z = parts.unbind(2)
    to_new = torch.ops.aten.tanh_backward(torch.sub(z.new_tensor(0.5), z, alpha=0.5), new)
    torch.mul(to_new, r, out=new)
    inner.mul_(to_new)
    both = parts[:, :, :2]
    torch.ops.aten.sigmoid_backward.grad_input(both, parts[:, :, 3:], grad_input=both)
    r.copy_(to_new)


def _sum(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor:
    if one is None or other is None:
        return other if one is None else one  # type: ignore[return-value]
    return one + other


#: Both directions of a layer.
Layer = tuple[Direction, Direction]


def layers_of(grus: Sequence[nn.GRU]) -> list[Layer]:
    """Single bidirectional layers, ready to be computed."""
    return [(Direction(gru, "_l0"), Direction(gru, "_l0_reverse")) for gru in grus]


@dataclass(frozen=True)
class Recorded:
    """What is known of a recording, in which nothing varies.

    Attributes
    ----------
    gates : tuple of Tensor, shape (n_epochs, 3 x size)
        What the first layer's products make of the inputs, in both directions.
    first : Tensor, shape (n_epochs, 2 x size)
        The first layer's output.
    second : tuple of tuple of Tensor, shape (n_epochs, 3 x size)
        What the second layer's products make of each half of it, for each of its directions; the bias is in both.
    """

    gates: tuple[torch.Tensor, ...]
    first: torch.Tensor
    second: tuple[tuple[torch.Tensor, ...], ...]


def recorded(layers: Sequence[Layer], inputs: torch.Tensor, first: torch.Tensor) -> Recorded:
    """What is known of a recording: its inputs, (n_epochs, n_inputs), and the first layer's output of them."""
    halves = [half.contiguous() for half in first.tensor_split(2, dim=1)]
    return Recorded(
        tuple(direction.gates(inputs) for direction in layers[0]),
        first,
        tuple(
            tuple(product(half).add_(own.bias) for product, half in zip(own.halves, halves, strict=True))
            for own in layers[1]
        ),
    )


def one_varies(
    layers: Sequence[Layer],
    code: torch.Tensor,
    night: Recorded,
    members: torch.Tensor,
    edges: tuple[torch.Tensor, torch.Tensor],
    at: int,
    within: torch.Tensor | None = None,
) -> torch.Tensor:
    """Output of the last layer at one step of windows, shape (batch, 2 x size), while only that step's input varies.

    Parameters
    ----------
    layers : sequence of Layer
        Two or more.
    code : Tensor, shape (batch, n_inputs)
        The input that varies.
    night : Recorded
        The recording.
    members : Tensor of int64, shape (time, batch)
        Epochs of the windows.
    edges : tuple of Tensor, shape (n_layers, batch, size)
        States before the windows, and after them in the other direction.
    at : int
        The step.
    within : Tensor of bool, shape (time, batch) | None
        Which of the members belong to a window: those in a row around the step; by default all. The others are any epochs.
        It is read: what lies on another device is waited for.
    """
    everywhere = [] if within is None else within.all(dim=1).tolist()
    windows = _Windows(
        layers, night, members, edges, at, None if within is None else within.to(code.device), tuple(everywhere)
    )
    found: torch.Tensor = _OneVaries.apply(code, windows)  # type: ignore[no-untyped-call]  # torch's own
    return found


class _OneVaries(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, code: torch.Tensor, windows: _Windows) -> torch.Tensor:
        kept: list[torch.Tensor] | None = [] if ctx.needs_input_grad[0] else None
        found = windows.states(code, kept)
        ctx.windows = windows
        ctx.save_for_backward(*(kept or []))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return ctx.windows.slopes(slope, ctx.saved_tensors), None


@dataclass(frozen=True)
class _Windows:
    """Windows of a recording, as `one_varies` is given them. What there is of each step is listed as a direction reads it."""

    layers: Sequence[Layer]
    night: Recorded
    members: torch.Tensor
    edges: tuple[torch.Tensor, torch.Tensor]
    at: int
    within: torch.Tensor | None = None
    everywhere: tuple[bool, ...] = ()  # which steps all windows have

    def states(self, code: torch.Tensor, kept: list[torch.Tensor] | None) -> torch.Tensor:
        """Output of the last layer; what its slopes need is added to `kept`, for each direction of each layer."""
        n, at, batch, size = len(self.members), self.at, len(code), self.layers[0][0].size
        later, earlier = code.new_empty(n - at, batch, size), code.new_empty(at + 1, batch, size)
        into: Sequence[Sequence[torch.Tensor]] = later.unbind(), earlier.unbind()[::-1]
        gates: list[Iterable[torch.Tensor]] = [self._first_gates(code, side) for side in (0, 1)]
        self._read(0, gates, [self._entered(side) for side in (0, 1)], into, kept)
        joined, last = later, len(self.layers) - 1
        for layer in range(1, last + 1):
            if layer == 1:
                gates = [self._second_gates(later, earlier, side) for side in (0, 1)]
            else:
                gates = [self._gates(joined, layer, side) for side in (0, 1)]
            joined = code.new_empty(n, batch, 2 * size)
            halves = joined[..., :size].unbind(), joined[..., size:].unbind()
            into = [[halves[side][step] for step in self._steps(layer)[side]] for side in (0, 1)]
            there = [self._within(steps) for steps in self._steps(layer)]
            ends = self._read(layer, gates, [self.edges[side][layer] for side in (0, 1)], into, kept, there)
        return torch.cat(ends, dim=1)

    def _steps(self, layer: int) -> tuple[range, range]:
        """What each direction of a layer reads: of the first what varies, of the last what leads to the step explained."""
        n, at = len(self.members), self.at
        if layer == 0:
            return range(at, n), range(at, -1, -1)
        is_last = layer == len(self.layers) - 1
        return range(at + 1 if is_last else n), range(n - 1, at - 1 if is_last else -1, -1)

    def _read(
        self,
        layer: int,
        gates: Sequence[Iterable[torch.Tensor]],
        states: Sequence[torch.Tensor],
        into: Sequence[Sequence[torch.Tensor]],
        kept: list[torch.Tensor] | None,
        within: Sequence[_Within] = (None, None),
    ) -> list[torch.Tensor]:
        ends = []
        for side, direction in enumerate(self.layers[layer]):
            part = (
                None
                if kept is None
                else states[side].new_empty(len(into[side]), *states[side].shape[:1], 5, direction.size)
            )
            ends.append(direction.read(gates[side], states[side], into[side], part, within[side]))
            if kept is not None and part is not None:
                kept.append(part)
        return ends

    def _entered(self, side: int) -> torch.Tensor:
        """The state in which a direction of the first layer comes to what varies: a recorded one."""
        before, size = self.at + (1 if side else -1), self.layers[0][0].size
        if not 0 <= before < len(self.members):
            return self.edges[side][0]
        known = self.night.first[:, side * size : (side + 1) * size][self.members[before]]
        return known if self.within is None else torch.where(self.within[before, :, None], known, self.edges[side][0])

    def _within(self, steps: range) -> _Within:
        """Which windows have each of these steps, where not all of them do.

        Of the first layer that need not be known: nobody reads what it makes of steps that a window does not have.
        """
        if self.within is None:
            return None
        return [None if self.everywhere[step] else self.within[step, :, None] for step in steps]

    def _first_gates(self, code: torch.Tensor, side: int) -> Iterator[torch.Tensor]:
        yield self.layers[0][side].gates(code)
        for step in self._steps(0)[side][1:]:
            yield self.night.gates[side].index_select(0, self.members[step])

    def _second_gates(self, later: torch.Tensor, earlier: torch.Tensor, side: int) -> Iterator[torch.Tensor]:
        """Up to the step explained the first half of what is read is a recorded one, and after it the second."""
        direction, at, steps = self.layers[1][side], self.at, self._steps(1)[side]
        first, end = min(steps), max(steps) + 1
        of_earlier = direction.halves[1](earlier[first:at]) if first < at else later
        of_later = direction.halves[0](later[1 : end - at]) if end > at + 1 else later
        recorded_half = self.night.second[side]
        for step in steps:
            if step == at:
                yield direction.gates(torch.cat([later[0], earlier[at]], dim=1))
            elif step < at:
                yield of_earlier[step - first].add_(recorded_half[0].index_select(0, self.members[step]))
            else:
                yield of_later[step - at - 1].add_(recorded_half[1].index_select(0, self.members[step]))

    def _gates(self, joined: torch.Tensor, layer: int, side: int) -> Sequence[torch.Tensor]:
        steps = self._steps(layer)[side]
        made = self.layers[layer][side].gates(joined[min(steps) : max(steps) + 1]).unbind()
        return made[::-1] if side else made

    def slopes(self, slope: torch.Tensor, kept: Sequence[torch.Tensor]) -> torch.Tensor:
        """Slopes of the input that varies, of those of the output."""
        last = len(self.layers) - 1
        of: list[list[torch.Tensor | None]] = [
            [*[None] * (len(steps) - 1), end]
            for steps, end in zip(self._steps(last), slope.chunk(2, dim=1), strict=True)
        ]
        for layer in range(last, 0, -1):
            found: tuple[_ByStep, _ByStep] = {}, {}
            for side in (0, 1):
                gates = slope.new_empty(*kept[2 * layer + side].shape[:2], 3, kept[0].shape[3])
                self.layers[layer][side].slopes(kept[2 * layer + side], of[side], gates.unbind())
                self._pass_on(gates.flatten(2), layer, side, found)
            of = [[found[side][step] for step in self._steps(layer - 1)[side]] for side in (0, 1)]
        total = None
        for side, direction in enumerate(self.layers[0]):
            gate = slope.new_empty(
                len(slope), 3, direction.size
            )  # of the first step, which is the last that is written
            direction.slopes(kept[side], of[side], [gate] * len(of[side]))
            total = _sum(total, direction.gates.back(gate.flatten(1)))
        return _sum(total, None)

    def _pass_on(self, gates: torch.Tensor, layer: int, side: int, found: tuple[_ByStep, _ByStep]) -> None:
        """Add slopes of what a direction reads, by steps, to those of both halves of it, as far as these vary."""
        direction, steps = self.layers[layer][side], self._steps(layer)[side]
        if layer > 1:
            for step, slope in zip(steps, direction.gates.back(gates).unbind(), strict=True):
                for half, part in zip(found, slope.chunk(2, dim=1), strict=True):
                    _add(half, step, part)
            return
        for half, product, varies in zip(found, direction.halves, self._steps(0), strict=True):
            places = [place for place, step in enumerate(steps) if step in varies]  # in a row
            slopes = product.back(gates[places[0] : places[-1] + 1]).unbind()
            for place, part in zip(places, slopes, strict=True):
                _add(half, steps[place], part)


def _add(half: _ByStep, step: int, slope: torch.Tensor) -> None:
    half[step] = half[step].add_(slope) if step in half else slope


#: Which rows have each of some steps; None where all have it, or all of them.
_Within = Sequence[torch.Tensor | None] | None
#: Slopes of a half of what is read, by steps.
_ByStep = dict[int, torch.Tensor]
