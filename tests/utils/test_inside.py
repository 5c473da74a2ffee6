"""What a file names lies in its own folder, and no link leads out of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from example_results import make_result

from eegflex import read_result
from eegflex.errors import HypnogramError, ModelError, RecordingError
from eegflex.readers import read_hypnogram
from eegflex.results.seal import seal
from eegflex.utils.inside import check_hdf5, inside


@pytest.fixture
def folder(tmp_path):
    """A folder with files and links in it, beside a file that is none of its own."""
    own = tmp_path / "own"
    (own / "sub").mkdir(parents=True)
    for place in (tmp_path / "secret", own / "beside", own / "sub" / "below"):
        place.write_text("x")
    (own / "out").symlink_to(tmp_path / "secret")
    (own / "up").symlink_to(tmp_path, target_is_directory=True)
    (own / "by way of").symlink_to(own / "out")
    (own / "within").symlink_to(own / "beside")
    (own / "circle").symlink_to(own / "circle")
    return own


@pytest.mark.parametrize(
    ("named", "where"),
    [
        ("beside", "beside"),
        ("./beside", "beside"),
        ("sub/below", "sub/below"),
        ("sub/../beside", "beside"),
        ("within", "beside"),
        ("not there", "not there"),
        ("not/there", "not/there"),
        ("{own}/beside", "beside"),
    ],
)
def test_what_lies_inside_is_found(folder, named, where):
    assert inside(folder / "x.vhdr", named.format(own=folder), RecordingError) == (folder / where).resolve()


@pytest.mark.parametrize(
    "named",
    [
        *(
            "../secret",
            "/etc/passwd",
            "{outside}/secret",
            "sub/../../secret",
            "out",
            "by way of",
            "up/secret",
            "up/not there",
        ),
        *("circle", "..", "../own2/x", "a\0b", "x" * 10_000, "../own/../secret"),
    ],
)
def test_what_leads_out_is_refused(folder, named):
    with pytest.raises(
        RecordingError, match=r"x\.vhdr names a file outside its own folder.*Put the file itself in the same folder"
    ) as caught:
        inside(folder / "x.vhdr", named.format(outside=folder.parent), RecordingError)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("named", ["", ".", "sub", "pipe", "sub/.."])
def test_what_is_no_file_is_refused(folder, named):
    os.mkfifo(folder / "pipe")
    with pytest.raises(ModelError, match="names something that is no file"):
        inside(folder / "x.onnx", named, ModelError)


def test_the_file_itself_may_be_a_link_and_so_may_its_folder(folder, tmp_path):
    """It is the folder of the link that counts, which is where the user put it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.vhdr").symlink_to(folder / "x.vhdr")
    (elsewhere / "beside").write_text("x")
    assert inside(elsewhere / "x.vhdr", "beside", RecordingError) == elsewhere / "beside"
    (tmp_path / "shortcut").symlink_to(folder, target_is_directory=True)
    assert inside(tmp_path / "shortcut" / "x.vhdr", "beside", RecordingError) == folder / "beside"


def test_a_relative_path_has_a_folder_too(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert inside(type(folder)("x.vhdr"), "beside", RecordingError) == folder / "beside"
    with pytest.raises(RecordingError, match="outside"):
        inside(type(folder)("x.vhdr"), "../secret", RecordingError)


def external_link(file, name, other):
    file[name] = h5py.ExternalLink(other, "data")


def soft_link(file, name, other):
    external_link(file, "way", other)
    file[name] = h5py.SoftLink("/way")


def soft_link_to_nothing(file, name, other):
    file[name] = h5py.SoftLink("/nothing")


def through_a_group(file, name, other):
    file["groups/of"] = h5py.ExternalLink(other, "/")
    file[name] = h5py.SoftLink("/groups/of/data")


def virtual(file, name, other):
    layout = h5py.VirtualLayout(shape=(5,), dtype="i8")
    layout[:] = h5py.VirtualSource(other, "data", shape=(5,))
    file.create_virtual_dataset(name, layout)


def virtual_of_itself(file, name, other):
    """Virtual data sets may name files by patterns; one that names its own file is refused with the others."""
    layout = h5py.VirtualLayout(shape=(5,), dtype="i8")
    layout[:] = h5py.VirtualSource(".", "signals/own", shape=(5,))
    file.create_virtual_dataset(name, layout)


def stored_elsewhere(file, name, other):
    file.create_dataset(name, shape=(5,), dtype="i8", external=[(other, 0, 40)])


def hidden_in_a_group(file, name, other):
    file[name] = np.zeros(5, "i8")
    stored_elsewhere(file, "signals/deep/in/here", other)


WAYS = (
    *(external_link, soft_link, soft_link_to_nothing, through_a_group, virtual, virtual_of_itself, stored_elsewhere),
    hidden_in_a_group,
)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_hdf5_that_takes_data_from_others_is_refused(tmp_path, way, absolute):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["data"] = np.arange(5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["signals/own"] = np.zeros(5, "i8")
        way(file, "hypnogram", str(tmp_path / "other.h5") if absolute else "other.h5")
    with pytest.raises(
        HypnogramError, match=r"data in other files.*hypnogram|data in other files.*signals/deep/in/here"
    ):
        read_hypnogram(tmp_path / "a.h5")
    seal(tmp_path / "a.h5")
    with pytest.raises(RecordingError, match="data in other files"):
        read_result(tmp_path / "a.h5")


@pytest.mark.parametrize("way", [external_link, virtual, stored_elsewhere])
def test_which_would_have_been_read(tmp_path, way):
    (tmp_path / "raw").write_bytes(np.arange(5).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["data"] = np.arange(5)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        way(file, "hypnogram", str(tmp_path / ("raw" if way is stored_elsewhere else "other.h5")))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["hypnogram"][()].tolist() == [0, 1, 2, 3, 4]


def test_hdf5_of_its_own_is_read(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["signals/eeg/C3"] = np.zeros(5)
        file["again"] = file["signals/eeg/C3"]  # a second name of the same
        file["hypnogram"] = np.array([0, 1, 2, 4, -1])
        file["hypnogram"].attrs["signal"] = file["again"].ref
    check_hdf5(tmp_path / "a.h5", HypnogramError)
    assert read_hypnogram(tmp_path / "a.h5", epoch_length=30).description.tolist() == [
        "W",
        "N1",
        "N2",
        "REM",
        "UNSCORED",
    ]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = make_result().save(tmp_path_factory.mktemp("result") / "a.nc")
    read_result(path)
    return path


@pytest.mark.parametrize("way", [external_link, virtual, stored_elsewhere])
@pytest.mark.parametrize("name", ["scores", "frequency_view", "more"])
def test_a_result_whose_values_are_elsewhere_is_refused(saved, tmp_path, way, name):
    path = shutil.copy(saved, tmp_path)
    with h5py.File(path, "a") as file:
        if name in file:
            del file[name]
        way(file, name, str(tmp_path / "other.h5"))
    seal(Path(path))
    with pytest.raises(RecordingError, match=rf"a\.nc has data in other files. Got {name}"):
        read_result(path)


def test_what_is_no_hdf5_passes(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n cut")
    check_hdf5(tmp_path / "a.h5", RecordingError)
    check_hdf5(tmp_path / "not there", RecordingError)
