"""freqIG's signature: parity with freqIG 0.1.8, its documented promises, and its faults mended."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import torch
from models import CNN, Gated, Recurrent, Smooth
from reference import literal_flex
from torch import nn

from eegflex import attribute
from eegflex.errors import ModelError

RNG = np.random.default_rng(0)
SAMPLE = 3 * RNG.standard_normal((1, 256)).astype(np.float32)


def freqig(*args, **kwargs):
    ancestor = pytest.importorskip("scripts.freqIG", reason="freqig is not installed")
    with contextlib.redirect_stdout(io.StringIO()):
        return ancestor.attribute(*args, **kwargs)


@pytest.mark.parametrize("model", [CNN(), CNN(norm=True), Recurrent()], ids=["cnn", "batch norm", "recurrent"])
@pytest.mark.parametrize("target", [0, 3])
def test_parity_with_freqig(model, target):
    theirs = freqig(SAMPLE, model, target=target, n_steps=50)
    ours = attribute(SAMPLE, model, target=target, n_steps=50)
    assert ours.shape == theirs.shape == (129,)
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_parity_with_a_baseline_whose_phases_freqig_drops():
    baseline = RNG.standard_normal((1, 256)).astype(np.float32)
    theirs = freqig(SAMPLE, CNN(), target=1, baseline=baseline[None])
    for given in (baseline, baseline[None]):
        ours = attribute(SAMPLE, CNN(), target=1, baseline=given)
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


def test_odd_lengths_keep_their_last_sample():
    x = SAMPLE[:, :255]
    literal = literal_flex(CNN(), torch.from_numpy(x)[None], target=2)[0, 0].detach().numpy()
    ours = attribute(x, CNN(), target=2)
    assert ours.shape == (128,)
    np.testing.assert_allclose(ours, literal, atol=1e-5 * np.abs(literal).max())


def test_complete():
    model = CNN()
    x = torch.from_numpy(SAMPLE)
    change = (model(x) - model(torch.zeros_like(x)))[0, 4].item()
    assert attribute(SAMPLE, model, target=4, n_steps=200).sum() == pytest.approx(change, rel=1e-2)


def test_without_a_target_the_predicted_class_is_explained():
    model = CNN()
    predicted = int(model(torch.from_numpy(SAMPLE)).argmax())
    np.testing.assert_array_equal(attribute(SAMPLE, model), attribute(SAMPLE, model, target=predicted))


@pytest.mark.parametrize("kind", [list, torch.tensor, np.float64, np.asarray])
def test_lists_tensors_and_arrays_are_the_same(kind):
    expected = attribute(SAMPLE, CNN(), target=0)
    given = SAMPLE.tolist() if kind is list else kind(SAMPLE)
    np.testing.assert_allclose(attribute(given, CNN(), target=0), expected, atol=1e-6)


def test_a_one_channel_convolution_gets_its_channel_axis():
    model = nn.Sequential(nn.Conv1d(1, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 5))
    assert attribute(SAMPLE, model).shape == (129,)
    assert attribute(SAMPLE[0][None, None], model).shape == (129,)  # with a batch axis of one


def test_channels_are_explained_each():
    x = RNG.standard_normal((2, 300)).astype(np.float32)
    assert attribute(x, Smooth()).shape == (2, 151)
    np.testing.assert_array_equal(attribute(x[None], Smooth()), attribute(x, Smooth()))


def test_only_the_time_axis_is_given():
    model = nn.Sequential(nn.Linear(256, 5), nn.Tanh())
    np.testing.assert_allclose(attribute(SAMPLE[0], model, target=1), attribute(SAMPLE, model, target=1), atol=1e-7)


def exact_scaled(model, x, part):
    """The segment's share of the score along the shared path, by 4000 nodes: exact for this purpose."""
    x = torch.from_numpy(x).double()
    a = ((torch.arange(4000) + 0.5) / 4000).double()
    points = (a[:, None] * x).requires_grad_(True)
    (slope,) = torch.autograd.grad(model(points)[:, 0].sum(), points)
    return float((slope.mean(0) * x)[part].sum())


@pytest.mark.parametrize("n_steps", [50, 200])
def test_context_and_segment_share_their_path_and_converge(n_steps):
    """freqIG's own answer stays away from the exact one however many steps it takes."""
    x = np.random.default_rng(1).standard_normal(120)
    part = slice(40, 80)
    exact = exact_scaled(Gated(40), x, part)
    ours = attribute(x, Gated(40), target=0, n_steps=n_steps, segment=x[part], start_idx=40)
    assert ours.shape == (21,)
    assert ours.sum() == pytest.approx(exact, rel=1e-4)
    theirs = freqig(
        torch.from_numpy(x).float()[None], Gated(40), target=0, n_steps=n_steps, segment=x[part], start_idx=40
    )
    assert abs(theirs.sum() - exact) > 0.05 * abs(exact)


