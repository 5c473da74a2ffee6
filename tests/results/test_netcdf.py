"""Theorems about results on disk: a lazy one is the same result, and reads no more than is asked for."""

from __future__ import annotations

import pickle
import tracemalloc

import example_results
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from eegflex import read_result, viz
from eegflex.errors import ParameterError, RecordingError
from eegflex.results.seal import seal

RESULTS = ("result", "pair_result", "every_bin")


@pytest.fixture
def lazy(request, tmp_path):
    """A result in memory, and the same left on disk."""
    whole = request.getfixturevalue(getattr(request, "param", "result"))
    with read_result(whole.save(tmp_path / "r.nc"), lazy=True) as read:
        yield whole, read


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def peak(ask):
    """The most memory that was taken at once, in bytes."""
    ask()  # what is imported and compiled the first time is not meant
    tracemalloc.start()
    try:
        ask()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lazy", RESULTS, indirect=True)
def test_a_lazy_result_is_the_same_result(lazy):
    whole, read = lazy
    xr.testing.assert_identical(read.to_xarray(), whole.to_xarray())
    assert repr(read) == repr(whole)
    assert read._repr_html_() == whole._repr_html_()
    assert (read.spec, read.parameters, read.provenance) == (whole.spec, whole.parameters, whole.provenance)
    np.testing.assert_array_equal(read.relative_gap(), whole.relative_gap())
    for by in ("stage", ("channel", "epoch")):
        pd.testing.assert_frame_equal(read.band_table(by=by, statistic="all"), whole.band_table(by=by, statistic="all"))
    pd.testing.assert_frame_equal(read.to_data_frame(), whole.to_data_frame())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in viz.__all__ if name != "plot_context"])
