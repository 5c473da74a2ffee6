"""The shortcut audit's confusion: which stagers are flagged for what, over several simulated nights.

Stagers that read sleep, the known ones and two that were trained, should not be flagged for anything. Of those that were spoilt
each reads one thing that is no sleep, which is planted in the epochs of one stage; it should be flagged for that, and for that
only. All nights have an ECG channel, so that heartbeats are looked for everywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

import eegflex
from benchmarks.table import as_table
from eegflex.evaluation.shortcuts import KINDS, shortcut_table
from eegflex.spec.model_spec import FilterSpec
from eegflex.stagers.stager import Stager
from eegflex.stagers.zoo.known_truth import SHORTCUT, SITES, SLOW_WAVE, TRUTHS, plant_line_noise
from eegflex.stages import STAGES

__all__ = ["CASES", "Case", "audited", "flagged", "night_of", "text"]

SEEDS = (61, 62, 63)
HOURS = 2.0
SFREQ = 128.0
EPOCH = 30.0
#: When the R wave of a simulated heartbeat peaks after its onset, in s.
R_WAVE = 0.27
SPEC = SHORTCUT.spec
C4 = SITES.index("C4")

Signals = npt.NDArray[np.float64]


class Spectral(nn.Module):
    """Scores a stage by the logarithm of C4's power in a band, taken straight off its spectrum.

    Parameters
    ----------
    stage : str
        The stage.
    low, high : float
        The band, in Hz.
    level : float
        The root mean square in µV from which on the stage is scored.
    """

    def __init__(self, stage: str, low: float, high: float, level: float) -> None:
        super().__init__()
        self.low, self.high, self.level = low, high, level
        self.register_buffer("signs", _signs(stage))

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, n_stages)."""
        n_times = signals.shape[-1]
        freqs = torch.fft.rfftfreq(n_times, 1 / SFREQ).to(signals.device)
        inside = (freqs >= self.low) & (freqs < self.high)
        power = torch.fft.rfft(signals[:, C4])[:, inside].abs().square().sum(dim=-1) * 2 / n_times**2
        floor = (self.level / 30) ** 2
        return torch.log((power + floor) / (self.level**2 + floor))[:, None] * self.signs


class Bursts(nn.Module):
    """Scores a stage by how much of C4 has bursts of energy, in moments of a given length.

    Parameters
    ----------
    stage : str
        The stage.
    low : float
        The lowest frequency that it hears, in Hz.
    length : float
        Of a moment, in s.
    level : float
        The root mean square in µV at which a moment counts half.
    share : float
        Of the epoch that must be in bursts for the stage to be scored.
    """

    def __init__(self, stage: str, low: float, length: float, level: float, share: float) -> None:
        super().__init__()
        self.low, self.level, self.share = low, level, share
        window = np.hanning(round(length * SFREQ) + 2)[1:-1]
        self.register_buffer("window", torch.tensor(window / window.sum(), dtype=torch.float32))
        self.register_buffer("signs", _signs(stage))

    def forward(self, signals: torch.Tensor) -> torch.Tensor:
        """Logits, shape (batch, n_stages)."""
        n_times = signals.shape[-1]
        freqs = torch.fft.rfftfreq(n_times, 1 / SFREQ).to(signals.device)
        passed = torch.fft.irfft(torch.fft.rfft(signals[:, C4]) * (freqs >= self.low), n=n_times)
        energy = nn.functional.conv1d(passed.square()[:, None], self.window[None, None])[:, 0]
        excess = (energy / self.level**2).square()
        found = (excess / (1 + excess)).mean(dim=-1, keepdim=True)
        return 2 * (found / self.share - 1) * self.signs


def _signs(stage: str) -> torch.Tensor:
    return torch.tensor([1.0 if one == stage else -1.0 for one in STAGES])


@dataclass(frozen=True)
class Case:
    """A stager, the nights that it is audited on, and what it must be flagged for.

    Attributes
    ----------
    stager : callable
        Makes the stager, or names it.
    kind : str
        What it reads; empty for one that reads sleep.
    plant : callable | None
        What is planted for it: signals in µV of all EEG channels, shape (n_channels, n_times), where the stage is, the times
        of the heartbeats in s, and random numbers -> the signals.
    stage : str
        In which stage.
    """

    stager: Callable[[], Any]
    kind: str = ""
    plant: Callable[[Signals, npt.NDArray[np.bool_], Signals, np.random.Generator], Signals] | None = None
    stage: str = "N2"


