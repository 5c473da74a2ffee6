"""Theorems about light results: sums are those of every bin, their file is small, and what it rounds is within the error."""

from __future__ import annotations

import json
import tracemalloc

import example_results
import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import eegflex
from eegflex import Bands, concatenate_results, read_result
from eegflex.errors import ParameterError, RecordingError
from eegflex.results.resolution import PER_HZ, bin_widths, light_bins, time_of
from eegflex.results.result import FlexResult
from eegflex.results.seal import seal
from eegflex.settings import Settings

#: Edges that the bins of a light result have; one is where a spectrum's own numbers are rounded to below it.
MINE = {"slow": (0.3, 1.1), "spindle": (10.3, 12.7), "rest of it": (20, 32)}
VIEWS = ("time", "time-frequency")


def make(resolution="light", seed=0, **options):
    epochs = example_results.make_epochs(("C3-M2", "C4-M1"), "eeg", n_epochs=6, seed=seed)
    asked = {"target": "all", "views": VIEWS, "resolution": resolution} | options
    return example_results.explain(epochs, **asked)


@pytest.fixture(scope="module")
def light():
    return make()


@pytest.fixture(scope="module")
def full():
    return make("full")


@pytest.fixture(scope="module")
def saved(light, tmp_path_factory):
    return light.save(tmp_path_factory.mktemp("light") / "r.nc")


@pytest.fixture(scope="module")
def read(saved):
    return read_result(saved)


