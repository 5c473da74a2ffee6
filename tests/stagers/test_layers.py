"""Layers computed with their channels last: what torch computes, and its slopes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from eegflex.stagers.layers import LARGEST_MEAN, ChannelsLast, as_images, as_row

N_TIMES = 61


def slopes(function, x):
    """What a function gives, and the slopes of its weighted sum."""
    x = x.clone().requires_grad_(True)
    found = function(x)
    weights = torch.arange(1, found.numel() + 1, dtype=found.dtype).cos().reshape(found.shape)
    return found.detach(), torch.autograd.grad((weights * found).sum(), x)[0]


def assert_same(module, x, tolerance=1e-12):
    """Both are torch's, relative to their size."""
    expected = slopes(module, x)
    with ChannelsLast():
        found = slopes(module, x)
    for own, theirs in zip(found, expected, strict=True):
        assert own.shape == theirs.shape
        assert float((own - theirs).norm()) <= tolerance * max(float(theirs.norm()), 1e-30)


def frozen(module, dtype=torch.float64):
    """In eval mode, without gradients of its own, and with running statistics that are not the default."""
    for own in module.modules():
        if isinstance(own, nn.modules.batchnorm._BatchNorm):
            own.running_mean.normal_()
            own.running_var.uniform_(0.5, 2.0)
    return module.eval().requires_grad_(False).to(dtype)


@pytest.mark.parametrize("n_inputs", [1, 2, 3, 7, 8, 12])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(1, 1, 0), (3, 1, 1), (3, 2, 1), (2, 3, 0), (50, 1, 25), (50, 6, 0), (7, 1, 9), (5, 5, 2), (4, 7, 3), (61, 50, 0)],
)
def test_slopes_of_a_convolution(n_inputs, kernel, stride, padding):
    module = frozen(nn.Conv1d(n_inputs, 5, kernel, stride, padding))
    for n_times in (N_TIMES, N_TIMES + 1):
        assert_same(module, torch.randn(3, n_inputs, n_times, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    "module",
    [
        nn.Conv1d(4, 6, 5, padding="same"),
        nn.Conv1d(4, 6, 4, padding="same", dilation=3),
        nn.Conv1d(4, 6, 4, padding="valid", bias=False),
        nn.Conv1d(4, 8, 3, groups=4, dilation=2, stride=2),
        nn.Conv1d(4, 6, 3, padding=2, padding_mode="circular"),
        nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv2d(1, 8, (4, 1)), nn.Conv2d(8, 3, (1, 9), padding=(0, 4))),
        nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv2d(1, 8, (1, 9), (1, 3)), nn.Conv2d(8, 3, (4, 1), groups=1)),
        nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv2d(1, 8, (3, 9), 2, 1, 2), nn.BatchNorm2d(8), nn.ELU()),
        nn.AvgPool1d(3, 2, 1),
        nn.AvgPool1d(4),
        nn.AvgPool1d(3, 2, 1, ceil_mode=True),
        nn.AvgPool1d(3, 2, 1, count_include_pad=False),
        nn.MaxPool1d(4),
        nn.MaxPool1d(3, 2, 1, dilation=2, ceil_mode=True),
        nn.AdaptiveAvgPool1d(1),
        nn.AdaptiveMaxPool1d(5),
        nn.BatchNorm1d(4),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm1d(4, affine=True),
        nn.LayerNorm(N_TIMES),
        nn.ConvTranspose1d(4, 3, 5, 2),
        nn.Sequential(nn.Flatten(), nn.Linear(4 * N_TIMES, 3)),
    ],
    ids=lambda module: f"{type(module).__name__} {module.extra_repr()}",
)
def test_slopes_of_a_layer(module):
    torch.manual_seed(0)
    assert_same(frozen(module), torch.randn(3, 4, N_TIMES, dtype=torch.float64))


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv1d(4, 6, 1), (4, 1)),
        (nn.Conv1d(4, 6, 9, bias=False), (4, 9)),
        (nn.Conv1d(4, 6, 9, stride=3), (4, 9)),
        (nn.Conv1d(4, 6, 3, padding=1), (4, 1)),
        (nn.Conv1d(4, 6, 3, padding=1), (4, 3)),
        (nn.Conv1d(4, 6, 2, dilation=2), (4, 3)),
        (nn.Conv1d(4, 6, 1, groups=2), (4, 1)),
        (nn.Conv1d(9, 2, 1, stride=2), (9, 1)),
        (nn.Conv2d(4, 6, (2, 5)), (4, 2, 5)),
        (nn.Conv2d(4, 6, (1, 5)), (4, 2, 5)),
    ],
    ids=lambda given: given.extra_repr() if isinstance(given, nn.Module) else "x".join(map(str, given)),
)
def test_slopes_of_a_convolution_as_long_as_its_input(module, shape):
    """Where each tap meets one number it is a product of matrices, and is computed as one."""
    torch.manual_seed(0)
    x = torch.randn(3, *shape, dtype=torch.float64)
    assert_same(frozen(module), x)
    if len(shape) == 2:
        expected, found = slopes(module, x), slopes(as_images(module), as_row(x))
        for own, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(own.reshape(theirs.shape), theirs, rtol=1e-12, atol=1e-12)


