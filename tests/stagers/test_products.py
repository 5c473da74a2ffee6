"""Products of inputs and weights: what torch computes, whichever way is the quickest."""

from __future__ import annotations

import itertools
import pickle

import pytest
import torch
from torch import nn

from eegflex.stagers import products as products_
from eegflex.stagers.products import Product


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (0, 5), (2, 0, 5)])
def test_a_product_is_torchs_whatever_order_weights_have(products, shape, bias):
    torch.manual_seed(1)
    weight, added, x = torch.randn(6, 5), torch.randn(6) if bias else None, torch.randn(shape)
    product = Product(weight, added)
    torch.testing.assert_close(product(x), nn.functional.linear(x, weight, added))
    slopes = torch.randn(*shape[:-1], 6)
    torch.testing.assert_close(product.back(slopes), slopes @ weight)


@pytest.mark.parametrize(("plain", "ordered", "is_quicker"), [(3.0, 1.0, True), (1.1, 1.0, False), (1.0, 2.0, False)])
def test_which_order_is_quicker_is_asked_of_the_clock_once(monkeypatch, plain, ordered, is_quicker):
    times = itertools.accumulate(itertools.cycle([0.0, plain, 0.0, ordered]))  # both ways in turn
    monkeypatch.setattr(products_.time, "perf_counter", lambda: next(times))
    products_.order_is_quicker.cache_clear()
    try:
        assert products_.order_is_quicker() is is_quicker
        monkeypatch.setattr(products_.time, "perf_counter", None)
        assert products_.order_is_quicker() is is_quicker
    finally:
        products_.order_is_quicker.cache_clear()


@pytest.mark.parametrize("in_order", [True, False])
def test_a_product_can_be_sent_to_another_process(in_order):
    torch.manual_seed(0)
    product = Product(torch.randn(7, 5), torch.randn(7), in_order=in_order)
    again = pickle.loads(pickle.dumps(product))
    inputs = torch.randn(3, 5)
    assert again.in_order is in_order
    torch.testing.assert_close(again(inputs), product(inputs), rtol=0, atol=0)
    assert again.back(product(inputs)).shape == (3, 5)
