"""Layers of networks of signals, in the arrangement in which processors compute them and their slopes fastest.

Torch computes one-dimensional layers with a signal's channels one after the other, and its convolutions copy them from one
arrangement to the other and back. Here all stay in one, channels last, as images of one row. What is computed is the same, and
so are the derivatives, which are torch's own; only that of a convolution of very few channels, such as the first of most
networks, is written out, since torch's leaves most of the processor idle.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["ChannelsLast", "as_images", "as_row"]

#: Numbers that a processor multiplies at once. With fewer input channels a convolution's slopes are computed in blocks of time.
LANES = 16
#: With at least so many input channels torch's own way is as fast.
ENOUGH_CHANNELS = 8

#: Means of groups in standard deviations up to which their norm is as exact with the channels last: to a few millionths.
LARGEST_MEAN = 2.0


class ChannelsLast(TorchFunctionMode):
    """Within it, layers of one dimension that are called compute as images of one row with their channels last.

    A layer that is not in its table, or is called in a way that is not foreseen, is torch's own.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if "input" in kwargs:
            args = kwargs.pop("input"), *args
        rule = _RULES.get(func)
        found = NotImplemented if rule is None else rule(*args, **kwargs)
        return func(*args, **kwargs) if found is NotImplemented else found


def _conv1d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    if x.ndim != 3 or weight.requires_grad:
        return NotImplemented
    step, apart, n_taps = _one(stride), _one(dilation), weight.shape[-1]
    if isinstance(padding, str):
        total = apart * (n_taps - 1) if padding == "same" else 0
        x, padding = functional.pad(x, (0, total % 2)), total // 2
    return _convolved(as_row(x), weight, bias, (1, step), (0, _one(padding)), (1, apart), groups).squeeze(2)


def _conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    if x.ndim != 4 or weight.requires_grad or isinstance(padding, str):
        return NotImplemented
    return _convolved(_last(x), weight, bias, _two(stride), _two(padding), _two(dilation), groups)