def test_segment_and_context_sum_to_the_whole():
    x, model = RNG.standard_normal(120), Gated(40)
    pieces = [attribute(x, model, 0, segment=x[i : i + 40], start_idx=i, n_steps=100).sum() for i in (0, 40, 80)]
    whole = torch.from_numpy(x)[None]
    assert sum(pieces) == pytest.approx(float((model(whole) - model(0 * whole))[0, 0]), rel=1e-4)


def test_a_multichannel_segment_of_a_list():
    x = RNG.standard_normal((2, 300)).astype(np.float32)
    ours = attribute(x.tolist(), Smooth(), target=0, segment=x[:, 100:200].tolist(), start_idx=100)
    assert ours.shape == (2, 51)


def test_a_segment_at_the_very_end_fits():
    x = RNG.standard_normal(120)
    assert attribute(x, Gated(40), 0, segment=x[80:], start_idx=80).shape == (21,)


def test_the_contexts_baseline_counts():
    x = RNG.standard_normal(120)
    arguments = {"target": 0, "segment": x[40:80], "start_idx": 40, "n_steps": 20}
    silence = attribute(x, Gated(40), **arguments)
    np.testing.assert_allclose(attribute(x, Gated(40), baseline=np.zeros(120), **arguments), silence)
    resting = np.concatenate([x[:40], np.zeros(40), x[80:]])  # the neighbours stay as they are
    assert np.abs(attribute(x, Gated(40), baseline=resting, **arguments) - silence).max() > 1e-3


def test_further_arguments_reach_the_model():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = CNN()

        def forward(self, x, gain, offset, power=1):
            return (gain * self.net(x) + offset) ** power

    gain = torch.full((1, 1), 2.0)
    doubled = attribute(SAMPLE, Shifted(), target=1, additional_forward_args=(gain, 0.5))
    np.testing.assert_allclose(doubled, 2 * attribute(SAMPLE, CNN(), target=1), rtol=1e-5)


def test_the_callers_model_stays_as_it_was_and_nothing_is_printed(capsys):
    model = nn.Sequential(CNN(), nn.Dropout(0.5)).train()
    attribute(SAMPLE, model, target=0)
    assert model.training
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"segment": SAMPLE[:, :100]}, "start_idx"),
        ({"segment": SAMPLE[:, :100], "start_idx": 200}, "exceeds"),
        ({"segment": SAMPLE[:, :100], "start_idx": -1}, "exceeds"),
        ({"segment": np.zeros((2, 100)), "start_idx": 0}, "channels"),
        ({"baseline": np.zeros((1, 100))}, "baseline"),
        ({"target": 5}, "class"),
        ({"target": -1}, "class"),
        ({"n_steps": 0}, "n_steps"),
    ],
)
def test_wrong_arguments_are_value_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        attribute(SAMPLE, CNN(), **arguments)


def test_a_flat_segment_of_many_channels_is_refused():
    with pytest.raises(ValueError, match="channels"):
        attribute(np.zeros((2, 300)), Smooth(), segment=np.zeros(100), start_idx=0)


@pytest.mark.parametrize("given", [np.full((1, 256), np.nan), np.zeros((1, 0)), "night.edf"])
def test_what_is_no_signal_is_refused(given):
    with pytest.raises(ValueError, match="input"):
        attribute(given, CNN())


def test_a_model_that_fails_on_the_shape_names_it():
    with pytest.raises(ModelError, match=r"\(1, 1, 256\)"):
        attribute(SAMPLE, nn.Conv1d(3, 4, 5))


def test_the_example_of_freqigs_readme():
    """Only its import changes: noise with and without a sine at a target frequency, told apart by a small network."""
    torch.manual_seed(42)
    rng = np.random.default_rng(42)
    fs, n_times, n_samples, target_freq = 128, 256, 60, 6
    times = np.arange(n_times) / fs
    labels = np.arange(n_samples) % 2
    signals = 5 * rng.standard_normal((n_samples, n_times))
    phases, sizes = rng.uniform(0, 2 * np.pi, n_samples), rng.uniform(10, 30, n_samples)
    signals += (labels * sizes)[:, None] * np.sin(2 * np.pi * target_freq * times + phases[:, None])
    x, y = torch.tensor(signals, dtype=torch.float32), torch.tensor(labels)
    model = CNN()
    model.head = nn.Linear(16, 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    index = next(i for i in range(n_samples) if y[i] == 1 and model(x[i : i + 1]).argmax() == 1)
    scores = attribute(input=signals[index : index + 1], model=model, target=1, n_steps=50)
    freqs = np.fft.rfftfreq(n_times, 1 / fs)
    assert len(dict(zip(freqs, scores, strict=True))) == n_times // 2 + 1
    assert freqs[np.abs(scores).argmax()] == target_freq
