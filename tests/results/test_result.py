"""Theorems about a result: it survives the disk, cannot be changed from outside, and its tables are the means they claim."""

import json
import re

import example_results
import numpy as np
import pytest
import xarray as xr
from pandas.testing import assert_frame_equal

from eegflex import Bands, EegflexError, read_result
from eegflex.errors import OutputError, ParameterError, RecordingError
from eegflex.results.result import FlexResult
from eegflex.results.tables import agreement


@pytest.fixture(scope="module")
def whole():
    return example_results.make_result(seed=0)


@pytest.fixture(scope="module")
def pair():
    return example_results.make_pair_result()


@pytest.mark.parametrize("name", ["whole", "pair"])
def test_what_is_saved_is_read_back_identically(name, request, tmp_path):
    result = request.getfixturevalue(name)
    path = result.save(tmp_path / "r.nc")
    read = read_result(path)
    xr.testing.assert_identical(read.to_xarray(), result.to_xarray())
    assert (read.model, read.stages, read.ch_names, read.sfreq) == (
        result.model,
        result.stages,
        result.ch_names,
        result.sfreq,
    )
    assert (read.spec, read.parameters, read.provenance) == (result.spec, result.parameters, result.provenance)
    assert repr(read) == repr(result)
    assert [p.name for p in tmp_path.iterdir()] == ["r.nc"]


def test_a_file_that_is_there_is_replaced_only_on_demand(whole, pair, tmp_path):
    path = whole.save(tmp_path / "r.nc")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        pair.save(path)
    assert path.read_bytes() == before
    pair.save(path, overwrite=True)
    assert read_result(path).model == "pair"
    read_result(path).save(path, overwrite=True)  # a file that was read is closed
    xr.testing.assert_identical(read_result(path).to_xarray(), pair.to_xarray())


def test_what_is_not_a_result_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="no such result"):
        read_result(tmp_path / "none.nc")
    with pytest.raises(RecordingError, match="is a directory"):
        read_result(tmp_path)
    text = tmp_path / "text.nc"
    text.write_text("not a result\n")
    with pytest.raises(RecordingError, match="not a result of eegflex"):
        read_result(text)
    foreign = tmp_path / "foreign.nc"
    xr.Dataset({"t": ("x", np.arange(3.0))}).to_netcdf(foreign, engine="h5netcdf")
    with pytest.raises(RecordingError, match="not a result of eegflex"):
        read_result(foreign)
    empty = tmp_path / "empty.nc"
    empty.touch()
    with pytest.raises(EegflexError):
        read_result(empty)


def test_a_truncated_result_is_refused(whole, tmp_path):
    path = whole.save(tmp_path / "r.nc")
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(RecordingError, match="it was truncated"):
        read_result(path)


def test_what_is_handed_out_is_a_copy(whole):
    before = whole.to_xarray()
    taken = whole.to_xarray()
    taken["frequency_view"].values[:] = 0
    taken.attrs["layout"] = "mine"
    whole.freqs[:] = -1
    whole.parameters["target"] = "mine"
    whole.spec["model"]["name"] = "mine"
    xr.testing.assert_identical(whole.to_xarray(), before)
    assert whole.model == "tiny"


@pytest.mark.parametrize("bands", [None, {"slow": (0.5, 4), "spindle": (11, 16)}])
@pytest.mark.parametrize("by", [("stage",), ("channel",), ("stage", "channel"), ("channel", "stage")])
@pytest.mark.parametrize("name", ["whole", "pair"])
def test_bands_and_rest_add_up_to_the_total(name, by, bands, request):
    table = request.getfixturevalue(name).band_table(bands, by=by)
    parts = table.drop(columns=["total", "n_epochs", "n_left_out"], errors="ignore")
    assert list(parts.columns) == [*Bands(bands), "below", *(["between"] if bands else []), "above"]
    assert tuple(table.index.names) == by
    np.testing.assert_allclose(parts.sum(axis=1), table["total"], rtol=1e-12, atol=1e-12)


