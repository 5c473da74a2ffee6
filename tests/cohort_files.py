"""Small cohorts on disk, good and bad recordings among them, and a stager for them that a file can crash."""

from __future__ import annotations

import csv
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from edf_files import Edf, Sig
from torch import nn

from eegflex.cohort import run_cohort
from eegflex.spec import ModelSpec
from eegflex.spec.model_spec import ChannelSpec

__all__ = ["CRASH", "HANG", "QUICK", "SPEC", "Rhythm", "bad_files", "explain", "good_files", "hanging_file", "table_of"]

SFREQ, N_EPOCHS = 64, 8
STAGES = ("W", "N1", "N2", "N3", "REM")
CHANNEL = ChannelSpec("eeg", types=("eeg",))
SPEC = ModelSpec(name="rhythm", sfreq=float(SFREQ), n_times=30 * SFREQ, unit="uV", channels=(CHANNEL,), stages=STAGES)
#: A recording whose samples are of about this size, in µV, takes down whatever process stages it.
CRASH = 450.0
#: One whose samples are of about this size is staged for ever.
HANG = 350.0
#: What keeps a test short, and changes nothing of how a cohort is worked on.
QUICK = {"evaluate": 0, "spectral_share": 0, "quadrature": "gauss-legendre", "n_steps": 2, "baseline": "zero"}


class Rhythm(nn.Module):
    """Scores each stage by its rhythm."""

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        times = torch.arange(30 * SFREQ) / SFREQ
        self.register_buffer("waves", torch.stack([torch.sin(2 * torch.pi * f * times) for f in (10, 6, 13, 2, 20)]))
        self.pause = pause

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() and abs(float(x.abs().mean()) - CRASH) < 5:
            os.abort()
        if x.numel() and abs(float(x.abs().mean()) - HANG) < 5:
            time.sleep(1000)
        if self.pause:
            time.sleep(self.pause)
        return torch.log1p((x @ self.waves.T).square().mean(1) / 1e4)


def _edf(seed: int, **signal: object) -> Edf:
    rng = np.random.default_rng(seed)
    time_of = np.arange(N_EPOCHS * 30 * SFREQ) / SFREQ
    rhythms = np.repeat(rng.permutation([10, 6, 13, 2, 20, 13, 2, 10]), 30 * SFREQ)
    data = 2000 * np.sin(2 * np.pi * rhythms * time_of) + rng.normal(0, 1000, len(time_of))
    given = {"data": np.round(data).astype(np.int32)} | signal
    return Edf([Sig("EEG C3-A2", n=SFREQ, **given)], n_records=30 * N_EPOCHS)


def _stages(seed: int) -> str:
    return "\n".join(np.random.default_rng(100 + seed).permutation([*STAGES, "N2", "N3", "W"])) + "\n"


def good_files(folder: Path, n: int) -> list[Path]:
    """Write recordings with hypnograms beside them."""
    paths = [folder / f"good{seed}.edf" for seed in range(n)]
    for seed, path in enumerate(paths):
        path.write_bytes(_edf(seed).to_bytes())
        path.with_name(f"good{seed}-hypnogram.txt").write_text(_stages(seed))
    return paths


def _of_size(size: float) -> Edf:
    rng, n = np.random.default_rng(52), N_EPOCHS * 30 * SFREQ
    data = np.round(rng.uniform(-20, 20, n) + size * rng.choice([-1, 1], n)) / 500 * 32767
    return _edf(52, data=data.astype(np.int32))


def hanging_file(folder: Path) -> Path:
    """Write a recording that is never staged to its end."""
    path = folder / "hang.edf"
    path.write_bytes(_of_size(HANG).to_bytes())
    return path


def bad_files(folder: Path) -> dict[str, Path]:
    """Write recordings that cannot be used, each in another way."""
    whole = _edf(50)
    texts = {
        "truncated": whole.to_bytes()[:300],
        "unit": _edf(51, unit="furlong").to_bytes(),
        "noeeg": Edf([Sig("SaO2", "%", n=1)], n_records=240).to_bytes(),
        "empty": b"",
        "text": b"not a recording",
        "crash": _of_size(CRASH).to_bytes(),
        "hypnogram": whole.to_bytes(),
    }
    found = {name: folder / f"bad{name}.edf" for name in texts}
    for name, path in found.items():
        path.write_bytes(texts[name])
    found["hypnogram"].with_name("badhypnogram-hypnogram.txt").write_text("sometimes\nnever\n" * 4)
    found["gone"] = folder / "badgone.edf"
    return found


def table_of(path: Path, recordings: list[Path]) -> Path:
    """Write the table of a cohort."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["recording", "hypnogram", "subject", "group", "age"])
        for place, one in enumerate(recordings):
            scored = one.with_name(f"{one.stem}-hypnogram.txt")
            given = os.path.relpath(scored, path.parent) if scored.exists() else ""
            rows.writerow([os.path.relpath(one, path.parent), given, one.stem, "ab"[place % 2], 20 + place])
    return path


def explain(source: str, out: str, **more: object) -> object:
    """Explain a cohort with the stager for it."""
    pause = float(more.pop("pause", 0.0))
    return run_cohort(source, Rhythm(pause), out, spec=SPEC, **(QUICK | more), verbose="error")


if __name__ == "__main__":
    import cohort_files  # under a name that other processes know

    given = dict(word.split("=") for word in sys.argv[3:])
    workers = {"n_workers": int(given["n_workers"])} if "n_workers" in given else {}
    cohort_files.explain(sys.argv[1], sys.argv[2], **(given | workers))