def _beats(data: Signals, inside: npt.NDArray[np.bool_], beats: Signals, rng: np.random.Generator) -> Signals:
    """Heartbeats in the EEG."""
    return data + 70 * _qrs(beats, data.shape[-1]) * inside


def _drift(data: Signals, inside: npt.NDArray[np.bool_], beats: Signals, rng: np.random.Generator) -> Signals:
    """Sway of 10 s, as of a wet electrode."""
    return data + 300 * np.sin(2 * np.pi * 0.1 * np.arange(data.shape[-1]) / SFREQ) * inside


def _tone(data: Signals, inside: npt.NDArray[np.bool_], beats: Signals, rng: np.random.Generator) -> Signals:
    """A tone of 41 Hz."""
    return data + 60 * np.sin(2 * np.pi * 41.3 * np.arange(data.shape[-1]) / SFREQ) * inside


def _held(data: Signals, inside: npt.NDArray[np.bool_], beats: Signals, rng: np.random.Generator) -> Signals:
    """Recorded at half the rate, and each sample held."""
    lower = mne.filter.resample(data + 15 * rng.standard_normal(data.shape) * inside, down=2, verbose="error")
    return np.repeat(lower, 2, axis=-1)[:, : data.shape[-1]]


def _thrash(data: Signals, inside: npt.NDArray[np.bool_], beats: Signals, rng: np.random.Generator) -> Signals:
    """Movements of 3 s, one in each epoch."""
    n_epoch = round(EPOCH * SFREQ)
    shape = np.hanning(3 * int(SFREQ))
    data = data.copy()
    for start in range(0, data.shape[-1] - n_epoch + 1, n_epoch):
        if inside[start + n_epoch // 2]:
            at = start + int(rng.integers(int(SFREQ), n_epoch - len(shape) - int(SFREQ)))
            noise = np.cumsum(rng.standard_normal((len(data), len(shape))), axis=-1)
            noise -= noise.mean(axis=-1, keepdims=True)
            data[:, at : at + len(shape)] += 450 * shape * noise / noise.std(axis=-1, keepdims=True)
    return data


def _trained(name: str) -> Callable[[], Any]:
    def load() -> Any:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
        try:
            import trained
        finally:
            sys.path.pop(0)
        return getattr(trained, name)()

    return load


def _named(name: str) -> Callable[[], str]:
    return lambda: name


def _spoilt(module: Callable[[], nn.Module], **changes: Any) -> Callable[[], Stager]:
    return lambda: Stager(module(), SPEC.replace(name="spoilt", **changes))


#: name -> the case
CASES: dict[str, Case] = {
    **{name: Case(_named(name)) for name in TRUTHS if name != SHORTCUT.name},
    "slow waves behind a filter": Case(
        lambda: Stager(SLOW_WAVE.stager().module, SLOW_WAVE.spec.replace(filter=FilterSpec(0.5, 30.0)))
    ),
    "bandpower": Case(_named("bandpower")),
    "chambon": Case(_trained("chambon")),
    "context": Case(_trained("context")),
    SHORTCUT.name: Case(_named(SHORTCUT.name), "line", stage=SHORTCUT.stage),
    "reads the heart": Case(_spoilt(lambda: Bursts("N2", 6.0, 0.1, 22.0, 0.06)), "ecg", _beats),
    "reads movements": Case(_spoilt(lambda: Bursts("REM", 0.5, 1.0, 200.0, 0.03)), "artifact", _thrash, "REM"),
    "reads a gain": Case(_spoilt(lambda: Spectral("N3", 0.3, 64.0, 30.0)), "level"),
    "reads drift": Case(
        _spoilt(lambda: Spectral("N2", 0.03, 0.2, 12.0), filter=FilterSpec(0.5, None)), "below", _drift
    ),
    "reads above the low-pass": Case(
        _spoilt(lambda: Spectral("W", 38.0, 46.0, 0.03), filter=FilterSpec(None, 30.0)), "above", _tone, "W"
    ),
    "reads images": Case(_spoilt(lambda: Spectral("W", 36.0, 48.0, 2.5)), "images", _held, "W"),
}


def _qrs(beats: Signals, n_times: int) -> Signals:
    """R waves, 1 at their peaks."""
    found = np.zeros(n_times)
    at = np.round(beats * SFREQ).astype(int)
    found[at[at < n_times]] = 1.0
    times = np.arange(-16, 17) / SFREQ
    return np.convolve(found, np.exp(-((times / 0.012) ** 2)) - 0.4 * np.exp(-(((times - 0.035) / 0.015) ** 2)), "same")


def night_of(case: Case, seed: int, hours: float = HOURS, artifacts: Sequence[str] = ()) -> mne.Epochs:
    """A simulated night with an ECG, and with what is planted for a case."""
    psg = eegflex.simulate_psg(hours=hours, sfreq=SFREQ, seed=seed, artifacts=artifacts, verbose="error")
    rng = np.random.default_rng([seed, 1])
    beats = np.cumsum(rng.normal(1.0, 0.05, round(hours * 3600 * 1.2)))
    if "ecg" in artifacts:
        beats = psg.events["onset"][psg.events["kind"] == "ecg"].to_numpy() + R_WAVE
    raw = psg.raw
    eeg = mne.pick_types(raw.info, eeg=True)
    if case.plant is not None:
        data = raw.get_data()
        inside = np.repeat(psg.hypnogram == case.stage, round(EPOCH * SFREQ))
        data[eeg] = 1e-6 * case.plant(1e6 * data[eeg], inside, beats, rng)
        raw = _like(raw, data)
    elif case.kind == "line":
        raw = plant_line_noise(raw, case.stage)
    noise = 0.01 * rng.standard_normal(raw.n_times)
    heart = mne.io.RawArray(
        1e-3 * (_qrs(beats, raw.n_times) + noise)[None], mne.create_info(["ECG"], SFREQ, "ecg"), verbose="error"
    )
    heart.set_meas_date(raw.info["meas_date"])
    return eegflex.make_epochs(raw.copy().add_channels([heart], force_update_info=True), verbose="error")


def _like(raw: mne.io.BaseRaw, data: Signals) -> mne.io.RawArray:
    changed = mne.io.RawArray(data, raw.info.copy(), verbose="error")
    return changed.set_annotations(raw.annotations)


def audited(
    case: Case, seed: int, hours: float = HOURS, sample_per_stage: int = 8, artifacts: Sequence[str] = ()
) -> eegflex.evaluation.Evaluation:
    """The audit of a case on one night."""
    epochs = night_of(case, seed, hours, artifacts)
    night = eegflex.stage_epochs(epochs, case.stager(), verbose="error")
    asked = {"sample_per_stage": sample_per_stage, "spectral_share": 0, "windows_per_stage": 0, "on_check": "ignore"}
    result = eegflex.attribute_epochs(night, **asked, views=("time",), verbose="error")
    return eegflex.evaluate(result, night, parts="shortcuts", sample_per_stage=sample_per_stage, verbose="error")


def flagged(evaluation: eegflex.evaluation.Evaluation) -> set[str]:
    """What it was flagged for."""
    return {name for name in KINDS if evaluation.findings[f"shortcut: {name}"].status in ("warning", "error")}


def _rows(hours: float) -> Iterator[tuple[str, ...]]:
    for name, case in CASES.items():
        found = [audited(case, seed, hours) for seed in SEEDS]
        cells = []
        for kind in KINDS:
            n = sum(kind in flagged(one) for one in found)
            known = sum(one.findings[f"shortcut: {kind}"].status != "unknown" for one in found)
            most = [_most(one, kind) for one in found]
            cells.append("not known" if not known else f"{n} of {known} ({100 * np.nanmax(most):.0f} %)")
        yield name, case.kind or "none", *cells


def _most(evaluation: eegflex.evaluation.Evaluation, kind: str) -> float:
    """The largest lower end of an interval, over stages with enough explanations."""
    table = shortcut_table(evaluation)
    return float(table[(table["kind"] == kind) & (table["n"] >= 5)]["low"].max())


def text(hours: float = HOURS) -> str:
    """The confusion as a table."""
    heads = ("stager", "reads", *KINDS)
    said = f"Nights flagged, of {len(SEEDS)} of {hours:g} h; and the largest lower end of an interval of a stage's excess.\n\n"
    return said + as_table(heads, _rows(hours))


if __name__ == "__main__":
    sys.stdout.write(text(float(sys.argv[1]) if len(sys.argv) > 1 else HOURS))