def total(result, target="predicted"):
    """The absolute total of the band sums of each epoch, for each row of `to_data_frame`."""
    size = result.for_target(target).data["size"].values[:, 0]
    return np.repeat(size, len(result.to_data_frame(bands=MINE)) // len(size))


# What is kept


@pytest.mark.parametrize(
    ("n_times", "sfreq"), [(3000, 100.0), (3840, 128.0), (2560, 256 / 3), (2000, 100.0), (1875, 62.5)]
)
def test_bins_are_tenths_of_a_hz(n_times, sfreq):
    freqs = np.fft.rfftfreq(n_times, 1 / sfreq)
    bins = light_bins(freqs, PER_HZ)
    # by whole numbers, which are not rounded: k / (n_times / sfreq) lies in tenth floor(10 k sfreq / n_times)
    tenths = np.floor(10 * np.arange(len(freqs)) * sfreq / n_times + 1e-6)
    assert bins.counts.tolist() == np.unique(tenths, return_counts=True)[1].tolist()
    assert (np.diff([bins.low, bins.middle, bins.high], axis=0) >= 0).all()
    assert (bins.high[:-1] < bins.low[1:]).all()


def test_every_bin_says_what_it_holds(light, full):
    data, every = light.data, full.data
    of = np.searchsorted(data["freq_low"].values, every["freq"].values, side="right") - 1
    assert (every["freq"].values <= data["freq_high"].values[of]).all()
    kept = every["frequency_view"].groupby(xr.DataArray(of, dims="freq")).sum(dtype=np.float64).values
    np.testing.assert_allclose(data["frequency_view"].values, kept, rtol=1e-5, atol=1e-6 * np.abs(kept).max())
    of = (every["time"].values * 4).astype(int)
    kept = every["time_view"].groupby(xr.DataArray(of, dims="time")).sum(dtype=np.float64).values
    np.testing.assert_allclose(data["time_view"].values, kept, rtol=1e-5, atol=1e-6 * np.abs(kept).max())
    assert (data["time_view"].dims[-1], data["signal"].dims[-1]) == ("time_bin", "time")
    np.testing.assert_array_equal(data["time_high"] - data["time_low"], 0.25 - 1 / light.sfreq)
    assert (time_of(data).size, time_of(every).size) == (120, every.sizes["time"])


def test_what_is_no_view_of_one_axis_is_the_same(light, full):
    for name in ("time_frequency_view", "signal", "band_error", "scores", "gap", "error"):
        xr.testing.assert_equal(light.data[name].variable, full.data[name].variable)
    # a sum over parts that are laid out otherwise: some processors round it otherwise
    np.testing.assert_allclose(light.data["size"], full.data["size"], rtol=1e-14)


def test_power_is_the_mean_density_of_its_bins(light, full):
    freqs, widths = full.freqs, bin_widths(light.data)
    np.testing.assert_allclose(widths.sum(), len(freqs) * freqs[1])
    sums = [(one.data["power"].values * bin_widths(one.data)).sum(axis=-1) for one in (light, full)]
    np.testing.assert_allclose(*sums, rtol=1e-5)


def test_a_single_target_keeps_every_bin(full):
    one = make(target="predicted")
    assert one.freqs.size == full.freqs.size
    assert not {"band_view", "freq_low"} & set(one.data.variables)
    assert "resolution" not in one.parameters
    asked = [Settings(target="N2", resolution=resolution) for resolution in ("light", "full")]
    assert asked[0] == asked[1]
    assert Settings(target="all") != Settings(target="all", resolution="full")


def test_another_resolution_is_refused():
    with pytest.raises(ParameterError, match=r"resolution must be one of 'light', 'full'"):
        Settings(resolution="fine")


def test_a_method_of_bands_is_light_too():
    one = make(method="feature_ablation", views=())
    assert "frequency_view" not in one.data
    assert len(one.freqs) == len(one.data["freq_low"])
    assert one.band_table(by="stage").shape[0] == 5


# Tables


@pytest.mark.parametrize("target", ["predicted", "scored", ("N2", "N1")])
def test_tables_of_bands_are_those_of_every_bin(light, full, target):
    own, every = (result.for_target(target) for result in (light, full))
    close = {"rtol": 1e-4, "atol": 1e-6 * float(every.data["size"].max())}
    pd.testing.assert_frame_equal(own.band_table(statistic="all"), every.band_table(statistic="all"), **close)
    pd.testing.assert_frame_equal(own.to_data_frame(), every.to_data_frame(), **close)
    pd.testing.assert_frame_equal(own.to_data_frame(bands=MINE), every.to_data_frame(bands=MINE), **close)
    assert own.main_findings() == every.main_findings()


def test_a_file_keeps_tables(read, light):
    pd.testing.assert_frame_equal(read.band_table(statistic="all"), light.band_table(statistic="all"))
    assert (read.to_data_frame()["attribution"] == light.to_data_frame()["attribution"]).all()


@pytest.mark.parametrize("target", ["predicted", "N3", ("N2", "N1")])
def test_a_file_keeps_bands_of_ones_own(read, light, target):
    one, other = (result.for_target(target).to_data_frame(bands=MINE) for result in (read, light))
    assert (np.abs(one["attribution"] - other["attribution"]) <= 1e-4 * total(light, target)).all()
    np.testing.assert_allclose(one["power"], other["power"], rtol=1e-4)


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        ({"a": (0.25, 4)}, r"Got 0\.25 Hz\. Allowed: 0\.2 or 0\.3 Hz.*resolution='full'"),
        ({"a": (1, 4), "b": (4, 12.34)}, r"'b'.*Got 12\.34 Hz\. Allowed: 12\.3 or 12\.4 Hz"),
    ],
)
def test_a_band_that_divides_a_bin_is_refused(light, full, bands, words):
    for ask in (light.band_table, light.to_data_frame, light.plot_topomap, light.plot_spectrum):
        with pytest.raises(ParameterError, match=words):
            ask(bands=bands)
    assert len(full.band_table(bands=bands))


def test_a_band_may_end_where_nothing_is_left(light, full):
    bands = {"a": (0.5, 31.99), "b": (31.99, 40)}  # 31.99 lies between the last two frequencies
    np.testing.assert_allclose(light.band_table(bands=bands), full.band_table(bands=bands), rtol=1e-4, atol=1e-6)


# Files


