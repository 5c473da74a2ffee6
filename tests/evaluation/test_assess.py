"""How far a result can be believed: numbers of known answer, statuses at their thresholds, and the sentences of both."""

from __future__ import annotations

import json
import re

import example_results
import numpy as np
import pytest
from example_results import STAGES, altered

from eegflex.evaluation import assess
from eegflex.evaluation.assess import TRUST_CHECKS
from eegflex.findings import Finding

#: Hz, as sleep research has them; what lies below and above are two more parts.
EDGES = ((0.5, 4), (4, 8), (8, 12), (12, 16), (16, 30))


def with_data(result, change):
    """A copy of a result whose data were changed."""
    data = result.to_xarray()
    return type(result)(change(data) or data)


def totals_of(data):
    """Absolute totals of the band sums of a result of one channel set, shape (n_epochs,)."""
    freqs, view = data["freq"].values, data["frequency_view"].values.astype(float)
    inside = [(low <= freqs) & (freqs < high) for low, high in EDGES]
    parts = [*inside, freqs < EDGES[0][0], freqs >= EDGES[-1][1]]
    return sum(np.abs(view[..., part].sum(axis=-1)).sum(axis=1) for part in parts)


def staged(result, scored, predicted):
    """The result with a night of so many epochs, whose stages are known."""
    n_night = len(scored)
    data = result.to_xarray().isel(night=np.arange(n_night) % 10)
    scores = np.log(np.where(np.arange(5) == np.asarray(predicted)[:, None], 0.9, 0.025))
    data["night_scores"] = ("night", "channel_set", "stage_name"), scores[:, None]
    names = np.array([*STAGES, "UNSCORED"], dtype=object)[np.asarray(scored)]
    provenance = json.dumps(result.provenance | {"epochs": n_night})
    return type(result)(data.assign_coords(night_stage=("night", names)).assign_attrs(provenance=provenance))


def night_of_bouts(n_bouts, seed=0):
    """Stages in bouts of 1 to 9 epochs, none longer, the next of another stage."""
    rng = np.random.default_rng(seed)
    return np.repeat(np.arange(n_bouts) % 5, rng.integers(1, 10, n_bouts))


def kappa_of(scored, predicted):
    """Cohen's kappa by its definition."""
    agree = (scored == predicted).mean()
    chance = sum((scored == k).mean() * (predicted == k).mean() for k in range(5))
    return (agree - chance) / (1 - chance)


@pytest.fixture(scope="module")
def found(result):
    return assess(result)


def kinds_of_results():
    epochs = example_results.make_epochs()
    yield "slopes", lambda: example_results.explain(epochs, method="saliency")
    yield "whole bands", lambda: example_results.explain(epochs, method="feature_ablation")
    yield "fixed rule", lambda: example_results.make_result(quadrature="gauss-legendre", n_steps=8)
    yield "pairs", example_results.make_pair_result
    yield "context", lambda: example_results.make_context_result(edges="pad")
    yield "night", lambda: example_results.make_night_result(window_length=5, sample_per_stage=1)
    yield "all", lambda: example_results.make_result(target="all")
    yield "unscored", lambda: example_results.explain(example_results.make_epochs(scored=False))


@pytest.fixture(scope="module", params=list(kinds_of_results()), ids=lambda kind: kind[0])
def any_result(request):
    return request.param[1]()


def test_every_number_is_plain_and_comes_with_what_it_is_of(any_result):
    findings = assess(any_result)
    assert [one.check for one in findings] == [name for name in TRUST_CHECKS if name in findings]
    for one in findings:
        assert Finding(**json.loads(json.dumps(one.to_dict(), allow_nan=False))) == one
        if one.values:
            assert any(one.values.get(name) for name in ("n", "n_epochs", "n_recording", "length")), one.check
        assert not re.search(r"\bnan\b", str(one))


def test_a_result_of_all_stages_speaks_for_the_predicted():
    of_all = example_results.make_result(target="all")
    assert assess(of_all) == assess(of_all.for_target())


def test_nothing_is_written_into_the_result(result):
    before = result.to_xarray()
    assess(result)
    assert result.data.identical(before)


