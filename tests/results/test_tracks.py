"""Tracks: each second of an epoch has its part of the epoch's attributions, wherever epochs lie, and nothing is lost."""

from __future__ import annotations

import example_results
import numpy as np
import pytest

from eegflex import Bands
from eegflex.errors import ParameterError
from eegflex.results.result import FlexResult
from eegflex.results.tracks import Seconds, attribution_tracks, night_tracks, unexplained_stretches

VIEWS = {"frequency": (), "time": ("time",), "time-frequency": ("time-frequency",)}


@pytest.fixture(scope="module")
def results():
    """The same epochs explained with each view in time."""
    epochs = example_results.make_epochs()
    return {name: example_results.explain(epochs, views=views) for name, views in VIEWS.items()}


def moved(result, onsets):
    """A result whose epochs, and whose night's, lie at other times."""
    data = result.to_xarray()
    onsets = np.asarray(onsets, dtype=float)
    return FlexResult(data.assign_coords(onset=("epoch", onsets[: data.sizes["epoch"]]), night_onset=("night", onsets)))


def seconds_of(result, bands=None, members=None):
    data = result.for_target().data
    every = np.ones(data.sizes["channel"], dtype=bool)
    return Seconds(data, Bands() if bands is None else bands, every if members is None else members)


def values_of(seconds):
    found = [track.values for track in attribution_tracks(seconds)]
    return np.reshape(found, (seconds.data.sizes["channel"], len(seconds.names), -1))


@pytest.mark.parametrize("view", VIEWS)
def test_the_seconds_of_an_epoch_add_up_to_its_attributions(results, view):
    result = results[view]
    values = values_of(seconds_of(result))
    table = result.to_data_frame().set_index(["number", "channel", "band"])["attribution"].unstack("band").sort_index()
    for epoch, number in enumerate(result.data["number"].values):
        own = values[..., 30 * epoch : 30 * epoch + 30].sum(axis=-1)
        told = table.loc[number].loc[list(result.ch_names)]
        np.testing.assert_allclose(own[:, :-1], told[list(Bands())], atol=1e-9)
        np.testing.assert_allclose(own[:, -1], told.sum(axis=1), atol=1e-9)


def test_bands_of_the_reader_add_up_too(results):
    bands = Bands({"slow": (0.5, 1.5), "fast": (9, 14)})
    result = results["time-frequency"]
    values = values_of(seconds_of(result, bands))
    table = result.to_data_frame(bands).pivot(index=["number", "channel"], columns="band", values="attribution")
    sums = values.reshape(len(result.ch_names), 3, len(result), 30).sum(axis=-1)
    for k, band in enumerate(bands):
        np.testing.assert_allclose(sums[:, k].T, table[band].unstack("channel")[list(result.ch_names)], atol=1e-9)


def test_a_time_view_knows_when_of_all_frequencies_and_not_of_a_band(results):
    result = results["time"]
    seconds = seconds_of(result)
    values = values_of(seconds)
    by_second = result.data["time_view"].values.reshape(len(result), len(result.ch_names), 30, -1).sum(axis=-1)
    np.testing.assert_allclose(
        values[:, -1].reshape(len(result.ch_names), len(result), 30), by_second.swapaxes(0, 1), atol=1e-6
    )
    bands = values[:, :-1].reshape(len(result.ch_names), 5, len(result), 30)
    np.testing.assert_allclose(bands, bands[..., :1] * np.ones(30), rtol=1e-9)
    assert [seconds.is_even(name) for name in seconds.names] == [True] * 5 + [False]
    assert "evenly" in seconds.how["delta"]


def test_a_burst_lies_in_the_seconds_in_which_it_was():
    epochs = example_results.make_epochs()
    data = epochs.get_data(copy=True)
    times = np.arange(int(30 * example_results.SFREQ)) / example_results.SFREQ
    quiet = 1e-6 * np.random.default_rng(0).standard_normal(data.shape)
    burst = 40e-6 * np.sin(2 * np.pi * 13.0 * times) * ((times >= 11) & (times < 14))
    quiet[2] += burst  # an N2 of one burst of sigma
    epochs._data[:] = quiet
    result = example_results.explain(epochs, views=("time-frequency",), target="N2", on_check="ignore")
    sigma = values_of(seconds_of(result))[0, list(Bands()).index("sigma"), 60:90]
    assert sigma[10:15].sum() > 0.95 * sigma.sum() > 0
    assert np.argmax(sigma) in (11, 12, 13)


