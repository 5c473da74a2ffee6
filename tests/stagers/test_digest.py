"""Two trainings of one network are told apart, and one training is itself wherever it is."""

from __future__ import annotations

import hashlib
import importlib.util
import warnings

import pytest
import torch
from models import Smooth
from safetensors.torch import save_file
from torch import nn

import eegflex
from eegflex import load_model


def test_other_weights_another_digest():
    one, same, other = (load_model(Smooth(seed=seed)).digest for seed in (0, 0, 1))
    assert one == same != other
    assert len(one) == 64


def test_a_single_changed_weight_shows():
    network = Smooth()
    before = load_model(network).digest
    with torch.no_grad():
        network.head.bias[3] = torch.nextafter(network.head.bias[3], torch.tensor(9.0))
    assert load_model(network).digest != before


def test_swapped_layers_of_one_shape_show():
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 6), nn.Linear(6, 6))
    before = load_model(network).digest
    network[1], network[2] = network[2], network[1]
    assert load_model(network).digest != before


def test_buffers_count_as_weights_do():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(6, 5))
    before = load_model(network).digest
    network[0].running_mean.add_(1.0)
    assert load_model(network).digest != before


def test_it_is_the_same_in_another_precision_and_under_another_spec():
    stager = load_model(Smooth())
    moved = stager.to("cpu", torch.float64)
    assert moved.module.head.weight.dtype == torch.float64
    assert moved.digest == stager.digest == stager.with_spec(stager.spec.replace(unit="uV")).digest


def test_one_network_has_one_digest_in_memory_and_in_every_file_of_its_weights(tmp_path):
    network = Smooth()
    torch.save({"state_dict": {f"model.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "a.ckpt")
    save_file(network.state_dict(), tmp_path / "a.safetensors")
    found = {load_model(tmp_path / name, module=Smooth(seed=7)).digest for name in ("a.ckpt", "a.safetensors")}
    assert found == {load_model(network).digest}


def test_a_file_with_its_own_network_has_the_digest_of_its_bytes(tmp_path):
    path = tmp_path / "a.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(Smooth().eval(), torch.zeros(1, 2, 100)), path)
    assert load_model(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_beside_an_onnx_file_are_part_of_it(tmp_path):
    onnx = pytest.importorskip("onnx")
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("the extra onnx is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Smooth().eval(), (torch.zeros(1, 2, 100),), tmp_path / "in.onnx", dynamo=False)
    model = onnx.load(tmp_path / "in.onnx")
    onnx.save(model, tmp_path / "a.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    before = load_model(tmp_path / "a.onnx").digest
    both = (tmp_path / "a.onnx").read_bytes() + (tmp_path / "weights.bin").read_bytes()
    assert before == hashlib.sha256(both).hexdigest()


def test_an_ensemble_is_told_by_all_its_members():
    one, two, three = Smooth(seed=0), Smooth(seed=1), Smooth(seed=2)
    pairs = {load_model(list(pair)).digest for pair in ((one, two), (one, three), (two, three))}
    assert len(pairs) == 3
    assert load_model([one, lambda x: one(x)]).digest == ""


def test_what_has_no_weights_that_are_known_has_no_digest():
    assert load_model(lambda x: x.mean(-1)).digest == ""
    assert load_model(nn.Flatten()).digest == ""


@pytest.mark.parametrize("name", ["bandpower", "known-spindle"])
def test_our_own_have_one(name):
    assert len(eegflex.load_model(name).digest) == 64