def test_a_lazy_result_draws_the_same(lazy, name):
    drawn = []
    for result in lazy:
        fig = getattr(result, name)(show=False)
        fig.draw_without_rendering()
        lines = [line.get_ydata() for ax in fig.axes for line in ax.get_lines()]
        bars = [patch.get_extents().bounds for ax in fig.axes for patch in ax.patches]
        images = [np.ma.filled(image.get_array(), 0) for ax in fig.axes for image in ax.images]
        drawn.append(([text.get_text() for text in fig.findobj(plt.Text)], [*lines, *bars, *images]))
    assert drawn[0][0] == drawn[1][0]
    for one, other in zip(drawn[0][1], drawn[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)  # where a note stands hangs on how text was measured


@pytest.mark.parametrize("target", ["scored", ("N2", "N1")])
@pytest.mark.parametrize("lazy", ["every_bin"], indirect=True)
def test_any_target_of_a_lazy_result_is_the_same(lazy, target):
    whole, read = (result.for_target(target) for result in lazy)
    xr.testing.assert_identical(read.to_xarray(), whole.to_xarray())


@pytest.mark.parametrize("lazy", RESULTS, indirect=True)
def test_parts_of_a_lazy_result_are_the_same(lazy, tmp_path):
    whole, read = lazy
    parts = [result.sel(channel=["C4-M1", "C3-M2"], stage=["N2", "W"])[[3, 1]] for result in lazy]
    xr.testing.assert_identical(*(part.to_xarray() for part in parts))
    again = read_result(parts[1].save(tmp_path / "part.nc"))
    xr.testing.assert_identical(again.data, parts[0].to_xarray())
    xr.testing.assert_identical(read.copy().data, whole.copy().data)


@pytest.mark.parametrize(
    "ask",
    [
        repr,
        len,
        lambda r: r.counts(),
        lambda r: r.relative_gap(),
        lambda r: r._repr_html_(),
        lambda r: r.sel(stage="N2", channel="C3-M2"),
        lambda r: r[2:5],
    ],
)
@pytest.mark.parametrize("lazy", ["every_bin"], indirect=True)
def test_what_needs_no_view_reads_none(lazy, ask):
    whole, read = lazy
    smallest = min(whole.data[name].nbytes for name in ("frequency_view", "time_view", "power", "signal"))
    assert peak(lambda: ask(read)) < smallest


def test_one_epoch_is_read_by_itself(tmp_path):
    # so many that what describes the variables, which does not grow with them, is little
    many = example_results.explain(example_results.make_epochs(n_epochs=120, channels=("C3", "C4"), types="eeg"))
    nbytes = many.data["frequency_view"].nbytes
    with read_result(many.save(tmp_path / "r.nc"), lazy=True) as read:
        assert peak(lambda: read[7].to_xarray()) < nbytes / 4
        assert peak(lambda: read.band_table(by="channel")) < 1.5 * nbytes  # all of it, and that in float64, are 3
        assert peak(lambda: read.data["frequency_view"].values) > nbytes


def test_a_file_is_closed_and_opened_again(lazy, tmp_path):
    whole, read = lazy
    read.close()
    pd.testing.assert_frame_equal(read.band_table(), whole.band_table())
    read.close()
    whole.close()  # which has no file
    assert read_result(tmp_path / "r.nc").band_table().equals(whole.band_table())


def test_a_copy_of_a_lazy_result_needs_no_file(lazy, tmp_path):
    whole, read = lazy
    copy = read.copy()
    read.close()
    (tmp_path / "r.nc").unlink()
    xr.testing.assert_identical(copy.data, whole.data)


def test_epochs_are_compressed_one_by_one(lazy):
    for name in ("frequency_view", "time_view", "power", "signal"):
        variable = lazy[1].data[name]
        assert variable.encoding["chunksizes"] == (1, *variable.shape[1:])


def test_a_lazy_result_goes_to_another_process(lazy):
    whole, read = lazy
    sent = pickle.dumps(read)
    assert len(sent) < whole.data["frequency_view"].nbytes / 3
    xr.testing.assert_identical(pickle.loads(sent).to_xarray(), whole.to_xarray())


def test_a_lazy_result_replaces_its_own_file(lazy, tmp_path):
    whole, read = lazy
    read.save(tmp_path / "r.nc", overwrite=True)
    xr.testing.assert_identical(read_result(tmp_path / "r.nc").data, whole.to_xarray())


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("eegflex result 3", "an earlier version of eegflex.*layout 'eegflex result 3'.*Attribute the recording again"),
        ("eegflex result 5", "a later version of eegflex.*Update eegflex"),
        ("eegflex result x", "not a result of eegflex"),
        ("captum result 2", "not a result of eegflex"),
        (None, "not a result of eegflex"),
    ],
)
def test_another_layout_is_refused_with_the_reason(result, tmp_path, layout, words, lazily, sealed):
    data = result.to_xarray()
    data.attrs = {name: value for name, value in data.attrs.items() if name != "layout"}
    if layout:
        data.attrs["layout"] = layout
    data.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    if sealed:
        seal(tmp_path / "r.nc")
    with pytest.raises(RecordingError, match=words):
        read_result(tmp_path / "r.nc", lazy=lazily)
    (tmp_path / "r.nc").unlink()  # it is closed


@pytest.mark.parametrize(
    ("fname", "words"),
    [
        ("night.csv", "to_data_frame.*band_table.*to_csv"),
        ("night.XLSX", "to_excel"),
        ("night.html", "make_report"),
        ("night.edf", "stage_epochs"),
        ("night.tsv", "stage_epochs"),
        ("night.png", "savefig"),
        ("night.pdf", "savefig"),
        ("night.svg", "savefig"),
        ("night", r"ends in \.nc"),
        ("night.nc.gz", r"ends in \.nc"),
    ],
)
def test_another_suffix_is_refused_with_what_writes_it(result, tmp_path, fname, words):
    with pytest.raises(ParameterError, match=words):
        result.save(tmp_path / fname, overwrite=True)
    assert not list(tmp_path.iterdir())


def test_the_suffix_may_be_of_any_case(result, tmp_path):
    assert result.save(tmp_path / "night.NC") == tmp_path / "night.NC"
