"""Where on the path an attribution arises: known shares of known models, whatever the rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attribution_helpers import explain, noise_epochs, scored_epochs
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Linear, Smooth
from scipy.integrate import trapezoid
from torch import nn

import eegflex
from eegflex.attribution.adaptive import AdaptiveNodes
from eegflex.attribution.path_share import integrals_by_stretch, path_shares
from eegflex.attribution.quadrature import FixedNodes, make_rule
from eegflex.errors import RecordingError
from eegflex.results.decided import FRACTIONS
from eegflex.settings import FIXED_RULES
from eegflex.spec.model_spec import ContextSpec, ModelSpec

RULES = ("adaptive", *FIXED_RULES)


def shares(result):
    data = result.to_xarray()
    assert data["fraction"].values.tolist() == [1 / 32, 1 / 4]
    assert data["path_share"].dims[-1] == "fraction"
    return data["path_share"].values


class Standardised(nn.Module):
    """Does not notice the size of an epoch, unless it is tiny."""

    def __init__(self, net=None, tiny=1e-8):
        super().__init__()
        self.net, self.tiny = Smooth() if net is None else net, tiny

    def forward(self, x):
        return self.net(x / (x.square().mean((1, 2), keepdim=True) + self.tiny).sqrt())


class Squared(nn.Module):
    """Scores by the energy of each channel: twice the way, four times the score."""

    def forward(self, x):
        energy = x.square().mean(-1)
        return torch.stack([energy @ torch.tensor([1.0, -2.0]).to(x), -energy.sum(1)], 1)


@pytest.mark.parametrize("quadrature", RULES)
def test_of_a_linear_score_each_stretch_has_its_length(quadrature):
    epochs = noise_epochs()
    result = explain(epochs, Linear(2, 960), quadrature=quadrature, dtype="float64")
    np.testing.assert_allclose(shares(result), np.broadcast_to(FRACTIONS, (6, 1, 2)), atol=1e-9)


@pytest.mark.parametrize("quadrature", ["adaptive", "graded"])
def test_of_an_energy_each_stretch_has_the_difference_of_its_squares(quadrature):
    """From silence, F(a x) = a^2 F(x), and so is the sum of each band."""
    spec = ModelSpec(stages=("W", "N1"))
    result = explain(noise_epochs(), Squared(), spec=spec, target="W", quadrature=quadrature, tol=1e-3, dtype="float64")
    np.testing.assert_allclose(shares(result), np.broadcast_to(np.square(FRACTIONS), (6, 1, 2)), rtol=0.02)


@pytest.mark.parametrize("tiny", [1e-4, 1e-6, 1e-8])
def test_of_a_score_that_does_not_notice_size_most_arises_at_silence(tiny):
    """Its parts go like 1 / a once an epoch is not tiny, the more of them near 0 the less is tiny: by the formula, densely."""
    epochs, net = noise_epochs(n_epochs=2), Linear(2, 960)
    arguments = {"on_check": "ignore", "target": "N2", "dtype": "float64", "max_evals": 2000}
    found = shares(explain(epochs, Standardised(net, tiny), tol=2e-3, **arguments))[:, 0]
    a = np.concatenate([np.linspace(0, 1e-6, 5), np.geomspace(1e-6, 1, 40001)[1:]])
    for row, x in enumerate(epochs.get_data(copy=False)):
        w = net.weight.detach().numpy()[2].astype(float)
        product, energy = (in_bands(x, one) for one in (w, x))
        size = np.sqrt(a**2 * energy.sum() / x.size + tiny)[:, None]
        rate = product / size - product.sum() * a[:, None] ** 2 * energy / x.size / size**3
        stretches = [
            np.abs(trapezoid(rate[inside], a[inside], axis=0)).sum()
            for inside in (a <= 1 / 32, (a >= 1 / 32) & (a <= 1 / 4), a >= 1 / 4)
        ]
        np.testing.assert_allclose(found[row], np.cumsum(stretches)[:2] / np.sum(stretches), atol=0.02)
    assert found[:, 0].min() > {1e-4: 0.3, 1e-6: 0.5, 1e-8: 0.6}[tiny]


def in_bands(x, y):
    """Sums of x times y over each band of each channel, and over the rest."""
    spectrum = (np.fft.rfft(x) * np.fft.rfft(y).conj()).real / x.shape[-1] * 2
    spectrum[:, [0, -1]] /= 2
    freqs = np.fft.rfftfreq(x.shape[-1], 1 / 32)
    inside = [(freqs >= low) & (freqs < high) for low, high in ((0.5, 4), (4, 8), (8, 12), (12, 16), (16, 30))]
    return np.concatenate([spectrum[:, mask].sum(1) for mask in [*inside, ~np.logical_or.reduce(inside)]])


def test_from_an_ordinary_epoch_little_does():
    found = shares(explain(noise_epochs(), Standardised(), baseline="recording", on_check="ignore", target="N2"))
    assert found[..., 0].max() < 0.1


@settings(max_examples=100)
@given(st.data())
def test_they_are_shares_and_do_not_fall(data):
    n, k, p = (data.draw(st.integers(1, 4)) for _ in range(3))
    numbers = st.lists(st.floats(-1e3, 1e3), min_size=3 * k * p, max_size=3 * k * p)
    integrals = np.array(data.draw(numbers)).reshape(3, k, p) * 10.0**-n
    found = path_shares(integrals)
    assert found.shape == (k, k, 2)
    known = found[np.isfinite(found).all(-1)]
    assert ((known >= 0) & (known <= 1)).all()
    assert (known[:, 0] <= known[:, 1]).all()
    np.testing.assert_array_equal(found, found.swapaxes(0, 1))


@pytest.mark.parametrize("quadrature", FIXED_RULES)
@pytest.mark.parametrize("n_steps", [9, 50])
def test_stretches_of_a_rule_add_up_to_it(quadrature, n_steps):
    rule = make_rule(quadrature, n_steps)
    rates = np.random.default_rng(0).standard_normal((len(rule), 2, 3))
    found = integrals_by_stretch(FixedNodes(rule).weights_below, rates)
    np.testing.assert_allclose(found.sum(axis=0), np.tensordot(rule.weights, rates, axes=1), atol=1e-12)
    even = integrals_by_stretch(FixedNodes(rule).weights_below, np.ones((len(rule), 1, 1)))
    np.testing.assert_allclose(even[:, 0, 0], [1 / 32, 1 / 4 - 1 / 32, 3 / 4], atol=1e-12)


def test_stretches_of_adaptive_nodes_are_the_rule_on_each():
    """A step at each fraction, with as many nodes as it takes."""
    nodes = AdaptiveNodes(1e-4, 300)

    def rate(a):
        return (1.0 + 3 * (a > 1 / 32) - 2 * (a > 1 / 4))[:, None, None] * np.array([1.0, -0.5])

    def score(a):
        return 0.5 * (a + 3 * np.maximum(a - 1 / 32, 0) - 2 * np.maximum(a - 1 / 4, 0))[:, None]

    while nodes.advance(rate(nodes.nodes), score(nodes.nodes), np.zeros(1)):
        pass
    found = integrals_by_stretch(nodes.weights_below, rate(nodes.nodes))
    np.testing.assert_allclose(found[:, 0, 0], [1 / 32, 4 * (1 / 4 - 1 / 32), 2 * 3 / 4], rtol=2e-3)


def test_a_part_that_changes_its_sign_counts_with_both():
    """What one stretch gives and the next one takes away is no share above one."""
    integrals = np.array([[[2.0]], [[-1.0]], [[-1.0]]])
    np.testing.assert_allclose(path_shares(integrals), [[[0.5, 0.75]]])
    assert np.isnan(path_shares(np.zeros((3, 1, 1)))).all()


@pytest.mark.parametrize("target", ["predicted", "N2", ("N3", "W")])
def test_a_target_of_all_has_its_own_share(target):
    """Of a difference of stages too, which is no sum of theirs. The nodes are fixed, so that both have the same."""
    arguments = {"quadrature": "graded", "n_steps": 36, "dtype": "float64"}
    every = explain(noise_epochs(), Smooth(), target="all", **arguments)
    assert shares(every).shape == (6, 1, 5, 5, 2)
    one = explain(noise_epochs(), Smooth(), target=target, **arguments)
    np.testing.assert_allclose(shares(every.for_target(target)), shares(one), atol=1e-6)
    table = every.decided_by() if target == "predicted" else every.for_target(target).decided_by()
    np.testing.assert_allclose(table["below_1/32"], one.decided_by()["below_1/32"], atol=1e-6)


def test_the_whole_window_has_a_share_where_it_moves():
    class Sum(nn.Module):
        """Linear in each of three epochs."""

        def __init__(self):
            super().__init__()
            self.net = Linear(2, 960)

        def forward(self, x):
            return sum(weight * self.net(one) for weight, one in zip((0.5, 1, 2), x.unbind(1), strict=True))

    spec = ModelSpec(layout="b e c t", context=ContextSpec(1, 1))
    result = explain(noise_epochs(), Sum(), spec=spec, context="scaled", edges="skip", dtype="float64")
    np.testing.assert_allclose(shares(result), np.broadcast_to(FRACTIONS, (4, 1, 2)), atol=1e-9)


@pytest.mark.parametrize("method", ["saliency", "gradient_shap", "shapley"])
def test_a_method_without_a_path_has_none(method):
    result = explain(scored_epochs(), Smooth(), method=method, sample_per_stage=1)
    assert np.isnan(shares(result)).all()
    assert result.decided_by()["below_1/32"].isna().all()
    assert not [one for one in result.provenance["warnings"] if "1/32" in one]


def test_they_are_kept_in_files_joined_and_resumed(tmp_path):
    result = explain(noise_epochs(), Smooth(), target="all", label="a")
    fname = result.save(tmp_path / "a.nc")
    np.testing.assert_array_equal(shares(eegflex.read_result(fname)), shares(result))
    again = explain(noise_epochs(), Smooth(), target="all", label="a", resume=result)
    np.testing.assert_array_equal(shares(again), shares(result))
    other = explain(noise_epochs(seed=1), Smooth(), target="all", label="b")
    both = eegflex.concatenate_results([result, other])
    np.testing.assert_array_equal(shares(both), np.concatenate([shares(result), shares(other)]))


def test_what_is_no_share_is_refused(tmp_path):
    data = explain(noise_epochs(), Smooth()).to_xarray()
    data["path_share"][2, 0, 1] = 1.5
    fname = eegflex.FlexResult(data).save(tmp_path / "a.nc")
    with pytest.raises(RecordingError, match="path_share is no share"):
        eegflex.read_result(fname)


def test_where_most_arises_beside_the_baseline_it_is_said(caplog):
    arguments = {"baseline": "zero", "on_check": "ignore", "verbose": "warning"}
    with caplog.at_level("WARNING", logger="mne"):
        result = eegflex.attribute_epochs(noise_epochs(), Standardised(), **arguments)
    (told,) = [one for one in result.provenance["warnings"] if "1/32" in one]
    for stage, n in result.counts().items():
        assert f"{stage} ({n} of {n} epochs)" in told
    assert "Take baseline='recording'" in caplog.text
    assert (result.decided_by()["below_1/32"] > 0.5).all()
    caplog.clear()
    with caplog.at_level("WARNING", logger="mne"):
        even = eegflex.attribute_epochs(noise_epochs(), Linear(2, 960), **arguments)
        ordinary = eegflex.attribute_epochs(noise_epochs(), Standardised(), **arguments | {"baseline": "recording"})
    assert "1/32" not in caplog.text
    assert not even.provenance["warnings"]
    assert not ordinary.provenance["warnings"]
