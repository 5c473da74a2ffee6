"""Folders of cohorts that are cut, edited or of another program: what is read of them, and what is refused."""

import hashlib
import json

import numpy as np
import pytest

from eegflex.cohort import cohort_status, read_cohort
from eegflex.errors import ParameterError

STAGE = {
    "stage": "N2",
    "n_scored": 1,
    "n_predicted": 1,
    "n_explained": 1,
    "n_trusted": -1,
    "n_tested": 0,
    "kappa": None,
}
CELLS = {name: [[[0.5, 1.0]]] for name in ("mean", "error", "mean_agreed", "error_agreed")}
SUMMARY = {
    "recording": {"n_epochs": 1}, "stages": [STAGE], "names": ["N2"], "channels": ["C3"], "bands": ["sigma", "total"],
    "n_epochs": [[1]], "n_agreed": [[0]], "freqs": [0.25, 0.75], "score": "logits", **CELLS,
}  # fmt: skip
ASKED = {"model": "m", "attribution": {}}
LISTED = {"recording": "sub-1", "subject": "1", "session": "", "covariates": {"age": 3}}


class Folder:
    """A folder of one recording that is done, whose files can be changed."""

    def __init__(self, root):
        self.root, own = root, root / "sub-1" / "eeg"
        own.mkdir(parents=True)
        (root / "tables").mkdir()
        self.description, self.listed = root / "dataset_description.json", root / "tables" / "listed.json"
        self.sidecar, self.spectra = (own / f"sub-1_desc-flex_{name}" for name in ("attribution.json", "spectra.npy"))
        np.save(self.spectra, np.ones((3, 1, 1, 2), dtype=np.float32))
        made = {"size": 1, "seal": "", "spectra_sha256": hashlib.sha256(self.spectra.read_bytes()).hexdigest()}
        self.said = {
            "recording": "sub-1", "status": "done", "kind": "", "error": "", "remedy": "", "made": made, "summary": SUMMARY,
            "inputs": {"recording": {"size": 1, "sha256": ""}}, "settings": ASKED, "settings_sha256": "", "versions": {},
            "run": {"seconds": 2.0, "input_mtimes": {}},
        }  # fmt: skip
        self.sidecar.write_text(json.dumps(self.said))
        self.description.write_text(json.dumps({"Settings": ASKED}))
        self.listed.write_text(json.dumps([LISTED]))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def counts(folder):
    found = cohort_status(folder.root)
    assert (
        read_cohort(folder.root).recordings["status"].tolist()
        == ["done"] * found.n_done + ["missing"] * found.n_missing
    )
    return found.n_done, found.n_failed, found.n_missing


def test_one_that_is_whole_is_done(folder):
    assert counts(folder) == (1, 0, 0)
    assert read_cohort(folder.root).bands["mean"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("text", ["", "[]", "5", '"x"', "{}", "[{}]", "null", "\udcff"])
def test_a_sidecar_of_another_kind_is_as_none(folder, text):
    folder.sidecar.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert counts(folder) == (0, 0, 1)


@pytest.mark.parametrize("value", [None, [], "x", 5])
@pytest.mark.parametrize("part", ["status", "made", "summary", "inputs", "settings", "run"])
def test_a_sidecar_without_a_part_is_as_none(folder, part, value):
    folder.sidecar.write_text(json.dumps(folder.said | {part: value}))
    assert counts(folder) == (0, 0, 1)


@pytest.mark.parametrize("value", [None, "x", 5, [[1]], [["a"]]])
@pytest.mark.parametrize("part", ["recording", "stages", "names", "channels", "bands", "mean", "error_agreed", "freqs"])
def test_a_summary_that_makes_no_table_is_as_none(folder, part, value):
    folder.sidecar.write_text(json.dumps(folder.said | {"summary": SUMMARY | {part: value}}))
    assert counts(folder) == (0, 0, 1)


@pytest.mark.parametrize("damage", ["gone", "cut", "other", "folder"])
def test_spectra_that_are_not_those_that_were_written_are_not_read(folder, damage):
    text = folder.spectra.read_bytes()
    folder.spectra.unlink()
    if damage == "folder":
        folder.spectra.mkdir()
    elif damage != "gone":
        folder.spectra.write_bytes(text[:40] if damage == "cut" else text[:-4] + b"\0\0\0@")
    assert counts(folder) == (0, 0, 1)


@pytest.mark.parametrize(
    "rows",
    [
        [], {}, 5, "x", [1], [{}], {"a": 1}, [LISTED, LISTED], [LISTED | {"subject": "../.."}],
        [LISTED | {"recording": "../x"}], [LISTED | {"covariates": 5}],
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [cohort_status, read_cohort])
def test_a_list_of_recordings_that_is_none_is_refused(folder, read, rows):
    folder.listed.write_text(json.dumps(rows))
    with pytest.raises(ParameterError, match=r"not the folder of a cohort.*run_cohort as before"):
        read(folder.root)


@pytest.mark.parametrize("text", [None, "", "5", "[1]", "{}", '{"Settings": 5}'])
@pytest.mark.parametrize("read", [cohort_status, read_cohort])
def test_where_it_is_not_known_what_was_asked_nothing_is_called_missing(folder, read, text):
    folder.description.unlink() if text is None else folder.description.write_text(text)
    with pytest.raises(ParameterError, match=r"What was asked of this cohort cannot be read.*not done again"):
        read(folder.root)
