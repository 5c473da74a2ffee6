"""How large the file of a night of 7 h is, how long it takes to write and to read, and how much memory: light, and every bin.

All five stages are explained, with all views. Times are what the process computes; memory is what it does not share with files
(``RssAnon``), over what it takes once the result is there, or before it is read.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import eegflex
from benchmarks.memory import WATCH
from benchmarks.table import Row, markdown

__all__ = ["rows"]

_SAVE = """
epochs = eegflex.make_epochs(eegflex.read_psg(sys.argv[1], verbose="error"), verbose="error")
asked = {"target": "all", "views": ("time", "time-frequency"), "spectral_share": 0, "verbose": "error"}
result = eegflex.attribute_epochs(epochs, "bandpower", resolution=sys.argv[3], **asked)
before, seen, began = memory(), watch(), time.process_time()
fname = result.save(sys.argv[2])
print(fname.stat().st_size, time.process_time() - began, max(seen) - before, result.data.nbytes)
"""

_READ = """
eegflex.read_result(sys.argv[1], lazy=True).sel(epoch=[5, 6]).copy().band_table()
before, seen, began = memory(), watch(), time.process_time()
result = eegflex.read_result(sys.argv[1], lazy=True)
read = time.process_time() - began
result.band_table()
print(read, time.process_time() - began - read, max(seen) - before)
"""


def rows() -> list[Row]:
    """Measure a light result, and one with every bin."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        night = eegflex.simulate_psg(hours=7, seed=1, verbose="error").save(Path(folder) / "night.edf").psg
        for resolution in ("light", "full"):
            fname = Path(folder) / f"{resolution}.nc"
            size, saving, more, held = _run(_SAVE, night, fname, resolution)
            reading, table, needed = _run(_READ, fname)
            found.append((size / 1e6, saving, more / 2**20, held / 2**20, reading, table, needed / 2**20))
    (size, saving, more, held, reading, table, needed), every = found
    return [
        Row(
            "file of 840 epochs",
            f"{size:.0f} MB",
            f"{every[0]:.0f} MB",
            size / every[0],
            "7 of its 8 channels at most 60 MB",
            size * 7 / 8 <= 60,
        ),
        Row("saved in", f"{saving:.1f} s", f"{every[1]:.1f} s", saving / every[1], "at most 10 s", saving <= 10),
        Row("memory to save", f"{more:.0f} MiB", f"{every[2]:.0f} MiB", more / every[2], "", None),
        Row("result in memory", f"{held:.0f} MiB", f"{every[3]:.0f} MiB", held / every[3], "", None),
        Row("read lazily in", f"{reading:.2f} s", f"{every[4]:.2f} s", reading / every[4], "at most 1 s", reading <= 1),
        Row("band_table of it in", f"{table:.2f} s", f"{every[5]:.2f} s", table / every[5], "", None),
        Row("memory of both", f"{needed:.0f} MiB", f"{every[6]:.0f} MiB", needed / every[6], "", None),
    ]


def _run(script: str, *given: object) -> list[float]:
    command = [sys.executable, "-c", WATCH + script, *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(value) for value in done.stdout.split()]


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
