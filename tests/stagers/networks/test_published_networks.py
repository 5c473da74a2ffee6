"""Our networks against their published implementations, on random weights and on the real ones."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from eegflex.stagers.networks.chambon2018 import Chambon2018
from eegflex.stagers.networks.seqsleepnet import SeqSleepNet, triangular_filters
from eegflex.stagers.networks.sleeptransformer import SleepTransformer
from eegflex.stagers.networks.tinysleepnet import TinySleepNet


@pytest.fixture
def published(monkeypatch):
    """PhysioEx's module of a network; it is made of torch alone, and what trains it does not play a part."""
    found = importlib.util.find_spec("physioex")
    if found is None:
        pytest.skip("the package physioex is not installed")

    class SleepModule(nn.Module):
        def __init__(self, network, config):
            super().__init__()
            self.nn = network

    def module(name):
        training = types.SimpleNamespace(SleepModule=SleepModule, OptimizerLRScheduler=None)
        for absent in ("physioex.train.networks.base", "pytorch_lightning.utilities.types"):
            monkeypatch.setitem(sys.modules, absent, training)
        for folder in ("physioex", "physioex.train", "physioex.train.networks"):
            monkeypatch.setitem(sys.modules, folder, types.ModuleType(folder))
        path = Path(found.submodule_search_locations[0]) / "train" / "networks" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"published_{name}", path)
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded

    return module


def config(n_channels, **more):
    return {"in_channels": n_channels, "sf": 100, "n_classes": 5, "sequence_length": 21, "n_times": 3000} | more


def agree(theirs, ours, windows, **how):
    theirs, ours = theirs.eval(), ours.eval()
    with torch.no_grad():
        for weights in theirs.parameters():  # of layers that begin with zeros and ones too
            if weights.requires_grad:
                weights.copy_(0.2 * torch.randn_like(weights))
        for name, own in theirs.named_buffers():
            if name.endswith("running_var"):
                own.copy_(own * 1.7)
        done = ours.load_state_dict(theirs.state_dict(), **how)
        assert not done.missing_keys
        expected, found = theirs(windows), ours(windows)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * max(1.0, float(expected.abs().max())))
        factored = ours.decode(ours.encode(windows.flatten(0, 1)).unflatten(0, windows.shape[:2]))
        torch.testing.assert_close(factored, found, rtol=0, atol=1e-6)
    assert float(expected.std()) > 1e-3


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_seqsleepnet_is_the_published_one(published, n_channels):
    torch.manual_seed(n_channels)
    theirs = published("seqsleepnet").SeqSleepNet(config(n_channels)).nn
    agree(theirs, SeqSleepNet(n_channels, interleaved=True), torch.randn(2, 21, n_channels, 29, 129))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_tinysleepnet_is_the_published_one(published, n_channels):
    torch.manual_seed(n_channels)
    theirs = published("tinysleepnet").TinySleepNet(config(n_channels)).nn
    agree(theirs, TinySleepNet(n_channels), torch.randn(2, 5, n_channels, 3000))


