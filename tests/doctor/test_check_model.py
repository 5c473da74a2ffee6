"""The doctor finds what was spoilt, by its name, and nothing where nothing is."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import trained
from models import Detached
from pages import read, written
from sabotage import CHAMBON, HALF_WAVE, SABOTAGE, WHOLE, HalfWave, WholeNight, chambon, half_wave_night, rescored
from torch import nn

import eegflex
from eegflex import check_model
from eegflex.doctor.case import Case
from eegflex.doctor.phases import phases
from eegflex.doctor.registry import CHECKS
from eegflex.doctor.sign_test import LEVEL, judge, kappa_of
from eegflex.errors import ModelError, ParameterError
from eegflex.evaluation import assess
from eegflex.spec.model_spec import ContextSpec
from eegflex.spec.scaling import ScaleSpec
from eegflex.stagers.zoo.known_truth import plant_line_noise
from eegflex.surrogates import RandomPhases

SOUND = {"chambon": trained.chambon, "context": trained.context, "bandpower": lambda: "bandpower"}


def simulated(seed, hours=1.5, sfreq=128.0):
    return eegflex.make_epochs(
        eegflex.simulate_psg(hours=hours, sfreq=sfreq, seed=seed, verbose="error").raw, verbose="error"
    )


@pytest.fixture(scope="module")
def night():
    """A simulated night of 1.5 h, few channels of it, at a rate that leaves other rates to try."""
    return simulated(11, sfreq=256.0).load_data().pick(["C4-M1", "E1-M2", "E2-M2", "Chin1-Chin2"])


def not_well(findings):
    """What is wrong with a model: that waveforms decide a stage is no fault of it, and told of many sound ones."""
    wrong = {found.check: found.status for found in findings if found.status in ("warning", "error")}
    return {check: status for check, status in wrong.items() if check != "phases"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SABOTAGE)
def test_what_was_spoilt_is_found_and_named(name, night):
    spoilt = SABOTAGE[name]
    findings = check_model(spoilt.model(), spoilt.recording(night), spec=spoilt.spec, verbose="error")
    found = findings[spoilt.check]
    assert found.status == spoilt.status, str(findings)
    assert spoilt.measured in found.measured
    assert spoilt.remedy in found.remedy
    assert set(not_well(findings)) - spoilt.with_it == {spoilt.check} - {"phases"}, str(findings)


def test_every_check_is_sabotaged():
    assert {spoilt.check for spoilt in SABOTAGE.values()} - {"channels"} == set(CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("seed", [601, 602])
def test_no_false_alarm(name, seed):
    findings = check_model(SOUND[name](), simulated(seed), verbose="error")
    assert [found.check for found in findings] == list(CHECKS)
    assert not_well(findings) == {}
    assert not findings.of("unknown"), str(findings)
    # The white box reads spectra; of the networks, one reads eye movements, the other spindles.
    waveforms = {"bandpower": (), "chambon": ("REM",), "context": ("N2",)}[name]
    if findings["phases"].status != "ok":
        assert findings["phases"].measured.split(" decided by ")[0] in {f"{stage} is" for stage in waveforms}


@pytest.mark.slow
def test_a_network_that_reads_eye_movements_is_told_to(night):
    """The trained one has learnt REM from the eyes; silence or an ordinary epoch with its phases keeps that out of a sum."""
    found = check_model(trained.chambon(), night, verbose="error")["phases"]
    assert found.status == "warning"
    assert "REM is decided by waveforms, not by the spectrum" in found.measured
    assert re.search(r"REM \d%", found.measured)
    assert "views by time" in found.remedy


@pytest.mark.slow
def test_a_long_night_is_sampled_and_what_is_known_of_it_is_taken(monkeypatch):
    """Forty epochs of each stage, among their neighbours; nothing where the night was staged with random phases before."""
    asked, restaged = [], RandomPhases._restaged

    def counting(self, n_draws, seed, numbers):
        asked.append((n_draws, len(numbers)))
        return restaged(self, n_draws, seed, numbers)

    monkeypatch.setattr(RandomPhases, "_restaged", counting)
    epochs = simulated(601, hours=2)
    for model in ("bandpower", trained.context()):
        night = eegflex.stage_epochs(epochs, model, verbose="error")
        counts = np.unique(night.predicted[night.sound], return_counts=True)[1]
        found = phases(Case(night))
        assert asked == [(1, sum(min(count, 40) for count in counts))]
        asked.clear()
        night.spectral_share(verbose="error")
        again = phases(Case(night))
        assert asked == [(3, counts.sum())]
        asked.clear()
        assert again.status == found.status


def test_epochs_that_are_alike_in_what_decides_are_no_missing_gradient():
    """Hum of one size and phase in all: the scores differ by little more than their rounding."""
    raw = plant_line_noise(eegflex.simulate_psg(hours=1.5, sfreq=128, seed=11, verbose="error").raw, "N3", freq=50.0)
    epochs = eegflex.make_epochs(raw, verbose="error")
    deep = epochs[np.flatnonzero(epochs.metadata["stage"] == "N3")]
    assert check_model("known-shortcut", deep, verbose="error")["differentiability"].status == "ok"


@pytest.mark.parametrize(
    ("model", "spec", "recording"),
    [
        (HalfWave, HALF_WAVE, lambda _: half_wave_night()),
        (lambda: WholeNight(0.0), WHOLE, lambda night: night[:32]),
    ],
)
def test_what_the_sabotage_is_made_from_is_sound(model, spec, recording, night):
    findings = check_model(model(), recording(night), spec=spec, verbose="error")
    assert set(not_well(findings)) <= {"context gradients"}, str(findings)


@pytest.mark.slow
def test_a_model_of_sequences_without_its_context_is_told_by_what_it_would_be_with_it():
    alone = trained.spec("context").replace(context=ContextSpec())
    findings = check_model(trained.context().module, simulated(11), spec=alone, verbose="error")
    assert set(not_well(findings)) == {"window"}
    assert findings["window"].status == "error"
    assert "kappa 0.99 instead of 0.68" in findings["window"].measured
    assert "context = { before = 10, after = 9 }" in findings["window"].remedy


@pytest.mark.slow
def test_no_false_alarm_of_gssc():
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    raw = eegflex.simulate_psg(hours=1, sfreq=128, seed=601, verbose="error").raw
    epochs = eegflex.make_epochs(raw.pick(["C4-M1", "E1-M2", "E2-M2"]), verbose="error")
    assert not_well(check_model("gssc", epochs, verbose="error")) == {}


@pytest.mark.slow
def test_no_error_of_gssc_on_a_real_recording(real_psg):
    pytest.importorskip("gssc", reason="the extra gssc is not installed")
    epochs = eegflex.make_epochs(eegflex.read_psg(real_psg, verbose="error"), verbose="error")
    findings = check_model("gssc", epochs, picks=["C4-M1", "E1-M2", "E2-M1"], verbose="error")
    assert findings.errors == ()
    assert "not enough scored epochs" in findings["class order"].measured


@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_voltages_of_no_scalp_are_an_error_of_the_recording(night, factor):
    loud = night.copy().load_data()
    loud._data *= factor
    found = check_model("bandpower", loud, verbose="error")["unit"]
    assert found.status == "error"
    assert "none of a scalp" in found.measured
    assert "in volts" in found.remedy


def test_without_a_hypnogram_it_says_that_it_cannot_tell(night):
    unscored = rescored(night, lambda stages: np.full(len(stages), "UNSCORED"))
    findings = check_model(trained.chambon(), unscored, verbose="error")
    assert {found.check for found in findings.of("unknown")} == {
        "agreement",
        "class order",
        "target index",
        "polarity",
        "rate by hypnogram",
    }
    assert not_well(findings) == {}


def test_few_epochs_are_no_evidence(night):
    swapped = chambon(), night[:40], CHAMBON.replace(stages=("REM", "N1", "N2", "N3", "W"))
    findings = check_model(swapped[0], swapped[1], spec=swapped[2], verbose="error")
    assert findings["class order"].status == "unknown"
    assert "not enough scored epochs" in findings["class order"].measured


@pytest.mark.slow
def test_the_model_and_the_epochs_are_left_as_they_were(night):
    model, before = chambon().train(), night.get_data(copy=True)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    check_model(model, night, spec=CHAMBON, verbose="error")
    assert model.training
    assert all(parameter.requires_grad == trained.chambon().like.requires_grad for parameter in model.parameters())
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    np.testing.assert_array_equal(night.get_data(), before)


class Hungry(nn.Module):
    """Asks for more memory than any machine has where it is given more epochs at once than it can bear."""

    def __init__(self, most):
        super().__init__()
        self.net, self.most = trained.chambon().module, most

    def forward(self, x):
        if len(x) > self.most:
            torch.empty(2**55)
        return self.net(x)


@pytest.fixture(scope="module")
def plenty(night):
    """What is found where memory is not short."""
    return check_model(Hungry(10**9), night, spec=CHAMBON, verbose="error")


@pytest.mark.slow
@pytest.mark.parametrize("most", [3, 1])
def test_where_memory_is_short_fewer_epochs_are_tried_at_a_time(night, plenty, most):
    """The same is found as where it is not, by the one mechanism that attributions have too."""
    short = check_model(Hungry(most), night, spec=CHAMBON, verbose="error")
    for found in short:
        if found.check == "batch independence" and most == 1:
            assert (found.status, found.measured) == ("unknown", "memory is too short for a batch of two")
        else:
            assert found.status == plenty[found.check].status


def test_a_model_that_does_not_fit_with_a_single_epoch_is_said_to_be_that(night):
    (found,) = check_model(Hungry(0), night, spec=CHAMBON, verbose="error")
    assert (found.check, found.status) == ("memory", "error")
    assert "single epoch" in found.measured


@pytest.mark.slow
def test_a_whole_night_that_does_not_fit_is_no_error_of_the_model(night):
    class Long(WholeNight):
        def forward(self, windows):
            if windows.shape[1] > 30:
                torch.empty(2**55)
            return super().forward(windows)

    found = check_model(Long(0.0), night[:32], spec=WHOLE, verbose="error")["window"]
    assert found.status == "unknown"
    assert "memory" in found.measured


def reading(scored, wrong):
    """Predictions that are wrong in some epochs."""
    predicted = scored.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 5
    return predicted


def test_one_long_bout_is_no_evidence_and_many_short_ones_are():
    scored = np.repeat(np.arange(20) % 5, 10)
    one_bout, each_bout = np.arange(60, 70), np.arange(0, 200, 10)
    by_chance = judge(scored, (scored, reading(scored, one_bout)), (scored, scored), 5, margin=0.02)
    assert by_chance.probability == 0.5
    assert not by_chance.clear
    sure = judge(scored, (scored, reading(scored, each_bout)), (scored, scored), 5, margin=0.02)
    assert sure.probability == pytest.approx(2.0**-20)
    assert sure.clear


def test_kappa_of_known_tables():
    scored = np.array([0, 0, 1, 1])
    assert kappa_of(scored, scored, 5) == 1
    assert kappa_of(scored, np.array([0, 1, 0, 1]), 5) == 0
    assert kappa_of(scored, 1 - scored, 5) == -1
    assert kappa_of(np.zeros(3, int), np.zeros(3, int), 5) == 0


def test_random_readings_are_seldom_clearly_better():
    """Of two models that are equally good, one is called clearly better no more often than the level says."""
    rng = np.random.default_rng(0)
    clear = 0
    for _ in range(300):
        scored = np.repeat(rng.integers(0, 5, 25), rng.integers(1, 15, 25))
        readings = [reading(scored, rng.random(len(scored)) < 0.3) for _ in range(2)]
        clear += judge(scored, (scored, readings[0]), (scored, readings[1]), 5, margin=0.02).clear
    assert clear <= 300 * LEVEL


def test_an_attribution_is_refused_in_the_words_of_the_doctor(night):
    spec = CHAMBON.replace(stages=("W", "N1", "N3", "N2", "REM"))
    with pytest.raises(ModelError, match=r"Class order: .*kappa.*on_check='warn'"):
        eegflex.attribute_epochs(night, chambon(), spec=spec, verbose="error")


@pytest.mark.parametrize(("on_check", "n_checks"), [("warn", True), ("ignore", False)])
def test_an_attribution_goes_on_where_that_was_asked_for(night, on_check, n_checks):
    spec = CHAMBON.replace(scores="probs")
    result = eegflex.attribute_epochs(
        night,
        chambon(),
        spec=spec,
        on_check=on_check,
        sample_per_stage=1,
        quadrature="graded",
        n_steps=8,
        verbose="error",
    )
    found = {finding["check"]: finding for finding in result.provenance["checks"]}
    assert set(found) == ({name for name, known in CHECKS.items() if known.cheap} if n_checks else set())
    if n_checks:
        assert found["scores"]["status"] == "error"
        assert found["scores"]["remedy"]
    assert result.parameters["on_check"] == on_check


def test_on_check_has_three_values(night):
    with pytest.raises(ParameterError, match="warn"):
        eegflex.attribute_epochs(night, chambon(), spec=CHAMBON, on_check="maybe")


def test_a_model_without_gradients_is_explained_by_a_method_that_needs_none(night):
    epochs = night[:12].pick(["C4-M1", "E1-M2"])
    result = eegflex.attribute_epochs(epochs, Detached(), method="shapley", sample_per_stage=1, verbose="error")
    assert "differentiability" not in {finding["check"] for finding in result.provenance["checks"]}


class Powers:
    """An estimator, as scikit-learn's are: it stages by the size of an epoch and has no gradient."""

    def predict_proba(self, signals):
        size = np.log(signals.std(axis=(1, 2)) + 1e-9)[:, None]
        raised = np.exp(-((size - np.log([5.0, 10.0, 15.0, 20.0, 30.0])) ** 2))
        return raised / raised.sum(axis=1, keepdims=True)


