"""Theorems about the table of bands: its unit is the epoch, and within one, what belongs together is summed."""

from __future__ import annotations

import itertools
import json
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
    """Values of epochs in each group: {group: {band: [a value an epoch]}}, from the long table, in plain Python.

    An epoch has one stage, the surest channel set's or the scorer's; by stage only channels count that explain it; and
    channels are compared over the epochs that all of them explain, with how many others there are.
    """
    data = result.data
    chances = np.exp(data["scores"].values) / np.exp(data["scores"].values).sum(axis=-1, keepdims=True)
    surest = chances.max(axis=-1).argmax(axis=1).tolist()
    keys = list(zip(data["recording"].values.tolist(), data["number"].values.tolist(), strict=True))
    said = {key: str(own[k]) for key, own, k in zip(keys, data["predicted"].values, surest, strict=True)}
    explained = {key: set(own.tolist()) for key, own in zip(keys, data["predicted"].values, strict=True)}
    compared = {"stage", "channel"} <= set(by) and "epoch" not in by
    left_out = {}
    set_of = dict(zip(result.ch_names, data["of_channel_set"].values.tolist(), strict=True))
    parts = {}  # {(group, epoch): {band: {channel set: sum over its channels}}}
    for row in result.to_data_frame().to_dict("records"):
        epoch = (row["recording"], row["number"])
        stage = said[epoch] if stage_from == "predicted" else row["stage"]
        of = {"stage": stage, "channel": row["channel"], "epoch": row["number"], "recording": row["recording"]}
        group = tuple(of[name] for name in by)
        of_none = stage not in result.stages  # scored as no stage of the stager's: no channel can explain it
        if compared and explained[epoch] != {stage} and not of_none:
            if stage in explained[epoch]:
                left_out.setdefault(group, set()).add(epoch)
            continue
        if "stage" in by and row["predicted"] != stage and not of_none:
            continue
        sums = parts.setdefault((group, epoch), {}).setdefault(row["band"], {})
        sums[set_of[row["channel"]]] = sums.get(set_of[row["channel"]], 0.0) + row["attribution"]
    groups = {}
    for (group, _), bands in parts.items():
        for band, sums in bands.items():
            groups.setdefault(group, {}).setdefault(band, []).append(statistics.fmean(sums.values()))
    return groups, {group: len(epochs) for group, epochs in left_out.items()}, compared


@pytest.mark.parametrize("stage_from", ["predicted", "scored"])
@pytest.mark.parametrize("by", [by for by in GROUPINGS if "epoch" not in by or "recording" in by])
def test_the_table_tells_of_epochs(pair, by, stage_from):
    expected, left_out, compared = by_hand(pair, by, stage_from)
    assert bool(left_out) == compared
    tell = {
        "mean": statistics.fmean,
        "median": statistics.median,
        "sd": lambda v: statistics.stdev(v) if v[1:] else np.nan,
        "q25": lambda v: np.percentile(v, 25),
        "q75": lambda v: np.percentile(v, 75),
        "min": min,
        "max": max,
    }
    for statistic, compute in tell.items():
        table = pair.band_table(by=by, stage_from=stage_from, statistic=statistic)
        assert tuple(table.index.names) == by
        assert list(table.columns) == [*BANDS, "total", "n_epochs", *(["n_left_out"] if compared else [])]
        assert len(table) == len({*expected, *left_out})
        for group, count in left_out.items():
            row = table.loc[group if len(by) > 1 else group[0]]
            assert row["n_left_out"] == count
            assert group in expected or (row["n_epochs"] == 0 and np.isnan(row["total"]))
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
    for variable in ("frequency_view", "scores", "predicted", "band_error", "error", "size", "gap"):
        half = data[variable].shape[1] // 2
        data[variable].values[:, half:] = data[variable].values[:, :half]
    both = type(pair_result)(data)
    one = both.sel(channel=list(both.ch_names[:2]))
    for by in ("stage", "recording"):
        pd.testing.assert_frame_equal(both.band_table(by=by, statistic="all"), one.band_table(by=by, statistic="all"))


def test_the_long_form_holds_every_statistic(pair):
    together = pair.band_table(by=("stage", "channel"), statistic="all")
    assert tuple(together.index.names) == ("stage", "channel", "band")
    assert list(together.columns) == [
        "mean", "median", "sd", "q25", "q75", "min", "max", "ci_low", "ci_high", "error", "within_error",
        "n_epochs", "n_left_out",
    ]  # fmt: skip
    for statistic in together.columns[:-2]:
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
    onset = 30.0 * np.array(numbers)
    return type(result)(
        data.assign_coords(number=("epoch", np.array(numbers)), run=("epoch", runs), onset=("epoch", onset))
    )


