"""Theorems about the table of bands: its unit is the epoch, and within one, what belongs together is summed."""

from __future__ import annotations

import itertools
import statistics

import example_results
import numpy as np
import pandas as pd
import pytest

from eegflex import concatenate_results
from eegflex.errors import ParameterError
from eegflex.results.intervals import mean_interval

BANDS = ["delta", "theta", "alpha", "sigma", "beta", "below", "above"]
GROUPINGS = [by for n in (1, 2, 3) for by in itertools.permutations(("stage", "channel", "epoch", "recording"), n)]


@pytest.fixture(scope="module")
def pair():
    """Two recordings of a stager with two channel sets, which disagree on the stage of two epochs."""
    nights = []
    for seed in (1, 2):
        night = example_results.make_pair_result(seed=seed, n_epochs=7)
        data = night.to_xarray()
        data["predicted"].values[1, 0], data["predicted"].values[2, 1] = "N3", "W"
        nights.append(type(night)(data))
    return concatenate_results(nights, recordings=["a", "b"])


def by_hand(result, by, stage_from):
    """Values of epochs in each group: {group: {band: [a value an epoch]}}, from the long table, in plain Python."""
    column = {"predicted": "predicted", "scored": "stage", "target": "target"}[stage_from]
    set_of = dict(zip(result.ch_names, result.data["of_channel_set"].values.tolist(), strict=True))
    parts = {}  # {(group, epoch): {band: {channel set: sum over its channels}}}
    for row in result.to_data_frame().to_dict("records"):
        of = {"stage": row[column], "channel": row["channel"], "epoch": row["number"], "recording": row["recording"]}
        group, epoch = tuple(of[name] for name in by), (row["recording"], row["number"])
        sums = parts.setdefault((group, epoch), {}).setdefault(row["band"], {})
        sums[set_of[row["channel"]]] = sums.get(set_of[row["channel"]], 0.0) + row["attribution"]
    groups = {}
    for (group, _), bands in parts.items():
        for band, sums in bands.items():
            groups.setdefault(group, {}).setdefault(band, []).append(statistics.fmean(sums.values()))
    return groups


@pytest.mark.parametrize("stage_from", ["predicted", "scored"])
@pytest.mark.parametrize("by", [by for by in GROUPINGS if "epoch" not in by or "recording" in by])
def test_the_table_tells_of_epochs(pair, by, stage_from):
    expected = by_hand(pair, by, stage_from)
    tell = {
        "mean": statistics.fmean,
        "median": statistics.median,
        "sd": lambda v: statistics.stdev(v) if v[1:] else np.nan,
    }
    for statistic, compute in tell.items():
        table = pair.band_table(by=by, stage_from=stage_from, statistic=statistic)
        assert tuple(table.index.names) == by
        assert list(table.columns) == [*BANDS, "total", "n_epochs"]
        assert len(table) == len(expected)
        for group, values in expected.items():
            row = table.loc[group if len(by) > 1 else group[0]]
            assert row["n_epochs"] == len(values["below"])
            np.testing.assert_allclose(row[BANDS], [compute(values[band]) for band in BANDS], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["result", "pair_result"])
def test_the_total_of_a_stage_is_the_mean_change_of_the_score(name, request):
    result = request.getfixturevalue(name)
    data = result.data
    change = (data["score"] - data["baseline_score"] + data["gap"]).values
    predicted = data["predicted"].values
    for stage, row in result.band_table(by="stage").iterrows():
        assert row["total"] == pytest.approx(change[predicted == stage].mean(), abs=1e-6)
    assert result.band_table(by="recording")["total"].iloc[0] == pytest.approx(change.mean(), abs=1e-6)


def test_epochs_are_counted_never_pairs_of_an_epoch_and_a_channel(pair):
    for by in GROUPINGS:
        if "epoch" in by:
            continue
        assert pair.band_table(by=by)["n_epochs"].max() <= len(pair)
    assert pair.band_table(by="recording")["n_epochs"].tolist() == [7, 7]


def test_a_channel_set_that_says_the_same_makes_nothing_surer(pair_result):
    data = pair_result.to_xarray()
    for variable in ("frequency_view", "scores", "predicted"):
        half = data[variable].shape[1] // 2
        data[variable].values[:, half:] = data[variable].values[:, :half]
    both = type(pair_result)(data)
    one = both.sel(channel=list(both.ch_names[:2]))
    for by in ("stage", "recording"):
        pd.testing.assert_frame_equal(both.band_table(by=by, statistic="all"), one.band_table(by=by, statistic="all"))