class TestAgreement:
    def test_kappa_and_its_n_are_those_of_the_scored_epochs(self, result):
        scored = night_of_bouts(40)
        predicted = np.where(np.arange(len(scored)) % 4, scored, (scored + 1) % 5)
        scored[5:20] = 5  # not scored
        values = assess(staged(result, scored, predicted))["agreement"].values
        judged = scored < 5
        assert values["n_epochs"] == judged.sum()
        assert values["n_agreeing"] == (scored == predicted)[judged].sum()
        assert values["kappa"] == pytest.approx(kappa_of(scored[judged], predicted[judged]))

    def test_the_interval_is_that_of_bouts_drawn_with_replacement(self, result):
        rng = np.random.default_rng(1)
        scored = night_of_bouts(40)
        bout = np.repeat(np.arange(40), np.diff(np.flatnonzero(np.diff(scored, prepend=-1, append=-1))))
        predicted = np.where((rng.random(40) < 0.3)[bout], (scored + 1) % 5, scored)  # wrong in whole bouts
        members = [np.flatnonzero(bout == k) for k in range(40)]
        drawn = [np.concatenate([members[k] for k in rng.integers(40, size=40)]) for _ in range(2000)]
        low, high = np.quantile([kappa_of(scored[epochs], predicted[epochs]) for epochs in drawn], [0.025, 0.975])
        values = assess(staged(result, scored, predicted))["agreement"].values
        assert values["n_bouts"] == 40
        assert values["kappa_low"] == pytest.approx(low, abs=0.02)
        assert values["kappa_high"] == pytest.approx(high, abs=0.02)

    @pytest.mark.parametrize(
        ("wrong", "status"), [(0.0, "ok"), (0.2, "ok"), (0.5, "unknown"), (0.52, "unknown"), (0.9, "warning")]
    )
    def test_it_is_judged_by_the_whole_interval(self, result, wrong, status):
        scored = night_of_bouts(60)
        predicted = np.where(np.random.default_rng(3).random(len(scored)) < wrong, (scored + 2) % 5, scored)
        found = assess(staged(result, scored, predicted))["agreement"]
        assert found.status == status
        if wrong == 0:
            assert (found.values["kappa_low"], found.values["kappa"], found.values["kappa_high"]) == (1, 1, 1)

    def test_the_same_night_has_the_same_interval(self, result):
        scored = night_of_bouts(40)
        night = staged(result, scored, np.roll(scored, 1))
        assert assess(night)["agreement"] == assess(night)["agreement"]

    def test_few_epochs_and_few_bouts_have_no_interval(self, result, found):
        few = found["agreement"]  # 8 scored epochs, all of them right
        assert (few.status, few.values["kappa"], few.values["n_epochs"]) == ("unknown", 1, 8)
        assert "kappa_low" not in few.values
        long = np.repeat([0, 1, 2], 20)
        assert assess(staged(result, long, long))["agreement"].status == "unknown"
        one = np.zeros(70, int)
        undefined = assess(staged(result, one, one))["agreement"]
        assert (undefined.status, undefined.values["kappa"]) == ("unknown", None)

    def test_without_a_hypnogram_there_is_nothing_to_tell(self, result):
        nothing = assess(staged(result, np.full(10, 5), np.zeros(10, int)))["agreement"]
        assert (nothing.status, nothing.values) == ("unknown", {})
        assert "no hypnogram" in nothing.measured


class TestCompleteness:
    def test_gaps_are_shares_of_the_absolute_total_of_the_band_sums(self, result, found):
        data = result.to_xarray()
        shares = np.abs(data["gap"].values[:, 0]) / totals_of(data)
        values = found["completeness"].values
        assert values["n"] == 10
        assert [values[name] for name in ("median", "q90", "largest")] == pytest.approx(
            [np.median(shares), np.quantile(shares, 0.9), shares.max()]
        )

    @pytest.mark.parametrize(("share", "n_within", "status"), [(0.009, 10, "ok"), (0.011, 0, "warning")])
    def test_attributions_add_up_within_one_percent_of_it(self, result, share, n_within, status):
        def widen(data):
            data["gap"].values[:, 0] = share * totals_of(data)

        found = assess(with_data(result, widen))["completeness"]
        assert (found.status, found.values["n_within"]) == (status, n_within)
        assert found.measured.startswith(
            f"in {n_within} of 10 epochs the attributions add up to F(x) − F(x_b) within 1 %"
        )

    def test_what_is_within_its_error_adds_up_to_nothing(self, result):
        """A change of 0.4 % of the total, of which 0.5 % are uncertain, is not told from none."""

        def shrink(data):
            data["gap"].values[:, 0] = 0.005 * totals_of(data)
            data["error"].values[:] = 0
            small = slice(0, n_small)
            data["score"].values[small, 0] = data["baseline_score"].values[small, 0] + 0.004 * totals_of(data)[small]

        n_small = 3
        some = assess(with_data(result, shrink))["completeness"]
        assert (some.status, some.values["n_larger_than_error"], some.values["n_within"]) == ("ok", 7, 7)
        assert some.measured.startswith("in 7 of 7 epochs")
        assert "In 3 more the score changed by no more than the error of the sum" in some.measured
        n_small = 10
        none = assess(with_data(result, shrink))["completeness"]
        assert (none.status, none.values["n_larger_than_error"]) == ("unknown", 0)
        assert "add up to F(x)" not in none.measured

    def test_an_estimated_error_counts_like_a_gap(self, result):
        def spoil(data):
            data["gap"].values[:] = 0
            data["error"].values[:, 0] = (
                2 * np.abs(data["score"] - data["baseline_score"]).values[:, 0] / totals_of(data)
            )

        assert assess(with_data(result, spoil))["completeness"].values["n_larger_than_error"] == 0

    def test_a_method_whose_attributions_do_not_add_up_is_not_judged_by_that(self):
        slopes = assess(example_results.explain(example_results.make_epochs(), method="saliency"))
        assert slopes["completeness"].status == "unknown"
        assert "not meant to sum to the change" in slopes["completeness"].measured
        assert not {"convergence", "precision", "cancellation"} & {one.check for one in slopes}


