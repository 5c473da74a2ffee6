"""Networks of braindecode by name: made as their contract says, with weights of a file, of a folder, or random ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_model

import eegflex
from eegflex import cli
from eegflex.errors import MissingExtraError, ModelError, ParameterError, SpecError
from eegflex.spec import ChannelSpec, ModelSpec, load_spec, spec_names, spec_text
from eegflex.stagers.formats.braindecode import arguments

models = pytest.importorskip("braindecode.models", exc_type=ImportError)

NAMES = [name for name in spec_names() if name.startswith("braindecode:")]
#: What each is made with, written by hand.
MADE_WITH = {
    "AttnSleep": {"n_chans": 1, "sfreq": 100, "n_times": 3000},
    "DeepSleepNet": {"n_chans": 1, "sfreq": 100, "n_times": 3000},
    "SleepStagerBlanco2020": {"n_chans": 2, "sfreq": 100, "n_times": 3000},
    "SleepStagerChambon2018": {"n_chans": 2, "sfreq": 128, "n_times": 3840},
    "USleep": {"n_chans": 2, "sfreq": 128, "n_times": 3840},
}
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def network(name, **more):
    """One of braindecode's networks as its authors' class makes it."""
    torch.manual_seed(3)
    return getattr(models, name)(n_outputs=5, **MADE_WITH[name], **more).eval()


def windows_of(name, n_epochs=1):
    made = MADE_WITH[name]
    return torch.randn(2, n_epochs, made["n_chans"], made["n_times"], generator=torch.Generator().manual_seed(4))


def save(net, path):
    """As people have them: of Lightning, of torch.save, of safetensors."""
    state = net.state_dict()
    if path.suffix == ".safetensors":
        save_model(net, str(path))  # as the hub's own: of weights with two names it keeps one
    else:
        lightning = {"state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": 7}
        torch.save(state if path.suffix == ".pt" else lightning, path)


def test_every_stager_of_braindecode_has_a_contract():
    assert sorted(MADE_WITH) == sorted(name.partition(":")[2] for name in NAMES)


@pytest.mark.parametrize("suffix", ["pt", "ckpt", "safetensors"])
@pytest.mark.parametrize("name", ["AttnSleep", "SleepStagerBlanco2020", "SleepStagerChambon2018"])
def test_it_scores_what_braindecodes_own_does(tmp_path, name, suffix):
    net, path = network(name), tmp_path / f"mine.{suffix}"
    save(net, path)
    stager = eegflex.load_model(f"braindecode:{name}", weights=path)
    windows = windows_of(name)
    with torch.no_grad():
        torch.testing.assert_close(stager.score(windows), net(windows[:, 0]))
    assert not stager.spec.assumed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DeepSleepNet", "USleep"])
def test_a_large_one_scores_what_braindecodes_own_does(tmp_path, name):
    net, path = network(name), tmp_path / "mine.safetensors"
    save(net, path)
    stager = eegflex.load_model(f"braindecode:{name}", weights=path)
    windows = windows_of(name, 35 if name == "USleep" else 1)
    with torch.no_grad():
        expected = net(windows)[..., 17] if name == "USleep" else net(windows[:, 0])
        torch.testing.assert_close(stager.score(windows), expected)


def test_usleeps_contract_is_that_of_its_paper():
    spec = load_spec("braindecode:USleep")
    assert spec == load_spec("usleep")
    assert (spec.sfreq, spec.duration, spec.context.before + 1 + spec.context.after) == (128.0, 30.0, 35)
    assert (spec.scale.kind, spec.scale.per, spec.scale.clip) == ("robust", "recording", 20.0)
    assert [channel.types for channel in spec.channels] == [("eeg",), ("eog",)]
    assert (spec.output, spec.combine) == ("b s e", "mean")


def test_a_network_is_made_as_the_users_own_contract_says(tmp_path):
    """Three stages, six channels, 100 Hz: none of it is the published one's."""
    spec = ModelSpec(
        name="mine",
        sfreq=100.0,
        n_times=2000,
        channels=tuple(ChannelSpec(f"eeg {i}", types=("eeg",), use="first") for i in range(6)),
        stages=("W", "NREM", "REM"),
        kwargs={"n_conv_chs": 5},
    )
    torch.manual_seed(0)
    net = models.SleepStagerChambon2018(n_chans=6, sfreq=100, n_times=2000, n_outputs=3, n_conv_chs=5).eval()
    save(net, tmp_path / "mine.ckpt")
    stager = eegflex.load_model("braindecode:SleepStagerChambon2018", weights=tmp_path / "mine.ckpt", spec=spec)
    windows = torch.randn(2, 1, 6, 2000)
    with torch.no_grad():
        torch.testing.assert_close(stager.score(windows), net(windows[:, 0]))


