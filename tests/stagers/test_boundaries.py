"""Modules as people write them: what they do to their input, keep beside their weights, and raise."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest
import torch
from models import Smooth
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.errors import MemoryShortError, ModelError
from eegflex.spec.model_spec import ChannelSpec, ModelSpec
from eegflex.stagers.failures import said

SPEC = ModelSpec(name="mine", sfreq=64.0, n_times=1920, unit="uV")
FED = torch.randn(3, 1, 2, 1920, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def epochs():
    raw = eegflex.simulate_psg(hours=0.2, sfreq=64, seed=1, verbose="error").raw
    return eegflex.make_epochs(raw.pick(["C3-M2", "C4-M1"]), verbose="error")


def scores_of(module, fed=FED):
    with torch.no_grad():
        return load_model(module, spec=SPEC).score(fed)


class Before(nn.Module):
    """A network behind something that is done to its input."""

    def __init__(self, does):
        super().__init__()
        self.does, self.net = does, Smooth()

    def forward(self, x):
        return self.net(self.does(x))


def _flipped(x):
    x[:, 0] = -x[:, 0]
    return x


def _without_mean(x):
    x -= x.mean(-1, keepdim=True)
    return x


IN_PLACE = {
    "scaled": (lambda x: x.mul_(3.0), lambda x: x * 3.0),
    "rectified": (nn.ReLU(inplace=True), nn.ReLU()),
    "one channel": (_flipped, lambda x: x * torch.tensor([-1.0, 1.0])[:, None]),
    "mean": (_without_mean, lambda x: x - x.mean(-1, keepdim=True)),
    "masked": (lambda x: x.masked_fill_(x > 1, 1.0), lambda x: x.clamp(max=1.0)),
    "in an axis of its own": (lambda x: x[:, None].clamp_(-1, 1)[:, 0], lambda x: x.clamp(-1, 1)),
}


@pytest.mark.parametrize("how", IN_PLACE)
def test_what_changes_its_input_in_place_is_what_does_not(how, epochs):
    inplace, out = (Before(does) for does in IN_PLACE[how])
    torch.testing.assert_close(scores_of(inplace), scores_of(out), rtol=0, atol=0)
    mine, other = (
        eegflex.attribute_epochs(
            epochs[:2], module, spec=SPEC, quadrature="graded", n_steps=4, on_check="ignore", verbose="error"
        ).to_xarray()["frequency_view"]
        for module in (inplace, out)
    )
    np.testing.assert_array_equal(mine.values, other.values)
    assert np.abs(other.values).max() > 0


def test_what_changes_its_input_in_place_leaves_it_to_the_caller():
    fed = FED.clone()
    scores_of(Before(lambda x: x.zero_()), fed)
    assert torch.equal(fed, FED)


def test_inputs_of_a_dict_are_copied_too():
    class Pair(nn.Module):
        def forward(self, fed):
            fed["a"] *= 0
            return fed["b"].mean(-1) + fed["a"].mean(-1)

    channels = (ChannelSpec("a", use="first"), ChannelSpec("b", use="first"))
    spec = SPEC.replace(channels=channels, layout={"a": "b 1 t", "b": "b 1 t"}, stages=("only",))
    fed = FED.clone()
    with torch.no_grad():
        found = load_model(Pair(), spec=spec).score(fed)
    torch.testing.assert_close(found, FED[:, 0, 1:].mean(-1))
    assert torch.equal(fed, FED)


class Keeps(nn.Module):
    """Keeps what a function makes of the network's features, as attention maps are kept."""

    def __init__(self, keep):
        super().__init__()
        self.net, self.keep, self.kept = Smooth(), keep, None

    def forward(self, x):
        features = torch.tanh(self.net.conv(x))
        self.kept = self.keep(features)
        return self.net.head(features.square().mean(-1))


def kept_map():
    module = Keeps(lambda features: features)
    module(FED[:, 0])
    return module


def kept_maps():
    module = Keeps(lambda features: {"maps": [features, (features * 2,)]})
    module(FED[:, 0])
    return module


