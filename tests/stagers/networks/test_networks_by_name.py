"""Networks by name: ours with weights from files, and those whose weights are in the package of others."""

from __future__ import annotations

import re
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import eegflex
from eegflex import cli
from eegflex.errors import ModelError, ParameterError
from eegflex.spec import load_spec, spec_names, spec_text
from eegflex.stagers.loading import names
from eegflex.stagers.networks import NETWORKS
from eegflex.stagers.networks.chambon2018 import Chambon2018
from eegflex.stagers.networks.seqsleepnet import SeqSleepNet
from eegflex.stagers.networks.sleeptransformer import SleepTransformer
from eegflex.stagers.networks.tinysleepnet import TinySleepNet

PHYSIOEX = [name for name in spec_names() if name.startswith("physioex:")]
FOLDER = "train/models/checkpoints"
KINDS = {
    "chambon2018": Chambon2018,
    "seqsleepnet": SeqSleepNet,
    "sleeptransformer": SleepTransformer,
    "tinysleepnet": TinySleepNet,
}


def lightning(network, path, **more):
    """A checkpoint of Lightning: the network is an attribute of what trained it, and the optimiser is beside it."""
    state = {f"net.{name}": value for name, value in network.state_dict().items()}
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}}
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": [{"state": moments}], **more}, path)


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "safetensors"])
def test_a_network_takes_its_weights_from_a_file(tmp_path, suffix):
    torch.manual_seed(0)
    network, path = TinySleepNet(), tmp_path / f"mine.{suffix}"
    if suffix == "ckpt":
        lightning(network, path)
    elif suffix == "pt":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    stager = eegflex.load_model("tinysleepnet", weights=path)
    windows = torch.randn(2, 20, 1, 3000)
    with torch.no_grad():
        torch.testing.assert_close(stager.score(windows), network.eval()(windows)[:, -1])
    assert eegflex.load_model("tinysleepnet", weights=str(path)).digest == stager.digest