def test_a_file_is_read_as_lazily_as_wholly(saved, read):
    with read_result(saved, lazy=True) as lazy:
        xr.testing.assert_identical(lazy.to_xarray(), read.data)
        rows, columns = np.array([3, 1]), np.array([1])
        for target in (None, "N2", ("REM", "N1")):
            own, other = (one.data if target is None else one.for_target(target).data for one in (lazy, read))
            for where in ({"epoch": rows}, {"epoch": 2, "channel": columns}, {"epoch": slice(1, 6, 2), "frame": rows}):
                xr.testing.assert_identical(own.isel(where).load(), other.isel(where))


def test_what_was_read_is_written_as_it_is(read, saved, tmp_path):
    with read_result(saved, lazy=True) as lazy:
        for name, one in (("read", read), ("lazy", lazy)):
            again = read_result(one.save(tmp_path / f"{name}.nc"))
            xr.testing.assert_identical(again.data, read.data)


def test_parts_and_targets_are_written_as_they_are(read, light, tmp_path):
    for number, part in enumerate((read.sel(channel="C4-M1")[[2, 0]], read.for_target(("N2", "N1")), light[1:3])):
        first = read_result(part.save(tmp_path / f"{number}.nc"))
        second = read_result(first.save(tmp_path / f"{number} again.nc"))
        xr.testing.assert_identical(first.data, second.data)


@pytest.mark.slow
def test_stages_that_a_stager_does_not_tell_apart_are_read_back_too(tmp_path):
    """Their difference is nothing, and what the file rounds is not."""
    night = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=3, verbose="error")
    epochs = eegflex.make_epochs(night.raw, verbose="error")
    asked = {"target": "all", "views": VIEWS, "baseline": "zero", "spectral_share": 0, "verbose": "error"}
    result = eegflex.attribute_epochs(epochs, "known-spindle", select=[3, 9], on_check="ignore", **asked)
    kept = read_result(result.save(tmp_path / "r.nc")).for_target(("W", "REM"))
    again = read_result(kept.save(tmp_path / "pair.nc"))
    assert (again.data["size"].values < 1e-6).all()
    np.testing.assert_array_equal(again.data["frequency_view"].values, kept.data["frequency_view"].values)


def test_steps_are_what_errors_justify(read, light):
    one, other = read.data, light.data
    size = np.diagonal(other["size"].values, axis1=-2, axis2=-1)[:, 0][..., None]  # (epoch, stage, 1)
    allowed = 1e-4 * size
    for name in ("frequency_view", "time_view", "time_frequency_view"):
        values = [
            data[name].values.astype(np.float64).reshape(*data[name].shape[:3], -1) for data in (one, other)
        ]  # the sum over any neighbours is within a step
        apart = np.cumsum(values[0] - values[1], axis=-1)
        assert (np.ptp(np.concatenate([np.zeros_like(apart[..., :1]), apart], axis=-1), axis=-1) <= allowed).all()
    largest = np.abs(other["signal"]).max(("epoch", "time"))
    assert (np.abs(one["signal"] - other["signal"]).max(("epoch", "time")) <= largest * 2.0**-12).all()


def test_a_sharp_result_is_kept_sharply(light, tmp_path):
    sharp = light.to_xarray()
    sharp["error"] = sharp["error"] * 0 + 1e-5
    again = read_result(FlexResult(sharp).save(tmp_path / "r.nc"))
    apart = np.abs(again.data["frequency_view"].sum("freq") - sharp["frequency_view"].sum("freq"))
    size = np.diagonal(sharp["size"].values, axis1=-2, axis2=-1)[:, 0]
    assert (apart.values <= 0.2 * 1e-5 * size[..., None] + 1e-6 * size[..., None]).all()


def test_what_steps_cannot_hold_is_kept_as_it_is(light, tmp_path):
    loud = light.to_xarray()
    loud["time_frequency_view"].values[2] = np.nan
    loud["size"].values[2] = np.nan
    again = read_result(FlexResult(loud).save(tmp_path / "r.nc"))
    np.testing.assert_array_equal(again.data["time_frequency_view"].values, loud["time_frequency_view"].values)


