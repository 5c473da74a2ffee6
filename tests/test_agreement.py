"""What answers of stages say: probabilities, the surest answer, and agreement, against answers worked out by hand or anew."""

from __future__ import annotations

import math

import mne
import numpy as np
import pytest
import torch
from attribution_helpers import explain
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import eegflex
from eegflex.agreement import cohens_kappa, confusion
from eegflex.results.tables import agreement, night_confusion, night_stages
from eegflex.scores import consensus, probabilities, surest
from eegflex.spec.model_spec import ChannelSpec, ModelSpec
from eegflex.stagers.ensemble import ensemble

KINDS = ("logits", "log_probs", "probs")
NAN = math.nan
#: Of these two the first is the surer, .40 against .39; softmax, as if they were logits, would have it the other way round.
SURE, UNSURE = [0.40, 0.40, 0.195, 0.0025, 0.0025], [0.1525, 0.1525, 0.1525, 0.39, 0.1525]


def own_probabilities(scores, kind):
    """One row of scores, without numpy; None where they say nothing."""
    if not all(math.isfinite(score) for score in scores):
        return None
    parts = list(scores) if kind == "probs" else [math.exp(score - max(scores)) for score in scores]
    return [part / sum(parts) for part in parts]


def own_answer(sets, kind):
    """The surest channel set of one epoch, its stage, and by how much it is ahead; None where there is none."""
    ranked = [
        (max(row), -place, row.index(max(row)))
        for place, row in enumerate(own_probabilities(scores, kind) for scores in sets)
        if row is not None
    ]
    if not ranked:
        return None
    _, place, stage = max(ranked)
    return -place, stage


@st.composite
def answers(draw):
    """Scores of some epochs and channel sets, some of them not finite, all of one kind."""
    kind = draw(st.sampled_from(KINDS))
    shape = tuple(draw(st.integers(1, most)) for most in (4, 4, 5))
    size = math.prod(shape)
    # Whole numbers and halves, so that what is nearly equal is equal; probabilities are none if all of them are 0.
    least = int(kind == "probs")
    scores = np.array(draw(st.lists(st.integers(least, 8), min_size=size, max_size=size)), float).reshape(shape) / 2
    scores = -scores if kind == "log_probs" else scores
    spoilt = draw(st.lists(st.sampled_from([0.0, 0.0, 0.0, NAN, np.inf]), min_size=size, max_size=size))
    return scores + np.reshape(spoilt, shape), kind


@given(answers())
def test_the_surest_channel_set_speaks_for_an_epoch(drawn):
    scores, kind = drawn
    ranked = scores.copy()
    for epoch, sets in enumerate(ranked.tolist()):
        expected = own_answer(sets, kind)
        stage = consensus(scores, kind)[epoch]
        if expected is None:
            assert stage == -1
            continue
        place = surest(scores, kind)[epoch]
        own, best = own_probabilities(sets[place], kind), own_probabilities(sets[expected[0]], kind)
        assert max(own) == pytest.approx(max(best), abs=1e-12)  # where two are as sure it may be either
        assert own[stage] == max(own)


@given(answers())
def test_probabilities_are_reckoned_row_by_row(drawn):
    scores, kind = drawn
    found = probabilities(scores, kind)
    assert found.dtype == np.float64
    for row, said in zip(
        scores.reshape(-1, scores.shape[-1]).tolist(), found.reshape(-1, scores.shape[-1]), strict=True
    ):
        expected = own_probabilities(row, kind)
        np.testing.assert_allclose(said, [NAN] * len(row) if expected is None else expected, atol=1e-14)


def test_three_epochs_by_hand():
    """The second channel set is the surer of the first epoch, the first of the second; the third is as sure in both."""
    scores = np.array(
        [
            [[2.0, 0.0, 0.0], [0.0, 5.0, 0.0]],
            [[0.0, 0.0, 3.0], [1.0, 0.0, 0.0]],
            [[0.0, 4.0, 0.0], [4.0, 0.0, 0.0]],
        ]
    )
    assert surest(scores, "logits").tolist() == [1, 0, 0]
    assert consensus(scores, "logits").tolist() == [1, 2, 1]
    assert consensus(scores[:, ::-1], "logits").tolist() == [1, 2, 0]


def test_logits_are_sure_by_their_differences_and_not_by_their_size():
    assert consensus(np.array([[[100.0, 100.0, 99.0], [0.0, 0.0, 3.0]]]), "logits").tolist() == [2]
    np.testing.assert_allclose(
        probabilities(np.array([1000.0, 1000.0 + math.log(3)]), "logits"), [0.25, 0.75], atol=1e-12
    )


def test_log_probabilities_are_the_logarithms_of_probabilities():
    row = np.array([0.5, 0.25, 0.25])
    np.testing.assert_allclose(probabilities(np.log(row), "log_probs"), row, atol=1e-15)