@pytest.mark.parametrize("view", ["time", "time-frequency"])
@pytest.mark.parametrize("phase", [0.25, 0.5, 12.9, 7.0])
def test_an_epoch_that_begins_within_a_second_shares_it(results, view, phase):
    result = results[view]
    there = seconds_of(moved(result, phase + 30.0 * np.arange(10)))
    here = seconds_of(result)
    assert there.n_seconds == int(np.ceil(300 + phase))
    values = values_of(there)
    np.testing.assert_allclose(values.sum(axis=-1), values_of(here).sum(axis=-1), atol=1e-9)
    assert not values[..., : int(phase)].any()
    for epoch in range(10):
        np.testing.assert_allclose(there.of(epoch).sum(axis=-1), here.of(epoch).sum(axis=-1), atol=1e-9)
    explained = next(night_tracks(result.data, there)).values
    assert explained.sum() == pytest.approx(300)
    assert explained[int(phase)] == pytest.approx(1 - phase % 1)


def test_whole_seconds_later_is_the_same_later(results):
    result = results["time-frequency"]
    later = values_of(seconds_of(moved(result, 45.0 + 30.0 * np.arange(10))))
    np.testing.assert_allclose(later[..., 45:], values_of(seconds_of(result)), atol=1e-12)


def test_where_nothing_was_explained_tracks_are_0_and_that_is_told(results):
    onsets = np.array([60, 90, 120, 300, 330, 360, 390, 420, 3600, 50_000], dtype=float)  # a run, gaps, more than 12 h
    result = moved(results["time-frequency"], onsets)[[1, 3, 4]]
    seconds = seconds_of(result)
    assert seconds.n_seconds == 50_030
    values = values_of(seconds)
    covered = np.zeros(50_030, dtype=bool)
    for onset in (90, 300, 330):
        covered[onset : onset + 30] = True
    assert not values[..., ~covered].any()
    assert values[..., covered].any(axis=(0, 1)).all()
    assert unexplained_stretches(seconds) == [(0.0, 90.0), (120.0, 180.0), (360.0, 49_670.0)]
    explained, stage = [track.values for track in night_tracks(result.data, seconds)][:2]
    assert np.array_equal(explained, covered)
    held = (stage >= 0).sum()
    assert held == 300  # all epochs of the night have a stage, explained or not


def test_stages_are_drawn_as_a_hypnogram_and_probabilities_are_means(results):
    result = results["frequency"]
    tracks = {track.name: track for track in night_tracks(result.data, seconds_of(result))}
    heights = {"W": 4, "REM": 3, "N1": 2, "N2": 1, "N3": 0}
    predicted = result.data["predicted"].values[:, 0]
    assert tracks["stage"].values[15::30].tolist() == [heights[stage] for stage in predicted]
    scored = [heights.get(stage, -1) for stage in result.data["night_stage"].values]
    assert tracks["scored"].values[15::30].tolist() == scored
    probabilities = np.exp(result.data["night_scores"].values[:, 0])
    for place, stage in enumerate(result.stages):
        np.testing.assert_allclose(tracks[f"P {stage}"].values[::30], probabilities[:, place], rtol=1e-6)
    assert "agreeing" not in tracks


def test_channel_sets_are_averaged_and_counted():
    result = example_results.make_pair_result()
    tracks = {track.name: track.values for track in night_tracks(result.data, seconds_of(result))}
    mean = np.exp(result.data["night_scores"].values).mean(axis=1)
    np.testing.assert_allclose(tracks["P N2"][::30], mean[:, 2], rtol=1e-6)
    assert set(np.unique(tracks["agreeing"])) <= {0.0, 0.5, 1.0}


@pytest.mark.parametrize(
    ("onsets", "said"),
    [
        (np.arange(10) * 20.0, "overlap"),
        (np.arange(10) * 30.0 - 60, "times that no recording has"),
        (np.arange(10) * 30.0 + 1e9, "times that no recording has"),
        ([0.0, *[np.inf] * 9], "times that no recording has"),
    ],
)
def test_times_that_make_no_tracks_are_refused(results, onsets, said):
    with pytest.raises(ParameterError, match=said):
        seconds_of(moved(results["frequency"], onsets))
