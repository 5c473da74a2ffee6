"""How long and how much memory it takes to open a night and to read two channels of it.

Run it with ``python benchmarks/readers.py``: it writes a simulated night of 8 h and 89 signals into a temporary folder and
prints one Markdown table. "Bare" is the least that the same work can cost, measured in turn with ours in one run: MNE's
own opening, and a ``numpy.memmap`` read and scaling of the same samples.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from eegflex import read_psg

__all__ = ["Row", "main", "rows", "write_night"]

HEADS = ("what", "ours", "bare", "ratio", "floor")
REPEATS = 5
SITES = ("F3", "F4", "C3", "C4", "O1", "O2")
#: samples a second -> how many signals, as in a clinical recording
RATES = {200: 31, 100: 6, 75: 4, 25: 6, 20: 6, 5: 4, 3: 4, 1: 28}
PICKS = ["C3-M2", "C4-M2"]
TAL_BYTES = 40
LOW, HIGH = -3200.0, 3200.0  # µV


@dataclass(frozen=True)
class Row:
    """One row of the table: ``ours`` and ``bare`` in ``unit``; ``floor`` says what must hold."""

    what: str
    ours: float
    bare: float
    unit: str
    floor: str

    @property
    def ratio(self) -> float:
        """Ours, relative to the bare cost."""
        return self.ours / self.bare

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        ours, bare = (f"{value:.3g} {self.unit}" for value in (self.ours, self.bare))
        return self.what, ours, bare, f"{self.ratio:.2f}", self.floor


def rows(hours: float = 8.0) -> list[Row]:
    """Write a night, measure, and return the rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "night.edf"
        write_night(path, hours)
        return _measure(path, hours)


def main() -> None:
    """Print the table."""
    table = [HEADS, ("---",) * len(HEADS), *(row.cells() for row in rows())]
    for cells in table:
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


def write_night(path: Path, hours: float) -> None:
    """Write an EDF+C of 89 signals and an annotation signal, one record a second."""
    widths = [rate for rate, count in RATES.items() for _ in range(count)]
    labels = [f"{site}-M2" for site in SITES] + [f"X{k}" for k in range(len(widths) - len(SITES))]
    n_records = round(hours * 3600)
    with path.open("wb") as file:
        file.write(_header(labels, widths, n_records))
        block = np.random.default_rng(0).normal(0, 400, (600, sum(widths))).astype("<i2")
        for first in range(0, n_records, len(block)):
            part = block[: n_records - first]
            tals = [f"+{first + k}\x14\x14\x00".encode().ljust(TAL_BYTES, b"\x00") for k in range(len(part))]
            notes = np.frombuffer(b"".join(tals), "<i2").reshape(len(part), -1)
            file.write(np.hstack([part, notes]).tobytes())


def _header(labels: list[str], widths: list[int], n_records: int) -> bytes:
    names, sizes = [*labels, "EDF Annotations"], [*widths, TAL_BYTES // 2]
    count = len(names)
    fixed = [("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.00", 8), ("22.30.00", 8)]
    fixed += [(256 * (count + 1), 8), ("EDF+C", 44), (n_records, 8), (1, 8), (count, 4)]
    columns = [(names, 16), ([""] * count, 80), (["uV"] * count, 8), ([LOW] * count, 8), ([HIGH] * count, 8)]
    columns += [([-32768] * count, 8), ([32767] * count, 8), ([""] * count, 80), (sizes, 8), ([""] * count, 32)]
    fields = fixed + [(value, width) for values, width in columns for value in values]
    return b"".join(str(value).encode().ljust(width) for value, width in fields)


def _measure(path: Path, hours: float) -> list[Row]:
    night = f"{hours:g} h x {sum(RATES.values())} signals"
    raw = read_psg(path, verbose="ERROR")
    places = [raw.ch_names.index(name) for name in PICKS]
    indices = [SITES.index(name[:2]) for name in PICKS]

    def ours() -> Any:
        return raw.get_data(picks=places)

    def bare() -> npt.NDArray[np.float64]:
        return _read_bare(path, indices)

    # half a digit of one of 65536 steps
    np.testing.assert_allclose(ours(), bare(), rtol=0, atol=0.5 * (HIGH - LOW) / 65535 * 1e-6)
    opened = _seconds(
        lambda: read_psg(path, verbose="ERROR"), lambda: mne.io.read_raw_edf(path, preload=False, verbose="ERROR")
    )
    read = _seconds(ours, bare)
    floats = 8 * len(PICKS) * raw.n_times / 2**20
    return [
        Row(f"open {night} (bare: MNE's opening)", *opened, "s", "ours under 1 s"),
        Row(f"read 2 channels of {night} (bare: memmap and scaling)", *read, "s", "ratio at most 3"),
        Row(f"memory for them (bare: their {floats:.0f} MiB)", _peak(ours), floats, "MiB", "ratio at most 2"),
    ]


def _read_bare(path: Path, indices: list[int]) -> npt.NDArray[np.float64]:
    """Map the file, take the two signals' columns, scale them to V; for this one layout of file only."""
    width, size = sum(rate * count for rate, count in RATES.items()) + TAL_BYTES // 2, max(RATES)
    offset = 256 * (sum(RATES.values()) + 2)
    records = np.memmap(path, dtype="<i2", mode="r", offset=offset).reshape(-1, width)
    gain = (HIGH - LOW) / 65535 * 1e-6
    out = np.empty((len(indices), len(records), size))
    for row, index in zip(out, indices, strict=True):
        np.multiply(records[:, size * index : size * (index + 1)], gain, out=row)
        row += LOW * 1e-6 + 32768 * gain
    return out.reshape(len(indices), -1)


def _seconds(*tasks: Callable[[], Any]) -> list[float]:
    """Time tasks in turn; the median of each."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(REPEATS):
        for task, taken in zip(tasks, times, strict=True):
            start = time.perf_counter()
            task()
            taken.append(time.perf_counter() - start)
    return [float(np.median(taken)) for taken in times]


def _peak(task: Callable[[], Any]) -> float:
    """Return the most memory that a task holds at once, in MiB."""
    tracemalloc.start()
    task()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    main()
