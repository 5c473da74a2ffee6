"""Judge simulated nights by programs that nobody tuned for them, and print one Markdown table.

Run from the top of the repository: python tools/judge_simulator.py [--seeds 500 501 502 503 504] [--figure spectra.png]

GSSC stages the nights (Cohen's kappa of each EEG derivation with the horizontal EOG against the hypnogram); YASA's detectors,
as they come, look for the planted spindles and slow waves, given the hypnogram. An event is found where a detection overlaps
it by at least a fifth of their union, one to one, as in Warby et al. 2014 (Nat Methods 11:385); detections
in several EEG channels that overlap by half are one. A slow wave is what has more than 75 µV from peak to peak (AASM manual): K-complexes are slow waves.
"""

import argparse
import contextlib
import io
import time
import warnings
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from fit_bandpower import kappa

import eegflex
from eegflex.segments import prepare
from eegflex.simulate import SimulatedPSG
from eegflex.simulation.hypnogram import EPOCH_LENGTH, STAGES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import yasa

SEEDS = (500, 501, 502, 503, 504)
OVERLAP = 0.2
#: Kinds of events that each detector is meant to find, and how it is called.
DETECTORS = {"spindle": (yasa.spindles_detect, {"spindle"}), "slow wave": (yasa.sw_detect, {"slow_wave", "k_complex"})}
# Where published spectra put the power of a stage: exponent of the background between 2 and 30 Hz without its peaks, from
# wakefulness to N3 and REM (Bódizs et al. 2021, Sci Rep 11:2041; Schneider et al. 2022, Front Neuroinform 16:989262, give
# 1 to 4, growing with depth, REM between N1 and N2); relative power of bands as texts have it, in % of 0.5 to 30 Hz.
EXPONENTS = {"W": (0.7, 1.7), "N1": (1.0, 2.0), "N2": (1.5, 2.8), "N3": (2.0, 3.6), "REM": (1.2, 2.5)}


def staging(night: SimulatedPSG) -> tuple[list[float], np.ndarray]:
    """Kappa of each derivation, and how many epochs of each stage were staged how (all derivations)."""
    import torch

    stager = eegflex.load_model("gssc")
    segments = prepare(eegflex.make_epochs(night.raw), stager.spec)
    truth = torch.tensor([stager.spec.stages.index(stage) for stage in segments.stage])
    order = [stager.spec.stages.index(stage) for stage in STAGES]
    kappas, counts = [], np.zeros((len(STAGES), len(STAGES)))
    for bound in stager.bind(segments):
        predicted = bound.night_scores(lambda _: None).argmax(1)
        kappas.append(kappa(predicted, truth, len(STAGES)))
        for row, scored in enumerate(order):
            counts[row] += [int(((truth == scored) & (predicted == column)).sum()) for column in order]
    return kappas, counts


def union(intervals: np.ndarray) -> np.ndarray:
    """Join intervals, shape (n, 2), that overlap by half of the shorter: what several channels saw of one event."""
    joined: list[list[float]] = []
    for start, stop in sorted(map(tuple, intervals)):
        if joined and joined[-1][1] - start >= min(stop - start, joined[-1][1] - joined[-1][0]) / 2:
            joined[-1][1] = max(stop, joined[-1][1])
        else:
            joined.append([start, stop])
    return np.array(joined).reshape(-1, 2)


def f1(planted: np.ndarray, found: np.ndarray) -> tuple[float, float, float]:
    """F1, precision and recall of intervals, matched one to one, the best overlaps first."""
    starts = np.maximum(planted[:, None, 0], found[None, :, 0])
    stops = np.minimum(planted[:, None, 1], found[None, :, 1])
    shared = np.clip(stops - starts, 0, None)
    overlap = shared / (np.diff(planted) + np.diff(found).T - shared)
    rows, columns = np.nonzero(overlap >= OVERLAP)
    used: tuple[set[int], set[int]] = (set(), set())
    for pair in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = int(rows[pair]), int(columns[pair])
        if row not in used[0] and column not in used[1]:
            used[0].add(row)
            used[1].add(column)
    hits = len(used[0])
    precision, recall = hits / max(len(found), 1), hits / max(len(planted), 1)
    return 2 * hits / max(len(found) + len(planted), 1), precision, recall


def peak_to_peak(night: SimulatedPSG, events: pd.DataFrame) -> np.ndarray:
    """Largest swing in µV of each event as planted, in the EEG: its amplitude, and half as much again the other way."""
    eeg = [name for name, kind in zip(night.raw.ch_names, night.raw.get_channel_types(), strict=True) if kind == "eeg"]
    return 1.6 * (events["amplitude"] * events[eeg].abs().max(axis=1)).to_numpy()


def detection(night: SimulatedPSG, what: str) -> tuple[float, float, float]:
    """F1, precision and recall of a detector of YASA."""
    detect, kinds = DETECTORS[what]
    raw = night.raw.copy().pick("eeg")
    hypnogram = np.repeat([("W", "N1", "N2", "N3", "REM").index(stage) for stage in night.hypnogram], int(EPOCH_LENGTH * raw.info["sfreq"]))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = detect(raw, hypno=hypnogram, include=(2, 3), verbose="error").summary()
    events = night.events.query("kind in @kinds and stage in ('N2', 'N3')")
    if what == "slow wave":
        events = events[peak_to_peak(night, events) > 75]
    planted = np.column_stack([events["onset"], events["onset"] + events["duration"]])
    return f1(planted, union(found[["Start", "End"]].to_numpy()))
