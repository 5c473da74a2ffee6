"""The trained stagers of the tests: what they are, and that they are fit to be explained."""

from __future__ import annotations

import pytest
import torch
import trained
from safetensors import safe_open
from trained.nights import spindle_night

import eegflex
from eegflex.preprocessing.segments import prepare
from eegflex.results.tables import agreement

pytestmark = pytest.mark.slow

NAMES = sorted(trained.NETWORKS)
LOADERS = {name: getattr(trained, name) for name in NAMES}


@pytest.fixture(scope="module")
def epochs():
    """A simulated night of 2 h whose seed trained none of them."""
    return eegflex.make_epochs(eegflex.simulate_psg(hours=2, seed=5, verbose="error").raw, verbose="error")


@pytest.fixture(scope="module")
def like_those_that_trained_it(epochs):
    """The night for each of them: for one, such a night as it was trained on."""
    own = eegflex.make_epochs(spindle_night(hours=2, seed=5).raw, verbose="error")
    return lambda name: own if name == "planted" else epochs


@pytest.fixture(scope="module")
def windows(epochs):
    """By stager, seven windows of the night as it sees them, shape (batch, epoch, channel, time)."""
    found = {}
    for name, load in LOADERS.items():
        (bound,) = load().bind(prepare(epochs, trained.spec(name)))
        middles = torch.arange(20, 230, 30)
        members = torch.from_numpy(bound.windows.members(middles.numpy()))
        found[name] = bound.inputs(members.ravel()).unflatten(0, members.shape)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_small_and_marked_as_what_it_is(name):
    contract = trained.spec(name)
    weights = trained.FOLDER / contract.file
    assert weights.stat().st_size < 200_000
    with safe_open(weights, "pt") as file:
        notes = file.metadata()
    for marked in (notes["warning"], contract.citation, (trained.FOLDER / f"{name}.toml").read_text("utf-8")):
        assert "simulated nights only" in marked
        assert "knows nothing of real sleep" in marked
    assert "simulated" in contract.name


@pytest.mark.parametrize("name", NAMES)
def test_it_stages_an_unseen_simulated_night_and_can_be_explained(name, like_those_that_trained_it):
    epochs, stager = like_those_that_trained_it(name), LOADERS[name]()
    result = eegflex.attribute_epochs(epochs, stager, sample_per_stage=1, verbose="error")
    kappa, confusion = agreement(result.to_xarray())
    assert kappa > 0.8
    at_the_ends = 0 if stager.scores_every_position else stager.spec.context.before + stager.spec.context.after
    assert confusion.to_numpy().sum() == 240 - at_the_ends
    assert result.relative_gap().max() < 0.02


@pytest.mark.parametrize("name", NAMES)
def test_members_of_a_batch_are_independent(name, windows):
    stager = LOADERS[name]()
    together = stager.score(windows[name])
    alone = torch.cat([stager.score(window[None]) for window in windows[name]])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_epoch_and_channel(name, windows):
    fed = windows[name].clone().requires_grad_()
    LOADERS[name]().score(fed).max(dim=1).values.sum().backward()
    assert (fed.grad.abs().amax(-1) > 0).all()


def test_scores_are_not_saturated(windows):
    for name, load in LOADERS.items():
        assert load().score(windows[name]).abs().max() < 20


def test_the_context_stager_factors(windows):
    stager, fed = trained.context(), windows["context"]
    codes = stager.module.encode(fed.flatten(0, 1)).unflatten(0, fed.shape[:2])
    torch.testing.assert_close(stager.module.decode(codes), stager.score(fed), atol=1e-6, rtol=0)


def test_the_context_stager_listens_to_its_neighbours(windows):
    fed = windows["context"].clone()
    recorded = trained.context().score(fed)
    fed[:, [4, 6]] = 0
    assert ((trained.context().score(fed) - recorded).abs().amax(1) > 0.1).any()


@pytest.mark.parametrize("name", ["sequence", "planted"])
def test_a_network_of_spectrograms_is_loaded_from_its_files_alone(name, windows):
    """Weights, spec, and the statistics that the spec names: as any user has them, without a word of Python."""
    stager = eegflex.load_model(trained.FOLDER / f"{name}.safetensors")
    assert not stager.front.waits, "its statistics are those of the nights that trained it"
    torch.testing.assert_close(stager.score(windows[name]), LOADERS[name]().score(windows[name]))


def test_chambon_has_the_parameters_of_the_published_class():
    shapes = {name: tuple(weight.shape) for name, weight in trained.chambon().module.state_dict().items()}
    assert shapes == {
        "spatial_conv.weight": (2, 1, 2, 1),
        "spatial_conv.bias": (2,),
        "feature_extractor.0.weight": (8, 1, 1, 50),
        "feature_extractor.0.bias": (8,),
        "feature_extractor.4.weight": (8, 8, 1, 50),
        "feature_extractor.4.bias": (8,),
        "final_layer.1.weight": (5, 272),
        "final_layer.1.bias": (5,),
    }
