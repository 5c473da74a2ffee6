"""Damaged files, files that change under their reader, and rates that no EEG has: our errors, and no end of the process."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import zlib
from importlib.util import find_spec

import h5py
import mne
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from edf_files import Edf, Sig
from recording_files import LABELS, noise, write_brainvision, write_eeglab

from eegflex.epochs import make_epochs
from eegflex.errors import EegflexError, RecordingError
from eegflex.readers import get_notes, read_psg
from eegflex.readers.recordings.mat_tags import texts_in

N_MUTATIONS = int(os.environ.get("EEGFLEX_FUZZ", "1000")) // 5
EVENTS = [("boundary", 100.5, 30.0), ("N2", 201.0, 50.0)]


def everything():
    """One of each class of array that a structure may hold."""
    cells = np.array([["a", 1.0, np.zeros((2, 2, 2))]], dtype=object)
    sparse = scipy.sparse.csc_matrix(([1.0, 2.0], ([0, 3], [1, 2])), shape=(4, 4))
    return {"etc": {"c": cells, "s": sparse, "l": np.array([True]), "u": "äöü", "z": np.array([1 + 2j]), "e": ""}}


def a_fif(folder):
    raw = mne.io.RawArray(noise(120), mne.create_info(list(LABELS), 100.0, "eeg"), verbose="ERROR")
    raw.save(folder / "x_raw.fif", buffer_size_sec=10, verbose="ERROR")
    return folder / "x_raw.fif", folder / "x_raw.fif"


def an_fdt(folder):
    return write_eeglab(folder / "x.set", noise(120), fdt=True), folder / "x.fdt"


def an_eeg(folder):
    return write_brainvision(folder / "x", noise(120), points=12000), folder / "x.eeg"


def an_edf(folder):
    (folder / "x.edf").write_bytes(Edf([Sig("C3"), Sig("M1")]).to_bytes())
    return folder / "x.edf", folder / "x.edf"


@pytest.mark.parametrize("write", [a_fif, an_fdt, an_eeg, an_edf])
@pytest.mark.parametrize("how", ["cut", "emptied", "gone"])
def test_a_file_that_changes_after_it_was_opened_is_our_error(tmp_path, write, how):
    path, data = write(tmp_path)
    raw = read_psg(path, channels=["C3"], verbose="ERROR")
    epochs = make_epochs(raw, verbose="ERROR")
    if how == "gone":
        data.unlink()
    else:
        os.truncate(data, data.stat().st_size // 2 if how == "cut" else 0)
    for read in (raw.get_data, epochs.get_data):
        with pytest.raises(RecordingError, match=r"truncated.*again") as caught:
            read()
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("write", [a_fif, an_fdt])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_on_opening(tmp_path, write, share):
    path, data = write(tmp_path)
    os.truncate(data, int(data.stat().st_size * share))
    with pytest.raises(RecordingError):
        read_psg(path, channels=["C3"])


def test_what_a_truncated_brainvision_lost_is_told(tmp_path):
    path, data = an_eeg(tmp_path)
    os.truncate(data, data.stat().st_size // 4)
    raw = read_psg(path, channels=["C3"], verbose="ERROR")
    np.testing.assert_allclose(raw.get_data()[0], noise(120)[0, :3000], atol=1e-12)
    assert "the file is truncated: 90 s at its end are lost" in get_notes(raw.info).warnings


def test_markers_beyond_the_end_are_told_where_nothing_else_is(tmp_path):
    path = write_brainvision(
        tmp_path / "x", noise(60), ["New Segment,,1,1,0,20200310220000000000", "Comment,Note,9001,1,0"]
    )
    warnings = get_notes(read_psg(path, channels=["C3"], verbose="ERROR").info).warnings
    assert warnings == ["markers lie beyond the end of the samples: the file may be truncated"]


@pytest.mark.parametrize("fdt", [False, True])
@pytest.mark.parametrize("n_labels", [2, 4])
def test_an_eeglab_file_of_other_channels_than_it_says_is_refused(tmp_path, fdt, n_labels):
    """With two labels for three channels, MNE reads every sample of the .fdt file in the wrong place."""
    path = write_eeglab(tmp_path / "x.set", noise(60), labels=("C3", "C4", "M1", "M2")[:n_labels], fdt=fdt)
    with pytest.raises(RecordingError):
        read_psg(path, channels=["C3"])


@pytest.mark.parametrize("pnts", [5000.0, 7000.0])
def test_an_fdt_of_another_length_is_refused(tmp_path, pnts):
    with pytest.raises(RecordingError):
        read_psg(write_eeglab(tmp_path / "x.set", noise(60), fdt=True, pnts=pnts), channels=["C3"])


def test_a_fif_whose_tags_lead_back_is_refused_at_once(tmp_path):
    path, _ = a_fif(tmp_path)
    raw = bytearray(path.read_bytes())
    places, at = [], 0
    while 0 <= at < len(raw):
        _, _, size, following = struct.unpack_from(">4i", raw, at)
        places.append(at)
        at = at + 16 + size if following == 0 else following
    struct.pack_into(">i", raw, places[20] + 12, places[5])
    struct.pack_into(">i", raw, places[1] + 16, -1)  # no directory: the tags are followed
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match="leads back"):
        read_psg(path)
    path.write_bytes(bytes(raw[: places[10]]) + bytes(10**6))
    with pytest.raises(RecordingError, match="empty tags"):
        read_psg(path)


@pytest.mark.parametrize("rate", [1e9, 1e5 + 1, 0.5, 1e-6])
def test_rates_that_no_eeg_has_are_refused(tmp_path, rate):
    with pytest.raises(RecordingError, match="impossible for EEG"):
        read_psg(write_eeglab(tmp_path / "x.set", noise(60), rate=rate), channels=["C3"])
    (tmp_path / "x.edf").write_bytes(Edf([Sig("C3")], n_records=10, duration=f"{100 / rate:.8g}"[:8]).to_bytes())
    with pytest.raises(RecordingError, match="impossible for EEG"):
        read_psg(tmp_path / "x.edf", channels=["C3"])


@pytest.mark.parametrize("rate", [0.0, -100.0, np.nan, np.inf])
def test_rates_that_are_none_are_refused(tmp_path, rate):
    with pytest.raises(RecordingError):
        read_psg(write_eeglab(tmp_path / "x.set", noise(60), rate=rate), channels=["C3"])


def test_a_duration_that_no_eeg_has_is_refused(tmp_path):
    edf = Edf([Sig("C3", n=20000)], n_records=2000, duration="20000")
    (tmp_path / "x.edf").write_bytes(edf.to_bytes())
    with pytest.raises(RecordingError, match="impossible for EEG"):
        read_psg(tmp_path / "x.edf")


@pytest.mark.parametrize("compress", [False, True])
def test_tags_of_sound_files_are_followed_to_their_names(tmp_path, compress):
    path = write_eeglab(tmp_path / "x.set", noise(5), EVENTS, fdt=True, compress=compress, **everything())
    assert texts_in(path, frozenset({"data"})) == ["x.fdt"]
    assert texts_in(path, frozenset({"setname", "u"})) == ["night", "äöü"]
    scipy.io.savemat(tmp_path / "flat.set", {"data": "däta.fdt", "srate": 100.0}, appendmat=False)
    assert texts_in(tmp_path / "flat.set", frozenset({"data"})) == ["däta.fdt"]


# Types, sizes, counts and classes that stand in tags, and what is none of them.
VALUES = (0, 1, 2, 5, 6, 7, 9, 14, 15, 16, 17, 127, 128, 255)
WIDE = (0, 1, 2, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF8, 1 << 20)


def mutate(raw: bytearray, rng: random.Random, lowest: int) -> bytes:
    if rng.random() < 0.1:
        return bytes(raw[: rng.randrange(len(raw))])
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(lowest, len(raw)) // 4 * 4
        raw[place : place + 4] = rng.choice(
            [
                bytes([rng.choice(VALUES)]) + raw[place + 1 : place + 4],
                struct.pack("<I", rng.choice(WIDE)),
                rng.randbytes(4),
            ]
        )
    return bytes(raw)


def packed(raw: bytes, rng: random.Random) -> bytes:
    """Mutate what a compressed variable holds, so that its sum is right and its tags are not."""
    (size,) = struct.unpack_from("<I", raw, 132)
    body = zlib.compress(mutate(bytearray(zlib.decompress(raw[136 : 136 + size])), rng, 0))
    return raw[:128] + struct.pack("<II", 15, len(body)) + body


_READ = """
import random, sys, warnings
from pathlib import Path
sys.path.insert(0, sys.argv[4])
warnings.simplefilter("ignore")
from test_guard import mutate, packed
from eegflex.errors import EegflexError
from eegflex.readers import read_psg
whole, count, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
path, ends = whole.with_name("mutant.set"), {"read": 0, "refused": 0}
path.with_suffix(".fdt").write_bytes(whole.with_suffix(".fdt").read_bytes() if whole.with_suffix(".fdt").exists() else b"")
for seed in range(count):
    rng = random.Random(seed)
    raw = whole.read_bytes()
    path.write_bytes(packed(raw, rng) if kind == "packed" else mutate(bytearray(raw), rng, 0 if kind == "hdf5" else 124))
    try:
        read_psg(path, channels=["C3"], verbose="CRITICAL").get_data()
        ends["read"] += 1
    except EegflexError:
        ends["refused"] += 1
