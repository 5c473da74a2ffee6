"""Random phases keep every magnitude, and a model loses by them what it does not read off magnitudes."""

from __future__ import annotations

import logging
import re

import mne
import numpy as np
import pytest
import torch
from attribution_helpers import noise_epochs
from scipy import stats
from torch import nn

import eegflex
from eegflex.attribution.baselines import Baseline
from eegflex.errors import ParameterError, RecordingError
from eegflex.spec import ChannelSpec, ContextSpec, ModelSpec
from eegflex.surrogates import phase_turns, random_phases

SPEC = ModelSpec(name="known", unit="V", stages=("W", "REM"))
N_EPOCHS = 80  # 40 min


def signals(n_times=960, n_channels=3, n_epochs=4):
    drawn = np.random.default_rng(5).standard_normal((n_epochs, n_channels, n_times)) + 0.3
    return drawn.astype(np.float32)


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("n_times", [960, 961, 2])
def test_every_magnitude_is_kept_and_phases_are_others(n_times, joint):
    x = signals(n_times)
    recorded = x.copy()
    made = random_phases(x, np.arange(4), joint=joint)
    np.testing.assert_array_equal(x, recorded)
    assert made.dtype == np.float32
    before, after = (np.fft.rfft(one.astype(float)) for one in (x, made))
    np.testing.assert_allclose(np.abs(after), np.abs(before), atol=1e-4)
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=1e-4)
    if n_times > 2:
        assert np.abs(made - x).mean() > 0.5


@pytest.mark.parametrize("joint", [True, False])
def test_phases_are_uniform_and_independent_of_each_other(joint):
    """Over seeds: of a constant recorded phase, at three bins, and their differences; a dozen tests, so at a level of 0.001."""
    x = np.zeros((1, 2, 30), dtype=np.float32)
    x[0, :, 1], x[0, :, 0] = 1.0, 0.5
    drawn = [random_phases(x, np.arange(1), (seed,), joint=joint) for seed in range(2000)]
    angles = np.angle(np.fft.rfft(np.concatenate(drawn).astype(float)))[..., [1, 7, 14]]  # seed, channel, bin
    for values in (
        angles[:, 0, 0],
        angles[:, 1, 2],
        angles[:, 0, 1] - angles[:, 0, 0],
        angles[:, 1, 2] - angles[:, 1, 1],
    ):
        assert stats.kstest(np.mod(values, 2 * np.pi) / (2 * np.pi), "uniform").pvalue > 0.001
    between = np.mod(angles[:, 1] - angles[:, 0], 2 * np.pi) / (2 * np.pi)
    assert all((stats.kstest(one, "uniform").pvalue > 0.001) != joint for one in between.T)


def test_joint_phases_keep_the_cross_spectrum_and_independent_ones_do_not():
    x = signals()
    cross = [one[:, 0] * one[:, 1].conj() for one in map(np.fft.rfft, (x, random_phases(x, np.arange(4), joint=True)))]
    np.testing.assert_allclose(cross[1], cross[0], atol=1e-2)
    other = np.fft.rfft(random_phases(x, np.arange(4), joint=False))
    turned = np.angle(other[:, 0] * other[:, 1].conj() / cross[0])[:, 1:-1]
    assert stats.kstest(np.mod(turned.ravel(), 2 * np.pi) / (2 * np.pi), "uniform").pvalue > 0.001


def test_phases_of_an_epoch_depend_on_its_number_and_the_seed_only():
    x = signals()
    every, one = random_phases(x, np.arange(4), joint=False), random_phases(x, np.array([-1, -1, 2, -1]), joint=False)
    np.testing.assert_array_equal(one[2], every[2])
    np.testing.assert_array_equal(one[[0, 1, 3]], x[[0, 1, 3]])
    np.testing.assert_array_equal(random_phases(x[2:3], np.array([2]), joint=False)[0], every[2])
    assert np.abs(random_phases(x, np.arange(4), (0, 1), joint=False) - every).mean() > 0.5
    np.testing.assert_array_equal(random_phases(x, np.arange(4), joint=True)[:, 0], every[:, 0])


