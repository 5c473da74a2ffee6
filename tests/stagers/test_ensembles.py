"""Ensembles, explained exactly: the attribution of a mean is the mean of the attributions."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import trained
from attribution_helpers import explain, noise_epochs
from models import Smooth
from torch import nn

import eegflex
from eegflex import load_model
from eegflex.errors import ParameterError, SpecError
from eegflex.preprocessing.segments import prepare
from eegflex.scores import consensus
from eegflex.spec.model_spec import ContextSpec, ModelSpec
from eegflex.stagers.ensemble import ensemble

MEMBERS = [Smooth(seed=seed) for seed in range(3)]


def views(models, **kwargs):
    epochs = noise_epochs()
    found = explain(epochs, models, target="N2", quadrature="gauss-legendre", n_steps=10, **kwargs).to_xarray()
    return found["frequency_view"].values, found["scores"].values


def test_the_attribution_of_a_mean_is_the_mean_of_the_attributions():
    together, scores = views(MEMBERS)
    apart = [views(member) for member in MEMBERS]
    np.testing.assert_allclose(together, np.mean([view for view, _ in apart], axis=0), atol=1e-6)
    np.testing.assert_allclose(scores, np.mean([own for _, own in apart], axis=0), atol=1e-6)


def test_a_sum_is_as_many_times_the_mean():
    stagers = [load_model(member) for member in MEMBERS]
    summed, _ = views(ensemble(stagers, "sum"))
    mean, _ = views(ensemble(stagers))
    np.testing.assert_allclose(summed, 3 * mean, atol=1e-6)


def test_an_ensemble_of_one_is_that_one():
    np.testing.assert_allclose(views(MEMBERS[:1])[0], views(MEMBERS[0])[0], atol=1e-7)


class ChannelsLast(nn.Module):
    """Another arrangement of the same contract."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.transpose(1, 2))


def test_members_may_be_arranged_differently():
    other = load_model(ChannelsLast(MEMBERS[1]), spec=ModelSpec(layout="b t c"))
    mixed, _ = views(ensemble([load_model(MEMBERS[0], spec=ModelSpec()), other]))
    alike, _ = views(MEMBERS[:2])
    np.testing.assert_allclose(mixed, alike, atol=1e-6)


def test_members_with_a_context():
    context, epochs = (
        trained.context(),
        eegflex.make_epochs(eegflex.simulate_psg(hours=0.2, seed=2, verbose="error").raw, verbose="error"),
    )
    alone, twice = (
        eegflex.attribute_epochs(epochs, model, sample_per_stage=1, edges="skip", verbose="error").to_xarray()
        for model in (context, [context, context])
    )
    np.testing.assert_allclose(twice["frequency_view"].values, alone["frequency_view"].values, atol=1e-5)


def simulated(**kwargs):
    return eegflex.make_epochs(eegflex.simulate_psg(**kwargs, verbose="error").raw, verbose="error")


def shaken(stager, seed):
    """The same stager with other weights."""
    other, rng = copy.deepcopy(stager), torch.Generator().manual_seed(seed)
    for parameter in other.module.parameters():
        parameter.mul_(1 + 0.05 * torch.randn(parameter.shape, generator=rng))
    return other


def test_a_member_that_factors_keeps_its_codes(monkeypatch):
    """No member encodes a recorded epoch twice, so that an ensemble costs no more than its members."""
    members = [shaken(trained.context(), seed) for seed in (1, 2)]
    encoded = []
    own = type(members[0].module).encode

    def counting(self, segments):
        encoded.append(len(segments))
        return own(self, segments)

    monkeypatch.setattr(type(members[0].module), "encode", counting)
    segments = prepare(simulated(hours=0.5, seed=2), members[0].spec)
    (bound,) = ensemble(members).bind(segments)
    (apart,) = zip(*(member.bind(segments) for member in members), strict=True)
    index = torch.arange(20, 24)
    for one in (bound, *apart):
        one.night_scores(lambda _: None)
        encoded.clear()
        with torch.no_grad():
            one(one.inputs(index), index)
        assert sum(encoded) == len(index) * (2 if one is bound else 1)
    with torch.no_grad():
        mean = sum(one(one.inputs(index), index) for one in apart) / 2
        torch.testing.assert_close(bound(bound.inputs(index), index), mean)


def test_an_ensemble_shifts_windows_where_all_members_can():
    """Members that score every position are asked for it at the ends of a run; with one that cannot, none are."""
    spec = ModelSpec(layout="b e c t", output="b e s", context=ContextSpec(1, 1))

    class EveryPosition(Smooth):
        def forward(self, x):
            return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    every = load_model(EveryPosition(), spec=spec)
    middle = load_model(EveryPosition(), spec=spec.replace(target_index=1))
    segments = prepare(noise_epochs(n_epochs=5), spec)
    for members, edges in (([every, every], {"shifted"}), ([every, middle], {"skipped"})):
        (bound,) = ensemble(members).bind(segments)
        assert set(bound.windows.edge[[0, -1]]) == edges
    (alone,), (twice,) = every.bind(segments), ensemble([every, every]).bind(segments)
    torch.testing.assert_close(*(one.night_scores(lambda _: None) for one in (alone, twice)))