print(ends["read"], ends["refused"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "packed", "beside", "hdf5"])
def test_damaged_eeglab_files_end_in_our_errors_and_never_the_process(tmp_path, kind):
    """In a process of its own, which SciPy's reader ended for 28 of 1000 such files when it was given them unseen."""
    path = tmp_path / "x.set"
    if kind == "hdf5":
        if find_spec("pymatreader") is None:
            pytest.skip("pymatreader is not installed")
        write_hdf5(path, noise(5), EVENTS)
    else:
        write_eeglab(path, noise(5), EVENTS, fdt=kind == "beside", compress=kind == "packed", **everything())
    command = [sys.executable, "-c", _READ, str(path), str(N_MUTATIONS), kind, os.path.dirname(__file__)]  # noqa: PTH120
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == N_MUTATIONS
    assert refused > N_MUTATIONS / 5


def write_hdf5(path, data, events=()):
    """Write an EEGLAB file as MATLAB 7.3 does: HDF5 behind a header of text, structures as groups of references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        apart, eeg = file.create_group("#refs#"), file.create_group("EEG")
        eeg.attrs["MATLAB_class"] = np.bytes_("struct")

        def put(home, name, value, kind="double"):
            value = [[ord(letter)] for letter in value] if isinstance(value, str) else np.atleast_2d(value)
            own = home.create_dataset(name, data=np.asarray(value, np.uint16 if kind == "char" else None))
            own.attrs["MATLAB_class"] = np.bytes_(kind)
            if kind == "char":
                own.attrs["MATLAB_int_decode"] = np.int32(2)
            return own.ref

        def table(name, rows, columns):
            home = eeg.create_group(name)
            home.attrs["MATLAB_class"] = np.bytes_("struct")
            for place, column in enumerate(columns):
                values = [row[place] for row in rows]
                refs = [
                    [put(apart, f"{name}{column}{k}", value, "char" if isinstance(value, str) else "double")]
                    for k, value in enumerate(values)
                ]
                home.create_dataset(column, data=np.array(refs, dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)

        for name, value in {
            "nbchan": len(data),
            "trials": 1,
            "pnts": data.shape[1],
            "srate": 100,
            "xmin": 0,
            "xmax": 1,
        }.items():
            put(eeg, name, float(value))
        put(eeg, "setname", "night", "char")
        put(eeg, "data", (data * 1e6).T.astype(np.float32), "single")
        table("chanlocs", [(label, np.nan, np.nan, np.nan) for label in LABELS], ("labels", "X", "Y", "Z"))
        table("event", events or [("x", 1.0, 1.0), ("y", 2.0, 1.0)], ("type", "latency", "duration"))
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 .".ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def test_eeglab_of_matlab_7_3_is_read_or_says_what_to_install(tmp_path):
    path = write_hdf5(tmp_path / "x.set", noise(60), [("boundary", 3100.5, 6000.0), ("N2", 4001.0, 1000.0)])
    if find_spec("pymatreader") is None:
        with pytest.raises(RecordingError, match=r"7\.3.*eegflex\[eeglab\]"):
            read_psg(path)
        return
    raw = read_psg(path, channels=["C3"], verbose="ERROR")
    np.testing.assert_allclose(raw.get_data()[0, :3100], noise(60)[0, :3100], rtol=1e-6)
    assert sorted((a["onset"], a["duration"], a["description"]) for a in raw.annotations) == [
        (31.0, 60.0, "BAD_ACQ_SKIP"),
        (100.0, 10.0, "N2"),
    ]


def test_a_name_behind_a_reference_of_hdf5_does_not_lead_out(tmp_path):
    path = write_hdf5(tmp_path / "x.set", noise(5))
    with h5py.File(path, "a") as file:
        del file["EEG/data"]
        name = file["#refs#"].create_dataset("name", data=np.array([[ord(c)] for c in "/etc/hostname"], np.uint16))
        name.attrs["MATLAB_class"] = np.bytes_("char")
        file["EEG"].create_dataset("data", data=np.array([[name.ref]], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    with pytest.raises(EegflexError, match="outside its own folder"):
        read_psg(path)