def test_it_is_small(light, full, saved, tmp_path):
    bytes_of = [path.stat().st_size for path in (saved, full.save(tmp_path / "full.nc"))]
    assert bytes_of[0] < bytes_of[1] / 4
    assert sum(one.nbytes for one in light.data.variables.values()) < sum(
        v.nbytes for v in full.data.variables.values()
    )


def test_a_partial_result_is_resumed_to_the_last_bit(light, tmp_path):
    told = json.loads(light.data.attrs["provenance"])
    part = light[[0, 3]].to_xarray().assign_attrs(provenance=json.dumps(told | {"partial": True}))
    fname = FlexResult(part).save(tmp_path / "part.nc")
    xr.testing.assert_identical(read_result(fname).data, part)
    resumed = make(resume=fname)
    for name in ("frequency_view", "time_view", "time_frequency_view", "band_view"):
        np.testing.assert_allclose(resumed.data[name].values, light.data[name].values, atol=1e-5)
        np.testing.assert_array_equal(resumed.data[name].values[[0, 3]], light.data[name].values[[0, 3]])
    with pytest.raises(ParameterError, match="resolution: light, now full"):
        make("full", resume=fname)


def test_band_tables_of_a_file_need_no_view(tmp_path):
    epochs = example_results.make_epochs(("C3-M2", "C4-M1"), "eeg", n_epochs=40)
    result = example_results.explain(epochs, target="all", views=VIEWS)
    with read_result(result.save(tmp_path / "r.nc"), lazy=True) as lazy:
        lazy.band_table()
        tracemalloc.start()
        lazy.band_table()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < result.data["time_frequency_view"].nbytes / 8


STRANGE = {
    "no number": np.nan,
    "infinite": np.inf,
    "nothing": 0.0,
    "negative": -(2.0**-10),
    "no power of two": 0.3,
    "huge": 2.0**120,
}


def with_steps(saved, path, change):
    path.write_bytes(saved.read_bytes()[:-86])  # without its seal
    with h5py.File(path, "r+") as file:
        change(file)
    seal(path)
    return path


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("name", ["frequency_view", "signal"])
@pytest.mark.parametrize("kind", STRANGE)
def test_strange_steps_are_refused(saved, tmp_path, kind, name, lazily):
    def change(file):
        file[f"{name}_step"][1, ..., 0] = STRANGE[kind]

    with pytest.raises(RecordingError, match=f"steps of '{name}' that no result has"):
        read_result(with_steps(saved, tmp_path / "r.nc", change), lazy=lazily)


def rename(old, new):
    return lambda file: file.move(old, new)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["time_view_step"].__setitem__(slice(None), file["time_view_step"][:] * 2),
        rename("time_view_step", "score_step"),
        rename("time_view_step", "something_step"),
        lambda file: file.__delitem__("time_view_step"),
        lambda file: file.__delitem__("freq_low"),
        lambda file: file.__delitem__("band_view"),
        lambda file: file["band_view"].__setitem__((2, 0, 0), 100.0),
        lambda file: file["freq_low"].__setitem__(3, 5.0),
        lambda file: file["time_high"].__setitem__(3, np.nan),
        lambda file: file["frequency_view"].__setitem__((1, 2, 1, 7), 32000),
    ],
)
def test_what_contradicts_itself_is_refused(saved, tmp_path, change):
    with pytest.raises(RecordingError):
        read_result(with_steps(saved, tmp_path / "r.nc", change))


# Several


def test_light_results_are_put_together(light, full):
    both = concatenate_results([light, make(seed=1)], recordings=["a", "b"])
    assert len(both) == 12
    assert both.sel(recording="a").band_table().equals(light.band_table())
    with pytest.raises(ParameterError, match=r"made with other settings.*resolution"):
        concatenate_results([light, make("full", seed=1)], recordings=["a", "b"])


def test_the_default_bands_are_never_divided(light):
    assert light.band_table(bands=Bands()).equals(light.band_table())