def _convolved(
    image: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    if groups == 1 and not any(padding) and image.shape[2:] == (1, 1, *weight.shape[2:])[-2:] and set(dilation) == {1}:
        return functional.linear(image.flatten(1), weight.flatten(1), bias)[..., None, None]  # each number is met once
    is_row = weight.ndim == 3 or weight.shape[2] == 1
    in_time = is_row and (stride[0], padding[0], dilation[1]) == (1, 0, 1)
    if in_time and groups == 1 and weight.shape[1] < ENOUGH_CHANNELS:
        found: torch.Tensor = _OfFewChannels.apply(image, weight, bias, stride[1], padding[1])  # type: ignore[no-untyped-call]  # torch's own
        return found
    return functional.conv2d(image, _arranged(weight), bias, stride, padding, dilation, groups)


def _group_norm(
    x: torch.Tensor,
    num_groups: int,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """Torch takes the variance of images from the mean of squares, which is exact only where the mean itself is small."""
    if not _is_signal(x):
        return NotImplemented
    normed = _normed(as_row(x), num_groups, weight, bias, eps)
    return NotImplemented if normed is None else normed.squeeze(2)


def _normed(
    row: torch.Tensor, num_groups: int, weight: torch.Tensor | None, bias: torch.Tensor | None, eps: float
) -> torch.Tensor | None:
    batch, n_channels, _, n_times = row.shape
    normed, mean, per_deviation = torch.native_group_norm(
        row, weight, bias, batch, n_channels, n_times, num_groups, eps
    )
    return normed if float((mean * per_deviation).detach().abs().max()) <= LARGEST_MEAN else None


def _batch_norm(x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    return functional.batch_norm(as_row(x), *args, **kwargs).squeeze(2) if _is_signal(x) else NotImplemented


def _max_pool1d(
    x: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if not _is_signal(x) or return_indices:
        return NotImplemented
    step = _one(stride or kernel_size)
    sizes = ((1, _one(kernel_size)), (1, step), (0, _one(padding)), (1, _one(dilation)))
    return functional.max_pool2d(as_row(x), *sizes, ceil_mode).squeeze(2)


def _avg_pool1d(
    x: torch.Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """Averages as a convolution of each channel by itself, which is faster than torch's pool."""
    width, margin = _one(kernel_size), _one(padding)
    if not _is_signal(x) or ceil_mode or (margin and not count_include_pad):
        return NotImplemented
    return _averaged(as_row(x), width, _one(stride or kernel_size), margin).squeeze(2)


def _averaged(row: torch.Tensor, width: int, stride: int, margin: int) -> torch.Tensor:
    weight = _averaging(row.shape[1], width, row.dtype, row.device)
    return functional.conv2d(row, weight, None, (1, stride), (0, margin), 1, row.shape[1])


#: What is called -> what computes it in its place, called alike. `NotImplemented`: nothing does.
_RULES: dict[Any, Callable[..., Any]] = {
    functional.conv1d: _conv1d,
    functional.conv2d: _conv2d,
    functional.group_norm: _group_norm,
    functional.batch_norm: _batch_norm,
    functional.max_pool1d: _max_pool1d,
    functional.avg_pool1d: _avg_pool1d,
    torch.ops.aten.conv1d.default: _conv1d,
    torch.ops.aten.conv2d.default: _conv2d,
    torch.ops.aten.max_pool1d.default: _max_pool1d,
    torch.ops.aten.avg_pool1d.default: _avg_pool1d,
}


def as_images(module: nn.Module) -> nn.Module:
    """A network of signals, all whose layers are modules, as the network of images of one row that computes the same.

    It is given what `as_row` makes of signals, and returns such images. `ChannelsLast` is for networks of whatever code; here
    each layer is spared the way to images and back, which takes a tenth of GSSC's time. What is no layer in its table must not
    mind the row. The weights are those that the network has now, in eval mode.
    """
    if type(module) in _IMAGES:
        kind, is_known = _IMAGES[type(module)]
        return kind(module) if is_known(module) else _AsSignal(module)
    images = copy.copy(module)
    images._modules = {name: as_images(part) for name, part in module._modules.items() if part is not None}
    if type(module) is nn.Sequential:
        _rectify_in_place(list(images._modules.values()))
    return images


def _rectify_in_place(layers: list[nn.Module | None]) -> None:
    """Let rectifiers write over what the norm before them returns, which nobody else reads.

    They find their slopes in what they return, which the next layer keeps anyway: less is kept for the way back.
    """
    for before, layer in pairwise(layers):
        rectifies = isinstance(layer, nn.ReLU) or (isinstance(layer, nn.LeakyReLU) and layer.negative_slope >= 0)
        if isinstance(before, _Norm) and rectifies:
            layer.inplace = True  # type: ignore[union-attr]


class _OfLayer(nn.Module):
    """A layer of signals, of images: `layer` itself is nothing that is trained or moved with it."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.held = (layer,)
        self.weight, self.bias = (_held(layer, name) for name in ("weight", "bias"))


def _held(layer: Any, name: str) -> Any:
    own = getattr(layer, name, None)
    return None if own is None else own.detach()


class _Convolution(_OfLayer):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        (of,) = self.held
        sizes = (1, *of.stride), (0, *of.padding), (1, *of.dilation)
        return _convolved(image, self.weight, self.bias, *sizes, of.groups)


class _Norm(_OfLayer):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        (of,) = self.held
        found = _normed(image, of.num_groups, self.weight, self.bias, of.eps)
        return _last(of(image.contiguous())) if found is None else found


class _Average(_OfLayer):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        (of,) = self.held
        width, stride, margin = (_one(size) for size in (of.kernel_size, of.stride, of.padding))
        return _averaged(image, width, stride, margin)


class _AsSignal(_OfLayer):
    """Torch's own, for a layer that is used in a way that is not foreseen."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return as_row(self.held[0](image.squeeze(2)))


def _always(_: nn.Module) -> bool:
    return True


#: Layer -> what computes it of images, and whether it does so for one of these.
_IMAGES: dict[type[nn.Module], tuple[Callable[[Any], nn.Module], Callable[[Any], bool]]] = {
    nn.Conv1d: (_Convolution, lambda of: not isinstance(of.padding, str) and of.padding_mode == "zeros"),
    nn.GroupNorm: (_Norm, _always),
    nn.AvgPool1d: (_Average, lambda of: not of.ceil_mode and (of.count_include_pad or not any(of.padding))),
    nn.Dropout: (lambda _: nn.Identity(), _always),
}


class _OfFewChannels(torch.autograd.Function):
    """A convolution in time, of images of few channels.

    The slope of an input of one channel is again a convolution, with one output, and a processor that multiplies sixteen
    numbers at once has one to multiply. So sixteen successive samples are computed as the outputs of one convolution, whose
    weights are the same ones shifted. A stride is nothing else: it says which of the taps are there for which sample.
    """

    @staticmethod
    def forward(
        ctx: Any, image: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int, padding: int
    ) -> torch.Tensor:
        ctx.weight, ctx.stride, ctx.padding, ctx.n_times = weight, stride, padding, image.shape[-1]
        return functional.conv2d(image, _arranged(weight), bias, (1, stride), (0, padding))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        n_channels = ctx.weight.shape[1]
        block = ctx.stride * ceil(LANES / (ctx.stride * n_channels))
        weight, first = _arranged(ctx.weight, _in_blocks, block, ctx.stride, ctx.padding)
        n_blocks, step = ceil(ctx.n_times / block), block // ctx.stride
        last = step * (n_blocks - 1) + first + weight.shape[-1] - 1  # the moment that the last of them needs
        padded = _last(functional.pad(slope, (-first, last - slope.shape[-1] + 1)))
        found = functional.conv2d(padded, weight, None, (1, step)).permute(0, 2, 3, 1)
        samples = found.unflatten(3, (block, n_channels)).flatten(2, 3)[:, :, : ctx.n_times]
        return samples.permute(0, 3, 1, 2), None, None, None, None


def _in_blocks(weight: torch.Tensor, block: int, stride: int, padding: int) -> tuple[torch.Tensor, int]:
    """Weights of the convolution that gives the slopes of a block of samples, and the first moment that it needs.

    Sample ``r`` of a block took part in output ``m`` through tap ``r + padding - stride * m``.
    """
    n_outputs, n_channels, _, n_taps = weight.shape
    sample, tap = torch.meshgrid(torch.arange(block), torch.arange(n_taps), indexing="ij")
    there = (sample + padding - tap) % stride == 0
    sample, tap = sample[there], tap[there]
    moment = torch.div(sample + padding - tap, stride, rounding_mode="floor")
    first = int(moment.min())
    blocks = weight.new_zeros(block, n_channels, n_outputs, int(moment.max()) - first + 1)
    blocks[sample, :, :, moment - first] = weight[:, :, 0, tap].permute(2, 1, 0)
    return _last(blocks.flatten(0, 1)[:, :, None]), first


#: weights -> what was made of them, of which of their versions; these are held, so that no others come to lie in their place
_made: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def _arranged(weight: torch.Tensor, how: Callable[..., Any] | None = None, *arguments: int) -> Any:
    """Weights, those of one dimension with one row, channels last; or what a function makes of them. Made once."""
    kept = _made.setdefault(weight, {})
    version = weight._version, weight.data_ptr(), weight.dtype
    if kept.get((how, arguments), (None,))[0] != version:
        held = weight.detach()
        rows = held if held.ndim == 4 else held[:, :, None]
        kept[how, arguments] = version, _last(rows) if how is None else how(rows, *arguments), held
    return kept[how, arguments][1]


@lru_cache(maxsize=64)
def _averaging(n_channels: int, width: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.full((n_channels, 1, 1, width), 1 / width, dtype=dtype, device=device)


def _is_signal(x: torch.Tensor) -> bool:
    """Whether it is (batch, channel, time), with more than one moment."""
    return x.ndim == 3 and x.shape[-1] > 1


def as_row(x: torch.Tensor) -> torch.Tensor:
    """Signals (batch, channel, time) as images of one row, channels last in memory."""
    return _last(x[:, :, None])


def _last(image: torch.Tensor) -> torch.Tensor:
    """Images with their channels last in memory; of one channel too, of which torch cannot tell where it is."""
    if image.shape[1] > 1:
        return image.contiguous(memory_format=torch.channels_last)
    return image[:, 0].contiguous()[..., None].permute(0, 3, 1, 2)


def _one(size: Any) -> int:
    return int(size) if isinstance(size, int) else int(size[0])


def _two(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
