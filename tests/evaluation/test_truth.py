"""What holds an explanation against a known truth."""

from __future__ import annotations

import example_results
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eegflex
from eegflex.errors import ParameterError
from eegflex.evaluation.truth import area_under_roc, average_precision, cover_of_events, share_in_truth
from eegflex.stagers.zoo.known_truth import SFREQ, SPINDLE

CELLS = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=1, max_size=40)


def by_the_definition(truth, score):
    """Mean over what is to be found of the precision among all that score at least as high."""
    return np.mean([truth[score >= own].mean() for own in score[truth]])


@given(CELLS)
def test_average_precision_is_the_mean_precision_at_what_is_to_be_found(cells):
    truth, score = (np.array(column) for column in zip(*cells, strict=True))
    if truth.any():
        assert average_precision(truth, score) == pytest.approx(by_the_definition(truth, score))
    else:
        assert np.isnan(average_precision(truth, score))


@given(CELLS)
def test_average_precision_depends_on_the_order_alone(cells):
    truth, score = (np.array(column) for column in zip(*cells, strict=True))
    other = average_precision(truth[::-1], np.exp(score[::-1]))
    np.testing.assert_allclose(average_precision(truth, score), other)


def test_average_precision_is_one_for_the_truth_and_its_share_at_random():
    rng = np.random.default_rng(0)
    truth = rng.random((20, 500)) < 0.05
    assert average_precision(truth, truth.astype(float)) == 1
    assert average_precision(truth, np.zeros(truth.shape)) == pytest.approx(truth.mean())
    assert average_precision(truth, rng.random(truth.shape)) == pytest.approx(truth.mean(), rel=0.2)


@pytest.fixture(scope="module")
def explained():
    """Bursts of 14 Hz and 1.5 s in silence on C4, 10 s into each of three epochs, and the table that says so."""
    import mne

    onsets = np.array([10.0, 40.0, 70.0])
    times = np.arange(round(90 * SFREQ)) / SFREQ
    signals = 1e-8 * np.random.default_rng(0).standard_normal((6, len(times)))
    for onset in onsets:
        u = np.clip((times - onset) / 1.5, 0, 1)
        signals[SPINDLE.input] += 30e-6 * np.sin(np.pi * u) ** 2 * np.sin(2 * np.pi * 14 * times)
    info = mne.create_info(["F3", "F4", "C3", "C4", "O1", "O2"], SFREQ, "eeg")
    raw = mne.io.RawArray(signals, info, verbose="error")
    raw.set_annotations(mne.Annotations([0, 30, 60], 30, "N2"))
    epochs = eegflex.make_epochs(raw, verbose="error")
    result = eegflex.attribute_epochs(epochs, SPINDLE.name, target="N2", views=("time-frequency",), verbose="error")
    return result, pd.DataFrame({"onset": onsets, "duration": 1.5, "kind": "spindle", "frequency": 14.0})


def test_bursts_in_silence_are_found_all_but_exactly(explained):
    result, events = explained
    assert share_in_truth(result, SPINDLE).min() > 0.999
    cover = cover_of_events(result, SPINDLE, events)
    assert cover.average_precision > 0.85
    # 4 of 61 frames and 5 of 8 rows: 13 to 15 Hz, every 0.5 Hz, of 12 to 15.5
    assert cover.chance == pytest.approx(4 / 61 * 5 / 8, rel=1e-6)


def test_events_of_other_kinds_and_bands_are_no_truth(explained):
    result, events = explained
    others = [events.assign(kind="alpha"), events.assign(frequency=10.0), events.assign(frequency=np.nan)]
    with_others = pd.concat([events, *others], ignore_index=True)
    assert cover_of_events(result, SPINDLE, with_others) == cover_of_events(result, SPINDLE, events)
    for other in others:
        with pytest.raises(ParameterError, match="known-spindle"):
            cover_of_events(result, SPINDLE, other)


def test_an_epoch_to_which_nothing_is_attributed_has_no_share(explained):
    dataset = explained[0].to_xarray()
    dataset["frequency_view"][0] = 0
    share = share_in_truth(eegflex.FlexResult(dataset), SPINDLE)
    assert np.isnan(share[0])
    assert np.isfinite(share[1:]).all()


def test_a_result_of_another_stager_is_refused(result):
    for held in (lambda: share_in_truth(result, SPINDLE), lambda: cover_of_events(result, SPINDLE, pd.DataFrame())):
        with pytest.raises(ParameterError, match="known-spindle, known-slow-wave"):
            held()


def test_a_result_without_the_view_is_refused(explained):
    result, events = explained
    bands = np.zeros((*result.data["frequency_view"].shape[:2], 7))
    bare = result.to_xarray().drop_vars(
        ["frequency_view", "time_frequency_view", "frame", "frame_freq"], errors="ignore"
    )
    of_bands = eegflex.FlexResult(
        bare.assign(band_view=(("epoch", "channel", "band"), bands[..., : bare.sizes["band"]]))
    )
    with pytest.raises(ParameterError, match="no time-frequency view"):
        cover_of_events(eegflex.FlexResult(result.to_xarray().drop_vars("time_frequency_view")), SPINDLE, events)
    with pytest.raises(ParameterError, match="no frequency view"):
        share_in_truth(of_bands, SPINDLE)


def test_a_part_of_the_channels_and_several_recordings_are_refused(explained):
    result, events = explained
    with pytest.raises(ParameterError, match="Channels were left out"):
        share_in_truth(result.sel(channel="C4"), SPINDLE)
    other = example_results.altered(result, provenance={"input_sha256": "ab" * 32, "recording_sha256": "cd" * 32})
    both = eegflex.concatenate_results([result, other], recordings=["one", "other"])
    assert share_in_truth(both, SPINDLE).shape == (6,)
    with pytest.raises(ParameterError, match="of one recording"):
        cover_of_events(both, SPINDLE, events)


@pytest.mark.parametrize("area", [average_precision, area_under_roc])
@pytest.mark.parametrize(
    ("truth", "score", "words"),
    [
        ([1, 0], [np.nan, 1], "score must be a number for each"),
        ([1, 0], ["1", "2"], "score must be a number for each"),
        ([1, 0], [1j, 2], "score must be a number for each"),
        ([np.nan, 1], [1, 2], "truth must say True or False"),
        ([2, 0], [1, 2], "truth must say True or False"),
        (["no", "yes"], [1, 2], "truth must say True or False"),
        ([1, 0, 1], [1, 2], "one score for each"),
    ],
)
def test_what_has_no_order_has_no_area(area, truth, score, words):
    with pytest.raises(ParameterError, match=words):
        area(truth, score)


@pytest.mark.parametrize("area", [average_precision, area_under_roc])
def test_infinite_scores_have_an_order(area):
    assert area([1, 0], [np.inf, -np.inf]) == 1
