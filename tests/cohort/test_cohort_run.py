"""A cohort from its table to its rows: what is done, what failed and why, and what a second run does."""

import fnmatch
import json
import multiprocessing
import os
import shutil
import sys

import cohort_files
import h5netcdf
import numpy as np
import pandas as pd
import psutil
import pytest
import xarray as xr

import eegflex
from eegflex.cohort import cohort_status, read_cohort, run_cohort
from eegflex.cohort import run as module
from eegflex.cohort.lock import Lock
from eegflex.cohort_settings import CohortSettings
from eegflex.errors import MissingExtraError, ModelError, OutputError, ParameterError, UnitError

pytestmark = pytest.mark.slow

#: What each bad recording is told.
SAID = {
    "truncated": "ends inside its header",
    "unit": "unit of EEG signals",
    "noeeg": "No signal of the recording is recognised as the EEG",
    "empty": "is empty",
    "text": "is not a recording that can be read",
    "crash": "died of SIGABRT",
    "hypnogram": "A stage label is unknown",
    "gone": "There is no such recording",
}


def test_every_recording_is_a_row(explained):
    table = explained.cohort.recordings
    good = [f"sub-good{k}" for k in range(3)]
    assert sorted(table.index) == sorted([*good, *(f"sub-bad{name}" for name in SAID)])
    assert (table.loc[good, ["status", "error", "remedy"]] == ["done", "", ""]).all(axis=None)
    assert table.loc[good, "n_explained"].tolist() == [8, 8, 8]
    assert table["group"].value_counts().to_dict() == {"a": 6, "b": 5}
    for name, words in SAID.items():
        row = table.loc[f"sub-bad{name}"]
        assert (row["status"], row["result"]) == ("failed", "")
        assert words in row["error"]
        assert row["remedy"]
    assert not table[["error", "remedy"]].map(lambda text: str(explained.root) in text or ".edf" in text).any(axis=None)


def test_results_are_those_of_the_recording_alone(explained):
    table, stager = explained.cohort.recordings, eegflex.load_model(cohort_files.Rhythm(), spec=cohort_files.SPEC)
    raw = eegflex.read_psg(
        explained.good[1], hypnogram=explained.good[1].with_name("good1-hypnogram.txt"), verbose="error"
    )
    settings = {name: value for name, value in cohort_files.QUICK.items() if name != "evaluate"}
    alone = eegflex.attribute_epochs(eegflex.make_epochs(raw, verbose="error"), stager, **settings, verbose="error")
    found = eegflex.read_result(explained.out / table.loc["sub-good1", "result"])
    assert found.recordings == ("sub-good1",)
    views = [one.data["frequency_view"].values for one in (found, alone)]
    np.testing.assert_allclose(*views, rtol=1e-5, atol=1e-6)
    bands = explained.cohort.bands.query("recording == 'sub-good1' and stage == 'N3'").set_index("band")["mean"]
    expected = alone.band_table(by=("stage", "channel")).loc["N3"].iloc[0]
    np.testing.assert_allclose(
        bands[["delta", "sigma"]], expected[["delta", "sigma"]].astype(float), rtol=1e-4, atol=1e-6
    )


def test_tables_are_written_and_read_back(explained):
    again, tables = read_cohort(explained.out), explained.out / "tables"
    for name in ("recordings", "stages", "bands"):
        own = getattr(explained.cohort, name)
        pd.testing.assert_frame_equal(own, getattr(again, name))
        written = pd.read_parquet(tables / f"{name}.parquet")
        pd.testing.assert_frame_equal(written, own.reset_index() if name == "recordings" else own)
        assert pd.read_csv(tables / f"{name}.csv").shape == written.shape
    xr.testing.assert_identical(again.spectra, explained.cohort.spectra)
    with xr.open_dataset(tables / "spectra.nc", engine="h5netcdf") as written:
        assert written.sizes == again.spectra.sizes
        assert written.attrs["score"] == "logits"


def test_epochs_on_which_stager_and_scorer_agree(explained):
    """Their own means, out of the results on disk; and inference over them."""
    bands, n_some = explained.cohort.bands, 0
    for name in (f"sub-good{k}" for k in range(3)):
        data = eegflex.read_result(explained.out / explained.cohort.recordings.loc[name, "result"]).data
        scored, predicted = data["stage"].values.astype(str), data["predicted"].values[:, 0].astype(str)
        own = bands[bands["recording"] == name].set_index(["stage", "band"])
        for stage in set(predicted):
            agreed = np.flatnonzero((predicted == stage) & (scored == stage))
            row = own.loc[(stage, "total")]
            assert row["n_agreed"] == len(agreed) <= row["n_epochs"]
            n_some += len(agreed)
            if len(agreed):
                whole = data["frequency_view"].values[agreed, 0].sum(axis=-1, dtype=float).mean()
                assert row["mean_agreed"] == pytest.approx(whole, rel=1e-5)
            else:
                assert np.isnan(row["mean_agreed"])
    assert 0 < n_some < 24
    assert explained.cohort.spectra["mean_agreed"].dims == explained.cohort.spectra["mean"].dims


