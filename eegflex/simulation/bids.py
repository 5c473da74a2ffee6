"""Write a simulated night into a BIDS data set, with its ground truth as a derivative."""

from __future__ import annotations

import importlib
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegflex.errors import MissingExtraError, OutputError, ParameterError
from eegflex.simulation.write import write_night, write_truth

__all__ = ["write_bids"]

TASK = "sleep"
TITLE = "eegflex simulated nights"
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
    target = mne_bids.BIDSPath(
        root=root, subject=subject, session=session, task=TASK, datatype="eeg", suffix="eeg", extension=".edf"
    )
    if target.fpath.exists() and not overwrite:
        raise OutputError(
            "A file is already there",
            seen=target.fpath,
            remedy="Name another subject or session, or pass overwrite=True (--overwrite) to replace it",
        )
    try:
        with tempfile.TemporaryDirectory(prefix="eegflex-") as folder:
            # The EDF+ that `save` writes, copied as it is.
            files = write_night(Path(folder) / "night.edf", raw, hypnogram, events, seed=seed, overwrite=False)
            written = mne.io.read_raw_edf(files.psg, verbose="error")
            written.set_channel_types(dict(zip(raw.ch_names, raw.get_channel_types(), strict=True)), verbose="error")
            written.set_annotations(raw.annotations)
            written.info["line_freq"] = None
            mne_bids.write_raw_bids(written, target, overwrite=overwrite, verbose="error")
        _describe(mne_bids, root, TITLE, "raw")
        _write_truth(mne_bids, root, target, events)
    except OSError as error:
        raise OutputError(
            "The simulated night cannot be written",
            seen=f"{root} ({error.strerror or error})",
            remedy="Name a directory that may be written to and has room",
        ) from error
    return Path(target.fpath)


def _label(label: str | None) -> str | None:
    if label is not None and not re.fullmatch("[A-Za-z0-9]+", str(label)):
        raise ParameterError("A BIDS label is made of letters and digits", seen=repr(label), remedy="Such as '01'")
    return label


def _describe(mne_bids: Any, root: Path, name: str, kind: str) -> None:
    sources = {"generated_by": [{"Name": "eegflex", "Description": "simulate_psg"}]} if kind == "derivative" else {}
    mne_bids.make_dataset_description(
        path=root, name=name, dataset_type=kind, data_license="BSD-3-Clause", overwrite=True, verbose="error", **sources
    )


def _write_truth(mne_bids: Any, root: Path, target: Any, events: pd.DataFrame) -> None:
    folder = root / TRUTH
    place = target.copy().update(root=folder, suffix="events", extension=".tsv", description="truth", check=False)
    place.fpath.parent.mkdir(parents=True, exist_ok=True)
    _describe(mne_bids, folder, f"{TITLE}: ground truth", "derivative")
    write_truth(Path(place.fpath), events)
    sidecar = {name: {"Description": text} for name, text in COLUMNS.items()}
    Path(place.fpath).with_suffix(".json").write_text(json.dumps(sidecar, indent=1) + "\n", encoding="utf-8")
