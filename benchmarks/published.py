"""How well FLEX tells why real networks stage as they do: the six checkpoints of PhysioEx on simulated nights.

Their spectrograms, where they take them, are part of what is explained: attributions are those of the signal. N2 is explained
in epochs of N2, and the time-frequency view held against the spindles that were planted in C4; nobody told the networks of
them, and other waves too speak for N2. Completeness and time are those of ten epochs, two of each stage, at a tolerance of 2 %.
The seeds are none of those on which the specs' unit and statistics were looked at.

Beside them, a small SeqSleepNet of ours (`tools/train_stagers.py`), trained on simulated nights as they are, and on nights on
which spindles alone tell N2 from N1. On the former the background, slow waves and K-complexes speak for N2 as well, so that
nothing is asked of it there.
"""

from __future__ import annotations

import time
from importlib.util import find_spec

import numpy as np

import eegflex
from benchmarks.nights import SEQUENCES, spindle_night
from benchmarks.table import Row
from eegflex.agreement import cohens_kappa
from eegflex.evaluation.truth import average_precision, covered_by
from eegflex.simulation import SimulatedPSG
from eegflex.stagers import Stager

__all__ = ["rows"]

SEEDS = (11, 12, 13)
Target = str | tuple[str, str]
SITE, BAND = "C4-M1", (11.0, 16.0)
#: Least weight in C4 of a spindle that counts.
HEARD = 0.3
TIMES_CHANCE = 5.0


def rows(hours: float = 2.0) -> list[Row]:
    """Measure all of them; of the package only where it is installed."""
    nights = [eegflex.simulate_psg(hours=hours, sfreq=128, seed=seed, verbose="error") for seed in SEEDS]
    planted = [spindle_night(hours, seed) for seed in SEEDS]
    found = [
        _row_of_spindles("SeqSleepNet of ours, on simulated nights", "N2", SEQUENCES["sequence"](), nights),
        _row_of_spindles("SeqSleepNet of ours, on nights of spindles", "N2", SEQUENCES["planted"](), planted),
        _row_of_spindles("SeqSleepNet of ours, on nights of spindles", ("N2", "N1"), SEQUENCES["planted"](), planted),
    ]
    if find_spec("physioex") is None:
        return found
    names = [name for name in eegflex.spec.spec_names() if name.startswith("physioex:")]
    return [row for name in names for row in _measure(name, eegflex.load_model(name), nights)] + found


def _row_of_spindles(name: str, target: Target, stager: Stager, nights: list[SimulatedPSG]) -> Row:
    """How well a network of ours finds the spindles of nights like those that trained it."""
    staged = [
        eegflex.stage_epochs(eegflex.make_epochs(n.raw, verbose="error"), stager, verbose="error") for n in nights
    ]
    kappa = np.mean([cohens_kappa(one.confusion) for one in staged])
    covers = [_cover(one, night, target) for one, night in zip(staged, nights, strict=True)]
    of = target if isinstance(target, str) else " against ".join(target)
    return _spindles(f"{name} (kappa {kappa:.2f}), {of}", covers, held="planted" in stager.spec.name)


def _spindles(name: str, covers: list[tuple[float, float]], held: bool = True) -> Row:
    least = min(found / chance for found, chance in covers)
    precision, chance = np.mean(covers, axis=0)
    return Row(
        f"{name}: AUPRC of spindles, rows of {BAND[0]:g} to {BAND[1]:g} Hz",
        f"{precision:.2f}",
        f"chance {chance:.3g}",
        least,
        f"at least {TIMES_CHANCE:g}" if held else "",
        least >= TIMES_CHANCE if held else None,
    )


def _measure(name: str, stager: Stager, nights: list[SimulatedPSG]) -> list[Row]:
    kappas, gaps, errors, seconds, covers = [], [], [], [], []
    for night in nights:
        epochs = eegflex.make_epochs(night.raw, verbose="error")
        kinds = ("eog", "emg") if len(stager.spec.channels) > 1 else ()
        others = [ch for ch, kind in zip(epochs.ch_names, epochs.get_channel_types(), strict=True) if kind in kinds]
        staged = eegflex.stage_epochs(epochs, stager, picks=[SITE, *others], verbose="error")
        kappas.append(cohens_kappa(staged.confusion))
        start = time.perf_counter()
        asked = {"tol": 0.02, "on_check": "ignore", "verbose": "error"}
        data = eegflex.attribute_epochs(staged, sample_per_stage=2, **asked).to_xarray()
        seconds.append((time.perf_counter() - start) / data.sizes["epoch"])
        gaps += np.abs(data["gap"].values).ravel().tolist()
        errors += data["error"].values.ravel().tolist()
        covers.append(_cover(staged, night))
    return [
        Row(
            f"{name}: kappa with the simulated hypnogram",
            f"{np.mean(kappas):.2f}",
            f"least {min(kappas):.2f}",
            min(kappas),
        ),
        Row(
            f"{name}: gap, and error of the band sums",
            f"{100 * np.median(gaps):.1f} % at the median, {100 * max(gaps):.1f} % at most",
            f"error {100 * max(errors):.1f} % at most, {np.mean(seconds):.1f} s an epoch",
            max(errors),
            "at most 0.02",
            max(errors) <= 0.02,
        ),
        _spindles(name, covers),
    ]


def _cover(staged: eegflex.StagedNight, night: SimulatedPSG, target: Target = "N2") -> tuple[float, float]:
    """Average precision of the planted spindles in what speaks for N2, and chance."""
    asked = {
        "target": target,
        "select": "stage == 'N2'",
        "views": ("time-frequency",),
        "tol": 0.05,
        "on_check": "ignore",
    }
    result = eegflex.attribute_epochs(staged, **asked, verbose="error")
    data = result.for_target().data
    freqs, frames = data["frame_freq"].values, data["frame"].values
    spindles = night.events[(night.events["kind"] == "spindle") & (night.events[SITE].abs() >= HEARD)]
    covered = covered_by(spindles, data["onset"].values[:, None] + frames, freqs)
    view = data["time_frequency_view"].values[:, result.ch_names.index(SITE)]
    band, inside = (freqs >= BAND[0]) & (freqs <= BAND[1]), (frames >= 0) & (frames <= 30.0)
    cells = np.ix_(np.arange(len(view)), band, inside)
    return average_precision(covered[cells], view[cells]), float(covered[cells].mean())
