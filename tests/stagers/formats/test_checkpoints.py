"""Weights among all that training writes beside them."""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import os
import pathlib
import warnings

import numpy as np
import pytest
import torch
from models import Smooth
from safetensors.torch import save_file
from torch import nn

from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.spec.model_spec import ModelSpec

SPEC = ModelSpec(name="mine", sfreq=64.0, n_times=1920, unit="uV")
#: Makes a directory if it is unpickled as it says.
TRAP = pathlib.Path("made-by-a-checkpoint")


def state():
    return Smooth(seed=3).state_dict()


def under(prefix, weights=None):
    return {f"{prefix}{name}": value for name, value in (weights or state()).items()}


def load(path, saved, network=None, spec=SPEC, **kwargs):
    torch.save(saved, path / "a.pt")
    return load_model(path / "a.pt", spec=spec, module=network or Smooth(seed=0), **kwargs)


def left_over(stager):
    return [note for note in stager.spec.assumed if "left out" in note]


class AttributeDict(dict):
    """A table, as frameworks of training have their own."""


AttributeDict.__module__ = "lightning_fabric.utilities.data"

SAVED = {
    "plain": (state, []),
    "compiled, in parallel": (lambda: under("_orig_mod.module."), []),
    "Lightning": (lambda: {"epoch": 3, "state_dict": under("net."), "optimizer_states": [{"state": {}}]}, []),
    "loss weights": (
        lambda: {"state_dict": {**under("net."), "loss.weight": torch.ones(5)}},
        ["state_dict.loss.weight"],
    ),
    "metrics of several": (
        lambda: {"state_dict": {**under("model."), "train_acc.tp": torch.zeros(1), "val_acc.tp": torch.zeros(1)}},
        ["state_dict.train_acc.tp", "state_dict.val_acc.tp"],
    ),
    "counted by a profiler": (lambda: {**state(), "total_ops": torch.zeros(1)}, ["total_ops"]),
    "more layers behind the same prefix": (
        lambda: under("net.", {**state(), "aux.bias": torch.ones(2)}),
        ["net.aux.bias"],
    ),
    "a teacher of another size": (
        lambda: {
            **under("student."),
            "teacher.conv.weight": torch.ones(99, 2, 9),
            **under("teacher.", {"x": torch.ones(1)}),
        },
        ["teacher.conv.weight", "teacher.x"],
    ),
    "without a prefix, beside its average": (lambda: {**state(), **under("ema.")}, ["ema.conv.weight"]),
    "nested twice": (lambda: {"checkpoint": {"weights": state()}, "lr": 0.1}, []),
    "optimiser beside it": (
        lambda: {"model": state(), "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "loss": 0.1},
        [],
    ),
    "parts in tables of their own": (
        lambda: {part: {n[5:]: v for n, v in state().items() if n.startswith(part)} for part in ("conv", "head")},
        [],
    ),
}


@pytest.mark.parametrize("how", SAVED)
def test_the_prefix_that_covers_the_network_is_taken_and_the_rest_is_named(how, tmp_path):
    make, rest = SAVED[how]
    stager = load(tmp_path, make())
    for name, value in state().items():
        assert torch.equal(stager.module.state_dict()[name], value)
    assert bool(left_over(stager)) == bool(rest)
    for name in rest:
        assert name in left_over(stager)[0]


def test_safetensors_are_covered_as_other_weights_are(tmp_path):
    save_file({**under("model."), "loss.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    stager = load_model(tmp_path / "a.safetensors", spec=SPEC, module=Smooth)
    assert torch.equal(stager.module.head.bias, state()["head.bias"])
    assert "loss.weight" in left_over(stager)[0]


@pytest.mark.parametrize(
    ("saved", "names"),
    [
        ({"model": state(), "ema": {k: v * 0 for k, v in state().items()}}, "model, ema"),
        ({**under("student."), **{k: v + 1 for k, v in under("teacher.").items()}}, r"student, teacher"),
    ],
)
def test_several_sets_of_weights_are_refused_until_one_is_said(saved, names, tmp_path):
    with pytest.raises(ModelError, match=rf"one state dict, but several.*Got {names}\. .*prefix = "):
        load(tmp_path, saved)
    second = names.split(", ")[1]
    stager = load(tmp_path, saved, spec=SPEC.replace(prefix=second))
    full = saved.get(second, saved)
    expected = full.get("head.bias", full.get(f"{second}.head.bias"))
    assert torch.equal(stager.module.head.bias, expected)
    with pytest.raises(ModelError, match=r"prefix.*Got 'other'\. Allowed: "):
        load(tmp_path, saved, spec=SPEC.replace(prefix="other"))


#: Where a network called nn lies in a checkpoint; each of them is what people call "under nn".
UNDER_NN = {
    "by itself": lambda own: under("nn.", own),
    "Lightning": lambda own: {"state_dict": under("nn.", own), "epoch": 3},
    "Lightning, compiled": lambda own: {"state_dict": under("nn._orig_mod.", own)},
    "in parallel": lambda own: under("module.nn.", own),
    "in parallel, within": lambda own: {"state_dict": under("nn.module.", own)},
    "in a model": lambda own: {"model": under("model.nn.", own)},
    "a table of it": lambda own: {"checkpoint": {"nn": {"model": own}}},
}


@pytest.mark.parametrize("how", UNDER_NN)
@pytest.mark.parametrize("said", ["nn", "nn."])
def test_a_prefix_is_told_as_people_do_whatever_is_around_it(how, said, tmp_path):
    beside = {f"aux.{name}": value + 1 for name, value in state().items()}
    saved = {**UNDER_NN[how](state()), "ema": beside}
    with pytest.raises(ModelError, match="several that fit"):
        load(tmp_path, saved)
    stager = load(tmp_path, saved, spec=SPEC.replace(prefix=said))
    for name, value in state().items():
        assert torch.equal(stager.module.state_dict()[name], value)


def test_a_prefix_is_of_whole_names_and_is_itself_before_it_is_part_of_another(tmp_path):
    other = {name: value + 1 for name, value in state().items()}
    stager = load(tmp_path, {**under("nn."), **under("old.nn.", other)}, spec=SPEC.replace(prefix="nn"))
    assert torch.equal(stager.module.head.bias, state()["head.bias"])
    with pytest.raises(ModelError, match=r"prefix.*Got 'nn'\. Allowed: cnn\."):
        load(tmp_path, under("cnn."), spec=SPEC.replace(prefix="nn"))
    with pytest.raises(ModelError, match=r"several that fit\. Got a\.nn, b\.nn\."):
        load(tmp_path, {"a": under("nn."), "b": under("nn.", other)}, spec=SPEC.replace(prefix="nn"))
    with pytest.raises(ModelError, match=r"not those of Smooth\. Got 4 missing"):
        load(tmp_path, {"state_dict": under("nn.", {"x": torch.ones(1)})}, spec=SPEC.replace(prefix="nn"))


def test_a_layer_of_several_alike_is_not_guessed(tmp_path):
    with pytest.raises(ModelError, match=r"one state dict, but several.*Got 0, 1"):
        load(tmp_path, nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5)).state_dict(), network=nn.Linear(5, 5))


@pytest.mark.parametrize("prefix", ["", "model."])
def test_missing_weights_are_refused_by_name(prefix, tmp_path):
    part = {name: value for name, value in state().items() if name != "head.bias"}
    with pytest.raises(ModelError, match=r"not those of Smooth. Got 1 missing \['head.bias'\], 0 unknown"):
        load(tmp_path, under(prefix, part))


def test_weights_of_another_shape_are_refused_on_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"not those of Smooth. Got size mismatch for head.bias") as raised:
        load(tmp_path, {**state(), "head.bias": torch.ones(4)})
    assert "\n" not in str(raised.value)


