"""Layouts in and out, loading, and a module that is left as it was."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange
from models import Smooth
from torch import nn

from eegflex import load_model
from eegflex.errors import ModelError, SpecError
from eegflex.spec.model_spec import ContextSpec, ModelSpec
from eegflex.stagers.modules import from_layout, to_layout
from eegflex.stagers.stager import Stager

WINDOWS = torch.arange(2 * 3 * 2 * 5.0).reshape(2, 3, 2, 5)  # batch, epoch, channel, time


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ("b e c t", (2, 3, 2, 5)),
        ("b c (e t)", (2, 2, 15)),
        ("b (e t) c", (2, 15, 2)),
        ("(b e) c t", (6, 2, 5)),
        ("(b e) t 1 c", (6, 5, 1, 2)),
    ],
)
def test_every_layout_holds_the_same_samples(layout, shape):
    fed = to_layout(WINDOWS, layout)
    assert fed.shape == shape
    back = rearrange(fed, f"{layout} -> b e c t", b=2, e=3, c=2)
    torch.testing.assert_close(back, WINDOWS)


@pytest.mark.parametrize("layout", ["b c t", "b 1 c t", "b t c"])
def test_a_window_of_one_epoch_needs_no_axis_for_it(layout):
    assert to_layout(WINDOWS[:, :1], layout).numel() == 20


def test_one_channel_needs_no_axis_for_it():
    assert to_layout(WINDOWS[:, :1, :1], "b t").shape == (2, 5)


@pytest.mark.parametrize("layout", ["b c t", "b e t", "b e c x", "b e c t ("])
def test_a_layout_that_loses_an_axis_is_refused(layout):
    with pytest.raises(ModelError, match="layout"):
        to_layout(WINDOWS, layout)


@pytest.mark.parametrize(
    ("output", "shape", "at"),
    [("b s", (2, 5), None), ("b e s", (2, 3, 5), 1), ("b s e", (2, 5, 3), 1), ("(b e) s", (6, 5), 1)],
)
def test_outputs_of_several_epochs_give_the_target(output, shape, at):
    returned = torch.randn(shape)
    spec = ModelSpec(output=output, context=ContextSpec(1, 1))
    scores = from_layout(returned, spec, batch=2, n_epochs=3)
    expected = returned if at is None else rearrange(returned, f"{output} -> b e s", b=2, e=3)[:, at]
    torch.testing.assert_close(scores, expected)


def test_a_wrong_output_is_refused_with_its_shape():
    with pytest.raises(ModelError, match=r"\(2, 3, 5\)"):
        from_layout(torch.zeros(2, 3, 5), ModelSpec(), 2, 1)
    with pytest.raises(ModelError, match="4 scores"):
        from_layout(torch.zeros(2, 4), ModelSpec(), 2, 1)
    with pytest.raises(ModelError, match="tuple"):
        from_layout((torch.zeros(2, 5),), ModelSpec(), 2, 1)


def test_a_stager_has_its_own_copy():
    module = Smooth().train()
    stager = Stager(module, ModelSpec())
    stager.module.head.bias.data += 1
    assert module.training
    assert not stager.module.training
    assert not torch.equal(stager.module.head.bias, module.head.bias)
    moved = stager.to("cpu", torch.float64)
    assert moved.like.dtype == torch.float64
    assert stager.module.head.bias.dtype == torch.float32


def test_what_was_not_declared_is_said():
    assumed = load_model(Smooth()).spec.assumed
    assert any("unit" in note for note in assumed)
    assert any("stages" in note for note in assumed)
    assert load_model(Smooth(), spec=ModelSpec()).spec.assumed == ()


@pytest.mark.parametrize("source", ["utime", 3, None])
def test_what_is_no_model_is_refused(source):
    with pytest.raises(ModelError, match="gssc-eog, bandpower"):
        load_model(source)


@pytest.mark.parametrize("source", ["bandpower", Stager(Smooth(), ModelSpec())])
def test_a_spec_for_a_stager_that_has_its_own_is_refused(source):
    with pytest.raises(SpecError, match="mine"):
        load_model(source, spec=ModelSpec(name="mine"))


def test_a_module_that_cannot_be_copied_is_refused():
    class Stubborn(nn.Module):
        def __deepcopy__(self, _):
            raise TypeError("no copies")

    with pytest.raises(ModelError, match="copied"):
        load_model(Stubborn())
