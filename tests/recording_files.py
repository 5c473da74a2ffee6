"""EEGLAB and BrainVision recordings with events of one's own, written as their programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io

LABELS = ("C3", "C4", "M1")
RATE = 100.0


def noise(seconds: float, n_channels: int = len(LABELS), rate: float = RATE, seed: int = 0) -> np.ndarray:
    """White noise of 20 µV, in V, to the 0.1 µV that 16 bits of BrainVision keep."""
    return np.round(np.random.default_rng(seed).normal(0, 200, (n_channels, round(seconds * rate)))) * 1e-7


def write_eeglab(path: Path, data, events=(), labels=LABELS, rate=RATE, *, fdt=False, compress=False, **others) -> Path:
    """Write an EEGLAB file; `events` are rows of type, latency (from 1) and duration, in samples."""
    locs = np.zeros(len(labels), dtype=[(name, "O") for name in ("labels", "X", "Y", "Z")])
    for place, label in enumerate(labels):
        locs[place] = (label, *([np.zeros((0, 0))] * 3))
    noted = np.zeros(len(events), dtype=[(name, "O") for name in ("type", "latency", "duration")])
    for place, event in enumerate(events):
        noted[place] = event
    empty = np.zeros((0, 0))
    eeg = {"setname": "night", "nbchan": float(len(data)), "trials": 1.0, "pnts": float(data.shape[1]), "srate": rate}
    eeg |= {
        "xmin": 0.0,
        "xmax": (data.shape[1] - 1) / rate if rate else 0.0,
        "ref": "common",
        "icaact": empty,
        "icawinv": empty,
    }
    eeg |= {"icasphere": empty, "icaweights": empty, "chanlocs": locs, "event": noted, "epoch": empty}
    samples = (data * 1e6).astype(np.float32)
    if fdt:
        samples.T.astype("<f4").tofile(path.with_suffix(".fdt"))
        samples = path.with_suffix(".fdt").name
    eeg |= {"data": samples, **others}
    scipy.io.savemat(path, {"EEG": eeg}, appendmat=False, oned_as="row", do_compression=compress)
    return path


def write_brainvision(path: Path, data, markers=(), labels=LABELS, rate=RATE, unit="µV", points=None) -> Path:
    """Write a BrainVision recording; `markers` are lines after "Mk<number>="."""
    np.round(data * 1e7).astype("<i2").T.tofile(path.with_suffix(".eeg"))
    name = path.stem
    noted = "".join(f"Mk{k}={marker}\n" for k, marker in enumerate(markers, 1))
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={name}.eeg\n\n[Marker Infos]\n{noted}",
        encoding="utf-8",
    )
    channels = "".join(f"Ch{k}={label},,0.1,{unit}\n" for k, label in enumerate(labels, 1))
    stated = "" if points is None else f"DataPoints={points}\n"
    path.with_suffix(".vhdr").write_text(
        f"Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\nDataFile={name}.eeg\n"
        f"MarkerFile={name}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels={len(labels)}\n"
        f"{stated}SamplingInterval={1e6 / rate:g}\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    return path.with_suffix(".vhdr")
