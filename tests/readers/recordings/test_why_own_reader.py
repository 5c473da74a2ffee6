"""The page docs/why_own_code.rst: each cell of its table of EDF readers is what comes of running that reader on that file.

When a library catches up its cell is wrong, and this test says so: then the page, and perhaps our own code, has to go.
"""

from __future__ import annotations

import csv
import dataclasses
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import edfio
import mne
import numpy as np
import pyedflib
import pytest
from edf_files import REAL, Edf, Sig, times
from odd_files import ODD

from eegflex.errors import EegflexError, UnitError
from eegflex.readers import read_psg
from eegflex.readers.recordings.edf import EdfSource

PAGE = Path(__file__).parents[3] / "docs" / "why_own_code.rst"
if not mne.utils.check_version("mne", "1.10"):
    pytest.skip("the page is of newer libraries", allow_module_level=True)

LIBRARIES = ("ours", "edfio", "MNE", "pyedflib")


def table_of_page():
    """The rows of the page's table: kind of file -> reader -> outcome."""
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line.strip() for line in lines[lines.index(".. csv-table:: EDF readers") :] if line.startswith('   "')]
    return {kind: dict(zip(LIBRARIES, cells, strict=True)) for kind, *cells in csv.reader(rows, skipinitialspace=True)}


TABLE = table_of_page()


# --- readers: samples of the first signal, and the unit that they are in ---------------------------------


def ours(path, **keys):
    raw = read_psg(path, verbose="ERROR", **keys)
    return raw.get_data()[0], "V"


def by_edfio(path):
    signal = opened_by_edfio(path).signals[0]
    return signal.data, signal.physical_dimension


def opened_by_edfio(path):
    return edfio.read_bdf(path) if is_bdf(path) else edfio.read_edf(path)


def by_mne(path):
    return opened_by_mne(path).get_data([0])[0], "V"


def opened_by_mne(path, **keys):
    return (mne.io.read_raw_bdf if is_bdf(path) else mne.io.read_raw_edf)(path, verbose="WARNING", **keys)


def by_pyedflib(path):
    with pyedflib.EdfReader(str(path)) as reader:
        return reader.readSignal(0), reader.getPhysicalDimension(0)


def is_bdf(path):
    with path.open("rb") as file:
        return file.read(1) == b"\xff"


READERS = dict(zip(LIBRARIES, (ours, by_edfio, by_mne, by_pyedflib), strict=True))


