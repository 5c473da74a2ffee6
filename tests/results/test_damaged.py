"""Theorems about damaged and foreign results: whatever was done to a file, it is read as it was written or refused."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import time
import tracemalloc

import example_results
import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr

from eegflex import concatenate_results, read_result
from eegflex.errors import ParameterError, RecordingError
from eegflex.results.result import FlexResult
from eegflex.results.seal import seal


@pytest.fixture(scope="module")
def whole():
    """Two channel sets, with the hypnogram; small."""
    return example_results.make_pair_result(n_epochs=5)


@pytest.fixture(scope="module")
def saved(whole, tmp_path_factory):
    return whole.save(tmp_path_factory.mktemp("saved") / "r.nc")


def explain(names=("C3-M2", "C4-M1"), *, scored=True, positions=True, seed=0, **options):
    epochs = example_results.make_epochs(names, "eeg", scored=scored, positions=positions, seed=seed, n_epochs=5)
    return example_results.explain(epochs, **options)


#: Results of every shape that there is.
KINDS = {
    "pair": example_results.make_pair_result,
    "all": lambda: explain(target="all", views=("time", "time-frequency"), resolution="full"),
    "margin": lambda: explain(target=("N2", "N1"), baseline="recording"),
    "of all": lambda: explain(target="all", resolution="full").for_target(("N2", "W")),
    "saliency": lambda: explain(method="saliency"),
    "bands": lambda: explain(method="feature_ablation"),
    "scaled": example_results.make_context_result,
    "night": lambda: example_results.make_night_result(window_length=3),
    "without stages": lambda: explain(scored=False, positions=False),
    "several": lambda: concatenate_results([explain(seed=seed) for seed in (1, 2)]),
    "part": lambda: example_results.make_pair_result().sel(channel="C3-M2", stage=["N2", "W"]),
    "double": lambda: explain(dtype="float64", target="scored"),
    "sample": lambda: explain(sample_per_stage=1, label="sub-01"),
}


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_made_is_a_result(kind, lazy, tmp_path):
    made = KINDS[kind]()
    with read_result(made.save(tmp_path / "r.nc"), lazy=lazy) as read:
        xr.testing.assert_identical(read.to_xarray(), made.to_xarray())
        assert all(set(variable.attrs) <= {"long_name", "units"} for variable in read.data.variables.values())
    xr.testing.assert_identical(FlexResult(made.to_xarray()).data, made.data)


# Bytes


def flip(content, rng):
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)


def several(content, rng):
    for _ in range(4):
        content[rng.randrange(len(content))] = rng.randrange(256)


def zero(content, rng):
    place, count = rng.randrange(len(content)), rng.choice([8, 64, 512, 4096])
    content[place : place + count] = bytes(len(content[place : place + count]))


def cut(content, rng):
    del content[rng.randrange(len(content)) :]


def take_out(content, rng):
    place = rng.randrange(len(content))
    del content[place : place + rng.randrange(1, 4096)]


def put_in(content, rng):
    place = rng.randrange(len(content))
    content[place:place] = rng.randbytes(rng.randrange(1, 64))


def go_on(content, rng):
    content += rng.randbytes(rng.randrange(1, 64))


def exchange(content, rng):
    first, second = (rng.randrange(len(content) - 512) for _ in range(2))
    content[first : first + 512], content[second : second + 512] = (
        content[second : second + 512],
        content[first : first + 512],
    )


@pytest.mark.parametrize("damage", [flip, several, zero, cut, take_out, put_in, go_on, exchange])
def test_no_damaged_byte_passes(damage, saved, tmp_path):
    # Unsealed, 1 of 9 flips changed a value without a word, and 4 of 400 blocks of zeros kept HDF5 busy for ever.
    good, path, refused, begun = saved.read_bytes(), tmp_path / "r.nc", 0, time.monotonic()
    for number in range(300):
        content, rng = bytearray(good), random.Random(number)
        damage(content, rng)
        if content == good:
            continue
        path.write_bytes(content)
        with pytest.raises(RecordingError):
            read_result(path, lazy=bool(number % 2))
        refused += 1
    assert refused > 250
    assert time.monotonic() - begun < 60


def test_what_is_said_is_what_happened(saved, tmp_path):
    path = tmp_path / "r.nc"
    shutil.copy(saved, path)
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    with pytest.raises(RecordingError, match="is damaged: its checksum does not match"):
        read_result(path)
    path.write_bytes(saved.read_bytes()[:-1])
    with pytest.raises(RecordingError, match="it was truncated, or another program wrote it"):
        read_result(path)


def test_others_may_read_what_is_sealed(saved):
    with h5py.File(saved, "r") as file:
        assert {"signal", "power", "scores"} <= set(file)
    assert xr.open_dataset(saved, engine="h5netcdf").attrs["layout"].startswith("eegflex result")


# Datasets, by whoever made them


def without(*names):
    return lambda data: data.drop_vars(names)


def with_attribute(name, value):
    return lambda data: data.assign_attrs({name: value})


def with_json(name, /, **changes):
    return lambda data: data.assign_attrs({name: json.dumps(json.loads(data.attrs[name]) | changes)})


def changed(name, change):
    """A variable with other values, in the same place."""

    def apply(data):
        old = data[name]
        new = xr.Variable(old.dims, change(np.array(old.values)))
        return data.assign_coords({name: new}) if name in data.coords else data.assign({name: new})

    return apply


def put(values, place, value):
    values.ravel()[place] = value
    return values


FOREIGN = {
    "no signal": without("signal"),
    "no size": without("size"),
    "no view": without("frequency_view"),
    "no positions": without("x", "y", "z"),
    "no labels": without("recording"),
    "no frequencies": without("freq"),
    "renamed": lambda data: data.rename(power="powers"),
    "renamed dimension": lambda data: data.rename_dims(night="nights"),
    "one more": lambda data: data.assign(mine=("epoch", np.zeros(5))),
    "of no dimension": lambda data: data.assign(error=0.0),
    "turned": lambda data: data.assign(power=data["power"].transpose("channel", "epoch", "freq")),
    "data as a coordinate": lambda data: data.set_coords("scores"),
    "a coordinate as data": lambda data: data.reset_coords("stage"),
    "no epochs": lambda data: data.isel(epoch=[]),
    "integers": changed("frequency_view", lambda values: values.astype(int)),
    "unsigned counts": changed("of_channel_set", lambda values: values.astype("u8")),  # whose differences are none
    "small unsigned counts": changed("number", lambda values: values.astype("u1")),
    "complex": changed("frequency_view", lambda values: values.astype(complex)),
    "bytes": changed("stage", lambda values: values.astype(bytes)),
    "numbers as text": changed("onset", lambda values: values.astype(str).astype(object)),
    "objects": changed("stage", lambda values: put(values.astype(object), 0, 3)),
    "dates": changed("onset", lambda values: values.astype("datetime64[s]")),
    "frequencies fall": changed("freq", lambda values: values[::-1]),
    "a frequency is no number": changed("freq", lambda values: put(values, 3, np.nan)),
    "frequencies below zero": changed("freq", lambda values: values - 1),
    "a channel twice": changed("channel", lambda values: put(values, 0, values[1])),
    "another stage": changed("stage_name", lambda values: put(values, 0, "N4")),
    "no stage": changed("predicted", lambda values: put(values, 0, "N4")),
    "no channel set": changed("of_channel_set", lambda values: put(values, 0, 7)),
    "an empty channel set": changed("of_channel_set", lambda values: 0 * values),
    "too many channels": changed("n_channels", lambda values: values - 1),
    "another recording": changed("recording", lambda values: put(values, 0, "mine")),
    "another night": changed("night_recording", lambda values: put(values, 0, "mine")),
    "an epoch twice": changed("number", lambda values: put(values, 0, values[1])),
    "no layout": with_attribute("layout", 3),
    "one attribute more": with_attribute("patient", "Anna"),
    "no rate": with_attribute("sfreq", "64"),
    "an infinite rate": with_attribute("sfreq", np.inf),
    "no JSON": with_attribute("spec", "{"),
    "JSON of another kind": with_attribute("provenance", "[]"),
    "a list of JSON": with_attribute("method", np.array(["{}", "{}"])),
    "deep JSON": with_attribute("parameters", "[" * 100_000),
    "deep JSON in a place of its own": with_attribute("provenance", '{"warnings": ' + "[" * 100_000 + "}"),
    "a large number": with_attribute("provenance", '{"epochs": ' + "9" * 10_000 + "}"),
    "a spec of other stages": lambda data: with_json(
        "spec", output=json.loads(data.attrs["spec"])["output"] | {"stages": ["W", "S"]}
    )(data),
    "a spec that is none": with_json("spec", input={"channels": 3}),
    "no word": with_json("method", name=3),
    "words of no form": with_json("method", subject="{what", compared="{0}"),
    "words of a class": with_json("method", subject="{what.__class__}"),
    "words of another program": with_json("method", subject="{what.__class__.__init__.__globals__}"),
    "one word more": with_json("method", colour="red"),
    "no target": with_json("parameters", target="N7"),
    "no baseline": with_json("parameters", baseline="mine"),
    "no count": with_json("parameters", sample_per_stage="two"),
    "no hash": with_json("provenance", input_sha256="0"),
    "no warning": with_json("provenance", warnings=[1]),
    "no checks": with_json("provenance", checks=[1]),
    "a check of no status": with_json("provenance", checks=[{"status": "fine", "measured": ""}]),
    "no window": with_json("provenance", window={"length": "3"}),
    "another number of epochs": with_json("provenance", epochs=6),
    "several recordings": with_json("provenance", recordings={"a": {}, "b": {}}),
}
#: What only a look at all numbers finds.
CONTRADICTING = {
    "a view is no number": changed("frequency_view", lambda values: put(values, 5, np.nan)),
    "a view is infinite": changed("frequency_view", lambda values: put(values, 5, np.inf)),
    "a view is larger": changed("frequency_view", lambda values: 2 * values),
    "a score is larger": changed("score", lambda values: values + 1),
    "a gap is smaller": changed("gap", lambda values: values - 1),
    "a size is smaller": changed("size", lambda values: values / 2),
    "a signal is no number": changed("signal", lambda values: put(values, 5, np.nan)),
    "a power is negative": changed("power", lambda values: put(values, 5, -1)),
    "other scores": changed("scores", lambda values: put(values, 0, values.ravel()[0] - 1e-6)),
    "other scores of the night": changed("night_scores", lambda values: values[::-1]),
    "a score is no number": changed("scores", lambda values: put(values, 0, np.nan)),
    "another stage is predicted": changed("predicted", lambda values: np.roll(values, 1)),
    "another time": changed("onset", lambda values: values + 30),
    "no time": changed("onset", lambda values: put(values, 0, np.nan)),
    "another run": changed("run", lambda values: values + 1),
    "another stage was scored": changed("stage", lambda values: np.roll(values, 1)),
    "a number that is not there": changed("number", lambda values: put(values, 0, 100)),
    "a negative number": changed("number", lambda values: put(values, 0, -1)),
}


def write(data, path):
    """What another program may write, that knows of seals."""
    data.drop_encoding().to_netcdf(path, engine="h5netcdf")
    seal(path)
    return path


@pytest.mark.parametrize("how", FOREIGN)
def test_a_dataset_that_is_no_result_is_refused(how, whole):
    with pytest.raises(ParameterError, match="not have the layout of a result"):
        FlexResult(FOREIGN[how](whole.to_xarray()))


def test_what_is_a_coordinate_in_a_file_is_not_for_the_file_to_say(whole, tmp_path):
    for how in ("data as a coordinate", "a coordinate as data"):
        path = write(FOREIGN[how](whole.to_xarray()), tmp_path / "r.nc")
        xr.testing.assert_identical(read_result(path).data, whole.data)


@pytest.mark.parametrize("how", [*(how for how in FOREIGN if "coordinate" not in how), *CONTRADICTING])
def test_a_sealed_file_that_is_no_result_is_refused(how, whole, tmp_path):
    try:
        path = write((FOREIGN | CONTRADICTING)[how](whole.to_xarray()), tmp_path / "r.nc")
    except (TypeError, ValueError, AttributeError, h5netcdf.CompatibilityError):
        pytest.skip("netCDF cannot hold it")
    with pytest.raises(RecordingError):
        read_result(path)


@pytest.mark.parametrize("how", CONTRADICTING)
def test_a_lazy_result_is_checked_as_far_as_it_is_read(how, whole, tmp_path):
    path = write(CONTRADICTING[how](whole.to_xarray()), tmp_path / "r.nc")
    of_views = how.split()[1] in ("view", "gap", "size", "signal", "power") or how == "a score is larger"
    if of_views:
        read_result(path, lazy=True).close()
        return
    with pytest.raises(RecordingError, match="is inconsistent"):
        read_result(path, lazy=True)


def test_what_is_no_dataset_is_refused(whole):
    for wrong in (None, whole, "night.nc", {"signal": 3}, xr.Dataset(), whole.data["signal"]):
        with pytest.raises(ParameterError, match="not have the layout of a result"):
            FlexResult(wrong)


# HDF5 that no netCDF library writes


def huge(file):
    del file["signal"]
    file.create_dataset("signal", shape=(5, 4, 10**12), dtype="f4", chunks=(1, 4, 1920))


def huge_text(file):
    del file["stage"]
    file.create_dataset("stage", shape=(10**11,), dtype=h5py.string_dtype(), chunks=(1024,))


def huge_dimension(file):
    del file["night"]
    file.create_dataset("night", shape=(10**13,), dtype="f4", chunks=(1024,)).make_scale("night")


def compound(file):
    del file["error"]
    file["error"] = np.zeros((5, 2), dtype=[("a", "f8"), ("b", "f8")])


def reference(file):
    del file["stage"]
    file["stage"] = np.array([file["freq"].ref] * 5, dtype=h5py.ref_dtype)


def lists(file):
    del file["onset"]
    file.create_dataset("onset", (5,), dtype=h5py.vlen_dtype("f8"))


def group(file):
    file["more/freq"] = np.arange(3.0)


def link(file):
    file["mine"] = h5py.SoftLink("/signal")


def no_scales(file):
    for name in ("signal", "scores"):
        file[name].attrs.pop("DIMENSION_LIST")


def foreign_scales(file):
    file["signal"].attrs["DIMENSION_LIST"] = np.zeros(3)


def scaled(file):
    """A factor that a library of netCDF would multiply the values with."""
    for name in ("frequency_view", "score", "x"):
        file[name].attrs["scale_factor"] = 2.0
        file[name].attrs["add_offset"] = 1.0
        file[name].attrs["_FillValue"] = np.float32(0)
    file["onset"].attrs["units"] = "seconds since 2001-01-01"


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    "build",
    [huge, huge_text, huge_dimension, compound, reference, lists, group, link, no_scales, foreign_scales, scaled],
)
def test_hdf5_of_other_kinds_is_refused_or_changes_nothing(build, lazy, whole, saved, tmp_path):
    path = tmp_path / "r.nc"
    shutil.copy(saved, path)
    with h5py.File(path, "r+") as file:
        build(file)
    seal(path)
    tracemalloc.start()
    try:
        if build is scaled:
            with read_result(path, lazy=lazy) as read:
                xr.testing.assert_identical(read.to_xarray(), whole.to_xarray())
        else:
            with pytest.raises(RecordingError):
                read_result(path, lazy=lazy)
        assert tracemalloc.get_traced_memory()[1] < 5e7
    finally:
        tracemalloc.stop()
    path.unlink()  # it is closed


#: What xarray and h5netcdf say of a dataset that they do not write; older ones write no complex numbers.
CANNOT_BE_WRITTEN = (TypeError, ValueError, AttributeError, NotImplementedError, h5netcdf.CompatibilityError)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of xarray, of what is done to the dataset here
def test_no_random_change_of_a_dataset_ends_in_a_foreign_error(whole, tmp_path):
    # ... neither as a dataset nor from a sealed file; what is read has the values that were written.
    names = list(whole.data.variables)
    for number in range(120):
        rng = random.Random(number)
        data = whole.to_xarray()
        for _ in range(rng.choice([1, 2])):
            with np.errstate(all="ignore"):
                data = random_change(data, rng.choice(names), rng)
        with contextlib.suppress(ParameterError):
            FlexResult(data)
        try:
            path = write(data, tmp_path / "r.nc")
        except CANNOT_BE_WRITTEN:
            continue
        try:
            read = read_result(path)
        except RecordingError:
            continue
        assert set(read.data.variables) == set(data.variables)
        for name, variable in read.data.variables.items():  # bytes or objects of the dataset are what they mean
            np.testing.assert_array_equal(variable.values, data[name].values.astype(variable.dtype))


def random_change(data, name, rng):
    if name not in data.variables:
        return data
    place = rng.randrange(max(data[name].size, 1))
    numbers = (np.nan, np.inf, -1, 0, 1e300, 7)
    texts = ("", "mine", "N2", "\ud800", "x" * 10_000)
    changes = [
        lambda: data.drop_vars(name),
        lambda: data.rename({name: rng.choice(["mine", "freq", "epoch", "signal"])}),
        lambda: data.reset_coords(name) if name in data.coords else data.set_coords(name),
        lambda: changed(name, lambda v: put(v, place, rng.choice(texts if v.dtype.kind in "OUT" else numbers)))(data),
        lambda: changed(name, lambda v: v.astype(rng.choice([object, bytes, str, "f4", "i2", "u8", bool, complex])))(
            data
        ),
        lambda: changed(name, lambda v: np.roll(v, 1))(data),
        lambda: data.isel({data[name].dims[0]: slice(rng.randrange(3), None)}),
        lambda: data.assign_attrs({rng.choice(list(data.attrs)): rng.choice(["", "{}", "[]", 3, "null", "[" * 2000])}),
        lambda: random_json(data, rng),
    ]
    try:
        return rng.choice(changes)()
    except (ValueError, TypeError, KeyError, OverflowError):
        return data


def random_json(data, rng):
    """One value of an attribute replaced."""
    name = rng.choice(["spec", "method", "parameters", "provenance"])
    told = json.loads(data.attrs[name])
    if not told:
        return data
    inner = told
    while True:
        key = rng.choice(list(inner))
        if isinstance(inner[key], dict) and inner[key] and rng.random() < 0.7:
            inner = inner[key]
            continue
        inner[key] = rng.choice([None, 3, -1.5, "mine", [], {}, [[1]], {"a": [None]}, True, 10**400])
        return data.assign_attrs({name: json.dumps(told)})