class TestPrecision:
    @pytest.mark.parametrize(
        ("share", "status", "words"),
        [
            (0.005, "ok", "exact enough"),
            (0.03, "ok", "less than about 3 % of their absolute total mean nothing"),
            (0.3, "error", "should not be relied on"),
        ],
    )
    @pytest.mark.parametrize("by", ["gap", "error"])
    def test_the_larger_one_of_gap_and_estimate_judges(self, result, share, status, words, by):
        def spoil(data):
            data["gap"].values[:, 0] = totals_of(data) * (share if by == "gap" else 0)
            data["error"].values[:] = share if by == "error" else 0

        found = assess(with_data(result, spoil))["precision"]
        assert found.status == status
        assert words in found.measured
        assert found.values["error"] == pytest.approx(share)
        assert bool(found.remedy) == (status == "error")

    def test_a_twentieth_of_the_epochs_may_be_worse(self):
        many = example_results.explain(example_results.make_epochs(n_epochs=100))

        def spoil(data):
            data["gap"].values[:] = 0
            data["error"].values[:] = 0.004
            data["error"].values[:n_bad] = 0.5

        n_bad = 5
        assert assess(with_data(many, spoil))["precision"].values["error"] == 0.004
        n_bad = 6
        assert assess(with_data(many, spoil))["precision"].status == "error"

    def test_without_an_estimate_the_gap_is_said_to_be_all_that_is_known(self):
        fixed = assess(example_results.make_result(quadrature="gauss-legendre", n_steps=8))
        assert "by the completeness gap alone" in fixed["precision"].measured
        assert fixed["convergence"].status == "unknown"
        assert "adaptive" in fixed["convergence"].remedy


def test_convergence_is_counted_against_the_tolerance(result):
    def spread(data):
        data["error"].values[:] = np.linspace(0.001, 0.02, 10)[:, None]
        data["error"].values[4] = largest

    largest = 0.043
    found = assess(with_data(result, spread))["convergence"]
    assert (found.status, found.values["n_converged"], found.values["n"], found.values["tol"]) == (
        "warning",
        9,
        10,
        0.02,
    )
    assert found.measured.startswith(
        "9 of 10 epochs converged to the tolerance of 2 %; the largest estimated error of the"
    )
    assert "is 4.3 % of" in found.measured
    largest = 0.02
    all_of_them = assess(with_data(result, spread))["convergence"]
    assert all_of_them.status == "ok"
    assert all_of_them.measured.startswith("all 10 epochs converged")


def test_cancelling_contributions_are_told(result, found):
    data = result.to_xarray()
    change = np.abs(data["score"] - data["baseline_score"]).values[:, 0]
    values = found["cancellation"].values
    assert values["ratio"] == pytest.approx(np.median(totals_of(data)) / np.median(change))
    assert found["cancellation"].status == "ok"

    def shrink(data):
        data["score"].values[:] = data["baseline_score"].values + 1e-3

    cancelling = assess(with_data(result, shrink))["cancellation"]
    assert cancelling.status == "warning"
    assert "contributions of both signs cancel" in cancelling.measured
    assert cancelling.values["change"] == pytest.approx(1e-3, rel=1e-3)


def test_nothing_is_said_of_attributions_that_are_not_there(result):
    """A score that nothing moves: of no parts there is no error, and none cancel."""

    def empty(data):
        for name in ("frequency_view", "time_view", "size", "gap", "error"):
            if name in data:
                data[name].values[:] = 0
        data["score"].values[:] = data["baseline_score"].values

    assert not {"precision", "cancellation"} & {one.check for one in assess(with_data(result, empty))}