def quietly(run: Callable, *arguments, **keys):
    """What a reader gives, or None where it raises; and whether it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return run(*arguments, **keys), bool(caught)
        except Exception:
            return None, bool(caught)


# --- what comes of a file --------------------------------------------------------------------------------------------


def written(tmp_path, kind):
    """Write an odd file; the header of an EDF+ is one in all else, so that pyedflib may read it."""
    odd = ODD[kind]
    edf = dataclasses.replace(odd.file, recording="Startdate 03-APR-2020 X X X") if odd.file.reserved else odd.file
    path = tmp_path / ("night.bdf" if edf.bdf and "named" not in kind else odd.name)
    path.write_bytes(edf.to_bytes())
    return path, edf, odd


def truth_of(edf, odd):
    """The samples in the unit as written, at their times; None for a file that nobody can know them of."""
    if odd.error not in {None, UnitError}:
        return None
    return odd.values(edf) if odd.values else edf.physical(0)[: odd.n_times]


def same(found, expected):
    return found.shape == expected.shape and np.allclose(found, expected, rtol=1e-6, atol=1e-5 * np.ptp(expected))


#: Units that are written in bytes, as text.
IN_BYTES = {"µV".encode(): "µV", b"\xb5V": "µV"}


def outcome(found, edf, odd):
    if found is None:
        return "refuses"
    values, unit = found
    truth, recorded = truth_of(edf, odd), edf.physical(0)
    if truth is None:
        size = odd.scale if unit == "V" else 1.0
        return "file order" if edf.reserved and same(values, recorded * size) else "makes up"
    wanted = IN_BYTES.get(edf.signals[0].unit, edf.signals[0].unit)
    if unit == "V" and odd.error is UnitError:
        return "makes up"  # volts, of a unit that nobody knows
    size = odd.scale if unit == "V" else 1.0
    if unit != "V" and unit.strip("\0 ") != wanted:
        return "unit lost" if same(values, truth) else "makes up"
    if same(values, truth * size):
        return "reads"
    if same(values, recorded * size):
        return "file order"
    return "wrong size" if same(values / np.std(values), truth / np.std(truth)) else "makes up"


ODD_ROWS = [kind for kind in TABLE if kind in ODD]


@pytest.mark.parametrize("reader", LIBRARIES)
@pytest.mark.parametrize("kind", ODD_ROWS)
def test_a_cell_of_an_odd_file_is_what_comes_of_it(tmp_path, kind, reader):
    path, edf, odd = written(tmp_path, kind)
    found, warned = quietly(READERS[reader], path, **(odd.keys if reader == "ours" else {}))
    came = outcome(found, edf, odd)
    assert came + "*" * (warned and came not in {"reads", "refuses"}) == TABLE[kind][reader]


# --- annotations -----------------------------------------------------------------------------------------------------

ANNOTATIONS = {
    "an annotation in latin-1": b"+6\x14Lumi\xe8re\x14\x00",
    "an onset without its sign": b"6\x14Lumi\xc3\xa8re\x14\x00",
    "an onset with a decimal comma": b"+6,0\x14Lumi\xc3\xa8re\x14\x00",
}
ANNOTATION_READERS = {
    "ours": lambda path: [(a["onset"], a["description"]) for a in read_psg(path, verbose="ERROR").annotations],
    "edfio": lambda path: [(a.onset, a.text) for a in edfio.read_edf(path).annotations],
    "MNE": lambda path: [(a["onset"], a["description"]) for a in opened_by_mne(path).annotations],
    "pyedflib": lambda path: annotations_by_pyedflib(path),
}


def annotations_by_pyedflib(path):
    with pyedflib.EdfReader(str(path)) as reader:
        onset, _, text = reader.readAnnotations()
    return list(zip(onset.tolist(), text.tolist(), strict=True))


@pytest.mark.parametrize("reader", LIBRARIES)
@pytest.mark.parametrize("kind", ANNOTATIONS)
def test_a_cell_of_annotations_is_what_comes_of_them(tmp_path, kind, reader):
    tals = times(120, extra={6: ANNOTATIONS[kind]})
    path = tmp_path / "night.edf"
    path.write_bytes(Edf(reserved="EDF+C", recording="Startdate 03-APR-2020 X X X", tals=tals).to_bytes())
    found, warned = quietly(ANNOTATION_READERS[reader], path)
    came = "refuses" if found is None else {1: "reads", 0: "loses it"}[len(found)]
    assert came + "*" * (warned and came == "loses it") == TABLE[kind][reader]
    assert found in (None, [], [(6.0, "Lumière")])


# --- a stretch at a time ---------------------------------------------------------------------------------------------

SLOW = Edf([Sig(n=200), Sig("EOG horizontal", n=50)], n_records=60)
STRETCHES = {
    "ours": lambda path, a, b: read_psg(path, channels=["EEG C3-A2", "EOG horizontal"], verbose="ERROR").get_data(
        [1], a * 200, b * 200
    ),
    "edfio": lambda path, a, b: edfio.read_edf(path).signals[1].get_data_slice(a, b),
    "MNE": lambda path, a, b: opened_by_mne(path).get_data([1], a * 200, b * 200),
    "pyedflib": lambda path, a, b: pyedflib.EdfReader(str(path)).readSignal(1, a * 50, (b - a) * 50),
}


@pytest.mark.parametrize("reader", LIBRARIES)
def test_a_cell_of_a_slow_signal_is_what_comes_of_it(tmp_path, reader):
    path = tmp_path / "night.edf"
    path.write_bytes(SLOW.to_bytes())
    read = STRETCHES[reader]
    whole, _ = quietly(read, path, 0, 60)
    stretches = [quietly(read, path, a, a + 10) for a in range(0, 60, 10)]
    parts = np.concatenate([np.ravel(stretch) for stretch, _ in stretches])
    came = "reads" if same(parts, np.ravel(whole)) else "seams" + "*" * all(warned for _, warned in stretches)
    assert came == TABLE["a slow signal beside a fast one, a stretch at a time"][reader]


BIG = Edf([Sig(f"X{k}", n=200, bottom="-8388608", top="8388607") for k in range(30)], n_records=300, bdf=True)
TEN_SECONDS = {
    "ours": lambda path: EdfSource(path).read(0, 0, 2000),
    "edfio": lambda path: edfio.read_bdf(path).signals[0].get_data_slice(0, 10),
    "MNE": lambda path: opened_by_mne(path).get_data([0], stop=2000),
    "pyedflib": lambda path: pyedflib.EdfReader(str(path)).readSignal(0, 0, 2000),
}


@pytest.mark.parametrize("reader", LIBRARIES)
def test_a_cell_of_memory_is_what_is_used(tmp_path, reader):
    path = tmp_path / "night.bdf"
    path.write_bytes(BIG.to_bytes())
    tracemalloc.start()
    try:
        assert TEN_SECONDS[reader](path).size == 2000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    came = "loads it all" if peak > path.stat().st_size / 2 else "reads"
    assert came == TABLE["ten seconds of a BDF"][reader]


# --- a recording of a clinic -----------------------------------------------------------------------------------------

LABELS = {
    "ours": lambda path: [signal.label for signal in EdfSource(path).signals],
    "edfio": lambda path: list(edfio.read_edf(path).labels),
    "MNE": lambda path: opened_by_mne(path).ch_names,
    "pyedflib": lambda path: pyedflib.EdfReader(str(path)).getSignalLabels(),
}


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
@pytest.mark.parametrize("reader", LIBRARIES)
def test_a_cell_of_the_clinics_recording_is_what_comes_of_it(reader):
    labels, _ = quietly(LABELS[reader], REAL)
    came = "refuses" if labels is None else "reads" if "C3 Impédance" in labels else "label lost"
    assert came == TABLE["a clinic's export, 89 signals, accents in its labels"][reader]


# --- the page as a whole ---------------------------------------------------------------------------------------------


def test_every_row_is_run():
    others = [
        "a slow signal beside a fast one, a stretch at a time",
        "ten seconds of a BDF",
        "a clinic's export, 89 signals, accents in its labels",
    ]
    assert list(TABLE) == [*ODD_ROWS, *ANNOTATIONS, *others]


def test_what_is_ours_reads_or_refuses_by_an_error_of_ours(tmp_path):
    assert {cells["ours"] for cells in TABLE.values()} == {"reads", "refuses"}
    for kind in ODD_ROWS:
        if TABLE[kind]["ours"] == "refuses":
            with pytest.raises(EegflexError, match=ODD[kind].says):
                read_psg(written(tmp_path, kind)[0], verbose="ERROR")


@pytest.mark.parametrize("reader", LIBRARIES[1:])
def test_no_library_does_all_that_ours_does(reader):
    """The reason why ours stays: files that it reads and the library does not, and files that the library makes numbers of."""
    unread = [kind for kind, cells in TABLE.items() if cells["ours"] == "reads" and cells[reader] != "reads"]
    believed = [kind for kind, cells in TABLE.items() if cells["ours"] == "refuses" and cells[reader] != "refuses"]
    assert unread
    assert believed or reader == "pyedflib"
