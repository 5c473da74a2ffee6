"""Peak memory of explaining a night of 8 h, against one of 1 h, over what the process with the model takes by itself.

Memory is what the process does not share with files (``RssAnon`` of Linux's ``/proc``), watched every 2 ms.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import eegflex
from benchmarks.table import Row, markdown

__all__ = ["rows"]

#: What each process does: read the night from its file, and explain all of it with batches of the size that it finds.
_SCRIPT = """
import sys, threading, time
from pathlib import Path
import eegflex
from benchmarks.nights import trained

def memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

def watch():
    while True:
        seen.append(memory())
        time.sleep(0.002)

def explain(fname, first, **kwargs):
    epochs = eegflex.make_epochs(eegflex.read_psg(fname, verbose="error"), verbose="error")[:first]
    eegflex.attribute_epochs(epochs, stager, quadrature="gauss-legendre", n_steps=2, verbose="error", **kwargs)

stager = trained.chambon()
explain(sys.argv[1], 5, batch_size=1)
before, seen = memory(), []
threading.Thread(target=watch, daemon=True).start()
explain(sys.argv[1], None)
print(before, max(seen))
"""


def rows() -> list[Row]:
    """Measure both nights."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        for hours in (1, 8):
            file = eegflex.simulate_psg(hours=hours, seed=1, verbose="error").save(Path(folder) / f"{hours}.edf").psg
            done = subprocess.run(
                [sys.executable, "-c", _SCRIPT, str(file)], capture_output=True, text=True, check=True
            )
            measured[hours] = [int(value) / 1024 for value in done.stdout.split()[-2:]]
    (before, peak), (_, least) = measured[8], measured[1]
    what = "peak memory, 8 h against 1 h, single-epoch CNN"
    said = (f"{value:.0f} MiB, {value - before:.0f} over the process with the model" for value in (peak, least))
    return [Row(what, *said, peak / least, "at most 1.15", peak / least <= 1.15)]


if __name__ == "__main__":
    sys.stdout.write(markdown(rows()))