def test_a_network_that_is_not_of_sleep_needs_a_contract(tmp_path):
    net = models.ShallowFBCSPNet(n_chans=2, n_times=600, n_outputs=5, sfreq=20).eval()
    save(net, tmp_path / "mine.pt")
    with pytest.raises(ParameterError, match=r"no published spec.*spec='mine.toml'"):
        eegflex.load_model("braindecode:ShallowFBCSPNet", weights=tmp_path / "mine.pt")
    channels = (ChannelSpec("eeg", ("eeg",), use="first"), ChannelSpec("eog", ("eog",), use="first"))
    spec = ModelSpec(name="Shallow", sfreq=20.0, n_times=600, channels=channels)
    stager = eegflex.load_model("braindecode:ShallowFBCSPNet", weights=tmp_path / "mine.pt", spec=spec)
    windows = torch.randn(3, 1, 2, 600)
    with torch.no_grad():
        torch.testing.assert_close(stager.score(windows), net(windows[:, 0]))


def test_a_class_that_is_given_is_made_as_the_contract_says_too(tmp_path):
    """``module=`` with a class of braindecode, whose spec says nothing twice."""
    net = network("SleepStagerBlanco2020")
    save(net, tmp_path / "mine.safetensors")
    spec = load_spec("braindecode:SleepStagerBlanco2020").replace(class_name="")
    stager = eegflex.load_model(tmp_path / "mine.safetensors", module=models.SleepStagerBlanco2020, spec=spec)
    windows = windows_of("SleepStagerBlanco2020")
    with torch.no_grad():
        torch.testing.assert_close(stager.score(windows), net(windows[:, 0]))


@pytest.mark.parametrize(
    ("layout", "left"),
    [("b c (e t)", {"n_times"}), ("b (e c) t", {"n_chans"}), ("(b e) c t", set()), ("b e c t", set())],
)
def test_windows_that_are_one_long_epoch_are_for_kwargs_to_say(layout, left):
    spec = load_spec("braindecode:AttnSleep").replace(layout=layout)
    made = arguments(models.SleepStagerChambon2018, spec)
    assert made == {
        k: v for k, v in {"n_chans": 1, "n_times": 3000, "sfreq": 100.0, "n_outputs": 5}.items() if k not in left
    }


def test_what_kwargs_say_otherwise_is_refused(tmp_path):
    text = spec_text("braindecode:AttnSleep").replace(
        "licence", "file = 'mine.pt'\nkwargs = { n_outputs = 4 }\nlicence"
    )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    save(network("AttnSleep"), tmp_path / "mine.pt")
    with pytest.raises(SpecError, match=r"n_outputs = 4 in kwargs, 5 by the rest"):
        eegflex.load_model(tmp_path / "mine.toml")


def test_a_misspelt_class_is_told_with_the_nearest():
    with pytest.raises(ModelError, match=r"no network of this name.*braindecode:USleep"):
        eegflex.load_model("braindecode:USlep", weights="random")
    with pytest.raises(ModelError, match="no network of this name"):
        eegflex.load_model("braindecode:models.USleep", spec=load_spec("usleep"), weights="random")


def test_a_contract_of_another_network_is_refused(tmp_path):
    save(network("AttnSleep"), tmp_path / "mine.pt")
    with pytest.raises(SpecError, match=r"another network than braindecode:AttnSleep.*'usleep'"):
        eegflex.load_model("braindecode:AttnSleep", weights=tmp_path / "mine.pt", spec="usleep")
    with pytest.raises(SpecError, match="their own spec"):
        eegflex.load_model("physioex:seqsleepnet-eeg", spec="usleep")


def test_missing_weights_are_not_made_up():
    with pytest.raises(ModelError, match=r"no weights of its own.*weights='mine.ckpt'.*weights='random'"):
        eegflex.load_model("braindecode:USleep")


@pytest.mark.parametrize("name", ["braindecode:SleepStagerChambon2018", "chambon2018", "tinysleepnet"])
def test_random_weights_are_said_wherever_the_model_is_named(name, capsys):
    before = torch.random.get_rng_state()
    stager = eegflex.load_model(name, weights="random")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert "is untrained" in capsys.readouterr().out
    assert stager.spec.name.endswith("random weights")
    assert any(note.startswith("weights: random") for note in stager.spec.assumed)
    assert eegflex.load_model(name, weights="random", device="cpu").digest == stager.digest, "the same tomorrow"
    other = load_spec(name).n_times
    assert torch.isfinite(stager.score(torch.randn(1, *_window(stager.spec), other))).all()


def _window(spec):
    return spec.context.before + 1 + spec.context.after, len(spec.channels)