class Residual(nn.Module):
    """A block as networks of signals have them."""

    def __init__(self, n_inputs, n_outputs, rectifier, stride, norm):
        super().__init__()
        self.rest = nn.Sequential(
            norm(n_inputs),
            rectifier,
            nn.Dropout(0.5),
            nn.Conv1d(n_inputs, n_outputs, 3, stride, 1, bias=False),
            norm(n_outputs),
            rectifier,
            nn.Conv1d(n_outputs, n_outputs, 3, 1, 1),
        )
        self.short = nn.Sequential(
            nn.AvgPool1d(3, stride, 1),
            nn.Identity() if n_inputs == n_outputs else nn.Conv1d(n_inputs, n_outputs, 1),
        )

    def forward(self, x):
        return self.rest(x) + self.short(x)


def assert_as_exact(module, x):
    """In single precision, against double: to 1e-5, or nearly as exact as torch's own way where that is less exact.

    Nor can it be more exact than the slopes are certain: next to a kink, as of a rectifier, they leap with the least rounding.
    """
    exact = slopes(module, x)
    rounded = [slopes(nearly(module, seed), x) for seed in range(8)]
    plain = slopes(module.float(), x.float())
    with ChannelsLast():
        found = slopes(module, x.float())
    for own, theirs, true, *others in zip(found, plain, exact, *rounded, strict=True):
        error, of_torch, *uncertain = (float((one - true).norm()) for one in (own, theirs, *others))
        assert error <= max(1e-5 * float(true.norm()), 10 * of_torch) + 2 * max(uncertain)


def nearly(module, seed):
    """The module with weights that differ by some roundings of single precision."""
    other, generator = copy.deepcopy(module), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in other.parameters():
            weight *= 1 + 1e-6 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return other


NORMS = (nn.BatchNorm1d, lambda n: nn.GroupNorm(2, n), lambda n: nn.InstanceNorm1d(n, affine=True), nn.Identity)
RECTIFIERS = (nn.ReLU, lambda: nn.LeakyReLU(0.2), nn.GELU, nn.ELU, nn.SiLU, lambda: nn.ReLU(inplace=True))
POOLS = (lambda: nn.MaxPool1d(2), lambda: nn.AvgPool1d(3, 2, 1), nn.Identity)

blocks = st.tuples(st.sampled_from((4, 6, 16)), st.sampled_from(RECTIFIERS), st.integers(1, 2), st.sampled_from(NORMS))


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 999),
    n_inputs=st.integers(1, 9),
    first=st.tuples(st.integers(1, 20), st.integers(1, 5), st.integers(0, 5)),
    stack=st.lists(st.tuples(blocks, st.sampled_from(POOLS)), max_size=3),
)
def test_slopes_of_a_stack(seed, n_inputs, first, stack):
    torch.manual_seed(seed)
    layers, n_channels = [nn.Conv1d(n_inputs, 4, *first)], 4
    for (n_outputs, rectifier, stride, norm), pool in stack:
        layers += [Residual(n_channels, n_outputs, rectifier(), stride, norm), pool()]
        n_channels = n_outputs
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(2 * n_channels, 5))
    x = torch.randn(3, n_inputs, 2000, dtype=torch.float64)
    assert_same(frozen(module), x)
    assert_as_exact(module, x)


def test_a_stack_in_single_precision_is_as_exact_as_torch():
    """Against double precision: to a millionth, and no farther from it than torch's own way, but for a little."""
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Conv1d(1, 16, 50, 6),
        *(Residual(16, 16, nn.GELU(), stride, lambda n: nn.GroupNorm(2, n)) for stride in (1, 2, 1, 2)),
    )
    x = torch.randn(8, 1, 3000)
    exact = slopes(frozen(module), x.double())[1]
    plain = slopes(frozen(module, torch.float32), x)[1]
    with ChannelsLast():
        found = slopes(module, x)[1]
    own, theirs = (float((one - exact).norm() / exact.norm()) for one in (found, plain))
    assert own <= 1e-6
    assert own <= 2 * theirs


