"""Whoever opens a result without eegflex reads what each variable is, and in what unit."""

from __future__ import annotations

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from eegflex import read_result
from eegflex.results.layout import COORDINATES, VARIABLES
from eegflex.results.seal import seal

UNITS = {
    **dict.fromkeys(("freq", "freq_low", "freq_high", "frame_freq"), "Hz"),
    **dict.fromkeys(("time", "time_bin", "time_low", "time_high", "frame", "onset", "night_onset"), "s"),
    **dict.fromkeys("xyz", "m"),
    "signal": "uV",
    "power": "uV2 Hz-1",
}
EVERY = ("result", "pair_result", "every_bin", "of_all")


def written(path):
    """What the variables of a file say of themselves, and which of them are text."""
    with h5netcdf.File(path, "r") as file:
        said = {name: dict(found.attrs) for name, found in file.variables.items()}
        texts = {name for name, found in file.variables.items() if found.dtype.kind in "OSU"}
    return said, texts


@pytest.mark.parametrize("name", EVERY)
def test_every_variable_in_a_file_has_a_name_and_every_number_a_unit(request, name, tmp_path):
    said, texts = written(request.getfixturevalue(name).save(tmp_path / "r.nc"))
    assert len(said) > 40
    assert {"stage", "predicted", "channel"} <= texts
    for own, attrs in said.items():
        assert attrs.get("long_name"), own
        assert ("units" in attrs) == (own not in texts), own
    names = [attrs["long_name"] for attrs in said.values()]
    assert len(set(names)) == len(names)
    found = {own: attrs["units"] for own, attrs in said.items() if attrs.get("units", "1") != "1"}
    expected = {own: unit for own, unit in UNITS.items() if own in said}
    steps = {f"{own}_step": UNITS[own] for own in ("signal",) if f"{own}_step" in said}
    packed = {own for own in said if f"{own}_step" in said}
    assert found == {own: unit for own, unit in (expected | steps).items() if own not in packed}


def test_what_is_packed_says_how_its_values_are_got(of_all, tmp_path):
    path = of_all.save(tmp_path / "r.nc")
    said, _ = written(path)
    packed = [own for own in said if f"{own}_step" in said]
    assert {"frequency_view", "signal"} <= set(packed)
    with xr.open_dataset(path, engine="h5netcdf") as raw:
        for own in packed:
            assert said[own]["long_name"].endswith(f": (number - 128) * {own}_step")
            np.testing.assert_array_equal((raw[own] - 128) * raw[f"{own}_step"], read_result(path).data[own])


@pytest.mark.parametrize("lazy", [False, True])
def test_a_result_says_so_too_and_the_same_when_it_is_read(result, tmp_path, lazy):
    told = {name: dict(variable.attrs) for name, variable in result.data.variables.items()}
    assert told["freq"] == {"long_name": "frequency", "units": "Hz"}
    assert told["stage"] == {"long_name": "stage in the hypnogram"}
    with read_result(result.save(tmp_path / "r.nc"), lazy=lazy) as read:
        assert {name: dict(variable.attrs) for name, variable in read.data.variables.items()} == told
        assert {
            name: dict(variable.attrs) for name, variable in read.sel(stage="N2")[[0]].data.variables.items()
        } == told


def test_other_libraries_change_no_value_for_the_sake_of_a_unit(every_bin, tmp_path):
    with xr.open_dataset(every_bin.save(tmp_path / "r.nc"), engine="h5netcdf") as seen:
        for name, variable in every_bin.data.variables.items():
            assert seen[name].dtype.kind == variable.dtype.kind or variable.dtype.kind == "O"
            np.testing.assert_array_equal(seen[name].values, variable.values)


def test_the_dataset_that_a_result_is_made_of_stays_as_it_is(result):
    from eegflex import FlexResult

    own = result.to_xarray()
    for variable in own.variables.values():
        variable.attrs = {}
    assert FlexResult(own).data["freq"].attrs["units"] == "Hz"
    assert own["freq"].attrs == {}


def test_a_file_without_such_attributes_is_read(every_bin, tmp_path):
    data = every_bin.to_xarray()
    for variable in data.variables.values():
        variable.attrs = {}
    data.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    seal(tmp_path / "old.nc")
    xr.testing.assert_identical(read_result(tmp_path / "old.nc").data, every_bin.data)


def test_no_variable_is_without_words():
    for name, known in (VARIABLES | COORDINATES).items():
        assert known.means.strip(), name
        assert known.unit in {"1", *UNITS.values()}, name
