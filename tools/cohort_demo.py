"""Cohorts at work: bad recordings, kills, workers, memory, and how far lists and schedulers go.

Run a part by its name::

    python tools/cohort_demo.py FOLDER simulate [n=200] [minutes=20] [n_seeds=24]   # once, shared by the others
    python tools/cohort_demo.py FOLDER run                             # an undisturbed run: results, rows
    python tools/cohort_demo.py FOLDER kill WHAT TIMES                 # worker, client or everything, then rerun and compare
    python tools/cohort_demo.py FOLDER speed [n=20]                    # one worker against two
    python tools/cohort_demo.py FOLDER memory [n=100]                  # of the process that explains, recording by recording
    python tools/cohort_demo.py FOLDER listing [n=10000]
    python tools/cohort_demo.py FOLDER tables [n=10000]                # out of made-up sidecars
    python tools/cohort_demo.py FOLDER scheduler [n=20000]             # empty tasks
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

import eegflex
from eegflex.cohort import list_recordings, read_cohort, run_cohort
from eegflex.cohort.folder import Folder
from eegflex.cohort.recording import Recording
from eegflex.cohort.tables import write_tables

#: How the cohort is asked: quick, and everything that a run does.
ASKED: dict[str, Any] = {"sample_per_stage": 3, "evaluate": 1, "spectral_share": 1}


def _crashing() -> Any:
    """The stager of the demonstration: `bandpower`, in which one recording ends the process."""
    import torch

    stager = eegflex.load_model("bandpower")

    class Guarded(torch.nn.Module):
        def __init__(self, module: torch.nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            # µV: no other recording has it, and the checks of a model feed it a thousand times as much
            if x.numel() and 5e3 < float(x.detach().abs().amax()) < 5e4:
                os.abort()
            return self.module(x)

    stager.module = Guarded(stager.module)
    return stager


def _simulate(task: tuple[Path, int, float]) -> None:
    path, seed, minutes = task
    night = eegflex.simulate_psg(hours=minutes / 60, sfreq=100, seed=seed, verbose="error")
    night.save(path, overwrite=True)


def simulate(folder: Path, n: int = 200, minutes: float = 20, n_seeds: int = 24) -> None:
    """Write a cohort: a recording for each seed, which the others share, and bad ones in the places of ten."""
    nights = folder / "nights"
    nights.mkdir(parents=True, exist_ok=True)
    seeds = range(min(n_seeds, n))
    with ProcessPoolExecutor() as pool:
        list(pool.map(_simulate, [(nights / f"seed{seed}.edf", seed, minutes) for seed in seeds]))
    rows = []
    for place in range(n):
        own = nights / f"n{place:04d}.edf"
        for suffix in (".edf", "-hypnogram.edf"):
            there = nights / f"n{place:04d}{suffix}"
            there.unlink(missing_ok=True)
            os.link(nights / f"seed{place % len(seeds)}{suffix}", there)
        rows.append([own, nights / f"n{place:04d}-hypnogram.edf", f"{place:04d}", "ab"[place % 2], 20 + place % 50])
    _spoil(rows[: 2 * 10 : 2] if n >= 20 else [])
    table = pd.DataFrame(rows, columns=["recording", "hypnogram", "subject", "group", "age"])
    table["recording"] = [os.path.relpath(one, folder) for one in table["recording"]]
    table["hypnogram"] = [os.path.relpath(one, folder) for one in table["hypnogram"]]
    table.to_csv(folder / "cohort.csv", index=False)


def _spoil(rows: list[list[Any]]) -> None:
    """Spoil recordings, each in another way."""
    for row, how in zip(rows, SPOILS, strict=False):
        content = row[0].read_bytes()
        row[0].unlink()  # a link: the others stay
        row[0].write_bytes(how(content, row))


def _set_unit(content: bytes, _: Any) -> bytes:
    n = int(content[252:256])
    start = 256 + n * (16 + 80)
    return content[:start] + b"furlong ".ljust(8) * n + content[start + 8 * n :]


def _no_eeg(content: bytes, _: Any) -> bytes:
    n = int(content[252:256])
    return content[:256] + b"SaO2".ljust(16) * n + content[256 + 16 * n :]


def _texts(content: bytes, row: list[Any], text: str) -> bytes:
    row[1] = row[0].with_name(f"{row[0].stem}-stages.txt")
    row[1].write_text(text)
    return content


def _gain(content: bytes, _: Any) -> bytes:
    """Voltages 60 times as large: what ends the process that stages it."""
    n = int(content[252:256])
    start = 256 + n * (16 + 80 + 8)
    low, high = content[start : start + 8 * n], content[start + 8 * n : start + 16 * n]
    larger = b"".join(
        f"{60 * float(part[k : k + 8]):.0f}".encode().ljust(8)[:8] for part in (low, high) for k in range(0, 8 * n, 8)
    )
    return content[:start] + larger + content[start + 16 * n :]


SPOILS: tuple[Callable[[bytes, list[Any]], bytes], ...] = (
    lambda content, _: content[:200],
    lambda content, _: content[: len(content) // 3],
    _set_unit,
    _no_eeg,
    lambda content, row: _texts(content, row, "sometimes\nnever\n" * 20),
    lambda *_: b"",
    lambda *_: b"not a recording at all",
    _gain,
    lambda content, row: _texts(content, row, "W,N2\nN2,N3\n" * 20),
    lambda content, row: _texts(content, row, ""),
)


def explain(folder: Path, out: Path, **more: Any) -> Any:
    """Explain the cohort, or the first recordings of it."""
    n = more.pop("n", None)
    source = [one for one in list_recordings(folder / "cohort.csv") if n is None or int(one.subject) % 2][:n]
    return run_cohort(source, _crashing(), out, **(ASKED | more), verbose="error")


def run(folder: Path) -> None:
    """An undisturbed run."""
    shutil.rmtree(folder / "undisturbed", ignore_errors=True)
    began = time.perf_counter()
    found = explain(folder, folder / "undisturbed")
    table = found.recordings
    print(f"{(table['status'] == 'done').sum()} done in {time.perf_counter() - began:.0f} s")
    print(table.loc[table["status"] != "done", ["error", "remedy"]].to_string())
    began = time.perf_counter()
    explain(folder, folder / "undisturbed")
    print(f"a rerun took {time.perf_counter() - began:.1f} s")


def kill(folder: Path, what: str, times: int = 3) -> None:
    """Kill at random moments, run again, and compare with the undisturbed run."""
    if not (folder / "undisturbed").exists():
        run(folder)
    for turn in range(times):
        out = folder / f"killed-{what}-{turn}"
        shutil.rmtree(out, ignore_errors=True)
        client = subprocess.Popen([sys.executable, __file__, folder, "once", out])
        while not list(out.rglob("*_attribution.json")):
            time.sleep(0.5)
        wait = random.uniform(5, 60)  # noqa: S311
        time.sleep(wait)
        _kill(psutil.Process(client.pid), what)
        status = client.wait()
        n_then = len(list(out.rglob("*_attribution.json")))
        explain(folder, out)
        print(
            f"{what} killed after {wait:.0f} s, {n_then} there; status {status}; {differences(folder / 'undisturbed', out)}"
        )


def _kill(client: psutil.Process, what: str) -> None:
    """End one of the processes of a run, or all."""
    children = client.children(recursive=True)
    of_kind = {
        "hand": [one for one in children if "eegflex.cohort.hand" in " ".join(one.cmdline())],
        "worker": [one for one in client.children() if "spawn_main" in " ".join(one.cmdline())],
        "client": [client],
        "everything": [*children, client],
    }[what]
    for one in of_kind if what == "everything" else [random.choice(of_kind)]:  # noqa: S311
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)


def differences(one: Path, other: Path) -> str:
    """How two folders differ: byte for byte, but for what is of the run."""
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    others = {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    different = [str(name) for name in sorted(names & others) if not _same(one / name, other / name)]
    return f"{len(names & others)} files, {len(names ^ others)} in one only, {len(different)} differ {different[:5]}"


def _same(one: Path, other: Path) -> bool:
    if one.suffix == ".json":
        pair = [json.loads(path.read_bytes()) for path in (one, other)]
        return bool(_without_run(pair[0]) == _without_run(pair[1]))
    if one.stem == "recordings":
        read = pd.read_parquet if one.suffix == ".parquet" else pd.read_csv
        tables = [read(path).drop(columns="seconds") for path in (one, other)]
        return bool(tables[0].equals(tables[1]))
    return one.read_bytes() == other.read_bytes()


def _without_run(found: Any) -> Any:
    return {name: value for name, value in found.items() if name != "run"} if isinstance(found, dict) else found


def speed(folder: Path, n: int = 20) -> None:
    """One worker against two; the second run of each pair is of a warm disk."""
    seconds = {}
    for workers in (1, 2):
        out = folder / f"speed-{workers}"
        shutil.rmtree(out, ignore_errors=True)
        began = time.perf_counter()
        n = len(explain(folder, out, n=n, n_workers=workers).recordings)  # of 200 half are taken
        seconds[workers] = time.perf_counter() - began
    print(
        f"{n} recordings: {seconds[1]:.1f} s with one worker, {seconds[2]:.1f} s with two: {seconds[1] / seconds[2]:.2f} x"
    )


@contextlib.contextmanager
def _watched(every: float = 0.5) -> Iterator[list[tuple[float, int]]]:
    """Memory of the process that explains, as time goes on."""
    seen: list[tuple[float, int]] = []
    over, own = threading.Event(), psutil.Process()

    def watch() -> None:
        while not over.wait(every):
            with contextlib.suppress(psutil.Error):
                hands = [
                    one for one in own.children(recursive=True) if "eegflex.cohort.hand" in " ".join(one.cmdline())
                ]
                seen.extend((time.perf_counter(), one.memory_info().rss) for one in hands)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def memory(folder: Path, n: int = 100) -> None:
    """Memory of one process over many recordings."""
    out = folder / "memory"
    shutil.rmtree(out, ignore_errors=True)
    with _watched() as seen:
        explain(folder, out, n=n, n_workers=1)
    used = np.array([size for _, size in seen]) / 1e6
    tenths = [part.max() for part in np.array_split(used, 10)]
    print("largest in each tenth, MB:", [round(one) for one in tenths])
    print(f"growth from the second tenth to the last: {100 * (tenths[-1] / tenths[1] - 1):.1f} %")


def listing(folder: Path, n: int = 10000) -> None:
    """How long a BIDS data set takes to list."""
    for count in (n // 10, n):
        root = folder / f"bids-{count}"
        if not root.exists():
            for place in range(count):
                eeg = root / f"sub-{place:05d}" / "eeg"
                eeg.mkdir(parents=True)
                for end in ("eeg.edf", "events.tsv", "channels.tsv", "eeg.json"):
                    (eeg / f"sub-{place:05d}_task-sleep_{end}").touch()
            (root / "dataset_description.json").write_text("{}")
        began = time.perf_counter()
        found = list_recordings(root)
        print(f"{len(found)} recordings listed in {time.perf_counter() - began:.2f} s")


def tables(folder: Path, n: int = 10000) -> None:
    """How long the tables of a cohort take, out of sidecars that are copies of one with six channels."""
    import torch

    torch.manual_seed(0)
    root = folder / f"tables-{n}"
    names, channels = ["W", "N1", "N2", "N3", "REM"], [f"EEG{k}" for k in range(6)]
    bands = ["delta", "theta", "alpha", "sigma", "beta", "below", "above", "total"]
    rng = np.random.default_rng(0)
    where = Folder(root)
    ones = tuple(Recording(f"sub-{k:05d}", Path(), None, f"{k:05d}", "", {"age": k % 60}) for k in range(n))
    if not root.exists():
        where.write_listing(ones)
        for one in ones:
            mean = rng.normal(size=(5, 6, 8))
            counts = {"n_scored": 100, "n_predicted": 100, "n_explained": 20, "n_trusted": 2, "kappa": 0.8}
            summary = {
                "recording": {"kappa": 0.8, "disagreement": 0.1, "n_epochs": 900, "n_explained": 100, "n_trusted": 10},
                "stages": [{"stage": stage, **counts} for stage in names], "names": names, "channels": channels,
                "bands": bands, "n_epochs": np.full((5, 6), 20).tolist(), "mean": mean.round(6).tolist(),
                "error": np.abs(mean).round(6).tolist(), "n_agreed": np.full((5, 6), 16).tolist(),
                "mean_agreed": mean.round(6).tolist(), "error_agreed": np.abs(mean).round(6).tolist(),
                "freqs": (0.25 + 0.5 * np.arange(100)).tolist(), "score": "logits",
            }  # fmt: skip
            (root / one.folder).mkdir(parents=True)
            said = {"status": "done", "error": "", "remedy": "", "summary": summary, "run": {"seconds": 60.0}}
            where.sidecar(one).write_text(json.dumps(said | {"settings": {"attribution": {}, "model": "bandpower"}}))
            np.save(where.spectra(one), rng.normal(size=(3, 5, 6, 100)).astype(np.float32))
        (root / "dataset_description.json").write_text(
            json.dumps({"Settings": {"attribution": {}, "model": "bandpower"}})
        )
    began = time.perf_counter()
    cohort = read_cohort(root)
    read = time.perf_counter() - began
    began = time.perf_counter()
    write_tables(cohort, root / "tables")
    print(
        f"{n} recordings: read in {read:.1f} s, tables written in {time.perf_counter() - began:.1f} s, {len(cohort.bands)} rows"
    )
    print(f"at most {psutil.Process().memory_info().rss / 1e9:.2f} GB")


def _nothing(place: int) -> int:
    return place


def scheduler(folder: Path, n: int = 20000) -> None:
    """A scheduler that is given empty tasks, as the engine gives it recordings."""
    import distributed

    os.chdir(folder)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        own = psutil.Process().memory_info().rss
        began = time.perf_counter()
        futures = client.map(_nothing, range(n), key=[f"task-{k}" for k in range(n)], pure=False)
        given = time.perf_counter() - began
        distributed.wait(futures)
        took = time.perf_counter() - began
        grown = (psutil.Process().memory_info().rss - own) / 1e6
        print(
            f"{n} tasks: given out in {given:.1f} s, done in {took:.1f} s, {1e3 * took / n:.2f} ms each, {grown:.0f} MB"
        )


def once(folder: Path, out: str) -> None:
    """A run that others disturb."""
    explain(folder, Path(out))


if __name__ == "__main__":
    _, where, part, *words = sys.argv
    plain = [int(word) if word.isdecimal() else word for word in words if "=" not in word]
    named = {
        name: float(value) if "." in value else int(value)
        for name, _, value in (w.partition("=") for w in words if "=" in w)
    }
    globals()[part](Path(where).resolve(), *plain, **named)
