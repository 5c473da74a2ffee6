"""Judge simulated nights by programs that nobody tuned for them, and print one Markdown table.

Run from the top of the repository: python tools/judge_simulator.py [--seeds 500 501 502 503 504] [--figure spectra.png]

GSSC stages the nights (Cohen's kappa of each EEG derivation with the horizontal EOG against the hypnogram); YASA's
detectors, as they come, look for the planted spindles and slow waves, given the hypnogram. An event is found where a
detection overlaps it by at least a fifth of their union, one to one, as in Warby et al. 2014 (Nat Methods 11:385);
detections in several EEG channels that overlap by half are one. A slow wave is what has more than 75 µV from peak to peak
(AASM manual), K-complexes too.
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
from scipy.signal import welch
from specparam import SpectralModel

import eegflex
from eegflex.doctor.sign_test import kappa_of
from eegflex.simulation.simulate import SimulatedPSG
from eegflex.stages import EPOCH_DURATION, STAGES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import yasa

SEEDS = (500, 501, 502, 503, 504)
OVERLAP = 0.2
#: Kinds of events that each detector is meant to find, and how it is called.
DETECTORS = {"spindle": (yasa.spindles_detect, {"spindle"}), "slow wave": (yasa.sw_detect, {"slow_wave", "k_complex"})}
#: Where the aperiodic exponent is fitted, in Hz; reported ones lie between 1 and 4 and grow with depth (Bódizs et al. 2021,
#: Sci Rep 11:2041), and that of REM sleep is above that of wakefulness (Lendner et al. 2020, eLife 9:e55092).
FITTED = (2.0, 35.0)
PUBLISHED = (1.0, 4.0)


def staging(night: SimulatedPSG) -> tuple[list[float], np.ndarray]:
    """Kappa of each derivation, and how many epochs of each stage were staged how (all derivations)."""
    staged = eegflex.stage_epochs(eegflex.make_epochs(night.raw), "gssc")
    truth = np.array([staged.stages.index(stage) for stage in staged.segments.stage])
    order = [staged.stages.index(stage) for stage in STAGES]
    kappas, counts = [], np.zeros((len(STAGES), len(STAGES)))
    for predicted in staged.scores.argmax(axis=2).T:
        kappas.append(kappa_of(truth, predicted, len(STAGES)))
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
    stages = [STAGES.index(stage) for stage in night.hypnogram]  # YASA numbers them in this order
    hypnogram = np.repeat(stages, round(EPOCH_DURATION * raw.info["sfreq"]))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        found = detect(raw, hypno=hypnogram, include=(2, 3), verbose="error").summary()
    events = night.events[night.events["kind"].isin(kinds) & night.events["stage"].isin(["N2", "N3"])]
    if what == "slow wave":
        events = events[peak_to_peak(night, events) > 75]
    planted = np.column_stack([events["onset"], events["onset"] + events["duration"]])
    return f1(planted, union(found[["Start", "End"]].to_numpy()))


def spectra(night: SimulatedPSG) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Frequencies, and by stage the mean power spectrum of each EEG channel in µV²/Hz, shape (n_channels, n_freqs)."""
    sfreq = night.raw.info["sfreq"]
    signals = night.raw.get_data("eeg") * 1e6
    epochs = signals.reshape(len(signals), len(night.hypnogram), -1)
    found = {}
    for stage in STAGES:
        freqs, power = welch(epochs[:, night.hypnogram == stage], sfreq, nperseg=int(4 * sfreq))
        found[stage] = power.mean(axis=1)
    return freqs, found


def exponent(freqs: np.ndarray, power: np.ndarray) -> float:
    """Aperiodic exponent of a spectrum without its peaks."""
    model = SpectralModel(peak_width_limits=(1, 8), max_n_peaks=4, verbose=False)
    model.fit(freqs, power, FITTED)
    return float(model.get_params("aperiodic", "exponent"))


def judge(seed: int, hours: float) -> tuple[dict[str, object], SimulatedPSG]:
    """All judges on one night, as a row of the table."""
    begun = time.perf_counter()
    night = eegflex.simulate_psg(hours=hours, seed=seed)
    row: dict[str, object] = {"seed": seed, "simulated in s": round(time.perf_counter() - begun, 1)}
    kappas, counts = staging(night)
    row |= {"GSSC kappa": np.mean(kappas), "lowest derivation": np.min(kappas)}
    agreed = np.diag(counts) / counts.sum(axis=1)
    row |= {f"{stage} found": share for stage, share in zip(STAGES, agreed, strict=True)}
    for what in DETECTORS:
        score, precision, recall = detection(night, what)
        row[f"{what} F1 (precision, recall)"] = f"{score:.3f} ({precision:.2f}, {recall:.2f})"
    freqs, power = spectra(night)
    row |= {f"exponent {stage}": exponent(freqs, power[stage].mean(axis=0)) for stage in STAGES}
    return row, night


def draw(night: SimulatedPSG, fname: Path) -> None:
    """Draw the spectra of the stages beside what is published of them."""
    import matplotlib.pyplot as plt

    freqs, power = spectra(night)
    kept = (freqs >= 0.5) & (freqs <= FITTED[1])
    names = mne.pick_info(night.raw.info, mne.pick_types(night.raw.info, eeg=True)).ch_names
    figure, axes = plt.subplots(1, len(STAGES), figsize=(20, 4.5), sharey=True, layout="constrained")
    for axis, stage in zip(axes, STAGES, strict=True):
        for name, line in zip(names, power[stage], strict=True):
            axis.loglog(freqs[kept], line[kept], label=name, lw=1)
        middle = power[stage].mean(axis=0)
        anchor = middle[np.argmin(np.abs(freqs - 4))]
        shallow, steep = (anchor * (freqs[kept] / 4) ** -slope for slope in PUBLISHED)
        axis.fill_between(freqs[kept], shallow, steep, color="0.9", label="published exponents, 1 to 4")
        axis.axvspan(11, 16, color="tab:purple", alpha=0.08, label="spindles, 11 to 16 Hz")
        axis.set(title=f"{stage}: exponent {exponent(freqs, middle):.2f}", xlabel="Hz", ylim=(1e-3, 5e3))
    axes[0].set_ylabel("µV²/Hz")
    axes[0].legend(fontsize=7)
    figure.savefig(fname, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--hours", type=float, default=7.0)
    parser.add_argument("--figure", type=Path, help="where to draw the spectra of the first night")
    options = parser.parse_args()
    mne.set_log_level("error")
    rows = []
    for seed in options.seeds:
        row, night = judge(seed, options.hours)
        if options.figure and not rows:
            draw(night, options.figure)
        rows.append(row)
    table = pd.DataFrame(rows)
    mean = table.select_dtypes("number").mean().drop("seed").to_dict() | {"seed": "mean"}
    table = pd.concat([table, pd.DataFrame([mean])], ignore_index=True).fillna("")
    print("| " + " | ".join(table.columns) + " |")
    print("|" + " --- |" * len(table.columns))
    for values in table.itertuples(index=False):
        print("| " + " | ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in values) + " |")


if __name__ == "__main__":
    main()
