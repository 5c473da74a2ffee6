"""Which way slopes are computed: the quickest that says what torch does, else torch's own."""

from __future__ import annotations

import pytest
import torch
import trained
from attribution_helpers import noise_epochs
from torch import nn

import eegflex
from eegflex import ModelSpec
from eegflex.doctor.behaviour import quick_pass
from eegflex.doctor.case import Case
from eegflex.spec.model_spec import ChannelSpec, ContextSpec
from eegflex.stagers import Stager
from eegflex.stagers.layers import _RULES
from eegflex.stagers.passes import TORCH, quickest, torchs_own, verdicts

SPEC = ModelSpec(sfreq=100.0, n_times=3000)


class Cubic(nn.Module):
    """Scores that are cubes of sums, with a pass of its own, of which `factor` spoils the slopes."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 5 * 3000).sin().reshape(5, 3000) / 100)
        self.factor, self.asked = factor, 0

    def forward(self, x):
        return (x.flatten(1) @ self.weight.T) ** 3

    def forward_slopes(self, x):
        self.asked += 1
        sums = x.flatten(1) @ self.weight.T

        def back(weights):
            return (self.factor * (3 * sums**2 * weights) @ self.weight).reshape(x.shape)

        return sums**3, back


def slopes(stager, x):
    x = x.clone().requires_grad_(True)
    scores = stager.score(x)
    return scores.detach(), torch.autograd.grad((scores * torch.arange(1.0, 6.0).cos().to(x)).sum(), x)[0]


def noise(n=3, n_channels=1):
    return torch.randn(n, 1, n_channels, 3000, generator=torch.Generator().manual_seed(0))


def ways(stager):
    return {part: [one.way for one in own] for part, own in verdicts(stager.module).items()}


def assert_same_slopes(stager, x, tolerance=1e-6):
    found = slopes(stager, x)
    with torchs_own():
        expected = slopes(stager, x)
    for own, theirs in zip(found, expected, strict=True):
        assert float((own - theirs).norm()) <= tolerance * float(theirs.norm())


def test_a_pass_that_a_model_brings_is_used():
    stager = Stager(Cubic(), SPEC)
    assert_same_slopes(stager, noise())
    assert ways(stager) == {"forward": ["its own pass"]}
    asked = stager.module.asked
    slopes(stager, noise())
    assert stager.module.asked == asked + 1
    with torch.no_grad():
        stager.score(noise())
    assert stager.module.asked == asked + 1, "where no slopes are wanted it is not"


def test_a_pass_with_wrong_slopes_is_not_used():
    stager = Stager(Cubic(factor=1.01), SPEC)
    assert_same_slopes(stager, noise())
    assert TORCH not in ways(stager)["forward"]  # its layers are torch's, in whatever arrangement
    (verdict,) = verdicts(stager.module)["forward"]
    assert "its own pass is not used, since what it gives differs by 0.01" in verdict.refused[0]


def test_a_pass_that_fails_is_not_used():
    class Failing(Cubic):
        def forward_slopes(self, x):
            raise RuntimeError("not today")

    stager = Stager(Failing(), SPEC)
    assert_same_slopes(stager, noise())
    assert verdicts(stager.module)["forward"][0].refused == ("its own pass is not used (not today)",)


def test_a_stager_may_bring_a_pass_for_its_module():
    class Brings(Stager):
        def slopes(self, part):
            return {"forward": Cubic.forward_slopes.__get__(self.module)}.get(part)

    stager = Brings(Cubic(), SPEC)
    assert_same_slopes(stager, noise())
    assert ways(stager) == {"forward": ["its own pass"]}


def test_a_pass_of_several_inputs_gives_a_dict():
    class Two(nn.Module):
        def forward(self, fed):
            return (fed["b"].flatten(1)[:, :5] ** 2) * fed["a"].flatten(1)[:, :5]

        def forward_slopes(self, fed):
            a, b = (fed[name].flatten(1)[:, :5] for name in "ab")

            def back(weights):
                found = {name: torch.zeros_like(fed[name]) for name in "ba"}  # in any order
                found["a"].flatten(1)[:, :5] = weights * b**2
                found["b"].flatten(1)[:, :5] = 2 * weights * a * b
                return found

            return b**2 * a, back

    channels = tuple(ChannelSpec(name, use="first") for name in "ab")
    stager = Stager(Two(), SPEC.replace(channels=channels, layout={"a": "b c t", "b": "b c t"}))
    assert_same_slopes(stager, noise(n_channels=2))
    assert ways(stager) == {"forward": ["its own pass"]}


def test_a_network_of_known_layers_is_computed_with_its_channels_last():
    stager = trained.chambon()
    x = noise(n_channels=2)
    assert_same_slopes(stager, x)
    assert ways(stager) == {"forward": ["channels last"]}
    exact = stager.to("cpu", torch.float64)
    assert_same_slopes(exact, x.double(), 0.0)
    assert ways(exact) == {}, "in double precision torch's own way is the faster one"


def test_a_rule_with_a_wrong_slope_is_found_out(monkeypatch):
    def wrong(x, *args, **kwargs):
        found = nn.functional.conv2d(x, *args, **kwargs)
        return found.detach() + 1.01 * (found - found.detach())

    monkeypatch.setitem(_RULES, nn.functional.conv2d, wrong)
    stager = trained.chambon()
    assert_same_slopes(stager, noise(n_channels=2), 0.0)
    (verdict,) = verdicts(stager.module)["forward"]
    assert verdict.way == TORCH
    assert "channels last is not used, since what it gives differs by" in verdict.refused[0]


def test_other_weights_are_tried_anew():
    stager = trained.chambon()
    slopes(stager, noise(n_channels=2))
    other = stager.to("cpu", torch.float32)
    with torch.no_grad():
        for weight in other.module.parameters():
            weight.mul_(1.1)
    assert ways(other) == {}
    assert_same_slopes(other, noise(n_channels=2))


def test_on_another_device_torchs_own_way_is_taken():
    stager = trained.chambon().to("meta", torch.float32)
    slopes(stager, noise(n_channels=2).to("meta"))
    assert ways(stager) == {}


@pytest.mark.parametrize("module", [nn.Sequential(nn.Flatten(), nn.Linear(3000, 5)), lambda x: x[:, 0, :5] ** 2])
def test_whatever_has_no_other_way_is_left_alone(module):
    assert_same_slopes(Stager(module, SPEC), noise(), 0.0)


def test_scores_without_slopes_are_told_as_before():
    class Detached(nn.Module):
        def forward(self, x):
            return x[:, 0, :5].detach()

    night = noise_epochs(6, 1, 100.0)
    with pytest.raises(eegflex.errors.ModelError, match="do not depend on its input"):
        eegflex.attribute_epochs(night, Detached(), spec=SPEC, on_check="warn", verbose="error")


class InTurn(nn.Module):
    """A recurrent network that reads epochs in turn, and can be entered at any of them."""

    def __init__(self, spoilt=False):
        super().__init__()
        torch.manual_seed(0)
        self.cnn = nn.Sequential(nn.Conv1d(1, 8, 50, 50), nn.ReLU(), nn.Flatten())
        self.rnn, self.head, self.spoilt = nn.GRU(480, 6, batch_first=True), nn.Linear(6, 5), spoilt

    def encode(self, x):
        return self.cnn(x)

    def decode(self, codes):
        return self.head(self.rnn(codes)[0])

    def forward(self, x):
        return self.decode(self.encode(x.flatten(0, 1)).unflatten(0, x.shape[:2]))

    def state_before(self, codes):
        return self.rnn(codes)[1].transpose(0, 1) * (1.1 if self.spoilt else 1.0)

    def decode_from(self, codes, state):
        return self.head(self.rnn(codes, state[0].transpose(0, 1).contiguous())[0])


class WithFuture(InTurn):
    """One whose scores depend on what follows."""

    def decode(self, codes):
        scores = super().decode(codes)
        return scores + scores.flip(1).cumsum(1).flip(1)

    def decode_from(self, codes, state):
        scores = super().decode_from(codes, state)
        return scores + scores.flip(1).cumsum(1).flip(1)


SEQUENCE = ModelSpec(
    sfreq=100.0, n_times=3000, layout="b e c t", output="b e s", context=ContextSpec(4, 3), scale=SPEC.scale
)


@pytest.mark.parametrize(
    ("module", "entry"),
    [(InTurn(), "the epoch alone"), (WithFuture(), "what follows too"), (InTurn(spoilt=True), "none")],
    ids=["of the past", "of the future too", "wrong"],
)
@pytest.mark.parametrize("edges", ["shift", "pad"])
def test_a_sequence_is_entered_at_the_epoch_explained(module, entry, edges):
    night = noise_epochs(24, 1, 100.0)
    segments = eegflex.stage_epochs(night, module, spec=SEQUENCE, verbose="error").segments
    bound = Stager(module, SEQUENCE).bind(segments, edges)[0]
    taken = "none" if bound._entry is None else "the epoch alone" if bound._entry.alone else "what follows too"
    assert taken == entry
    index = torch.tensor([12, 0, 1, 23, 9, 12, 2])
    x = (0.7 * bound.inputs(index)).requires_grad_(True)
    found = bound(x, index)
    members = torch.from_numpy(bound.windows.members(index.numpy()))
    windows = torch.where(
        (members == index[:, None])[..., None, None],
        x[:, None],
        bound.inputs(members.ravel()).unflatten(0, members.shape),
    )
    expected = bound.stager.score(windows, torch.from_numpy(bound.windows.at(index.numpy())))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    own, theirs = (torch.autograd.grad(scores[:, 2].sum(), x)[0] for scores in (found, expected))
    assert float((own - theirs).norm()) <= 1e-5 * float(theirs.norm())


def test_the_doctor_says_which_way_is_taken():
    def finding(module, n_channels):
        night = eegflex.stage_epochs(noise_epochs(12, n_channels, 100.0), module, spec=SPEC, verbose="error")
        return quick_pass(Case(night))

    network = nn.Sequential(nn.Conv1d(2, 8, 50, 50), nn.GELU(), nn.Flatten(), nn.Linear(480, 5))
    sound = finding(network, 2)
    assert sound.status == "ok"
    assert "gradients by channels last differ by" in sound.measured
    spoilt = finding(Cubic(factor=1.5), 1)
    assert spoilt.status == "warning"
    assert "its own pass is not used" in spoilt.measured


@pytest.mark.parametrize(("factor", "taken"), [(1.0, True), (1.01, False)])
def test_without_slopes_too_a_way_is_taken_only_if_its_scores_and_slopes_are_right(factor, taken):
    module, x, called = nn.Linear(3, 2), torch.randn(9, 3), []

    def way(x):
        called.append(len(x))
        return factor * module(x)

    with torch.no_grad():
        found = [quickest(module, "score", module, {"way": way}, (x,), "a stager", without_slopes=True) for _ in "ab"]
        asked = quickest(module, "score", module, {"way": way}, (x,), "a stager")
    for one in (*found, asked):
        torch.testing.assert_close(one, module(x), rtol=0, atol=0)
    assert called == ([4, 9, 9] if taken else [4]), "tried on a few rows, once"


class Spoilt(torch.autograd.Function):
    """A cube of each row's sum, of which the slopes of some rows are spoilt."""

    @staticmethod
    def forward(ctx, x, factors):
        ctx.save_for_backward(x.sum(1), factors)
        return (x.sum(1) ** 3)[:, None]

    @staticmethod
    def backward(ctx, weights):
        sums, factors = ctx.saved_tensors
        return (factors * 3 * sums**2 * weights[:, 0])[:, None].expand(-1, 7), None


@pytest.mark.parametrize(
    ("n_spoilt", "factor", "is_taken"),
    [(0, 1.0, True), (3, 1.05, True), (10, 1.02, True), (14, 1.002, False), (1, 3.0, False), (50, 1.01, False)],
)
def test_few_rows_at_a_kink_do_not_speak_against_a_way(n_spoilt, factor, is_taken):
    """Which way they go is rounding; what differs in many rows, or by much in all together, is something else."""
    factors = torch.ones(50)
    factors[torch.randperm(50, generator=torch.Generator().manual_seed(3))[:n_spoilt]] = factor
    x = torch.randn(50, 7, generator=torch.Generator().manual_seed(2)).sign().requires_grad_(True)
    owner = nn.Identity()

    def cubes(x):
        return (x.sum(1) ** 3)[:, None]

    quickest(owner, "cubes", cubes, {"spoilt": lambda x: Spoilt.apply(x, factors)}, (x,), "a stager")
    (verdict,) = verdicts(owner)["cubes"]
    assert (verdict.way == "spoilt") == is_taken