def test_one_that_hangs_is_a_row_and_costs_nothing_else(tmp_path):
    good = cohort_files.good_files(tmp_path, 2)
    source = cohort_files.table_of(tmp_path / "cohort.csv", [cohort_files.hanging_file(tmp_path), *good])
    cohort = cohort_files.explain(source, tmp_path / "out", n_workers=1, time_limit=40.0)
    table = cohort.recordings
    assert table.loc[["sub-good0", "sub-good1"], "status"].tolist() == ["done"] * 2
    row = table.loc["sub-hang"]
    assert (row["status"], row["error"]) == ("failed", "It was not finished after 40 s")
    assert "time_limit" in row["remedy"]
    assert row["seconds"] == pytest.approx(40, abs=5)
    assert not [one for one in psutil.Process().children(recursive=True) if "eegflex.cohort.hand" in one.cmdline()]
    assert "sub-hang: It was not finished" in str(cohort_status(tmp_path / "out"))


def test_the_folder_is_a_derivative_of_bids_without_names_of_files(explained):
    told = json.loads((explained.out / "dataset_description.json").read_text())
    assert (told["DatasetType"], told["GeneratedBy"][0]["Name"]) == ("derivative", "eegflex")
    names = {path.name for path in (explained.out / "sub-good0" / "eeg").iterdir()}
    ends = ("attribution.nc", "attribution.json", "spectra.npy")
    assert names == {f"sub-good0_desc-flex_{end}" for end in ends}
    texts = [path.read_text() for path in explained.out.rglob("*.json")]
    assert not any(str(explained.root) in text or "good0.edf" in text for text in texts)
    assert [path.name for path in explained.out.iterdir() if path.name.startswith(".")] == [".bidsignore"]


