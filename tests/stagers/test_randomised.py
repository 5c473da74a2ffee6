"""Stagers with random weights: which weights, in which order, and that nothing else changes."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
import trained
from torch import nn

import eegflex
from eegflex.findings import CannotTellError
from eegflex.spec.model_spec import ModelSpec
from eegflex.stagers import ensemble
from eegflex.stagers.randomised import MAX_LEVELS, levels_of, randomised

N_TIMES = 300
SPEC = ModelSpec(name="small", sfreq=10.0, n_times=N_TIMES, unit="uV")
WINDOWS = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 1, 1, N_TIMES), dtype=np.float32))


class HeadFirst(nn.Module):
    """Its modules are registered in another order than they are run in."""

    def __init__(self, n_hidden=3):
        super().__init__()
        self.head = nn.Linear(8, 5)
        self.hidden = nn.ModuleList(nn.Linear(8, 8) for _ in range(n_hidden))
        self.spare = nn.Linear(8, 8)
        self.first = nn.Linear(N_TIMES, 8)

    def forward(self, epochs):
        code = torch.tanh(self.first(epochs.flatten(1)))
        for layer in self.hidden:
            code = torch.tanh(layer(code))
        return self.head(code)


def small(n_hidden=3, seed=0):
    torch.manual_seed(seed)
    return HeadFirst(n_hidden)


def levels(stager):
    return levels_of(stager, lambda: stager.score(WINDOWS))


def values(stager):
    return {name: tensor.clone() for name, tensor in stager.module.named_parameters()}


def as_module(network, folder):
    return network


def as_torchscript(network, folder):
    torch.jit.save(torch.jit.trace(network.eval(), WINDOWS[:, 0]), folder / "small.pt")
    return folder / "small.pt"


def as_exported(network, folder):
    torch.export.save(
        torch.export.export(network.eval(), (WINDOWS[:, 0],), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)),
        folder / "small.pt2",
    )
    return folder / "small.pt2"


def as_onnx(network, folder):
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("onnx2torch is not installed")
    axes = {"epochs": {0: "batch"}}
    torch.onnx.export(
        network.eval(), (WINDOWS[:, 0],), folder / "small.onnx", dynamo=False, input_names=["epochs"], dynamic_axes=axes
    )
    return folder / "small.onnx"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("write", [as_module, as_torchscript, as_exported, as_onnx])
def test_levels_come_in_the_order_of_execution_whatever_wrote_the_network(write, tmp_path):
    stager = eegflex.load_model(write(small(), tmp_path), spec=SPEC, trusted=True)
    by_shape = [
        [tuple(dict(stager.module.named_parameters())[name].shape) for name in level.weights[0] if "weight" in name]
        for level in levels(stager)
    ]
    first = by_shape[0][-1]
    assert {first, (8, 8)} >= set(
        by_shape[0]
    )  # what is never read, if it was written at all, comes with what is read first
    assert sorted(first) == [8, N_TIMES]
    assert sorted(by_shape[-1][0]) == [5, 8]
    before, scores = values(stager), stager.score(WINDOWS)
    other = randomised(stager, levels(stager), np.random.default_rng(0))
    assert not torch.allclose(other.score(WINDOWS), scores, atol=0.05)
    assert torch.equal(stager.score(WINDOWS), scores)
    assert all(torch.equal(tensor, before[name]) for name, tensor in values(stager).items())
    assert other.digest != stager.digest


def test_each_tensor_keeps_its_values_and_only_those_of_the_level_move():
    stager = eegflex.load_model(small(), spec=SPEC)
    every = levels(stager)
    assert [level.name for level in every] == ["spare to first", "hidden.0", "hidden.1", "hidden.2", "head"]
    other, before = values(randomised(stager, every[-2:], np.random.default_rng(0))), values(stager)
    moved = {name for name in before if not torch.equal(before[name], other[name])}
    assert moved == {"hidden.2.weight", "hidden.2.bias", "head.weight", "head.bias"}
    for name in before:
        assert torch.equal(before[name].flatten().sort().values, other[name].flatten().sort().values)


def test_the_same_seed_is_the_same_network():
    stager = eegflex.load_model(small(), spec=SPEC)
    one, same, other = (
        randomised(stager, levels(stager), np.random.default_rng(seed)).score(WINDOWS) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_many_modules_are_few_levels_and_every_weight_is_in_one():
    stager = eegflex.load_model(small(n_hidden=20), spec=SPEC)
    found = levels(stager)
    assert len(found) == MAX_LEVELS
    names = [name for level in found for name in level.weights[0]]
    assert sorted(names) == sorted(values(stager))
    assert found[-1].name == "hidden.17 to head"


def test_a_level_of_an_ensemble_has_one_of_every_member():
    members = [eegflex.load_model(small(n, seed), spec=SPEC) for n, seed in ((1, 0), (6, 1))]
    both = ensemble([*members[:1], ensemble(members[1:])])
    found = levels(both)
    assert all(len(level.weights) == 2 and all(level.weights) for level in found)
    assert [names[-1].split(".")[0] for names in found[-1].weights] == ["head", "head"]
    scores = both.score(WINDOWS)
    other = randomised(both, found[-1:], np.random.default_rng(0))
    assert not torch.allclose(other.score(WINDOWS), scores)
    assert torch.equal(both.score(WINDOWS), scores)


def test_recurrent_layers_and_convolutions_of_a_coded_stager_are_levels():
    stager = trained.context()
    windows = torch.randn(1, 11, 1, stager.spec.n_times, generator=torch.Generator().manual_seed(0))
    assert [level.name for level in levels_of(stager, lambda: stager.score(windows))][-2:] == ["gru", "head"]


class Alike(nn.Module):
    """Weights of which no order is another."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(N_TIMES, 5)
        self.gain = nn.Parameter(torch.tensor([2.0]))
        nn.init.ones_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, epochs):
        return self.gain * self.head(epochs.flatten(1))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: eegflex.load_model("known-spindle"), "it has no parameters"),
        (lambda: eegflex.load_model(Alike(), spec=SPEC), "single numbers, or all alike"),
        (lambda: eegflex.stagers.Stager(lambda epochs: epochs[..., :5].flatten(1), SPEC), "not a torch network"),
    ],
)
def test_a_stager_without_weights_to_move_says_why(model, why):
    with pytest.raises(CannotTellError, match=why):
        levels_of(model(), lambda: None)