def test_the_long_form_holds_every_statistic(pair):
    together = pair.band_table(by=("stage", "channel"), statistic="all")
    assert tuple(together.index.names) == ("stage", "channel", "band")
    assert list(together.columns) == ["mean", "median", "sd", "ci_low", "ci_high", "n_epochs"]
    for statistic in together.columns[:-1]:
        wide = pair.band_table(by=("stage", "channel"), statistic=statistic)
        for band in (*BANDS, "total"):
            own = together.xs(band, level="band")
            pd.testing.assert_series_equal(own[statistic], wide[band], check_names=False)
            pd.testing.assert_series_equal(own["n_epochs"], wide["n_epochs"])


def as_night(result, numbers, stages, runs=None):
    """The result with epochs of other numbers, stages and runs."""
    data = result.to_xarray()
    data["predicted"].values[:, 0] = stages
    runs = np.zeros(len(numbers), dtype=int) if runs is None else np.array(runs)
    return type(result)(data.assign_coords(number=("epoch", np.array(numbers)), run=("epoch", runs)))


@pytest.mark.parametrize(
    ("numbers", "stages", "runs", "by", "bouts"),
    [
        ([0, 1, 2, 4, 5, 7, 8, 9, 11, 12], ["N2"] * 10, None, "stage", [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]),
        (range(10), ["N2"] * 5 + ["N3"] * 2 + ["N2"] * 3, None, "channel", [0, 0, 0, 0, 0, 1, 1, 2, 2, 2]),
        (range(10), ["N2"] * 10, [0] * 4 + [1] * 6, "stage", [0] * 4 + [1] * 6),
        (range(0, 20, 2), ["N2"] * 10, None, "stage", range(10)),
        # In another order they are the same epochs.
        ([9, 8, 7, 5, 4, 2, 1, 0, 12, 11], ["N2"] * 10, None, "stage", [2, 2, 2, 1, 1, 0, 0, 0, 3, 3]),
    ],
)
def test_a_bout_is_epochs_that_follow_each_other_in_one_stage(result, numbers, stages, runs, by, bouts):
    night = as_night(result, list(numbers), stages, runs)
    low, high = (night.band_table(by=by, statistic=one) for one in ("ci_low", "ci_high"))
    sums = night.data["frequency_view"].values.astype(float).sum(axis=-1)
    values = sums[:, :1] if by == "channel" else sums.sum(axis=1, keepdims=True)
    expected = mean_interval(values, np.array(list(bouts)))
    np.testing.assert_allclose([low["total"].iloc[0], high["total"].iloc[0]], np.ravel(expected), rtol=1e-6)


def test_bouts_do_not_reach_from_one_recording_into_another(pair):
    # ... even where the one goes on counting where the other ends.
    parts = [
        as_night(pair.sel(recording=one), list(range(first, first + 7)), ["N2"] * 7)
        for one, first in (("a", 0), ("b", 7))
    ]
    for part in parts:
        part.data["predicted"].values[:, 1] = "N2"
    pooled = concatenate_results(parts, recordings=["a", "b"]).band_table(by="stage", statistic="ci_low")
    assert np.isfinite(pooled.to_numpy()).all()  # two bouts
    assert np.isnan(parts[0].band_table(by="stage", statistic="ci_low")["total"]).all()  # one


def test_a_single_epoch_has_no_spread(result):
    for statistic in ("sd", "ci_low", "ci_high"):
        table = result.band_table(by="epoch", statistic=statistic)
        assert np.isnan(table.drop(columns="n_epochs").to_numpy()).all()
        assert (table["n_epochs"] == 1).all()


def test_of_channels_that_were_chosen_the_total_is_their_part(result):
    names = ["C3-M2", "O1-M2"]
    part = result.sel(channel=names).band_table(by="stage")["total"]
    both = (result.band_table()["total"].xs(name, level="channel") for name in names)
    np.testing.assert_allclose(part, sum(both))


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": ()},
        {"by": "night"},
        {"by": ("stage", "stage")},
        {"statistic": "mode"},
        {"stage_from": "true"},
    ],
)
def test_other_choices_are_refused_with_those_that_there_are(result, wrong):
    with pytest.raises(ParameterError, match="must be one"):
        result.band_table(**wrong)