@pytest.mark.slow
def test_gsscs_with_other_weights_are_averaged():
    """Stagers of whole nights are members as well, each with its own night."""
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    epochs = simulated(hours=0.25, seed=3).load_data().pick(["C4-M1", "E1-M2", "E2-M2"])
    members = [load_model("gssc"), shaken(load_model("gssc"), 1)]
    rule = {"target": "N2", "quadrature": "graded", "n_steps": 9, "on_check": "ignore", "verbose": "error"}
    found = [eegflex.attribute_epochs(epochs[:4], model, **rule) for model in (*members, members)]
    views = [result.to_xarray()["frequency_view"].values for result in found]
    size = np.abs(views[2]).sum()
    assert np.abs(views[0] - views[1]).sum() > 0.05 * size
    np.testing.assert_allclose(views[2], (views[0] + views[1]) / 2, atol=1e-4 * np.abs(views[2]).max())


def test_stagers_that_hear_different_signals_are_refused_with_what_to_do():
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    with pytest.raises(
        SpecError, match=r"disagree in their sfreq. Got GSSC: 85\..*bandpower.*average their band tables"
    ):
        load_model(["gssc", "bandpower"])


def test_the_remedy_is_true():
    """The mean of the members' band tables is that of the ensemble, for the same target."""
    epochs, rule = noise_epochs(), {"target": "N2", "quadrature": "gauss-legendre", "n_steps": 10}
    tables = [explain(epochs, model, **rule).band_table(stage_from="target") for model in (*MEMBERS[:2], MEMBERS[:2])]
    np.testing.assert_allclose((tables[0] + tables[1]) / 2, tables[2], atol=1e-6)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (ModelSpec(sfreq=16.0), "sfreq"),
        (ModelSpec(unit="uV"), "unit"),
        (ModelSpec(scores="probs"), "scores"),
        (ModelSpec(stages=("N1", "W", "N2", "N3", "REM")), "stages"),
        (ModelSpec(context=ContextSpec(1, 1), layout="b c (e t)"), "context"),
    ],
)
def test_members_of_different_contracts_are_refused(other, named):
    with pytest.raises(SpecError, match=f"disagree in their {named}"):
        ensemble([load_model(MEMBERS[0], spec=ModelSpec()), load_model(MEMBERS[1], spec=other)])


def test_what_is_no_ensemble_is_refused():
    with pytest.raises(ParameterError, match="needs members"):
        load_model([])
    with pytest.raises(ParameterError, match="vote"):
        ensemble([load_model(MEMBERS[0])], "vote")


class Says(nn.Module):
    """A stager whose scores are of another kind."""

    def __init__(self, stager, kind):
        super().__init__()
        self.net, self.kind = stager.module, kind

    def forward(self, x):
        return getattr(self.net(x), self.kind)(1)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["mean", "sum"])
@pytest.mark.parametrize(
    ("function", "kind", "combined"), [("softmax", "probs", "probs"), ("log_softmax", "log_probs", "logits")]
)
def test_the_doctor_finds_nothing_wrong_with_what_is_combined(rule, function, kind, combined):
    spec = trained.spec("chambon").replace(scores=kind)
    members = [load_model(Says(shaken(trained.chambon(), seed), function), spec=spec) for seed in (1, 2)]
    both = ensemble(members, rule)
    assert both.spec.scores == combined
    findings = eegflex.check_model(both, simulated(hours=0.7, seed=5), verbose="error")
    assert findings.errors == findings.warnings == (), str(findings)


def test_its_members_are_moved_and_the_caller_s_are_not():
    stager = load_model(MEMBERS).to("cpu", torch.float64)
    assert stager.score(torch.zeros(2, 1, 2, 100, dtype=torch.float64)).dtype == torch.float64
    assert MEMBERS[0].head.weight.dtype == torch.float32
    assert load_model(MEMBERS).score(torch.zeros(2, 1, 2, 100)).dtype == torch.float32


@pytest.mark.slow
def test_gssc_s_surest_combination_is_explained_epoch_by_epoch(gssc_result):
    """GSSC runs every EEG channel with the EOG and believes the surest: each is explained by itself, and adds up by itself."""
    result = gssc_result.data
    scores = result["scores"].values
    assert scores.shape[1] == 2
    winner = np.exp(scores).max(2).argmax(1)
    chosen = scores[np.arange(len(scores)), winner]
    np.testing.assert_array_equal(chosen.argmax(1), consensus(scores, "log_probs"))
    sums = np.stack(
        [result["frequency_view"].sel(channel=result["of_channel_set"] == c).sum(("channel", "freq")) for c in (0, 1)],
        1,
    )
    change = (result["score"] - result["baseline_score"]).values
    rows = np.arange(len(winner))
    np.testing.assert_allclose(sums[rows, winner], change[rows, winner], rtol=0.1, atol=0.05)