@pytest.mark.parametrize(("n_channels", "sfreq", "n_times"), [(1, 100, 3000), (3, 100, 3000), (2, 128, 3840)])
def test_chambon2018_is_braindecodes(n_channels, sfreq, n_times):
    models = pytest.importorskip("braindecode.models", exc_type=ImportError)
    torch.manual_seed(n_channels)
    theirs = models.SleepStagerChambon2018(n_chans=n_channels, sfreq=sfreq, n_outputs=5, n_times=n_times)
    ours = Chambon2018(n_channels, sfreq=sfreq, n_times=n_times)
    state = {
        name.replace("final_layer.1", "clf") if "final" in name else f"epoch_encoder.{name}": value
        for name, value in theirs.state_dict().items()
    }
    ours.load_state_dict(state)
    epochs = torch.randn(3, n_channels, n_times)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(epochs[:, None]), theirs.eval()(epochs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_chambon2018_of_a_window_is_the_published_one(published, n_channels, capsys):
    pytest.importorskip("braindecode.models", exc_type=ImportError)
    torch.manual_seed(n_channels)
    theirs = published("chambon2018").Chambon2018Net(config(n_channels)).nn
    agree(theirs, Chambon2018(n_channels, n_epochs=21), torch.randn(2, 21, n_channels, 3000))
    capsys.readouterr()  # it prints


def test_chambon2018_puts_the_epochs_of_a_window_side_by_side():
    torch.manual_seed(0)
    ours = Chambon2018(2, n_epochs=3).eval()
    windows = torch.randn(2, 3, 2, 3000)
    with torch.no_grad():
        codes = torch.stack([ours.epoch_encoder(windows[:, epoch]) for epoch in range(3)], dim=1)
        expected = codes.reshape(2, -1) @ ours.clf.weight.T + ours.clf.bias
        torch.testing.assert_close(ours(windows), expected)


def test_seqsleepnets_filters_of_a_window_stand_side_by_side_as_in_the_paper():
    torch.manual_seed(0)
    paper, published = SeqSleepNet(2).eval(), SeqSleepNet(2, interleaved=True).eval()
    published.load_state_dict(paper.state_dict())
    windows = torch.randn(1, 3, 2, 29, 129)
    with torch.no_grad():
        assert (paper(windows) - published(windows)).abs().max() > 1e-4
        bank = torch.sigmoid(paper.epoch_encoder.F2_filtbank.W) * paper.epoch_encoder.F2_filtbank.S
        steps = torch.cat([windows[0, :, channel] @ bank[channel] for channel in range(2)], dim=-1)
        states, _ = paper.epoch_encoder.F2_birnn(steps)
        torch.testing.assert_close(paper.encode(windows[0]), paper.epoch_encoder.F2_attention(states))


def test_triangles_reach_from_the_top_of_the_last_one_to_that_of_the_next():
    triangles = triangular_filters(32, 256, 100.0).numpy()
    assert triangles.shape == (129, 32)
    np.testing.assert_array_equal(triangles.max(0), 1.0)
    inside = slice(int(triangles[:, 0].argmax()), int(triangles[:, -1].argmax()) + 1)
    np.testing.assert_allclose(triangles[inside].sum(1), 1.0, atol=1e-6)


def transformed(steps, weights, above, n_blocks, n_heads):
    """The encoder of the published TensorFlow code, step by step in numpy: one sequence, shape (step, feature)."""
    n_steps, n = steps.shape
    column = np.arange(n)
    angle = np.arange(n_steps)[:, None] / np.power(10000, (column - column % 2) / n)
    x = steps * np.sqrt(n) + np.where(column % 2, np.cos(angle), np.sin(angle))

    def normalised(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return weights[name + ".weight"] * centred / np.sqrt(x.var(-1, keepdims=True) + 1e-8) + weights[name + ".bias"]

    for block in range(n_blocks):
        name = f"{above}.transformer_encoder.layers.{block}"
        three = x @ weights[name + ".self_attn.in_proj_weight"].T + weights[name + ".self_attn.in_proj_bias"]
        heads = []
        for query, key, value in zip(
            *(np.split(one, n_heads, axis=1) for one in np.split(three, 3, axis=1)), strict=True
        ):
            raw = np.exp(query @ key.T / np.sqrt(query.shape[1]))
            heads.append(raw / raw.sum(1, keepdims=True) @ value)
        out = np.concatenate(heads, axis=1) @ weights[name + ".self_attn.out_proj.weight"].T
        x = normalised(x + out + weights[name + ".self_attn.out_proj.bias"], name + ".norm1")
        inner = np.maximum(x @ weights[name + ".linear1.weight"].T + weights[name + ".linear1.bias"], 0)
        x = normalised(
            x + inner @ weights[name + ".linear2.weight"].T + weights[name + ".linear2.bias"], name + ".norm2"
        )
    return x


@pytest.mark.parametrize("n_channels", [1, 2])
def test_sleeptransformer_is_what_its_authors_compute(n_channels):
    """Their code is for TensorFlow 1; it has no layer after the heads, which is that with the identity in its place."""
    torch.manual_seed(n_channels)
    ours = SleepTransformer(n_channels, n_freqs=16, n_blocks=2, n_heads=4, n_feedforward=24, n_attention=6, n_hidden=20)
    ours = ours.double().eval()
    weights = {name: value.numpy() for name, value in ours.state_dict().items()}
    windows = torch.randn(2, 4, n_channels, 7, 16, dtype=torch.float64)
    expected = np.empty((2, 4, 5))
    for own, sequence in zip(expected, windows.numpy(), strict=True):
        codes = []
        for epoch in sequence:
            states = transformed(np.concatenate(list(epoch), axis=1), weights, "frame_transformer", 2, 4)
            hidden = np.tanh(states @ weights["frame_attention.W_omega"] + weights["frame_attention.b_omega"])
            share = np.exp(hidden @ weights["frame_attention.u_omega"])
            codes.append((states * (share / share.sum())[:, None]).sum(0))
        x = transformed(np.stack(codes), weights, "seq_transformer", 2, 4)
        for layer in ("fc1", "fc2"):
            x = np.maximum(x @ weights[layer + ".weight"].T + weights[layer + ".bias"], 0)
        own[:] = x @ weights["fc3.weight"].T + weights["fc3.bias"]
    with torch.no_grad():
        np.testing.assert_allclose(ours(windows).numpy(), expected, rtol=0, atol=1e-10)
    windows.requires_grad_()
    np.testing.assert_allclose(ours(windows).detach().numpy(), expected, rtol=0, atol=1e-10)