@pytest.mark.parametrize(
    ("numbers", "stages", "by", "blocks"),
    [
        (range(10, 20), ["N2"] * 10, "stage", [0] * 10),
        (range(14, 24), ["N2"] * 10, "stage", [0] * 6 + [1] * 4),
        # Whatever lies between them, epochs of the same 10 minutes are of one block, and others are not.
        ([0, 5, 19, 20, 39, 40, 45, 62, 79, 80], ["N2"] * 10, "stage", [0, 0, 0, 1, 1, 2, 2, 3, 3, 4]),
        (range(14, 24), ["N2", "N3"] * 5, "channel", [0] * 6 + [1] * 4),
        # In another order they are the same epochs.
        ([80, 79, 62, 45, 40, 39, 20, 19, 5, 0], ["N2"] * 10, "stage", [4, 3, 3, 2, 2, 1, 1, 0, 0, 0]),
    ],
)
def test_a_block_is_ten_minutes_of_the_night(result, numbers, stages, by, blocks):
    night = as_night(result, list(numbers), stages)
    low, high = (night.band_table(by=by, statistic=one) for one in ("ci_low", "ci_high"))
    sums = night.data["frequency_view"].values.astype(float).sum(axis=-1)
    values = sums[:, :1] if by == "channel" else sums.sum(axis=1, keepdims=True)
    expected = mean_interval(values, np.array(blocks))
    np.testing.assert_allclose([low["total"].iloc[0], high["total"].iloc[0]], np.ravel(expected), rtol=1e-6)


def test_blocks_do_not_reach_from_one_recording_into_another(pair):
    parts = [as_night(pair.sel(recording=one), list(range(7)), ["N2"] * 7) for one in ("a", "b")]
    for part in parts:
        part.data["predicted"].values[:, 1] = "N2"
    pooled = concatenate_results(parts, recordings=["a", "b"]).band_table(by="stage", statistic="ci_low")
    assert np.isfinite(pooled.to_numpy()).all()  # two blocks
    assert np.isnan(parts[0].band_table(by="stage", statistic="ci_low")["total"]).all()  # one


class TestSamples:
    """Of 24 epochs two are N3, W, N1 and REM each, and 16 are N2; two of each stage are explained."""

    @staticmethod
    def epochs():
        kept = [n for n, stage in enumerate(example_results.STAGES * 16) if stage == "N2" or n < 10]
        return example_results.make_epochs(n_epochs=80)[kept]

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls):
        return example_results.explain(cls.epochs())

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls):
        return example_results.explain(cls.epochs(), sample_per_stage=2)

    @pytest.mark.parametrize("by", ["channel", "recording"])
    def test_they_are_weighed_by_the_stages_of_the_night(self, sample, whole, by):
        assert sample.counts() == dict.fromkeys(example_results.STAGES, 2)
        assert whole.counts() == {"W": 2, "N1": 2, "N2": 16, "N3": 2, "REM": 2}
        by_stage = sample.band_table(by=("stage", by))[BANDS]
        expected = sum(by_stage.loc[stage] * count for stage, count in whole.counts().items()) / 24
        pd.testing.assert_frame_equal(sample.band_table(by=by)[BANDS], expected)
        plain = sample.to_data_frame().groupby(["channel", "band"])["attribution"].mean()
        if by == "channel":
            assert abs(plain[("C3-M2", "sigma")] - expected.loc["C3-M2", "sigma"]) > 0.1
        # what the sample tells is what the whole night is
        np.testing.assert_allclose(sample.band_table(by=by)["total"], whole.band_table(by=by)["total"], rtol=0.05)

    def test_a_weighted_median_is_that_of_the_night(self, sample, whole):
        of_sample, of_night = (one.band_table(by="channel", statistic="median") for one in (sample, whole))
        np.testing.assert_allclose(of_sample["sigma"], of_night["sigma"], rtol=0.05)

    def test_a_table_by_stage_needs_no_weights_and_one_of_a_part_is_of_the_part(self, sample):
        n2 = sample.sel(stage="N2")
        pd.testing.assert_frame_equal(
            n2.band_table(by="channel")[BANDS], sample.band_table(by=("stage", "channel")).loc["N2"][BANDS]
        )

    def test_a_sample_of_a_selection_cannot_be_weighed_and_says_so(self, caplog):
        part = example_results.explain(self.epochs(), sample_per_stage=2, select=tuple(range(20)))
        table = part.band_table(by="channel")
        assert "sampled from a selection" in caplog.text
        mean = part.to_data_frame().groupby(["channel", "band"], sort=False)["attribution"].mean()
        np.testing.assert_allclose(table.loc["C3-M2", "sigma"], mean[("C3-M2", "sigma")])

    def test_stages_of_which_nothing_was_explained_are_told(self, sample, caplog):
        data = sample.to_xarray()
        scores = data["night_scores"].values
        rem = scores[..., 4] == scores.max(axis=-1)
        of_rem = data["predicted"].values[:, 0] == "REM"
        kept = data.isel(epoch=~of_rem)
        told = json.loads(kept.attrs["provenance"])
        kept.attrs["provenance"] = json.dumps(told | {"explained": int((~of_rem).sum())})
        type(sample)(kept).band_table(by="channel")
        assert f"Of REM, {100 * rem.mean():.0f} % of the epochs, none was explained" in caplog.text


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
