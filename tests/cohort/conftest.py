"""A cohort that was explained without a disturbance."""

from __future__ import annotations

import functools
import json
import tempfile
import time
from pathlib import Path

import cohort_files
import h5py
import pandas as pd
import pytest
import xarray as xr


class Explained:
    """A cohort on disk: its table, its folder, and what the run returned."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root, root / "out"
        self.good = cohort_files.good_files(root, 3)
        self.bad = cohort_files.bad_files(root)
        self.source = cohort_files.table_of(root / "cohort.csv", [*self.good, *self.bad.values()])
        self.cohort = cohort_files.explain(self.source, self.out, n_workers=2, retries=1)


@pytest.fixture(scope="session")
def explained(tmp_path_factory):
    return Explained(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def assert_same():
    """Compares some recordings in two folders, byte for byte where HDF5 allows it.

    Not compared are seconds, and what is of the run or of its table.
    """

    def compare(one: Path, other: Path, recordings: list[str]) -> None:
        for name in recordings:
            _same_files(one / name, other / name)
        for name in ("recordings", "stages", "bands"):
            tables = [pd.read_parquet(root / "tables" / f"{name}.parquet") for root in (one, other)]
            chosen = [table[table["recording"].isin(recordings)].reset_index(drop=True) for table in tables]
            own = ["seconds", "group", "age"]
            pd.testing.assert_frame_equal(*(table.drop(columns=own, errors="ignore") for table in chosen))

    return compare


@functools.cache
def _files_hold_their_time() -> bool:
    """Whether HDF5 writes into a file when it was made, as old versions do: then two runs have the same values, not bytes."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.h5" for number in range(2)]
        for path in paths:
            h5py.File(path, "w", track_order=True).close()
            time.sleep(1.1)
        return paths[0].read_bytes() != paths[1].read_bytes()


def _same_files(one: Path, other: Path) -> None:
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    for name in names:
        if name.suffix == ".json":
            pair = [json.loads((root / name).read_bytes()) for root in (one, other)]
            assert all(found.pop("run")["seconds"] > 0 for found in pair)
            if _files_hold_their_time():
                assert all(found["made"].pop("seal") for found in pair if "made" in found)
            assert pair[0] == pair[1], name
        elif name.suffix == ".nc" and _files_hold_their_time():
            with xr.open_dataset(one / name) as first, xr.open_dataset(other / name) as second:
                xr.testing.assert_identical(first, second)
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