def old_weight_norm():
    with pytest.warns(FutureWarning):
        module = nn.Sequential(nn.utils.weight_norm(nn.Conv1d(2, 5, 9)), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    module(FED[:, 0])
    return module


def old_spectral_norm():
    module = nn.Sequential(nn.utils.spectral_norm(nn.Conv1d(2, 5, 9)), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    module.train()(FED[:, 0])
    return module.eval()


def with_lock():
    module = Smooth()
    module.lock = threading.Lock()
    return module


def with_lock_in_a_hook():
    class Trainer:
        def __init__(self, net):
            self.lock, self.net, self.log, self.seen = threading.RLock(), net, logging.getLogger("x"), []

        def look(self, module, fed, returned):
            with self.lock:
                self.seen.append(returned)

    module = Smooth()
    module.trainer = Trainer(module)
    module.conv.register_forward_hook(module.trainer.look)
    module(FED[:, 0])
    return module


def with_generator():
    module = Smooth()
    module.batches = (number for number in range(3))
    return module


def with_hook_of_its_own():
    module = kept_map()
    module.register_forward_pre_hook(lambda own, fed: (fed[0] * 1.0,))
    module.opened = threading.Condition()
    return module


MAKERS = (
    *(kept_map, kept_maps, old_weight_norm, old_spectral_norm, with_lock, with_lock_in_a_hook, with_generator),
    with_hook_of_its_own,
)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_what_a_module_keeps_does_not_hinder_its_copy(make):
    module = make().eval()
    with torch.no_grad():
        expected = module(FED[:, 0]).clone()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module = make().eval()  # with what it keeps of a forward pass with a gradient
    module.load_state_dict(before)
    stager = load_model(module, spec=SPEC)
    assert stager.module is not module
    with torch.no_grad():
        torch.testing.assert_close(stager.score(FED), expected, rtol=0, atol=1e-6)
    # a copy that keeps a map of an attribution can be copied once more
    stager.score(FED.clone().requires_grad_(True))
    with torch.no_grad():
        moved = stager.to("cpu", torch.float64).score(FED.double())
    torch.testing.assert_close(moved.float(), expected, rtol=1e-4, atol=1e-5)
    own, theirs = (dict(one.named_parameters()) for one in (stager.module, module))
    assert not any(own[name] is theirs[name] for name in own)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


class Spectral(nn.Module):
    """Weights of the spectrum, which are complex."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.filter = nn.Parameter(torch.randn(5, 2, 961, dtype=torch.complex64, generator=generator))
        self.register_buffer("counter", torch.tensor(7))
        self.register_buffer("phase", torch.tensor([1j]))

    def forward(self, x):
        return torch.einsum("bcf,scf->bs", torch.fft.rfft(x) * self.phase, self.filter).imag


def test_complex_weights_stay_complex_in_every_precision():
    stager = load_model(Spectral(), spec=SPEC).to("cpu", torch.float64)
    assert stager.module.filter.dtype == stager.module.phase.dtype == torch.complex128
    assert stager.module.counter.dtype == torch.int64
    with torch.no_grad():
        expected = Spectral()(FED[:, 0])
        torch.testing.assert_close(stager.score(FED.double()).float(), expected, rtol=1e-4, atol=1e-2)
        again = load_model(Spectral(), spec=SPEC).to("cpu", torch.float32)
    assert torch.equal(again.module.filter, Spectral().filter)


def test_whole_numbers_are_left_alone():
    module = Smooth()
    module.table = nn.Parameter(torch.tensor([1, 2, 300]), requires_grad=False)
    moved = load_model(module).to("cpu", torch.float64)
    assert moved.module.table.dtype == torch.int64
    assert moved.module.table.tolist() == [1, 2, 300]


def test_layers_without_weights_are_refused_by_name():
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(5))
    with pytest.raises(ModelError, match=r"without weights. Got 1\.weight, 1\.bias"):
        load_model(network, spec=SPEC)
    network(FED[:, 0])
    assert scores_of(network).shape == (3, 5)


class OwnError(Exception):
    """What no list of errors has."""


class MuteError(Exception):
    def __str__(self):
        raise ValueError("no words")


class Fails(nn.Module):
    """Fails on the epochs whose first sample is large."""

    def __init__(self, error):
        super().__init__()
        self.net, self.error = Smooth(), error

    def forward(self, x):
        if (x[:, 0, 0] > 100).any():
            raise self.error
        return self.net(x)


@pytest.fixture
def marked(epochs):
    """Epochs of which number 5 begins with a mark."""
    marked = epochs.copy().load_data()
    marked._data[:, :, 0] = 0.0
    marked._data[5, 0, 0] = 400e-6
    return marked


FOREIGN = [OwnError("mine"), MuteError(), StopIteration(), KeyError("eeg"), OSError("gone"), RecursionError("deep")]


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
def test_whatever_a_model_raises_is_ours_and_names_the_epoch(error, marked):
    with pytest.raises(ModelError, match=rf"{type(error).__name__}.*epoch 5, at 150 s") as raised:
        eegflex.stage_epochs(marked, Fails(error), spec=SPEC, verbose="error")
    assert isinstance(raised.value.__cause__, type(error))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_a_program_passes(stop, marked):
    with pytest.raises(stop):
        eegflex.stage_epochs(marked, Fails(stop()), spec=SPEC, verbose="error")


def test_short_memory_has_an_error_of_its_own(marked):
    with pytest.raises(MemoryShortError):
        eegflex.stage_epochs(marked, Fails(MemoryError()), spec=SPEC, verbose="error")


def test_an_estimator_that_fails_is_a_model_that_fails(marked):
    class Estimator:
        def predict_proba(self, x):
            if (x[:, 0, 0] > 100).any():
                raise OwnError("not fitted")
            return np.full((len(x), 5), 0.2)

    with pytest.raises(ModelError, match=r"OwnError: not fitted.*epoch 5"):
        eegflex.stage_epochs(marked, Estimator(), spec=SPEC.replace(scores="probs"), verbose="error")


def test_a_failure_of_several_together_names_the_first_of_them(marked):
    def fails_in_company(x):
        if len(x) > 1:
            raise OwnError("one at a time")
        return x.mean(-1)[:, [0, 0, 0, 0, 0]]

    with pytest.raises(ModelError, match=r"one at a time.*epoch 0, at 0 s and \d+ others"):
        eegflex.stage_epochs(marked, fails_in_company, spec=SPEC, verbose="error")


def test_a_failure_on_the_way_back_is_a_finding(epochs):
    class Back(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise OwnError("no way back")

    found = eegflex.check_model(Before(Back.apply), epochs, spec=SPEC, verbose="error")
    assert found["differentiability"].status == "error"
    assert "no way back" in found["differentiability"].measured


def test_a_message_is_told_on_one_line_and_not_at_any_length():
    assert said(ValueError("a\nb")) == "ValueError: a b"
    assert len(said(ValueError("x" * 10**7))) < 500


def test_whatever_a_copy_raises_is_ours():
    class Stubborn(nn.Module):
        def __deepcopy__(self, _):
            raise OwnError("mine")

    with pytest.raises(ModelError, match="OwnError: mine"):
        load_model(Stubborn())
    endless = nn.Sequential()
    endless.append(endless)
    with pytest.raises(ModelError, match="copied"):
        load_model(endless)


def test_lists_that_hold_themselves_are_refused():
    members: list = [Smooth()]
    members.append(members)
    with pytest.raises(ModelError, match="RecursionError"):
        load_model(members)
    deep: list = [Smooth()]
    for _ in range(10**4):
        deep = [deep]
    with pytest.raises(ModelError, match="RecursionError"):
        load_model(deep)
    one, other = [], []
    one.append(other)
    other.append(one)
    with pytest.raises(ModelError, match="RecursionError"):
        load_model(one)


def test_specs_that_name_one_another_are_no_models(tmp_path):
    for own, other in (("a", "b"), ("b", "a"), ("c", "c")):
        (tmp_path / f"{own}.toml").write_text(f"[model]\nfile = '{other}.toml'\n")
        with pytest.raises(ModelError):
            load_model(tmp_path / f"{own}.toml")


def test_names_that_load_one_another_are_refused(monkeypatch):
    from importlib.metadata import EntryPoint

    from eegflex.stagers import loading

    monkeypatch.setattr(loading, "_points", lambda name: {name: EntryPoint(name, f"{__name__}:{name}", "x")})
    monkeypatch.setitem(globals(), "one", lambda: load_model("other"))
    monkeypatch.setitem(globals(), "other", lambda: load_model("one"))
    with pytest.raises(ModelError, match="RecursionError"):
        load_model("one")
    monkeypatch.setitem(globals(), "one", lambda: {}["x"])
    with pytest.raises(ModelError, match=r"entry point 'one' cannot be loaded: KeyError: 'x'"):
        load_model("one")


@pytest.mark.parametrize("name", ["a\0.pt", "gssc\0", "x" * 5000 + ".pt", "\ud800.pt"])
def test_names_that_no_file_has_are_refused(name):
    with pytest.raises(ModelError, match="model does not exist"):
        load_model(name)


def test_whatever_a_network_raises_when_it_is_made_or_filled_is_ours(tmp_path):
    class Picky(Smooth):
        def __init__(self, n=1):
            if n != 1:
                raise OwnError("not so many")
            super().__init__()

        def load_state_dict(self, state, strict=True):
            raise OwnError("no weights for me")

    torch.save(Smooth().state_dict(), tmp_path / "a.pt")
    with pytest.raises(ModelError, match="OwnError: no weights for me"):
        load_model(tmp_path / "a.pt", module=Picky)
    with pytest.raises(ModelError, match="OwnError: not so many"):
        load_model(tmp_path / "a.pt", module=Picky, spec=SPEC.replace(kwargs={"n": 2}))


def test_an_estimator_that_is_odd_all_over_is_refused():
    class Odd:
        @property
        def predict_proba(self):
            raise OwnError("not today")

    with pytest.raises(ModelError, match="OwnError: not today"):
        load_model(Odd())
