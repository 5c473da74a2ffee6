"""The benchmark that the default baseline was chosen by: it measures what it says, and its tables say what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eegflex
from benchmarks import faithfulness
from benchmarks.nights import Bench
from eegflex.evaluation.faithfulness import frequency_groups, insertion_and_deletion, order_by, sum_by_group


@pytest.fixture(scope="module")
def bench():
    recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=3, verbose="error")
    return Bench.of(eegflex.load_model("known-spindle"), eegflex.make_epochs(recorded.raw, verbose="error"))


@pytest.mark.slow
@pytest.mark.parametrize("baseline", ["zero", "surrogate"])
def test_orders_find_the_band_that_a_stager_reads(bench, baseline):
    """It reads 12 to 16 Hz of C4: from silence, four of its groups are all there is, and power does not tell them."""
    number = bench.balanced(1)[:1]
    (record,) = faithfulness.measure(bench, baseline, number, 0)
    area = record["area"]
    assert json.loads(json.dumps(record)) == record
    assert area["flex"] > area["power"]
    assert area["flex by bands"] == pytest.approx(area["shapley"], abs=0.1)
    assert set(faithfulness.ORDERS) - set(area) == ({"gradient_shap"} if baseline == "surrogate" else set())
    assert 0 <= record["p alone"] <= 1
    assert record["p night"] is None  # nothing but the epoch itself is read


@pytest.mark.slow
def test_change_times_gradient_from_silence_is_input_times_gradient(bench):
    number = bench.balanced(1)[:1]
    (record,) = faithfulness.measure(bench, "zero", number, 0)
    result = eegflex.attribute_epochs(
        bench.night, method="input_x_gradient", select=number, on_check="ignore", verbose="error"
    )
    values = result.to_xarray()["frequency_view"].values[0]
    groups = frequency_groups(result.freqs, len(values))
    end = bench.night.bound[0].inputs(faithfulness.torch.from_numpy(number))[0]
    request = faithfulness.make_request(bench.night, faithfulness.Settings(), number)
    score = faithfulness._probability_in(request, int(number[0]))
    order = order_by(sum_by_group(values, groups))
    (curves,) = insertion_and_deletion(score, end * 0, end, groups, [order])
    assert record["area"]["change x gradient"] == pytest.approx(curves.area, abs=1e-3)


def test_the_baseline_of_the_runner_up_is_that_of_the_second_highest_score(bench):
    numbers = bench.balanced(2)
    asked = faithfulness._questions(bench, faithfulness.RUNNER_UP, numbers)
    of = {int(number): name for name, own in asked for number in own}
    assert sorted(of) == numbers.tolist()
    for number, name in of.items():
        scores = bench.night.scores[number, 0]
        assert scores[bench.night.stages.index(name.removeprefix("stage:"))] == np.sort(scores)[-2]


def made(stage, flex, power, **more):
    facts = {"stager": "GSSC", "baseline": "zero", "stage": stage, "p": 0.9, "p alone": 0.2, "p night": 0.1}
    facts |= {"called alone": "W", "called night": "N1", "disagreement": 0.5, "below": [0.1, 0.6]}
    return facts | {"gradients": 21, "not explained": False, "area": {"flex": flex, "power": power}} | more


def test_tables_tell_the_difference_on_the_same_epochs():
    level = np.linspace(0, 1, 8)
    found = [made(stage, own + 0.1, own) for stage in ("REM", "W") for own in level]
    orders, differences, by_stage = faithfulness.tables(found).split("| stager")[1:]
    assert "0.60 [" in orders
    assert "–" in orders  # an order that was not measured
    assert "**0.10 [0.10, 0.10]**" in differences
    assert by_stage.index("| W |") < by_stage.index("| REM |")
    assert "0.20 (W 8)" in by_stage
    assert "10 %, 60 %" in by_stage
    assert "SeqSleepNet (PhysioEx) was not measured" in faithfulness.tables(found)


def test_a_stager_that_sees_no_context_has_nothing_said_of_the_night():
    found = [made("N2", 0.3, 0.2, **{"p night": None, "called night": None})]
    assert "– |" in faithfulness.tables(found)
    assert "nan" not in faithfulness.tables(found)