def test_counters_of_normalisation_may_be_missing_from_old_checkpoints(tmp_path):
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(20, 5))
    old = {f"net.{k}": v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert torch.equal(load(tmp_path, {"state_dict": old}, network=network).module[2].weight, network[2].weight)


def test_older_names_that_the_network_itself_knows_are_loaded(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = nn.Sequential(nn.utils.weight_norm(nn.Linear(6, 5)), nn.Linear(5, 5))
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), nn.Linear(5, 5))
    stager = load(tmp_path, {f"net.{name}": value for name, value in trained.state_dict().items()}, network=new)
    fed = torch.randn(2, 6)
    torch.testing.assert_close(stager.module(fed), trained(fed))
    assert left_over(stager) == []


def test_weights_make_lazy_layers_whole(tmp_path):
    full = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(40, 5))
    lazy = nn.Sequential(nn.LazyConv1d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    stager = load(tmp_path, {"state_dict": under("model.", full.state_dict())}, network=lazy)
    fed = torch.randn(2, 2, 12)
    torch.testing.assert_close(stager.module(fed), full(fed))


BESIDE = {
    "arguments": argparse.Namespace(lr=1, path=pathlib.Path("runs")),
    "best": np.float64(0.8),
    "numpy": np.arange(3),
    "path": pathlib.PurePosixPath("/nowhere"),
    "when": dt.datetime(2024, 5, 1, tzinfo=dt.UTC),
    "table": collections.defaultdict(list, {"a": [1]}),
}


@pytest.mark.parametrize("what", BESIDE)
def test_plain_values_beside_the_weights_are_no_reason_to_refuse_them(what, tmp_path):
    stager = load(tmp_path, {"state_dict": under("model."), "hyper_parameters": {"x": BESIDE[what]}})
    assert torch.equal(stager.module.head.bias, state()["head.bias"])


class Trap:
    def __reduce__(self):
        return os.mkdir, (str(TRAP),)


class Named:
    """A class of somebody's own."""


@pytest.mark.parametrize("value", [Trap(), Named(), argparse.Namespace(deep=[Trap()])], ids=["code", "class", "within"])
def test_anything_else_beside_them_is_still_refused(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"pickled Python object.*trusted=True"):
        load(tmp_path, {"state_dict": state(), "hyper_parameters": value})
    assert not TRAP.exists()


def test_what_is_named_beside_the_weights_is_not_imported(tmp_path):
    import sys

    name = "omegaconf.dictconfig.DictConfig"
    torch.save({"state_dict": state(), "config": argparse.Namespace()}, tmp_path / "b.pt")
    data = (tmp_path / "b.pt").read_bytes()
    assert b"argparse" in data
    before = set(sys.modules)
    from eegflex.stagers.formats.checkpoints import stand_ins

    ((kind, own),) = stand_ins({name})
    assert own == name
    assert vars(kind(1, 2)) == {}
    assert stand_ins({name, "os.system"}) is None
    assert "omegaconf" not in set(sys.modules) - before


def test_what_holds_no_weights_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"does not hold one state dict. Got epoch, lr"):
        load(tmp_path, {"epoch": 1, "lr": 0.1})
