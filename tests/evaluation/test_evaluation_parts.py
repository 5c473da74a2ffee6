"""The parts of faithfulness, on models whose right numbers are known: what they measure, refuse and say."""

from __future__ import annotations

import dataclasses
import itertools

import mne
import numpy as np
import pytest
from models import Linear
from scipy.integrate import trapezoid

import eegflex
from eegflex.errors import ParameterError
from eegflex.evaluation import Evaluation, agreements, curves, knockout, stability
from eegflex.evaluation.evaluation import with_measures
from eegflex.evaluation.faithfulness import insertion_and_deletion
from eegflex.evaluation.question import ask
from eegflex.preprocessing.segments import prepare
from eegflex.spec.model_spec import ModelSpec

SFREQ, N_TIMES, N_EPOCHS = 64.0, 1920, 12
STAGES = ("W", "N1", "N2", "N3", "REM")


@pytest.fixture(scope="module")
def epochs():
    """Noise on two channels, with a hypnogram; the last epoch stands alone."""
    rng = np.random.default_rng(0)
    info = mne.create_info(["C3", "C4"], SFREQ, "eeg")
    raw = mne.io.RawArray(2e-5 * rng.standard_normal((2, N_TIMES * (N_EPOCHS + 1))), info, verbose="error")
    raw.set_annotations(mne.Annotations(30.0 * np.arange(N_EPOCHS + 1), 30.0, [STAGES[k % 5] for k in range(13)]))
    return eegflex.make_epochs(raw, verbose="error").drop([N_EPOCHS - 1], verbose="error")


@pytest.fixture(scope="module")
def night(epochs):
    """A stager that is linear in the signal: what the score loses is what an attribution says, exactly."""
    return eegflex.stage_epochs(
        epochs, Linear(2, N_TIMES).double().eval(), spec=_spec(), dtype="float64", verbose="error"
    )


def _spec():
    return ModelSpec(name="linear", sfreq=SFREQ, n_times=N_TIMES, unit="uV")


@pytest.fixture(scope="module")
def result(night):
    return eegflex.attribute_epochs(
        night, baseline="recording", second_opinion="shapley", on_check="ignore", verbose="error"
    )


@pytest.fixture(scope="module")
def question(result, night):
    return ask(result, night, compare=["gradient_shap", "feature_ablation"])


@pytest.fixture(scope="module")
def sample(question):
    return question.sample(None)


def test_of_a_linear_model_losses_are_band_sums_and_both_measures_are_perfect(sample):
    for one in sample:
        cells = np.eye(int(one.cells.max()) + 1, dtype=bool)
        assert knockout.losses(one, cells) == pytest.approx(one.band_sums[:, one.masks.any(axis=1)].ravel(), abs=1e-5)
        assert knockout.knock_out(one, one.values) == pytest.approx(1)
        assert knockout.knock_out(one, -one.values) == pytest.approx(-1)
        assert knockout.infidelity(one, one.values) == pytest.approx(0, abs=1e-6)
        assert knockout.infidelity(one, 2 * one.values) > 0.05  # size counts


def test_what_is_rounding_has_no_rank():
    rng = np.random.default_rng(0)
    lost, told = np.zeros(36), np.zeros(36)
    lost[5], told[5] = 2.0, 1.5
    assert knockout.rank_correlation(told + 1e-7 * rng.standard_normal(36), lost + 1e-7 * rng.standard_normal(36)) == 1
    assert np.isnan(knockout.rank_correlation(np.zeros(36), lost))