def test_a_file_of_that_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = network("SleepStagerBlanco2020")
    save(net, tmp_path / "random.pt")
    (tmp_path / "random.pt").rename(tmp_path / "random")
    stager = eegflex.load_model("braindecode:SleepStagerBlanco2020", weights=Path("random"))
    assert not stager.spec.assumed


def test_the_shell_takes_random_weights_and_a_spec_by_name(tmp_path, capsys):
    raw = eegflex.simulate_psg(hours=0.2, seed=1, verbose="error").raw
    raw.save(tmp_path / "night_raw.fif", verbose="error")
    command = ["stage", str(tmp_path / "night_raw.fif"), "--model", "braindecode:AttnSleep", "--weights", "random"]
    assert cli.main([*command, "--spec", "braindecode:AttnSleep", "-o", str(tmp_path / "stages.csv")]) == 0
    assert "random" in "".join(capsys.readouterr())


class TestFolderOfTheHub:
    """What ``save_pretrained`` writes and the hub has: the weights, and what the network was made with."""

    @staticmethod
    def folder(tmp_path, net, **config):
        save(net, tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return tmp_path

    def test_it_is_made_as_its_config_says(self, tmp_path):
        net = network("SleepStagerChambon2018", n_conv_chs=6, apply_batch_norm=True)
        config = {**MADE_WITH["SleepStagerChambon2018"], "n_outputs": 5, "n_conv_chs": 6, "apply_batch_norm": True}
        config |= {
            "activation": "torch.nn.modules.activation.ReLU",
            "chs_info": None,
            "input_window_seconds": 30,
            "new": 1,
        }
        stager = eegflex.load_model("braindecode:SleepStagerChambon2018", weights=self.folder(tmp_path, net, **config))
        windows = windows_of("SleepStagerChambon2018")
        with torch.no_grad():
            torch.testing.assert_close(stager.score(windows), net(windows[:, 0]))
        assert stager.spec.kwargs == {"n_conv_chs": 6, "apply_batch_norm": True}

    def test_braindecodes_own_config_is_read(self, tmp_path):
        net = network("AttnSleep")
        config = json.loads(json.dumps(net.get_config(), default=str))
        stager = eegflex.load_model("braindecode:AttnSleep", weights=self.folder(tmp_path, net, **config))
        windows = windows_of("AttnSleep")
        with torch.no_grad():
            torch.testing.assert_close(stager.score(windows), net(windows[:, 0]))

    def test_another_contract_is_refused(self, tmp_path):
        folder = self.folder(tmp_path, network("AttnSleep"), n_outputs=6, sfreq=100)
        with pytest.raises(SpecError, match=r"n_outputs = 6 in config.json, 5 by the spec"):
            eegflex.load_model("braindecode:AttnSleep", weights=folder)

    def test_what_would_have_to_be_imported_is_refused(self, tmp_path):
        folder = self.folder(tmp_path, network("AttnSleep"), activation="os.system")
        with pytest.raises(ModelError, match=r"not taken from a config.json.*os.system"):
            eegflex.load_model("braindecode:AttnSleep", weights=folder)

    @pytest.mark.parametrize("text", ["[1]", "{", "\xff", '{"a": ' * 5000])
    def test_a_config_that_is_none_is_refused(self, tmp_path, text):
        folder = self.folder(tmp_path, network("AttnSleep"))
        (folder / "config.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(ModelError, match="file of arguments"):
            eegflex.load_model("braindecode:AttnSleep", weights=folder)

    def test_a_pickle_in_it_is_not_opened(self, tmp_path):
        torch.save(network("AttnSleep").state_dict(), tmp_path / "pytorch_model.bin")
        with pytest.raises(ModelError, match=r"no model.safetensors.*pytorch_model.bin"):
            eegflex.load_model("braindecode:AttnSleep", weights=tmp_path)

    def test_ours_may_lie_in_one_too(self, tmp_path):
        stager = eegflex.load_model("tinysleepnet", weights="random")
        folder = self.folder(tmp_path, stager.module)
        assert eegflex.load_model("tinysleepnet", weights=folder).digest == stager.digest


def test_without_its_package_the_hub_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"model\.safetensors.*huggingface\.co/me/usleep/tree/v2") as told:
        eegflex.load_model("braindecode:USleep", weights="hf://me/usleep@v2")
    assert "weights='the folder'" in str(told.value)
    assert "eegflex[hub]" in str(told.value)


@pytest.mark.parametrize("address", ["hf://", "hf://me", "hf://me/a/b", "hf://../x y", "hf://me/usleep@"])
def test_an_address_that_is_none_is_refused_before_anything_is_asked(address):
    with pytest.raises(ParameterError, match="not an address on the hub"):
        eegflex.load_model("braindecode:USleep", weights=address)
