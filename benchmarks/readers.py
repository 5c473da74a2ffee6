"""How long and how much memory it takes to open a night and to read two channels of it.

A simulated night of 8 h and 89 signals is written into a temporary folder. It is held against the least that the same work
can cost, measured in turn with ours in one run: MNE's own opening, and a ``numpy.memmap`` read and scaling of the samples.
"""

from __future__ import annotations

import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np
import numpy.typing as npt

from benchmarks.table import Row, markdown, seconds
from eegflex import read_psg

__all__ = ["rows", "write_night"]

SITES = ("F3", "F4", "C3", "C4", "O1", "O2")
#: samples a second -> how many signals, as in a clinical recording
RATES = {200: 31, 100: 6, 75: 4, 25: 6, 20: 6, 5: 4, 3: 4, 1: 28}
PICKS = ["C3-M2", "C4-M2"]
TAL_BYTES = 40
LOW, HIGH = -3200.0, 3200.0  # µV


def rows(hours: float = 8.0) -> list[Row]:
    """Write a night, measure, and return the rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "night.edf"
        write_night(path, hours)
        return _measure(path, hours)


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
    opened, theirs = seconds(
        lambda: read_psg(path, verbose="ERROR"), lambda: mne.io.read_raw_edf(path, preload=False, verbose="ERROR")
    )
    read, least = seconds(ours, bare)
    floats, peak = 8 * len(PICKS) * raw.n_times / 2**20, _peak(ours)
    return [
        Row(f"open {night}", f"{opened:.2f} s", f"MNE {theirs:.2f} s", opened / theirs, "ours under 1 s", opened < 1),
        Row(
            f"read 2 channels of {night}",
            f"{read:.2f} s",
            f"memmap and scaling {least:.2f} s",
            read / least,
            "at most 3",
            read <= 3 * least,
        ),
        Row(
            "memory for them",
            f"{peak:.0f} MiB",
            f"their samples {floats:.0f} MiB",
            peak / floats,
            "at most 2",
            peak <= 2 * floats,
        ),
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


def _peak(action: Callable[[], Any]) -> float:
    """Return the most memory that a task holds at once, in MiB."""
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