class TestWindow:
    def test_it_is_told_with_its_n(self, result, found):
        assert "window" not in found  # a stager of single epochs has none
        by_stage = {"N2": [0.031, 0.041], "N3": [0.0893]}
        window = {"length": 21, "error_median": 0.041, "error_largest": 0.0893, "error_by_stage": by_stage}
        window |= {"measured_on_epochs": 3, "measured_against": "windows of 161 epochs"}
        found = assess(altered(result, provenance={"window": window}))["window"]
        assert found.measured == (
            "explained within windows of 21 epochs; on 3 epochs the band sums differ from those in windows of 161 epochs by "
            "4.1 % (median), 8.9 % (largest), at most by stage: N2 4.1 % (n = 2), N3 8.9 % (n = 1)"
        )
        assert (found.status, found.values["n_epochs"], found.values["largest"]) == ("warning", 3, 0.0893)

    def test_it_is_that_of_the_engine(self):
        quick = {"sample_per_stage": 1, "quadrature": "graded", "n_steps": 4}
        within = assess(example_results.make_night_result(window_length=5, **quick))["window"]
        assert (within.status, within.values["length"], within.values["n_epochs"]) == ("ok", 5, 5)
        assert 0 <= within.values["median"] <= within.values["largest"] < 1e-5  # it hears only the epoch before
        whole = assess(example_results.make_night_result(window_length=21, **quick))["window"]
        assert whole.measured == "explained within windows of 10 epochs, which is all that the stager was given"


class TestEdges:
    def test_they_are_counted(self, result):
        def at_edges(data):
            edges = np.array(["shifted"] * 2 + ["inside"] * 7 + ["padded"], dtype=object)
            return data.assign_coords(edge=("epoch", edges), filter_edge=("epoch", np.arange(10) < 3))

        found = assess(with_data(result, at_edges))["edges"]
        assert dict(found.values) == {
            "n_epochs": 10, "n_near_edge": 4, "n_filter_edge": 3, "n_shifted": 2, "n_padded": 1
        }  # fmt: skip
        assert found.status == "warning"
        for said in (
            "2 epochs near the edge of a run had their window shifted",
            "1 epoch near the edge of a run had its window filled with silence",
            "3 epochs near the edge of a run: the preparation's filter",
        ):
            assert said in found.measured

    def test_none_is_well(self, result):
        inside = with_data(result, lambda data: data.assign_coords(filter_edge=("epoch", np.zeros(10, bool))))
        assert assess(inside)["edges"].status == "ok"

    def test_windows_that_the_engine_pads_are_counted(self):
        assert assess(example_results.make_context_result(edges="pad"))["edges"].values["n_padded"] == 2


class TestLeftOut:
    def test_none_is(self, found):
        assert found["left out"].measured == "none of 10 epochs was left out"

    def test_faults_are_counted_by_their_kind(self, result):
        faults = np.array(["flat", "not finite", "not finite", "at an edge", *[""] * 6], dtype=object)
        spoilt = with_data(
            result, lambda data: data.isel(epoch=slice(4, None)).assign_coords(night_fault=("night", faults))
        )
        found = assess(spoilt)["left out"]
        assert (found.status, found.values["n_faulty"], found.values["n_explained"]) == ("warning", 4, 6)
        for said in (
            "1 epoch was left out: its signal is flat",
            "2 epochs were left out: their signal is not finite",
            "1 epoch was left out: the filter of the preparation reaches it from beyond the edge of a run",
        ):
            assert said in found.measured

    @pytest.mark.parametrize(
        ("make", "alone", "others", "why"),
        [
            (lambda: example_results.make_context_result(sample_per_stage=1), 2, 3, "not drawn for the sample"),
            (lambda: example_results.make_context_result(), 2, 0, "the stager needs neighbours"),
            (lambda: example_results.make_result(target="scored"), 0, 2, "2 epochs more were not scored"),
        ],
    )
    def test_each_has_its_reason(self, make, alone, others, why):
        found = assess(make())["left out"]
        assert (found.values["n_without_neighbours"], found.values["n_not_chosen"]) == (alone, others)
        assert why in found.measured


def test_a_stopped_attribution_is_a_warning(result, found):
    assert "stopped" not in found
    stopped = assess(altered(with_data(result, lambda data: data.isel(epoch=slice(6))), provenance={"partial": True}))
    assert stopped["stopped"].values == {"n_explained": 6, "n_recording": 10}
    assert stopped["stopped"].status == "warning"
    assert "4 epochs more were not reached" in stopped["left out"].measured


@pytest.mark.parametrize(
    ("statuses", "status"),
    [(["ok", "unknown"], "ok"), (["ok", "warning"], "warning"), (["warning", "error"], "error"), ([], "unknown")],
)
def test_the_models_checks_have_the_worst_status_of_all(result, statuses, status):
    checks = [Finding(one, f"said {one}", f"mend {one}", f"check {k}").to_dict() for k, one in enumerate(statuses)]
    found = assess(altered(result, provenance={"checks": checks}))["model checks"]
    assert found.status == status
    if status in ("warning", "error"):
        assert f"said {status}" in found.measured
        assert f"mend {status}" in found.remedy
        assert "said ok" not in found.measured
