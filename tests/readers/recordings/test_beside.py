"""Recordings that name other files: those of their own folder are read, and no others are so much as opened."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import h5py
import hypnogram_files
import mne
import numpy as np
import pytest
import scipy.io

from eegflex.errors import HypnogramError, RecordingError
from eegflex.readers import describe_psg, read_hypnogram, read_psg
from readers.recordings.test_mne_files import a_raw, brainvision, eeglab  # noqa: F401  (fixtures)

OPENED: list[str] | None = None


def _listen(event, arguments):
    if event == "open" and OPENED is not None:
        OPENED.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else "")


sys.addaudithook(_listen)  # it stays, and hears nothing outside of these tests


@pytest.fixture
def opened(monkeypatch):
    """What Python opens while a test runs."""
    heard: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "OPENED", heard)
    return heard


@pytest.fixture
def elsewhere(tmp_path):
    """A folder that the recording has nothing to do with."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def refused(path, opened, elsewhere):
    """Refuse it whatever it is asked for, with nothing of the other folder opened."""
    opened.clear()
    for read in (read_psg, describe_psg):
        with pytest.raises(RecordingError, match=r"outside its own folder.*Put the file itself in the same folder"):
            read(path)
    assert opened
    assert [name for name in opened if str(elsewhere) in str(Path(name).resolve())] == []


def renamed(path, old, new):
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


WORDS = {
    "data": ("DataFile=night.eeg", "DataFile=", "night.eeg"),
    "markers": ("MarkerFile=night.vmrk", "MarkerFile=", "night.vmrk"),
}
WAYS = ("an absolute path", "a path upwards", "a link", "a link to a folder", "a path through here")


def lead_out(way, name, folder, elsewhere):
    """Move a file elsewhere, and name it by a way that leads there."""
    shutil.move(folder / name, elsewhere / name)
    if way == "a link":
        (folder / name).symlink_to(elsewhere / name)
        return name
    if way == "a link to a folder":
        (folder / "sub").symlink_to(elsewhere, target_is_directory=True)
        return f"sub/{name}"
    upwards = f"../elsewhere/{name}"
    return {
        "an absolute path": str(elsewhere / name),
        "a path upwards": upwards,
        "a path through here": f"./x/../{upwards}",
    }[way]


