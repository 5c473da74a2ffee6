"""Recurrent layers of which one step varies: what torch computes, and its slopes."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from eegflex.stagers import recurrent
from eegflex.stagers.recurrent import Product, layers_of, one_varies

N_INPUTS, SIZE, BATCH = 7, 4, 3


@pytest.fixture(params=["as it is", "without the library's order"])
def products(request, monkeypatch):
    """With weights in the library's order, where that is to be had, and without."""
    if request.param != "as it is":
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", None, raising=False)


def network(n_layers, dtype):
    torch.manual_seed(n_layers)
    sizes = [N_INPUTS, *[2 * SIZE] * (n_layers - 1)]
    grus = [nn.GRU(n, SIZE, bidirectional=True, batch_first=True).requires_grad_(False).to(dtype) for n in sizes]
    return grus, layers_of(grus)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("n_layers", [2, 3, 5])
@pytest.mark.parametrize(("n_epochs", "start", "length"), [(9, 2, 6), (9, 0, 9), (6, 5, 1), (1, 0, 1), (8, 3, 5)])
def test_it_is_the_whole_night_seen_from_one_epoch(products, n_layers, n_epochs, start, length, dtype, tolerance):
    """The states at its edges are the recorded night's."""
    grus, layers = network(n_layers, dtype)
    night = torch.randn(1, n_epochs, N_INPUTS, dtype=dtype)
    outputs, states = [], night
    for gru in grus:
        states, _ = gru(states)
        outputs.append(states[0])
    zero = torch.zeros(BATCH, SIZE, dtype=dtype)
    stop = start + length
    left = torch.stack([own[start - 1, :SIZE].expand(BATCH, -1) if start else zero for own in outputs])
    right = torch.stack([own[stop, SIZE:].expand(BATCH, -1) if stop < n_epochs else zero for own in outputs])
    gates = torch.cat([direction.gates(night[0, start:stop]) for direction in layers[0]], dim=1)[:, None]
    weights = torch.arange(1, 2 * SIZE * BATCH + 1, dtype=dtype).cos().reshape(BATCH, 2 * SIZE)
    for at in range(length):
        code = torch.randn(BATCH, N_INPUTS, dtype=dtype).requires_grad_(True)
        first = outputs[0][start:stop, None].expand(-1, BATCH, -1)
        found = one_varies(layers, code, gates.expand(-1, BATCH, -1), first, (left, right), at)
        there = (torch.arange(length) == at)[:, None]
        states = torch.where(there, code[:, None], night[:, start:stop])
        for gru, before, after in zip(grus, left, right, strict=True):
            states, _ = gru(states, torch.stack([before, after]))
        expected = states[:, at]
        slopes = [torch.autograd.grad((weights * one).sum(), code)[0] for one in (found, expected)]
        for own, theirs in ((found.detach(), expected.detach()), slopes):
            assert float((own - theirs).norm()) <= tolerance * float(theirs.norm())


def test_states_at_the_edges_have_slopes_too():
    """They move where the whole context does."""
    grus, layers = network(2, torch.float64)
    inputs = torch.randn(5, BATCH, N_INPUTS, dtype=torch.float64)
    state = torch.randn(BATCH, SIZE, dtype=torch.float64)
    for number, direction in enumerate(layers[0]):

        def steps(own, direction=direction):
            return direction(direction.gates(inputs), own).sin()

        def torchs(own, number=number):
            both = torch.stack([own, own])
            return grus[0](inputs.transpose(0, 1), both)[0].transpose(0, 1).chunk(2, dim=2)[number].sin()

        found, expected = (torch.autograd.functional.jacobian(one, state) for one in (steps, torchs))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_without_the_librarys_order_a_product_is_plain(monkeypatch):
    weight, bias, x = torch.randn(6, 5), torch.randn(6), torch.randn(4, 5)
    ordered = recurrent.Product(weight, bias)(x)
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", None, raising=False)
    plain = recurrent.Product(weight, bias)(x)
    assert torch.equal(plain, nn.functional.linear(x, weight, bias))
    torch.testing.assert_close(ordered, plain)


def test_a_product_can_be_sent_to_another_process():
    torch.manual_seed(0)
    product = Product(torch.randn(7, 5), torch.randn(7))
    again = pickle.loads(pickle.dumps(product))
    inputs = torch.randn(3, 5)
    torch.testing.assert_close(again(inputs), product(inputs), rtol=0, atol=0)
    assert again.back(product(inputs), None).shape == (3, 5)
