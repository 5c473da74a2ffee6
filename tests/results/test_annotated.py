"""Annotations: what spoke most for and against, when, and only what is beyond its error."""

from __future__ import annotations

import example_results
import mne
import numpy as np
import pandas as pd
import pytest

import eegflex
from eegflex.errors import ParameterError
from eegflex.results.result import FlexResult


@pytest.fixture(scope="module")
def result():
    return example_results.explain(example_results.make_epochs(), views=("time-frequency",))


def words(annotations):
    return [one["description"] for one in annotations]


def changed(result, **values):
    """A result of which some variables hold other numbers."""
    data = result.to_xarray()
    for name, own in values.items():
        data[name] = data[name].copy(data=np.broadcast_to(own, data[name].shape).astype(data[name].dtype))
    return FlexResult(data)


def burst(result, cells):
    """A result in which only some cells of the first epoch's plane say something: (channel, Hz, second) -> attribution."""
    data = result.to_xarray().isel(epoch=[0])
    plane, spectrum = np.zeros(data["time_frequency_view"].shape), np.zeros(data["frequency_view"].shape)
    for (channel, freq, second), value in cells.items():
        place = result.ch_names.index(channel)
        at = np.argmin(np.abs(data["frame_freq"].values - freq)), np.argmin(np.abs(data["frame"].values - second))
        plane[(0, place, *at)] += value
        spectrum[0, place, np.argmin(np.abs(data["freq"].values - freq))] += value
    whole = FlexResult(data)
    return changed(whole, time_frequency_view=plane, frequency_view=spectrum, band_error=0.05, gap=0.0)


def test_the_band_the_channel_and_the_moment_are_named(result):
    made = burst(
        result,
        {
            ("C4-M1", 13, 12.5): 0.4, ("C4-M1", 14, 13.5): 0.3, ("C4-M1", 13, 20.5): 0.1, ("F3-M2", 13, 12.5): 0.5,
            ("O1-M2", 9, 3.5): -0.2, ("O1-M2", 2, 3.5): -0.04,
        },
    )  # fmt: skip
    told = list(made.to_annotations(n_review=0))
    assert [(one["onset"], one["duration"], one["description"], one["ch_names"]) for one in told] == [
        (3.0, 1.0, "against W: alpha at O1-M2 -0.200 of -0.200", ("O1-M2",)),
        (12.0, 2.0, "W: sigma at C4-M1 +0.700 of +0.800", ("C4-M1",)),
    ]


def test_what_is_within_its_error_carries_nothing(result):
    made = burst(result, {("C4-M1", 13, 12.5): 0.04, ("F3-M2", 2, 12.5): -0.03})
    assert words(made.to_annotations(n_review=0)) == ["W: no band beyond its error"]


def test_a_number_that_is_far_smaller_is_not_told_beside_the_larger(result):
    made = burst(result, {("C4-M1", 13, 12.5): 0.9, ("F3-M2", 2, 12.5): -0.08})
    assert words(made.to_annotations(n_review=0)) == ["W: sigma at C4-M1 +0.900 of +0.900"]


def test_an_epoch_that_does_not_explain_its_stage_is_told_as_such(result):
    data = result.data
    made = changed(result[:2], baseline_score=data["score"].values[:2], error=0.5)
    assert words(made.to_annotations(n_review=0)) == [f"{stage}: not explained by the epoch" for stage in ("W", "N1")]


def test_without_a_view_in_time_the_epoch_is_annotated():
    result = example_results.explain(example_results.make_epochs())
    told = list(result.to_annotations(n_review=0))
    own = [one for one in told if not one["description"].startswith("against")]
    assert [one["onset"] for one in own] == [30.0 * k for k in range(10)]
    assert {one["duration"] for one in told} == {30.0}
    table = result.to_data_frame().query("number == 3").sort_values("attribution").iloc[-1]
    assert own[3]["description"] == f"N3: {table['band']} at {table['channel']} {table['attribution']:+.3f}"


@pytest.mark.parametrize("target", ["margin", ("N2", "N1")])
def test_a_margin_is_told_in_words(target):
    result = example_results.explain(example_results.make_epochs(), target=target)
    assert all(" rather than " in one or "review" in one for one in words(result.to_annotations()))


def test_the_most_confident_channel_set_speaks_for_the_epoch():
    result = example_results.make_pair_result()
    scores = result.data["scores"].values
    surest = scores.max(axis=-1).argmax(axis=1)
    own = ("C3-M2", "C4-M1")
    for one in result.to_annotations(n_review=0):
        epoch = int(one["onset"] // 30)
        assert set(one["ch_names"]) <= {own[surest[epoch]], "EOG-L"}
    picked = result.to_annotations(picks="C3-M2", n_review=0)
    assert {int(one["onset"] // 30) for one in picked} == set(np.flatnonzero(surest == 0).tolist())


def test_events_that_carried_a_decision_stand_in_the_place_of_bands(result):
    row = {"number": 2, "channel_set": str(result.data["channel_set"].values[0]), "stage": "N2"}
    told = {"kind": "k_complex", "channel": "C4-M1", "time": 11.25, "duration": 0.75, "share": 0.62}
    carried = pd.DataFrame([row | told, row | {"number": 3}])
    part = result[[2, 3]]
    found = list(part.to_annotations(carried=carried, n_review=0))
    assert found[0]["description"] == "N2: k complex at C4-M1 carries 62 %"
    assert (found[0]["onset"], found[0]["duration"], found[0]["ch_names"]) == (71.25, 0.75, ("C4-M1",))
    assert found[1]["onset"] >= 90.0
    with pytest.raises(ParameterError, match="no column number"):
        part.to_annotations(carried=carried.drop(columns="number"))


@pytest.mark.slow
def test_real_events_are_annotated_where_they_are():
    night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    asked = {"target": "N2", "views": ("time-frequency",), "spectral_share": 0, "verbose": "error"}
    result = eegflex.attribute_epochs(epochs, "known-spindle", **asked).sel(stage="N2")
    table = eegflex.evaluation.decisive_events(result, night.events)
    annotations = result.to_annotations(carried=table, n_review=0)
    spindles = night.events[night.events["kind"] == "spindle"]
    named = [one for one in annotations if "spindle at" in one["description"]]
    assert len(named) > 5
    for one in named:
        assert np.abs(spindles["onset"] - one["onset"]).min() < 1e-6
    raw = night.raw.copy().set_annotations(annotations)
    assert len(raw.annotations) == len(annotations)


def test_the_queue_is_there_and_lies_on_the_recording(result):
    found = result.to_annotations(n_review=3)
    reviewed = {one.split(":")[0] for one in words(found) if one.startswith("review")}
    assert reviewed == {"review 1", "review 2", "review 3"}
    assert not [one for one in words(result.to_annotations(n_review=0)) if "review" in one]
    assert len(result.to_annotations(n_review=None)) == len(result.to_annotations(n_review=0)) + 10
    info = mne.create_info(list(result.ch_names), 10, "eeg")
    raw = mne.io.RawArray(np.zeros((6, 3000)), info, verbose="error")
    assert len(raw.set_annotations(found).annotations) == len(found)
    for n_review in (-1, 2.5, True):
        with pytest.raises(ParameterError, match="n_review"):
            result.to_annotations(n_review=n_review)
