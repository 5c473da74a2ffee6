"""The review queue: what a scorer should look at first."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest
import torch
import trained

import eegflex
from eegflex.agreement import cohens_kappa, confusion
from eegflex.errors import ParameterError
from eegflex.review import Answers, epochs_to_review, queue_of, review_queue, save_queue, to_annotations

STAGES = ("W", "N1", "N2")


def answers(probabilities, predicted, scored=None, run=None, fault=None):
    """Of one recording; probabilities are (member, epoch, channel set, stage)."""
    n = len(predicted)
    return Answers(
        STAGES,
        np.asarray(probabilities, dtype=float),
        np.array(predicted),
        np.array(scored if scored is not None else ["UNSCORED"] * n),
        np.full(n, "", dtype=object),
        np.arange(n),
        30.0 * np.arange(n),
        np.zeros(n, dtype=int) if run is None else np.array(run),
        np.array([""] * n if fault is None else fault),
    )


def alone(*rows, **more):
    """One channel set, one member; runs of one epoch, so that there are no neighbours."""
    predicted = [STAGES[int(np.argmax(row))] for row in rows]
    return answers([[[row] for row in rows]], predicted, **{"run": range(len(rows))} | more)


def test_the_least_sure_comes_first():
    queue = queue_of(alone([0.9, 0.1, 0], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7]))
    assert queue["epoch"].tolist() == [1, 2, 0]
    assert queue["rank"].tolist() == [1, 2, 3]
    assert queue["doubt"].tolist() == pytest.approx([0.5, 0.3, 0.1])
    assert queue["margin"].tolist() == pytest.approx([0.1, 0.5, 0.8])
    assert queue["second"].tolist() == ["N1", "W", "N1"]
    assert queue["reasons"][0] == "W/N1 margin 0.10"


def test_channel_sets_that_disagree_make_doubt_and_are_told():
    """The surest says W with .9 both times; in the second epoch three of four others say something else."""
    sets = [[[0.9, 0.1, 0]] * 4, [[0.9, 0.1, 0], [0.2, 0.6, 0.2], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]]]
    queue = queue_of(answers([sets], ["W", "W"], run=[0, 1]))
    assert queue["epoch"].tolist() == [1, 0]
    assert queue["disagreeing"].tolist() == [0.75, 0]
    assert queue["doubt"][0] == pytest.approx(1 - (0.9 + 0.2 + 0.2 + 0.1) / 4)
    assert "2 of 4 channel sets say N1" in queue["reasons"][0]
    assert "1 of 4 channel sets says N2" in queue["reasons"][0]
    assert "channel sets" not in queue["reasons"][1]


def test_a_channel_set_without_an_answer_has_no_voice():
    queue = queue_of(answers([[[[0.8, 0.2, 0], [np.nan] * 3]]], ["W"]))
    assert queue["doubt"][0] == pytest.approx(0.2)
    assert queue["disagreeing"][0] == 0


def test_members_that_disagree_make_doubt_and_are_told():
    members = [[[[0.8, 0.1, 0.1]], [[0.7, 0.2, 0.1]]], [[[0.8, 0.1, 0.1]], [[0.1, 0.8, 0.1]]]]
    queue = queue_of(answers(members, ["W", "W"], run=[0, 1]))
    assert queue["epoch"].tolist() == [1, 0]
    assert "1 of 2 members says N1" in queue["reasons"][0]


def test_an_epoch_that_its_neighbours_are_not_is_doubted_more():
    """All have the same margin; one stands between others. Beyond the edge of a run there are no neighbours."""
    sure, other = [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]
    rows, predicted = [sure, sure, other, sure, sure, other], ["W", "W", "N2", "W", "W", "N2"]
    queue = queue_of(answers([[[row] for row in rows]], predicted, run=[0, 0, 0, 0, 0, 1]))
    assert queue["epoch"].tolist() == [2, 1, 3, 0, 4, 5]
    beside = 1 - (0.5 * 0.8 + 0.25 * 0.8 + 0.25 * 0.1)
    assert queue["doubt"].tolist() == pytest.approx([1 - (0.4 + 0.05), beside, beside, 0.2, 0.2, 0.2])
    assert "between W" in queue["reasons"][0]
    assert not queue["reasons"][1:].str.contains("between").any()


def test_what_was_scored_otherwise_comes_first_the_least_probable_before_all():
    rows = [[0.6, 0.4, 0], [0.98, 0.01, 0.01], [0.6, 0.3, 0.1], [0.9, 0.1, 0]]
    asked = alone(*rows, scored=["W", "N2", "N1", "MOVEMENT"])
    queue = queue_of(asked)
    assert queue["epoch"].tolist() == [1, 2, 0, 3]
    assert queue["p_scored"].tolist()[:2] == pytest.approx([0.01, 0.3])
    assert queue["reasons"][0].startswith("scored N2, the model says W")
    assert queue["p_scored"][2:].isna().all()
    without = queue_of(asked, hypnogram=False)
    assert without["epoch"].tolist() == [0, 2, 3, 1]
    assert "scored" not in " ".join(without["reasons"])


def test_epochs_that_are_not_staged_come_last_and_are_no_neighbours():
    rows = [[0.9, 0.1, 0], [np.nan] * 3, [0.6, 0.4, 0]]
    asked = answers([[[row] for row in rows]], ["W", "UNSCORED", "W"], fault=["", "flat", ""])
    queue = queue_of(asked)
    assert queue["epoch"].tolist() == [2, 0, 1]
    assert queue["reasons"][2] == "not staged: flat"
    assert queue["doubt"].tolist()[:2] == pytest.approx([0.4, 0.1])
    assert np.isnan(queue["doubt"][2])


def test_trust_is_told_and_changes_no_order():
    asked = alone([0.9, 0.1, 0], [0.5, 0.4, 0.1])
    trust = pd.DataFrame({"epoch": [0, 0, 1], "trust": ["not trusted", "trusted", "trusted"]})
    queue = queue_of(asked, trust=trust)
    assert queue["epoch"].tolist() == queue_of(asked)["epoch"].tolist()
    assert queue["trust"].tolist() == ["trusted", "not trusted, trusted"]
    assert queue["reasons"][1].endswith("explanation: not trusted, trusted")
    with pytest.raises(ParameterError, match="no table of trust"):
        queue_of(asked, trust=pd.DataFrame({"number": [1]}))


def test_annotations_go_with_the_recording_into_files(tmp_path):
    queue = queue_of(alone([0.9, 0.1, 0], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7]))
    raw = mne.io.RawArray(np.zeros((1, 9000)), mne.create_info(["C4-M1"], 100.0, "eeg"), verbose="error")
    raw.set_annotations(to_annotations(queue, 2))
    assert raw.annotations.onset.tolist() == [30.0, 60.0]
    assert raw.annotations.description.tolist() == ["review 1: W/N1 margin 0.10", "review 2: N2/W margin 0.50"]
    mne.export.export_raw(tmp_path / "review.edf", raw, verbose="error")
    assert list(mne.io.read_raw_edf(tmp_path / "review.edf", verbose="error").annotations.description) == list(
        raw.annotations.description
    )
    for name in ("review.csv", "review-annot.fif"):
        raw.annotations.save(tmp_path / name)
        assert mne.read_annotations(tmp_path / name).description.tolist() == raw.annotations.description.tolist()
    several = queue.assign(recording=["a", "b", "b"])
    with pytest.raises(ParameterError, match="of one"):
        to_annotations(several)


def test_epochs_to_review_is_the_first_count_that_reaches_kappa():
    """Held against the definition: replace one after the other, and compute kappa anew."""
    rng = np.random.default_rng(0)
    stage = rng.choice(STAGES, 60)
    predicted = np.where(rng.random(60) < 0.4, rng.choice(STAGES, 60), stage)
    queue = pd.DataFrame({"stage": stage, "predicted": predicted})
    places = {name: place for place, name in enumerate(STAGES)}
    real, given = ([places[name] for name in own] for own in (stage, predicted))
    for wanted in (0.5, 0.8, 0.9, 1.0):
        kappas = [
            cohens_kappa(confusion(np.array(real), np.array(real[:n] + given[n:]), len(STAGES))) for n in range(61)
        ]
        assert epochs_to_review(queue, wanted) == next(n for n, kappa in enumerate(kappas) if kappa >= wanted)
    with pytest.raises(ParameterError):
        epochs_to_review(queue, 1.5)


def test_epochs_without_a_true_stage_are_passed_over():
    queue = pd.DataFrame({"stage": ["UNSCORED", "N1", "W", "N1"], "predicted": ["W", "W", "W", "N1"]})
    assert epochs_to_review(queue) == 2
    assert epochs_to_review(queue.assign(predicted=queue["stage"])) == 0
    assert epochs_to_review(queue.iloc[:1]) is None


@pytest.fixture(scope="module")
def night():
    recorded = eegflex.simulate_psg(hours=1, sfreq=128, seed=7, verbose="error")
    return eegflex.stage_epochs(eegflex.make_epochs(recorded.raw, verbose="error"), "bandpower", verbose="error")


def test_a_result_has_the_queue_of_its_night(night):
    result = eegflex.attribute_epochs(night, sample_per_stage=1, on_check="ignore", verbose="error")
    ours, theirs = (review_queue(one, hypnogram=False) for one in (night, result))
    pd.testing.assert_frame_equal(ours.drop(columns="recording"), theirs.drop(columns="recording"))
    assert len(ours) == len(night)


def test_errors_are_found_sooner_than_at_random(night):
    queue = night.review_queue(hypnogram=False)
    wrong = (queue["stage"] != queue["predicted"]).to_numpy()
    assert wrong.sum() >= 5
    assert np.flatnonzero(wrong).mean() < 0.5 * len(queue) / 2
    assert epochs_to_review(queue) < len(queue) / 2


def test_with_the_hypnogram_every_disagreement_comes_first(night):
    queue = night.review_queue()
    wrong = (queue["stage"] != queue["predicted"]).to_numpy()
    assert wrong[: wrong.sum()].all()


def test_members_of_an_ensemble_are_asked_apart():
    """Two networks that differ: the disagreement is that of their own nights."""
    recorded = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=7, verbose="error")
    epochs = eegflex.make_epochs(recorded.raw, verbose="error")
    one, other = trained.chambon(), trained.chambon()
    with torch.no_grad():
        list(other.module.parameters())[-1][1] += 3  # the last bias: it says N1 more often
    both = eegflex.stage_epochs(epochs, eegflex.stagers.ensemble([one, other]), verbose="error")
    apart = [eegflex.stage_epochs(epochs, own, verbose="error").probabilities for own in (one, other)]
    queue = both.review_queue(hypnogram=False).sort_values("epoch")
    places = [both.stages.index(stage) for stage in both.predicted]
    mean = np.mean(apart, axis=0)[np.arange(len(both)), places]
    assert np.allclose(queue["p"], mean, atol=1e-5)
    assert queue["reasons"].str.contains("1 of 2 members").any()


QUEUE = pd.DataFrame(
    {
        "rank": [1, 2],
        "recording": ["a", "a"],
        "onset": [30.0, 0.0],
        "stage": ["N1", "W"],
        "predicted": ["W", "W"],
        "reasons": ["near", "far"],
    }
)


@pytest.mark.parametrize("name", ["stage", "predicted"])
@pytest.mark.parametrize("value", [None, np.nan, 3], ids=repr)
def test_a_stage_that_is_no_name_is_refused(name, value):
    with pytest.raises(ParameterError, match=f"The column {name} must hold names. Got {value}"):
        epochs_to_review(QUEUE.assign(**{name: value}))
    with pytest.raises(ParameterError, match=f"no review queue. Got no column {name}"):
        epochs_to_review(QUEUE.drop(columns=name))


@pytest.mark.parametrize("truth", [["W"], [], ["W"] * 3, {"W": 1}, "WW"], ids=repr)
def test_a_truth_that_is_not_of_each_row_is_refused(truth):
    with pytest.raises(ParameterError, match="truth must have a stage for each row of the queue"):
        epochs_to_review(QUEUE, truth=truth)


def test_a_truth_goes_before_the_hypnogram():
    assert epochs_to_review(QUEUE, truth=["W", "W"]) == 0
    assert epochs_to_review(QUEUE.drop(columns="stage"), truth=np.array(["N1", "W"])) == 1


@pytest.mark.parametrize("n", [-1, 1.5, np.nan, "all"], ids=repr)
def test_annotations_of_no_number_of_epochs_are_refused(n):
    with pytest.raises(ParameterError, match="n must be a positive whole number or 0"):
        to_annotations(QUEUE, n)


@pytest.mark.parametrize("duration", [-30.0, 0, np.nan, np.inf, 1e300, None, [30.0], True, 1j], ids=repr)
def test_annotations_of_no_length_are_refused(duration):
    with pytest.raises(ParameterError, match="duration must be a number"):
        to_annotations(QUEUE, duration=duration)


@pytest.mark.parametrize("spoil", [{"onset": "a"}, {"onset": np.nan}, {"onset": pd.Timestamp(0)}, {"reasons": None}])
def test_annotations_of_what_is_no_moment_or_says_nothing_are_refused(spoil):
    with pytest.raises(ParameterError, match="must hold"):
        to_annotations(QUEUE.assign(**spoil))


@pytest.mark.parametrize("queue", [pd.DataFrame(), QUEUE.drop(columns="onset"), QUEUE.assign(onset="a")])
def test_what_is_no_queue_is_not_written_and_the_older_file_stays(queue, tmp_path):
    (tmp_path / "queue.csv").write_text("as it was")
    with pytest.raises(ParameterError, match="onset"):
        save_queue(queue, tmp_path / "queue.csv", overwrite=True)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["as it was"]


def test_any_whole_number_counts_epochs():
    for n in (np.array(1), 1.0, np.int8(1)):
        assert to_annotations(QUEUE, n).onset.tolist() == [30.0]