def test_whatever_bids_has_no_name_for_is_ignored_by_its_validators(explained):
    patterns = (explained.out / ".bidsignore").read_text().split()
    told = json.loads((explained.out / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType", "GeneratedBy"} <= set(told)
    assert set(told["GeneratedBy"][0]) == {"Name", "Version", "Description"}
    for path in explained.out.rglob("*"):
        own = path.relative_to(explained.out)
        if path.is_file() and own.name not in (".bidsignore", "dataset_description.json"):
            parts = [f"{part}/" for part in own.parts[:-1]] + [own.name]
            assert any(fnmatch.fnmatch(part, pattern) for part in parts for pattern in patterns), own


def test_spectra_say_what_they_are_and_in_what_unit(explained):
    with h5netcdf.File(explained.out / "tables" / "spectra.nc", "r") as written:
        said = {name: dict(found.attrs) for name, found in written.variables.items()}
    assert all(attrs["long_name"] for attrs in said.values())
    units = {name: attrs["units"] for name, attrs in said.items() if "units" in attrs}
    assert units == {"mean": "Hz-1", "error": "Hz-1", "mean_agreed": "Hz-1", "freq": "Hz"}


@pytest.fixture
def copied(explained, tmp_path, monkeypatch):
    """A copy of a finished cohort, and how many recordings a run would work on."""
    root = tmp_path / "copy"
    shutil.copytree(explained.root, root)

    def left(source=root / "cohort.csv", **more):
        class Asked(Exception):  # noqa: N818
            pass

        def refuse(settings, n_recordings):
            raise Asked(n_recordings)

        monkeypatch.setattr(module, "connected", refuse)
        try:
            cohort_files.explain(source, root / "out", **more)
        except Asked as asked:
            return asked.args[0]
        return 0

    return root, left


def test_a_second_run_does_nothing(copied):
    root, left = copied
    before = {path: path.stat().st_mtime_ns for path in (root / "out").rglob("sub-*/eeg/*")}
    assert left() == 0
    assert before == {path: path.stat().st_mtime_ns for path in (root / "out").rglob("sub-*/eeg/*")}


def test_what_is_asked_otherwise_is_done_again(copied):
    _, left = copied
    assert left(n_steps=3) == 11
    assert left(units="uV") == 11
    assert left(evaluate=1) == 11
    assert left(batch_size=7) == 0  # which changes nothing
    assert left(reports=True) == 3
    assert left(force=True) == 11


def test_what_has_changed_is_done_again(copied):
    root, left = copied
    file = root / "good0.edf"
    os.utime(file, (1, 1))
    assert left() == 0  # touched, and the same
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert left() == 1
    (root / "good1-hypnogram.txt").write_text("N2\n" * 8)
    assert left() == 2
    (root / "badgone.edf").write_bytes(file.read_bytes())
    assert left() == 3


@pytest.mark.parametrize("what", ["attribution.nc", "spectra.npy", "attribution.json"])
def test_what_is_not_whole_is_done_again(copied, what):
    root, left = copied
    file = root / "out" / "sub-good2" / "eeg" / f"sub-good2_desc-flex_{what}"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 255]) + whole[len(whole) // 2 + 1 :])
    assert left() == (0 if what == "attribution.json" and _is_json(file) else 1)
    file.write_bytes(whole[:-20])
    assert left() == 1
    file.unlink()
    assert left() == 1


def _is_json(file):
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return False
    return True


def test_the_status_counts_and_tells(explained, copied):
    root, _ = copied
    (root / "out" / "sub-good2" / "eeg" / "sub-good2_desc-flex_attribution.json").unlink()
    status = cohort_status(root / "out")
    assert (status.n_recordings, status.n_done, status.n_failed, status.n_missing) == (11, 2, 8, 1)
    text = str(status)
    assert "11 recordings: 2 done, 8 failed, 1 left; no process works on it" in text
    assert "sub-badempty: The recording is empty" in text
    assert read_cohort(root / "out").recordings.loc["sub-good2", "status"] == "missing"
    with Lock(root / "out"):
        assert f"process {os.getpid()}" in str(cohort_status(root / "out"))
    with pytest.raises(ParameterError, match="not the folder of a cohort"):
        cohort_status(root)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"sample_per_stag": 3}, ParameterError, "An argument of run_cohort must be one of"),
        ({"label": "x"}, ParameterError, "label is not available for a cohort"),
        ({"n_jobs": 2}, ParameterError, "Use n_workers"),
        ({"n_workers": 0}, ParameterError, "n_workers"),
        ({"scheduler": "tcp://127.0.0.1:1", "n_workers": 2}, ParameterError, "own number of workers"),
        ({"method": "magic"}, ParameterError, "method"),
        ({"baseline": np.zeros(3)}, ParameterError, "must be given by name"),
        ({"profile": "atlantis"}, ParameterError, "no data set with this name"),
        ({"coding": "secret"}, ParameterError, "coding"),
        ({"target": "N9"}, ParameterError, "target must be one of"),
        ({"units": "stones"}, UnitError, "stones"),
        ({"units": {"C3": "stones"}}, UnitError, "stones"),
        ({"units": 5}, ParameterError, "units must be"),
        ({"units": {"C3": 5}}, ParameterError, "units must be"),
        ({"channels": "C3-M2"}, ParameterError, "channels must be a list"),
        ({"channels": []}, ParameterError, "channels must be a list"),
        ({"device": "gpu"}, ParameterError, "device does not exist"),
        ({"device": 1.5}, ParameterError, "device does not exist"),
        ({"task": "sleep"}, ParameterError, "Only a BIDS data set has tasks"),
        ({"memory": "-1GB"}, ParameterError, "memory must be"),
        ({"memory": "1e400GB"}, ParameterError, "memory must be"),
        ({"memory": "0"}, ParameterError, "memory must be"),
        ({"memory": 5}, ParameterError, "memory must be"),
        ({"scheduler": 5}, ParameterError, "scheduler must be"),
        ({"scheduler": "nowhere"}, ParameterError, "No Dask scheduler"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(explained, tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        run_cohort(explained.source, "bandpower", tmp_path / "out", **given, verbose="error")
    assert not (tmp_path / "out").exists()


def test_a_wrong_model_a_wrong_folder_and_a_locked_one_are_refused(explained, tmp_path):
    with pytest.raises(ModelError):
        run_cohort(explained.source, "no-such-model", tmp_path / "out", verbose="error")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        run_cohort(explained.source, "bandpower", tmp_path / "file", verbose="error")
    (tmp_path / "busy").mkdir()
    with Lock(tmp_path / "busy"), pytest.raises(OutputError, match="Another run uses this folder"):
        run_cohort(explained.source, "bandpower", tmp_path / "busy", verbose="error")


def test_a_missing_extra_and_an_import_of_the_script_are_told(explained, tmp_path, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(ParameterError, match='__name__ == "__main__"'):
        run_cohort(explained.source, "bandpower", tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"eegflex\[cohort\]"):
        run_cohort(explained.source, "bandpower", tmp_path / "out")


@pytest.mark.parametrize("memory", ["4GB", "512 MiB", "2e9", "1.5G"])
def test_amounts_of_memory_as_dask_reads_them(memory):
    assert CohortSettings(memory=memory).memory == memory


@pytest.mark.parametrize("name", ["a\0b", "circle"])
def test_a_folder_that_no_system_takes_is_refused(explained, tmp_path, name):
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OutputError, match="folder cannot be made"):
        run_cohort(explained.source, "bandpower", tmp_path / name, verbose="error")


def test_a_run_that_nobody_works_for_leaves_the_folder_as_it_was(copied, explained):
    root, _ = copied
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(ParameterError, match="No Dask scheduler"):
        run_cohort(explained.source, "bandpower", root / "out", scheduler="nowhere", seed=7, verbose="error")
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