@pytest.mark.parametrize("offset", [0, 1, 10, 1000])
def test_a_norm_is_exact_however_far_from_zero_its_input_is(offset):
    """As exact as torch's with the channels first; with them last torch itself is off by a hundred times at 1000."""
    x = torch.randn(2, 8, 500, generator=torch.Generator().manual_seed(0)) + offset
    exact, plain = functional.group_norm(x.double(), 2), functional.group_norm(x, 2)
    with ChannelsLast():
        found = functional.group_norm(x, 2)
    own, theirs = (float((one - exact).norm() / exact.norm()) for one in (found, plain))
    assert own <= max(2 * theirs, 2e-6)


def test_layers_are_followed_that_are_called_as_functions():
    weight = torch.randn(3, 2, 5, dtype=torch.float64)

    def network(x):
        return functional.max_pool1d(functional.conv1d(input=x, weight=weight, padding=2).relu(), 3)

    assert_same(network, torch.randn(2, 2, N_TIMES, dtype=torch.float64))


def test_changed_weights_are_minded():
    module, x = frozen(nn.Conv1d(1, 5, 9)), torch.randn(2, 1, N_TIMES, dtype=torch.float64)
    assert_same(module, x)
    with torch.no_grad():
        module.weight.normal_()
    assert_same(module, x)
    module.weight.data = torch.randn_like(module.weight)
    assert_same(module, x)
    assert_same(module.float(), x.float(), 1e-5)


def test_weights_that_depend_on_the_input_have_their_slopes():
    def network(x):
        return functional.conv1d(x, x[:1, :, :5].mul(2.0))

    assert_same(network, torch.randn(2, 2, N_TIMES, dtype=torch.float64))


def test_an_exported_graph_is_followed():
    module = frozen(nn.Sequential(nn.Conv1d(1, 8, 9, 2), nn.ReLU(), nn.MaxPool1d(2)), torch.float32)
    x = torch.randn(2, 1, N_TIMES)
    assert_same(torch.export.export(module, (x,)).module(), x, 1e-6)


def test_outside_nothing_is_changed():
    module, x = frozen(nn.Conv1d(3, 4, 3)), torch.randn(2, 3, N_TIMES, dtype=torch.float64)
    before = module(x)
    with ChannelsLast():
        inside = module(x)
    assert inside.stride() != before.stride()
    assert module(x).stride() == before.stride()
    np.testing.assert_array_equal(module(x).numpy(), before.numpy())


class Block(nn.Module):
    """Two ways of which the sum is taken; the layers are modules."""

    def __init__(self, *layers, beside):
        super().__init__()
        self.layers, self.beside = nn.Sequential(*layers), beside

    def forward(self, x):
        return self.layers(x) + self.beside(x)


def test_only_what_a_norm_returns_is_written_over():
    """By a copy of the rectifier; what else a rectifier is given may be read by somebody else."""
    norm, after, alone = nn.GroupNorm(1, 4), nn.LeakyReLU(0.2), nn.ReLU()
    falling = nn.LeakyReLU(-0.2)
    images = as_images(nn.Sequential(nn.Conv1d(1, 4, 3), alone, norm, after, nn.GroupNorm(1, 4), falling))
    assert [getattr(layer, "inplace", None) for layer in images] == [None, False, None, True, None, False]
    assert not after.inplace


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
@pytest.mark.parametrize("offset", [0.0, 20 * LARGEST_MEAN])
def test_a_network_of_images_is_the_network(dtype, tolerance, offset):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv1d(1, 8, 5, 2, 2),
        Block(
            *(nn.GroupNorm(2, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Conv1d(8, 16, 3, 2, 1, bias=False)),
            beside=nn.Sequential(nn.AvgPool1d(3, 2, 1), nn.Conv1d(8, 16, 1), nn.Identity()),
        ),
        nn.Conv1d(16, 16, 3, padding="same"),
        nn.AvgPool1d(3, 2, 1, count_include_pad=False),
        nn.Conv1d(16, 6, 3, padding=1, padding_mode="circular", groups=2),
        nn.Flatten(),
    )
    frozen(network, dtype)
    images, x = as_images(network), torch.randn(3, 1, N_TIMES, dtype=dtype) + offset
    before = [one.clone() for one in network.parameters()]
    for own, theirs in zip(slopes(lambda x: images(as_row(x)), x), slopes(network, x), strict=True):
        assert own.shape == theirs.shape
        assert float((own - theirs).norm()) <= tolerance * float(theirs.norm())
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))
    again = pickle.loads(pickle.dumps(images))
    assert torch.equal(again(as_row(x)), images(as_row(x)))
