"""The contract of each published stager is a TOML file, and what it says is what the stager is fed and what is read from it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.errors import ModelError
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ContextSpec, ModelSpec
from eegflex.stagers.stager import Stager

SPECS = {fname.stem: fname for fname in sorted((Path(__file__).parent / "specs").glob("*.toml"))}
#: The five networks of braindecode.
BRAINDECODE = ("usleep_braindecode", "attnsleep", "deepsleepnet", "chambon2018", "blanco2020")


class Core(nn.Module):
    """Logits of every epoch, (batch, epoch, 5), from canonical windows: of its own signal, and of its neighbours'."""

    def __init__(self, causal=False):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head, self.causal = nn.Conv1d(1, 10, 25, stride=10), nn.Linear(10, 5), causal
        self.register_buffer("gain", torch.linspace(1, 2, 4))

    def forward(self, windows):
        mixed = (windows * self.gain[: windows.shape[2], None]).sum(2)
        logits = self.head(torch.tanh(self.conv(mixed.flatten(0, 1)[:, None])).square().mean(-1)).unflatten(
            0, mixed.shape[:2]
        )
        before = logits.cumsum(1) / torch.arange(1, logits.shape[1] + 1)[:, None]
        return 20 * (logits + 0.5 * (before if self.causal else logits.mean(1, keepdim=True)))


class StandIn(nn.Module):
    """A network of a published one's shapes, written without einops: `take` makes canonical windows of what it is fed."""

    def __init__(self, take, give, causal=False):
        super().__init__()
        self.core, self.take, self.give = Core(causal), take, give

    def forward(self, fed):
        return self.give(self.core(self.take(fed)))


def take_gssc(fed):
    assert set(fed) == {"eeg", "eog"}
    assert fed["eeg"].shape[1:] == fed["eog"].shape[1:] == (1, 2560)
    return torch.stack([fed["eeg"], fed["eog"]], dim=2).squeeze(1)[None]  # (E, 1, T) each -> (1, E, 2, T)


def take_channels_last(fed):
    assert fed.shape[2:] in {(3840, 2), (3000, 1)}
    return fed.transpose(2, 3)


def take_tinysleepnet(fed):
    assert fed.shape[1:] == (3000, 1, 1)
    assert len(fed) % 20 == 0
    return fed.reshape(-1, 20, 1, 3000)


def in_parts(probabilities):
    """30 scores an epoch, whose mean is that of the epoch."""
    wobble = torch.linspace(-0.5, 0.5, 30)[:, None]
    return probabilities[:, :, None] * (1 + wobble)


#: Stand-ins where the real one does not install, or has no weights; braindecode's own are below.
STAND_INS = {
    "gssc": lambda: StandIn(take_gssc, lambda logits: logits.log_softmax(-1)[0]),
    "time_distributed": lambda: StandIn(lambda fed: fed, lambda logits: logits[:, -1], causal=True),
    "usleep_keras": lambda: StandIn(take_channels_last, lambda logits: logits.softmax(-1)),
    "utime_keras": lambda: StandIn(take_channels_last, lambda logits: in_parts(logits.softmax(-1))),
    "tinysleepnet": lambda: StandIn(take_tinysleepnet, lambda logits: logits.flatten(0, 1), causal=True),
}


@pytest.fixture(scope="module")
def epochs():
    """48 epochs of a simulated night, with one channel more, named as in another data set."""
    raw = eegflex.simulate_psg(hours=0.4, seed=1, verbose="error").raw
    return eegflex.make_epochs(raw.rename_channels({"F3-M2": "Fpz-Cz"}), verbose="error")


def explain(epochs, stager, **kwargs):
    kwargs = {"quadrature": "gauss-legendre", "n_steps": 12, "sample_per_stage": 1} | kwargs
    return eegflex.attribute_epochs(epochs, stager, baseline="zero", verbose="error", **kwargs)


@pytest.mark.parametrize("name", SPECS)
def test_a_contract_survives_a_round_trip(name):
    spec = ModelSpec.from_toml(SPECS[name])
    assert spec.duration == pytest.approx(30)
    assert ModelSpec.from_dict(spec.to_dict()) == spec


def test_every_contract_is_run():
    assert set(SPECS) == set(STAND_INS) | set(BRAINDECODE)