def test_what_has_no_gradient_is_no_error_until_one_is_asked_for(night):
    epochs, spec = night[:70], CHAMBON.replace(scores="probs", scale=ScaleSpec())
    findings = check_model(Powers(), epochs, spec=spec, verbose="error")
    assert not findings.errors
    found = findings["differentiability"]
    assert found.status == "warning"
    assert "shapley" in found.remedy
    assert "detach" not in found.remedy, "there is nothing to mend"
    asked = {"spec": spec, "sample_per_stage": 1, "spectral_share": 0, "verbose": "error"}
    with pytest.raises(ModelError, match=r"no gradient.*method='shapley"):
        eegflex.attribute_epochs(epochs, Powers(), **asked)
    assert eegflex.attribute_epochs(epochs, Powers(), method="shapley", **asked).relative_gap().max() < 1e-5


def test_a_scale_free_model_is_explained_from_another_baseline(night):
    spoilt = SABOTAGE["standardised inside"]
    arguments = {"spec": spoilt.spec, "sample_per_stage": 1, "quadrature": "graded", "n_steps": 12, "verbose": "error"}
    with pytest.raises(ModelError, match="zero baseline says nothing"):
        eegflex.attribute_epochs(night, spoilt.model(), baseline="zero", **arguments)
    result = eegflex.attribute_epochs(night, spoilt.model(), **arguments)
    found = {finding["check"]: finding["status"] for finding in result.provenance["checks"]}
    assert found["scale"] == "warning"


