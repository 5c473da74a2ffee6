"""The folder of a cohort: what lies where in it, when a recording is done, and what is written of it.

A recording is done when its sidecar says so, and everything that the sidecar names is there as it was written. The sidecar is
written last, so that whatever ends a run leaves either no word of a recording or all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eegflex.cohort.listing_files import walk
from eegflex.cohort.recording import Recording
from eegflex.cohort.sidecar import DONE, FAILED, is_sidecar
from eegflex.errors import EegflexError, OutputError, ParameterError
from eegflex.results.seal import check_seal
from eegflex.utils.files import check_output, write_whole

__all__ = ["DONE", "FAILED", "Folder", "as_json", "hash_of", "make_folder", "stamps"]

#: What ended an attempt, where it says nothing of the file: such a recording is tried again by the next run.
_TRANSIENT = ("killed", "memory", "time")
_JOB = ".eegflex-cohort-{}.job"
_KIND = "_desc-flex_"
_SIDECAR = f"{_KIND}attribution.json"
#: What BIDS has no names for, said to those who validate the folder.
_BEYOND_BIDS = (f"*{_KIND}*", "tables/", "report.html")


@dataclass(frozen=True)
class Folder:
    """The folder of a cohort.

    Attributes
    ----------
    root : Path
        Where it is.
    """

    root: Path

    def result(self, one: Recording) -> Path:
        """The result of a recording."""
        return self.root / one.folder / f"{one.name}{_KIND}attribution.nc"

    def sidecar(self, one: Recording) -> Path:
        """What is said of it."""
        return self.root / one.folder / f"{one.name}{_SIDECAR}"

    def spectra(self, one: Recording) -> Path:
        """Its mean spectra."""
        return self.root / one.folder / f"{one.name}{_KIND}spectra.npy"

    def report(self, one: Recording) -> Path:
        """The page of it."""
        return self.root / one.folder / f"{one.name}{_KIND}report.html"

    def job(self, token: str) -> Path:
        """What a run asks of all recordings, for its processes to read."""
        return self.root / _JOB.format(token)

    def clear_jobs(self) -> None:
        """Remove what runs that were killed have left."""
        for path in self.root.glob(_JOB.format("*")):
            with contextlib.suppress(OSError):  # it is none of ours, then
                path.unlink(missing_ok=True)

    @property
    def tables(self) -> Path:
        """The folder of tables."""
        return self.root / "tables"

    @property
    def listing(self) -> Path:
        """Which recordings the last run had."""
        return self.tables / "listed.json"

    @property
    def description(self) -> Path:
        """What BIDS asks of derivatives, and what the last run asked."""
        return self.root / "dataset_description.json"

    @property
    def page(self) -> Path:
        """The page of the cohort."""
        return self.root / "report.html"

    def read_sidecar(self, one: Recording) -> dict[str, Any] | None:
        """What is said of a recording; None where nothing is, or the file is none of ours."""
        found: dict[str, Any] | None = read_json(self.sidecar(one))
        return found if is_sidecar(found) else None

    def known(self, listed: Sequence[Recording]) -> dict[str, dict[str, Any]]:
        """What is said of those recordings that are done or failed as the last run asked.

        Those of an earlier run are not to be mixed with them. One whose spectra are not those that were written is not done.

        Raises
        ------
        ParameterError
            If it is not known what the last run asked.
        """
        told = read_json(self.description)
        if not isinstance(told, dict) or not isinstance(told.get("Settings"), dict):
            raise ParameterError(
                "What was asked of this cohort cannot be read", seen=self.description,
                remedy="Call run_cohort as before: what is done is not done again",
            )  # fmt: skip
        said = {one.name: (one, self.read_sidecar(one)) for one in listed}
        return {
            name: found
            for name, (one, found) in said.items()
            if found is not None
            and found["settings"] == told["Settings"]
            and (found["status"] != DONE or self._has_spectra(one, found))
        }

    def _has_spectra(self, one: Recording, said: Mapping[str, Any]) -> bool:
        try:
            if hash_of(self.spectra(one)) != said["made"].get("spectra_sha256"):
                return False
            shape = np.load(self.spectra(one)).shape
        except (OSError, ValueError):
            return False
        return bool(shape[1:] == tuple(len(said["summary"][name]) for name in ("names", "channels", "freqs")))

    def write_sidecar(self, one: Recording, said: Mapping[str, Any]) -> None:
        """Write what is said of a recording, whole or not at all."""
        path = self.sidecar(one)
        make_folder(path.parent)
        write_json(path, said)

    def drop_outputs(self, one: Recording) -> None:
        """Remove what an earlier run made of a recording that is now known to fail."""
        for path in (self.result(one), self.spectra(one), self.report(one)):
            path.unlink(missing_ok=True)

    def is_settled(self, one: Recording, digest: str, version: str, *, reports: bool) -> bool:
        """Whether nothing is left to do for a recording: it is done as asked, or fails for a reason that is still there."""
        said = self.read_sidecar(one)
        if said is None or said.get("settings_sha256") != digest or not _same_inputs(one, said):
            return False
        if said["status"] == DONE:
            return self._is_whole(one, said) and (self.report(one).is_file() or not reports)
        # a later version may read what this one could not
        return said.get("kind") not in _TRANSIENT and said["versions"].get("eegflex") == version

    def _is_whole(self, one: Recording, said: Mapping[str, Any]) -> bool:
        try:
            made, result, spectra = said["made"], self.result(one), self.spectra(one)
            if hash_of(spectra) != made["spectra_sha256"]:
                return False
            now = result.stat()
            if now.st_size != made["size"]:
                return False
            if now.st_mtime_ns != said["run"]["result_mtime"]:  # copied, or touched by somebody
                check_seal(result, OutputError, "result")
                return bool(seal_of(result) == made["seal"])
        except (OSError, KeyError):
            return False
        return True

    def sidecars(self) -> Iterator[Path]:
        """All sidecars that are there."""
        if self.root.is_dir():
            for one in sorted(self.root.iterdir()):
                if one.name.startswith("sub-") and one.is_dir():
                    yield from (path for path in walk(one) if path.name.endswith(_SIDECAR))

    def write_description(self, versions: Mapping[str, str], asked: Mapping[str, Any]) -> None:
        """Say of the folder what BIDS asks of derivatives, and what in it is beyond BIDS."""
        ignored = "".join(f"{one}\n" for one in _BEYOND_BIDS)
        write_whole(self.root / ".bidsignore", lambda path: path.write_text(ignored, "utf-8"), overwrite=True)
        made = {"Name": "eegflex", "Version": versions["eegflex"], "Description": "eegflex.cohort.run_cohort"}
        write_json(
            self.description,
            {
                "Name": "Attributions of a sleep stager, by eegflex",
                "BIDSVersion": "1.9.0",
                "DatasetType": "derivative",
                "GeneratedBy": [made],
                "Settings": dict(asked),
            },
        )

    def write_listing(self, recordings: tuple[Recording, ...]) -> None:
        """Note which recordings this run has, without their paths."""
        make_folder(self.tables)
        rows = [
            {
                "recording": one.name,
                "subject": one.subject,
                "session": one.session,
                "covariates": dict(one.covariates),
            }
            for one in recordings
        ]
        write_json(self.listing, rows)

    def read_listing(self) -> list[Recording]:
        """Which recordings the last run had; their paths are not known.

        Raises
        ------
        ParameterError
            If the folder does not say it.
        """
        rows = read_json(self.listing)
        try:
            found = [
                Recording(row["recording"], Path(), None, row["subject"], row["session"], row["covariates"])
                for row in rows or []
            ]
        except (EegflexError, KeyError, TypeError):  # it is none of ours, or damaged
            found = []
        if not found or len({one.name for one in found}) < len(found):
            raise ParameterError(
                "This is not the folder of a cohort", seen=self.root, allowed="the folder that run_cohort wrote",
                remedy="If it is, call run_cohort as before: what is done is not done again",
            )  # fmt: skip
        return found


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are not there yet."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder cannot be made: {error.strerror}", seen=path) from error


def _same_inputs(one: Recording, said: Mapping[str, Any]) -> bool:
    """Whether a recording is read from what it was read from: by size and time, or else by content."""
    before, times = said.get("inputs", {}), said.get("run", {}).get("input_mtimes", {})
    now = stamps(one)
    if set(before) != set(now):
        return False
    for what, stamp in now.items():
        if stamp is None or before[what] is None:
            if stamp is not before[what]:
                return False
        elif stamp[0] != before[what]["size"] or (
            stamp[1] != times.get(what) and hash_of(one.inputs[what]) != before[what]["sha256"]
        ):
            return False
    return True


def stamps(one: Recording) -> dict[str, tuple[int, int] | None]:
    """Size and time of the files that a recording is read from; None where there is none."""
    found: dict[str, tuple[int, int] | None] = {}
    for what, path in one.inputs.items():
        found[what] = None
        with contextlib.suppress(OSError, ValueError):
            now = path.stat()
            found[what] = (now.st_size, now.st_mtime_ns)
    return found


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_of(path: Path) -> str:
    """The seal at the end of a result, which is a hash of the rest."""
    with path.open("rb") as file:
        file.seek(-65, 2)
        return file.read(64).decode("ascii", "replace")


def as_json(value: Any) -> Any:
    """A value as JSON has it: what is not a number is nothing."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return value


def read_json(path: Path) -> Any:
    """What a JSON file holds; None where it is not there or is none."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    check_output(path, overwrite=True)
    plain, dumps = as_json(value), partial(json.dumps, ensure_ascii=False, allow_nan=False)
    if isinstance(plain, dict):  # a line for each of its parts: to be read by people, and quickly
        text = ",\n".join(f" {json.dumps(name)}: {dumps(part)}" for name, part in plain.items())
        text = f"{{\n{text}\n}}"
    else:
        text = dumps(plain)
    write_whole(path, lambda temporary: temporary.write_text(f"{text}\n", "utf-8"), overwrite=True)
