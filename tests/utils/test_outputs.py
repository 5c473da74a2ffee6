"""Outputs: whole or not at all on a full disk, never an input, never what is no file, and nothing left of dead runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import eegflex
from eegflex.errors import OutputError
from eegflex.utils.files import check_output, write_together, write_tree, write_whole

pytestmark = pytest.mark.skipif(os.name != "posix", reason="of POSIX")


def put(text):
    return lambda path: path.write_text(text)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A disk of 2 MiB."""
    place = tmp_path_factory.mktemp("disk")
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S607


def leave(disk, free):
    """Fill a disk but for some bytes."""
    with (disk / "fill").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
        file.truncate(file.tell() - free)


def fits(write, path):
    """Whether it was written; if not, that was said."""
    try:
        write(path, overwrite=True)
    except OutputError as error:
        return "could not be written" not in str(error)
    return True


@pytest.fixture(scope="module")
def writers():
    """What writes files, by their names."""
    night = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    staged = eegflex.stage_epochs(eegflex.make_epochs(night.raw, verbose="error"), "bandpower", verbose="error")
    result = eegflex.attribute_epochs(staged, quadrature="gauss-legendre", n_steps=2, views=("time",), verbose="error")
    report = eegflex.make_report(result[:2], epochs_per_stage=0, verbose="error")
    return {
        "result.nc": result.save,
        "tracks.edf": result.export_edf,
        "tracks.bdf": result.export_edf,
        "report.html": report.save,
        "stages.csv": staged.save,
        "stages.edf": staged.save,
        "stages.tsv": staged.save,
        "night.edf": night.save,
    }


@pytest.mark.slow
@pytest.mark.parametrize("free", [0, 4096, 150_000])
@pytest.mark.parametrize("old", [b"", b"what was there before"])
def test_on_a_full_disk_nothing_is_half_written(small_disk, writers, free, old):
    said = set()
    for name, write in writers.items():
        for one in small_disk.iterdir():
            one.unlink()
        if old:
            (small_disk / name).write_bytes(old)
        leave(small_disk, free)
        before = {one.name: one.read_bytes() for one in small_disk.iterdir()}
        if not fits(write, small_disk / name):
            said.add(name)
            assert {one.name: one.read_bytes() for one in small_disk.iterdir()} == before
    assert {"result.nc", "report.html", "night.edf"} <= said
    assert free or said == set(writers)


@pytest.mark.slow
def test_a_data_set_on_a_full_disk_is_as_it_was(small_disk):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    for one in small_disk.iterdir():
        one.unlink()
    night = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error")
    leave(small_disk, 40_000)
    with pytest.raises(OutputError, match="No space left"):
        night.save_bids(small_disk / "nights")
    assert [one.name for one in small_disk.iterdir()] == ["fill"]


def test_the_disk_has_it_before_it_has_its_name(tmp_path, monkeypatch):
    happened = []
    synced, replaced = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda number: (happened.append(str(Path(f"/proc/self/fd/{number}").readlink())), synced(number))
    )
    monkeypatch.setattr(Path, "replace", lambda a, b: (happened.append("renamed"), replaced(a, b))[1])
    write_whole(tmp_path / "x.txt", put("new"), overwrite=False)
    assert happened[0].endswith("/x.txt")
    assert happened[1:] == ["renamed", str(tmp_path)]


@pytest.mark.parametrize("way", ["itself", "link", "hard link", "other spelling", "link to its folder", "in a folder"])
def test_an_input_is_never_an_output(tmp_path, monkeypatch, way):
    (tmp_path / "data").mkdir()
    recording = tmp_path / "data" / "night.edf"
    recording.write_text("mine")
    other = tmp_path / "out.edf"
    if way == "link":
        other.symlink_to(recording)
    elif way == "hard link":
        other.hardlink_to(recording)
    elif way == "other spelling":
        monkeypatch.chdir(tmp_path)
        other = Path("data/../data/night.edf")
    elif way == "link to its folder":
        (tmp_path / "shortcut").symlink_to(tmp_path / "data")
        other = tmp_path / "shortcut" / "night.edf"
    else:
        other = recording
    inputs = [tmp_path / "data" if way == "in a folder" else recording, tmp_path / "gone"]
    for overwrite in (True, False):
        with pytest.raises(OutputError, match="is an input file"):
            write_whole(other, put("lost"), overwrite=overwrite, inputs=inputs)
    assert recording.read_text() == "mine"
    assert check_output(tmp_path / "new.edf", overwrite=False, inputs=inputs) == tmp_path / "new.edf"


def test_a_staged_night_does_not_replace_its_recording(tmp_path):
    files = eegflex.simulate_psg(hours=0.2, sfreq=128, seed=1, verbose="error").save(tmp_path / "night.edf")
    before = files.psg.read_bytes()
    epochs = eegflex.make_epochs(eegflex.read_psg(files.psg, verbose="error"), verbose="error")
    with pytest.raises(OutputError, match="is an input file"):
        eegflex.stage_epochs(epochs, "bandpower", verbose="error").save(files.psg, overwrite=True)
    assert files.psg.read_bytes() == before