@pytest.fixture
def night(brainvision, tmp_path):  # noqa: F811
    """A BrainVision recording in a folder of its own."""
    folder = tmp_path / "night"
    folder.mkdir()
    for suffix in ("vhdr", "vmrk", "eeg"):
        shutil.move(tmp_path / f"night.{suffix}", folder)
    return folder / "night.vhdr", brainvision[1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", WORDS)
def test_brainvision_does_not_lead_out_of_its_folder(night, elsewhere, opened, part, way):
    path, _ = night
    line, key, name = WORDS[part]
    renamed(path, line, key + lead_out(way, name, path.parent, elsewhere))
    if way == "a path through here":
        (path.parent / "x").mkdir()
    refused(path, opened, elsewhere)


@pytest.mark.parametrize(
    "line", ["datafile = {}", "DATAFILE: {}", "DataFile={}\nDataOrientation=MULTIPLEXED", "datafile={}\n\n;x"]
)
def test_however_its_header_is_written(night, elsewhere, opened, line):
    path, _ = night
    where = lead_out("an absolute path", "night.eeg", path.parent, elsewhere)
    renamed(path, "DataOrientation=MULTIPLEXED\n" if "Orientation" in line else "\x00", "")
    renamed(path, "DataFile=night.eeg", line.format(where))
    refused(path, opened, elsewhere)


def test_a_header_of_another_alphabet_hides_nothing(night, elsewhere, opened):
    """All but its first line in EBCDIC, where no byte of "DataFile" is that of ASCII."""
    path, _ = night
    where = lead_out("an absolute path", "night.eeg", path.parent, elsewhere)
    first, rest = path.read_text("utf-8").replace("DataFile=night.eeg", f"DataFile={where}").split("\n", 1)
    coded = (";\n" + rest.replace("Codepage=UTF-8\n", "").replace("µ", "u")).encode("cp500").replace(b"\x25", b"\x25")
    path.write_bytes(first.encode() + b"\nCodepage=cp500\r" + coded)
    with pytest.raises(RecordingError, match=r"outside its own folder|MNE cannot read"):
        read_psg(path)
    assert [name for name in opened if str(elsewhere) in name] == []


def test_markers_that_mne_takes_in_their_place_do_not_lead_out_either(night, elsewhere, opened):
    path, _ = night
    lead_out("a link", "night.vmrk", path.parent, elsewhere)
    renamed(path, "MarkerFile=night.vmrk", "MarkerFile=gone.vmrk")
    refused(path, opened, elsewhere)


@pytest.mark.parametrize(
    "named", ["night.eeg", "./night.eeg", "sub/night.eeg", "sub/../night.eeg", "link.eeg", "{folder}/night.eeg"]
)
def test_brainvision_of_its_own_folder_is_read(night, named):
    path, data = night
    (path.parent / "sub").mkdir()
    shutil.copy(path.parent / "night.eeg", path.parent / "sub")
    (path.parent / "link.eeg").symlink_to(path.parent / "night.eeg")
    renamed(path, "DataFile=night.eeg", f"DataFile={named.format(folder=path.parent)}")
    np.testing.assert_allclose(read_psg(path, verbose="ERROR").get_data()[0], data[0] - data[3], atol=1e-10)


@pytest.mark.skipif(not mne.utils.check_version("mne", "1.13"), reason="MNE reads no such file before 1.13")
@pytest.mark.parametrize("line", ["", "MarkerFile=\n", "MarkerFile=gone.vmrk\n", "markerfile=night.vmrk\n"])
@pytest.mark.filterwarnings("ignore:MarkerFile")
def test_brainvision_without_markers_is_read(night, line):
    path, data = night
    renamed(path, "MarkerFile=night.vmrk\n", line)
    np.testing.assert_allclose(read_psg(path, verbose="ERROR").get_data()[0], data[0] - data[3], atol=1e-10)


@pytest.mark.parametrize("kind", ["brainvision", "eeglab"])
def test_the_recording_that_the_user_names_may_be_a_link(tmp_path, kind, request):
    path, _ = request.getfixturevalue(kind)
    (tmp_path / f"link{path.suffix}").symlink_to(path)
    (tmp_path / "folder").symlink_to(tmp_path, target_is_directory=True)
    expected = read_psg(path, verbose="ERROR").get_data()
    for other in (tmp_path / f"link{path.suffix}", tmp_path / "folder" / path.name):
        np.testing.assert_array_equal(read_psg(other, verbose="ERROR").get_data(), expected)


def test_data_that_are_a_pipe_are_not_waited_for(night):
    path, _ = night
    (path.parent / "night.eeg").unlink()
    os.mkfifo(path.parent / "night.eeg")
    with pytest.raises(RecordingError, match="names something that is no file"):
        read_psg(path)


def set_file(folder, data, *, flat=False, nested=False, **fields):
    """An EEGLAB file whose data are elsewhere."""
    labels = ["C3", "C4", "M1", "M2", "E1-M2", "EMG chin", "SpO2"]
    chanlocs = np.array([(label,) for label in labels], dtype=[("labels", "O")])
    eeg = {
        "data": data,
        "nbchan": 7,
        "pnts": 9000,
        "trials": 1,
        "srate": 100.0,
        "xmin": 0.0,
        "xmax": 89.99,
        "event": [],
    }
    eeg |= {"setname": "night", "filename": "night.set", "chanlocs": chanlocs, "epoch": [], "icawinv": []} | fields
    folder.mkdir(exist_ok=True)
    whole = eeg if flat else {"EEG": {"EEG": eeg} if nested else eeg}
    scipy.io.savemat(folder / "night.set", whole, appendmat=False)
    return folder / "night.set"


def samples():
    return (a_raw().get_data() * 1e6).astype("<f4")


@pytest.mark.parametrize("form", [{}, {"flat": True}, {"nested": True}])
@pytest.mark.parametrize("way", WAYS)
def test_eeglab_does_not_lead_out_of_its_folder(tmp_path, elsewhere, opened, way, form):
    folder = tmp_path / "night"
    folder.mkdir()
    samples().T.tofile(folder / "other.fdt")
    path = set_file(folder, lead_out(way, "other.fdt", folder, elsewhere), **form)
    if way == "a path through here":
        (folder / "x").mkdir()
    refused(path, opened, elsewhere)


@pytest.mark.parametrize("form", [{}, {"flat": True}])
def test_nor_by_the_other_field_of_its_name(tmp_path, elsewhere, opened, form):
    refused(set_file(tmp_path / "night", samples(), datfile="../elsewhere/x.fdt", **form), opened, elsewhere)


def test_samples_that_mne_takes_in_their_place_do_not_lead_out_either(tmp_path, elsewhere, opened):
    path = set_file(tmp_path / "night", "gone.fdt")
    samples().T.tofile(elsewhere / "x.fdt")
    (path.parent / "night.fdt").symlink_to(elsewhere / "x.fdt")
    refused(path, opened, elsewhere)


@pytest.mark.parametrize("form", [{}, {"flat": True}])
@pytest.mark.parametrize("datfile", ["other.fdt", ""])
def test_eeglab_of_its_own_folder_is_read(tmp_path, form, datfile):
    path = set_file(tmp_path / "night", "other.fdt", datfile=datfile, **form)
    samples().T.tofile(path.parent / "other.fdt")
    data = samples() * 1e-6
    np.testing.assert_allclose(read_psg(path, verbose="ERROR").get_data()[0], data[0] - data[3], atol=1e-9)


@pytest.mark.parametrize("place", ["EEG/data", "data"])
def test_eeglab_in_hdf5_does_not_lead_out_either(tmp_path, elsewhere, place):
    path, text = tmp_path / "night.set", "../elsewhere/x.fdt"
    with h5py.File(path, "w") as file:
        file[place] = np.array([[ord(letter)] for letter in text], dtype="u2")
        file[place].attrs["MATLAB_class"] = np.bytes_("char")
    with pytest.raises(RecordingError, match="outside its own folder"):
        read_psg(path)
    with h5py.File(path, "a") as file:
        del file[place]
        file[place] = h5py.ExternalLink(str(elsewhere / "x.h5"), "x")
    with pytest.raises(RecordingError, match="data in other files"):
        read_psg(path)


def split_fif(folder, *, epochs=False):
    """A FIF file of several parts, of which each names the next."""
    folder.mkdir()
    raw = a_raw(["C3", "C4"], seconds=700.0)
    if epochs:
        cut = mne.make_fixed_length_epochs(raw, 10.0, verbose="ERROR")
        cut.save(folder / "night-epo.fif", split_size="2MB", fmt="double", verbose="ERROR")
        return folder / "night-epo.fif"
    raw.save(folder / "night_raw.fif", split_size="2MB", buffer_size_sec=10, fmt="double", verbose="ERROR")
    return folder / "night_raw.fif"


def rename_next(path, old, new):
    """Let a part name another one: of the same length, so that nothing else moves."""
    assert len(old) == len(new)
    content = path.read_bytes()
    assert content.count(old.encode()) == 1
    path.write_bytes(content.replace(old.encode(), new.encode()))


@pytest.mark.filterwarnings("ignore:This filename")
@pytest.mark.parametrize("epochs", [False, True])
def test_the_parts_of_a_fif_do_not_lead_out_of_its_folder(tmp_path, elsewhere, opened, epochs):
    path = split_fif(tmp_path / "night", epochs=epochs)
    (part,) = (own for own in path.parent.iterdir() if own != path)
    expected = read_psg(path, verbose="ERROR").get_data()
    shutil.move(part, elsewhere)
    (path.parent / part.name).symlink_to(elsewhere / part.name)
    refused(path, opened, elsewhere)
    (path.parent / part.name).unlink()
    short = f"../elsewhere/{'x' * 40}"[: len(part.name)]
    (elsewhere / part.name).rename(path.parent / short)
    rename_next(path, part.name, short)
    refused(path, opened, elsewhere)
    (path.parent / short).rename(path.parent / part.name)
    rename_next(path, short, part.name)
    np.testing.assert_array_equal(read_psg(path, verbose="ERROR").get_data(), expected)


def test_parts_that_name_each_other_in_a_circle_are_refused(tmp_path):
    path = split_fif(tmp_path / "night")
    (part,) = (own for own in path.parent.iterdir() if own != path)
    rename_next(path, part.name, f"./{path.name}")
    with pytest.raises(RecordingError, match="in a circle"):
        read_psg(path)


def test_the_header_of_annotations_does_not_lead_out_either(tmp_path, elsewhere):
    """The rate of a WFDB record stands in a file beside its annotations."""
    path = tmp_path / "night" / "night.arousal"
    path.parent.mkdir()
    path.write_bytes(hypnogram_files.wfdb(rate=False))
    (elsewhere / "x.hea").write_text("night 1 200 100\n")
    path.with_suffix(".hea").symlink_to(elsewhere / "x.hea")
    with pytest.raises(HypnogramError, match="outside its own folder"):
        read_hypnogram(path)
    path.with_suffix(".hea").unlink()
    shutil.copy(elsewhere / "x.hea", path.with_suffix(".hea"))
    assert "N2" in read_hypnogram(path).description