def test_stagers_of_probabilities_are_ranked_by_their_own():
    scores = np.array([[SURE, UNSURE], [UNSURE, SURE]])
    assert surest(scores, "probs").tolist() == [0, 1]
    assert consensus(scores, "probs").tolist() == [0, 0]
    assert surest(scores, "logits").tolist() == [1, 0]  # which is what they are not


def test_probabilities_that_an_ensemble_added_up_are_shares():
    added = np.array([2 * np.array(SURE), 2 * np.array(UNSURE)])
    np.testing.assert_allclose(probabilities(added, "probs"), [SURE, UNSURE], atol=1e-15)
    # Two members with the first answer against three with the second: .40 is surer, though .39 adds up to more.
    assert surest(np.stack([2 * np.array(SURE), 3 * np.array(UNSURE)])[None], "probs").tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nothing", [NAN, np.inf])
def test_channel_sets_without_finite_scores_are_passed_over(kind, nothing):
    sound, spoilt = [0.1, 0.2, 0.3], [0.9, nothing, 0.0]
    scores = np.array([[spoilt, sound], [sound, spoilt], [spoilt, spoilt]])
    assert surest(scores, kind)[:2].tolist() == [1, 0]
    assert consensus(scores, kind).tolist() == [2, 2, -1]
    assert np.isnan(probabilities(scores, kind)).all(axis=-1).tolist() == [[True, False], [False, True], [True, True]]


def test_probabilities_that_are_all_zero_say_nothing():
    assert np.isnan(probabilities(np.zeros(3), "probs")).all()
    assert consensus(np.array([[[0.0, 0.0], [0.1, 0.2]]]), "probs").tolist() == [1]


def test_scores_are_left_as_they_were():
    scores = np.array([[SURE, [NAN] * 5]])
    before = scores.copy()
    for ask in (probabilities, surest, consensus):
        ask(scores, "probs")
    np.testing.assert_array_equal(scores, before)


def test_confusion_counts_pairs():
    scored, predicted = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2])
    counts = confusion(scored, predicted, 4)  # nothing is of the last stage
    assert counts.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert confusion(scored[:0], predicted[:0], 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),  # observed .7, expected by chance .5
        ([[45, 15], [25, 15]], (0.6 - 0.54) / (1 - 0.54)),
        ([[3, 0], [0, 4]], 1.0),
        ([[0, 2], [2, 0]], -1.0),
        ([[1, 1], [1, 1]], 0.0),
    ],
)
def test_kappa_is_agreement_beyond_chance(counts, kappa):
    assert cohens_kappa(np.array(counts)) == pytest.approx(kappa, abs=1e-12)


@pytest.mark.parametrize("counts", [[[0, 0], [0, 0]], [[7, 0], [0, 0]]])
def test_kappa_is_undefined_without_epochs_and_with_a_single_stage(counts):
    assert math.isnan(cohens_kappa(np.array(counts)))


# A stager of probabilities, from the signal to the tables.

BINS, FLOOR, TOTAL = (30, 90, 150, 210, 270), 0.01, 4.0


class Shares(nn.Module):
    """Ends in softmax: the probability of each stage is the share of its bin in the power of one channel, from a floor up."""

    def __init__(self):
        super().__init__()
        angles = 2 * torch.pi * torch.tensor(BINS)[:, None] * torch.arange(960) / 960
        self.register_buffer("waves", torch.stack([angles.cos(), angles.sin()]))

    def forward(self, x):
        power = torch.einsum("bct,pst->pbs", x, self.waves).square().sum(0) / 960**2
        return torch.softmax(torch.log(power + FLOOR), dim=-1)


EACH = ModelSpec(name="shares", scores="probs", channels=(ChannelSpec("eeg", types=("eeg",), use="each"),))


def epochs_of(rows):
    """Epochs in which each channel has these probabilities, (epoch, channel, stage)."""
    amplitudes = 2 * np.sqrt(TOTAL * np.array(rows) - FLOOR)
    times = np.arange(960) / 960
    data = np.einsum("ecs,st->ect", amplitudes, np.cos(2 * np.pi * np.array(BINS)[:, None] * times + 1.0))
    info = mne.create_info([f"EEG{i}" for i in range(data.shape[1])], 32.0, "eeg")
    events = np.column_stack([np.arange(len(data)) * 960, np.zeros(len(data), int), np.ones(len(data), int)])
    return mne.EpochsArray(data, info, events=events, baseline=None, verbose="error")