def test_the_total_does_not_depend_on_the_bands(whole):
    one, other = whole.band_table(), whole.band_table({"all": (0, 1000)})
    np.testing.assert_allclose(one["total"], other["total"], rtol=1e-9)
    np.testing.assert_allclose(other["all"], other["total"], rtol=1e-12)
    assert (other[["below", "above"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("stage_from", "column"), [("predicted", "predicted"), ("scored", "stage"), ("target", "target")]
)
@pytest.mark.parametrize("name", ["whole", "pair"])
def test_the_table_holds_means_of_the_rows(name, stage_from, column, request):
    result = request.getfixturevalue(name)
    rows, table = result.to_data_frame(), result.band_table(stage_from=stage_from)
    assert set(table.index.get_level_values("stage")) == set(rows[column])
    for (stage, channel), line in table.iterrows():
        here = rows[(rows[column] == stage) & (rows["channel"] == channel)]
        assert line["n_epochs"] == here["number"].nunique()
        for band, group in here.groupby("band"):
            np.testing.assert_allclose(line[band], group["attribution"].sum() / len(group), rtol=1e-9, atol=1e-15)


def test_stages_stand_in_the_stagers_order_and_unscored_last(whole):
    table = whole.band_table(by=("stage",), stage_from="scored")
    assert list(table.index) == [*whole.stages, "UNSCORED"]
    assert list(whole.band_table(by=("channel",)).index) == list(whole.ch_names)


def test_channels_of_a_combination_sum_to_the_difference_of_scores(pair):
    data, rows = pair.to_xarray(), pair.to_data_frame()
    sums = rows.pivot_table("attribution", "number", "channel", aggfunc="sum")
    for k in range(data.sizes["channel_set"]):
        names = data["channel"].values[data["of_channel_set"].values == k]
        wanted = (data["score"] - data["baseline_score"] + data["gap"]).values[:, k]
        np.testing.assert_allclose(sums[list(names)].sum(axis=1), wanted, rtol=1e-6, atol=1e-9)


def test_the_long_table_has_the_scores_of_the_channels_channel_set(pair):
    rows, data = pair.to_data_frame(), pair.data
    assert list(rows) == [
        "recording", "number", "onset", "stage", "predicted", "target", "channel", "band", "attribution", "error",
        "within_error", "explained", "trust", "power", "score", "baseline_score",
    ]  # fmt: skip
    assert len(rows) == 10 * 4 * 7
    for row in rows.iloc[::17].to_dict("records"):
        k = int(data["of_channel_set"].sel(channel=row["channel"]))
        epoch = row["number"]
        assert row["score"] == data["score"].values[epoch, k]
        assert row["baseline_score"] == data["baseline_score"].values[epoch, k]
        assert (row["recording"], row["onset"]) == (pair.recordings[0], 30.0 * epoch)


def test_the_power_of_a_rhythm_is_in_its_band(whole):
    # A sine of amplitude 20 µV has a power of 200 µV².
    rows = whole.to_data_frame()
    sigma = rows[(rows["number"] % 5 == 2) & (rows["band"] == "sigma")]["power"]
    np.testing.assert_allclose(sigma, 200, rtol=0.15)


@pytest.mark.parametrize("wrong", [{"by": ()}, {"by": ("night",)}, {"by": ("stage", "night")}, {"stage_from": "true"}])
def test_an_unknown_grouping_is_refused(whole, wrong):
    with pytest.raises(ParameterError) as caught:
        whole.band_table(**wrong)
    assert re.search("Allowed|must be one of", str(caught.value))


@pytest.mark.parametrize("bands", ["sigma", [12, 16], {"below": (1, 2)}, {"a": (1, 3), "b": (2, 4)}])
def test_bands_that_are_none_are_refused(whole, bands):
    with pytest.raises(ParameterError):
        whole.band_table(bands)


def test_kappa_is_cohens(whole):
    # Two stages are scored otherwise than predicted; the last two epochs are not scored.
    data = whole.to_xarray()
    predicted = data["stage_name"].values[data["night_scores"].values[:, 0].argmax(-1)].astype(str)
    scored = data["night_stage"].values.astype(str)
    scored[0], scored[5] = predicted[1], predicted[2]
    data["night_stage"] = ("night", scored)
    kappa, confusion = agreement(data)
    a, b = predicted[:8], scored[:8]
    observed = np.mean(a == b)
    expected = sum(np.mean(a == s) * np.mean(b == s) for s in whole.stages)
    assert observed == 6 / 8
    assert kappa == pytest.approx((observed - expected) / (1 - expected))
    assert confusion.to_numpy().sum() == 8
    assert np.trace(confusion) == 6
    assert confusion.loc[predicted[1], predicted[0]] == 1


def test_full_agreement_is_one_and_no_hypnogram_gives_none(whole):
    assert agreement(whole.to_xarray())[0] == pytest.approx(1)
    unscored = example_results.explain(example_results.make_epochs(scored=False, n_epochs=5))
    assert agreement(unscored.to_xarray()) is None


def test_repr_names_model_and_counts(pair):
    assert isinstance(pair, FlexResult)
    assert sum(pair.counts().values()) == 10
    assert pair.counts() == dict.fromkeys(pair.stages, 2)
    for words in ("pair", "'predicted'", "10 of 10 epochs", "W 2, N1 2", "4 channels", "2 channel set", "64 Hz"):
        assert words in repr(pair)


def test_relative_gap_is_the_gap_over_the_absolute_band_sums(pair):
    data, freqs = pair.to_xarray(), pair.freqs
    edges = list(Bands().values())
    inside = [(freqs >= low) & (freqs < high) for low, high in edges]
    masks = [*inside, freqs < 0.5, freqs >= 30]
    view = data["frequency_view"].values
    for e in range(data.sizes["epoch"]):
        for k in range(data.sizes["channel_set"]):
            rows = view[e, data["of_channel_set"].values == k]
            size = sum(abs(row[mask].sum()) for row in rows for mask in masks)
            assert pair.relative_gap()[e, k] == pytest.approx(abs(data["gap"].values[e, k]) / size)


def with_filter(result, low, high):
    data = result.to_xarray()
    spec = json.loads(data.attrs["spec"])
    spec["input"]["filter"] = {"l_freq": low, "h_freq": high}
    data.attrs["spec"] = json.dumps(spec)
    return type(result)(data)


class TestBandsBeyondTheFilterOrNyquist:
    """The results are of 64 Hz."""

    @pytest.mark.parametrize(
        ("limits", "bands"),
        [((None, None), {"gamma": (40, 60)}), ((0.3, 30.0), {"gamma": (30, 31)}), ((1.0, None), {"slow": (0.2, 1)})],
    )
    def test_wholly_is_refused(self, whole, limits, bands):
        result = with_filter(whole, *limits)
        for ask in (result.band_table, result.to_data_frame, lambda b: result.plot_bands(bands=b, show=False)):
            with pytest.raises(ParameterError, match="wholly outside"):
                ask(bands)

    def test_partly_is_cut_and_told_and_the_whole_stays(self, whole, caplog):
        result = with_filter(whole, 0.3, 20.0)
        table = result.band_table({"slow": (0.1, 1), "fast": (15, 25)})
        assert "Of slow, fast, only what lies in 0.3 to 20 Hz" in caplog.text
        expected = whole.band_table({"slow": (0.3, 1), "fast": (15, 20)})
        assert_frame_equal(table, expected)
        np.testing.assert_allclose(table["total"], whole.band_table()["total"])

    def test_the_usual_bands_stay_and_it_is_told_that_they_reach_beyond(self, whole, caplog):
        result = with_filter(whole, None, 12.0)
        assert_frame_equal(result.band_table(), whole.band_table())
        assert "Of sigma, beta, only" in caplog.text

    def test_half_the_sampling_rate_is_within(self, whole, caplog):
        assert (whole.band_table({"all": (0, 32.1)})["above"] == 0).all()
        assert "0 to 32 Hz" in caplog.text