@pytest.mark.slow
def test_the_report_begins_with_what_makes_it_false_and_shows_all_that_was_found(night, tmp_path):
    """Who reads the first page only must see it, in the words of the doctor."""
    arguments = {"sample_per_stage": 1, "quadrature": "graded", "n_steps": 8, "verbose": "error"}
    spec = CHAMBON.replace(scores="probs")
    false = eegflex.attribute_epochs(night, chambon(), on_check="warn", spec=spec, **arguments)
    said = read(eegflex.make_report(false, epochs_per_stage=0, verbose=False), tmp_path).text
    false_is = "Do not believe this explanation. Scores: the scores are logits, declared as probs"
    assert said.index(false_is) < said.index("What was found")
    checked = said[said.index("Checks before the explanation") :]
    assert checked.index("scores: error") < checked.index("shape: ok")
    assert "Declare scores = 'logits'" in checked
    assert all(f"{one['check']}: {one['status']}" in checked for one in false.provenance["checks"])
    found = assess(false)["model checks"]
    assert found.status == "error"
    assert found.values["n"] == len(false.provenance["checks"])
    assert found.values["n_errors"] == sum(one["status"] == "error" for one in false.provenance["checks"])

    true = eegflex.attribute_epochs(night, chambon(), spec=CHAMBON, **arguments)
    assert assess(true)["model checks"].status == "ok"
    blind = eegflex.attribute_epochs(night, chambon(), on_check="ignore", spec=spec, **arguments)
    assert assess(blind)["model checks"].status == "unknown"
    assert "not believe" not in written(true) + written(blind)


def test_a_device_that_is_none_is_refused(night):
    with pytest.raises(ParameterError, match="abacus"):
        check_model(chambon(), night, spec=CHAMBON, device="abacus")