@pytest.fixture(scope="module")
def shared():
    """Five epochs; what the surer channel says: W, W, N3, N3, N3."""
    surer_n3 = [0.02, 0.02, 0.02, 0.92, 0.02]
    return epochs_of([[SURE, UNSURE], [UNSURE, SURE], [UNSURE, surer_n3], [surer_n3, SURE], [UNSURE, surer_n3]])


@pytest.fixture(scope="module")
def explained(shared):
    return explain(shared, Shares(), spec=EACH, target="all", dtype="float64", tol=0.01)


def test_a_staged_night_speaks_with_its_surest_channel(shared):
    night = eegflex.stage_epochs(shared, Shares(), spec=EACH, dtype="float64", verbose="error")
    np.testing.assert_allclose(night.scores[0], [SURE, UNSURE], atol=1e-5)  # as they are: probabilities
    np.testing.assert_allclose(night.probabilities[:2], [SURE, SURE], atol=1e-5)
    # The first two stages of a SURE epoch are as probable; which of them is named is left to rounding.
    assert [stage in ("W", "N1") for stage in night.predicted] == [True, True, False, False, False]
    assert night.predicted[2:].tolist() == ["N3"] * 3


def test_a_result_speaks_with_its_surest_channel(explained):
    counts = explained.counts()
    assert counts.pop("N3") == 3
    assert sum(counts.values()) == 2
    assert set(counts) <= {"W", "N1"}
    chosen, stages = night_stages(explained.data)
    np.testing.assert_allclose(chosen[:2], [SURE, SURE], atol=1e-5)
    assert stages[2:].tolist() == ["N3"] * 3


def test_epochs_that_are_faulty_or_not_staged_by_all_have_no_stage(explained):
    data = explained.to_xarray()
    data["night_fault"].values[2] = "flat"
    data["night_scores"].values[3, 1, 4] = NAN
    chosen, stages = night_stages(data)
    assert (stages == "").tolist() == [False, False, True, True, False]
    assert np.isnan(chosen).tolist() == [[empty] * 5 for empty in (False, False, True, True, False)]
    assert stages[4] == "N3"


def test_the_night_is_compared_with_the_hypnogram_epoch_by_epoch(explained):
    """Predicted W or N1, the same, N3, none, N3; scored W or N1, N3, N3, N3, and a stage that the stager does not know."""
    data = explained.to_xarray()
    data["night_scores"].values[3] = NAN
    first, second = night_stages(data)[1][:2]
    data["night_stage"] = "night", np.array([first, "N3", "N3", "N3", "S4"], dtype=object)
    expected = np.zeros((5, 5), int)
    places = {stage: place for place, stage in enumerate(("W", "N1", "N2", "N3", "REM"))}
    for scored, predicted in ((first, first), ("N3", second), ("N3", "N3")):
        expected[places[scored], places[predicted]] += 1
    assert night_confusion(data).tolist() == expected.tolist()
    kappa, table = agreement(data)
    assert table.loc["N3", "N3"] == 1
    assert table.to_numpy().tolist() == expected.tolist()
    chance = sum(expected.sum(0) * expected.sum(1)) / 9
    assert kappa == pytest.approx((2 / 3 - chance) / (1 - chance))
    data["night_stage"] = "night", np.array(["S4"] * 5, dtype=object)
    assert agreement(data) is None


def test_its_probabilities_are_what_is_explained(explained):
    """From silence, where all are 1/5, to the epoch: without a softmax of what are probabilities already."""
    view = explained.data["frequency_view"].values.sum(axis=-1)  # (epoch, stage, channel), a channel a channel set
    expected = np.array([[SURE, UNSURE], [UNSURE, SURE]]).swapaxes(1, 2) - 0.2
    sizes = np.abs(explained.data["frequency_view"].values[:2]).sum()
    np.testing.assert_allclose(view[:2], expected, atol=0.02 * sizes)
    np.testing.assert_allclose(explained.data["baseline_score"].values, 0.2, atol=1e-12)


def test_a_sample_is_drawn_of_the_stages_by_the_surest_channel(shared):
    drawn = [
        explain(shared, Shares(), spec=EACH, sample_per_stage=1, seed=seed).data["number"].values.tolist()
        for seed in range(4)
    ]
    for numbers in drawn:
        assert sum(number >= 2 for number in numbers) == 1  # of the three of N3


def test_an_ensemble_that_adds_up_probabilities_is_normalised(shared):
    members = [eegflex.load_model(Shares(), spec=EACH) for _ in range(2)]
    night = eegflex.stage_epochs(shared, ensemble(members, "sum"), dtype="float64", verbose="error")
    np.testing.assert_allclose(night.scores[0], 2 * np.array([SURE, UNSURE]), atol=1e-5)
    np.testing.assert_allclose(night.probabilities[:2], [SURE, SURE], atol=1e-5)
    np.testing.assert_allclose(night.probabilities.sum(axis=1), 1.0)