@pytest.mark.parametrize("n_cells", [1, 2, 7, 14, 42])
def test_halves_are_all_of_as_many_cells(n_cells):
    taken = knockout.halves(n_cells, np.random.default_rng(0), 200)
    assert (taken.sum(axis=1) == max(n_cells // 2, 1)).all()
    assert taken.mean(axis=0) == pytest.approx(max(n_cells // 2, 1) / n_cells, abs=0.15)


def test_areas_are_those_of_the_orders_and_an_order_at_random_comes_with_its_reverse(sample):
    one = sample[0]
    found = curves.areas(one, {"attribution": one.values})
    rng = one.rng("order")
    n_groups = int(one.groups.max()) + 1
    orders = [rng.permutation(n_groups) for _ in range(curves.N_RANDOM)]
    both = orders + [order[::-1] for order in orders]
    every = insertion_and_deletion(one.answer, one.begins[0], one.ends[0], one.groups, both)
    assert found["insertion: random"] == pytest.approx(np.mean([trapezoid(own.insertion, own.shares) for own in every]))
    assert found["deletion: random"] == pytest.approx(np.mean([trapezoid(own.deletion, own.shares) for own in every]))
    assert np.mean([own.area for own in every]) == pytest.approx(found["area: random"], abs=1e-9)
    beaten = np.mean([trapezoid(own.deletion, own.shares) > found["deletion: attribution"] for own in every])
    assert found["deletion: random beaten"] == pytest.approx(beaten)
    for name in ("attribution", "power"):
        assert found[f"area: {name}"] == pytest.approx(found[f"insertion: {name}"] - found[f"deletion: {name}"])


@pytest.mark.parametrize(("groups", "n"), [("bands", 14), (1.0, 66), (4, 18), (1e-6, 2 * 961)])
def test_groups_are_bands_or_a_width_of_each_channel(result, night, groups, n):
    one = ask(result, night, groups=groups).explanation(0, 0)
    assert int(one.groups.max()) + 1 == n
    assert len(np.unique(one.groups)) == n
    if groups == "bands":
        freqs = one.freqs
        alpha = one.groups[1, (freqs >= 8) & (freqs < 12)]
        assert len(np.unique(alpha)) == 1
        assert (one.groups == alpha[0]).sum() == len(alpha)


@pytest.mark.parametrize("groups", [0, -1.0, np.nan, np.inf, True, "hz", None, "Bands"])
def test_other_groups_are_refused_before_anything_is_computed(result, epochs, groups):
    with pytest.raises(ParameterError, match="positive width in Hz, or 'bands'"):
        eegflex.evaluate(result, epochs, "no such model", groups=groups, verbose="error")


@pytest.mark.parametrize(
    ("compare", "words"),
    [
        ("gradcam", "compare must be one of"),
        (["gradient_shap", "flex"], "compare must be one of"),  # the result's own
        ("input_x_gradient", "compare='input_x_gradient' cannot explain .* 'zero'"),
        (["random"], "compare must be one of"),
    ],
)
def test_methods_that_cannot_be_compared_are_refused_before_anything_is_computed(result, epochs, compare, words):
    with pytest.raises(ParameterError, match=words):
        eegflex.evaluate(result, epochs, "no such model", compare=compare, verbose="error")


def test_a_method_that_cannot_explain_the_model_is_refused_before_any_part_begins():
    """Eight channels have too many bands for exact Shapley values, which only the model and the recording tell."""
    psg = eegflex.simulate_psg(hours=0.25, sfreq=128, seed=1, verbose="error")
    night = eegflex.stage_epochs(eegflex.make_epochs(psg.raw, verbose="error"), "bandpower", verbose="error")
    made = eegflex.attribute_epochs(night, baseline="zero", select=[3], on_check="ignore", verbose="error")
    with pytest.raises(ParameterError, match="cannot explain this model: Exact Shapley"):
        eegflex.evaluate(made, night, parts="agreement", compare=["shapley"], verbose="error")


def test_methods_that_know_no_other_phases_are_refused_with_random_ones(night):
    drawn = eegflex.attribute_epochs(night, baseline="surrogate", select=[0], on_check="ignore", verbose="error")
    with pytest.raises(ParameterError, match="compare='deeplift' cannot explain"):
        eegflex.evaluate(drawn, night, compare="deeplift", verbose="error")


@pytest.mark.slow
def test_what_is_compared_is_explained_as_by_attribute_epochs(question, sample, night):
    for name in question.compare:
        whole = eegflex.attribute_epochs(night, baseline="recording", method=name, on_check="ignore", verbose="error")
        for one in sample[:3]:
            view = "band_view" if name == "feature_ablation" else "frequency_view"
            expected = whole.data[view].values[one.row]
            own = one.by(name) @ one.masks.T if name == "feature_ablation" else one.by(name)
            assert own == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_noise_is_20_db_below_the_epoch_at_every_frequency_and_differs_between_draws_and_channels(night):
    signals = night.segments.signals[3]
    one, other = (stability.with_noise(signals, (7, draw)) - signals for draw in range(2))
    own = np.abs(np.fft.rfft(signals))[:, 1:]
    assert 20 * np.log10(own / np.abs(np.fft.rfft(one))[:, 1:]) == pytest.approx(np.full(own.shape, 20.0), abs=0.2)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(one)[0, 1]) < 0.1


def test_a_shifted_epoch_is_what_was_recorded_a_second_later(epochs):
    """Scaled by its own statistics: what comes in has the scale of the epoch."""
    spec = dataclasses.replace(_spec(), scale=dataclasses.replace(_spec().scale, kind="zscore", per="epoch"))
    plain, scaled = prepare(epochs, _spec()), prepare(epochs, spec)
    step, night = 64, np.concatenate(plain.signals[:11], axis=1)
    later = stability.shifted(plain, 4)
    assert np.array_equal(later, night[:, 4 * N_TIMES + step : 5 * N_TIMES + step])
    at_end = stability.shifted(plain, 10)  # nothing follows: a second earlier
    assert np.array_equal(at_end, night[:, 10 * N_TIMES - step : 11 * N_TIMES - step])
    alone = stability.shifted(plain, 11)  # the one before was dropped
    assert np.array_equal(alone, np.roll(plain.signals[11], -step, axis=1))
    again = stability.shifted(scaled, 4) * scaled.gain[4][:, None]
    mean = (later - again).mean(axis=1, keepdims=True)
    assert again + mean == pytest.approx(later, abs=2.0)  # up to the means of two epochs
    assert again[:, :-step] + mean == pytest.approx(later[:, :-step], abs=0.2)


def test_a_faulty_neighbour_does_not_come_in(epochs):
    plain = prepare(epochs, _spec())
    fault = plain.fault.copy().astype("U20")
    fault[5] = "flat"
    earlier = stability.shifted(dataclasses.replace(plain, fault=fault), 4)
    night = np.concatenate(plain.signals[:11], axis=1)
    assert np.array_equal(earlier, night[:, 4 * N_TIMES - 64 : 5 * N_TIMES - 64])


def test_stability_is_the_similarity_with_what_attribute_epochs_says_of_the_changed_epoch(question, sample):
    one = dataclasses.replace(sample[0], place=0)
    found = stability.measure(one)
    noisy, moved = stability.changed(one)
    weight = one.question.night.stager.module  # linear: the attribution is d times the gradient, whatever the epoch
    assert weight is not None
    cosines = [
        (one.band_sums * own).sum() / np.sqrt((one.band_sums**2).sum() * (own**2).sum()) for own in (*noisy, moved)
    ]
    assert found["stability: noise"] == pytest.approx(np.mean(cosines[:3]))
    assert found["stability: shift"] == pytest.approx(cosines[3])
    largest = max(np.abs(own - one.band_sums).sum() for own in noisy) / np.abs(one.band_sums).sum()
    assert found["sensitivity: largest change"] == pytest.approx(largest)
    late = dataclasses.replace(one, place=stability.N_FIRST)
    assert np.isnan(list(stability.measure(late).values())).all()
    assert set(stability.measure(late)) == set(found)


def test_the_sample_is_numbered_in_its_order(sample):
    assert [one.place for one in sample] == list(range(len(sample)))


@pytest.mark.slow
def test_agreement_is_with_the_first_other_baseline_that_can_be(question, sample, night):
    assert agreements.other_baseline(question) == "aperiodic"  # too few sound epochs to be an ordinary one
    against = eegflex.attribute_epochs(night, baseline="aperiodic", on_check="ignore", verbose="error")
    one = sample[0]
    sums = against.data["frequency_view"].values[one.row] @ one.masks.T
    expected = (sums * one.band_sums).sum() / (np.linalg.norm(sums) * np.linalg.norm(one.band_sums))
    assert agreements.measure(one)["agreement: baseline"] == pytest.approx(expected, abs=1e-3)
    assert np.isnan(agreements.measure(dataclasses.replace(one, place=agreements.N_FIRST))["agreement: baseline"])
    for own, other in {"aperiodic": "zero", "zero": "aperiodic"}.items():
        assert agreements.other_baseline(question.against(own)) == other
    assert agreements.other_baseline(question.with_method("saliency")) is None  # which compares with nothing
    assert agreements.other_baseline(question.against("zero").with_method("input_x_gradient")) is None


def test_agreement_with_the_second_opinion_is_that_of_the_result(sample, result):
    one = sample[0]
    second = result.data["second_view"].transpose("epoch", "channel", "band").values[one.row]
    first = one.band_sums
    found = agreements.measure(one)["agreement: second opinion"]
    assert found == pytest.approx((first * second).sum() / (np.linalg.norm(first) * np.linalg.norm(second)), abs=1e-6)
    assert found > 0.99  # of a linear model they are the same


def test_neighbours_are_explained_epochs_of_one_stage_within_five_minutes(question, result):
    table = agreements.neighbours(question).set_index("stage")
    stages, onset = result.data["predicted"].values[:, 0], result.data["onset"].values
    for stage in np.unique(stages):
        own = np.flatnonzero(stages == stage)
        pairs = [(a, b) for a, b in itertools.pairwise(own) if onset[b] - onset[a] <= 300]
        if not pairs:
            assert stage not in table.index
            continue
        sums = [question.explanation(int(row), 0).band_sums.ravel() for row in range(len(stages))]
        expected = [sums[a] @ sums[b] / np.linalg.norm(sums[a]) / np.linalg.norm(sums[b]) for a, b in pairs]
        assert table.loc[stage, "n"] == len(pairs)
        assert table.loc[stage, "agreement"] == pytest.approx(np.mean(expected))
        assert table.loc[stage, "minutes"] == pytest.approx(np.mean([onset[b] - onset[a] for a, b in pairs]) / 60)


@pytest.mark.slow
def test_all_is_told_kept_and_taken_up_again(result, night, tmp_path):
    parts = ("faithfulness", "knock-out", "stability", "agreement")
    evaluation = eegflex.evaluate(
        result, night, parts=parts, compare="gradient_shap", sample_per_stage=2, verbose="error"
    )
    named = [finding.check for finding in evaluation.findings]
    assert named == [
        *("faithfulness", "knock-out", "infidelity", "stability: noise", "stability: shift", "sensitivity"),
        *("agreement: baseline", "agreement: second opinion", "agreement: neighbours"),
    ]
    assert all("n" in one.values or "n = " in one.measured for one in evaluation.findings)
    area = evaluation.area
    assert list(area.index) == ["attribution", "gradient_shap", "power", "random"]
    table = evaluation.to_data_frame()
    assert area.loc["power", "behind_attribution"] == pytest.approx(
        (table["area: attribution"] - table["area: power"]).mean()
    )
    assert area.loc["attribution", "behind_attribution"] == 0
    read = Evaluation(eegflex.read_result(evaluation.save(tmp_path / "evaluated.nc")))
    assert str(read) == str(evaluation)
    again = eegflex.evaluate(
        read.result, night, parts=parts, compare="gradient_shap", sample_per_stage=2, verbose="error"
    )
    assert again.to_data_frame().equals(read.to_data_frame())


PART_OF = {"knock-out": "knock-out", "infidelity": "knock-out", "stability": "stability"}
PART_OF |= {"sensitivity": "stability", "agreement": "agreement"}


def _told(result, columns, apart=600.0):
    """An evaluation that found these values, of epochs so many s apart, by their columns."""
    n, dataset = len(next(iter(columns.values()))), result.to_xarray()
    result = eegflex.FlexResult(dataset.assign_coords(onset=("epoch", apart * np.arange(dataset.sizes["epoch"]))))
    full = np.full((dataset.sizes["epoch"], 1, len(columns)), np.nan)
    full[:n, 0] = np.stack(list(columns.values()), axis=-1)
    told = {
        "settings": {"seed": 0},
        "cases": [[int(number), 0] for number in result.data["number"].values[:n]],
        "done": {PART_OF.get(next(iter(columns)).partition(":")[0], "faithfulness"): n + 1},
        "left": [],
        "tables": {},
    }
    return Evaluation(with_measures(result, told, list(columns), full))


GOOD = np.array([0.9, 0.95, 0.92, 0.97, 0.91, 0.93, 0.9])
MIXED = np.array([-0.95, 1.0, -0.9, 1.0, 0.98, -0.97, 0.2])


@pytest.mark.parametrize(
    ("column", "check", "values", "status"),
    [
        (knockout.CORRELATION, "knock-out", GOOD, "ok"),
        (knockout.CORRELATION, "knock-out", -GOOD, "warning"),
        (knockout.CORRELATION, "knock-out", MIXED, "unknown"),
        (knockout.CORRELATION, "knock-out", GOOD[:4], "unknown"),
        (knockout.INFIDELITY, "infidelity", 1 - GOOD, "ok"),
        (knockout.INFIDELITY, "infidelity", 1 + GOOD, "warning"),
        (knockout.INFIDELITY, "infidelity", 1 + MIXED, "unknown"),
        (knockout.INFIDELITY, "infidelity", GOOD[:4], "unknown"),
        (stability.NOISE, stability.NOISE, GOOD, "ok"),
        (stability.SHIFT, stability.SHIFT, GOOD - 0.5, "warning"),
        (stability.SHIFT, stability.SHIFT, MIXED + 0.8, "unknown"),
        (agreements.SECOND, agreements.SECOND, GOOD, "ok"),
        (agreements.SECOND, agreements.SECOND, GOOD - 0.3, "warning"),
        (agreements.SECOND, agreements.SECOND, GOOD[:4], "unknown"),
    ],
)
def test_a_finding_is_ok_only_if_its_whole_interval_is_on_the_good_side(result, column, check, values, status):
    finding = _told(result, {column: values, stability.OTHERS: np.full(len(values), 0.3)}).findings[check]
    assert finding.status == status
    assert finding.values["n"] == len(values)
    low, high = finding.values.get("low", 0), finding.values.get("high", 0)
    assert -1 <= low <= high <= (2 if check == "infidelity" else 1)  # no mean lies beyond what each value can be
    if len(values) > 4:
        assert f"{values.mean():.2f} (" in finding.measured
        assert f"95 % interval {finding.values['low']:.2f} to {finding.values['high']:.2f}" in finding.measured
        assert f"n = {len(values)}" in finding.measured
        assert finding.values["mean"] == pytest.approx(values.mean())


def test_what_no_threshold_tells_good_from_bad_of_is_told_and_not_judged(result):
    finding = _told(result, {stability.SENSITIVITY: GOOD}).findings["sensitivity"]
    assert finding.status == "unknown"
    assert "93 % of their absolute total" in finding.measured
    assert finding.values["n"] == 7


def test_orders_are_said_to_be_better_only_where_they_are_told_apart(result):
    n = 10
    orders = {"attribution": 0.4, "power": 0.1, "gradient_shap": 0.6, "saliency": 0.4, "random": 0.0}
    rng = np.random.default_rng(0)
    columns = {f"area: {name}": mean + 0.05 * rng.standard_normal(n) for name, mean in orders.items()}
    columns |= {f"{kind}: {name}": np.full(n, 0.5) for kind in ("insertion", "deletion") for name in orders}
    (finding,) = _told(result, columns).findings
    assert finding.status == "ok"
    said = {part.split()[1]: part for part in finding.measured.split("; ")[1:]}
    assert "gradient_shap is the better order" in said["gradient_shap"]
    assert "no distinguishable difference" in said["saliency"]
    assert "better" not in said["power"]
    assert "apart" not in said["power"]


def test_what_lies_within_ten_minutes_has_no_interval_and_nothing_is_ok_for_it(result):
    """Epochs next to each other are alike: however many there are, they tell nothing of the night."""
    orders = {
        f"{kind}: {name}": np.full(7, 0.5)
        for kind in ("insertion", "deletion", "area")
        for name in ("attribution", "random")
    }
    for columns in ({knockout.CORRELATION: GOOD}, {knockout.INFIDELITY: 1 - GOOD}, {agreements.SECOND: GOOD}, orders):
        evaluation = _told(result, columns, apart=30.0)
        for finding in evaluation.findings:
            assert finding.status == "unknown"
            assert "nan" not in str(finding)
        (column, *_) = columns
        assert np.isfinite(evaluation.interval(column).mean)
        assert np.isnan(evaluation.interval(column).low)


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        {"method": "feature_ablation"},
        {"method": "saliency"},
        {"baseline": "surrogate"},
        {"target": ("N2", "N1")},
        {"target": "all"},
        {"baseline": 3 * np.ones((2, 961))},
    ],
    ids=["bands only", "slopes", "random phases", "margin", "all", "array"],
)
def test_whatever_was_asked_is_evaluated(night, asked):
    made = eegflex.attribute_epochs(night, **{"baseline": "recording"} | asked, on_check="ignore", verbose="error")
    given = asked.get("baseline") if isinstance(asked.get("baseline"), np.ndarray) else None
    parts = ("faithfulness", "knock-out", "stability", "agreement")
    found = eegflex.evaluate(made, night, parts=parts, baseline=given, groups="bands", verbose="error")
    table = found.to_data_frame()
    assert len(found.findings) == 9
    if asked.get("method") == "saliency":  # slopes are no changes: their sizes say nothing of what is lost
        assert table["agreement: baseline"].isna().all()
    else:
        assert table["knock-out: correlation"].min() > 0.9
        assert table["infidelity: attribution"].max() < 0.2
        assert table["area: attribution"].mean() > table["area: power"].mean() + 0.1
    others = table.filter(regex="^(stability|sensitivity|area|insertion|deletion)")
    assert others.notna().all(axis=None)