@pytest.mark.parametrize("n_times", [24, 25])
def test_they_are_the_phases_that_delays_can_give(n_times):
    """Of an epoch and of it delayed they have one distribution: nothing is left of where in the epoch a wave stood.

    At Nyquist, that takes both signs; the mean, which no delay turns over, keeps its own.
    """
    x = signals(n_times, 1, 1)
    turns = np.concatenate([phase_turns(n_times, (seed,)) for seed in range(4000)])
    for delay in (1, 5):
        by_delay = -2 * np.pi * np.arange(n_times // 2 + 1) * delay / n_times
        np.testing.assert_allclose(
            np.fft.irfft(np.fft.rfft(x) * np.exp(1j * by_delay), n_times), np.roll(x, delay, -1), atol=1e-6
        )
        both = np.exp(1j * turns), np.exp(1j * (turns + by_delay))
        for moment in (1, 2):
            means = [(one**moment).mean(axis=0) for one in both]
            np.testing.assert_allclose(means[0], means[1], atol=0.12)  # standard error 0.02 at most
    np.testing.assert_array_equal(turns[:, 0], 0)
    if n_times % 2 == 0:
        assert set(turns[:, -1]) == {0, np.pi}
        assert 0.45 < (turns[:, -1] == 0).mean() < 0.55


def test_baselines_have_the_same_phases():
    """Of a surrogate baseline and of a night that is staged again: angles for all channels of one rule."""
    x = signals(960, 2, 1)
    magnitudes = np.abs(np.fft.rfft(x.astype(float)))
    made = Baseline("surrogate", lambda *_: magnitudes, seed=3)(torch.from_numpy(x), np.array([0]), (0, 1)).numpy()
    before, after = (np.fft.rfft(one.astype(float)) for one in (x, made))
    np.testing.assert_allclose(np.abs(after), magnitudes, atol=1e-3)
    np.testing.assert_allclose(after[..., 0], before[..., 0], atol=1e-3)
    cross = [one[:, 0] * one[:, 1].conj() for one in (before, after)]
    np.testing.assert_allclose(cross[1], cross[0], atol=0.1)
    assert np.abs(after[..., -1].imag).max() < 1e-3


def night(model, data, spec=SPEC, **kwargs):
    epochs = noise_epochs(n_epochs=len(data), n_channels=data.shape[1], n_times=data.shape[2])
    epochs._data[:] = data
    return eegflex.stage_epochs(epochs, model, spec=spec, verbose="error", **kwargs)


def share(staged, **kwargs):
    return staged.spectral_share(verbose="error", **kwargs)


class Magnitudes(nn.Module):
    """REM where frequencies below a quarter of Nyquist have more energy than those above."""

    def forward(self, x):
        energy = torch.fft.rfft(x).abs().square().sum(1)
        quarter = energy.shape[-1] // 4
        more = torch.log(energy[:, :quarter].sum(1) / energy[:, quarter:].sum(1))
        return torch.stack([-more, more], 1)


class Peaks(nn.Module):
    """REM where something reaches far out of the noise."""

    def forward(self, x):
        far = torch.relu(x.abs() - 9).sum((1, 2))
        return torch.stack([torch.ones_like(far), far], 1)


class Polarity(nn.Module):
    """REM where waves are steep on one side of zero."""

    def forward(self, x):
        skewness = 10 * (x**3).mean((1, 2)) - 5
        return torch.stack([torch.zeros_like(skewness), skewness], 1)


class Together(nn.Module):
    """REM where two channels go the same way, as eyes do not."""

    def forward(self, x):
        product = 10 * (x[:, 0] * x[:, 1]).mean(1) - 5
        return torch.stack([torch.zeros_like(product), product], 1)


def alternating(make, n_channels=2):
    """Noise in four epochs, and in four epochs what is made of it."""
    rng = np.random.default_rng(2)
    data = rng.standard_normal((N_EPOCHS, n_channels, 960))
    where = np.arange(N_EPOCHS) // 4 % 2 == 1
    data[where] = make(rng, data[where])
    return data


def slow(rng, x):
    return mne.filter.filter_data(x, 32.0, None, 2.0, verbose="error")


def peaked(rng, x):
    x = x.copy()
    x[..., ::96] += 15
    return x


def steep(rng, x):
    return peaked(rng, 0.1 * x) / 2


def same(rng, x):
    return np.repeat(x[:, :1], 2, axis=1)


@pytest.mark.parametrize(
    ("model", "make", "decides"),
    [(Magnitudes, slow, "spectrum"), (Peaks, peaked, "waveforms"), (Polarity, steep, "waveforms"),
     (Together, same, "relations")],
)  # fmt: skip
def test_what_a_model_reads_is_told(model, make, decides):
    table = share(night(model(), alternating(make)))
    rem = table.loc["REM"]
    assert table["n_epochs"].tolist() == [N_EPOCHS // 2] * 2
    assert rem["decided_by"] == decides
    assert table.loc["W", "decided_by"] == "spectrum"
    kept = {"spectrum": (1, 1), "waveforms": (0, 0), "relations": (1, 0)}[decides]
    np.testing.assert_allclose(rem[["agreement_joint", "agreement_independent"]].astype(float), kept, atol=0.15)
    if decides == "spectrum":
        np.testing.assert_allclose(table[["p_joint", "p_independent"]], table[["p", "p"]], atol=1e-4)


def test_means_by_hand():
    """The night staged by hand with the phases of each draw."""
    staged, rng = night(Together(), alternating(same)), [0, 1]
    table = share(staged, n_draws=2, seed=4)
    module, x = Together(), staged.segments.signals
    rem = staged.predicted == "REM"
    for kind in ("joint", "independent"):
        drawn = [random_phases(x, np.arange(N_EPOCHS), (4, draw), joint=kind == "joint") for draw in rng]
        p = np.stack([module(torch.from_numpy(one)).softmax(1).numpy() for one in drawn])[:, rem]
        assert table.loc["REM", f"p_{kind}"] == pytest.approx(p[..., 1].mean(), abs=1e-5)
        assert table.loc["REM", f"agreement_{kind}"] == pytest.approx((p[..., 1] > p[..., 0]).mean())
        assert table.loc["REM", f"p_{kind}_low"] <= table.loc["REM", f"p_{kind}"] <= table.loc["REM", f"p_{kind}_high"]


class Neighbours(nn.Module):
    """Stages the middle one of three epochs by the peaks of both others."""

    def forward(self, x):
        before, _, after = x.unbind(1)
        return Peaks()(torch.cat([before, after], -1))


def test_neighbours_have_random_phases_too():
    """An epoch whose neighbours alone decide loses its stage with theirs."""
    spec = SPEC.replace(layout="b e c t", context=ContextSpec(1, 1))
    table = share(night(Neighbours(), alternating(peaked), spec, edges="pad"))
    assert table.loc["REM", "decided_by"] == "waveforms"


def test_seeds_reproduce_and_draws_differ():
    staged = night(Together(), alternating(same))
    one, again, other = (share(staged, n_draws=1, seed=seed) for seed in (0, 0, 1))
    assert one.equals(again)
    assert not one.equals(other)


def test_what_was_asked_before_is_not_staged_again():
    calls = []

    class Counting(Peaks):
        def forward(self, x):
            calls.append(len(x))
            return super().forward(x)

    staged = night(Counting(), alternating(peaked))
    first, again, _ = share(staged), share(staged), share(staged, seed=1)
    assert first.equals(again)
    assert first.attrs == {"n_draws": 3, "n_epochs": N_EPOCHS}
    assert sum(calls) == (1 + 2 * 6) * N_EPOCHS


@pytest.mark.parametrize("edges", ["pad", "skip"])
def test_some_epochs_are_staged_as_among_all(edges):
    """Of a stager of windows: their neighbours too have random phases, and nothing else of the night is staged."""
    fed = []

    class Counting(Neighbours):
        def forward(self, x):
            fed.append(len(x))
            return super().forward(x)

    spec = SPEC.replace(layout="b e c t", context=ContextSpec(1, 1))
    data = alternating(peaked)
    data[33] = 0.0  # a neighbour with a fault stays as it is
    staged = night(Counting(), data, spec, edges=edges)
    every, some = staged.random_phases(2, 0), np.array([0, 4, 5, 32, 40, 41, 79])
    fed.clear()
    of_some = staged.random_phases(2, 0, some)
    known = some if edges == "pad" else some[1:-1]
    np.testing.assert_array_equal(of_some.numbers, known)
    np.testing.assert_allclose(of_some.values[known], every.values[known], atol=1e-6)
    assert np.isnan(np.delete(of_some.values, known, axis=0)).all()
    assert sum(fed) == 4 * len(known)


def test_faulty_epochs_stay_as_they_are_and_do_not_count():
    data = alternating(same)
    data[5] = 0.0
    table = share(night(Together(), data), n_draws=1)
    assert table["n_epochs"].sum() == N_EPOCHS - 1
    far = SPEC.replace(layout="b e c t", context=ContextSpec(3, 3))
    with pytest.raises(RecordingError, match="No epoch is usable"):
        share(night(Neighbours(), alternating(same)[:6], far))


def test_a_model_of_one_channel_is_staged_once_a_draw():
    calls = []

    class Counting(Peaks):
        def forward(self, x):
            calls.append(len(x))
            return super().forward(x)

    one = SPEC.replace(channels=(ChannelSpec("EEG", types=("eeg",), use="each"),))
    counts = {}
    for spec, data in ((SPEC, alternating(peaked)), (one, alternating(peaked))):
        staged = night(Counting(), data, spec)
        calls.clear()
        table = share(staged, n_draws=1)
        counts[len(staged.bound)] = sum(calls)
    np.testing.assert_array_equal(table["p_joint"], table["p_independent"])
    assert counts == {1: 2 * N_EPOCHS, 2: 2 * N_EPOCHS}  # both kinds of one channel set; one kind of two


def test_an_ensemble_of_nights_is_staged_as_one():
    staged = night([Peaks(), Peaks()], alternating(peaked))
    assert share(staged, n_draws=1).loc["REM", "decided_by"] == "waveforms"


def test_few_epochs_are_no_evidence():
    table = share(night(Peaks(), alternating(peaked)[:16]), n_draws=1)  # all within ten minutes
    assert table["decided_by"].tolist() == ["unclear"] * 2
    assert table["agreement_joint_low"].isna().all()


@pytest.mark.parametrize("n_draws", [0, -1, 1.5, True])
def test_draws_are_a_positive_number(n_draws):
    with pytest.raises(ParameterError, match="n_draws"):
        share(night(Peaks(), alternating(peaked)[:8]), n_draws=n_draws)


def test_it_is_quiet_where_asked_and_tells_its_time_else(capfd, caplog):
    staged = night(Peaks(), alternating(peaked)[:8])
    staged.spectral_share(n_draws=1, verbose=False)
    assert capfd.readouterr() == ("", "")
    with caplog.at_level(logging.INFO, logger="mne"):
        staged.spectral_share(n_draws=1, seed=1, verbose="info")
    assert re.search(r"Staged 2 times with random phases in \d+ s", caplog.text + capfd.readouterr().out)