@pytest.fixture(scope="module")
def night():
    """Thirty epochs of all signals."""
    return eegflex.make_epochs(eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error").raw)


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_each_epoch_of_a_night_is_encoded_once(tmp_path, night, name, kind):
    torch.manual_seed(0)
    network, seen = kind(**load_spec(name).kwargs), []
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    stager = eegflex.load_model(name, weights=tmp_path / "mine.pt")
    encoder = next(iter(stager.module.children()))
    encoder.register_forward_hook(lambda module, args, output: seen.append(len(args[0])))
    staged = eegflex.stage_epochs(night, stager, picks=["C4-M1"], verbose="error")
    assert staged.explicable.sum() >= len(night) - 20
    n_window = 21
    assert sum(seen) <= len(night) + 1 + 3 * n_window, (
        "each once, silence, and the window by which its methods are tried"
    )


def test_a_spec_names_a_network_without_trust(tmp_path):
    """One that was printed, and changed: other sizes, other epochs."""
    text = (
        spec_text("chambon2018")
        .replace("n_epochs = 3", "n_epochs = 5")
        .replace("before = 1, after = 1", "before = 2, after = 2")
    )
    (tmp_path / "mine.toml").write_text(text.replace("[model]", "[model]\nfile = 'mine.ckpt'"), encoding="utf-8")
    lightning(Chambon2018(sfreq=128.0, n_times=3840, n_epochs=5), tmp_path / "mine.ckpt")
    stager = eegflex.load_model(tmp_path / "mine.toml")
    assert stager.score(torch.randn(2, 5, 1, 3840)).shape == (2, 5)


def test_weights_of_another_network_are_refused(tmp_path):
    lightning(Chambon2018(), tmp_path / "mine.ckpt")
    with pytest.raises(ModelError, match=r"more weights than this file can hold.*kwargs"):
        eegflex.load_model("tinysleepnet", weights=tmp_path / "mine.ckpt")
    lightning(Chambon2018(n_channels=2, n_epochs=3), tmp_path / "mine.ckpt")
    with pytest.raises(ModelError, match="not those of Chambon2018"):
        eegflex.load_model("chambon2018", weights=tmp_path / "mine.ckpt")


def test_a_spec_cannot_ask_for_absurd_sizes(tmp_path):
    text = spec_text("chambon2018").replace("n_epochs = 3", "n_epochs = 1_000_000_000")
    (tmp_path / "mine.toml").write_text(text.replace("[model]", "[model]\nfile = 'mine.ckpt'"), encoding="utf-8")
    lightning(Chambon2018(), tmp_path / "mine.ckpt")
    with pytest.raises(ModelError, match="more weights than this file can hold"):
        eegflex.load_model(tmp_path / "mine.toml")


def test_without_weights_it_is_said_where_they_go(tmp_path):
    with pytest.raises(ModelError, match=r"tinysleepnet has no weights.*weights="):
        eegflex.load_model("tinysleepnet")
    with pytest.raises(ModelError, match=r"no such file of weights"):
        eegflex.load_model("tinysleepnet", weights=tmp_path / "gone.pt")
    with pytest.raises(ParameterError, match=r"weights= is for a published network.*'bandpower'"):
        eegflex.load_model("bandpower", weights=tmp_path)
    with pytest.raises(ModelError, match="directory"):
        eegflex.load_model("tinysleepnet", weights=tmp_path)


def test_names_have_every_network():
    assert set(spec_names()) <= set(names())
    assert set(NETWORKS) <= set(names())


def fake_wheel(folder, name, content):
    """A wheel of physioex in which a file of one of its networks has another content."""
    path = folder / "physioex-1.0.0.dev4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"physioex/{FOLDER}/{load_spec(name).file}", content)
    return path


@pytest.mark.parametrize("name", PHYSIOEX)
def test_other_weights_than_those_looked_at_are_refused(tmp_path, name):
    wheel = fake_wheel(tmp_path, name, b"PK-not-a-checkpoint")
    for weights in (wheel, tmp_path):
        with pytest.raises(ModelError, match=r"not (the|a) model"):
            eegflex.load_model(name, weights=weights)


def test_where_the_weights_are_not_is_said(tmp_path):
    name, other = PHYSIOEX[:2]
    with pytest.raises(ModelError, match=r"not in this folder.*physioex-\*\.whl"):
        eegflex.load_model(name, weights=tmp_path)
    wheel = fake_wheel(tmp_path, other, b"")
    with pytest.raises(ModelError, match=r"not in this wheel.*1\.0\.0\.dev4"):
        eegflex.load_model(name, weights=wheel)
    if find_spec("physioex") is None:
        with pytest.raises(ModelError, match=r"not installed.*pip install --no-deps physioex"):
            eegflex.load_model(name)


def test_a_wheel_that_can_be_read_in_two_ways_is_refused(tmp_path):
    wheel = fake_wheel(tmp_path, PHYSIOEX[0], b"")
    wheel.write_bytes(b"#!/bin/sh\n" + wheel.read_bytes())
    with pytest.raises(ModelError, match=r"ambiguous|damaged"):
        eegflex.load_model(PHYSIOEX[0], weights=wheel)


def test_the_shell_takes_weights(tmp_path, capsys):
    assert cli.main(["stage", "none.edf", "--model", "tinysleepnet", "--weights", str(tmp_path / "gone.pt")]) == 1
    assert "no such file of weights" in capsys.readouterr().err


@pytest.mark.parametrize("name", PHYSIOEX)
def test_weights_of_an_installed_package_are_found(name):
    if find_spec("physioex") is None:
        pytest.skip("the package physioex is not installed")
    stager = eegflex.load_model(name)
    installed = Path(find_spec("physioex").submodule_search_locations[0]) / FOLDER / stager.spec.file
    saved = torch.load(installed, map_location="cpu", weights_only=True)["state_dict"]
    own = stager.module.state_dict()
    assert {f"nn.{key}" for key in own} == set(saved)
    assert all(torch.equal(own[key.removeprefix("nn.")], value) for key, value in saved.items())
    assert len(stager.spec.assumed) == 1, "what scales its input; and no weight was left over"


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_usleep_is_braindecodes(tmp_path):
    models = pytest.importorskip("braindecode.models", exc_type=ImportError)
    torch.manual_seed(0)
    network = models.USleep(**load_spec("usleep").kwargs).eval()
    lightning(network, tmp_path / "mine.ckpt")
    stager = eegflex.load_model("usleep", weights=tmp_path / "mine.ckpt")
    windows = torch.randn(1, 35, 2, 3840)
    with torch.no_grad():
        torch.testing.assert_close(stager.score(windows), network(windows)[..., 17])


OWN = {
    "physioex:seqsleepnet-eeg-eog-emg": "seqsleepnet",
    "physioex:chambon-eeg": "chambon2018",
    "physioex:tinysleepnet-eeg": "tinysleepnet",
}


@pytest.mark.parametrize(("published", "own"), OWN.items())
def test_weights_of_ones_own_under_a_published_name_are_refused_with_what_to_do_instead(tmp_path, published, own):
    """What the remedy says is done, word for word, with a network that was trained on."""
    torch.manual_seed(0)
    network, path = KINDS[own](**load_spec(published).kwargs), tmp_path / "mine.ckpt"
    lightning(network, path)
    with pytest.raises(ModelError, match="sha256") as raised:
        eegflex.load_model(published, weights=path)
    command = re.search(r"load_model\((.*), weights='mine.ckpt'\)", raised.value.remedy).group(1)
    name, spec = re.fullmatch(r"'(.*)', spec='(.*)'", command).groups()
    assert (name, spec) == (own, published)
    stager = eegflex.load_model(name, spec=spec, weights=path)
    for key, value in network.state_dict().items():
        assert torch.equal(stager.module.state_dict()[key], value)
    words, theirs = stager.spec, load_spec(published)
    assert (words.channels, words.spectrogram, words.context) == (theirs.channels, theirs.spectrogram, theirs.context)
    assert words.name.endswith("other weights")
    assert not words.licence, "that of weights that are not theirs is not known"
    assert "weights:" not in words.citation
    assert any("not necessarily those" in note for note in words.assumed)
    assert eegflex.load_model(path, spec=published).digest == stager.digest
