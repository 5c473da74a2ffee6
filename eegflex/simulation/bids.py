"""Write a simulated night into a BIDS data set, with its ground truth as a derivative."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegflex._version import __version__
from eegflex.errors import MissingExtraError, OutputError, ParameterError
from eegflex.simulation.write import write_night, write_truth
from eegflex.utils.files import write_tree

__all__ = ["write_bids"]

TASK = "sleep"
#: What describes a data set: tables, and what has no suffix, such as README.
_TABLES = (".tsv", ".json", "")
TITLE = "eegflex simulated nights"
#: What is true of every simulated night, and mne-bids cannot know.
SIDECAR = {
    "TaskDescription": "A night of sleep, simulated by eegflex. No person was recorded.",
    "EEGReference": "the contralateral mastoid, M2 for electrodes of the midline; each channel is named after its own",
    "EEGPlacementScheme": "places of the 10-05 system",
}
#: The ground truth of the nights, a derivative of the data set.
TRUTH = Path("derivatives") / "eegflex-simulation"
COLUMNS = {
    "onset": "s from the beginning of the recording",
    "duration": "s",
    "kind": "what it is: alpha, spindle, slow_wave, ...",
    "stage": "the stage in which it begins",
    "frequency": "Hz",
    "amplitude": "uV; a channel's column is its weight, and channel = weight x amplitude x waveform",
    "speed": "m/s, at which the source travels from the front to the back",
}


def write_bids(
    root: str | Path,
    raw: mne.io.BaseRaw,
    hypnogram: NDArray[np.str_],
    events: pd.DataFrame,
    *,
    seed: int,
    labels: tuple[str, str | None],
    overwrite: bool,
) -> Path:
    """Write a night into a data set; see `eegflex.simulation.simulate.SimulatedPSG.save_bids`."""
    try:
        mne_bids: Any = importlib.import_module("mne_bids")
    except ImportError as error:
        raise MissingExtraError("Writing BIDS needs the package mne-bids", "bids") from error
    subject, session = (_label(label) for label in labels)
    root = Path(root)

    def at(place: Path) -> Any:
        return mne_bids.BIDSPath(
            root=place, subject=subject, session=session, task=TASK, datatype="eeg", suffix="eeg", extension=".edf"
        )

    fpath = Path(at(root).fpath)
    if os.path.exists(fpath) and not overwrite:  # noqa: PTH110  (it minds names of any kind)
        raise OutputError(
            "A file is already there",
            seen=fpath,
            remedy="Name another subject or session, or pass overwrite=True (--overwrite) to replace it",
        )

    def make(own: Path) -> None:
        _copy_tables(root, own, fpath.relative_to(root).parts[0])
        # The EDF+ that `save` writes, copied as it is.
        files = write_night(own.parent / "night.edf", raw, hypnogram, events, seed=seed, overwrite=False)
        written = mne.io.read_raw_edf(files.psg, verbose="error")
        written.set_channel_types(dict(zip(raw.ch_names, raw.get_channel_types(), strict=True)), verbose="error")
        written.set_annotations(raw.annotations)
        written.info["line_freq"] = raw.info["line_freq"]
        mne_bids.write_raw_bids(written, at(own), overwrite=True, verbose="error")
        mne_bids.update_sidecar_json(at(own).update(extension=".json"), SIDECAR, verbose="error")
        _refer(Path(at(own).update(suffix="channels", extension=".tsv").fpath))
        _describe(mne_bids, own, TITLE, "raw")
        _write_truth(mne_bids, own, at(own), events)

    def write(temporary: Path) -> None:
        # not at once: mne-bids takes ".eeg" anywhere in a path, as in that of our temporaries, for a suffix of BrainVision's
        with tempfile.TemporaryDirectory(prefix="eegflex-") as folder:
            make(Path(folder) / "root")
            shutil.copytree(Path(folder) / "root", temporary)

    write_tree(root, write)
    return fpath


def _copy_tables(root: Path, temporary: Path, subject: str) -> None:
    """Copy what mne-bids adds to, rather than replaces: small files of the data set and of its subject."""
    temporary.mkdir()
    places = (*root.glob("*"), *(root / TRUTH).glob("*"), *(root / subject).rglob("*"))
    for place in places:
        if place.is_file() and place.suffix in _TABLES:
            copy = temporary / place.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place, copy)


def _label(label: str | None) -> str | None:
    if label is not None and not re.fullmatch("[A-Za-z0-9]+", str(label)):
        raise ParameterError("A BIDS label is made of letters and digits", seen=repr(label), remedy="Such as '01'")
    return label


def _refer(path: Path) -> None:
    """Say of each channel what it is recorded against, as its name does, and that no filter was applied."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    own = table["name"].str.rpartition("-")[2]
    cutoffs = {"low_cutoff": "n/a", "high_cutoff": "n/a"}
    table.assign(reference=own, **cutoffs).to_csv(path, sep="\t", index=False, lineterminator="\n")


def _describe(mne_bids: Any, root: Path, name: str, kind: str) -> None:
    mne_bids.make_dataset_description(
        path=root,
        name=name,
        dataset_type=kind,
        data_license="BSD-3-Clause",
        authors=["eegflex contributors"],
        generated_by=[{"Name": "eegflex", "Version": __version__, "Description": "simulate_psg"}],
        overwrite=True,
        verbose="error",
    )


def _write_truth(mne_bids: Any, root: Path, target: Any, events: pd.DataFrame) -> None:
    folder = root / TRUTH
    place = target.copy().update(root=folder, suffix="events", extension=".tsv", description="truth", check=False)
    place.fpath.parent.mkdir(parents=True, exist_ok=True)
    _describe(mne_bids, folder, f"{TITLE}: ground truth", "derivative")
    write_truth(Path(place.fpath), events)
    sidecar = {name: {"Description": text} for name, text in COLUMNS.items()}
    Path(place.fpath).with_suffix(".json").write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")
