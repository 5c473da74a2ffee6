"""Write a simulated night: EDF+, its hypnogram, its events; all or none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mne
import numpy as np
import pandas as pd
import pyedflib
from numpy.typing import NDArray

from eegflex.errors import ParameterError
from eegflex.readers.hypnograms.write import annotate_edf, closing
from eegflex.readers.notes import SIMULATED_EQUIPMENT
from eegflex.stages import EPOCH_DURATION
from eegflex.utils.files import write_together

__all__ = ["SimulatedFiles", "write_night", "write_truth"]

RANGE_STEP = 50.0  # µV: physical ranges are rounded up to such steps
DIGITAL = (-32768, 32767)


class SimulatedFiles(NamedTuple):
    """Where a simulated night was written."""

    psg: Path
    hypnogram: Path
    events: Path


def write_night(
    fname: str | Path,
    raw: mne.io.BaseRaw,
    hypnogram: NDArray[np.str_],
    events: pd.DataFrame,
    *,
    seed: int,
    overwrite: bool,
) -> SimulatedFiles:
    """Write the three files of a night; see `eegflex.simulation.simulate.SimulatedPSG.save`."""
    files = _names(Path(fname))
    start = raw.info["meas_date"].replace(tzinfo=None)

    def write(parts: Sequence[Path]) -> None:
        psg, stages, truth = parts
        _write_signals(psg, raw, start, seed)
        _write_hypnogram(stages, hypnogram, start, seed)
        write_truth(truth, events)

    return SimulatedFiles(*write_together(files, write, overwrite=overwrite))


def write_truth(path: Path, events: pd.DataFrame) -> None:
    """Write the ground truth as tab-separated values, with what is missing as BIDS has it."""
    exact = events.assign(onset=events["onset"].round(6).astype(str))  # six digits are too few for a time of the night
    exact.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n")


def _names(psg: Path) -> SimulatedFiles:
    if psg.suffix.lower() != ".edf":
        raise ParameterError("A simulated night is written as EDF+", seen=psg, allowed="a name that ends in .edf")
    return SimulatedFiles(psg, psg.with_name(f"{psg.stem}-hypnogram.edf"), psg.with_name(f"{psg.stem}-events.tsv"))


def _write_signals(path: Path, raw: mne.io.BaseRaw, start: dt.datetime, seed: int) -> None:
    sfreq = raw.info["sfreq"]
    record = _record_seconds(sfreq)
    n_record = round(record * sfreq)
    digital = np.empty((len(raw.ch_names), raw.n_times), dtype=np.int32)
    limits = [_digitize(raw.get_data([row])[0] * 1e6, digital[row]) for row in range(len(digital))]
    with closing(pyedflib.EdfWriter(str(path), len(digital), file_type=pyedflib.FILETYPE_EDFPLUS), path) as writer:
        _write_identity(writer, start, seed)
        writer.setSignalHeaders(
            [
                {
                    "label": channel,
                    "dimension": "uV",
                    "sample_frequency": sfreq,
                    "physical_min": -limit,
                    "physical_max": limit,
                    "digital_min": DIGITAL[0],
                    "digital_max": DIGITAL[1],
                    "transducer": "simulated",
                    "prefilter": "",
                }
                for channel, limit in zip(raw.ch_names, limits, strict=True)
            ]
        )
        for first in range(0, digital.shape[1], n_record):
            block = np.ascontiguousarray(digital[:, first : first + n_record]).ravel()
            if writer.blockWriteDigitalSamples(block) < 0:
                raise OSError("the EDF library could not write a data record")


def _record_seconds(sfreq: float) -> int:
    """Shortest data record, in whole seconds, that holds a whole number of samples and divides an epoch, which does."""
    fitting = (s for s in range(1, round(EPOCH_DURATION) + 1) if EPOCH_DURATION % s == 0)
    return next(s for s in fitting if abs(s * sfreq - round(s * sfreq)) < 1e-6)


def _digitize(values: NDArray[np.float64], out: NDArray[np.int32]) -> float:
    """Put one channel's digital values into `out`; return its physical limit (µV), which contains every sample."""
    limit = RANGE_STEP * max(1.0, float(np.ceil(np.abs(values).max() / RANGE_STEP)))
    step = 2 * limit / (DIGITAL[1] - DIGITAL[0])
    out[:] = np.clip(np.round((values + limit) / step + DIGITAL[0]), *DIGITAL)
    return limit


def _write_hypnogram(path: Path, hypnogram: NDArray[np.str_], start: dt.datetime, seed: int) -> None:
    # annotations only
    with closing(pyedflib.EdfWriter(str(path), 0, file_type=pyedflib.FILETYPE_EDFPLUS), path) as writer:
        _write_identity(writer, start, seed)
        annotate_edf(writer, hypnogram, EPOCH_DURATION * np.arange(len(hypnogram), dtype=np.float64), EPOCH_DURATION)


def _write_identity(writer: pyedflib.EdfWriter, start: dt.datetime, seed: int) -> None:
    writer.setEquipment(SIMULATED_EQUIPMENT)
    writer.setRecordingAdditional(f"seed_{seed}")
    writer.setStartdatetime(start)