@pytest.mark.parametrize("name", STAND_INS)
def test_a_stand_in_is_scored_as_its_contract_says(name):
    """Against the scores of the core on canonical windows, without any layout."""
    spec, module = ModelSpec.from_toml(SPECS[name]), STAND_INS[name]()
    n_epochs = 7 if spec.context.whole else spec.context.before + 1 + spec.context.after
    batch = 1 if name == "gssc" else 2
    windows = torch.randn(batch, n_epochs, len(spec.channels), spec.n_times, generator=torch.Generator().manual_seed(1))
    at = torch.full((batch,), n_epochs // 2) if spec.context.whole else None
    with torch.no_grad():
        logits = module.core(windows)[:, n_epochs // 2 if spec.context.whole else spec.context.before]
        expected = {"logits": logits, "log_probs": logits.log_softmax(-1), "probs": logits.softmax(-1)}[spec.scores]
        torch.testing.assert_close(Stager(module, spec).score(windows, at), expected, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STAND_INS if name != "gssc"])
def test_a_stand_in_is_explained(name, epochs):
    result = explain(epochs, load_model(STAND_INS[name](), spec=SPECS[name]))
    assert result.relative_gap().max() < 0.02
    assert np.abs(result.to_xarray()["frequency_view"].values).max() > 0


def test_an_input_may_be_left_out(epochs):
    """GSSC takes a dict with one of its signals missing: then the spec has one input."""
    spec = ModelSpec.from_toml(SPECS["gssc"])
    one = spec.replace(channels=spec.channels[:1], layout={"eeg": "(b e) c t"}, context=ContextSpec())
    module = StandIn(lambda fed: fed["eeg"][:, None], lambda logits: logits[:, 0].log_softmax(-1))
    result = explain(epochs, load_model(module, spec=one), picks=["C3-M2", "C4-M1"])
    assert result.to_xarray()["channel_set"].size == 2


def test_a_dict_that_the_module_does_not_take_is_refused_with_its_shapes():
    spec = ModelSpec.from_toml(SPECS["gssc"])
    with pytest.raises(ModelError, match=r"'eeg': \(3, 1, 2560\)"):
        Stager(Core(), spec).score(torch.zeros(1, 3, 2, 2560))


def test_summed_channel_groups_are_explained_exactly(epochs):
    """U-Sleep: the score is the sum over pairs of channels, and so is its attribution, pair by pair."""
    spec = ModelSpec.from_toml(SPECS["usleep_keras"]).replace(context=ContextSpec(1, 1))
    module, picks = STAND_INS["usleep_keras"](), ["C3-M2", "C4-M1", "O1-M2", "E1-M2", "E2-M2"]
    together = explain(epochs, load_model(module, spec=spec), picks=picks, target="N2", sample_per_stage=None)
    apart = explain(
        epochs, load_model(module, spec=spec.replace(combine="surest")), picks=picks, target="N2", sample_per_stage=None
    )
    whole, pairs = together.to_xarray(), apart.to_xarray()
    assert whole["channel_set"].values.tolist() == ["C3-M2 + C4-M1 + O1-M2 + E1-E2"]
    assert pairs["channel_set"].size == 3
    np.testing.assert_allclose(whole["scores"].values[:, 0], pairs["scores"].values.sum(1), atol=1e-5)
    found, parts = whole["frequency_view"].values, pairs["frequency_view"].values
    for number in range(3):  # each EEG channel is in one pair
        np.testing.assert_allclose(found[:, number], parts[:, 2 * number], atol=1e-5)
    np.testing.assert_allclose(found[:, 3], parts[:, 1::2].sum(1), atol=1e-5)  # the EOG is in all of them


def test_parts_of_an_epoch_are_averaged():
    spec = ModelSpec(output="b e k s", context=ContextSpec(1, 1), layout="b e c t")
    scores = torch.randn(2, 3, 30, 5)
    with torch.no_grad():
        found = Stager(lambda _: scores, spec).score(torch.zeros(2, 3, 1, 10))
    torch.testing.assert_close(found, scores[:, 1].mean(1))


def test_which_epoch_is_meant_is_said_by_the_context(epochs):
    """The same network of three epochs, once about the last and once about the middle one, looks at other signals."""
    spec = ModelSpec.from_toml(SPECS["time_distributed"])
    last = load_model(STAND_INS["time_distributed"](), spec=spec)
    middle = load_model(STAND_INS["time_distributed"](), spec=spec.replace(context=ContextSpec(1, 1)))
    scores = [s.bind(prepare(epochs, s.spec))[0].night_scores(lambda _: None) for s in (last, middle)]
    torch.testing.assert_close(scores[0][3], scores[1][2])  # one and the same window: epochs 1, 2, 3
    assert torch.isnan(scores[0][1]).all()
    assert not torch.isnan(scores[1][1]).any()


@pytest.fixture(scope="module")
def braindecode():
    """braindecode, whose import of torchaudio fails beside a CPU build of torch unless that is mended."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import braindecode.models as models
    except (ImportError, OSError) as error:
        pytest.skip(f"the extra braindecode is not installed: {error}")
    return models


def made(models, name):
    spec = ModelSpec.from_toml(SPECS[name])
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(models, spec.class_name.partition(":")[2])(**spec.kwargs), spec


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("name", BRAINDECODE)
def test_a_network_of_braindecode_is_explained_through_its_contract(name, braindecode, epochs):
    network, spec = made(braindecode, name)
    result = explain(epochs[20:26], load_model(network, spec=spec), sample_per_stage=2, n_steps=24)
    dataset = result.to_xarray()
    assert dataset["score"].values.shape[0] >= 2
    assert np.abs(dataset["frequency_view"].values).max() > 0
    assert result.relative_gap().max() < 0.05


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("name", BRAINDECODE)
def test_its_weights_are_loaded_into_its_class(name, braindecode, tmp_path):
    network, spec = made(braindecode, name)
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    fed = torch.randn(2, 1, len(spec.channels), spec.n_times)
    fed = fed.expand(-1, spec.context.before + 1 + spec.context.after, -1, -1)
    expected = Stager(network, spec)
    by_class = load_model(tmp_path / "weights.pt", spec=spec, module=type(network))
    by_name = load_model(tmp_path / "weights.pt", spec=spec, trusted=True)
    with torch.no_grad():
        for stager in (by_class, by_name):
            torch.testing.assert_close(stager.score(fed), expected.score(fed))


def test_a_network_of_braindecode_knows_its_rate(braindecode):
    spec = load_model(made(braindecode, "chambon2018")[0]).spec
    assert (spec.sfreq, spec.n_times) == (128, 3840)
    assert any("unit" in note for note in spec.assumed)
