"""Every metric ranks the true explanation of a stager whose truth is known above three wrong ones.

Wrong are: the same attributions given to other bands, to other channels, and those of another epoch. Epochs that raise the
answer above its baseline and epochs that lower it are tried, as many of each. To other bands and channels is wrong in every
epoch, and every metric says so of each. Another epoch's explanation is nearly right where that epoch does the same, since such
a stager reads one band of one channel: there, ranks and cosines of bands are ties, so that this is a theorem of means.

*Power* and *random* are no explanations, and how neighbours agree is a property of a night: they are not ranked. That
explanations from two baselines agree is no sign of truth, and that they do not is no sign against it: the last test.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import eegflex
from eegflex.evaluation import curves, knockout, stability
from eegflex.evaluation.faithfulness import bootstrap, spread_over
from eegflex.evaluation.question import ask
from eegflex.evaluation.truth import share_in_truth
from eegflex.stagers.zoo.known_truth import ALPHA, SLOW_WAVE, SPINDLE

pytestmark = pytest.mark.slow

N = 12
TRUTHS = {truth.name: truth for truth in (SPINDLE, SLOW_WAVE, ALPHA)}
WRONG = ("permuted bands", "permuted channels", "another epoch's")
#: metric -> 1 where more is better, -1 where less is
METRICS = {
    "area": 1,
    "insertion": 1,
    "deletion": -1,
    "area of bands": 1,
    "knock-out": 1,
    "infidelity": -1,
    "noise": 1,
    "shift": 1,
    "sensitivity": -1,
}


@pytest.fixture(scope="module")
def epochs():
    return eegflex.make_epochs(eegflex.simulate_psg(hours=1, sfreq=128, seed=4, verbose="error").raw, verbose="error")


@pytest.fixture(scope="module", params=TRUTHS)
def asked(epochs, request):
    """The question of a stager's own stage, and explanations: of half, the score is above that of an ordinary epoch."""
    truth = TRUTHS[request.param]
    night = eegflex.stage_epochs(epochs, truth.name, verbose="error")
    by_score = np.argsort(night.scores[:, 0, night.stages.index(truth.stage)])
    numbers = np.sort(np.concatenate([by_score[: N // 2], by_score[-N // 2 :]]))
    result = eegflex.attribute_epochs(
        night, target=truth.stage, baseline="recording", select=numbers, on_check="ignore", verbose="error"
    )
    question = ask(result, night)
    return question, [question.explanation(row, 0) for row in range(N)]


@pytest.fixture(scope="module")
def table(asked):
    """Every metric of the true attributions and of the wrong ones, by epoch."""
    _, every = asked
    rng = np.random.default_rng(0)
    rows = [measured(one, {"true": one.values} | wrong_ones(one, every, rng)) for one in every]
    return pd.concat(rows, keys=range(N), names=["epoch", "what"])


def wrong_ones(one, every, rng):
    """Wrong attributions of an epoch, by what is wrong with them."""
    masks = one.masks[one.masks.any(axis=1)]
    by, along = int(rng.integers(1, len(masks))), int(rng.integers(1, len(one.channels)))
    other = every[int(rng.choice([place for place, own in enumerate(every) if own.row != one.row]))]
    permuted = spread_over(np.roll(one.values @ masks.T, by, axis=1), masks)
    return dict(zip(WRONG, (permuted, np.roll(one.values, along, axis=0), other.values), strict=True))


def measured(one, values):
    """Every metric of attributions of one epoch, one row each."""
    in_bands = dataclasses.replace(one, question=dataclasses.replace(one.question, groups="bands"))
    areas, by_bands = curves.areas(one, values), curves.areas(in_bands, values)
    noisy, moved = stability.changed(one)
    rows = {}
    for name, own in values.items():
        stable = stability.stability(own @ one.masks.T, noisy, moved)
        rows[name] = {
            **{kind: areas[f"{kind}: {name}"] for kind in ("area", "insertion", "deletion")},
            "area of bands": by_bands[f"area: {name}"],
            "knock-out": knockout.knock_out(one, own),
            "infidelity": knockout.infidelity(one, own),
            "noise": stable[stability.NOISE],
            "shift": stable[stability.SHIFT],
            "sensitivity": stable[stability.SENSITIVITY],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def changes(every):
    data = every[0].question.data
    return (data["score"].values - data["baseline_score"].values)[:, 0]


def test_epochs_of_both_signs_are_tried(asked):
    change = changes(asked[1])
    assert (change > 0).sum() == (change < 0).sum() == N // 2


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("metric", METRICS)
def test_the_true_explanation_is_ranked_above_a_wrong_one(table, metric, wrong):
    better = METRICS[metric] * (table[metric].xs("true", level="what") - table[metric].xs(wrong, level="what"))
    assert bootstrap(better).low > 0
    if wrong != "another epoch's":
        assert (better > 0).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_maps_at_random_do_not_look_faithful_whether_the_epoch_raises_the_answer_or_lowers_it(asked, sign):
    """Whatever their size, sign and sum: also those of one sign, and the even spread of the true sum."""
    _, every = asked
    rng = np.random.default_rng(1)
    found = {"normal": [], "positive": [], "negative": [], "even": [], "nothing": []}
    for one in (own for own, change in zip(every, changes(every), strict=True) if change * sign > 0):
        n_cells = int(one.cells.max()) + 1
        taken = knockout.halves(n_cells, one.rng("halves"))
        lost, size = knockout.losses(one, taken), np.abs(one.values.sum())
        for drawn in rng.standard_normal((200, n_cells)) * size / np.sqrt(n_cells):
            found["normal"].append(knockout.unexplained(lost, taken @ drawn))
            found["positive"].append(knockout.unexplained(lost, taken @ np.abs(drawn)))
            found["negative"].append(knockout.unexplained(lost, taken @ -np.abs(drawn)))
        found["even"].append(knockout.unexplained(lost, taken @ np.full(n_cells, one.values.sum() / n_cells)))
        found["nothing"].append(knockout.unexplained(lost, 0 * lost))
        assert knockout.infidelity(one, one.values) < 0.1
    means = {name: float(np.mean(values)) for name, values in found.items()}
    assert means == pytest.approx(dict.fromkeys(means, 1.0), abs=0.05)


def test_that_two_baselines_agree_is_no_sign_of_truth(epochs):
    """Slow waves are no peak over the 1/f part, but more than an ordinary epoch has: both explanations are right."""
    night = eegflex.stage_epochs(epochs, SLOW_WAVE.name, verbose="error")
    numbers = np.argsort(night.scores[:, 0, night.stages.index("N3")])[-6:]
    found = [
        eegflex.attribute_epochs(
            night, target="N3", baseline=name, select=np.sort(numbers), on_check="ignore", verbose="error"
        )
        for name in ("recording", "aperiodic")
    ]
    sums = [[ask(one, night).explanation(row, 0).band_sums for row in range(6)] for one in found]
    agree = [stability.similarity(*pair) for pair in zip(*sums, strict=True)]
    assert np.mean(agree) < 0
    for one in found:
        assert np.median(share_in_truth(one, SLOW_WAVE)) > 0.99