def test_what_is_no_file_is_no_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("to a pipe").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name, words in {"pipe": "pipe", "to a pipe": "pipe", "socket": "socket", "/dev/null": "device"}.items():
            with pytest.raises(OutputError, match=words):
                write_whole(name, put("x"), overwrite=True)
    Path("a").symlink_to("b")
    Path("b").symlink_to("a")
    for name in ("a", "nul\0", "n" * 300, "n/" * 3000):
        with pytest.raises(OutputError):
            write_whole(name, put("x"), overwrite=True)


def test_a_link_stays_and_what_it_names_is_written(tmp_path):
    (tmp_path / "deep").mkdir()
    target, link, new = tmp_path / "deep" / "x.txt", tmp_path / "link.txt", tmp_path / "new.txt"
    target.write_text("old")
    link.symlink_to(target)
    new.symlink_to(Path("deep") / "y.txt")
    assert write_whole(link, put("one"), overwrite=True) == link
    write_whole(new, put("two"), overwrite=False)
    assert link.is_symlink()
    assert new.is_symlink()
    assert (target.read_text(), (tmp_path / "deep" / "y.txt").read_text()) == ("one", "two")
    assert sorted(one.name for one in (tmp_path / "deep").iterdir()) == ["x.txt", "y.txt"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
def test_permissions_are_kept(tmp_path, mode):
    path = tmp_path / "x.txt"
    path.write_text("old")
    path.chmod(mode)
    write_whole(path, put("new"), overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    plain = tmp_path / "plain.txt"
    plain.write_text("")
    assert stat.S_IMODE(write_whole(tmp_path / "y", put(""), overwrite=False).stat().st_mode) == stat.S_IMODE(
        plain.stat().st_mode
    )


HOLDING = """
import sys, time
from pathlib import Path
from eegflex.utils.files import write_whole
def slow(path):
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
write_whole(Path(sys.argv[1]), slow, overwrite=True)
"""


@pytest.fixture
def writing(tmp_path):
    """A process in the midst of writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "slow.txt")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_a_dead_run_left_is_swept_and_what_a_living_one_has_is_not(tmp_path, writing):
    (tmp_path / "slow.txt").write_text("old")
    write_whole(tmp_path / "a.txt", put("x"), overwrite=False)
    assert len(list(tmp_path.glob(".eegflex-*/slow.txt"))) == 1
    writing.kill()
    writing.wait()
    (tmp_path / ".eegflex-settings").mkdir()  # which is none of ours
    write_whole(tmp_path / "b.txt", put("x"), overwrite=False)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".eegflex-settings", "a.txt", "b.txt", "slow.txt"]
    assert (tmp_path / "slow.txt").read_text() == "old"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_asked_twice_a_writer_leaves_nothing(tmp_path, writing, signum):
    for _ in range(2):
        writing.send_signal(signum)
        time.sleep(0.3)
    assert writing.wait(20) != 0
    assert list(tmp_path.iterdir()) == []


def test_several_files_are_written_together_or_not_at_all(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]

    def half(parts):
        parts[0].write_text("a")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space"):
        write_together(paths, half, overwrite=False)
    assert list(tmp_path.iterdir()) == []
    write_together(paths, lambda parts: [part.write_text(part.name) for part in parts], overwrite=False)
    assert [path.read_text() for path in paths] == ["a.txt", "b.txt"]


def test_a_tree_is_written_as_a_whole(tmp_path):
    def write(folder, *, fails=False):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "a").write_text("a")
        if fails:
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError):
        write_tree(tmp_path / "root", lambda folder: write(folder, fails=True))
    assert not (tmp_path / "root").exists()
    write_tree(tmp_path / "root", write)
    assert [one.relative_to(tmp_path).as_posix() for one in sorted(tmp_path.rglob("*"))] == [
        "root",
        "root/deep",
        "root/deep/a",
    ]


@pytest.mark.slow
def test_saving_a_result_takes_no_more_memory_than_its_file(tmp_path):
    """In HDF5's hands a full disk ends the process; put together in memory, it costs the file's size, and no copy of it."""
    code = """
import resource, sys
import numpy as np, xarray as xr
from eegflex.results.netcdf import write_dataset
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
rng = np.random.default_rng(0)
signal = np.empty((800, 9, 3000), dtype="f4")
for one in signal:
    one[:] = rng.standard_normal(one.shape, dtype="f4")
before = peak()
path = write_dataset(xr.Dataset({"signal": (("epoch", "channel", "time"), signal)}), sys.argv[1], overwrite=False)
print(path.stat().st_size / 2**20, peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "r.nc")], capture_output=True, text=True, check=True
    )
    size, more = map(float, done.stdout.split())
    assert size > 60
    assert more < 1.5 * size
    assert np.isfinite(more)
